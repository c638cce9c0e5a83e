//! cache: where things lie that can be had again: native libraries that were fetched, files that this executable carries and an engine wants on disk.

use crate::error::{Error, Result};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// PARITY_CACHE, else `parity` in the user's cache (XDG_CACHE_HOME, `~/.cache`); nothing where a user has none.
pub fn folder() -> Option<PathBuf> {
    let named = std::env::var_os("PARITY_CACHE").filter(|f| !f.is_empty());
    named
        .map(PathBuf::from)
        .or_else(|| dirs::cache_dir().map(|d| d.join("parity")))
}

/// A folder of the cache with exactly the files that this executable carries as `E`, written once. Its name says what is in it: another version of the
/// executable has another.
///
/// # Errors
/// There is no cache, or it cannot be written to.
pub fn unpacked<E: RustEmbed>(name: &str) -> Result<PathBuf> {
    let cache = folder().ok_or_else(|| {
        Error::failed("this user has no folder for caches").next("set PARITY_CACHE to a folder")
    })?;
    let carried = |file: Cow<'static, str>| E::get(&file).map(|held| (file, held));
    let files: Vec<_> = E::iter().filter_map(carried).collect();
    let mut all = Sha256::new();
    for (file, held) in &files {
        all.update(file.as_bytes());
        all.update(held.metadata.sha256_hash());
    }
    let hex: String = all.finalize().iter().map(|b| format!("{b:02x}")).collect();
    let home = cache.join(format!("{name}-{}", &hex[..16]));
    if home.is_dir() {
        return Ok(home);
    }
    let files = files
        .iter()
        .map(|(n, held)| (n.as_ref(), held.data.as_ref()));
    write(&cache, &home, files).map_err(|e| {
        Error::failed(format!("{}: {e}", home.display()))
            .next("make it writable, or set PARITY_CACHE to another folder")
    })?;
    Ok(home)
}

/// Beside first, then renamed: a folder that is there is whole, whoever wrote it.
fn write<'a>(
    cache: &Path,
    home: &Path,
    files: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> std::io::Result<()> {
    std::fs::create_dir_all(cache)?;
    let beside = tempfile::tempdir_in(cache)?;
    for (name, bytes) in files {
        let path = beside.path().join(name);
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        std::fs::write(path, bytes)?;
    }
    // Where another process was faster its folder stands, with the same files.
    match std::fs::rename(beside.path(), home) {
        Err(e) if !home.is_dir() => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_unpacked_is_whole_and_is_not_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("x/forms-1");
        let files = [("a.onnx", &b"1"[..]), ("deep/b.py", b"2")];
        write(&dir.path().join("x"), &home, files.into_iter()).unwrap();
        assert_eq!(std::fs::read(home.join("deep/b.py")).unwrap(), b"2");
        std::fs::write(home.join("a.onnx"), "theirs").unwrap();
        write(&dir.path().join("x"), &home, files.into_iter()).unwrap();
        assert_eq!(std::fs::read(home.join("a.onnx")).unwrap(), b"theirs");
        let left = std::fs::read_dir(dir.path().join("x")).unwrap().count();
        assert_eq!(left, 1, "what lay beside is gone");
    }

    #[test]
    fn a_cache_that_cannot_be_written_to_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("file");
        std::fs::write(&cache, "").unwrap();
        assert!(write(&cache, &cache.join("h"), std::iter::empty()).is_err());
    }
}

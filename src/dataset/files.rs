//! files: what lies below a folder, in order; links are followed, and one that leads back is said and not followed.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use walkdir::{DirEntry, WalkDir};

/// What image loaders take, by its extension.
const IMAGES: [&str; 15] = [
    "avif", "bmp", "dng", "heic", "heif", "jp2", "jpeg", "jpeg2000", "jpg", "mpo", "pfm", "png",
    "tif", "tiff", "webp",
];

/// Opens what is read; a pipe that nobody writes to is not waited for.
///
/// # Errors
/// It is not there, or no file.
pub fn open(path: &Path) -> std::io::Result<(File, u64)> {
    let mut options = File::options();
    let file = options
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    let about = file.metadata()?;
    match about.is_file() {
        true => Ok((file, about.len())),
        false => Err(std::io::Error::other("it is no file")),
    }
}

/// The files below a folder, and what could not be looked at with why.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub files: Vec<PathBuf>,
    pub refused: Vec<(PathBuf, String)>,
}

/// Files below `folder` that `wanted` takes, by name; what is hidden is none.
pub fn below(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Found {
    let mut found = Found::default();
    let seen = |e: &DirEntry| e.depth() == 0 || !e.file_name().as_bytes().starts_with(b".");
    let walk = WalkDir::new(folder).follow_links(true).sort_by_file_name();
    for entry in walk.into_iter().filter_entry(seen) {
        match entry {
            Ok(e) if e.file_type().is_file() && wanted(e.path()) => found.files.push(e.into_path()),
            Ok(_) => {}
            Err(e) => {
                let path = e.path().unwrap_or(folder).to_path_buf();
                let why = match e.loop_ancestor() {
                    Some(up) => format!("a link that leads back to {}", up.display()),
                    None => e
                        .io_error()
                        .map_or_else(|| e.to_string(), ToString::to_string),
                };
                found.refused.push((path, why));
            }
        }
    }
    found
}

/// Whether its name is that of an image.
pub fn is_image(path: &Path) -> bool {
    has_extension(path, &IMAGES)
}

/// Whether its name is that of an image, or of an array that stands for one, as depth and label maps are kept.
pub fn is_raster(path: &Path) -> bool {
    is_image(path) || has_extension(path, &["npy"])
}

pub fn has_extension(path: &Path, any: &[&str]) -> bool {
    let own = path.extension().and_then(OsStr::to_str);
    own.is_some_and(|own| any.iter().any(|e| own.eq_ignore_ascii_case(e)))
}

/// The image that `path` names but for its extension: the first of the usual ones that is there.
pub fn image_like(path: &Path) -> Option<PathBuf> {
    const USUAL: [&str; 9] = [
        "png", "jpg", "tiff", "tif", "npy", "jpeg", "webp", "bmp", "PNG",
    ];
    let own = path.extension().and_then(OsStr::to_str);
    let tried = own.into_iter().chain(USUAL);
    let mut tried = tried.map(|e| path.with_extension(e));
    tried.find(|p| p.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_back_is_said_and_hidden_files_are_none() {
        let dir = tempfile::tempdir().unwrap();
        let sub = dir.path().join("a");
        std::fs::create_dir(&sub).unwrap();
        std::fs::write(sub.join("x.JPG"), b"").unwrap();
        std::fs::write(sub.join("._x.jpg"), b"").unwrap();
        std::os::unix::fs::symlink(dir.path(), sub.join("back")).unwrap();
        let name = OsStr::from_bytes(b"\xff.png");
        std::fs::write(sub.join(name), b"").unwrap();
        let found = below(dir.path(), is_image);
        assert_eq!(found.files, [sub.join("x.JPG"), sub.join(name)]);
        assert_eq!(found.refused.len(), 1, "{found:?}");
        assert!(found.refused[0].1.contains("leads back"), "{found:?}");
    }
}

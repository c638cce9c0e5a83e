//! pixels: an image decoded as a whole: whether it can be, and digests by which equal images are found.

use super::files;
use image::{ImageError, ImageReader, Limits};
use sha2::{Digest, Sha256};
use std::io::{Cursor, Read};
use std::path::Path;

/// Memory that one image may take, in its file and decoded, whatever its header says.
const MAX_BYTES: u64 = 192 << 20;

/// Half a SHA-256: what equal images have in common.
pub type Mark = [u8; 16];

/// An image as bytes of a file, and as pixels where they can be decoded.
pub struct Marks {
    pub file: Mark,
    pub pixels: Result<Mark, Undecoded>,
}

/// Why an image was not decoded.
pub enum Undecoded {
    /// It is damaged.
    Damaged(String),
    /// It is of a kind that is not read here.
    Unknown(String),
}

/// # Errors
/// The file cannot be read.
pub fn marks(path: &Path) -> std::io::Result<Marks> {
    let (mut file, length) = files::open(path)?;
    if length > MAX_BYTES {
        return Err(std::io::Error::other(format!(
            "a file of {length} bytes is not decoded"
        )));
    }
    let mut bytes = Vec::with_capacity(length as usize + 1);
    file.read_to_end(&mut bytes)?;
    Ok(Marks {
        file: mark(Sha256::new_with_prefix(&bytes)),
        pixels: decoded(&bytes),
    })
}

fn decoded(bytes: &[u8]) -> Result<Mark, Undecoded> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let mut reader = reader.map_err(|e| Undecoded::Damaged(e.to_string()))?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_BYTES);
    reader.limits(limits);
    let image = reader.decode().map_err(|e| match e {
        ImageError::Unsupported(_) | ImageError::Limits(_) => Undecoded::Unknown(e.to_string()),
        e => Undecoded::Damaged(e.to_string()),
    })?;
    let kind = format!("{:?} {} {} ", image.color(), image.width(), image.height());
    let digest = Sha256::new_with_prefix(kind).chain_update(image.as_bytes());
    Ok(mark(digest))
}

fn mark(digest: Sha256) -> Mark {
    let mut mark = Mark::default();
    mark.copy_from_slice(&digest.finalize()[..16]);
    mark
}

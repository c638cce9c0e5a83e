//! header: what an image says of itself in front of its pixels: size, channels, bits; whether its end is there.

use super::{files, jpeg};
use crate::input::npy;
use image::ImageDecoder;
use image::codecs::{bmp::BmpDecoder, webp::WebPDecoder};
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;
use tiff::ColorType;
use tiff::decoder::Decoder;
use tiff::tags::Tag;

/// What is read at once: where no camera has put a preview in front, the whole header.
const BLOCK: usize = 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub width: u32,
    pub height: u32,
    pub channels: u16,
    pub bits: u16,
    /// Pixels are places in a palette.
    pub indexed: bool,
    /// Viewers, and loaders that heed the camera, exchange width and height.
    pub turned: bool,
}

impl Header {
    pub fn size(&self) -> [u32; 2] {
        [self.width, self.height]
    }

    /// Whether something of `size` lies over it; over one that its camera turned, in either direction.
    pub fn fits(&self, size: [u32; 2]) -> bool {
        let [w, h] = size;
        self.size() == size || (self.turned && self.size() == [h, w])
    }
}

/// Why there is no header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    Missing,
    Empty,
    Truncated(String),
    NoImage(String),
    /// A format that is not read here.
    Unknown(&'static str),
}

impl Unread {
    pub fn no_image(what: impl Into<String>) -> Self {
        Self::NoImage(what.into())
    }
}

impl From<std::io::Error> for Unread {
    fn from(e: std::io::Error) -> Self {
        match e.kind() {
            ErrorKind::NotFound => Self::Missing,
            ErrorKind::UnexpectedEof => Self::Truncated("it ends in its header".into()),
            _ => Self::NoImage(e.to_string()),
        }
    }
}

/// Formats that loaders know and this reader does not, by what stands at which place.
const FOREIGN: [(usize, &[u8], &str); 7] = [
    (4, b"ftypavif", "AVIF"),
    (4, b"ftyp", "HEIF"),
    (0, b"GIF8", "GIF"),
    (0, b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"PF\n", "PFM"),
    (0, b"Pf\n", "PFM"),
];

/// # Errors
/// There is no image, or not all of it.
pub fn read(path: &Path) -> Result<Header, Unread> {
    let (file, length) = files::open(path)?;
    let mut file = BufReader::with_capacity(BLOCK, file);
    let mut head = Vec::with_capacity(64);
    file.by_ref().take(64).read_to_end(&mut head)?;
    match &head[..] {
        [] => Err(Unread::Empty),
        [0x89, b'P', b'N', b'G', ..] => png(&mut file, &head, length),
        [0xff, 0xd8, 0xff, ..] => {
            // Back to the first marker, within what is read already.
            file.seek_relative(2 - head.len() as i64)?;
            jpeg::read(&mut file, length)
        }
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => tiff(file, length),
        [b'R', b'I', b'F', b'F', ..] if head.get(8..12) == Some(b"WEBP") => {
            webp(file, &head, length)
        }
        [b'B', b'M', ..] => {
            file.rewind()?;
            coded(BmpDecoder::new(file))
        }
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => array(file, length),
        _ => Err(foreign(&head)),
    }
}

fn foreign(head: &[u8]) -> Unread {
    let is = |(at, magic, _): &&(usize, &[u8], &str)| {
        head.get(*at..).is_some_and(|rest| rest.starts_with(magic))
    };
    match FOREIGN.iter().find(is) {
        Some(row) => Unread::Unknown(row.2),
        None => Unread::no_image("it begins as no image does"),
    }
}

/// The first chunk of a PNG has all of it; the last one is there, wherever it is.
fn png(file: &mut BufReader<File>, head: &[u8], length: u64) -> Result<Header, Unread> {
    if head.len() < 33 {
        return Err(Unread::Truncated("it ends in its header".into()));
    }
    if &head[12..16] != b"IHDR" {
        return Err(Unread::no_image("a PNG without a header"));
    }
    let number =
        |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let channels = match head[25] {
        0 | 3 => 1,
        4 => 2,
        2 => 3,
        6 => 4,
        other => return Err(Unread::no_image(format!("a PNG of colour type {other}"))),
    };
    png_ends(file, length)?;
    Ok(Header {
        width: number(16),
        height: number(20),
        channels,
        bits: head[24].into(),
        indexed: head[25] == 3,
        turned: false,
    })
}

fn png_ends(file: &mut BufReader<File>, length: u64) -> Result<(), Unread> {
    const END: &[u8; 12] = b"\0\0\0\0IEND\xae\x42\x60\x82";
    let mut last = [0; 12];
    file.get_ref()
        .read_exact_at(&mut last, length.saturating_sub(12))?;
    if &last == END {
        return Ok(());
    }
    // Something stands behind its end, or there is none: its chunks are walked.
    let mut at = 8;
    while at + 12 <= length {
        file.seek(SeekFrom::Start(at))?;
        let mut begin = [0; 8];
        file.read_exact(&mut begin)?;
        if &begin[4..] == b"IEND" {
            return Ok(());
        }
        let [a, b, c, d, ..] = begin;
        at += 12 + u64::from(u32::from_be_bytes([a, b, c, d]));
    }
    let what = format!("a PNG of {length} bytes whose last chunk is missing");
    Err(Unread::Truncated(what))
}

fn tiff(mut file: BufReader<File>, length: u64) -> Result<Header, Unread> {
    file.rewind()?;
    let no = |e: tiff::TiffError| match e {
        tiff::TiffError::IoError(e) => Unread::from(e),
        tiff::TiffError::UnsupportedError(_) => Unread::Unknown("this kind of TIFF"),
        e => Unread::no_image(e.to_string()),
    };
    let mut decoder = Decoder::new(file).map_err(no)?;
    let (width, height) = decoder.dimensions().map_err(no)?;
    let (channels, bits) = match decoder.colortype().map_err(no)? {
        ColorType::Gray(bits) | ColorType::Palette(bits) => (1, bits),
        ColorType::GrayA(bits) => (2, bits),
        ColorType::RGB(bits) | ColorType::YCbCr(bits) | ColorType::Lab(bits) => (3, bits),
        ColorType::RGBA(bits) | ColorType::CMYK(bits) => (4, bits),
        ColorType::CMYKA(bits) => (5, bits),
        ColorType::Multiband {
            bit_depth,
            num_samples,
        } => (num_samples, bit_depth),
        _ => return Err(Unread::Unknown("this kind of TIFF")),
    };
    let indexed = decoder.find_tag_unsigned::<u16>(Tag::PhotometricInterpretation);
    for (offsets, counts) in [
        (Tag::StripOffsets, Tag::StripByteCounts),
        (Tag::TileOffsets, Tag::TileByteCounts),
    ] {
        let offsets = decoder.get_tag_u64_vec(offsets).unwrap_or_default();
        let counts = decoder.get_tag_u64_vec(counts).unwrap_or_default();
        let ends = offsets
            .iter()
            .zip(&counts)
            .map(|(o, c)| o.saturating_add(*c));
        if let Some(end) = ends.max().filter(|end| *end > length) {
            let what = format!("a TIFF of {length} bytes whose pixels end at byte {end}");
            return Err(Unread::Truncated(what));
        }
    }
    Ok(Header {
        width,
        height,
        channels,
        bits: bits.into(),
        indexed: indexed.ok().flatten() == Some(3),
        turned: false,
    })
}

fn webp(mut file: BufReader<File>, head: &[u8], length: u64) -> Result<Header, Unread> {
    let stated = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]])) + 8;
    if stated > length {
        let what = format!("a WebP of {stated} bytes of which {length} are there");
        return Err(Unread::Truncated(what));
    }
    file.rewind()?;
    coded(WebPDecoder::new(file))
}

fn coded<D: ImageDecoder>(decoder: image::ImageResult<D>) -> Result<Header, Unread> {
    let decoder = decoder.map_err(|e| match e {
        image::ImageError::IoError(e) => Unread::from(e),
        image::ImageError::Unsupported(_) => Unread::Unknown("this kind of BMP or WebP"),
        e => Unread::no_image(e.to_string()),
    })?;
    let (width, height) = decoder.dimensions();
    let color = decoder.color_type();
    Ok(Header {
        width,
        height,
        channels: color.channel_count().into(),
        bits: color.bits_per_pixel() / u16::from(color.channel_count()),
        indexed: false,
        turned: false,
    })
}

/// An array of numpy's as a picture: [H, W] or [H, W, C].
fn array(mut file: BufReader<File>, length: u64) -> Result<Header, Unread> {
    file.rewind()?;
    let no = |e: crate::error::Error| Unread::no_image(e.message);
    let mut head = Vec::new();
    file.take(1 << 16).read_to_end(&mut head)?;
    let (dtype, shape, begin) = npy::described(&head).map_err(no)?;
    let (height, width, channels) = match shape[..] {
        [h, w] => (h, w, 1),
        [h, w, c] => (h, w, c),
        _ => return Err(Unread::no_image(format!("an array of shape {shape:?}"))),
    };
    let small = |n: usize| u32::try_from(n).map_err(|_| Unread::no_image("an array too large"));
    let bytes = shape
        .iter()
        .try_fold(dtype.size(), |n, s| n.checked_mul(*s));
    if bytes.is_none_or(|n| begin.saturating_add(n) as u64 > length) {
        let what = format!("an array {dtype} {shape:?} in a file of {length} bytes");
        return Err(Unread::Truncated(what));
    }
    Ok(Header {
        width: small(width)?,
        height: small(height)?,
        channels: u16::try_from(channels).unwrap_or(u16::MAX),
        bits: u16::try_from(8 * dtype.size()).unwrap_or(u16::MAX),
        indexed: false,
        turned: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{DynamicImage, ImageFormat};
    use std::path::PathBuf;

    fn saved(dir: &Path, name: &str, image: &DynamicImage, format: ImageFormat) -> PathBuf {
        let path = dir.join(name);
        image.save_with_format(&path, format).unwrap();
        path
    }

    fn said(path: &Path) -> (u32, u32, u16, u16) {
        let h = read(path).unwrap();
        (h.width, h.height, h.channels, h.bits)
    }

    #[test]
    fn every_format_says_its_size_channels_and_bits() {
        let dir = tempfile::tempdir().unwrap();
        let rgb = DynamicImage::new_rgb8(31, 17);
        let deep = DynamicImage::new_luma16(31, 17);
        use ImageFormat::{Bmp, Jpeg, Png, Tiff, WebP};
        for format in [Bmp, Jpeg, Png, Tiff, WebP] {
            let path = saved(dir.path(), "i", &rgb, format);
            assert_eq!(said(&path), (31, 17, 3, 8), "{format:?}");
        }
        for format in [Png, Tiff] {
            let path = saved(dir.path(), "d", &deep, format);
            assert_eq!(said(&path), (31, 17, 1, 16), "{format:?}");
        }
        let gray = DynamicImage::new_luma8(8, 9);
        assert_eq!(said(&saved(dir.path(), "g", &gray, Jpeg)), (8, 9, 1, 8));
    }

    #[test]
    fn every_format_cut_short_is_no_image_and_what_stands_behind_its_end_is_no_matter() {
        let dir = tempfile::tempdir().unwrap();
        let noise = image::RgbImage::from_fn(40, 40, |x, y| {
            image::Rgb([(x * 7 + y * 13) as u8, (x * y) as u8, (x ^ y) as u8])
        });
        let noise = DynamicImage::from(noise);
        use ImageFormat::{Jpeg, Png, Tiff, WebP};
        for format in [Jpeg, Png, Tiff, WebP] {
            let path = saved(dir.path(), "i", &noise, format);
            let whole = std::fs::read(&path).unwrap();
            for share in [1, 5, 20, 40, 60, 90, 99] {
                std::fs::write(&path, &whole[..whole.len() * share / 100]).unwrap();
                assert!(read(&path).is_err(), "{format:?}, {share} %");
            }
            std::fs::write(&path, [&whole[..], &[0; 9]].concat()).unwrap();
            assert!(read(&path).is_ok(), "{format:?} with zeros behind it");
        }
    }

    #[test]
    fn an_empty_file_a_page_and_a_folder_are_no_images() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.jpg");
        std::fs::write(&path, b"").unwrap();
        assert_eq!(read(&path), Err(Unread::Empty));
        std::fs::write(&path, b"<html>").unwrap();
        assert!(matches!(read(&path), Err(Unread::NoImage(_))));
        assert!(matches!(read(dir.path()), Err(Unread::NoImage(_))));
        assert_eq!(read(&dir.path().join("none")), Err(Unread::Missing));
        std::fs::write(&path, b"\0\0\0\x18ftypheic").unwrap();
        assert_eq!(read(&path), Err(Unread::Unknown("HEIF")));
    }

    #[test]
    fn an_array_is_a_picture_of_its_first_two_axes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("d.npy");
        let head = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 5), }";
        let mut bytes = b"\x93NUMPY\x01\0".to_vec();
        bytes.extend((head.len() as u16).to_le_bytes());
        bytes.extend(head.bytes());
        bytes.extend([0; 60]);
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(said(&path), (5, 3, 1, 32));
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(matches!(read(&path), Err(Unread::Truncated(_))));
    }
}

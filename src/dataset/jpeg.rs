//! jpeg: the segments in front of a JPEG's pixels (ITU-T T.81, B.1 and B.2), and whether its end is there.

use super::header::{Header, Unread};
use image::metadata::Orientation;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::os::unix::fs::FileExt;

const START_OF_SCAN: u8 = 0xda;
const END_OF_IMAGE: u8 = 0xd9;

/// # Errors
/// It ends early, or is not built as a JPEG is.
pub fn read(file: &mut BufReader<File>, length: u64) -> Result<Header, Unread> {
    let (mut frame, mut turned) = (None, false);
    loop {
        let marker = marker(file)?;
        // Markers that stand alone: TEM and restarts.
        if marker == 0x01 || (0xd0..=0xd7).contains(&marker) {
            continue;
        }
        if marker == START_OF_SCAN || marker == END_OF_IMAGE {
            break;
        }
        let [high, low] = bytes(file)?;
        let size = u16::from_be_bytes([high, low]).checked_sub(2);
        let size = size.ok_or_else(|| Unread::no_image("a JPEG segment of no length"))?;
        match marker {
            0xc0..=0xcf if ![0xc4, 0xc8, 0xcc].contains(&marker) => {
                frame = Some(start_of_frame(file)?);
                skip(file, i64::from(size) - 6)?;
            }
            0xe1 => turned |= is_turned(file, size)?,
            _ => skip(file, i64::from(size))?,
        }
    }
    let [bits, height, width, channels] =
        frame.ok_or_else(|| Unread::no_image("a JPEG without a frame"))?;
    ends(file, length)?;
    Ok(Header {
        width: u32::from(width),
        height: u32::from(height),
        channels,
        bits,
        indexed: false,
        turned,
    })
}

/// The next marker, behind any number of fill bytes.
fn marker<R: Read>(file: &mut R) -> Result<u8, Unread> {
    let [first] = bytes(file)?;
    if first != 0xff {
        return Err(Unread::no_image(
            "a JPEG whose segments do not follow each other",
        ));
    }
    loop {
        let [byte] = bytes(file)?;
        if byte != 0xff {
            return Ok(byte);
        }
    }
}

fn start_of_frame<R: Read>(file: &mut R) -> Result<[u16; 4], Unread> {
    let [bits, h1, h0, w1, w0, channels]: [u8; 6] = bytes(file)?;
    let height = u16::from_be_bytes([h1, h0]);
    let width = u16::from_be_bytes([w1, w0]);
    Ok([bits.into(), height, width, channels.into()])
}

/// Whether the camera says that width and height change places.
fn is_turned<R: Read + Seek>(file: &mut R, size: u16) -> Result<bool, Unread> {
    let mut chunk = vec![0; usize::from(size)];
    file.read_exact(&mut chunk)?;
    let orientation = chunk
        .strip_prefix(b"Exif\0\0")
        .and_then(Orientation::from_exif_chunk);
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    Ok(matches!(
        orientation,
        Some(Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
    ))
}

/// The end marker is there: as the last two bytes, or with something else behind it. Pixels hold no such pair of bytes.
fn ends(file: &mut BufReader<File>, length: u64) -> Result<(), Unread> {
    let mut last = [0; 2];
    file.get_ref()
        .read_exact_at(&mut last, length.saturating_sub(2))?;
    if last == [0xff, END_OF_IMAGE] {
        return Ok(());
    }
    let mut before = 0;
    loop {
        let block = file.fill_buf()?;
        let n = block.len();
        if n == 0 {
            let what = format!("a JPEG of {length} bytes that has no end marker");
            return Err(Unread::Truncated(what));
        }
        let marks = |pair: &[u8]| pair == [0xff, END_OF_IMAGE];
        if (before == 0xff && block[0] == END_OF_IMAGE) || block.windows(2).any(marks) {
            return Ok(());
        }
        before = block[n - 1];
        file.consume(n);
    }
}

fn bytes<const N: usize, R: Read>(file: &mut R) -> Result<[u8; N], Unread> {
    let mut all = [0; N];
    file.read_exact(&mut all)?;
    Ok(all)
}

fn skip<R: Seek>(file: &mut R, n: i64) -> Result<(), Unread> {
    Ok(file.seek_relative(n)?)
}

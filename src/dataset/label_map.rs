//! label_map: a class per pixel, as PNG (values or places of a palette), TIFF, BMP or numpy hold it; no value is changed on the way.

use super::files;
use crate::input::file;
use crate::tensor::DType;
use png::{ColorType, Transformations};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Bytes of a file and pixels of a map that are read at most.
const MAX_BYTES: u64 = 128 << 20;
const MAX_PIXELS: u64 = 1 << 28;

/// How many pixels have each value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Width and height.
    pub size: [u32; 2],
    pub values: BTreeMap<i64, u64>,
}

impl Counted {
    pub fn pixels(&self) -> u64 {
        self.values.values().sum()
    }
}

/// # Errors
/// It is no map of one value per pixel, with why.
pub fn read(path: &Path) -> Result<Counted, String> {
    let (_, length) = files::open(path).map_err(|e| e.to_string())?;
    if length > MAX_BYTES {
        return Err(format!("{length} bytes, more than a map has"));
    }
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
    match extension.to_ascii_lowercase().as_str() {
        "npy" => array(path),
        "png" => png_map(path),
        _ => picture(path),
    }
}

fn array(path: &Path) -> Result<Counted, String> {
    let tensor = file::load(path, "").map_err(|e| e.message)?;
    let (height, width) = match tensor.shape() {
        [h, w] | [1, h, w] | [h, w, 1] => (*h, *w),
        shape => {
            return Err(format!(
                "an array of shape {shape:?}, no map of [height, width]"
            ));
        }
    };
    if matches!(tensor.dtype(), DType::F16 | DType::BF16) {
        return Err(format!("{}, no whole numbers", tensor.dtype()));
    }
    let mut values = BTreeMap::new();
    for value in tensor.to_f64() {
        if value.fract() != 0.0 {
            return Err(format!("a value of {value}, which is no class"));
        }
        *values.entry(value as i64).or_insert(0) += 1;
    }
    let size = [width, height].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    Ok(Counted { size, values })
}

fn png_map(path: &Path) -> Result<Counted, String> {
    let said = |e: &dyn std::fmt::Display| e.to_string();
    let file = File::open(path).map_err(|e| said(&e))?;
    let mut decoder = png::Decoder::new(BufReader::new(file));
    decoder.set_transformations(Transformations::IDENTITY);
    let mut reader = decoder.read_info().map_err(|e| said(&e))?;
    let info = reader.info();
    let (width, height) = (info.width, info.height);
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(format!("{width} x {height} pixels, more than a map has"));
    }
    let (color, depth) = reader.output_color_type();
    if !matches!(color, ColorType::Grayscale | ColorType::Indexed) {
        return Err(format!(
            "colours ({color:?}), where a map has one value per pixel"
        ));
    }
    let bits = depth as usize;
    let mut counts = vec![0u64; 1 << bits.min(16)];
    while let Some(row) = reader.next_row().map_err(|e| said(&e))? {
        count(row.data(), bits, width as usize, &mut counts);
    }
    let values = (0..).zip(counts).filter(|(_, n)| *n > 0).collect();
    Ok(Counted {
        size: [width, height],
        values,
    })
}

/// Counts a row of PNG's: values of 16 bits are big-endian, those of less than 8 share bytes, the first one high.
fn count(row: &[u8], bits: usize, width: usize, counts: &mut [u64]) {
    match bits {
        16 => row
            .chunks_exact(2)
            .for_each(|b| counts[usize::from(b[0]) << 8 | usize::from(b[1])] += 1),
        8 => row.iter().for_each(|b| counts[usize::from(*b)] += 1),
        _ => {
            let each = 8 / bits;
            let value =
                |i: usize| row[i / each] >> (8 - bits - i % each * bits) & ((1 << bits) - 1);
            (0..width).for_each(|i| counts[usize::from(value(i))] += 1);
        }
    }
}

fn picture(path: &Path) -> Result<Counted, String> {
    let reader = image::ImageReader::open(path).and_then(|r| r.with_guessed_format());
    let image = reader
        .map_err(|e| e.to_string())?
        .decode()
        .map_err(|e| e.to_string())?;
    let mut values = BTreeMap::new();
    match &image {
        image::DynamicImage::ImageLuma8(map) => {
            map.iter()
                .for_each(|v| *values.entry(i64::from(*v)).or_insert(0) += 1);
        }
        image::DynamicImage::ImageLuma16(map) => {
            map.iter()
                .for_each(|v| *values.entry(i64::from(*v)).or_insert(0) += 1);
        }
        other => {
            let color = other.color();
            return Err(format!(
                "colours ({color:?}), where a map has one value per pixel"
            ));
        }
    }
    let size = [image.width(), image.height()];
    Ok(Counted { size, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map_of(bits: png::BitDepth, color: ColorType, row: &[u8], width: u32) -> Counted {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.png");
        let mut encoder = png::Encoder::new(File::create(&path).unwrap(), width, 1);
        encoder.set_color(color);
        encoder.set_depth(bits);
        if color == ColorType::Indexed {
            encoder.set_palette(vec![9; 3 * 16]);
        }
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(row).unwrap();
        writer.finish().unwrap();
        read(&path).unwrap()
    }

    #[test]
    fn values_are_those_of_the_file_whatever_the_bits_and_the_palette() {
        let values = |c: Counted| c.values.into_iter().collect::<Vec<_>>();
        use png::BitDepth::{Eight, Four, One, Sixteen};
        let gray = ColorType::Grayscale;
        assert_eq!(
            values(map_of(One, gray, &[0b1010_0000], 3)),
            [(0, 1), (1, 2)]
        );
        assert_eq!(
            values(map_of(Four, gray, &[0x1f, 0x10], 3)),
            [(1, 2), (15, 1)]
        );
        assert_eq!(
            values(map_of(Eight, gray, &[7, 255], 2)),
            [(7, 1), (255, 1)]
        );
        assert_eq!(values(map_of(Sixteen, gray, &[1, 0], 1)), [(256, 1)]);
        let indexed = map_of(Eight, ColorType::Indexed, &[3, 5], 2);
        assert_eq!(values(indexed), [(3, 1), (5, 1)]);
    }

    #[test]
    fn a_coloured_picture_is_no_map() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.png");
        image::RgbImage::new(2, 2).save(&path).unwrap();
        assert!(read(&path).unwrap_err().contains("Rgb"));
    }
}

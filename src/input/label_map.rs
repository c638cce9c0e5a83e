//! label_map: class indices of pixels, one map at a time: PNG files as they are stored, arrays of maps, and logits by their largest.

use super::npy;
use crate::error::{Error, Place, Result};
use crate::tensor::{DType, Tensor};
use crate::trace::file as trace_file;
use indexmap::IndexMap;
use std::path::{Path, PathBuf};

/// Pixels of one map at most.
const MAX_PIXELS: u64 = 1 << 28;

/// The class index of every pixel, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    pub height: usize,
    pub width: usize,
    pub values: Vec<i64>,
    /// Pixels with a logit that is no number.
    pub not_finite: u64,
}

/// What lies behind a folder or a file: maps by name, read when asked for.
pub struct Maps {
    items: IndexMap<String, Item>,
    /// Files that hold no map that can be read, with the reason.
    pub unreadable: Vec<(PathBuf, Error)>,
    /// The array that was read last: maps of one array follow each other.
    last: Option<((PathBuf, String), Tensor)>,
}

#[derive(Clone, Debug)]
struct Item {
    path: PathBuf,
    /// Its name in a safetensors file.
    tensor: String,
    /// Its place in a batch.
    at: Option<usize>,
}

impl Maps {
    /// The maps of a folder (by the stem of each file) or of one file; `classes` tells logits from a batch of maps, where logits may be.
    ///
    /// # Errors
    /// No such file or folder.
    pub fn open(path: &Path, logits: Option<usize>) -> Result<Self> {
        let mut out = Self {
            items: IndexMap::new(),
            unreadable: vec![],
            last: None,
        };
        if path.is_dir() {
            let files = crate::file::listed(path)?;
            for file in files.iter().filter(|f| is_map(f)) {
                out.list(file, &stem(file), logits);
            }
        } else {
            crate::file::is_there(path).at(path.display())?;
            out.list(path, "", logits);
        }
        match out.items.is_empty() && out.unreadable.is_empty() {
            true => Err(Error::usage(format!(
                "{} holds no .png, .npy or .safetensors file",
                path.display()
            ))),
            false => Ok(out),
        }
    }

    fn list(&mut self, file: &Path, stem: &str, logits: Option<usize>) {
        let listed = named(file).and_then(|all| {
            let items = all.into_iter().map(|(tensor, dtype, shape)| {
                let n = Form::of(dtype, &shape, logits)?.maps(&shape);
                Ok((tensor, n))
            });
            items.collect::<Result<Vec<_>>>()
        });
        match listed {
            Err(e) => self.unreadable.push((file.to_path_buf(), e)),
            Ok(all) => all.into_iter().for_each(|(tensor, n)| {
                let path = file.to_path_buf();
                let base = join(stem, &tensor);
                let mut put = |name: String, at| {
                    let (path, tensor) = (path.clone(), tensor.clone());
                    self.items.insert(name, Item { path, tensor, at });
                };
                match n {
                    None => put(base, None),
                    Some(n) => (0..n).for_each(|i| put(format!("{base}[{i}]"), Some(i))),
                }
            }),
        }
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.items.keys().map(String::as_str)
    }

    /// Where the map called `name` lies.
    #[must_use]
    pub fn place(&self, name: &str) -> String {
        let item = &self.items[name];
        let mut out = item.path.display().to_string();
        if !item.tensor.is_empty() {
            out += &format!(": tensor '{}'", item.tensor);
        }
        item.at.map_or(out.clone(), |i| format!("{out}[{i}]"))
    }

    /// The map called `name`; panics where there is none (a programming error, not data).
    ///
    /// # Errors
    /// It cannot be read, or holds no class indices.
    pub fn get(&mut self, name: &str, logits: Option<usize>) -> Result<Map> {
        let item = self.items[name].clone();
        if is(&item.path, "png") {
            return png(&item.path);
        }
        let key = (item.path.clone(), item.tensor.clone());
        if self.last.as_ref().is_none_or(|(held, _)| *held != key) {
            self.last = Some((key, array(&item)?));
        }
        let Some((_, held)) = &self.last else {
            return Err(Error::failed("an array was lost"));
        };
        let form = Form::of(held.dtype(), held.shape(), logits)?;
        let own = item.at.map_or_else(|| held.clone(), |i| held.row(i));
        form.map(&own)
    }
}

fn is(path: &Path, extension: &str) -> bool {
    let own = path.extension().and_then(|e| e.to_str());
    own.is_some_and(|e| e.eq_ignore_ascii_case(extension))
}

fn is_map(path: &Path) -> bool {
    ["png", "npy", "safetensors"].iter().any(|e| is(path, e))
}

fn stem(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

fn join(stem: &str, tensor: &str) -> String {
    match (stem.is_empty(), tensor.is_empty()) {
        (_, true) => stem.into(),
        (true, false) => tensor.into(),
        (false, false) => format!("{stem}.{tensor}"),
    }
}

/// Arrays of a file by name, with dtype and shape: the one of a PNG or .npy file has none.
fn named(path: &Path) -> Result<Vec<(String, DType, Vec<usize>)>> {
    if is(path, "png") {
        return Ok(vec![(String::new(), DType::U8, vec![0, 0])]);
    }
    if is(path, "npy") {
        let held = npy::mapped(path)?;
        return Ok(vec![(String::new(), held.dtype(), held.shape().to_vec())]);
    }
    if !is(path, "safetensors") {
        let fact = format!("{}: neither .png, .npy nor .safetensors", path.display());
        return Err(Error::usage(fact));
    }
    let open = trace_file::open(path)?;
    let all: Vec<String> = open.names().map(String::from).collect();
    // One tensor of a file is the file's, whatever it is called.
    let alone = all.len() == 1;
    let of = |name: String| {
        let (dtype, shape) = open.attributes(&name)?;
        let called = if alone { String::new() } else { name };
        Ok((called, dtype, shape))
    };
    all.into_iter().map(of).collect()
}

fn array(item: &Item) -> Result<Tensor> {
    if is(&item.path, "npy") {
        return npy::mapped(&item.path);
    }
    let open = trace_file::open(&item.path)?;
    let first = open.names().next().unwrap_or_default().to_string();
    let name = if item.tensor.is_empty() {
        &first
    } else {
        &item.tensor
    };
    let held = open.tensor(name)?;
    held.ok_or_else(|| Error::usage(format!("no tensor '{name}'")).at(item.path.display()))
}

/// What the axes of an array are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    /// `[H, W]`.
    One,
    /// `[N, H, W]` or `[N, 1, H, W]`.
    Many,
    /// `[C, H, W]`.
    Logits,
    /// `[N, C, H, W]`.
    ManyLogits,
}

impl Form {
    fn of(dtype: DType, shape: &[usize], logits: Option<usize>) -> Result<Self> {
        let float = matches!(dtype, DType::F64 | DType::F32 | DType::F16 | DType::BF16);
        match shape {
            [_, _] => Ok(Self::One),
            [c, _, _] if float && logits == Some(*c) => Ok(Self::Logits),
            [_, _, _] => Ok(Self::Many),
            [_, c, _, _] if logits == Some(*c) && *c > 1 => Ok(Self::ManyLogits),
            [_, 1, _, _] => Ok(Self::Many),
            _ => Err(Error::usage(format!(
                "{dtype} {shape:?} is neither [H, W], [N, H, W] nor logits [N, C, H, W]{}",
                logits.map_or(String::new(), |c| format!(" of {c} classes"))
            ))
            .next(
                "save class indices as [N, H, W], or logits with the classes on the second axis",
            )),
        }
    }

    /// How many maps, where there is an axis of them.
    fn maps(self, shape: &[usize]) -> Option<usize> {
        matches!(self, Self::Many | Self::ManyLogits).then(|| shape[0])
    }

    /// One map, the axis of maps taken off.
    fn map(self, held: &Tensor) -> Result<Map> {
        let shape = held.shape();
        let [height, width] = [shape[shape.len() - 2], shape[shape.len() - 1]];
        match self {
            Self::One | Self::Many => Ok(Map {
                height,
                width,
                values: indices(held)?,
                not_finite: 0,
            }),
            Self::Logits | Self::ManyLogits => {
                let (values, not_finite) = largest(&held.to_f64(), shape[0]);
                Ok(Map {
                    height,
                    width,
                    values,
                    not_finite,
                })
            }
        }
    }
}

fn indices(held: &Tensor) -> Result<Vec<i64>> {
    if let Some(all) = held.to_i64() {
        return Ok(all);
    }
    let values = held.to_f64();
    match values.iter().position(|v| v.fract() != 0.0) {
        None => Ok(values.iter().map(|v| *v as i64).collect()),
        Some(i) => {
            let width = held.shape().last().copied().unwrap_or(1).max(1);
            let fact = format!(
                "value {} at row {}, column {} is no class index",
                values[i],
                i / width,
                i % width
            );
            Err(Error::usage(fact)
                .next("save class indices; of logits give --classes as many as their class axis"))
        }
    }
}

/// The first largest of `classes` planes, pixel by pixel, as argmax takes it: a NaN is larger than all. And how many pixels have a logit that is none.
fn largest(values: &[f64], classes: usize) -> (Vec<i64>, u64) {
    let pixels = values.len() / classes.max(1);
    let mut not_finite = 0;
    let of = |i: usize| {
        let at = |c: usize| values[c * pixels + i];
        not_finite += u64::from((0..classes).any(|c| !at(c).is_finite()));
        let above = |a: f64, b: f64| a > b || (a.is_nan() && !b.is_nan());
        let best = (1..classes).fold(0, |best, c| if above(at(c), at(best)) { c } else { best });
        best as i64
    };
    let out = (0..pixels).map(of).collect();
    (out, not_finite)
}

/// The values as they are stored: an index into a palette is not its colour.
fn png(path: &Path) -> Result<Map> {
    let place = path.display();
    let file = std::fs::File::open(path).map_err(|e| Error::usage(e.to_string()));
    let told = |e: png::DecodingError| Error::usage(format!("no PNG that can be read: {e}"));
    let decoder = png::Decoder::new(std::io::BufReader::new(file.at(&place)?));
    let mut reader = decoder.read_info().map_err(told).at(&place)?;
    let (width, height) = reader.info().size();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        let fact = format!("{width} x {height} is more than {MAX_PIXELS} pixels");
        return Err(Error::usage(fact).at(&place));
    }
    let (color, depth) = reader.output_color_type();
    if !matches!(color, png::ColorType::Grayscale | png::ColorType::Indexed) {
        let fact = format!("its pixels are {color:?}, not class indices");
        let next = "save one channel of class indices, or a palette image";
        return Err(Error::usage(fact).next(next).at(&place));
    }
    let size = reader.output_buffer_size().unwrap_or(usize::MAX);
    let mut bytes = vec![0; size.min(MAX_PIXELS as usize * 2)];
    let info = reader.next_frame(&mut bytes).map_err(told).at(&place)?;
    let (width, height) = (width as usize, height as usize);
    let rows = bytes.chunks(info.line_size).take(height);
    let values = rows.flat_map(|row| unpacked(row, depth as usize, width));
    Ok(Map {
        height,
        width,
        values: values.collect(),
        not_finite: 0,
    })
}

/// `width` samples of `depth` bits each; the first are the high bits.
fn unpacked(row: &[u8], depth: usize, width: usize) -> Vec<i64> {
    let sample = |i: usize| match depth {
        16 => i64::from(u16::from_be_bytes([row[2 * i], row[2 * i + 1]])),
        8 => i64::from(row[i]),
        _ => {
            let bit = i * depth;
            let shift = 8 - depth - bit % 8;
            i64::from(row[bit / 8] >> shift) & ((1 << depth) - 1)
        }
    };
    (0..width).map(sample).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A PNG of `values`, packed into `depth` bits.
    fn write(path: &Path, color: png::ColorType, depth: png::BitDepth, width: u32, bytes: &[u8]) {
        let file = std::fs::File::create(path).unwrap();
        let mut encoder = png::Encoder::new(file, width, 2);
        encoder.set_color(color);
        encoder.set_depth(depth);
        if color == png::ColorType::Indexed {
            encoder.set_palette((0..48).map(|i| i * 5).collect::<Vec<u8>>());
        }
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(bytes).unwrap();
    }

    #[test]
    fn what_a_png_stores_is_the_index_whatever_its_depth_and_palette() {
        use png::{BitDepth, ColorType};
        let dir = tempfile::tempdir().unwrap();
        type Row<'a> = (ColorType, BitDepth, &'a [u8], [i64; 6]);
        let rows: [Row; 5] = [
            (
                ColorType::Grayscale,
                BitDepth::One,
                &[0b1010_0000, 0b0110_0000],
                [1, 0, 1, 0, 1, 1],
            ),
            (
                ColorType::Grayscale,
                BitDepth::Two,
                &[0b1101_0000, 0b0010_1100],
                [3, 1, 0, 0, 2, 3],
            ),
            (
                ColorType::Indexed,
                BitDepth::Four,
                &[0x12, 0x30, 0x45, 0x60],
                [1, 2, 3, 4, 5, 6],
            ),
            (
                ColorType::Indexed,
                BitDepth::Eight,
                &[1, 2, 3, 4, 5, 6],
                [1, 2, 3, 4, 5, 6],
            ),
            (
                ColorType::Grayscale,
                BitDepth::Sixteen,
                &[0, 1, 1, 0, 255, 255, 0, 4, 0, 5, 0, 6],
                [1, 256, 65535, 4, 5, 6],
            ),
        ];
        for (color, depth, bytes, want) in rows {
            let path = dir.path().join("m.png");
            write(&path, color, depth, 3, bytes);
            let map = png(&path).unwrap();
            assert_eq!((map.height, map.width), (2, 3));
            assert_eq!(map.values, want, "{color:?} {depth:?}");
        }
        let path = dir.path().join("c.png");
        write(&path, png::ColorType::Rgb, png::BitDepth::Eight, 1, &[0; 6]);
        assert!(png(&path).unwrap_err().message.contains("Rgb"));
        std::fs::write(&path, b"\x89PNG\r\n\x1a\n").unwrap();
        assert!(png(&path).is_err());
    }

    #[test]
    fn logits_are_told_from_maps_and_their_largest_is_argmaxs() {
        let is = |dtype, shape: &[usize], logits| Form::of(dtype, shape, logits).ok();
        assert_eq!(is(DType::F32, &[3, 4, 5], Some(3)), Some(Form::Logits));
        assert_eq!(is(DType::U8, &[3, 4, 5], Some(3)), Some(Form::Many));
        assert_eq!(
            is(DType::F32, &[2, 3, 4, 5], Some(3)),
            Some(Form::ManyLogits)
        );
        assert_eq!(is(DType::F32, &[2, 3, 4, 5], None), None);
        assert_eq!(is(DType::I64, &[2, 1, 4, 5], None), Some(Form::Many));
        assert_eq!(is(DType::I64, &[7], None), None);
        let logits = [0.0, 5.0, f64::NAN, 1.0, 5.0, 9.0, -1.0, f64::NAN, 3.0];
        assert_eq!(largest(&logits, 3), (vec![1, 2, 0], 2));
    }

    #[test]
    fn half_a_class_is_refused_with_its_place() {
        let held = Tensor::of(&[2, 2], &[0f32, 1.0, 2.0, 0.5]);
        let e = indices(&held).unwrap_err().message;
        assert_eq!(e, "value 0.5 at row 1, column 1 is no class index");
        assert!(indices(&Tensor::of(&[1, 1], &[f32::NAN])).is_err());
        assert!(indices(&Tensor::of(&[1, 1], &[f32::INFINITY])).is_err());
    }
}

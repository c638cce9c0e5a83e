//! coco: annotations of COCO's: one JSON file for all images of a split, boxes in pixels.

use super::{Class, Labels, Object, Wrong, WrongKind};
use crate::error::{Error, Result};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Bytes, Read};
use std::path::Path;

/// What a file holds: its images with their labels, its categories, and what belongs to no image.
#[derive(Clone, Debug, Default)]
pub struct Coco {
    /// The name of each image's file, and its labels.
    pub images: Vec<(String, Labels)>,
    pub categories: Vec<(i64, String)>,
    pub wrong: Vec<Wrong>,
}

#[derive(Deserialize)]
struct Raw {
    images: Vec<RawImage>,
    #[serde(default)]
    annotations: Vec<Annotation>,
    #[serde(default)]
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct RawImage {
    id: Value,
    file_name: String,
    #[serde(default)]
    width: Option<f64>,
    #[serde(default)]
    height: Option<f64>,
}

#[derive(Deserialize)]
struct Category {
    id: i64,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct RawAnnotation {
    #[serde(default)]
    id: Value,
    #[serde(default)]
    image_id: Value,
    #[serde(default)]
    category_id: Value,
    #[serde(default)]
    bbox: Value,
}

/// An annotation in as many bytes as it needs: there are millions.
#[derive(Deserialize)]
#[serde(from = "RawAnnotation")]
struct Annotation {
    id: Option<i64>,
    image: Key,
    category: Option<i64>,
    /// None where it is no list of four; a number that is none is NaN.
    bbox: Option<[f64; 4]>,
}

/// Ids of images are numbers, or words of some tools.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Number(i64),
    Other(Box<str>),
}

impl Key {
    fn of(value: &Value) -> Self {
        let other = || Self::Other(value.to_string().into());
        value.as_i64().map_or_else(other, Self::Number)
    }

    fn said(&self) -> String {
        match self {
            Self::Number(n) => n.to_string(),
            Self::Other(text) => text.to_string(),
        }
    }
}

impl From<RawAnnotation> for Annotation {
    fn from(raw: RawAnnotation) -> Self {
        let side = |v: &Value| match v {
            Value::Null => Some(f64::NAN),
            v => v.as_f64(),
        };
        let sides = raw.bbox.as_array().map(|all| all.iter().map(side));
        let sides: Option<Vec<f64>> = sides.and_then(Iterator::collect);
        Self {
            id: raw.id.as_i64(),
            image: Key::of(&raw.image_id),
            category: raw.category_id.as_i64(),
            bbox: sides.and_then(|all| all.try_into().ok()),
        }
    }
}

/// # Errors
/// No such file, or no annotations of COCO's, with the line.
pub fn load(path: &Path) -> Result<Coco> {
    let file = File::open(path).map_err(|e| Error::usage(e.to_string()))?;
    read(BufReader::with_capacity(1 << 16, file))
}

fn read(file: impl Read) -> Result<Coco> {
    let raw = serde_json::from_reader(BufReader::new(NoNan::of(file)));
    let raw: Raw = raw.map_err(|e| Error::usage(format!("no annotations of COCO's: {e}")))?;
    let mut coco = Coco {
        categories: raw.categories.into_iter().map(|c| (c.id, c.name)).collect(),
        ..Coco::default()
    };
    let mut place = HashMap::new();
    for (i, image) in raw.images.into_iter().enumerate() {
        let side = |s: Option<f64>| {
            s.filter(|s| *s >= 0.0 && s.fract() == 0.0)
                .map(|s| s as u32)
        };
        let size = side(image.width)
            .zip(side(image.height))
            .map(|(w, h)| [w, h]);
        let id = Key::of(&image.id);
        if let Some(first) = place.insert(id.clone(), i) {
            let what = format!("id {} is that of images[{first}], too", id.said());
            let at = format!("images[{i}]");
            coco.wrong.push(Wrong::new(WrongKind::Repeated, at, what));
        }
        let labels = Labels {
            size,
            ..Labels::default()
        };
        coco.images.push((image.file_name, labels));
    }
    let mut ids = HashMap::new();
    for (i, annotation) in raw.annotations.into_iter().enumerate() {
        coco.take(i, &annotation, &place);
        let first = annotation.id.and_then(|id| ids.insert(id, i));
        if let (Some(first), Some(id)) = (first, annotation.id) {
            let what = format!("id {id} is that of annotations[{first}], too");
            let at = format!("annotations[{i}]");
            coco.wrong.push(Wrong::new(WrongKind::Repeated, at, what));
        }
    }
    Ok(coco)
}

impl Coco {
    fn take(&mut self, i: usize, annotation: &Annotation, place: &HashMap<Key, usize>) {
        let at = format!("annotations[{i}]");
        let Some((_, labels)) = place.get(&annotation.image).map(|i| &mut self.images[*i]) else {
            let what = format!("image_id {} is that of no image", annotation.image.said());
            self.wrong.push(Wrong::new(WrongKind::Syntax, at, what));
            return;
        };
        let [w, h] = labels.size.unwrap_or([1, 1]).map(|s| f64::from(s.max(1)));
        let refused = |kind, what: String| Wrong::new(kind, at.clone(), what);
        let Some(id) = annotation.category else {
            labels
                .wrong
                .push(refused(WrongKind::Syntax, "no category_id".into()));
            return;
        };
        let Some([x, y, bw, bh]) = annotation.bbox else {
            let what = "no bbox of four numbers".into();
            labels.wrong.push(refused(WrongKind::Syntax, what));
            return;
        };
        if [x, y, bw, bh].iter().any(|v| !v.is_finite()) {
            let what = "a number of its bbox is NaN or infinite".into();
            labels.wrong.push(refused(WrongKind::NonFinite, what));
            return;
        }
        labels.objects.push(Object {
            at,
            class: Class::Id(id),
            corners: [x / w, y / h, (x + bw) / w, (y + bh) / h],
        });
    }
}

/// Python writes NaN and Infinity, which are no JSON: outside of texts they become null.
struct NoNan<R: Read> {
    bytes: Bytes<BufReader<R>>,
    /// Inside of a text; behind a backslash in it.
    text: bool,
    escaped: bool,
    /// What is still to be given out.
    word: Vec<u8>,
}

impl<R: Read> NoNan<R> {
    fn of(file: R) -> Self {
        Self {
            bytes: BufReader::with_capacity(1 << 16, file).bytes(),
            text: false,
            escaped: false,
            word: vec![],
        }
    }

    fn next(&mut self) -> Option<std::io::Result<u8>> {
        if let Some(byte) = self.word.pop() {
            return Some(Ok(byte));
        }
        let byte = match self.bytes.next()? {
            Ok(byte) => byte,
            Err(e) => return Some(Err(e)),
        };
        if self.text {
            self.text = self.escaped || byte != b'"';
            self.escaped = !self.escaped && byte == b'\\';
            return Some(Ok(byte));
        }
        match byte {
            b'"' => self.text = true,
            b'N' | b'I' => return self.replaced(byte, 0),
            b'-' => {
                let next = self.bytes.next()?;
                match next {
                    Ok(b'I') => return self.replaced(b'I', 0),
                    Ok(other) => self.word.push(other),
                    Err(e) => return Some(Err(e)),
                }
            }
            _ => {}
        }
        Some(Ok(byte))
    }

    /// `first` begins NaN or Infinity, and null stands for it.
    fn replaced(&mut self, first: u8, _: usize) -> Option<std::io::Result<u8>> {
        let rest: &[u8] = if first == b'N' { b"aN" } else { b"nfinity" };
        let read: Vec<u8> = (0..rest.len())
            .map_while(|_| self.bytes.next()?.ok())
            .collect();
        let (first, rest) = match read == rest {
            true => (b'n', b"ull".to_vec()),
            false => (first, read),
        };
        self.word.extend(rest.into_iter().rev());
        Some(Ok(first))
    }
}

impl<R: Read> Read for NoNan<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let mut n = 0;
        while n < into.len() {
            match self.next() {
                Some(byte) => into[n] = byte?,
                None => break,
            }
            n += 1;
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGES: &str = r#""images": [{"id": 7, "file_name": "NaN \"-Infinity.jpg", "width": 10, "height": 20}], "categories": [{"id": 3, "name": "car"}]"#;

    fn coco(annotations: &str) -> Coco {
        let text = format!("{{{IMAGES}, \"annotations\": [{annotations}]}}");
        read(text.as_bytes()).unwrap()
    }

    #[test]
    fn boxes_become_shares_of_their_image() {
        let coco = coco(
            r#"{"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2.0, 4, -2], "area": 8}"#,
        );
        assert_eq!(coco.wrong, []);
        let (name, labels) = &coco.images[0];
        assert_eq!(name, "NaN \"-Infinity.jpg");
        assert_eq!((labels.size, &labels.wrong[..]), (Some([10, 20]), &[][..]));
        assert_eq!(labels.objects[0].corners, [0.1, 0.1, 0.5, 0.0]);
    }

    #[test]
    fn one_bad_annotation_is_said_and_the_others_are_read() {
        use WrongKind::{NonFinite, Syntax};
        let good = r#"{"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 4, 2]}"#;
        for (bad, kind) in [
            (
                r#"{"image_id": 7, "category_id": 3, "bbox": [NaN, 2, 4, 2]}"#,
                NonFinite,
            ),
            (
                r#"{"image_id": 7, "category_id": 3, "bbox": [1, -Infinity, 4, 2]}"#,
                NonFinite,
            ),
            (
                r#"{"image_id": 7, "category_id": 3, "bbox": [1, 2, 4]}"#,
                Syntax,
            ),
            (r#"{"image_id": 7, "bbox": [1, 2, 4, 2]}"#, Syntax),
            (r#"{"image_id": 7, "category_id": 3}"#, Syntax),
        ] {
            let coco = coco(&format!("{bad}, {good}"));
            let labels = &coco.images[0].1;
            assert_eq!(labels.objects.len(), 1, "{bad}");
            assert_eq!(labels.wrong[0].kind, kind, "{bad}");
            assert_eq!(labels.wrong[0].at, "annotations[0]");
        }
        let lost = coco(r#"{"image_id": 8, "category_id": 3, "bbox": [1, 2, 4, 2]}"#);
        assert!(lost.wrong[0].what.contains("image_id 8"));
        assert_eq!(coco(&format!("{good}, {good}")).wrong.len(), 1);
    }

    #[test]
    fn what_is_no_json_has_its_line() {
        let says = read(&b"{\"images\": [\n{\"id\": 1"[..])
            .unwrap_err()
            .message;
        assert!(says.contains("line 2"), "{says}");
        assert!(read(&b"[1, Nope]"[..]).is_err());
    }
}

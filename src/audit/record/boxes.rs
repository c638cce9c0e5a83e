//! boxes: objects and detections as COCO's JSON and YOLO's text files have them, in pixels of the image.

use crate::error::{Error, Place, Result};
use crate::kernel::metric::average_precision::{Detection, Object};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// What is there to be found.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    pub objects: Vec<Object>,
    pub images: Vec<Image>,
    /// Names of classes in order, and the category of each.
    pub classes: Vec<(i64, String)>,
    /// Lines that are no object, the place and the reason.
    pub odd: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// The id of COCO's JSON, or the stem of its file.
    pub id: String,
    pub stem: String,
    /// As the truth names it.
    pub file: PathBuf,
    pub width: f64,
    pub height: f64,
}

/// What was detected, and what of it belongs to no image or class.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub detections: Vec<Detection>,
    pub unknown_images: Vec<String>,
    pub unknown_classes: Vec<String>,
    pub odd: Vec<String>,
}

#[derive(Deserialize)]
struct Coco {
    images: Vec<CocoImage>,
    annotations: Vec<Annotation>,
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct CocoImage {
    id: Value,
    #[serde(default)]
    file_name: String,
    #[serde(default)]
    width: f64,
    #[serde(default)]
    height: f64,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: Value,
    category_id: i64,
    bbox: [f64; 4],
    area: Option<f64>,
    #[serde(default)]
    iscrowd: i64,
}

#[derive(Deserialize)]
struct Category {
    id: i64,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Result_ {
    image_id: Value,
    category_id: i64,
    bbox: [f64; 4],
    score: f64,
}

/// An id as text, whether it is a number or a string.
fn id(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), String::from)
}

/// Objects of a COCO file, or of a folder of YOLO's text files, whose images are `images`.
///
/// # Errors
/// A file that cannot be read, or is neither.
pub fn truth(path: &Path, images: Option<&Path>, names: &[String]) -> Result<Truth> {
    match path.is_dir() {
        true => yolo(path, images, names).at(path.display()),
        false => coco(path).at(path.display()),
    }
}

fn coco(path: &Path) -> Result<Truth> {
    let read: Coco = json(path)?;
    let mut out = Truth::default();
    let mut place = HashMap::new();
    for image in &read.images {
        place.insert(id(&image.id), out.images.len());
        out.images.push(Image {
            id: id(&image.id),
            stem: stem(Path::new(&image.file_name)),
            file: PathBuf::from(&image.file_name),
            width: image.width,
            height: image.height,
        });
    }
    out.classes = read
        .categories
        .iter()
        .map(|c| (c.id, c.name.clone()))
        .collect();
    out.classes.sort();
    for (i, a) in read.annotations.iter().enumerate() {
        let class = out.classes.iter().position(|c| c.0 == a.category_id);
        match (place.get(&id(&a.image_id)), class) {
            (Some(image), Some(class)) if is_box(a.bbox) => out.objects.push(Object {
                image: *image,
                class,
                bbox: a.bbox,
                area: a.area.unwrap_or(a.bbox[2] * a.bbox[3]),
                crowd: a.iscrowd != 0,
            }),
            (None, _) => out
                .odd
                .push(format!("annotation {i}: no image {}", id(&a.image_id))),
            (_, None) => out
                .odd
                .push(format!("annotation {i}: no category {}", a.category_id)),
            _ => out.odd.push(format!("annotation {i}: box {:?}", a.bbox)),
        }
    }
    Ok(out)
}

fn is_box(b: [f64; 4]) -> bool {
    b.iter().all(|v| v.is_finite()) && b[2] >= 0.0 && b[3] >= 0.0
}

fn json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    crate::file::is_there(path)?;
    let file = std::fs::File::open(path).map_err(|e| Error::usage(e.to_string()))?;
    serde_json::from_reader(std::io::BufReader::new(file)).map_err(|e| Error::usage(e.to_string()))
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// The folder of images beside a folder of labels: the last `labels` of its path is `images`.
fn beside(labels: &Path) -> Option<PathBuf> {
    let parts: Vec<_> = labels.components().collect();
    let at = parts.iter().rposition(|p| p.as_os_str() == "labels")?;
    let all = parts.iter().enumerate();
    Some(
        all.map(|(i, p)| {
            if i == at {
                "images".as_ref()
            } else {
                p.as_os_str()
            }
        })
        .collect(),
    )
}

fn yolo(labels: &Path, images: Option<&Path>, names: &[String]) -> Result<Truth> {
    let folder = images
        .map(PathBuf::from)
        .or_else(|| beside(labels))
        .filter(|p| p.is_dir());
    let folder = folder.ok_or_else(|| {
        Error::usage("the images of these labels are not found")
            .next("--images FOLDER: sizes are counted in their pixels")
    })?;
    let mut out = Truth {
        classes: names
            .iter()
            .enumerate()
            .map(|(i, n)| (i as i64, n.clone()))
            .collect(),
        ..Truth::default()
    };
    let mut highest = names.len();
    for file in crate::file::listed(&folder)? {
        let Some((width, height)) = dimensions(&file) else {
            continue;
        };
        let image = out.images.len();
        let name = stem(&file);
        out.images.push(Image {
            id: name.clone(),
            stem: name.clone(),
            file: file.clone(),
            width,
            height,
        });
        let path = labels.join(format!("{name}.txt"));
        // An image without a file has no object.
        let Ok(bytes) = std::fs::read(&path) else {
            continue;
        };
        for (i, line) in String::from_utf8_lossy(&bytes)
            .lines()
            .enumerate()
            .filter(|(_, l)| !l.trim().is_empty())
        {
            match row(line, width, height, false) {
                Some((class, bbox, _)) => {
                    highest = highest.max(class + 1);
                    out.objects.push(Object {
                        image,
                        class,
                        bbox,
                        area: bbox[2] * bbox[3],
                        crowd: false,
                    });
                }
                None => out
                    .odd
                    .push(format!("{}, line {}: no box", path.display(), i + 1)),
            }
        }
    }
    (out.classes.len()..highest).for_each(|c| out.classes.push((c as i64, String::new())));
    Ok(out)
}

/// Sizes from the header alone; None of what is no image.
fn dimensions(path: &Path) -> Option<(f64, f64)> {
    let reader = image::ImageReader::open(path)
        .ok()?
        .with_guessed_format()
        .ok()?;
    let (w, h) = reader.into_dimensions().ok()?;
    Some((f64::from(w), f64::from(h)))
}

/// Classes of a text file at most.
const CLASSES: f64 = 1e5;

/// `class cx cy w h [confidence]` in shares of the image, or a class and a polygon; in pixels.
fn row(line: &str, width: f64, height: f64, scored: bool) -> Option<(usize, [f64; 4], f64)> {
    let all: Option<Vec<f64>> = line.split_whitespace().map(|v| v.parse().ok()).collect();
    let all = all.filter(|a| a.iter().all(|v| v.is_finite()))?;
    let (class, rest) = all.split_first()?;
    let (rest, score) = match scored {
        true => rest.split_last().map(|(s, r)| (r, *s))?,
        false => (rest, 1.0),
    };
    if class.fract() != 0.0 || !(0.0..CLASSES).contains(class) {
        return None;
    }
    let [x, y, w, h] = match rest {
        [cx, cy, w, h] => [cx - w / 2.0, cy - h / 2.0, *w, *h],
        polygon if polygon.len() >= 6 && polygon.len() % 2 == 0 => {
            let ends = |odd: usize| {
                let own = || polygon.iter().skip(odd).step_by(2).copied();
                (
                    own().fold(f64::INFINITY, f64::min),
                    own().fold(f64::NEG_INFINITY, f64::max),
                )
            };
            let ((x, right), (y, bottom)) = (ends(0), ends(1));
            [x, y, right - x, bottom - y]
        }
        _ => return None,
    };
    let bbox = [x * width, y * height, w * width, h * height];
    is_box(bbox).then_some((*class as usize, bbox, score))
}

/// Detections of a JSON list as COCO wants it, or of a folder of text files with confidences. `first` is the category of class 0.
///
/// # Errors
/// A file that cannot be read, or is neither; categories whose first is not told.
pub fn found(path: &Path, truth: &Truth, first: Option<i64>) -> Result<Found> {
    match path.is_dir() {
        true => texts(path, truth).at(path.display()),
        false => results(path, truth, first).at(path.display()),
    }
}

fn texts(folder: &Path, truth: &Truth) -> Result<Found> {
    let by_stem: HashMap<&str, usize> = truth
        .images
        .iter()
        .enumerate()
        .map(|(i, m)| (m.stem.as_str(), i))
        .collect();
    let mut out = Found::default();
    for file in crate::file::listed(folder)?
        .iter()
        .filter(|f| f.extension().is_some_and(|e| e == "txt"))
    {
        let Some(image) = by_stem.get(stem(file).as_str()).copied() else {
            out.unknown_images.push(stem(file));
            continue;
        };
        let bytes = crate::file::read(file).unwrap_or_default();
        let (width, height) = (truth.images[image].width, truth.images[image].height);
        for (i, line) in String::from_utf8_lossy(&bytes)
            .lines()
            .enumerate()
            .filter(|(_, l)| !l.trim().is_empty())
        {
            match row(line, width, height, true) {
                Some((class, bbox, score)) if class < truth.classes.len() => {
                    out.detections.push(Detection {
                        image,
                        class,
                        bbox,
                        area: bbox[2] * bbox[3],
                        score,
                    })
                }
                Some((class, ..)) => out.unknown_classes.push(class.to_string()),
                None => out.odd.push(format!(
                    "{}, line {}: no box with a confidence",
                    file.display(),
                    i + 1
                )),
            }
        }
    }
    Ok(out)
}

fn results(path: &Path, truth: &Truth, first: Option<i64>) -> Result<Found> {
    let read: Vec<Result_> = json(path)?;
    let ids: HashMap<&str, usize> = truth
        .images
        .iter()
        .enumerate()
        .map(|(i, m)| (m.id.as_str(), i))
        .collect();
    let stems: HashMap<&str, usize> = truth
        .images
        .iter()
        .enumerate()
        .map(|(i, m)| (m.stem.as_str(), i))
        .collect();
    // ultralytics writes 7 for the file 0007.
    let numbers: HashMap<u64, usize> = truth
        .images
        .iter()
        .enumerate()
        .filter_map(|(i, m)| Some((m.stem.parse().ok()?, i)))
        .collect();
    let image = |value: &Value| {
        let own = id(value);
        let by_name = ids.get(own.as_str()).or_else(|| stems.get(own.as_str()));
        by_name.or_else(|| numbers.get(&own.parse().ok()?)).copied()
    };
    let shift = shift(&read, truth, first)?;
    let mut out = Found::default();
    let mut unknown: [BTreeMap<String, ()>; 2] = Default::default();
    for (i, r) in read.iter().enumerate() {
        let class = truth
            .classes
            .iter()
            .position(|c| c.0 == r.category_id - shift);
        match (image(&r.image_id), class) {
            (Some(image), Some(class)) if is_box(r.bbox) && r.score.is_finite() => {
                out.detections.push(Detection {
                    image,
                    class,
                    bbox: r.bbox,
                    area: r.bbox[2] * r.bbox[3],
                    score: r.score,
                })
            }
            (None, _) => drop(unknown[0].insert(id(&r.image_id), ())),
            (_, None) => drop(unknown[1].insert(r.category_id.to_string(), ())),
            _ => out.odd.push(format!("detection {i}: box {:?}", r.bbox)),
        }
    }
    [out.unknown_images, out.unknown_classes] = unknown.map(|all| all.into_keys().collect());
    Ok(out)
}

/// How far categories of detections lie above those of the truth: YOLO's classes begin at 0, a JSON list of ultralytics often at 1.
fn shift(read: &[Result_], truth: &Truth, first: Option<i64>) -> Result<i64> {
    let Some(own) = truth.classes.first().map(|c| c.0) else {
        return Ok(0);
    };
    if let Some(first) = first {
        return Ok(first - own);
    }
    let consecutive = truth
        .classes
        .iter()
        .enumerate()
        .all(|(i, c)| c.0 == i as i64);
    let ids = || read.iter().map(|r| r.category_id);
    let (low, high) = (ids().min().unwrap_or(0), ids().max().unwrap_or(0));
    match (consecutive, low, high - truth.classes.len() as i64) {
        // Categories that are not counted from 0 are stated in the file, and meant as they stand.
        (false, ..) | (true, 0, ..) => Ok(0),
        (true, 1.., 0) => Ok(1),
        _ if read.is_empty() => Ok(0),
        _ => Err(Error::usage(format!(
            "categories {low} ... {high} of {} classes: whether the first is 0 or 1 is not told",
            truth.classes.len()
        ))
        .next("--first-category 0 or 1")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(name: &str, value: &Value) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, value.to_string()).unwrap();
        (dir, path)
    }

    fn coco_truth(categories: &[i64]) -> Truth {
        let categories: Vec<Value> = categories
            .iter()
            .map(|c| json!({"id": c, "name": format!("c{c}")}))
            .collect();
        let all = json!({"images": [{"id": 9, "file_name": "a/0007.jpg", "width": 640, "height": 480}], "categories": categories,
            "annotations": [
                {"image_id": 9, "category_id": 3, "bbox": [1, 2, 3, 4], "area": 10.5},
                {"image_id": 8, "category_id": 3, "bbox": [1, 2, 3, 4]},
                {"image_id": 9, "category_id": 3, "bbox": [1, 2, -3, 4]}]});
        let (_dir, path) = written("t.json", &all);
        truth(&path, None, &[]).unwrap()
    }

    #[test]
    fn coco_is_read_and_what_belongs_to_nothing_is_listed() {
        let t = coco_truth(&[3, 1]);
        assert_eq!(
            (t.objects.len(), t.objects[0].class, t.objects[0].area),
            (1, 1, 10.5)
        );
        assert_eq!(
            t.odd,
            [
                "annotation 1: no image 8",
                "annotation 2: box [1.0, 2.0, -3.0, 4.0]"
            ]
        );
        let list = json!([
            {"image_id": 7, "category_id": 3, "bbox": [0, 0, 2, 2], "score": 0.5},
            {"image_id": "0007", "category_id": 2, "bbox": [0, 0, 2, 2], "score": 0.5},
            {"image_id": 5, "category_id": 3, "bbox": [0, 0, 2, 2], "score": 0.5}]);
        let (_dir, path) = written("p.json", &list);
        let f = found(&path, &t, None).unwrap();
        assert_eq!(
            (f.detections.len(), f.unknown_images, f.unknown_classes),
            (1, vec!["5".to_string()], vec!["2".to_string()])
        );
    }

    #[test]
    fn whether_categories_begin_at_0_or_1_is_told_by_them_or_asked() {
        let t = coco_truth(&[0, 1, 2, 3]);
        let class = |ids: &[i64], first| {
            let list: Vec<Value> = ids.iter().map(|c| json!({"image_id": 9, "category_id": c, "bbox": [0, 0, 2, 2], "score": 0.5})).collect();
            let (_dir, path) = written("p.json", &Value::Array(list));
            found(&path, &t, first)
                .map(|f| f.detections.iter().map(|d| d.class).collect::<Vec<_>>())
        };
        assert_eq!(class(&[0, 2], None).unwrap(), [0, 2]);
        assert_eq!(class(&[1, 4], None).unwrap(), [0, 3]);
        assert_eq!(class(&[1, 2], Some(1)).unwrap(), [0, 1]);
        assert!(class(&[1, 2], None).is_err());
    }

    #[test]
    fn yolo_is_read_in_pixels_of_its_image_polygons_too() {
        let dir = tempfile::tempdir().unwrap();
        let (images, labels) = (dir.path().join("images/val"), dir.path().join("labels/val"));
        std::fs::create_dir_all(&images).unwrap();
        std::fs::create_dir_all(&labels).unwrap();
        image::RgbImage::new(200, 100)
            .save(images.join("a.png"))
            .unwrap();
        std::fs::write(
            labels.join("a.txt"),
            "1 0.5 0.5 0.1 0.2\n0 0.1 0.1 0.2 0.1 0.2 0.3\nx 1 2 3 4\n",
        )
        .unwrap();
        let t = truth(&labels, None, &[]).unwrap();
        assert_eq!(t.classes.len(), 2);
        assert_eq!(t.objects[0].bbox, [90.0, 40.0, 20.0, 20.0]);
        let polygon = t.objects[1].bbox.map(|v| (v * 1e6).round() / 1e6);
        assert_eq!(polygon, [20.0, 10.0, 20.0, 20.0]);
        assert_eq!(t.odd.len(), 1);
        let own = dir.path().join("predicted");
        std::fs::create_dir(&own).unwrap();
        std::fs::write(own.join("a.txt"), "1 0.5 0.5 0.1 0.2 0.9\n").unwrap();
        let f = found(&own, &t, None).unwrap();
        assert_eq!((f.detections[0].score, f.detections[0].area), (0.9, 400.0));
    }
}

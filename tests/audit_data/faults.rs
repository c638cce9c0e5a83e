//! What can go wrong with data: each breaks a set where its draw says, and says what has to be found where.

use crate::sets::*;
use image::{DynamicImage, ImageBuffer, ImageFormat, Rgb};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// The kind that is to be found, and words of its place.
pub type Expected = (&'static str, String);

/// A set to be broken, at images that no other fault takes.
pub struct Broken<'a> {
    pub root: &'a Path,
    pub draw: Draw,
    pub free: std::cell::RefCell<Vec<String>>,
}

impl<'a> Broken<'a> {
    pub fn of(root: &'a Path, seed: u64, all: Vec<String>) -> Self {
        let draw = Draw::of(seed ^ 0xfa17);
        let free = all.into();
        Self { root, draw, free }
    }

    /// An image of the set, as SOURCE/SPLIT/NAME or a name.
    fn image(&self) -> String {
        let mut free = self.free.borrow_mut();
        let at = self.draw.below(free.len());
        free.swap_remove(at)
    }

    fn change(&self, path: &str, change: impl Fn(Vec<u8>) -> Vec<u8>) {
        let path = self.root.join(path);
        let bytes = change(std::fs::read(&path).unwrap());
        std::fs::write(path, bytes).unwrap();
    }

    fn replace(&self, path: &str, from: &str, to: &str) {
        self.change(path, |bytes| {
            let text = String::from_utf8(bytes).unwrap();
            assert!(text.contains(from), "{path} has no {from}");
            text.replacen(from, to, 1).into()
        });
    }

    /// A row of a label, as another.
    fn row(&self, path: &str, change: impl Fn(Vec<&str>) -> String) -> String {
        let text = std::fs::read_to_string(self.root.join(path)).unwrap();
        let mut rows: Vec<String> = text.lines().map(String::from).collect();
        let i = self.draw.below(rows.len());
        rows[i] = change(rows[i].split_whitespace().collect());
        std::fs::write(self.root.join(path), rows.join("\n") + "\n").unwrap();
        format!("{path}:{}", i + 1)
    }
}

pub type Fault = (&'static str, fn(&Broken) -> Expected);

fn parts(image: &str) -> (String, String, String) {
    let (source, rest) = image.split_once('/').unwrap();
    let of = |folder: &str, ext: &str| format!("{source}/{folder}/{rest}.{ext}");
    (
        of("images/rgb", "jpg"),
        of("labels/rgb", "txt"),
        of("images/d", "png"),
    )
}

fn truncate(b: &Broken, path: &str) {
    let share = 0.3 + 0.6 * b.draw.share();
    b.change(path, |bytes| {
        bytes[..(bytes.len() as f64 * share) as usize].to_vec()
    });
}

/// Of YOLO's sets with depth; what changes whole sources comes first, so that it does not undo others.
pub const YOLO: &[Fault] = &[
    ("a source is shifted", |b| {
        let folder = b.root.join("b/labels/rgb/train");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let shifted = |row: &str| {
                let (class, rest) = row.split_once(' ').unwrap();
                format!("{} {rest}\n", class.parse::<i64>().unwrap() + 1)
            };
            std::fs::write(&path, text.lines().map(shifted).collect::<String>()).unwrap();
        }
        ("shifted_source", "train: b/images/rgb/train".into())
    }),
    ("labels of a source lie elsewhere", |b| {
        std::fs::create_dir_all(b.root.join("a/labels/other")).unwrap();
        std::fs::rename(
            b.root.join("a/labels/rgb/val"),
            b.root.join("a/labels/other/val"),
        )
        .unwrap();
        b.free.borrow_mut().retain(|i| !i.starts_with("a/val"));
        ("labels_not_found", "val: a/images/rgb/val".into())
    }),
    ("a label is UTF-16", |b| {
        let (_, label, _) = parts(&b.image());
        b.change(&label, |bytes| {
            let text = String::from_utf8(bytes).unwrap();
            let wide = text.encode_utf16().flat_map(u16::to_le_bytes);
            [0xff, 0xfe].into_iter().chain(wide).collect()
        });
        ("label_encoding", label)
    }),
    ("a label begins with a byte order mark", |b| {
        let (_, label, _) = parts(&b.image());
        b.change(&label, |bytes| [&b"\xef\xbb\xbf"[..], &bytes].concat());
        ("label_encoding", label)
    }),
    ("an image has no byte", |b| {
        let (image, ..) = parts(&b.image());
        b.change(&image, |_| vec![]);
        ("empty_file", image)
    }),
    ("a JPEG is cut short", |b| {
        let (image, ..) = parts(&b.image());
        truncate(b, &image);
        ("truncated", image)
    }),
    ("an image is a page", |b| {
        let (image, ..) = parts(&b.image());
        b.change(&image, |_| b"<html>404</html>".to_vec());
        ("unreadable", image)
    }),
    ("an image is gray", |b| {
        let (image, ..) = parts(&b.image());
        save(&b.root.join(&image), gray(&b.draw), ImageFormat::Jpeg);
        ("odd_channels", image)
    }),
    ("an image has 16 bits", |b| {
        let (image, ..) = parts(&b.image());
        let deep = DynamicImage::from(noise(&b.draw, SIZE)).to_rgb16();
        save(&b.root.join(&image), deep, ImageFormat::Png);
        ("bit_depth", image)
    }),
    ("an image is as small as a pixel", |b| {
        let (image, ..) = parts(&b.image());
        save(
            &b.root.join(&image),
            noise(&b.draw, [9, 9]),
            ImageFormat::Jpeg,
        );
        ("tiny_image", image)
    }),
    ("depth has 8 bits", |b| {
        let (_, _, depth) = parts(&b.image());
        save(&b.root.join(&depth), gray(&b.draw), ImageFormat::Png);
        ("depth_bits", depth)
    }),
    ("depth is a picture", |b| {
        let (_, _, depth) = parts(&b.image());
        let deep: ImageBuffer<Rgb<u16>, Vec<u16>> =
            DynamicImage::from(noise(&b.draw, SIZE)).to_rgb16();
        save(&b.root.join(&depth), deep, ImageFormat::Png);
        ("depth_channels", depth)
    }),
    ("depth has another size", |b| {
        let (_, _, path) = parts(&b.image());
        save(
            &b.root.join(&path),
            depth(&b.draw, [20, 24]),
            ImageFormat::Png,
        );
        ("depth_size", path)
    }),
    ("depth is missing", |b| {
        let (_, _, depth) = parts(&b.image());
        std::fs::remove_file(b.root.join(&depth)).unwrap();
        ("missing_depth", depth.replace(".png", ""))
    }),
    ("depth is cut short", |b| {
        let (_, _, depth) = parts(&b.image());
        truncate(b, &depth);
        ("truncated", depth)
    }),
    ("an image is missing", |b| {
        let (image, label, _) = parts(&b.image());
        std::fs::remove_file(b.root.join(image)).unwrap();
        ("orphan_label", label)
    }),
    ("a coordinate is NaN", |b| {
        let (_, label, _) = parts(&b.image());
        let column = 1 + b.draw.below(4);
        let at = b.row(&label, |mut r| {
            r[column] = "nan";
            r.join(" ")
        });
        ("not_finite", at)
    }),
    ("a coordinate is in pixels", |b| {
        let (_, label, _) = parts(&b.image());
        let at = b.row(&label, |r| format!("{} 12.5 {}", r[0], r[2..].join(" ")));
        ("out_of_range", at)
    }),
    ("a box has no width", |b| {
        let (_, label, _) = parts(&b.image());
        let at = b.row(&label, |r| format!("{} 0 {}", r[..3].join(" "), r[4]));
        ("zero_area", at)
    }),
    ("a box lies half outside", |b| {
        let (_, label, _) = parts(&b.image());
        let at = b.row(&label, |r| format!("{} 0.95 0.5 0.6 0.1", r[0]));
        ("box_outside", at)
    }),
    ("a class is beyond the list", |b| {
        let (_, label, _) = parts(&b.image());
        let class = 10 + b.draw.below(9);
        let at = b.row(&label, |r| format!("{class} {}", r[1..].join(" ")));
        ("class_out_of_range", at)
    }),
    ("a class is negative", |b| {
        let (_, label, _) = parts(&b.image());
        let at = b.row(&label, |r| format!("-1 {}", r[1..].join(" ")));
        ("class_out_of_range", at)
    }),
    ("a class is a name", |b| {
        let (_, label, _) = parts(&b.image());
        let at = b.row(&label, |r| format!("car {}", r[1..].join(" ")));
        ("label_syntax", at)
    }),
    ("a row has a sixth column", |b| {
        let (_, label, _) = parts(&b.image());
        let at = b.row(&label, |r| r.join(" ") + " 0.9");
        ("label_syntax", at)
    }),
    ("a row is there twice", |b| {
        let (_, label, _) = parts(&b.image());
        b.change(&label, |bytes| {
            let end = bytes.iter().position(|b| *b == b'\n').unwrap() + 1;
            [&bytes[..], &bytes[..end]].concat()
        });
        ("repeated_label", label)
    }),
    ("a label is a folder", |b| {
        let (_, label, _) = parts(&b.image());
        std::fs::remove_file(b.root.join(&label)).unwrap();
        std::fs::create_dir(b.root.join(&label)).unwrap();
        ("unreadable", label)
    }),
    ("a label is called in capitals", |b| {
        let (_, label, _) = parts(&b.image());
        let (folder, name) = label.rsplit_once('/').unwrap();
        let other = format!(
            "{folder}/{}.txt",
            name.trim_end_matches(".txt").to_uppercase()
        );
        std::fs::rename(b.root.join(&label), b.root.join(&other)).unwrap();
        ("misnamed_label", other)
    }),
    ("an image is of both splits", |b| {
        let train = b
            .free
            .borrow()
            .iter()
            .find(|i| i.contains("/train/"))
            .unwrap()
            .clone();
        let val = b
            .free
            .borrow()
            .iter()
            .find(|i| i.contains("/val/"))
            .unwrap()
            .clone();
        b.free.borrow_mut().retain(|i| *i != train && *i != val);
        let (image, ..) = parts(&val);
        std::fs::copy(b.root.join(parts(&train).0), b.root.join(&image)).unwrap();
        ("duplicate_across_splits", image)
    }),
    ("a class is only validated", |b| {
        let val = b
            .free
            .borrow()
            .iter()
            .find(|i| i.contains("/val/"))
            .unwrap()
            .clone();
        b.free.borrow_mut().retain(|i| *i != val);
        b.row(&parts(&val).1, |r| format!("8 {}", r[1..].join(" ")));
        ("class_in_one_split", "val".into())
    }),
    ("a cache is older than its labels", |b| {
        let cache = b.root.join("b/labels/rgb/train.cache");
        std::fs::write(&cache, "numpy").unwrap();
        let before = SystemTime::now() - Duration::from_secs(3600);
        std::fs::File::options()
            .write(true)
            .open(&cache)
            .unwrap()
            .set_modified(before)
            .unwrap();
        ("stale_cache", "b/labels/rgb/train.cache".into())
    }),
    ("a link leads back", |b| {
        std::os::unix::fs::symlink(
            b.root.join("a/images/rgb"),
            b.root.join("a/images/rgb/train/more"),
        )
        .unwrap();
        ("not_read", "a/images/rgb/train/more".into())
    }),
    ("depth of two sources is exchanged", |b| {
        b.replace(
            "data.yaml",
            "val_depth: [a/images/d/val, b/images/d/val]",
            "val_depth: [b/images/d/val, a/images/d/val]",
        );
        ("source_order", "data.yaml: val".into())
    }),
    ("a source is not there", |b| {
        b.replace("data.yaml", "train: [", "train: [c/images/rgb/train, ");
        b.replace(
            "data.yaml",
            "train_depth: [",
            "train_depth: [c/images/d/train, ",
        );
        ("missing_source", "data.yaml: train".into())
    }),
    ("nc contradicts names", |b| {
        b.replace("data.yaml", "nc: 9", "nc: 10");
        ("contradiction", "data.yaml: nc".into())
    }),
    ("channels leave out depth", |b| {
        b.replace("data.yaml", "channels: 4", "channels: 3");
        ("contradiction", "channels".into())
    }),
];

const TRAIN: &str = "annotations/instances_train2017.json";

/// A number of COCO's first objects, each changed in a row of its own.
fn annotation(b: &Broken, change: impl Fn(String) -> String) -> String {
    let text = std::fs::read_to_string(b.root.join(TRAIN)).unwrap();
    let i: usize = b.image().parse().unwrap();
    let mut lines: Vec<String> = text.lines().map(String::from).collect();
    let begin = lines
        .iter()
        .position(|l| l.starts_with("\"annotations\""))
        .unwrap()
        + 1;
    lines[begin + i] = change(lines[begin + i].clone());
    std::fs::write(b.root.join(TRAIN), lines.join("\n")).unwrap();
    format!("annotations[{i}]")
}

/// With the value of a key as another.
fn with(line: &str, key: &str, value: &str) -> String {
    let begin = line.find(&format!("\"{key}\": ")).unwrap() + key.len() + 4;
    let rest = &line[begin..];
    let end = match rest.starts_with('[') {
        true => rest.find(']').unwrap() + 1,
        false => rest.find([',', '}']).unwrap(),
    };
    format!("{}{value}{}", &line[..begin], &rest[end..])
}

pub const COCO: &[Fault] = &[
    ("a coordinate is NaN", |b| {
        (
            "not_finite",
            annotation(b, |l| with(&l, "bbox", "[NaN, 1, 2, 2]")),
        )
    }),
    ("a box has no height", |b| {
        (
            "zero_area",
            annotation(b, |l| with(&l, "bbox", "[1, 1, 2, 0]")),
        )
    }),
    ("a box is two corners", |b| {
        (
            "box_outside",
            annotation(b, |l| with(&l, "bbox", "[15, 15, 23, 19]")),
        )
    }),
    ("a box has three numbers", |b| {
        (
            "label_syntax",
            annotation(b, |l| with(&l, "bbox", "[1, 2, 3]")),
        )
    }),
    ("a category is not listed", |b| {
        (
            "class_out_of_range",
            annotation(b, |l| with(&l, "category_id", "2")),
        )
    }),
    ("an image is not listed", |b| {
        ("label_syntax", annotation(b, |l| with(&l, "image_id", "5")))
    }),
    ("an id is there twice", |b| {
        ("repeated_id", annotation(b, |l| with(&l, "id", "1")))
    }),
    ("an image has no byte", |b| {
        std::fs::write(b.root.join("train2017/train2017000004.jpg"), "").unwrap();
        ("empty_file", "train2017000004.jpg".into())
    }),
    ("an image is missing", |b| {
        std::fs::remove_file(b.root.join("val2017/val2017000005.jpg")).unwrap();
        ("missing_image", "val2017000005.jpg".into())
    }),
    ("an image has another size", |b| {
        save(
            &b.root.join("val2017/val2017000006.jpg"),
            noise(&b.draw, [20, 24]),
            ImageFormat::Jpeg,
        );
        ("size", "val2017000006.jpg".into())
    }),
    ("an image is of both splits", |b| {
        let [from, to] = ["train2017/train2017000009.jpg", "val2017/val2017000009.jpg"];
        std::fs::copy(b.root.join(from), b.root.join(to)).unwrap();
        ("duplicate_across_splits", to.into())
    }),
    ("categories of two files differ", |b| {
        b.replace(
            "annotations/instances_val2017.json",
            "\"name\": \"c44\"",
            "\"name\": \"c45\"",
        );
        ("contradiction", "instances_val2017.json: categories".into())
    }),
];

fn xml(b: &Broken) -> String {
    format!("Annotations/{}.xml", b.image())
}

pub const VOC: &[Fault] = &[
    ("an annotation is cut short", |b| {
        let path = xml(b);
        truncate(b, &path);
        ("label_syntax", path)
    }),
    ("an annotation is no UTF-8", |b| {
        let path = xml(b);
        b.change(&path, |bytes| [&bytes[..], b"<!-- \xb3 -->"].concat());
        ("label_encoding", path)
    }),
    ("a corner is NaN", |b| {
        let path = xml(b);
        b.replace(&path, "<xmin>", "<xmin>nan</xmin><xmin>");
        ("not_finite", path)
    }),
    ("corners are exchanged", |b| {
        let path = xml(b);
        b.replace(&path, "<xmin>", "<xmin>24</xmin><xmin>");
        b.replace(&path, "<xmax>", "<xmax>3</xmax><xmax>");
        ("zero_area", path)
    }),
    ("a box reaches beyond its image", |b| {
        let path = xml(b);
        b.replace(&path, "<xmax>", "<xmax>60</xmax><xmax>");
        ("box_outside", path)
    }),
    ("a size is zero", |b| {
        let path = xml(b);
        b.replace(&path, "<width>24", "<width>0");
        ("label_syntax", path)
    }),
    ("a size is another", |b| {
        let image = b.image();
        b.replace(
            &format!("Annotations/{image}.xml"),
            "<width>24",
            "<width>48",
        );
        ("size", format!("JPEGImages/{image}.jpg"))
    }),
    ("a class is written otherwise", |b| {
        let path = xml(b);
        b.replace(&path, "<name>person", "<name>Person");
        ("class_written_twice", "classes".into())
    }),
    ("an annotation is missing", |b| {
        let path = xml(b);
        std::fs::remove_file(b.root.join(&path)).unwrap();
        ("missing_annotation", path)
    }),
    ("an image is missing", |b| {
        let image = format!("JPEGImages/{}.jpg", b.image());
        std::fs::remove_file(b.root.join(&image)).unwrap();
        ("missing_image", image)
    }),
    ("a list names what is not there", |b| {
        b.change("ImageSets/Main/val.txt", |bytes| {
            [&bytes[..], b"nothing\n"].concat()
        });
        ("missing_image", "nothing".into())
    }),
    ("an image is of both lists", |b| {
        let val = "val_00007";
        b.free.borrow_mut().retain(|i| i != val);
        b.change("ImageSets/Main/train.txt", |bytes| {
            [&bytes[..], b"val_00007\n"].concat()
        });
        ("duplicate_across_splits", val.into())
    }),
];

pub const MAPS: &[Fault] = &[
    ("a label is 37", |b| {
        let path = format!("ann_dir/train/{}.png", b.image());
        map(
            &b.root.join(&path),
            SIZE,
            |i| if i == 77 { 37 } else { 3 },
            false,
        );
        ("label_map_value", path)
    }),
    ("a mask has 0 and 255", |b| {
        let path = format!("ann_dir/train/{}.png", b.image());
        map(
            &b.root.join(&path),
            SIZE,
            |i| if i % 3 == 0 { 254 } else { 0 },
            false,
        );
        ("label_map_value", path)
    }),
    ("all of a map is ignored", |b| {
        let path = format!("ann_dir/train/{}.png", b.image());
        map(&b.root.join(&path), SIZE, |_| 255, false);
        ("label_map_ignored", path)
    }),
    ("a map has another size", |b| {
        let path = format!("ann_dir/train/{}.png", b.image());
        map(&b.root.join(&path), [20, 24], |_| 1, false);
        ("size", path)
    }),
    ("a map has colours", |b| {
        let path = format!("ann_dir/train/{}.png", b.image());
        save(&b.root.join(&path), noise(&b.draw, SIZE), ImageFormat::Png);
        ("label_map_unreadable", path)
    }),
    ("a map is missing", |b| {
        let path = format!("ann_dir/train/{}.png", b.image());
        std::fs::remove_file(b.root.join(&path)).unwrap();
        ("missing_label_map", path)
    }),
    ("a map is cut short", |b| {
        let path = format!("ann_dir/train/{}.png", b.image());
        truncate(b, &path);
        ("label_map_unreadable", path)
    }),
];

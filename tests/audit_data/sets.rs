//! Data sets as their layouts have them, drawn from a seed, with content that is odd and legal.

use image::{DynamicImage, GrayImage, ImageBuffer, ImageFormat, Luma, Rgb, RgbImage};
use parity::hash;
use std::cell::Cell;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Numbers that a seed and the order of asking decide.
pub struct Draw {
    seed: u64,
    at: Cell<u64>,
}

impl Draw {
    pub fn of(seed: u64) -> Self {
        let at = Cell::new(0);
        Self { seed, at }
    }

    pub fn bits(&self) -> u64 {
        self.at.set(self.at.get() + 1);
        hash::bits(self.seed, self.at.get())
    }

    pub fn below(&self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    pub fn share(&self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn coin(&self) -> bool {
        self.bits() & 1 == 1
    }

    /// A class of six: some are rare.
    pub fn class(&self) -> usize {
        let at = self.share();
        [0.42, 0.68, 0.83, 0.92, 0.97]
            .iter()
            .filter(|edge| at > **edge)
            .count()
    }
}

pub fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

pub fn noise(draw: &Draw, [w, h]: [u32; 2]) -> RgbImage {
    RgbImage::from_fn(w, h, |_, _| {
        let [r, g, b, ..] = draw.bits().to_le_bytes();
        Rgb([r, g, b])
    })
}

pub fn save(path: &Path, image: impl Into<DynamicImage>, format: ImageFormat) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.into().save_with_format(path, format).unwrap();
}

pub fn depth(draw: &Draw, [w, h]: [u32; 2]) -> ImageBuffer<Luma<u16>, Vec<u16>> {
    ImageBuffer::from_fn(w, h, |_, _| Luma([draw.bits() as u16]))
}

pub const SIZE: [u32; 2] = [24, 20];

/// A JPEG whose camera says that it is to be turned by a quarter.
fn turned(path: &Path, image: RgbImage) {
    save(path, image, ImageFormat::Jpeg);
    let jpeg = std::fs::read(path).unwrap();
    let tiff =
        [&b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"[..]].concat();
    let payload = [b"Exif\0\0", &tiff[..]].concat();
    let size = (payload.len() as u16 + 2).to_be_bytes();
    let segment = [&b"\xff\xe1"[..], &size, &payload].concat();
    write(path, [&jpeg[..2], &segment, &jpeg[2..]].concat());
}

/// An image in one of the forms that loaders take alike.
pub fn odd_image(draw: &Draw, path: &Path) {
    let image = noise(draw, SIZE);
    match draw.below(7) {
        0 => save(path, image, ImageFormat::Png),
        1 => {
            save(path, image, ImageFormat::Jpeg);
            let with = [std::fs::read(path).unwrap(), vec![0; 7]].concat();
            write(path, with);
        }
        2 => save(path, DynamicImage::from(image).to_rgba8(), ImageFormat::Png),
        3 => indexed(path, draw),
        4 => turned(path, image),
        _ => save(path, image, ImageFormat::Jpeg),
    }
}

/// A PNG of places in a palette.
pub fn indexed(path: &Path, draw: &Draw) {
    map(path, SIZE, |_| draw.below(6) as u8, true);
}

/// A label map as PNG.
pub fn map(path: &Path, [w, h]: [u32; 2], value: impl Fn(usize) -> u8, palette: bool) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = std::fs::File::create(path).unwrap();
    let mut encoder = png::Encoder::new(file, w, h);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_color(png::ColorType::Grayscale);
    if palette {
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_palette((0..768).map(|i| i as u8).collect::<Vec<_>>());
    }
    let values: Vec<u8> = (0..(w * h) as usize).map(value).collect();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&values).unwrap();
    writer.finish().unwrap();
}

/// A row of a label of YOLO's.
pub fn row(draw: &Draw) -> String {
    let [w, h] = [0.02 + 0.3 * draw.share(), 0.02 + 0.3 * draw.share()];
    let [x, y] = [
        w / 2.0 + (1.0 - w) * draw.share(),
        h / 2.0 + (1.0 - h) * draw.share(),
    ];
    format!("{} {x:.6} {y:.6} {w:.6} {h:.6}", draw.class())
}

/// A label file in one of the forms that loaders take alike.
fn odd_label(draw: &Draw) -> String {
    let rows: Vec<String> = (0..3 + draw.below(4)).map(|_| row(draw)).collect();
    match draw.below(7) {
        0 => rows.join("\r\n") + "\r\n\r\n",
        1 => format!("\n{}", rows.join(" \n")),
        2 => rows
            .iter()
            .map(|r| r.replacen(' ', ".0\t", 1) + "\n")
            .collect(),
        3 => "0 0.5 0.5 1 1\n1 5e-1 .5 1.0 1e-2\n2 0.000000 0.5 0.01 0.01\n".into(),
        4 => "3 0 0 1 0 1 1\n4 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5\n".into(),
        _ => rows.join("\n") + "\n",
    }
}

const NAMES: &str = "names: [person, car, van, bus, bicycle, tram, cart, boat, kite]\n";

/// What a set of YOLO's may differ in.
pub fn yolo(root: &Path, seed: u64, odd: bool) -> PathBuf {
    let draw = Draw::of(seed);
    let mut yaml = format!(
        "path: {}\n",
        if odd && draw.coin() {
            root.to_str().unwrap()
        } else {
            "."
        }
    );
    for split in ["train", "val"] {
        let mut images = vec![];
        let mut depths = vec![];
        for source in ["a", "b"] {
            let n = if split == "train" { 40 } else { 12 };
            let nested = odd && draw.coin();
            for i in 0..n {
                let name = match (odd, draw.below(5)) {
                    (true, 0) => format!("Bild {i} é.1"),
                    (true, 1) if nested => format!("day/{i:04}"),
                    _ => format!("{source}{split}{i:04}"),
                };
                let at = |folder: &str, ext: &str| {
                    root.join(format!("{source}/{folder}/{split}/{name}.{ext}"))
                };
                let ext = if odd && draw.coin() { "JPG" } else { "jpg" };
                if odd {
                    odd_image(&draw, &at("images/rgb", ext));
                } else {
                    save(
                        &at("images/rgb", ext),
                        noise(&draw, SIZE),
                        ImageFormat::Jpeg,
                    );
                }
                save(&at("images/d", "png"), depth(&draw, SIZE), ImageFormat::Png);
                let label = if odd {
                    odd_label(&draw)
                } else {
                    (0..4).map(|_| row(&draw) + "\n").collect()
                };
                match odd && i % 19 == 7 {
                    // Backgrounds: an empty file in sets of even seeds, none in the others.
                    true if seed.is_multiple_of(2) => write(&at("labels/rgb", "txt"), " \n"),
                    true => {}
                    false => write(&at("labels/rgb", "txt"), label),
                }
            }
            images.push(format!("{source}/images/rgb/{split}"));
            depths.push(format!("{source}/images/d/{split}"));
        }
        if odd {
            write(&root.join(format!("a/images/rgb/{split}/Thumbs.db")), "x");
            write(&root.join(format!("a/images/rgb/{split}/._x.jpg")), "x");
            write(
                &root.join(format!("a/labels/rgb/{split}/classes.txt")),
                "person\ncar\n",
            );
        }
        writeln!(
            yaml,
            "{split}: [{}]\n{split}_depth: [{}]",
            images.join(", "),
            depths.join(", ")
        )
        .unwrap();
    }
    yaml += match odd && draw.coin() {
        true => {
            "names:\n  0: person\n  1: car\n  2: van\n  3: bus\n  4: bicycle\n  5: tram\n  6: cart\n  7: boat\n  8: kite\n"
        }
        false => NAMES,
    };
    yaml += "nc: 9\nchannels: 4\n";
    let file = root.join("data.yaml");
    write(&file, yaml);
    file
}

/// A set of COCO's.
pub fn coco(root: &Path, seed: u64, odd: bool) -> PathBuf {
    let draw = Draw::of(seed);
    let [w, h] = SIZE;
    for split in ["train2017", "val2017"] {
        let (mut images, mut annotations) = (vec![], vec![]);
        for i in 0..30 {
            let name = match (odd, draw.below(4)) {
                (true, 0) => format!("sub/{split} {i}.png"),
                _ => format!("{split}{i:06}.jpg"),
            };
            let path = root.join(split).join(&name);
            let id = 1000 + 7 * i + 100_000 * usize::from(split.starts_with("val"));
            let mut size = SIZE;
            match odd {
                true if i == 3 => {
                    turned(&path, noise(&draw, SIZE));
                    size = [h, w];
                }
                true => odd_image(&draw, &path),
                false => save(&path, noise(&draw, SIZE), ImageFormat::Jpeg),
            }
            let score = if odd { ", \"score\": NaN" } else { "" };
            images.push(format!(
                "{{\"id\": {id}, \"file_name\": \"{name}\", \"width\": {}, \"height\": {}{score}}}",
                size[0], size[1]
            ));
            let objects = if odd && i % 7 == 2 { 0 } else { 4 };
            for _ in 0..objects {
                let [bw, bh] = [2.0 + 5.0 * draw.share(), 2.0 + 5.0 * draw.share()];
                let [x, y] = [
                    (f64::from(size[0]) - bw) * draw.share(),
                    (f64::from(size[1]) - bh) * draw.share(),
                ];
                let x = if odd && draw.below(9) == 0 { -0.004 } else { x };
                let mask = match odd && draw.below(5) == 0 {
                    true => "{\"counts\": [3, 4], \"size\": [20, 24]}",
                    false => "[[1, 1, 3, 1, 3, 4.5]]",
                };
                let category = [1, 3, 7, 18, 44, 90][draw.class()];
                let n = annotations.len() + 1;
                annotations.push(format!("{{\"id\": {n}, \"image_id\": {id}, \"category_id\": {category}, \"bbox\": [{x:.3}, {y:.3}, {bw:.3}, {bh:.3}], \"area\": 9.5, \"iscrowd\": 0, \"segmentation\": {mask}}}"));
            }
        }
        let categories: Vec<String> = [1, 3, 7, 18, 44, 90]
            .iter()
            .map(|id| format!("{{\"id\": {id}, \"name\": \"c{id}\"}}"))
            .collect();
        let text = format!(
            "{{\"info\": {{\"year\": 2017}},\n\"images\": [\n{}],\n\"annotations\": [\n{}],\n\"categories\": [{}]}}",
            images.join(",\n"),
            annotations.join(",\n"),
            categories.join(", ")
        );
        write(
            &root.join(format!("annotations/instances_{split}.json")),
            text,
        );
        write(
            &root.join(format!("annotations/captions_{split}.json")),
            "{\"images\": []}",
        );
    }
    root.to_path_buf()
}

/// A set of VOC's.
pub fn voc(root: &Path, seed: u64, odd: bool) -> PathBuf {
    let draw = Draw::of(seed);
    let names = ["person", "car", "van", "bus", "bicycle", "tram"];
    let [w, h] = SIZE;
    for (split, n) in [("train", 40), ("val", 20)] {
        let mut list = String::new();
        for i in 0..n {
            let id = format!("{split}_{i:05}");
            let path = root.join(format!("JPEGImages/{id}.jpg"));
            match odd {
                true => odd_image(&draw, &path),
                false => save(&path, noise(&draw, SIZE), ImageFormat::Jpeg),
            }
            let mut objects = String::new();
            for _ in 0..if odd && i % 11 == 5 { 0 } else { 4 } {
                let [x, y] = [
                    1.0 + (10.0 * draw.share()).round(),
                    1.0 + (8.0 * draw.share()).round(),
                ];
                let [x2, y2] = match draw.coin() {
                    true => [f64::from(w), f64::from(h)],
                    false => [x + 5.0, y + 6.000_000_76],
                };
                let name = names[draw.class()];
                let part = if odd {
                    "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>"
                } else {
                    ""
                };
                writeln!(objects, "<object><name>{name}</name><difficult>1</difficult>{part}\n<bndbox><xmax>{x2}</xmax><ymin>{y}</ymin><xmin>{x}</xmin><ymax>{y2}</ymax></bndbox></object>").unwrap();
            }
            let head = match (odd, draw.below(4)) {
                (true, 0) => "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n",
                (true, 1) => "\u{feff}<!DOCTYPE annotation>\n",
                _ => "",
            };
            let depth = if odd && draw.coin() {
                ""
            } else {
                "<depth>3</depth>"
            };
            let xml = format!(
                "{head}<annotation><filename>other.png</filename><size><width>{w}</width><height>{h}</height>{depth}</size>\n{objects}</annotation>\n"
            );
            write(&root.join(format!("Annotations/{id}.xml")), xml);
            list += &format!("{id}{}", if odd { "  1\r\n" } else { "\n" });
        }
        write(&root.join(format!("ImageSets/Main/{split}.txt")), &list);
        write(
            &root.join(format!("ImageSets/Main/car_{split}.txt")),
            "x -1\n",
        );
    }
    let both = ["train", "val"]
        .map(|s| std::fs::read_to_string(root.join(format!("ImageSets/Main/{s}.txt"))).unwrap());
    write(&root.join("ImageSets/Main/trainval.txt"), both.concat());
    root.to_path_buf()
}

/// A set of images with label maps of 37 classes.
pub fn maps(root: &Path, seed: u64, odd: bool) -> PathBuf {
    let draw = Draw::of(seed);
    for split in ["train", "val"] {
        for i in 0..20 {
            let at = |folder: &str, name: &str| root.join(format!("{folder}/{split}/{i:04}{name}"));
            let image = at("img_dir", ".jpg");
            match odd {
                true => odd_image(&draw, &image),
                false => save(&image, noise(&draw, SIZE), ImageFormat::Jpeg),
            }
            let value = |_| {
                if draw.share() < 0.136 {
                    255
                } else {
                    draw.below(37) as u8
                }
            };
            map(&at("ann_dir", ".png"), SIZE, value, odd && draw.coin());
        }
    }
    root.to_path_buf()
}

pub fn gray(draw: &Draw) -> GrayImage {
    DynamicImage::from(noise(draw, SIZE)).to_luma8()
}

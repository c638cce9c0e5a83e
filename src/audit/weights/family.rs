//! family: of which size of a public family a list of parameters is, by its names and its widths; how much wider one is than the other, of any.
//!
//! Widths and depths as the model files and papers state them: YOLOv8, YOLO11, YOLO12 (ultralytics' model yaml), ResNet (He et al. 2015, table 1), ViT
//! (Dosovitskiy et al. 2020, table 1; DeiT), Swin (Liu et al. 2021), ConvNeXt (Liu et al. 2022), CREPE (Kim et al. 2018; capacities of its authors).

use crate::params::Param;
use crate::params::names::parts;
use crate::verdict::{Finding, Severity};
use std::collections::HashMap;

/// A size of a family, and the file that holds one where its makers name one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Size {
    pub family: &'static str,
    pub size: String,
    pub file: Option<String>,
}

impl Size {
    /// "YOLO12 n".
    #[must_use]
    pub fn say(&self) -> String {
        format!("{} {}", self.family, self.size)
    }
}

/// Whether both are of one size.
pub fn findings(checkpoint: &[Param], model: &[Param]) -> Option<Finding> {
    let (own, other) = (of(checkpoint), of(model));
    if let (Some(own), Some(other)) = (&own, &other) {
        if own == other {
            let what = format!("both are {}", own.say());
            return Some(Finding::new("size", "model", what).severity(Severity::Note));
        }
        let what = format!(
            "the checkpoint is {}; the model is {}",
            own.say(),
            other.say()
        );
        let fits = other.file.as_ref().map(|file| format!("{file} would fit"));
        let next = fits.unwrap_or_else(|| format!("a checkpoint of {} would fit", other.say()));
        return Some(Finding::new("size", "checkpoint", what).next([
            next,
            "or build the model of the checkpoint's size".to_string(),
        ]));
    }
    let ratio = width(checkpoint, model)?;
    let known = own
        .or(other)
        .map_or(String::new(), |s| format!(" ({})", s.say()));
    let what = format!(
        "the model is {ratio} x as wide as the checkpoint{known}: they are of two sizes of one family"
    );
    Some(
        Finding::new("size", "checkpoint", what)
            .number("width", ratio)
            .next(["load the checkpoint of the model's size".to_string()]),
    )
}

/// How many times as wide most of the model is, by the first axis of what both have; None where most is as wide.
fn width(checkpoint: &[Param], model: &[Param]) -> Option<f64> {
    let held: HashMap<&str, &Param> = checkpoint.iter().map(|p| (p.name.as_str(), p)).collect();
    let ratio = |p: &Param| {
        let own = *held.get(p.name.as_str())?.shape.first()?;
        Some(*p.shape.first()? as f64 / own.max(1) as f64)
    };
    let mut all: Vec<f64> = model.iter().filter_map(ratio).collect();
    all.sort_by(f64::total_cmp);
    let middle = *all.get(all.len() / 2)?;
    (middle != 1.0).then_some(middle)
}

/// The size of the first family that knows itself.
pub fn of(list: &[Param]) -> Option<Size> {
    let list = List::of(list);
    FAMILIES.iter().find_map(|family| family(&list))
}

const FAMILIES: [fn(&List) -> Option<Size>; 6] = [yolo, resnet, vit, swin, convnext, crepe];

/// Parameters by name, without what wraps a model.
struct List<'a>(HashMap<String, &'a [usize]>);

impl<'a> List<'a> {
    fn of(list: &'a [Param]) -> Self {
        const WRAPS: [&str; 4] = ["module.", "_orig_mod.", "backbone.", "encoder."];
        let bare = |name: &str| {
            let mut name = name;
            while let Some(rest) = WRAPS.iter().find_map(|w| name.strip_prefix(w)) {
                name = rest;
            }
            name.to_string()
        };
        Self(list.iter().map(|p| (bare(&p.name), &p.shape[..])).collect())
    }

    /// The first axis of a tensor.
    fn rows(&self, name: &str) -> Option<usize> {
        self.0.get(name)?.first().copied()
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// How many numbered parts stand behind a prefix.
    fn repeats(&self, prefix: &str) -> usize {
        let numbers = self.0.keys().filter_map(|name| {
            let rest = name.strip_prefix(prefix)?;
            parts(rest).next()?.parse::<usize>().ok()
        });
        numbers.max().map_or(0, |n| n + 1)
    }
}

fn yolo(list: &List) -> Option<Size> {
    let width = list
        .rows("model.0.conv.weight")
        .filter(|_| list.has("model.1.conv.weight"))?;
    let attends = |name: &str| list.has(&format!("{name}.attn.qkv.conv.weight"));
    let (family, stem, depth) = if attends("model.6.m.0.0") {
        ("YOLO12", "yolo12", list.repeats("model.6.m.") > 2)
    } else if attends("model.10.m.0") {
        ("YOLO11", "yolo11", list.repeats("model.2.m.") > 1)
    } else if list.has("model.22.dfl.conv.weight") {
        ("YOLOv8", "yolov8", false)
    } else {
        return None;
    };
    let size = match (family, width, depth) {
        (_, 16, _) => "n",
        (_, 32, _) => "s",
        ("YOLOv8", 48, _) => "m",
        ("YOLOv8", 64, _) => "l",
        ("YOLOv8", 80, _) => "x",
        ("YOLO11" | "YOLO12", 64, false) => "m",
        ("YOLO11" | "YOLO12", 64, true) => "l",
        ("YOLO11" | "YOLO12", 96, _) => "x",
        _ => return None,
    };
    Some(Size {
        family,
        size: size.into(),
        file: Some(format!("{stem}{size}.pt")),
    })
}

fn resnet(list: &List) -> Option<Size> {
    list.rows("conv1.weight").filter(|n| *n == 64)?;
    let blocks = [1, 2, 3, 4].map(|n| list.repeats(&format!("layer{n}.")));
    let wide = list.has("layer1.0.conv3.weight");
    let size = match (blocks, wide) {
        ([2, 2, 2, 2], false) => "18",
        ([3, 4, 6, 3], false) => "34",
        ([3, 4, 6, 3], true) => "50",
        ([3, 4, 23, 3], true) => "101",
        ([3, 8, 36, 3], true) => "152",
        _ => return None,
    };
    Some(named("ResNet", size))
}

fn vit(list: &List) -> Option<Size> {
    let width = list.rows("blocks.0.attn.proj.weight")?;
    let size = match (width, list.repeats("blocks.")) {
        (192, 12) => "tiny",
        (384, 12) => "small",
        (768, 12) => "base",
        (1024, 24) => "large",
        (1280, 32) => "huge",
        _ => return None,
    };
    Some(named("ViT", size))
}

fn swin(list: &List) -> Option<Size> {
    let width = list.rows("layers.0.blocks.0.attn.proj.weight")?;
    let size = match (width, list.repeats("layers.2.blocks.")) {
        (96, 6) => "tiny",
        (96, 18) => "small",
        (128, 18) => "base",
        (192, 18) => "large",
        _ => return None,
    };
    Some(named("Swin", size))
}

fn convnext(list: &List) -> Option<Size> {
    let width = list.rows("stages.0.blocks.0.conv_dw.weight")?;
    let size = match (width, list.repeats("stages.2.blocks.")) {
        (96, 9) => "tiny",
        (96, 27) => "small",
        (128, 27) => "base",
        (192, 27) => "large",
        (256, 27) => "xlarge",
        _ => return None,
    };
    Some(named("ConvNeXt", size))
}

fn crepe(list: &List) -> Option<Size> {
    let stem = list
        .0
        .get("conv1.weight")
        .filter(|s| s[1..] == [1, 512, 1])?;
    let size = match stem[0] / 32 {
        4 => "tiny",
        8 => "small",
        16 => "medium",
        24 => "large",
        32 => "full",
        _ => return None,
    };
    Some(named("CREPE", size))
}

fn named(family: &'static str, size: &str) -> Size {
    Size {
        family,
        size: size.into(),
        file: None,
    }
}

//! pipeline: what inference needs to know of an image, which step would give it and which drops it; and where validation loads otherwise than training.

use super::view::{Set, View, at, type_of};
use crate::config::{At, Tree};
use crate::verdict::{Finding, Severity};

/// What a prediction needs to be brought back to the image.
const NEEDED: [&str; 4] = ["img_shape", "ori_shape", "scale_factor", "pad_shape"];

/// Steps that give a key, by their class.
const GIVES: &[(&str, &[&str])] = &[
    (
        "img_shape",
        &[
            "LoadImageFromFile",
            "LoadImageFromNDArray",
            "LoadMultiChannelImageFromFiles",
            "LoadBiomedicalImageFromFile",
            "Resize",
            "Pad",
        ],
    ),
    (
        "ori_shape",
        &[
            "LoadImageFromFile",
            "LoadImageFromNDArray",
            "LoadMultiChannelImageFromFiles",
            "LoadBiomedicalImageFromFile",
        ],
    ),
    (
        "scale_factor",
        &[
            "Resize",
            "FixScaleResize",
            "RandomResize",
            "RandomChoiceResize",
            "ResizeShortestEdge",
            "ResizeToMultiple",
        ],
    ),
    ("pad_shape", &["Pad", "RandomCenterCropPad"]),
];

/// Steps of the public libraries that give none of them.
const OTHER: &[&str] = &[
    "Albu",
    "AutoAugment",
    "Collect",
    "Corrupt",
    "DefaultFormatBundle",
    "FilterAnnotations",
    "ImageToTensor",
    "Normalize",
    "PhotoMetricDistortion",
    "RandAugment",
    "RandomCrop",
    "CenterCrop",
    "RandomErasing",
    "RandomFlip",
    "RandomShift",
    "TestTimeAug",
    "MultiScaleFlipAug",
    "ToTensor",
    "WrapFieldsToLists",
    "ProposalBroadcaster",
    "YOLOXHSVRandomAug",
];

/// Steps that hand over what is listed, and what they list where nothing is said.
const PACKS: &[(&str, &[&str])] = &[
    (
        "PackDetInputs",
        &[
            "img_id",
            "img_path",
            "ori_shape",
            "img_shape",
            "scale_factor",
            "flip",
            "flip_direction",
        ],
    ),
    (
        "PackSegInputs",
        &[
            "img_path",
            "seg_map_path",
            "ori_shape",
            "img_shape",
            "pad_shape",
            "scale_factor",
            "flip",
            "flip_direction",
            "reduce_zero_label",
        ],
    ),
];

/// A pipeline of one part of the data.
struct Pipeline<'a> {
    set: &'a Set<'a>,
    steps: Vec<Step<'a>>,
}

#[derive(Clone, Copy)]
struct Step<'a> {
    name: &'a str,
    tree: &'a Tree,
    at: At,
}

pub fn findings(view: &View) -> Vec<Finding> {
    let of = |part: &str| -> Vec<Pipeline> {
        let inside = view.named("pipeline").filter(|s| s.path.starts_with(part));
        let pipelines = inside.map(|set| Pipeline {
            set,
            steps: steps(set),
        });
        pipelines.filter(|p| !p.steps.is_empty()).collect()
    };
    let [train, val, test] = ["train_dataloader.", "val_dataloader.", "test_dataloader."].map(of);
    let mut found: Vec<Finding> = vec![];
    let mut seen: Vec<&Tree> = vec![];
    for pipeline in val.iter().chain(&test) {
        // Validation and test mostly share one pipeline: what is wrong in it is said once.
        if !seen.contains(&pipeline.set.tree) {
            seen.push(pipeline.set.tree);
            found.extend(metadata(view, pipeline));
            found.extend(
                train
                    .first()
                    .into_iter()
                    .flat_map(|train| unlike(view, train, pipeline)),
            );
        }
    }
    found
}

/// All steps, those inside of steps too.
fn steps<'a>(set: &'a Set<'a>) -> Vec<Step<'a>> {
    let mut all = vec![];
    for step in set.tree.items() {
        collect(step, set.at, &mut all, 0);
    }
    all
}

fn collect<'a>(tree: &'a Tree, near: At, all: &mut Vec<Step<'a>>, depth: usize) {
    let place = at(tree).unwrap_or(near);
    if let Some(name) = type_of(tree) {
        all.push(Step {
            name,
            tree,
            at: place,
        });
    }
    let inside = ["transforms", "transform"]
        .iter()
        .filter_map(|key| tree.get(key));
    let lists = inside.flat_map(|item| item.tree.items());
    let nested = tree.items().iter().chain(lists);
    if depth < 5 {
        nested.for_each(|step| collect(step, place, all, depth + 1));
    }
}

fn metadata(view: &View, pipeline: &Pipeline) -> Vec<Finding> {
    let pack = pipeline
        .steps
        .iter()
        .find(|s| s.name.starts_with("Pack") || s.name == "Collect");
    let Some(pack) = pack else {
        let what = format!(
            "{} packs nothing: no step hands {} on",
            pipeline.set.path,
            NEEDED.join(", ")
        );
        let next = "end it with PackDetInputs or PackSegInputs".to_string();
        let public = pipeline.steps.iter().all(|s| is_public(s.name));
        let found = view.finding("metadata", pipeline.set, what).next([next]);
        return public.then_some(found).into_iter().collect();
    };
    let Some(kept) = kept(pack) else {
        return vec![];
    };
    let needed = needed(view, pack);
    if needed.is_empty() {
        return vec![];
    }
    let custom = pipeline.steps.iter().any(|s| !is_public(s.name));
    let mut found = vec![];
    for key in &needed {
        let givers = givers(key);
        let giver = pipeline.steps.iter().find(|s| givers.contains(&s.name));
        let listed = kept.iter().any(|k| k == key);
        if listed && giver.is_none() && !custom && pack.name == "PackDetInputs" {
            let what = format!(
                "{} hands on {key}, which no step before it gives",
                pack.name
            );
            let next = format!("{} would give it", givers.join(" or "));
            found.push(view.finding_at("metadata", pack.at, what).next([next]));
        }
        if !listed {
            found.push(dropped(view, pipeline, pack, key, giver, givers));
        }
    }
    if found.is_empty() {
        let what = format!(
            "{}: {} reach inference",
            pipeline.set.path,
            needed.join(", ")
        );
        let note = view.finding_at("metadata", pack.at, what);
        found.push(note.severity(Severity::Note));
    }
    found
}

/// Steps that give a key.
fn givers(key: &str) -> &'static [&'static str] {
    let found = GIVES.iter().find(|(k, _)| *k == key);
    found.map_or(&[], |(_, givers)| givers)
}

/// Heads that label whole images.
const LABELS: &[&str] = &[
    "decode_head",
    "auxiliary_head",
    "panoptic_head",
    "panoptic_fusion_head",
];

/// What the model's own inference needs: none without a model, no scale where only whole images are labelled, no padding where the preprocessor pads.
fn needed(view: &View, pack: &Step) -> Vec<&'static str> {
    let head = |s: &&Set| s.key.contains("head") && s.path.starts_with("model.");
    let heads: Vec<&Set> = view.sets.iter().filter(head).collect();
    let public = PACKS.iter().any(|(name, _)| *name == pack.name);
    if view.get("model").is_none() || (heads.is_empty() && !public) {
        return vec![];
    }
    let labels = |s: &&Set| LABELS.iter().any(|h| s.path.contains(h));
    let whole = !heads.is_empty() && heads.iter().all(labels);
    let padded = view.get("model.data_preprocessor").is_some();
    let skips = |key: &str| (key == "scale_factor" && whole) || (key == "pad_shape" && padded);
    NEEDED.into_iter().filter(|key| !skips(key)).collect()
}

fn dropped(
    view: &View,
    pipeline: &Pipeline,
    pack: &Step,
    key: &str,
    giver: Option<&Step>,
    givers: &[&str],
) -> Finding {
    let what = format!(
        "{}: {} drops {key}, which inference needs: its meta_keys lack it",
        pipeline.set.path, pack.name
    );
    let fact = match giver {
        Some(step) => format!("{} gives it, at {}", step.name, view.config.place(step.at)),
        None => format!("no step gives it either; {} would", givers.join(" or ")),
    };
    let next = format!("add '{key}' to meta_keys of {}", pack.name);
    // What no step gives may be no part of this way to predict.
    let severity = match giver {
        Some(_) => Severity::Fault,
        None => Severity::Warning,
    };
    let finding = view.finding_at("metadata", pack.at, what);
    finding.facts([fact]).next([next]).severity(severity)
}

/// What a packing step hands on; None where that is not known.
fn kept(pack: &Step) -> Option<Vec<String>> {
    match pack.tree.get("meta_keys") {
        Some(item) => Some(
            item.tree
                .items()
                .iter()
                .filter_map(|k| k.text().map(Into::into))
                .collect(),
        ),
        None => {
            let known = PACKS.iter().find(|(name, _)| *name == pack.name)?;
            Some(known.1.iter().map(|k| (*k).into()).collect())
        }
    }
}

fn is_public(name: &str) -> bool {
    let gives = GIVES.iter().any(|(_, givers)| givers.contains(&name));
    let loads = [
        "LoadAnnotations",
        "LoadPanopticAnnotations",
        "LoadProposals",
        "LoadEmptyAnnotations",
    ];
    gives
        || OTHER.contains(&name)
        || loads.contains(&name)
        || PACKS.iter().any(|(pack, _)| *pack == name)
}

/// What training loads and validation does not, or otherwise.
fn unlike(view: &View, train: &Pipeline, other: &Pipeline) -> Vec<Finding> {
    let loads = |step: &&Step| {
        let labels = ["Annotation", "Proposal", "Label", "Mask"];
        step.name.starts_with("Load") && !labels.iter().any(|l| step.name.contains(l))
    };
    let mut found = vec![];
    let (a, b): (Vec<&Step>, Vec<&Step>) = (
        train.steps.iter().filter(loads).collect(),
        other.steps.iter().filter(loads).collect(),
    );
    for (these, those, of, not) in [(&a, &b, train, other), (&b, &a, other, train)] {
        for step in these
            .iter()
            .filter(|s| those.iter().all(|t| t.name != s.name))
        {
            let what = format!(
                "{} loads with {}, {} does not",
                of.set.path, step.name, not.set.path
            );
            let fact = format!(
                "{} begins at {}",
                not.set.path,
                view.config.place(not.set.at)
            );
            found.push(
                view.finding_at("pipelines_differ", step.at, what)
                    .facts([fact]),
            );
        }
    }
    for key in [
        "color_type",
        "reduce_zero_label",
        "mean",
        "std",
        "to_rgb",
        "imdecode_backend",
    ] {
        found.extend(other_value(view, train, other, key));
    }
    found
}

/// A setting of the same step that has another value in training.
fn other_value(view: &View, train: &Pipeline, other: &Pipeline, key: &str) -> Option<Finding> {
    let pairs = other.steps.iter().filter_map(|step| {
        let same = train.steps.iter().find(|s| s.name == step.name)?;
        Some((same, step))
    });
    let (a, b) = pairs.into_iter().find(|(a, b)| {
        let of = |step: &Step| step.tree.get(key).map(|item| item.tree.clone());
        // Without a word the labels are taken as the dataset says.
        let silent = key == "reduce_zero_label" && (of(a).is_none() || of(b).is_none());
        of(a) != of(b) && !silent
    })?;
    let said = |step: &Step| {
        step.tree
            .get(key)
            .map_or("its default".into(), |item| super::view::short(&item.tree))
    };
    let what = format!(
        "{} of {} is {} in validation, {} in training",
        key,
        b.name,
        said(b),
        said(a)
    );
    let fact = format!("training: {}", view.config.place(a.at));
    // Two libraries decode nearly the same.
    let severity = match key {
        "imdecode_backend" => Severity::Warning,
        _ => Severity::Fault,
    };
    let finding = view.finding_at("pipelines_differ", b.at, what);
    Some(finding.facts([fact]).severity(severity))
}

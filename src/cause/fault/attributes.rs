//! attributes: faults of what a node is told: epsilon, padding side, rounding of sizes and coordinates, axis, slope.

use super::{Edit, Fault};
use crate::error::{Error, Result};
use crate::graph::Attribute;

pub const FAULTS: &[Fault] = &[
    Fault {
        name: "other-eps",
        summary: "another epsilon",
        ops: &[
            "BatchNormalization",
            "LayerNormalization",
            "InstanceNormalization",
        ],
        amount: Some(("epsilon", 1e-3)),
        inject: eps,
    },
    Fault {
        name: "other-momentum",
        summary: "the running statistics move at another pace; 1 never moves them",
        ops: &["BatchNormalization"],
        amount: Some(("share of the old", 0.9)),
        inject: momentum,
    },
    Fault {
        name: "other-coordinates",
        summary: "half_pixel for align_corners or asymmetric, and the other way round",
        ops: &["Resize"],
        amount: None,
        inject: coordinates,
    },
    Fault {
        name: "other-nearest",
        summary: "nearest neighbour rounded up instead of down, and the other way round",
        ops: &["Resize"],
        amount: None,
        inject: nearest,
    },
    Fault {
        name: "ceil-pooling",
        summary: "output size rounded up instead of down, and the other way round",
        ops: &["MaxPool", "AveragePool"],
        amount: None,
        inject: ceil,
    },
    Fault {
        name: "padding-side",
        summary: "all padding moved to the end: as SAME_UPPER frameworks place it",
        ops: &["Conv", "MaxPool", "AveragePool"],
        amount: None,
        inject: padding_side,
    },
    Fault {
        name: "count-padding",
        summary: "padding counted in the average, and the other way round",
        ops: &["AveragePool"],
        amount: None,
        inject: count_padding,
    },
    Fault {
        name: "other-axis",
        summary: "the neighbouring axis",
        ops: &["Softmax", "LogSoftmax", "ArgMax", "Concat", "Gather"],
        amount: None,
        inject: axis,
    },
    Fault {
        name: "other-slope",
        summary: "another slope",
        ops: &["HardSigmoid", "LeakyRelu", "Elu"],
        amount: Some(("alpha", 0.25)),
        inject: slope,
    },
    Fault {
        name: "off-by-one-slice",
        summary: "start and end of the slice one too far",
        ops: &["Slice"],
        amount: None,
        inject: slice,
    },
    Fault {
        name: "off-by-one-index",
        summary: "every constant index one too far",
        ops: &["Gather"],
        amount: None,
        inject: index,
    },
];

fn eps(e: &mut Edit) -> Result<()> {
    let eps = e.amount as f32;
    e.set("epsilon", Attribute::Float(eps));
    Ok(())
}

fn momentum(e: &mut Edit) -> Result<()> {
    let share = e.amount as f32;
    e.set("momentum", Attribute::Float(share));
    Ok(())
}

fn coordinates(e: &mut Edit) -> Result<()> {
    let now = match e.node().attributes.get("coordinate_transformation_mode") {
        Some(Attribute::Str(s)) => s.clone(),
        _ => "half_pixel".into(),
    };
    let other = if now == "half_pixel" {
        "align_corners"
    } else {
        "half_pixel"
    };
    e.set(
        "coordinate_transformation_mode",
        Attribute::Str(other.into()),
    );
    Ok(())
}

fn nearest(e: &mut Edit) -> Result<()> {
    let down = matches!(e.node().attributes.get("nearest_mode"), Some(Attribute::Str(s)) if s == "floor" || s == "round_prefer_floor");
    e.set(
        "nearest_mode",
        Attribute::Str(if down { "ceil" } else { "floor" }.into()),
    );
    Ok(())
}

fn toggle(e: &mut Edit, name: &str) -> Result<()> {
    let now = matches!(e.node().attributes.get(name), Some(Attribute::Int(v)) if *v != 0);
    e.set(name, Attribute::Int(i64::from(!now)));
    Ok(())
}

fn ceil(e: &mut Edit) -> Result<()> {
    toggle(e, "ceil_mode")
}

fn count_padding(e: &mut Edit) -> Result<()> {
    toggle(e, "count_include_pad")
}

fn padding_side(e: &mut Edit) -> Result<()> {
    let pads = e
        .ints("pads")
        .filter(|p| p.iter().any(|v| *v > 0))
        .ok_or_else(|| Error::usage("the node does not pad"))?;
    let half = pads.len() / 2;
    let ends: Vec<i64> = (0..half).map(|i| pads[i] + pads[i + half]).collect();
    e.set("pads", Attribute::Ints([vec![0; half], ends].concat()));
    Ok(())
}

fn axis(e: &mut Edit) -> Result<()> {
    let now = match e.node().attributes.get("axis") {
        Some(Attribute::Int(v)) => *v,
        _ => 0,
    };
    let other = match now {
        1.. => now - 1,
        -1 => -2,
        _ => now + 1,
    };
    e.set("axis", Attribute::Int(other));
    Ok(())
}

fn slope(e: &mut Edit) -> Result<()> {
    let alpha = e.amount as f32;
    e.set("alpha", Attribute::Float(alpha));
    Ok(())
}

fn slice(e: &mut Edit) -> Result<()> {
    e.change_integers(1, |v| v.iter_mut().for_each(|x| *x += 1))?;
    e.change_integers(2, |v| v.iter_mut().for_each(|x| *x = x.saturating_add(1)))
}

fn index(e: &mut Edit) -> Result<()> {
    e.change_integers(1, |v| v.iter_mut().for_each(|x| *x += 1))
}

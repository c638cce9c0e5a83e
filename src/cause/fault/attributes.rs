//! attributes: faults of what a node is told: epsilon, padding side, rounding of sizes and coordinates, axis, slope.

use super::{Edit, Fault, Reads};
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
        reads: Reads::Amounts(&[
            1e-3, 1e-5, 1e-6, 1e-8, 1e-12, 1e-4, 1e-2, 1e-7, 1e-9, 0.0, 0.1,
        ]),
        mend: "set epsilon to the reference's",
    },
    Fault {
        name: "other-momentum",
        summary: "the running statistics move at another pace; 1 never moves them",
        ops: &["BatchNormalization"],
        amount: Some(("share of the old", 0.9)),
        inject: momentum,
        reads: Reads::Amounts(&[0.1, 0.9, 0.01, 0.99, 0.03, 0.97, 0.0, 1.0, 0.001, 0.999]),
        mend: "set momentum to the reference's; PyTorch's is the share of the new, the other frameworks' that of the old",
    },
    Fault {
        name: "other-coordinates",
        summary: "half_pixel for align_corners or asymmetric, and the other way round",
        ops: &["Resize"],
        amount: None,
        inject: coordinates,
        reads: Reads::Choices,
        mend: "resize with the reference's coordinates (align_corners, half_pixel)",
    },
    Fault {
        name: "other-nearest",
        summary: "nearest neighbour rounded up instead of down, and the other way round",
        ops: &["Resize"],
        amount: None,
        inject: nearest,
        reads: Reads::Choices,
        mend: "round to the nearest neighbour as the reference does",
    },
    Fault {
        name: "ceil-pooling",
        summary: "output size rounded up instead of down, and the other way round",
        ops: &["MaxPool", "AveragePool"],
        amount: None,
        inject: ceil,
        reads: Reads::Back,
        mend: "set ceil_mode to the reference's",
    },
    Fault {
        name: "padding-side",
        summary: "all padding moved to the end: as SAME_UPPER frameworks place it",
        ops: &["Conv", "MaxPool", "AveragePool"],
        amount: None,
        inject: padding_side,
        reads: Reads::Choices,
        mend: "pad both sides as the reference does; SAME_UPPER puts the odd one at the end",
    },
    Fault {
        name: "count-padding",
        summary: "padding counted in the average, and the other way round",
        ops: &["AveragePool"],
        amount: None,
        inject: count_padding,
        reads: Reads::Back,
        mend: "set count_include_pad to the reference's",
    },
    Fault {
        name: "other-axis",
        summary: "the neighbouring axis",
        ops: &["Softmax", "LogSoftmax", "ArgMax", "Concat", "Gather"],
        amount: None,
        inject: axis,
        reads: Reads::Choices,
        mend: "set the axis to the reference's",
    },
    Fault {
        name: "other-slope",
        summary: "another slope",
        ops: &["HardSigmoid", "LeakyRelu", "Elu"],
        amount: Some(("alpha", 0.25)),
        inject: slope,
        reads: Reads::Amounts(&[0.01, 0.2, 0.1, 0.25, 0.3, 1.0, 0.5, 1.0 / 6.0, 0.0]),
        mend: "set alpha to the reference's",
    },
    Fault {
        name: "other-dilation",
        summary: "another dilation, padded so that the size stays",
        ops: &["Conv"],
        amount: None,
        inject: dilation,
        reads: Reads::Choices,
        mend: "set dilation and padding to the reference's",
    },
    Fault {
        name: "other-cubic",
        summary: "another coefficient of the cubic kernel: -0.75 in PyTorch and OpenCV, -0.5 in Pillow and TensorFlow",
        ops: &["Resize"],
        amount: Some(("coefficient", -0.5)),
        inject: cubic,
        reads: Reads::Amounts(&[-0.5, -0.75, -1.0]),
        mend: "resize with the reference's cubic coefficient",
    },
    Fault {
        name: "other-interpolation",
        summary: "interpolated in another way: linear, nearest, cubic",
        ops: &["Resize"],
        amount: None,
        inject: interpolation,
        reads: Reads::Choices,
        mend: "interpolate as the reference does",
    },
    Fault {
        name: "other-permutation",
        summary: "axes in another order",
        ops: &["Transpose"],
        amount: None,
        inject: permutation,
        reads: Reads::Choices,
        mend: "permute the axes as the reference does",
    },
    Fault {
        name: "off-by-one-slice",
        summary: "start and end of the slice one too far",
        ops: &["Slice"],
        amount: None,
        inject: slice,
        reads: Reads::Choices,
        mend: "move start and end of the slice by one",
    },
    Fault {
        name: "off-by-one-index",
        summary: "every constant index one too far",
        ops: &["Gather"],
        amount: None,
        inject: index,
        reads: Reads::Choices,
        mend: "move the index by one: count from 0",
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
    let ways = [
        "half_pixel",
        "align_corners",
        "asymmetric",
        "pytorch_half_pixel",
    ];
    let other = e.pick(ways.into_iter().filter(|way| *way != now))?;
    e.set(
        "coordinate_transformation_mode",
        Attribute::Str(other.into()),
    );
    Ok(())
}

fn nearest(e: &mut Edit) -> Result<()> {
    let now = match e.node().attributes.get("nearest_mode") {
        Some(Attribute::Str(s)) => s.clone(),
        _ => "round_prefer_floor".into(),
    };
    let ways = match now.as_str() {
        "floor" | "round_prefer_floor" => ["ceil", "floor", "round_prefer_floor"],
        _ => ["floor", "ceil", "round_prefer_floor"],
    };
    let other = e.pick(ways.into_iter().filter(|way| *way != now))?;
    e.set("nearest_mode", Attribute::Str(other.into()));
    Ok(())
}

fn toggle(e: &mut Edit, name: &str) -> Result<()> {
    let now = matches!(e.node().attributes.get(name), Some(Attribute::Int(v)) if *v != 0);
    e.set(name, Attribute::Int(i64::from(!now)));
    Ok(())
}

fn dilation(e: &mut Edit) -> Result<()> {
    let kernel: Vec<i64> = e.constant(1)?.shape()[2..]
        .iter()
        .map(|k| *k as i64)
        .collect();
    let n = kernel.len();
    let now = e.ints("dilations").unwrap_or_else(|| vec![1; n]);
    let wider = |by: i64| {
        kernel
            .iter()
            .zip(&now)
            .map(move |(k, d)| (k - 1) * (by - d))
    };
    let fits = |by: &i64| now.iter().any(|d| d != by) && wider(*by).all(|w| w % 2 == 0);
    let by = e.pick((1..5).rev().skip(2).chain(3..5).filter(fits))?;
    let half: Vec<i64> = wider(by).map(|w| w / 2).collect();
    let pads = e.ints("pads").unwrap_or_else(|| vec![0; 2 * n]);
    let pads: Vec<i64> = pads
        .iter()
        .zip(half.iter().cycle())
        .map(|(p, h)| p + h)
        .collect();
    if pads.iter().any(|p| *p < 0) {
        return Err(Error::usage("the node does not pad enough"));
    }
    e.set("dilations", Attribute::Ints(vec![by; n]));
    e.set("pads", Attribute::Ints(pads));
    Ok(())
}

fn mode(e: &mut Edit) -> String {
    match e.node().attributes.get("mode") {
        Some(Attribute::Str(s)) => s.clone(),
        _ => "nearest".into(),
    }
}

fn cubic(e: &mut Edit) -> Result<()> {
    if mode(e) != "cubic" {
        return Err(Error::usage("the node is not cubic"));
    }
    let coefficient = e.amount as f32;
    e.set("cubic_coeff_a", Attribute::Float(coefficient));
    Ok(())
}

fn interpolation(e: &mut Edit) -> Result<()> {
    let now = mode(e);
    let ways = ["linear", "nearest", "cubic"];
    let other = e.pick(ways.into_iter().filter(|way| *way != now))?;
    e.set("mode", Attribute::Str(other.into()));
    Ok(())
}

fn permutation(e: &mut Edit) -> Result<()> {
    let now = e
        .ints("perm")
        .ok_or_else(|| Error::usage("the node states no order"))?;
    let n = now.len();
    // The last exchange first: it keeps the batch where it is.
    let pairs = (0..n).rev().flat_map(|i| (0..i).rev().map(move |j| (j, i)));
    let (one, other) = e.pick(pairs)?;
    let mut perm = now;
    perm.swap(one, other);
    e.set("perm", Attribute::Ints(perm));
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
    let none = vec![0; half];
    let side = e.pick([[none.clone(), ends.clone()], [ends, none]])?;
    e.set("pads", Attribute::Ints(side.concat()));
    Ok(())
}

fn axis(e: &mut Edit) -> Result<()> {
    let now = match e.node().attributes.get("axis") {
        Some(Attribute::Int(v)) => *v,
        _ => 0,
    };
    let nearest = match now {
        1.. => now - 1,
        -1 => -2,
        _ => now + 1,
    };
    let others = (0..4).chain(-3..0).filter(|a| ![now, nearest].contains(a));
    let other = e.pick(std::iter::once(nearest).chain(others))?;
    e.set("axis", Attribute::Int(other));
    Ok(())
}

fn slope(e: &mut Edit) -> Result<()> {
    let alpha = e.amount as f32;
    e.set("alpha", Attribute::Float(alpha));
    Ok(())
}

fn slice(e: &mut Edit) -> Result<()> {
    let by = e.pick([1, -1])?;
    e.change_integers(1, |v| v.iter_mut().for_each(|x| *x += by))?;
    e.change_integers(2, |v| {
        v.iter_mut().for_each(|x| *x = x.saturating_add(by));
    })
}

fn index(e: &mut Edit) -> Result<()> {
    let by = e.pick([1, -1])?;
    e.change_integers(1, |v| v.iter_mut().for_each(|x| *x += by))
}

//! numbers: probabilities, logits, distributions, label maps, vectors and sizes of feature maps.

use super::{Case, real, whole};
use crate::subject::kernels::Kernel;
use crate::tensor::Tensor;
use proptest::prelude::*;

/// A number and the edge that it is.
type Drawn = (f64, Option<&'static str>);

/// In [0, 1], half of them at its ends.
pub fn probability() -> impl Strategy<Value = Drawn> {
    prop_oneof![
        (0u32..=256).prop_map(|k| (f64::from(k) / 256.0, None)),
        prop::sample::select(vec![
            (0.0, Some("exactly 0")),
            (1.0, Some("exactly 1")),
            (2f64.powi(-30), Some("nearly 0")),
            (1.0 - 2f64.powi(-23), Some("nearly 1")),
            (0.5, Some("even")),
        ]),
    ]
}

/// A logit, half of them saturated or 0.
pub fn logit() -> impl Strategy<Value = Drawn> {
    prop_oneof![
        (-64i32..=64).prop_map(|k| (f64::from(k) / 8.0, None)),
        prop::sample::select(vec![
            (0.0, Some("exactly 0")),
            (20.0, Some("large")),
            (-20.0, Some("large")),
            (88.0, Some("saturated")),
            (-88.0, Some("saturated")),
            (2f64.powi(-20), Some("tiny")),
        ]),
    ]
}

/// A logit of a loss that passes on what is infinite or no number. (PyTorch refuses such probabilities; a softmax makes NaN of infinity.)
fn wild() -> impl Strategy<Value = Drawn> {
    prop_oneof![
        12 => logit(),
        1 => prop::sample::select(vec![
            (f64::INFINITY, Some("infinite")),
            (f64::NEG_INFINITY, Some("infinite")),
            (f64::NAN, Some("no number")),
        ]),
    ]
}

fn flag() -> impl Strategy<Value = Drawn> {
    any::<bool>().prop_map(|b| (f64::from(u8::from(b)), None))
}

/// Rows of one number per input of an elementwise kernel.
pub fn elements(kernel: &Kernel) -> BoxedStrategy<Case> {
    let names = kernel.inputs;
    let one = |name: &&str| match *name {
        "x" => wild().boxed(),
        "positive" => flag().boxed(),
        _ => probability().boxed(),
    };
    let row: Vec<_> = names.iter().map(one).collect();
    let case = move |rows: Vec<Vec<Drawn>>| {
        let edges = rows
            .iter()
            .flatten()
            .filter_map(|d| d.1)
            .collect::<Vec<_>>();
        let column = |i: usize| real(&[rows.len()], rows.iter().map(|r| r[i].0));
        names
            .iter()
            .enumerate()
            .fold(Case::default(), |case, (i, name)| {
                case.with(name, column(i))
            })
            .on(edges)
    };
    prop::collection::vec(row, 1..16).prop_map(case).boxed()
}

/// Logits over so many bins and targets inside, on, between and beyond them.
pub fn distributions(bins: std::ops::RangeInclusive<usize>) -> BoxedStrategy<Case> {
    bins.prop_flat_map(over).boxed()
}

fn over(bins: usize) -> BoxedStrategy<Case> {
    let last = (bins - 1) as f64;
    let target = prop_oneof![
        (0u32..=256).prop_map(move |k| (f64::from(k) / 256.0 * last, None)),
        prop::sample::select(vec![
            (0.0, Some("in the first bin")),
            (last - 1.0, Some("on a bin")),
            (last, Some("in the last bin")),
            (last + 4.0, Some("beyond the bins")),
            (-1.0, Some("negative")),
        ]),
    ];
    let case = move |rows: Vec<(Vec<Drawn>, Drawn)>| {
        let n = rows.len();
        let edges = rows
            .iter()
            .flat_map(|(x, t)| x.iter().chain([t]))
            .filter_map(|d| d.1)
            .collect::<Vec<_>>();
        let logits = real(
            &[n, bins],
            rows.iter().flat_map(|r| r.0.iter().map(|d| d.0)),
        );
        Case::default()
            .with("x", logits)
            .with("target", real(&[n], rows.iter().map(|r| r.1.0)))
            .on(edges)
    };
    prop::collection::vec((prop::collection::vec(logit(), bins), target), 1..6)
        .prop_map(case)
        .boxed()
}

/// Logits per pixel and labels of which some are ignored.
pub fn pixels() -> BoxedStrategy<Case> {
    let of = |(classes, rows): (usize, usize)| {
        let labels = prop_oneof![
            4 => prop::collection::vec(-1i64..classes as i64, rows),
            1 => Just(vec![-1i64; rows]),
        ];
        (
            Just((classes, rows)),
            prop::collection::vec(logit(), classes * rows),
            labels,
        )
    };
    let case = |((classes, rows), logits, labels): ((usize, usize), Vec<Drawn>, Vec<i64>)| {
        let ignored = labels.iter().filter(|l| **l == -1).count();
        let edges = [
            (ignored == rows, "all ignored"),
            (ignored > 0, "some ignored"),
            (classes == 1, "one class"),
            (rows == 1, "one pixel"),
        ];
        let edges = edges
            .into_iter()
            .filter(|e| e.0)
            .map(|e| e.1)
            .chain(logits.iter().filter_map(|d| d.1))
            .collect::<Vec<_>>();
        let x = real(&[rows, classes], logits.iter().map(|d| d.0));
        Case::default()
            .with("logits", x)
            .with("labels", whole(&[rows], labels))
            .on(edges)
    };
    (prop_oneof![Just(1usize), 2usize..6, Just(37)], 1usize..9)
        .prop_flat_map(of)
        .prop_map(case)
        .boxed()
}

/// The same with a label that is ignored, whichever it is, and weights of classes of which some are nothing.
pub fn weighted_pixels() -> BoxedStrategy<Case> {
    let weight = || {
        prop_oneof![
            3 => (1u32..=32).prop_map(|k| f64::from(k) / 8.0),
            1 => Just(0.0),
        ]
    };
    let ignored = prop::sample::select(vec![-1i64, 0, 255, -100]);
    let with = move |(case, ignore): (Case, i64)| {
        let classes = case.inputs["logits"].shape()[1];
        let all = prop::collection::vec(weight(), classes);
        all.prop_map(move |weights| {
            let old = case.inputs["labels"].to_i64().unwrap_or_default();
            let labels: Vec<i64> = old
                .iter()
                .map(|l| if *l == -1 { ignore } else { *l })
                .collect();
            let unweighted = weights.contains(&0.0).then_some("a class without weight");
            let inside = (ignore == 0).then_some("a class is ignored");
            case.clone()
                .with("labels", whole(&[labels.len()], labels))
                .with("weight", real(&[classes], weights))
                .with("ignore", whole(&[], vec![ignore]))
                .on(unweighted)
                .on(inside)
        })
    };
    (pixels(), ignored).prop_flat_map(with).boxed()
}

/// Queries and keys; some keys equal the query, some are opposite, some queries are nearly nothing.
pub fn queries() -> BoxedStrategy<Case> {
    let of = |(n, k, d): (usize, usize, usize)| {
        let number = (-64i32..=64).prop_map(|v| f64::from(v) / 16.0);
        let (query, keys) = (
            prop::collection::vec(number.clone(), n * d),
            prop::collection::vec(number, n * k * d),
        );
        (Just((n, k, d)), query, keys, 0u8..8)
    };
    let case = |((n, k, d), mut query, mut keys, edge): (
        (usize, usize, usize),
        Vec<f64>,
        Vec<f64>,
        u8,
    )| {
        let name = match edge {
            0 => "the key is the query",
            1 => "the key is opposite",
            2 => "a short query",
            3 => "equal keys",
            _ if k == 1 => "one key",
            _ => "",
        };
        // A query of length 0 has no direction: its gradient is what rounding leaves.
        query
            .chunks_mut(d)
            .filter(|q| q.iter().all(|v| *v == 0.0))
            .for_each(|q| q[0] = 1.0);
        match edge {
            0 => keys[..d].copy_from_slice(&query[..d]),
            1 => keys
                .iter_mut()
                .zip(&query[..d])
                .for_each(|(key, q)| *key = -q),
            2 => query.iter_mut().for_each(|q| *q *= 2f64.powi(-12)),
            3 => (1..n * k).for_each(|i| keys.copy_within(..d, i * d)),
            _ => {}
        }
        let case = Case::default()
            .with("query", real(&[n, d], query))
            .with("keys", real(&[n, k, d], keys));
        case.on(Some(name).filter(|n| !n.is_empty()))
    };
    (1usize..4, 1usize..5, 1usize..6)
        .prop_flat_map(of)
        .prop_map(case)
        .boxed()
}

/// Three feature maps, from a single cell on.
pub fn planes() -> BoxedStrategy<Case> {
    let side = || prop_oneof![Just(1usize), 1usize..9];
    let map = (side(), side());
    let case = |maps: [(usize, usize); 3]| {
        let plane = |(h, w): (usize, usize)| Tensor::from_vec(&[1, 1, h, w], vec![0f32; h * w]);
        let edges = maps
            .iter()
            .filter(|m| **m == (1, 1))
            .map(|_| "a single cell")
            .collect::<Vec<_>>();
        let wide = maps.iter().any(|(h, w)| h != w).then_some("not square");
        let [a, b, c] = maps.map(plane);
        Case::default()
            .with("p3", a)
            .with("p4", b)
            .with("p5", c)
            .on(edges)
            .on(wide)
    };
    prop::array::uniform3(map).prop_map(case).boxed()
}

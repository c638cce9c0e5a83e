//! ops: the operator table: one file per family, each in the same order: kernels, scales, registry lines, tests.

mod activation;
#[cfg(test)]
pub mod against_ort;
mod attention;
mod batch_norm;
mod bits;
mod cast;
mod common;
mod compare;
mod control;
mod conv;
mod coordinate;
mod cumulative;
mod deform;
mod detect;
pub mod dtypes;
mod elementwise;
mod features;
mod fused;
mod fused_attention;
mod gather;
mod gradient;
mod grid;
mod linear_attention;
mod loss;
mod matmul;
mod norm;
mod normalise;
mod place;
mod pool;
mod quantise;
mod quantised_lstm;
mod random;
mod recurrent;
mod reduce;
mod resize;
mod resize_plan;
mod retype;
mod sequence;
mod shape;
mod signal;
mod slice;
mod step;
mod taps;
mod text;
mod train;
mod trigonometric;
mod window;

pub use common::{done, is_float};

use super::call::Call;
use super::value::Value;
use parity::error::Result;
use parity::floor::Family;
use parity::graph::Node;
use std::collections::HashMap;
use std::sync::LazyLock;
use tch::Tensor;

/// Evaluates a node; returns its outputs in order (trailing ones that the node does not ask for may be missing).
#[derive(Clone, Copy)]
pub enum Kernel {
    /// On tensors; `dtypes` takes care of those that libtorch lacks.
    Tensors(fn(&Call) -> Result<Vec<Tensor>>),
    /// On whatever passes between nodes: dtypes by their mark, strings, sequences, optionals.
    Values(fn(&Call) -> Result<Vec<Value>>),
}

/// How much a correct engine may round, see `parity::floor::Rounding`.
pub enum Scale {
    /// Not at all.
    Exact,
    /// A decision; the function gives the smallest distance from the border between the two decisions (see `Judge::margin`).
    Decision(Margin),
    /// Copies of input elements, where only which one is a decision; integer outputs are decisions themselves.
    Selection(Margin),
    /// Floats are rounded once (S = |y|), integers are decisions.
    Graded(Family, Margin),
    /// A draw.
    Random,
    /// S = the kernel on absolute values, K = `terms`: sums of products.
    Absolute(Family, Terms),
    /// S = |y|: one rounding of the result.
    Output(Family),
    /// S = 1: the range of a bounded function.
    One(Family),
    /// No S of its own: the largest change that perturbing the inputs by one unit roundoff makes, pooled per channel (see `perturbed`).
    Perturbed(Family),
    /// S (and K) by the operator's own formula, one per output.
    By(Family, Formula),
    /// One of the above, by an attribute of the node (never another `Node`).
    Node(fn(&Node) -> &'static Scale),
}

/// `(call, outputs)`: S and K of each output.
pub type Formula = fn(&Call, &[Tensor]) -> Result<Vec<(Tensor, usize)>>;

/// Number of terms that one output element sums.
pub type Terms = fn(&Call) -> Result<usize>;

/// `(call, output index, reference, candidate)`: the distance, in units of the input, at the element where it is largest.
pub type Margin = fn(&Call, usize, &Tensor, &Tensor) -> Result<f64>;

/// One registry line. The same name may stand several times; the largest `since` not above the node's opset is taken.
pub struct Op {
    pub domain: &'static str,
    pub name: &'static str,
    pub since: i64,
    pub kernel: Kernel,
    pub scale: Scale,
}

const FAMILIES: &[&[Op]] = &[
    elementwise::OPS,
    trigonometric::OPS,
    activation::OPS,
    step::OPS,
    compare::OPS,
    cast::OPS,
    shape::OPS,
    slice::OPS,
    gather::OPS,
    conv::OPS,
    pool::OPS,
    matmul::OPS,
    reduce::OPS,
    cumulative::OPS,
    normalise::OPS,
    batch_norm::OPS,
    gradient::OPS,
    resize::OPS,
    random::OPS,
    retype::OPS,
    bits::OPS,
    loss::OPS,
    norm::OPS,
    attention::OPS,
    linear_attention::OPS,
    recurrent::OPS,
    control::OPS,
    sequence::OPS,
    quantise::OPS,
    quantised_lstm::OPS,
    fused::OPS,
    fused_attention::OPS,
    signal::OPS,
    grid::OPS,
    detect::OPS,
    deform::OPS,
    place::OPS,
    text::OPS,
    features::OPS,
    train::OPS,
];

/// Every registered operator.
pub fn all() -> impl Iterator<Item = &'static Op> {
    FAMILIES.iter().copied().flatten()
}

/// The registry line that reads `name` of `domain` at `opset`.
pub fn find(domain: &str, name: &str, opset: i64) -> Option<&'static Op> {
    // Asked for every node of every run: a search through all lines took half of the time of a small graph.
    static BY_NAME: LazyLock<HashMap<(&str, &str), Vec<&Op>>> = LazyLock::new(|| {
        all().fold(HashMap::new(), |mut found: HashMap<_, Vec<_>>, op| {
            found.entry((op.domain, op.name)).or_default().push(op);
            found
        })
    });
    BY_NAME.get(&(domain, name))?.iter().copied().filter(|op| op.since <= opset).max_by_key(|op| op.since)
}

/// A registry line of the default domain.
const fn op(name: &'static str, since: i64, kernel: fn(&Call) -> Result<Vec<Tensor>>, scale: Scale) -> Op {
    Op { domain: "", name, since, kernel: Kernel::Tensors(kernel), scale }
}

/// A registry line of the default domain for an operator that knows more than tensors.
const fn values(name: &'static str, since: i64, kernel: fn(&Call) -> Result<Vec<Value>>, scale: Scale) -> Op {
    Op { domain: "", name, since, kernel: Kernel::Values(kernel), scale }
}

impl Op {
    /// The scale that holds for `node`.
    pub fn scale(&self, node: &Node) -> &Scale {
        match &self.scale {
            Scale::Node(choose) => choose(node),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::against_ort::{Case, cases, i64s, random, whole};
    use super::*;
    use parity::tensor::Tensor as Array;
    use proptest::prelude::*;

    impl Op {
        fn family_name(&self) -> &'static str {
            match &self.scale {
                Scale::Exact => "exact",
                Scale::Decision(_) => "decision",
                Scale::Selection(_) => "selection",
                Scale::Random => "random",
                Scale::Absolute(f, _) | Scale::Output(f) | Scale::One(f) | Scale::Perturbed(f) | Scale::By(f, _) | Scale::Graded(f, _) => {
                    f.name()
                }
                Scale::Node(_) => "by attribute",
            }
        }
    }

    impl Scale {
        fn describe(&self) -> &'static str {
            match self {
                Scale::Exact => "bit-exact",
                Scale::Decision(_) | Scale::Selection(_) => "exact, ties told apart",
                Scale::Graded(..) => "S = |y|; integers exact, ties told apart",
                Scale::Random => "taken from the reference",
                Scale::Absolute(..) => "S = operator on absolute values",
                Scale::Output(_) => "S = |y|",
                Scale::One(_) => "S = 1",
                Scale::Perturbed(_) => "S from perturbed inputs",
                Scale::By(..) => "S by its own formula",
                Scale::Node(_) => "bound by attribute",
            }
        }
    }

    /// What `parity list operators` shows.
    fn table() -> String {
        let head = "| domain | operator | from opset | family | bound |\n|---|---|---|---|---|\n";
        let domain = |op: &Op| if op.domain.is_empty() { "ai.onnx" } else { op.domain };
        let row = |op: &Op| format!("| {} | {} | {} | {} | {} |\n", domain(op), op.name, op.since, op.family_name(), op.scale.describe());
        let mut rows: Vec<String> = all().map(row).collect();
        rows.sort();
        head.to_string() + &rows.concat()
    }

    #[test]
    fn the_listed_operators_are_the_registered_ones() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/OPERATORS.md");
        if std::env::var_os("PARITY_WRITE_DOCS").is_some() {
            std::fs::write(path, table()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), table(), "PARITY_WRITE_DOCS=1 cargo test --release writes it anew");
    }

    #[test]
    fn no_line_stands_twice_and_no_scale_by_attribute_hides_another() {
        let mut seen = std::collections::BTreeSet::new();
        for op in all() {
            assert!(seen.insert((op.domain, op.name, op.since)), "{} {} stands twice", op.name, op.since);
            let node = parity::graph::Node {
                name: String::new(),
                op: op.name.into(),
                domain: String::new(),
                inputs: vec![],
                outputs: vec![],
                attributes: Default::default(),
            };
            assert!(!matches!(op.scale(&node), Scale::Node(_)), "{}", op.name);
        }
    }

    fn number() -> impl Strategy<Value = i64> {
        prop_oneof![5 => -3i64..4, 1 => prop::sample::select(vec![i64::MIN, i64::MAX, 1 << 31, 1 << 40, -(1 << 40), 4096])]
    }

    fn garbage() -> impl Strategy<Value = Array> {
        let shape = prop::collection::vec(0usize..4, 0..5);
        prop_oneof![
            3 => (shape.clone(), any::<u64>()).prop_map(|(s, seed)| random(&s, seed, -3.0, 3.0)),
            1 => (shape.clone(), any::<u64>()).prop_map(|(s, seed)| whole(&s, seed, -4, 4)),
            1 => shape.prop_map(|s| Array::of(&s, &vec![-1i32; s.iter().product()])),
            2 => prop::collection::vec(number(), 0..5).prop_map(|v| i64s(&v)),
            1 => number().prop_map(|v| Array::of(&[], &[v])),
        ]
    }

    const NUMBERS: [&str; 28] = [
        "axis",
        "keepdims",
        "group",
        "to",
        "k",
        "blocksize",
        "num_groups",
        "size",
        "ceil_mode",
        "count_include_pad",
        "batch_dims",
        "num_outputs",
        "upper",
        "start",
        "end",
        "largest",
        "exclusive",
        "reverse",
        "select_last_index",
        "noop_with_empty_axes",
        "fmod",
        "allowzero",
        "transA",
        "transB",
        "exclude_outside",
        "value_int",
        "dtype",
        "detect_negative",
    ];
    const LISTS: [&str; 13] = [
        "axes",
        "perm",
        "kernel_shape",
        "strides",
        "pads",
        "dilations",
        "output_padding",
        "output_shape",
        "split",
        "starts",
        "ends",
        "shape",
        "value_ints",
    ];
    const TEXTS: [(&str, &str); 10] = [
        ("mode", "linear"),
        ("mode", "cubic"),
        ("mode", "reflect"),
        ("mode", "CRD"),
        ("auto_pad", "SAME_UPPER"),
        ("reduction", "add"),
        ("equation", "ij,jk->ik"),
        ("coordinate_transformation_mode", "align_corners"),
        ("keep_aspect_ratio_policy", "not_larger"),
        ("nearest_mode", "ceil"),
    ];

    proptest! {
        #![proptest_config(cases(3))]
        #[test]
        fn garbage_is_answered_or_refused_but_never_a_panic(
            opset in 1i64..23, inputs in prop::collection::vec(garbage(), 0..5), outputs in 1usize..4,
            numbers in prop::collection::vec((prop::sample::select(NUMBERS.to_vec()), number()), 0..3),
            lists in prop::collection::vec((prop::sample::select(LISTS.to_vec()), prop::collection::vec(number(), 0..5)), 0..4),
            texts in prop::collection::vec(prop::sample::select(TEXTS.to_vec()), 0..2),
        ) {
            for op in all() {
                let case = inputs.iter().cloned().fold(Case::new(op.name, opset.max(op.since)).outputs(outputs), Case::with);
                case.survives();
                // An attribute that the operator does not know would be refused before it is used wrongly.
                for (name, v) in &numbers {
                    case.clone().int(name, *v).survives();
                }
                for (name, v) in &lists {
                    let with = case.clone().ints(name, v);
                    with.survives();
                    texts.iter().for_each(|(n, t)| with.clone().text(n, t).survives());
                }
            }
        }
    }
}

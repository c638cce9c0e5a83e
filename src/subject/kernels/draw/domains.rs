//! domains: cases of what nobody has a kernel for: each input drawn from the domain that is declared for it.
//!
//! Convention: elements are drawn as those of the kernels are, and cycled over a tensor, so that exact ties occur and a shrunk case stays
//! short. A plain case lies on no edge; of any other half the elements do, and some stand in a relation to those of an input before.

use super::Case;
use super::boxes::{self, Box4};
use super::numbers;
use crate::graph::Dim;
use crate::scenario::domain::Values;
use crate::tensor::{DType, Tensor};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// One input.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    pub name: String,
    pub values: Values,
    pub dtype: DType,
    pub axes: Vec<Dim>,
}

/// Elements that are drawn for one input, at most.
const DRAWN: usize = 24;
/// Pixels in which boxes lie.
const EXTENT: u32 = 32;
/// Ways in which an element may stand to one before; in half of them in none.
const RELATIONS: u8 = 14;

type Edge = Option<&'static str>;

/// What is drawn for an element, whatever its input holds.
#[derive(Clone, Debug)]
enum Element {
    Number(f64, Edge),
    Corners(boxes::Drawn),
    /// Bits of which a label, an integer or a flag is made.
    Bits(u32),
}

/// An element, and how it stands to that of an input before.
type Related = (Element, u8);

/// Cases for these inputs; plain ones lie on no edge. What cannot be drawn as a tensor of its dtype is none.
pub fn cases(slots: &[Slot], plain: bool) -> BoxedStrategy<Case> {
    let names: Vec<String> = open(slots).map(str::to_string).collect();
    let sizes = prop::collection::vec(size(plain), names.len());
    let elements: Vec<_> = slots.iter().map(|s| elements(&s.values, plain)).collect();
    let slots = slots.to_vec();
    let case = move |(sizes, elements): (Vec<usize>, Vec<Vec<Related>>)| {
        let sizes = names.iter().map(String::as_str).zip(sizes).collect();
        made(&slots, &sizes, &elements, plain)
    };
    (sizes, elements).prop_map(case).boxed()
}

/// Named axes, and sizes that labels lie below.
fn open(slots: &[Slot]) -> impl Iterator<Item = &str> {
    let dims = slots.iter().flat_map(|slot| {
        let classes = match &slot.values {
            Values::Labels { classes, .. } => Some(classes),
            _ => None,
        };
        slot.axes.iter().chain(classes)
    });
    let named: std::collections::BTreeSet<&str> = dims
        .filter_map(|dim| match dim {
            Dim::Named(name) => Some(name.as_str()),
            Dim::Known(_) | Dim::Unknown => None,
        })
        .collect();
    named.into_iter()
}

/// Of an open axis; now and then it is empty. The simplest is 1.
fn size(plain: bool) -> BoxedStrategy<usize> {
    let drawn = 0usize..if plain { 28 } else { 29 };
    drawn
        .prop_map(|k| if k < 28 { 1 + k / 4 } else { 0 })
        .boxed()
}

fn elements(values: &Values, plain: bool) -> BoxedStrategy<Vec<Related>> {
    let relation = if plain {
        RELATIONS..RELATIONS + 1
    } else {
        0..2 * RELATIONS
    };
    prop::collection::vec((element(values, plain), relation), 1..DRAWN).boxed()
}

fn element(values: &Values, plain: bool) -> BoxedStrategy<Element> {
    let number = |(v, edge)| Element::Number(v, edge);
    let corners = |corners: Box4| boxes::Drawn {
        corners,
        edge: None,
    };
    match (values, plain) {
        (Values::Numbers(None), true) => plain_number().prop_map(number).boxed(),
        (Values::Numbers(None), false) => any_number().prop_map(number).boxed(),
        (Values::Numbers(Some(ends)), _) => between(*ends, plain).prop_map(number).boxed(),
        (Values::Probabilities, true) => (1u32..256)
            .prop_map(|k| Element::Number(f64::from(k) / 256.0, None))
            .boxed(),
        (Values::Probabilities, false) => numbers::probability().prop_map(number).boxed(),
        (Values::Boxes, true) => boxes::plain(EXTENT)
            .prop_map(move |b| Element::Corners(corners(b)))
            .boxed(),
        (Values::Boxes, false) => boxes::object(EXTENT).prop_map(Element::Corners).boxed(),
        (Values::Labels { .. } | Values::Integers(_) | Values::Mask, _) => {
            (0u32..1 << 16).prop_map(Element::Bits).boxed()
        }
    }
}

/// No number is 0, where so much is a kink.
fn plain_number() -> impl Strategy<Value = (f64, Edge)> {
    (1i32..=64, any::<bool>()).prop_map(|(k, turned)| {
        let v = f64::from(k) / 8.0;
        (if turned { -v } else { v }, None)
    })
}

/// As a logit, and beyond.
fn any_number() -> impl Strategy<Value = (f64, Edge)> {
    let far = prop::sample::select(vec![(16384.0, Some("huge")), (-16384.0, Some("huge"))]);
    prop_oneof![15 => numbers::logit(), 1 => far]
}

/// Both ends included; in f32, as every number.
fn between([low, high]: [f64; 2], plain: bool) -> BoxedStrategy<(f64, Edge)> {
    let inside = (1u32..256).prop_map(move |k| {
        let v = low + (high - low) * f64::from(k) / 256.0;
        (f64::from(v as f32).clamp(low, high), None)
    });
    let ends = vec![
        (low, Some("at the lower end")),
        (high, Some("at the upper end")),
    ];
    match plain {
        true => inside.boxed(),
        false => prop_oneof![inside, prop::sample::select(ends)].boxed(),
    }
}

type Sizes<'a> = BTreeMap<&'a str, usize>;

fn sized(dim: &Dim, sizes: &Sizes) -> usize {
    match dim {
        Dim::Known(size) => *size,
        Dim::Named(name) => sizes.get(name.as_str()).copied().unwrap_or(1),
        Dim::Unknown => 1,
    }
}

/// The case that these sizes and elements are.
fn made(slots: &[Slot], sizes: &Sizes, drawn: &[Vec<Related>], plain: bool) -> Case {
    let mut case = Case::default();
    let mut before: Vec<(&Slot, Vec<f64>)> = vec![];
    for (slot, drawn) in slots.iter().zip(drawn) {
        let shape: Vec<usize> = slot.axes.iter().map(|d| sized(d, sizes)).collect();
        let first = before
            .iter()
            .find(|(other, _)| other.values == slot.values && other.axes == slot.axes);
        let first = first.map(|(_, values)| values.as_slice());
        let n = shape.iter().product();
        let (values, edges) = filled(slot, sizes, n, drawn, first, plain);
        // A domain was held against its dtype before.
        if let Ok(tensor) = Tensor::from_f64(slot.dtype, &shape, &values) {
            case = case.with(&slot.name, tensor);
        }
        case = case.on(edges).on((n == 0).then_some("empty"));
        before.push((slot, values));
    }
    case
}

/// `n` numbers of an input, and the edges that they are.
fn filled(
    slot: &Slot,
    sizes: &Sizes,
    n: usize,
    drawn: &[Related],
    first: Option<&[f64]>,
    plain: bool,
) -> (Vec<f64>, Vec<&'static str>) {
    let (mut values, mut edges) = (Vec::with_capacity(n), vec![]);
    // The first element of a mask or of labels may stand for all.
    let whole = drawn.first().map_or(RELATIONS, |d| d.1);
    for (element, relation) in drawn.iter().cycle() {
        let at = values.len();
        if at >= n {
            break;
        }
        let alike = first
            .and_then(|f| f.get(at..))
            .filter(|_| *relation < RELATIONS);
        let edge = match (element, &slot.values) {
            (Element::Corners(own), _) => {
                let (corners, edge) = placed(own, alike, *relation);
                values.extend(corners);
                edge
            }
            (Element::Number(v, edge), _) => {
                let equal = alike.filter(|_| *relation == 0).map(|f| f[0]);
                values.push(equal.unwrap_or(*v));
                equal.map_or(*edge, |_| Some("equal to another input"))
            }
            (Element::Bits(bits), of) => {
                let (v, edge) = whole_number(*bits, of, sizes, *relation, (whole, plain));
                values.push(v);
                edge
            }
        };
        edges.extend(edge);
    }
    values.truncate(n);
    (values, edges)
}

/// A box, in some relation to one of an input before.
fn placed(own: &boxes::Drawn, first: Option<&[f64]>, relation: u8) -> (Box4, Edge) {
    match first {
        Some([x1, y1, x2, y2, ..]) => {
            let (corners, edge) = boxes::related([*x1, *y1, *x2, *y2], own.corners, relation);
            (corners, edge.or(own.edge))
        }
        _ => (own.corners, own.edge),
    }
}

/// A label, an integer or a flag; `whole` is the relation that one element has for all.
fn whole_number(
    bits: u32,
    of: &Values,
    sizes: &Sizes,
    relation: u8,
    (whole, plain): (u8, bool),
) -> (f64, Edge) {
    let within = |count: i64| i64::from(bits) % count.max(1);
    match of {
        Values::Labels { classes, ignored } => match ignored {
            Some(label) if whole == 0 => (*label as f64, Some("all ignored")),
            Some(label) if relation < 3 => (*label as f64, Some("ignored")),
            _ => (within(sized(classes, sizes) as i64) as f64, None),
        },
        Values::Integers([low, high]) => match relation {
            0..3 => (*low as f64, Some("at the lower end")),
            3..6 => (*high as f64, Some("at the upper end")),
            _ => ((low + within((high - low).saturating_add(1))) as f64, None),
        },
        _ => match whole {
            0 | 1 if !plain => (0.0, Some("all masked")),
            2 | 3 if !plain => (1.0, Some("nothing masked")),
            _ => (f64::from(bits & 1), None),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    fn slot(name: &str, domain: &str) -> Slot {
        let domain: crate::scenario::Domain = domain.parse().unwrap();
        Slot {
            name: name.into(),
            dtype: domain.dtype.unwrap_or(domain.values.dtype()),
            values: domain.values,
            axes: domain.axes.unwrap(),
        }
    }

    fn drawn(slots: &[Slot], plain: bool) -> Vec<Case> {
        let (mut runner, strategy) = (TestRunner::deterministic(), cases(slots, plain));
        let one = |_| strategy.new_tree(&mut runner).unwrap().current();
        (0..400).map(one).collect()
    }

    fn all(cases: &[Case], name: &str) -> Vec<f64> {
        cases.iter().flat_map(|c| c.inputs[name].to_f64()).collect()
    }

    #[test]
    fn every_value_lies_in_its_domain_and_edges_are_met_where_they_may_be() {
        type Inside = fn(f64) -> bool;
        let inside: [(&str, Inside, &str); 6] = [
            ("probabilities@n", |v| (0.0..=1.0).contains(&v), "exactly 0"),
            (
                "numbers:-1..0.5@n",
                |v| (-1.0..=0.5).contains(&v),
                "at the upper end",
            ),
            (
                "integers:-2..9@n",
                |v| (-2.0..=9.0).contains(&v) && v.fract() == 0.0,
                "at the lower end",
            ),
            (
                "labels:5,-100@n",
                |v| v == -100.0 || (0.0..5.0).contains(&v),
                "all ignored",
            ),
            ("mask@n:bool", |v| v == 0.0 || v == 1.0, "all masked"),
            ("numbers@n", |v| v.abs() <= 16384.0, "saturated"),
        ];
        for (domain, is_inside, edge) in inside {
            let cases = drawn(&[slot("x", domain)], false);
            assert!(all(&cases, "x").into_iter().all(is_inside), "{domain}");
            assert!(cases.iter().any(|c| c.edges.contains(edge)), "{domain}");
            assert!(cases.iter().any(|c| c.edges.contains("empty")), "{domain}");
            let plain = drawn(&[slot("x", domain)], true);
            assert!(all(&plain, "x").into_iter().all(is_inside), "{domain}");
            assert!(plain.iter().all(|c| c.edges.is_empty()), "{domain}");
        }
    }

    #[test]
    fn boxes_have_no_negative_side_and_stand_in_relations_to_those_before() {
        let slots = [slot("a", "boxes@n,4"), slot("b", "boxes@n,4")];
        let cases = drawn(&slots, false);
        for name in ["a", "b"] {
            for b in all(&cases, name).chunks(4) {
                assert!(b[0] <= b[2] && b[1] <= b[3], "{b:?}");
            }
        }
        for edge in ["no width", "identical", "nested", "touching", "huge"] {
            assert!(cases.iter().any(|c| c.edges.contains(edge)), "{edge}");
        }
        let plain = drawn(&slots, true);
        assert!(plain.iter().all(|c| c.edges.is_empty()));
        assert!(
            all(&plain, "a")
                .chunks(4)
                .all(|b| b[0] < b[2] && b[1] < b[3])
        );
    }

    #[test]
    fn axes_of_one_name_have_one_size_and_labels_lie_below_theirs() {
        let slots = [slot("x", "numbers@n,C"), slot("t", "labels:C@n")];
        for case in drawn(&slots, true) {
            let (x, t) = (&case.inputs["x"], &case.inputs["t"]);
            assert_eq!(x.shape()[0], t.shape()[0]);
            assert!(t.to_f64().iter().all(|label| *label < x.shape()[1] as f64));
        }
    }
}

//! results: tensors that two ports made of the same thing, held against each other: dtype, shape, numbers.

use crate::judge::{Limit, Pair, against};
use crate::scenario::Stage;
use crate::tensor::index::unravel;
use crate::tensor::{DType, Tensor};
use crate::text::number;
use crate::verdict::{Outcome, StageVerdict};

/// Roundings of a number that either side may come to in a few operations, of the largest number of the tensor, because differences cancel.
pub const ROUNDINGS: f64 = 16.0;

/// What one tensor comes to, as it is said.
pub enum Held {
    Same(String),
    /// The first line says it.
    Off(Vec<String>),
    /// Not judged, and why.
    Open(String),
}

impl Held {
    /// What only this side's makes.
    pub fn made_by(side: &str, name: &str) -> Self {
        Self::Open(format!("'{name}' is made by the {side}'s alone"))
    }
}

/// The rounding of what is at most computed in f32, however much the tensor holds.
pub fn rounding(dtype: DType) -> f64 {
    match dtype.is_float() {
        true => dtype.unit_roundoff().max(DType::F32.unit_roundoff()),
        false => 0.0,
    }
}

/// The largest finite number, in absolute terms.
pub fn largest(t: &Tensor) -> f64 {
    let finite = t.to_f64().into_iter().filter(|v| v.is_finite());
    finite.fold(0.0, |most, v| most.max(v.abs()))
}

/// Whether two numbers are alike but for `allowed`.
pub fn alike(expected: f64, found: f64, allowed: f64) -> bool {
    !against(&Pair(expected, found), Limit::Bound(allowed)).over()
}

/// Number by number; None where nothing differs by more than `allowed`.
fn differs(expected: &Tensor, found: &Tensor, allowed: &dyn Fn(usize) -> f64) -> Option<Off> {
    let (e, f) = (expected.to_f64(), found.to_f64());
    // Integers beyond 2^53 are no f64.
    let exact = expected.to_i64().zip(found.to_i64());
    let off = |i: &usize| match &exact {
        Some((e, f)) => e[*i] != f[*i],
        None => !alike(e[*i], f[*i], allowed(*i)),
    };
    let all: Vec<usize> = (0..e.len()).filter(off).collect();
    let distance = |i: usize| {
        let d = (e[i] - f[i]).abs();
        if d.is_nan() { f64::INFINITY } else { d }
    };
    let most = all
        .iter()
        .copied()
        .max_by(|a, b| distance(*a).total_cmp(&distance(*b)))?;
    Some(Off {
        count: all.len(),
        place: most,
        pair: [e[most], f[most]],
        allowed: allowed(most),
    })
}

/// Numbers that differ.
struct Off {
    count: usize,
    place: usize,
    pair: [f64; 2],
    allowed: f64,
}

/// A tensor of another dtype or shape. How wide an integer is, and whether it has a sign, each framework decides for its indices: its numbers tell.
pub fn unlike(name: &str, expected: &Tensor, found: &Tensor) -> Option<Held> {
    let is = |t: &Tensor| format!("{} {:?}", t.dtype(), t.shape());
    let (e, f) = (is(expected), is(found));
    let is_index = |t: &Tensor| !t.dtype().is_float() && t.dtype() != DType::Bool;
    let indices = [expected, found].iter().all(|t| is_index(t));
    let alike = indices && expected.shape() == found.shape();
    (e != f && !alike).then(|| {
        Held::Off(vec![format!(
            "'{name}' is {e} in the reference and {f} in the candidate"
        )])
    })
}

/// A tensor of one dtype and shape.
pub fn numbers(
    name: &str,
    expected: &Tensor,
    found: &Tensor,
    allowed: &dyn Fn(usize) -> f64,
) -> Held {
    let all = expected.numel();
    let Some(off) = differs(expected, found, allowed) else {
        return Held::Same(format!(
            "'{name}' {} {:?}: {all} numbers alike{}",
            expected.dtype(),
            expected.shape(),
            match expected.dtype() == found.dtype() {
                true => String::new(),
                false => format!(", {} in the candidate", found.dtype()),
            }
        ));
    };
    let [e, f] = off.pair.map(number);
    let [of_e, of_f] = [expected, found].map(range);
    let count = off.count;
    Held::Off(vec![
        format!("'{name}': {count} of {all} numbers differ by more than rounding"),
        format!(
            "most the one at {:?}: {e} in the reference and {f} in the candidate, where rounding allows {}",
            unravel(off.place, expected.shape()),
            number(off.allowed)
        ),
        format!("the reference's lie in {of_e}, the candidate's in {of_f}"),
    ])
}

fn range(t: &Tensor) -> String {
    let (least, most) = t
        .to_f64()
        .into_iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, m), v| {
            (l.min(v), m.max(v))
        });
    format!("{} to {}", number(least), number(most))
}

/// What all tensors come to; `first` is the first that is off.
pub fn stage(of: Stage, held: Vec<(String, Held)>) -> StageVerdict {
    let (mut first, mut off, mut open, mut same) = (None, vec![], vec![], vec![]);
    for (name, held) in held {
        match held {
            Held::Same(says) => same.push(says),
            Held::Open(says) => open.push(says),
            Held::Off(says) => {
                first.get_or_insert(name);
                off.extend(says);
            }
        }
    }
    let outcome = match (off.is_empty(), open.is_empty()) {
        (false, _) => Outcome::Diverge,
        (true, false) => Outcome::Nothing,
        (true, true) => Outcome::Agree,
    };
    StageVerdict {
        outcome,
        first,
        says: [off, open, same].concat(),
        ..StageVerdict::agree(of, String::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_with_its_place_and_both_numbers() {
        let expected = Tensor::of(&[2, 2], &[0.0f32, 1.0, 2.0, 3.0]);
        let found = Tensor::of(&[2, 2], &[0.0f32, 1.0, 2.5, 3.25]);
        let Held::Off(says) = numbers("x", &expected, &found, &|_| 0.1) else {
            panic!("it is off")
        };
        let says = says.join("; ");
        for words in [
            "2 of 4 numbers differ",
            "most the one at [1, 0]: 2",
            "0 to 3",
        ] {
            assert!(says.contains(words), "{says}");
        }
        assert!(matches!(
            numbers("x", &expected, &found, &|_| 0.5),
            Held::Same(_)
        ));
    }

    #[test]
    fn integers_are_held_exactly_and_how_wide_they_are_is_a_convention() {
        let wide = Tensor::of(&[2], &[3i64, (1 << 53) + 1]);
        let other = Tensor::of(&[2], &[3i64, 1 << 53]);
        let narrow = [Tensor::of(&[2], &[3i32, 4]), Tensor::of(&[2], &[3i64, 4])];
        assert!(matches!(
            numbers("x", &wide, &other, &|_| 0.0),
            Held::Off(_)
        ));
        assert!(unlike("x", &narrow[0], &narrow[1]).is_none());
        let Held::Same(says) = numbers("x", &narrow[0], &narrow[1], &|_| 0.0) else {
            panic!("they are alike")
        };
        assert!(says.contains("i64 in the candidate"), "{says}");
        let shape = Tensor::of(&[1, 2], &[3i64, 4]);
        assert!(unlike("x", &narrow[0], &shape).is_some());
        let float = Tensor::of(&[2], &[3f32, 4.0]);
        assert!(unlike("x", &narrow[0], &float).is_some());
    }

    #[test]
    fn one_that_is_off_makes_the_stage_diverge_and_one_that_is_open_leaves_it_undecided() {
        let held = |all: Vec<Held>| {
            stage(
                Stage::Preprocess,
                all.into_iter().map(|h| ("x".into(), h)).collect(),
            )
        };
        let (same, open) = (|| Held::Same("s".into()), || Held::Open("o".into()));
        assert_eq!(held(vec![same()]).outcome, Outcome::Agree);
        assert_eq!(held(vec![same(), open()]).outcome, Outcome::Nothing);
        let off = held(vec![same(), open(), Held::Off(vec!["f".into()])]);
        assert_eq!(
            (off.outcome, off.first),
            (Outcome::Diverge, Some("x".into()))
        );
        assert_eq!(off.says, ["f", "o", "s"]);
    }
}

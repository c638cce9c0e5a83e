//! edges: what a port is fed besides its own batch: one image, no object, ignored labels, a size that no stride divides.

use super::Port as Asked;
use super::session::{Batch, Session};
use crate::error::{Error, Result};
use crate::port::Tensors;
use crate::tensor::Tensor;
use crate::verdict::{Finding, Severity};

/// One way to feed the port.
#[derive(Clone, Debug)]
pub struct Case {
    pub edge: Edge,
    pub batch: Batch,
    /// In training form too, and by a step of training where there is one.
    pub trains: bool,
    /// The port itself says that it takes such a size.
    pub declared: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    AsGiven,
    /// The same numbers in the other order, so that what comes out must be something else.
    Turned,
    One,
    Odd,
    NoObject,
    AllIgnored,
}

impl Edge {
    pub fn say(self) -> &'static str {
        match self {
            Edge::AsGiven => "its own inputs",
            Edge::Turned => "its own inputs, turned",
            Edge::One => "a batch of one",
            Edge::Odd => "an odd size",
            Edge::NoObject => "no object",
            Edge::AllIgnored => "all labels ignored",
        }
    }
}

/// What is fed, and what could not be made.
pub struct Edges {
    pub cases: Vec<Case>,
    pub untried: Vec<Finding>,
}

/// # Errors
/// An option that names no target.
pub fn of(batch: &Batch, own: &Session, asked: &Asked) -> Result<Edges> {
    let mut cases = vec![case(Edge::AsGiven, batch.clone(), true)];
    let inputs = turned(&batch.inputs)?;
    cases.push(case(
        Edge::Turned,
        Batch {
            inputs,
            targets: batch.targets.clone(),
        },
        false,
    ));
    if let Some(one) = first(batch, 1)? {
        cases.push(case(Edge::One, one, true));
    }
    if let Some((inputs, declared)) = odd(batch, own)? {
        let odd = Batch {
            inputs,
            targets: Tensors::new(),
        };
        cases.push(Case {
            declared,
            ..case(Edge::Odd, odd, true)
        });
    }
    let mut untried = vec![];
    if let (false, true) = (asked.inference, !batch.targets.is_empty()) {
        let empty = emptied(&batch.targets, &asked.empty)?;
        cases.extend(with(batch, Edge::NoObject, empty));
        let ignored = ignored(&batch.targets, asked.ignore)?;
        cases.extend(with(batch, Edge::AllIgnored, ignored));
        untried.extend(unknown_label(&batch.targets, asked.ignore));
    }
    Ok(Edges { cases, untried })
}

fn case(edge: Edge, batch: Batch, trains: bool) -> Case {
    Case {
        edge,
        batch,
        trains,
        declared: true,
    }
}

fn with(batch: &Batch, edge: Edge, targets: Option<Tensors>) -> Option<Case> {
    let inputs = batch.inputs.clone();
    targets.map(|targets| case(edge, Batch { inputs, targets }, true))
}

/// Rows of the first axis, where all inputs have as many; a tensor of one axis may be anything.
pub fn images(inputs: &Tensors) -> Option<usize> {
    let mut sizes = inputs.values().filter(|t| t.shape().len() > 1);
    let n = sizes.next()?.shape()[0];
    sizes.all(|t| t.shape()[0] == n).then_some(n)
}

/// The first `n` of more images with their targets.
///
/// # Errors
/// None.
pub fn first(batch: &Batch, n: usize) -> Result<Option<Batch>> {
    let Some(all) = images(&batch.inputs).filter(|all| *all > n) else {
        return Ok(None);
    };
    let cut = |tensors: &Tensors| -> Result<Tensors> {
        let one = |(name, t): (&String, &Tensor)| {
            let mut shape = t.shape().to_vec();
            if shape.first() == Some(&all) {
                shape[0] = n;
            }
            Ok((name.clone(), cropped(t, &shape)?))
        };
        tensors.iter().map(one).collect()
    };
    Ok(Some(Batch {
        inputs: cut(&batch.inputs)?,
        targets: cut(&batch.targets)?,
    }))
}

/// Floats in the other order, or where that is the same, half of them.
pub fn turned(inputs: &Tensors) -> Result<Tensors> {
    let one = |(name, t): (&String, &Tensor)| {
        let mut values = t.to_f64();
        if t.dtype().is_float() {
            values.reverse();
            if values == t.to_f64() {
                values.iter_mut().for_each(|v| *v = *v / 2.0 + 0.25);
            }
        }
        Ok((
            name.clone(),
            Tensor::from_f64(t.dtype(), t.shape(), &values)?,
        ))
    };
    inputs.iter().map(one).collect()
}

/// Images that are smaller, of two odd sides, and whether the port says that these may have any size.
fn odd(batch: &Batch, own: &Session) -> Result<Option<(Tensors, bool)>> {
    let (mut all, mut found, mut open) = (Tensors::new(), false, true);
    for (name, t) in &batch.inputs {
        let sides = sides(t);
        let mut shape = t.shape().to_vec();
        if let Some([h, w]) = sides {
            found = true;
            open &= own.is_open(name, h) && own.is_open(name, w);
            shape[h] = odd_below(shape[h]);
            // A height that is taken for the width does not fit.
            shape[w] = odd_below(odd_below(shape[w]));
        }
        all.insert(name.clone(), cropped(t, &shape)?);
    }
    Ok(found.then_some((all, open)))
}

fn odd_below(n: usize) -> usize {
    n - 1 - n % 2
}

/// Sides shorter than this are left alone.
const SMALL: usize = 8;

/// The axes of height and width of an image.
fn sides(t: &Tensor) -> Option<[usize; 2]> {
    let shape = t.shape();
    let is_image = shape.len() == 4 && t.dtype().is_float();
    let axes = match is_image.then(|| [shape[1], shape[3]])? {
        [1..=4, _] => [2, 3],
        [_, 1..=4] => [1, 2],
        [_, _] => [2, 3],
    };
    axes.iter().all(|a| shape[*a] >= SMALL).then_some(axes)
}

/// Targets without any object: as it is said, else boxes of zeros.
fn emptied(targets: &Tensors, said: &[String]) -> Result<Option<Tensors>> {
    let mut all = targets.clone();
    for text in said {
        let (name, value) = text
            .split_once('=')
            .and_then(|(n, v)| Some((n, v.parse().ok()?)))
            .ok_or_else(|| Error::usage(format!("--empty {text}: expected NAME=NUMBER")))?;
        let held = all.get(name).ok_or_else(|| {
            let known: Vec<&str> = targets.keys().map(String::as_str).collect();
            Error::usage(format!("--empty {text}: the port has no target '{name}'"))
                .next(format!("its targets: {}", known.join(", ")))
        })?;
        all.insert(name.into(), filled(held, value)?);
    }
    if said.is_empty() {
        for (name, t) in targets.iter().filter(|(_, t)| is_boxes(t)) {
            all.insert(name.clone(), filled(t, 0.0)?);
        }
    }
    let changed = all.iter().any(|(n, t)| t.bytes() != targets[n].bytes());
    Ok(changed.then_some(all))
}

fn is_boxes(t: &Tensor) -> bool {
    t.dtype().is_float() && t.shape().len() > 1 && matches!(t.shape().last(), Some(4..=6))
}

/// A label for each pixel or token.
fn is_dense(t: &Tensor) -> bool {
    !t.dtype().is_float() && t.shape().len() > 2
}

fn ignored(targets: &Tensors, label: Option<i64>) -> Result<Option<Tensors>> {
    let Some(label) = label else {
        return Ok(None);
    };
    let mut all = targets.clone();
    let dense = targets.values().any(is_dense);
    let is_label = |t: &Tensor| match dense {
        true => is_dense(t),
        false => !t.dtype().is_float(),
    };
    for (name, t) in targets.iter().filter(|(_, t)| is_label(t)) {
        all.insert(name.clone(), filled(t, label as f64)?);
    }
    Ok(Some(all))
}

fn unknown_label(targets: &Tensors, label: Option<i64>) -> Option<Finding> {
    let (name, t) = targets
        .iter()
        .find(|(_, t)| is_dense(t))
        .filter(|_| label.is_none())?;
    let what = format!(
        "what the loss gives where all labels of {:?} are ignored could not be tried: nothing says which label that is",
        t.shape()
    );
    Some(
        Finding::new("not_tried", name, what)
            .next(["--ignore LABEL, such as --ignore 255".to_string()])
            .severity(Severity::Unjudged),
    )
}

fn filled(t: &Tensor, value: f64) -> Result<Tensor> {
    Tensor::from_f64(t.dtype(), t.shape(), &vec![value; t.numel()])
}

/// The first of each axis.
fn cropped(t: &Tensor, shape: &[usize]) -> Result<Tensor> {
    let bytes = part(t.bytes(), t.shape(), shape, t.dtype().size());
    Tensor::from_bytes(t.dtype(), shape.to_vec(), &bytes)
}

fn part(bytes: &[u8], from: &[usize], to: &[usize], size: usize) -> Vec<u8> {
    let [n, rest @ ..] = to else {
        return bytes.to_vec();
    };
    let row = from[1..].iter().product::<usize>() * size;
    let rows = bytes.chunks(row.max(1)).take(*n);
    match from[1..] == *rest {
        true => bytes[..n * row].to_vec(),
        false => rows.flat_map(|r| part(r, &from[1..], rest, size)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensors(all: &[(&str, Tensor)]) -> Tensors {
        all.iter()
            .map(|(n, t)| (n.to_string(), t.clone()))
            .collect()
    }

    #[test]
    fn one_image_comes_with_its_targets_and_with_nothing_of_others() {
        let batch = Batch {
            inputs: tensors(&[("x", Tensor::of(&[2, 2], &[1f32, 2.0, 3.0, 4.0]))]),
            targets: tensors(&[
                ("labels", Tensor::of(&[2], &[7i64, 8])),
                ("classes", Tensor::of(&[3], &[1f32, 2.0, 3.0])),
            ]),
        };
        let one = first(&batch, 1).unwrap().unwrap();
        assert_eq!(one.inputs["x"].values::<f32>(), Some(&[1.0, 2.0][..]));
        assert_eq!(one.targets["labels"].values::<i64>(), Some(&[7][..]));
        assert_eq!(one.targets["classes"].shape(), [3]);
        assert!(first(&one, 1).unwrap().is_none());
    }

    #[test]
    fn a_part_of_an_image_holds_its_first_rows_and_columns() {
        let t = Tensor::of(
            &[1, 2, 2, 3],
            &(0..12).map(|i| i as f32).collect::<Vec<_>>(),
        );
        let part = cropped(&t, &[1, 2, 1, 2]).unwrap();
        assert_eq!(part.values::<f32>(), Some(&[0.0, 1.0, 6.0, 7.0][..]));
        for (shape, axes) in [
            (&[2, 3, 16, 16][..], Some([2, 3])),
            (&[2, 16, 16, 3], Some([1, 2])),
            (&[2, 3, 4, 4], None),
            (&[2, 16, 16], None),
        ] {
            let of = Tensor::of(shape, &vec![0f32; shape.iter().product()]);
            assert_eq!(sides(&of), axes, "{shape:?}");
        }
    }

    #[test]
    fn no_object_is_a_box_of_zeros_or_what_is_said_of_a_target_that_there_is() {
        let targets = tensors(&[
            ("boxes", Tensor::of(&[1, 1, 4], &[1f32, 2.0, 3.0, 4.0])),
            ("labels", Tensor::of(&[1, 1], &[3i64])),
        ]);
        let empty = emptied(&targets, &[]).unwrap().unwrap();
        assert_eq!(empty["boxes"].to_f64(), [0.0; 4]);
        assert_eq!(empty["labels"].to_f64(), [3.0]);
        let said = emptied(&targets, &["labels=-1".into()]).unwrap().unwrap();
        assert_eq!(
            (said["labels"].to_f64(), said["boxes"].to_f64()[0]),
            (vec![-1.0], 1.0)
        );
        for (text, words) in [("labels", "NAME=NUMBER"), ("label=0", "no target 'label'")] {
            let e = emptied(&targets, &[text.into()]).unwrap_err();
            assert!(e.message.contains(words), "{e}");
        }
    }

    #[test]
    fn a_label_for_each_pixel_is_ignored_where_it_is_said_which_and_else_not_judged() {
        let targets = tensors(&[("mask", Tensor::of(&[1, 2, 2], &[0i64, 1, 2, 3]))]);
        let ignored = ignored(&targets, Some(255)).unwrap().unwrap();
        assert_eq!(ignored["mask"].to_f64(), [255.0; 4]);
        assert!(unknown_label(&targets, Some(255)).is_none());
        assert!(unknown_label(&targets, None).is_some());
    }
}

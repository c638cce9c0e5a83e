//! again: a live port on a second input, drawn, of another batch and size where axes are open: what one input does not exercise another one may.

use super::channels::fitted;
use super::source::Ports;
use super::{Clock, compared, concluded};
use crate::error::{Result, or_refusal};
use crate::graph::{Dim, Port};
use crate::hash;
use crate::run::{Alone, Of, Run};
use crate::scenario::{Scenario, Second};
use crate::subject::Engines;
use crate::tensor::Tensor;
use crate::watch::Watch;
use indexmap::IndexMap;

/// Sizes from which on an open axis is one of an image, whose sides are multiples of this.
const STRIDE: usize = 32;

/// The comparison on a second input; `declared` says which axes are open.
///
/// # Errors
/// As the first.
pub fn run(
    scenario: &Scenario,
    (second, ports): (&Second, &mut Ports),
    (first, declared): (&IndexMap<String, Tensor>, &[Port]),
    engines: Engines,
    watch: &mut dyn Watch,
) -> Result<Alone> {
    let first: IndexMap<String, Tensor> = first
        .iter()
        .enumerate()
        .map(|(i, (name, t))| (name.clone(), fitted(t, declared.get(i))))
        .collect();
    let mut on = |open: bool| {
        let drawn = drawn(&first, declared, scenario.seed + 1, open)?;
        let shapes = drawn.iter().map(|(n, t)| format!("'{n}' {:?}", t.shape()));
        let what = shapes.collect::<Vec<_>>().join(", ");
        let mut clock = Clock::start();
        let both = (second, &mut *ports);
        let run = compared(scenario, both, Some(drawn), engines, &mut clock, watch);
        let run = or_refusal(
            run.and_then(|c| concluded(c, vec![], engines))
                .map(Run::told),
        )?;
        Ok((what, run))
    };
    let (mut what, mut run) = on(true)?;
    if let Err(why) = run {
        // A program may want the size that it was given first.
        (what, run) = on(false)?;
        what += &format!(" (of another size it is refused: {why})");
    }
    let (run, refused) = match run {
        Ok(run) => (Some(Box::new(run)), None),
        Err(says) => (None, Some(says)),
    };
    Ok(Alone {
        of: Of::Input,
        file: what,
        run,
        refused,
    })
}

/// Values between the smallest and the largest of the first input, evenly; open axes are larger where `open`.
fn drawn(
    first: &IndexMap<String, Tensor>,
    ports: &[Port],
    seed: u64,
    open: bool,
) -> Result<IndexMap<String, Tensor>> {
    let one = |(i, (name, tensor)): (usize, (&String, &Tensor))| {
        let declared = ports.get(i).and_then(|p| p.shape.as_ref());
        let grown = |(axis, size): (usize, &usize)| match declared
            .filter(|_| open)
            .and_then(|d| d.get(axis))
        {
            Some(Dim::Named(_) | Dim::Unknown) if axis == 0 => size + 1,
            Some(Dim::Named(_) | Dim::Unknown) if *size >= STRIDE => size + STRIDE,
            Some(Dim::Named(_) | Dim::Unknown | Dim::Known(_)) | None => *size,
        };
        let shape: Vec<usize> = tensor.shape().iter().enumerate().map(grown).collect();
        Ok((
            name.clone(),
            uniform(tensor, &shape, hash::bits(seed, i as u64))?,
        ))
    };
    first.iter().enumerate().map(one).collect()
}

fn uniform(like: &Tensor, shape: &[usize], seed: u64) -> Result<Tensor> {
    let held = like.to_f64();
    let finite = held.iter().copied().filter(|v| v.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
        (low.min(v), high.max(v))
    });
    let (low, high) = if low <= high { (low, high) } else { (0.0, 0.0) };
    let share = |i: usize| (hash::bits(seed, i as u64) >> 11) as f64 / (1u64 << 53) as f64;
    let value = |i: usize| match like.dtype().is_float() {
        true => low + (high - low) * share(i),
        false => (low + (high - low + 1.0) * share(i)).floor().min(high),
    };
    let values: Vec<f64> = (0..shape.iter().product()).map(value).collect();
    Tensor::from_f64(like.dtype(), shape, &values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::DType;

    #[test]
    fn a_second_input_has_the_range_of_the_first_and_is_larger_where_axes_are_open() {
        let port = |dims: &[Dim]| Port {
            name: "x".into(),
            dtype: Some(DType::F32),
            shape: Some(dims.to_vec()),
        };
        let open = [port(&[Dim::Named("n".into()), Dim::Known(2), Dim::Unknown])];
        let values: Vec<f32> = (0..64).map(|i| i as f32 / 8.0 - 3.0).collect();
        let first = IndexMap::from([("x".to_string(), Tensor::of(&[1, 2, 32], &values))]);
        let drawn = |open_axes| drawn(&first, &open, 7, open_axes).unwrap();
        assert_eq!(drawn(false)["x"].shape(), [1, 2, 32]);
        let second = &drawn(true)["x"];
        assert_eq!(second.shape(), [2, 2, 64]);
        let inside = |v: &f64| (-3.0..=4.875).contains(v);
        assert!(second.to_f64().iter().all(inside));
        assert_ne!(second.to_f64()[..64], first["x"].to_f64()[..]);
        let classes = Tensor::of(&[4], &[0i64, 3, 1, 2]);
        let drawn = uniform(&classes, &[500], 1).unwrap().to_f64();
        assert!(
            (0..4).all(|c| drawn.contains(&f64::from(c)))
                && drawn.iter().all(|v| (0.0..4.0).contains(v))
        );
    }
}

//! matmul: MatMul, Gemm and Einsum.

use super::super::call::Call;
use super::super::convert::torch_error;
use super::common::{Torch, one};
use super::{Op, Scale, alike, op};
use parity::error::Result;
use parity::floor::Family::Matmul;
use tch::Tensor;

fn matmul(call: &Call) -> Result<Vec<Tensor>> {
    one(call.input(0)?.f_matmul(call.input(1)?))
}

fn inner(call: &Call) -> Result<usize> {
    Ok(call.input(0)?.size().last().copied().unwrap_or(1) as usize)
}

struct Gemm {
    alpha: f64,
    beta: f64,
    transposed: [bool; 2],
}

impl Gemm {
    fn of(call: &Call) -> Result<Self> {
        let transposed = [call.int("transA", 0)? != 0, call.int("transB", 0)? != 0];
        Ok(Self {
            alpha: call.float("alpha", 1.0)?,
            beta: call.float("beta", 1.0)?,
            transposed,
        })
    }

    /// αA·B + βC
    fn eval(&self, a: &Tensor, b: &Tensor, c: Option<&Tensor>) -> Torch {
        let turned = |t: &Tensor, turn: bool| {
            if turn {
                t.f_transpose(0, 1)
            } else {
                Ok(t.shallow_clone())
            }
        };
        let times = |t: Tensor, factor: f64| {
            if factor == 1.0 {
                Ok(t)
            } else {
                t.f_mul_scalar(factor)
            }
        };
        let ab = times(
            turned(a, self.transposed[0])?.f_matmul(&turned(b, self.transposed[1])?)?,
            self.alpha,
        )?;
        match c {
            None => Ok(ab),
            Some(c) => ab.f_add(&times(c.shallow_clone(), self.beta)?),
        }
    }
}

fn gemm(call: &Call) -> Result<Vec<Tensor>> {
    one(Gemm::of(call)?.eval(call.input(0)?, call.input(1)?, call.optional(2)))
}

/// |α||A|·|B| + |β||C|
fn gemm_scale(call: &Call, _: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let g = Gemm::of(call)?;
    let g = Gemm {
        alpha: g.alpha.abs(),
        beta: g.beta.abs(),
        ..g
    };
    let (a, b) = (call.input(0)?, call.input(1)?);
    let k = a
        .size()
        .get(if g.transposed[0] { 0 } else { 1 })
        .copied()
        .unwrap_or(1) as usize;
    let c = || call.optional(2).map(|c| c.f_abs()).transpose();
    let k = k + call.optional(2).is_some() as usize;
    let size = c()
        .and_then(|c| g.eval(&a.f_abs()?, &b.f_abs()?, c.as_ref()))
        .map_err(torch_error)?;
    let plain = Gemm {
        alpha: 1.0,
        beta: 1.0,
        ..g
    };
    let sum = |c: &Call| {
        plain
            .eval(c.input(0)?, c.input(1)?, c.optional(2))
            .map_err(torch_error)
    };
    Ok(vec![(
        alike::scaled(call, (Matmul, k), size, &[0, 1], &sum)?,
        k,
    )])
}

fn einsum(call: &Call) -> Result<Vec<Tensor>> {
    let equation = call.text("equation", "")?;
    let operands: Vec<&Tensor> = call.inputs().iter().flatten().collect();
    one(Tensor::f_einsum(&equation, &operands, None::<i64>))
}

/// The product of all summed dimensions: those of the inputs that the output lacks.
fn summed(call: &Call) -> Result<usize> {
    let equation: String = call
        .text("equation", "")?
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect();
    let (left, right) = equation
        .split_once("->")
        .map_or((equation.as_str(), None), |(l, r)| (l, Some(r)));
    let kept = |c: char| right.map_or(left.matches(c).count() == 1, |r| r.contains(c));
    let mut seen = std::collections::BTreeMap::new();
    for (term, t) in left.split(',').zip(call.inputs().iter().flatten()) {
        // An ellipsis stands for dimensions that are kept; letters behind it are counted from the back.
        let (front, back) = term.split_once("...").unwrap_or((term, ""));
        let dims = t.size();
        let ends = front
            .chars()
            .zip(dims.iter())
            .chain(back.chars().rev().zip(dims.iter().rev()));
        seen.extend(ends.filter(|(c, _)| !kept(*c)).map(|(c, d)| (c, *d)));
    }
    Ok(seen.values().product::<i64>().max(1) as usize)
}

/// Every operand of an equation, of which there are seldom more than three.
const EVERY: &[usize] = &[0, 1, 2, 3, 4, 5, 6, 7];

pub const OPS: &[Op] = &[
    op("MatMul", 1, matmul, Scale::Absolute(Matmul, inner, &[0, 1])),
    op("Gemm", 7, gemm, Scale::By(Matmul, gemm_scale)),
    op("Einsum", 12, einsum, Scale::Absolute(Matmul, summed, EVERY)),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, f32s, random};
    use parity::tensor::Tensor;
    use proptest::prelude::*;

    #[test]
    fn vectors_and_batches_multiply_like_numpy() {
        let shape = |a: &[usize], b: &[usize]| {
            Case::new("MatMul", 13)
                .with(random(a, 1, -1.0, 1.0))
                .with(random(b, 2, -1.0, 1.0))
                .check()[0]
                .shape()
                .to_vec()
        };
        assert_eq!(shape(&[3], &[3]), Vec::<usize>::new());
        assert_eq!(shape(&[2, 3], &[3]), [2]);
        assert_eq!(shape(&[3], &[3, 4]), [4]);
        assert_eq!(shape(&[5, 1, 2, 3], &[4, 3, 2]), [5, 4, 2, 2]);
        Case::new("MatMul", 13)
            .with(random(&[2, 3], 1, 0.0, 1.0))
            .with(random(&[2, 3], 1, 0.0, 1.0))
            .refused("libtorch");
        let i32s = |shape: &[usize], v: &[i32]| Tensor::of(shape, v);
        Case::new("MatMul", 13)
            .with(i32s(&[1, 2], &[1, 2]))
            .with(i32s(&[2, 1], &[3, 4]))
            .gives(&[i32s(&[1, 1], &[11])]);
    }

    #[test]
    fn an_equation_sums_what_its_output_lacks() {
        let sum = |equation: &str, a: &[usize], b: &[usize]| {
            Case::new("Einsum", 12)
                .with(random(a, 1, -1.0, 1.0))
                .with(random(b, 2, -1.0, 1.0))
                .text("equation", equation)
                .check()[0]
                .shape()
                .to_vec()
        };
        assert_eq!(sum("bij, bjk -> bik", &[2, 3, 4], &[2, 4, 5]), [2, 3, 5]);
        assert_eq!(
            sum("nkc,nchw->nkhw", &[2, 3, 4], &[2, 4, 5, 6]),
            [2, 3, 5, 6]
        );
        assert_eq!(sum("i,i", &[4], &[4]), Vec::<usize>::new());
    }

    #[test]
    fn negative_factors_do_not_shrink_the_scale() {
        let case = Case::new("Gemm", 13)
            .with(f32s(&[1, 2], &[1.0, -2.0]))
            .with(f32s(&[2, 1], &[3.0, 4.0]))
            .with(f32s(&[1], &[7.0]));
        case.float("alpha", -2.0)
            .float("beta", -1.0)
            .gives(&[f32s(&[1, 1], &[3.0])]);
    }

    proptest! {
        #![proptest_config(cases(64))]
        #[test]
        fn products_stay_in_their_bound(m in 1usize..20, k in 1usize..400, n in 1usize..20, a_turned: bool, b_turned: bool, alpha in -2f32..2.0, c in 0usize..4, seed: u64) {
            Case::new("MatMul", 13).with(random(&[2, m, k], seed, -1.0, 1.0)).with(random(&[k, n], !seed, -1.0, 1.0)).check();
            let a = if a_turned { [k, m] } else { [m, k] };
            let b = if b_turned { [n, k] } else { [k, n] };
            let case = Case::new("Gemm", 13).with(random(&a, seed, -1.0, 1.0)).with(random(&b, !seed, -1.0, 1.0));
            let case = match c {
                0 => case,
                1 => case.with(random(&[n], seed, -1.0, 1.0)),
                2 => case.with(random(&[m, 1], seed, -1.0, 1.0)),
                _ => case.with(random(&[m, n], seed, -1.0, 1.0)),
            };
            case.int("transA", a_turned as i64).int("transB", b_turned as i64).float("alpha", alpha).float("beta", 0.5).check();
        }
    }
}

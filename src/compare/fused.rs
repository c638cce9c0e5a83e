//! fused: one pass over both sides that computes every metric; reads each element once from memory and allocates only the channels.
//!
//! Both sides are cut into blocks. The arithmetic sees only full blocks of finite pairs: a pair with a NaN or an infinity
//! is decided by the table and replaced by two zeros in a copy of its block, and the tail is filled up with zeros.

use super::block::{BLOCK, Block};
use super::channels::ChannelTally;
use super::metrics::Metrics;
use super::number::Number;
use super::tally::Tally;
use multiversion::multiversion;

/// Compares two slices of the same shape, at the best instruction set that this processor has: each of them adds the same lanes in
/// the same order, so that none changes a bit.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+bmi1+bmi2+lzcnt+popcnt",
    "x86_64+avx2+bmi1+bmi2+lzcnt+popcnt"
))]
pub fn metrics<T: Number>(
    reference: &[T],
    candidate: &[T],
    shape: &[usize],
    axis: Option<usize>,
) -> Metrics {
    pass(reference, candidate, shape, axis)
}

/// The pass itself; all that it calls in a loop is inlined, and so compiled for the caller's instruction set.
#[inline(always)]
fn pass<T: Number>(
    reference: &[T],
    candidate: &[T],
    shape: &[usize],
    axis: Option<usize>,
) -> Metrics {
    let mut tally = Tally::new(axis.and_then(|axis| ChannelTally::new(shape, axis)));
    let (blocks, r_rest) = reference.as_chunks::<BLOCK>();
    let (others, c_rest) = candidate.as_chunks::<BLOCK>();
    for (i, (r, c)) in blocks.iter().zip(others).enumerate() {
        tally.add(i * BLOCK, r, c, BLOCK);
    }
    if !r_rest.is_empty() {
        let at = blocks.len() * BLOCK;
        tally.add(at, &filled(r_rest), &filled(c_rest), r_rest.len());
    }
    tally.finish(reference, candidate)
}

/// A block that starts with `part` and ends with zeros.
fn filled<T: Number>(part: &[T]) -> Block<T> {
    let mut block = [T::zeroed(); BLOCK];
    block[..part.len()].copy_from_slice(part);
    block
}

#[cfg(test)]
mod tests {
    use super::super::metrics::Extreme;
    use super::super::naive;
    use super::*;
    use crate::tensor::{DType, Tensor};
    use crate::with_element;
    use approx::assert_relative_eq;
    use proptest::prelude::*;

    fn fused<T: Number>(reference: &[T], candidate: &[T]) -> Metrics {
        metrics(reference, candidate, &[reference.len()], None)
    }

    /// Sums may differ in their last digits, for the order of addition differs; all else must be the same.
    fn assert_same(fused: &Metrics, naive: &Metrics) {
        let decided = |m: &Metrics| {
            let m = m.clone();
            let channels = m.channels.map(|c| (c.axis, c.max, c.count));
            format!(
                "{:?}",
                (
                    m.numel,
                    m.finite,
                    m.mismatches,
                    m.specials,
                    m.max_abs,
                    m.max_rel,
                    m.ulp_max,
                    m.ulp_p99,
                    channels
                )
            )
        };
        assert_eq!(decided(fused), decided(naive));
        assert_relative_eq!(fused.mean_abs, naive.mean_abs, max_relative = 1e-11);
        assert_relative_eq!(fused.mean, naive.mean, epsilon = 1e-11 * naive.mean_abs);
        assert_relative_eq!(fused.rmse, naive.rmse, max_relative = 1e-11);
        assert_relative_eq!(fused.rel_l2, naive.rel_l2, max_relative = 1e-11);
        assert_relative_eq!(fused.cosine, naive.cosine, epsilon = 1e-11);
        if let (Some(a), Some(b)) = (&fused.channels, &naive.channels) {
            assert_relative_eq!(
                a.sum_sq.as_slice(),
                b.sum_sq.as_slice(),
                max_relative = 1e-11
            );
        }
    }

    #[test]
    fn metrics_of_a_worked_example_are_as_computed_by_hand() {
        let m = fused(&[3f32, 4.0, 0.0, -2.0], &[3.0, 5.0, 0.5, -4.0]);
        assert_eq!((m.numel, m.finite, m.mismatches), (4, 4, 3));
        assert_eq!(
            m.max_abs,
            Extreme {
                value: 2.0,
                index: 3,
                reference: -2.0,
                candidate: -4.0,
                exact: None
            }
        );
        assert_eq!(
            m.max_rel,
            Extreme {
                value: f64::INFINITY,
                index: 2,
                reference: 0.0,
                candidate: 0.5,
                exact: None
            }
        );
        assert_relative_eq!(m.mean_abs, 3.5 / 4.0);
        assert_relative_eq!(m.mean, -0.5 / 4.0);
        assert_relative_eq!(m.rmse, (5.25f64 / 4.0).sqrt());
        assert_relative_eq!(m.rel_l2, (5.25f64 / 29.0).sqrt());
        assert_relative_eq!(m.cosine, 37.0 / (29f64.sqrt() * 50.25f64.sqrt()));
        assert_eq!(m.ulp_max, 0x3f00_0000, "0 to 0.5");
    }

    #[test]
    fn norms_of_zero_have_decided_ratios() {
        for (name, reference, candidate, rel_l2, cosine) in [
            ("both zero", 0f32, 0f32, 0.0, 1.0),
            ("only the reference", 0.0, 1e-9, f64::INFINITY, 0.0),
            ("only the candidate", 1e-9, 0.0, 1.0, 0.0),
            ("equal", 0.3, 0.3, 0.0, 1.0),
            ("opposite", 0.3, -0.3, 2.0, -1.0),
        ] {
            let m = fused(&[reference; 3], &[candidate; 3]);
            assert_eq!((m.rel_l2, m.cosine), (rel_l2, cosine), "{name}");
        }
    }

    #[test]
    fn nothing_to_compare_gives_zeros_and_not_nan() {
        for (name, m) in [
            ("empty", fused::<f32>(&[], &[])),
            ("only NaN", fused(&[f32::NAN; 3], &[f32::NAN; 3])),
        ] {
            assert!(m.identical(), "{name}");
            assert_eq!(
                (m.finite, m.mean_abs, m.mean, m.rmse, m.rel_l2, m.cosine),
                (0, 0.0, 0.0, 0.0, 0.0, 1.0),
                "{name}"
            );
        }
    }

    #[test]
    fn the_largest_relative_difference_is_found_among_subnormal_products() {
        let tiny = f64::from_bits(1);
        let of = |first: f64, last: f64| [&[first * tiny; BLOCK][..], &[last * tiny]].concat();
        let m = fused(&of(10.0, 3.0), &of(7.0, 4.0));
        assert_eq!((m.max_rel.value, m.max_rel.index), (1.0 / 3.0, BLOCK));
    }

    #[test]
    fn extremes_of_f64_overflow_to_infinity_and_are_still_found() {
        let m = fused(&[1.0, f64::MAX], &[1.0, f64::MIN]);
        assert_eq!(
            (m.mismatches, m.max_abs.value, m.max_abs.index, m.mean_abs),
            (1, f64::INFINITY, 1, f64::INFINITY)
        );
    }

    /// The bits of one element: every fourth time a value from the edges of the dtype.
    fn bits(dtype: DType, choice: u8, random: u64) -> u64 {
        let float = |exponent: u64, sign: u64| {
            [
                exponent | 1,
                exponent | sign | 3,
                exponent,
                exponent | sign,
                0,
                sign,
                1,
                exponent - 1,
            ]
        };
        let width = 8 * dtype.size() as u32;
        let (max, min) = (u64::MAX >> (65 - width), 1 << (width - 1));
        let edges = match dtype {
            DType::F64 => float(0x7ff << 52, min).map(|x| {
                if x == (0x7ff << 52) - 1 {
                    1e150f64.to_bits()
                } else {
                    x
                }
            }),
            DType::F32 => float(0xff << 23, min),
            DType::F16 => float(0x1f << 10, min),
            DType::BF16 => float(0xff << 7, min),
            _ => [0, 1, max, min, max - 1, min + 1, u64::MAX, 2],
        };
        match (choice % 4, dtype) {
            (0, _) => edges[choice as usize / 4 % 8],
            // Of f32's range, so that no sum of squares overflows.
            (_, DType::F64) => (f32::from_bits(random as u32) as f64
                * (1.0 + (random >> 40) as f64 * 1e-12))
                .to_bits(),
            _ => random,
        }
    }

    /// One element: (which edge or none, random bits, whether and how the candidate differs).
    type Seed = (u8, u64, u8);

    fn tensors(dtype: DType, shape: &[usize], seeds: &[Seed]) -> (Tensor, Tensor) {
        let (mut r, mut c) = (Vec::new(), Vec::new());
        for (choice, random, change) in seeds {
            let reference = bits(dtype, *choice, *random);
            let candidate = match change % 8 {
                0..4 => reference,
                4 => bits(dtype, choice.wrapping_add(4), *random),
                5 => reference ^ 1,
                6 => reference ^ 1 << (8 * dtype.size() - 1),
                _ => bits(dtype, change / 8, random.rotate_left(17)),
            };
            r.extend_from_slice(&reference.to_le_bytes()[..dtype.size()]);
            c.extend_from_slice(&candidate.to_le_bytes()[..dtype.size()]);
        }
        let of = |bytes: Vec<u8>| Tensor::from_bytes(dtype, shape.to_vec(), &bytes).unwrap();
        (of(r), of(c))
    }

    fn shapes() -> impl Strategy<Value = Vec<usize>> {
        prop_oneof![
            prop::collection::vec(0usize..7, 0..4),
            (1usize..3, 1usize..5, 1usize..400).prop_map(|(a, b, c)| vec![a, b, c]),
            (1usize..30, 1usize..100).prop_map(|(a, b)| vec![a, b]),
            (1000usize..3100).prop_map(|a| vec![a]),
        ]
    }

    fn seeded() -> impl Strategy<Value = (Vec<usize>, Vec<Seed>)> {
        // Mostly plain values, or else every block would be one with special values.
        let seed = (
            prop_oneof![1 => any::<u8>(), 60 => Just(1)],
            any::<u64>(),
            prop_oneof![3 => Just(0), 1 => any::<u8>()],
        );
        shapes().prop_flat_map(move |shape| {
            let numel = shape.iter().product::<usize>();
            (Just(shape), prop::collection::vec(seed.clone(), numel))
        })
    }

    /// With AVX2 where the processor has it; `metrics` passes over it where there is AVX-512.
    #[multiversion(targets("x86_64+avx2+bmi1+bmi2+lzcnt+popcnt"))]
    fn in_between<T: Number>(r: &[T], c: &[T], shape: &[usize], axis: Option<usize>) -> Metrics {
        pass(r, c, shape, axis)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(192))]

        #[test]
        fn the_fused_pass_finds_what_the_definitions_say_at_every_instruction_set(
            dtype in prop::sample::select(DType::ALL.to_vec()),
            (shape, seeds) in seeded(),
            axis in prop::option::of(0usize..4),
        ) {
            let (reference, candidate) = tensors(dtype, &shape, &seeds);
            with_element!(dtype, T => {
                let (r, c): (&[T], &[T]) = (bytemuck::cast_slice(reference.bytes()), bytemuck::cast_slice(candidate.bytes()));
                let naive = naive::metrics(r, c, &shape, axis);
                let fused = metrics(r, c, &shape, axis);
                assert_same(&fused, &naive);
                let text = |m: &Metrics| serde_json::to_string(m).unwrap();
                prop_assert_eq!(text(&fused), text(&pass(r, c, &shape, axis)));
                prop_assert_eq!(text(&fused), text(&in_between(r, c, &shape, axis)));
            });
        }
    }

    #[test]
    fn metrics_come_back_from_json_without_loss() {
        let m = metrics(&[1i64 << 53, 5], &[(1 << 53) + 1, 5], &[2, 1], Some(0));
        assert_eq!(
            (m.max_abs.value, m.max_abs.candidate_text().as_str()),
            (1.0, "9007199254740993")
        );
        let text = serde_json::to_string(&m).unwrap();
        assert_eq!(serde_json::from_str::<Metrics>(&text).unwrap(), m, "{text}");
        let nan = fused(&[f32::NAN, 0.0], &[1.0, 0.1]);
        let text = serde_json::to_string(&nan).unwrap();
        assert_eq!(
            serde_json::to_string(&serde_json::from_str::<Metrics>(&text).unwrap()).unwrap(),
            text
        );
    }
}

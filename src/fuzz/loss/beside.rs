//! beside: does a number of a gradient lie on a kink of the reference, and between which slopes?
//!
//! Convention: the reference's own gradients a hair beside the case, on many sides of it and at two distances. What differs from side to side
//! by as much at a sixteenth of the distance is a kink; what bends smoothly differs by a sixteenth. A candidate may have any slope between
//! these, and as far again on either side, since not all combinations of sides are tried. A number that is so excused is not compared.

use super::form::double;
use super::plan::Asked;
use crate::error::Result;
use crate::fuzz::kernel::response::Slopes;
use crate::hash;
use crate::subject::kernels::draw::Case;
use crate::subject::kernels::edit::{changed, floats};
use std::collections::BTreeMap;

/// How far beside: of each number, or of 1 where that is more.
const HAIR: f64 = 1.0 / (1u64 << 36) as f64;
/// Sides that are tried at a time; on the first ones numbers move together.
const SIDES: u64 = 16;

/// Least and largest of every gradient over the sides that were tried, of those that are numbers, by (output, input).
type Hulls = BTreeMap<(String, String), Vec<[f64; 2]>>;

/// What the slopes beside a case are, as far as it was looked for.
#[derive(Default)]
pub struct Beside {
    near: Hulls,
    far: Hulls,
    sides: u64,
}

impl Beside {
    /// Looks on further sides.
    ///
    /// # Errors
    /// What the reference refuses beside the case.
    pub fn look(&mut self, reference: &mut Asked, case: &Case) -> Result<()> {
        for side in self.sides..self.sides + SIDES {
            for (hulls, hair) in [(&mut self.near, HAIR / 16.0), (&mut self.far, HAIR)] {
                let said = reference.answer(&moved(case, side, hair))?;
                widen(hulls, said.gradients.unwrap_or_default());
            }
        }
        self.sides += SIDES;
        Ok(())
    }

    /// Whether a candidate may have this slope there, give or take `more`.
    pub fn excuses(&self, of: &str, by: &str, index: usize, found: f64, more: f64) -> bool {
        let pair = (of.to_string(), by.to_string());
        let at = |hulls: &Hulls| hulls.get(&pair)?.get(index).copied();
        let slopes = at(&self.near)
            .zip(at(&self.far))
            .and_then(|(near, far)| kink(near, far));
        slopes.is_some_and(|[least, most]| {
            let beyond = most - least + more;
            (least - beyond..=most + beyond).contains(&found)
        })
    }
}

/// The slopes of a kink; None where the two distances show none.
fn kink([least, most]: [f64; 2], [far_least, far_most]: [f64; 2]) -> Option<[f64; 2]> {
    let (near, far) = (most - least, far_most - far_least);
    let rounding = 1e-9 * least.abs().max(most.abs()) + 1e-12;
    (near.is_finite() && near > rounding && near > 0.5 * far).then_some([least, most])
}

fn widen(hulls: &mut Hulls, slopes: Slopes) {
    for (pair, gradient) in slopes {
        let Some(gradient) = gradient else { continue };
        let nothing = [f64::INFINITY, f64::NEG_INFINITY];
        let hull = hulls
            .entry(pair)
            .or_insert_with(|| vec![nothing; gradient.numel()]);
        let values = gradient.to_f64();
        for (hull, v) in hull.iter_mut().zip(values).filter(|(_, v)| v.is_finite()) {
            *hull = [hull[0].min(v), hull[1].max(v)];
        }
    }
}

/// The case moved to one side: first all numbers up, all down, and those of one input alone; then every number by chance.
fn moved(case: &Case, side: u64, hair: f64) -> Case {
    let together = 2 + 2 * case.inputs.len() as u64;
    let step = |input: u64, i: usize| match side {
        side if side < together => {
            let moves = side < 2 || side / 2 - 1 == input;
            f64::from(u8::from(moves)) * (1.0 - 2.0 * (side & 1) as f64)
        }
        // No two numbers go equally far, or what ties would tie again.
        _ => {
            let bits = hash::bits(hash::key(side, input), i as u64);
            (1.0 - 2.0 * (bits & 1) as f64) * (0.5 + (bits >> 12) as f64 * 2f64.powi(-53))
        }
    };
    let place = |name: &str| case.inputs.get_index_of(name).unwrap_or(0) as u64;
    changed(case, |name, t| {
        floats(&double(t), |i, v| {
            v + step(place(name), i) * hair * v.abs().max(1.0)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;

    #[test]
    fn a_kink_stays_as_wide_and_a_bend_does_not() {
        assert_eq!(kink([-1.0, 1.0], [-1.0, 1.0]), Some([-1.0, 1.0]));
        assert_eq!(kink([2.0, 2.0 + 1e-5], [2.0, 2.0 + 16e-5]), None);
        assert_eq!(kink([2.0, 2.0], [2.0, 2.0]), None);
        assert_eq!(kink([f64::INFINITY, f64::NEG_INFINITY], [0.0, 1.0]), None);
    }

    #[test]
    fn a_slope_beside_a_kink_is_excused_and_no_other() {
        let pair = ("l".to_string(), "x".to_string());
        let hulls = Hulls::from([(pair, vec![[0.0, 1.0], [1.0, 1.0]])]);
        let beside = Beside {
            near: hulls.clone(),
            far: hulls,
            sides: SIDES,
        };
        for (index, found, is) in [
            (0, 0.5, true),
            (0, 1.0, true),
            (0, 2.5, false),
            (0, f64::NAN, false),
            (1, 0.5, false),
            (2, 0.5, false),
        ] {
            assert_eq!(
                beside.excuses("l", "x", index, found, 0.0),
                is,
                "{index} {found}"
            );
        }
        assert!(!beside.excuses("l", "y", 0, 0.5, 0.0));
    }

    #[test]
    fn every_side_moves_floats_by_a_hair_and_nothing_else() {
        let inputs = [
            ("x".to_string(), Tensor::of(&[2], &[0f32, 64.0])),
            ("t".to_string(), Tensor::of(&[1], &[3i64])),
        ];
        let case = Case {
            inputs: inputs.into_iter().collect(),
            ..Case::default()
        };
        for side in 0..2 * SIDES {
            let beside = moved(&case, side, HAIR);
            let x = beside.inputs["x"].to_f64();
            // Those of the other input alone.
            let still = side == 4 || side == 5;
            assert_eq!(x[0] == 0.0 && x[1] == 64.0, still, "{side}");
            assert!(x[0].abs() <= HAIR && (x[1] - 64.0).abs() <= 64.0 * HAIR);
            assert_eq!(beside.inputs["t"].to_f64(), [3.0]);
        }
    }
}

//! floors: how far may a number of the candidate be from the reference's for rounding alone?
//!
//! Convention: measured on the reference by f32-sized noise, of which f64 rounds a 2²⁹-th: behind every operation where these are seen, and on
//! the inputs, because another form of the same loss rounds elsewhere and may still be no better than exact on inputs that are off by a
//! rounding. Constants that a file rounded are moved on either side. Of the candidate only these count, and for 16 roundings of f32 at most:
//! it does not bring its own tolerance.

use crate::fuzz::kernel::response::Response;
use crate::fuzz::kernel::rounding::{Of, Spread};
use crate::tensor::Tensor;

/// What f64 rounds of what f32 does.
const DOUBLE: f64 = 1.0 / (1u64 << 29) as f64;
/// Roundings of the inputs that another form may come to in f64.
const OTHER: f64 = 16.0 * DOUBLE;
/// What the candidate's constants may add, relative.
const CAP: f64 = 16.0 / (1u64 << 24) as f64;

/// What was measured so far; nothing at first.
pub struct Floors {
    pub rounding: Spread,
    pub inputs: Spread,
    pub reference: Spread,
    pub candidate: Spread,
}

impl Floors {
    /// Of a candidate in f32 where `single`, else in f64.
    pub fn new(single: bool) -> Self {
        Self {
            rounding: if single {
                Spread::single()
            } else {
                Spread::default()
            },
            inputs: Spread::default(),
            reference: Spread::default(),
            candidate: Spread::default(),
        }
    }

    /// Gathers the runs with constants moved behind the undisturbed one.
    pub fn constants(into: &mut Spread, undisturbed: &Response, moved: Vec<Response>) {
        if !moved.is_empty() {
            into.add(undisturbed.clone());
            moved.into_iter().for_each(|run| into.add(run));
        }
    }

    /// How much for each number of `expected`; infinite where nothing can be said of it.
    pub fn allowed(&self, of: Of, expected: &Tensor) -> Vec<f64> {
        let values = expected.to_f64();
        let size = values.iter().filter(|v| v.is_finite());
        let cap = CAP * size.fold(0.0, |most: f64, v| most.max(v.abs()));
        let mut all = vec![0.0; values.len()];
        let mut add = |spread: &Spread, share: &dyn Fn(f64) -> f64| {
            let own = spread.allowed(of, expected);
            all.iter_mut().zip(own).for_each(|(a, v)| *a += share(v));
        };
        let finite = |v: f64| if v.is_finite() { v } else { 0.0 };
        match self.rounding.is_single() {
            true => {
                add(&self.rounding, &|v| v);
                add(&self.inputs, &finite);
            }
            // Noise as large as f32's may leave the numbers where f64 does not, and inputs are exact.
            false => {
                add(&self.rounding, &|v| DOUBLE * finite(v));
                add(&self.inputs, &|v| OTHER * finite(v));
            }
        }
        add(&self.reference, &|v| v);
        add(&self.candidate, &|v| v.min(cap));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(v: f64) -> Response {
        Response {
            tensors: [("loss".to_string(), Tensor::from_vec(&[1], vec![v]))].into(),
            gradients: None,
        }
    }

    fn allowed(floors: &Floors) -> f64 {
        floors.allowed(Of::Value("loss"), &Tensor::from_vec(&[1], vec![1.0]))[0]
    }

    #[test]
    fn f64_rounds_a_small_share_of_what_noise_shows_and_nothing_where_that_is_no_number() {
        for (noisy, least, most) in [(1.5, 1e-9, 1e-8), (f64::NAN, 0.0, 0.0), (1.0, 0.0, 0.0)] {
            let mut floors = Floors::new(false);
            [1.0, noisy]
                .into_iter()
                .for_each(|v| floors.rounding.add(said(v)));
            let allowed = allowed(&floors);
            assert!((least..=most).contains(&allowed), "{noisy}: {allowed}");
        }
        let mut floors = Floors::new(true);
        [1.0, f64::NAN]
            .into_iter()
            .for_each(|v| floors.rounding.add(said(v)));
        assert!(allowed(&floors).is_infinite(), "beyond f32");
    }

    #[test]
    fn a_candidate_widens_nothing_beyond_what_constants_may_do() {
        let mut floors = Floors::new(false);
        Floors::constants(&mut floors.candidate, &said(1.0), vec![said(1.5)]);
        assert!(allowed(&floors) <= 1e-6);
        Floors::constants(&mut floors.reference, &said(1.0), vec![said(1.5)]);
        assert!(allowed(&floors) > 1.0);
    }
}

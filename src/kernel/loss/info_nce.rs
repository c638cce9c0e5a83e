//! info_nce: does a query recognise its own key among others?
//!
//! Convention: −ln softmax(cos(query, key_i) / τ)_0 with the positive key first; query and keys are divided by max(L2 norm, 1e-12), keys
//! are detached (van den Oord et al., 2018, equation 4; He et al., MoCo, 2020, equation 1, τ = 0.07).

use crate::error::{Error, Result};
use crate::kernel::Family;
use crate::kernel::number::{Function, Number, at_least, log_sum_exp};

/// What there is to know about it.
pub const FAMILY: Family = Family {
    name: "info_nce",
    paper: "van den Oord 2018; He 2020",
    what: "contrastive loss of a query",
    kinks: "a query of length 0",
};

/// The loss as a function of the query `[d]`.
#[derive(Clone, Debug)]
pub struct InfoNce {
    /// Unit length each; the first belongs to the query.
    keys: Vec<Vec<f64>>,
    temperature: f64,
}

const SHORTEST: f64 = 1e-12;

impl InfoNce {
    /// `keys` `[1 + negatives, d]`, the positive first. Refuses no key, keys of different lengths and a temperature that is not positive.
    pub fn new(keys: &[Vec<f64>], temperature: f64) -> Result<Self> {
        let Some(first) = keys.first() else {
            return Err(Error::usage("keys: none").next("give the positive key first"));
        };
        if let Some((i, k)) = keys
            .iter()
            .enumerate()
            .find(|(_, k)| k.len() != first.len() || k.iter().any(|v| !v.is_finite()))
        {
            let fact = format!(
                "key {i}: {} values, {} in key 0, or one that is not finite",
                k.len(),
                first.len()
            );
            return Err(Error::usage(fact).next("give finite keys of one length"));
        }
        if !(temperature > 0.0 && temperature.is_finite()) {
            return Err(Error::usage(format!("temperature {temperature}"))
                .next("give a positive temperature, such as 0.07"));
        }
        Ok(Self {
            keys: keys.iter().map(|k| unit(k)).collect(),
            temperature,
        })
    }
}

fn unit<D: Number>(x: &[D]) -> Vec<D> {
    let square: D = x.iter().map(|&v| v * v).sum();
    let length = if square.re() > 0.0 {
        at_least(square.sqrt(), SHORTEST)
    } else {
        D::from(SHORTEST)
    };
    x.iter().map(|&v| v / length).collect()
}

impl Function for InfoNce {
    fn at<D: Number>(&self, x: &[D]) -> D {
        let query = unit(x);
        let cosine =
            |k: &Vec<f64>| query.iter().zip(k).map(|(&q, &k)| q * k).sum::<D>() / self.temperature;
        let logits: Vec<D> = self.keys.iter().map(cosine).collect();
        log_sum_exp(&logits) - logits[0]
    }

    /// Kinks: a query as short as the shortest length.
    fn kink(&self, x: &[f64]) -> f64 {
        (x.iter().map(|v| v * v).sum::<f64>().sqrt() - SHORTEST).abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::number::check;
    use approx::assert_abs_diff_eq;
    use proptest::prelude::*;

    #[test]
    fn equal_keys_cost_the_logarithm_of_their_number_and_length_counts_for_nothing() {
        let f = InfoNce::new(&vec![vec![1.0, 2.0]; 9], 0.07).unwrap();
        assert_abs_diff_eq!(f.value(&[3.0, -1.0]), 9f64.ln(), epsilon = 1e-13);
        let f = InfoNce::new(&[vec![1.0, 0.0], vec![0.0, 1.0]], 1.0).unwrap();
        assert_abs_diff_eq!(
            f.value(&[5.0, 0.0]),
            (1.0 + (-1f64).exp()).ln(),
            epsilon = 1e-14
        );
        assert_abs_diff_eq!(f.value(&[0.0, 0.0]), 2f64.ln(), epsilon = 1e-15);
    }

    #[test]
    fn keys_that_do_not_fit_and_a_temperature_of_zero_are_refused() {
        assert!(InfoNce::new(&[], 0.07).is_err());
        assert!(
            InfoNce::new(&[vec![1.0], vec![1.0, 2.0]], 0.07)
                .unwrap_err()
                .message
                .contains("key 1: 2 values, 1 in key 0")
        );
        assert!(
            InfoNce::new(&[vec![1.0]], 0.0)
                .unwrap_err()
                .message
                .contains("temperature 0")
        );
    }

    proptest! {
        #[test]
        fn the_gradient_is_what_differences_say(
            query in prop::collection::vec(0.2f64..2.0, 3),
            keys in prop::collection::vec(prop::collection::vec(-2f64..2.0, 3), 1..6),
        ) {
            check::gradient(&InfoNce::new(&keys, 0.2).unwrap(), &query);
        }
    }
}

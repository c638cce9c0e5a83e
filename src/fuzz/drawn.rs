//! drawn: one case from its seed and number: no other case has a part in it.

use crate::subject::kernels::draw::Case;
use proptest::strategy::{BoxedStrategy, Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// A case with all that it can be shrunk to.
pub type Tree = Box<dyn ValueTree<Value = Case>>;

/// Case `number` of a seed.
pub fn drawn(strategy: &BoxedStrategy<Case>, seed: u64, number: u64) -> Tree {
    let mut bytes = [0u8; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        TestRng::from_seed(RngAlgorithm::ChaCha, &bytes),
    );
    // Nothing is filtered on the way, so nothing can be rejected.
    strategy
        .new_tree(&mut runner)
        .expect("strategies without filters always give a case")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::kernels::find;

    #[test]
    fn the_same_seed_draws_the_same_cases_and_another_seed_others() {
        let strategy = find("siou_mmdet").unwrap().cases();
        let text = |seed, n| {
            format!(
                "{:?}",
                drawn(&strategy, seed, n).current().inputs["a"].to_f64()
            )
        };
        assert_eq!(text(1, 5), text(1, 5));
        assert_ne!(text(1, 5), text(2, 5));
        assert_ne!(text(1, 5), text(1, 6));
    }
}

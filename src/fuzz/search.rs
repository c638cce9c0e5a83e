//! search: smaller cases are tried as long as they have a finding of the same kind.

use super::tally::Wrong;
use crate::subject::kernels::draw::Case;
use crate::tensor::Tensor;
use proptest::strategy::ValueTree;

/// What a case is shrunk with, and how far it may still go.
pub struct Search<'a, F> {
    /// The finding of a smaller case, if it has any; told the best that there is.
    pub ask: &'a mut dyn FnMut(&Case, &F) -> Option<F>,
    pub hurry: &'a dyn Fn() -> bool,
    pub best: (Case, F),
    /// Cases that may be tried, and numbers that they may have together: a large case is shrunk in fewer steps.
    pub steps: usize,
    pub numbers: usize,
}

impl<F: Wrong> Search<'_, F> {
    pub fn is_over(&self) -> bool {
        self.steps == 0 || self.numbers == 0 || (self.hurry)()
    }

    /// Down the tree of what was drawn, as long as what it offers is of the kind.
    pub fn down(&mut self, tree: &mut dyn ValueTree<Value = Case>) {
        let mut going = tree.simplify();
        while going && !self.is_over() {
            going = match self.try_it(tree.current()) {
                true => tree.simplify(),
                false => tree.complicate(),
            };
        }
    }

    /// Takes `case` over where its finding is of the same kind.
    pub fn try_it(&mut self, case: Case) -> bool {
        let size = case.inputs.values().map(Tensor::numel).sum();
        self.steps = self.steps.saturating_sub(1);
        self.numbers = self.numbers.saturating_sub(size);
        let found = (self.ask)(&case, &self.best.1).filter(|f| f.is_like(&self.best.1));
        let is = found.is_some();
        if let Some(wrong) = found {
            self.best = (case, wrong);
        }
        is
    }
}

/// Items of which no run of a halving can be spared: halves are left out, then quarters, down to single items (Zeller's ddmin without its
/// first half).
pub fn least(mut items: Vec<usize>, holds: &mut dyn FnMut(&[usize]) -> bool) -> Vec<usize> {
    let mut size = items.len().div_ceil(2);
    while size > 0 && !items.is_empty() {
        let mut at = 0;
        while at < items.len() {
            let end = (at + size).min(items.len());
            let without: Vec<usize> = items[..at].iter().chain(&items[end..]).copied().collect();
            if !without.is_empty() && holds(&without) {
                items = without;
            } else {
                at = end;
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_spared_is_left_out() {
        for needed in [vec![3], vec![0, 9], vec![2, 5, 6]] {
            let mut holds = |kept: &[usize]| needed.iter().all(|n| kept.contains(n));
            assert_eq!(least((0..10).collect(), &mut holds), needed);
        }
    }
}

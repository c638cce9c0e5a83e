//! doubled: the total of a loss is twice the sum of its items: it was added up twice.

use super::loss::Beside;
use super::{Cause, Test};
use crate::verdict::Finding;

pub const CAUSE: Cause = Cause {
    name: "doubled",
    asks: "is the total twice the sum of its items?",
    test: Test::Loss(test),
};

fn test(of: &Beside) -> Vec<Finding> {
    let (who, twice) = (&of.ours.who, 2.0 * of.ours.items.iter().sum::<f64>());
    let what = format!("{who}: the total is twice the sum of its items, {twice:e}");
    let found = Finding::new(CAUSE.name, "total", what).of(who);
    let is = twice != 0.0 && of.ours.same(of.ours.total, twice, twice.abs());
    is.then_some(found).into_iter().collect()
}

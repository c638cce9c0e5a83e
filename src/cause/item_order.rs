//! item order: the items of a loss are its weighted terms in another order than the declared one, told by the opinion's own numbers.

use super::loss::Beside;
use super::{Cause, Test};
use crate::verdict::Finding;

pub const CAUSE: Cause = Cause {
    name: "item_order",
    asks: "are the items of the loss its weighted terms in another order?",
    test: Test::Loss(test),
};

fn test(of: &Beside) -> Vec<Finding> {
    let name = |i: &usize| of.terms[*i].name;
    let says = |order: Vec<usize>| {
        let found: Vec<&str> = order.iter().map(name).collect();
        let declared: Vec<&str> = of.terms.iter().map(|t| t.name).collect();
        let (who, found) = (&of.ours.who, found.join(", "));
        let declared = declared.join(", ");
        let what = format!("{who}: loss.items holds [{found}], expected [{declared}]");
        Finding::new(CAUSE.name, "total", what).of(who)
    };
    of.ours.order(of.terms).map(says).into_iter().collect()
}

//! broadcast: an intermediate of the loss is larger than anything that its declared shapes can give: two operands were spread over each other.

use super::loss::Shape;
use super::{Cause, Test};
use crate::verdict::Finding;

pub const CAUSE: Cause = Cause {
    name: "broadcast",
    asks: "is a tensor of the loss larger than its declared shapes can make it?",
    test: Test::Shape(test),
};

fn test(of: &Shape) -> Option<Finding> {
    let numel: usize = of.shape.iter().product();
    let says = || {
        let Shape {
            who,
            tensor,
            shape,
            term,
            largest,
        } = of;
        let what = format!(
            "{who}: '{tensor}' {shape:?} has {numel} elements, the declared shapes of the loss hold at most {largest}"
        );
        Finding::new(CAUSE.name, *term, what)
            .of(who)
            .number("elements", numel as f64)
            .number("largest", *largest as f64)
    };
    (numel > of.largest).then(says)
}

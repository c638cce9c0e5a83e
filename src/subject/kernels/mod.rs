//! kernels: every f64 reference as a subject of its own: the inputs of its ONNX form in, every output and exact gradient out.
//!
//! Convention: each row of [`all`] has an ONNX form of the same name (`golden/kernels/NAME.onnx`, exported from this project's
//! PyTorch) with the same inputs and outputs. A gradient is that of the sum of an output.

mod anchors;
mod assigners;
mod elementwise;
mod given;
mod losses;
mod overlaps;
mod rows;
mod session;
pub mod training;

pub use session::Reference;

use crate::error::{Error, Result, hint};
use crate::graph::Graph;
use crate::kernel::assign::Assignment;
use crate::subject::Feed;
use crate::tensor::Tensor;
use given::Prepared;
use std::collections::BTreeMap;

/// The metadata key under which a graph names the kernel that it is a form of.
pub const KEY: &str = "parity.kernel";

/// One reference, as a table row.
pub struct Kernel {
    pub name: &'static str,
    /// The row of [`crate::kernel::ALL`] that it belongs to.
    pub of: &'static str,
    pub summary: &'static str,
    pub inputs: &'static [&'static str],
    pub outputs: &'static [&'static str],
    evaluate: fn(&Prepared) -> Result<Answer>,
}

/// What a reference says about one set of inputs.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// By output name; floats in f64.
    pub tensors: BTreeMap<&'static str, Tensor>,
    pub gradients: Vec<Gradient>,
    /// How near the inputs are to a point without a derivative, in the unit of the compared quantities; per element of the first output
    /// where that is a vector, per anchor (over all images) in a loss.
    pub kinks: Vec<f64>,
    /// Per image, where it assigns.
    pub assignments: Vec<Assignment>,
}

/// The gradient of the sum of the output `of` with respect to the input `by`, f64, of its shape.
#[derive(Clone, Debug)]
pub struct Gradient {
    pub of: &'static str,
    pub by: &'static str,
    pub value: Tensor,
    /// For its elements on a kink: between which numbers every derivative beside it lies; None where one is not finite.
    pub beside: BTreeMap<usize, Option<[f64; 2]>>,
}

impl Gradient {
    /// One of a function that is on no kink.
    pub fn smooth(of: &'static str, by: &'static str, value: Tensor) -> Self {
        Self {
            of,
            by,
            value,
            beside: BTreeMap::new(),
        }
    }
}

impl Kernel {
    /// Evaluates it on the tensors that `feed` finds.
    ///
    /// # Errors
    /// A missing tensor, one of another rank, dtype or size, and whatever the kernel refuses (NaN, negative sizes, classes out of range).
    pub fn evaluate(&self, feed: Feed) -> Result<Answer> {
        (self.evaluate)(&Prepared {
            kernel: self.name,
            feed,
        })
    }
}

/// Every reference that has an ONNX form.
pub fn all() -> impl Iterator<Item = &'static Kernel> {
    [
        overlaps::ALL,
        elementwise::ALL,
        rows::ALL,
        anchors::ALL,
        assigners::ALL,
        losses::ALL,
    ]
    .into_iter()
    .flatten()
}

/// Looks a reference up.
///
/// # Errors
/// A name that the table does not have.
pub fn find(name: &str) -> Result<&'static Kernel> {
    all().find(|k| k.name == name).ok_or_else(|| {
        let names = || all().map(|k| k.name);
        let next = format!(
            "{}parity list kernels shows all {}",
            hint(name, names()),
            names().count()
        );
        Error::usage(format!("unknown kernel '{name}'")).next(next)
    })
}

/// The reference called `name`, or the one that the graph's metadata name.
///
/// # Errors
/// No name at all; an unknown one.
pub fn of(graph: &Graph, name: Option<&str>) -> Result<&'static Kernel> {
    let named = name.or(graph.metadata.get(KEY).map(String::as_str));
    find(named.ok_or_else(|| {
        let next = "state kernel = \"NAME\" beside subject = \"kernel\"; parity list kernels shows the names";
        Error::usage(format!("the model's metadata name no kernel ('{KEY}')")).next(next)
    })?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_row_has_its_own_name_a_summary_and_a_kernel_it_belongs_to() {
        let mut names = BTreeSet::new();
        for k in all() {
            assert!(names.insert(k.name), "{} twice", k.name);
            assert!(
                !k.summary.is_empty() && !k.inputs.is_empty() && !k.outputs.is_empty(),
                "{}",
                k.name
            );
            assert!(
                crate::kernel::ALL.iter().any(|row| row.name == k.of),
                "{}: no kernel '{}'",
                k.name,
                k.of
            );
        }
        for row in crate::kernel::ALL {
            assert!(
                all().any(|k| k.of == row.name),
                "nothing offers '{}'",
                row.name
            );
        }
    }

    #[test]
    fn a_name_that_is_nearly_right_is_suggested() {
        let e = find("giou_yolo6").err().unwrap();
        assert!(e.next.unwrap().contains("giou_yolov6"), "{}", e.message);
    }
}

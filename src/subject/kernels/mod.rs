//! kernels: every f64 reference as a subject of its own: the inputs of its ONNX form in, every output and exact gradient out.
//!
//! Convention: each row of [`ALL`], which is all there is to know of a kernel, has an ONNX form of the same name (`golden/kernels/NAME.onnx`, exported from this project's
//! PyTorch) with the same inputs and outputs. A gradient is that of the sum of an output.

mod anchors;
mod assigners;
pub mod draw;
pub mod edit;
mod elementwise;
mod given;
mod losses;
mod matched;
mod overlaps;
pub mod relations;
mod rows;
mod session;
mod table;
pub mod training;

pub use session::Reference;
pub use table::ALL;

use crate::error::{Error, Result, hint};
use crate::graph::Graph;
use crate::kernel::Family;
use crate::kernel::assign::Assignment;
use crate::kernel::loss::whole::Whole;
use crate::subject::Feed;
use crate::tensor::Tensor;
use draw::Case;
use given::Given;
use proptest::strategy::BoxedStrategy;
use relations::Relation;
use std::collections::BTreeMap;

/// The metadata key under which a graph names the kernel that it is a form of.
pub const KEY: &str = "parity.kernel";

/// One reference, as a table row.
pub struct Kernel {
    pub name: &'static str,
    /// What it is a dialect of.
    pub of: &'static Family,
    pub summary: &'static str,
    pub inputs: &'static [&'static str],
    pub outputs: &'static [&'static str],
    evaluate: fn(&Given) -> Result<Answer>,
    /// Cases that nobody wrote a test for.
    draw: fn(&Kernel) -> BoxedStrategy<Case>,
    /// What it owes to itself.
    pub relations: &'static [&'static Relation],
    pub rows: Rows,
    /// Bins of a side in `pred_distri`, 1 for a distance itself; 0 where it takes none.
    pub bins: usize,
    /// The loss that `[training] kernel` names by this name, where it does.
    trains: Option<fn() -> Whole>,
}

/// What the inputs of a kernel are made of: what a smaller case lacks, and whether many cases may be asked as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Each row is answered alone, whatever lies above and below it.
    Apart,
    /// Rows that are answered together.
    Together,
    /// Images with the objects on them.
    Images,
    /// Queries and the objects that are matched to them.
    Queries,
    /// Nothing that can be left out.
    Whole,
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
        (self.evaluate)(&Given { kernel: self, feed })
    }

    /// Cases for it; half of them lie on an edge.
    pub fn cases(&self) -> BoxedStrategy<Case> {
        (self.draw)(self)
    }

    /// Whether each row is answered alone, so that cases can lie below each other.
    pub fn is_by_row(&self) -> bool {
        self.rows == Rows::Apart
    }

    /// Whether what is drawn for the other is an input of this one.
    pub fn takes_cases_of(&self, other: &Kernel) -> bool {
        (self.inputs, self.bins) == (other.inputs, other.bins)
    }

    /// The loss that `[training] kernel` names by its name.
    fn training(&self) -> Result<Whole> {
        let loss = self.trains.ok_or_else(|| {
            Error::failed(format!("kernel '{}' is the loss of no graph", self.name))
        })?;
        Ok(loss())
    }
}

/// What there is to know about the kernels whose dialects these are, each once.
pub fn families() -> Vec<&'static Family> {
    let mut all: Vec<&'static Family> = ALL.iter().map(|k| k.of).collect();
    all.dedup();
    all
}

/// Looks a reference up.
///
/// # Errors
/// A name that the table does not have.
pub fn find(name: &str) -> Result<&'static Kernel> {
    ALL.iter().find(|k| k.name == name).ok_or_else(|| {
        let names = || ALL.iter().map(|k| k.name);
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
    use crate::graph::{Port, load};
    use proptest::strategy::{Strategy, ValueTree};
    use proptest::test_runner::TestRunner;
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    const ROOT: &str = env!("CARGO_MANIFEST_DIR");

    #[test]
    fn every_row_is_complete_and_the_only_one_of_its_name() {
        let mut names = BTreeSet::new();
        for k in ALL {
            assert!(names.insert(k.name), "{} twice", k.name);
            let Family {
                name,
                paper,
                what,
                kinks,
            } = k.of;
            for text in [k.summary, name, paper, what, kinks] {
                assert!(!text.is_empty(), "{}", k.name);
            }
            let owed: BTreeSet<&str> = k.relations.iter().map(|r| r.name).collect();
            assert!(!owed.is_empty(), "{} owes nothing to itself", k.name);
            assert_eq!(owed.len(), k.relations.len(), "{}", k.name);
            let of_images = k.inputs.contains(&"gt_count");
            assert_eq!(k.rows == Rows::Images, of_images, "{}", k.name);
            let by_distance = k.inputs.contains(&"pred_distri");
            assert_eq!(k.bins > 0, by_distance, "{}", k.name);
            let terms = !k.terms().is_empty();
            assert!(terms || k.trains.is_none(), "{} has no terms", k.name);
        }
        let families: BTreeSet<&str> = families().iter().map(|f| f.name).collect();
        assert_eq!(
            families.len(),
            super::families().len(),
            "rows of a kernel stand together"
        );
    }

    #[test]
    fn every_form_takes_and_gives_what_its_row_says() {
        for k in ALL {
            let form = load::file(&Path::new(ROOT).join(format!("golden/kernels/{}.onnx", k.name)));
            let form = form.unwrap_or_else(|e| panic!("{}: {e}", k.name));
            let names = |ports: &[Port]| -> BTreeSet<String> {
                ports.iter().map(|p| p.name.clone()).collect()
            };
            let own = |names: &[&str]| names.iter().map(|n| n.to_string()).collect();
            assert_eq!(names(&form.inputs), own(k.inputs), "{}", k.name);
            assert_eq!(names(&form.outputs), own(k.outputs), "{}", k.name);
            assert_eq!(form.metadata.get(KEY).map(String::as_str), Some(k.name));
        }
    }

    #[test]
    fn every_kernel_answers_nearly_all_that_is_drawn_for_it_and_meets_plain_cases_and_edges() {
        for kernel in ALL {
            let (mut runner, strategy) = (TestRunner::deterministic(), kernel.cases());
            let (mut refused, mut seen) = (0, BTreeMap::new());
            for _ in 0..60 {
                let case = strategy.new_tree(&mut runner).unwrap().current();
                let names: BTreeSet<&str> = case.inputs.keys().map(String::as_str).collect();
                let inputs = kernel.inputs.iter().copied().collect();
                assert_eq!(names, inputs, "{}", kernel.name);
                let mut count = |e: &&'static str| *seen.entry(*e).or_insert(0) += 1;
                case.edges.iter().for_each(&mut count);
                match kernel.evaluate(&|n: &str| case.inputs.get(n).cloned()) {
                    Err(_) => refused += 1,
                    Ok(answer) => {
                        let given = |n: &&str| !answer.tensors.contains_key(n);
                        let missing = kernel.outputs.iter().find(|n| given(n));
                        let unmeasured = kernel.rows == Rows::Images;
                        assert!(missing.is_none() || unmeasured, "{}", kernel.name);
                    }
                }
            }
            assert!(refused <= 6, "{}: {refused} of 60 refused", kernel.name);
            assert!(seen.len() >= 2, "{}: edges {seen:?}", kernel.name);
        }
    }

    #[test]
    fn every_file_of_an_assigner_or_a_loss_is_in_the_table() {
        let helpers = ["mod", "cells", "trail", "inputs", "positives", "whole"];
        for folder in ["assign", "loss"] {
            for file in std::fs::read_dir(format!("{ROOT}/src/kernel/{folder}")).unwrap() {
                let file = file.unwrap().file_name().into_string().unwrap();
                let name = file.trim_end_matches(".rs");
                assert!(
                    helpers.contains(&name) || families().iter().any(|k| k.name == name),
                    "{folder}/{file} is in no row of the table"
                );
            }
        }
    }

    #[test]
    fn a_name_that_is_nearly_right_is_suggested() {
        let e = find("giou_yolo6").err().unwrap();
        assert!(e.next.unwrap().contains("giou_yolov6"), "{}", e.message);
    }
}

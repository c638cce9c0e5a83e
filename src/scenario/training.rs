//! training: what of a graph is its training side: the kernel that is the reference of its assigner and loss, and the tensors' names.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The tensors that gradients are taken with respect to, besides the parameters: scores `[B, A, nc]`, distances `[B, A, 4·(R + 1)]`.
pub const PREDICTIONS: [&str; 2] = ["pred_scores", "pred_distri"];

/// The ground truth: classes `[B, G]` and boxes in pixels `[B, G, 4]`; rows whose box is all zeros are padding.
pub const TRUTH: [&str; 2] = ["gt_labels", "gt_boxes"];

/// How many rows of each image are objects, `[B]`: an input that a graph may have. Where it has none, rows are counted up to the last
/// whose box is not all zeros.
pub const COUNT: &str = "gt_count";

/// What the assigner gives.
pub const ASSIGNED: [&str; 7] = [
    "assign.fg_mask",
    "assign.gt_index",
    "assign.target_labels",
    "assign.target_boxes",
    "assign.target_scores",
    "assign.metric",
    "assign.overlap",
];

/// The weighted terms, in the order in which they are reported.
pub const ITEMS: &str = "loss.items";

/// The sum of the weighted terms.
pub const TOTAL: &str = "loss.total";

/// What the terms were divided by.
pub const NORMALISER: &str = "loss.normaliser";

/// The standard name of a raw term: divided, not yet weighted.
pub fn raw(term: &str) -> String {
    format!("loss.{term}")
}

/// What a loss of these terms gives, by standard name.
pub fn losses(terms: &[&str]) -> Vec<String> {
    let whole = [ITEMS, TOTAL, NORMALISER].map(String::from);
    terms.iter().map(|t| raw(t)).chain(whole).collect()
}

/// The training side of a graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// The f64 reference of assigner and loss: a name from `parity list kernels`.
    pub kernel: String,
    /// Height and width of the images; those of the graph input `images` where not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<[usize; 2]>,
    /// Strides of the levels, largest grid first.
    #[serde(default = "strides")]
    pub strides: Vec<usize>,
    /// Tensors that the graph calls differently: standard name -> graph name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rename: BTreeMap<String, String>,
}

fn strides() -> Vec<usize> {
    vec![8, 16, 32]
}

impl Training {
    /// What the graph calls the tensor of this standard name.
    pub fn name<'a>(&'a self, standard: &'a str) -> &'a str {
        self.rename.get(standard).map_or(standard, String::as_str)
    }

    /// Every standard name, with a loss of these terms.
    pub fn standard(terms: &[&str]) -> Vec<String> {
        let fixed = PREDICTIONS.into_iter().chain(TRUTH).chain(ASSIGNED);
        fixed.map(String::from).chain(losses(terms)).collect()
    }
}

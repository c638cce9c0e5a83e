//! pairing: which tensor of one graph stands for which of another, each pair with its evidence; what is ambiguous is left, never guessed.
//!
//! Names say nothing: exporters, simplifiers and ports give their own. What counts is, in this order: what is declared, equal values on equal
//! inputs, weights that only one node of each side has, and edges from what is paired already.

mod folds;
mod growth;
mod index;
pub mod map;
mod ports;
mod sketch;
mod values;
mod weights;

pub use index::Side;
pub use ports::{inputs, outputs, turned};
pub use sketch::Sketch;
pub use weights::{Unshared, reordered, unshared};

use index::Index;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Why two tensors are taken for the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// Both files declare it, or the user says so.
    Declared,
    /// Equal values, on equal inputs.
    Values,
    /// The only node of either side with these weights.
    Weights,
    /// The same operator at the same place beside a pair.
    Edge,
}

/// Two tensors that stand for each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    pub reference: String,
    pub candidate: String,
    pub by: Evidence,
}

/// The pairs, in the reference's executable order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pairing {
    pub pairs: Vec<Pair>,
    /// Tensors of either side that could have a partner: what the inputs decide, constants excepted.
    pub tensors: [usize; 2],
    /// Those that have none.
    pub unpaired: [Vec<String>; 2],
}

/// Pairs `reference` with `candidate`; `declared` is known beforehand.
pub fn pair(reference: &Side, candidate: &Side, declared: &[(String, String)]) -> Pairing {
    let (a, b) = (Index::of(reference), Index::of(candidate));
    let mut found = Matching::default();
    for (ours, theirs) in declared {
        found.pair(ours, theirs, Evidence::Declared);
    }
    values::pair(&a, &b, &mut found);
    weights::pair(&a, &b, &mut found);
    folds::pair(&a, &b, &mut found);
    growth::pair(&a, &b, &mut found);
    let tensors = [a.tensors().count(), b.tensors().count()];
    let alone = |of: &Index, is_paired: &dyn Fn(&str) -> bool| {
        let names = of.tensors().filter(|n| !is_paired(n));
        names.map(str::to_string).collect::<Vec<_>>()
    };
    let unpaired = [
        alone(&a, &|n| found.to.contains_key(n)),
        alone(&b, &|n| found.from.contains_key(n)),
    ];
    let pairs = a.order.iter().filter_map(|name| found.of(name)).collect();
    Pairing {
        pairs,
        tensors,
        unpaired,
    }
}

/// Pairs as they are found; a tensor has one partner.
#[derive(Default)]
struct Matching {
    to: HashMap<String, (String, Evidence)>,
    from: HashMap<String, String>,
}

impl Evidence {
    pub fn say(self) -> &'static str {
        match self {
            Evidence::Declared => "declared",
            Evidence::Values => "equal values",
            Evidence::Weights => "the only node with these weights",
            Evidence::Edge => "the same operator beside a pair",
        }
    }
}

impl Matching {
    /// Whether the two are a pair now that were none.
    fn pair(&mut self, ours: &str, theirs: &str, by: Evidence) -> bool {
        if self.to.contains_key(ours) || self.from.contains_key(theirs) {
            return false;
        }
        self.to.insert(ours.into(), (theirs.into(), by));
        self.from.insert(theirs.into(), ours.into());
        true
    }

    fn partner(&self, ours: &str) -> Option<&str> {
        self.to.get(ours).map(|(theirs, _)| theirs.as_str())
    }

    fn is_free(&self, ours: &str, theirs: &str) -> bool {
        !self.to.contains_key(ours) && !self.from.contains_key(theirs)
    }

    fn of(&self, ours: &str) -> Option<Pair> {
        let (theirs, by) = self.to.get(ours)?;
        Some(Pair {
            reference: ours.into(),
            candidate: theirs.clone(),
            by: *by,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Graph, paper};
    use crate::tensor::Tensor;

    /// A graph of nodes and what they give, tensor by tensor; `weights` are held.
    fn side(
        nodes: &[&str],
        values: &[(&str, &[f64])],
        weights: &[(&str, &[f64])],
    ) -> (Graph, HashMap<String, Tensor>) {
        let mut graph = (*paper::graph(&["x"], nodes, &[])).clone();
        let tensor = |v: &[f64]| Tensor::of(&[v.len()], v);
        graph
            .weights
            .extend(weights.iter().map(|(n, v)| (n.to_string(), tensor(v))));
        let values = values.iter().map(|(n, v)| (n.to_string(), tensor(v)));
        (graph, values.collect())
    }

    /// "a=b evidence" of every pair but the input.
    fn pairs(
        a: &(Graph, HashMap<String, Tensor>),
        b: &(Graph, HashMap<String, Tensor>),
    ) -> Vec<String> {
        let view = |s| {
            let (graph, values): &(Graph, HashMap<String, Tensor>) = s;
            Side {
                graph,
                values,
                is_recorded: false,
            }
        };
        let known = [("x".to_string(), "x".to_string())];
        let found = pair(&view(a), &view(b), &known);
        let told = found.pairs.iter().filter(|p| p.by != Evidence::Declared);
        told.map(|p| format!("{}={} {}", p.reference, p.candidate, p.by.say()))
            .collect()
    }

    const X: (&str, &[f64]) = ("x", &[1.0, -2.0, 3.0, 0.5]);

    #[test]
    fn equal_values_are_a_pair_under_any_name_and_constant_ones_are_none() {
        let a = side(
            &["a: Relu x -> p", "b: Sign p -> s", "c: Identity p -> q"],
            &[
                X,
                ("p", &[1.0, 0.0, 3.0, 0.5]),
                ("s", &[1.0; 4]),
                ("q", &[1.0, 0.0, 3.0, 0.5]),
            ],
            &[],
        );
        let b = side(
            &["n: Relu x -> t", "m: Identity t -> u", "k: Sign u -> v"],
            &[
                X,
                ("t", &[1.0, 0.0, 3.0, 0.5]),
                ("u", &[1.0, 0.0, 3.0, 0.5]),
                ("v", &[1.0; 4]),
            ],
            &[],
        );
        assert_eq!(pairs(&a, &b), ["p=t equal values", "q=u equal values"]);
        // The class is larger on one side: the last stands for the last.
        let c = side(&["n: Relu x -> t"], &[X, ("t", &[1.0, 0.0, 3.0, 0.5])], &[]);
        assert_eq!(pairs(&a, &c), ["q=t equal values"]);
    }

    #[test]
    fn of_two_parts_that_are_now_alike_each_keeps_its_name() {
        let nodes = ["a: Resize x -> up", "b: Resize x -> cubic"];
        let linear: &[f64] = &[1.0, 2.0];
        let a = side(&nodes, &[X, ("up", linear), ("cubic", &[1.0, 3.0])], &[]);
        let b = side(&nodes, &[X, ("up", linear), ("cubic", linear)], &[]);
        assert_eq!(pairs(&a, &b)[0], "up=up equal values");
        assert_eq!(pairs(&b, &a)[0], "up=up equal values");
    }

    #[test]
    fn one_more_call_of_a_function_shifts_none_behind_it() {
        let (sum, wrong): (&[f64], &[f64]) = (&[2.5, 1.5], &[9.0, 4.0]);
        let first = (X, ("sum()", sum));
        let once = side(
            &[
                "a: ReduceSum x -> sum()",
                "b: Mul x sum() -> mul()",
                "c: Tanh mul() -> tanh()",
            ],
            &[
                first.0,
                first.1,
                ("mul()", &[7.0, 3.0]),
                ("tanh()", &[0.9, 0.4]),
            ],
            &[],
        );
        // What is behind it is off, so that edges alone tell.
        let twice = side(
            &[
                "a: ReduceSum x -> sum()",
                "d: ReduceSum x -> sum()#2",
                "b: Mul x sum()#2 -> mul()",
                "c: Tanh mul() -> tanh()",
            ],
            &[
                first.0,
                first.1,
                ("sum()#2", sum),
                ("mul()", wrong),
                ("tanh()", &[0.1, 0.2]),
            ],
            &[],
        );
        let edge = "the same operator beside a pair";
        let behind = [
            format!("mul()=mul() {edge}"),
            format!("tanh()=tanh() {edge}"),
        ];
        let there = [&["sum()=sum()#2 equal values".to_string()][..], &behind].concat();
        assert_eq!(pairs(&once, &twice), there);
        let back = [&["sum()#2=sum() equal values".to_string()][..], &behind].concat();
        assert_eq!(pairs(&twice, &once), back);
    }

    #[test]
    fn behind_what_differs_edges_tell_and_what_is_ambiguous_is_left() {
        let nodes = [
            "a: Relu x -> p",
            "b: Sigmoid p -> q",
            "c: Tanh q -> r",
            "d: Tanh q -> s",
        ];
        let a = side(
            &nodes,
            &[
                X,
                ("p", &[1.0, 2.0]),
                ("q", &[3.0, 4.0]),
                ("r", &[5.0, 6.0]),
                ("s", &[7.0, 9.0]),
            ],
            &[],
        );
        let b = side(
            &nodes,
            &[
                X,
                ("p", &[9.0, 5.0]),
                ("q", &[8.0, 3.0]),
                ("r", &[1.0, 4.0]),
                ("s", &[2.0, 7.0]),
            ],
            &[],
        );
        let edge = "the same operator beside a pair";
        assert_eq!(
            pairs(&a, &b),
            [format!("p=p {edge}"), format!("q=q {edge}")]
        );
    }

    #[test]
    fn a_node_is_told_by_what_it_holds_in_whatever_order_and_two_alike_are_not() {
        let w: &[f64] = &[1.0, 2.0, 3.0, 4.5];
        let turned: &[f64] = &[1.0, 3.0, 2.0, 4.5];
        let nodes = ["a: Abs x -> p", "b: MatMul p w -> q"];
        let a = side(
            &nodes,
            &[X, ("p", &[1.0, 2.0]), ("q", &[3.0, 4.0])],
            &[("w", w)],
        );
        let other = ["k: Exp x -> t", "m: MatMul t v -> u"];
        let b = side(
            &other,
            &[X, ("t", &[9.0, 5.0]), ("u", &[8.0, 3.0])],
            &[("v", turned)],
        );
        let told = "the only node with these weights";
        assert_eq!(
            pairs(&a, &b),
            [format!("p=t {told}"), format!("q=u {told}")]
        );
        let stale = side(
            &other,
            &[X, ("t", &[9.0, 5.0]), ("u", &[8.0, 3.0])],
            &[("v", &[7.0, 3.0, 2.0, 4.5])],
        );
        assert!(pairs(&a, &stale).is_empty());
        let twice = ["k: Exp x -> t", "m: MatMul t v -> u", "n: MatMul u v -> y"];
        let twins = side(
            &twice,
            &[
                X,
                ("t", &[9.0, 5.0]),
                ("u", &[8.0, 3.0]),
                ("y", &[1.0, 7.0]),
            ],
            &[("v", w)],
        );
        assert!(pairs(&a, &twins).is_empty());
    }
}

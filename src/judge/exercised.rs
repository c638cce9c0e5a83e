//! exercised: what these inputs did not try: weights that move no output here, cuts that never act, decisions that are constant.
//!
//! An agreement says nothing of those. What a step's output does not depend on is told from its values: a product with zeros, a Relu that is shut
//! everywhere, the branch that a mask never takes. What reaches a declared output only through such inputs moves nothing.

use crate::graph::Step;
use crate::tensor::Tensor;
use crate::verdict::Unexercised;
use std::collections::HashSet;

/// What one step shows of its inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Inputs of which no small change moves any output.
    pub deaf: Vec<usize>,
    /// It cuts off, and has cut nothing.
    pub idle: bool,
    /// It decides, and has decided the same for every element.
    pub constant: bool,
}

/// What `step` shows on these inputs, whose output, the first, `decides` or not.
pub fn shown(
    step: &Step,
    decides: bool,
    input: &dyn Fn(usize) -> Option<Tensor>,
    output: &Tensor,
) -> Shown {
    let [node] = step.nodes.as_slice() else {
        return Shown::default();
    };
    let zero = |i: usize| input(i).is_some_and(|t| t.numel() > 0 && all(&t, |v| v == 0.0));
    let other = |factors: [usize; 2]| {
        factors
            .into_iter()
            .filter(|i| zero(factors[0] + factors[1] - i))
            .collect()
    };
    let first = |is: bool| if is { vec![0] } else { vec![] };
    let filled = output.numel() > 0;
    let deaf: Vec<usize> = match node.op.as_str() {
        "Mul" | "MatMul" | "Gemm" | "Conv" | "ConvTranspose" => other([0, 1]),
        "Div" if zero(0) => vec![1],
        "Shape" | "Size" => vec![0],
        "Relu" => first(input(0).is_some_and(|x| filled && all(&x, |v| v < 0.0))),
        "Clip" => first(filled && input(0).is_some_and(|x| apart(&x, output))),
        "HardSigmoid" => first(filled && all(output, |v| v == 0.0 || v == 1.0)),
        "HardSwish" | "ThresholdedRelu" => first(filled && all(output, |v| v == 0.0)),
        "Where" => input(0).map_or(vec![], |mask| {
            match (all(&mask, |v| v != 0.0), all(&mask, |v| v == 0.0)) {
                (true, false) => vec![2],
                (false, true) => vec![1],
                (true, true) | (false, false) => vec![],
            }
        }),
        _ => vec![],
    };
    let cuts = ["Relu", "Clip"].contains(&node.op.as_str());
    let idle = cuts
        && filled
        && input(0).is_some_and(|x| x.dtype() == output.dtype() && x.bytes() == output.bytes());
    let size = output.dtype().size();
    let constant = decides
        && output.numel() > 1
        && output
            .bytes()
            .chunks(size)
            .all(|element| element == &output.bytes()[..size]);
    Shown {
        deaf,
        idle,
        constant,
    }
}

/// What is not exercised of `weights` and steps that have shown this much, on the way to `outputs`; `known` are the steps that no input decides.
pub fn unexercised(
    steps: &[Step],
    outputs: &[&str],
    weights: &[&str],
    shown: &[Shown],
    known: &HashSet<usize>,
) -> Unexercised {
    let mut live: HashSet<&str> = outputs.iter().copied().collect();
    for (step, shown) in steps.iter().zip(shown).rev() {
        if step.outputs.iter().any(|o| live.contains(o.as_str())) {
            let [node] = step.nodes.as_slice() else {
                live.extend(step.inputs.iter().map(String::as_str));
                continue;
            };
            let heard = node
                .inputs
                .iter()
                .enumerate()
                .filter(|(i, _)| !shown.deaf.contains(i))
                .map(|(_, n)| n.as_str());
            // What a body takes from around its node is not among the node's inputs.
            let around = step
                .inputs
                .iter()
                .filter(|n| !node.inputs.contains(n))
                .map(String::as_str);
            live.extend(heard.chain(around));
        }
    }
    let named = |is: fn(&Shown) -> bool| {
        let found = steps
            .iter()
            .zip(shown)
            .enumerate()
            .filter(|(i, (_, s))| is(s) && !known.contains(i));
        found.map(|(_, (step, _))| step.name.clone()).collect()
    };
    Unexercised {
        weights: weights
            .iter()
            .filter(|n| !live.contains(*n))
            .map(|n| n.to_string())
            .collect(),
        cuts: named(|s| s.idle),
        decisions: named(|s| s.constant),
    }
}

/// Whether a test holds for every element; it ends at the first for which it does not.
fn all(t: &Tensor, test: impl Fn(f64) -> bool) -> bool {
    match (t.values::<f32>(), t.values::<f64>()) {
        (Some(values), _) => values.iter().all(|v| test(f64::from(*v))),
        (_, Some(values)) => values.iter().all(|v| test(*v)),
        (None, None) => t.to_f64().into_iter().all(test),
    }
}

/// Whether the two are of one size and differ in every element.
fn apart(a: &Tensor, b: &Tensor) -> bool {
    let size = a.dtype().size();
    a.shape() == b.shape()
        && a.dtype() == b.dtype()
        && a.bytes()
            .chunks(size)
            .zip(b.bytes().chunks(size))
            .all(|(a, b)| a != b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Node;

    fn step(op: &str, inputs: &[&str], output: &str) -> Step {
        Step::of(Node {
            name: output.into(),
            op: op.into(),
            domain: String::new(),
            inputs: inputs.iter().map(|s| s.to_string()).collect(),
            outputs: vec![output.into()],
            attributes: Default::default(),
        })
    }

    fn of(op: &str, inputs: &[&[f32]], output: &[f32]) -> Shown {
        let inputs: Vec<Tensor> = inputs.iter().map(|v| Tensor::of(&[v.len()], v)).collect();
        let names = ["a", "b", "c"];
        shown(
            &step(op, &names[..inputs.len()], "y"),
            false,
            &|i| inputs.get(i).cloned(),
            &Tensor::of(&[output.len()], output),
        )
    }

    #[test]
    fn what_an_output_does_not_depend_on_is_told_from_the_values_and_one_element_that_does_is_enough()
     {
        // The operator, its inputs, its output, and the inputs that it is deaf to.
        type Row<'a> = (&'a str, &'a [&'a [f32]], &'a [f32], &'a [usize]);
        let table: [Row; 24] = [
            ("Mul", &[&[0.0, 0.0], &[1.0, 2.0]], &[0.0, 0.0], &[1]),
            ("Mul", &[&[0.0, 1.0], &[1.0, 2.0]], &[0.0, 2.0], &[]),
            ("MatMul", &[&[1.0, 2.0], &[0.0, -0.0]], &[0.0, 0.0], &[0]),
            ("Conv", &[&[0.0], &[0.0]], &[0.0], &[0, 1]),
            ("Div", &[&[0.0, 0.0], &[1.0, 2.0]], &[0.0, 0.0], &[1]),
            ("Mul", &[&[], &[]], &[], &[]),
            ("Div", &[&[1.0, 2.0], &[1.0, 2.0]], &[1.0, 1.0], &[]),
            ("Add", &[&[0.0, 0.0], &[1.0, 2.0]], &[1.0, 2.0], &[]),
            ("Shape", &[&[1.0, 2.0]], &[2.0], &[0]),
            ("Relu", &[&[]], &[], &[]),
            ("Clip", &[&[]], &[], &[]),
            ("HardSigmoid", &[&[-9.0, 0.0]], &[0.0, 0.5], &[]),
            ("HardSwish", &[&[-9.0, 4.0]], &[0.0, 4.0], &[]),
            ("ThresholdedRelu", &[&[0.5]], &[0.0], &[0]),
            ("Relu", &[&[-1.0, -2.0]], &[0.0, 0.0], &[0]),
            ("Relu", &[&[-1.0, 0.0]], &[0.0, 0.0], &[]),
            ("Relu", &[&[-1.0, f32::NAN]], &[0.0, f32::NAN], &[]),
            ("Clip", &[&[-1.0, 9.0]], &[0.0, 6.0], &[0]),
            ("Clip", &[&[-1.0, 3.0]], &[0.0, 3.0], &[]),
            ("HardSigmoid", &[&[-9.0, 9.0]], &[0.0, 1.0], &[0]),
            ("HardSwish", &[&[-9.0, -4.0]], &[0.0, 0.0], &[0]),
            (
                "Where",
                &[&[1.0, 1.0], &[1.0, 2.0], &[3.0, 4.0]],
                &[1.0, 2.0],
                &[2],
            ),
            (
                "Where",
                &[&[0.0, 0.0], &[1.0, 2.0], &[3.0, 4.0]],
                &[3.0, 4.0],
                &[1],
            ),
            (
                "Where",
                &[&[0.0, 1.0], &[1.0, 2.0], &[3.0, 4.0]],
                &[3.0, 2.0],
                &[],
            ),
        ];
        for (op, inputs, output, deaf) in table {
            assert_eq!(of(op, inputs, output).deaf, deaf, "{op} of {inputs:?}");
        }
    }

    #[test]
    fn a_cut_that_changes_no_bit_is_idle_and_a_decision_of_one_value_is_constant() {
        for (op, x, y, idle) in [
            ("Clip", [1.0, 2.0], [1.0, 2.0], true),
            ("Clip", [1.0, 7.0], [1.0, 6.0], false),
            ("Relu", [0.0, 2.0], [0.0, 2.0], true),
            ("Relu", [-1.0, 2.0], [0.0, 2.0], false),
            ("Identity", [1.0, 2.0], [1.0, 2.0], false),
        ] {
            assert_eq!(of(op, &[&x], &y).idle, idle, "{op} of {x:?}");
        }
        assert!(!of("Relu", &[&[]], &[]).idle, "there was nothing to cut");
        let x = Tensor::of(&[3], &[1f32, 2.0, 3.0]);
        for (decides, y, constant) in [
            (true, vec![1i64, 1, 1], true),
            (true, vec![1, 0, 1], false),
            (false, vec![1, 1, 1], false),
            (true, vec![1], false),
        ] {
            let y = Tensor::of(&[y.len()], &y);
            assert_eq!(
                shown(
                    &step("Greater", &["a"], "y"),
                    decides,
                    &|_| Some(x.clone()),
                    &y
                )
                .constant,
                constant,
                "{y:?}"
            );
        }
    }

    #[test]
    fn a_weight_is_exercised_by_one_way_to_an_output_and_named_where_every_way_is_shut() {
        // y = relu(x · shut) · behind + x · open; nobody takes 'unused'.
        let steps = vec![
            step("MatMul", &["x", "shut"], "p"),
            step("Relu", &["p"], "q"),
            step("MatMul", &["q", "behind"], "r"),
            step("MatMul", &["x", "open"], "s"),
            step("Add", &["r", "s"], "y"),
        ];
        let of = |deaf: [Vec<usize>; 5]| {
            let shown: Vec<Shown> = deaf
                .into_iter()
                .map(|deaf| Shown {
                    deaf,
                    ..Default::default()
                })
                .collect();
            unexercised(
                &steps,
                &["y"],
                &["shut", "behind", "open", "unused"],
                &shown,
                &HashSet::new(),
            )
            .weights
        };
        assert_eq!(of(Default::default()), ["unused"]);
        assert_eq!(
            of([vec![], vec![0], vec![1], vec![], vec![]]),
            ["shut", "behind", "unused"]
        );
        assert_eq!(
            of([vec![], vec![0], vec![], vec![], vec![]]),
            ["shut", "unused"]
        );
    }

    #[test]
    fn cuts_and_decisions_are_named_unless_no_input_decides_them() {
        let steps = ["a", "b", "c", "d"].map(|name| step("Clip", &["x"], name));
        let (idle, constant) = (
            Shown {
                idle: true,
                ..Default::default()
            },
            Shown {
                constant: true,
                ..Default::default()
            },
        );
        let shown = [idle.clone(), constant.clone(), idle, constant];
        let found = unexercised(&steps, &[], &[], &shown, &HashSet::from([2, 3]));
        assert_eq!(
            (found.cuts, found.decisions),
            (vec!["a".to_string()], vec!["b".to_string()])
        );
    }

    #[test]
    fn all_was_exercised_only_where_nothing_is_named() {
        let named = || vec!["n".to_string()];
        assert!(Unexercised::default().is_empty());
        assert!(
            !Unexercised {
                weights: named(),
                ..Default::default()
            }
            .is_empty()
        );
        assert!(
            !Unexercised {
                cuts: named(),
                ..Default::default()
            }
            .is_empty()
        );
        assert!(
            !Unexercised {
                decisions: named(),
                ..Default::default()
            }
            .is_empty()
        );
    }
}

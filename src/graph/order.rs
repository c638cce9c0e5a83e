//! order: proves that the nodes can be executed and in which order: Kahn's algorithm, smallest file index first.

use super::Step;
use crate::error::{Error, Result};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

/// `steps` in executable order; `given` are the names that exist before the first step (inputs and weights).
///
/// # Errors
/// A name produced twice, an input that nothing produces, a cycle: each named with the step and tensor.
pub fn executable(steps: Vec<Step>, given: &HashSet<&str>) -> Result<Vec<Step>> {
    let producer = producers(&steps, given)?;
    let mut waiting = vec![0usize; steps.len()];
    let mut consumers = vec![Vec::new(); steps.len()];
    for (i, step) in steps.iter().enumerate() {
        for input in step.inputs.iter().filter(|n| !given.contains(n.as_str())) {
            let from = *producer.get(input).ok_or_else(|| dangling(step, input))?;
            waiting[i] += 1;
            consumers[from].push(i);
        }
    }
    let mut ready: BinaryHeap<_> = (0..steps.len())
        .filter(|i| waiting[*i] == 0)
        .map(Reverse)
        .collect();
    let mut order = Vec::with_capacity(steps.len());
    while let Some(Reverse(i)) = ready.pop() {
        order.push(i);
        for &next in &consumers[i] {
            waiting[next] -= 1;
            if waiting[next] == 0 {
                ready.push(Reverse(next));
            }
        }
    }
    if let Some(stuck) = waiting.iter().position(|w| *w > 0) {
        return Err(cycle(&steps, &waiting, &consumers, stuck));
    }
    let mut slots: Vec<_> = steps.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|i| slots[i].take()).collect())
}

fn producers(steps: &[Step], given: &HashSet<&str>) -> Result<HashMap<String, usize>> {
    let mut producer = HashMap::new();
    for (i, step) in steps.iter().enumerate() {
        for out in &step.outputs {
            if producer.insert(out.clone(), i).is_some() || given.contains(out.as_str()) {
                return Err(Error::usage(format!(
                    "node '{}' ({}): tensor '{out}' is produced twice",
                    step.name,
                    step.op()
                )));
            }
        }
    }
    Ok(producer)
}

fn dangling(step: &Step, input: &str) -> Error {
    Error::usage(format!(
        "node '{}' ({}): input '{input}' is produced by no node and is neither a graph input nor a weight",
        step.name,
        step.op()
    ))
    .next("export the model again, or check it with onnx.checker.check_model")
}

/// Names one cycle: from a stuck step, walk through stuck consumers until a step comes back.
fn cycle(steps: &[Step], waiting: &[usize], consumers: &[Vec<usize>], start: usize) -> Error {
    // A stuck step may only lie behind the cycle; walking backwards through stuck producers must enter it.
    let behind =
        |i: usize| (0..steps.len()).find(|p| waiting[*p] > 0 && consumers[*p].contains(&i));
    let mut path = vec![start];
    let first = loop {
        let Some(next) = behind(path[path.len() - 1]) else {
            break 0;
        };
        if let Some(at) = path.iter().position(|p| *p == next) {
            break at;
        }
        path.push(next);
    };
    let names: Vec<_> = path[first..]
        .iter()
        .rev()
        .map(|i| format!("'{}'", steps[*i].name))
        .collect();
    Error::usage(format!(
        "the graph has a cycle through {}",
        names.join(" -> ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str, inputs: &[&str], outputs: &[&str]) -> Step {
        let own = |v: &[&str]| v.iter().map(|s| s.to_string()).collect::<Vec<_>>();
        let node = super::super::Node {
            name: name.into(),
            op: "Op".into(),
            domain: String::new(),
            inputs: own(inputs),
            outputs: own(outputs),
            attributes: Default::default(),
        };
        Step::of(node)
    }

    fn order(steps: Vec<Step>) -> Result<Vec<String>> {
        Ok(executable(steps, &HashSet::from(["x"]))?
            .into_iter()
            .map(|s| s.name)
            .collect())
    }

    #[test]
    fn the_files_order_is_kept_where_it_is_executable() {
        let steps = vec![
            step("a", &["x"], &["p"]),
            step("b", &["x"], &["q"]),
            step("c", &["p"], &["r"]),
        ];
        assert_eq!(order(steps).unwrap(), ["a", "b", "c"]);
    }

    #[test]
    fn an_unsorted_file_runs_smallest_index_first() {
        let steps = vec![
            step("late", &["p"], &["z"]),
            step("b", &["x"], &["q"]),
            step("a", &["x"], &["p"]),
        ];
        assert_eq!(order(steps).unwrap(), ["b", "a", "late"]);
    }

    #[test]
    fn a_cycle_is_named_without_what_lies_behind_it() {
        let steps = vec![
            step("tail", &["q"], &["z"]),
            step("a", &["q"], &["p"]),
            step("b", &["p"], &["q"]),
        ];
        let message = order(steps).unwrap_err().message;
        assert!(
            message.contains("'a'") && message.contains("'b'") && !message.contains("'tail'"),
            "{message}"
        );
    }

    #[test]
    fn a_dangling_input_and_a_second_producer_are_named() {
        assert!(
            order(vec![step("a", &["nowhere"], &["p"])])
                .unwrap_err()
                .message
                .contains("'nowhere'")
        );
        assert!(
            order(vec![step("a", &["x"], &["p"]), step("b", &["x"], &["p"])])
                .unwrap_err()
                .message
                .contains("'p' is produced twice")
        );
    }
}

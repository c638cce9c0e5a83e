//! batched: many cases at once: which of them agree so plainly that they need not be asked one by one?
//!
//! Convention: cases of a kernel that answers row by row lie below each other in one walk of the form, and all outputs are differentiated
//! as one sum. Agreement is taken from a batch, a finding never: whatever does not agree plainly is asked alone, output by output. The
//! first [`FIRST`] cases and every [`OFTEN`]-th are asked alone whatever they are, as a port calls its kernel.

use super::oracle;
use super::response::{Response, Subject};
use super::single_case::{answered, held};
use super::wrong_number::Judged;
use crate::error::{Error, Result};
use crate::floor::noise::MOST_RUNS;
use crate::subject::kernels::draw::Case;
use crate::subject::kernels::edit::{count, rows};
use crate::subject::kernels::relations::Relation;
use crate::subject::kernels::{Answer, Kernel};
use crate::tensor::Tensor;
use std::collections::HashMap;

const FIRST: u64 = 64;
const OFTEN: u64 = 32;

/// A case of a run: its number, its inputs, and the relations that it is to try.
pub struct Drawn {
    pub number: u64,
    pub case: Case,
    pub relations: Vec<&'static Relation>,
}

impl Drawn {
    fn is_alone(&self) -> bool {
        self.number < FIRST || self.number.is_multiple_of(OFTEN)
    }
}

/// What came of each case; Err says why the reference refuses it.
pub fn all(
    kernel: &Kernel,
    subject: &mut dyn Subject,
    drawn: &[Drawn],
) -> Vec<std::result::Result<Judged, String>> {
    let answers: Vec<_> = drawn.iter().map(|d| answered(kernel, &d.case)).collect();
    let looked: Vec<(&Drawn, &Answer)> = drawn
        .iter()
        .zip(&answers)
        .filter(|(d, _)| !d.is_alone())
        .filter_map(|(d, a)| Some((d, a.as_ref().ok()?)))
        .collect();
    let agreed = plain(kernel, subject, &looked).unwrap_or_default();
    let mut plain: HashMap<u64, Judged> = looked
        .iter()
        .zip(agreed)
        .filter_map(|((d, _), judged)| Some((d.number, judged?)))
        .collect();
    let one = |(d, answer): (&Drawn, &std::result::Result<Answer, String>)| {
        let answer = answer.as_ref().map_err(String::clone)?;
        Ok(plain
            .remove(&d.number)
            .unwrap_or_else(|| held(MOST_RUNS, kernel, subject, (&d.case, answer), &d.relations)))
    };
    drawn.iter().zip(&answers).map(one).collect()
}

/// The accounts of the cases that agree plainly, each at its place; Err where the subject cannot be asked so.
fn plain(
    kernel: &Kernel,
    subject: &mut dyn Subject,
    looked: &[(&Drawn, &Answer)],
) -> Result<Vec<Option<Judged>>> {
    let cases: Vec<&Case> = looked.iter().map(|l| &l.0.case).collect();
    let Some((_, any)) = looked.first() else {
        return Ok(vec![]);
    };
    let responses = subject.batch(kernel, &cases, any)?;
    let judge = |(l, o): (&(&Drawn, &Answer), &Response)| {
        Some(oracle::batch(&l.0.case, l.1, o)).filter(|j| j.wrong.is_none())
    };
    let mut judged: Vec<Option<Judged>> = looked.iter().zip(&responses).map(judge).collect();
    let others: Vec<(usize, &Relation, Case)> = (0..looked.len())
        .filter(|i| judged[*i].as_ref().is_some_and(|j| j.flips == 0))
        .flat_map(|i| {
            looked[i]
                .0
                .relations
                .iter()
                .filter_map(move |r| Some((i, *r, r.other(&looked[i].0.case)?)))
        })
        .collect();
    let cases: Vec<&Case> = others.iter().map(|o| &o.2).collect();
    let seconds = subject.batch(kernel, &cases, &Answer::default())?;
    for ((i, relation, other), second) in others.iter().zip(seconds) {
        let tried = relation.plainly(
            [&looked[*i].0.case, other],
            [&responses[*i].tensors, &second.tensors],
        );
        judged[*i] = judged[*i]
            .take()
            .filter(|_| tried.wrong.is_none())
            .map(|j| Judged {
                compared: j.compared + tried.compared,
                relations: j.relations + 1,
                ..j
            });
    }
    Ok(judged)
}

/// The places of cases that can be asked in one walk, together.
pub fn groups(kernel: &Kernel, cases: &[&Case]) -> Vec<Vec<usize>> {
    if !kernel.is_by_row() {
        return (0..cases.len()).map(|i| vec![i]).collect();
    }
    let behind = |c: &Case| {
        c.inputs
            .values()
            .map(|t| t.shape().get(1..).unwrap_or(&[]).to_vec())
            .collect::<Vec<_>>()
    };
    let mut groups: indexmap::IndexMap<_, Vec<usize>> = indexmap::IndexMap::new();
    cases
        .iter()
        .enumerate()
        .for_each(|(i, case)| groups.entry(behind(case)).or_default().push(i));
    groups.into_values().collect()
}

/// Cases of one shape but for their rows, below each other.
///
/// # Errors
/// Inputs that do not fit each other.
pub fn joined(cases: &[&Case]) -> Result<Case> {
    let [first, rest @ ..] = cases else {
        return Ok(Case::default());
    };
    if rest.is_empty() {
        return Ok((*first).clone());
    }
    let below = |(name, top): (&String, &Tensor)| {
        let parts = cases
            .iter()
            .map(|c| c.inputs.get(name))
            .collect::<Option<Vec<_>>>();
        let parts = parts.ok_or_else(|| Error::failed(format!("a case without '{name}'")))?;
        let rows = parts.iter().map(|t| rows(t)).sum();
        let shape = [&[rows], top.shape().get(1..).unwrap_or(&[])].concat();
        Ok((
            name.clone(),
            Tensor::from_bytes(
                top.dtype(),
                shape,
                &parts.iter().map(|t| t.bytes()).collect::<Vec<_>>().concat(),
            )?,
        ))
    };
    Ok(Case {
        inputs: first.inputs.iter().map(below).collect::<Result<_>>()?,
        ..Case::default()
    })
}

/// A response on joined cases as one on each.
///
/// # Errors
/// An output that has not a row per row of the inputs.
pub fn split(response: Response, cases: &[&Case]) -> Result<Vec<Response>> {
    if cases.len() == 1 {
        return Ok(vec![response]);
    }
    let counts: Vec<usize> = cases.iter().map(|c| count(c)).collect();
    let mut out = vec![Response::default(); cases.len()];
    for (name, t) in &response.tensors {
        for (one, part) in out.iter_mut().zip(parts(t, &counts)?) {
            one.tensors.insert(name.clone(), part);
        }
    }
    for (pair, gradient) in response.gradients.iter().flatten() {
        let parts = match gradient {
            Some(t) => parts(t, &counts)?.into_iter().map(Some).collect(),
            None => vec![None; counts.len()],
        };
        for (one, part) in out.iter_mut().zip(parts) {
            one.gradients
                .get_or_insert_default()
                .insert(pair.clone(), part);
        }
    }
    Ok(out)
}

fn parts(t: &Tensor, counts: &[usize]) -> Result<Vec<Tensor>> {
    let all = counts.iter().sum::<usize>();
    if t.shape().first() != Some(&all) {
        return Err(Error::failed(format!(
            "an output of shape {:?} for {all} rows",
            t.shape()
        )));
    }
    let width = t.bytes().len() / all.max(1);
    let mut begin = 0;
    let one = |count: &usize| {
        let bytes = &t.bytes()[begin * width..(begin + count) * width];
        begin += count;
        Tensor::from_bytes(t.dtype(), [&[*count], &t.shape()[1..]].concat(), bytes)
    };
    counts.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::super::single_case::due;
    use super::*;
    use crate::fuzz::drawn::drawn;
    use crate::subject::kernels::find;
    use proptest::strategy::ValueTree;

    /// The reference; a batch and a question of one case each add something of their own to every output.
    struct Says {
        in_a_batch: f64,
        alone: f64,
        asked: usize,
    }

    impl Says {
        fn said(
            &self,
            kernel: &Kernel,
            case: &Case,
            of: Option<&str>,
            more: f64,
        ) -> Result<Response> {
            let answer = kernel.evaluate(&|n| case.inputs.get(n).cloned())?;
            let moved = |t: &Tensor| {
                Tensor::from_vec(
                    t.shape(),
                    t.to_f64().iter().map(|v| v + more).collect::<Vec<f64>>(),
                )
            };
            let slope = |g: &crate::subject::kernels::Gradient| {
                (
                    (of.unwrap_or(g.of).to_string(), g.by.to_string()),
                    Some(g.value.clone()),
                )
            };
            Ok(Response {
                tensors: answer
                    .tensors
                    .iter()
                    .map(|(n, t)| (n.to_string(), moved(t)))
                    .collect(),
                gradients: Some(answer.gradients.iter().map(slope).collect()),
            })
        }
    }

    impl Subject for Says {
        fn answer(&mut self, kernel: &Kernel, case: &Case, _: &Answer) -> Result<Response> {
            self.asked += 1;
            self.said(kernel, case, None, self.alone)
        }

        fn batch(&mut self, kernel: &Kernel, cases: &[&Case], _: &Answer) -> Result<Vec<Response>> {
            let joined = joined(cases)?;
            split(
                self.said(kernel, &joined, Some(oracle::SUM), self.in_a_batch)?,
                cases,
            )
        }
    }

    /// Findings among cases 0 to 255, and how often the subject was asked alone.
    fn came(name: &str, in_a_batch: f64, alone: f64) -> (usize, usize) {
        let (kernel, mut subject) = (
            find(name).unwrap(),
            Says {
                in_a_batch,
                alone,
                asked: 0,
            },
        );
        let strategy = kernel.cases();
        let one = |number| Drawn {
            number,
            case: drawn(&strategy, 3, number).current(),
            relations: due(kernel, number),
        };
        let all = all(kernel, &mut subject, &(0..256).map(one).collect::<Vec<_>>());
        (
            all.iter()
                .filter(|c| c.as_ref().is_ok_and(|j| j.wrong.is_some()))
                .count(),
            subject.asked,
        )
    }

    #[test]
    fn what_agrees_in_a_batch_is_asked_alone_only_now_and_then() {
        let alone = FIRST as usize + (256 - FIRST as usize) / OFTEN as usize;
        for name in ["giou_yolov6", "focal"] {
            let (found, asked) = came(name, 0.0, 0.0);
            // Once for the case and once for its relation, where it has one.
            assert!(
                found == 0 && (alone..=2 * alone).contains(&asked),
                "{name}: {found} found, {asked} asked"
            );
        }
    }

    #[test]
    fn a_batch_never_finds_anything_itself_and_hides_nothing_from_a_question() {
        let (found, asked) = came("bce", 1e-3, 0.0);
        assert!(
            found == 0 && asked >= 256,
            "what does not agree is asked alone and found right: {found} of {asked}"
        );
        let (found, _) = came("bce", 1e-3, 1e-3);
        assert_eq!(found, 256);
        let (found, _) = came("bce", 0.0, 1e-3);
        assert_eq!(
            found,
            FIRST as usize + (256 - FIRST as usize) / OFTEN as usize,
            "those that are asked alone whatever they are"
        );
    }

    #[test]
    fn joined_cases_come_apart_as_they_were_and_an_output_without_their_rows_is_refused() {
        let kernel = find("info_nce").unwrap();
        let strategy = kernel.cases();
        let drawn: Vec<Case> = (0..40).map(|n| drawn(&strategy, 1, n).current()).collect();
        let cases: Vec<&Case> = drawn.iter().collect();
        let groups = groups(kernel, &cases);
        assert!(
            groups.len() > 3 && groups.iter().any(|g| g.len() > 1),
            "keys of several widths: {groups:?}"
        );
        assert_eq!(groups.concat().len(), 40);
        for group in groups {
            let group: Vec<&Case> = group.into_iter().map(|i| cases[i]).collect();
            let whole = joined(&group).unwrap();
            let tensors = |c: &Case| {
                c.inputs
                    .iter()
                    .map(|(n, t)| (n.clone(), t.clone()))
                    .collect()
            };
            let apart = split(
                Response {
                    tensors: tensors(&whole),
                    gradients: None,
                },
                &group,
            )
            .unwrap();
            for (case, own) in group.iter().zip(&apart) {
                for (name, t) in &case.inputs {
                    assert_eq!(
                        (t.shape(), t.bytes()),
                        (own.tensors[name].shape(), own.tensors[name].bytes()),
                        "{name}"
                    );
                }
            }
        }
        let scalar = Response {
            tensors: [("loss".to_string(), Tensor::from_vec(&[], vec![1.0]))].into(),
            gradients: None,
        };
        assert!(
            split(scalar, &cases[..2])
                .unwrap_err()
                .message
                .contains("shape [] for")
        );
    }
}

//! ledger: the loss of both sides and of the golden, term by term, against the f64 kernel.

use super::spread::Floors;
use super::{Side, Task};
use crate::cause::loss::{Beside, Reach, Shape};
use crate::cause::{self, form};
use crate::error::Result;
use crate::judge::stage::loss::Said;
use crate::judge::stage::{assign, grad, loss};
use crate::kernel::loss::Weighted;
use crate::scenario::Stage;
use crate::scenario::training::PREDICTIONS;
use crate::subject::kernels::training::Evaluated;
use crate::verdict::{Explained, Finding, Judgement, TensorResult, Why};

pub fn report(
    task: &Task,
    sides: &[Side; 2],
    floors: &Floors,
    grads: &[grad::Report],
    assign: &assign::Report,
) -> loss::Report {
    let mut report = loss::Report::default();
    let Ok(kernel) = &sides[0].kernel else {
        return report;
    };
    let (terms, names) = (&task.terms, task.regions.all_terms());
    let floor = |name: &str| floors.get(name);
    let mut opinions = vec![said(names, kernel)];
    for side in sides {
        let mut own = Said::read(side.who, names, &|n| task.tensor(side.outputs, n));
        own.batch = side.kernel.as_ref().ok().map(|k| k.batch);
        report.untested.extend(
            own.lacks()
                .iter()
                .map(|n| format!("{}: '{n}' is missing", side.who)),
        );
        match &side.kernel {
            Ok(kernel) => of_side(
                &mut report,
                &own,
                &said(names, kernel),
                terms,
                &floor,
                assign,
            ),
            Err(why) => report.untested.push(format!(
                "{}: not held against the f64 kernel: {why}",
                side.who
            )),
        }
        opinions.extend(Some(own).filter(|o| !o.is_empty()));
    }
    let mut golden = Said::read("golden", names, &|n| task.kept(n));
    golden.batch = opinions[0].batch;
    if let Some((golden, kernel)) = golden.whole().zip(opinions[0].whole()) {
        report.flags.extend(cause::of_loss(&Beside {
            ours: &golden,
            reference: &kernel,
            terms,
        }));
    }
    opinions.extend(Some(golden).filter(|g| !g.is_empty()));
    report.flags.extend(broadcasts(task));
    let all = terms.iter().enumerate();
    let own = |who: &str| {
        let side = sides.iter().find(|side| side.who == who)?;
        Some(said(names, side.kernel.as_ref().ok()?))
    };
    let one = |(i, t)| term(i, t, &opinions, grads, &own);
    report.terms = all.map(one).collect();
    if let Some(right) = grads.first() {
        let reach = |term: &loss::Term| cause::of_gradients(&reach(term, &right.against));
        report.flags.extend(report.terms.iter().flat_map(reach));
    }
    of_kernel(&mut report.terms, kernel);
    report
}

/// Holds what one side says against what the kernel makes of its predictions.
fn of_side(
    report: &mut loss::Report,
    own: &Said,
    kernel: &Said,
    terms: &[Weighted],
    floors: loss::Floors,
    assign: &assign::Report,
) {
    let mut checks = loss::checks(own, kernel, floors);
    // The kernel assigns for itself: where an owner flipped at a tie, the values differ with it.
    let flipped = assign
        .differences
        .iter()
        .any(|d| d.who == own.who && d.against == "kernel" && d.tie_flips > 0 && !d.over());
    for check in checks
        .iter_mut()
        .filter(|c| flipped && c.judgement.over() && c.value.is_finite())
    {
        check.judgement = Judgement::NotJudged(Why::BehindFlip {
            node: "assign.fg_mask".into(),
        });
    }
    report.checks.extend(checks);
    if let Some((own, kernel)) = own.whole().zip(kernel.whole()).filter(|_| !flipped) {
        report
            .flags
            .extend(loss::flags(&own, &kernel, terms, floors));
        report.flags.extend(cause::of_loss(&Beside {
            ours: &own,
            reference: &kernel,
            terms,
        }));
    }
}

/// In which form the kernel gives what a side gives that is off.
///
/// # Errors
/// Images of which nothing says how large they are.
pub fn why(
    task: &Task,
    sides: &[Side; 2],
    floors: &Floors,
    report: &loss::Report,
) -> Result<Option<Explained>> {
    let names = task.regions.all_terms();
    let is_off = |who: &str| {
        report
            .checks
            .iter()
            .any(|c| c.who == who && c.judgement.over())
    };
    for side in sides.iter().filter(|side| is_off(side.who)) {
        let get = |name: &str| task.tensor(side.outputs, name);
        let own = Said::read(side.who, names, &get);
        let held = |kernel: &Evaluated| {
            let own = Said {
                batch: Some(kernel.batch),
                ..own.clone()
            };
            let checks = loss::checks(&own, &said(names, kernel), &|n| floors.get(n));
            checks.into_iter().map(|c| c.judgement).collect()
        };
        let off = form::Off {
            training: task.training,
            image: task.image()?,
            get: &get,
            held: &held,
        };
        if let Some(why) = form::explain(&off)? {
            return Ok(Some(why));
        }
    }
    Ok(None)
}

/// The norms of a term's gradients, of which those of `reference` are right.
fn reach<'a>(term: &'a loss::Term, reference: &'a str) -> Reach<'a> {
    let into = term.into.iter();
    Reach {
        term: &term.name,
        into: into.map(|i| (&*i.who, &*i.tensor, i.norm)).collect(),
        reference,
    }
}

/// What the kernel says of the loss.
fn said(terms: &[&'static str], kernel: &Evaluated) -> Said {
    let said = Said::read("kernel", terms, &|n| kernel.tensors.get(n).cloned());
    Said {
        batch: Some(kernel.batch),
        ..said
    }
}

/// `own` is what the kernel makes of an opinion's own inputs.
fn term(
    i: usize,
    term: &Weighted,
    opinions: &[Said],
    grads: &[grad::Report],
    own: &dyn Fn(&str) -> Option<Said>,
) -> loss::Term {
    let Weighted { name, weight } = *term;
    let value = |v: &Said| {
        let value = v.terms[i].1?;
        Some(loss::TermValue {
            who: v.who.clone(),
            value,
            normaliser: v.normaliser,
            contribution: value * weight * v.batch.unwrap_or(1.0),
            kernel: own(&v.who).and_then(|k| k.terms[i].1),
        })
    };
    let of_term = |r: &grad::Report| {
        r.terms
            .iter()
            .find(|t| t.term == name)
            .map_or(vec![], |t| into(r, t, weight))
    };
    loss::Term {
        name: name.into(),
        weight,
        opinions: opinions.iter().filter_map(value).collect(),
        into: grads.iter().flat_map(of_term).collect(),
        steps: vec![],
    }
}

/// Adds the norms of the kernel's own gradients.
fn of_kernel(terms: &mut [loss::Term], kernel: &Evaluated) {
    let norm = |v: &Vec<f64>| v.iter().map(|x| x * x).sum::<f64>().sqrt();
    for (term, own) in terms.iter_mut().zip(&kernel.gradients) {
        let into = |(tensor, gradient): (&str, &Option<Vec<f64>>)| loss::Into {
            who: "kernel".into(),
            tensor: tensor.into(),
            norm: gradient.as_ref().map(norm),
        };
        term.into.extend(PREDICTIONS.into_iter().zip(own).map(into));
    }
}

/// Norms of the contribution's gradient into the predictions.
fn into(report: &grad::Report, term: &grad::TermGradients, weight: f64) -> Vec<loss::Into> {
    let predictions = term
        .gradients
        .iter()
        .filter(|g| PREDICTIONS.contains(&g.name.as_str()));
    let both = |g: &grad::Gradient| {
        let of = |who: &str, norm: Option<f64>| loss::Into {
            who: who.into(),
            tensor: g.name.clone(),
            norm: norm.map(|n| n * weight),
        };
        [
            of(&report.against, g.norm_reference),
            of(&report.who, g.norm_candidate),
        ]
    };
    predictions.flat_map(both).collect()
}

/// Tensors of the loss that are larger than its declared shapes can make them, on the candidate's side.
fn broadcasts(task: &Task) -> Vec<Finding> {
    let numel = |n: &str| {
        task.tensor(&task.layers.reference_outputs, n)
            .map_or(1, |t| t.numel())
    };
    let largest = ["pred_scores", "pred_distri", "assign.metric"]
        .map(numel)
        .into_iter()
        .max()
        .unwrap_or(0);
    let own = |r: &TensorResult| r.candidate_shape().unwrap_or_else(|| r.shape.clone());
    let region = task
        .tensors
        .iter()
        .filter(|r| task.regions.stage(r.step) == Stage::Loss);
    let flag = |r: &TensorResult| {
        let term = task
            .regions
            .terms(r.step)
            .first()
            .copied()
            .unwrap_or("total");
        cause::of_shape(&Shape {
            who: "candidate",
            tensor: &r.name,
            shape: &own(r),
            term,
            largest,
        })
    };
    region.filter_map(flag).collect()
}

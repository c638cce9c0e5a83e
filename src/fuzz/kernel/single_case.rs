//! single case: one case from its seed and number, and what the subject makes of it.

use super::oracle;
use super::response::Subject;
use super::wrong_number::{Judged, WrongNumber};
use crate::error::Error;
use crate::floor::noise::MOST_RUNS;
use crate::fuzz::tally::kind;
use crate::subject::kernels::draw::Case;
use crate::subject::kernels::relations::{Relation, Tensors};
use crate::subject::kernels::{Answer, Kernel};

/// A relation of whole images costs a walk of its own.
const SELDOM: u64 = 4;

/// What came of a case and of these relations of it; Err says why the reference refuses it.
pub fn asked(
    kernel: &Kernel,
    subject: &mut dyn Subject,
    case: &Case,
    relations: &[&Relation],
) -> Result<Judged, String> {
    asked_within(MOST_RUNS, kernel, subject, case, relations)
}

/// The same with at most so many runs with noise.
pub fn asked_within(
    runs: u32,
    kernel: &Kernel,
    subject: &mut dyn Subject,
    case: &Case,
    relations: &[&Relation],
) -> Result<Judged, String> {
    Ok(held(
        runs,
        kernel,
        subject,
        (case, &answered(kernel, case)?),
        relations,
    ))
}

/// What the reference says; Err says why it refuses the case.
pub fn answered(kernel: &Kernel, case: &Case) -> Result<Answer, String> {
    kernel
        .evaluate(&|n| case.inputs.get(n).cloned())
        .map_err(|e| kind(&e.message))
}

/// What the subject says, held against what the reference does.
pub fn held(
    runs: u32,
    kernel: &Kernel,
    subject: &mut dyn Subject,
    (case, reference): (&Case, &Answer),
    relations: &[&Relation],
) -> Judged {
    let came = said(runs, kernel, subject, case, reference).and_then(|(first, mut judged)| {
        for relation in relations {
            // What a tie decided the other way holds no relation.
            if judged.wrong.is_some() || judged.flips > 0 {
                break;
            }
            if let Some(tried) = relation.tried(kernel, subject, (case, &first), runs)? {
                judged.relations += 1;
                judged.compared += tried.compared;
                judged.wrong = tried.wrong;
            }
        }
        Ok(judged)
    });
    came.unwrap_or_else(|e| Judged {
        wrong: Some(refused(&e)),
        ..Judged::default()
    })
}

/// What the subject says, judged; rounding is measured only where something exceeds what f64 allows, and only as long as it does.
fn said(
    runs: u32,
    kernel: &Kernel,
    subject: &mut dyn Subject,
    case: &Case,
    reference: &Answer,
) -> crate::error::Result<(Tensors, Judged)> {
    let response = subject.answer(kernel, case, reference)?;
    let mut spread = subject.spread();
    let mut judged = oracle::judge(case, reference, &response, &spread);
    for run in 0..=runs {
        if judged.wrong.is_none() {
            break;
        }
        let Some(noisy) = subject.rounded(kernel, case, reference, run)? else {
            break;
        };
        spread.add(noisy);
        judged = oracle::judge(case, reference, &response, &spread);
    }
    Ok((response.tensors, judged))
}

fn refused(e: &Error) -> WrongNumber {
    WrongNumber {
        what: format!("refused: {}", e.message),
        index: 0,
        reference: 0.0,
        candidate: f64::NAN,
    }
}

/// The relation that is tried on case `number`: one after the other, as each costs another answer; on every [`SELDOM`]-th case where
/// cases do not share a walk.
pub fn due(kernel: &Kernel, number: u64) -> Vec<&'static Relation> {
    let all = kernel.relations;
    let every = if kernel.is_by_row() { 1 } else { SELDOM };
    let turn = number.is_multiple_of(every).then_some(number / every);
    let which = turn
        .and_then(|turn| turn.checked_rem(all.len() as u64))
        .map(|i| all[i as usize]);
    which.into_iter().collect()
}

/// What the subject gets wrong on a case, if anything.
///
/// # Errors
/// A case that the reference refuses.
pub fn replay(
    kernel: &Kernel,
    subject: &mut dyn Subject,
    case: &Case,
) -> crate::error::Result<Option<WrongNumber>> {
    let judged = asked(kernel, subject, case, kernel.relations)
        .map_err(|e| Error::usage(format!("kernel '{}' refuses the inputs: {e}", kernel.name)))?;
    Ok(judged.wrong)
}

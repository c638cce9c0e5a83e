//! third: a recording stands against libtorch and the f64 shadow, which share code: ONNX Runtime is asked what it makes of the node.

use super::isolated::{self, Own};
use super::sessions::Sessions;
use crate::graph::cut::Link;
use crate::scenario::Subject;
use crate::subject::{Engines, Session, open};
use crate::verdict::{Isolated, Side};

/// ONNX Runtime beside the two sides, opened once it is asked; where it cannot be, nobody is.
#[derive(Default)]
pub enum Third {
    #[default]
    Unasked,
    Open(Box<dyn Session>),
    Nobody,
}

/// `found` of output `output` of a step, the shadow at fault or not: where ONNX Runtime gives what f64 gives on the inputs `own` of the recording,
/// three opinions stand against the recording.
pub fn settled(
    sessions: &mut Sessions,
    (step, output): (usize, usize),
    own: &Own,
    found: Isolated,
) -> Isolated {
    let alone = match found.side() {
        Some(Side::ReferenceOrShadow) if !sessions.reference.can_isolate() => Side::Reference,
        Some(Side::CandidateOrShadow) if !sessions.candidate.can_isolate() => Side::Candidate,
        Some(_) | None => return found,
    };
    match agrees(sessions, (step, output), own) {
        Some(true) => found.on(alone),
        Some(false) | None => found,
    }
}

/// Whether ONNX Runtime gives what f64 gives; None where it cannot be asked.
fn agrees(sessions: &mut Sessions, (step, output): (usize, usize), own: &Own) -> Option<bool> {
    if let Third::Unasked = sessions.third {
        let subject = Subject::onnxruntime();
        sessions.third = open(
            &subject,
            sessions.graph,
            sessions.threads,
            Engines { torch: None },
        )
        .map_or(Third::Nobody, Third::Open);
    }
    let Third::Open(engine) = &mut sessions.third else {
        return None;
    };
    let outputs = engine
        .eval(sessions.graph, &[step], Link::Isolated, own.feed)
        .ok()?;
    let value = outputs.first()?.get(output)?.as_ref().ok()?;
    let judged = isolated::of_own(
        step,
        output,
        &Own { value, ..*own },
        &mut **sessions.judge.as_mut()?,
    )
    .ok()?;
    judged.compared().then(|| !judged.over())
}

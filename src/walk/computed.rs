//! computed: what both sides make of one piece of the graph, each of its own values; a step that one of them cannot compute is taken from the other.

use super::live_set::LiveSet;
use super::sessions::Sessions;
use crate::error::{Place, Result};
use crate::graph::cut::Link;
use crate::graph::random::is_random;
use crate::graph::{Graph, Step};
use crate::prepare::unsupported::SIDES;
use crate::subject::{Output, Session};

/// Outputs of a piece, per step.
pub type Piece = Vec<Vec<Output>>;

/// Outputs of a piece, and what did not repeat its bits.
type Asked = (Piece, Option<String>);

/// A piece as both sides have it.
pub struct Computed {
    pub reference: Piece,
    pub candidate: Piece,
    /// Whether it is drawn anew each time.
    pub drawn: bool,
    /// Whether a side goes on with the other one's outputs because it cannot compute them.
    pub lent: bool,
    /// Whether the candidate goes on with the reference's outputs, for whatever reason.
    pub taken: bool,
    /// What did not repeat its bits.
    pub repeat: Option<String>,
}

/// Both sides' outputs of a piece.
///
/// # Errors
/// What a live side says that refuses one of several steps: each is to be asked for alone then. Of one step alone the refusal is remembered, and
/// its outputs are the other side's. Whatever a recording says, and memory that runs out.
pub fn both(sessions: &mut Sessions, piece: &[usize], own: [&LiveSet; 2]) -> Result<Computed> {
    let lacks = sessions.unsupported.lent(piece);
    let drawn = piece
        .iter()
        .any(|i| is_random(sessions.graph, &sessions.graph.steps[*i]));
    let reference = if lacks && sessions.unsupported.reference {
        None
    } else {
        asked(sessions, 0, piece, own[0], drawn)?
    };
    // A live candidate goes on with the reference's draw, where that was recorded; a recording has gone on with its own.
    let whole = reference
        .as_ref()
        .is_some_and(|(r, _)| r.iter().flatten().all(Output::is_ok));
    let shares = drawn && sessions.candidate.can_isolate() && whole;
    let lends = lacks && !sessions.unsupported.reference;
    let candidate = if lends || shares {
        None
    } else {
        asked(sessions, 1, piece, own[1], drawn)?
    };
    let lent = lacks || piece.iter().any(|i| sessions.unsupported.refused(*i));
    let noise = |side: usize, of: &Option<Asked>| {
        Some(format!("{}: {}", SIDES[side], of.as_ref()?.1.as_ref()?))
    };
    let repeat = noise(0, &reference).or(noise(1, &candidate));
    let taken = reference.is_none() || candidate.is_none();
    let (reference, candidate) = match (reference.map(|r| r.0), candidate.map(|c| c.0)) {
        (Some(reference), Some(candidate)) => (reference, candidate),
        (Some(one), None) | (None, Some(one)) => (one.clone(), one),
        (None, None) => (nobody(sessions, piece), nobody(sessions, piece)),
    };
    Ok(Computed {
        reference,
        candidate,
        drawn,
        lent,
        taken,
        repeat,
    })
}

/// A piece that neither side computes.
fn nobody(sessions: &Sessions, piece: &[usize]) -> Piece {
    let none = |step: &usize| {
        let the_step = &sessions.graph.steps[*step];
        let says = match sessions.unsupported.first_refusal(*step) {
            Some(says) => format!("neither side computes it: {says}"),
            None => "neither side computes it".to_string(),
        };
        vec![Err(says); the_step.outputs.len()]
    };
    piece.iter().map(none).collect()
}

/// What the reference (0) or the candidate (1) makes of a piece, and what of it did not repeat; None where it refuses the one step that it is.
fn asked(
    sessions: &mut Sessions,
    side: usize,
    piece: &[usize],
    own: &LiveSet,
    drawn: bool,
) -> Result<Option<Asked>> {
    let graph = sessions.graph.clone();
    let session = if side == 0 {
        &mut *sessions.reference
    } else {
        &mut *sessions.candidate
    };
    let live = session.can_isolate();
    if let (true, [step]) = (live, piece)
        && let Some(lost) = missing(&graph, &graph.steps[*step], own)
    {
        let says = format!("it lies behind '{lost}', which neither side computes");
        return Ok(Some((
            vec![vec![Err(says); graph.steps[*step].outputs.len()]],
            None,
        )));
    }
    match (proved(session, &graph, piece, own, drawn), piece) {
        (Ok(outputs), _) => Ok(Some(outputs)),
        (Err(says), [step]) if live && !says.ran_out() => {
            sessions.unsupported.refuse(side, *step, says);
            Ok(None)
        }
        (Err(says), _) => Err(says).at(SIDES[side]),
    }
}

/// Runs a piece twice, unless it is `drawn` anew each time; the second value says what did not repeat.
fn proved(
    session: &mut dyn Session,
    graph: &Graph,
    piece: &[usize],
    own: &LiveSet,
    drawn: bool,
) -> Result<Asked> {
    let first = session.eval(graph, piece, Link::Connected, &|n| own.get(n))?;
    if drawn || !session.can_isolate() {
        return Ok((first, None));
    }
    let second = session.eval(graph, piece, Link::Connected, &|n| own.get(n))?;
    let differ = first
        .iter()
        .flatten()
        .zip(second.iter().flatten())
        .filter(|(a, b)| match (a, b) {
            (Ok(a), Ok(b)) => a.bytes() != b.bytes(),
            (a, b) => a.is_ok() != b.is_ok(),
        });
    let count = differ.count();
    let noise =
        (count > 0).then(|| format!("{count} tensors of this piece did not repeat their bits"));
    Ok((first, noise))
}

/// An input of the step that is not at hand.
pub fn missing<'g>(graph: &Graph, step: &'g Step, own: &LiveSet) -> Option<&'g str> {
    step.inputs
        .iter()
        .map(String::as_str)
        .find(|n| !own.has(n) && !graph.weights.contains_key(*n))
}

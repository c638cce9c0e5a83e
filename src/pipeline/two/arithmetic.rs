//! arithmetic: a live port that computes in f64, too: whether what it gives in its own dtype is that, but for rounding.

use super::judged;
use super::spread::Spread;
use crate::error::Result;
use crate::pairing::{Pair, Pairing};
use crate::program::Program;
use crate::text::number;
use crate::verdict::Isolated;
use crate::walk::function::{Side, between};
use crate::watch::Watch;

/// The first pair at which the port's own dtype gives something else than the other side on the port's values, and what is to be said of it.
///
/// # Errors
/// Memory that runs out.
pub fn lost(
    own: Program,
    (at, sides): (usize, &mut [&mut Side; 2]),
    pairing: &Pairing,
    spread: &Spread,
    seed: u64,
    watch: &mut dyn Watch,
) -> Result<Option<(Pair, String)>> {
    let dtype = own.dtype;
    let mut port = Side::recorded(own, sides[at].inputs.clone(), None)?;
    let [reference, candidate] = sides;
    let mut both = match at {
        0 => [&mut port, &mut **candidate],
        _ => [&mut **reference, &mut port],
    };
    let found = between(&mut both, pairing, seed, watch)?;
    let over = found.iter().find_map(|b| {
        let alone = judged::alone(Default::default(), b, spread);
        let over = alone.over();
        if let Isolated::Stretch { ratio, .. } = alone {
            over.then_some((b, ratio))
        } else {
            None
        }
    });
    Ok(over.map(|(b, ratio)| {
        let names = [&b.pair.reference, &b.pair.candidate];
        let says = format!(
            "the same function, in arithmetic that loses digits: in {dtype} the port is off by {} times its tolerance at '{}' alone",
            number(ratio),
            names[at]
        );
        (b.pair.clone(), says)
    }))
}

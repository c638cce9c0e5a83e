//! looks: what the first tensors of two programs look like that are off: the stretch alone where it was run, else both sides' own values.

use super::Compared;
use crate::compare::{LOOKS, Look, look};
use crate::verdict::{Origin, Verdict};

pub fn of(compared: &Compared, verdict: &Verdict) -> Vec<Look> {
    let seen = |o: &Origin| {
        let mut found = compared.found.iter();
        let between = found.find(|b| b.pair.reference == o.tensor)?;
        let (pair, alone) = (&between.pair, between.alone.as_ref());
        let own = [
            compared.reference.values.get(&pair.reference),
            compared.candidate.values.get(&pair.candidate),
        ];
        let [r, c] = match alone {
            Some(alone) => alone.held.each_ref().map(Some),
            None => own,
        };
        look(&o.tensor, r?.view(), c?.view(), alone.is_some())
    };
    verdict
        .origins
        .iter()
        .filter_map(seen)
        .take(LOOKS)
        .collect()
}

//! inputs: stage 0: both subjects are fed the same bits, or preprocessing is blamed first.

use crate::digest;
use crate::run::InputRecord;
use crate::subject::Session;
use crate::tensor::Tensor;
use indexmap::IndexMap;

/// Inputs with their digests.
pub fn records(inputs: &IndexMap<String, Tensor>) -> Vec<InputRecord> {
    let record = |(name, t): (&String, &Tensor)| InputRecord {
        name: name.clone(),
        dtype: t.dtype(),
        shape: t.shape().to_vec(),
        sha256: digest::of_tensor(t),
    };
    inputs.iter().map(record).collect()
}

/// How many inputs are known to be the same on both sides: fed to a live subject, or recorded with this digest.
pub fn proved(sessions: &[&dyn Session], records: &[InputRecord]) -> usize {
    let same = |s: &&dyn Session, r: &InputRecord| s.can_isolate() || s.recorded_inputs().get(&r.name).is_some_and(|d| *d == r.sha256);
    records.iter().filter(|r| sessions.iter().all(|s| same(s, r))).count()
}

/// What a recording was fed that this run is not.
pub fn mismatches(session: &dyn Session, records: &[InputRecord]) -> Vec<String> {
    let recorded = session.recorded_inputs();
    let differs = |r: &&InputRecord| recorded.get(&r.name).is_some_and(|digest| *digest != r.sha256);
    let say = |r: &InputRecord| format!("input '{}' is not the one that was recorded (sha256 {} here)", r.name, r.sha256);
    records.iter().filter(differs).map(say).collect()
}

//! difference: two goldens, tensor by tensor: new, gone, the same bits, or how far apart. What only sketches tell says so.

use super::estimate::{self, Seen};
use super::{Golden, Held, Value};
use crate::compare::{Comparison, compare};
use crate::error::{Place, Result};
use crate::params::{self, decompose};
use crate::tensor::{DType, Tensor};

/// What changes from the present golden to a proposal.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Facts that change: which, before, after.
    pub facts: Vec<(String, String, String)>,
    pub rows: Vec<Row>,
    /// None where one side lists no parameters.
    pub parameters: Option<params::Difference>,
}

/// One tensor of either side, in the order of the new golden; what is gone comes last.
#[derive(Clone, Debug)]
pub struct Row {
    pub name: String,
    pub dtype: DType,
    pub shape: Vec<usize>,
    pub stored: &'static str,
    pub status: Status,
}

/// How a tensor of the new golden relates to the present one.
#[derive(Clone, Debug)]
pub enum Status {
    New,
    Gone,
    /// Equal dtype, shape and SHA-256, however it is kept.
    Same,
    /// Both sides are there in full.
    Differs(Comparison),
    /// At least one side is a sketch.
    DiffersBySketch(Seen),
}

impl Status {
    pub fn name(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Gone => "gone",
            Self::Same => "same",
            Self::Differs(_) | Self::DiffersBySketch(_) => "differs",
        }
    }
}

/// The difference from `present`, None where there is none yet, to `new`.
pub fn between(present: Option<&Golden>, new: &Golden) -> Result<Difference> {
    let before = |name: &str| present.and_then(|g| g.tensors.get(name));
    let row = |name: &str, held: &Held, status| Row {
        name: name.to_string(),
        dtype: held.value.dtype(),
        shape: held.value.shape().to_vec(),
        stored: held.value.stored(),
        status,
    };
    let mut rows = Vec::new();
    for (name, held) in &new.tensors {
        let status = before(name)
            .map_or(Ok(Status::New), |old| one(old, held))
            .at(format!("tensor '{name}'"))?;
        rows.push(row(name, held, status));
    }
    let gone = present
        .into_iter()
        .flat_map(|g| &g.tensors)
        .filter(|(name, _)| !new.tensors.contains_key(*name));
    rows.extend(gone.map(|(name, held)| row(name, held, Status::Gone)));
    let parameters = match (present.and_then(|g| g.parameters.as_ref()), &new.parameters) {
        (Some(a), Some(b)) => Some(decompose::difference(a, b, &[])?),
        _ => None,
    };
    Ok(Difference {
        facts: present.map_or(vec![], |old| facts(old, new)),
        rows,
        parameters,
    })
}

/// Holds a tensor against what a golden keeps of it.
pub fn against(held: &Held, tensor: &Tensor, settings: super::sketch::Settings) -> Result<Status> {
    one(
        held,
        &super::record::held(
            "",
            tensor.clone(),
            None,
            &super::record::Rule {
                full: usize::MAX,
                whole: vec![],
                settings,
            },
        ),
    )
}

fn one(old: &Held, new: &Held) -> Result<Status> {
    let same = (old.value.dtype(), old.value.shape(), &old.sha256)
        == (new.value.dtype(), new.value.shape(), &new.sha256);
    Ok(match (&old.value, &new.value) {
        _ if same => Status::Same,
        (Value::Full(a), Value::Full(b)) => Status::Differs(compare(a.view(), b.view(), None)),
        (Value::Sketch(a), Value::Full(b)) => {
            Status::DiffersBySketch(estimate::against(a, b.view()))
        }
        (Value::Full(a), Value::Sketch(b)) => Status::DiffersBySketch(estimate::between(
            &super::sketch::of(a.view(), b.settings),
            b,
        )?),
        (Value::Sketch(a), Value::Sketch(b)) => Status::DiffersBySketch(estimate::between(a, b)?),
    })
}

/// The facts that differ, each as it is written.
fn facts(old: &Golden, new: &Golden) -> Vec<(String, String, String)> {
    let (a, b) = (&old.facts, &new.facts);
    let shown = |value: &dyn std::fmt::Debug| format!("{value:?}");
    let mut rows = vec![
        ("scenario", shown(&a.scenario), shown(&b.scenario)),
        ("subject", shown(&a.subject), shown(&b.subject)),
        ("command", shown(&a.command), shown(&b.command)),
        ("versions", shown(&a.versions), shown(&b.versions)),
        ("threads", shown(&a.threads), shown(&b.threads)),
        ("seed", shown(&a.seed), shown(&b.seed)),
        ("inputs", shown(&a.inputs), shown(&b.inputs)),
        ("model", shown(&a.model), shown(&b.model)),
        ("sketch", shown(&old.settings), shown(&new.settings)),
    ];
    let listed = |g: &Golden| {
        g.parameters
            .as_ref()
            .map_or("not listed".to_string(), |p| format!("{} listed", p.len()))
    };
    if old.parameters.is_some() != new.parameters.is_some() {
        rows.push(("parameters", listed(old), listed(new)));
    }
    rows.into_iter()
        .filter(|(_, a, b)| a != b)
        .map(|(what, a, b)| (what.to_string(), a, b))
        .collect()
}

impl Difference {
    /// Nothing that a comparison would look at changes.
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
            && self.rows.iter().all(|r| matches!(r.status, Status::Same))
            && self.parameters.as_ref().is_none_or(|p| p.equal())
    }
}

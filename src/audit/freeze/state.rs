//! state: what is known of each parameter of a training.

use crate::audit::SHOWN;
use crate::audit::weights::names_it;
use crate::params::module;
use crate::params::names::{Role, role};
use crate::text::number;
use indexmap::IndexMap;

/// All parameters and statistics of a model, in its order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    pub params: Vec<Parameter>,
    /// What is meant to be frozen.
    pub frozen: Vec<String>,
    /// Whether there is an optimiser whose numbers could be given names; else why not.
    pub optimizer: Optimizer,
    /// Modules of norms in inference mode, and whether any is in training mode; None where the file does not say.
    pub modes: Option<Modes>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub enum Optimizer {
    /// The file has none.
    #[default]
    None,
    /// Every number has a name.
    Named,
    Unnamed(String),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Modes {
    pub inference: Vec<String>,
    pub any_trains: bool,
}

/// One tensor; what is None is not known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameter {
    pub name: String,
    pub shape: Vec<usize>,
    pub elements: u64,
    pub requires_grad: Option<bool>,
    pub group: Option<Group>,
    /// Bytes that the optimiser keeps of it.
    pub kept: Option<u64>,
    /// Norm of its gradient.
    pub gradient: Option<f64>,
    /// ‖now − first‖ / ‖first‖.
    pub moved: Option<f64>,
    /// It holds 0, 1, 2, …: a projection that nobody trains.
    pub is_projection: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Group {
    pub at: usize,
    pub lr: Option<f64>,
    pub weight_decay: Option<f64>,
}

impl Parameter {
    pub fn is_statistic(&self) -> bool {
        matches!(
            role(&self.name),
            Role::Mean | Role::Variance | Role::Counter
        )
    }
}

impl State {
    pub fn is_meant_frozen(&self, name: &str) -> bool {
        self.frozen.iter().any(|f| names_it(f, name))
    }

    /// A name among what is frozen that nothing has.
    pub fn unused(&self) -> Option<&String> {
        let mut all = self.frozen.iter();
        all.find(|f| !self.params.iter().any(|p| names_it(f, &p.name)))
    }

    /// Parameters proper.
    pub fn trained(&self) -> impl Iterator<Item = &Parameter> {
        self.params.iter().filter(|p| !p.is_statistic())
    }

    /// Whether the file says which parameters ask for a gradient: one that was saved as an average says no of all of them.
    pub fn says_what_trains(&self) -> bool {
        self.trained().any(|p| p.requires_grad == Some(true))
    }

    /// One row for each module.
    pub fn table(&self) -> Vec<Vec<String>> {
        let mut by: IndexMap<&str, Vec<&Parameter>> = IndexMap::new();
        for param in self.trained() {
            by.entry(module(&param.name)).or_default().push(param);
        }
        by.into_iter().map(row).collect()
    }
}

pub const COLUMNS: [&str; 7] = [
    "module",
    "parameters",
    "ask for a gradient",
    "learning rate",
    "weight decay",
    "gradient",
    "moved",
];

fn row((place, own): (&str, Vec<&Parameter>)) -> Vec<String> {
    let sum = |all: &mut dyn Iterator<Item = &&Parameter>| all.map(|p| p.elements).sum::<u64>();
    let unknown = || "?".to_string();
    let trains = own.iter().all(|p| p.requires_grad.is_some());
    let asked = sum(&mut own.iter().filter(|p| p.requires_grad == Some(true)));
    let rates = |rate: fn(&Group) -> Option<f64>| {
        let mut all: Vec<String> = own
            .iter()
            .filter_map(|p| p.group.as_ref().and_then(rate).map(number))
            .collect();
        all.sort();
        all.dedup();
        if all.is_empty() {
            unknown()
        } else {
            all.join(", ")
        }
    };
    let norm = |value: fn(&Parameter) -> Option<f64>| {
        let all: Option<Vec<f64>> = own.iter().map(|p| value(p)).collect();
        all.map_or_else(unknown, |all| {
            number(all.iter().map(|v| v * v).sum::<f64>().sqrt())
        })
    };
    let largest = own.iter().map(|p| p.moved).collect::<Option<Vec<_>>>();
    vec![
        place.to_string(),
        sum(&mut own.iter()).to_string(),
        if trains { asked.to_string() } else { unknown() },
        rates(|g| g.lr),
        rates(|g| g.weight_decay),
        norm(|p| p.gradient),
        largest.map_or_else(unknown, |all| number(all.into_iter().fold(0.0, f64::max))),
    ]
}

/// Some of many, by name and size, and how many more there are.
pub fn named(all: &[&Parameter]) -> Vec<String> {
    let shown = all.iter().take(SHOWN);
    let mut lines: Vec<String> = shown
        .map(|p| format!("'{}' {:?}", p.name, p.shape))
        .collect();
    let more = all.len().saturating_sub(SHOWN);
    lines.extend((more > 0).then(|| format!("and {more} more")));
    lines
}

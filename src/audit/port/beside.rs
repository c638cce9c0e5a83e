//! beside: a port of the same network that is known to train: what it does in the same places.

use super::Port as Asked;
use super::edges::{self, Edge};
use super::forward::{self, Form, Tried};
use super::session::Session;
use super::terms;
use super::train::{self, Run};
use crate::error::Result;
use crate::verdict::Finding;
use crate::watch::Watch;

/// What the reference gave.
#[derive(Debug, Default)]
pub struct Beside {
    pub tried: Vec<Tried>,
    pub runs: Vec<Run>,
}

impl Beside {
    /// # Errors
    /// A port that is gone.
    pub fn of(other: &mut Session, asked: &Asked, watch: &mut dyn Watch) -> Result<Self> {
        let Some(batch) = other.batch() else {
            return Ok(Self::default());
        };
        // What is empty or ignored is called as the audited port calls it.
        let asked = Asked {
            empty: vec![],
            ..asked.clone()
        };
        let edges = edges::of(&batch, other, &asked)?;
        let tried = forward::tried(other, &edges.cases, watch)?;
        let runs = match asked.inference {
            true => vec![],
            false => train::runs(other, &batch, (&asked.rates(), asked.steps()), watch)?,
        };
        Ok(Self { tried, runs })
    }

    /// Whether it fails or gives no numbers there, too.
    pub fn fails(&self, edge: Edge, form: Form) -> bool {
        let mut all = self
            .tried
            .iter()
            .filter(|t| (t.edge, t.form) == (edge, form));
        all.any(|t| t.made.as_ref().map_or(true, |m| !m.broken.is_empty()))
    }

    /// Whether its term of that name does the same.
    pub fn has(&self, found: &Finding) -> bool {
        terms::one(&found.place, &self.runs).is_some_and(|own| own.kind == found.kind)
    }
}

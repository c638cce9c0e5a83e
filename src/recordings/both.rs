//! both: two recordings with the names that a training step has in either, and how far their numbers may be apart.

use super::Mode;
use super::forms::as_reference;
use super::pair::floor_of;
use crate::compare::Tolerance;
use crate::floor::Family;
use crate::floor::noise::R;
use crate::scenario::Training;
use crate::tensor::Tensor;
use crate::trace::Entry;
use crate::trace::file::Opened;
use std::collections::BTreeMap;

/// Two recordings.
pub struct Both<'a> {
    pub reference: &'a Opened,
    pub candidate: &'a Opened,
    /// Tensor of the reference -> its name in the candidate.
    rename: &'a BTreeMap<String, String>,
    pub training: Option<&'a Training>,
    pub mode: Mode,
}

/// How far a number of a tensor may be off, by its size.
pub type Moves<'a> = Box<dyn Fn(f64) -> f64 + 'a>;

/// Roundings of a metric s^α · u^β: the four sides, areas, their sum and the division of u, times β, and the powers.
const ROUNDINGS: usize = 64;

impl<'a> Both<'a> {
    pub fn new(
        reference: &'a Opened,
        candidate: &'a Opened,
        rename: &'a BTreeMap<String, String>,
        training: Option<&'a Training>,
        mode: Mode,
    ) -> Self {
        Self {
            reference,
            candidate,
            rename,
            training,
            mode,
        }
    }

    /// What the candidate calls the reference's tensor `name`.
    pub fn theirs<'n>(&'n self, name: &'n str) -> &'n str {
        self.rename.get(name).map_or(name, String::as_str)
    }

    /// What the reference calls the tensor of this standard name.
    pub fn ours<'n>(&'n self, standard: &'n str) -> &'n str {
        self.training.map_or(standard, |t| t.name(standard))
    }

    /// The standard name of the reference's tensor `name`, where it has one.
    pub fn standard<'n>(&'n self, name: &'n str) -> &'n str {
        let mut renamed = self.training.iter().flat_map(|t| &t.rename);
        renamed
            .find(|(_, own)| *own == name)
            .map_or(name, |(standard, _)| standard)
    }

    /// What the header says of a tensor of side 0, the reference, or 1.
    pub fn entry(&self, side: usize, name: &str) -> Option<&'a Entry> {
        self.side(side).header.as_ref()?.tensors.get(name)
    }

    fn side(&self, side: usize) -> &'a Opened {
        [self.reference, self.candidate][side]
    }

    /// The tensor of this standard name, the candidate's in the reference's form. What cannot be read was an error before.
    pub fn tensor(&self, side: usize, standard: &str) -> Option<Tensor> {
        let ours = self.ours(standard);
        let name = [ours, self.theirs(ours)][side];
        let own = self.side(side).tensor(name).ok().flatten()?;
        if side == 0 {
            return Some(own);
        }
        let same = self
            .tensor(0, standard)
            .and_then(|r| as_reference(standard, &r, &own));
        Some(same.map_or(own, |(same, _)| same))
    }

    /// One number of this standard name.
    pub fn number(&self, side: usize, standard: &str) -> Option<f64> {
        let t = self.tensor(side, standard).filter(|t| t.numel() == 1)?;
        t.to_f64().first().copied()
    }

    /// The reference's tensors that begin so, in the order in which they were recorded, by standard name.
    pub fn beginning(&self, with: &str) -> Vec<String> {
        let all = self.reference.ordered().into_iter();
        let all = all.map(|n| self.standard(n).to_string());
        all.filter(|n| n.starts_with(with)).collect()
    }

    /// Whether the candidate lists a parameter of this name.
    pub fn lists(&self, parameter: &str) -> bool {
        let mut all = self.candidate.parameters.iter().flatten();
        all.any(|p| p.name == parameter)
    }

    /// By how much a number of the tensor of this standard name may be off; None where nothing was recorded or stated for it.
    pub fn moves(&self, standard: &str) -> Option<Moves<'a>> {
        let name = self.ours(standard);
        let own = self.tensor(0, standard)?;
        match self.mode {
            Mode::ReportOnly => None,
            Mode::Stated(tolerance) => Some(stated(tolerance, own.dtype().unit_roundoff())),
            Mode::Floors => {
                let entries = [self.entry(0, name), self.entry(1, self.theirs(name))];
                let (floor, _) = floor_of(entries[0], entries[1], &own).ok()?;
                let larger = |most: f64, v: &f64| if *v > most { *v } else { most };
                let widest = floor.max.iter().fold(0.0, larger);
                Some(Box::new(move |_| R * widest))
            }
        }
    }

    /// The same of what an assignment is decided by, of which at least its own rounding is known.
    pub fn moves_decided(&self, standard: &str) -> Moves<'a> {
        let unit = |t: Tensor| t.dtype().unit_roundoff();
        let unit = [standard, "pred_scores"]
            .into_iter()
            .find_map(|n| self.tensor(0, n))
            .map_or(0.0, unit);
        let rounding = Family::Arithmetic.allowed(ROUNDINGS) * unit;
        self.moves(standard)
            .unwrap_or_else(|| Box::new(move |v: f64| rounding * v.abs()))
    }
}

fn stated<'a>(tolerance: Tolerance, unit: f64) -> Moves<'a> {
    match tolerance {
        Tolerance::Exact => Box::new(|_| 0.0),
        Tolerance::Flat { atol, rtol } => Box::new(move |v| atol + rtol * v.abs()),
        // An ulp is two roundings.
        Tolerance::Ulp(n) => Box::new(move |v| 2.0 * unit * n as f64 * v.abs()),
    }
}

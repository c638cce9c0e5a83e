//! third: a kernel asked for its opinion on each recording's own predictions and ground truth; where it is of another configuration it blames nobody.

use super::both::Both;
use crate::error::{Error, Result};
use crate::judge::stage::assign::{Assigned, Difference, Ties, difference};
use crate::kernel::assign::{Assignment, Trail};
use crate::kernel::loss::Weighted;
use crate::scenario::Training;
use crate::scenario::training::raw;
use crate::subject::kernels::training::{self as kernel, Evaluated};
use crate::verdict::Finding;

/// What both sides are called.
pub const WHO: [&str; 2] = ["reference", "candidate"];

/// What the kernel makes of either recording's inputs, or why it makes nothing of them.
pub struct Third<'a> {
    pub name: &'a str,
    pub terms: Vec<Weighted>,
    pub of: [std::result::Result<Evaluated, String>; 2],
}

impl<'a> Third<'a> {
    /// None where no kernel is named.
    ///
    /// # Errors
    /// An unknown kernel.
    pub fn asked(both: &Both<'a>) -> Result<Option<Self>> {
        let Some(training) = both.training else {
            return Ok(None);
        };
        let terms = kernel::find(&training.kernel)?.weighted(training)?;
        let opinion = |side: usize| {
            let image = image(both, training, side)?;
            kernel::evaluate(training, image, &|n| both.tensor(side, n))
        };
        Ok(Some(Self {
            name: &training.kernel,
            terms,
            of: [0, 1].map(|side| opinion(side).map_err(|e| e.message)),
        }))
    }

    /// Objects of each image, where either side's ground truth was read.
    pub fn objects(&self) -> Option<&[usize]> {
        let read = self.of.iter().find_map(|of| of.as_ref().ok());
        read.map(|kernel| kernel.counts.as_slice())
    }

    /// The assignment of side `side` against what the kernel makes of its own predictions.
    pub fn held(&self, both: &Both, side: usize, own: &Assigned) -> Option<Difference> {
        let judges = &self.of[side].as_ref().ok()?.assignments;
        let ties = Ties {
            metric: moved(both, "assign.metric", judges, |t| &t.metric),
            overlap: moved(both, "assign.overlap", judges, |t| &t.overlap),
            scores: None,
        };
        let kernel = Assigned::of(judges);
        Some(difference(WHO[side], "kernel", own, &kernel, judges, &ties))
    }

    /// The value of a raw term on the inputs of side `side`.
    pub fn term(&self, side: usize, term: &str) -> Option<f64> {
        let tensors = &self.of[side].as_ref().ok()?.tensors;
        tensors.get(&raw(term))?.to_f64().first().copied()
    }

    /// Targets of either side that its bins cut off.
    pub fn cut_off(&self) -> Vec<Finding> {
        let both = WHO.into_iter().zip(&self.of);
        both.filter_map(|(who, of)| of.as_ref().ok()?.cut_off(who))
            .collect()
    }

    /// Why it says nothing of a side, or of neither.
    pub fn silent(&self) -> Vec<(&'static str, &str)> {
        let both = WHO.into_iter().zip(&self.of);
        both.filter_map(|(who, of)| Some((who, of.as_ref().err()?.as_str())))
            .collect()
    }
}

/// By image and object, by how much the largest of its numbers may be moved.
fn moved(both: &Both, name: &str, judges: &[Assignment], of: fn(&Trail) -> &Vec<f64>) -> Vec<f64> {
    let moves = both.moves_decided(name);
    let larger = |most: f64, v: &f64| if *v > most { *v } else { most };
    let rows = judges.iter().flat_map(|a| &a.trails);
    rows.map(|t| moves(of(t).iter().fold(0.0, larger)))
        .collect()
}

/// Height and width of the images, stated or recorded.
pub fn image(both: &Both, training: &Training, side: usize) -> Result<[usize; 2]> {
    let recorded = || match both.tensor(side, "images")?.shape() {
        [_, _, h, w] => Some([*h, *w]),
        _ => None,
    };
    training.image.or_else(recorded).ok_or_else(|| {
        Error::usage("nothing says how large the images are").next("state image = [HEIGHT, WIDTH]")
    })
}

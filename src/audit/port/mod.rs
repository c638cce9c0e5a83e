//! port: a live port without a reference beside it: whether it runs at the edges, whether what trains is trained, and whether it can learn one image by heart.

mod assigner;
mod beside;
mod edges;
mod forward;
mod gradients;
mod kernel;
mod learns;
mod outputs;
mod session;
mod terms;
mod train;

use super::{Asked, Audited, below};
use crate::error::{Error, Result};
use crate::port::{Launch, Port as Live};
use crate::scenario::ANSWER;
use crate::verdict::{Finding, Severity};
use crate::watch::Watch;
use beside::Beside;
use serde::Deserialize;
use session::Session;
use std::path::{Path, PathBuf};
use std::time::Duration;
use train::Run;

/// Steps of a training, and what the port's own learning rate is multiplied by, where nothing else is said.
const STEPS: usize = 50;
const RATES: [f64; 3] = [1.0, 0.1, 10.0];

#[derive(Clone, Debug, Default, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// Port file (net.py), or an executable that speaks the worker protocol (docs/PORT.md)
    #[arg(value_name = "PORT")]
    pub port: PathBuf,
    /// Another port of the same network, which is known to train: what it does too is no fault, and how far its loss falls is what is wanted
    #[arg(long, value_name = "PORT")]
    #[serde(default)]
    pub reference: Option<PathBuf>,
    /// Python that runs a port file, of several the first that has what the file imports
    #[arg(long, value_name = "PYTHON")]
    #[serde(default)]
    pub python: Vec<PathBuf>,
    /// One answer may take this long; 300 seconds where not stated
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    #[serde(default)]
    pub port_limit: Option<u64>,
    /// The port has no training: only how it runs is looked at
    #[arg(long)]
    #[serde(default)]
    pub inference: bool,
    /// Steps of each training; 50 where not stated
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..=10_000))]
    #[serde(default)]
    pub steps: Option<u64>,
    /// Multiple of the port's own learning rate that is tried, several times for several; 1, 0.1 and 10 where none is stated
    #[arg(long, value_name = "TIMES", allow_negative_numbers = true)]
    #[serde(default)]
    pub rate: Vec<f64>,
    /// Loss term that may be 0 throughout, such as that of a distribution in a network without one ('*' matches any text)
    #[arg(long, value_name = "TERM")]
    #[serde(default)]
    pub may_be_zero: Vec<String>,
    /// Parameters that are meant to be frozen: a name, or what it begins with ('*' matches any text)
    #[arg(long, value_name = "NAME")]
    #[serde(default)]
    pub frozen: Vec<String>,
    /// What a target holds where there is no object: NAME=VALUE; boxes (floats, the last axis 4 to 6) hold 0 where nothing is stated
    #[arg(long, value_name = "NAME=VALUE")]
    #[serde(default)]
    pub empty: Vec<String>,
    /// The label that the loss ignores, of a target of labels for each pixel or token
    #[arg(long, value_name = "LABEL", allow_hyphen_values = true)]
    #[serde(default)]
    pub ignore: Option<i64>,
    /// Built-in kernel that the port's assigner is held against: parity list kernels
    #[arg(long, value_name = "KERNEL")]
    #[serde(default)]
    pub assigner: Option<String>,
    /// Seed of what the port draws while it is built
    #[arg(long, value_name = "N", default_value_t = 0)]
    #[serde(default)]
    pub seed: u64,
}

impl Asked for Port {
    fn name(&self) -> &'static str {
        "port"
    }

    fn within(&mut self, folder: &Path) {
        below(
            folder,
            std::iter::once(&mut self.port).chain(&mut self.reference),
        );
    }

    fn run(&self, watch: &mut dyn Watch) -> Result<Audited> {
        self.check()?;
        let mut audited = Audited::of("port").subject("port", &self.port);
        let mut own = self.session(&self.port)?;
        let other = match &self.reference {
            None => None,
            Some(path) => {
                audited = audited.subject("reference", path);
                let mut other = self.session(path)?;
                other.feed_as(&own)?;
                Some(Beside::of(&mut other, self, watch)?)
            }
        };
        let audited = self.looked(audited, &mut own, other.as_ref(), watch)?;
        own.shutdown().map(|()| audited)
    }
}

impl Port {
    /// What the types cannot say.
    fn check(&self) -> Result<()> {
        if let Some(odd) = self.rate.iter().find(|r| !(**r > 0.0 && r.is_finite())) {
            return Err(Error::usage(format!(
                "--rate {odd}: a learning rate is times a number above 0"
            ))
            .next("--rate 1 --rate 0.1 tries the port's own and a tenth of it"));
        }
        if self.steps.is_some_and(|n| !(2..=10_000).contains(&n)) {
            return Err(Error::usage("steps is not between 2 and 10000"));
        }
        if let Some(name) = &self.assigner {
            crate::subject::kernels::find(name)?;
        }
        Ok(())
    }

    fn session(&self, path: &Path) -> Result<Session> {
        let mut launch = Launch::file(path, &self.python)?;
        launch.seed = self.seed;
        let limit = Duration::from_secs(self.port_limit.unwrap_or(ANSWER));
        Session::of(Live::start(&launch, limit)?, &path.display().to_string())
    }

    fn rates(&self) -> Vec<f64> {
        match self.rate.is_empty() {
            true => RATES.to_vec(),
            false => self.rate.clone(),
        }
    }

    fn steps(&self) -> usize {
        self.steps.map_or(STEPS, |n| n as usize)
    }

    /// Everything that is asked of the port, in the order in which a port breaks.
    fn looked(
        &self,
        audited: Audited,
        own: &mut Session,
        other: Option<&Beside>,
        watch: &mut dyn Watch,
    ) -> Result<Audited> {
        let Some(batch) = own.batch() else {
            return Ok(audited.found([no_inputs(own)]));
        };
        let edges = edges::of(&batch, own, self)?;
        let tried = forward::tried(own, &edges.cases, watch)?;
        let mut audited = audited
            .found(forward::findings(&tried, other))
            .found(edges.untried)
            .table("outputs", &outputs::COLUMNS, outputs::table(&tried));
        if self.inference {
            return Ok(audited.found(outputs::findings(&tried, None)));
        }
        let runs = train::runs(own, &batch, (&self.rates(), self.steps()), watch)?;
        let behind = forward::after(own, &batch, &runs)?;
        audited = audited
            .found(outputs::findings(&tried, behind.as_ref()))
            .found(assigner::findings(own, &batch, self)?);
        Ok(match runs.is_empty() {
            true => audited.found([untrained(own)]),
            false => self.trained(audited, own, &runs, other),
        })
    }

    fn trained(
        &self,
        audited: Audited,
        own: &Session,
        runs: &[Run],
        other: Option<&Beside>,
    ) -> Audited {
        let mut audited = audited
            .found(gradients::findings(&own.parameters, runs, &self.frozen))
            .found(terms::findings(runs, &self.may_be_zero, other))
            .found(learns::findings(runs, other));
        audited.tables.push(learns::table(runs, other));
        audited
    }
}

fn no_inputs(own: &Session) -> Finding {
    let what = "nothing could be run: the port has no inputs()";
    Finding::new("not_tried", &own.name, what)
        .next(["have inputs() return example inputs (docs/PORT.md)".to_string()])
        .severity(Severity::Unjudged)
}

/// A port that cannot train, and nobody said that it need not.
fn untrained(own: &Session) -> Finding {
    let lacks = own.lacks_of_training();
    let what = format!("whether it trains could not be checked: the port does not declare {lacks}");
    let next = "give it targets(), losses() and optimizer() (docs/PORT.md), or say --inference where it has no training";
    Finding::new("not_trained", &own.name, what)
        .next([next.to_string()])
        .severity(Severity::Unjudged)
}

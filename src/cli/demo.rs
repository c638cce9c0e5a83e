//! demo: `parity demo`: a small network ported with one mistake, found and explained; its files are inside this executable, nothing is fetched.

use super::{args, engine, look, reports, say, tell, watch};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::pipeline;
use crate::run::Run;
use crate::scenario::{Scenario, Subject, load};
use crate::subject::Engines;
use std::path::Path;

const MODEL: &[u8] = include_bytes!("../../golden/small/classifier.onnx");
const SCENARIO: &str = include_str!("../../scenarios/control/transpose-weight-gemm.toml");

const BEFORE: &str = "\
demo        a classifier in ONNX, and a port of it in libtorch with one mistake: the weight of 'dense2' was copied without the transposition that the \
other framework wants. It is square, so nothing complains. parity is told neither that there is a mistake nor where:

";

const AFTER: &str = "
how to read it
  DIVERGE     the first place where the port stops being the same network; what was compared before it agrees
  isolated    this node alone, fed the reference's own values: it is itself at fault, not what it was given
  accumulated what the difference has grown to when each side goes on with its own values
  bound       what rounding alone may do there, worked out from the operator and the values: nobody guessed a tolerance
";

const NEXT: &str = "
next        parity run model.onnx               your own graph in both engines
            parity run net.py model.onnx        your PyTorch module against its export (README.md says what net.py is)
            parity init net.py model.onnx       the same, kept as a scenario for parity test
";

pub fn command(args: &args::Demo, engines: Engines) -> Result<Exit> {
    if engines.torch.is_none() {
        return engine::hand_over();
    }
    let failed = |e: std::io::Error| Error::failed(format!("a folder for the demo: {e}"));
    let folder = tempfile::tempdir().map_err(failed)?;
    let wrong = scenario(folder.path())?;
    let found = pipeline::run(&wrong, engines, &mut watch::Bar::new(), None)?;
    if args.json {
        reports::show(&found, "json", &[])?;
        return Ok(found.expectation.exit);
    }
    let right = Scenario {
        candidate: Subject::libtorch(),
        expect: Default::default(),
        ..wrong
    };
    let clean = pipeline::run(&right, engines, &mut watch::Bar::new(), None)?;
    told(&found, &clean)?;
    Ok(found.expectation.exit.or_worse(clean.expectation.exit))
}

/// The scenario, with its model in `folder`.
fn scenario(folder: &Path) -> Result<Scenario> {
    let model = folder.join("classifier.onnx");
    std::fs::write(&model, MODEL)
        .map_err(|e| Error::failed(format!("{}: {e}", model.display())))?;
    Ok(Scenario {
        model,
        ..load::parse(SCENARIO)?
    })
}

fn told(found: &Run, clean: &Run) -> Result<()> {
    if look::now().quiet {
        return reports::show(found, "terminal", &[]);
    }
    tell(BEFORE)?;
    reports::show(found, "terminal", &[])?;
    tell(AFTER)?;
    tell("\nthe control: the same port without the mistake\n")?;
    tell(&format!("{}\n", crate::report::verdict(clean)))?;
    say(NEXT)
}

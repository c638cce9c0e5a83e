//! conformance: `parity conformance`: every case of the ONNX node tests in both engines, each in a process that may crash or hang.

use super::{args, engine, say};
use crate::conformance::judge::{self, Allowed};
use crate::conformance::{CaseResult, Controls, Engine, Outcome, case, summary};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::graph::load;
use crate::report;
use crate::scenario::Optimisation;
use crate::subject::{self, Engines, Options};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// What a worker is asked for, and answers with an `Outcome`: one JSON line each.
#[derive(Serialize, Deserialize)]
struct Ask {
    engine: Engine,
    case: String,
}

pub fn command(args: &args::Conformance, engines: Engines) -> Result<Exit> {
    if engines.torch.is_none() {
        return engine::hand_over();
    }
    if args.worker {
        return work(&args.folder, engines);
    }
    let names = case::list(&args.folder)?;
    let chosen: Vec<&String> = names
        .iter()
        .filter(|n| args.only.as_ref().is_none_or(|o| n.contains(o)))
        .step_by(args.every.max(1))
        .collect();
    let mut worker = Worker {
        folder: &args.folder,
        limit: Duration::from_secs(args.limit),
        live: None,
    };
    let results = chosen
        .iter()
        .enumerate()
        .map(|(i, n)| one(&mut worker, n, i % 10 == 0))
        .collect::<Result<Vec<_>>>()?;
    let controls = summary::controls(&results);
    say(&if args.json {
        report::to_json(&results)?
    } else {
        summary::markdown(&results)
    })?;
    if controls.missed > 0 {
        return Ok(Exit::Diverge);
    }
    Ok(if results.is_empty() {
        Exit::Uncovered
    } else {
        Exit::Agree
    })
}

fn one(worker: &mut Worker, name: &str, control: bool) -> Result<CaseResult> {
    let (operator, common) = case::about(worker.folder, name)?;
    let controls = match control {
        true => case::read(&worker.folder.join(name)).map_or(Controls::default(), |c| {
            judge::controls(&c.sets[0].outputs, allowed(&c))
        }),
        false => Controls::default(),
    };
    let mut ask = |engine| {
        worker.ask(&Ask {
            engine,
            case: name.to_string(),
        })
    };
    let (libtorch, onnxruntime) = (ask(Engine::Libtorch)?, ask(Engine::Onnxruntime)?);
    Ok(CaseResult {
        name: name.to_string(),
        operator,
        common,
        libtorch,
        onnxruntime,
        controls,
    })
}

fn allowed(case: &case::Case) -> Allowed {
    Allowed {
        rtol: case.rtol,
        atol: case.atol,
    }
}

/// Answers until nothing more is asked.
fn work(folder: &Path, engines: Engines) -> Result<Exit> {
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|e| Error::failed(format!("stdin: {e}")))?;
        let ask: Ask = serde_json::from_str(&line)
            .map_err(|e| Error::usage(format!("a worker was asked '{line}': {e}")))?;
        let outcome = answer(&folder.join(&ask.case), ask.engine, engines)
            .unwrap_or_else(|e| Outcome::Unsupported(e.message));
        let text =
            serde_json::to_string(&outcome).map_err(|e| Error::failed(format!("JSON: {e}")))?;
        say(&(text + "\n"))?;
        std::io::stdout()
            .flush()
            .map_err(|e| Error::failed(format!("stdout: {e}")))?;
    }
    Ok(Exit::Agree)
}

fn answer(folder: &Path, engine: Engine, engines: Engines) -> Result<Outcome> {
    let case = case::read(folder)?;
    for set in &case.sets {
        let have = match engine {
            Engine::Onnxruntime => subject::open::onnxruntime_values(&case.model, &set.inputs, 1)?,
            Engine::Libtorch => {
                let graph = load::parse(case.model.clone().into(), None)?;
                let options = Options {
                    threads: 1,
                    optimisation: Optimisation::Disable,
                };
                engines
                    .torch()?
                    .values(&graph, &set.inputs.iter().cloned().collect(), &options)?
            }
        };
        match judge::outputs(&set.outputs, &have, allowed(&case)) {
            Outcome::Passed => {}
            other => return Ok(other),
        }
    }
    Ok(Outcome::Passed)
}

/// The process that answers; started again where it was lost.
struct Worker<'a> {
    folder: &'a Path,
    /// One case may take this long in one engine.
    limit: Duration,
    live: Option<Live>,
}

struct Live {
    child: Child,
    asks: ChildStdin,
    answers: Receiver<String>,
}

impl Worker<'_> {
    fn ask(&mut self, ask: &Ask) -> Result<Outcome> {
        let live = match &mut self.live {
            Some(live) => live,
            none => none.insert(start(self.folder)?),
        };
        let text = serde_json::to_string(ask).map_err(|e| Error::failed(format!("JSON: {e}")))?;
        let sent = writeln!(live.asks, "{text}").is_ok();
        let lost = match live.answers.recv_timeout(self.limit) {
            Ok(line) if sent => {
                return serde_json::from_str(&line)
                    .map_err(|e| Error::failed(format!("a worker answered '{line}': {e}")));
            }
            Ok(_) | Err(RecvTimeoutError::Disconnected) => "the process died".to_string(),
            Err(RecvTimeoutError::Timeout) => format!("no answer in {} s", self.limit.as_secs()),
        };
        let mut gone = self.live.take();
        if let Some(live) = &mut gone {
            let _ = live.child.kill();
            let _ = live.child.wait();
        }
        Ok(Outcome::Failed(lost))
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        if let Some(live) = &mut self.live {
            let _ = live.child.kill();
            let _ = live.child.wait();
        }
    }
}

fn start(folder: &Path) -> Result<Live> {
    let fail = |e: std::io::Error| Error::failed(format!("a worker could not be started: {e}"));
    let mut command = Command::new(std::env::current_exe().map_err(fail)?);
    command
        .arg("conformance")
        .arg(folder)
        .arg("--worker")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().map_err(fail)?;
    let (Some(asks), Some(out)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(Error::failed("a worker has no pipes"));
    };
    let (send, answers) = channel();
    std::thread::spawn(move || {
        BufReader::new(out)
            .lines()
            .map_while(|l| l.ok())
            .try_for_each(|l| send.send(l))
    });
    Ok(Live {
        child,
        asks,
        answers,
    })
}

//! What two live ports do in front of the network and behind it: stages of their own, each found where it is wrong, and not blamed on the network.

#![cfg(feature = "torch")]

mod support;

use parity::run::Run;
use parity::scenario::Stage;
use parity::verdict::Outcome;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use support::*;

const PARITY: &str = env!("CARGO_BIN_EXE_parity-engine");

/// A folder with a file of four bytes, and ports that do as tests/fixtures/live/staged.py, but for a line of Python.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        std::fs::write(folder.path("photo.raw"), [250u8, 20, 200, 90]).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn port(&self, name: &str, line: &str) -> PathBuf {
        let live = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/live");
        let script = format!(
            "#!/usr/bin/env python3\nimport os, sys\nsys.dont_write_bytecode = True\nsys.path.insert(0, {live:?})\nimport staged as port\n{line}\nport.serve()\n"
        );
        let path = self.path(name);
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path
    }

    /// The port as it is against the same with `line`.
    fn against(&self, line: &str, more: &[&str]) -> Ran {
        let (a, b) = (self.port("a", ""), self.port("b", line));
        let args = [&["run", text(&a), text(&b), "--input", "x=photo.raw"], more].concat();
        Call::new(PARITY, self.0.path(), &args).run()
    }

    fn run(&self, line: &str) -> Run {
        self.against(line, &["--json"]).json()
    }
}

fn outcome(run: &Run, of: Stage) -> Option<Outcome> {
    let stages = run.verdict.stages.iter();
    stages.filter(|s| s.stage == of).map(|s| s.outcome).next()
}

#[test]
fn two_ports_that_do_the_same_in_front_and_behind_agree_in_every_stage() {
    let folder = Folder::new();
    // In an order of arithmetic of its own, and rounded to f32 on the way; the rows the other way round.
    let other = "import array\nf32 = lambda v: array.array('f', [v])[0]\n\
                 port.normal = lambda byte: f32(f32(f32(byte * f32(1 / 255)) - f32(0.485)) * f32(1 / 0.229))\n\
                 port.kept = lambda rows, own=port.kept: own(rows)[::-1]";
    for line in ["", other] {
        let ran = folder.against(line, &[]).exits(0);
        let ran = ran.says(&[
            "AGREE: ",
            "preprocess",
            "'x' f32 [4]: 4 numbers alike",
            "postprocess",
        ]);
        if !line.is_empty() {
            ran.says(&[
                "'boxes', 'scores': the same 3 rows, in another order, which is not judged",
            ]);
        }
        let run = folder.run(line);
        let stages: Vec<Stage> = run.verdict.stages.iter().map(|s| s.stage).collect();
        assert_eq!(
            stages,
            [Stage::Preprocess, Stage::Activations, Stage::Postprocess]
        );
        assert!(
            run.verdict
                .stages
                .iter()
                .all(|s| s.outcome == Outcome::Agree)
        );
    }
}

#[test]
fn what_is_wrong_in_front_of_the_network_is_found_there_and_nowhere_else() {
    let faults = [
        (
            "port.normal = lambda byte: (byte - 0.485) / 0.229",
            "4 of 4 numbers differ",
        ),
        (
            "port.normal = lambda byte: byte / 255",
            "4 of 4 numbers differ",
        ),
        (
            "port.normal = lambda byte: (byte / 255 - 0.5) / 0.229",
            "4 of 4 numbers differ",
        ),
        (
            "port.normal = lambda byte: (byte / 256 - 0.485) / 0.229",
            "4 of 4 numbers differ",
        ),
        (
            "port.save = lambda to, made, own=port.save, **k: own(to, {n: (d, s, v[::-1]) for n, (d, s, v) in made.items()}, **k) if 'x' in made else own(to, made, **k)",
            "4 of 4 numbers differ",
        ),
        (
            "port.save = lambda to, made, own=port.save, **k: own(to, {n: ('F64', s, v) for n, (d, s, v) in made.items()}, **k) if 'x' in made else own(to, made, **k)",
            "'x' is f32 [4] in the reference and f64 [4] in the candidate",
        ),
    ];
    let folder = Folder::new();
    for (line, says) in faults {
        let ran = folder.against(line, &[]).exits(1);
        ran.says(&[
            "DIVERGE in stage preprocess: first 'x'",
            says,
            "scale (1/255)",
        ]);
        let run = folder.run(line);
        assert_eq!(run.verdict.first(), Some("x"), "{line}");
        assert_eq!(
            outcome(&run, Stage::Preprocess),
            Some(Outcome::Diverge),
            "{line}"
        );
        assert_eq!(
            outcome(&run, Stage::Activations),
            Some(Outcome::Agree),
            "{line}"
        );
        assert!(run.verdict.origins.is_empty(), "{line}");
    }
}

#[test]
fn a_network_that_is_wrong_too_is_told_behind_what_is_wrong_in_front_of_it() {
    let folder = Folder::new();
    let network = "port.worker.activated = lambda values: [abs(v) for v in values]";
    let run = folder.run(network);
    assert_eq!(outcome(&run, Stage::Preprocess), Some(Outcome::Agree));
    let place = run.verdict.first().unwrap().to_string();
    let both = format!("{network}\nport.normal = lambda byte: byte / 255");
    let run = folder.run(&both);
    assert_eq!(run.verdict.first(), Some("x"));
    assert_eq!(run.verdict.origins[0].node, place);
    let kinds: Vec<&str> = run.findings.iter().map(|f| f.kind.as_str()).collect();
    assert_eq!(kinds[..2], ["preprocess", "origin"], "{:?}", run.findings);
}

#[test]
fn what_is_wrong_behind_the_network_is_found_there() {
    let faults = [
        (
            "port.squashed = lambda v: v",
            "'boxes', 'scores': 3 of 3 rows of the reference and 3 of 3 of the candidate have no counterpart",
        ),
        (
            "port.LEAST = 10.0",
            "3 of 3 rows of the reference and 0 of 0 of the candidate",
        ),
        (
            "port.kept = lambda rows, own=port.kept: own(rows)[:1]",
            "2 of 3 rows of the reference and 0 of 1 of the candidate",
        ),
    ];
    let folder = Folder::new();
    for (line, says) in faults {
        let ran = folder.against(line, &[]).exits(1);
        ran.says(&["DIVERGE in stage postprocess: first 'boxes'", says]);
        let run = folder.run(line);
        assert_eq!(run.verdict.first(), Some("boxes"), "{line}");
        assert_eq!(
            outcome(&run, Stage::Activations),
            Some(Outcome::Agree),
            "{line}"
        );
    }
}

#[test]
fn what_rounding_decides_and_what_a_port_refuses_is_not_judged() {
    let folder = Folder::new();
    let named = "port.postprocess.__name__ = 'postprocess'";
    let refuses =
        format!("def no(request):\n    raise ValueError('no')\nport.postprocess = no\n{named}");
    let ran = folder.against(&refuses, &[]).exits(4);
    ran.says(&[
        "TOO LITTLE COMPARED",
        "refuses the outputs of the reference",
        "ValueError: no",
    ]);
    // The threshold is one of the outputs: w[0] * x[0], as f32 holds it.
    let least = "import array\nx = array.array('f', [port.normal(250)])[0]\nw = array.array('f', [0.1])[0]\nport.LEAST = array.array('f', [w * x])[0]";
    let (a, b) = (
        folder.port("a", least),
        folder.port("b", &format!("{least}\nport.LEAST -= 1e-9")),
    );
    let args = ["run", text(&a), text(&b), "--input", "x=photo.raw"];
    let ran = Call::new(PARITY, folder.0.path(), &args).run().exits(4);
    ran.says(&["which there are is decided by how outputs are rounded"]);
}

#[test]
fn one_port_alone_feeds_both_and_says_so() {
    let folder = Folder::new();
    let plain = "port.ABILITIES[:] = ['inputs', 'f64', 'isolation']";
    let ran = folder.against(plain, &[]).exits(0);
    ran.says(&[
        "AGREE: ",
        "both are fed what preprocess of",
        "makes of photo.raw",
        "has none to compare it with",
    ]);
    let run = folder.run(plain);
    assert_eq!(outcome(&run, Stage::Preprocess), None);
    assert_eq!(outcome(&run, Stage::Postprocess), None);
    let fed = run.inputs[0].sha256.clone();
    // Whichever side it is on.
    let (a, b) = (folder.port("a", plain), folder.port("b", ""));
    let args = [
        "run",
        text(&a),
        text(&b),
        "--input",
        "x=photo.raw",
        "--json",
    ];
    assert_eq!(
        Call::new(PARITY, folder.0.path(), &args)
            .run()
            .json()
            .inputs[0]
            .sha256,
        fed
    );
}

#[test]
fn a_file_that_no_port_reads_or_that_is_no_input_is_refused() {
    let folder = Folder::new();
    let plain = "port.ABILITIES[:] = ['inputs', 'f64', 'isolation']";
    let (a, b) = (folder.port("a", plain), folder.port("b", plain));
    let on = |input: &str| {
        let args = ["run", text(&a), text(&b), "--input", input];
        Call::new(PARITY, folder.0.path(), &args).run()
    };
    on("x=photo.raw").refuses(2, &["neither side has a preprocess that reads photo.raw"]);
    on("x=photo.gone").refuses(2, &["photo.gone"]);
    let (a, b) = (folder.port("a", ""), folder.port("b", ""));
    let args = ["run", text(&a), text(&b), "--input", "z=photo.raw"];
    let ran = Call::new(PARITY, folder.0.path(), &args).run();
    ran.refuses(2, &["neither side has an input 'z'", "inputs: x"]);
    let other = "port.save = lambda to, made, own=port.save, **k: own(to, {'image': made['x']} if list(made) == ['x'] else made, **k)";
    folder
        .against(other, &[])
        .refuses(2, &["preprocess makes no 'x' of photo.raw: it makes image"]);
}

/// A network that drops: a layer, half of what it gives at random, an activation; what is dropped is MASK, what that is called and whether it is told DROP and TOLD.
const DROPS: &str = "\
import worker
MASK, DROP, TOLD = [2, 0, 2, 0], 'Dropout', []

def forward(request):
    x = worker.read(request['inputs'])['x']
    given = worker.read(request['replay']) if 'replay' in request else {}
    taken = lambda name: given[name][2] if name in given else made[name]
    made = {'fc': [abs(v) + 1 for v in x[2]]}
    made['drop'] = [v * m for v, m in zip(taken('fc'), MASK)]
    made['act'] = worker.activated(taken('drop'))
    of = {'fc': ('Linear', 'x'), 'drop': (DROP, 'fc'), 'act': ('ReLU', 'drop')}
    entries = {name: {'node': name, 'op': op, 'inputs': [of]} for name, (op, of) in of.items()}
    tensors = {'x': x, **{name: (x[0], x[1], values) for name, values in made.items()}}
    worker.save(request['to'], tensors, inputs=['x'], outputs=['act'], replayed=[n for n in given if n in made], entries=entries, drawn=TOLD)

worker.forward = forward
worker.activated = lambda values: [v / (1 + v) for v in values]
";

#[test]
fn what_both_sides_draw_is_not_judged_and_what_lies_behind_it_is_judged_alone() {
    let folder = Folder::new();
    let against = |a: &str, b: &str| {
        let (a, b) = (format!("{DROPS}{a}"), format!("{DROPS}{b}"));
        let (a, b) = (folder.port("a", &a), folder.port("b", &b));
        let args = ["run", text(&a), text(&b), "--input", "x=photo.raw"];
        Call::new(PARITY, folder.0.path(), &args).run()
    };
    let other = "MASK = [0, 2, 2, 0]";
    against("", "").exits(0);
    against("", other)
        .exits(4)
        .says(&["random operator: each side drew its own"]);
    // What no class tells the recorder does.
    let told = "DROP, TOLD = 'Noise', ['drop']\n";
    against(told, &format!("{told}{other}"))
        .exits(4)
        .says(&["behind 'drop', which draws at random"]);
    // Neither hides what is wrong in front of it or behind it, nor that one side alone drops.
    let behind = "\nworker.activated = lambda values: [v / (2 + v) for v in values]";
    against("", &format!("{other}{behind}"))
        .exits(1)
        .says(&["DIVERGE in front of ", "'act'"]);
    against("MASK = [1, 1, 1, 1]", other)
        .exits(1)
        .says(&["DIVERGE in front of ", "'drop'"]);
    against("", "MASK = [1, 1, 1, 1]")
        .exits(1)
        .says(&["DIVERGE in front of ", "'drop'"]);
}

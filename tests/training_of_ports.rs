//! Steps of training of two live ports: a port that trains alike agrees, and what another one does otherwise is found at its tensor, in its step, and named.

mod support;

use std::path::PathBuf;
use support::*;

/// A folder with ports that do as tests/fixtures/live/trained.py, but for lines of Python.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn port(&self, name: &str, lines: &str) -> PathBuf {
        live_port(self.0.path(), name, "trained", lines)
    }

    /// A scenario of so many steps.
    fn scenario(&self, steps: usize) -> PathBuf {
        let path = self.0.path().join("train.toml");
        let text = format!(
            "format = 1\nmodel = \"a\"\nstages = [\"train\"]\n[second]\nmodel = \"b\"\n[train]\nsteps = {steps}\n"
        );
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Both as `base`, the candidate with `line` besides.
    fn against(&self, base: &str, line: &str, more: &[&str]) -> Ran {
        self.port("a", base);
        self.port("b", &format!("{base}\n{line}"));
        let scenario = self.scenario(4);
        let args = [&["run", text(&scenario)], more].concat();
        Call::new(PARITY, self.0.path(), &args).run()
    }
}

/// What every test of a rule starts from, what the candidate does otherwise, the tensor at which that is found, and how it is named.
type Fault = (&'static str, &'static str, &'static str, &'static str);

const MOMENTUM: &str = "port.KIND = 'momentum'";
const ADAMW: &str = "port.KIND = 'adamw'";

const FAULTS: &[Fault] = &[
    (
        MOMENTUM,
        "port.with_momentum = lambda p, g, s, r: (lambda v: (p - r['rate'] * v, {'momentum': v}))(r['momentum'] * s['momentum'] + (1 - r['momentum']) * g)",
        "optimizer.momentum.norm.weight",
        "enters the candidate's momentum times 1 − momentum",
    ),
    (
        MOMENTUM,
        "port.with_momentum = lambda p, g, s, r: (lambda v: (p - v, {'momentum': v}))(r['momentum'] * s['momentum'] + r['rate'] * g)",
        "optimizer.momentum.norm.weight",
        "enters the candidate's momentum times the learning rate",
    ),
    (
        MOMENTUM,
        "port.with_momentum = lambda p, g, s, r: (lambda v: (p - r['rate'] * (g + r['momentum'] * v), {'momentum': v}))(r['momentum'] * s['momentum'] + g)",
        "value.norm.weight",
        "Nesterov",
    ),
    (
        ADAMW,
        "port.decay = lambda name: port.DECAY",
        "value.norm.weight",
        "weight decay acts on every parameter",
    ),
    (
        "",
        "port.decay = lambda name: port.DECAY",
        "optimizer.mean.norm.weight",
        "weight decay acts on every parameter",
    ),
    (
        "",
        "port.DECAY = 0.0",
        "optimizer.mean.fc.weight",
        "no weight decay",
    ),
    ("", ADAMW, "optimizer.mean.fc.weight", "decoupled"),
    (
        ADAMW,
        "port.KIND = 'adam'",
        "optimizer.mean.fc.weight",
        "decoupled",
    ),
    (
        "",
        "port.corrected_by = lambda value, beta, count: value",
        "value.norm.weight",
        "bias correction",
    ),
    (
        "",
        "port.root = lambda square, eps: (square + eps) ** 0.5",
        "value.norm.weight",
        "eps inside the root",
    ),
    (
        "",
        "port.clip = lambda grads: {n: [max(-0.1, min(0.1, v)) for v in g] for n, g in grads.items()}",
        "clipped.norm.weight",
        "clips each element, at 0.1",
    ),
    (
        "",
        "port.clip = lambda grads: grads",
        "clipped.norm.weight",
        "not clipped",
    ),
    (
        "plain = port.clip\n\
         size = lambda grads: sum(v * v for g in grads.values() for v in g) ** 0.5\n\
         port.clip = lambda grads: {n: [v * min(1.0, port.MOST / (size(grads) + 1e-6)) for v in g] for n, g in grads.items()}",
        "port.clip = plain",
        "clipped.norm.weight",
        "the candidate divides by the norm itself, the reference by 1e-6 more",
    ),
    (
        "",
        "port.DECAY = 0.02",
        "optimizer.mean.fc.weight",
        "another amount of weight decay: 0.02000 in the candidate, 0.05000 in the reference",
    ),
    (
        ADAMW,
        "port.DECAY = 0.02",
        "value.fc.weight",
        "another amount of weight decay",
    ),
    (
        MOMENTUM,
        "port.DECAY = 0.02",
        "optimizer.momentum.fc.weight",
        "another amount of weight decay",
    ),
    (
        "",
        "port.rate = lambda step: port.RATE * 0.9 ** (step + 1)",
        "value.norm.weight",
        "one step ahead",
    ),
    (
        "",
        "port.EMA = 0.99",
        "ema.norm.weight",
        "keeps 0.9000 of itself in the reference and 0.9900 in the candidate",
    ),
    (
        "",
        "port.unbiased = lambda spread: spread",
        "value.norm.running_var",
        "biased one, of 6",
    ),
    (
        "",
        "port.SHARE = 0.9",
        "value.norm.running_mean",
        "0.1000 and 0.9000",
    ),
];

#[test]
fn what_a_candidate_does_otherwise_is_found_at_its_tensor_and_named() {
    let folder = Folder::new();
    for (base, line, first, why) in FAULTS {
        let ran = folder.against(base, line, &[]).exits(1);
        ran.says(&[
            "DIVERGE in stage train: first '",
            "another rule",
            "why: ",
            why,
        ]);
        let run = folder.against(base, line, &["--json"]).json();
        let place = run.verdict.first().unwrap();
        let kind = |name: &str| name.rsplit_once('.').map(|n| n.0.to_string());
        let kinds = [kind(place), kind(first)].map(Option::unwrap_or_default);
        let slot = |kind: &str| {
            kind.rsplit_once('.')
                .map_or(kind.to_string(), |n| n.0.into())
        };
        assert_eq!(slot(&kinds[0]), slot(&kinds[1]), "{line}: {place}");
    }
}

#[test]
fn ports_that_train_alike_agree_whatever_they_train_with() {
    let folder = Folder::new();
    // The same in another order of arithmetic.
    let other = "port.kept = lambda old, new: old + port.SHARE * (new - old)\nport.corrected_by = lambda v, beta, n: v * (1 / (1 - beta**n))";
    for base in [
        "",
        MOMENTUM,
        ADAMW,
        "port.KIND = 'sgd'",
        "port.EMA = 0",
        "port.ABILITIES.remove('f64')",
    ] {
        for line in ["", other] {
            let ran = folder.against(base, line, &[]).exits(0);
            ran.says(&["AGREE: both ports train alike", "the same rule in 4 steps"]);
            let run = folder.against(base, line, &["--json"]).json();
            let report = run.stages.train.as_ref().unwrap();
            assert_eq!(report.steps.len(), 4, "{base}");
            assert_eq!(report.trained, [3, 3], "{base}");
        }
    }
}

#[test]
fn a_rule_that_changes_later_is_found_in_that_step() {
    let folder = Folder::new();
    let line = "port.rate = lambda step: port.RATE * 0.9 ** max(step - 1, 0)";
    let ran = folder.against("port.KIND = 'sgd'", line, &[]).exits(1);
    ran.says(&["in step 2", "one step late"]);
}

#[test]
fn rounding_that_grows_is_no_fault_and_said() {
    let folder = Folder::new();
    // A state that is off by a few roundings after each step stays within in lock-step and grows where it is gone on from.
    let line = "own = port.update\n\
                port.update = lambda p, g, s, r, c: (lambda new, kept: (new * (1 + 2.5e-7), kept))(*own(p, g, s, r, c))";
    let base = "port.ABILITIES.remove('f64')";
    let ran = folder.against(base, line, &[]).exits(0);
    ran.says(&["AGREE: ", "rounding growth"]);
    // In f64 it is more than f64 rounds, and no rule: what f32 cannot tell apart either is said.
    let ran = folder.against("", line, &[]).exits(0);
    ran.says(&["something is kept in f32 on the way"]);
}

#[test]
fn what_f64_alone_shows_is_another_rule_where_both_prove_their_gradients() {
    let folder = Folder::new();
    let line = "own = port.update\n\
                port.update = lambda p, g, s, r, c: (lambda new, kept: (new * (1 + 2.5e-7), kept))(*own(p, g, s, r, c))";
    let adding = |names: &str| {
        format!(
            "kept = port.save\n\
             port.save = lambda to, made, *a, **k: kept(to, dict(made, **{{n: ('F64', [], [1.0]) for n in {names} if 'loss.error' in made}}), *a, **k)\n"
        )
    };
    let proved = adding("['proved']");
    let ran = folder.against(&proved, line, &[]).exits(1);
    ran.says(&["DIVERGE in stage train: first 'value.", "another rule"]);
    folder.against(&proved, "", &[]).exits(0);
    folder.port("a", &proved);
    folder.port(
        "b",
        &format!("{}{line}", adding("['proved', 'unproved.mean']")),
    );
    let scenario = folder.scenario(2);
    let ran = Call::new(PARITY, folder.0.path(), &["run", text(&scenario)]).run();
    ran.exits(0).says(&[
        "something is kept in f32 on the way (gradients of the candidate that are not proved in f64: 'mean')",
    ]);
}

/// A training that begins as frameworks do, with ones and zeros.
const FRESH: &str = "port.held.update({'norm.weight': [1.0] * 4, 'norm.bias': [0.0] * 4, 'norm.running_mean': [0.0] * 4, 'norm.running_var': [1.0] * 4})\n";

/// The same port under names of its own, `fc.weight` as the two halves that `PARTS` names.
const RENAMED: &str = "\
NAMES = {'norm.weight': 'bn.g', 'norm.bias': 'bn.b', 'norm.running_mean': 'bn.running_mean', 'norm.running_var': 'bn.running_var'}
PARTS = ['fc.a', 'fc.b']
KINDS = ['', 'parameter.', 'value.', 'grad.', 'clipped.', 'ema.', 'optimizer.mean.', 'optimizer.square.', 'optimizer.momentum.']
LONG = {kind + own: kind + other for kind in KINDS for own, other in NAMES.items()}
HALF = {kind + 'fc.weight': [kind + part for part in PARTS] for kind in KINDS}

def theirs(tensors):
    made = {}
    for name, (dtype, shape, values, *more) in tensors.items():
        if name in HALF:
            made |= {part: (dtype, [2], values[2 * i:2 * i + 2], *more) for i, part in enumerate(HALF[name])}
        else:
            made[LONG.get(name, name)] = (dtype, shape, values, *more)
    return made

def ours(tensors):
    back = {other: own for own, other in LONG.items()}
    made = {back.get(name, name): held for name, held in tensors.items()}
    for whole, parts in HALF.items():
        if parts[0] in made:
            halves = [made.pop(part) for part in parts]
            made[whole] = (halves[0][0], [4], [v for half in halves for v in half[2]])
    return made

def save(to, made, listed=(), own=port.save, **more):
    own(to, theirs(made), theirs(dict(listed)).items(), **more)

port.read = lambda path, own=port.read: ours(own(path))
port.save = save
";

#[test]
fn a_port_of_other_names_that_begins_with_ones_and_zeros_is_given_the_state_of_every_step() {
    let folder = Folder::new();
    for base in ["", MOMENTUM, ADAMW, "port.ABILITIES.remove('f64')"] {
        let base = format!("{FRESH}{base}");
        let ran = folder.against(&base, RENAMED, &[]).exits(0);
        ran.says(&["AGREE: both ports train alike", "the same rule in 4 steps"]);
        let run = folder.against(&base, RENAMED, &["--json"]).json();
        let report = run.stages.train.as_ref().unwrap();
        assert_eq!(report.trained, [3, 3], "{base}");
        // And the other way round: halves in the reference.
        folder.port("a", &format!("{base}\n{RENAMED}"));
        folder.port("b", &base);
        let scenario = folder.scenario(3);
        let ran = Call::new(PARITY, folder.0.path(), &["run", text(&scenario)]).run();
        ran.exits(0).says(&["the same rule in 3 steps"]);
    }
    // What such a port does otherwise is found all the same.
    for (rule, says) in [
        ("port.DECAY = 0.02", "another amount of weight decay"),
        ("port.SHARE = 0.9", "first 'value.norm.running_mean'"),
    ] {
        let line = format!("{RENAMED}{rule}");
        let ran = folder.against(FRESH, &line, &[]).exits(1);
        ran.says(&["another rule: in step 1", says]);
    }
}

#[test]
fn a_table_that_no_training_moves_may_be_held_by_one_side_alone() {
    let folder = Folder::new();
    let holding = |lines: &str, name: &str| {
        format!(
            "port.held['{name}'] = [1.0, 2.0, 3.0, 4.0]\n\
             own = port.differentiated\n\
             port.differentiated = lambda *a: (lambda loss, grads, moved: (loss, grads, dict(moved, **{{'{name}': {lines}}})))(*own(*a))\n\
             listed = port.save\n\
             buffers = lambda all: [(n, (*t, {{'trainable': False}}) if n == '{name}' else t) for n, t in all]\n\
             port.save = lambda to, made, all=(), **k: listed(to, made, buffers(all), **k)\n"
        )
    };
    let one = |lines: &str| {
        folder.port("a", &holding(lines, "anchors"));
        folder.port("b", "");
        let scenario = folder.scenario(3);
        Call::new(PARITY, folder.0.path(), &["run", text(&scenario)]).run()
    };
    one("[1.0, 2.0, 3.0, 4.0]")
        .exits(0)
        .says(&["the same rule in 3 steps"]);
    // One that moves is a statistic.
    one("[1.5, 2.0, 3.0, 4.0]")
        .exits(4)
        .says(&["NOT JUDGED in stage train: 'value.anchors' is made by the reference's alone"]);
}

#[test]
fn what_has_no_counterpart_leaves_the_steps_behind_the_first_undecided() {
    let folder = Folder::new();
    // Weights that nothing tells from each other: two halves of one value, with one gradient.
    let base = "port.held['fc.weight'] = [0.5] * 4\n\
                column = lambda values: [values[0::4]] * 4\n\
                port.columns = column\n\
                port.held.update({'norm.weight': [1.0] * 4, 'norm.bias': [0.0] * 4})";
    let ran = folder.against(base, RENAMED, &[]).exits(4);
    ran.says(&[
        "parameter 'fc.weight' has no counterpart in the candidate, by name, value or gradient",
        "of 4 steps 1 is made",
        "the same rule in 1 step",
    ]);
    let line = format!("{RENAMED}port.SHARE = 0.9");
    let ran = folder.against(base, &line, &[]).exits(1);
    ran.says(&["another rule: in step 1", "0.1000 and 0.9000"]);
}

#[test]
fn what_is_off_behind_a_draw_is_not_judged_and_what_an_optimiser_makes_of_the_same_draw_is() {
    let folder = Folder::new();
    let draws = "\
kept = port.save
port.save = lambda to, made, *a, **k: kept(to, dict(made, **{n: ('F64', [], [1.0]) for n in ('drawn', 'drawn.enc.drop') if 'loss.error' in made}), *a, **k)
";
    let dropped = "own = port.network\n\
                   port.network = lambda x, p, training: (lambda y, *rest: ([[2 * v * (i % 2) for i, v in enumerate(c)] for c in y], *rest))(*own(x, p, training))";
    for base in [draws, &format!("{draws}port.ABILITIES.remove('f64')")] {
        folder.against(base, dropped, &[]).exits(4).says(&[
            "NOT JUDGED in stage train: the reference draws at random, in 'enc.drop'",
            "the reference draws at random, in 'enc.drop'",
            "in step 1 'loss.error' and",
            "two programs do not draw alike",
            "to have it judged, build both without",
        ]);
        folder.against(base, "", &[]).exits(0);
    }
    folder.against("", dropped, &[]).exits(1);
    // What one side alone drops is a fault.
    folder
        .against("", &format!("{draws}{dropped}"), &[])
        .exits(1)
        .says(&["why: the candidate draws at random, in 'enc.drop', and the other side does not"]);
    for (rule, says) in [
        ("port.DECAY = 0.02", "another amount of weight decay"),
        (
            "own = port.update\nport.update = lambda p, g, s, r, c: (lambda new, kept: (new + 0.001, kept))(*own(p, g, s, r, c))",
            "within: losses, gradients",
        ),
    ] {
        folder.against(draws, rule, &[]).exits(1).says(&[says]);
    }
}

#[test]
fn what_cannot_be_asked_is_not_judged() {
    let folder = Folder::new();
    let ran = folder
        .against("", "port.ABILITIES.remove('step')", &[])
        .exits(4);
    ran.says(&["the candidate's port does not declare 'step'"]);
    let slotless = "own = port.save\nport.save = lambda to, made, **k: own(to, {n: t for n, t in made.items() if not n.startswith('optimizer.mean')}, **k)";
    let ran = folder.against("", slotless, &[]);
    assert_ne!(ran.code, Some(0), "{ran}");
    folder.port("a", "");
    folder.port("b", "");
    let zero = folder.scenario(0);
    let ran = Call::new(PARITY, folder.0.path(), &["run", text(&zero)]).run();
    ran.refuses(2, &["train.steps = 0 is not between 1 and 1000"]);
}

#[test]
fn the_worker_of_these_tests_conforms_and_one_whose_step_stays_does_not() {
    let folder = Folder::new();
    let tried = |lines: &str| {
        let port = folder.port("a", lines);
        Call::new(PARITY, folder.0.path(), &["port", text(&port)]).run()
    };
    tried("")
        .exits(0)
        .says(&["moves 3 parameters, twice the same, and none stays so"]);
    let faults = [
        (
            "own = port.step\ndef step(request):\n    own(request)\n    port.held['fc.weight'] = [0.5] * 4\nport.step = step",
            "a step left parameter 'fc.weight' changed",
        ),
        ("port.RATE = 0.0", "a step moves no parameter"),
        (
            "import random\nport.rate = lambda step: random.random()",
            "is another one the second time",
        ),
    ];
    for (lines, says) in faults {
        tried(lines).exits(1).says(&["FAIL       step", says]);
    }
}

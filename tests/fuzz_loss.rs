//! Two forms of a user's own loss: equal ones are silent, whatever a port gets wrong is found, shrunk, kept and replayed.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use support::*;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const FOLDER: &str = "tests/fixtures/losses";

/// What it is called, what is told of it, and the edge that it takes.
type Fault = (&'static str, &'static str, Option<&'static str>);

/// Losses with the domains of their inputs, and the TorchScripts in which something is wrong: what of it is told, and on which edge alone.
const LOSSES: [(&str, &[&str], &[Fault]); 8] = [
    (
        "iou",
        &["pred=boxes", "target=boxes"],
        &[("flat_boxes", "value 'loss'", Some("no width"))],
    ),
    (
        "cross_entropy",
        &["p=probabilities", "t=probabilities"],
        &[
            (
                "unclamped",
                "is NaN, the reference says 9.",
                Some("exactly"),
            ),
            ("sum", "value 'loss'", None),
        ],
    ),
    (
        "log",
        &["p=probabilities"],
        &[("eps_outside", "value 'loss'", None)],
    ),
    (
        "classes",
        &["logits=numbers", "label=labels:C", "weight=probabilities"],
        &[
            ("next_class", "value 'loss'", None),
            ("weighted_behind", "value 'loss'", None),
        ],
    ),
    (
        "masked",
        &["mask=mask"],
        &[("unmasked", "value 'loss'", None)],
    ),
    ("charbonnier", &[], &[("eps_outside", "value 'loss'", None)]),
    (
        "levels",
        &["level=integers:0..9"],
        &[("wholes", "value 'loss'", None)],
    ),
    // Two scripts, because ONNX keeps no detach; the first is the reference.
    (
        "focal",
        &["x=numbers@n", "t=probabilities@n"],
        &[("trained", "gradient of '0' by 't'", None)],
    ),
];

fn file(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

fn fuzz(a: &str, b: &str, domains: &[&str], more: &[&str]) -> Ran {
    let (a, b) = (file(a), file(b));
    let domains = domains.iter().flat_map(|d| ["--domain", d]);
    let args: Vec<&str> = ["fuzz", &a, &b].into_iter().chain(domains).collect();
    Call::new(PARITY, Path::new(ROOT), &[&args, more].concat()).run()
}

/// The reference of a loss and the other form of it that is right.
fn clean(name: &str) -> [String; 2] {
    match name {
        "focal" => ["focal.pt".into(), "focal-again.pt".into()],
        _ => [format!("{name}.onnx"), format!("{name}.pt")],
    }
}

#[test]
fn forms_that_are_equal_up_to_the_order_of_arithmetic_are_silent_whichever_is_the_reference() {
    for (name, domains, _) in LOSSES {
        let [a, b] = clean(name);
        for seed in 0..3 {
            let seed = seed.to_string();
            let more = ["--cases", "60", "--seed", &seed];
            fuzz(&a, &b, domains, &more).exits(0).says(&["agree: "]);
        }
        fuzz(&b, &a, domains, &["--cases", "60"]).exits(0);
    }
}

#[test]
fn whatever_a_port_gets_wrong_is_found_and_told_on_the_edge_that_it_takes() {
    for (name, domains, faults) in LOSSES {
        let [a, _] = clean(name);
        for (fault, what, edge) in faults {
            let b = format!("{name}-{fault}.pt");
            let ran = fuzz(&a, &b, domains, &["--cases", "60"]).exits(1);
            let ran = ran.says(&["DIVERGE: ", what]);
            let find = ran.out.lines().find(|l| l.contains(", shrunk (")).unwrap();
            match edge {
                Some(edge) => assert!(find.contains(edge), "{ran}"),
                None => assert!(find.contains("(on no edge)"), "{ran}"),
            }
            assert!(find.contains(what), "{ran}");
        }
    }
}

#[test]
fn a_graph_without_its_detach_has_the_values_and_other_gradients() {
    let domains = ["x=numbers:-8..8", "t=probabilities"];
    let ran = fuzz("focal.onnx", "focal.pt", &domains, &["--cases", "60"]).exits(1);
    let ran = ran.says(&["gradient of 'loss' by 't'", "look for detach()"]);
    assert!(!ran.out.contains("value 'loss'"), "{ran}");
}

/// The scenarios in a folder.
fn kept(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|e| e.unwrap().path());
    paths.filter(|p| p.extension().unwrap() == "toml").collect()
}

#[test]
fn a_find_is_kept_replayed_and_fuzzed_on_from_and_tried_first_the_next_time() {
    let dir = tempfile::tempdir().unwrap();
    let found = text(dir.path());
    let domains = ["x=numbers@n", "t=probabilities@n"];
    let more = ["--cases", "20", "--finds", "1", "--found", found];
    let again = || fuzz("focal.pt", "focal-trained.pt", &domains, &more).exits(1);
    let first = again();
    let [path] = &kept(dir.path())[..] else {
        panic!("one find: {first}")
    };
    let what = "gradient of '0' by 't' [0] is";
    let on = |args: &[&str]| Call::new(PARITY, Path::new(ROOT), args).run();
    on(&["run", text(path)]).exits(1).says(&["DIVERGE", what]);
    on(&["fuzz", text(path), "--cases", "20"])
        .exits(1)
        .says(&["DIVERGE", what]);
    again().says(&["still there: ", what]);
    let stated = std::fs::read_to_string(path).unwrap();
    // Whatever folder the checkout lies in: a relative path may pass through all of it.
    assert!(!stated.contains("\"/"), "no absolute path: {stated}");
    // Once the port is mended the find agrees.
    let mended = stated.replace("focal-trained", "focal-again");
    std::fs::write(path, mended).unwrap();
    on(&["run", text(path)]).exits(0).says(&["agree: "]);
}

#[test]
fn a_script_that_computes_a_part_in_f32_is_held_against_the_other_in_f64() {
    let domains = ["p=probabilities", "t=probabilities"];
    let note = "computes in f32 even on f64 inputs";
    for (a, b) in [
        ("cross_entropy.onnx", "cross_entropy-narrow.pt"),
        ("cross_entropy-narrow.pt", "cross_entropy.onnx"),
    ] {
        let ran = fuzz(a, b, &domains, &["--cases", "60"]).exits(0);
        ran.says(&["agree: ", "narrow.pt in f32 against", note]);
    }
    let ran = fuzz(
        "cross_entropy.pt",
        "cross_entropy-narrow.pt",
        &["p=probabilities@n", "t=probabilities@n"],
        &[],
    );
    ran.refuses(4, &["is judged in f32", "export it to ONNX"]);
}

#[test]
fn a_form_in_f32_is_judged_by_what_rounding_does_and_a_fault_is_found_in_it() {
    let (domains, single) = (
        ["p=probabilities"],
        ["--candidate", "libtorch-f32", "--cases", "60"],
    );
    fuzz("log.onnx", "log.pt", &domains, &single)
        .exits(0)
        .says(&["in f32 against"]);
    fuzz("log.onnx", "log-eps_outside.pt", &domains, &single).exits(1);
}

#[test]
fn what_neither_computes_is_counted_and_too_little_is_no_agreement() {
    let on = |domains: &[&str]| fuzz("log.onnx", "log.pt", domains, &["--cases", "60"]);
    // Of numbers that may be anything, most cases hold one without a logarithm.
    on(&[]).exits(4).says(&[
        "TOO LITTLE COMPARED",
        "guessed from the dtype",
        "% of the numbers were not compared; next: declare what the inputs hold: --domain p=DOMAIN",
    ]);
    on(&["p=numbers:-9..-1"]).refuses(4, &["cannot be told", "are these the domains"]);
    let some = on(&["p=numbers:-1..9"]).exits(0);
    some.says(&[
        "agree: ",
        "declared",
        "% of the numbers were not compared\n",
    ]);
}

#[test]
fn threads_change_no_letter_of_the_report() {
    let on = |jobs| {
        let more = ["--cases", "80", "--seed", "3", "--jobs", jobs];
        fuzz(
            "iou.onnx",
            "iou-flat_boxes.pt",
            &["pred=boxes", "target=boxes"],
            &more,
        )
        .exits(1)
        .out
    };
    assert_eq!(on("1"), on("3"));
}

#[test]
fn what_is_no_pair_of_a_loss_is_refused() {
    type Words = &'static [&'static str];
    let refused: [(&str, &str, Words, Words, &str); 9] = [
        (
            "log.onnx",
            "log.pt",
            &["q=mask"],
            &[],
            "there is no input 'q'",
        ),
        ("log.onnx", "log.pt", &["p=box"], &[], "'box' is no domain"),
        ("log.onnx", "log.pt", &["p"], &[], "expected NAME=DOMAIN"),
        (
            "log.onnx",
            "log.pt",
            &["p=mask", "p=mask"],
            &[],
            "'p' is stated twice",
        ),
        (
            "log.onnx",
            "log.pt",
            &["p=labels:3", "p=boxes"],
            &[],
            "stated twice",
        ),
        (
            "log.pt",
            "log.pt",
            &[],
            &[],
            "nothing says what shape input 'p' has",
        ),
        (
            "classes.onnx",
            "classes.pt",
            &["label=labels:K"],
            &[],
            "no input has an open axis 'K'",
        ),
        (
            "log.onnx",
            "../trace.safetensors",
            &[],
            &[],
            "is a recording",
        ),
        (
            "log.onnx",
            "log.pt",
            &[],
            &["--fault", "bypass@/Log"],
            "--fault does not apply to two forms of a loss",
        ),
    ];
    for (a, b, domains, more, says) in refused {
        fuzz(a, b, domains, more).refuses(2, &[says]);
    }
    let e = fuzz("classes.onnx", "log.pt", &[], &[]);
    e.refuses(
        2,
        &["the reference takes 3 (logits, label, weight), the candidate 1 (p)"],
    );
    let alone = ["fuzz", &file("log.pt")].map(str::to_string);
    Call::new(
        PARITY,
        Path::new(ROOT),
        &alone.each_ref().map(String::as_str),
    )
    .run()
    .refuses(2, &["alone is nothing to fuzz"]);
    Call::new(
        PARITY,
        Path::new(ROOT),
        &["fuzz", "dfl", "--domain", "x=mask"],
    )
    .run()
    .refuses(2, &["--domain does not apply to a kernel or a model"]);
}

/// The loss of tests/fixtures/live/charbonnier.py as an executable, but for what `body` changes.
fn ported(folder: &Path, name: &str, body: &str) -> String {
    let path = folder.join(name);
    let live = Path::new(ROOT).join("tests/fixtures/live");
    let script = format!(
        "#!/usr/bin/env python3\nimport os, sys, time\nsys.dont_write_bytecode = True\nsys.path.insert(0, {live:?})\nimport charbonnier as port\n{body}\nport.serve()\n"
    );
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    text(&path).to_string()
}

/// A port against the graph, whichever is the reference.
fn against(port: &str, graph_first: bool, more: &[&str]) -> Ran {
    let graph = file("charbonnier.onnx");
    let pair = match graph_first {
        true => [&graph, port],
        false => [port, &graph],
    };
    let args = [&["fuzz", pair[0], pair[1]], more].concat();
    Call::new(PARITY, Path::new(ROOT), &args).run()
}

#[test]
fn the_losses_of_a_port_are_a_form_on_either_side_of_values_and_gradients_by_what_its_network_returns()
 {
    let dir = tempfile::tempdir().unwrap();
    let port = ported(dir.path(), "port", "");
    for (graph_first, target) in [(true, "target"), (false, "t")] {
        let ran = against(&port, graph_first, &["--cases", "60"]).exits(0);
        let only = format!("port gives no gradients by {target}: they are not compared");
        ran.says(&["agree: ", &only]);
    }
    // In sums of another order, and of any length.
    let other = "port.term = lambda y, t: (1e-6 + (t - y) ** 2) ** 0.5";
    let other = ported(dir.path(), "other", other);
    let pair = ["fuzz", &port, &other, "--cases", "60"];
    let fixed = Call::new(PARITY, Path::new(ROOT), &pair).run().exits(0);
    fixed.says(&["agree: ", "| y     | f32   | [4]   |"]);
    let open = ["--domain", "y=numbers@n", "--domain", "t=numbers@n"];
    let open = [&pair[..], &open].concat();
    let open = Call::new(PARITY, Path::new(ROOT), &open).run().exits(0);
    open.says(&["agree: ", "| y     | f32   | [n]   |"]);
}

#[test]
fn what_a_port_gets_wrong_is_found_shrunk_kept_and_replayed() {
    let faults = [
        ("port.term = lambda y, t: abs(y - t) + 1e-6", "value"),
        (
            "port.slope = lambda y, t: 2 * (y - t) / port.term(y, t)",
            "gradient",
        ),
    ];
    for (fault, what) in faults {
        let dir = tempfile::tempdir().unwrap();
        let found = dir.path().join("found");
        let port = ported(dir.path(), "port", fault);
        for graph_first in [true, false] {
            let more = ["--cases", "60", "--finds", "1", "--found", text(&found)];
            let ran = against(&port, graph_first, &more).exits(1);
            let find = ran.out.lines().find(|l| l.contains(", shrunk (")).unwrap();
            assert!(
                find.contains("(on no edge)") && find.contains(what),
                "{ran}"
            );
        }
        for find in kept(&found) {
            let replayed = Call::new(PARITY, dir.path(), &["run", text(&find)]).run();
            replayed.exits(1).says(&["DIVERGE: ", what]);
        }
    }
}

#[test]
fn a_port_that_computes_in_f32_is_held_against_a_graph_in_f64_and_two_such_ports_against_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let port = ported(dir.path(), "port", "port.abilities.remove('f64')");
    let ran = against(&port, true, &["--cases", "60"]).exits(0);
    ran.says(&[
        "agree: ",
        "port in f32 against",
        "computes in f32 even on f64 inputs",
    ]);
    let wrong =
        "port.abilities.remove('f64')\nport.slope = lambda y, t: 1.001 * (y - t) / port.term(y, t)";
    let wrong = ported(dir.path(), "wrong", wrong);
    against(&wrong, true, &["--cases", "60"])
        .exits(1)
        .says(&["gradient"]);
    let both = ["fuzz", &port, &wrong];
    Call::new(PARITY, Path::new(ROOT), &both)
        .run()
        .refuses(4, &["neither", "computes in f64"]);
    let exact = ported(dir.path(), "exact", "");
    let both = ["fuzz", &exact, &port];
    let words = ["is judged in f32", "cannot be measured inside"];
    Call::new(PARITY, Path::new(ROOT), &both)
        .run()
        .refuses(4, &words);
}

#[test]
fn a_port_that_is_no_form_of_a_loss_or_ends_is_one_message() {
    let dir = tempfile::tempdir().unwrap();
    let count = "calls = []\ndef losses(request, own=port.losses):\n    calls.append(0)\n    ";
    let cases = [
        ("port.abilities.remove('losses')", 2, "it has no losses"),
        (
            "port.abilities.remove('inputs')",
            2,
            "it has no example inputs",
        ),
        (
            "port.targets = lambda request: port.save(request['to'], {'y': ('F32', [1], [0.0])})\nport.targets.__name__ = 'targets'",
            2,
            "both called 'y'",
        ),
        (
            &format!("{count}raise ValueError('no')\nport.losses = losses"),
            2,
            "it refuses every case that was tried",
        ),
        (
            &format!(
                "{count}os._exit(7) if len(calls) > 100 else own(request)\nport.losses = losses"
            ),
            3,
            "exit status: 7",
        ),
        (
            &format!("{count}time.sleep(100)\nport.losses = losses"),
            3,
            "2 s",
        ),
    ];
    for (i, (body, code, says)) in cases.into_iter().enumerate() {
        let port = ported(dir.path(), &i.to_string(), body);
        let more = ["--cases", "400", "--port-limit", "2"];
        against(&port, true, &more).refuses(code, &[says]);
    }
    let graph = file("charbonnier.onnx");
    let stated = ["fuzz", &graph, &graph, "--port-limit", "2"];
    let none = Call::new(PARITY, Path::new(ROOT), &stated).run();
    none.refuses(
        2,
        &["--port-limit does not apply to sides that are no live port"],
    );
}

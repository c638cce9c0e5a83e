//! Two forms of a user's own loss: equal ones are silent, whatever a port gets wrong is found, shrunk, kept and replayed.

mod support;

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

//! Weights of one program in another that is live: laid out and cast as that holds them, read back, and counted by items and elements; one that takes them over and
//! does not hold them is found.

mod support;

use parity::tensor::{DType, Tensor};
use std::collections::BTreeMap;
use std::path::PathBuf;
use support::audits::{audit, said, wrong};
use support::*;

/// Ports that do as tests/fixtures/live/detector.py, but for lines of Python.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn port(&self, name: &str, lines: &str) -> PathBuf {
        live_port(self.0.path(), name, "detector", lines)
    }
}

/// Kernels as another framework has them, with other values.
const TURNED: &str = "turn = lambda n: n.replace('.weight', '.kernel')\n\
    port.held = {turn(n): [0.125] * len(v) for n, v in port.held.items()}\n\
    port.shapes = {turn(n): s[::-1] for n, s in port.shapes.items()}";

#[test]
fn a_port_of_another_layout_holds_the_originals_weights_and_says_so() {
    let folder = Folder::new();
    let original = folder.port("original", "");
    for (lines, laid) in [
        (
            "port.held = {n: [0.0] * len(v) for n, v in port.held.items()}",
            false,
        ),
        (TURNED, true),
    ] {
        let port = folder.port("port", lines);
        let (ran, found) = audit(&["weights", text(&original), text(&port)]);
        assert_eq!(wrong(&found), [], "{ran}");
        assert_eq!(
            said(&found, "loaded"),
            "6 of 6 items that the port was given read back as they were given",
            "{ran}"
        );
        assert!(
            said(&found, "transfer").starts_with("6 of 6 items are transferred"),
            "{ran}"
        );
        assert_eq!(ran.out.contains("3 of them transposed"), laid, "{ran}");
        ran.exits(0);
    }
}

#[test]
fn a_port_that_takes_over_what_it_does_not_hold_is_found_by_reading_back() {
    let folder = Folder::new();
    let original = folder.port("original", "");
    let other = "port.held = {n: [0.5] * len(v) for n, v in port.held.items()}\n";
    for (lines, place, what) in [
        (
            "port.keep = lambda name, values: None",
            "stem.weight",
            "6 of 6 items that the port says it took over",
        ),
        (
            "own = port.keep\nport.keep = lambda name, values: name == 'head.cls.bias' or own(name, values)",
            "head.cls.bias",
            "1 of 6 items that the port says it took over",
        ),
    ] {
        let port = folder.port("port", &format!("{other}{lines}"));
        let (ran, found) = audit(&["weights", text(&original), text(&port)]);
        assert!(wrong(&found).contains(&("ignored", place)), "{ran}");
        assert!(said(&found, "ignored").starts_with(what), "{ran}");
        ran.exits(1);
    }
}

#[test]
fn what_has_no_place_is_counted_by_items_and_elements() {
    let folder = Folder::new();
    let original = folder.port("original", "");
    let wide = "port.shapes['stem.weight'] = [6, 4]\nport.held['stem.weight'] = [0.5] * 24";
    let (ran, found) = audit(&["weights", text(&original), text(&folder.port("port", wide))]);
    assert!(wrong(&found).contains(&("partial", "stem.weight")), "{ran}");
    assert!(
        ran.out.contains("3 of 4 input channels of 'stem.weight'"),
        "{ran}"
    );
    assert!(
        said(&found, "transfer").starts_with("5 of 6 items"),
        "{ran}"
    );
    ran.exits(1);
}

/// Ports of one network, the candidate given what `weights` says.
fn trained(folder: &Folder, weights: &str, lines: &str) -> Ran {
    folder.port("a", "");
    folder.port(
        "b",
        &format!("port.held = {{n: [0.5] * len(v) for n, v in port.held.items()}}\n{lines}"),
    );
    let scenario = format!(
        "format = 1\nmodel = \"a\"\nstages = [\"train\"]\n[second]\nmodel = \"b\"\n{weights}\n[train]\nsteps = 1\n"
    );
    let path = folder.0.path().join("s.toml");
    std::fs::write(&path, scenario).unwrap();
    Call::new(PARITY, folder.0.path(), &["run", text(&path)]).run()
}

#[test]
fn a_run_gives_a_side_what_its_scenario_states_and_says_what_arrived() {
    let folder = Folder::new();
    let whole =
        "the candidate was given its parameters: 6 of 6 items; 100.00 % of the elements arrive";
    trained(&folder, "weights = \"reference\"", "")
        .exits(0)
        .says(&[whole]);
    let ignores = trained(
        &folder,
        "weights = \"reference\"",
        "port.keep = lambda name, values: None",
    );
    ignores.exits(1).says(&[
        "0 of 6 items; 0.00 % of the elements arrive",
        "reads back as something else",
    ]);
    let renamed = "weights = { file = \"part.safetensors\", rename = [\"trunk.*=stem.*\"], except = [\"head.*\"] }";
    let part = [
        ("trunk.weight", Tensor::of(&[6, 3], &[0.25f64; 18])),
        ("trunk.bias", Tensor::of(&[6], &[0.5f64; 6])),
    ];
    assert_eq!(part[0].1.dtype(), DType::F64, "it is cast");
    let views: BTreeMap<&str, _> = part
        .iter()
        .map(|(n, t)| {
            (
                *n,
                safetensors::tensor::TensorView::new(
                    safetensors::Dtype::F64,
                    t.shape().to_vec(),
                    t.bytes(),
                )
                .unwrap(),
            )
        })
        .collect();
    safetensors::serialize_to_file(views, None, &folder.0.path().join("part.safetensors")).unwrap();
    trained(&folder, renamed, "").exits(0).says(&[
        "2 of 6 items; 14.63 % of the elements arrive",
        "4 begin anew, as declared",
    ]);
    let undeclared = renamed.replace(", except = [\"head.*\"]", "");
    trained(&folder, &undeclared, "").exits(1).says(&[
        "2 of 6 items; 14.63 % of the elements arrive",
        "'head.cls.weight' (24 elements) did not arrive",
    ]);
}

#[test]
fn weights_for_a_side_that_takes_none_are_refused() {
    let folder = Folder::new();
    trained(&folder, "weights = \"none.safetensors\"", "").refuses(2, &["none.safetensors"]);
    let path = folder.0.path().join("alone.toml");
    std::fs::write(
        &path,
        "format = 1\nmodel = \"m.onnx\"\nweights = \"w.pt\"\n",
    )
    .unwrap();
    let ran = Call::new(PARITY, folder.0.path(), &["run", text(&path)]).run();
    ran.refuses(2, &["weights go into a side of two programs"]);
}

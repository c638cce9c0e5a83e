//! Recorded traces: what `run --record` writes is compared by `compare` and `run --against`, with the same judgement and no engine.

mod support;

use parity::tensor::{DType, Tensor};
use parity::verdict::Outcome;
use std::path::Path;
use support::*;

fn compare(folder: &Path, args: &[&str]) -> Ran {
    let empty = folder.join("nothing");
    let _ = std::fs::create_dir(&empty);
    Call::new(PARITY, folder, &[&["compare"], args].concat())
        .without_libraries(&empty)
        .run()
}

/// Two files that parity did not write: `b` differs from `a` by 1e-3 in one element.
fn foreign() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write_trace(
        &dir.path().join("a.safetensors"),
        &[
            ("u", &[2, 2], &[1.0, 2.0, 3.0, 4.0]),
            ("v", &[3], &[5.0, 6.0, 7.0]),
        ],
        None,
    );
    write_trace(
        &dir.path().join("b.safetensors"),
        &[
            ("u", &[2, 2], &[1.0, 2.0, 3.001, 4.0]),
            ("v", &[3], &[5.0, 6.0, 7.0]),
        ],
        None,
    );
    dir
}

const PAIR: [&str; 2] = ["a.safetensors", "b.safetensors"];

#[test]
fn foreign_files_without_a_tolerance_are_refused_with_the_line_to_add() {
    let dir = foreign();
    compare(dir.path(), &PAIR).refuses(
        2,
        &[
            "neither trace carries floors",
            "next:",
            "--atol",
            "--rtol",
            "--why",
            "--report-only",
        ],
    );
}

#[test]
fn foreign_files_are_judged_by_the_tolerance_that_is_stated() {
    let dir = foreign();
    let cases: &[(&[&str], i32, &str)] = &[
        (
            &["--atol", "1e-2", "--rtol", "0", "--why", "a test"],
            0,
            "AGREE",
        ),
        (
            &["--atol", "0", "--rtol", "1e-2", "--why", "a test"],
            0,
            "AGREE",
        ),
        (
            &["--atol", "1e-4", "--rtol", "1e-5", "--why", "a test"],
            1,
            "DIVERGE: 1 of 2 tensors differ; which one is first is not known",
        ),
        (&["--ulp", "100000", "--why", "a test"], 0, "AGREE"),
        (
            &["--ulp", "10", "--why", "a test"],
            1,
            "DIVERGE: 1 of 2 tensors differ; which one is first is not known",
        ),
        (&["--exact"], 1, "which one is first is not known"),
    ];
    for (tolerance, code, words) in cases {
        compare(dir.path(), &[&PAIR, *tolerance].concat())
            .exits(*code)
            .says(&[words, "2 of 2"]);
    }
    compare(dir.path(), &[&PAIR[..], &["--exact"]].concat())
        .exits(1)
        .says(&["'u'", "[1, 0]"]);
    compare(dir.path(), &[&PAIR[..], &["--exact", "--all"]].concat())
        .exits(1)
        .says(&["not tested (recorded)"]);
}

#[test]
fn half_a_tolerance_is_refused() {
    let dir = foreign();
    let cases: &[(&[&str], &str)] = &[
        (&["--atol", "1e-3"], "--rtol"),
        (&["--rtol", "1e-3", "--why", "x"], "--atol"),
        (&["--atol", "1e-3", "--rtol", "1e-3"], "--why"),
        (&["--ulp", "3"], "--why"),
        (&["--ulp", "3", "--exact", "--why", "x"], "--exact"),
        (&["--atol", "nan", "--rtol", "0", "--why", "x"], "finite"),
        (&["--atol=-1", "--rtol", "0", "--why", "x"], "not negative"),
        (&["--atol", "1", "--rtol", "0", "--why", " "], "--why"),
        (&["--why", "x"], "--why"),
        (&["--report-only", "--exact"], "--report-only"),
    ];
    for (tolerance, word) in cases {
        let ran = compare(dir.path(), &[&PAIR, *tolerance].concat()).exits(2);
        assert!(ran.err.contains(word) && ran.out.is_empty(), "{ran}");
    }
}

#[test]
fn a_report_without_judgement_exits_4_and_says_neither_agree_nor_diverge() {
    let dir = foreign();
    let ran = compare(dir.path(), &[&PAIR[..], &["--report-only"]].concat())
        .exits(4)
        .says(&["nothing was judged"]);
    assert!(
        !ran.out.contains("AGREE") && !ran.out.contains("DIVERGE"),
        "{ran}"
    );
    let run = compare(
        dir.path(),
        &[&PAIR[..], &["--report-only", "--json"]].concat(),
    )
    .exits(4)
    .json();
    assert_eq!(run.verdict.outcome, Outcome::Nothing);
}

#[test]
fn pairs_are_by_exact_name_or_declared_and_what_is_left_over_is_listed() {
    let dir = foreign();
    let path = |name: &str| dir.path().join(name);
    write_trace(
        &path("c.safetensors"),
        &[
            ("u", &[2, 2], &[1.0, 2.0, 3.0, 4.0]),
            ("V", &[3], &[5.0, 6.0, 7.0]),
            ("extra", &[1], &[0.0]),
        ],
        None,
    );
    compare(dir.path(), &["a.safetensors", "c.safetensors", "--exact"])
        .exits(4)
        .says(&[
            "1 of 2",
            "left over",
            "V",
            "extra",
            "no tensor 'v'",
            "not as expected",
        ]);
    compare(
        dir.path(),
        &[
            "a.safetensors",
            "c.safetensors",
            "--exact",
            "--rename",
            "v=V",
        ],
    )
    .exits(0)
    .says(&["2 of 2", "left over   1", "extra"]);
    compare(
        dir.path(),
        &[
            "a.safetensors",
            "c.safetensors",
            "--exact",
            "--rename",
            "v=V",
            "--rename",
            "v=u",
        ],
    )
    .refuses(2, &["--rename", "v"]);
    compare(
        dir.path(),
        &[
            "a.safetensors",
            "c.safetensors",
            "--exact",
            "--rename",
            "v=u",
        ],
    )
    .refuses(2, &["'u' is paired with both 'u' and 'v'"]);
    write_trace(
        &path("d.safetensors"),
        &[
            ("u", &[4], &[1.0, 2.0, 3.0, 4.0]),
            ("v", &[3], &[5.0, 6.0, 7.0]),
        ],
        None,
    );
    compare(
        dir.path(),
        &[
            "a.safetensors",
            "d.safetensors",
            "--atol",
            "9",
            "--rtol",
            "9",
            "--why",
            "a shape is no matter of tolerance",
        ],
    )
    .exits(1)
    .says(&["'u'", "shape [2, 2] against [4]"]);
}

#[test]
fn a_trace_in_shards_is_one_trace_and_a_truncated_shard_is_named() {
    let dir = foreign();
    let path = |name: &str| dir.path().join(name);
    write_trace(
        &path("s-1.safetensors"),
        &[("u", &[2, 2], &[1.0, 2.0, 3.0, 4.0])],
        None,
    );
    write_trace(
        &path("s-2.safetensors"),
        &[("v", &[3], &[5.0, 6.0, 7.0])],
        None,
    );
    let index = |text: &str| std::fs::write(path("s.safetensors.index.json"), text).unwrap();
    index(
        r#"{"metadata":{"total_size":28},"weight_map":{"u":"s-1.safetensors","v":"s-2.safetensors"}}"#,
    );
    for name in ["s.safetensors.index.json", "s.safetensors"] {
        compare(dir.path(), &["a.safetensors", name, "--exact"])
            .exits(0)
            .says(&["AGREE", "2 of 2"]);
    }
    let whole = std::fs::read(path("s-2.safetensors")).unwrap();
    for len in [0, 9, whole.len() - 1] {
        std::fs::write(path("s-2.safetensors"), &whole[..len]).unwrap();
        let says = if len == 0 {
            "the file is empty"
        } else {
            "safetensors file"
        };
        compare(dir.path(), &["a.safetensors", "s.safetensors", "--exact"])
            .refuses(2, &["s-2.safetensors", says]);
    }
    std::fs::remove_file(path("s-2.safetensors")).unwrap();
    compare(dir.path(), &["a.safetensors", "s.safetensors", "--exact"])
        .refuses(2, &["s-2.safetensors", "No such file"]);
    for (text, word) in [
        ("{", "shard index"),
        (r#"{"weight_map":{"u":"../a.safetensors"}}"#, "refused"),
        (r#"{"weight_map":{"zz":"s-1.safetensors"}}"#, "'zz'"),
    ] {
        index(text);
        compare(dir.path(), &["a.safetensors", "s.safetensors", "--exact"])
            .refuses(2, &["s.safetensors", word]);
    }
    index(r#"{"weight_map":{}}"#);
    compare(dir.path(), &["a.safetensors", "s.safetensors", "--exact"])
        .exits(4)
        .says(&["NOTHING COMPARED"]);
}

#[cfg(feature = "torch")]
mod engines {
    use super::*;
    use safetensors::SafeTensors;
    use safetensors::tensor::TensorView;
    use std::sync::OnceLock;

    /// y = x·x − 2.25 in half precision, where rounding x·x moves the small difference by a third of itself.
    #[test]
    fn a_recording_that_kept_f32_between_nodes_of_half_precision_is_right_and_a_wrong_one_is_not() {
        const F16: i32 = 10;
        let dir = tempfile::tempdir().unwrap();
        let mut c = weight("c", &[1], &[]);
        c.data_type = Some(F16);
        c.int32_data = vec![0x4080];
        let nodes = vec![
            node("Mul", "square", &["x", "x"], &["p"]),
            node("Sub", "left", &["p", "c"], &["y"]),
        ];
        write_model(
            dir.path(),
            "half.onnx",
            &onnx(port("x", F16, &[4]), nodes, vec![c]),
        );
        let x = [1.0, 3.0, 6.0, 11.0].map(|i| 1.5 + i / 1024.0);
        let half = |values: [f64; 4]| Tensor::from_f64(DType::F16, &[4], &values).unwrap();
        let p = x.map(|x| x * x);
        let path = dir.path().join("port.safetensors");
        let run = |y: [f64; 4]| {
            all_typed(&path, &[("x", &half(x)), ("p", &half(p)), ("y", &half(y))]);
            let words = ["run", "half.onnx", "--against", "port.safetensors"];
            Call::new(PARITY, dir.path(), &words).run()
        };
        let rounded = p.map(|p| DType::F16.round(p) - 2.25);
        let kept = p.map(|p| p - 2.25);
        assert!(
            kept.iter()
                .zip(rounded)
                .any(|(k, r)| (k - r).abs() > k / 4.0)
        );
        run(rounded).exits(0);
        run(kept).exits(0);
        run(kept.map(|y| y + 0.01))
            .exits(1)
            .says(&["DIVERGE at node 'left'"]);
    }

    const BYTES: &str = "bytes=1x2048:0..256";
    /// A tensor in the middle of the network.
    const CONV: &str = "jax2tf_get_logits_/pjit_get_logits_/MagikaV2/Conv_0/Conv2D:0";

    /// One recording of magika, made once for all tests here.
    fn recording() -> &'static Path {
        static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
        let make = || {
            let (dir, magika) = (tempfile::tempdir().unwrap(), model("magika.onnx"));
            let ran = Call::new(
                PARITY,
                dir.path(),
                &["run", text(&magika), "--input", BYTES, "--record", "rec"],
            )
            .run()
            .exits(0)
            .says(&["AGREE", "95 of 95"]);
            assert!(ran.err.is_empty(), "{ran}");
            let mut files: Vec<_> = std::fs::read_dir(dir.path().join("rec"))
                .unwrap()
                .map(|e| e.unwrap().file_name().into_string().unwrap())
                .collect();
            files.sort();
            assert_eq!(files, ["candidate.safetensors", "reference.safetensors"]);
            dir
        };
        MADE.get_or_init(make).path()
    }

    /// A folder of its own with a copy of the recording's `side`, `edit`ed; its metadata is kept.
    fn edited(side: &str, edit: impl Fn(&str, &mut Vec<u8>) -> bool) -> tempfile::TempDir {
        let bytes = std::fs::read(recording().join("rec").join(side)).unwrap();
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        let views = SafeTensors::deserialize(&bytes).unwrap();
        let mut data: Vec<_> = views
            .tensors()
            .into_iter()
            .map(|(n, v)| (n, v.dtype(), v.shape().to_vec(), v.data().to_vec()))
            .collect();
        data.retain_mut(|(n, _, _, bytes)| edit(n, bytes));
        let dir = tempfile::tempdir().unwrap();
        let views = data
            .iter()
            .map(|(n, d, s, b)| (n.as_str(), TensorView::new(*d, s.clone(), b).unwrap()));
        safetensors::serialize_to_file(
            views,
            metadata.metadata().clone(),
            &dir.path().join("edited.safetensors"),
        )
        .unwrap();
        dir
    }

    fn reference() -> String {
        text(&recording().join("rec/reference.safetensors")).to_string()
    }

    fn candidate() -> String {
        text(&recording().join("rec/candidate.safetensors")).to_string()
    }

    #[test]
    fn both_recorded_traces_agree_without_any_library() {
        let ran = compare(recording(), &[&reference(), &candidate()])
            .exits(0)
            .says(&["AGREE", "95 of 95", "onnxruntime", "libtorch"]);
        assert!(!ran.out.contains("not as expected"), "{ran}");
        let run = compare(recording(), &[&reference(), &candidate(), "--json"])
            .exits(0)
            .json();
        assert_eq!(
            (run.verdict.outcome, run.ledger.tensors, run.ledger.compared),
            (Outcome::Agree, 95, 95)
        );
        compare(recording(), &[&reference(), &candidate(), "--all"])
            .exits(0)
            .says(&["not tested (recorded)"]);
    }

    #[test]
    fn a_trace_agrees_with_itself_bit_for_bit() {
        compare(recording(), &[&reference(), &reference(), "--exact"])
            .exits(0)
            .says(&["AGREE", "95 of 95"]);
        compare(recording(), &[&candidate(), &candidate()])
            .exits(0)
            .says(&["AGREE", "95 of 95"]);
    }

    #[test]
    fn one_changed_tensor_diverges_there_and_nowhere_before() {
        let scaled = |name: &str, bytes: &mut Vec<u8>| {
            if name == CONV {
                let first = f32::from_le_bytes(bytes[400..404].try_into().unwrap());
                bytes[400..404].copy_from_slice(&(first * 1.01 + 0.5).to_le_bytes());
            }
            true
        };
        let dir = edited("candidate.safetensors", scaled);
        let args = [&reference(), "edited.safetensors", "--all"];
        compare(dir.path(), &args).exits(1).says(&[
            &format!("DIVERGE first at tensor '{CONV}'"),
            "own fault not tested",
            "not tested (recorded)",
        ]);
        let run = compare(dir.path(), &[&reference(), "edited.safetensors", "--json"])
            .exits(1)
            .json();
        assert_eq!(run.verdict.untested, [CONV]);
        assert!(
            run.verdict.origins.is_empty(),
            "nothing is called a fault of its own that was not tested alone"
        );
    }

    #[test]
    fn a_tensor_that_one_recording_lacks_is_no_agreement() {
        let dir = edited("candidate.safetensors", |name, _| name != CONV);
        let missing = compare(dir.path(), &[&reference(), "edited.safetensors", "--json"])
            .exits(4)
            .json();
        assert_eq!((missing.ledger.tensors, missing.ledger.compared), (95, 94));
        let extra = compare(dir.path(), &["edited.safetensors", &reference(), "--json"]).json();
        assert_eq!(extra.ledger.leftovers, [CONV]);
    }

    #[test]
    fn a_model_agrees_with_its_own_recording_and_blames_the_inputs_where_they_differ() {
        let (dir, magika) = (tempfile::tempdir().unwrap(), model("magika.onnx"));
        let against = |input: &str| {
            Call::new(
                PARITY,
                dir.path(),
                &[
                    "run",
                    text(&magika),
                    "--against",
                    &reference(),
                    "--input",
                    input,
                ],
            )
            .run()
        };
        against(BYTES)
            .exits(0)
            .says(&["AGREE", "95 of 95", "recorded"]);
        against("bytes=1x2048:0..255").exits(1).says(&[
            "DIVERGE at the inputs",
            "input 'bytes' is not the one that was recorded",
        ]);
    }

    #[test]
    fn a_recording_into_a_file_or_twice_leaves_whole_traces() {
        let dir = tempfile::tempdir().unwrap();
        write_model(dir.path(), "m.onnx", &small());
        std::fs::write(dir.path().join("taken"), "a file").unwrap();
        Call::new(
            PARITY,
            dir.path(),
            &["run", "m.onnx", "--json", "--record", "taken"],
        )
        .run()
        .refuses(3, &["taken", "next:"]);
        for seed in ["1", "2"] {
            Call::new(
                PARITY,
                dir.path(),
                &["run", "m.onnx", "--seed", seed, "--record", "r"],
            )
            .run()
            .exits(0);
        }
        assert_eq!(std::fs::read_dir(dir.path().join("r")).unwrap().count(), 2);
        compare(
            dir.path(),
            &["r/reference.safetensors", "r/candidate.safetensors"],
        )
        .exits(0)
        .says(&["3 of 3"]);
    }

    #[test]
    fn recordings_of_different_inputs_are_not_compared_as_if_they_were_equal() {
        let dir = tempfile::tempdir().unwrap();
        write_model(dir.path(), "m.onnx", &small());
        for seed in ["1", "2"] {
            Call::new(
                PARITY,
                dir.path(),
                &["run", "m.onnx", "--seed", seed, "--record", seed],
            )
            .run()
            .exits(0);
        }
        compare(
            dir.path(),
            &["1/reference.safetensors", "2/reference.safetensors"],
        )
        .exits(1)
        .says(&["DIVERGE at the inputs", "input 'x' differs"]);
    }
}

#[test]
fn a_tensor_whose_axes_are_exchanged_is_another_one_and_said_to_be_that() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let of = |shape: &'static [usize], values: &'static [f32]| [("u", shape, values)];
    write_trace(
        &path("a.safetensors"),
        &of(&[1, 2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
        None,
    );
    write_trace(
        &path("b.safetensors"),
        &of(&[1, 3, 2], &[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]),
        None,
    );
    write_trace(
        &path("c.safetensors"),
        &of(&[1, 3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
        None,
    );
    let exact = |other: &str| compare(dir.path(), &["a.safetensors", other, "--exact"]).exits(1);
    let said = "equal after the axes are exchanged (0, 2, 1)";
    exact("b.safetensors").says(&["shape [1, 2, 3] against [1, 3, 2]", said]);
    assert!(!exact("c.safetensors").out.contains("exchanged"));
}

/// A file of one tensor that no float holds.
fn typed(path: &Path, name: &str, t: &Tensor) {
    all_typed(path, &[(name, t)]);
}

fn all_typed(path: &Path, tensors: &[(&str, &Tensor)]) {
    let views = tensors.iter().map(|(name, t)| (*name, viewed(t)));
    safetensors::serialize_to_file(views, None, path).unwrap();
}

fn viewed(t: &Tensor) -> safetensors::tensor::TensorView<'_> {
    let dtype = match t.dtype() {
        DType::I32 => safetensors::Dtype::I32,
        DType::I64 => safetensors::Dtype::I64,
        DType::F32 => safetensors::Dtype::F32,
        DType::F16 => safetensors::Dtype::F16,
        other => panic!("{other}"),
    };
    safetensors::tensor::TensorView::new(dtype, t.shape().to_vec(), t.bytes()).unwrap()
}

#[test]
fn what_frameworks_hold_otherwise_is_a_convention_and_a_wrong_number_under_it_is_none() {
    let floats = |shape: &[usize], last: f32| {
        let count: usize = shape.iter().product();
        let mut values = vec![0.5f32; count];
        values[count - 1] = last;
        Tensor::of(shape, &values)
    };
    let wide = |last: i64| Tensor::of(&[3], &[4i64, -1, last]);
    let narrow = |shape: &[usize], last: i32| Tensor::of(shape, &[4i32, -1, last]);
    let cases = [
        (
            "loss.cls",
            floats(&[], 2.0),
            floats(&[1], 2.0),
            floats(&[1], 2.1),
            "f32 [] in the reference and f32 [1] in the candidate",
        ),
        (
            "loss.cls",
            floats(&[1], 2.0),
            floats(&[], 2.0),
            floats(&[], 2.1),
            "f32 [1] in the reference and f32 [] in the candidate",
        ),
        (
            "loss.iou",
            floats(&[4], 2.0),
            floats(&[4, 1], 2.0),
            floats(&[4, 1], 2.1),
            "f32 [4] in the reference and f32 [4, 1] in the candidate",
        ),
        (
            "gt_index",
            wide(7),
            narrow(&[3], 7),
            narrow(&[3], 8),
            "i64 against i32 (how wide an integer is)",
        ),
        (
            "labels",
            narrow(&[3], 7),
            wide(7),
            wide(8),
            "i32 against i64 (how wide an integer is)",
        ),
        (
            "owner",
            wide(7),
            narrow(&[3, 1], 7),
            narrow(&[3, 1], 8),
            "i64 against i32 (how wide an integer is), [3] against [3, 1]",
        ),
    ];
    for (name, reference, same, wrong, says) in &cases {
        let dir = tempfile::tempdir().unwrap();
        typed(&dir.path().join(PAIR[0]), name, reference);
        for (candidate, code) in [(same, 0), (wrong, 1)] {
            typed(&dir.path().join(PAIR[1]), name, candidate);
            for stated in [
                &["--exact"][..],
                &["--atol", "1e-3", "--rtol", "0", "--why", "a test"],
            ] {
                let ran = compare(dir.path(), &[&PAIR[..], stated].concat()).exits(code);
                ran.says(&[&format!("'{name}'"), says]);
            }
        }
        // Another count, and floats in the place of integers.
        typed(&dir.path().join(PAIR[1]), name, &floats(&[2, 4], 2.0));
        let more = compare(dir.path(), &[&PAIR[..], &["--exact"]].concat()).exits(1);
        assert!(!more.out.contains("a convention"), "{more}");
    }
}

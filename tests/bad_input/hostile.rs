//! Files that lie about themselves, and names that would steer a terminal.

use super::check;
use super::support::*;
use parity::graph::proto::*;
use std::path::Path;

/// safetensors files that lie about themselves.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let one = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    vec![
        ("empty", vec![]),
        ("shorter than a length", vec![1, 2, 3]),
        (
            "header length beyond the file",
            [&u64::MAX.to_le_bytes()[..], b"{}"].concat(),
        ),
        (
            "header length of a tebibyte",
            [&(1u64 << 40).to_le_bytes()[..], b"{}"].concat(),
        ),
        ("header cut", raw_trace(one, &[0; 4])[..20].to_vec()),
        ("data cut", raw_trace(one, &[0; 3])),
        ("bytes left over", raw_trace(one, &[0; 9])),
        ("no JSON", raw_trace("{nonsense", &[])),
        (
            "overlapping offsets",
            raw_trace(
                r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#,
                &[0; 6],
            ),
        ),
        (
            "reversed offsets",
            raw_trace(
                r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#,
                &[0; 4],
            ),
        ),
        (
            "shape that overflows",
            raw_trace(
                r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,4]}}"#,
                &[0; 4],
            ),
        ),
        (
            "offset that overflows",
            raw_trace(
                r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[18446744073709551612,18446744073709551615]}}"#,
                &[0; 4],
            ),
        ),
        (
            "a header of another version",
            raw_trace(
                r#"{"__metadata__":{"parity.trace":"{\"format\":9,\"subject\":\"\",\"command\":\"\",\"inputs\":{},\"tensors\":{}}"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
                &[0; 4],
            ),
        ),
    ]
}

#[test]
fn a_hostile_trace_is_refused_by_compare_and_by_run() {
    for (what, bytes) in hostile() {
        let setup = |d: &Path| {
            write_model(d, "m.onnx", &small());
            std::fs::write(d.join("bad.safetensors"), &bytes).unwrap();
            write_trace(&d.join("good.safetensors"), &[("a", &[1], &[1.0])], None);
        };
        eprintln!("{what}");
        check(
            setup,
            &["compare", "good.safetensors", "bad.safetensors", "--exact"],
            2,
            &["bad.safetensors"],
        );
        check(
            setup,
            &["compare", "bad.safetensors", "good.safetensors", "--exact"],
            2,
            &["bad.safetensors"],
        );
        if cfg!(feature = "torch") {
            check(
                setup,
                &["run", "m.onnx", "--against", "bad.safetensors"],
                2,
                &["bad.safetensors"],
            );
        }
        check(
            setup,
            &["run", "m.onnx", "--input", "x=bad.safetensors"],
            2,
            &["bad.safetensors"],
        );
    }
}

const HOSTILE: &str = "a\u{1b}[2J\u{7}\u{9b}b\r\u{202e}c";

#[test]
fn names_from_files_cannot_steer_the_terminal() {
    let ports = |op: &str, dangling: bool| {
        let mut m = onnx(
            port(HOSTILE, F32, &[2]),
            vec![node(
                op,
                HOSTILE,
                &[if dangling { "\u{1b}c" } else { HOSTILE }],
                &["y\u{1b}[31m"],
            )],
            vec![weight(HOSTILE, &[1], &[1.0])],
        );
        m.graph.as_mut().unwrap().initializer[0].name = Some("w\u{1b}/w".into());
        m
    };
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let ran = Call::new(PARITY, dir.path(), args).run();
        ran.is_civil();
        ran
    };
    let mut named = ports("Relu", false);
    named.opset_import.push(OperatorSetIdProto {
        domain: Some("com.\u{1b}[8m".into()),
        version: Some(1),
    });
    let TypeValue::TensorType(t) = named.graph.as_mut().unwrap().input[0]
        .r#type
        .as_mut()
        .unwrap()
        .value
        .as_mut()
        .unwrap()
    else {
        panic!()
    };
    t.shape.as_mut().unwrap().dim[0].value = Some(DimensionValue::DimParam("n\u{1b}[9m".into()));
    write_model(dir.path(), "ports.onnx", &named);
    run(&["map", "ports.onnx", "--nodes"])
        .exits(0)
        .says(&["\\u{1b}[2J"]);
    run(&["run", "ports.onnx"]).refuses(2, &["\\u{1b}[9m"]);
    write_model(dir.path(), "dangling.onnx", &ports("Relu", true));
    run(&["map", "dangling.onnx"]).refuses(2, &["\\u{1b}c"]);
    write_model(dir.path(), "op.onnx", &ports("Op\u{1b}[5m", false));
    run(&["map", "op.onnx"]).exits(0).says(&["Op\\u{1b}[5m"]);
    if cfg!(feature = "torch") {
        let ran = run(&["run", "op.onnx"]);
        let code = ran.code.unwrap();
        assert!(matches!(code, 2 | 3), "{ran}");
        ran.refuses(code, &["Op\\u{1b}[5m"]);
        write_model(dir.path(), "runs.onnx", &ports("Relu", false));
        for args in [
            &["run", "runs.onnx", "--all"][..],
            &["run", "runs.onnx", "--json"],
        ] {
            run(args).exits(0);
        }
    }
    std::fs::write(
        dir.path().join("s.toml"),
        "format = 1\nmodel = \"ports.onnx\"\n\"k\\u001b[2J\" = 1\n",
    )
    .unwrap();
    run(&["run", "s.toml"]).refuses(2, &["k\\u{1b}[2J"]);
    std::fs::write(
        dir.path().join("s.toml"),
        "format = 1\nmodel = \"gone\\u001b[2J.onnx\"\n",
    )
    .unwrap();
    run(&["run", "s.toml"]).refuses(2, &["gone\\u{1b}[2J"]);
    for (name, values) in [("a", 1.0), ("b", 2.0)] {
        write_trace(
            &dir.path().join(format!("{name}.safetensors")),
            &[
                ("t\u{1b}[2J", &[1], &[values]),
                (&format!("only {name}\u{1b}c"), &[1], &[1.0]),
            ],
            None,
        );
    }
    run(&[
        "compare",
        "a.safetensors",
        "b.safetensors",
        "--exact",
        "--all",
    ])
    .exits(1)
    .says(&["t\\u{1b}[2J", "only b\\u{1b}c"]);
    let odd = dir.path().join("no\u{1b}[2Jwhere");
    std::fs::create_dir(&odd).unwrap();
    Call::new(PARITY, dir.path(), &["doctor"])
        .without_libraries(&odd)
        .run()
        .exits(3)
        .says(&["no\\u{1b}[2Jwhere"]);
}

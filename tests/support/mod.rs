//! support: what the tests of the command line share: running `parity` with a time limit, and small files to feed it.

#![allow(dead_code)] // each test crate uses its part

pub mod audits;

use assert_cmd::Command;
use parity::graph::proto::*;
use parity::run::Run;
use parity::verdict::{Blame, Isolated};
use prost::Message;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub const PARITY: &str = env!("CARGO_BIN_EXE_parity");
const LIMIT: Duration = Duration::from_secs(60);

/// What one invocation said.
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
    pub line: String,
}

/// One invocation of an executable.
pub struct Call {
    command: Command,
    line: String,
}

impl Call {
    pub fn new(program: impl AsRef<Path>, folder: &Path, args: &[&str]) -> Self {
        let mut command = Command::new(program.as_ref());
        // What is blessed here is not blessed for anyone: continuous integration runs these tests too.
        command.env_remove("CI");
        command.current_dir(folder).args(args);
        Self {
            command,
            line: format!("parity {}", args.join(" ")),
        }
    }

    /// Neither libtorch nor ONNX Runtime can be found.
    pub fn without_libraries(mut self, empty: &Path) -> Self {
        self.command
            .env("LIBTORCH", empty)
            .env("ORT_DYLIB_PATH", empty);
        self
    }

    pub fn env(mut self, key: &str, value: &Path) -> Self {
        self.command.env(key, value);
        self
    }

    /// Runs it to its end; one that takes longer than a minute hangs, and is stopped.
    pub fn run(mut self) -> Ran {
        let start = Instant::now();
        let output = self.command.timeout(LIMIT).output();
        let output = output.unwrap_or_else(|e| panic!("{}: {e}", self.line));
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        let ran = Ran {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
            line: self.line,
        };
        assert!(start.elapsed() < LIMIT, "hangs: {ran}");
        ran
    }
}

impl Ran {
    /// The exit code, no panic, and nothing that steers a terminal.
    pub fn exits(self, code: i32) -> Self {
        self.is_civil();
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    pub fn is_civil(&self) {
        for stream in [&self.out, &self.err] {
            assert!(!stream.contains("panicked"), "{self}");
            let hostile =
                |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}');
            assert!(
                !stream.contains(hostile),
                "a raw control character: {:?}",
                self.to_string()
            );
        }
    }

    /// Refused with exactly one message on stderr, which says all of `words`.
    pub fn refuses(self, code: i32, words: &[&str]) {
        let ran = self.exits(code);
        let messages = ran
            .err
            .lines()
            .filter(|l| l.starts_with("parity: "))
            .count();
        assert_eq!(messages, 1, "one message: {ran}");
        assert!(ran.err.starts_with("parity: "), "{ran}");
        let rest = ran.err.lines().skip(1).find(|l| !l.starts_with("  "));
        assert_eq!(
            rest, None,
            "nothing but the message and its next step: {ran}"
        );
        ran.says_on(&ran.err, words);
    }

    /// stdout says all of `words`.
    pub fn says(self, words: &[&str]) -> Self {
        self.says_on(&self.out, words);
        self
    }

    fn says_on(&self, stream: &str, words: &[&str]) {
        for word in words {
            assert!(stream.contains(word), "'{word}' is not said: {self}");
        }
    }

    /// stdout as a Run.
    pub fn json(&self) -> Run {
        Run::from_json(&self.out).unwrap_or_else(|e| panic!("{e}: {self}"))
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}\nexit {:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.line, self.code, self.out, self.err
        )
    }
}

/// A fetched model.
pub fn model(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("models")
        .join(name);
    assert!(
        path.is_file(),
        "{} is missing: scripts/fetch_models fetches it",
        path.display()
    );
    path
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

pub const F32: i32 = 1;
pub const I64: i32 = 7;

pub fn node(op: &str, name: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    let own = |list: &[&str]| list.iter().map(|s| s.to_string()).collect();
    NodeProto {
        op_type: Some(op.into()),
        name: Some(name.into()),
        input: own(inputs),
        output: own(outputs),
        ..Default::default()
    }
}

/// A declared tensor; a negative dimension is left open.
pub fn port(name: &str, dtype: i32, shape: &[i64]) -> ValueInfoProto {
    let dim = |d: &i64| Dimension {
        value: (*d >= 0).then_some(DimensionValue::DimValue(*d)),
        ..Default::default()
    };
    let tensor = TensorType {
        elem_type: Some(dtype),
        shape: Some(TensorShapeProto {
            dim: shape.iter().map(dim).collect(),
        }),
    };
    ValueInfoProto {
        name: Some(name.into()),
        r#type: Some(TypeProto {
            value: Some(TypeValue::TensorType(tensor)),
            ..Default::default()
        }),
        ..Default::default()
    }
}

pub fn weight(name: &str, shape: &[i64], values: &[f32]) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: shape.to_vec(),
        data_type: Some(F32),
        float_data: values.to_vec(),
        ..Default::default()
    }
}

/// A model of opset 17 over `input`, whose output is the last node's first.
pub fn onnx(input: ValueInfoProto, nodes: Vec<NodeProto>, weights: Vec<TensorProto>) -> ModelProto {
    let last = nodes
        .last()
        .and_then(|n| n.output.first())
        .cloned()
        .unwrap_or_default();
    let output = ValueInfoProto {
        name: Some(last),
        r#type: None,
        ..Default::default()
    };
    let graph = GraphProto {
        name: Some("g".into()),
        node: nodes,
        initializer: weights,
        input: vec![input],
        output: vec![output],
        ..Default::default()
    };
    let opset = OperatorSetIdProto {
        domain: Some(String::new()),
        version: Some(17),
    };
    ModelProto {
        ir_version: Some(8),
        graph: Some(graph),
        opset_import: vec![opset],
        ..Default::default()
    }
}

/// y = relu(x · w + b), x of shape [2, 3].
pub fn small() -> ModelProto {
    let nodes = vec![
        node("MatMul", "mm", &["x", "w"], &["p"]),
        node("Add", "add", &["p", "b"], &["q"]),
        node("Relu", "relu", &["q"], &["y"]),
    ];
    let w: Vec<f32> = (0..12).map(|i| 0.37 * i as f32 - 2.0).collect();
    onnx(
        port("x", F32, &[2, 3]),
        nodes,
        vec![
            weight("w", &[3, 4], &w),
            weight("b", &[4], &[0.1, -0.2, 0.3, 0.7]),
        ],
    )
}

pub fn write_model(folder: &Path, name: &str, model: &ModelProto) {
    std::fs::write(folder.join(name), model.encode_to_vec()).expect("a writable folder");
}

/// A safetensors file of f32 tensors; `header` becomes its metadata `parity.trace`.
pub fn write_trace(path: &Path, tensors: &[(&str, &[usize], &[f32])], header: Option<&str>) {
    let bytes: BTreeMap<&str, Vec<u8>> = tensors
        .iter()
        .map(|(n, _, v)| (*n, v.iter().flat_map(|x| x.to_le_bytes()).collect()))
        .collect();
    let views = tensors.iter().map(|(n, s, _)| {
        (
            *n,
            safetensors::tensor::TensorView::new(safetensors::Dtype::F32, s.to_vec(), &bytes[n])
                .expect("a tensor"),
        )
    });
    let metadata = header.map(|h| [("parity.trace".to_string(), h.to_string())].into());
    safetensors::serialize_to_file(views, metadata, path).expect("a writable folder");
}

/// safetensors bytes from a raw JSON header: what the format's own writer would refuse.
pub fn raw_trace(json: &str, data: &[u8]) -> Vec<u8> {
    [
        &(json.len() as u64).to_le_bytes()[..],
        json.as_bytes(),
        data,
    ]
    .concat()
}

/// The nodes of either side in the one stretch that is at fault independently of others, and why it is.
pub fn only_stretch<'r>(run: &'r Run, what: &str) -> (&'r [Vec<String>; 2], Option<&'r Blame>) {
    let origins = run.verdict.origins.iter();
    let own: Vec<_> = origins.filter(|o| o.independent).collect();
    assert_eq!(own.len(), 1, "{what}: {own:?}");
    let mut tensors = run.tensors.iter();
    let tensor = tensors.find(|t| t.name == own[0].tensor).unwrap();
    let Isolated::Stretch { nodes, blame, .. } = &tensor.isolated else {
        panic!("{what}: {:?}", tensor.isolated)
    };
    (nodes, blame.as_ref())
}

/// An executable port `name` in `folder` that does as tests/fixtures/live/`does`.py, but for `lines` of Python.
pub fn live_port(folder: &Path, name: &str, does: &str, lines: &str) -> PathBuf {
    let live = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/live");
    let script = format!(
        "#!/usr/bin/env python3\nimport math, sys\nsys.dont_write_bytecode = True\nsys.path.insert(0, {live:?})\nimport {does} as port\n{lines}\nport.serve()\n"
    );
    let path = folder.join(name);
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path
}

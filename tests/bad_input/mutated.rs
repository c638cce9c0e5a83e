//! A thousand seeded mutations of every kind of file: read or refused, never a panic.

use super::support::*;
use parity::graph::proto::*;
use prost::Message;

/// A small deterministic generator: mutations must be the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize) % n.max(1)
    }

    /// One to four edits: a byte changed, a range repeated, removed or set, the end cut off.
    fn mutate(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let (at, len) = (self.below(out.len()), 1 + self.below(9));
            let end = (at + len).min(out.len());
            match self.below(5) {
                0 if !out.is_empty() => out[at] = self.below(256) as u8,
                1 if !out.is_empty() => out[at] ^= 1 << self.below(8),
                2 => {
                    let part = out[at..end].to_vec();
                    out.splice(at..at, part);
                }
                3 => {
                    out.drain(at..end);
                }
                4 => out[at..end].fill([0, 0x7f, 0x80, 0xff][self.below(4)]),
                _ => out.truncate(at),
            }
        }
        out
    }
}

#[test]
fn a_mutated_model_is_parsed_or_refused_and_never_panics() {
    let mut rich = small();
    let ints = AttributeProto {
        name: Some("axes".into()),
        ints: vec![0, 1],
        r#type: Some(7),
        ..Default::default()
    };
    let text = AttributeProto {
        name: Some("mode".into()),
        s: Some(bytes::Bytes::from_static(b"linear")),
        r#type: Some(3),
        ..Default::default()
    };
    let body = AttributeProto {
        name: Some("body".into()),
        g: small().graph,
        r#type: Some(5),
        ..Default::default()
    };
    let value = AttributeProto {
        name: Some("value".into()),
        t: Some(weight("", &[1], &[2.0])),
        r#type: Some(4),
        ..Default::default()
    };
    rich.graph.as_mut().unwrap().node[2].attribute = vec![ints, text, body, value];
    let (bytes, mut random, mut parsed) = (rich.encode_to_vec(), Random(7), 0);
    for i in 0..1000 {
        let mutated = random.mutate(&bytes);
        let result = std::panic::catch_unwind(|| {
            parity::graph::load::parse(mutated.clone().into(), None).is_ok()
        });
        parsed +=
            usize::from(result.unwrap_or_else(|_| panic!("mutation {i} panics: {mutated:?}")));
    }
    assert!(
        (50..950).contains(&parsed),
        "{parsed} of 1000 mutations are still a model: they test too little"
    );
}

#[test]
fn a_mutated_trace_is_opened_or_refused_and_never_panics() {
    let dir = tempfile::tempdir().unwrap();
    let (path, header) = (
        dir.path().join("t.safetensors"),
        r#"{"format":1,"subject":"s","command":"c","inputs":{"x":"00"},"tensors":{"a":{"node":"n","op":"Add","inputs":["x"]},"b":{"node":"m","op":"Mul","inputs":["a"]}}}"#,
    );
    write_trace(
        &path,
        &[
            ("a", &[2, 2], &[1.0, 2.0, 3.0, 4.0]),
            ("b", &[3], &[1.0; 3]),
        ],
        Some(header),
    );
    let (bytes, mut random, mut opened) = (std::fs::read(&path).unwrap(), Random(11), 0);
    for i in 0..1000 {
        let mutated = random.mutate(&bytes);
        // A file that a map still lies on is never written to: each mutation is a file of its own.
        let path = dir.path().join(format!("{i}.safetensors"));
        std::fs::write(&path, &mutated).unwrap();
        let read = || match parity::trace::file::open(&path) {
            Ok(trace) => trace.ordered().iter().all(|n| trace.tensor(n).is_ok()),
            Err(_) => false,
        };
        opened += usize::from(
            std::panic::catch_unwind(read)
                .unwrap_or_else(|_| panic!("mutation {i} panics: {mutated:?}")),
        );
    }
    assert!(
        (5..995).contains(&opened),
        "{opened} of 1000 mutations still open: they test too little"
    );
}

#[test]
fn a_mutated_scenario_is_parsed_or_refused_and_never_panics() {
    let text = "format = 1\nmodel = \"m.onnx\"\nseed = 3\n[inputs.x]\nrandom = \"integers\"\nlow = 0\nhigh = 9\n[reference]\nsubject = \"libtorch\"\n[expect]\ncoverage = 0.5\n";
    let mut random = Random(13);
    for i in 0..1000 {
        let mutated = String::from_utf8_lossy(&random.mutate(text.as_bytes())).into_owned();
        let parse = || parity::scenario::load::parse(&mutated).is_ok();
        std::panic::catch_unwind(parse)
            .unwrap_or_else(|_| panic!("mutation {i} panics: {mutated:?}"));
    }
}

#[test]
fn a_mutated_npy_file_is_read_or_refused_and_never_panics() {
    use npyz::WriterBuilder;
    let mut bytes = Vec::new();
    let mut writer = npyz::WriteOptions::new()
        .default_dtype()
        .shape(&[2, 3])
        .writer(&mut bytes)
        .begin_nd()
        .unwrap();
    writer.extend([1f32, 2., 3., 4., 5., 6.]).unwrap();
    writer.finish().unwrap();
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &small());
    let graph = parity::graph::load::file(&dir.path().join("m.onnx")).unwrap();
    let path = dir.path().join("x.npy");
    let scenario = parity::scenario::build::from_model(
        &dir.path().join("m.onnx"),
        &[format!("x={}", path.display())],
    )
    .unwrap();
    let (mut random, mut read) = (Random(17), 0);
    for i in 0..1000 {
        let mutated = random.mutate(&bytes);
        std::fs::write(&path, &mutated).unwrap();
        let make = std::panic::AssertUnwindSafe(|| parity::input::make(&scenario, &graph).is_ok());
        read += usize::from(std::panic::catch_unwind(make).unwrap_or_else(|_| {
            panic!(
                "mutation {i} panics: {:?}",
                String::from_utf8_lossy(&mutated)
            )
        }));
    }
    assert!(
        (20..980).contains(&read),
        "{read} of 1000 mutations are still read: they test too little"
    );
}

//! Parameters: the difference of two counts is taken apart to the last element, from goldens, recorded traces and ONNX graphs alike.

mod support;

use parity::params::{Cause, Difference, Group, Kind, Param, decompose};
use parity::tensor::DType;
use parity::trace::Header;
use parity::trace::write::Writer;
use std::path::Path;
use support::*;

/// A detector's parameters, block by block from its published table (Gold-YOLO-N, 20 classes).
struct Net {
    list: Vec<Param>,
    /// Every 3×3 block is re-parameterised: two convolutions and up to three norms instead of one and one.
    repvgg: bool,
    /// `parameters()` lists the running statistics of norms.
    statistics: Kind,
}

impl Net {
    fn add(&mut self, name: &str, shape: &[usize], kind: Kind, trainable: bool) {
        let trainable = (kind == Kind::Parameter).then_some(trainable);
        self.list.push(Param {
            name: name.into(),
            shape: shape.to_vec(),
            dtype: DType::F32,
            kind,
            trainable,
        });
    }

    fn norm(&mut self, at: &str, n: usize) {
        for (leaf, kind) in [
            ("weight", Kind::Parameter),
            ("bias", Kind::Parameter),
            ("running_mean", self.statistics),
            ("running_var", self.statistics),
        ] {
            self.add(
                &format!("{at}.{leaf}"),
                &[n],
                kind,
                !leaf.starts_with("running"),
            );
        }
        self.list.push(Param {
            name: format!("{at}.num_batches_tracked"),
            shape: vec![],
            dtype: DType::I64,
            kind: Kind::Buffer,
            trainable: None,
        });
    }

    /// A convolution without bias, then a norm.
    fn conv(&mut self, at: &str, i: usize, o: usize, k: usize) {
        self.add(
            &format!("{at}.conv.weight"),
            &[o, i, k, k],
            Kind::Parameter,
            true,
        );
        self.norm(&format!("{at}.bn"), o);
    }

    /// A plain convolution with bias.
    fn biased(&mut self, at: &str, i: usize, o: usize, k: usize) {
        self.add(
            &format!("{at}.weight"),
            &[o, i, k, k],
            Kind::Parameter,
            true,
        );
        self.add(&format!("{at}.bias"), &[o], Kind::Parameter, true);
    }

    fn block(&mut self, at: &str, i: usize, o: usize, stride: usize) {
        if self.repvgg {
            self.conv(&format!("{at}.rbr_dense"), i, o, 3);
            self.conv(&format!("{at}.rbr_1x1"), i, o, 1);
            if i == o && stride == 1 {
                self.norm(&format!("{at}.rbr_identity"), o);
            }
        } else {
            self.biased(&format!("{at}.conv"), i, o, 3);
            self.norm(&format!("{at}.bn"), o);
        }
    }

    fn blocks(&mut self, at: &str, c: usize, n: usize) {
        (0..n).for_each(|j| self.block(&format!("{at}.{j}"), c, c, 1));
    }

    fn inject(&mut self, at: &str, c: usize) {
        for part in ["local", "act", "embed"] {
            self.conv(&format!("{at}.{part}"), c, c, 1);
        }
    }

    fn backbone(&mut self) {
        self.block("backbone.stem", 3, 16, 2);
        for (stage, i, o, n) in [
            (2, 16, 32, 2),
            (3, 32, 64, 4),
            (4, 64, 128, 6),
            (5, 128, 256, 2),
        ] {
            self.block(&format!("backbone.stage{stage}.down"), i, o, 2);
            self.blocks(&format!("backbone.stage{stage}.rep"), o, n);
        }
        let sppf = [
            (256, 128, 1),
            (128, 128, 3),
            (128, 128, 1),
            (256, 128, 1),
            (512, 128, 1),
            (128, 128, 3),
            (256, 256, 1),
        ];
        for (j, (i, o, k)) in sppf.into_iter().enumerate() {
            self.conv(&format!("backbone.stage5.sppf.cv{j}"), i, o, k);
        }
    }

    fn neck(&mut self) {
        self.conv("neck.low_ifm.in", 480, 96, 1);
        self.blocks("neck.low_ifm.rep", 96, 3);
        self.conv("neck.low_ifm.out", 96, 96, 1);
        self.conv("neck.c5h", 256, 64, 1);
        for (at, i, o) in [("p4", 128, 64), ("p3", 64, 32)] {
            self.conv(&format!("neck.laf_{at}.cv1"), i, o, 1);
            self.conv(&format!("neck.laf_{at}.cv2"), 3 * o, o, 1);
            self.inject(&format!("neck.inject_{at}"), o);
            self.blocks(&format!("neck.rep_{at}"), o, 4);
        }
        self.conv("neck.p4h", 64, 32, 1);
        for block in 0..2 {
            let at = |part: &str| format!("neck.high_ifm.{block}.{part}");
            for (part, i, o) in [
                ("q", 352, 32),
                ("k", 352, 32),
                ("v", 352, 64),
                ("proj", 64, 352),
                ("fc1", 352, 352),
                ("fc2", 352, 352),
            ] {
                self.conv(&at(part), i, o, 1);
            }
            self.biased(&at("dw"), 1, 352, 3);
        }
        self.biased("neck.conv_1x1_n", 352, 192, 1);
        for (at, c) in [("n4", 64), ("n5", 128)] {
            self.inject(&format!("neck.inject_{at}"), c);
            self.blocks(&format!("neck.rep_{at}"), c, 4);
        }
    }

    fn head(&mut self) {
        for (level, c) in [32, 64, 128].into_iter().enumerate() {
            self.conv(&format!("detect.stems.{level}"), c, c, 1);
            self.conv(&format!("detect.cls_convs.{level}"), c, c, 3);
            self.conv(&format!("detect.reg_convs.{level}"), c, c, 3);
            self.biased(&format!("detect.cls_preds.{level}"), c, 20, 1);
            self.biased(&format!("detect.reg_preds.{level}"), c, 4, 1);
        }
        self.add("detect.proj", &[17], Kind::Parameter, false);
        self.add(
            "detect.proj_conv.weight",
            &[1, 17, 1, 1],
            Kind::Parameter,
            false,
        );
    }
}

fn detector(repvgg: bool, statistics: Kind) -> Vec<Param> {
    let mut net = Net {
        list: vec![],
        repvgg,
        statistics,
    };
    net.backbone();
    net.neck();
    net.head();
    net.list
}

fn reference() -> Vec<Param> {
    detector(false, Kind::Buffer)
}

fn causes(d: &Difference) -> Vec<(Cause, i64)> {
    d.parameters
        .by_cause()
        .iter()
        .map(|g| (g.cause, g.difference()))
        .filter(|(c, _)| *c != Cause::Same)
        .collect()
}

#[test]
fn the_reference_has_the_published_count_and_agrees_with_itself() {
    let d = decompose::difference(&reference(), &reference(), &[]).unwrap();
    assert_eq!(
        (
            d.parameters.reference(),
            d.parameters.difference(),
            d.equal()
        ),
        (5_617_930, 0, true)
    );
    assert_eq!(d.trainable.unwrap().reference(), 5_617_930 - 34);
    let kept: u64 = reference().iter().map(Param::elements).sum();
    assert_eq!(kept, 5_635_904, "what a state_dict holds");
}

#[test]
fn statistics_counted_as_parameters_are_named_to_the_last_element() {
    let d = decompose::difference(&reference(), &detector(false, Kind::Parameter), &[]).unwrap();
    assert_eq!(d.parameters.difference(), 17_888);
    assert_eq!(causes(&d), [(Cause::Buffer, 17_888)]);
    assert!(
        d.parameters
            .groups()
            .iter()
            .any(|g| g.module == "backbone.stem.bn" && g.difference() == 32)
    );
}

#[test]
fn another_block_type_is_taken_apart_module_by_module() {
    let d = decompose::difference(&reference(), &detector(true, Kind::Buffer), &[]).unwrap();
    assert_eq!(
        (d.parameters.reference(), d.parameters.candidate()),
        (5_617_930, 6_048_970)
    );
    assert_eq!(d.parameters.difference(), 431_040);
    assert!(
        causes(&d)
            .iter()
            .all(|(cause, _)| matches!(cause, Cause::OnlyReference | Cause::OnlyCandidate)),
        "{:?}",
        causes(&d)
    );
    let parts: i64 = d.parameters.groups().iter().map(Group::difference).sum();
    assert_eq!(parts, 431_040);
    assert!(
        d.parameters
            .groups()
            .iter()
            .all(|g| !g.module.starts_with("detect") || g.difference() == 0),
        "the head is the same"
    );
}

#[test]
fn a_projection_that_is_trained_shows_in_what_is_trained_only() {
    let mut port = reference();
    port.iter_mut()
        .filter(|p| p.name.starts_with("detect.proj"))
        .for_each(|p| p.trainable = Some(true));
    let d = decompose::difference(&reference(), &port, &[]).unwrap();
    assert_eq!(
        (
            d.parameters.difference(),
            d.trainable.as_ref().map(|t| t.difference())
        ),
        (0, Some(34))
    );
    assert!(!d.equal());
}

fn record(folder: &Path, name: &str, list: Option<Vec<Param>>) {
    let mut writer = Writer::create(&folder.join(name)).unwrap();
    list.into_iter().for_each(|l| writer.parameters(l));
    writer
        .finish(&Header {
            format: 1,
            ..Default::default()
        })
        .unwrap();
}

fn params(folder: &Path, args: &[&str]) -> Ran {
    Call::new(PARITY, folder, &[&["params"], args].concat())
        .without_libraries(folder)
        .run()
}

#[test]
fn the_command_says_equal_or_what_differs_by_how_much() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), "a.safetensors", Some(reference()));
    record(
        dir.path(),
        "b.safetensors",
        Some(detector(false, Kind::Parameter)),
    );
    record(
        dir.path(),
        "c.safetensors",
        Some(detector(true, Kind::Buffer)),
    );
    params(dir.path(), &["a.safetensors", "a.safetensors"])
        .exits(0)
        .says(&["EQUAL: 5617930 parameters"]);
    params(dir.path(), &["a.safetensors", "b.safetensors"])
        .exits(0)
        .says(&[
            "EQUAL but for how they are counted: reference 5617930 parameters, candidate 5635818; trainable +0",
            "buffer counted as parameter",
            "backbone.stem.bn",
            "+17888 of the difference are counting conventions",
            "values not compared (0 of",
        ]);
    let all = params(dir.path(), &["a.safetensors", "c.safetensors", "--all"])
        .exits(1)
        .says(&["+431040", "rbr_1x1"]);
    assert!(!all.out.contains("more modules"), "{all}");
    let json = params(dir.path(), &["a.safetensors", "b.safetensors", "--json"]).exits(0);
    let read: Difference = serde_json::from_str(&json.out).unwrap();
    assert_eq!(causes(&read), [(Cause::Buffer, 17_888)]);
}

#[test]
fn a_prefix_rename_pairs_a_port_that_is_nested_deeper() {
    let dir = tempfile::tempdir().unwrap();
    let nested: Vec<Param> = reference()
        .into_iter()
        .map(|p| Param {
            name: format!("model.{}", p.name),
            ..p
        })
        .collect();
    record(dir.path(), "a.safetensors", Some(reference()));
    record(dir.path(), "b.safetensors", Some(nested));
    params(dir.path(), &["a.safetensors", "b.safetensors"])
        .exits(0)
        .says(&["EQUAL: 5617930 parameters", "* = model.*", "by prefix"]);
    params(
        dir.path(),
        &["a.safetensors", "b.safetensors", "--rename", "*=model.*"],
    )
    .exits(0)
    .says(&["EQUAL", "pairs of other names", "declared rename"]);
    params(
        dir.path(),
        &["a.safetensors", "b.safetensors", "--rename", "x*=model.*"],
    )
    .refuses(2, &["x*=model.*", "no such pair"]);
    params(
        dir.path(),
        &["a.safetensors", "b.safetensors", "--rename", "x"],
    )
    .refuses(2, &["--rename x", "next:"]);
}

#[test]
fn a_graph_lists_its_weights_and_calls_statistics_buffers() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = vec![node(
        "BatchNormalization",
        "bn",
        &[
            "x",
            "bn.weight",
            "bn.bias",
            "bn.running_mean",
            "bn.running_var",
        ],
        &["y"],
    )];
    let weights = ["bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"]
        .map(|n| weight(n, &[3], &[1.0; 3]))
        .to_vec();
    write_model(
        dir.path(),
        "m.onnx",
        &onnx(port("x", F32, &[1, 3]), nodes, weights),
    );
    let mut net = Net {
        list: vec![],
        repvgg: false,
        statistics: Kind::Parameter,
    };
    net.norm("bn", 3);
    net.list.pop();
    record(dir.path(), "t.safetensors", Some(net.list));
    params(dir.path(), &["m.onnx", "m.onnx"])
        .exits(0)
        .says(&["EQUAL: 6 parameters", "trainable   not compared"]);
    params(dir.path(), &["m.onnx", "t.safetensors"])
        .exits(0)
        .says(&[
            "EQUAL but for how they are counted: reference 6 parameters, candidate 12",
            "buffer counted",
        ]);
}

#[test]
fn what_lists_nothing_or_lies_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), "none.safetensors", None);
    record(dir.path(), "empty.safetensors", Some(vec![]));
    params(dir.path(), &["none.safetensors", "none.safetensors"])
        .refuses(2, &["none.safetensors", "lists no parameters", "next:"]);
    params(dir.path(), &["empty.safetensors", "empty.safetensors"])
        .refuses(4, &["nothing was compared"]);
    params(dir.path(), &["gone.onnx", "none.safetensors"]).refuses(2, &["gone.onnx"]);
    let param = r#"{\"name\":\"a\",\"shape\":[2],\"dtype\":\"f32\",\"kind\":\"parameter\"}"#;
    for (list, word) in [
        ("nonsense".to_string(), "not readable"),
        (format!("[{param},{param}]"), "'a' is listed twice"),
        (
            format!("[{}]", param.replace("[2]", "[4294967296,4294967296]")),
            "too many elements",
        ),
        (
            format!("[{}]", param.replace("\\\"kind\\\"", "\\\"knd\\\"")),
            "`knd`",
        ),
        (format!("[{}]", param.replace("f32", "float32")), "float32"),
    ] {
        let raw = raw_trace(
            &format!(r#"{{"__metadata__":{{"parameters":"{list}"}}}}"#),
            &[],
        );
        std::fs::write(dir.path().join("bad.safetensors"), raw).unwrap();
        params(dir.path(), &["bad.safetensors", "empty.safetensors"])
            .refuses(2, &["bad.safetensors", "parameters", word]);
    }
    let hostile = Param {
        name: "m\u{1b}[2J.w".into(),
        shape: vec![1],
        dtype: DType::F32,
        kind: Kind::Parameter,
        trainable: None,
    };
    record(dir.path(), "hostile.safetensors", Some(vec![hostile]));
    params(dir.path(), &["hostile.safetensors", "empty.safetensors"])
        .exits(1)
        .says(&["m\\u{1b}[2J"]);
    params(
        dir.path(),
        &["hostile.safetensors", "empty.safetensors", "--json"],
    )
    .exits(1)
    .says(&["\\u001b"]);
}

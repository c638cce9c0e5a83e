//! Bad input ends in exit 2, 3 or 4 with one clear message: never a panic, never a hang, never a raw control character.

mod hostile;
mod mutated;
#[path = "../support/mod.rs"]
mod support;

use parity::graph::proto::*;
use std::path::Path;
use support::*;

/// Writes `setup`'s files into a fresh folder, runs `parity` there and expects it to be refused with `words`.
fn check(setup: impl FnOnce(&Path), args: &[&str], code: i32, words: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    setup(dir.path());
    Call::new(PARITY, dir.path(), args)
        .run()
        .refuses(code, words);
}

/// `parity map` of a model that needs no engine to be refused.
fn check_model(model: &ModelProto, words: &[&str]) {
    check(
        |d| write_model(d, "m.onnx", model),
        &["map", "m.onnx"],
        2,
        &[&["m.onnx"], words].concat(),
    );
}

/// A scenario over the small model; it is refused before any engine is needed.
fn check_scenario(body: &str, words: &[&str]) {
    let setup = |d: &Path| {
        write_model(d, "m.onnx", &small());
        std::fs::write(
            d.join("s.toml"),
            format!("format = 1\nmodel = \"m.onnx\"\n{body}"),
        )
        .unwrap();
    };
    check(setup, &["run", "s.toml"], 2, words);
}

/// A recorded reference that holds the small model's output `y`, ONNX Runtime as candidate, a stated tolerance.
#[cfg(feature = "ort")]
const STATED: &str = "tolerance = { kind = \"flat\", atol = 1e-3, rtol = 1e-3, why = \"a test\" }\nreference = { subject = \"recorded\", trace = \"t.safetensors\" }\ncandidate = { subject = \"onnxruntime\" }\n";

#[cfg(feature = "ort")]
fn stated(d: &Path, body: &str) {
    write_model(d, "m.onnx", &small());
    write_trace(
        &d.join("t.safetensors"),
        &[("elsewhere", &[2], &[1.0, 2.0]), ("y", &[2, 4], &[0.0; 8])],
        None,
    );
    std::fs::write(
        d.join("s.toml"),
        format!("format = 1\nmodel = \"m.onnx\"\n{STATED}{body}"),
    )
    .unwrap();
}

#[test]
fn a_model_that_is_missing_is_named() {
    for args in [
        &["map", "gone.onnx"][..],
        &["run", "gone.onnx"],
        &["run", "gone.toml"],
    ] {
        check(|_| (), args, 2, &["gone.", "No such file"]);
    }
    check(
        |d| std::fs::create_dir(d.join("m.onnx")).unwrap(),
        &["map", "m.onnx"],
        2,
        &["m.onnx", "folder"],
    );
}

#[test]
fn a_truncated_model_is_refused_at_every_length() {
    let bytes = std::fs::read(model("common_det.onnx")).unwrap();
    for len in [0, 1, 7, 100, 4_096, bytes.len() / 3, bytes.len() - 1] {
        check(
            |d| std::fs::write(d.join("m.onnx"), &bytes[..len]).unwrap(),
            &["map", "m.onnx"],
            2,
            &["m.onnx"],
        );
    }
}

#[test]
fn garbage_is_no_model() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n".to_vec();
    for bytes in [
        vec![0xff; 64],
        vec![0; 64],
        (0..=255).collect(),
        pointer,
        b"\x89PNG\r\n".to_vec(),
    ] {
        check(
            |d| std::fs::write(d.join("m.onnx"), &bytes).unwrap(),
            &["map", "m.onnx"],
            2,
            &["m.onnx", "ONNX"],
        );
    }
}

#[test]
fn a_graph_that_cannot_be_executed_names_the_node_and_the_tensor() {
    let x = || port("x", F32, &[2]);
    check_model(
        &onnx(x(), vec![node("Relu", "r", &["nowhere"], &["y"])], vec![]),
        &["'r'", "'nowhere'", "neither a graph input nor a weight"],
    );
    let cycle = vec![
        node("Add", "a", &["x", "q"], &["p"]),
        node("Relu", "b", &["p"], &["q"]),
        node("Relu", "tail", &["q"], &["y"]),
    ];
    check_model(&onnx(x(), cycle, vec![]), &["cycle", "'a'", "'b'"]);
    check_model(
        &onnx(x(), vec![node("Add", "self", &["x", "y"], &["y"])], vec![]),
        &["cycle", "'self'"],
    );
    check_model(
        &onnx(
            x(),
            vec![
                node("Relu", "a", &["x"], &["y"]),
                node("Relu", "b", &["x"], &["y"]),
            ],
            vec![],
        ),
        &["'y'", "produced twice"],
    );
    check_model(
        &onnx(x(), vec![node("Relu", "r", &["x"], &[])], vec![]),
        &["'r'", "no output"],
    );
    let mut undeclared = small();
    undeclared.graph.as_mut().unwrap().output[0].name = Some("z".into());
    check_model(&undeclared, &["'z'", "produced by no node"]);
}

#[test]
fn a_weight_that_contradicts_itself_is_named_with_numbers() {
    let with = |w: TensorProto| {
        onnx(
            port("x", F32, &[2]),
            vec![node("Add", "a", &["x", "w"], &["y"])],
            vec![w],
        )
    };
    check_model(&with(weight("w", &[3], &[1.0, 2.0])), &["'w'", "12", "8"]);
    check_model(&with(weight("w", &[-1], &[1.0])), &["'w'", "negative"]);
    check_model(&with(weight("w", &[i64::MAX], &[1.0])), &["'w'"]);
    check_model(&with(weight("w", &[i64::MAX, i64::MAX], &[1.0])), &["'w'"]);
    check_model(
        &with(TensorProto {
            data_type: Some(8),
            ..weight("w", &[1], &[])
        }),
        &["'w'", "data type 8"],
    );
    let mut twice = small();
    let again = twice.graph.as_ref().unwrap().initializer[0].clone();
    twice.graph.as_mut().unwrap().initializer.push(again);
    check_model(&twice, &["'w'", "twice"]);
}

#[test]
fn external_data_outside_the_models_folder_is_refused() {
    for location in ["../secret.bin", "/etc/passwd", "a/../../secret.bin"] {
        let entry = |k: &str, v: &str| StringStringEntryProto {
            key: Some(k.into()),
            value: Some(v.into()),
        };
        let w = TensorProto {
            data_location: Some(1),
            external_data: vec![entry("location", location)],
            ..weight("w", &[1], &[])
        };
        check_model(
            &onnx(
                port("x", F32, &[1]),
                vec![node("Add", "a", &["x", "w"], &["y"])],
                vec![w],
            ),
            &["'w'", location, "refused"],
        );
    }
}

#[cfg(feature = "torch")]
#[test]
fn an_unknown_operator_is_named_with_node_operator_and_opset() {
    let model = onnx(
        port("x", F32, &[2]),
        vec![node("Frobnicate", "odd", &["x"], &["y"])],
        vec![],
    );
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &model);
    let ran = Call::new(PARITY, dir.path(), &["run", "m.onnx"]).run();
    assert!(matches!(ran.code, Some(2 | 3)), "{ran}");
    let code = ran.code.unwrap();
    ran.refuses(code, &["'odd'", "Frobnicate", "opset 17"]);
}

#[test]
fn an_input_that_the_model_does_not_have_gets_the_probable_name() {
    check_scenario(
        "[inputs.imagee]\nrandom = \"normal\"\n",
        &["no input 'imagee'", "its inputs: x"],
    );
    let mut renamed = small();
    renamed.graph.as_mut().unwrap().input[0].name = Some("images".into());
    renamed.graph.as_mut().unwrap().node[0].input[0] = "images".into();
    check(
        |d| write_model(d, "m.onnx", &renamed),
        &["run", "m.onnx", "--input", "image=2x3"],
        2,
        &["no input 'image'", "did you mean 'images'"],
    );
}

#[test]
fn an_input_that_does_not_fit_is_refused_with_both_sides() {
    check_scenario(
        "[inputs.x]\nrandom = \"uniform\"\nshape = [2, 5]\n",
        &["'x'", "[2, 3]", "[2, 5]"],
    );
    check_scenario(
        "[inputs.x]\nrandom = \"uniform\"\nshape = [6]\n",
        &["'x'", "[2, 3]", "[6]"],
    );
    check_scenario(
        "[inputs.x]\nrandom = \"uniform\"\ndims = { batch = 1 }\n",
        &["dims.batch", "[2, 3]"],
    );
    check_scenario(
        "[inputs.x]\nrandom = \"uniform\"\nlow = 2.0\nhigh = 1.0\n",
        &["'x'", "low = 2"],
    );
    let doubles = |d: &Path| {
        write_model(d, "m.onnx", &small());
        let data = [0u8; 48];
        std::fs::write(
            d.join("x.safetensors"),
            raw_trace(
                r#"{"x":{"dtype":"F64","shape":[2,3],"data_offsets":[0,48]}}"#,
                &data,
            ),
        )
        .unwrap();
    };
    check(
        doubles,
        &["run", "m.onnx", "--input", "x=x.safetensors"],
        2,
        &["'x'", "f32", "f64"],
    );
}

#[test]
fn a_source_that_says_nothing_sensible_is_refused() {
    let ints = || {
        onnx(
            port("x", I64, &[2]),
            vec![node("Neg", "n", &["x"], &["y"])],
            vec![],
        )
    };
    let cases: &[(&[&str], &[&str])] = &[
        (&["x"], &["expected NAME=SHAPE"]),
        (&["x=what"], &["'what'", "neither a shape"]),
        (&["x=2:0"], &["'0'", "LOW..HIGH"]),
        (&["x=2:a..5"], &["a..5"]),
        (&["x=2:0..b"], &["0..b"]),
        (&["x=2:5..1"], &["low = 5"]),
        (
            &["x=2:0..1e30"],
            &["1000000000000000000000000000000", "i64"],
        ),
        (&["x=2:0..1.5"], &["1.5", "i64"]),
        (&["x=2:0..9", "x=2:0..8"], &["'x'", "twice"]),
        (&["x=gone.npy"], &["gone.npy"]),
        (&["x=gone.png"], &["gone.png"]),
    ];
    for (inputs, words) in cases {
        let args: Vec<&str> = ["run", "m.onnx"]
            .into_iter()
            .chain(inputs.iter().flat_map(|i| ["--input", i]))
            .collect();
        check(|d| write_model(d, "m.onnx", &ints()), &args, 2, words);
    }
}

#[test]
fn an_input_too_large_for_any_memory_is_refused() {
    let open = onnx(
        port("x", F32, &[-1, -1]),
        vec![node("Relu", "r", &["x"], &["y"])],
        vec![],
    );
    for shape in [
        "4000000000x4000000",
        "9999999999999x9999999999999",
        "3000000x3000000",
    ] {
        check(
            |d| write_model(d, "m.onnx", &open),
            &["run", "m.onnx", "--input", &format!("x={shape}")],
            2,
            &["'x'"],
        );
    }
    check(
        |d| write_model(d, "m.onnx", &open),
        &["run", "m.onnx"],
        2,
        &["'x'", "state it: --input x=NxN"],
    );
}

#[test]
fn an_integer_input_without_a_range_shows_the_one_that_its_table_suggests() {
    let table = || weight("table", &[37, 2], &[0.5; 74]);
    let nodes = vec![
        node("Identity", "id", &["ids"], &["i"]),
        node("Gather", "emb", &["table", "i"], &["y"]),
    ];
    let model = onnx(port("ids", I64, &[1, 4]), nodes, vec![table()]);
    check(
        |d| write_model(d, "m.onnx", &model),
        &["run", "m.onnx"],
        2,
        &[
            "'ids' i64 [1, 4]",
            "range of its integers",
            "'emb'",
            "37 rows",
            "--input ids=1x4:0..36",
            "included",
        ],
    );
    // The same look-up with a table of no rows, and past a node that takes nothing: no suggestion, and no panic either.
    let empty = onnx(
        port("ids", I64, &[1, 4]),
        vec![
            node("Cast", "none", &[], &["i"]),
            node("Gather", "emb", &["table", "ids"], &["y"]),
        ],
        vec![weight("table", &[0, 2], &[])],
    );
    check(
        |d| write_model(d, "m.onnx", &empty),
        &["run", "m.onnx"],
        2,
        &["'ids'", "--input ids=1x4:LOW..HIGH"],
    );
}

#[test]
fn an_image_that_cannot_be_read_is_named() {
    let over = |png: Vec<u8>| {
        move |d: &Path| {
            write_model(
                d,
                "m.onnx",
                &onnx(
                    port("x", F32, &[1, 3, -1, -1]),
                    vec![node("Relu", "r", &["x"], &["y"])],
                    vec![],
                ),
            );
            std::fs::write(d.join("a.png"), png).unwrap();
        }
    };
    let photograph = std::fs::read(model("astronaut.png")).unwrap();
    for bytes in [
        vec![],
        b"no image at all".to_vec(),
        photograph[..2000].to_vec(),
        photograph[..photograph.len() / 2].to_vec(),
    ] {
        check(
            over(bytes),
            &["run", "m.onnx", "--input", "x=a.png"],
            2,
            &["'x'", "a.png"],
        );
    }
    for (keys, words) in [
        ("resize = [4000000000, 4000000000]", "resize"),
        ("resize = [0, 5]", "resize"),
        ("std = [1.0, 0.0, 1.0]", "std"),
        ("mean = [1.0]", "mean has 1 values"),
    ] {
        let setup = |d: &Path| {
            over(photograph.clone())(d);
            std::fs::write(
                d.join("s.toml"),
                format!("format = 1\nmodel = \"m.onnx\"\n[inputs.x]\nimage = \"a.png\"\n{keys}\n"),
            )
            .unwrap();
        };
        check(setup, &["run", "s.toml"], 2, &["'x'", words]);
    }
}

#[test]
fn a_word_that_a_scenario_does_not_know_gets_place_and_probable_word() {
    check_scenario(
        "sead = 3\n",
        &[
            "s.toml",
            "line 3, column 1",
            "unknown field `sead`",
            "did you mean 'seed'",
        ],
    );
    check_scenario(
        "[expect]\nverdict = \"agree\"\n  coverag = 0.5\n",
        &["line 5, column 3", "did you mean 'coverage'"],
    );
    check_scenario(
        "[reference]\nsubject = \"onnxruntim\"\n",
        &[
            "line 4, column 11",
            "unknown variant `onnxruntim`",
            "did you mean 'onnxruntime'",
        ],
    );
    check_scenario("seed = \"three\"\n", &["line 3, column 8"]);
    check_scenario("[[[\n", &["line 3"]);
    check_scenario("tolerance = { rtol = 1e-3 }\n", &["incomplete"]);
    check_scenario("threads = 0\n", &["threads = 0"]);
    check_scenario("threads = 100000000\n", &["threads"]);
}

#[cfg(feature = "ort")]
#[test]
fn a_name_or_pattern_that_matches_nothing_is_an_error() {
    let cases: &[(&str, &[&str])] = &[
        (
            "[limit]\nonly = [\"y\", \"conv*\"]\n",
            &["limit.only", "'conv*' matches no tensor"],
        ),
        ("[limit]\nuntil = \"yy\"\n", &["no tensor 'yy'"]),
        ("[limit]\nfrom = \"nowhere\"\n", &["no tensor 'nowhere'"]),
        (
            "[expect]\nabstain = [\"other*\"]\n",
            &["expect.abstain", "'other*'"],
        ),
    ];
    for (body, words) in cases {
        check(|d| stated(d, body), &["run", "s.toml"], 2, words);
    }
    let renamed = |to: &str| {
        STATED.replace(
            "\"t.safetensors\"",
            &format!("\"t.safetensors\", rename = {{ {to} }}"),
        )
    };
    for (rename, words) in [
        ("q = \"gone\"", "no tensor 'gone'"),
        ("gone = \"elsewhere\"", "no tensor 'gone'"),
    ] {
        let setup = |d: &Path| {
            stated(d, "");
            std::fs::write(
                d.join("s.toml"),
                format!("format = 1\nmodel = \"m.onnx\"\n{}", renamed(rename)),
            )
            .unwrap();
        };
        check(setup, &["run", "s.toml"], 2, &["rename", words]);
    }
    for rename in ["gone=y", "y=gone", "y"] {
        check(
            |d| stated(d, ""),
            &[
                "compare",
                "t.safetensors",
                "t.safetensors",
                "--exact",
                "--rename",
                rename,
            ],
            2,
            &["--rename", rename],
        );
    }
}

#[cfg(feature = "ort")]
#[test]
fn a_fault_or_node_that_does_not_exist_gets_the_probable_one() {
    let faulty = |fault: &str, node: &str| {
        STATED.replace(
            "subject = \"onnxruntime\"",
            &format!(
                "subject = \"faulty\", of = \"onnxruntime\", fault = \"{fault}\", node = \"{node}\""
            ),
        )
    };
    for (fault, node, words) in [
        (
            "scale-outptu",
            "add",
            &[
                "unknown fault 'scale-outptu'",
                "did you mean 'scale-output'",
            ][..],
        ),
        (
            "scale-output",
            "addd",
            &["no node 'addd'", "did you mean 'add'"],
        ),
        ("ceil-pooling", "add", &["'ceil-pooling'", "'add' is Add"]),
    ] {
        let setup = |d: &Path| {
            stated(d, "");
            std::fs::write(
                d.join("s.toml"),
                format!("format = 1\nmodel = \"m.onnx\"\n{}", faulty(fault, node)),
            )
            .unwrap();
        };
        check(setup, &["run", "s.toml"], 2, words);
    }
}

#[cfg(feature = "torch")]
#[test]
fn a_library_that_is_missing_is_named_with_the_next_step() {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &small());
    let empty = dir.path().join("nothing");
    std::fs::create_dir(&empty).unwrap();
    let run = || Call::new(PARITY, dir.path(), &["run", "m.onnx"]);
    run()
        .env("LIBTORCH", &empty)
        .run()
        .refuses(3, &["libtorch", "nothing", "next:", "scripts/setup"]);
    run()
        .env("ORT_DYLIB_PATH", &empty)
        .run()
        .refuses(3, &["libonnxruntime", "nothing", "next:", "scripts/setup"]);
    let no_library = dir.path().join("libonnxruntime.so");
    std::fs::write(&no_library, b"not a library").unwrap();
    run()
        .env("ORT_DYLIB_PATH", &no_library)
        .run()
        .refuses(3, &["libonnxruntime", "next:"]);
}

#[cfg(feature = "ort")]
#[test]
fn too_little_compared_is_exit_4_and_never_0() {
    let dir = tempfile::tempdir().unwrap();
    let wide = |body: &str| {
        stated(dir.path(), body);
        let text = std::fs::read_to_string(dir.path().join("s.toml"))
            .unwrap()
            .replace("atol = 1e-3", "atol = 1e9");
        std::fs::write(dir.path().join("s.toml"), text).unwrap();
        Call::new(PARITY, dir.path(), &["run", "s.toml"]).run()
    };
    // A recording may hold the declared output alone; what it lacks is counted.
    wide("")
        .exits(0)
        .says(&["1 of 3", "not compared", "left over", "elsewhere"]);
    wide("expect = { coverage = 0.3 }\n").exits(0);
    wide("expect = { abstain = [\"p\", \"q\"] }\n")
        .exits(0)
        .says(&["2 excused"]);
    wide("expect = { abstain = [\"*\"], coverage = 0.0 }\nlimit = { only = [\"p\"] }\n")
        .exits(4)
        .says(&["NOTHING COMPARED"]);
    // One that lacks the declared output does not pass, however much else it holds.
    write_trace(
        &dir.path().join("t.safetensors"),
        &[("p", &[2, 4], &[0.0; 8]), ("q", &[2, 4], &[0.0; 8])],
        None,
    );
    let scenario = std::fs::read_to_string(dir.path().join("s.toml")).unwrap();
    let whole = scenario.replace(
        "expect = { abstain = [\"*\"], coverage = 0.0 }\nlimit = { only = [\"p\"] }\n",
        "",
    );
    std::fs::write(dir.path().join("s.toml"), whole).unwrap();
    Call::new(PARITY, dir.path(), &["run", "s.toml"])
        .run()
        .exits(4)
        .says(&["2 of 3", "output 'y' not judged"]);
    // What was found to diverge stays found, however little was compared.
    stated(dir.path(), "");
    Call::new(PARITY, dir.path(), &["run", "s.toml"])
        .run()
        .exits(1);
    write_trace(
        &dir.path().join("u.safetensors"),
        &[("other", &[1], &[1.0])],
        None,
    );
    Call::new(
        PARITY,
        dir.path(),
        &["compare", "t.safetensors", "u.safetensors", "--exact"],
    )
    .run()
    .exits(4)
    .says(&["NOTHING COMPARED", "other"]);
}

/// A graph whose node `odd` no engine can compute: whichever side is asked first names node, operator, opset, and what the node takes; what lies
/// before it is compared.
#[cfg(feature = "torch")]
fn check_node(odd: NodeProto, weights: Vec<TensorProto>, words: &[&str]) {
    let sides = [
        "",
        "reference = { subject = \"libtorch\" }\ncandidate = { subject = \"onnxruntime\" }\n",
    ];
    for side in sides {
        let dir = tempfile::tempdir().unwrap();
        let before = node("Relu", "before", &["x"], &["p"]);
        write_model(
            dir.path(),
            "m.onnx",
            &onnx(
                port("x", F32, &[2, 3]),
                vec![before, odd.clone()],
                weights.clone(),
            ),
        );
        std::fs::write(
            dir.path().join("s.toml"),
            format!("format = 1\nmodel = \"m.onnx\"\n{side}"),
        )
        .unwrap();
        let ran = Call::new(PARITY, dir.path(), &["run", "s.toml"]).run();
        ran.exits(4).says(
            &[
                &["1 of 2 tensors", "'odd'", "opset 17", "f32 [2, 3]"],
                words,
            ]
            .concat(),
        );
    }
}

#[cfg(feature = "torch")]
#[test]
fn an_operator_that_the_opset_does_not_have_is_named_with_what_it_takes() {
    check_node(
        node("Frobnicate", "odd", &["p"], &["y"]),
        vec![],
        &["Frobnicate"],
    );
    // Gelu came with opset 20.
    check_node(node("Gelu", "odd", &["p"], &["y"]), vec![], &["Gelu"]);
}

#[cfg(feature = "torch")]
#[test]
fn an_attribute_of_the_wrong_type_is_named_with_its_node() {
    let wrong = AttributeProto {
        name: Some("axis".into()),
        f: Some(1.0),
        r#type: Some(1),
        ..Default::default()
    };
    check_node(
        NodeProto {
            attribute: vec![wrong],
            ..node("Softmax", "odd", &["p"], &["y"])
        },
        vec![],
        &["Softmax", "axis"],
    );
    let text = AttributeProto {
        name: Some("perm".into()),
        s: Some(bytes::Bytes::from_static(b"10")),
        r#type: Some(3),
        ..Default::default()
    };
    check_node(
        NodeProto {
            attribute: vec![text],
            ..node("Transpose", "odd", &["p"], &["y"])
        },
        vec![],
        &["Transpose", "perm"],
    );
}

#[cfg(feature = "torch")]
#[test]
fn ranks_that_do_not_fit_are_named_with_their_shapes() {
    check_node(
        node("MatMul", "odd", &["p", "w"], &["y"]),
        vec![weight("w", &[4, 5], &[1.0; 20])],
        &["MatMul", "f32 [4, 5]"],
    );
    check_node(
        node("Conv", "odd", &["p", "w"], &["y"]),
        vec![weight("w", &[1, 1, 3, 3], &[1.0; 9])],
        &["Conv", "f32 [1, 1, 3, 3]"],
    );
}

#[cfg(feature = "torch")]
#[test]
fn dtypes_that_do_not_fit_are_named() {
    let ints = TensorProto {
        name: Some("w".into()),
        dims: vec![3],
        data_type: Some(I64),
        int64_data: vec![1, 2, 3],
        ..Default::default()
    };
    check_node(
        node("Add", "odd", &["p", "w"], &["y"]),
        vec![ints],
        &["Add", "i64 [3]"],
    );
    check_node(node("Not", "odd", &["p"], &["y"]), vec![], &["Not"]);
}

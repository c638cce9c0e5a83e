//! Parameters by value: the same network under other names, leaves, layouts and dtypes is known; a wrong tensor is named, however it is hidden.

mod support;

use half::f16;
use parity::graph::proto::{AttributeProto, AttributeType};
use parity::hash;
use parity::params::Difference;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize_to_file};
use std::path::Path;
use support::*;

/// A stored tensor.
#[derive(Clone)]
struct Stored {
    name: String,
    shape: Vec<usize>,
    values: Vec<f32>,
}

/// A tensor whose values no other has.
fn drawn(name: &str, shape: &[usize]) -> Stored {
    let key = hash::fnv(name.as_bytes());
    let of = |i: usize| (hash::bits(key, i as u64) >> 40) as f32 / (1 << 23) as f32 - 1.0;
    Stored {
        name: name.into(),
        shape: shape.to_vec(),
        values: (0..shape.iter().product()).map(of).collect(),
    }
}

/// Convolution, norm and linear of every block, and two heads of one shape; all biases of the norms are zero, as they begin.
fn network(blocks: usize) -> Vec<Stored> {
    let mut all = vec![];
    for i in 0..blocks {
        let at = |leaf: &str| format!("model.{i}.{leaf}");
        all.push(drawn(&at("conv.weight"), &[8, 4, 3, 3]));
        all.push(drawn(&at("bn.weight"), &[8]));
        all.push(Stored {
            values: vec![0.0; 8],
            ..drawn(&at("bn.bias"), &[8])
        });
        all.push(drawn(&at("bn.running_mean"), &[8]));
        all.push(drawn(&at("bn.running_var"), &[8]));
        all.push(drawn(&at("fc.weight"), &[6, 8]));
        all.push(drawn(&at("fc.bias"), &[6]));
    }
    for head in ["heads.0", "heads.1"] {
        all.push(drawn(&format!("{head}.weight"), &[5, 6]));
        all.push(drawn(&format!("{head}.bias"), &[5]));
    }
    all
}

fn renamed(all: &[Stored], change: impl Fn(&str) -> String) -> Vec<Stored> {
    let one = |t: &Stored| Stored {
        name: change(&t.name),
        ..t.clone()
    };
    all.iter().map(one).collect()
}

fn keep(folder: &Path, file: &str, all: &[Stored]) {
    let bytes: Vec<Vec<u8>> = all
        .iter()
        .map(|t| t.values.iter().flat_map(|v| v.to_le_bytes()).collect())
        .collect();
    write(folder, file, all, &bytes, Dtype::F32);
}

fn keep_half(folder: &Path, file: &str, all: &[Stored]) {
    let half = |v: &f32| f16::from_f32(*v).to_le_bytes();
    let bytes: Vec<Vec<u8>> = all
        .iter()
        .map(|t| t.values.iter().flat_map(half).collect())
        .collect();
    write(folder, file, all, &bytes, Dtype::F16);
}

fn write(folder: &Path, file: &str, all: &[Stored], bytes: &[Vec<u8>], dtype: Dtype) {
    let view = |(t, b): (&Stored, &'_ Vec<u8>)| -> (String, Dtype, Vec<usize>, Vec<u8>) {
        (t.name.clone(), dtype, t.shape.clone(), b.clone())
    };
    let owned: Vec<_> = all.iter().zip(bytes).map(view).collect();
    let views: Vec<(&str, TensorView)> = owned
        .iter()
        .map(|(n, d, s, b)| (n.as_str(), TensorView::new(*d, s.clone(), b).unwrap()))
        .collect();
    serialize_to_file(views, None, &folder.join(file)).unwrap();
}

fn transposed(t: &Stored) -> Stored {
    let [rows, columns] = t.shape[..] else {
        panic!("a matrix")
    };
    let at = |i: usize| t.values[i % rows * columns + i / rows];
    Stored {
        shape: vec![columns, rows],
        values: (0..rows * columns).map(at).collect(),
        ..t.clone()
    }
}

/// OIHW as HWIO.
fn hwio(t: &Stored) -> Stored {
    let [o, i, h, w] = t.shape[..] else {
        panic!("a kernel")
    };
    let mut values = vec![];
    for place in 0..h * w {
        for input in 0..i {
            values.extend((0..o).map(|output| t.values[(output * i + input) * h * w + place]));
        }
    }
    Stored {
        shape: vec![h, w, i, o],
        values,
        ..t.clone()
    }
}

fn params(folder: &Path, args: &[&str]) -> Ran {
    Call::new(PARITY, folder, &[&["params"], args].concat())
        .without_libraries(folder)
        .run()
}

fn against(a: &[Stored], b: &[Stored]) -> Ran {
    let dir = tempfile::tempdir().unwrap();
    keep(dir.path(), "a.safetensors", a);
    keep(dir.path(), "b.safetensors", b);
    params(dir.path(), &["a.safetensors", "b.safetensors", "--all"])
}

fn prefixed(all: &[Stored]) -> Vec<Stored> {
    renamed(all, |n| n.replace("model.", "net.backbone."))
}

#[test]
fn the_same_network_under_another_prefix_is_equal_and_one_line() {
    let net = network(3);
    against(&net, &prefixed(&net)).exits(0).says(&[
        "EQUAL",
        "values of 25 of 25 tensors compared: 25 equal",
        "model.* = net.backbone.*",
        "21 pairs of other names",
    ]);
}

#[test]
fn one_wrong_tensor_among_700_is_named_under_another_prefix() {
    let net = network(100);
    for wrong in [
        "model.57.fc.weight",
        "model.57.conv.weight",
        "model.99.bn.bias",
    ] {
        let mut port = net.clone();
        let at = port.iter_mut().find(|t| t.name == wrong).unwrap();
        at.values[3] += 0.5;
        let ran = against(&net, &prefixed(&port)).exits(1);
        let ran = ran.says(&["703 equal, 1 other", &format!("{wrong} = net.backbone")]);
        assert!(!ran.out.contains("only in"), "{ran}");
    }
}

#[test]
fn other_leaves_and_layouts_are_the_same_network_and_a_missing_transposition_is_not() {
    let net = network(4);
    let flax = |all: &[Stored]| -> Vec<Stored> {
        all.iter()
            .map(|t| match t.shape.len() {
                4 => hwio(t),
                2 => transposed(t),
                _ => t.clone(),
            })
            .map(|t| Stored {
                name: t
                    .name
                    .replace("model.", "params/layer_")
                    .replace('.', "/")
                    .replace("bn/weight", "bn/gamma")
                    .replace("bias", "beta")
                    .replace("conv/weight", "conv/kernel")
                    .replace("running_mean", "moving_mean")
                    .replace("running_var", "moving_variance"),
                ..t
            })
            .collect()
    };
    against(&net, &flax(&net)).exits(0).says(&[
        "EQUAL",
        "22 equal, 10 equal in another layout",
        "same, in another layout",
    ]);
    let mut wrong = flax(&net);
    wrong[0].values.swap(0, 1);
    against(&net, &wrong)
        .exits(1)
        .says(&["1 other", "model.0.conv.weight = params/layer_0"]);
}

#[test]
fn a_square_weight_transposed_alone_is_a_fault() {
    let mut net = network(1);
    net.push(drawn("proj.weight", &[8, 8]));
    let mut port = net.clone();
    *port.last_mut().unwrap() = transposed(net.last().unwrap());
    against(&net, &port)
        .exits(1)
        .says(&["transposed, and square", "proj.weight"]);
    for t in port.iter_mut().filter(|t| t.shape == [6, 8]) {
        *t = transposed(t);
    }
    against(&net, &port).exits(0).says(&["EQUAL"]);
}

#[test]
fn a_copy_in_half_precision_is_near_and_no_tensor_of_it_is_another() {
    let dir = tempfile::tempdir().unwrap();
    let net = network(3);
    keep(dir.path(), "a.safetensors", &net);
    keep_half(dir.path(), "b.safetensors", &prefixed(&net));
    let ran = params(dir.path(), &["a.safetensors", "b.safetensors"]).exits(1);
    let ran = ran.says(&["22 near", "rounded to f16", "model.* = net.backbone.*"]);
    assert!(!ran.out.contains("other values"), "{ran}");
    let mut wrong = prefixed(&net);
    wrong[5].values[0] = 7.0;
    keep_half(dir.path(), "b.safetensors", &wrong);
    params(dir.path(), &["a.safetensors", "b.safetensors"])
        .exits(1)
        .says(&["1 other", "model.0.fc.weight"]);
}

#[test]
fn weights_that_stand_under_each_others_names_are_found_by_value() {
    let net = network(2);
    let swap = |n: &str| match n.strip_prefix("heads.0") {
        Some(rest) => format!("heads.1{rest}"),
        None => n.replace("heads.1", "heads.0"),
    };
    let ran = against(&net, &renamed(&net, swap)).exits(1);
    ran.says(&[
        "values under each other's names",
        "heads.0.weight",
        "18 of 18",
        "18 equal",
    ]);
    let called = |n: &str| n.replace("heads.0", "box").replace("heads.1", "cls");
    let mut moved = renamed(&net, called);
    moved.reverse();
    against(&net, &moved)
        .exits(0)
        .says(&["EQUAL", "heads.0.* = box.*", "by value"]);
}

#[test]
fn weights_permuted_among_equal_shapes_are_found_under_another_prefix_too() {
    let net = network(6);
    let mut port = prefixed(&net);
    let at: Vec<usize> = (0..port.len())
        .filter(|i| port[*i].name.ends_with("bn.weight"))
        .collect();
    let first = port[at[0]].values.clone();
    for pair in at.windows(2) {
        port[pair[0]].values = port[pair[1]].values.clone();
    }
    port[at[5]].values = first;
    against(&net, &port).exits(1).says(&[
        "values under each other's names",
        "model.0.bn.weight",
        "net.backbone.5.bn.weight",
    ]);
}

#[test]
fn a_list_without_values_says_of_how_many_none_was_compared() {
    let dir = tempfile::tempdir().unwrap();
    let net = network(1);
    keep(dir.path(), "a.safetensors", &net);
    let shape = |t: &Stored| format!("\"{}\": {:?}", t.name, t.shape);
    let plain: Vec<String> = net.iter().map(shape).collect();
    let more = |t: &Stored| {
        format!(
            "\"{}\": {{\"shape\": {:?}, \"dtype\": \"torch.float32\"}}",
            t.name, t.shape
        )
    };
    let more: Vec<String> = net.iter().map(more).collect();
    for list in [plain, more] {
        let text = format!("{{{}}}", list.join(", "));
        std::fs::write(dir.path().join("b.json"), text).unwrap();
        params(dir.path(), &["a.safetensors", "b.json"])
            .exits(0)
            .says(&[
                "EQUAL",
                "values not compared (0 of 11 tensors): the candidate keeps none",
            ]);
    }
    for (text, word) in [
        ("{\"a\": 3}", "'a': expected a shape"),
        (
            "{\"a\": {\"shape\": [2], \"dtype\": \"f33\"}}",
            "dtype \"f33\"",
        ),
        ("3", "expected a sequence"),
    ] {
        std::fs::write(dir.path().join("b.json"), text).unwrap();
        params(dir.path(), &["a.safetensors", "b.json"]).refuses(2, &["b.json", word]);
    }
}

#[test]
fn shards_are_one_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let net = network(2);
    keep(dir.path(), "a.safetensors", &net);
    let mut map = vec![];
    for (file, part) in [
        ("x-1.safetensors", &net[..7]),
        ("x-2.safetensors", &net[7..]),
    ] {
        keep(dir.path(), file, part);
        map.extend(part.iter().map(|t| format!("\"{}\": \"{file}\"", t.name)));
    }
    let index = format!("{{\"weight_map\": {{{}}}}}", map.join(", "));
    std::fs::write(dir.path().join("x.safetensors.index.json"), index).unwrap();
    params(dir.path(), &["a.safetensors", "x.safetensors.index.json"])
        .exits(0)
        .says(&["EQUAL", "18 equal"]);
}

#[test]
fn a_graph_holds_its_own_checkpoint_whatever_its_exporter_called_the_weights() {
    let dir = tempfile::tempdir().unwrap();
    let net = [
        drawn("stem.conv.weight", &[4, 3, 1, 1]),
        drawn("stem.conv.bias", &[4]),
        drawn("fc.weight", &[5, 4]),
    ];
    let turned = transposed(&net[2]);
    let nodes = vec![
        node(
            "Conv",
            "c",
            &["x", "onnx::Conv_12", "onnx::Conv_13"],
            &["h"],
        ),
        node("Mul", "m", &["h", "onnx::Mul_9"], &["s"]),
        node("GlobalAveragePool", "g", &["s"], &["p"]),
        node("Flatten", "l", &["p"], &["f"]),
        node("MatMul", "d", &["f", "onnx::MatMul_20"], &["y"]),
    ];
    let weights = vec![
        weight("onnx::Conv_12", &[4, 3, 1, 1], &net[0].values),
        weight("onnx::Conv_13", &[4], &net[1].values),
        weight("onnx::MatMul_20", &[4, 5], &turned.values),
        weight("onnx::Mul_9", &[], &[0.5]),
    ];
    write_model(
        dir.path(),
        "m.onnx",
        &onnx(port("x", F32, &[1, 3, 4, 4]), nodes, weights),
    );
    keep(dir.path(), "t.safetensors", &net);
    params(dir.path(), &["m.onnx", "t.safetensors"])
        .exits(0)
        .says(&[
            "EQUAL: 36 parameters",
            "constants   reference 1 tensors (1 elements)",
            "generated names = names",
            "2 equal, 1 equal in another layout",
        ]);
}

#[test]
fn the_json_reads_back() {
    let dir = tempfile::tempdir().unwrap();
    let net = network(1);
    let mut port = net.clone();
    port[0].values[1] += 1.0;
    keep(dir.path(), "a.safetensors", &net);
    keep(dir.path(), "b.safetensors", &port);
    let ran = params(dir.path(), &["a.safetensors", "b.safetensors", "--json"]).exits(1);
    let read: Difference = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (read.values.equal, read.values.other, read.differing.len()),
        (10, 1, 1)
    );
}

/// The same network drawn anew.
fn drawn_anew(all: &[Stored], gain: f32) -> Vec<Stored> {
    let again = |t: &Stored| match t.values.iter().all(|v| *v == t.values[0]) {
        true => t.clone(),
        false => Stored {
            name: t.name.clone(),
            values: drawn(&format!("{} again", t.name), &t.shape)
                .values
                .iter()
                .map(|v| v * gain)
                .collect(),
            ..t.clone()
        },
    };
    all.iter().map(again).collect()
}

#[test]
fn untrained_models_are_compared_by_the_rule_that_drew_them() {
    let dir = tempfile::tempdir().unwrap();
    let net = network(12);
    keep(dir.path(), "a.safetensors", &net);
    let against = |port: &[Stored]| {
        keep(dir.path(), "b.safetensors", port);
        params(dir.path(), &["a.safetensors", "b.safetensors", "--fresh"])
    };
    against(&prefixed(&drawn_anew(&net, 1.0)))
        .exits(0)
        .says(&["EQUAL", "12 equal, 76 drawn alike"]);
    let mut wide = drawn_anew(&net, 1.0);
    for t in wide.iter_mut().filter(|t| t.name.ends_with("conv.weight")) {
        t.values.iter_mut().for_each(|v| *v *= 1.5);
    }
    against(&wide)
        .exits(1)
        .says(&["12 drawn by another rule", "standard deviation x 1."]);
    let mut prior = drawn_anew(&net, 1.0);
    prior[2].values = vec![0.1; 8];
    let ran = against(&prior).exits(1);
    let ran = ran.says(&[
        "1 drawn by another rule",
        "reference all 0, candidate all 0.1",
    ]);
    assert!(!ran.out.contains("other values"), "{ran}");
    std::fs::write(dir.path().join("l.json"), "{\"a\": [2]}").unwrap();
    params(dir.path(), &["a.safetensors", "l.json", "--fresh"]).refuses(2, &["--fresh", "next:"]);
}

#[test]
fn a_scenario_of_parameters_alone_needs_no_model_and_no_inputs() {
    let dir = tempfile::tempdir().unwrap();
    let net = network(2);
    let mut wrong = net.clone();
    wrong[0].values[1] += 1.0;
    keep(dir.path(), "a.safetensors", &net);
    keep(dir.path(), "b.safetensors", &prefixed(&net));
    keep(dir.path(), "c.safetensors", &wrong);
    let run = |text: &str| {
        std::fs::write(dir.path().join("s.toml"), text).unwrap();
        Call::new(PARITY, dir.path(), &["run", "s.toml"])
            .without_libraries(dir.path())
            .run()
    };
    let lists = |candidate: &str| {
        format!(
            "format = 1\n[parameters]\nreference = 'a.safetensors'\ncandidate = '{candidate}'\n"
        )
    };
    run(&lists("b.safetensors"))
        .exits(0)
        .says(&["AGREE", "18 of 18 values compared"]);
    run(&lists("c.safetensors"))
        .exits(1)
        .says(&["DIVERGE", "model.0.conv", "other values"]);
    run("format = 1\n").refuses(2, &["missing field `model`", "next:"]);
    run(&format!(
        "{}[limit]\nonly = ['x']\n",
        lists("b.safetensors")
    ))
    .refuses(2, &["[limit] belongs to a run"]);
}

/// A trace of one norm that lists what it was set to, and holds its values.
fn recorded_norm(folder: &Path, hyper: &str) {
    let leaves = ["weight", "bias", "running_mean", "running_var"];
    let of = |leaf: &str| drawn(&format!("body.bn.{leaf}"), &[3]);
    let values: Vec<(String, Vec<f32>)> = leaves
        .iter()
        .map(|leaf| (format!("parameter.body.bn.{leaf}"), of(leaf).values))
        .collect();
    let tensors: Vec<(&str, &[usize], &[f32])> = values
        .iter()
        .map(|(name, v)| (name.as_str(), &[3][..], v.as_slice()))
        .collect();
    let path = folder.join("t.safetensors");
    write_trace(&path, &tensors, None);
    let listed = leaves.map(|leaf| {
        let kind = if leaf.starts_with("running") {
            "buffer"
        } else {
            "parameter"
        };
        format!(r#"{{"name":"body.bn.{leaf}","shape":[3],"dtype":"f32","kind":"{kind}"}}"#)
    });
    let header = format!(
        r#"{{"format":2,"subject":"torch","command":"x","inputs":{{}},"tensors":{{}},"modules":{{"body.bn":{{"class":"BatchNorm2d","hyper":{hyper},"training":false}}}}}}"#
    );
    with_metadata(
        &path,
        &[
            ("parity.trace", header),
            ("parameters", format!("[{}]", listed.join(","))),
        ],
    );
}

/// Puts metadata into a file of tensors.
fn with_metadata(path: &Path, metadata: &[(&str, String)]) {
    let bytes = std::fs::read(path).unwrap();
    let size = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + size]).unwrap();
    for (key, text) in metadata {
        header["__metadata__"][key] = text.clone().into();
    }
    let raw = raw_trace(&header.to_string(), &bytes[8 + size..]);
    std::fs::write(path, raw).unwrap();
}

#[test]
fn what_a_norm_is_set_to_is_compared_where_both_sides_state_it() {
    let dir = tempfile::tempdir().unwrap();
    let leaves = ["weight", "bias", "running_mean", "running_var"].map(|leaf| format!("bn.{leaf}"));
    let mut inputs = vec!["x"];
    inputs.extend(leaves.iter().map(String::as_str));
    let mut norm = node("BatchNormalization", "n", &inputs, &["y"]);
    let float = |name: &str, x: f32| AttributeProto {
        name: Some(name.into()),
        f: Some(x),
        r#type: Some(AttributeType::Float as i32),
        ..Default::default()
    };
    norm.attribute = vec![float("epsilon", 1e-5), float("momentum", 0.97)];
    let weights = leaves
        .iter()
        .map(|name| weight(name, &[3], &drawn(&format!("body.{name}"), &[3]).values))
        .collect();
    write_model(
        dir.path(),
        "m.onnx",
        &onnx(port("x", F32, &[1, 3]), vec![norm], weights),
    );
    let against = |hyper: &str| {
        recorded_norm(dir.path(), hyper);
        params(dir.path(), &["t.safetensors", "m.onnx"])
    };
    against(r#"{"eps":1e-5,"momentum":0.03,"num_features":3}"#)
        .exits(0)
        .says(&["EQUAL", "4 equal", "2 attributes alike", "body.* = *"]);
    against(r#"{"eps":1e-3,"momentum":0.1}"#).exits(1).says(&[
        "2 of 2 attributes differ",
        "body.bn = bn",
        "eps",
        "0.001",
        "momentum",
    ]);
    against(r#"{"num_features":4}"#).exits(0);
}

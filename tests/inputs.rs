//! What a user feeds: files as other programs write them, from whatever folder, and words on the command line that do not apply.

mod support;

use parity::graph::proto::*;
use std::path::Path;
use support::*;

/// y = x + w, w in a file beside the model.
fn external(location: &str) -> ModelProto {
    let entry = |k: &str, v: &str| StringStringEntryProto {
        key: Some(k.into()),
        value: Some(v.into()),
    };
    let w = TensorProto {
        data_location: Some(1),
        external_data: vec![entry("location", location)],
        ..weight("w", &[2], &[])
    };
    onnx(
        port("x", F32, &[2]),
        vec![node("Add", "add", &["x", "w"], &["y"])],
        vec![w],
    )
}

fn write_weights(path: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, [1.5f32, -2.0].map(f32::to_le_bytes).concat()).unwrap();
}

#[cfg(unix)]
#[test]
fn external_data_is_found_from_wherever_the_model_is_named() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let (models, work) = (dir.path().join("models"), dir.path().join("work"));
    for folder in [&models, &work] {
        std::fs::create_dir(folder).unwrap();
    }
    write_model(&models, "m.onnx", &external("w.bin"));
    write_model(&models, "deep.onnx", &external("sub/w.bin"));
    write_weights(&models.join("w.bin"));
    write_weights(&models.join("sub/w.bin"));
    symlink(models.join("m.onnx"), work.join("linked.onnx")).unwrap();
    symlink(&models, work.join("folder")).unwrap();
    // As a cache of downloads keeps them: the model and its data are links to files that lie together elsewhere.
    let snapshot = dir.path().join("snapshot");
    std::fs::create_dir(&snapshot).unwrap();
    symlink(models.join("m.onnx"), snapshot.join("m.onnx")).unwrap();
    symlink(models.join("w.bin"), snapshot.join("w.bin")).unwrap();
    let absolute = models.join("m.onnx");
    for (from, name) in [
        (&models, "m.onnx"),
        (&models, "./m.onnx"),
        (&models, "deep.onnx"),
        (&work, "../models/m.onnx"),
        (&work, text(&absolute)),
        (&work, "linked.onnx"),
        (&work, "folder/m.onnx"),
        (&work, "folder/deep.onnx"),
        (&snapshot, "m.onnx"),
        (&snapshot, "./m.onnx"),
    ] {
        Call::new(PARITY, from, &["map", name])
            .run()
            .exits(0)
            .says(&["parameters 2"]);
    }
}

#[cfg(unix)]
#[test]
fn external_data_outside_of_the_models_folder_stays_refused_from_a_bare_name() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let models = dir.path().join("models");
    write_weights(&dir.path().join("secret"));
    write_weights(&models.join("w.bin"));
    symlink(dir.path().join("secret"), models.join("out")).unwrap();
    symlink(dir.path(), models.join("up")).unwrap();
    let absolute = dir.path().join("secret");
    for location in [
        "../secret",
        "sub/../../secret",
        text(&absolute),
        "out",
        "up/secret",
    ] {
        write_model(&models, "m.onnx", &external(location));
        for name in ["m.onnx", "./m.onnx"] {
            Call::new(PARITY, &models, &["map", name])
                .run()
                .refuses(2, &["'w'", location, "refused"]);
        }
    }
    write_model(&models, "m.onnx", &external("gone.bin"));
    Call::new(PARITY, &models, &["map", "m.onnx"])
        .run()
        .refuses(2, &["'w'", "gone.bin", "No such file"]);
}

#[test]
fn a_file_of_another_kind_is_told_what_it_is_and_what_to_do_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    write_model(folder, "m.onnx", &small());
    write_trace(
        &folder.join("t.safetensors"),
        &[("y", &[2, 4], &[0.0; 8])],
        None,
    );
    std::fs::write(folder.join("x.npy"), npy("<f4", &[2, 3], &[0; 24])).unwrap();
    std::fs::write(folder.join("net.pt"), b"PK\x03\x04rest").unwrap();
    std::fs::write(folder.join("s.toml"), "format = 1\nmodel = \"m.onnx\"\n").unwrap();
    std::fs::write(folder.join("empty.onnx"), b"").unwrap();
    std::fs::write(folder.join("empty.safetensors"), b"").unwrap();
    std::fs::write(folder.join("empty.toml"), b"").unwrap();
    for name in ["d", "d.onnx", "d.toml", "d.safetensors", "d.npy"] {
        std::fs::create_dir(folder.join(name)).unwrap();
    }
    let cases: &[(&[&str], &[&str])] = &[
        (
            &["compare", "m.onnx", "t.safetensors", "--exact"],
            &["m.onnx", "an ONNX model", "--record"],
        ),
        (
            &["compare", "t.safetensors", "x.npy", "--exact"],
            &["x.npy", "a numpy array", "--input"],
        ),
        (
            &["compare", "t.safetensors", "net.pt", "--exact"],
            &["net.pt", "zip archive", "safetensors"],
        ),
        (
            &["compare", "t.safetensors", "s.toml", "--exact"],
            &["s.toml", "a scenario", "parity run"],
        ),
        (
            &["compare", "t.safetensors", "d", "--exact"],
            &["trace d", "folder"],
        ),
        (
            &["compare", "d.safetensors", "t.safetensors", "--exact"],
            &["d.safetensors", "folder"],
        ),
        (
            &["compare", "empty.safetensors", "t.safetensors", "--exact"],
            &["empty.safetensors", "empty"],
        ),
        (
            &["compare", "gone.safetensors", "t.safetensors", "--exact"],
            &["gone.safetensors", "No such file"],
        ),
        (
            &["run", "x.npy"],
            &[
                "x.npy",
                "a numpy array",
                "parity run MODEL --input NAME=FILE",
            ],
        ),
        (
            &["run", "t.safetensors"],
            &["t.safetensors", "a file of tensors", "parity compare"],
        ),
        (&["run", "net.pt"], &["net.pt", "zip archive"]),
        (&["run", "d"], &["scenario d", "folder"]),
        (&["run", "d.onnx"], &["d.onnx", "folder"]),
        (&["run", "d.toml"], &["d.toml", "folder"]),
        (&["run", "empty.onnx"], &["empty.onnx", "the file is empty"]),
        (&["run", "empty.toml"], &["empty.toml", "the file is empty"]),
        (&["map", "empty.onnx"], &["empty.onnx", "the file is empty"]),
        (
            &["map", "t.safetensors"],
            &["t.safetensors", "a file of tensors"],
        ),
        (
            &["run", "m.onnx", "--input", "x=gone.npy"],
            &["input 'x'", "gone.npy", "No such file"],
        ),
        (
            &["run", "m.onnx", "--input", "x=d.npy"],
            &["input 'x'", "d.npy", "folder"],
        ),
        (
            &["run", "m.onnx", "--against", "gone.safetensors"],
            &["trace gone.safetensors", "No such file"],
        ),
        (
            &["run", "m.onnx", "--input", "x=arrays.npz"],
            &["arrays.npz", "numpy.save"],
        ),
        (&["fuzz", "gone.onnx"], &["gone.onnx", "No such file"]),
        (&["time", "gone.onnx"], &["gone.onnx", "No such file"]),
    ];
    // No library is there: what the user can mend is said before one is asked for.
    let nothing = folder.join("nothing");
    std::fs::create_dir(&nothing).unwrap();
    for (args, words) in cases {
        let ran = Call::new(PARITY, folder, args)
            .without_libraries(&nothing)
            .run();
        assert_eq!(ran.out, "", "{ran}");
        ran.refuses(2, words);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_path_that_is_no_text_is_named_where_a_scenario_would_name_it_and_read_elsewhere() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &small());
    let odd = OsStr::from_bytes(b"m\xff.onnx");
    std::fs::copy(dir.path().join("m.onnx"), dir.path().join(odd)).unwrap();
    let call = |args: &[&str], odd: &OsStr| {
        let out = std::process::Command::new(PARITY)
            .current_dir(dir.path())
            .args(args)
            .arg(odd)
            .output()
            .unwrap();
        let text = |b: &[u8]| String::from_utf8(b.to_vec()).unwrap();
        (out.status.code(), text(&out.stdout), text(&out.stderr))
    };
    let (code, out, _) = call(&["map"], odd);
    assert!(
        code == Some(0) && out.contains("parameters 16"),
        "{code:?} {out}"
    );
    for (args, odd) in [
        (&["run"][..], odd),
        (&["fuzz"], odd),
        (
            &["run", "m.onnx", "--input"],
            OsStr::from_bytes(b"x=\xff.npy"),
        ),
    ] {
        let (code, _, err) = call(args, odd);
        assert_eq!(code, Some(2), "{args:?}: {err}");
        assert!(
            err.contains("\\xff") && err.contains("UTF-8") && err.contains("rename"),
            "{args:?}: {err}"
        );
    }
}

#[test]
fn a_node_without_a_name_is_not_called_as_another_node_is() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = vec![
        node("Relu", "", &["x"], &["a"]),
        node("Neg", "a", &["a"], &["b"]),
        node("Abs", "", &["b"], &["a/Relu"]),
        node("Exp", "twice", &["a/Relu"], &["c"]),
        node("Log", "twice", &["c"], &["y"]),
    ];
    write_model(
        dir.path(),
        "m.onnx",
        &onnx(port("x", F32, &[2]), nodes, vec![]),
    );
    let ran = Call::new(PARITY, dir.path(), &["map", "m.onnx", "--nodes"])
        .run()
        .exits(0);
    let table = ran.out.split("| node").nth(1).unwrap();
    let names: Vec<&str> = table
        .lines()
        .skip(2)
        .filter_map(|l| l.split('|').nth(1))
        .map(str::trim)
        .collect();
    assert_eq!(names, ["a/Relu", "a", "a/Relu/Abs", "c", "y"], "{ran}");
}

/// One array as `numpy.save` writes it.
fn npy(descr: &str, shape: &[usize], data: &[u8]) -> Vec<u8> {
    let dims: String = shape.iter().map(|d| format!("{d}, ")).collect();
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({dims}), }}\n");
    [
        &b"\x93NUMPY\x01\x00"[..],
        &(text.len() as u16).to_le_bytes(),
        text.as_bytes(),
        data,
    ]
    .concat()
}

#[test]
fn all_that_a_model_leaves_open_is_named_at_once_in_the_words_of_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = vec![
        node("Gather", "emb", &["table", "ids"], &["e"]),
        node("Cast", "cast", &["mask"], &["m"]),
        node("Add", "add", &["e", "x"], &["y"]),
    ];
    let table = weight("table", &[37, 2], &[0.5; 74]);
    let mut model = onnx(port("ids", I64, &[1, -1]), nodes, vec![table]);
    model.graph.as_mut().unwrap().input.extend([
        port("mask", I64, &[1, 4]),
        port("x", F32, &[-1, 4, 2]),
        port("w", F32, &[1]),
    ]);
    write_model(dir.path(), "m.onnx", &model);
    let run =
        |args: &[&str]| Call::new(PARITY, dir.path(), &[&["run", "m.onnx"], args].concat()).run();
    let ran = run(&[]);
    assert_eq!(
        ran.out, "",
        "no line of a scenario that cannot be run: {ran}"
    );
    ran.refuses(
        2,
        &[
            "'ids' i64 [1, ?]",
            "'mask' i64 [1, 4]",
            "'x' f32 [?, 4, 2]",
            "--input ids=1xN:0..36 --input mask=1x4:LOW..HIGH --input x=Nx4x2",
            "37 rows",
            "included",
        ],
    );
    // An integer input that is given a shape only is not answered in words of TOML.
    run(&[
        "--input", "ids=1x4", "--input", "mask=1x4", "--input", "x=1x4x2",
    ])
    .refuses(
        2,
        &["--input ids=1x4:0..36 --input mask=1x4:LOW..HIGH (both"],
    );
}

#[cfg(feature = "torch")]
mod engines {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_half_and_a_big_endian_array_are_fed_as_they_are_and_nothing_is_cast() {
        const F16: i32 = 10;
        let dir = tempfile::tempdir().unwrap();
        let relu = |dtype| {
            onnx(
                port("x", dtype, &[1, 2]),
                vec![node("Relu", "r", &["x"], &["y"])],
                vec![],
            )
        };
        write_model(dir.path(), "f16.onnx", &relu(F16));
        write_model(dir.path(), "f32.onnx", &relu(F32));
        let write = |name: &str, descr: &str, data: &[u8]| {
            std::fs::write(dir.path().join(name), npy(descr, &[1, 2], data)).unwrap()
        };
        write("half.npy", "<f2", &[0x00, 0x3c, 0x00, 0xc0]);
        write("big_half.npy", ">f2", &[0x3c, 0x00, 0xc0, 0x00]);
        write(
            "big.npy",
            ">f4",
            &[1.5f32, -2.0].map(f32::to_be_bytes).concat(),
        );
        write(
            "double.npy",
            "<f8",
            &[1.5f64, -2.0].map(f64::to_le_bytes).concat(),
        );
        let run = |model: &str, file: &str| {
            Call::new(
                PARITY,
                dir.path(),
                &["run", model, "--input", &format!("x={file}")],
            )
            .run()
        };
        for (model, file) in [
            ("f16.onnx", "half.npy"),
            ("f16.onnx", "big_half.npy"),
            ("f32.onnx", "big.npy"),
        ] {
            run(model, file).exits(0).says(&["AGREE"]);
        }
        run("f32.onnx", "half.npy").refuses(
            2,
            &[
                "takes f32",
                "gives f16",
                "nothing is cast",
                "x.astype('f4')",
            ],
        );
        run("f32.onnx", "double.npy").refuses(2, &["takes f32", "gives f64", "nothing is cast"]);
    }

    #[test]
    fn a_trace_that_holds_the_inputs_feeds_them_by_itself() {
        let dir = tempfile::tempdir().unwrap();
        write_model(dir.path(), "m.onnx", &small());
        let x: Vec<f32> = (0..6).map(|i| 0.5 * i as f32 - 1.0).collect();
        // What the model makes of x: relu(x · w + b), as `small` states w and b.
        let (w, b) = (
            |i: usize, j: usize| 0.37 * (4 * i + j) as f32 - 2.0,
            [0.1f32, -0.2, 0.3, 0.7],
        );
        let y: Vec<f32> = (0..8)
            .map(|k| {
                ((0..3)
                    .map(|i| x[3 * (k / 4) + i] * w(i, k % 4))
                    .sum::<f32>()
                    + b[k % 4])
                    .max(0.0)
            })
            .collect();
        write_trace(
            &dir.path().join("t.safetensors"),
            &[("x", &[2, 3], &x), ("y", &[2, 4], &y)],
            None,
        );
        write_trace(
            &dir.path().join("other.safetensors"),
            &[("x", &[3, 2], &x), ("y", &[2, 4], &y)],
            None,
        );
        let run = |args: &[&str]| {
            Call::new(
                PARITY,
                dir.path(),
                &[&["run", "m.onnx", "--only", "y"], args].concat(),
            )
            .run()
        };
        let fed = run(&["--against", "t.safetensors"]).exits(0);
        let named = run(&["--against", "t.safetensors", "--input", "x=t.safetensors"]).exits(0);
        let without_time = |ran: &Ran| {
            ran.out
                .lines()
                .filter(|l| !l.starts_with("time"))
                .skip_while(|l| !l.starts_with("AGREE"))
                .collect::<Vec<_>>()
                .join("\n")
        };
        assert_eq!(without_time(&fed), without_time(&named));
        // What is stated is what is fed.
        run(&["--against", "t.safetensors", "--input", "x=2x3"]).exits(1);
        run(&["--against", "other.safetensors"]).refuses(2, &["input 'x'", "[2, 3]", "[3, 2]"]);
    }

    #[test]
    fn a_node_that_a_recording_leaves_untested_is_answered_with_what_to_record() {
        let dir = tempfile::tempdir().unwrap();
        write_model(dir.path(), "m.onnx", &small());
        write_trace(
            &dir.path().join("t.safetensors"),
            &[("x", &[2, 3], &[1.0; 6]), ("q", &[2, 4], &[9.0; 8])],
            None,
        );
        let ran = Call::new(
            PARITY,
            dir.path(),
            &["run", "m.onnx", "--only", "q", "--against", "t.safetensors"],
        )
        .run()
        .exits(1);
        assert!(
            !ran.out.contains("--against TRACE"),
            "the advice is this very command: {ran}"
        );
        ran.says(&[
            "own fault not tested",
            "record what 'add' is fed as well ('p', 'b')",
        ]);
    }

    #[test]
    fn every_case_of_a_fuzzed_torchscript_is_answered_by_itself() {
        let dir = tempfile::tempdir().unwrap();
        write_model(dir.path(), "m.onnx", &small());
        let file =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/torchscript/small.pt");
        let scenario = |name: &str, model: &str| {
            let candidate = format!(
                "candidate = {{ subject = \"torchscript\", script = \"{}\", rename = {{ y = \"0\" }} }}",
                file.display()
            );
            std::fs::write(
                dir.path().join(name),
                format!("format = 1\nmodel = \"{model}\"\n{candidate}\n[limit]\nonly = [\"y\"]\n"),
            )
            .unwrap();
        };
        scenario("s.toml", "m.onnx");
        let fuzz = |name: &str| {
            Call::new(
                PARITY,
                dir.path(),
                &["fuzz", name, "--cases", "12", "--jobs", "1"],
            )
            .run()
        };
        let clean = fuzz("s.toml").exits(0);
        clean.says(&["agree: s (12 of 12 cases compared"]);
        let mut other = small();
        other.graph.as_mut().unwrap().initializer[1].float_data[2] = 0.31;
        write_model(dir.path(), "other.onnx", &other);
        scenario("faulty.toml", "other.onnx");
        fuzz("faulty.toml").exits(1).says(&["DIVERGE"]);
    }

    #[test]
    fn who_took_part_is_named_with_the_version_that_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        write_model(dir.path(), "m.onnx", &small());
        let run = Call::new(PARITY, dir.path(), &["run", "m.onnx", "--json"])
            .run()
            .exits(0)
            .json();
        let library = parity::native::libtorch().path.unwrap();
        let stated = std::fs::read_to_string(
            library
                .parent()
                .unwrap()
                .parent()
                .unwrap()
                .join("build-version"),
        )
        .unwrap();
        assert_eq!(
            run.environment.candidate,
            format!("libtorch {}", stated.trim())
        );
        let kernel = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/kernels/giou_yolov6.onnx");
        let boxes = "values = [0.0, 0.0, 2.0, 2.0]\nshape = [1, 4]\n";
        let text = format!(
            "format = 1\nmodel = \"{}\"\nstages = [\"inputs\", \"activations\"]\nreference = {{ subject = \"kernel\", kernel = \"giou_yolov6\" }}\n[inputs.a]\n{boxes}[inputs.b]\n{boxes}[limit]\nonly = [\"similarity\"]\n",
            kernel.display()
        );
        std::fs::write(dir.path().join("k.toml"), text).unwrap();
        let run = Call::new(PARITY, dir.path(), &["run", "k.toml", "--json"])
            .run()
            .json();
        assert_eq!(run.environment.reference, "kernel giou_yolov6");
    }

    #[test]
    fn reasons_that_are_alike_are_counted_not_repeated() {
        let dir = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..41).map(|i| format!("t{i:02}")).collect();
        let nodes = names
            .windows(2)
            .map(|pair| node("Neg", &format!("n_{}", pair[1]), &[&pair[0]], &[&pair[1]]))
            .collect();
        write_model(
            dir.path(),
            "m.onnx",
            &onnx(port("t00", F32, &[2]), nodes, vec![]),
        );
        write_trace(
            &dir.path().join("t.safetensors"),
            &[("t00", &[2], &[1.0, 2.0]), ("t40", &[2], &[1.0, 2.0])],
            None,
        );
        let ran = Call::new(
            PARITY,
            dir.path(),
            &["run", "m.onnx", "--against", "t.safetensors"],
        )
        .run();
        let longest = ran.out.lines().map(str::len).max().unwrap();
        assert!(longest < 400, "a line of {longest} characters: {ran}");
        let counts: BTreeMap<&str, usize> = [("t01", 2), ("t39", 0)].into();
        for (name, most) in counts {
            assert!(
                ran.out.matches(&format!("'{name}'")).count() <= most,
                "{ran}"
            );
        }
        ran.says(&["the trace holds no '…' ('t01', 't02', 't03' and 36 more)"]);
    }

    /// y = x + a tensor of `rows` × `rows`, made by Expand: 4 · rows² bytes that no file holds.
    #[cfg(target_os = "linux")]
    fn large(rows: i64) -> ModelProto {
        let shape = TensorProto {
            name: Some("s".into()),
            dims: vec![2],
            data_type: Some(I64),
            int64_data: vec![rows, rows],
            ..Default::default()
        };
        onnx(
            port("x", F32, &[1, 1]),
            vec![
                node("Expand", "expand", &["x", "s"], &["e"]),
                node("Neg", "neg", &["e"], &["y"]),
            ],
            vec![shape],
        )
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_run_beyond_all_memory_is_refused_and_one_beyond_what_it_may_have_ends_with_a_word() {
        let dir = tempfile::tempdir().unwrap();
        write_model(dir.path(), "huge.onnx", &large(2_000_000));
        Call::new(PARITY, dir.path(), &["run", "huge.onnx"])
            .run()
            .refuses(2, &["this run needs", "for this process", "--max-memory"]);
        // 256 MiB a tensor, several of them at once, in an address space that has room for the libraries and little else.
        write_model(dir.path(), "m.onnx", &large(8192));
        let line =
            format!("ulimit -v 3000000; exec {PARITY} run m.onnx --threads 1 --max-memory 100GiB");
        let ran = Call::new("/bin/sh", dir.path(), &["-c", &line]).run();
        assert_eq!(ran.code, Some(3), "{ran}");
        assert!(
            ran.err.contains("parity: ")
                && ran.err.contains("memory")
                && ran.err.contains("next: "),
            "{ran}"
        );
    }
}

#[cfg(feature = "torch")]
#[test]
fn each_sample_is_run_and_the_one_that_diverges_is_told() {
    use parity::exit::Exit;
    let dir = tempfile::tempdir().unwrap();
    let w = || weight("w", &[2], &[1.5, -2.0]);
    for (name, op) in [("a.onnx", "Relu"), ("b.onnx", "Identity")] {
        let nodes = vec![
            node(op, "act", &["x"], &["p"]),
            node("Mul", "mul", &["p", "w"], &["y"]),
        ];
        write_model(
            dir.path(),
            name,
            &onnx(port("x", F32, &[1, 2]), nodes, vec![w()]),
        );
    }
    let folder = dir.path().join("samples");
    std::fs::create_dir(&folder).unwrap();
    let bytes = |values: &[f32]| {
        values
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let (plus, minus) = ([0.5f32, 2.0], [0.5f32, -2.0]);
    std::fs::write(folder.join("plus.npy"), npy("<f4", &[1, 2], &bytes(&plus))).unwrap();
    std::fs::write(
        folder.join("minus.npy"),
        npy("<f4", &[1, 2], &bytes(&minus)),
    )
    .unwrap();
    let both = npy("<f4", &[2, 2], &bytes(&[plus, minus].concat()));
    std::fs::write(dir.path().join("both.npy"), both).unwrap();
    for (input, names) in [
        ("x=samples", ["minus.npy", "plus.npy"]),
        ("x=both.npy:samples", ["both.npy[0]", "both.npy[1]"]),
    ] {
        let args = ["run", "a.onnx", "b.onnx", "--input", input, "--json"];
        let run = Call::new(PARITY, dir.path(), &args).run().exits(1).json();
        let told: Vec<(&str, Exit)> = run
            .samples
            .iter()
            .map(|s| (s.name.as_str(), s.exit))
            .collect();
        let diverges = |name: &str| name.starts_with("minus") || name.ends_with("[1]");
        let exit = |name| {
            if diverges(name) {
                Exit::Diverge
            } else {
                Exit::Agree
            }
        };
        assert_eq!(told, names.map(|n| (n, exit(n))));
        assert_eq!(run.verdict.origins[0].node, "act");
        let said = run
            .findings
            .iter()
            .any(|f| f.what.starts_with("1 of 2 samples agree"));
        assert!(said, "{:?}", run.findings);
    }
}

//! The words of the command line: what does not apply is refused, by name and with where it does; what is interrupted says so.

mod support;

#[cfg(feature = "torch")]
use std::path::Path;
use support::*;

/// Every option of every command, as `--help` lists them: a new one is placed here, and in `REFUSED` where it can mean nothing.
const ALL: &[(&str, &str)] = &[
    (
        "run",
        "input against rename map weights python port-limit save only coverage from until seed threads max-memory json report html all record extract",
    ),
    (
        "compare",
        "atol rtol ulp exact why rename only training coverage report-only json report html all",
    ),
    (
        "bless",
        "golden scenario command framework threads seed model weights whole full accept reject all json",
    ),
    ("params", "rename fresh json all"),
    ("map", "nodes input rename python port-limit json"),
    ("port", "python limit json"),
    ("export-check", "python port-limit keep all json"),
    ("audit", "json report html"),
    (
        "preflight",
        "reference inference python port-limit against json",
    ),
    ("bundle", "out json"),
    ("list", "json"),
    ("doctor", "json"),
    ("demo", "json"),
    ("init", "input out python port-limit json"),
    ("test", "jobs limit partition against watch json report"),
    ("merge", "json report"),
    ("show", "json report all"),
    ("completions", ""),
    ("manual", "out"),
    (
        "fuzz",
        "domain input cases time seed shard jobs finds candidate fault found forms python port-limit json",
    ),
    ("time", "input runs threads json"),
    ("selftest", "seeds mutants clean partition json"),
    ("conformance", "json every only limit"),
];

/// A command in which the named option means nothing, and what the refusal says of where it does.
const REFUSED: &[(&[&str], &str, &str)] = &[
    (
        &["run", "s.toml", "--input", "x=2x3"],
        "--input",
        "bare model",
    ),
    (
        &["run", "s.toml", "--against", "t.safetensors"],
        "--against",
        "bare model",
    ),
    (
        &["run", "s.toml", "--save", "f.toml"],
        "--save",
        "bare model",
    ),
    (
        &["run", "s.toml", "--rename", "a=b"],
        "--rename",
        "bare model",
    ),
    (
        &["run", "m.onnx", "--python", "python3"],
        "--python",
        "net.py",
    ),
    (
        &["run", "t.safetensors", "m.onnx", "--port-limit", "9"],
        "--port-limit",
        "net.py",
    ),
    (
        &["run", "m.onnx", "--rename", "a=b"],
        "--rename",
        "second file",
    ),
    (
        &["run", "t.safetensors", "m.onnx", "--map", "map.toml"],
        "--map",
        "--rename",
    ),
    (&["run", "m.onnx", "--map", "map.toml"], "--map", "required"),
    (
        &["run", "m.onnx", "--weights", "w.pt"],
        "--weights",
        "required",
    ),
    (
        &["run", "t.safetensors", "m.onnx", "--weights", "w.pt"],
        "--weights",
        "live port",
    ),
    (
        &["run", "m.onnx", "m.onnx", "--from", "y"],
        "--from",
        "one model",
    ),
    (
        &["run", "m.onnx", "m.onnx", "--until", "y"],
        "--until",
        "one model",
    ),
    (
        &["run", "m.onnx", "m.onnx", "--record", "traces"],
        "--record",
        "one model",
    ),
    (
        &["run", "m.onnx", "m.onnx", "--extract", "node"],
        "--extract",
        "one model",
    ),
    (
        &["run", "m.onnx", "m.onnx", "--against", "t.safetensors"],
        "--against",
        "cannot be used",
    ),
    (
        &["map", "m.onnx", "--input", "x=y.npy"],
        "--input",
        "x=1x3x224x224",
    ),
    (&["test", ".", "--limit", "0"], "--limit", "1.."),
    (&["test", ".", "--jobs", "0"], "--jobs", "1..="),
    (
        &["test", ".", "--partition", "3/2"],
        "--partition",
        "no part",
    ),
    (
        &["test", ".", "--watch", "--json"],
        "--json",
        "cannot be used",
    ),
    (
        &["selftest", "s.toml", "--partition", "0/2"],
        "--partition",
        "no part",
    ),
    (
        &["map", "m.onnx", "--rename", "a=b"],
        "--rename",
        "required",
    ),
    (
        &["map", "m.onnx", "m.onnx", "--nodes"],
        "--nodes",
        "cannot be used",
    ),
    (&["run", "m.onnx", "--threads", "0"], "--threads", "1..="),
    (
        &["run", "m.onnx", "--threads", "100000000"],
        "--threads",
        "1..=",
    ),
    (
        &["run", "m.onnx", "--max-memory", "much"],
        "--max-memory",
        "2GiB",
    ),
    (
        &["run", "m.onnx", "--max-memory", "0"],
        "--max-memory",
        "2GiB",
    ),
    (
        &["preflight", ".", "--python", "python3"],
        "--python",
        "[port]",
    ),
    (
        &["preflight", "s.toml", "--reference", "net.py"],
        "--reference",
        "[port]",
    ),
    (&["preflight", ".", "--inference"], "--inference", "[port]"),
    (&["run", "find.toml", "--only", "y"], "--only", "[find]"),
    (&["run", "find.toml", "--from", "y"], "--from", "[find]"),
    (&["run", "find.toml", "--until", "y"], "--until", "[find]"),
    (&["run", "find.toml", "--seed", "1"], "--seed", "[find]"),
    (
        &["run", "find.toml", "--threads", "1"],
        "--threads",
        "[find]",
    ),
    (
        &["run", "find.toml", "--max-memory", "1GiB"],
        "--max-memory",
        "[find]",
    ),
    (&["run", "find.toml", "--json"], "--json", "[find]"),
    (&["run", "find.toml", "--all"], "--all", "[find]"),
    (
        &["run", "find.toml", "--report", "json=r"],
        "--report",
        "[find]",
    ),
    (&["run", "find.toml", "--html", "h"], "--html", "[find]"),
    (
        &["run", "s.toml", "--report", "jsn=r"],
        "--report",
        "did you mean 'json'",
    ),
    (
        &["run", "s.toml", "--report", "json"],
        "--report",
        "NAME=FILE",
    ),
    (
        &[
            "compare",
            "t.safetensors",
            "t.safetensors",
            "--exact",
            "--report",
            "jsn=r",
        ],
        "--report",
        "did you mean 'json'",
    ),
    (&["run", "find.toml", "--record", "r"], "--record", "[find]"),
    (
        &["run", "find.toml", "--extract", "e"],
        "--extract",
        "[find]",
    ),
    (
        &["compare", "t.safetensors", "t.safetensors", "--why", "so"],
        "--why",
        "--atol",
    ),
    (
        &["compare", "t.safetensors", "t.safetensors", "--atol", "1"],
        "--rtol",
        "required",
    ),
    (
        &["compare", "t.safetensors", "t.safetensors", "--ulp", "1"],
        "--why",
        "required",
    ),
    (
        &[
            "compare",
            "t.safetensors",
            "t.safetensors",
            "--exact",
            "--report-only",
        ],
        "--exact",
        "judges nothing",
    ),
    (
        &[
            "compare",
            "t.safetensors",
            "t.safetensors",
            "--exact",
            "--training",
            "t.toml",
            "--only",
            "x",
        ],
        "--training",
        "cannot be used with",
    ),
    (
        &["bless", "--golden", "g", "--command", "c"],
        "TRACES",
        "required",
    ),
    (
        &["bless", "--golden", "g", "--framework", "a=1"],
        "TRACES",
        "required",
    ),
    (
        &["bless", "--golden", "g", "--threads", "1"],
        "TRACES",
        "required",
    ),
    (
        &["bless", "--golden", "g", "--seed", "1"],
        "TRACES",
        "required",
    ),
    (
        &["bless", "--golden", "g", "--model", "m.onnx"],
        "TRACES",
        "required",
    ),
    (
        &["bless", "--golden", "g", "--weights", "w"],
        "TRACES",
        "required",
    ),
    (
        &["bless", "--golden", "g", "--whole", "y"],
        "TRACES",
        "required",
    ),
    (
        &["bless", "--golden", "g", "--full", "4"],
        "TRACES",
        "required",
    ),
    (
        &["bless", "t.safetensors", "--golden", "g", "--threads", "0"],
        "--threads",
        "1..=",
    ),
    (
        &["bless", "t.safetensors", "--golden", "g", "--accept"],
        "--accept",
        "TRACES",
    ),
    (
        &["bless", "--golden", "g", "--accept", "--reject"],
        "--reject",
        "--accept",
    ),
    (
        &["bless", "--golden", "g", "--accept", "--all"],
        "--all",
        "--accept",
    ),
    (
        &["bless", "--golden", "g", "--reject", "--all"],
        "--all",
        "--reject",
    ),
    (
        &["bless", "--golden", "g", "--reject", "--scenario", "s"],
        "--scenario",
        "--reject",
    ),
    (
        &["fuzz", "giou_yolov6", "--input", "x=2x3"],
        "--input",
        "bare model",
    ),
    (
        &["fuzz", "all", "--input", "x=2x3"],
        "--input",
        "bare model",
    ),
    (
        &["fuzz", "all", "--fault", "bypass@/module/Clip"],
        "--fault",
        "name the kernel",
    ),
    (
        &["fuzz", "s.toml", "--input", "x=2x3"],
        "--input",
        "bare model",
    ),
    (
        &["fuzz", "m.onnx", "--candidate", "anything"],
        "--candidate",
        "kernel",
    ),
    (
        &["fuzz", "m.onnx", "--candidate", "libtorch"],
        "--candidate",
        "kernel",
    ),
    (
        &["fuzz", "s.toml", "--candidate", "onnxruntime"],
        "--candidate",
        "kernel",
    ),
    (
        &["fuzz", "m.onnx", "--forms", "/nonexistent"],
        "--forms",
        "kernel",
    ),
    (&["fuzz", "s.toml", "--forms", "."], "--forms", "kernel"),
    (
        &["fuzz", "giou_yolov6", "--python", "python3"],
        "--python",
        "two forms of a loss",
    ),
    (
        &["fuzz", "m.onnx", "--port-limit", "9"],
        "--port-limit",
        "two forms of a loss",
    ),
    (&["fuzz", "giou_yolov6", "--cases", "0"], "--cases", "1.."),
    (&["fuzz", "m.onnx", "--cases", "0"], "--cases", "1.."),
    (&["fuzz", "giou_yolov6", "--jobs", "0"], "--jobs", "1..="),
    (
        &["fuzz", "giou_yolov6", "--jobs", "100000000"],
        "--jobs",
        "1..=",
    ),
    (&["fuzz", "giou_yolov6", "--finds", "0"], "--finds", "1.."),
    (
        &["fuzz", "giou_yolov6", "--time", "0s"],
        "--time",
        "no time",
    ),
    (
        &["fuzz", "giou_yolov6", "--shard", "3/2"],
        "--shard",
        "no shard",
    ),
    (
        &["fuzz", "giou_yolov6", "--coverage", "2"],
        "--coverage",
        "unexpected",
    ),
    (
        &["time", "s.toml", "--input", "x=2x3"],
        "--input",
        "bare model",
    ),
    (&["time", "m.onnx", "--threads", "0"], "--threads", "1..="),
    (&["time", "m.onnx", "--runs", "0"], "--runs", "1.."),
    (&["selftest", "s.toml", "--seeds", "0"], "--seeds", "1.."),
    (
        &["selftest", "s.toml", "--mutants", "0"],
        "--mutants",
        "1..",
    ),
    (
        &["selftest", "s.toml", "--clean", "1"],
        "--clean",
        "mutants",
    ),
    (&["conformance", ".", "--every", "0"], "--every", "1.."),
    (&["conformance", ".", "--limit", "0"], "--limit", "1.."),
];

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, body: &str| {
        std::fs::write(
            dir.path().join(name),
            format!("format = 1\nmodel = \"m.onnx\"\n{body}"),
        )
        .unwrap()
    };
    write_model(dir.path(), "m.onnx", &small());
    write("s.toml", "[inputs.x]\nrandom = \"normal\"\n");
    write(
        "find.toml",
        "reference = { subject = \"kernel\", kernel = \"giou_yolov6\" }\nfind = { kernel = \"giou_yolov6\", what = \"w\", case = 1 }\n",
    );
    write_trace(
        &dir.path().join("t.safetensors"),
        &[("y", &[2, 4], &[0.0; 8])],
        None,
    );
    dir
}

#[test]
fn an_option_that_means_nothing_is_refused_by_name_with_where_it_applies() {
    let dir = folder();
    for (args, option, belongs) in REFUSED {
        let ran = Call::new(PARITY, dir.path(), args).run().exits(2);
        for word in [option, belongs] {
            assert!(ran.err.contains(word), "'{word}' is not said: {ran}");
        }
        match args.contains(&"--json") {
            true => assert!(ran.out.starts_with("{\n  \"error\""), "{ran}"),
            false => assert_eq!(ran.out, "", "{ran}"),
        }
    }
}

#[test]
fn every_option_of_every_command_has_been_thought_of() {
    let dir = folder();
    for (command, options) in ALL {
        let help = Call::new(PARITY, dir.path(), &[command, "--help"])
            .run()
            .exits(0);
        let mut listed: Vec<&str> = help
            .out
            .lines()
            .filter_map(|l| l.trim_start().strip_prefix('-')?.split_once('-'))
            .filter(|(short, _)| short.is_empty() || short.ends_with(", "))
            .filter_map(|(_, l)| l.trim_start_matches('-').split([' ', ',']).next())
            .filter(|l| *l != "help")
            .collect();
        // They stand in groups.
        let mut known: Vec<&str> = options.split_terminator(' ').collect();
        listed.sort_unstable();
        known.sort_unstable();
        // A line of another's text may begin with one.
        listed.dedup();
        assert_eq!(listed, known, "{command}");
    }
    for (args, option, _) in REFUSED
        .iter()
        .filter(|row| row.1.starts_with("--") && row.1 != "--coverage")
    {
        let known = ALL.iter().find(|row| row.0 == args[0]).unwrap().1;
        assert!(
            known
                .split(' ')
                .any(|o| option.strip_prefix("--") == Some(o)),
            "{args:?} {option}"
        );
    }
}

#[cfg(all(unix, feature = "torch"))]
mod fuzzed {
    use super::*;
    use std::io::{BufRead, BufReader, Read};
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    const ROOT: &str = env!("CARGO_MANIFEST_DIR");

    /// `parity fuzz all`, once its first kernel is done; the line that said so.
    fn begun() -> (Child, BufReader<std::process::ChildStdout>) {
        let mut command = Command::new(PARITY);
        command
            .current_dir(ROOT)
            .args(["fuzz", "all", "--cases", "40", "--jobs", "2"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        while !first.contains("ended after") {
            first.clear();
            assert_ne!(
                out.read_line(&mut first).unwrap(),
                0,
                "it ended before its first kernel"
            );
        }
        (child, out)
    }

    fn interrupt(child: &Child) {
        // SAFETY: kill only sends a signal, here to a child of our own that has not been waited for.
        unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    }

    /// How it ended, within 20 seconds.
    fn ended(child: &mut Child) -> std::process::ExitStatus {
        let start = Instant::now();
        loop {
            match child.try_wait().unwrap() {
                Some(status) => return status,
                None if start.elapsed() > Duration::from_secs(20) => {
                    let _ = child.kill();
                    panic!("it goes on for 20 s after Ctrl-C");
                }
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    #[test]
    fn what_is_interrupted_says_how_far_it_came_and_never_that_it_agrees() {
        let (mut child, mut out) = begun();
        interrupt(&child);
        let status = ended(&mut child);
        let mut text = String::new();
        out.read_to_string(&mut text).unwrap();
        assert_eq!(
            (status.code(), status.signal()),
            (Some(130), None),
            "{text}"
        );
        let last = text.lines().last().unwrap();
        assert!(
            last.starts_with("interrupted: ")
                && last.contains(&format!(
                    " of {} kernels",
                    parity::subject::kernels::ALL.len()
                )),
            "{text}"
        );
    }

    #[test]
    fn a_second_ctrl_c_ends_at_once_without_a_crash() {
        for pause in [1, 20, 60] {
            let (mut child, _out) = begun();
            interrupt(&child);
            std::thread::sleep(Duration::from_millis(pause));
            interrupt(&child);
            let status = ended(&mut child);
            assert_eq!(
                (status.code(), status.signal()),
                (Some(130), None),
                "pause {pause} ms"
            );
        }
    }

    #[test]
    fn a_run_says_what_ended_it() {
        let fuzz = |args: &[&str]| {
            Call::new(
                PARITY,
                Path::new(ROOT),
                &[&["fuzz", "giou_yolov6", "--jobs", "1"], args].concat(),
            )
            .run()
        };
        fuzz(&["--cases", "20"])
            .exits(0)
            .says(&["ended after 20 of 20 cases: all cases were drawn"]);
        fuzz(&["--time", "200ms"])
            .exits(0)
            .says(&["cases: out of time (--time)"]);
        let fault = ["--fault", "max-for-min@/module/Max_2", "--finds", "1"];
        fuzz(&[&fault[..], &["--cases", "5000"]].concat())
            .exits(1)
            .says(&["of 5000 cases: enough finds (--finds)"]);
    }

    #[test]
    fn nothing_is_written_into_a_folder_of_the_users_unless_asked() {
        let dir = tempfile::tempdir().unwrap();
        let forms = Path::new(ROOT).join("golden/kernels");
        let args = [
            "fuzz",
            "task_aligned_yolov6",
            "--candidate",
            "task_aligned_mmdet_3_3",
            "--forms",
            text(&forms),
            "--cases",
            "40",
        ];
        Call::new(PARITY, dir.path(), &args)
            .run()
            .exits(1)
            .says(&["not kept: --found FOLDER"]);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        Call::new(
            PARITY,
            dir.path(),
            &[&args[..], &["--found", "kept"]].concat(),
        )
        .run()
        .exits(1)
        .says(&["kept: kept/"]);
        assert!(dir.path().join("kept").is_dir() && !dir.path().join("scenarios").exists());
    }

    #[test]
    fn a_known_find_that_cannot_be_tried_is_not_passed() {
        let dir = tempfile::tempdir().unwrap();
        let (kernel, fault) = ("giou_yolov6", "max-for-min@/module/Max_2");
        let found = text(dir.path());
        let fuzz = |args: &[&str]| {
            Call::new(
                PARITY,
                Path::new(ROOT),
                &[&["fuzz", kernel, "--found", found, "--cases", "20"], args].concat(),
            )
            .run()
        };
        fuzz(&["--fault", fault, "--finds", "1"]).exits(1);
        let path = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|e| e.unwrap().path())
            .find(|p| p.extension().unwrap() == "toml")
            .unwrap();
        // The reference refuses boxes of another number on either side.
        let text = std::fs::read_to_string(&path).unwrap();
        let (head, tail) = text.split_once("[inputs.b]").unwrap();
        let rest = tail.split_once("\n[").map_or("", |(_, rest)| rest);
        std::fs::write(
            &path,
            format!("{head}[inputs.b]\nvalues = []\nshape = [0, 4]\n[{rest}"),
        )
        .unwrap();
        fuzz(&[])
            .exits(4)
            .says(&["could not be tried", "A KNOWN FIND COULD NOT BE TRIED"]);
    }
}

#[test]
fn every_report_is_written_into_a_file_as_it_is_printed() {
    let dir = folder();
    let compare = ["compare", "t.safetensors", "t.safetensors", "--exact"];
    let ran = |more: &[&str]| Call::new(PARITY, dir.path(), &[&compare, more].concat()).run();
    let printed = [ran(&[]), ran(&["--all"]), ran(&["--json"])].map(|r| r.exits(0).out);
    let names = ["terminal", "tensors", "json"];
    let asked: Vec<String> = names.iter().map(|n| format!("{n}={n}.txt")).collect();
    let options: Vec<&str> = asked.iter().flat_map(|a| ["--report", a]).collect();
    assert_eq!(ran(&options).exits(0).out, printed[0]);
    for (name, printed) in names.iter().zip(&printed) {
        let written = std::fs::read_to_string(dir.path().join(format!("{name}.txt")));
        assert_eq!(&written.unwrap(), printed, "{name}");
    }
    let nowhere = ran(&["--report", "json=nowhere/r.json"]);
    nowhere.refuses(3, &["nowhere"]);
}

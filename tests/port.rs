//! Live ports: an honest worker passes `parity port`; one that exits, hangs or lies is one clear error, and nothing of it is left.

mod support;

use indexmap::IndexMap;
use parity::exit::Exit;
use parity::port::{Forward, Launch, Port, Tensors};
use parity::tensor::Tensor;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use support::*;

const LIVE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/live");
/// One question may take this long; a worker that hangs is waited for no longer than the other.
const LIMIT: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_secs(4);

/// A worker that does as tests/fixtures/live/worker.py, but for what `body` changes; where it works, and its process, it writes down.
struct Worker {
    dir: tempfile::TempDir,
    path: PathBuf,
}

impl Worker {
    fn new(body: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("port");
        let note = dir.path().join("note");
        let text = format!(
            "#!/usr/bin/env python3\nimport json, os, signal, socket, sys, time\nsys.dont_write_bytecode = True\nsys.path.insert(0, {LIVE:?})\n\
             NOTE = {note:?}\nopen(NOTE, 'w').write(f\"{{os.environ['PARITY_SOCKET']}}\\n{{os.getpid()}}\\n\")\n\
             import worker\n{body}\nworker.serve()\n"
        );
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        Self { dir, path }
    }

    fn start(&self) -> parity::error::Result<Port> {
        self.start_within(LIMIT)
    }

    fn start_within(&self, limit: Duration) -> parity::error::Result<Port> {
        Port::start(&Launch::file(&self.path, &[]).unwrap(), limit)
    }

    /// The run's folder and every process that it noted are gone.
    fn is_gone(&self) {
        let note = std::fs::read_to_string(self.dir.path().join("note")).unwrap();
        let mut lines = note.lines();
        let folder = Path::new(lines.next().unwrap()).parent().unwrap();
        assert!(!folder.exists(), "{} is left", folder.display());
        for pid in lines {
            wait_for(&format!("process {pid} ends"), || !is_running(pid));
        }
    }
}

fn is_running(pid: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.contains("State:") && !status.contains("State:\tZ")
}

fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(20), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn inputs() -> Tensors {
    IndexMap::from([("x".into(), Tensor::of(&[4], &[0.5f32, -1.0, 2.0, 3.0]))])
}

/// The worker fails with these words, at its start, when its parameters are asked for, or in a run; and nothing of it is left.
fn fails(body: &str, words: &[&str]) {
    fails_within(LIMIT, body, words);
}

fn fails_within(limit: Duration, body: &str, words: &[&str]) {
    let worker = Worker::new(body);
    let asked = worker.start_within(limit).and_then(|mut port| {
        port.parameters()?;
        port.forward(&inputs(), Forward::default()).map(|_| ())
    });
    let e = asked.expect_err(body);
    assert_eq!(e.exit, Exit::Failed, "{body}: {e}");
    for word in [text(&worker.path)].iter().chain(words) {
        assert!(
            e.message.contains(word),
            "{body}\n'{word}' is not said: {e}"
        );
    }
    worker.is_gone();
}

/// As `forward` of the worker, `line` first.
fn in_forward(line: &str) -> String {
    format!(
        "forward = worker.forward\ndef hostile(request):\n    {line}\n    return forward(request)\nhostile.__name__ = 'forward'\nworker.forward = hostile"
    )
}

#[test]
fn an_honest_worker_of_no_package_passes() {
    let worker = Path::new(LIVE).join("worker.py");
    let launch = Launch::command(&["python3".into(), text(&worker).into()]).unwrap();
    let mut port = Port::start(&launch, LIMIT).unwrap();
    let trace = port.forward(&inputs(), Forward::default()).unwrap();
    let y = trace.tensor("y").unwrap().unwrap();
    assert_eq!(
        y.values::<f32>().unwrap(),
        [0.5 * 0.1f32, 1.25, 4.0, 3.0 * 0.3f32]
    );
    let f64 = Forward {
        f64: true,
        ..Forward::default()
    };
    let y = port
        .forward(&inputs(), f64)
        .unwrap()
        .tensor("y")
        .unwrap()
        .unwrap();
    assert_eq!(y.values::<f64>().unwrap()[1], 1.25);
    port.shutdown().unwrap();

    let honest = Worker::new("");
    let ran = Call::new(PARITY, honest.dir.path(), &["port", "port"]).run();
    let passed = [
        "parameters",
        "inputs",
        "forward",
        "repeats",
        "leaves",
        "load",
        "f64",
    ];
    let passed = passed.map(|what| format!("pass       {what}"));
    ran.exits(0).says(&passed.each_ref().map(String::as_str));
    honest.is_gone();
}

#[test]
fn a_worker_that_ends_is_told_with_its_last_words() {
    fails(
        &in_forward("print('the last words', file=sys.stderr); sys.exit(7)"),
        &["asked for 'forward'", "exit status: 7", "the last words"],
    );
    fails(
        &in_forward("os.kill(os.getpid(), signal.SIGSEGV)"),
        &["signal: 11", "it printed nothing"],
    );
    fails(
        "raise ValueError('no such weights')",
        &["before it connected", "ValueError: no such weights"],
    );
    fails(
        &in_forward("open(request['to'] + '.part', 'wb').write(b'half of it'); os._exit(0)"),
        &["asked for 'forward'", "exit status: 0"],
    );
}

#[test]
fn a_worker_that_hangs_is_ended_at_the_limit() {
    let hangs = |line| fails_within(SHORT, &in_forward(line), &["no answer in 4 s"]);
    hangs("time.sleep(600)");
    hangs("os.kill(os.getpid(), signal.SIGSTOP)");
    hangs("[signal.signal(s, signal.SIG_IGN) for s in (1, 2, 15)] and time.sleep(600)");
}

#[test]
fn a_worker_that_never_connects_is_ended_at_the_limit() {
    fails_within(SHORT, "time.sleep(600)", &["did not connect", "4 s"]);
}

/// Answers 'forward' by hand.
fn by_hand(send: &str) -> String {
    let answer = "def makefile(self, mode, make=socket.socket.makefile):
    stream = make(self, mode)
    write = stream.write
    class Stream:
        def __iter__(self):
            for line in stream:
                self.request = json.loads(line)
                yield line
        def write(self, text):
            request = self.request
            if request['ask'] == 'forward':
                SEND
            else:
                write(text)
        def flush(self):
            stream.flush()
    return Stream()
socket.socket.makefile = makefile";
    answer.replace("SEND", send)
}

#[test]
fn an_answer_that_is_none_is_refused() {
    fails(
        &by_hand("write(b'\\xff\\x1b[2J garbage\\n')"),
        &["no answer", "garbage"],
    );
    fails(&by_hand("write(b'[1, 2]\\n')"), &["no answer"]);
    fails(
        &by_hand("write(b'{\"id\": 77, \"ok\": {}}\\n')"),
        &["was answered as number 77"],
    );
    fails(&by_hand("write(b'{\"id\": 3}\\n')"), &["`ok` or `error`"]);
    fails(
        &by_hand("write(b'x' * (17 << 20))"),
        &["longer than 16 MiB"],
    );
    fails(
        &by_hand("stream.close(); self_ = os.closerange(3, 20); time.sleep(600)"),
        &["closed the socket"],
    );
    fails(
        &by_hand("[write(b'{\"id\": 3, \"ok\": {\"more\": 1}}\\n')]"),
        &["unknown field `more`"],
    );
    fails(
        "hello = worker.hello\nworker.hello = lambda r: 1\nworker.hello.__name__ = 'hello'",
        &["asked for 'hello'"],
    );
    fails(
        "hello = worker.hello\nworker.hello = lambda r: {**hello(r), 'protocol': 99}\nworker.hello.__name__ = 'hello'",
        &["protocol 99", "speaks 1"],
    );
}

#[test]
fn a_file_that_lies_is_refused() {
    let instead = |what: &str| in_forward(&format!("return {what}"));
    fails(&instead("{}"), &["did not write the file"]);
    fails(
        &instead("open(request['to'], 'wb').write(b'cut') and {}"),
        &["safetensors"],
    );
    fails(
        &instead(
            "[worker.save(request['to'], {'y': ('F32', [4], [0.0] * 4)}), os.truncate(request['to'], os.path.getsize(request['to']) - 4)] and {}",
        ),
        &["safetensors"],
    );
    fails(
        &instead("os.symlink('/etc/passwd', request['to']) or {}"),
        &["did not write the file"],
    );
    fails(
        &instead("worker.save(request['to'], {'y': worker.example['x']}) or {}"),
        &["'x'", "does not say that it was fed"],
    );
    fails(
        &instead("worker.save(request['to'], {'x': worker.example['x']}, inputs=['x']) or {}"),
        &["'x'", "other bits"],
    );
    fails(
        "worker.weights['w'] = ('F32', [4], [1.0] * 4)\nsave = worker.save\nworker.save = lambda to, t, *a, **k: save(to, {n: ('F32', [2], [1.0] * 2) for n in t}, *a, **k)",
        &["'w'", "[4]", "[2]"],
    );
    fails(
        "save = worker.save\nworker.save = lambda to, t, *a, **k: save(to, {}, *a, **k)",
        &["'w'", "its value is missing"],
    );
}

#[test]
fn what_the_worker_refuses_is_told_and_it_goes_on() {
    let worker = Worker::new(&in_forward(
        "full = open('/dev/full', 'wb', buffering=0); full.write(b'x')",
    ));
    let mut port = worker.start().unwrap();
    for _ in 0..2 {
        let e = port
            .forward(&inputs(), Forward::default())
            .map(|_| ())
            .unwrap_err();
        assert!(e.message.contains("No space left on device"), "{e}");
    }
    assert!(port.is_alive() && port.parameters().is_ok());
    let floors = Forward {
        floors: true,
        ..Forward::default()
    };
    let e = port.forward(&inputs(), floors).map(|_| ()).unwrap_err();
    assert!(e.message.contains("does not declare 'floors'"), "{e}");
    drop(port);
    worker.is_gone();
}

#[test]
fn what_was_ended_answers_nothing_more() {
    let worker = Worker::new(&in_forward("os._exit(1)"));
    let mut port = worker.start().unwrap();
    assert!(port.forward(&inputs(), Forward::default()).is_err());
    let e = port.parameters().map(|_| ()).unwrap_err();
    assert!(e.message.contains("was ended when it failed"), "{e}");
}

#[test]
fn nan_is_data() {
    let worker = Worker::new("worker.weights['w'] = ('F32', [4], [float('nan')] * 4)");
    let trace = worker
        .start()
        .unwrap()
        .forward(&inputs(), Forward::default())
        .unwrap();
    assert!(
        trace
            .tensor("product")
            .unwrap()
            .unwrap()
            .to_f64()
            .iter()
            .all(|v| v.is_nan())
    );
}

#[test]
fn a_worker_that_prints_without_end_is_ended() {
    fails(
        &in_forward("[print('x' * (1 << 20)) for _ in range(1 << 20)]"),
        &["it printed", "MiB"],
    );
}

/// A child in the worker's group, and one that left it and its parent.
const CHILDREN: &str = "
def child():
    open(NOTE, 'a').write(f'{os.getpid()}\\n')
    time.sleep(600)
if os.fork() == 0:
    child()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        child()
    os._exit(0)
while open(NOTE).read().count('\\n') < 4:
    time.sleep(0.01)
";

#[test]
fn what_a_worker_started_ends_with_it() {
    let worker = Worker::new(CHILDREN);
    worker.start().unwrap().shutdown().unwrap();
    worker.is_gone();
    fails(
        &format!("{CHILDREN}\n{}", in_forward("os._exit(0)")),
        &["asked for 'forward'"],
    );
}

#[test]
fn a_worker_ends_with_a_parity_that_is_killed() {
    let worker = Worker::new(&in_forward(
        "open(NOTE, 'a').write('it hangs'); time.sleep(600)",
    ));
    let mut parity = std::process::Command::new(PARITY)
        .args(["port", text(&worker.path)])
        .env("TMPDIR", worker.dir.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let note = || std::fs::read_to_string(worker.dir.path().join("note")).unwrap_or_default();
    wait_for("the worker hangs", || note().ends_with("it hangs"));
    let pid = note().lines().nth(1).unwrap().to_string();
    assert!(is_running(&pid));
    parity.kill().unwrap();
    parity.wait().unwrap();
    wait_for("the worker ends", || !is_running(&pid));
}

#[test]
fn a_worker_that_does_not_do_what_it_declares_fails_that_check() {
    let rename = |name: &str| format!("\nchanged.__name__ = '{name}'\nworker.{name} = changed");
    let cases = [
        // Each run moves the weights.
        (
            format!(
                "forward = worker.forward\ndef changed(r):\n    forward(r)\n    worker.weights['w'] = ('F32', [4], [v + 1 for v in worker.weights['w'][2]]){}",
                rename("forward")
            ),
            "repeats",
            "'product'",
        ),
        // A run in training moves them.
        (
            format!(
                "forward = worker.forward\ndef changed(r):\n    forward(r)\n    if r['training']:\n        worker.weights['w'] = ('F32', [4], [1.0] * 4){}",
                rename("forward")
            ),
            "leaves",
            "'w'",
        ),
        // What is loaded is read back, and never computed with.
        (
            format!(
                "own = dict(worker.weights)\ncomputed = worker.computed\ndef changed(*a):\n    held = worker.weights\n    worker.weights = own\n    try:\n        return computed(*a)\n    finally:\n        worker.weights = held{}",
                rename("computed")
            ),
            "load",
            "halved",
        ),
        // What is loaded is dropped.
        (
            format!(
                "def changed(r):\n    return {{'loaded': list(worker.read(r['values'])), 'unknown': [], 'unlike': []}}{}",
                rename("load")
            ),
            "load",
            "reads back",
        ),
        // f64 in name only.
        (
            format!(
                "computed = worker.computed\ndef changed(x, given):\n    made = computed(('F32', x[1], x[2]), given)\n    return {{n: (x[0], t[1], list(worker.array.array('f', t[2]))) for n, t in made.items()}}{}",
                rename("computed")
            ),
            "f64",
            "numbers of f32",
        ),
        (
            format!(
                "computed = worker.computed\ndef changed(*a):\n    return {{n: ('F32', t[1], t[2]) for n, t in computed(*a).items()}}{}",
                rename("computed")
            ),
            "f64",
            "'product' is f32",
        ),
        // A network without outputs.
        (
            "save = worker.save\nworker.save = lambda *a, outputs=(), **k: save(*a, **k)"
                .to_string(),
            "forward",
            "no outputs",
        ),
        // Nothing of what is given is handed on; it is said to be, and is not; another tensor is.
        (
            "read = worker.read\nworker.read = lambda path: {n: t for n, t in read(path).items() if n != 'product' and n != 'y'}".to_string(),
            "isolation",
            "nothing of what is given",
        ),
        (
            format!(
                "computed = worker.computed\ndef changed(x, given):\n    return computed(x, {{}}){}",
                rename("computed")
            ),
            "isolation",
            "give the same",
        ),
        (
            format!(
                "computed = worker.computed\ndef changed(x, given):\n    made = computed(x, given)\n    return {{**made, 'y': made['product']}} if given else made{}",
                rename("computed")
            ),
            "isolation",
            "'y' alone is not what it was",
        ),
        // An ability that is not there.
        (
            format!(
                "hello = worker.hello\ndef changed(r):\n    return {{**hello(r), 'abilities': ['inputs', 'floors', 'postprocess']}}{}",
                rename("hello")
            ),
            "floors",
            "neither a floor",
        ),
    ];
    for (body, check, word) in cases {
        let worker = Worker::new(&body);
        let ran = Call::new(PARITY, worker.dir.path(), &["port", "port"])
            .run()
            .exits(1);
        let line = ran
            .out
            .lines()
            .find(|l| l.starts_with(&format!("FAIL       {check}")));
        assert!(
            line.is_some_and(|l| l.contains(word)),
            "{body}\n{check}, {word}: {ran}"
        );
    }
}

#[test]
fn a_network_that_cannot_be_run_in_training_passes_and_is_said_to_be_one() {
    let worker = Worker::new(&in_forward(
        "assert not request['training'], 'targets are wanted'",
    ));
    let ran = Call::new(PARITY, worker.dir.path(), &["port", "port"]).run();
    let told = "pass       leaves       a run in training, which fails";
    ran.exits(0).says(&[told, "targets are wanted"]);
}

#[test]
fn why_a_port_cannot_do_something_is_said() {
    let body = "hello = worker.hello\nworker.hello = lambda r: {**hello(r), 'abilities': ['inputs'], 'lacks': {'f64': 'exp is off by 3e-8'}}\nworker.hello.__name__ = 'hello'";
    let worker = Worker::new(body);
    let ran = Call::new(PARITY, worker.dir.path(), &["port", "port"]).run();
    ran.exits(0).says(&["lacks      f64: exp is off by 3e-8"]);
    let how = Forward {
        f64: true,
        ..Forward::default()
    };
    let e = worker
        .start()
        .unwrap()
        .forward(&inputs(), how)
        .map(|_| ())
        .unwrap_err();
    assert!(
        e.message
            .contains("does not declare 'f64': exp is off by 3e-8"),
        "{e}"
    );
}

#[test]
fn a_network_that_nobody_can_run_is_not_passed() {
    let body = "hello = worker.hello\nworker.hello = lambda r: {**hello(r), 'abilities': [], 'inputs': [{'name': 'x', 'dtype': None, 'shape': None}]}\nworker.hello.__name__ = 'hello'";
    let worker = Worker::new(body);
    Call::new(PARITY, worker.dir.path(), &["port", "port"])
        .run()
        .exits(4)
        .says(&[
            "not tried  forward",
            "nothing is known of input 'x' but its name",
        ]);
}

#[test]
fn what_is_no_port_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("notes.txt"), "notes").unwrap();
    std::fs::write(dir.path().join("net.py"), "import torch").unwrap();
    let refuses = |args: &[&str], code, words: &[&str]| {
        Call::new(PARITY, dir.path(), args)
            .run()
            .refuses(code, words)
    };
    refuses(&["port", "gone.py"], 2, &["gone.py", "No such file"]);
    refuses(
        &["port", "notes.txt"],
        2,
        &["neither a port file", "docs/PORT.md"],
    );
    refuses(
        &["port", "net.py", "--python", "/nowhere/python3"],
        3,
        &[
            "numpy and torch",
            "--python: /nowhere/python3 does not start",
            "next: name one",
        ],
    );
    refuses(
        &["port", "net.py", "--python", "/bin/cat"],
        3,
        &["/bin/cat is no working Python 3"],
    );
}

/// The first Python on PATH that has what the file needs runs it; where none has, each is told with what it lacks.
#[test]
fn a_python_is_chosen_by_what_the_file_imports() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("net.py"), "from torch import nn\n").unwrap();
    let (worker, path) = (
        Path::new(LIVE).join("worker.py"),
        std::env::var("PATH").unwrap(),
    );
    let has_all = format!("[ \"$1\" = -c ] || PATH={path:?} exec python3 {worker:?}");
    for (folder, script) in [
        ("broken", "exit 9"),
        ("lacks", "echo torch"),
        ("has", &has_all),
    ] {
        let python = dir.path().join(folder).join("python3");
        std::fs::create_dir(python.parent().unwrap()).unwrap();
        std::fs::write(&python, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&python, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let found_in = |folders: &[&str]| {
        let path = std::env::join_paths(folders.iter().map(|f| dir.path().join(f))).unwrap();
        Call::new(PARITY, dir.path(), &["port", "net.py"])
            .env("PATH", Path::new(&path))
            .env("VIRTUAL_ENV", Path::new(""))
            .run()
    };
    let chosen = format!("python     {}", text(&dir.path().join("has/python3")));
    found_in(&["broken", "lacks", "has"])
        .exits(0)
        .says(&[&chosen]);
    found_in(&["broken", "lacks"]).refuses(
        3,
        &[
            "PATH: ",
            "broken/python3 is no working Python 3 (exit status: 9)",
            "lacks/python3 lacks torch",
        ],
    );
    found_in(&["nothing"]).refuses(3, &["no python3 is on PATH"]);
    let own = Call::new(PARITY, dir.path(), &["port", "net.py"]).env("VIRTUAL_ENV", dir.path());
    own.run()
        .refuses(3, &["VIRTUAL_ENV: ", "bin/python3 does not start"]);
}

/// A Python with numpy, if this machine has one: continuous integration has none.
fn numpy() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join(".native/pytorch/bin/python3");
    let has_numpy = |python: &PathBuf| {
        let ran = std::process::Command::new(python)
            .args(["-c", "import numpy"])
            .output();
        ran.is_ok_and(|r| r.status.success())
    };
    [PathBuf::from("python3"), own].into_iter().find(has_numpy)
}

#[test]
fn a_port_in_plain_numpy_passes() {
    let Some(python) = numpy() else {
        eprintln!(
            "not tested: no Python here has numpy; scripts/nightly.d/52-recorder runs this with one"
        );
        return;
    };
    let folder = Path::new(LIVE);
    let ran = Call::new(
        PARITY,
        folder,
        &["port", "numpy_net.py", "--python", text(&python)],
    )
    .run();
    let passed = [
        "framework  numpy",
        "x f32 [batch, 4]",
        "pass       load",
        "pass       f64",
    ];
    let ran = ran.exits(0).says(&passed);
    assert!(!ran.out.contains("not tried"), "{ran}");
}

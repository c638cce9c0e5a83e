//! Suites: every scenario is reported whatever the others do, parts are exactly the whole, and what was not run is never passed.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::*;

/// A folder with lists of parameters, so that a scenario needs no engine; and with ports that crash whoever starts them, or hang.
struct Project {
    dir: tempfile::TempDir,
}

impl Project {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let own = Self { dir };
        own.write("same.json", "{\"a\": [2, 3]}");
        own.write("other.json", "{\"a\": [2, 4]}");
        own.port("crash", "kill -ILL $PPID; sleep 60");
        own.port("hang", "sleep 60");
        std::fs::create_dir(own.dir.path().join("scenarios")).unwrap();
        own
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.dir.path().join(name), text).unwrap();
    }

    fn port(&self, name: &str, body: &str) {
        self.write(name, &format!("#!/bin/sh\n{body}\n"));
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(self.dir.path().join(name), mode).unwrap();
    }

    /// A scenario that compares two lists.
    fn lists(&self, name: &str, candidate: &str) {
        self.write(
            &format!("scenarios/{name}.toml"),
            &format!("format = 1\n[parameters]\nreference = '../same.json'\ncandidate = '../{candidate}.json'\n"),
        );
    }

    /// A scenario of a port.
    fn of_port(&self, name: &str) {
        self.write(
            &format!("scenarios/{name}.toml"),
            &format!("format = 1\nmodel = '../{name}'\nstages = ['train']\n[second]\nmodel = '../{name}'\n[train]\nsteps = 1\n"),
        );
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(PARITY);
        command
            .current_dir(self.dir.path())
            .args(args)
            .env("XDG_CACHE_HOME", self.dir.path().join("cache"));
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        Call::new(PARITY, self.dir.path(), args)
            .env("XDG_CACHE_HOME", &self.dir.path().join("cache"))
            .run()
    }

    fn json(&self, args: &[&str]) -> serde_json::Value {
        let ran = self.run(&[args, &["--json"]].concat());
        ran.is_civil();
        serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {ran}"))
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap()
    }
}

/// How many cases came to `verdict`.
fn count(suite: &serde_json::Value, verdict: &str) -> usize {
    let cases = suite["cases"].as_array().unwrap();
    cases.iter().filter(|c| c["verdict"] == verdict).count()
}

#[test]
fn of_100_scenarios_with_a_crash_a_hang_and_a_divergence_all_others_are_reported() {
    let project = Project::new();
    for i in 0..97 {
        project.lists(&format!("s{i:02}"), "same");
    }
    project.lists("wrong", "other");
    project.of_port("crash");
    project.of_port("hang");
    let ran = project
        .run(&[
            "test",
            "-j",
            "4",
            "--limit",
            "3",
            "--report",
            "junit=j.xml",
            "--report",
            "json=s.json",
        ])
        .exits(1)
        .says(&[
            "DIVERGE: 97 passed, 1 diverged, 1 crashed, 1 out of time, of 100 scenarios",
            "(exit 1)",
            "scenarios/wrong.toml: diverged",
            "repeat it   parity run scenarios/wrong.toml",
            "it crashed: signal: 4",
            "it was ended after 3 s (--limit)",
            "slowest     scenarios/hang.toml",
        ]);
    let junit = project.read("j.xml");
    assert!(
        junit.contains("tests=\"100\"")
            && junit.contains("failures=\"1\"")
            && junit.contains("errors=\"2\""),
        "{junit}"
    );
    let saved: serde_json::Value = serde_json::from_str(&project.read("s.json")).unwrap();
    let names = saved["cases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["name"].as_str().unwrap());
    assert_eq!(names.collect::<std::collections::BTreeSet<_>>().len(), 100);
    let wrong = saved["cases"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["verdict"] == "diverged")
        .unwrap();
    assert!(!wrong["findings"].as_array().unwrap().is_empty(), "{wrong}");
    // What was saved is shown as it was said.
    let shown = project.run(&["show", "s.json"]).exits(0).out;
    assert_eq!(shown, ran.out);
}

#[test]
fn what_the_suite_calls_passed_passes_alone_too() {
    let project = Project::new();
    project.lists("right", "same");
    project.lists("wrong", "other");
    project.write("scenarios/broken.toml", "format = = 1\n");
    project.write("scenarios/notes.toml", "[log]\n");
    let suite = project.json(&["test"]);
    for case in suite["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let alone = project.run(&["run", name]);
        let code = match case["verdict"].as_str().unwrap() {
            "passed" => 0,
            "diverged" => 1,
            "refused" => 2,
            other => panic!("{other}"),
        };
        assert_eq!(alone.code, Some(code), "{alone}");
    }
    assert_eq!(
        [
            count(&suite, "passed"),
            count(&suite, "diverged"),
            count(&suite, "refused")
        ],
        [1, 1, 1]
    );
    let ran = project.run(&["test"]);
    assert!(
        ran.err
            .contains("1 files state no format and are no scenarios: 'scenarios/notes.toml'"),
        "{ran}"
    );
}

#[test]
fn parts_are_exactly_the_whole_and_a_lost_part_is_never_passed() {
    let project = Project::new();
    (0..7).for_each(|i| project.lists(&format!("s{i}"), "same"));
    let parts = ["1/3", "2/3", "3/3"].map(|part| {
        let file = format!("{}.json", &part[..1]);
        let text = project
            .run(&["test", "--partition", part, "--json"])
            .exits(0)
            .out;
        project.write(&file, &text);
        file
    });
    let merged = project.json(&["merge", &parts[2], &parts[0], &parts[1]]);
    let whole = project.json(&["test"]);
    let names = |suite: &serde_json::Value| -> Vec<String> {
        let cases = suite["cases"].as_array().unwrap();
        cases
            .iter()
            .map(|c| format!("{} {}", c["name"], c["verdict"]))
            .collect()
    };
    assert_eq!(names(&merged), names(&whole));
    assert_eq!(count(&merged, "passed"), 7);
    project
        .run(&["merge", &parts[0], &parts[2], "--report", "junit=j.xml"])
        .exits(4)
        .says(&[
            "NOT ALL COMPARED: 5 passed, 2 lost, of 7 scenarios",
            "part 2/3 is not there",
        ]);
    assert!(project.read("j.xml").contains("errors=\"2\""));
    project
        .run(&["merge", &parts[0], &parts[0]])
        .refuses(2, &["part 1/3 is there twice"]);
    project.write("cut.json", &project.read(&parts[0])[..200]);
    project
        .run(&["merge", "cut.json", &parts[1]])
        .refuses(2, &["cut.json", "no suite as JSON"]);
    project.run(&["test", "--partition", "4/3"]).exits(2);
}

#[test]
fn a_project_says_what_its_suite_is() {
    let project = Project::new();
    project.lists("right", "same");
    project.lists("wrong", "other");
    let none = tempfile::tempdir().unwrap();
    Call::new(PARITY, none.path(), &["test"])
        .run()
        .refuses(2, &["there is no suite here", "parity.toml"]);
    project.write(
        "pyproject.toml",
        "[tool.parity]\nexclude = ['scenarios/wrong.toml']\n",
    );
    project
        .run(&["test"])
        .exits(0)
        .says(&["PASSED: 1 passed, of 1 scenario"]);
    project.write("parity.toml", "scenarios = ['scenarios/w*.toml']\n");
    project
        .run(&["test"])
        .exits(1)
        .says(&["1 diverged, of 1 scenario"]);
    project.write("parity.toml", "scenario = ['x']\n");
    project
        .run(&["test"])
        .refuses(2, &["parity.toml", "unknown field `scenario`"]);
    project.write("parity.toml", "");
    project
        .run(&["test", "-k", "right"])
        .exits(0)
        .says(&["of 1 scenario"]);
    project
        .run(&["test", "-k", "nobody"])
        .refuses(2, &["-k nobody", "scenarios/right.toml"]);
    project.run(&["test", "scenarios/wrong.toml"]).exits(1);
    project.run(&["test", "gone"]).refuses(2, &["gone"]);
    project
        .run(&["test", "--report", "html=x"])
        .refuses(2, &["unknown view 'html'", "junit"]);
    project
        .run(&["-q", "test"])
        .exits(1)
        .says(&["DIVERGE: 1 passed, 1 diverged"]);
}

#[test]
fn what_came_to_something_else_before_is_said() {
    let project = Project::new();
    project.lists("a", "same");
    project.lists("b", "other");
    let first = project.run(&["test", "--json"]).exits(1).out;
    assert!(!first.contains("before"), "{first}");
    project.lists("a", "other");
    project.lists("b", "same");
    project.run(&["test"]).exits(1).says(&[
        "scenarios/a.toml: diverged",
        "before: passed",
        "new         1 ('scenarios/a.toml')",
        "mended      1 ('scenarios/b.toml')",
    ]);
    let again = project.run(&["test"]).exits(1);
    assert!(!again.out.contains("before:"), "{again}");
    project.write("first.json", &first);
    project
        .run(&["test", "--against", "first.json"])
        .exits(1)
        .says(&["before: passed"]);
    project
        .run(&["test", "--against", "gone.json"])
        .refuses(2, &["--against gone.json"]);
}

/// A process of our own that is interrupted, and ended where it goes on.
struct Begun(Child);

impl Begun {
    fn new(mut command: Command) -> Self {
        Self(
            command
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        )
    }

    fn interrupt(&self) {
        // SAFETY: kill only sends a signal, here to a child of our own that has not been waited for.
        unsafe { libc::kill(self.0.id() as i32, libc::SIGINT) };
    }

    fn ends(mut self) -> (Option<i32>, String) {
        let begin = Instant::now();
        let code = loop {
            match self.0.try_wait().unwrap() {
                Some(status) => break status.code(),
                None if begin.elapsed() > Duration::from_secs(20) => {
                    let _ = self.0.kill();
                    panic!("it goes on for 20 s");
                }
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        let mut text = String::new();
        std::io::Read::read_to_string(&mut self.0.stdout.take().unwrap(), &mut text).unwrap();
        (code, text)
    }
}

fn wait_for(what: &str, is: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is() {
        assert!(begin.elapsed() < Duration::from_secs(30), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn ctrl_c_ends_what_runs_and_what_was_done_is_told() {
    let project = Project::new();
    project.lists("a", "same");
    project.port("hang", "touch started; exec sleep 60");
    project.of_port("hang");
    project.lists("z", "same");
    let begun = Begun::new(project.command(&["test", "-j", "1"]));
    wait_for("the port starts", || {
        project.dir.path().join("started").exists()
    });
    begun.interrupt();
    let (code, text) = begun.ends();
    assert_eq!(code, Some(130), "{text}");
    assert!(
        text.starts_with("INTERRUPTED: 1 passed, 2 interrupted, of 3 scenarios"),
        "{text}"
    );
}

#[test]
fn a_watched_suite_runs_again_when_a_file_of_a_scenario_changes() {
    let project = Project::new();
    project.lists("a", "changing");
    project.write("changing.json", "{\"a\": [2, 3]}");
    let json = |verdict: &str| {
        let seen = std::fs::read_to_string(project.dir.path().join("s.json")).unwrap_or_default();
        seen.contains(&format!("\"{verdict}\""))
    };
    let begun = Begun::new(project.command(&["test", "--watch", "--report", "json=s.json"]));
    wait_for("the first run", || json("passed"));
    // Changed only once it is watched: else it is the first run that sees it.
    std::thread::sleep(Duration::from_millis(300));
    project.write("changing.json", "{\"a\": [2, 3, 1]}");
    wait_for("the second run", || json("diverged"));
    begun.interrupt();
    let (code, text) = begun.ends();
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("PASSED: 1 passed") && text.contains("before: passed"),
        "{text}"
    );
}

#[test]
fn nothing_of_a_scenario_that_was_ended_is_left() {
    let project = Project::new();
    project.port("hang", "echo $$ > pid; exec sleep 60");
    project.of_port("hang");
    project
        .run(&["test", "--limit", "1"])
        .exits(3)
        .says(&["1 out of time"]);
    let pid = project.read("pid");
    let status =
        || std::fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap_or_default();
    wait_for("the port ends", || !status().contains("State:\tS"));
}

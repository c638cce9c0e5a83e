//! process: one scenario in a process of its own, which may crash, hang or print without end; what it says is kept.

use super::super::interrupt;
use crate::error::Result;
use crate::run::Run;
use crate::scenario::load;
use crate::suite::{Case, Verdict};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// So much of the end of what it printed is kept.
const LOG: u64 = 16 << 10;
/// How often it is looked at.
const PAUSE: Duration = Duration::from_millis(10);

/// How it ended.
enum End {
    Itself(ExitStatus),
    Late,
    Interrupted,
    /// It could not be started or waited for.
    Not(String),
}

/// Runs the scenario `name` within `limit`.
pub fn run(parity: &Path, name: &str, limit: Duration) -> Case {
    let begin = Instant::now();
    let case = started(parity, name, limit);
    let mut case = case.unwrap_or_else(|e| unrun(name, Verdict::Failed, &e.message));
    case.seconds = begin.elapsed().as_secs_f64();
    case
}

/// A scenario of which there is nothing but a reason.
pub fn unrun(name: &str, verdict: Verdict, why: &str) -> Case {
    Case {
        name: name.into(),
        verdict,
        seconds: 0.0,
        headline: why.into(),
        findings: vec![],
        log: String::new(),
        again: format!("parity run {}", quoted(name)),
        before: None,
    }
}

fn started(parity: &Path, name: &str, limit: Duration) -> Result<Case> {
    let failed =
        |e: std::io::Error| crate::error::Error::failed(format!("a folder for its report: {e}"));
    let folder = tempfile::tempdir().map_err(failed)?;
    let (log, json) = (folder.path().join("log"), folder.path().join("run.json"));
    let mut command = Command::new(parity);
    command.arg("run").arg(name);
    // A find is replayed: it has no Run.
    if load::file(Path::new(name)).is_ok_and(|s| s.find.is_none() && s.loss.is_none()) {
        command
            .arg("--report")
            .arg(format!("json={}", json.display()));
    }
    let end = ended(command, &log, limit);
    let run = std::fs::read_to_string(&json).ok();
    let run: Option<Run> = run.and_then(|text| serde_json::from_str(&text).ok());
    Ok(told(name, end, run, &end_of(&log), limit))
}

/// Runs `command` to its end, or to ours; nothing of it is left.
fn ended(mut command: Command, log: &Path, limit: Duration) -> End {
    let mut open = || -> std::io::Result<Child> {
        let out = File::create(log)?;
        let err = out.try_clone()?;
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        in_its_own_group(&mut command);
        command.spawn()
    };
    let mut child = match open() {
        Ok(child) => child,
        Err(e) => return End::Not(format!("it does not start: {e}")),
    };
    let begin = Instant::now();
    let end = loop {
        match child.try_wait() {
            Ok(Some(status)) => break End::Itself(status),
            Err(e) => break End::Not(format!("it cannot be waited for: {e}")),
            Ok(None) if interrupt::asked() => break End::Interrupted,
            Ok(None) if begin.elapsed() > limit => break End::Late,
            Ok(None) => std::thread::sleep(PAUSE),
        }
    };
    kill(&mut child, matches!(end, End::Itself(_)));
    end
}

/// What came of it, in the words of its Run, else of what it printed.
fn told(name: &str, end: End, run: Option<Run>, log: &str, limit: Duration) -> Case {
    let (verdict, headline) = match &end {
        End::Itself(status) => of_status(*status),
        End::Late => (
            Verdict::TimedOut,
            Some(format!(
                "it was ended after {} s (--limit)",
                limit.as_secs()
            )),
        ),
        End::Interrupted => (Verdict::Interrupted, Some("it was ended by Ctrl-C".into())),
        End::Not(why) => (Verdict::Failed, Some(why.clone())),
    };
    // A word of its own where the process ended as it wanted; a Run that says otherwise is not believed.
    let run = run.filter(|run| Verdict::of_code(run.expectation.exit as i32) == verdict);
    let said = run
        .as_ref()
        .map(crate::report::verdict)
        .or_else(|| first_word(log));
    Case {
        verdict,
        headline: headline
            .or(said)
            .unwrap_or_else(|| "it printed nothing".into()),
        findings: run.map(|run| run.findings).unwrap_or_default(),
        log: log.into(),
        ..unrun(name, verdict, "")
    }
}

fn of_status(status: ExitStatus) -> (Verdict, Option<String>) {
    match status.code() {
        Some(code) if Verdict::of_code(code) == Verdict::Crashed => (
            Verdict::Crashed,
            Some(format!(
                "it ended with code {code}, which is none of parity's"
            )),
        ),
        Some(code) => (Verdict::of_code(code), None),
        None => (Verdict::Crashed, Some(format!("it crashed: {status}"))),
    }
}

/// The refusal, or the first line that says a verdict.
fn first_word(log: &str) -> Option<String> {
    let refusal = log.lines().find_map(|l| l.strip_prefix("parity: "));
    let verdict = || {
        log.lines()
            .find(|l| l.starts_with(|c: char| c.is_ascii_uppercase()))
    };
    refusal
        .or_else(verdict)
        .or(log.lines().next())
        .map(str::to_string)
}

fn end_of(log: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(LOG)))?;
        let mut bytes = vec![];
        file.take(LOG).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

/// A name as a shell takes it.
fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%".contains(c);
    match name.chars().all(plain) {
        true => name.into(),
        false => format!("'{}'", name.replace('\'', "'\\''")),
    }
}

#[cfg(unix)]
fn in_its_own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
    #[cfg(target_os = "linux")]
    // SAFETY: prctl is a system call that takes numbers, which is all that may be done between fork and exec.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
}

#[cfg(not(unix))]
fn in_its_own_group(_: &mut Command) {}

/// Ends it and its group: a process that ended may have left some.
fn kill(child: &mut Child, has_ended: bool) {
    #[cfg(unix)]
    // SAFETY: kill takes two numbers; the group is the child's own.
    unsafe {
        libc::kill(-(child.id() as libc::pid_t), libc::SIGKILL);
    }
    if !has_ended {
        let _ = child.kill();
        let _ = child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_repeated_as_a_shell_takes_it() {
        for (name, shown) in [
            ("a/b-1.toml", "a/b-1.toml"),
            ("a b.toml", "'a b.toml'"),
            ("it's", "'it'\\''s'"),
        ] {
            assert_eq!(quoted(name), shown);
        }
    }

    #[test]
    fn a_run_that_says_otherwise_than_its_process_is_not_believed() {
        let run = crate::run::sample::agreeing();
        let end = End::Not("lost".into());
        let case = told("s.toml", end, Some(run), "", Duration::ZERO);
        assert_eq!(
            (case.verdict, case.headline.as_str()),
            (Verdict::Failed, "lost")
        );
        assert!(case.findings.is_empty());
    }
}

//! process: the worker's process: a group of its own, its log, and that nothing of it is left.

use crate::error::{Error, Result};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// A log that grows beyond this is the worker's fault, and would fill the disk.
const LARGEST_LOG: u64 = 64 << 20;
/// Of the log's end, so much is shown.
const SHOWN: u64 = 600;

/// A running worker; it ends with this value, and all that it started with it.
pub struct Process {
    child: Child,
    log: PathBuf,
    /// What marks its descendants: PARITY_SOCKET in their environment.
    mark: Vec<u8>,
}

impl Process {
    /// Starts `command`; what it prints goes to `log`. It dies with the thread that starts it.
    pub fn start(mut command: Command, socket: &Path, log: PathBuf) -> Result<Self> {
        let failed = |e: std::io::Error| Error::failed(format!("it does not start: {e}"));
        let out = File::create(&log).map_err(failed)?;
        let err = out.try_clone().map_err(failed)?;
        command
            .env("PARITY_SOCKET", socket)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err);
        in_its_own_group(&mut command);
        let child = command.spawn().map_err(failed)?;
        let mark = [b"PARITY_SOCKET=", socket.as_os_str().as_encoded_bytes()].concat();
        Ok(Self { child, log, mark })
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// An error where it prints without end.
    pub fn prints_within_reason(&self) -> Result<()> {
        let size = self.log.metadata().map_or(0, |m| m.len());
        match size > LARGEST_LOG {
            false => Ok(()),
            true => Err(Error::failed(format!(
                "it printed {} MiB; what it prints is kept as its log",
                size >> 20
            ))),
        }
    }

    /// The last lines that it printed, on one line.
    pub fn last_words(&self) -> String {
        let text = end_of(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim_end)
            .filter(|l| !l.is_empty())
            .collect();
        match lines.is_empty() {
            true => "it printed nothing".into(),
            false => format!(
                "its log ends: {}",
                lines[lines.len().saturating_sub(6)..].join(" | ")
            ),
        }
    }

    /// Ends it and all that it started.
    pub fn kill(&mut self) {
        kill_group(&self.child);
        let _ = self.child.kill();
        let _ = self.child.wait();
        kill_marked(&self.mark);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn end_of(log: &Path) -> std::io::Result<String> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = File::open(log)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(SHOWN)))?;
    let mut bytes = vec![];
    file.take(SHOWN).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn in_its_own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
    #[cfg(target_os = "linux")]
    {
        let parent = std::process::id();
        let die_with_parent = move || {
            // SAFETY: both are system calls that take numbers, which is all that may be done between fork and exec.
            unsafe {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                // The parent may have ended before it was asked for.
                match libc::getppid() as u32 == parent {
                    true => Ok(()),
                    false => Err(std::io::Error::from_raw_os_error(libc::ESRCH)),
                }
            }
        };
        // SAFETY: as said there.
        unsafe { command.pre_exec(die_with_parent) };
    }
}

fn kill_group(child: &Child) {
    // SAFETY: kill takes two numbers; the group is the child's own, whose number is not given away before the child is waited for.
    unsafe { libc::kill(-(child.id() as libc::pid_t), libc::SIGKILL) };
}

/// Ends what left the group: whatever has `mark` in its environment, until nothing has.
fn kill_marked(mark: &[u8]) {
    for _ in 0..100 {
        let found = marked(mark);
        if found.is_empty() {
            return;
        }
        for pid in found {
            // SAFETY: kill takes two numbers.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// Processes with `mark` in their environment; none where there is no /proc. A zombie's environment is empty.
fn marked(mark: &[u8]) -> Vec<i32> {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let has_mark = |pid: &i32| {
        std::fs::read(format!("/proc/{pid}/environ"))
            .is_ok_and(|e| e.split(|b| *b == 0).any(|word| word == mark))
    };
    pids.filter(has_mark).collect()
}

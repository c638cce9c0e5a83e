//! wire: the socket: a JSON object in a line for each ask, and one for each answer; nothing that comes is trusted.

use super::process::Process;
use super::said::Answer;
use crate::error::{Error, Result};
use serde_json::Value;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

/// A longer line is no answer.
const LONGEST: usize = 16 << 20;
/// How often it is looked whether the worker still lives.
const LOOK: Duration = Duration::from_millis(20);
/// A worker that ended may have left an answer on the way.
const GRACE: Duration = Duration::from_millis(200);

/// The worker's end of the line.
pub struct Wire {
    stream: UnixStream,
    /// What came behind the last line.
    rest: Vec<u8>,
    next: u64,
}

/// A socket that nobody else can reach: the folder is the user's alone.
pub fn listen(path: &Path) -> Result<UnixListener> {
    UnixListener::bind(path).map_err(|e| {
        Error::failed(format!("socket {}: {e}", path.display()))
            .next("set TMPDIR to a folder with a short path that can be written to")
    })
}

impl Wire {
    /// Waits for the worker to connect.
    pub fn accept(listener: &UnixListener, process: &mut Process, limit: Duration) -> Result<Self> {
        let failed = |e: std::io::Error| Error::failed(format!("socket: {e}"));
        listener.set_nonblocking(true).map_err(failed)?;
        let begin = Instant::now();
        loop {
            match listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).map_err(failed)?;
                    stream.set_read_timeout(Some(LOOK)).map_err(failed)?;
                    stream.set_write_timeout(Some(limit)).map_err(failed)?;
                    return Ok(Self {
                        stream,
                        rest: vec![],
                        next: 0,
                    });
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(e) => return Err(failed(e)),
            }
            if let Some(status) = process.ended() {
                return Err(Error::failed(format!(
                    "the worker ended before it connected ({status})"
                )));
            }
            process.prints_within_reason()?;
            if begin.elapsed() > limit {
                return Err(Error::failed(format!(
                    "the worker did not connect to PARITY_SOCKET in {} s",
                    limit.as_secs()
                )));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Asks, and waits for the answer: what it holds, or the error that it tells.
    pub fn ask(
        &mut self,
        mut request: Value,
        process: &mut Process,
        limit: Duration,
    ) -> Result<std::result::Result<Value, String>> {
        self.next += 1;
        request["id"] = self.next.into();
        // A worker that is gone is told by what it left behind.
        let sent = self.stream.write_all(format!("{request}\n").as_bytes());
        let line = self.line(process, limit)?;
        sent.map_err(|e| Error::failed(format!("the socket refused the question: {e}")))?;
        self.understood(&line)
    }

    fn understood(&self, line: &[u8]) -> Result<std::result::Result<Value, String>> {
        let no_answer =
            |why: String| Error::failed(format!("{why}: it answered \"{}\"", shown(line)));
        let answer: Answer = serde_json::from_slice(line)
            .map_err(|e| no_answer(format!("that is no answer ({e})")))?;
        if answer.id != self.next {
            let why = format!(
                "question {} was answered as number {}",
                self.next, answer.id
            );
            return Err(no_answer(why));
        }
        match (answer.ok, answer.error) {
            (Some(value), None) => Ok(Ok(value)),
            (None, Some(error)) => Ok(Err(error)),
            (Some(_), Some(_)) | (None, None) => {
                Err(no_answer("an answer has `ok` or `error`".into()))
            }
        }
    }

    /// The next line, without its end.
    fn line(&mut self, process: &mut Process, limit: Duration) -> Result<Vec<u8>> {
        let (begin, mut ended) = (Instant::now(), None);
        let mut scanned = 0;
        loop {
            if let Some(at) = self.rest[scanned..].iter().position(|b| *b == b'\n') {
                let mut line: Vec<u8> = self.rest.drain(..=scanned + at).collect();
                line.pop();
                return Ok(line);
            }
            scanned = self.rest.len();
            if scanned > LONGEST {
                return Err(Error::failed(format!(
                    "an answer is longer than {} MiB; tensors go into files",
                    LONGEST >> 20
                )));
            }
            let mut bytes = [0; 1 << 16];
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err(closed(process)),
                Ok(n) => self.rest.extend(&bytes[..n]),
                Err(e) if is_only_late(&e) => {}
                Err(e) => return Err(Error::failed(format!("socket: {e}"))),
            }
            process.prints_within_reason()?;
            if process.ended().is_some() && ended.get_or_insert_with(Instant::now).elapsed() > GRACE
            {
                return Err(closed(process));
            }
            if begin.elapsed() > limit {
                return Err(Error::failed(format!("no answer in {} s", limit.as_secs())));
            }
        }
    }
}

fn is_only_late(e: &std::io::Error) -> bool {
    matches!(
        e.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

/// Why nothing more comes: a process that ends closes its socket a moment before its end can be seen.
fn closed(process: &mut Process) -> Error {
    let begin = Instant::now();
    while begin.elapsed() < GRACE {
        if let Some(status) = process.ended() {
            return Error::failed(format!("the worker ended ({status})"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Error::failed("the worker closed the socket without an answer")
}

/// The beginning of a line.
fn shown(line: &[u8]) -> String {
    String::from_utf8_lossy(&line[..line.len().min(120)]).into_owned()
}

//! pool: cases are worked on by several threads and taken in their order, so that a report is the same however many threads there are.

use super::options::{End, Options};
use crate::error::Result;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// What a thread makes of the cases of these numbers, one for each; it has engines of its own.
pub type Worker<'a, T> = Box<dyn FnMut(&[u64]) -> Result<Vec<T>> + 'a>;

/// Which cases are worked on, and by whom.
pub struct Pool<'a, T> {
    pub options: Options,
    /// Cases that a thread takes at a time.
    pub chunk: u64,
    /// Why to take no more, once there is a reason.
    pub stop: &'a (dyn Fn() -> Option<End> + Sync),
    /// A worker for one more thread.
    pub open: &'a (dyn Fn() -> Result<Worker<'a, T>> + Sync),
}

impl<T: Send> Pool<'_, T> {
    /// Hands the number of each case and what came of it to `take`, in order, until it breaks off, having found enough; what ended it.
    ///
    /// # Errors
    /// A worker that cannot be opened; whatever `take` refuses.
    pub fn run(&self, take: &mut dyn FnMut(u64, T) -> Result<ControlFlow<()>>) -> Result<End> {
        let (next, halt) = (AtomicU64::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let (send, receive) = channel();
            for _ in 0..self.options.jobs.max(1) {
                let (send, next, halt) = (send.clone(), &next, &halt);
                scope.spawn(move || self.work(next, halt, &send));
            }
            drop(send);
            let collected = self.collect(&receive, take);
            halt.store(true, Ordering::Relaxed);
            collected
        })
    }

    /// A thread: takes chunks until there are none. A chunk once taken is finished, so that what was counted is one piece.
    fn work(&self, next: &AtomicU64, halt: &AtomicBool, send: &Sender<Result<(u64, Vec<T>)>>) {
        let mut worker = match (self.open)() {
            Ok(worker) => worker,
            Err(e) => return drop(send.send(Err(e))),
        };
        let all = self.options.drawn();
        while !halt.load(Ordering::Relaxed) && (self.stop)().is_none() {
            let chunk = next.fetch_add(1, Ordering::Relaxed);
            let Some(begin) = chunk.checked_mul(self.chunk).filter(|begin| *begin < all) else {
                return;
            };
            let numbers: Vec<u64> = (begin..all.min(begin + self.chunk))
                .map(|i| self.options.number(i))
                .collect();
            let came = worker(&numbers).map(|came| (chunk, came));
            let ends = came.is_err();
            if send.send(came).is_err() || ends {
                return;
            }
        }
    }

    fn collect(
        &self,
        receive: &Receiver<Result<(u64, Vec<T>)>>,
        take: &mut dyn FnMut(u64, T) -> Result<ControlFlow<()>>,
    ) -> Result<End> {
        let (mut early, mut next, mut taken) = (BTreeMap::new(), 0, 0);
        while let Ok(chunk) = receive.recv() {
            let (number, came) = chunk?;
            early.insert(number, came);
            while let Some(came) = early.remove(&next) {
                for (i, came) in (next * self.chunk..).zip(came) {
                    taken += 1;
                    if take(self.options.number(i), came)?.is_break() {
                        return Ok(End::Finds);
                    }
                }
                next += 1;
            }
        }
        // Whoever stopped it still says why; a run that was whole by then ended by itself.
        let stopped = (self.stop)().filter(|_| taken < self.options.drawn());
        Ok(stopped.unwrap_or(End::Cases))
    }
}

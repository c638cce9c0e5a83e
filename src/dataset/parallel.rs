//! parallel: the same work on many files by as many threads as there are processors; results in the order of the files.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// Files that a thread takes at a time: enough that taking them costs nothing, few enough that progress is seen.
const CHUNK: usize = 64;

/// `work` of each item, in their order; `done` is told how many are finished.
pub fn map<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
    mut done: impl FnMut(usize),
) -> Vec<R> {
    let chunks: Vec<&[T]> = items.chunks(CHUNK).collect();
    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let mut came: Vec<Option<Vec<R>>> = chunks.iter().map(|_| None).collect();
    thread::scope(|scope| {
        let (send, receive) = mpsc::channel();
        for _ in 0..threads.min(chunks.len()) {
            let (send, next, chunks, work) = (send.clone(), &next, &chunks, &work);
            scope.spawn(move || {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(chunk) = chunks.get(i) else { return };
                    let of: Vec<R> = chunk.iter().map(work).collect();
                    if send.send((i, of)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(send);
        let mut finished = 0;
        while let Ok((i, of)) = receive.recv() {
            finished += of.len();
            done(finished);
            came[i] = Some(of);
        }
    });
    came.into_iter().flatten().flatten().collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_come_in_the_order_of_the_items_however_long_each_takes() {
        let items: Vec<u64> = (0..1000).collect();
        let mut seen = 0;
        let came = super::map(&items, |x| x * x, |n| seen = n);
        assert_eq!(came, items.iter().map(|x| x * x).collect::<Vec<_>>());
        assert_eq!(seen, 1000);
        assert!(super::map(&[] as &[u8], |x| *x, |_| ()).is_empty());
    }
}

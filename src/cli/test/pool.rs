//! pool: as many scenarios at once as are asked for; one that crashes or hangs keeps no other from running.

use super::super::interrupt;
use super::{Plan, process};
use crate::error::{Error, Result};
use crate::suite::{Case, Verdict};
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Every scenario of the part, in its order.
///
/// # Errors
/// This executable cannot be found.
pub fn run(plan: &Plan, shown: bool) -> Result<Vec<Case>> {
    let parity =
        std::env::current_exe().map_err(|e| Error::failed(format!("this executable: {e}")))?;
    let names = plan.part.share(&plan.whole);
    let bar = bar(names.len(), shown);
    let (next, done) = (AtomicUsize::new(0), Mutex::new(vec![]));
    let work = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(name) = names.get(place) else { break };
            let case = match interrupt::asked() {
                true => process::unrun(name, Verdict::Interrupted, "it was not begun"),
                false => process::run(&parity, name, plan.limit),
            };
            tell(&bar, &case);
            lock(&done).push((place, case));
        }
    };
    std::thread::scope(|scope| {
        (0..plan.jobs.min(names.len())).for_each(|_| drop(scope.spawn(work)));
    });
    bar.finish_and_clear();
    let mut cases = std::mem::take(&mut *lock(&done));
    cases.sort_by_key(|(place, _)| *place);
    Ok(cases.into_iter().map(|(_, case)| case).collect())
}

fn lock<T>(value: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    value
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn bar(scenarios: usize, shown: bool) -> ProgressBar {
    if !shown {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(scenarios as u64);
    let style = "[{bar:30}] {pos}/{len} scenarios, {elapsed}, {eta} left {msg}";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar
}

/// One is done; how many did not pass is said at once.
fn tell(bar: &ProgressBar, case: &Case) {
    if case.verdict != Verdict::Passed {
        bar.set_message(format!("- {}: {}", case.name, case.verdict.say()));
    }
    bar.inc(1);
}

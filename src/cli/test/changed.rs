//! changed: waits until a scenario, or a file that it names, is another than it was.

use super::super::interrupt;
use crate::scenario::load;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const PAUSE: Duration = Duration::from_millis(200);

/// When each file was written last, and its size.
type Seen = BTreeMap<PathBuf, Option<(SystemTime, u64)>>;

/// Whether something changed; false where Ctrl-C came first.
pub fn wait(scenarios: &[String]) -> bool {
    let first = seen(scenarios);
    while !interrupt::asked() {
        if seen(scenarios) != first {
            return true;
        }
        std::thread::sleep(PAUSE);
    }
    false
}

fn seen(scenarios: &[String]) -> Seen {
    let all = scenarios.iter().flat_map(|name| files(Path::new(name)));
    all.map(|path| {
        let about = path.metadata().ok();
        let stamp = about.and_then(|m| Some((m.modified().ok()?, m.len())));
        (path, stamp)
    })
    .collect()
}

/// The scenario and what it names; beside a port every Python file of its folder, of which it may be made.
fn files(scenario: &Path) -> Vec<PathBuf> {
    let mut all = vec![scenario.to_path_buf()];
    let named = load::file(scenario)
        .map(|s| load::named(&s))
        .unwrap_or_default();
    for path in named {
        let is_python = |p: &Path| p.extension().is_some_and(|e| e == "py");
        if is_python(&path) {
            let beside = std::fs::read_dir(path.parent().unwrap_or(Path::new("")));
            let beside = beside.into_iter().flatten().flatten().map(|e| e.path());
            all.extend(beside.filter(|p| is_python(p)));
        }
        all.push(path);
    }
    all
}

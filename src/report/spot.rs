//! spot: where in the user's files a finding is: `net.py:20`, as the exporter or the recorder of the program said it.

use crate::run::{Correspondence, Run};
use crate::verdict::{Finding, Isolated};
use std::path::Path;

/// A file, and a line of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    pub file: String,
    pub line: usize,
}

/// Of a finding of a run: that of its node, else that of a node of the stretch that ends there.
pub fn of_run(run: &Run, found: &Finding) -> Option<Spot> {
    let both = run.correspondence.as_ref();
    let own = run.places.get(&found.place);
    let said = own.or_else(|| both?.places[0].get(&found.place));
    said.map(String::as_str)
        .or_else(|| in_stretch(run, both?, &found.place))
        .map_or_else(|| of_text(&found.place), of_text)
}

/// The last node of a stretch that has a place, the reference's first.
fn in_stretch<'a>(run: &'a Run, both: &'a Correspondence, place: &str) -> Option<&'a str> {
    let mut tensors = run.tensors.iter();
    let tensor = tensors.find(|t| t.node == place || t.name == place)?;
    let Isolated::Stretch { nodes, .. } = &tensor.isolated else {
        return None;
    };
    let mut sides = nodes.iter().zip(&both.places);
    sides
        .find_map(|(nodes, places)| nodes.iter().rev().find_map(|n| places.get(n)))
        .map(String::as_str)
}

/// `FILE:LINE` or `FILE, line N` at the end of what is said of a place.
pub fn of_text(text: &str) -> Option<Spot> {
    let last = text.rsplit(", ").next()?;
    let pair = match last.strip_prefix("line ") {
        Some(line) => text.strip_suffix(last)?.strip_suffix(", ").zip(Some(line)),
        None => last.rsplit_once(':'),
    };
    let (file, line) = pair?;
    let line = line.parse().ok().filter(|n| *n > 0)?;
    Path::new(file).extension()?;
    Some(Spot {
        file: file.into(),
        line,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::sample;

    #[test]
    fn a_file_and_its_line_are_read_from_what_is_said_of_a_place() {
        let spot = |file: &str, line| {
            Some(Spot {
                file: file.into(),
                line,
            })
        };
        for (text, want) in [
            (
                "module 'body.norm' (BatchNorm2d), my nets/net.py:20",
                spot("my nets/net.py", 20),
            ),
            ("net.py:3", spot("net.py", 3)),
            ("train.log, line 12", spot("train.log", 12)),
            ("module 'a:3' (X)", None),
            ("net.py:0", None),
            ("net.py:x", None),
            ("/body/Conv:7", None),
            ("results.csv, epoch 12", None),
            ("", None),
        ] {
            assert_eq!(of_text(text), want, "{text}");
        }
    }

    #[test]
    fn a_finding_stands_where_its_node_does() {
        let mut run = sample::diverging();
        let place = "module 'c' (Conv2d), net.py:7".to_string();
        run.places.insert("conv1".into(), place);
        let at: Vec<_> = run.findings.iter().map(|f| of_run(&run, f)).collect();
        assert_eq!(at[0].as_ref().map(|s| s.line), Some(7));
        assert!(at[1..].iter().all(Option::is_none), "{at:?}");
    }
}

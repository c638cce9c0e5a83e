//! params: stage 1: which parameters both sides have, and which of them train.

use crate::error::{Error, Result};
use crate::golden::Golden;
use crate::graph::Graph;
use crate::input::parameters;
use crate::params::{Difference, Rename, Source, decompose};
use crate::scenario::{Parameters, Scenario};
use crate::subject::open;
use std::path::PathBuf;
use std::sync::Arc;

/// The two lists that the scenario names; where it names none, the golden's and what the candidate lists itself, else the model's.
///
/// # Errors
/// A list that cannot be read; a golden that lists no parameters where it is to be one side.
pub fn run(scenario: &Scenario, graph: &Arc<Graph>, golden: Option<&Golden>) -> Result<Difference> {
    let stated = scenario.parameters.clone().unwrap_or_default();
    let reference = match (&stated.reference, golden) {
        (Some(path), _) => parameters::source(path)?,
        (None, Some(golden)) => Source::listed(golden.parameters.clone().ok_or_else(|| {
            Error::usage("the golden lists no parameters")
                .next("state parameters.reference, or stages without \"params\"")
        })?),
        (None, None) => parameters::of_graph(graph.clone()),
    };
    let candidate = match &stated.candidate {
        Some(path) => parameters::source(path)?,
        None => open::parameters(&scenario.candidate, graph)?
            .unwrap_or_else(|| parameters::of_graph(graph.clone())),
    };
    difference(&stated, &reference, &candidate)
}

/// Two lists that need no model.
///
/// # Errors
/// A list that is not stated or cannot be read.
pub fn alone(stated: &Parameters) -> Result<Difference> {
    let side = |path: &Option<PathBuf>| {
        let path = path.as_deref();
        path.map_or_else(
            || {
                Err(Error::usage(
                    "without a model both lists of [parameters] are stated",
                ))
            },
            parameters::source,
        )
    };
    difference(stated, &side(&stated.reference)?, &side(&stated.candidate)?)
}

fn difference(stated: &Parameters, reference: &Source, candidate: &Source) -> Result<Difference> {
    let renames = stated
        .rename
        .iter()
        .map(|r| Rename::parse(r))
        .collect::<Result<Vec<_>>>()?;
    decompose::between(reference, candidate, &renames)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::param::{Kind, Param};
    use crate::graph::{self, load};
    use crate::scenario::load as scenarios;
    use crate::tensor::DType;
    use crate::trace::Header;
    use crate::trace::write::Writer;
    use std::path::Path;

    #[test]
    fn what_a_recording_lists_is_the_candidates_and_where_it_lists_nothing_the_model_speaks_for_it()
    {
        let dir = tempfile::tempdir().unwrap();
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/small/normalised.onnx");
        let graph = Arc::new(load::file(&model).unwrap());
        let own = graph::params::list(&graph);
        assert!(!own.is_empty());
        let extra = Param {
            name: "extra.weight".into(),
            shape: vec![2, 3],
            dtype: DType::F32,
            kind: Kind::Parameter,
            trainable: None,
        };
        let difference = |list: Option<Vec<Param>>| {
            let trace = dir.path().join("t.safetensors");
            let mut writer = Writer::create(&trace).unwrap();
            list.into_iter().for_each(|l| writer.parameters(l));
            let header = Header {
                format: 1,
                ..Default::default()
            };
            writer.finish(&header).unwrap();
            let text = format!(
                "format = 1\nmodel = '{}'\n[candidate]\nsubject = \"recorded\"\ntrace = '{}'",
                model.display(),
                trace.display()
            );
            let scenario = scenarios::parse(&text).unwrap();
            run(&scenario, &graph, None)
                .unwrap()
                .parameters
                .difference()
        };
        assert_eq!(difference(None), 0);
        assert_eq!(difference(Some(own.clone())), 0);
        assert_eq!(difference(Some([own, vec![extra]].concat())), 6);
    }
}

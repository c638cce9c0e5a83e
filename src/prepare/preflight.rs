//! preflight: what a scenario with a training side must have, said before anything runs: its tensors, its ground truth, a fault that shows.

use crate::cause::fault::{self, Reads};
use crate::error::{Error, Result, hint};
use crate::graph::{Dim, Graph};
use crate::kernel::anchors::Anchors;
use crate::scenario::training::{COUNT, PREDICTIONS, TRUTH, Training};
use crate::scenario::{Gradients, Scenario, Stage, Subject};
use crate::subject::kernels::training::{self as kernel, Evaluated};
use crate::tensor::Tensor;
use indexmap::IndexMap;

/// The tensors that a training graph must have.
///
/// # Errors
/// A standard tensor that the graph neither takes nor gives.
pub fn tensors(graph: &Graph, training: &Training) -> Result<()> {
    let standard = Training::standard(&kernel::find(&training.kernel)?.terms());
    let given = |n: &str| {
        graph
            .inputs
            .iter()
            .chain(&graph.outputs)
            .any(|p| p.name == n)
    };
    let known = || standard.iter().map(String::as_str).chain([COUNT]);
    for name in training.rename.keys() {
        if !known().any(|s| s == name) {
            let next = format!(
                "{}known: {}",
                crate::error::hint(name, known()),
                known().collect::<Vec<_>>().join(", ")
            );
            return Err(
                Error::usage(format!("training.rename: '{name}' is no standard name")).next(next),
            );
        }
    }
    match standard.iter().find(|s| !given(training.name(s))) {
        None => Ok(()),
        Some(missing) => {
            let kind = if TRUTH.contains(&missing.as_str()) {
                "input"
            } else {
                "input or output"
            };
            let next = format!(
                "training.rename.\"{missing}\" = \"...\" names the tensor that plays this part"
            );
            Err(Error::usage(format!(
                "[training]: the graph has no {kind} '{}'",
                training.name(missing)
            ))
            .next(next))
        }
    }
}

/// A cause that no row is called, or that is never tried, would never be met.
fn expected(cause: &str) -> Result<()> {
    for name in cause.split(" + ") {
        let row = fault::all().find(|f| f.name == name);
        let says = match row.map(|f| f.reads) {
            None => "there is no such cause".to_string(),
            Some(Reads::Never(why)) => format!("it is never tried: {why}"),
            Some(
                Reads::Back
                | Reads::Choices
                | Reads::Amounts(_)
                | Reads::Output(_)
                | Reads::Turned(_),
            ) => continue,
        };
        let hint = hint(name, fault::all().map(|f| f.name));
        return Err(Error::usage(format!("expect.cause = '{name}': {says}"))
            .next(format!("{hint}parity list causes")));
    }
    Ok(())
}

/// The ground truth, the grids, and the predictions where they are fed: then what the kernel makes of them.
///
/// # Errors
/// Image and ground truth of what no loss is defined for; other anchors than the size of the images gives.
pub fn inputs(
    graph: &Graph,
    training: &Training,
    inputs: &IndexMap<String, Tensor>,
) -> Result<Option<Evaluated>> {
    let image = image(graph, training, inputs)?;
    let (anchors, classes) = grid(graph, training);
    let expected = Anchors::of_image(image[0], image[1], &training.strides)?.len();
    if let Some(own) = anchors.filter(|own| *own != expected) {
        let ([h, w], name) = (image, training.name("pred_scores"));
        let fact = format!(
            "an image of {h} x {w} has {expected} anchors at strides {:?}, '{name}' has {own}",
            training.strides
        );
        return Err(Error::usage(fact)
            .next("state training.image and training.strides as the graph has them"));
    }
    let get = |standard: &str| inputs.get(training.name(standard)).cloned();
    kernel::check_truth(training, classes, &get)?;
    let fed = PREDICTIONS.iter().all(|p| get(p).is_some());
    fed.then(|| kernel::evaluate(training, image, &get))
        .transpose()
}

/// How many anchors and classes `pred_scores` declares.
fn grid(graph: &Graph, training: &Training) -> (Option<usize>, Option<usize>) {
    let port = graph
        .inputs
        .iter()
        .chain(&graph.outputs)
        .find(|p| p.name == training.name("pred_scores"));
    let known = |d: &Dim| {
        if let Dim::Known(n) = d {
            Some(*n)
        } else {
            None
        }
    };
    match port.and_then(|p| p.shape.as_deref()) {
        Some([_, anchors, classes]) => (known(anchors), known(classes)),
        _ => (None, None),
    }
}

/// Height and width of the images.
pub fn image(
    graph: &Graph,
    training: &Training,
    inputs: &IndexMap<String, Tensor>,
) -> Result<[usize; 2]> {
    let port = graph.inputs.iter().find(|p| p.name == "images");
    let declared = port.and_then(|p| match p.shape.as_deref()? {
        [_, _, Dim::Known(h), Dim::Known(w)] => Some([*h, *w]),
        _ => None,
    });
    let fed = || {
        inputs
            .get("images")
            .and_then(|t| <[usize; 4]>::try_from(t.shape()).ok())
            .map(|s| [s[2], s[3]])
    };
    training.image.or(declared).or_else(fed).ok_or_else(|| {
        Error::usage("the size of the images is not known: the graph has no input 'images'")
            .next("state training.image = [HEIGHT, WIDTH]")
    })
}

/// The fault of a subject, where it shows in gradients only.
pub fn gradient_fault(subject: &Subject) -> Option<&str> {
    let name = &subject.fault()?.fault;
    fault::only_gradients(name).then_some(name)
}

/// A fault that shows in gradients only needs them compared.
///
/// # Errors
/// Such a fault in the reference, whose gradients are not computed, or in a run without the stage of gradients.
pub fn faults(scenario: &Scenario) -> Result<()> {
    if let Some(name) = gradient_fault(&scenario.reference) {
        return Err(Error::usage(format!(
            "fault '{name}' shows in gradients only, and those of the reference are not computed"
        ))
        .next("put it into the candidate"));
    }
    scenario.expect.cause.as_deref().map_or(Ok(()), expected)?;
    let (floor, engine) = (scenario.tolerance.is_floor(), scenario.candidate.engine());
    match gradient_fault(&scenario.candidate) {
        Some(name) if !(scenario.runs(Stage::Grad) && floor) => Err(Error::usage(format!(
            "fault '{name}' shows in gradients only, and this scenario compares none"
        ))
        .next("add [training], and keep the stage grad and tolerance = { kind = \"floor\" }")),
        Some(name) if engine.row().abilities.gradients != Gradients::Own => Err(Error::usage(
            format!("fault '{name}' shows in gradients only, and {engine} gives none"),
        )
        .next("of = \"libtorch\"")),
        Some(_) | None => Ok(()),
    }
}

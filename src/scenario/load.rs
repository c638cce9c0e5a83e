//! load: a scenario from TOML, with errors that name line, column and the probable word.

use super::sides;
use super::{Expected, Input, Scenario, Stage, Subject, Tolerance, ToleranceKind, subjects};
use crate::error::{Code, Error, Place, Result, hint};
use crate::file::{self, Kind};
use crate::trace;
use std::path::{Path, PathBuf};

/// More threads than any machine has cores; an engine would try to start them all.
pub const MAX_THREADS: usize = 1024;

/// More steps than anybody waits for: each is made a dozen times.
const MOST_STEPS: usize = 1000;

/// Reads and checks the scenario at `path`; its files become relative to the working directory.
pub fn file(path: &Path) -> Result<Scenario> {
    let place = format!("scenario {}", path.display());
    file::as_text(path)?;
    file::is_there(path).at(&place)?;
    if let Some(other) = file::mistaken(path, Kind::Scenario) {
        return Err(other).at(path.display());
    }
    let text = std::fs::read_to_string(path)
        .map_err(|e| Error::usage(e.to_string()))
        .at(&place)?;
    let mut scenario = read(&text).at(&place)?;
    // What a side is, its file says, which lies beside the scenario.
    rebase(&mut scenario, path.parent().unwrap_or(Path::new("")));
    checked(&scenario).at(&place)?;
    scenario.name = scenario
        .name
        .or(path.file_stem().map(|s| s.to_string_lossy().into_owned()));
    Ok(scenario)
}

/// The scenario as a file states it.
pub fn text(scenario: &Scenario) -> Result<String> {
    let failed = |e: toml::ser::Error| Error::failed(format!("scenario: {e}"));
    if scenario.second.is_none() && scenario.loss.is_none() {
        return toml::to_string(scenario).map_err(failed);
    }
    // Both graphs are computed in f64, and each alone in both engines; a loss names both sides itself.
    let mut table = toml::Table::try_from(scenario).map_err(failed)?;
    table.remove("reference");
    table.remove("candidate");
    toml::to_string(&table).map_err(failed)
}

/// The scenario that `text` states, checked.
pub fn parse(text: &str) -> Result<Scenario> {
    let scenario = read(text)?;
    checked(&scenario)?;
    Ok(scenario)
}

fn read(text: &str) -> Result<Scenario> {
    toml::from_str(text).map_err(|e| explain(&e, text).kind(Code::Scenario))
}

fn checked(scenario: &Scenario) -> Result<()> {
    check(scenario).map_err(|e| e.kind(Code::Scenario))
}

/// Line, column, message, and the word that was probably meant.
fn explain(e: &toml::de::Error, text: &str) -> Error {
    // serde says: unknown field `x`, expected one of `a`, `b` (or: unknown variant ...), or: missing field `x`.
    let mut quoted = e.message().split('`').skip(1).step_by(2);
    let word = quoted.next().unwrap_or_default();
    let unknown = e.message().starts_with("unknown");
    let place = e.span().map_or(String::new(), |span| {
        let start = span.start.min(text.len());
        let key = unknown.then(|| word_below(&text[start..], word)).flatten();
        let before = &text[..start + key.unwrap_or(0)];
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        format!("line {line}, column {column}: ")
    });
    let error = Error::usage(format!("{place}{}", e.message()));
    if unknown {
        error.next(format!("{}{}", hint(word, quoted), owner(word)))
    } else if e.message().starts_with("missing field") {
        error.next(takes(word))
    } else {
        error
    }
}

/// Where a key or a quoted value stands below the head of the table that is told; nothing where it is told itself.
fn word_below(text: &str, word: &str) -> Option<usize> {
    let value = format!("\"{word}\"");
    let of_line = |line: &str| {
        let begin = line.len() - line.trim_start().len();
        let rest = line[begin..].strip_prefix(word);
        let is_key = rest.is_some_and(|rest| rest.trim_start().starts_with('='));
        is_key.then_some(begin).or_else(|| line.find(&value))
    };
    let mut at = 0;
    let mut lines = text.split_inclusive('\n').filter(|_| text.starts_with('['));
    lines.find_map(|line| {
        let found = of_line(line).map(|column| at + column);
        at += line.len();
        found
    })
}

/// Whose key a word is that another subject does not take.
fn owner(word: &str) -> String {
    let owners: Vec<&str> = subjects::with(word).map(|row| row.name).collect();
    match owners.is_empty() {
        true => String::new(),
        false => format!("'{word}' belongs to {}", owners.join(", ")),
    }
}

/// All that the subjects take that need a key which is missing.
fn takes(key: &str) -> String {
    let rows = subjects::with(key).map(|row| format!("{} takes {}", row.name, row.keys.join(", ")));
    rows.collect::<Vec<_>>().join("; ")
}

fn rebase(scenario: &mut Scenario, folder: &Path) {
    files(scenario, &|p| *p = folder.join(&*p));
}

/// `scenario` as it must be written into a file in `folder`: what is relative to the working directory is still found from there.
pub fn seen_from(scenario: &Scenario, folder: &Path) -> Scenario {
    let mut seen = scenario.clone();
    if !folder.as_os_str().is_empty() {
        files(&mut seen, &|p| {
            *p = std::path::absolute(&*p).unwrap_or_else(|_| p.clone())
        });
    }
    seen
}

/// Every file that a scenario names.
pub fn named(scenario: &Scenario) -> Vec<PathBuf> {
    let all = std::cell::RefCell::new(vec![]);
    files(&mut scenario.clone(), &|p| all.borrow_mut().push(p.clone()));
    all.into_inner()
}

fn files(scenario: &mut Scenario, change: &dyn Fn(&mut PathBuf)) {
    if !scenario.model.as_os_str().is_empty() {
        change(&mut scenario.model);
    }
    if let Some(loss) = &mut scenario.loss {
        change(&mut loss.reference);
        change(&mut loss.candidate);
    }
    for input in scenario.inputs.values_mut() {
        input
            .image
            .iter_mut()
            .chain(&mut input.file)
            .for_each(change);
    }
    scenario.golden.iter_mut().for_each(change);
    if let Some(second) = &mut scenario.second {
        change(&mut second.model);
        second.map.iter_mut().for_each(change);
    }
    if let Some(p) = &mut scenario.parameters {
        p.reference
            .iter_mut()
            .chain(&mut p.candidate)
            .for_each(change);
    }
    [&mut scenario.reference, &mut scenario.candidate]
        .into_iter()
        .filter_map(Subject::file_mut)
        .for_each(change);
}

/// The files that a run reads are there: said before a library is loaded for them.
///
/// # Errors
/// One is missing, a folder, or empty.
pub fn present(scenario: &Scenario) -> Result<()> {
    for form in scenario
        .loss
        .iter()
        .flat_map(|l| [&l.reference, &l.candidate])
    {
        file::is_there(form).at(format!("loss {}", form.display()))?;
    }
    if !scenario.model.as_os_str().is_empty() {
        file::is_there(&scenario.model).at(format!("model {}", scenario.model.display()))?;
    }
    for (name, input) in &scenario.inputs {
        for path in input.image.iter().chain(&input.file) {
            // A file of tensors may be an index of shards.
            let there = if path.is_dir() {
                // A sample for each file.
                file::listed(path).map(|_| ())
            } else if input.file.is_some() {
                trace::file::is_there(path)
            } else {
                file::is_there(path)
            };
            there.at(path.display()).at(format!("input '{name}'"))?;
        }
    }
    for subject in [&scenario.reference, &scenario.candidate] {
        match (subject, subject.file()) {
            (Subject::Recorded(_), Some(path)) => {
                trace::file::is_there(path).at(format!("trace {}", path.display()))?
            }
            (_, Some(path)) => file::is_there(path).at(format!("script {}", path.display()))?,
            (_, None) => {}
        }
    }
    Ok(())
}

/// A loss names two files itself, and its cases are drawn.
fn check_loss(scenario: &Scenario) -> Result<()> {
    let other = [
        ("model", !scenario.model.as_os_str().is_empty()),
        ("[second]", scenario.second.is_some()),
        ("[training]", scenario.training.is_some()),
        ("[parameters]", scenario.parameters.is_some()),
        ("golden", scenario.golden.is_some()),
        ("tolerance", !scenario.tolerance.is_floor()),
        ("[limit]", scenario.limit != super::Limit::default()),
    ];
    match other.into_iter().find(|(_, stated)| *stated) {
        Some((key, _)) => Err(Error::usage(format!(
            "[loss] names both of its forms, and {key} does not apply"
        ))
        .next(format!("leave {key} out, or [loss]"))),
        None => Ok(()),
    }
}

/// Without a model there are two lists of parameters, both stated, and nothing that runs.
fn check_alone(scenario: &Scenario) -> Result<()> {
    let lists = scenario.parameters.as_ref();
    if lists.is_none_or(|p| p.reference.is_none() || p.candidate.is_none()) {
        return Err(Error::usage("missing field `model`").next(
            "model = \"FILE.onnx\"; only [parameters] with both reference and candidate needs none",
        ));
    }
    if !scenario.stages.contains(&Stage::Params) {
        return Err(
            Error::usage("without a model the stage \"params\" is all there is")
                .next("stages = [\"params\"], or none"),
        );
    }
    let run = [
        ("[inputs]", !scenario.inputs.is_empty()),
        ("[second]", scenario.second.is_some()),
        ("[training]", scenario.training.is_some()),
        ("[find]", scenario.find.is_some()),
        ("[limit]", scenario.limit != super::Limit::default()),
        ("golden", scenario.golden.is_some()),
    ];
    match run.into_iter().find(|(_, stated)| *stated) {
        Some((key, _)) => Err(Error::usage(format!(
            "{key} belongs to a run, and without a model nothing is run"
        ))
        .next("state the model, or take it out")),
        None => Ok(()),
    }
}

/// What types cannot say.
pub fn check(scenario: &Scenario) -> Result<()> {
    if scenario.format != 1 {
        return Err(Error::usage(format!(
            "format {} is not known; this parity reads format 1",
            scenario.format
        )));
    }
    if scenario.loss.is_some() {
        check_loss(scenario)?;
    } else if scenario.of_parameters_alone() {
        check_alone(scenario)?;
    }
    if let Some(find) = scenario.find.as_ref().filter(|_| scenario.loss.is_none())
        && find.kernel.is_none()
    {
        return Err(Error::usage("missing field `kernel`")
            .at("find")
            .next("a find is of a kernel, or of [loss]"));
    }
    if scenario.stages.is_empty() {
        return Err(Error::usage("stages = []: nothing would be compared")
            .next("stages = [\"inputs\", \"activations\"]"));
    }
    if scenario.threads == Some(0) {
        return Err(Error::usage("threads = 0: at least 1 is needed"));
    }
    if let Some(threads) = scenario.threads.filter(|t| *t > MAX_THREADS) {
        return Err(Error::usage(format!(
            "threads = {threads}: at most {MAX_THREADS} are started"
        )));
    }
    if let Some(text) = scenario
        .limit
        .memory
        .as_deref()
        .filter(|t| crate::graph::memory::size(t).is_none())
    {
        return Err(
            Error::usage(format!("limit.memory = \"{text}\" is no size"))
                .next("a number with B, KiB, MiB, GiB, kB, MB or GB, such as 2GiB"),
        );
    }
    check_tolerance(&scenario.tolerance)?;
    for (name, input) in &scenario.inputs {
        check_input(input).at(format!("inputs.{name}"))?;
    }
    scenario.reference.check().at("reference")?;
    scenario.candidate.check().at("candidate")?;
    if !(0.0..=1.0).contains(&scenario.expect.coverage) {
        return Err(Error::usage(format!(
            "expect.coverage = {} is not between 0 and 1",
            scenario.expect.coverage
        )));
    }
    let needs = [Stage::Assign, Stage::Loss, Stage::Grad];
    // All that there were before ports had stages of their own, as older files state them.
    let of_ports = |s: &Stage| matches!(s, Stage::Preprocess | Stage::Postprocess | Stage::Train);
    let mut every = Stage::ALL.iter().filter(|s| !of_ports(s));
    if scenario.training.is_none()
        && !every.all(|s| scenario.stages.contains(s))
        && needs.iter().any(|s| scenario.stages.contains(s))
    {
        return Err(
            Error::usage("stages: assign, loss and grad need to know the training side")
                .next("add [training] kernel = \"...\": parity list kernels"),
        );
    }
    let stated =
        scenario.training.is_some() || scenario.golden.is_some() || scenario.find.is_some();
    let cut = scenario.limit.from.is_some() || scenario.limit.until.is_some();
    if scenario.second.is_some() && (stated || cut || !scenario.tolerance.is_floor()) {
        let said = "[second] holds two graphs against each other by what f64 rounds: training, golden, find, tolerance, limit.from and limit.until do not apply";
        return Err(Error::usage(said).next("leave them out, or [second]"));
    }
    check_train(scenario)?;
    let e = &scenario.expect;
    let there = e.first.is_some() || e.side.is_some() || e.stage.is_some() || e.term.is_some();
    if there && scenario.expect.verdict == Expected::Agree {
        return Err(Error::usage(
            "expect.first, side, stage and term need expect.verdict = \"diverge\"",
        ));
    }
    Ok(())
}

/// Two live ports train, for a step at least.
fn check_train(scenario: &Scenario) -> Result<()> {
    let Some(train) = &scenario.train else {
        return Ok(());
    };
    if train.steps == 0 || train.steps > MOST_STEPS {
        let steps = train.steps;
        return Err(Error::usage(format!(
            "train.steps = {steps} is not between 1 and {MOST_STEPS}"
        )));
    }
    let second = scenario.second.as_ref().map(|s| &*s.model);
    let live = |p: &Path| sides::Kind::of(p).is_ok_and(|k| k == sides::Kind::Port);
    match second.is_some_and(live) && live(&scenario.model) {
        true => Ok(()),
        false => Err(
            Error::usage("[train] is of two live ports, and not both sides are")
                .next("name a port as `model` and another one as `second.model` (docs/PORT.md)"),
        ),
    }
}

/// A hand-made tolerance is complete and has a reason.
pub fn check_tolerance(t: &Tolerance) -> Result<()> {
    let stated = (t.atol.is_some(), t.rtol.is_some(), t.ulp.is_some());
    let kind = t.kind.unwrap_or(ToleranceKind::Floor);
    let complete = match kind {
        ToleranceKind::Floor | ToleranceKind::Exact => stated == (false, false, false),
        ToleranceKind::Flat => stated == (true, true, false),
        ToleranceKind::Ulp => stated == (false, false, true),
    };
    if !complete {
        return Err(Error::usage("tolerance is incomplete or mixed")
            .next("kind = \"floor\" or \"exact\" takes no number, \"flat\" takes atol and rtol, \"ulp\" takes ulp"));
    }
    if t.atol
        .into_iter()
        .chain(t.rtol)
        .any(|v| !(v >= 0.0 && v.is_finite()))
    {
        return Err(Error::usage(
            "tolerance: atol and rtol must be finite and not negative",
        ));
    }
    if kind != ToleranceKind::Floor && t.why.as_deref().unwrap_or("").trim().is_empty() {
        return Err(
            Error::usage("tolerance: a tolerance chosen by hand needs a reason")
                .next("add why = \"...\""),
        );
    }
    Ok(())
}

fn check_input(input: &Input) -> Result<()> {
    let sources = [
        input.image.is_some(),
        input.file.is_some(),
        input.random.is_some(),
        input.values.is_some(),
    ]
    .iter()
    .filter(|b| **b)
    .count();
    if sources != 1 {
        return Err(Error::usage(format!("{sources} sources stated"))
            .next("state exactly one of image, file, random, values"));
    }
    let image_only = input.resize.is_some()
        || input.fit.is_some()
        || input.fill.is_some()
        || input.color.is_some();
    let image_only = image_only
        || input.scale.is_some()
        || input.mean.is_some()
        || input.std.is_some()
        || input.layout.is_some();
    if input.image.is_none() && image_only {
        return Err(Error::usage(
            "resize, fit, fill, color, scale, mean, std and layout belong to an image",
        ));
    }
    let random_only = input.low.is_some()
        || input.high.is_some()
        || input.value.is_some()
        || !input.dims.is_empty();
    if input.random.is_none() && random_only {
        return Err(Error::usage(
            "low, high, value and dims belong to a random input",
        ));
    }
    if input.random.is_none() && input.values.is_none() && input.shape.is_some() {
        return Err(Error::usage(
            "shape belongs to a random input or to stated values",
        ));
    }
    if input.file.is_none()
        && (input.tensor.is_some() || input.samples.is_some() || input.sample.is_some())
    {
        return Err(Error::usage("tensor, samples and sample belong to a file"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(body: &str) -> String {
        parse(&format!("format = 1\nmodel = \"m.onnx\"\n{body}"))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place_and_the_probable_word() {
        let e = error("[expct]\nverdict = \"agree\"\n");
        assert!(
            e.contains("line 3, column 2") && e.contains("did you mean 'expect'"),
            "{e}"
        );
        let e = error("[expect]\nverdict = \"agre\"\n");
        assert!(
            e.contains("line 4") && e.contains("did you mean 'agree'"),
            "{e}"
        );
    }

    #[test]
    fn half_a_tolerance_is_refused() {
        for body in [
            "tolerance = { kind = \"flat\", atol = 1e-3, why = \"x\" }",
            "tolerance = { rtol = 1e-3 }",
            "tolerance = { kind = \"ulp\", why = \"x\" }",
        ] {
            assert!(error(body).contains("incomplete"), "{body}");
        }
        assert!(error("tolerance = { kind = \"exact\" }").contains("needs a reason"));
        assert!(
            error("tolerance = { kind = \"flat\", atol = nan, rtol = 0.0, why = \"x\" }")
                .contains("finite")
        );
    }

    #[test]
    fn an_input_has_exactly_one_source_and_only_its_own_keys() {
        assert!(error("[inputs.x]\nimage = \"a.png\"\nrandom = \"normal\"").contains("2 sources"));
        assert!(error("[inputs.x]\nresize = [1, 2]").contains("0 sources"));
        assert!(
            error("[inputs.x]\nrandom = \"normal\"\nmean = [1.0]").contains("belong to an image")
        );
        assert!(
            error("[inputs.x]\nfile = \"a.npy\"\nlow = 1").contains("belong to a random input")
        );
    }

    #[test]
    fn a_subject_is_known_and_complete() {
        assert!(error("[candidate]\nsubject = \"libtroch\"").contains("did you mean 'libtorch'"));
        let says = |candidate: &str, words: &[&str]| {
            let text = error(&format!("[candidate]\nsubject = {candidate}"));
            assert!(words.iter().all(|w| text.contains(w)), "{text}");
        };
        says(
            "\"faulty\"\nof = \"libtorch\"",
            &[
                "missing field `fault`",
                "takes optimisation, of, fault, node",
            ],
        );
        says(
            "\"recorded\"",
            &["missing field `trace`", "takes trace, rename"],
        );
        says(
            "\"libtorch\"\noptimisation = \"all\"",
            &[
                "unknown field `optimisation`",
                "belongs to onnxruntime, faulty",
            ],
        );
        says(
            "\"kernel\"\ntrace = \"a\"",
            &["line 5, column 1", "`trace`", "belongs to recorded"],
        );
        says(
            "\"faulty\"\nof = \"libtorch\"\noptimisation = \"all\"\nfault = \"x\"\nnode = \"n\"",
            &["optimisation belongs to onnxruntime"],
        );
    }

    #[test]
    fn all_stages_that_there_were_once_may_still_be_stated() {
        let stages =
            "stages = [\"inputs\", \"params\", \"activations\", \"assign\", \"loss\", \"grad\"]";
        parse(&format!("format = 1\nmodel = \"m.onnx\"\n{stages}\n")).unwrap();
        assert!(
            error("stages = [\"inputs\", \"loss\"]").contains("need to know the training side")
        );
    }

    #[test]
    fn a_minimal_scenario_is_complete() {
        let s = parse("format = 1\nmodel = \"m.onnx\"\n").unwrap();
        assert_eq!(
            (&s.reference, &s.candidate),
            (&Subject::onnxruntime(), &Subject::libtorch())
        );
        assert_eq!(
            toml::from_str::<Scenario>(&toml::to_string(&s).unwrap()).unwrap(),
            s
        );
    }
}

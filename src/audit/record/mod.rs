//! record: the record of an experiment: a run held against its baseline, its targets and what was declared; what has no data is missing, never invented.

mod boxes;
mod course;
mod declared;
mod diff;
mod fields;
mod history;
mod pictures;
mod plots;
mod settings;
mod side;
mod sizes;
mod targets;

use super::{Asked, Audited, Table, below};
use crate::error::{Error, Place, Result};
use crate::verdict::{Finding, Severity};
use crate::watch::Watch;
use boxes::Truth;
use declared::Declared;
use diff::Diff;
use serde::Deserialize;
use side::{Side, settled};
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, Default, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The folder of the run: args.yaml, results.csv, and where they are there predictions.json and weights/best.pt
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// The folder of the run that it is held against
    #[arg(long, value_name = "RUN")]
    pub baseline: Option<PathBuf>,
    /// What is wanted and what no file says, in TOML: targets, gain, next actions, the declared change, measured numbers, facts
    #[arg(long, value_name = "FILE")]
    pub declared: Option<PathBuf>,
    /// What is there to be found: COCO's JSON, or a folder of YOLO's text files
    #[arg(long, value_name = "PATH")]
    pub truth: Option<PathBuf>,
    /// The folder of images: for the sizes of YOLO's text files (else where its path has images for labels), and for pictures
    #[arg(long, value_name = "FOLDER", requires = "truth")]
    pub images: Option<PathBuf>,
    /// Detections of the run: a JSON list of COCO's, or a folder of text files with confidences; else its predictions.json
    #[arg(long, value_name = "PATH", requires = "truth")]
    pub predictions: Option<PathBuf>,
    /// Detections of the baseline
    #[arg(long, value_name = "PATH", requires = "truth")]
    pub baseline_predictions: Option<PathBuf>,
    /// The category of class 0 in a JSON list of detections, where its categories do not tell
    #[arg(long, value_name = "N", requires = "truth")]
    pub first_category: Option<i64>,
}

impl Asked for Record {
    fn name(&self) -> &'static str {
        "record"
    }

    fn within(&mut self, folder: &Path) {
        let named = [
            &mut self.baseline,
            &mut self.declared,
            &mut self.truth,
            &mut self.images,
            &mut self.predictions,
            &mut self.baseline_predictions,
        ];
        below(folder, named.into_iter().flatten().chain([&mut self.run]));
    }

    fn run(&self, _: &mut dyn Watch) -> Result<Audited> {
        let declared = self
            .declared
            .as_deref()
            .map(Declared::load)
            .transpose()?
            .unwrap_or_default();
        let truth = self.truth()?;
        let read = |folder: &PathBuf, predictions: &Option<PathBuf>| {
            Side::read(
                folder,
                truth.as_ref(),
                predictions.as_deref(),
                self.first_category,
            )
        };
        let mut run = read(&self.run, &self.predictions)?;
        let mut baseline = self
            .baseline
            .as_ref()
            .map(|b| read(b, &self.baseline_predictions))
            .transpose()?;
        measured(&mut run, &declared.measured.run);
        baseline
            .iter_mut()
            .for_each(|b| measured(b, &declared.measured.baseline));
        let code = code(&declared)?;
        let mut found = self.findings(&declared, &run, baseline.as_ref(), truth.as_ref())?;
        if let (Some(code), Some(path)) = (&code, &declared.change.diff) {
            found.extend(diff::findings(
                code,
                &declared.change,
                &path.display().to_string(),
            ));
        }
        let mut audited = Audited::of("record");
        let files = [
            ("run", Some(&self.run)),
            ("baseline", self.baseline.as_ref()),
            ("declared", self.declared.as_ref()),
            ("truth", self.truth.as_ref()),
        ];
        for (part, path) in files {
            audited = path.iter().fold(audited, |a, p| a.subject(part, p));
        }
        let mut audited = audited.found(found);
        let numbers = settled(&run, baseline.as_ref());
        let (record, missing) = fields::table(
            &declared,
            &run,
            baseline.as_ref(),
            (&numbers.0, &numbers.1),
            &counted(truth.as_ref()),
            code.map(|c| c.said()),
        );
        audited = audited.found(missing);
        audited.tables.push(record);
        audited
            .tables
            .extend(tables(&declared, &run, baseline.as_ref(), truth.as_ref()));
        let images = self.images.as_deref();
        audited.pictures = truth.as_ref().map_or(vec![], |t| {
            pictures::all(t, images, &run, baseline.as_ref())
        });
        audited.plots = plots::all(&sides(&run, baseline.as_ref()));
        Ok(audited)
    }
}

impl Record {
    fn truth(&self) -> Result<Option<Truth>> {
        let read = |path: &PathBuf| boxes::truth(path, self.images.as_deref(), &[]);
        let truth = self.truth.as_ref().map(read).transpose()?;
        match truth.as_ref().is_some_and(|t| t.images.is_empty()) {
            true => Err(Error::usage("the truth lists no image")),
            false => Ok(truth),
        }
    }

    fn findings(
        &self,
        declared: &Declared,
        run: &Side,
        baseline: Option<&Side>,
        truth: Option<&Truth>,
    ) -> Result<Vec<Finding>> {
        let (own, base) = settled(run, baseline);
        let mut out = targets::reached(&declared.bounds()?, declared, &own);
        out.extend(run.findings.iter().cloned().map(|f| f.of("run")));
        out.extend(truth.and_then(|t| odd(t, &self.truth)));
        out.extend(truth.and_then(|t| images(declared, t)));
        if let Some(b) = baseline {
            out.extend(b.findings.iter().cloned().map(|f| f.of("baseline")));
            if !run.settings.is_empty() && !b.settings.is_empty() {
                let all = settings::differences(&run.settings, &b.settings);
                out.extend(settings::findings(
                    &all,
                    &declared.change,
                    &run.folder.join("args.yaml").display().to_string(),
                ));
            }
            let gain = declared.gain.metric.as_str();
            // Without anything declared nobody asked for the gain of a metric that has no data.
            if self.declared.is_some() || (own.contains_key(gain) && base.contains_key(gain)) {
                out.push(targets::outcome(declared, &own, &base));
            }
            out.extend(targets::side_effects(declared, &own, &base));
            out.extend(targets::unchanged(&own, &base));
            if let (Some(t), Some(a), Some(b)) = (truth, &run.judged, &b.judged) {
                out.extend(sizes::gains(t, &a.original, &b.original));
            }
        }
        out.extend(run.judged.as_ref().and_then(sizes::both));
        if truth.is_some() && run.judged.is_none() {
            let what = "a truth is given, and no detections: nothing was evaluated";
            out.push(
                Finding::new(
                    "no_detections",
                    run.folder.join("predictions.json").display().to_string(),
                    what,
                )
                .next(["validate with save_json=True, or give --predictions".into()])
                .severity(Severity::Unjudged),
            );
        }
        Ok(out)
    }
}

/// The difference of the code, where it was given.
fn code(declared: &Declared) -> Result<Option<Diff>> {
    let read = |path: &PathBuf| {
        let bytes = crate::file::read(path).at(path.display())?;
        Ok(Diff::read(&String::from_utf8_lossy(&bytes)))
    };
    declared.change.diff.as_ref().map(read).transpose()
}

/// Numbers that were declared stand before all others.
fn measured(side: &mut Side, declared: &indexmap::IndexMap<String, f64>) {
    for (name, _) in declared::METRICS {
        if let Some(value) = declared.get(name) {
            let from = "the declared [measured]".to_string();
            side.layers[0].insert(
                name,
                targets::Known {
                    value: *value,
                    from,
                },
            );
        }
    }
}

fn sides<'a>(run: &'a Side, baseline: Option<&'a Side>) -> Vec<(&'static str, &'a Side)> {
    [("run", run)]
        .into_iter()
        .chain(baseline.map(|b| ("baseline", b)))
        .collect()
}

/// What the truth says of fields of the record.
fn counted(truth: Option<&Truth>) -> Vec<(&'static str, String)> {
    truth.map_or(vec![], |t| {
        vec![
            ("val_images", t.images.len().to_string()),
            ("classes", t.classes.len().to_string()),
        ]
    })
}

/// The number of validation images is the one that was declared.
fn images(declared: &Declared, truth: &Truth) -> Option<Finding> {
    let stated: usize = declared.facts.get("val_images")?.parse().ok()?;
    let own = truth.images.len();
    let what = format!("{own} validation images, {stated} declared");
    let found = Finding::new("val_images", "facts: val_images", what)
        .next(["look which images the truth lacks".into()]);
    Some(match own == stated {
        true => Finding {
            next: vec![],
            ..found
        }
        .severity(Severity::Note),
        false => found,
    })
}

fn odd(truth: &Truth, path: &Option<PathBuf>) -> Option<Finding> {
    let first = truth.odd.first()?;
    let place = path
        .as_ref()
        .map_or(String::new(), |p| p.display().to_string());
    let what = format!("{} objects are left out: {first}", truth.odd.len());
    Some(
        Finding::new("unreadable_object", place, what)
            .facts(truth.odd.iter().skip(1).take(4).cloned())
            .next(["mend the labels: parity audit data".into()]),
    )
}

fn tables(
    declared: &Declared,
    run: &Side,
    baseline: Option<&Side>,
    truth: Option<&Truth>,
) -> Vec<Table> {
    let mut out = vec![];
    for (name, side) in sides(run, baseline) {
        let history = side.history.as_ref();
        out.extend(history.map(|h| {
            course::milestones(
                h,
                &declared.milestones,
                &format!("{name}: losses and metrics at milestones"),
            )
        }));
    }
    if let (Some(truth), Some(own)) = (truth, &run.judged) {
        let base = baseline.and_then(|b| b.judged.as_ref());
        let behind = if base.is_some() {
            ", run / baseline"
        } else {
            ""
        };
        out.push(sizes::table(
            truth,
            &own.original,
            base.map(|b| &b.original),
            &format!("AP@0.5 by class and size in pixels of the image{behind} (objects)"),
        ));
        if let Some(network) = &own.network {
            let base = base.and_then(|b| b.network.as_ref());
            let behind = if base.is_some() {
                ", run / baseline"
            } else {
                ""
            };
            out.push(sizes::table(
                truth,
                network,
                base,
                &format!("AP@0.5 by class and size in pixels of the network{behind} (objects)"),
            ));
        }
    }
    out
}

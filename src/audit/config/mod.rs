//! config: what a config says against what is there: paths, the model, data and weights that it names, losses, metadata, switches and arguments.

mod advice;
mod arguments;
mod classes;
mod frozen;
mod live;
mod losses;
mod paths;
mod pipeline;
mod rules;
mod view;
mod yolo;

use super::{Asked, Audited, below};
use crate::config::{self, Missed, print};
use crate::error::{Error, Place, Result};
use crate::python::signature::Sources;
use crate::training_log::{self, watched::Part};
use crate::verdict::{Finding, Severity};
use crate::watch::Watch;
use indexmap::IndexMap;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use view::View;

#[derive(Clone, Debug, Default, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The config: mmengine's (.py, .json, .yaml), or ultralytics' args.yaml, data yaml or model yaml
    #[arg(value_name = "CONFIG")]
    pub config: PathBuf,
    /// A folder with packages whose configs are bases (`mmdet::...`), or such a package
    #[arg(long, value_name = "FOLDER")]
    #[serde(default)]
    pub search: Vec<PathBuf>,
    /// The folder that relative paths start from; the working folder
    #[arg(long, value_name = "FOLDER")]
    #[serde(default)]
    pub root: Option<PathBuf>,
    /// A data yaml or model yaml of ultralytics that goes with it, where it does not name them itself
    #[arg(long = "with", value_name = "FILE")]
    #[serde(default)]
    pub with: Vec<PathBuf>,
    /// A log (results.csv, JSON lines or plain): every configured loss must be in it
    #[arg(long, value_name = "FILE")]
    #[serde(default)]
    pub log: Option<PathBuf>,
    /// What must hold: 'loss_x needs data.switch = true', or 'device = 0'
    #[arg(long = "rule", value_name = "RULE")]
    #[serde(default)]
    pub rule: Vec<String>,
    /// A folder of Python source, which is read and never run: arguments that a class does not take, or never uses
    #[arg(long, value_name = "FOLDER")]
    #[serde(default)]
    pub source: Vec<PathBuf>,
    /// What parity_port.watch wrote of a training with this config: arguments that the built modules do not hold
    #[arg(long, value_name = "FILE")]
    #[serde(default)]
    pub watched: Option<PathBuf>,
    /// Print the whole dictionary instead of an audit, bases merged in
    #[arg(long, value_name = "FORM", num_args = 0..=1, default_missing_value = "json")]
    #[serde(default)]
    pub print: Option<Form>,
}

/// How a dictionary is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// JSON: tuples are arrays
    Json,
    /// A literal of Python: tuples are told from lists
    Python,
}

impl Asked for Config {
    fn name(&self) -> &'static str {
        "config"
    }

    fn within(&mut self, folder: &Path) {
        let lists = self.search.iter_mut().chain(&mut self.with);
        let files = lists.chain(&mut self.source).chain(&mut self.log);
        let files = files.chain(&mut self.watched);
        // A file's own folder is where its paths start from.
        let root = self.root.get_or_insert_default();
        below(folder, files.chain([&mut self.config, root]));
    }

    fn run(&self, _: &mut dyn Watch) -> Result<Audited> {
        let read = config::load(&self.config, &self.search)?;
        let missed: Vec<Finding> = read
            .missed
            .iter()
            .map(|m| not_evaluated(&read, m))
            .collect();
        let audited = Audited::of("config").subject("config", &self.config);
        let mut audited = audited.found(missed);
        if let Some(form) = self.print {
            audited.printed = Some(match form {
                Form::Json => format!("{:#}\n", print::json(&read.tree)),
                Form::Python => print::python(&read.tree) + "\n",
            });
            return Ok(audited);
        }
        let root = self.root.clone().unwrap_or_default();
        let view = View::of(&read);
        let mut found = rules::findings(&view, &self.rule)?;
        if let Some(log) = &self.log {
            found.extend(losses::findings(&view, log, &losses::logged(log)?));
        }
        if !self.source.is_empty() {
            let sources = sources(&self.source)?;
            found.extend(arguments::findings(&view, &self.source, &sources));
        }
        if let Some(watched) = &self.watched {
            let place = watched.display().to_string();
            found.extend(live::findings(&view, &parts(watched)?, &place));
        }
        found.extend(environment(&read));
        let advice = advice::findings(&view);
        match yolo::kind(&read) {
            Some(_) => {
                let set = yolo::gather(read, &self.with, &root)?;
                found.extend(yolo::findings(&set, &root));
            }
            None => {
                found.extend(paths::findings(&view, &root));
                found.extend(classes::findings(&view));
                found.extend(pipeline::findings(&view));
                found.extend(frozen::findings(&view));
            }
        }
        found.extend(advice);
        if found.is_empty() {
            found.push(nothing(&self.config));
        }
        Ok(audited.found(found))
    }
}

fn sources(folders: &[PathBuf]) -> Result<Sources> {
    crate::python::on_deep_stack(|| {
        let mut sources = Sources::default();
        folders.iter().for_each(|folder| sources.add(folder));
        Ok(sources)
    })
}

/// What the built model is made of.
fn parts(path: &Path) -> Result<IndexMap<String, Part>> {
    let read = training_log::open(path).at(path.display())?;
    let parts = read.watched.map(|w| w.parts).unwrap_or_default();
    match parts.is_empty() {
        false => Ok(parts),
        true => Err(Error::usage("it does not say what the model is made of")
            .next("give the file that parity_port.watch(model, FILE) writes"))
        .at(path.display()),
    }
}

fn not_evaluated(config: &config::Config, missed: &Missed) -> Finding {
    let what = format!("not evaluated: {} ({})", missed.excerpt, missed.why);
    Finding::new("not_evaluated", config.place(missed.at), what).severity(Severity::Unjudged)
}

/// A variable of the environment may replace what is audited here.
fn environment(config: &config::Config) -> Option<Finding> {
    let (name, default) = config.environment.first()?;
    let n = config.environment.len();
    let what = format!(
        "{} of the environment may replace a default: {name} = '{default}' here",
        super::counted(n, "variable")
    );
    let place = config.files[0].display().to_string();
    Some(Finding::new("environment", place, what).severity(Severity::Note))
}

fn nothing(config: &Path) -> Finding {
    let what = "no path, class, pipeline, loss or rule to hold against anything";
    Finding::new("config", config.display().to_string(), what)
        .next(["parity audit config --help says what can be given beside it".into()])
        .severity(Severity::Unjudged)
}

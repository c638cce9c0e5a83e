//! schema: what editors know of scenarios and of `parity.toml`: JSON schemas, made of the same types that read the files; they stand in docs/schema.

use super::config::Config;
use crate::scenario::Scenario;
use schemars::JsonSchema;
use serde_json::{Value, json};
use std::path::Path;

/// Kept files by name, and what they must hold.
fn all() -> [(&'static str, &'static str, Value); 2] {
    [
        ("scenario", "A scenario of parity", of::<Scenario>()),
        (
            "parity",
            "parity.toml, the suite of a project",
            of::<Config>(),
        ),
    ]
}

fn of<T: JsonSchema>() -> Value {
    schemars::schema_for!(T).to_value()
}

/// The schema as its file has it.
fn text(title: &str, mut schema: Value) -> String {
    schema["title"] = title.into();
    serde_json::to_string_pretty(&schema).unwrap() + "\n"
}

fn file(name: &str) -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema");
    folder.join(format!("{name}.schema.json"))
}

#[test]
fn the_schemas_in_the_documents_are_those_of_the_types() {
    for (name, title, schema) in all() {
        let made = text(title, schema);
        if std::env::var_os("PARITY_WRITE_DOCS").is_some() {
            std::fs::create_dir_all(file(name).parent().unwrap()).unwrap();
            std::fs::write(file(name), &made).unwrap();
        }
        let kept = std::fs::read_to_string(file(name)).unwrap_or_default();
        assert!(
            kept == made,
            "docs/schema/{name}.schema.json: PARITY_WRITE_DOCS=1 cargo test --lib schema writes it"
        );
    }
}

/// TOML as an editor hands it to a schema.
fn read(text: &str) -> Value {
    fn value(v: toml::Value) -> Value {
        match v {
            // JSON has no word for these; to a schema they are numbers.
            toml::Value::Float(f) if !f.is_finite() => json!(0.5),
            toml::Value::Array(all) => all.into_iter().map(value).collect(),
            toml::Value::Table(all) => all.into_iter().map(|(k, v)| (k, value(v))).collect(),
            other => serde_json::to_value(other).unwrap(),
        }
    }
    value(toml::Value::Table(toml::from_str(text).unwrap()))
}

fn validator(name: &str) -> jsonschema::Validator {
    let kept = std::fs::read_to_string(file(name)).unwrap();
    jsonschema::validator_for(&serde_json::from_str(&kept).unwrap()).unwrap()
}

#[test]
fn every_scenario_of_this_project_is_one_to_an_editor() {
    let validator = validator("scenario");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let found = super::discover::discover(&[folder], None).unwrap();
    assert!(found.scenarios.len() > 100, "{}", found.scenarios.len());
    for name in found.scenarios {
        let scenario = read(&std::fs::read_to_string(&name).unwrap());
        let wrong: Vec<String> = validator
            .iter_errors(&scenario)
            .map(|e| format!("{}: {e}", e.instance_path()))
            .collect();
        assert!(wrong.is_empty(), "{name}: {}", wrong.join("\n"));
    }
}

#[test]
fn what_the_program_refuses_for_its_keys_an_editor_underlines() {
    let validator = validator("scenario");
    let own = "format = 1\nmodel = 'm.onnx'\n";
    assert!(validator.is_valid(&read(own)));
    for more in [
        "modle = 'm.onnx'",
        "seed = 'one'",
        "stages = ['layers']",
        "[inputs.x]\nrandm = 'normal'",
        "[inputs.x]\nrandom = 'gauss'",
        "[candidate]\nsubject = 'tensorflow'",
        "[candidate]\nsubject = 'libtorch'\ntrace = 't'",
        "[expect]\nverdict = 'maybe'",
    ] {
        let text = format!("{own}{more}\n");
        assert!(
            crate::scenario::load::parse(&text).is_err(),
            "the program takes {more}"
        );
        assert!(!validator.is_valid(&read(&text)), "the schema takes {more}");
    }
    assert!(!validator.is_valid(&read("model = 'm.onnx'")));
}

#[test]
fn a_config_is_one_to_an_editor_and_an_unknown_key_is_not() {
    let validator = validator("parity");
    assert!(validator.is_valid(&read(
        "scenarios = ['a']\nexclude = ['b']\njobs = 2\nlimit = 9\n"
    )));
    for bad in ["scenario = ['a']", "jobs = 'two'", "scenarios = 'a'"] {
        assert!(!validator.is_valid(&read(bad)), "{bad}");
    }
}

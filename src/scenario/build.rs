//! build: a scenario from the command line: `parity run model.onnx --input name=shape|file`.

use super::{Distribution, Input, Scenario, load};
use crate::error::{Error, Result};
use crate::file;
use std::path::{Path, PathBuf};

/// The scenario that compares both engines on `model` and `inputs`.
pub fn from_model(model: &Path, inputs: &[String]) -> Result<Scenario> {
    let mut scenario = load::parse(&format!(
        "format = 1\nmodel = {}",
        toml::Value::from(file::as_text(model)?)
    ))?;
    scenario.name = model.file_stem().map(|s| s.to_string_lossy().into_owned());
    for text in inputs {
        let (name, input) = stated(text)?;
        if scenario.inputs.insert(name.clone(), input).is_some() {
            return Err(Error::usage(format!("--input: '{name}' is stated twice")));
        }
    }
    load::check(&scenario)?;
    Ok(scenario)
}

/// `NAME=VALUE` of the command line.
///
/// # Errors
/// No `=`, or a value that is neither a shape nor a file.
pub fn stated(text: &str) -> Result<(String, Input)> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| Error::usage(format!("--input {text}: expected NAME=SHAPE or NAME=FILE")))?;
    Ok((name.to_string(), input(value)?))
}

/// `1x3x224x224` (uniform in [0, 1)), `1x128:0..30521` (integers), or a file.
fn input(value: &str) -> Result<Input> {
    if let Some(file) = value.strip_suffix(":samples") {
        return Ok(Input {
            file: Some(PathBuf::from(file)),
            samples: Some(true),
            ..Default::default()
        });
    }
    if Path::new(value).is_dir() {
        return Ok(folder(Path::new(value)));
    }
    let (dims, range) = value.split_once(':').unwrap_or((value, ""));
    let shape: Option<Vec<usize>> = dims
        .split(['x', ','])
        .map(|d| d.trim().parse().ok())
        .collect();
    let extension = Path::new(value)
        .extension()
        .and_then(|e| e.to_str())
        .map(str::to_lowercase);
    match (shape, extension.as_deref()) {
        (Some(shape), _) => {
            let (low, high) = range_of(dims.len() < value.len(), range)?;
            let random = if low.is_some() {
                Distribution::Integers
            } else {
                Distribution::Uniform
            };
            Ok(Input {
                random: Some(random),
                shape: Some(shape),
                low,
                high,
                ..Default::default()
            })
        }
        (None, Some("npy" | "safetensors")) => Ok(Input {
            file: Some(PathBuf::from(value)),
            ..Default::default()
        }),
        (None, Some("png" | "jpg" | "jpeg")) => Ok(Input {
            image: Some(PathBuf::from(value)),
            ..Default::default()
        }),
        (None, Some("npz")) => Err(
            Error::usage(format!("'{value}': .npz is a folder of arrays"))
                .next("save the one array by numpy.save"),
        ),
        // What a live port's preprocessing reads.
        _ if Path::new(value).is_file() => Ok(Input {
            file: Some(PathBuf::from(value)),
            ..Default::default()
        }),
        _ => Err(Error::usage(format!(
            "'{value}' is neither a shape like 1x3x224x224 nor a .npy, .safetensors, .png or .jpg file"
        ))),
    }
}

/// Every file of a folder: of images where one is.
fn folder(path: &Path) -> Input {
    let image = |p: PathBuf| {
        let end = p
            .extension()
            .and_then(|e| e.to_str())
            .map(str::to_lowercase);
        end.is_some_and(|e| ["png", "jpg", "jpeg"].contains(&e.as_str()))
    };
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    match entries.map(|e| e.path()).any(image) {
        true => Input {
            image: Some(path.into()),
            ..Default::default()
        },
        false => Input {
            file: Some(path.into()),
            ..Default::default()
        },
    }
}

/// Both ends of `LOW..HIGH`, or neither where no range is stated.
fn range_of(stated: bool, range: &str) -> Result<(Option<f64>, Option<f64>)> {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|v| v.is_finite());
    match range
        .split_once("..")
        .map(|(low, high)| (number(low), number(high)))
    {
        Some((Some(low), Some(high))) => Ok((Some(low), Some(high))),
        None if !stated => Ok((None, None)),
        _ => Err(Error::usage(format!("'{range}' is no range"))
            .next("a range is LOW..HIGH, both included: 0..99 is 100 integers")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_a_shape_a_range_or_a_file() {
        let i = input("1x3x8x8").unwrap();
        assert_eq!(
            (i.shape, i.random),
            (Some(vec![1, 3, 8, 8]), Some(Distribution::Uniform))
        );
        let i = input("1x16:0..99").unwrap();
        assert_eq!(
            (i.low, i.high, i.random),
            (Some(0.0), Some(99.0), Some(Distribution::Integers))
        );
        assert!(input("x.npy").unwrap().file.is_some());
        assert!(input("a.png").unwrap().image.is_some());
        // Any file that there is may be one that a port reads; one of tensors is read here.
        let raw = |text: &str| input(text).unwrap().raw().is_some();
        assert!(raw("Cargo.toml") && raw("a.png") && !raw("x.npy") && !raw("1x3"));
        for bad in [
            "whatever",
            "1x2:",
            "1x2:0",
            "1x2:a..5",
            "1x2:0..b",
            "1x2:0..inf",
        ] {
            assert!(input(bad).is_err(), "{bad}");
        }
    }
}

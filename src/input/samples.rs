//! samples: inputs that stand for several, a folder of files or the first axis of one: a scenario for each.

use super::file;
use crate::error::{Error, Place, Result};
use crate::file as files;
use crate::scenario::{Input, Scenario};
use crate::tensor::Tensor;
use std::path::{Path, PathBuf};

/// What each sample is called, and the scenario that is run on it; None where every input is one.
///
/// # Errors
/// An empty folder, a file that cannot be read, inputs of which there are not equally many.
pub fn of(scenario: &Scenario) -> Result<Option<Vec<(String, Scenario)>>> {
    let mut known: Option<(String, usize)> = None;
    let mut all: Vec<(String, Scenario)> = vec![];
    for (name, input) in &scenario.inputs {
        let Some(samples) = each(name, input).at(format!("input '{name}'"))? else {
            continue;
        };
        if let Some((other, count)) = &known
            && *count != samples.len()
        {
            return Err(Error::usage(format!(
                "{count} samples of input '{other}', {} of input '{name}'",
                samples.len()
            ))
            .next("give as many of each: the first belongs to the first"));
        }
        if all.is_empty() {
            all = samples
                .iter()
                .map(|(called, _)| (called.clone(), scenario.clone()))
                .collect();
        }
        known = Some((name.clone(), samples.len()));
        for ((_, own), (_, input)) in all.iter_mut().zip(samples) {
            own.inputs.insert(name.clone(), input);
        }
    }
    Ok(known.map(|_| all))
}

/// The samples of one input.
fn each(name: &str, input: &Input) -> Result<Option<Vec<(String, Input)>>> {
    let places: [fn(&mut Input) -> &mut Option<PathBuf>; 2] = [|i| &mut i.image, |i| &mut i.file];
    for place in places {
        let Some(folder) = place(&mut input.clone()).take().filter(|p| p.is_dir()) else {
            continue;
        };
        let one = |path: PathBuf| {
            let mut own = input.clone();
            let name = called(&path);
            *place(&mut own) = Some(path);
            (name, own)
        };
        return Ok(Some(files::listed(&folder)?.into_iter().map(one).collect()));
    }
    let Some(path) = input.file.as_ref().filter(|_| input.samples == Some(true)) else {
        return Ok(None);
    };
    let held = file::load(path, input.tensor.as_deref().unwrap_or(name))?;
    let count = held.shape().first().copied().filter(|n| *n > 0);
    let count = count.ok_or_else(|| {
        Error::usage(format!(
            "{} has shape {:?}: no first axis to take samples from",
            path.display(),
            held.shape()
        ))
    })?;
    let one = |i: usize| Input {
        samples: None,
        sample: Some(i),
        ..input.clone()
    };
    Ok(Some(
        (0..count)
            .map(|i| (format!("{}[{i}]", called(path)), one(i)))
            .collect(),
    ))
}

fn called(path: &Path) -> String {
    path.file_name()
        .map_or(String::new(), |n| n.to_string_lossy().into_owned())
}

/// Sample `i` of a tensor, on as many axes as are wanted: with a first axis of 1, or without it.
///
/// # Errors
/// There are not so many.
pub fn taken(held: &Tensor, i: usize, axes: Option<usize>) -> Result<Tensor> {
    if held.shape().first().is_none_or(|n| i >= *n) {
        return Err(Error::usage(format!(
            "shape {:?} has no sample {i}",
            held.shape()
        )));
    }
    let row = held.row(i);
    let rest = &held.shape()[1..];
    let shape = match axes == Some(rest.len()) {
        true => rest.to_vec(),
        false => [&[1], rest].concat(),
    };
    Tensor::from_bytes(held.dtype(), shape, row.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load;

    fn scenario(text: &str) -> Scenario {
        load::parse(&format!("format = 1\nmodel = \"m.onnx\"\n{text}")).unwrap()
    }

    #[test]
    fn a_folder_is_a_sample_for_each_file_and_others_must_be_as_many() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.npy", "a.npy", ".hidden"] {
            std::fs::write(dir.path().join(name), "x").unwrap();
        }
        let folder = dir.path().display();
        let two = of(&scenario(&format!(
            "[inputs.x]\nfile = '{folder}'\n[inputs.y]\nrandom = \"normal\""
        )))
        .unwrap()
        .unwrap();
        let names: Vec<&str> = two.iter().map(|s| s.0.as_str()).collect();
        assert_eq!(names, ["a.npy", "b.npy"]);
        assert_eq!(
            two[1].1.inputs["x"].file.as_deref(),
            Some(&*dir.path().join("b.npy"))
        );
        assert!(two[1].1.inputs["y"].random.is_some());
        assert!(
            of(&scenario("[inputs.x]\nrandom = \"normal\""))
                .unwrap()
                .is_none()
        );
        let other = tempfile::tempdir().unwrap();
        let empty = format!(
            "[inputs.x]\nfile = '{folder}'\n[inputs.y]\nimage = '{}'",
            other.path().display()
        );
        assert!(
            of(&scenario(&empty))
                .unwrap_err()
                .message
                .contains("holds no file")
        );
        std::fs::write(other.path().join("c.png"), "x").unwrap();
        let said = of(&scenario(&empty)).unwrap_err().message;
        assert!(
            said.contains("2 samples of input 'x', 1 of input 'y'"),
            "{said}"
        );
    }

    #[test]
    fn a_sample_of_a_first_axis_has_the_axes_that_the_model_takes() {
        let held = Tensor::of(&[2, 3], &[1f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
        for (axes, shape) in [
            (Some(1), vec![3]),
            (Some(2), vec![1, 3]),
            (None, vec![1, 3]),
        ] {
            let one = taken(&held, 1, axes).unwrap();
            assert_eq!(
                (one.shape(), one.to_f64()),
                (&shape[..], vec![4.0, 5.0, 6.0])
            );
        }
        assert!(taken(&held, 2, None).is_err());
    }
}

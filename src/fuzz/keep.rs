//! keep: finds as scenarios in a folder: written the moment they are shrunk, replayed by `parity run`, tried first the next time.

use super::account::Find;
use super::finding::kind;
use super::shelf;
use super::subject::Candidate;
use crate::error::{Error, Place, Result, printable};
use crate::graph::Graph;
use crate::input;
use crate::scenario::{self, Scenario, Subject, load};
use crate::subject::kernels::Kernel;
use crate::subject::kernels::draw::Case;
use crate::tensor::DType;
use crate::trace::write::replace;
use std::path::{Component, Path, PathBuf};

/// Where finds of one kernel and subject are kept.
pub struct Folder {
    pub path: PathBuf,
    pub kernel: &'static Kernel,
    /// The ONNX form.
    pub model: PathBuf,
    pub candidate: Candidate,
    pub seed: u64,
}

impl Folder {
    /// Writes a find; an equal one is written over.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn keep(&self, find: &Find) -> Result<PathBuf> {
        shelf::make(&self.path)?;
        let name = format!("{}-{}", self.kernel.name, self.hash(find));
        let path = self.path.join(format!("{name}.toml"));
        replace(&path, self.text(find, &name)?.as_bytes())?;
        Ok(path)
    }

    /// Told by the kernel, the subject, the kind of finding and the inputs.
    fn hash(&self, find: &Find) -> String {
        let who = format!("{:?} {}", self.candidate.subject, self.candidate.dtype);
        shelf::hash(who, kind(&find.finding.what), &find.shrunk.inputs)
    }

    fn text(&self, find: &Find, name: &str) -> Result<String> {
        let model = relative(&self.model, &self.path)?;
        let mut scenario = load::parse(&format!(
            "format = 1\nmodel = {}",
            toml::Value::from(model.display().to_string())
        ))?;
        scenario.seed = self.seed;
        scenario.reference = Subject::Kernel {
            kernel: Some(self.kernel.name.into()),
        };
        scenario.candidate = self.candidate.subject.clone();
        let dtype = Some(self.candidate.dtype).filter(|d| *d != DType::F64);
        scenario.find = Some(scenario::Find {
            kernel: self.kernel.name.into(),
            dtype,
            what: find.finding.what.clone(),
            case: find.case,
        });
        scenario.inputs = shelf::stated(&self.path, name, &find.shrunk.inputs)?;
        Ok(format!(
            "# {}\n{}",
            printable(&find.finding.to_string()),
            load::text(&scenario)?
        ))
    }

    /// The finds of this kernel on this candidate, with whatever fault.
    ///
    /// # Errors
    /// A scenario of the folder that cannot be read.
    pub fn known(&self, graph: &Graph) -> Result<Vec<(PathBuf, Case)>> {
        let mut known = Vec::new();
        for path in shelf::finds(&self.path, self.kernel.name) {
            let scenario = load::file(&path)?;
            if scenario
                .find
                .as_ref()
                .is_some_and(|find| candidate(&scenario, find).is_alike(&self.candidate))
            {
                let case = case(&scenario, graph).at(path.display())?;
                known.push((path, case));
            }
        }
        Ok(known)
    }
}

/// On whom a find was found.
pub fn candidate(scenario: &Scenario, find: &scenario::Find) -> Candidate {
    Candidate {
        subject: scenario.candidate.clone(),
        dtype: find.dtype.unwrap_or(DType::F64),
    }
}

/// The inputs of a find.
///
/// # Errors
/// Inputs that the form does not take.
pub fn case(scenario: &Scenario, graph: &Graph) -> Result<Case> {
    Ok(Case {
        inputs: input::make(scenario, graph)?,
        ..Case::default()
    })
}

/// `file` as it is seen from `folder`, so that a checkout can be moved.
pub fn relative(file: &Path, folder: &Path) -> Result<PathBuf> {
    let real = |p: &Path| {
        p.canonicalize()
            .map_err(|e| Error::failed(format!("{}: {e}", p.display())))
    };
    let (file, folder) = (real(file)?, real(folder)?);
    let shared = file
        .components()
        .zip(folder.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = folder
        .components()
        .skip(shared)
        .map(|_| Component::ParentDir);
    Ok(up.chain(file.components().skip(shared)).collect())
}

#[cfg(test)]
mod tests {
    use super::super::finding::Finding;
    use super::*;
    use crate::subject::kernels::find;
    use crate::tensor::Tensor;

    fn folder(path: &Path) -> Folder {
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/kernels/giou_yolov6.onnx");
        let kernel = find("giou_yolov6").unwrap();
        let candidate = Candidate::called("libtorch", kernel).unwrap();
        Folder {
            path: path.to_path_buf(),
            kernel,
            model,
            candidate,
            seed: 3,
        }
    }

    fn of(rows: usize) -> Find {
        let boxes = Tensor::from_vec(&[rows, 4], [0f32, 0.25, 1.5, 2.0].repeat(rows));
        let finding = Finding {
            what: "value 'similarity'".into(),
            index: 0,
            reference: 1.0,
            candidate: 2.0,
        };
        let inputs = [("a".to_string(), boxes.clone()), ("b".to_string(), boxes)]
            .into_iter()
            .collect();
        Find {
            case: 17,
            finding,
            shrunk: Case {
                inputs,
                ..Case::default()
            },
            kept: None,
        }
    }

    #[test]
    fn a_find_small_or_large_is_read_back_bit_for_bit_and_written_once() {
        let dir = tempfile::tempdir().unwrap();
        let folder = folder(dir.path());
        let graph = crate::graph::load::file(&folder.model).unwrap();
        for (rows, files) in [(1, 1), (200, 3)] {
            let find = of(rows);
            let path = folder.keep(&find).unwrap();
            assert_eq!(
                path,
                folder.keep(&find).unwrap(),
                "an equal find is one file"
            );
            assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), files);
            let known = folder.known(&graph).unwrap();
            let (_, case) = known.iter().find(|(p, _)| *p == path).unwrap();
            for (name, tensor) in &find.shrunk.inputs {
                assert_eq!(case.inputs[name].bytes(), tensor.bytes(), "{name}");
            }
        }
    }

    #[test]
    fn a_find_says_what_was_found_and_names_no_absolute_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = folder(dir.path()).keep(&of(1)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("# value 'similarity' [0] is 2e0, the reference says 1e0\n"),
            "{text}"
        );
        assert!(text.contains("model = \"../"), "{text}");
        let scenario = load::file(&path).unwrap();
        assert_eq!(scenario.find.unwrap().case, 17);
        let kernel = Some("giou_yolov6".to_string());
        assert_eq!(scenario.reference, Subject::Kernel { kernel });
    }

    #[test]
    fn finds_of_a_kernel_whose_name_begins_alike_are_not_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let own = folder(dir.path());
        for (name, is) in [
            ("giou_yolov6-0123456789ab.toml", true),
            ("giou_yolov6-x.toml", false),
            ("giou_yolov6_2-0123456789ab.toml", false),
        ] {
            assert_eq!(
                shelf::is_find(Path::new(name), own.kernel.name),
                is,
                "{name}"
            );
        }
    }
}

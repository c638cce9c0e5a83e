//! saved: a find of a kernel as a scenario that `parity run` replays.

use super::Fuzzed;
use super::subject::Candidate;
use crate::error::{Error, Result};
use crate::fuzz::run::FindOf;
use crate::fuzz::saved::{self, relative};
use crate::fuzz::tally::Wrong as _;
use crate::graph::Graph;
use crate::scenario::{self, Scenario, Subject, load};
use crate::subject::kernels::Kernel;
use crate::subject::kernels::draw::Case;
use crate::tensor::DType;
use std::path::PathBuf;

/// Where finds of one kernel and subject are kept.
pub struct Folder {
    pub folder: saved::Folder,
    pub kernel: &'static Kernel,
    /// The ONNX form.
    pub model: PathBuf,
    pub candidate: Candidate,
    pub seed: u64,
}

impl Folder {
    /// Finds of the kernel, in the folder `path`.
    pub fn at(
        path: PathBuf,
        kernel: &'static Kernel,
        model: PathBuf,
        candidate: Candidate,
        seed: u64,
    ) -> Self {
        let name = kernel.name.to_string();
        Self {
            folder: saved::Folder { path, name },
            kernel,
            model,
            candidate,
            seed,
        }
    }

    /// Writes a find; an equal one is written over.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn keep(&self, find: &FindOf<Fuzzed>) -> Result<PathBuf> {
        // As a scenario states it: names of files outlive names of types.
        let subject = toml::to_string(&self.candidate.subject)
            .map_err(|e| Error::failed(format!("candidate: {e}")))?;
        let who = format!("{subject} {}", self.candidate.dtype);
        let name = self.folder.called(who, find.wrong.kind(), &find.shrunk)?;
        let says = find.wrong.to_string();
        self.folder
            .write(&name, self.scenario(find)?, &find.shrunk.inputs, &says)
    }

    fn scenario(&self, find: &FindOf<Fuzzed>) -> Result<Scenario> {
        let model = relative(&self.model, &self.folder.path)?;
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
            kernel: Some(self.kernel.name.into()),
            dtype,
            what: find.wrong.what.clone(),
            case: find.case,
        });
        Ok(scenario)
    }

    /// The finds of this kernel on this candidate, with whatever fault.
    ///
    /// # Errors
    /// A scenario of the folder that cannot be read.
    pub fn known(&self, graph: &Graph) -> Result<Vec<(PathBuf, Case)>> {
        self.folder.known(graph, |scenario| {
            let find = scenario.find.as_ref();
            find.is_some_and(|find| candidate(scenario, find).is_alike(&self.candidate))
        })
    }
}

/// On whom a find was found.
pub fn candidate(scenario: &Scenario, find: &scenario::Find) -> Candidate {
    Candidate {
        subject: scenario.candidate.clone(),
        dtype: find.dtype.unwrap_or(DType::F64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::kernel::wrong_number::WrongNumber;
    use crate::subject::kernels::find;
    use crate::tensor::Tensor;
    use std::path::Path;

    fn folder(path: &Path) -> Folder {
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/kernels/giou_yolov6.onnx");
        let kernel = find("giou_yolov6").unwrap();
        let candidate = Candidate::called("libtorch", kernel).unwrap();
        Folder::at(path.to_path_buf(), kernel, model, candidate, 3)
    }

    fn of(rows: usize) -> FindOf<Fuzzed<'static>> {
        let boxes = Tensor::from_vec(&[rows, 4], [0f32, 0.25, 1.5, 2.0].repeat(rows));
        let wrong = WrongNumber {
            what: "value 'similarity'".into(),
            index: 0,
            reference: 1.0,
            candidate: 2.0,
        };
        let inputs = [("a".to_string(), boxes.clone()), ("b".to_string(), boxes)]
            .into_iter()
            .collect();
        crate::fuzz::tally::Find {
            case: 17,
            part: (),
            wrong,
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
                saved::is_find(Path::new(name), own.kernel.name),
                is,
                "{name}"
            );
        }
    }
}

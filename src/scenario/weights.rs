//! weights: parameters that a side is given before it runs: a file, or those of the other side.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What stands for the parameters of the reference.
const REFERENCE: &str = "reference";

/// `weights = "FILE"`, or a table that says more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(from = "Stated")]
pub struct Weights {
    /// A checkpoint, a trace or a model; `reference`, of the second, for what the first side holds.
    pub file: PathBuf,
    /// Names that differ: `A=B`, or `A*=B*` for a whole module.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rename: Vec<String>,
    /// Parameters that are meant to begin anew; patterns.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
}

impl Weights {
    pub fn of(file: &Path) -> Self {
        Self {
            file: file.into(),
            rename: vec![],
            except: vec![],
        }
    }

    /// Whether they are those of the reference.
    pub fn are_the_references(&self) -> bool {
        self.file.as_os_str() == REFERENCE
    }
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
enum Stated {
    File(PathBuf),
    More(More),
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct More {
    file: PathBuf,
    #[serde(default)]
    rename: Vec<String>,
    #[serde(default)]
    except: Vec<String>,
}

impl From<Stated> for Weights {
    fn from(stated: Stated) -> Self {
        match stated {
            Stated::File(file) => Self::of(&file),
            Stated::More(more) => Self {
                file: more.file,
                rename: more.rename,
                except: more.except,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Holder {
        weights: Weights,
    }

    #[test]
    fn a_file_alone_and_one_with_renames_are_read_and_an_unknown_key_is_not() {
        let read = |text: &str| toml::from_str::<Holder>(text).map(|h| h.weights);
        let alone = read("weights = \"a.safetensors\"").unwrap();
        assert_eq!(alone, Weights::of(Path::new("a.safetensors")));
        assert!(!alone.are_the_references());
        let more = read("weights = { file = \"reference\", rename = [\"a=b\"] }").unwrap();
        assert!(more.are_the_references() && more.rename == ["a=b"]);
        assert!(read("weights = { file = \"a\", renames = [] }").is_err());
    }
}

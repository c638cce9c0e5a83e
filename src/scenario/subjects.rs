//! subjects: every subject that a scenario can name: its keys, what it needs, and what it is able to do.

use crate::error::hint;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Who computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub enum SubjectKind {
    OnnxRuntime,
    Libtorch,
    TorchScript,
    Recorded,
    Kernel,
    Simulated,
    Faulty,
}

/// One line of `parity list subjects`.
pub struct Row {
    pub kind: SubjectKind,
    pub name: &'static str,
    pub summary: &'static str,
    pub needs: &'static str,
    /// What stands beside `subject` in a scenario, in the order of its type.
    pub keys: &'static [&'static str],
    pub abilities: Abilities,
}

/// What a subject is able to do. Of `faulty` it is what it wraps that is able.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// It runs whatever graph and part it is given: a fault can be put into it, a part of it can be run alone.
    pub any_graph: bool,
    /// It has libtorch's operators of the graph, and lacks those that libtorch lacks.
    pub interprets: bool,
    /// It answers inputs that it has not seen.
    pub answers: bool,
    /// It computes with the kernels of the f64 shadow, which is no independent witness for it then.
    pub shares_shadow: bool,
    pub gradients: Gradients,
}

/// Where a subject's gradients come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gradients {
    /// It computes them.
    Own,
    /// They were recorded with it.
    Kept,
    /// It knows them exactly.
    Exact,
    /// It gives none.
    Nothing,
}

pub const ALL: &[Row] = &[
    Row {
        kind: SubjectKind::OnnxRuntime,
        name: "onnxruntime",
        summary: "the ONNX graph in ONNX Runtime, every intermediate observed",
        needs: "libonnxruntime (scripts/setup, or ORT_DYLIB_PATH)",
        keys: &["optimisation"],
        abilities: Abilities {
            any_graph: true,
            interprets: false,
            answers: true,
            shares_shadow: false,
            gradients: Gradients::Nothing,
        },
    },
    Row {
        kind: SubjectKind::Libtorch,
        name: "libtorch",
        summary: "the same graph, interpreted node by node with libtorch kernels",
        needs: "parity-engine and libtorch (scripts/setup, or LIBTORCH)",
        keys: &[],
        abilities: Abilities {
            any_graph: true,
            interprets: true,
            answers: true,
            shares_shadow: true,
            gradients: Gradients::Own,
        },
    },
    Row {
        kind: SubjectKind::TorchScript,
        name: "torchscript",
        summary: "a TorchScript file of the same network in libtorch: declared outputs only",
        needs: "parity-engine and libtorch (scripts/setup, or LIBTORCH)",
        keys: &["script", "takes", "rename"],
        abilities: Abilities {
            any_graph: false,
            interprets: false,
            answers: true,
            shares_shadow: true,
            gradients: Gradients::Nothing,
        },
    },
    Row {
        kind: SubjectKind::Recorded,
        name: "recorded",
        summary: "a trace file: safetensors written by `parity run --record` or by anything else",
        needs: "nothing",
        keys: &["trace", "rename"],
        abilities: Abilities {
            any_graph: false,
            interprets: false,
            answers: false,
            shares_shadow: false,
            gradients: Gradients::Kept,
        },
    },
    Row {
        kind: SubjectKind::Kernel,
        name: "kernel",
        summary: "a built-in f64 reference in the place of its ONNX form: declared outputs only",
        needs: "nothing",
        keys: &["kernel"],
        abilities: Abilities {
            any_graph: false,
            interprets: false,
            answers: false,
            shares_shadow: false,
            gradients: Gradients::Exact,
        },
    },
    Row {
        kind: SubjectKind::Simulated,
        name: "simulated",
        summary: "a healthy engine that nobody owns: f64 rounded anew within half of every bound, to try the judge",
        needs: "parity-engine and libtorch (scripts/setup, or LIBTORCH)",
        keys: &["seed"],
        abilities: Abilities {
            any_graph: false,
            interprets: true,
            answers: true,
            shares_shadow: false,
            gradients: Gradients::Nothing,
        },
    },
    Row {
        kind: SubjectKind::Faulty,
        name: "faulty",
        summary: "onnxruntime or libtorch with one named fault injected: the negative control",
        needs: "what it wraps",
        keys: &[
            "optimisation",
            "of",
            "fault",
            "node",
            "amount",
            "and_shadow",
        ],
        abilities: Abilities {
            any_graph: false,
            interprets: false,
            answers: true,
            shares_shadow: false,
            gradients: Gradients::Nothing,
        },
    },
];

/// The subjects that take `key`.
pub fn with(key: &str) -> impl Iterator<Item = &'static Row> {
    ALL.iter().filter(move |row| row.keys.contains(&key))
}

impl SubjectKind {
    /// Its line of the table, which is in the order of the enum.
    pub fn row(self) -> &'static Row {
        &ALL[self as usize]
    }

    pub fn name(self) -> &'static str {
        self.row().name
    }
}

impl fmt::Display for SubjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<SubjectKind> for String {
    fn from(kind: SubjectKind) -> String {
        kind.name().into()
    }
}

impl TryFrom<String> for SubjectKind {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let known = || ALL.iter().map(|row| row.name);
        let found = ALL.iter().find(|row| row.name == name);
        found.map(|row| row.kind).ok_or_else(|| {
            let all = known().collect::<Vec<_>>().join(", ");
            format!(
                "unknown subject '{name}'; {}known: {all}",
                hint(&name, known())
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Subject;

    #[test]
    fn the_table_is_in_the_order_of_the_enum_and_a_name_is_read_back() {
        for (i, row) in ALL.iter().enumerate() {
            assert_eq!((row.kind as usize, row.kind.row().name), (i, row.name));
            assert_eq!(SubjectKind::try_from(String::from(row.kind)), Ok(row.kind));
        }
        let says = SubjectKind::try_from("onnxruntim".to_string()).unwrap_err();
        assert!(
            says.contains("did you mean 'onnxruntime'") && says.contains("recorded"),
            "{says}"
        );
    }

    #[test]
    fn a_row_lists_the_keys_that_its_subject_takes() {
        for row in ALL {
            let odd = format!("subject = \"{}\"\nodd = 1", row.name);
            let told = toml::from_str::<Subject>(&odd).unwrap_err().to_string();
            let keys: Vec<&str> = told.split('`').skip(1).step_by(2).collect();
            assert_eq!((keys[0], &keys[1..]), ("odd", row.keys), "{told}");
        }
    }
}

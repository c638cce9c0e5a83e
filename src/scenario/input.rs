//! input: where the input tensors of a scenario come from.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where one input tensor comes from: exactly one of `image`, `file`, `random`, `values`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// PNG or JPEG file, or a folder of them, each of which is run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<PathBuf>,
    /// Target height and width of an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<[u32; 2]>,
    /// `stretch` (default) or `letterbox`: keep the aspect ratio, fill right and below with `fill`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<Fit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<u8>,
    /// Channel order of an image: `rgb` (default), `bgr`, `gray`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<Color>,
    /// Multiplies every 0-255 value; 1 where not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<f32>,
    /// Subtracted per channel, after `scale`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<Vec<f32>>,
    /// Divides per channel, after `mean`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub std: Option<Vec<f32>>,
    /// `nchw` (default) or `nhwc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<Layout>,
    /// `.npy` or `.safetensors` file, or a folder of them, each of which is run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// Name inside a safetensors file; the input's own name where not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tensor: Option<String>,
    /// Whether the first axis of the file counts samples, each of which is run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<bool>,
    /// One of these, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<usize>,
    /// Generated values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub random: Option<Distribution>,
    /// `uniform` and `integers`: smallest value; `normal`: not allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Largest value (included for integers).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// `constant`: the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The values themselves, row-major, for small inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<f64>>,
    /// Shape of generated or stated values, where the model leaves it open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Vec<usize>>,
    /// Sizes of named dimensions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dims: BTreeMap<String, usize>,
}

impl Input {
    /// A file of which nothing says how it becomes a tensor: a live port's preprocessing reads it.
    pub fn raw(&self) -> Option<&Path> {
        let file = self.image.as_ref().or(self.file.as_ref())?;
        let alone = Self {
            image: self.image.clone(),
            file: self.file.clone(),
            ..Self::default()
        };
        let name = file.to_string_lossy().to_lowercase();
        let ends = [".npy", ".npz", ".safetensors", ".safetensors.index.json"];
        let of_tensors = ends.iter().any(|end| name.ends_with(end));
        (*self == alone && !of_tensors).then_some(file)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    Stretch,
    Letterbox,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Color {
    Rgb,
    Bgr,
    Gray,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    Nchw,
    Nhwc,
}

/// Named distributions of generated inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Evenly in [low, high); [0, 1) where not stated.
    Uniform,
    /// Mean 0, standard deviation 1.
    Normal,
    /// Evenly among the integers low ..= high, both required.
    Integers,
    /// `value` everywhere.
    Constant,
}

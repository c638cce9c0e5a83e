//! names: what a parameter's name says of it in every framework: its leaf's role, whether it is a statistic, and its place among repeated blocks.

use super::module;
pub use crate::graph::params::is_generated;

/// What a leaf is to its module, whatever the framework calls it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    Weight,
    Bias,
    Mean,
    Variance,
    /// How many batches a norm has seen.
    Counter,
    /// A leaf that no table knows, by its own name.
    Other(String),
}

/// (role, leaves): PyTorch, Jittor, Paddle, MXNet; Keras; Flax and Haiku; MindSpore; MLX.
const LEAVES: &[(Role, &[&str])] = &[
    (
        Role::Weight,
        &[
            "weight",
            "kernel",
            "gamma",
            "scale",
            "w",
            "embedding",
            "embeddings",
        ],
    ),
    (Role::Bias, &["bias", "beta", "offset", "b"]),
    (
        Role::Mean,
        &[
            "running_mean",
            "_running_mean",
            "moving_mean",
            "_mean",
            "mean_ema",
        ],
    ),
    (
        Role::Variance,
        &[
            "running_var",
            "_running_var",
            "moving_variance",
            "moving_var",
            "_variance",
            "var_ema",
        ],
    ),
    (Role::Counter, &["num_batches_tracked"]),
];

/// What ends a name of which a part is its module (MXNet: `stage1_batchnorm0_running_mean`).
const ENDINGS: &[(Role, &str)] = &[
    (Role::Mean, "_running_mean"),
    (Role::Variance, "_running_var"),
    (Role::Mean, "_moving_mean"),
    (Role::Variance, "_moving_variance"),
    (Role::Variance, "_moving_var"),
];

/// The last part of a name, without TensorFlow's number of the output (`gamma:0`).
pub fn leaf(name: &str) -> &str {
    let own = name.strip_suffix(":0").unwrap_or(name);
    own.rsplit(['.', '/']).next().unwrap_or(own)
}

/// The role of a name. Flax calls statistics `mean` and `var`; they are, below its `batch_stats`.
pub fn role(name: &str) -> Role {
    let leaf = leaf(name);
    let flax = parts(name).any(|part| part == "batch_stats");
    match leaf {
        "mean" if flax => return Role::Mean,
        "var" if flax => return Role::Variance,
        _ => {}
    }
    let listed = LEAVES.iter().find(|row| row.1.contains(&leaf));
    let ending = || ENDINGS.iter().find(|row| leaf.ends_with(row.1));
    listed
        .map(|row| row.0.clone())
        .or_else(|| ending().map(|row| row.0.clone()))
        .unwrap_or_else(|| Role::Other(leaf.into()))
}

/// Whether it is kept and never trained: the statistics and the counter of a norm.
pub fn is_statistic(name: &str) -> bool {
    matches!(role(name), Role::Mean | Role::Variance | Role::Counter)
}

/// The parts of a path.
pub fn parts(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split(['.', '/']).filter(|part| !part.is_empty())
}

/// A path with its numbers taken out: `layers.3.attn` is `layers.*.attn` and 3.
pub fn template(path: &str) -> (String, Vec<&str>) {
    let is_number = |part: &&str| part.bytes().all(|b| b.is_ascii_digit());
    let starred = |part| if is_number(&part) { "*" } else { part };
    let shape: Vec<&str> = parts(path).map(starred).collect();
    (shape.join("."), parts(path).filter(is_number).collect())
}

/// `template` with its stars filled in again; None where they are not as many.
pub fn filled(template: &str, numbers: &[&str]) -> Option<String> {
    let mut numbers = numbers.iter();
    let fill = |part| match part {
        "*" => numbers.next().copied(),
        own => Some(own),
    };
    let whole: Option<Vec<&str>> = parts(template).map(fill).collect();
    whole
        .filter(|_| numbers.next().is_none())
        .map(|w| w.join("."))
}

/// A path as rules compare it: '/' and '.' part alike.
pub fn dotted(path: &str) -> String {
    parts(path).collect::<Vec<_>>().join(".")
}

/// Module and role: what two names of one parameter agree in.
pub fn place(name: &str) -> (String, Role) {
    (dotted(module(name)), role(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_known_by_the_names_of_every_framework() {
        for name in [
            "bn.running_mean",
            "bn.running_var",
            "bn.num_batches_tracked",
            "bn._mean",
            "bn._variance",
            "bn/moving_mean:0",
            "bn/moving_variance:0",
            "bn.moving_var",
            "batch_stats.bn.mean",
            "batch_stats/bn/var",
            "stage1_batchnorm0_running_mean",
        ] {
            assert!(is_statistic(name), "{name}");
        }
        for name in [
            "bn.weight",
            "bn.gamma",
            "pixel.mean",
            "head.var",
            "layer_mean",
            "means",
            "",
        ] {
            assert!(!is_statistic(name), "{name}");
        }
    }

    #[test]
    fn leaves_of_other_frameworks_have_one_role() {
        for (names, want) in [
            (["n.weight", "n.gamma", "n/scale", "c.kernel"], Role::Weight),
            (["n.bias", "n.beta", "n/bias:0", "n.offset"], Role::Bias),
        ] {
            assert!(names.iter().all(|n| role(n) == want), "{want:?}");
        }
        assert_eq!(role("a.in_proj"), Role::Other("in_proj".into()));
    }

    #[test]
    fn what_an_exporter_made_up_is_no_name() {
        for name in ["onnx::Conv_123", "onnx::MatMul_7", "val_3", "411"] {
            assert!(is_generated(name), "{name}");
        }
        for name in ["conv.weight", "layers.3", "onnx::x", "val_", "", "value_3"] {
            assert!(!is_generated(name), "{name}");
        }
    }

    #[test]
    fn numbers_are_taken_out_of_a_path_and_filled_in_again() {
        let (path, numbers) = template("layers.3/attn.0.q");
        assert_eq!(
            (path.as_str(), &*numbers),
            ("layers.*.attn.*.q", &["3", "0"][..])
        );
        assert_eq!(filled("h.*.a.*", &["3", "0"]).as_deref(), Some("h.3.a.0"));
        assert_eq!(filled("h.*", &["3", "0"]), None);
        assert_eq!(filled("h.*.*", &["3"]), None);
    }
}

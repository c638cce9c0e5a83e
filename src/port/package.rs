//! package: the Python package `parity_port`, carried in this executable, so that a worker starts outside a checkout too.

use crate::error::{Error, Result};
use std::path::Path;

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        /// Path below the package's folder, and text.
        const FILES: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../scripts/parity_port/parity_port/", $name)))),*];
    };
}

files! {
    "__init__.py",
    "called.py",
    "chance.py",
    "copies.py",
    "described.py",
    "disturbed.py",
    "floors.py",
    "flow.py",
    "functions.py",
    "gradients.py",
    "hyper.py",
    "identity.py",
    "lines.py",
    "noise.py",
    "notes.py",
    "parts.py",
    "patched.py",
    "photograph.py",
    "plugin.py",
    "proof.py",
    "recorder.py",
    "recording.py",
    "run.py",
    "slopes.py",
    "spread.py",
    "stored.py",
    "tapped.py",
    "trace.py",
    "transform.py",
    "values.py",
    "watched.py",
    "weights.py",
    "worker/__init__.py",
    "worker/__main__.py",
    "worker/asks.py",
    "worker/drawn.py",
    "worker/flax.py",
    "worker/flax_training.py",
    "worker/functional.py",
    "worker/jittor.py",
    "worker/jittor_training.py",
    "worker/mlx.py",
    "worker/mlx_training.py",
    "worker/modular.py",
    "worker/paddle.py",
    "worker/paddle_program.py",
    "worker/paddle_training.py",
    "worker/plain.py",
    "worker/plain_training.py",
    "worker/portfile.py",
    "worker/proved.py",
    "worker/pytorch.py",
    "worker/taped.py",
    "worker/torch_training.py",
    "worker/training.py",
    "worker/wire.py",
}

/// Writes the package into `folder`, which is to be on PYTHONPATH.
///
/// # Errors
/// The disk refuses.
pub fn write(folder: &Path) -> Result<()> {
    let put = |(name, text): &(&str, &str)| {
        let path = folder.join("parity_port").join(name);
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&path, text))
    };
    FILES.iter().try_for_each(put).map_err(|e| {
        Error::failed(format!("{}: {e}", folder.display()))
            .next("check that the folder for temporary files (TMPDIR) has room")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_file_of_the_package_is_carried() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/parity_port/parity_port");
        let mut there = BTreeSet::new();
        for folder in ["", "worker"] {
            let files = std::fs::read_dir(root.join(folder)).unwrap();
            let names = files.map(|f| f.unwrap().file_name().into_string().unwrap());
            there.extend(
                names
                    .filter(|n| n.ends_with(".py"))
                    .map(|n| Path::new(folder).join(n).to_str().unwrap().to_string()),
            );
        }
        let carried: BTreeSet<String> = FILES.iter().map(|f| f.0.to_string()).collect();
        assert_eq!(carried, there);
    }
}

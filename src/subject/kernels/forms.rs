//! forms: the ONNX forms of the kernels, carried in this executable, so that `parity fuzz` works outside a checkout.

use crate::cache;
use crate::error::Result;
use rust_embed::RustEmbed;
use std::path::PathBuf;

#[derive(RustEmbed)]
#[folder = "golden/kernels"]
#[include = "*.onnx"]
struct Forms;

/// The folder of all forms, in the cache.
///
/// # Errors
/// The cache cannot be written to.
pub fn folder() -> Result<PathBuf> {
    cache::unpacked::<Forms>("kernels")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::kernels::ALL;

    #[test]
    fn every_kernel_has_its_form_in_the_executable() {
        for kernel in ALL {
            let carried = Forms::get(&format!("{}.onnx", kernel.name));
            assert!(carried.is_some(), "{}", kernel.name);
        }
        assert_eq!(Forms::iter().count(), ALL.len());
    }
}

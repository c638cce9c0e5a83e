//! digest: SHA-256 in hexadecimal, of bytes and of tensors: what proves that two files or two inputs are the same.

use crate::tensor::Tensor;
use sha2::{Digest, Sha256};

/// SHA-256 over `bytes`.
pub fn of_bytes(bytes: &[u8]) -> String {
    hex(Sha256::new_with_prefix(bytes))
}

/// SHA-256 over dtype, shape and bytes: equal digests mean equal tensors, bit for bit.
pub fn of_tensor(tensor: &Tensor) -> String {
    hex(
        Sha256::new_with_prefix(format!("{} {:?} ", tensor.dtype(), tensor.shape()))
            .chain_update(tensor.bytes()),
    )
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_the_standard_one() {
        assert_eq!(
            of_bytes(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn a_digest_tells_shape_dtype_and_every_bit() {
        let base = of_tensor(&Tensor::of(&[4], &[0f32, 1., 2., 3.]));
        for other in [
            Tensor::of(&[2, 2], &[0f32, 1., 2., 3.]),
            Tensor::of(&[4], &[-0f32, 1., 2., 3.]),
            Tensor::of(&[2], &[0f64, 1.]),
        ] {
            assert_ne!(base, of_tensor(&other));
        }
    }
}

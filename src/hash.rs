//! hash: bits that are the same on every machine and in every version: files and drawn cases depend on them.
//!
//! SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014) read as a function of its counter: the place of
//! an element alone decides its bits, so that any part can be drawn without the rest. FNV-1a for names and bytes.

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// 64 bits for `counter` under `key`.
#[inline(always)]
pub fn bits(key: u64, counter: u64) -> u64 {
    let mut z = key.wrapping_add(counter.wrapping_add(1).wrapping_mul(GAMMA));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// FNV-1a, 64 bits.
pub fn fnv<'a>(bytes: impl IntoIterator<Item = &'a u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A key for `purpose` under `seed`: neighbouring seeds share nothing.
pub fn key(seed: u64, purpose: u64) -> u64 {
    bits(bits(purpose, seed), seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_the_published_one() {
        // The first three values of SplitMix64 from state 1234567.
        assert_eq!(
            [0, 1, 2].map(|i| bits(1234567, i)),
            [
                6457827717110365317,
                3203168211198807973,
                9817491932198370423
            ]
        );
    }

    #[test]
    fn fnv_is_the_published_one() {
        assert_eq!(fnv(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn every_bit_is_fair_and_seeds_share_nothing() {
        for seed in [0, 1, 2, 1 << 40] {
            let draws: Vec<u64> = (0..4096).map(|i| bits(key(seed, 0), i)).collect();
            for bit in 0..64 {
                let ones = draws.iter().filter(|d| **d >> bit & 1 == 1).count();
                assert!(
                    (1840..2256).contains(&ones),
                    "seed {seed}, bit {bit}: {ones} of 4096"
                );
            }
            assert!((0..4096).all(|i| bits(key(seed + 1, 0), i) != draws[i as usize]));
        }
    }
}

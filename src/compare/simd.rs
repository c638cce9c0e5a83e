//! simd: runs one kernel at the best instruction set that this processor has, chosen at run time.
//!
//! Every level executes the same operations on the same lanes in the same order, so the level never changes a result.

/// Work whose inner loops gain from wide registers; `run` must be `#[inline(always)]`, as must all that it calls in a loop.
pub trait Kernel {
    type Out;
    fn run(self) -> Self::Out;
}

/// An instruction set for which kernels are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What the target guarantees (SSE2 on x86-64).
    Baseline,
    /// x86-64-v3, where it exists.
    Avx2,
    /// x86-64-v4, where it exists.
    Avx512,
}

impl Level {
    pub const ALL: [Level; 3] = [Level::Baseline, Level::Avx2, Level::Avx512];

    /// Whether this processor has it.
    pub fn supported(self) -> bool {
        match self {
            Level::Baseline => true,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => x86::has_avx2(),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => x86::has_avx512(),
            #[cfg(not(target_arch = "x86_64"))]
            Level::Avx2 | Level::Avx512 => false,
        }
    }

    /// The widest that this processor has.
    pub fn best() -> Self {
        Self::ALL
            .into_iter()
            .rfind(|level| level.supported())
            .unwrap_or(Level::Baseline)
    }

    /// Runs `kernel` at this level, or at the baseline where the processor lacks it.
    pub fn run<K: Kernel>(self, kernel: K) -> K::Out {
        if !self.supported() {
            return kernel.run();
        }
        match self {
            Level::Baseline => kernel.run(),
            // SAFETY: `supported` has just found every feature that the function enables.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { x86::avx2(kernel) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { x86::avx512(kernel) },
            #[cfg(not(target_arch = "x86_64"))]
            Level::Avx2 | Level::Avx512 => kernel.run(),
        }
    }
}

/// Asks for the cache line of `at` before it is needed; a hint that cannot fault, and nothing where there is no such hint.
#[inline(always)]
pub fn prefetch<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of x86-64, and a prefetch of any address is allowed.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Kernel;

    macro_rules! level {
        ($has:ident, $run:ident, $features:literal, $($feature:tt),*) => {
            pub fn $has() -> bool {
                $(is_x86_feature_detected!($feature))&&*
            }
            #[target_feature(enable = $features)]
            pub fn $run<K: Kernel>(kernel: K) -> K::Out {
                kernel.run()
            }
        };
    }
    level!(
        has_avx2,
        avx2,
        "avx2,bmi1,bmi2,lzcnt,popcnt",
        "avx2",
        "bmi1",
        "bmi2",
        "lzcnt",
        "popcnt"
    );
    level!(
        has_avx512,
        avx512,
        "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512cd,avx512dq,avx512vl",
        "avx2",
        "bmi1",
        "bmi2",
        "lzcnt",
        "popcnt",
        "avx512f",
        "avx512bw",
        "avx512cd",
        "avx512dq",
        "avx512vl"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Answer;
    impl Kernel for Answer {
        type Out = u32;
        #[inline(always)]
        fn run(self) -> u32 {
            42
        }
    }

    #[test]
    fn every_level_runs_even_where_the_processor_lacks_it() {
        for level in Level::ALL {
            assert_eq!(level.run(Answer), 42, "{level:?}");
        }
        assert!(Level::best().supported());
    }
}

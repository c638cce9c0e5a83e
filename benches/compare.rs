//! The fused comparison against a plain streaming read of the same two arrays, and against numpy's allclose; one core, one run.
//!
//! `cargo bench --locked --bench compare`; `PARITY_PYTHON` names a python3 that has numpy, `PARITY_BENCH_MI` the size in Mi elements.

use multiversion::multiversion;
use parity::compare::{Comparison, compare};
use parity::hash;
use parity::tensor::{DType, View};
use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

const ROUNDS: usize = 15;
const LANES: usize = 64;

/// Adds one array up in f32 as fast as the memory gives it. What any comparison must at least read is timed both ways, one
/// array after the other and both in step; the faster is the measure.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn alone(a: &[f32]) -> f32 {
    let mut sums = [0f32; LANES];
    for chunk in a.as_chunks::<LANES>().0 {
        for l in 0..LANES {
            sums[l] += chunk[l];
        }
    }
    sums.into_iter().fold(0.0, |sum, x| sum + x)
}

/// Adds both arrays up in step.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn in_step(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; LANES];
    for (a, b) in a
        .as_chunks::<LANES>()
        .0
        .iter()
        .zip(b.as_chunks::<LANES>().0)
    {
        for l in 0..LANES {
            sums[l] += a[l] + b[l];
        }
    }
    sums.into_iter().fold(0.0, |sum, x| sum + x)
}

/// How a candidate is made of its reference, element by element.
type Change = fn(usize, f32) -> f32;

const CASES: [(&str, Change); 4] = [
    ("equal", |_, x| x),
    ("few differ (1 in 4096, 1 ulp)", |i, x| {
        if i % 4096 == 77 { x.next_up() } else { x }
    }),
    ("every element differs (noise)", |i, x| {
        x * (1.0 + noise(i ^ 0x5555) * 1e-5)
    }),
    ("every element differs (scaled by 2)", |_, x| x * 2.0),
];

fn main() {
    let numel = std::env::var("PARITY_BENCH_MI")
        .ok()
        .and_then(|mi| mi.parse().ok())
        .unwrap_or(64usize)
        << 20;
    let reference: Vec<f32> = (0..numel).map(noise).collect();
    let mut candidate = vec![0f32; numel];
    println!(
        "compare: {} Mi f32 per side, one core, best of {ROUNDS}",
        numel >> 20
    );
    for (name, change) in CASES {
        for (i, (c, r)) in candidate.iter_mut().zip(&reference).enumerate() {
            *c = change(i, *r);
        }
        report(name, &reference, &candidate);
    }
    println!("{}", numpy(numel));
}

/// One line per layout: time, and speed as a share of the streaming read's.
fn report(name: &str, reference: &[f32], candidate: &[f32]) {
    let numel = reference.len();
    let layouts = [
        ("no channels", vec![numel], None),
        ("axis 1 of 4", vec![numel >> 14, 64, 16, 16], Some(1)),
        ("last axis", vec![numel >> 8, 256], Some(1)),
    ];
    let mut read = f64::INFINITY;
    let mut times = [f64::INFINITY; 3];
    // In turn, so that a slow moment of the machine hits all of them.
    for _ in 0..ROUNDS {
        read = read.min(seconds(|| in_step(reference, candidate)));
        read = read.min(seconds(|| alone(reference) + alone(candidate)));
        for (time, (_, shape, axis)) in times.iter_mut().zip(&layouts) {
            *time = time.min(seconds(|| {
                compare(view(reference, shape), view(candidate, shape), *axis)
            }));
        }
    }
    let gb = 8e-9 * numel as f64;
    println!(
        "{name}\n  streaming read {:7.1} ms  {:5.1} GB/s",
        read * 1e3,
        gb / read
    );
    for (time, (layout, shape, axis)) in times.iter().zip(&layouts) {
        let Comparison::Values(metrics) =
            compare(view(reference, shape), view(candidate, shape), *axis)
        else {
            unreachable!()
        };
        println!(
            "  {layout:14} {:7.1} ms  {:5.1} GB/s  {:3.0} % of the read  ({} mismatches)",
            time * 1e3,
            gb / time,
            100.0 * read / time,
            metrics.mismatches
        );
    }
}

fn view<'a>(values: &'a [f32], shape: &'a [usize]) -> View<'a> {
    View {
        dtype: DType::F32,
        shape,
        bytes: bytemuck::cast_slice(values),
    }
}

fn seconds<R>(work: impl Fn() -> R) -> f64 {
    let start = Instant::now();
    black_box(work());
    start.elapsed().as_secs_f64()
}

/// Reproducible values in (-1, 1).
fn noise(i: usize) -> f32 {
    (hash::bits(0, i as u64) >> 40) as f32 / (1 << 23) as f32 - 1.0 + f32::EPSILON
}

const NUMPY: &str = "
import sys, time, numpy as np
n = int(sys.argv[1])
a = np.random.default_rng(0).standard_normal(n, dtype=np.float32)
b = a * np.float32(1.00001)
best = 1e9
for _ in range(3):
    t = time.perf_counter(); np.allclose(b, a, rtol=1e-3, atol=1e-5, equal_nan=True); best = min(best, time.perf_counter() - t)
print(f'numpy {np.__version__} allclose(equal_nan=True): {best * 1e3:.1f} ms')
";

fn numpy(numel: usize) -> String {
    let python = std::env::var("PARITY_PYTHON").unwrap_or_else(|_| "python3".into());
    match Command::new(&python)
        .args(["-c", NUMPY, &numel.to_string()])
        .output()
    {
        Ok(done) if done.status.success() => {
            String::from_utf8_lossy(&done.stdout).trim().to_string()
        }
        Ok(_) => format!("numpy: skipped, {python} cannot import it (PARITY_PYTHON names another)"),
        Err(e) => format!("numpy: skipped, {python}: {e}"),
    }
}

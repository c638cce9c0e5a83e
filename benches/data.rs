//! The audit of 30,000 images with labels and depth, without pixels, against a plain walk that reads the header of each file; one run.
//!
//! `cargo bench --locked --no-default-features --bench data`; `PARITY_BENCH_TRIPLES` names another number.

use parity::hash;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

const ROUNDS: usize = 3;

/// Bytes that a plain walk reads of each file: the header of any image.
const HEAD: u64 = 1024;

fn main() {
    let stated = std::env::var("PARITY_BENCH_TRIPLES").ok();
    let triples: usize = stated.and_then(|n| n.parse().ok()).unwrap_or(30_000);
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    generate(folder.path(), triples);
    // Both find the files in the page cache; the least of the rounds is what they cost.
    let mut least = [f64::INFINITY; 3];
    for _ in 0..ROUNDS {
        let plain = timed(|| assert_eq!(walk(folder.path()), 3 * triples + 1));
        let audit = timed(|| right(folder.path(), &[]));
        least = [least[0].min(plain), least[1].min(audit), least[2]];
    }
    least[2] = timed(|| right(folder.path(), &["--pixels"]));
    let [plain, audit, pixels] = least;
    println!(
        "{triples} triples: plain walk {plain:.2} s, audit {audit:.2} s: {:.2} times",
        audit / plain
    );
    println!(
        "with every pixel: {pixels:.2} s, {:.0} images per second",
        triples as f64 / pixels
    );
    println!("peak memory: {} MiB", peak());
}

fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

/// The audit of the set, which finds nothing wrong.
fn right(folder: &Path, options: &[&str]) {
    let mut parity = Command::new(env!("CARGO_BIN_EXE_parity"));
    parity
        .current_dir(folder)
        .args(["audit", "data", "data.yaml"]);
    let ran = parity.args(options).output().expect("parity starts");
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stdout)
    );
}

/// One thread that opens each file and reads its head; how many there are.
fn walk(folder: &Path) -> usize {
    let files = walkdir::WalkDir::new(folder).into_iter();
    let files = files
        .filter_map(Result::ok)
        .filter(|e| e.file_type().is_file());
    let mut head = Vec::with_capacity(HEAD as usize);
    let read = |entry: walkdir::DirEntry| {
        head.clear();
        let file = File::open(entry.path()).expect("a file");
        file.take(HEAD).read_to_end(&mut head).expect("its head");
    };
    files.map(read).count()
}

fn generate(root: &Path, triples: usize) {
    let train = triples * 49 / 50;
    for (split, numbers) in [("train", 0..train), ("val", train..triples)] {
        for kind in ["images/rgb", "images/d", "labels/rgb"] {
            std::fs::create_dir_all(root.join(kind).join(split)).expect("a folder");
        }
        numbers.for_each(|i| triple(root, split, i));
    }
    let yaml = "train: images/rgb/train\ntrain_depth: images/d/train\nval: images/rgb/val\nval_depth: images/d/val\nnc: 10\nchannels: 4\n";
    std::fs::write(root.join("data.yaml"), yaml).expect("a yaml");
}

fn triple(root: &Path, split: &str, i: usize) {
    let bits = |at: u32| hash::bits(i as u64, u64::from(at));
    let path = |kind: &str, ext: &str| root.join(format!("{kind}/{split}/{i:06}.{ext}"));
    let image = image::RgbImage::from_fn(64, 64, |x, y| {
        image::Rgb([bits(64 * y + x) as u8, x as u8, y as u8])
    });
    image.save(path("images/rgb", "jpg")).expect("an image");
    let depth = image::ImageBuffer::from_fn(64, 64, |x, y| image::Luma([(x * y) as u16]));
    depth.save(path("images/d", "png")).expect("depth");
    let share = |at: u32| 0.1 + 0.8 * (bits(at) % 1000) as f64 / 1000.0;
    let row = |k: u32| {
        format!(
            "{} {:.6} {:.6} 0.05 0.1\n",
            bits(9000 + k) % 10,
            share(5000 + k),
            share(7000 + k)
        )
    };
    let rows: String = (0..10).map(row).collect();
    std::fs::write(path("labels/rgb", "txt"), rows).expect("a label");
}

/// The most memory that one of the audits has held, in MiB.
fn peak() -> i64 {
    // SAFETY: an all-zero rusage is one, and the call only writes to it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage);
        usage
    };
    usage.ru_maxrss >> 10
}

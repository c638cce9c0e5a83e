//! drawn: faults drawn into clean logs of every layout (fault, column, row, amount), each alone and all at once: none is missed, and clean logs with odd but legal content are silent.

use super::layout::{ALL, Layout, Run};
use super::{audit, bad, kinds, names};
use parity::audit::log::Log;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

type Draw<'a> = &'a mut ChaCha8Rng;

/// A training that goes well: three terms and their total fall, two metrics grow, gradients are of an ordinary size.
fn healthy(layout: Layout, rng: Draw) -> Run {
    let rows = rng.random_range(24..60);
    let curve = |from: f64, to: f64, rng: Draw| -> Vec<f64> {
        let at = |i: usize| from + (to - from) * (i as f64 / (rows - 1) as f64).powf(0.5);
        (0..rows)
            .map(|i| at(i) * (1.0 + 0.02 * (rng.random::<f64>() - 0.5)))
            .collect()
    };
    let terms: Vec<(String, Vec<f64>)> = ["box", "cls", "dfl"]
        .iter()
        .map(|t| {
            (
                layout.loss(t),
                curve(rng.random_range(1.0..6.0), rng.random_range(0.1..0.4), rng),
            )
        })
        .collect();
    let total = (0..rows)
        .map(|i| terms.iter().map(|t| t.1[i]).sum())
        .collect();
    let mut columns = terms;
    if !matches!(layout, Layout::Csv | Layout::Padded) {
        columns.push(("loss".into(), total));
        columns.push(("grad_norm".into(), curve(12.0, 1.5, rng)));
    }
    for name in ["mAP50", "mAP75"] {
        columns.push((layout.metric(name), curve(0.02, 0.6, rng)));
    }
    Run {
        columns,
        printed: String::new(),
    }
}

/// What is odd and legal in a log.
fn odd(layout: Layout, rng: Draw) -> (Run, Log) {
    let mut run = healthy(layout, rng);
    let mut asked = Log::default();
    let rows = run.columns[0].1.len();
    if rng.random() {
        let zero = layout.loss("aux");
        run.columns.push((zero.clone(), vec![0.0; rows]));
        asked.may_be_zero = vec![zero];
    }
    if rng.random() && layout != Layout::Script {
        // A class that no image has, a size that does not occur.
        run.columns
            .push((layout.metric("mAP_tiny"), vec![f64::NAN; rows]));
        run.columns.push((layout.metric("mAP_s"), vec![-1.0; rows]));
    }
    if rng.random() {
        let first = &mut run.columns[0].1;
        first[1] *= 3.0; // warm-up
    }
    if rng.random() && matches!(layout, Layout::Csv | Layout::Padded) {
        run.columns.push(("lr/pg0".into(), vec![0.01; rows]));
        run.columns
            .push(("time".into(), (0..rows).map(|i| i as f64).collect()));
    }
    if rng.random() && matches!(layout, Layout::Printed | Layout::Script) {
        run.printed += "/usr/lib/python3/site-packages/a.py:12: FutureWarning: soon\nTransferred 691/691 items from pretrained weights\ntrain: Scanning /d/labels/train... 90 images, 2 backgrounds, 0 corrupt: 100%\n";
    }
    (run, asked)
}

#[test]
fn clean_logs_of_every_layout_with_odd_but_legal_content_are_silent() {
    let dir = tempfile::tempdir().unwrap();
    for layout in ALL {
        for seed in 0..20 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let (run, asked) = odd(layout, &mut rng);
            let right = audit(dir.path(), layout.file(), layout.write(&run), asked);
            assert_eq!(
                bad(&right),
                Vec::<&parity::verdict::Finding>::new(),
                "{layout:?} {seed}"
            );
            assert!(!right.findings.is_empty(), "{layout:?} {seed}");
        }
    }
}

/// One fault: its column, what it does to it, and the kind that must be found at a place that names it.
struct Fault {
    column: &'static str,
    kind: &'static str,
    /// The row from which it can be seen; None where it is the whole column.
    put: fn(&mut [f64], Draw) -> Option<usize>,
}

fn from(column: &mut [f64], rng: Draw, value: impl Fn(f64) -> f64) -> Option<usize> {
    let row = rng.random_range(5..column.len() - 2);
    column[row..].iter_mut().for_each(|v| *v = value(*v));
    Some(row)
}

fn all(column: &mut [f64], value: impl Fn(usize, f64) -> f64) -> Option<usize> {
    column
        .iter_mut()
        .enumerate()
        .for_each(|(i, v)| *v = value(i, *v));
    None
}

const FAULTS: [Fault; 13] = [
    Fault {
        column: "box",
        kind: "dead_term",
        put: |c, _| all(c, |_, _| 0.0),
    },
    Fault {
        column: "cls",
        kind: "dead_term",
        put: |c, _| all(c, |_, _| 0.00003),
    },
    Fault {
        column: "cls",
        kind: "constant_term",
        put: |c, r| {
            let v = r.random_range(0.1..9.0);
            all(c, |_, _| v)
        },
    },
    Fault {
        column: "dfl",
        kind: "not_finite",
        put: |c, r| from(c, r, |_| f64::NAN),
    },
    Fault {
        column: "box",
        kind: "not_finite",
        put: |c, r| {
            let row = r.random_range(0..c.len());
            c[row] = f64::INFINITY;
            Some(row)
        },
    },
    Fault {
        column: "box",
        kind: "exploding_term",
        put: |c, r| from(c, r, |v| v * 1e7),
    },
    Fault {
        column: "dfl",
        kind: "term_stagnates",
        put: |c, _| {
            let v = c[0];
            all(c, |i, _| v * (1.0 + 0.002 * ((i % 3) as f64)))
        },
    },
    Fault {
        column: "cls",
        kind: "term_rises",
        put: |c, _| {
            c.reverse();
            None
        },
    },
    Fault {
        column: "mAP50",
        kind: "constant_metric",
        put: |c, _| all(c, |_, _| 0.027),
    },
    Fault {
        column: "mAP50",
        kind: "dead_metric",
        put: |c, _| all(c, |_, _| 0.0),
    },
    Fault {
        column: "mAP75",
        kind: "stagnating_metric",
        put: |c, _| all(c, |i, _| 0.027 + 0.0001 * ((i % 2) as f64)),
    },
    Fault {
        column: "mAP75",
        kind: "not_finite",
        put: |c, r| from(c, r, |_| f64::NAN),
    },
    Fault {
        column: "mAP50",
        kind: "milestone",
        put: |c, _| all(c, |_, v| 0.2 * v),
    },
];

/// Of gradients, where a layout has them.
const GRADIENTS: [Fault; 4] = [
    Fault {
        column: "grad",
        kind: "vanishing_gradient",
        put: |c, r| from(c, r, |_| 1e-9),
    },
    Fault {
        column: "grad",
        kind: "vanishing_gradient",
        put: |c, r| from(c, r, |_| 0.0),
    },
    Fault {
        column: "grad",
        kind: "exploding_gradient",
        put: |c, r| from(c, r, |_| 4321.0),
    },
    Fault {
        column: "grad",
        kind: "gradient_not_finite",
        put: |c, r| from(c, r, |_| f64::NAN),
    },
];

fn name(layout: Layout, column: &str) -> String {
    match column {
        "grad" => "grad_norm".into(),
        c if c.starts_with("mAP") => layout.metric(c),
        c => layout.loss(c),
    }
}

fn put(run: &mut Run, layout: Layout, fault: &Fault, rng: Draw) -> Option<usize> {
    let name = name(layout, fault.column);
    let column = run.columns.iter_mut().find(|c| c.0 == name).unwrap();
    (fault.put)(&mut column.1, rng)
}

fn asked() -> Log {
    Log {
        milestone: vec!["mAP50 > 30 % at end".parse().unwrap()],
        ..Log::default()
    }
}

/// It is found: of that kind, with the name; and with the row where it begins, but for what is seen over a stretch.
fn is_found(found: &parity::audit::Audited, layout: Layout, fault: &Fault, row: Option<usize>) {
    let name = format!("'{}'", name(layout, fault.column));
    let of_kind = bad(found)
        .into_iter()
        .find(|f| f.kind == fault.kind && f.what.contains(&name));
    let finding = of_kind.unwrap_or_else(|| {
        panic!(
            "{layout:?} {} {} is missed: {:?}",
            fault.kind,
            fault.column,
            kinds(found)
        )
    });
    let Some(row) = row else { return };
    let place = match layout {
        Layout::Iterations => format!("step {}", 100 * (row + 1)),
        _ => format!("epoch {}", row + 1),
    };
    assert!(
        finding.place.contains(&place),
        "{layout:?} {}: {}, not {place}",
        fault.kind,
        finding.place
    );
}

#[test]
fn a_fault_drawn_into_a_log_is_found_with_its_column_and_row() {
    let dir = tempfile::tempdir().unwrap();
    for layout in ALL {
        let with_gradients = !matches!(layout, Layout::Csv | Layout::Padded);
        let gradients = GRADIENTS.iter().filter(|_| with_gradients);
        for (i, fault) in FAULTS.iter().chain(gradients).enumerate() {
            for seed in 0..3 {
                let mut rng = ChaCha8Rng::seed_from_u64(100 * seed + i as u64);
                let mut run = healthy(layout, &mut rng);
                let row = put(&mut run, layout, fault, &mut rng);
                let found = audit(dir.path(), layout.file(), layout.write(&run), asked());
                is_found(&found, layout, fault, row);
            }
        }
    }
}

#[test]
fn faults_of_different_columns_are_found_all_at_once() {
    let dir = tempfile::tempdir().unwrap();
    for layout in ALL {
        for seed in 0..10 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut run = healthy(layout, &mut rng);
            let mut put_in: Vec<(&Fault, Option<usize>)> = vec![];
            for column in ["box", "cls", "dfl", "mAP50", "mAP75", "grad"] {
                let of: Vec<&Fault> = FAULTS
                    .iter()
                    .chain(&GRADIENTS)
                    .filter(|f| f.column == column)
                    .collect();
                if column == "grad" && matches!(layout, Layout::Csv | Layout::Padded) {
                    continue;
                }
                let fault = of[rng.random_range(0..of.len())];
                put_in.push((fault, put(&mut run, layout, fault, &mut rng)));
            }
            let found = audit(dir.path(), layout.file(), layout.write(&run), asked());
            for (fault, row) in put_in {
                is_found(&found, layout, fault, row);
            }
        }
    }
}

#[test]
fn another_scale_than_the_reference_and_a_term_that_it_alone_has_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let reference = dir.path().join("reference.csv");
    for seed in 0..10 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let right = healthy(Layout::Csv, &mut rng);
        std::fs::write(&reference, Layout::Csv.write(&right)).unwrap();
        let asked = || Log {
            reference: Some(reference.clone()),
            ..Log::default()
        };
        let same = audit(dir.path(), "r.csv", Layout::Padded.write(&right), asked());
        assert_eq!(kinds(&same), Vec::<&str>::new());
        let mut off = right.clone();
        let factor = rng.random_range(3.0..20.0);
        off.columns[rng.random_range(0..3)]
            .1
            .iter_mut()
            .for_each(|v| *v *= factor);
        let lost = off.columns.remove(rng.random_range(0..2)).0;
        off.columns
            .iter_mut()
            .take(2)
            .for_each(|c| c.1.iter_mut().for_each(|v| *v *= 3.0));
        let found = audit(dir.path(), "r.csv", Layout::Csv.write(&off), asked());
        for kind in ["loss_scale", "term_of_the_reference_is_missing"] {
            assert!(kinds(&found).contains(&kind), "{kind}: {:?}", kinds(&found));
        }
        assert!(bad(&found).iter().any(|f| f.what.contains(&lost)));
    }
}

/// What a printed log may say: the line, and the kind that it is.
const SAID: [(&str, &str); 9] = [
    (
        "Transferred 151/691 items from pretrained weights",
        "transferred",
    ),
    (
        "train: Scanning /d/labels/train... 23829 images, 0 backgrounds, 0 corrupt: 100%",
        "count",
    ),
    (
        "train: Scanning /d/labels/train... 0 images, 30300 backgrounds, 0 corrupt: 100%",
        "images_without_labels",
    ),
    (
        "train: Scanning /d/labels/train... 30300 images, 0 backgrounds, 7 corrupt: 100%",
        "count",
    ),
    (
        "train: WARNING ⚠️ /d/images/3.jpg: ignoring corrupt image/label: [Errno 2]",
        "warning",
    ),
    (
        "2026/11/30 16:30:29 - mmengine - ERROR - no label for /d/9.jpg",
        "error",
    ),
    (
        "RuntimeError: CUDA error: device-side assert triggered",
        "error",
    ),
    (
        "missing keys in source state_dict: a.weight, b.weight",
        "missing_keys",
    ),
    (
        "unexpected key in source state_dict: a.weight",
        "unexpected_keys",
    ),
];

#[test]
fn what_a_log_says_beside_its_numbers_is_found_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    for (i, (line, kind)) in SAID.iter().enumerate() {
        let mut rng = ChaCha8Rng::seed_from_u64(i as u64);
        let run = healthy(Layout::Printed, &mut rng);
        let text = Layout::Printed.write(&run);
        let mut lines: Vec<&str> = text.lines().collect();
        let at = rng.random_range(0..lines.len());
        if line.starts_with("RuntimeError") {
            lines.insert(at, "Traceback (most recent call last):");
        }
        let at = at + usize::from(line.starts_with("RuntimeError"));
        lines.insert(at, line);
        let asked = Log {
            images: vec!["train=30300".parse().unwrap()],
            ..Log::default()
        };
        let asked = if line.contains("Scanning") {
            asked
        } else {
            Log::default()
        };
        let found = audit(dir.path(), "t.log", lines.join("\n"), asked);
        let place = format!("line {}", at + 1);
        let is_there = bad(&found)
            .iter()
            .any(|f| f.kind == *kind && f.place.ends_with(&place));
        assert!(is_there, "{line}: {:?}", bad(&found));
    }
    let _ = names(&[]);
}

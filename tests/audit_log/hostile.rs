//! hostile: files that are no logs, lie or never end: an error or a finding, in bounded memory.

use super::{audit, bad, kinds};
use crate::support::{Call, PARITY, text};
use parity::audit::Asked;
use parity::audit::log::Log;
use parity::watch::Silent;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

#[test]
fn what_is_no_log_is_refused_by_name_or_said_to_hold_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let cases: [(&str, &[u8], i32, &str); 7] = [
        ("none.csv", b"", 2, "the file is empty"),
        ("utf16.log", b"\xff\xfee\0p\0o\0c\0h\0", 2, "UTF-16"),
        (
            "image.png",
            b"\x89PNG\r\n\x1a\n\0\0\0\0",
            2,
            "neither text nor an event file",
        ),
        (
            "prose.txt",
            b"nothing of this is a log\n",
            4,
            "neither a loss nor a metric",
        ),
        (
            "broken.json",
            b"{\"loss\": \n{{{{\n",
            4,
            "nothing that such a log holds",
        ),
        ("head.csv", b"epoch,train/box_loss\n", 4, "no row"),
        (
            "deep.json",
            b"{\"a\":{\"a\":{\"a\":[[[[[[[[[[{}]]]]]]]]]]}}}\n",
            4,
            "no row",
        ),
    ];
    for (name, bytes, code, words) in cases {
        std::fs::write(dir.path().join(name), bytes).unwrap();
        let ran = Call::new(PARITY, dir.path(), &["audit", "log", name])
            .run()
            .exits(code);
        assert!(
            ran.out.contains(words) || ran.err.contains(words),
            "{name}: {ran}"
        );
    }
    Call::new(PARITY, dir.path(), &["audit", "log", "gone.csv"])
        .run()
        .exits(2);
    Call::new(PARITY, dir.path(), &["audit", "log", "."])
        .run()
        .exits(2);
}

#[test]
fn nesting_without_end_and_a_line_without_end_are_findings() {
    let dir = tempfile::tempdir().unwrap();
    let deep = format!(
        "{{\"loss\": 1, \"iter\": 1}}\n{}\n",
        "{\"a\":".repeat(100_000)
    );
    assert_eq!(
        kinds(&audit(dir.path(), "deep.json", deep, Log::default())),
        ["unreadable"]
    );
    let long = format!("epoch,train/box_loss\n1,2\n2,{}\n", "9".repeat(3 << 20));
    let found = audit(dir.path(), "long.csv", long, Log::default());
    assert!(kinds(&found).contains(&"long_line"), "{:?}", kinds(&found));
}

#[test]
fn a_name_that_is_not_utf8_and_text_that_is_not_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let name = std::ffi::OsStr::from_bytes(b"r\xff.csv");
    let path = dir.path().join(name);
    std::fs::write(&path, b"epoch,train/b\xffx_loss\n1,2\n2,1\n").unwrap();
    let logs = vec![path];
    let found = Log {
        logs,
        ..Log::default()
    }
    .run(&mut Silent)
    .unwrap();
    assert_eq!(bad(&found).len(), 0, "{:?}", bad(&found));
}

#[test]
fn a_truncated_event_file_is_said_with_its_offset_and_judged_until_there() {
    let dir = tempfile::tempdir().unwrap();
    let whole = std::fs::read(super::fixtures().join("tensorboard/torch.tfevents")).unwrap();
    let found = audit(
        dir.path(),
        "e.tfevents",
        &whole[..whole.len() - 900],
        Log::default(),
    );
    assert_eq!(kinds(&found), ["dead_term", "truncated"]);
    assert!(
        bad(&found)[1].place.contains("at byte "),
        "{:?}",
        bad(&found)[1]
    );
}

/// What `parity audit log` says of a file, and the most memory that it held, in MiB.
fn peak(file: &Path) -> (String, u64) {
    let mut parity = std::process::Command::new(PARITY)
        .args(["audit", "log", text(file)])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", parity.id());
    let held = || {
        let status = std::fs::read_to_string(&status).ok()?;
        let line = status.lines().find(|l| l.starts_with("VmHWM"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    let mut most = 0;
    while parity.try_wait().unwrap().is_none() {
        most = held().unwrap_or(0).max(most);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let ran = parity.wait_with_output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    (String::from_utf8(ran.stdout).unwrap(), most >> 10)
}

/// MiB that a log may take, whatever its size: less than the smaller one has.
const BOUND: u64 = 32;

/// 40 MB in every run; 2 GB with PARITY_LARGE_LOG=1, once a night.
#[test]
fn a_table_of_gigabytes_is_streamed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("results.csv");
    let large: u64 = if std::env::var_os("PARITY_LARGE_LOG").is_some() {
        2 << 30
    } else {
        40 << 20
    };
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
    writeln!(file, "epoch,train/box_loss,train/cls_loss,metrics/mAP50(B)").unwrap();
    let (mut written, mut i) = (0, 0u64);
    while written < large {
        i += 1;
        let fall = 1.0 + 3.0 / (1.0 + i as f64 / 1e4);
        let row = format!("{i},{fall},{},{}\n", 2.0 * fall, 0.9 - 0.1 * fall);
        file.write_all(row.as_bytes()).unwrap();
        written += row.len() as u64;
    }
    drop(file);
    let (said, most) = peak(&path);
    assert!(said.contains("train/box_loss"), "{said}");
    assert!((1..=BOUND).contains(&most), "{most} MiB");
}

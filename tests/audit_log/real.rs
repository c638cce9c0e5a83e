//! real: what the tools themselves wrote (scripts/training_logs): the same run read from each of its logs is the same run.

use super::{fixtures, kinds};
use parity::audit::Asked;
use parity::audit::log::Log;
use parity::training_log::{self, Counted, Form, Log as Read};
use parity::watch::Silent;

fn open(path: &str) -> Read {
    training_log::open(&fixtures().join(path)).unwrap()
}

/// First and last of `name`, which must be `want` to the digits that a printed log has.
fn equal(a: &Read, b: &Read, name: &str, digits: f64) {
    let ends = |log: &Read| {
        let series = log
            .series
            .get(name)
            .unwrap_or_else(|| panic!("'{name}' is not among {:?}", log.series.keys()));
        (
            series.count,
            series.first.unwrap().value,
            series.last.unwrap().value,
        )
    };
    let (a, b) = (ends(a), ends(b));
    assert_eq!(a.0, b.0, "{name}");
    for (a, b) in [(a.1, b.1), (a.2, b.2)] {
        assert!(
            (a - b).abs() <= digits * a.abs().max(1.0),
            "{name}: {a} {b}"
        );
    }
}

#[test]
fn what_ultralytics_prints_is_what_it_writes_into_its_table() {
    for version in ["8.2", "8.3", "8.4"] {
        let [table, printed] =
            ["results.csv", "printed.log"].map(|f| open(&format!("ultralytics-{version}/{f}")));
        assert_eq!((table.form, printed.form), (Form::Table, Form::Plain));
        for name in ["train/box_loss", "train/cls_loss", "train/dfl_loss"] {
            assert_eq!(table.series[name].count, 3, "{version}");
            equal(&table, &printed, name, 1e-3);
        }
        for name in [
            "metrics/precision(B)",
            "metrics/mAP50(B)",
            "metrics/mAP50-95(B)",
        ] {
            equal(&table, &printed, name, 1e-2);
        }
        let count = |split: &str, what| {
            let fits = |c: &&training_log::Count| c.split == split && c.what == what;
            printed.said.counts.iter().find(fits).map(|c| c.n)
        };
        assert_eq!(count("train", Counted::Images), Some(7), "{version}");
        assert_eq!(count("train", Counted::Backgrounds), Some(1), "{version}");
        assert_eq!(count("val", Counted::Instances), Some(8), "{version}");
        let transferred = printed.said.transferred[0];
        assert!(
            transferred.items * 2 < transferred.of,
            "{version}: {transferred:?}"
        );
        assert!(table.damages.is_empty() && printed.damages.is_empty());
    }
}

#[test]
fn what_mmengine_prints_writes_as_json_and_gives_to_tensorboard_is_one_run() {
    for run in ["epochs", "iterations"] {
        let [printed, json, events] =
            ["log", "json", "tfevents"].map(|f| open(&format!("mmengine/{run}.{f}")));
        assert_eq!(
            [printed.form, json.form, events.form],
            [Form::Plain, Form::Json, Form::Events]
        );
        for name in [
            "loss",
            "loss_cls",
            "loss_reg",
            "acc",
            "grad_norm",
            "toy/accuracy",
        ] {
            equal(&json, &printed, name, 1e-4);
            equal(&json, &events, name, 1e-6);
        }
        for name in ["loss", "toy/accuracy"] {
            let place = |log: &Read| {
                (
                    log.series[name].last.unwrap().place.epoch,
                    log.series[name].last.unwrap().place.step,
                )
            };
            assert_eq!(place(&json), place(&printed), "{run} {name}");
        }
    }
    let printed = open("mmengine/printed.log");
    let said: Vec<_> = printed
        .said
        .mismatched
        .iter()
        .map(|m| (m.missing, m.names))
        .collect();
    assert_eq!(said[..2], [(false, 1), (true, 1)]);
}

#[test]
fn event_files_hold_scalars_in_both_forms_beside_other_things() {
    let log = open("tensorboard/torch.tfevents");
    for (name, last) in [("loss/total", 10.0 / 12.0), ("metrics/new", 0.55)] {
        let series = &log.series[name];
        assert_eq!(series.count, 12);
        assert!((series.last.unwrap().value - last).abs() < 1e-6);
        assert_eq!(series.last.unwrap().place.step, Some(11));
    }
    assert_eq!(open("tensorboard/x.tfevents").series["loss"].count, 5);
}

#[test]
fn healthy_runs_of_the_tools_are_silent() {
    for path in [
        "mmengine/epochs.log",
        "mmengine/epochs.json",
        "mmengine/epochs.tfevents",
        "mmengine/iterations.json",
        "mmengine/iterations.log",
        "ultralytics-8.4/results.csv",
        "tensorboard/x.tfevents",
    ] {
        let logs = vec![fixtures().join(path)];
        let found = Log {
            logs,
            ..Log::default()
        }
        .run(&mut Silent)
        .unwrap();
        assert_eq!(kinds(&found), Vec::<&str>::new(), "{path}");
    }
}

//! plain: what a training printed: ultralytics' tables, mmengine's lines, and lines of a script's own that name an epoch or step and a loss.

mod mmengine;
mod own;
mod ultralytics;

use super::said::{Level, Mismatched, Transferred};
use super::spoken::{level, plain, raised};
use super::{Damage, Form, Log, Place, lines};
use std::io::{BufRead, Result};

/// As much of one update of a line as is looked at.
const LONGEST: usize = 1 << 14;

pub fn read(from: impl BufRead) -> Result<Log> {
    let mut reading = Reading {
        log: Log::new(Form::Plain),
        table: ultralytics::Table::default(),
        traceback: None,
        last: None,
    };
    lines::each(from, |line| {
        if line.cut {
            let said = format!("line {}", line.number);
            reading.log.damage(Damage::TooLong, said);
        }
        // A progress bar rewrites its line.
        for update in line.bytes.split(|b| *b == b'\r') {
            let text = String::from_utf8_lossy(&update[..update.len().min(LONGEST)]);
            reading.update(&plain(&text), line.number);
        }
    })?;
    reading.table.end(&mut reading.log);
    Ok(reading.log)
}

struct Reading {
    log: Log,
    table: ultralytics::Table,
    /// Where a traceback begins that has not come to its end.
    traceback: Option<u64>,
    /// Where the training was last.
    last: Option<Place>,
}

impl Reading {
    fn update(&mut self, text: &str, line: u64) {
        let bare = text.trim();
        if bare.is_empty() || self.is_traceback(text, line) {
            return;
        }
        self.facts(bare, line);
        if let Some((level, said)) = level(bare) {
            self.log.said.word(level, said, line);
        }
        if self.table.row(bare, line, &mut self.log)
            || mmengine::row(bare, line, &mut self.last, &mut self.log)
        {
            return;
        }
        own::row(bare, line, &mut self.log);
    }

    /// A traceback is one error: its last line.
    fn is_traceback(&mut self, text: &str, line: u64) -> bool {
        if text.contains("Traceback (most recent call last)") {
            self.traceback = Some(line);
            return true;
        }
        if self.traceback.is_none() {
            return false;
        }
        if raised(text) {
            self.traceback = None;
            self.log.said.word(Level::Error, text.trim(), line);
        }
        text.starts_with(' ') || raised(text)
    }

    fn facts(&mut self, text: &str, line: u64) {
        let said = &mut self.log.said;
        if let Some((items, of)) = transferred(text) {
            said.transferred.push(Transferred { items, of, line });
            said.transferred.truncate(100);
        }
        if text.starts_with("Overriding model.yaml nc=") {
            said.classes_replaced = Some(line);
        }
        for (head, missing) in [
            ("missing keys in source state_dict: ", true),
            ("unexpected key in source state_dict: ", false),
        ] {
            let Some((_, names)) = text.split_once(head) else {
                continue;
            };
            let names = names.split(',').map(str::trim).filter(|n| !n.is_empty());
            said.mismatched.push(Mismatched {
                missing,
                names: names.clone().count() as u64,
                first: names.take(4).map(str::to_string).collect(),
                line,
            });
            said.mismatched.truncate(100);
        }
    }
}

/// "Transferred 151/691 items".
fn transferred(text: &str) -> Option<(u64, u64)> {
    let (_, rest) = text.split_once("Transferred ")?;
    let (items, rest) = rest.split_once('/')?;
    let (of, rest) = rest.split_once(' ')?;
    rest.starts_with("items")
        .then_some((items.parse().ok()?, of.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::said::Counted;
    use super::*;

    pub fn of(text: &str) -> Log {
        read(text.as_bytes()).unwrap()
    }

    #[test]
    fn ultralytics_rewrites_its_lines_and_the_last_of_an_epoch_counts() {
        let log = of(concat!(
            "Transferred 151/691 items from pretrained weights\n",
            "Overriding model.yaml nc=80 with nc=2\n",
            "\u{1b}[34m\u{1b}[1mtrain: \u{1b}[0mScanning /d/labels/train... 7 images, 1 backgrounds, 0 corrupt: 100% 8/8\n",
            "\n      Epoch    GPU_mem   box_loss   cls_loss   dfl_loss  Instances       Size\n",
            "\r        1/3         0G      9.427      2.805      2.785          6         64: 0%\r\u{1b}[K        1/3         0G      4.427      2.805      2.785          6         64: 100%\n",
            "\r                 Class     Images  Instances      Box(P          R      mAP50  mAP50-95): 100% 1/1\n",
            "                   all          4          8        0.5      0.25        0.1       0.05\n",
            "        2/3         0G        nan      2.805      2.785          6         64: 100%\n",
            "3 epochs completed in 0.001 hours.\n",
            "                   all          4          8        0.9      0.9        0.9       0.9\n",
        ));
        assert_eq!(log.said.transferred[0].items, 151);
        let loss = &log.series["train/box_loss"];
        assert_eq!(
            (loss.count, loss.bad, loss.first.unwrap().value),
            (1, 1, 4.427)
        );
        assert_eq!(loss.first_bad.unwrap().place.to_string(), "epoch 2, line 9");
        let map = &log.series["metrics/mAP50-95(B)"];
        assert_eq!((map.count, map.last.unwrap().value), (1, 0.05));
        let counts: Vec<_> = log
            .said
            .counts
            .iter()
            .map(|c| (c.split.as_str(), c.what, c.n))
            .collect();
        assert!(counts.contains(&("train", Counted::Images, 7)));
        assert!(counts.contains(&("train", Counted::Backgrounds, 1)));
        assert!(counts.contains(&("val", Counted::Instances, 8)));
    }

    #[test]
    fn mmengine_says_epochs_iterations_and_what_does_not_match() {
        let log = of(concat!(
            "2026/11/30 16:30:29 - mmengine - WARNING - The model and loaded state dict do not match exactly\n\n",
            "unexpected key in source state_dict: head.weight, head.bias\n\nmissing keys in source state_dict: fc.bias\n\n",
            "2026/11/30 16:30:29 - mmengine - INFO - Epoch(train) [1][4/8]  lr: 1.0000e-01  eta: 0:00:00  time: 0.0336  loss: 3.7527  loss_cls: nan\n",
            "2026/11/30 16:30:29 - mmengine - INFO - Epoch(val) [1][8/8]    toy/accuracy: 0.1719  data_time: 0.0007  time: 0.0009\n",
        ));
        assert_eq!(
            (log.said.mismatched[0].names, log.said.mismatched[1].names),
            (2, 1)
        );
        assert_eq!(
            log.series["loss"].last.unwrap().place.to_string(),
            "epoch 1, step 4, line 7"
        );
        assert_eq!(log.series["loss_cls"].bad, 1);
        assert_eq!(
            log.series["toy/accuracy"].last.unwrap().place.epoch,
            Some(1.0)
        );
        let log = of(
            "11/30 16:30:29 - mmengine - INFO - Iter(train) [ 40/60]  lr: 0.1  loss: 1.5\n11/30 16:30:29 - mmengine - INFO - Iter(val) [8/8]    mIoU: 2.7  time: 0.1\n",
        );
        assert_eq!(
            log.series["mIoU"].last.unwrap().place.to_string(),
            "step 40, line 2"
        );
    }

    #[test]
    fn mmcv_1_writes_commas() {
        let log = of(
            "2021-01-01 00:00:00,000 - mmdet - INFO - Epoch [1][50/100]\tlr: 1.978e-03, eta: 1 day, 3:00:00, time: 0.5, loss_cls: 0.5, loss: 1.25\n",
        );
        let loss = log.series["loss"].last.unwrap();
        assert_eq!(
            (loss.value, loss.place.to_string().as_str()),
            (1.25, "epoch 1, step 50, line 1")
        );
        assert_eq!(log.series["loss_cls"].last.unwrap().value, 0.5);
    }

    #[test]
    fn a_traceback_is_one_error_and_a_script_of_its_own_is_read() {
        let log = of(concat!(
            "Epoch 1/100: total_loss = 180.25, cls_loss=0.0000, iou_loss: 1.5\n",
            "[epoch 2] total_loss 140.0 | cls_loss 0.0000\n",
            "Traceback (most recent call last):\n  File \"a.py\", line 3, in <module>\n    f(WARNING)\nRuntimeError: CUDA out of memory\n",
        ));
        assert_eq!(log.series["total_loss"].count, 2);
        assert_eq!(log.series["cls_loss"].highest.unwrap().value, 0.0);
        assert_eq!(
            log.series["iou_loss"].last.unwrap().place.to_string(),
            "epoch 1, line 1"
        );
        let words = &log.said.words;
        assert_eq!(
            (words.len(), words[0].level, words[0].lines[0]),
            (1, Level::Error, 6)
        );
    }
}

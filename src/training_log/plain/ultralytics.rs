//! ultralytics: its tables: a head with names, a row of losses that is rewritten while an epoch runs, a row of metrics behind it; and what it counted.

use super::super::said::{Count, Counted, Said};
use super::super::{Log, Place, number};

/// What is known while the tables are read.
#[derive(Default)]
pub struct Table {
    /// Names of a row of losses, in order.
    losses: Vec<String>,
    /// Names of a row of metrics.
    metrics: Vec<String>,
    /// The row of the epoch that runs.
    row: Option<(Place, Vec<f64>)>,
    epoch: Option<f64>,
    /// The training is over: what follows is the best checkpoint once more.
    over: bool,
}

impl Table {
    /// Whether the text is a part of a table.
    pub fn row(&mut self, text: &str, line: u64, log: &mut Log) -> bool {
        counts(text, line, &mut log.said);
        let words: Vec<&str> = text.split_whitespace().collect();
        if text.contains(" epochs completed in ") || text.starts_with("Validating ") {
            self.over = true;
        }
        match words[..] {
            ["Epoch", "GPU_mem" | "gpu_mem", ..] => {
                self.losses = words[2..].iter().map(|w| (*w).to_string()).collect()
            }
            ["Class", "Images", ..] => self.metrics = metrics(&words[2..]),
            ["classes", "top1_acc", ..] => {
                self.metrics = ["metrics/accuracy_top1", "metrics/accuracy_top5"]
                    .map(String::from)
                    .to_vec()
            }
            ["all", ..] if !self.metrics.is_empty() => self.measured(&words[1..], line, log),
            _ => return self.running(&words, line, log),
        }
        true
    }

    /// "1/3  0G  4.427  2.805 ...": the values under their names; the last update of an epoch is the one that counts.
    fn running(&mut self, words: &[&str], line: u64, log: &mut Log) -> bool {
        let epoch = words.first().and_then(|w| w.split_once('/'));
        let Some((epoch, _)) = epoch.filter(|(_, of)| of.parse::<u32>().is_ok()) else {
            return false;
        };
        let Some(epoch) =
            number(epoch).filter(|_| !self.losses.is_empty() && words.len() > self.losses.len())
        else {
            return false;
        };
        let values = words[2..].iter().map_while(|w| number(w)).collect();
        if self.epoch.is_some_and(|e| e != epoch) {
            self.end(log);
        }
        self.epoch = Some(epoch);
        let place = Place {
            epoch: Some(epoch),
            ..Place::line(line)
        };
        self.row = Some((place, values));
        true
    }

    /// The row of the epoch that has ended.
    pub fn end(&mut self, log: &mut Log) {
        let Some((place, values)) = self.row.take() else {
            return;
        };
        log.row(place);
        for (name, value) in self.losses.iter().zip(values) {
            if name != "Instances" && name != "Size" && name != "labels" && name != "img_size" {
                log.push(&format!("train/{name}"), place, value);
            }
        }
    }

    /// "all  4  8  0.5  0.25  0.1  0.05".
    fn measured(&mut self, words: &[&str], line: u64, log: &mut Log) {
        self.end(log);
        let values: Vec<f64> = words.iter().map_while(|w| number(w)).collect();
        // A classifier's row has no counts.
        let counted = values.len().saturating_sub(self.metrics.len());
        for (what, n) in [Counted::Images, Counted::Instances]
            .into_iter()
            .zip(&values[..counted.min(2)])
        {
            log.said.count(Count {
                split: "val".into(),
                what,
                n: *n as u64,
                line,
                scanned: false,
            });
        }
        let place = Place {
            epoch: self.epoch,
            ..Place::line(line)
        };
        if !self.over {
            for (name, value) in self.metrics.iter().zip(&values[counted..]) {
                log.push(name, place, *value);
            }
        }
    }
}

/// "Instances Box(P R mAP50 mAP50-95):" as the names that results.csv has.
fn metrics(words: &[&str]) -> Vec<String> {
    let (mut group, mut names) = ("", vec![]);
    for word in words.iter().skip(1) {
        let own = match word.split_once('(') {
            Some((head, own)) => {
                group = match head {
                    "Box" => "(B)",
                    "Mask" => "(M)",
                    "Pose" => "(P)",
                    _ => "",
                };
                own
            }
            None => word,
        };
        let name = match own.trim_end_matches([')', ':']) {
            "P" => "precision",
            "R" => "recall",
            name if name.starts_with("mAP") => name,
            _ => break,
        };
        names.push(format!("metrics/{name}{group}"));
    }
    names
}

/// "train: Scanning labels... 7 images, 1 backgrounds, 0 corrupt", "Using 8 train, 4 val images".
fn counts(text: &str, line: u64, said: &mut Said) {
    let Some((head, rest)) = text.split_once("Scanning ") else {
        return;
    };
    let split = head.trim().trim_end_matches(':');
    let words = [
        (" images", Counted::Images),
        (" backgrounds", Counted::Backgrounds),
        (" corrupt", Counted::Corrupt),
    ];
    for (word, what) in words {
        let before = rest.find(word).map(|at| &rest[..at]);
        let n = before.and_then(|b| b.rsplit(' ').next()?.parse().ok());
        if let Some(n) = n {
            said.count(Count {
                split: split.into(),
                what,
                n,
                line,
                scanned: true,
            });
        }
    }
}

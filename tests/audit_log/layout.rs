//! layout: one training as each tool would log it: columns of numbers by name, written as a table, as JSON lines or as a printed log.

use std::fmt::Write as _;

/// Columns of a training, and what it printed before them.
#[derive(Clone, Default)]
pub struct Run {
    pub columns: Vec<(String, Vec<f64>)>,
    pub printed: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Layout {
    /// results.csv as it is now.
    Csv,
    /// As it was, with spaces around names and values.
    Padded,
    /// mmengine by epochs.
    Epochs,
    /// mmengine by iterations.
    Iterations,
    /// mmengine's printed log.
    Printed,
    /// A script's own printed log.
    Script,
}

pub const ALL: [Layout; 6] = [
    Layout::Csv,
    Layout::Padded,
    Layout::Epochs,
    Layout::Iterations,
    Layout::Printed,
    Layout::Script,
];

impl Layout {
    pub fn file(self) -> &'static str {
        match self {
            Self::Csv | Self::Padded => "results.csv",
            Self::Epochs | Self::Iterations => "scalars.json",
            Self::Printed | Self::Script => "train.log",
        }
    }

    /// What this layout calls a loss, a metric.
    pub fn loss(self, term: &str) -> String {
        match self {
            Self::Csv | Self::Padded => format!("train/{term}_loss"),
            _ => format!("loss_{term}"),
        }
    }

    pub fn metric(self, name: &str) -> String {
        match self {
            Self::Csv | Self::Padded => format!("metrics/{name}(B)"),
            Self::Script => name.into(),
            _ => format!("coco/{name}"),
        }
    }

    pub fn write(self, run: &Run) -> String {
        let rows = run.columns.first().map_or(0, |c| c.1.len());
        let mut text = run.printed.clone();
        if matches!(self, Self::Csv | Self::Padded) {
            let names: Vec<&str> = run.columns.iter().map(|c| c.0.as_str()).collect();
            text += &self.cells("epoch", names.iter().map(|n| (*n).to_string()));
        }
        for row in 0..rows {
            let values = run
                .columns
                .iter()
                .map(|(name, values)| (name.as_str(), values[row]));
            let epoch = row + 1;
            match self {
                Self::Csv | Self::Padded => {
                    text += &self.cells(&epoch.to_string(), values.map(|v| said(v.1)))
                }
                Self::Epochs | Self::Iterations => text += &json(self, epoch, values.collect()),
                Self::Printed => text += &printed(epoch, values.collect()),
                Self::Script => text += &script(epoch, values.collect()),
            }
        }
        text
    }

    fn cells(self, first: &str, rest: impl Iterator<Item = String>) -> String {
        let all = std::iter::once(first.to_string()).chain(rest);
        let pad = |cell: String| {
            if self == Self::Padded {
                format!("{cell:>23}")
            } else {
                cell
            }
        };
        let all: Vec<String> = all.map(pad).collect();
        all.join(",") + "\n"
    }
}

/// A number as Python prints it.
fn said(value: f64) -> String {
    match value {
        v if v.is_nan() => "nan".into(),
        v if v.is_infinite() => "inf".into(),
        v => format!("{v}"),
    }
}

type Values<'a> = Vec<(&'a str, f64)>;

fn is_metric(name: &str) -> bool {
    name.starts_with("coco/") || name.starts_with("IoU")
}

fn json(layout: Layout, epoch: usize, values: Values) -> String {
    let token = |v: f64| said(v).replace("nan", "NaN").replace("inf", "Infinity");
    let pairs = |metric: bool| {
        let own = values.iter().filter(|v| is_metric(v.0) == metric);
        own.map(|(n, v)| format!("\"{n}\": {}", token(*v)))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let count = match layout {
        Layout::Epochs => format!(
            "\"epoch\": {epoch}, \"iter\": {}, \"step\": {}",
            100 * epoch,
            100 * epoch
        ),
        _ => format!("\"iter\": {}, \"step\": {}", 100 * epoch, 100 * epoch),
    };
    let mut text = format!(
        "{{\"lr\": 0.01, \"data_time\": 0.01, {}, \"time\": 0.1, {count}}}\n",
        pairs(false)
    );
    if values.iter().any(|v| is_metric(v.0)) {
        let step = if layout == Layout::Epochs { epoch } else { 0 };
        let _ = writeln!(
            text,
            "{{{}, \"data_time\": 0.01, \"time\": 0.1, \"step\": {step}}}",
            pairs(true)
        );
    }
    text
}

fn printed(epoch: usize, values: Values) -> String {
    let pairs = |metric: bool| {
        let own = values.iter().filter(|v| is_metric(v.0) == metric);
        own.map(|(n, v)| format!("{n}: {}", said(*v)))
            .collect::<Vec<_>>()
            .join("  ")
    };
    let stamp = "2026/11/30 16:30:29 - mmengine - INFO - ";
    let train = format!(
        "{stamp}Epoch(train) [{epoch}][100/100]  lr: 1.0000e-02  eta: 1 day, 0:00:00  time: 0.0336  data_time: 0.0016  memory: 900  {}\n",
        pairs(false)
    );
    train
        + &format!(
            "{stamp}Epoch(val) [{epoch}][9/9]    {}  data_time: 0.0001  time: 0.0003\n",
            pairs(true)
        )
}

fn script(epoch: usize, values: Values) -> String {
    let pairs: Vec<String> = values
        .iter()
        .map(|(n, v)| format!("{n}={}", said(*v)))
        .collect();
    format!("[epoch {epoch}/99] {}\n", pairs.join(", "))
}

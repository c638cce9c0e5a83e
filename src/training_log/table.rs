//! table: a log as a table with commas: ultralytics' results.csv of every version (names with spaces around), YOLOv5's, Lightning's metrics.csv.

use super::lines::{self, Line};
use super::{Damage, Form, Kind, Log, Place, number};
use std::io::{BufRead, Result};

/// Whether a text begins as a table does: names, of which one counts the training or is a loss, and numbers below.
pub fn is_one(text: &str) -> bool {
    let mut lines = text.lines().filter(|l| !l.trim().is_empty());
    let Some(head) = lines.next() else {
        return false;
    };
    let names = names(head);
    let known = names
        .iter()
        .any(|n| matches!(Kind::of(n), Kind::Clock | Kind::Loss | Kind::Metric));
    let numbers = |l: &str| l.split(',').any(|cell| number(cell).is_some());
    names.len() > 1
        && known
        && names.iter().all(|n| number(n).is_none())
        && !names.iter().any(|n| n.contains(": ") || n.contains('='))
        && lines.next().is_none_or(numbers)
}

fn names(head: &str) -> Vec<String> {
    let clean = |n: &str| n.trim().trim_matches('"').trim().to_string();
    head.trim_start_matches('\u{feff}')
        .split(',')
        .map(clean)
        .collect()
}

/// The column that counts epochs, and the one that counts steps.
#[derive(Default)]
struct Columns {
    ids: Vec<Option<usize>>,
    epoch: Option<usize>,
    step: Option<usize>,
}

impl Columns {
    fn of(head: &str, log: &mut Log) -> Self {
        let names = names(head);
        let at = |words: &[&str]| {
            names
                .iter()
                .position(|n| words.contains(&n.to_lowercase().as_str()))
        };
        let mut columns = Self {
            epoch: at(&["epoch", "epochs"]),
            step: at(&["step", "iter", "iteration", "global_step"]),
            ids: vec![],
        };
        for (i, name) in names.iter().enumerate() {
            let counts = [columns.epoch, columns.step].contains(&Some(i)) || name.is_empty();
            let id = if counts { None } else { log.id(name) };
            columns.ids.push(id);
        }
        columns
    }
}

pub fn read(from: impl BufRead) -> Result<Log> {
    let mut log = Log::new(Form::Table);
    let mut columns: Option<Columns> = None;
    lines::each(from, |line| {
        if line.cut {
            log.damage(Damage::TooLong, format!("line {}", line.number));
        }
        let text = String::from_utf8_lossy(line.bytes);
        if text.trim().is_empty() {
            return;
        }
        match &columns {
            None => columns = Some(Columns::of(&text, &mut log)),
            Some(columns) => row(&line, &text, columns, &mut log),
        }
    })?;
    Ok(log)
}

fn row(line: &Line, text: &str, columns: &Columns, log: &mut Log) {
    let cells: Vec<&str> = text.split(',').map(str::trim).collect();
    let said = format!("line {}", line.number);
    if cells.len() != columns.ids.len() {
        let short = cells.len() < columns.ids.len();
        let kind = if short && !line.ended {
            Damage::Cut
        } else {
            Damage::Ragged
        };
        return log.damage(
            kind,
            format!("{said}, {} of {} values", cells.len(), columns.ids.len()),
        );
    }
    let count = |column: Option<usize>| column.and_then(|i| number(cells[i]));
    let place = Place {
        epoch: count(columns.epoch),
        step: count(columns.step).map(|s| s as u64),
        ..Place::line(line.number)
    };
    if is_header(&cells) {
        return;
    }
    log.row(place);
    for (cell, id) in cells.iter().zip(&columns.ids) {
        let Some(id) = id else { continue };
        match number(cell) {
            Some(value) => log.series[*id].push(value, place),
            // What was not measured in this row.
            None if cell.is_empty() || *cell == "None" => {}
            None => log.damage(Damage::Unreadable, format!("{said}, '{cell}'")),
        }
    }
}

/// A header again, as a resumed run may write it.
fn is_header(cells: &[&str]) -> bool {
    cells.iter().all(|c| number(c).is_none() && !c.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Log {
        assert!(is_one(text), "{text}");
        read(text.as_bytes()).unwrap()
    }

    #[test]
    fn names_with_spaces_around_are_the_same_names() {
        let old = "                  epoch,         train/box_loss,        metrics/mAP50(B)\n                      0,                 4.2526,                       0\n";
        let new = "epoch,train/box_loss,metrics/mAP50(B)\n0,4.2526,0\n";
        assert_eq!(of(old), of(new));
        let log = of(new);
        assert_eq!(
            log.series.keys().collect::<Vec<_>>(),
            ["train/box_loss", "metrics/mAP50(B)"]
        );
        let first = log.series["train/box_loss"].first.unwrap();
        assert_eq!((first.value, first.place.epoch), (4.2526, Some(0.0)));
        assert_eq!(first.place.to_string(), "epoch 0, line 2");
    }

    #[test]
    fn what_was_not_measured_is_no_value_and_what_is_no_number_is_said() {
        let log = of("epoch,step,train_loss,val_loss\n0,49,1.5,\n0,99,,2.5\n1,149,nan,x\n");
        assert_eq!(log.series["train_loss"].count, 1);
        assert_eq!(log.series["train_loss"].bad, 1);
        assert_eq!(log.damages[&Damage::Unreadable].first, ["line 4, 'x'"]);
        assert!(log.restarts.is_empty());
    }

    #[test]
    fn rows_of_another_width_and_a_cut_end_are_said_and_not_read() {
        let log = of("epoch,a_loss\n1,2\n2,3,4\n1,5\n3");
        assert_eq!(
            log.damages[&Damage::Ragged].first,
            ["line 3, 3 of 2 values"]
        );
        assert_eq!(log.damages[&Damage::Cut].first, ["line 5, 1 of 2 values"]);
        assert_eq!(log.series["a_loss"].count, 2);
    }

    #[test]
    fn an_epoch_that_goes_back_is_a_restart_and_a_repeated_header_is_no_row() {
        let log = of("epoch,a_loss\n1,2\n2,3\nepoch,a_loss\n1,5\n");
        assert_eq!(log.restarts.len(), 1);
        assert_eq!(log.restarts[0].to_string(), "epoch 1, line 5");
        assert_eq!(log.rows, 3);
    }

    #[test]
    fn prose_with_commas_is_no_table() {
        for text in [
            "Epoch 1, loss 2.0\n",
            "a: b, loss: 2\n1,2\n",
            "1,2\n3,4\n",
            "hello\n",
            "[epoch 1/9] box_loss=2.0, loss_cls=1.0\n",
        ] {
            assert!(!is_one(text), "{text}");
        }
    }
}

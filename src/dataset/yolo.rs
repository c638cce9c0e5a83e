//! yolo: a label file of YOLO's: a row per object, its class and its box (centre, width, height), its polygon, or its box and keypoints, in shares of the image's sides.

use super::{Class, Labels, Object, Wrong, WrongKind};
use std::collections::HashMap;

/// What is said of one file at most: enough for any that a person mends.
const MOST: usize = 100;

/// The labels of a file of `bytes`; a row of `keypoints` has that many columns.
pub fn read(bytes: &[u8], keypoints: Option<usize>) -> Labels {
    let mut labels = Labels::default();
    let text = match text(bytes) {
        Ok(text) => text,
        Err(what) => {
            labels.wrong.push(Wrong::new(WrongKind::Encoding, "", what));
            return labels;
        }
    };
    let mut before: HashMap<&str, usize> = HashMap::new();
    let mut columns = [None, None];
    for (i, line) in text.split(['\n', '\r']).enumerate() {
        let (line, at) = (line.trim(), line_number(text, i));
        if line.is_empty() || labels.wrong.len() >= MOST {
            continue;
        }
        if let Some(first) = before.insert(line, at) {
            let what = format!("the row of line {first} again");
            let at = at.to_string();
            labels.wrong.push(Wrong::new(WrongKind::Repeated, at, what));
            continue;
        }
        let fields = line.split_whitespace().count();
        columns[usize::from(fields > 6)].get_or_insert((at, fields));
        match row(line, keypoints) {
            Ok((class, corners)) => labels.objects.push(Object {
                at: at.to_string(),
                class: Class::Id(class),
                corners,
            }),
            Err((kind, what)) => labels.wrong.push(Wrong::new(kind, at.to_string(), what)),
        }
    }
    if let ([Some((at, n)), Some((other, m))], None) = (columns, keypoints) {
        let what = format!(
            "{n} columns, where line {other} has {m}: loaders read all rows of a file as polygons where one is"
        );
        let wrong = Wrong::new(WrongKind::Syntax, at.to_string(), what);
        labels.wrong.push(wrong);
    }
    labels
}

/// The number of the `i`-th piece of a text split at both kinds of line ends, where `\r\n` is one.
fn line_number(text: &str, i: usize) -> usize {
    match text.contains("\r\n") {
        true => i / 2 + 1,
        false => i + 1,
    }
}

/// The text that Python reads as UTF-8 and takes numbers from.
fn text(bytes: &[u8]) -> Result<&str, String> {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Err("it is UTF-16, by its first two bytes".into()),
        [0xef, 0xbb, 0xbf, ..] => {
            Err("it begins with a byte order mark (EF BB BF), which is no part of a number".into())
        }
        _ => {
            let zeros = bytes.iter().filter(|b| **b == 0).count();
            if zeros > 0 {
                let like = match 3 * zeros > bytes.len() {
                    true => ": UTF-16 without its mark",
                    false => "",
                };
                return Err(format!("{zeros} of its {} bytes are 0{like}", bytes.len()));
            }
            std::str::from_utf8(bytes).map_err(|e| {
                let at = e.valid_up_to();
                format!("byte {at} is {:#04x}, which is no UTF-8", bytes[at])
            })
        }
    }
}

type Refused = (WrongKind, String);

fn row(line: &str, keypoints: Option<usize>) -> Result<(i64, [f64; 4]), Refused> {
    let number = |word: &str| {
        let no = || (WrongKind::Syntax, format!("'{}' is no number", few(word)));
        word.parse::<f64>().map_err(|_| no())
    };
    let values = line.split_whitespace().map(number);
    let values: Vec<f64> = values.collect::<Result<_, _>>()?;
    if let Some(i) = values.iter().position(|v| !v.is_finite()) {
        let what = format!("column {} is {}", i + 1, values[i]);
        return Err((WrongKind::NonFinite, what));
    }
    fits(values.len(), keypoints)?;
    let class = values[0];
    if class.fract() != 0.0 || class.abs() > 1e9 {
        return Err((
            WrongKind::Syntax,
            format!("class {class} is no whole number"),
        ));
    }
    within(&values, keypoints)?;
    Ok((class as i64, corners(&values[1..], keypoints)))
}

fn few(word: &str) -> String {
    word.chars().take(20).collect()
}

fn fits(columns: usize, keypoints: Option<usize>) -> Result<(), Refused> {
    let wanted = match keypoints {
        Some(n) if columns != n => format!("{n}: a class, a box, and the keypoints of kpt_shape"),
        None if columns != 5 && (columns < 7 || columns.is_multiple_of(2)) => {
            "5 of a box, or a class and 3 points or more of a polygon".into()
        }
        _ => return Ok(()),
    };
    let what = format!("{columns} columns, not {wanted}");
    Err((WrongKind::Syntax, what))
}

/// Loaders keep numbers in f32, and refuse a file with one below 0 or above 1 by that.
fn within(values: &[f64], keypoints: Option<usize>) -> Result<(), Refused> {
    let visible = |i: usize| {
        keypoints.is_some_and(|n| i >= 5 && (n - 5).is_multiple_of(3) && (i - 5) % 3 == 2)
    };
    let out = |(i, v): &(usize, &f64)| !visible(*i) && !(0.0..=1.0).contains(&(**v as f32));
    let Some((i, v)) = values.iter().enumerate().skip(1).find(out) else {
        return Ok(());
    };
    let like = match *v > 2.0 {
        true => ", as pixels are",
        false => "",
    };
    let what = format!("column {} is {v}, not in 0 … 1{like}", i + 1);
    Err((WrongKind::OutOfRange, what))
}

fn corners(values: &[f64], keypoints: Option<usize>) -> [f64; 4] {
    if values.len() == 4 || keypoints.is_some() {
        let [x, y, w, h] = [values[0], values[1], values[2] / 2.0, values[3] / 2.0];
        return [x - w, y - h, x + w, y + h];
    }
    let every = |from: usize| values.iter().skip(from).step_by(2).copied();
    let least = |from| every(from).fold(f64::INFINITY, f64::min);
    let most = |from| every(from).fold(f64::NEG_INFINITY, f64::max);
    [least(0), least(1), most(0), most(1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &[u8]) -> Vec<(WrongKind, String)> {
        let labels = read(text, None);
        labels.wrong.into_iter().map(|w| (w.kind, w.at)).collect()
    }

    #[test]
    fn odd_rows_that_loaders_take_are_taken() {
        for text in [
            "0 .5 0.5 1 1\n",
            "1.0 5e-1 0.5 1e-3 +0.2\r\n\r\n2\t0.5  0.5 0.1 0.1   \r\n",
            "",
            "\n \n",
            "0 0.5 0.5 0.1 0.1",
            "3 0 0 1 0 1 1\n4 0 0 1 0 1 1 0 1\n",
            "0 0.5 0.5 0.1 1.00000001\n",
        ] {
            assert_eq!(wrong(text.as_bytes()), [], "{text:?}");
        }
        let labels = read(b"3 0 0.25 1 0 1 0.5\r\n4 0.5 0.5 0.5 1\r\n", None);
        assert_eq!(labels.objects[0].corners, [0.0, 0.0, 1.0, 0.5]);
        assert_eq!(labels.objects[1].corners, [0.25, 0.0, 0.75, 1.0]);
        assert_eq!(labels.objects[1].at, "2");
    }

    #[test]
    fn each_kind_of_wrong_row_is_said_with_its_line() {
        use WrongKind::{Encoding, NonFinite, OutOfRange, Repeated, Syntax};
        let good = "0 0.5 0.5 0.1 0.1\n";
        for (row, kind) in [
            ("0 nan 0.5 0.1 0.1", NonFinite),
            ("0 0.5 inf 0.1 0.1", NonFinite),
            ("0 1.5 0.5 0.1 0.1", OutOfRange),
            ("0 -0.1 0.5 0.1 0.1", OutOfRange),
            ("0 0.5 0.5 0.1", Syntax),
            ("0 0.5 0.5 0.1 0.1 0.9", Syntax),
            ("0,0.5,0.5,0.1,0.1", Syntax),
            ("car 0.5 0.5 0.1 0.1", Syntax),
            ("0.5 0.5 0.5 0.1 0.1", Syntax),
            ("0 0.5 0.5 0.1 0.1", Repeated),
        ] {
            let all = wrong(format!("{good}{row}\n").as_bytes());
            assert_eq!(all, [(kind, "2".to_string())], "{row}");
        }
        let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for bytes in [
            [&b"\xff\xfe"[..], &utf16].concat(),
            utf16,
            b"\xef\xbb\xbf0 0.5 0.5 0.1 0.1".to_vec(),
            b"0 0.5 0.5 0.1 0.1 \xb3".to_vec(),
        ] {
            assert_eq!(wrong(&bytes), [(Encoding, String::new())]);
        }
    }

    #[test]
    fn a_box_among_polygons_and_keypoints_of_another_number_are_wrong() {
        let mixed = wrong(b"0 0 0 1 0 1 1\n0 0.5 0.5 0.1 0.1\n");
        assert_eq!(mixed, [(WrongKind::Syntax, "2".to_string())]);
        let row = b"0 0.5 0.5 0.1 0.1 0.5 0.5 2\n";
        assert_eq!(read(row, Some(8)).wrong, []);
        assert_eq!(read(row, Some(11)).wrong.len(), 1);
        assert_eq!(
            read(b"0 0.5 0.5 0.1 0.1 0.5 1.5 2\n", Some(8)).wrong.len(),
            1
        );
    }
}

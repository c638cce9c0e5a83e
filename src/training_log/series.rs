//! series: the values of one name in a log, in bounded memory: exact extremes, and a curve that grows coarser as it grows longer.

use std::fmt;

/// Points of a curve that are kept: at twice as many, neighbours become one.
const KEPT: usize = 512;

/// Where a value stands in its file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum At {
    Line(u64),
    Record(u64),
}

/// Where a value stands: in its file, and in the training where the log says so.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    pub at: At,
    pub epoch: Option<f64>,
    pub step: Option<u64>,
}

impl Place {
    #[must_use]
    pub fn line(line: u64) -> Self {
        Self::of(At::Line(line))
    }

    #[must_use]
    pub fn record(record: u64) -> Self {
        Self::of(At::Record(record))
    }

    fn of(at: At) -> Self {
        Self {
            at,
            epoch: None,
            step: None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(epoch) = self.epoch {
            write!(f, "epoch {epoch}, ")?;
        }
        if let Some(step) = self.step {
            write!(f, "step {step}, ")?;
        }
        match self.at {
            At::Line(n) => write!(f, "line {n}"),
            At::Record(n) => write!(f, "record {n}"),
        }
    }
}

/// One value and where it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value {
    pub value: f64,
    pub place: Place,
}

/// Some values in a row: their mean and extremes, and where the last of them stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub mean: f64,
    pub lowest: f64,
    pub highest: f64,
    pub place: Place,
    values: u64,
}

impl Point {
    fn of(value: f64, place: Place) -> Self {
        Self {
            mean: value,
            lowest: value,
            highest: value,
            place,
            values: 1,
        }
    }

    /// This and the next as one.
    fn with(self, next: Self) -> Self {
        let values = self.values + next.values;
        let share = next.values as f64 / values as f64;
        Self {
            mean: self.mean * (1.0 - share) + next.mean * share,
            lowest: self.lowest.min(next.lowest),
            highest: self.highest.max(next.highest),
            place: next.place,
            values,
        }
    }
}

/// What is known of the values of one name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// How many finite values there are.
    pub count: u64,
    /// How many are NaN or infinite, and the first of them.
    pub bad: u64,
    pub first_bad: Option<Value>,
    /// Of the finite ones.
    pub first: Option<Value>,
    pub last: Option<Value>,
    pub lowest: Option<Value>,
    pub highest: Option<Value>,
    /// The first that is not 0.
    pub first_nonzero: Option<Value>,
    /// The curve of the finite values.
    pub points: Vec<Point>,
}

impl Series {
    pub fn push(&mut self, value: f64, place: Place) {
        let new = Value { value, place };
        if !value.is_finite() {
            self.bad += 1;
            self.first_bad.get_or_insert(new);
            return;
        }
        self.count += 1;
        self.first.get_or_insert(new);
        self.last = Some(new);
        if value != 0.0 {
            self.first_nonzero.get_or_insert(new);
        }
        if self.lowest.is_none_or(|l| value < l.value) {
            self.lowest = Some(new);
        }
        if self.highest.is_none_or(|h| value > h.value) {
            self.highest = Some(new);
        }
        self.draw(Point::of(value, place));
    }

    /// The last point of the curve is full when it holds as many values as the first.
    fn draw(&mut self, new: Point) {
        let full = self.points.first().map_or(1, |p| p.values);
        match self.points.last_mut() {
            Some(last) if last.values < full => *last = last.with(new),
            _ => self.points.push(new),
        }
        if self.points.len() == 2 * KEPT {
            let pairs = self.points.chunks(2);
            self.points = pairs.map(|p| p[0].with(p[p.len() - 1])).collect();
        }
    }

    /// Values that one point of the curve stands for.
    #[must_use]
    pub fn width(&self) -> u64 {
        self.points.first().map_or(1, |p| p.values)
    }

    /// The median of the last tenth of the curve: where it ends, whatever the last value happens to be.
    #[must_use]
    pub fn end(&self) -> Option<f64> {
        let n = self.points.len().div_ceil(10);
        median(self.points.iter().rev().take(n).map(|p| p.mean))
    }

    /// The median of the first `n` points.
    #[must_use]
    pub fn begin(&self, n: usize) -> Option<f64> {
        median(self.points.iter().take(n).map(|p| p.mean))
    }

    /// Highest less lowest.
    #[must_use]
    pub fn range(&self) -> f64 {
        match (self.lowest, self.highest) {
            (Some(l), Some(h)) => h.value - l.value,
            _ => 0.0,
        }
    }

    /// The sum of curves of equal length; None where they differ in it.
    #[must_use]
    pub fn sum(all: &[&Series]) -> Option<Series> {
        let n = all.first()?.count;
        if all.iter().any(|s| s.count != n || s.bad > 0) {
            return None;
        }
        let mut sum = Series::default();
        for i in 0..all[0].points.len() {
            let value = all.iter().map(|s| s.points[i].mean).sum();
            sum.push(value, all[0].points[i].place);
        }
        Some(sum)
    }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut all: Vec<f64> = values.collect();
    all.sort_by(f64::total_cmp);
    let middle = all.len() / 2;
    match all.len() {
        0 => None,
        n if n % 2 == 1 => Some(all[middle]),
        _ => Some(f64::midpoint(all[middle - 1], all[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: impl IntoIterator<Item = f64>) -> Series {
        let mut series = Series::default();
        for (i, value) in values.into_iter().enumerate() {
            series.push(value, Place::line(i as u64 + 1));
        }
        series
    }

    #[test]
    fn extremes_are_exact_and_what_is_not_finite_stands_apart() {
        let s = series([0.0, 3.0, f64::NAN, -1.0, f64::INFINITY, 2.0]);
        assert_eq!((s.count, s.bad), (4, 2));
        assert_eq!(s.first_bad.unwrap().place, Place::line(3));
        assert_eq!(s.lowest.unwrap().value, -1.0);
        assert_eq!(s.highest.unwrap().place, Place::line(2));
        assert_eq!(s.first_nonzero.unwrap().value, 3.0);
        assert_eq!(s.last.unwrap().place, Place::line(6));
    }

    #[test]
    fn a_long_curve_is_coarser_and_as_true() {
        let s = series((0..100_000).map(f64::from));
        assert!(s.points.len() < 2 * KEPT, "{}", s.points.len());
        assert_eq!(s.width(), 128);
        assert_eq!(s.points[0].mean, 63.5);
        assert_eq!((s.points[1].lowest, s.points[1].highest), (128.0, 255.0));
        assert_eq!(s.points.last().unwrap().place, Place::line(100_000));
        let all: u64 = s.points.iter().map(|p| p.values).sum();
        assert_eq!(all, 100_000);
        assert!((s.end().unwrap() - 95_000.0).abs() < 200.0);
    }

    #[test]
    fn curves_of_unequal_length_have_no_sum() {
        let [a, b] = [series([1.0, 2.0]), series([10.0, 20.0])];
        let sum = Series::sum(&[&a, &b]).unwrap();
        assert_eq!(
            sum.points.iter().map(|p| p.mean).collect::<Vec<_>>(),
            [11.0, 22.0]
        );
        assert_eq!(Series::sum(&[&a, &series([1.0])]), None);
        assert_eq!(Series::sum(&[&a, &series([1.0, 2.0, f64::NAN])]), None);
        assert_eq!(Series::sum(&[]), None);
    }

    #[test]
    fn a_place_says_what_is_known_of_it() {
        let place = Place {
            epoch: Some(3.0),
            step: Some(7),
            ..Place::line(9)
        };
        assert_eq!(place.to_string(), "epoch 3, step 7, line 9");
        assert_eq!(Place::record(2).to_string(), "record 2");
    }
}

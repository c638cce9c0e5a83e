//! solve: the one number of a hypothesis: found by steps of Gauss and Newton on half of the elements, then written with as few digits as explain them.

/// Steps after which a number is given up.
const STEPS: usize = 6;

/// The amount that fits best, from `start`: `misfit` gives what is left at an amount, element by element, each in units of its limit.
///
/// # Errors
/// Whatever `misfit` says.
pub fn fitted<E>(
    start: f64,
    mut misfit: impl FnMut(f64) -> Result<Option<Vec<f64>>, E>,
) -> Result<Option<f64>, E> {
    let (mut at, mut best) = (start, f64::INFINITY);
    let mut found = None;
    for _ in 0..STEPS {
        let step = (at.abs() * 1e-3).max(1e-9);
        let (Some(here), Some(beside)) = (misfit(at)?, misfit(at + step)?) else {
            break;
        };
        let left: f64 = here.iter().map(|r| r * r).sum();
        if left < best {
            (best, found) = (left, Some(at));
        } else {
            break;
        }
        let slopes = beside.iter().zip(&here).map(|(b, h)| (b - h) / step);
        let (rs, ss) = slopes
            .zip(&here)
            .fold((0.0, 0.0), |(rs, ss), (s, r)| (rs + r * s, ss + s * s));
        let next = at - rs / ss;
        at = match at > 0.0 && start > 0.0 {
            // A small positive number is not left for a negative one in one step.
            true => next.clamp(at / 10.0, at * 10.0),
            false => next,
        };
        if !at.is_finite() {
            break;
        }
    }
    Ok(found)
}

/// `value` with the fewest digits with which it still `explains`; None where it does not with all of them.
pub fn snapped(value: f64, explains: &dyn Fn(f64) -> bool) -> Option<f64> {
    if !value.is_finite() {
        return None;
    }
    let short = (0..9).map(|digits| rounded(value, digits));
    let mut all = short.chain([f64::from(value as f32), value]);
    all.find(|v| explains(*v)).or(Some(value))
}

/// `value` with one digit before the point and `digits` behind it.
pub fn rounded(value: f64, digits: usize) -> f64 {
    format!("{value:.digits$e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_where_the_misfit_is_least_and_nothing_where_nothing_is_given() {
        let x: Vec<f64> = (1..40).map(f64::from).collect();
        for (start, want) in [(1e-5, 3e-3), (1.0, 3e-3), (0.1, 7.0)] {
            let misfit = |a: f64| {
                let left = x.iter().map(|x| (x + a).sqrt() - (x + want).sqrt());
                Ok::<_, ()>(Some(left.map(|r| r * 1e7).collect()))
            };
            let got = fitted(start, misfit).unwrap().unwrap();
            assert!(
                (got / want - 1.0).abs() < 1e-6,
                "{got} for {want} from {start}"
            );
        }
        assert_eq!(fitted(1.0, |_| Ok::<_, ()>(None)), Ok(None));
    }

    #[test]
    fn a_number_is_written_with_as_few_digits_as_explain_it() {
        let near = |to: f64| move |v: f64| (v - to).abs() <= 1e-6 * to.abs();
        assert_eq!(snapped(1.010_000_4, &near(1.01)), Some(1.01));
        assert_eq!(snapped(9.999_999e-4, &near(1e-3)), Some(1e-3));
        assert_eq!(snapped(0.123_456_7, &near(0.123_456_7)), Some(0.123_456_7));
        assert_eq!(snapped(2.5, &|_| false), Some(2.5));
        assert_eq!(snapped(f64::NAN, &|_| true), None);
    }
}

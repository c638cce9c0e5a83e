//! taps: the elements of an axis that one output element of Resize is made of, and their weights.

use super::coordinate::cubic;

/// Elements that one output position takes from its axis, and their weights.
pub struct Taps {
    pub index: Vec<Vec<i64>>,
    pub weight: Vec<Vec<f64>>,
    /// By how much the weights were multiplied so that they sum to 1; 1 almost always.
    pub gain: Vec<f64>,
}

/// Keys' cubic kernel at distance `t`.
pub fn keys(t: f64, a: f64) -> f64 {
    match t {
        t if t <= 1.0 => ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0,
        t if t < 2.0 => ((a * t - 5.0 * a) * t + 8.0 * a) * t - 4.0 * a,
        _ => 0.0,
    }
}

/// A kernel stretched over as many elements as become one; its weights are made to sum to 1.
pub fn smoothed(
    coordinates: &[f64],
    last: i64,
    scale: f64,
    reach: f64,
    kernel: &dyn Fn(f64) -> f64,
    exclude: bool,
) -> Taps {
    let first = (-reach / scale).floor() as i64 + 1;
    let offsets: Vec<i64> = (first..2 - first).collect();
    let mut taps = Taps {
        index: vec![vec![]; offsets.len()],
        weight: vec![vec![]; offsets.len()],
        gain: vec![],
    };
    for x in coordinates {
        let floor = x.floor() as i64;
        let outside = |at: i64| exclude && !(0..=last).contains(&at);
        let weight = |o: &i64| {
            if outside(floor + o) {
                0.0
            } else {
                kernel(((floor + o) as f64 - x).abs() * scale)
            }
        };
        let all: Vec<f64> = offsets.iter().map(weight).collect();
        let gain = 1.0 / all.iter().sum::<f64>();
        taps.gain.push(1.0);
        for (k, (o, w)) in offsets.iter().zip(all).enumerate() {
            taps.index[k].push((floor + o).max(0).min(last));
            taps.weight[k].push(w * gain);
        }
    }
    taps
}

/// The four elements around each coordinate; those outside are the nearest ones inside, or left out.
pub fn cubic_taps(coordinates: &[f64], last: i64, a: f64, exclude: bool) -> Taps {
    let mut taps = Taps {
        index: vec![vec![]; 4],
        weight: vec![vec![]; 4],
        gain: vec![],
    };
    for x in coordinates {
        let floor = x.floor();
        let mut w = cubic(x - floor, a);
        let at = [-1, 0, 1, 2].map(|k| floor as i64 + k);
        let mut gain = 1.0;
        if exclude {
            for (w, at) in w.iter_mut().zip(at) {
                *w = if (0..=last).contains(&at) { *w } else { 0.0 };
            }
            gain = 1.0 / w.iter().sum::<f64>();
            w = w.map(|w| w * gain);
        }
        taps.gain.push(gain.abs());
        for k in 0..4 {
            taps.index[k].push(at[k].max(0).min(last));
            taps.weight[k].push(w[k]);
        }
    }
    taps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_of_one_output_element_sum_to_one_wherever_it_lies() {
        for scale in [0.9, 0.5, 0.23] {
            for exclude in [false, true] {
                let linear = smoothed(
                    &[-0.4, 0.0, 1.7, 4.0],
                    4,
                    scale,
                    1.0,
                    &|t| (1.0 - t).max(0.0),
                    exclude,
                );
                let keyed = smoothed(
                    &[-0.4, 0.0, 1.7, 4.0],
                    4,
                    scale,
                    2.0,
                    &|t| keys(t, -0.75),
                    exclude,
                );
                for taps in [linear, keyed] {
                    for i in 0..4 {
                        let sum: f64 = taps.weight.iter().map(|w| w[i]).sum();
                        assert!((sum - 1.0).abs() < 1e-12, "{scale} {exclude} {i}: {sum}");
                    }
                    assert!(taps.index.iter().flatten().all(|at| (0..5).contains(at)));
                }
            }
        }
    }
}

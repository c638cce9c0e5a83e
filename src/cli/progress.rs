//! progress: how far a run is over all of its phases, and how long it still takes: from what each phase usually costs beside the others; pure.

/// What the phases of a run cost beside each other, measured on detectors; any other phase counts as much as the layers.
const COSTS: [(&str, f64); 4] = [
    ("pairs", 1.0),
    ("layers", 1.0),
    ("noise", 0.8),
    ("gradients", 1.2),
];
/// Never said to be done before it is.
const MOST: f64 = 0.99;

/// How far it is.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Costs of the phases that are done.
    done: f64,
    current: Option<(String, usize)>,
    /// Phases that may still come, by their place in the table.
    place: usize,
    /// What was said last: it never goes back.
    said: f64,
}

impl Progress {
    /// A phase of so many steps begins, and the one before is done.
    pub fn phase(&mut self, name: &str, steps: usize) {
        if let Some((last, _)) = self.current.take() {
            self.done += cost(&last);
        }
        let place = COSTS.iter().position(|row| row.0 == name);
        // A phase that comes again belongs to another round of the same; behind one of another kind nothing is known to come.
        self.place = place.map_or(COSTS.len(), |p| p + 1);
        self.current = Some((name.to_string(), steps));
    }

    /// The share of the whole that is done, with `step` steps of the present phase.
    pub fn share(&mut self, step: usize) -> f64 {
        let Some((name, steps)) = &self.current else {
            return self.said;
        };
        let cost = cost(name);
        let within = cost * step as f64 / (*steps).max(1) as f64;
        let rest: f64 = COSTS[self.place.min(COSTS.len())..]
            .iter()
            // Gradients are of trainings only, and are counted once they begin.
            .filter(|row| row.0 != "gradients")
            .map(|row| row.1)
            .sum();
        let share = (self.done + within.min(cost)) / (self.done + cost + rest);
        self.said = self.said.max(share.min(MOST));
        self.said
    }
}

fn cost(name: &str) -> f64 {
    let row = COSTS.iter().find(|row| row.0 == name);
    row.map_or(1.0, |row| row.1)
}

/// Seconds that are left after `seconds` for a share; none before anything can be told.
pub fn left(share: f64, seconds: f64) -> Option<f64> {
    (share > 0.02 && seconds > 1.0).then(|| seconds * (1.0 - share) / share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_over_all_phases_and_never_back() {
        let mut progress = Progress::default();
        let mut last = 0.0;
        for (name, steps) in [
            ("pairs", 10),
            ("layers", 100),
            ("noise", 5),
            ("layers", 100),
            ("noise", 5),
            ("gradients", 5),
        ] {
            progress.phase(name, steps);
            for step in 0..=steps {
                let share = progress.share(step);
                assert!(
                    (last..1.0).contains(&share),
                    "{name} {step}: {share} after {last}"
                );
                last = share;
            }
        }
        assert!(last > 0.9, "{last}");
    }

    #[test]
    fn a_run_of_layers_and_noise_is_half_done_about_half_way() {
        let mut progress = Progress::default();
        progress.phase("layers", 100);
        assert!(progress.share(0) < 0.01);
        let half = progress.share(100);
        assert!((0.4..0.7).contains(&half), "{half}");
        progress.phase("noise", 4);
        assert!(progress.share(4) > 0.98);
    }

    #[test]
    fn what_has_one_phase_of_its_own_is_done_with_it() {
        let mut progress = Progress::default();
        progress.phase("reading logs", 8);
        assert!((progress.share(4) - 0.5).abs() < 1e-9);
        assert!(progress.share(8) > 0.98);
    }

    #[test]
    fn what_is_left_is_told_from_what_was_needed() {
        assert_eq!(left(0.25, 10.0), Some(30.0));
        assert_eq!(left(0.0, 10.0), None);
        assert_eq!(left(0.5, 0.1), None);
    }
}

//! tally: what came of all mutants, by fault and by how far they move an output.

use crate::text::table;
use std::collections::BTreeMap;

/// What explains a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    Right,
    /// Nothing.
    Not,
    /// Another cause alone.
    Wrong(String),
    /// Its values were not kept.
    NotAsked,
}

/// What came of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// The fault does not run there, or changes no bit.
    Refused,
    /// No output moves by enough.
    Small,
    Missed,
    /// Detected, and not at its node.
    Elsewhere,
    Found {
        /// Independent origins besides.
        others: usize,
        named: Named,
        /// What explains it without its own row.
        left_out: Option<Named>,
    },
}

/// How many of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    counted: usize,
    detected: usize,
    placed: usize,
    others: usize,
    right: usize,
    not: usize,
    wrong: usize,
    /// Tried without its own row, and explained by another one then.
    left_out: usize,
    twins: usize,
}

/// What looking for causes may cost: so many times the run that found the divergence, or so many seconds.
const COSTS: (f64, f64) = (2.0, 5.0);

/// What looking for causes costs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Cost {
    asked: usize,
    /// More than it may.
    beyond: usize,
    /// The most seconds, and those of its run.
    most: (f64, f64),
}

impl Cost {
    fn add(&mut self, other: Self) {
        self.asked += other.asked;
        self.beyond += other.beyond;
        if other.most.0 > self.most.0 {
            self.most = other.most;
        }
    }
}

/// All of a study.
#[derive(Debug, Default)]
pub struct Tally {
    by_fault: BTreeMap<String, Counts>,
    by_size: BTreeMap<i32, Counts>,
    all: Counts,
    refused: usize,
    small: usize,
    clean: usize,
    alarms: usize,
    /// Of what is explained by the whole table, and of what is not without a row.
    costs: [Cost; 2],
    /// Which cause was named in the place of which fault, or as its twin.
    named: BTreeMap<(String, String, bool), usize>,
    /// Mutants that were missed, misplaced, or not explained by their own row, to be run again.
    open: Vec<String>,
}

/// The largest moves are one row.
const LARGEST: i32 = 0;

impl Tally {
    /// One mutant, which moves an output by `moved` of its root mean square.
    pub fn mutant(&mut self, (fault, place): (&str, &str), moved: f64, came: Came) {
        let open = match &came {
            Came::Refused | Came::Small => None,
            Came::Missed => Some("missed"),
            Came::Elsewhere => Some("found elsewhere"),
            Came::Found { named, .. } => (*named != Named::Right).then_some("not explained"),
        };
        let told = open.map(|how| format!("{how}: {fault} at {place}"));
        self.open.extend(told);
        match &came {
            Came::Refused => self.refused += 1,
            Came::Small => self.small += 1,
            Came::Missed | Came::Elsewhere | Came::Found { .. } => {
                let size = (moved.log10().floor() as i32).min(LARGEST);
                let by_fault = self.by_fault.entry(fault.into()).or_default();
                for counts in [
                    by_fault,
                    self.by_size.entry(size).or_default(),
                    &mut self.all,
                ] {
                    counts.count(&came);
                }
            }
        }
        let Came::Found {
            named, left_out, ..
        } = came
        else {
            return;
        };
        let mut remember = |named: Named, is_twin| {
            if let Named::Wrong(name) = named {
                *self.named.entry((fault.into(), name, is_twin)).or_default() += 1;
            }
        };
        remember(named, false);
        left_out.into_iter().for_each(|named| remember(named, true));
    }

    /// Seconds that looking for causes took with the whole table, or without a row of it, and those of the run that found the divergence.
    pub fn cost(&mut self, whole: bool, seconds: f64, run: f64) {
        self.costs[usize::from(!whole)].add(Cost {
            asked: 1,
            beyond: usize::from(seconds > (COSTS.0 * run).max(COSTS.1)),
            most: (seconds, run),
        });
    }

    /// A run without a fault.
    pub fn clean(&mut self, agrees: bool) {
        self.clean += 1;
        self.alarms += usize::from(!agrees);
    }

    pub fn add(&mut self, other: Self) {
        for (name, counts) in other.by_fault {
            self.by_fault.entry(name).or_default().add(counts);
        }
        for (size, counts) in other.by_size {
            self.by_size.entry(size).or_default().add(counts);
        }
        for (names, n) in other.named {
            *self.named.entry(names).or_default() += n;
        }
        self.open.extend(other.open);
        let costs = self.costs.iter_mut().zip(other.costs);
        costs.for_each(|(own, other)| own.add(other));
        self.all.add(other.all);
        self.refused += other.refused;
        self.small += other.small;
        self.clean += other.clean;
        self.alarms += other.alarms;
    }

    /// Whether at least 99 % are detected at their place, 90 % of those explained, none wrongly, and no clean run alarms.
    pub fn holds(&self) -> bool {
        let all = &self.all;
        all.counted > 0
            && 100 * all.detected >= 99 * all.counted
            && 100 * all.placed >= 99 * all.detected
            && 10 * all.right >= 9 * all.detected
            && all.wrong == 0
            && self.alarms == 0
    }

    /// The tables.
    pub fn page(&self) -> String {
        let header = [
            "",
            "mutants",
            "detected",
            "at its place",
            "others beside",
            "explained",
            "not explained",
            "named wrongly",
            "without its row: tried",
            "twin",
        ];
        let mut rows: Vec<Vec<String>> =
            self.by_size.iter().map(|(s, c)| c.row(&size(*s))).collect();
        rows.push(self.all.row("all"));
        let by_size = table(&header, &rows);
        let rows: Vec<Vec<String>> = self.by_fault.iter().map(|(f, c)| c.row(f)).collect();
        let by_fault = table(&header, &rows);
        let mut page = format!(
            "{by_size}\n{by_fault}\nnot counted: {} that move no output by more than {:e} of its rms, {} that change no bit or do not run there\nclean runs: {}, false alarms: {}\n",
            self.small,
            super::MOVED,
            self.refused,
            self.clean,
            self.alarms
        );
        for (cost, how) in self.costs.iter().zip(["with all rows", "without one row"]) {
            let ((most, run), (times, seconds)) = (cost.most, COSTS);
            page += &format!(
                "looking for causes {how}: {most:.1} s at most, for which the run took {run:.1} s; {} of {} took more than {times} x the run and {seconds} s\n",
                cost.beyond, cost.asked
            );
        }
        for ((fault, name, is_twin), n) in &self.named {
            let how = if *is_twin {
                "without its row named"
            } else {
                "named wrongly"
            };
            page += &format!("{fault}: {n} {how} {name}\n");
        }
        for line in &self.open {
            page += &format!("{line}\n");
        }
        page
    }
}

/// What a decade of moves is called.
fn size(decade: i32) -> String {
    match decade {
        LARGEST => "moves 1 and more of the rms".into(),
        decade => format!("moves 1e{decade} to 1e{}", decade + 1),
    }
}

impl Counts {
    fn count(&mut self, came: &Came) {
        self.counted += 1;
        self.detected += usize::from(*came != Came::Missed);
        let Came::Found {
            others,
            named,
            left_out,
        } = came
        else {
            return;
        };
        self.placed += 1;
        self.others += others;
        match named {
            Named::Right => self.right += 1,
            Named::Wrong(_) => self.wrong += 1,
            Named::Not | Named::NotAsked => self.not += 1,
        }
        self.left_out += usize::from(left_out.is_some());
        self.twins += usize::from(matches!(left_out, Some(Named::Wrong(_))));
    }

    fn add(&mut self, other: Self) {
        let own = [
            (&mut self.counted, other.counted),
            (&mut self.detected, other.detected),
            (&mut self.placed, other.placed),
            (&mut self.others, other.others),
            (&mut self.right, other.right),
            (&mut self.not, other.not),
            (&mut self.wrong, other.wrong),
            (&mut self.left_out, other.left_out),
            (&mut self.twins, other.twins),
        ];
        own.into_iter().for_each(|(own, other)| *own += other);
    }

    fn row(&self, name: &str) -> Vec<String> {
        let numbers = [
            self.counted,
            self.detected,
            self.placed,
            self.others,
            self.right,
            self.not,
            self.wrong,
            self.left_out,
            self.twins,
        ];
        let mut row = vec![name.to_string()];
        row.extend(numbers.iter().map(usize::to_string));
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(named: Named) -> Came {
        Came::Found {
            others: 0,
            named,
            left_out: Some(Named::Not),
        }
    }

    #[test]
    fn a_study_holds_only_where_nearly_all_are_found_explained_and_none_is_named_wrongly() {
        let study = |came: &[(usize, Came)], alarms: bool| {
            let mut tally = Tally::default();
            for (n, came) in came {
                (0..*n).for_each(|_| tally.mutant(("twice", "n"), 0.5, came.clone()));
            }
            tally.clean(!alarms);
            tally.holds()
        };
        let right = || found(Named::Right);
        for (came, alarms, holds) in [
            (vec![], false, false),
            (vec![(100, right())], false, true),
            (vec![(100, right())], true, false),
            (vec![(99, right()), (1, Came::Missed)], false, true),
            (vec![(98, right()), (2, Came::Missed)], false, false),
            (vec![(98, right()), (2, Came::Elsewhere)], false, false),
            (vec![(90, right()), (10, found(Named::Not))], false, true),
            (vec![(89, right()), (11, found(Named::Not))], false, false),
            (
                vec![(99, right()), (1, found(Named::Wrong("bypass".into())))],
                false,
                false,
            ),
            (vec![(5, Came::Small), (5, Came::Refused)], false, false),
        ] {
            assert_eq!(study(&came, alarms), holds, "{came:?} {alarms}");
        }
    }

    #[test]
    fn the_page_counts_what_is_not_counted_and_names_what_was_named_wrongly() {
        let mut tally = Tally::default();
        tally.mutant(("twice", "n"), 0.5, found(Named::Wrong("bypass".into())));
        tally.mutant(("twice", "n"), 0.5, Came::Small);
        tally.clean(true);
        for (seconds, run) in [(4.9, 0.1), (12.0, 7.0), (12.0, 5.0)] {
            tally.cost(false, seconds, run);
        }
        let page = tally.page();
        for words in [
            "1e-1 to 1e0",
            "not counted: 1",
            "false alarms: 0",
            "twice: 1 named wrongly bypass",
            "not explained: twice at n",
            "with all rows: 0.0 s at most, for which the run took 0.0 s; 0 of 0",
            "without one row: 12.0 s at most, for which the run took 7.0 s; 1 of 3",
        ] {
            assert!(page.contains(words), "{words}: {page}");
        }
    }
}

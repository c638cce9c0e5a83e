//! assigned: the assignments of both sides and of the golden, each against the f64 kernel or the reference.

use super::spread::Floors;
use super::{Side, Task};
use crate::floor::noise::R;
use crate::stage::assign::{Assigned, Report, Ties, difference};

pub fn report(task: &Task, sides: &[Side; 2], floors: &Floors) -> Report {
    let spread = |name: &str| floors.get(name).map_or(vec![], |f| f.max.iter().map(|m| R * m).collect());
    let ties = Ties { metric: spread("assign.metric"), overlap: spread("assign.overlap") };
    let [reference, candidate] = sides.each_ref().map(|s| Assigned::read(&|n| task.tensor(s.outputs, n)));
    let golden = Assigned::read(&|n| task.kept(n));
    let mut report = Report::default();
    for (side, own) in sides.iter().zip([&reference, &candidate]) {
        let judges = &side.kernel.evaluation.assignments;
        if let Some(own) = own {
            report.counts.push(own.count(side.who, &side.kernel.counts));
            report.differences.extend(difference(side.who, "kernel", own, &Assigned::of(judges), judges, &ties));
        }
    }
    let kernel = &sides[0].kernel;
    let Some(reference) = &reference else { return report };
    for (who, own) in [("candidate", &candidate), ("golden", &golden)] {
        let against = |own| difference(who, "reference", own, reference, &kernel.evaluation.assignments, &ties);
        report.differences.extend(own.as_ref().and_then(against));
    }
    report.counts.extend(golden.map(|own| own.count("golden", &kernel.counts)));
    report
}

//! buffers: running statistics that one program counts among its parameters and the other does not: how its framework counts, and no fault.

use super::third::WHO;
use crate::graph::param::{Kind, Param};
use crate::params::names::is_statistic;
use crate::verdict::{Finding, Severity};

/// None where both count alike, or one lists no parameters.
pub fn said(lists: [Option<&[Param]>; 2]) -> Option<Finding> {
    let [Some(ours), Some(theirs)] = lists else {
        return None;
    };
    let counted = |list: &[Param]| {
        let own = list
            .iter()
            .filter(|p| p.kind == Kind::Parameter && is_statistic(&p.name));
        (own.clone().count(), own.map(Param::elements).sum::<u64>())
    };
    let both = [counted(ours), counted(theirs)];
    if both[0] == both[1] {
        return None;
    }
    let more = usize::from(both[1].0 > both[0].0);
    let (all, elements) = both[more];
    let what = format!(
        "{all} running statistics ({elements} elements) are parameters of the {}, and {} of the {}: so its framework counts, and none of them is trained",
        WHO[more],
        both[1 - more].0,
        WHO[1 - more]
    );
    let said = Finding::new("convention", "parameters", what).of(WHO[more]);
    Some(said.severity(Severity::Note))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::DType;

    fn list(statistics: Kind) -> Vec<Param> {
        let one = |name: &str, kind| Param {
            name: name.into(),
            shape: vec![8],
            dtype: DType::F32,
            kind,
            trainable: None,
        };
        vec![
            one("bn.weight", Kind::Parameter),
            one("bn.running_mean", statistics),
            one("bn.running_var", statistics),
        ]
    }

    #[test]
    fn statistics_among_the_parameters_of_one_side_are_said_and_of_both_are_not() {
        let (apart, among) = (list(Kind::Buffer), list(Kind::Parameter));
        let says = said([Some(&apart), Some(&among)]).unwrap().what;
        assert!(says.contains("2 running statistics (16 elements) are parameters of the candidate, and 0 of the reference"), "{says}");
        assert_eq!(said([Some(&among), Some(&among)]), None);
        assert_eq!(said([None, Some(&among)]), None);
    }
}

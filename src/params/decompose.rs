//! decompose: the difference of two counts, module by module and cause by cause.
//!
//! A [`Decomposition`] stores no total: both headline counts and their difference are sums over its groups, and every parameter of
//! either side is in exactly one group. So the parts add up to the difference, or it is no decomposition.

use super::attributes::Settings;
use super::fresh::{self, Drawn};
use super::pair::{How, Pair, Paired, by_names, pair};
use super::rename::Rename;
use super::source::{Constants, Source};
use super::value::Relation;
use super::values::{Differing, Values};
use super::{Kind, Param, module, names};
use crate::compare::layout::Layout;
use crate::error::Result;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// What a headline counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Count {
    /// Elements of what each side calls a parameter.
    Parameters,
    /// Elements of what each side trains.
    Trainable,
}

/// Why elements are counted on one side and not, or not as many, on the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    Same,
    /// The same numbers, stored in another order of axes.
    Layout,
    OnlyReference,
    OnlyCandidate,
    /// Running statistics or a counter of one side alone, listed as parameters.
    Statistic,
    Shape,
    /// A buffer here is a parameter there (or the other way round).
    Buffer,
    /// Trained on one side, not on the other; matters to [`Count::Trainable`] alone.
    Frozen,
    /// Other numbers: changes no count.
    Value,
    /// The right numbers, under each other's names.
    Exchanged,
    /// Transposed, though the shape is one that does not tell whether that is the candidate's layout.
    Transposed,
    /// Of untrained models: another constant, spread or bound.
    Rule,
    /// Rounded for storage, or within a few ulp.
    Near,
    /// Equal but for the dtype: changes no count.
    DType,
}

impl Cause {
    pub const ALL: [(Cause, &'static str); 14] = [
        (Cause::Same, "same"),
        (Cause::Layout, "same, in another layout"),
        (Cause::OnlyReference, "only in the reference"),
        (Cause::OnlyCandidate, "only in the candidate"),
        (
            Cause::Statistic,
            "statistics of one side, counted as parameters",
        ),
        (Cause::Shape, "shape differs"),
        (Cause::Buffer, "buffer counted as parameter"),
        (Cause::Frozen, "trainable on one side"),
        (Cause::Value, "other values"),
        (Cause::Exchanged, "values under each other's names"),
        (
            Cause::Transposed,
            "transposed, and square: the shape does not tell",
        ),
        (Cause::Rule, "drawn by another rule"),
        (Cause::Near, "near: rounded, or within 4 ulp"),
        (Cause::DType, "dtype differs"),
    ];

    /// Both sides hold the same parameter.
    pub fn same(self) -> bool {
        matches!(self, Cause::Same | Cause::Layout)
    }

    /// Told by the values alone: a fault where nothing is counted, too.
    pub fn by_value(self) -> bool {
        matches!(
            self,
            Cause::Value | Cause::Exchanged | Cause::Transposed | Cause::Rule | Cause::Near
        )
    }

    /// A way of counting, and no other network.
    pub fn convention(self) -> bool {
        matches!(self, Cause::Buffer | Cause::Statistic)
    }

    pub fn say(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|row| row.0 == self)
            .map_or("", |row| row.1)
    }
}

/// The parameters of one module that share a cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Everything before the last '.' or '/' of the names: the reference's, where it has them.
    pub module: String,
    pub cause: Cause,
    /// The reference's names; where only the candidate has them, its own.
    pub names: Vec<String>,
    /// Elements that the headline of each side counts.
    pub reference: u64,
    pub candidate: u64,
}

impl Group {
    pub fn difference(&self) -> i64 {
        self.candidate as i64 - self.reference as i64
    }

    /// Whether it is counted otherwise, and nothing else; where nobody says what trains, names alone tell statistics.
    fn is_convention(&self, stated: bool) -> bool {
        let statistics = || self.names.iter().all(|n| names::is_statistic(n));
        let uncounted = (self.reference, self.candidate) == (0, 0);
        match self.cause {
            Cause::Buffer => stated || statistics(),
            Cause::Statistic => true,
            Cause::OnlyReference | Cause::OnlyCandidate => uncounted && statistics(),
            _ => false,
        }
    }

    /// Whether it is a fault: a buffer that only one side lists changes no count and no function.
    pub fn differs(&self) -> bool {
        !self.cause.same() && (self.cause.by_value() || (self.reference, self.candidate) != (0, 0))
    }
}

/// Both headline counts, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Decomposition {
    count: Count,
    groups: Vec<Group>,
}

/// The JSON: with the sums, so that a reader need not add; they are checked when read back.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    count: Count,
    reference: u64,
    candidate: u64,
    difference: i64,
    groups: Vec<Group>,
}

/// What `parity params` says: parameters and, where both sides state it, what is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    pub parameters: Decomposition,
    pub trainable: Option<Decomposition>,
    /// Pairs of other names, with how each was found.
    pub renamed: Vec<(String, String, How)>,
    /// How many values were held against each other, and what they are to each other.
    #[serde(default)]
    pub values: Values,
    /// Pairs whose values differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differing: Vec<Differing>,
    /// Attributes that decide numbers, where both sides list them.
    #[serde(default)]
    pub settings: Settings,
    /// What an ONNX file stores beside its weights, of either side.
    #[serde(default)]
    pub constants: (Constants, Constants),
    /// What else either file holds and nobody reads, with the reason.
    #[serde(default, skip_serializing_if = "nothing")]
    pub left_out: [Vec<String>; 2],
}

fn nothing(left_out: &[Vec<String>; 2]) -> bool {
    left_out.iter().all(Vec::is_empty)
}

/// Takes the difference of two lists apart; values are not compared.
///
/// # Errors
/// As [`pair`].
pub fn difference(
    reference: &[Param],
    candidate: &[Param],
    renames: &[Rename],
) -> Result<Difference> {
    let (reference, candidate) = (
        Source::listed(reference.to_vec()),
        Source::listed(candidate.to_vec()),
    );
    between(&reference, &candidate, renames)
}

/// Takes the difference of two sides apart, by value where both keep them.
///
/// # Errors
/// As [`pair`].
pub fn between(reference: &Source, candidate: &Source, renames: &[Rename]) -> Result<Difference> {
    let pairs = pair(reference, candidate, renames)?;
    Ok(of(&pairs, reference, candidate))
}

/// The same of two untrained models: values are held against each other by the rule that drew them.
///
/// # Errors
/// As [`pair`].
pub fn fresh(reference: &Source, candidate: &Source, renames: &[Rename]) -> Result<Difference> {
    let tensors = reference.list.len().max(candidate.list.len());
    let pairs = by_names(reference, candidate, renames, &|a, b| {
        fresh::held(a, b, tensors)
    })?;
    Ok(of(&pairs, reference, candidate))
}

fn of(pairs: &[Paired], reference: &Source, candidate: &Source) -> Difference {
    let stated = [reference, candidate]
        .into_iter()
        .flat_map(|side| &side.list)
        .all(|p| p.kind == Kind::Buffer || p.trainable.is_some());
    let renamed = |p: &Paired| match p {
        Paired::Both(p) if p.how != How::Name => {
            Some((p.reference.name.clone(), p.candidate.name.clone(), p.how))
        }
        _ => None,
    };
    let turned = Turned::of(pairs);
    Difference {
        parameters: Decomposition::of(pairs, Count::Parameters, &turned),
        trainable: stated.then(|| Decomposition::of(pairs, Count::Trainable, &turned)),
        renamed: pairs.iter().filter_map(renamed).collect(),
        values: Values::of(pairs, [reference, candidate]),
        differing: Differing::of(pairs),
        settings: Settings::of(pairs, reference, candidate),
        constants: (reference.constants, candidate.constants),
        left_out: [reference.left_out.clone(), candidate.left_out.clone()],
    }
}

impl Difference {
    /// Every parameter has its like, and every module is set alike: no cause but [`Cause::Same`] and [`Cause::Layout`].
    pub fn equal(&self) -> bool {
        let same = |d: &Decomposition| d.groups.iter().all(|g| g.cause.same());
        self.settings.differing.is_empty()
            && same(&self.parameters)
            && self.trainable.as_ref().is_none_or(same)
    }

    /// Every parameter has its like but for how a side counts: statistics and counters among the parameters, or on one side alone. None of them trains, and none
    /// has other values.
    pub fn counted_otherwise(&self) -> bool {
        let stated = self.trainable.is_some();
        let groups = &self.parameters.groups;
        let trained = self.trainable.iter().flat_map(|t| &t.groups);
        self.settings.differing.is_empty()
            && self.differing.is_empty()
            && groups
                .iter()
                .all(|g| g.cause.same() || g.is_convention(stated))
            && trained.into_iter().all(|g| {
                g.cause.same() || (g.is_convention(true) && (g.reference, g.candidate) == (0, 0))
            })
    }

    /// Elements of the difference that come from how a side counts.
    pub fn conventions(&self) -> i64 {
        let groups = self.parameters.groups.iter();
        groups
            .filter(|g| g.cause.convention())
            .map(Group::difference)
            .sum()
    }
}

impl Decomposition {
    /// Puts each pair into the one group of its module and cause.
    fn of(pairs: &[Paired], count: Count, turned: &Turned) -> Self {
        let mut groups: IndexMap<(&str, Cause), Group> = IndexMap::new();
        for pair in pairs {
            let (cause, reference, candidate) = attribute(pair, count, turned);
            let name = match pair {
                Paired::Both(Pair { reference: p, .. })
                | Paired::OnlyReference(p)
                | Paired::OnlyCandidate(p) => &p.name,
            };
            let empty = || Group {
                module: module(name).into(),
                cause,
                names: vec![],
                reference: 0,
                candidate: 0,
            };
            let group = groups.entry((module(name), cause)).or_insert_with(empty);
            group.names.push(name.clone());
            group.reference += reference;
            group.candidate += candidate;
        }
        Self {
            count,
            groups: groups.into_values().collect(),
        }
    }

    pub fn count(&self) -> Count {
        self.count
    }

    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The reference's headline count.
    pub fn reference(&self) -> u64 {
        self.groups.iter().map(|g| g.reference).sum()
    }

    /// The candidate's headline count.
    pub fn candidate(&self) -> u64 {
        self.groups.iter().map(|g| g.candidate).sum()
    }

    /// candidate − reference: the sum of the groups' differences.
    pub fn difference(&self) -> i64 {
        self.groups.iter().map(Group::difference).sum()
    }

    /// One group per cause, over all modules, in the order of [`Cause::ALL`].
    pub fn by_cause(&self) -> Vec<Group> {
        let one = |cause: Cause| {
            let all = || self.groups.iter().filter(|g| g.cause == cause);
            let names: Vec<String> = all().flat_map(|g| g.names.clone()).collect();
            let (reference, candidate) = (
                all().map(|g| g.reference).sum(),
                all().map(|g| g.candidate).sum(),
            );
            (!names.is_empty()).then_some(Group {
                module: String::new(),
                cause,
                names,
                reference,
                candidate,
            })
        };
        Cause::ALL
            .iter()
            .filter_map(|(cause, _)| one(*cause))
            .collect()
    }
}

/// The cause of a pair, and how many of its elements each headline counts.
fn attribute(pair: &Paired, count: Count, turned: &Turned) -> (Cause, u64, u64) {
    let counted = |p: &Param| match (p.kind, count) {
        (Kind::Parameter, Count::Parameters) => p.elements(),
        (Kind::Parameter, Count::Trainable) if p.trainable == Some(true) => p.elements(),
        (Kind::Parameter, Count::Trainable) | (Kind::Buffer, _) => 0,
    };
    let convention = |p: &Param| p.kind == Kind::Parameter && names::is_statistic(&p.name);
    match pair {
        Paired::OnlyReference(p) if convention(p) => (Cause::Statistic, counted(p), 0),
        Paired::OnlyCandidate(p) if convention(p) => (Cause::Statistic, 0, counted(p)),
        Paired::OnlyReference(p) => (Cause::OnlyReference, counted(p), 0),
        Paired::OnlyCandidate(p) => (Cause::OnlyCandidate, 0, counted(p)),
        Paired::Both(p) => (
            differing(p, count, turned),
            counted(p.reference),
            counted(p.candidate),
        ),
    }
}

/// The first attribute that decides over the count, then the values.
fn differing(pair: &Pair, count: Count, turned: &Turned) -> Cause {
    let (a, b) = (pair.reference, pair.candidate);
    let unlike =
        matches!(pair.relation, Relation::NotCompared | Relation::Other(_)) && a.shape != b.shape;
    if a.kind != b.kind && !unlike {
        return Cause::Buffer;
    }
    if count == Count::Trainable && a.kind == Kind::Parameter && a.trainable != b.trainable {
        return Cause::Frozen;
    }
    match &pair.relation {
        _ if pair.how == How::Exchanged => Cause::Exchanged,
        Relation::Layout(_) if turned.unproved(pair) => Cause::Transposed,
        Relation::Layout(_) => Cause::Layout,
        Relation::NotCompared | Relation::Other(_) if a.shape != b.shape => Cause::Shape,
        Relation::Other(_) => Cause::Value,
        Relation::Near { .. } => Cause::Near,
        Relation::Drawn(Drawn::Alike) | Relation::NotCompared | Relation::Equal
            if a.dtype != b.dtype =>
        {
            Cause::DType
        }
        Relation::Drawn(Drawn::Alike) | Relation::NotCompared | Relation::Equal => Cause::Same,
        Relation::Drawn(_) => Cause::Rule,
    }
}

/// The orders of axes that shapes prove to be the candidate's: where a tensor that is not square has them.
struct Turned<'a>(Vec<&'a Layout>);

impl<'a> Turned<'a> {
    fn of(pairs: &'a [Paired]) -> Self {
        let proved = |p: &'a Paired| match p {
            Paired::Both(p) if p.reference.shape != p.candidate.shape => p.relation.layout(),
            _ => None,
        };
        Self(pairs.iter().filter_map(proved).collect())
    }

    /// A square tensor may be transposed by mistake: only another one that is not square proves the layout.
    fn unproved(&self, pair: &Pair) -> bool {
        let layout = pair.relation.layout();
        pair.reference.shape == pair.candidate.shape
            && layout.is_some_and(|own| !self.0.contains(&own))
    }
}

impl From<Decomposition> for Written {
    fn from(d: Decomposition) -> Self {
        Written {
            count: d.count,
            reference: d.reference(),
            candidate: d.candidate(),
            difference: d.difference(),
            groups: d.groups,
        }
    }
}

impl TryFrom<Written> for Decomposition {
    type Error = String;

    fn try_from(w: Written) -> std::result::Result<Self, String> {
        let fits = |g: &Group| g.reference < 1 << 62 && g.candidate < 1 << 62;
        let total = |side: fn(&Group) -> u64| {
            w.groups
                .iter()
                .try_fold(0u64, |n, g| n.checked_add(side(g)).filter(|n| *n < 1 << 62))
        };
        if !w.groups.iter().all(fits)
            || (total(|g| g.reference), total(|g| g.candidate))
                != (Some(w.reference), Some(w.candidate))
        {
            return Err(format!(
                "the groups do not add up to {} and {}",
                w.reference, w.candidate
            ));
        }
        let d = Decomposition {
            count: w.count,
            groups: w.groups,
        };
        if d.difference() == w.difference {
            Ok(d)
        } else {
            Err(format!(
                "the difference is {}, not {}",
                d.difference(),
                w.difference
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::DType;
    use proptest::prelude::*;

    fn param(name: &str, shape: &[usize], kind: Kind, trainable: bool) -> Param {
        let trainable = (kind == Kind::Parameter).then_some(trainable);
        Param {
            name: name.into(),
            shape: shape.to_vec(),
            dtype: DType::F32,
            kind,
            trainable,
        }
    }

    fn norm(module: &str, n: usize, statistics: Kind) -> Vec<Param> {
        let trained = ["weight", "bias"]
            .map(|leaf| param(&format!("{module}.{leaf}"), &[n], Kind::Parameter, true));
        let kept = ["running_mean", "running_var"]
            .map(|leaf| param(&format!("{module}.{leaf}"), &[n], statistics, false));
        trained.into_iter().chain(kept).collect()
    }

    /// Name, change, causes in what is counted, causes in what is trained.
    type Case<'a> = (&'a str, &'a dyn Fn(&mut Vec<Param>), Causes<'a>, Causes<'a>);
    type Causes<'a> = &'a [(Cause, i64)];

    fn causes(d: &Decomposition) -> Vec<(Cause, i64)> {
        d.by_cause()
            .iter()
            .map(|g| (g.cause, g.difference()))
            .filter(|(c, _)| *c != Cause::Same)
            .collect()
    }

    #[test]
    fn each_cause_is_found_and_the_clean_control_has_none() {
        let base = [
            norm("a.bn", 8, Kind::Buffer),
            vec![param("a.conv.weight", &[8, 4, 3, 3], Kind::Parameter, true)],
        ]
        .concat();
        let clean = difference(&base, &base, &[]).unwrap();
        assert!(
            clean.equal()
                && clean.parameters.difference() == 0
                && clean.parameters.reference() == 304
        );
        let edit = |change: &dyn Fn(&mut Vec<Param>)| {
            let mut other = base.clone();
            change(&mut other);
            difference(&base, &other, &[]).unwrap()
        };
        let cases: [Case; 6] = [
            (
                "missing",
                &|l| drop(l.pop()),
                &[(Cause::OnlyReference, -288)],
                &[(Cause::OnlyReference, -288)],
            ),
            (
                "added",
                &|l| l.push(param("a.x", &[5], Kind::Parameter, true)),
                &[(Cause::OnlyCandidate, 5)],
                &[(Cause::OnlyCandidate, 5)],
            ),
            (
                "shape",
                &|l| l[4].shape = vec![8, 5, 3, 3],
                &[(Cause::Shape, 72)],
                &[(Cause::Shape, 72)],
            ),
            (
                "statistics as parameters",
                &|l| *l = [norm("a.bn", 8, Kind::Parameter), l.split_off(4)].concat(),
                &[(Cause::Buffer, 16)],
                &[(Cause::Buffer, 0)],
            ),
            (
                "frozen",
                &|l| l[4].trainable = Some(false),
                &[],
                &[(Cause::Frozen, -288)],
            ),
            (
                "narrowed",
                &|l| l[4].dtype = DType::F16,
                &[(Cause::DType, 0)],
                &[(Cause::DType, 0)],
            ),
        ];
        for (name, change, all, trained) in cases {
            let d = edit(change);
            assert!(!d.equal(), "{name}");
            assert_eq!(causes(&d.parameters), all, "{name}");
            assert_eq!(causes(d.trainable.as_ref().unwrap()), trained, "{name}");
        }
    }

    #[test]
    fn only_how_it_is_counted_is_no_gap_and_anything_more_is_one() {
        let conv = param("a.conv.weight", &[8, 4, 3, 3], Kind::Parameter, true);
        let base = [norm("a.bn", 8, Kind::Buffer), vec![conv.clone()]].concat();
        let listed = || [norm("a.bn", 8, Kind::Parameter), vec![conv.clone()]].concat();
        let counter = Param {
            dtype: DType::I64,
            trainable: None,
            ..param("a.bn.num_batches_tracked", &[], Kind::Buffer, false)
        };
        let edit = |mut l: Vec<Param>, change: &dyn Fn(&mut Vec<Param>)| {
            change(&mut l);
            l
        };
        let is_mean = |p: &&mut Param| p.name == "a.bn.running_mean";
        let cases: [(&str, Vec<Param>, bool); 8] = [
            ("as they are", base.clone(), true),
            ("statistics listed", listed(), true),
            (
                "a counter besides",
                [base.clone(), vec![counter.clone()]].concat(),
                true,
            ),
            ("both", [listed(), vec![counter]].concat(), true),
            (
                "statistics that train",
                edit(listed(), &|l| {
                    l.iter_mut().find(is_mean).unwrap().trainable = Some(true)
                }),
                false,
            ),
            (
                "statistics of another shape",
                edit(listed(), &|l| {
                    l.iter_mut().find(is_mean).unwrap().shape = vec![9]
                }),
                false,
            ),
            (
                "a parameter more",
                edit(listed(), &|l| {
                    l.push(param("a.x", &[5], Kind::Parameter, false))
                }),
                false,
            ),
            (
                "a buffer more that is no statistic",
                edit(listed(), &|l| {
                    l.push(param("a.grid", &[5], Kind::Buffer, false))
                }),
                false,
            ),
        ];
        for (name, other, wanted) in cases {
            for (a, b) in [(&base, &other), (&other, &base)] {
                assert_eq!(
                    difference(a, b, &[]).unwrap().counted_otherwise(),
                    wanted,
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn where_nobody_says_what_trains_a_buffer_is_a_convention_by_its_name_alone() {
        let of = |name: &str, kind| {
            vec![Param {
                trainable: None,
                ..param(name, &[2], kind, true)
            }]
        };
        for (name, wanted) in [("a.bn.running_var", true), ("a.anchors", false)] {
            let d = difference(&of(name, Kind::Buffer), &of(name, Kind::Parameter), &[]).unwrap();
            assert_eq!(d.counted_otherwise(), wanted, "{name}");
        }
    }

    #[test]
    fn an_equal_count_of_another_shape_is_still_a_difference() {
        let (a, b) = (
            param("w", &[2, 3], Kind::Parameter, true),
            param("w", &[3, 2], Kind::Parameter, true),
        );
        let d = difference(&[a], &[b], &[]).unwrap();
        assert_eq!(
            (d.parameters.difference(), causes(&d.parameters)),
            (0, vec![(Cause::Shape, 0)])
        );
        assert!(!d.equal());
    }

    #[test]
    fn what_a_source_does_not_state_is_not_compared() {
        let mut a = param("w", &[2], Kind::Parameter, true);
        a.trainable = None;
        assert_eq!(
            difference(&[a], &[param("w", &[2], Kind::Parameter, false)], &[])
                .unwrap()
                .trainable,
            None
        );
    }

    #[test]
    fn json_whose_parts_do_not_add_up_is_refused() {
        let d = difference(
            &norm("n", 4, Kind::Buffer),
            &norm("n", 5, Kind::Parameter),
            &[],
        )
        .unwrap();
        let text = serde_json::to_string(&d).unwrap();
        assert_eq!(serde_json::from_str::<Difference>(&text).unwrap(), d);
        let forged = text.replacen("\"difference\":12", "\"difference\":11", 1);
        assert_ne!(forged, text);
        assert!(
            serde_json::from_str::<Difference>(&forged)
                .unwrap_err()
                .to_string()
                .contains("12")
        );
    }

    fn lists() -> impl Strategy<Value = Vec<Param>> {
        let one = (
            "[ab]\\.[cd]\\.[efgh]",
            prop::collection::vec(0usize..5, 0..3),
            any::<bool>(),
            any::<bool>(),
            any::<bool>(),
        );
        prop::collection::vec(one, 0..20).prop_map(|all| {
            let mut list: Vec<Param> = all
                .into_iter()
                .map(|(name, shape, buffer, trainable, narrow)| Param {
                    dtype: if narrow { DType::F16 } else { DType::F32 },
                    ..param(
                        &name,
                        &shape,
                        if buffer {
                            Kind::Buffer
                        } else {
                            Kind::Parameter
                        },
                        trainable,
                    )
                })
                .collect();
            list.sort_by(|a, b| a.name.cmp(&b.name));
            list.dedup_by(|a, b| a.name == b.name);
            list
        })
    }

    proptest! {
        #[test]
        fn the_parts_add_up_to_both_headlines_and_every_parameter_is_in_one_group(a in lists(), b in lists()) {
            let d = difference(&a, &b, &[]).unwrap();
            let headline = |l: &[Param], trained: bool| l.iter()
                .filter(|p| p.kind == Kind::Parameter && (!trained || p.trainable == Some(true)))
                .map(Param::elements).sum::<u64>();
            for (decomposition, trained) in [(&d.parameters, false), (d.trainable.as_ref().unwrap(), true)] {
                let (ours, theirs) = (headline(&a, trained), headline(&b, trained));
                prop_assert_eq!((decomposition.reference(), decomposition.candidate()), (ours, theirs));
                prop_assert_eq!(decomposition.difference(), theirs as i64 - ours as i64);
                let parts: i64 = decomposition.by_cause().iter().map(Group::difference).sum();
                prop_assert_eq!(parts, theirs as i64 - ours as i64);
                let named: usize = decomposition.groups().iter().map(|g| g.names.len()).sum();
                let paired = a.len() + b.len() - named;
                prop_assert!(paired <= a.len().min(b.len()), "each pair is named once, each single once");
                prop_assert!(decomposition.groups().iter().all(|g| g.cause != Cause::Same || g.difference() == 0));
            }
            prop_assert_eq!(d.equal(), a == b || (d.equal() && !d.renamed.is_empty()));
        }

        #[test]
        fn swapping_the_sides_negates_the_difference(a in lists(), b in lists()) {
            let (there, back) = (difference(&a, &b, &[]).unwrap(), difference(&b, &a, &[]).unwrap());
            prop_assert_eq!(there.parameters.difference(), -back.parameters.difference());
            prop_assert_eq!(there.equal(), back.equal());
        }
    }
}

//! judged: every pair of two graphs, on both sides' own values and alone; and where the candidate's arithmetic loses digits.

use super::{Compared, Spread, is_asked};
use crate::floor::noise::{Floor, R};
use crate::graph::known::constant_steps;
use crate::graph::{Graph, Step};
use crate::judge::function::{self, Allowed};
use crate::pairing::Pair;
use crate::tensor::{DType, Tensor};
use crate::text::number;
use crate::verdict::{Accumulated, Isolated, TensorResult, ToleranceBy, Why};
use crate::walk::function::{Between, SHAKEN, Side};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Every pair, and the declared outputs that no pair could be judged for.
pub fn results(compared: &Compared) -> Vec<TensorResult> {
    let shown = [&compared.reference, &compared.candidate].map(shown);
    let named = |graph: &Graph, steps: &[usize], side: usize| {
        let told = steps.iter().filter(|i| shown[side].contains(i));
        told.map(|i| graph.steps[*i].name.clone())
            .collect::<Vec<_>>()
    };
    let result = |b: &Between| {
        let value = compared.reference.values.get(&b.pair.reference)?;
        let own = compared.candidate.values.get(&b.pair.candidate)?;
        let nodes = [
            named(&compared.reference.graph, &b.reference.steps, 0),
            named(&compared.candidate.graph, &b.candidate.steps, 1),
        ];
        let allowed = compared.spread.allowed(&b.pair, value);
        let accumulated = function::accumulated(value, own, &allowed);
        let mut isolated = alone(nodes, b, &compared.spread);
        if let Isolated::Stretch { blame, .. } = &mut isolated {
            blame.clone_from(&b.blame);
        }
        tensor(
            &compared.reference,
            &b.pair.reference,
            accumulated,
            isolated,
        )
    };
    let mut tensors: Vec<TensorResult> = compared.found.iter().filter_map(result).collect();
    behind_draws(&mut tensors, compared);
    behind_flips(&mut tensors, compared);
    let lacks = unpaired_outputs(compared, &tensors);
    tensors.extend(lacks);
    tensors
}

/// Steps that may be what is wrong: those that the inputs decide, and what makes floats of weights; not shape arithmetic and constants as they are stored.
fn shown(side: &Side) -> HashSet<usize> {
    let fixed = constant_steps(&side.graph);
    let float = |name: &String| side.values.get(name).is_some_and(|t| t.dtype().is_float());
    let made = |s: &Step| s.op() != "Constant" && s.outputs.iter().any(float);
    let steps = side.graph.steps.iter().enumerate();
    let told = steps.filter(|(i, s)| !fixed.contains(i) || made(s));
    told.map(|(i, _)| i).collect()
}

/// A tensor of the reference, judged.
fn tensor(
    side: &Side,
    name: &str,
    accumulated: Accumulated,
    isolated: Isolated,
) -> Option<TensorResult> {
    let producer = side
        .graph
        .steps
        .iter()
        .position(|s| s.outputs.iter().any(|o| o == name));
    let step = producer?;
    let value = side.values.get(name);
    Some(TensorResult {
        name: name.into(),
        node: side.graph.steps[step].name.clone(),
        op: side.graph.steps[step].op().into(),
        step,
        dtype: value.map(Tensor::dtype),
        shape: value.map_or(vec![], |v| v.shape().to_vec()),
        macs: 0,
        accumulated,
        isolated,
        repeat_noise: None,
        inside: None,
    })
}

/// What a stretch alone comes to; `nodes` lie in it.
pub fn alone(nodes: [Vec<String>; 2], b: &Between, spread: &Spread) -> Isolated {
    let not = |why: &str| Isolated::NotJudged {
        why: Why::NotTested(why.into()),
    };
    match &b.alone {
        None => not("own fault not tested: f64 refuses these nodes on the other side's values"),
        Some(_) if b.flips => not(
            "own fault not tested: a decision inside flips by rounding; record what lies in front of it",
        ),
        Some(alone) => {
            let [reference, candidate] = &alone.held;
            let allowed = spread.alone(&b.pair, reference, alone.noise.as_ref());
            function::alone(reference, candidate, &allowed, nodes)
        }
    }
}

/// Ratios between which more runs may decide: nearer there is room, further no spread of them is so large.
const DOUBTFUL: std::ops::RangeInclusive<f64> = 0.5..=10.0;

/// Whether a pair stands near the limit that stored constants make.
pub fn is_doubtful(b: &Between, sides: [&Side; 2], spread: &Spread) -> bool {
    let value = sides[0].values.get(&b.pair.reference);
    let (Some(value), Some(own)) = (value, sides[1].values.get(&b.pair.candidate)) else {
        return false;
    };
    let held = function::accumulated(value, own, &spread.allowed(&b.pair, value));
    matches!(
        held,
        Accumulated::Compared {
            ratio,
            by: ToleranceBy::Function {
                constants: true,
                ..
            },
            ..
        } if DOUBTFUL.contains(&ratio)
    )
}

/// Whether a stretch is off by no more than decisions that are taken anew move it, and rounding spreads it: a decision is moved by R spreads already.
pub fn is_within(b: &Between, free: &Floor) -> bool {
    b.alone.as_ref().is_some_and(|alone| {
        let parts = std::iter::once((free, 1.0 / R)).chain(alone.noise.iter().map(|f| (f, 1.0)));
        let allowed = Allowed {
            rounding: Floor::sum(parts),
            ..Allowed::default()
        };
        let [reference, candidate] = &alone.held;
        !function::alone(reference, candidate, &allowed, Default::default()).over()
    })
}

/// By the reference's names, what stands in front of each pair.
fn fed(found: &[Between]) -> HashMap<&str, &BTreeSet<String>> {
    let all = found.iter();
    all.map(|b| (b.pair.reference.as_str(), &b.reference.from))
        .collect()
}

/// What both sides draw each has drawn for itself, and what lies behind that is judged alone only. What one side alone draws is a difference as any other.
fn behind_draws(tensors: &mut [TensorResult], compared: &Compared) {
    let draw = |b: &&Between| {
        compared.reference.draws(&b.reference.steps) && compared.candidate.draws(&b.candidate.steps)
    };
    let drawn = compared.found.iter().filter(draw);
    let drawn: HashSet<&str> = drawn.map(|b| b.pair.reference.as_str()).collect();
    if drawn.is_empty() {
        return;
    }
    let fed = fed(&compared.found);
    // The node that drew in front of a tensor, or made it.
    let mut behind: HashMap<String, String> = HashMap::new();
    for t in tensors.iter_mut() {
        let parents = fed.get(t.name.as_str());
        let mut parents = parents.into_iter().flat_map(|from| from.iter());
        let in_front = parents.find_map(|p| behind.get(p).cloned());
        let (own, off) = (drawn.contains(t.name.as_str()), t.accumulated.over());
        if own {
            t.isolated = Isolated::NotJudged { why: Why::Drawn };
        }
        let why = match (own, &in_front) {
            (true, _) => Some(Why::Drawn),
            (false, Some(node)) => Some(Why::BehindDraw { node: node.clone() }),
            (false, None) => None,
        };
        if let Some(why) = why.filter(|_| off && !t.isolated.over()) {
            t.accumulated = Accumulated::NotJudged { why };
        }
        let node = if own { Some(t.node.clone()) } else { in_front };
        behind.extend(node.map(|node| (t.name.clone(), node)));
    }
}

/// A decision that differs although the stretch decides alike on the reference's values is a flip where all in front of it was compared and agrees; what
/// differs behind one is judged alone only.
fn behind_flips(tensors: &mut [TensorResult], compared: &Compared) {
    let found = &compared.found;
    let names = tensors.iter().enumerate().map(|(i, t)| (t.name.clone(), i));
    let at: HashMap<String, usize> = names.collect();
    let fed = fed(found);
    let flips = found.iter().filter(|b| b.flips);
    let flips: HashSet<&str> = flips.map(|b| b.pair.reference.as_str()).collect();
    let agrees = |t: &TensorResult| t.accumulated.compared() && !t.accumulated.over();
    let agree: Vec<bool> = tensors.iter().map(agrees).collect();
    // The node that flipped in front of a tensor.
    let mut behind: HashMap<usize, String> = HashMap::new();
    for (i, t) in tensors.iter_mut().enumerate() {
        let parents = fed
            .get(t.name.as_str())
            .into_iter()
            .flat_map(|from| from.iter());
        let parents: Vec<usize> = parents.filter_map(|n| at.get(n).copied()).collect();
        let in_front = parents.iter().find_map(|p| behind.get(p).cloned());
        let open = t.accumulated.over() || !t.accumulated.compared();
        if in_front.is_none() && open && flips.contains(t.name.as_str()) {
            let why = "a decision that rounding can flip lies in front; record it";
            t.accumulated = Accumulated::NotJudged {
                why: Why::NotTested(why.into()),
            };
            behind.insert(i, t.node.clone());
            continue;
        }
        if !t.accumulated.over() {
            continue;
        }
        let innocent = t.isolated.compared() && !t.isolated.over();
        let decides = !t.dtype.is_some_and(|d| d.is_float()) || compared.spread.is_decided(&t.name);
        match (in_front, &t.accumulated) {
            (Some(node), _) => {
                if innocent {
                    let why = Why::BehindFlip { node: node.clone() };
                    t.accumulated = Accumulated::NotJudged { why };
                }
                behind.insert(i, node);
            }
            (None, Accumulated::Compared { comparison, .. })
                if innocent && decides && parents.iter().all(|p| agree[*p]) =>
            {
                let Some(m) = comparison.metrics() else {
                    continue;
                };
                let (flips, of, margin) = (m.mismatches, m.numel, 0.0);
                behind.insert(i, t.node.clone());
                t.accumulated = Accumulated::TieFlip { flips, of, margin };
            }
            (None, _) => {}
        }
    }
}

/// Declared outputs that no pair could be judged for.
fn unpaired_outputs(compared: &Compared, tensors: &[TensorResult]) -> Vec<TensorResult> {
    let reference = &compared.reference;
    let lacks = |name: &&String| {
        is_asked(&compared.only, name) && !tensors.iter().any(|t| t.name == **name)
    };
    let outputs = reference
        .graph
        .outputs
        .iter()
        .map(|p| &p.name)
        .filter(lacks);
    let result = |name: &String| {
        let why = Why::Missing(match reference.values.contains_key(name) {
            true => "f64 refuses the candidate's nodes".into(),
            false => "f64 refuses the reference's nodes".into(),
        });
        let isolated = Isolated::NotJudged { why: why.clone() };
        tensor(reference, name, Accumulated::NotJudged { why }, isolated)
    };
    outputs.filter_map(result).collect()
}

/// A decimal digit more than what [`R`] spreads allow.
const DIGIT: f64 = 10.0 * R;

/// The first pair at which what the candidate rounds spreads further than [`DIGIT`] times what the reference does, or what one rounding of the value
/// does where that is more.
pub fn loses_digits<'a>(compared: &'a Compared) -> Option<(&'a Pair, String)> {
    // A recording has rounded already; what it may have is its floor. A live port was asked in either dtype.
    if !compared.reference.computes() || !compared.candidate.computes() {
        return compared
            .lost
            .as_ref()
            .map(|(pair, says)| (pair, says.clone()));
    }
    let one_rounding = SHAKEN * DType::F32.unit_roundoff();
    let spreads = |b: &Between| {
        let value = compared.reference.values.get(&b.pair.reference);
        let value = value.filter(|v| v.dtype().is_float())?;
        let ours = compared.spread.reference.get(&b.pair.reference)?;
        let theirs = compared.spread.candidate.get(&b.pair.candidate)?;
        // Of the whole tensor: in a channel that is dead on these inputs a bound alone says nothing.
        let whole = |spreads: &[f64]| spreads.iter().map(|s| s * s).sum::<f64>().sqrt();
        let allowed = whole(&ours.one_rounding(value, one_rounding));
        let times = whole(&theirs.rms) / allowed;
        (times > DIGIT).then_some(times)
    };
    let mut found = compared.found.iter();
    let (pair, times) = found.find_map(|b| Some((&b.pair, spreads(b)?)))?;
    let says = format!(
        "the same function, in arithmetic that loses digits: what it rounds spreads {} times as far as in the reference at '{}'",
        number(times),
        pair.candidate
    );
    Some((pair, says))
}

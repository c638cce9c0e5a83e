//! why: what another step than the reference's comes from: conventions of optimisers, of clipping, of averages and of statistics, each tried on what the
//! reference computed. One is named where it explains every tensor of its kind, and amounts are solved for.

use super::rule::{Momentum, Root, Rule, With};
use super::{Off, Seen, Step, Tensors};
use crate::tensor::Tensor;
use crate::text::number;

/// As a share of two rates: nearer than that they are the same.
const SAME: f64 = 1e-4;

/// Why the first kind of what is off is so; None where nothing here explains it.
pub fn say(seen: &Seen, over: &[Off], steps: &[Step]) -> Option<String> {
    let first = over[0].name.as_str();
    let has_gradient = |n: &str| seen.reference.contains_key(&format!("grad.{n}"));
    let found = match first.split_once('.') {
        Some(("grad", _)) => scaled(seen, "grad."),
        Some(("clipped", _)) => clipped(seen),
        Some(("ema", _)) => averaged(seen),
        Some(("value", name)) if !has_gradient(name) => statistics(seen, over),
        Some(("value" | "optimizer", _)) => optimiser(seen, steps),
        Some(_) | None => vec![],
    };
    (!found.is_empty()).then(|| format!("why: {}", found.join(", or ")))
}

fn named<'a>(all: &'a Tensors, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Tensor)> + 'a {
    all.iter()
        .filter_map(move |(name, t)| Some((name.strip_prefix(kind)?, t)))
}

/// Whether `made`, of every tensor of a kind, is what the candidate has.
fn explains(seen: &Seen, kind: &str, made: impl Fn(&str, &Tensor) -> Option<Vec<f64>>) -> bool {
    let mut any = false;
    let fits = named(&seen.reference, kind).all(|(name, expected)| {
        let full = format!("{kind}{name}");
        let (Some(found), Some(made)) = (seen.candidate.get(&full), made(name, expected)) else {
            return true;
        };
        any = true;
        let made = Tensor::from_vec(expected.shape(), made);
        seen.ratio(&full, &made, found) <= 1.0
    });
    fits && any
}

/// The number by which one list is another one, by least squares.
fn times<'a>(pairs: impl Iterator<Item = (&'a Tensor, &'a Tensor)>) -> f64 {
    let (mut ab, mut aa) = (0.0, 0.0);
    for (a, b) in pairs {
        for (x, y) in a.to_f64().iter().zip(b.to_f64()) {
            ab += x * y;
            aa += x * x;
        }
    }
    ab / aa
}

fn scaled(seen: &Seen, kind: &str) -> Vec<String> {
    let pairs = named(&seen.reference, kind);
    let pairs = pairs.filter_map(|(n, t)| Some((t, seen.candidate.get(&format!("{kind}{n}"))?)));
    let by = times(pairs);
    let fits = explains(seen, kind, |_, t| {
        Some(t.to_f64().iter().map(|v| v * by).collect())
    });
    let says = format!("every one is {} times the reference's", number(by));
    fits.then_some(says).into_iter().collect()
}

/// Clipping, on the reference's gradients.
fn clipped(seen: &Seen) -> Vec<String> {
    let kind = "clipped.";
    let own = |name: &str| Some(seen.reference.get(&format!("grad.{name}"))?.to_f64());
    let found = || named(&seen.candidate, kind).flat_map(|(_, t)| t.to_f64());
    let most = found().fold(0.0, |m: f64, v| m.max(v.abs()));
    let norm = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>().sqrt();
    let limit = named(&seen.candidate, kind).map(|(_, t)| norm(&t.to_f64()));
    let limit = limit.fold(0.0, f64::max);
    let each = |name: &str| {
        let g = own(name)?;
        let by = (limit / norm(&g)).min(1.0);
        Some(g.iter().map(|v| v * by).collect())
    };
    let cut = |name: &str| Some(own(name)?.iter().map(|v| v.clamp(-most, most)).collect());
    let mut says = vec![];
    if explains(seen, kind, |n, _| own(n)) {
        says.push("the candidate's gradients are not clipped".into());
    } else if explains(seen, kind, |n, _| cut(n)) {
        says.push(format!(
            "the candidate clips each element, at {}, and the reference does not",
            number(most)
        ));
    } else if explains(seen, kind, |n, _| each(n)) {
        says.push(format!(
            "the candidate clips the norm of each tensor, at {}, and the reference does not",
            number(limit)
        ));
    } else {
        says = scaled(seen, kind);
        if !says.is_empty() {
            says = divided(seen).map_or(says, |by| vec![by]);
        }
    }
    says
}

/// What PyTorch adds to the norm that it divides by.
const BESIDE: f64 = 1e-6;

/// Clipping of the norm of all, which one side divides by and the other by a little more.
fn divided(seen: &Seen) -> Option<String> {
    let kind = "clipped.";
    let all = named(&seen.reference, "grad.").flat_map(|(_, t)| t.to_f64());
    let norm = all.map(|v| v * v).sum::<f64>().sqrt();
    let pairs = named(&seen.reference, kind);
    let by =
        times(pairs.filter_map(|(n, t)| Some((t, seen.candidate.get(&format!("{kind}{n}"))?))));
    let (who, other, beside) = match by > 1.0 {
        true => ("candidate", "reference", norm * (by - 1.0)),
        false => ("reference", "candidate", norm * (1.0 / by - 1.0)),
    };
    let is_it = (beside / BESIDE - 1.0).abs() < 0.01;
    is_it.then(|| format!("the {who} divides by the norm itself, the {other} by 1e-6 more"))
}

/// An average's decay: e' = d·e + (1 − d)·p'.
fn averaged(seen: &Seen) -> Vec<String> {
    let kind = "ema.";
    // Averages of buffers follow no rule that all have: many leave these as they were.
    let trains = |name: &str| seen.reference.contains_key(&format!("grad.{name}"));
    let decay = |side: &Tensors| {
        let (mut ab, mut aa) = (0.0, 0.0);
        for (name, after) in named(side, kind).filter(|(n, _)| trains(n)) {
            let before = seen.before.get(&format!("{kind}{name}"));
            let held = before.zip(side.get(&format!("value.{name}")));
            let Some((before, p)) = held else { continue };
            for ((e, new), p) in before.to_f64().iter().zip(after.to_f64()).zip(p.to_f64()) {
                ab += (e - p) * (new - p);
                aa += (e - p) * (e - p);
            }
        }
        ab / aa
    };
    let [own, other] = [decay(&seen.reference), decay(&seen.candidate)];
    let fits = explains(seen, kind, |name, _| {
        trains(name).then_some(())?;
        let before = seen.before.get(&format!("{kind}{name}"))?.to_f64();
        let p = seen.reference.get(&format!("value.{name}"))?.to_f64();
        Some(
            before
                .iter()
                .zip(p)
                .map(|(e, p)| other * e + (1.0 - other) * p)
                .collect(),
        )
    });
    let says = format!(
        "the average keeps {} of itself in the reference and {} in the candidate",
        number(own),
        number(other)
    );
    let other_one = (own - other).abs() > SAME;
    (fits && other_one).then_some(says).into_iter().collect()
}

/// Running statistics: the candidate's as a·before + b·the reference's.
fn statistics(seen: &Seen, over: &[Off]) -> Vec<String> {
    let names = over.iter().filter(|o| {
        let own = o.name.strip_prefix("value.");
        own.is_some_and(|n| !seen.reference.contains_key(&format!("grad.{n}")))
    });
    let mut says: Vec<String> = vec![];
    for off in names {
        let name = &off.name;
        let (Some(before), Some(after), Some(found)) = (
            seen.before.get(name),
            seen.reference.get(name),
            seen.candidate.get(name),
        ) else {
            return vec![];
        };
        let Some([a, b]) = combined(&before.to_f64(), &after.to_f64(), &found.to_f64()) else {
            return vec![];
        };
        let made: Vec<f64> = before
            .to_f64()
            .iter()
            .zip(after.to_f64())
            .map(|(x, y)| a * x + b * y)
            .collect();
        let made = Tensor::from_vec(after.shape(), made);
        let ratio = seen.ratio(name, &made, found);
        if ratio > 1.0 || ratio.is_nan() {
            return vec![];
        }
        let line = moved([a, b]);
        if !says.contains(&line) {
            says.push(line);
        }
    }
    match says.is_empty() {
        true => vec![],
        false => vec![says.join("; ")],
    }
}

/// What the weights of a statistic before and after the reference's step say.
fn moved([a, b]: [f64; 2]) -> String {
    if (a + b - 1.0).abs() < SAME {
        // b = m'/m, and m' = 1 − m where one side's share of the new is the other's of the old.
        let share = 1.0 / (1.0 + b);
        return format!(
            "the running statistics take {} times the reference's share of the new: {} and {} where one's momentum is the complement of the other's",
            number(b),
            number(share),
            number(1.0 - share)
        );
    }
    if b < 1.0 && a > 0.0 && a < 1.0 - b {
        let count = 1.0 / (1.0 - b);
        return format!(
            "the running variance takes {} of the reference's: it is the biased one, of {} values without the one less",
            number(b),
            number(count.round())
        );
    }
    if b > 1.0 && a < 0.0 {
        let count = b / (b - 1.0);
        return format!(
            "the running variance takes {} times the reference's, which is the biased one, of {} values",
            number(b),
            number(count.round())
        );
    }
    format!(
        "the running statistics are {} of what they were and {} of the reference's",
        number(a),
        number(b)
    )
}

/// [a, b] with z ≈ a·x + b·y; None where x and y cannot be told apart.
fn combined(x: &[f64], y: &[f64], z: &[f64]) -> Option<[f64; 2]> {
    let dot = |p: &[f64], q: &[f64]| p.iter().zip(q).map(|(a, b)| a * b).sum::<f64>();
    let [xx, xy, yy, xz, yz] = [dot(x, x), dot(x, y), dot(y, y), dot(x, z), dot(y, z)];
    let det = xx * yy - xy * xy;
    (x.len() > 2 && det > 1e-12 * xx * yy)
        .then(|| [(xz * yy - yz * xy) / det, (yz * xx - xz * xy) / det])
}

/// Another convention of the rule.
struct Variant {
    says: &'static str,
    /// None where it says nothing of such a rule.
    of: fn(&Rule, f64) -> Option<Rule>,
}

/// `most` is the largest decay of any parameter.
const VARIANTS: &[Variant] = &[
    Variant {
        says: "the gradient enters the candidate's momentum times 1 − momentum",
        of: |r, _| {
            with_momentum(r).then_some(Rule {
                momentum: Momentum::Share,
                ..*r
            })
        },
    },
    Variant {
        says: "the gradient enters the candidate's momentum times the learning rate",
        of: |r, _| {
            with_momentum(r).then_some(Rule {
                momentum: Momentum::Rate,
                ..*r
            })
        },
    },
    Variant {
        says: "one of the two is Nesterov's momentum",
        of: |r, _| match r.with {
            With::Momentum { momentum, nesterov } if momentum != 0.0 => Some(Rule {
                with: With::Momentum {
                    momentum,
                    nesterov: !nesterov,
                },
                ..*r
            }),
            With::Momentum { .. } | With::Adam { .. } => None,
        },
    },
    Variant {
        says: "weight decay is decoupled on one side (AdamW) and part of the gradient on the other (Adam)",
        of: |r, most| {
            (most > 0.0).then_some(Rule {
                decoupled: !r.decoupled,
                ..*r
            })
        },
    },
    Variant {
        says: "the candidate's weight decay acts on every parameter, the reference's not on all (norms, biases)",
        of: |r, most| (most > 0.0).then_some(Rule { decay: most, ..*r }),
    },
    Variant {
        says: "the candidate has no weight decay",
        of: |r, most| (most > 0.0).then_some(Rule { decay: 0.0, ..*r }),
    },
    Variant {
        says: "the candidate's averages are not corrected for their start at 0 (bias correction)",
        of: |r, _| {
            is_adam(r).then_some(Rule {
                corrected: false,
                ..*r
            })
        },
    },
    Variant {
        says: "the candidate adds eps inside the root",
        of: |r, _| {
            is_adam(r).then_some(Rule {
                root: Root::Inside,
                ..*r
            })
        },
    },
    Variant {
        says: "the candidate adds eps before the correction",
        of: |r, _| {
            is_adam(r).then_some(Rule {
                root: Root::Early,
                ..*r
            })
        },
    },
];

fn with_momentum(r: &Rule) -> bool {
    matches!(r.with, With::Momentum { momentum, .. } if momentum != 0.0)
}

fn is_adam(r: &Rule) -> bool {
    matches!(r.with, With::Adam { .. })
}

fn optimiser(seen: &Seen, steps: &[Step]) -> Vec<String> {
    let rules = named(&seen.reference, "grad.").enumerate();
    let rules: Option<Vec<(String, Rule)>> = rules
        .map(|(i, (n, _))| Some((n.to_string(), Rule::told(&seen.reference, i)?)))
        .collect();
    let Some(rules) = rules else {
        return rate(seen, steps);
    };
    let most = rules.iter().map(|r| r.1.decay).fold(0.0, f64::max);
    // Only where the rule is the one that is known here its variants say something.
    if !made(seen, &rules, |r| Some(*r), &seen.reference) {
        return rate(seen, steps);
    }
    let variants = VARIANTS.iter().filter(|v| {
        let of = |r: &Rule| (v.of)(r, most);
        rules.iter().all(|r| of(&r.1).is_some()) && made(seen, &rules, of, &seen.candidate)
    });
    let mut says: Vec<String> = variants.map(|v| v.says.to_string()).collect();
    if says.is_empty() {
        says.extend(amount(seen, &rules));
    }
    says.extend(rate(seen, steps));
    says
}

/// Another amount of weight decay: what decay first acts on is apart by so many times the parameter.
fn amount(seen: &Seen, rules: &[(String, Rule)]) -> Option<String> {
    let (_, known) = rules.iter().find(|r| r.1.decay > 0.0)?;
    // Where it enters, and as how much of the parameter.
    let (kind, share) = match (known.decoupled, known.with) {
        (false, With::Adam { betas, .. }) => ("optimizer.mean.", 1.0 - betas[0]),
        (false, With::Momentum { momentum, .. }) if momentum != 0.0 => ("optimizer.momentum.", 1.0),
        (true | false, With::Adam { .. } | With::Momentum { .. }) => ("value.", -known.rate),
    };
    let (mut ab, mut aa) = (0.0, 0.0);
    for (name, _) in rules.iter().filter(|r| r.1.decay > 0.0) {
        let of = |side: &Tensors| Some(side.get(&format!("{kind}{name}"))?.to_f64());
        let before = seen.before.get(&format!("value.{name}"))?.to_f64();
        let (own, other) = (of(&seen.reference)?, of(&seen.candidate)?);
        for ((p, a), b) in before.iter().zip(own).zip(other) {
            ab += share * p * (b - a);
            aa += share * p * share * p;
        }
    }
    let decay = known.decay + ab / aa;
    let of = |r: &Rule| {
        let decay = if r.decay > 0.0 { decay } else { 0.0 };
        Some(Rule { decay, ..*r })
    };
    let other = (decay / known.decay - 1.0).abs() > SAME && decay >= 0.0;
    (other && made(seen, rules, of, &seen.candidate)).then(|| {
        format!(
            "another amount of weight decay: {} in the candidate, {} in the reference",
            number(decay),
            number(known.decay)
        )
    })
}

/// Whether rules, each as `of` makes it, lead to what `wanted` holds: parameters, and slots that it has.
fn made(
    seen: &Seen,
    rules: &[(String, Rule)],
    of: impl Fn(&Rule) -> Option<Rule>,
    wanted: &Tensors,
) -> bool {
    let count = seen
        .before
        .get("optimizer.count")
        .and_then(|t| t.to_f64().first().copied());
    let count = 1.0 + count.unwrap_or(seen.step as f64);
    rules.iter().all(|(name, rule)| {
        let Some(rule) = of(rule) else { return false };
        let held = |kind: &str| Some(seen.before.get(&format!("{kind}.{name}"))?.to_f64());
        let gradient = ["clipped", "grad"]
            .iter()
            .find_map(|k| seen.reference.get(&format!("{k}.{name}")));
        let (Some(p), Some(g)) = (held("value"), gradient) else {
            return false;
        };
        let slots = rule.slots();
        let kept: Vec<Vec<f64>> = slots
            .iter()
            .map(|s| held(&format!("optimizer.{s}")).unwrap_or(vec![0.0; p.len()]))
            .collect();
        let at = |i: usize| [0, 1].map(|s| kept.get(s).map_or(0.0, |k: &Vec<f64>| k[i]));
        let next: Vec<(f64, [f64; 2])> = p
            .iter()
            .zip(g.to_f64())
            .enumerate()
            .map(|(i, (p, g))| rule.next(*p, g, at(i), count))
            .collect();
        let is = |full: String, values: Vec<f64>| match wanted.get(&full) {
            None => true,
            Some(found) => {
                seen.ratio(&full, &Tensor::from_vec(found.shape(), values), found) <= 1.0
            }
        };
        let mut all = slots.iter().enumerate().map(|(s, slot)| {
            is(
                format!("optimizer.{slot}.{name}"),
                next.iter().map(|n| n.1[s]).collect(),
            )
        });
        is(format!("value.{name}"), next.iter().map(|n| n.0).collect()) && all.all(|fits| fits)
    })
}

/// Another learning rate: every parameter moves by the same number of times what the reference's does.
fn rate(seen: &Seen, steps: &[Step]) -> Vec<String> {
    let kind = "value.";
    let moved = |side: &Tensors, name: &str| {
        let full = format!("{kind}{name}");
        let (before, after) = (seen.before.get(&full)?, side.get(&full)?);
        let (before, reached) = (before.to_f64(), after.to_f64());
        let moved = before.iter().zip(&reached).map(|(a, b)| b - a);
        Some(Tensor::from_vec(after.shape(), moved.collect::<Vec<f64>>()))
    };
    let trained: Vec<&str> = named(&seen.reference, "grad.").map(|(n, _)| n).collect();
    let both: Vec<(Tensor, Tensor)> = trained
        .iter()
        .filter_map(|n| Some((moved(&seen.reference, n)?, moved(&seen.candidate, n)?)))
        .collect();
    let by = times(both.iter().map(|(a, b)| (a, b)));
    let fits = explains(seen, kind, |name, after| {
        trained.contains(&name).then_some(())?;
        let before = seen.before.get(&format!("{kind}{name}"))?.to_f64();
        Some(
            before
                .iter()
                .zip(after.to_f64())
                .map(|(a, b)| a + by * (b - a))
                .collect(),
        )
    });
    if !fits || (by - 1.0).abs() < SAME {
        return vec![];
    }
    let rate = |s: &Step| s.own.reference.get("rule.rate")?.to_f64().first().copied();
    let at = |step: Option<usize>| {
        steps
            .iter()
            .find(|s| Some(s.own.step) == step)
            .and_then(rate)
    };
    let now = at(Some(seen.step));
    let as_at = |step: Option<usize>| {
        at(step)
            .zip(now)
            .is_some_and(|(other, now)| (other / now / by - 1.0).abs() < SAME)
    };
    let schedule = match (as_at(Some(seen.step + 1)), as_at(seen.step.checked_sub(1))) {
        (true, _) => ", that of the step behind: its schedule is one step ahead",
        (_, true) => ", that of the step before: its schedule is one step late",
        _ => "",
    };
    vec![format!(
        "the candidate's learning rate is {} times the reference's{schedule}",
        number(by)
    )]
}

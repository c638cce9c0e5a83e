//! form: a loss is what the f64 kernel gives in another form: another dialect or divisor, other targets, inputs that are read in another way.
//!
//! Every form is evaluated on the side's own predictions and ground truth, and is the cause where nothing is left of the difference. No form has a
//! number that is fitted: a loss has a handful of values, and one would fit them.

mod dialects;
mod readings;
mod targets;

use crate::error::Result;
use crate::kernel::assign::Assignment;
use crate::kernel::loss::whole::{Reduction, Whole};
use crate::scenario::Training;
use crate::subject::kernels::training::{As, Evaluated, evaluate_as, find};
use crate::tensor::Tensor;
use crate::verdict::{Confirmed, Explained, Judgement, Near};

/// Forms that are shown where none explains.
const NEAREST: usize = 3;

/// One line of `parity list causes`.
pub struct Form {
    pub name: &'static str,
    pub summary: &'static str,
    /// What to do about it where it is confirmed.
    pub mend: &'static str,
    ways: fn(&Reads) -> Vec<Way>,
}

/// Every form.
pub fn all() -> impl Iterator<Item = &'static Form> {
    let families: [&'static [Form]; 3] = [dialects::FORMS, targets::FORMS, readings::FORMS];
    families.into_iter().flatten()
}

/// A loss that is off: whose, on which tensors, and how what a kernel gives is held against what it gives.
pub struct Off<'a> {
    pub training: &'a Training,
    /// Height and width.
    pub image: [usize; 2],
    /// A tensor of the side by its standard name.
    pub get: &'a dyn Fn(&str) -> Option<Tensor>,
    /// One judgement for each value that the side gives, in the same order whatever the kernel gives.
    pub held: &'a dyn Fn(&Evaluated) -> Vec<Judgement>,
}

/// What a form is made from: the loss as it is to be, and what it takes.
struct Reads<'a> {
    off: &'a Off<'a>,
    plain: Whole,
    reduction: Reduction,
}

/// What a form does to what an image was assigned.
type Targets = fn(&mut Assignment, &Of);

/// What there is to know of an image besides.
struct Of<'a> {
    classes: usize,
    /// `[A]` pixels per grid unit.
    strides: &'a [f64],
}

/// One way of a form.
struct Way {
    /// As a sentence of the side.
    says: String,
    loss: Whole,
    reduction: Reduction,
    targets: Option<Targets>,
    /// A tensor in the place of that of its standard name.
    fed: Option<(&'static str, Tensor)>,
}

impl Reads<'_> {
    fn tensor(&self, name: &str) -> Option<Tensor> {
        (self.off.get)(name)
    }

    fn plainly(&self, says: String) -> Way {
        Way {
            says,
            loss: self.plain,
            reduction: self.reduction,
            targets: None,
            fed: None,
        }
    }

    fn loss(&self, loss: Whole, says: String) -> Option<Way> {
        (loss != self.plain).then(|| Way {
            loss,
            ..self.plainly(says)
        })
    }

    fn feeding(&self, name: &'static str, tensor: Tensor, says: String) -> Way {
        Way {
            fed: Some((name, tensor)),
            ..self.plainly(says)
        }
    }

    /// How what the kernel gives in this way is held against the side; None where it refuses it.
    fn held(&self, way: &Way) -> Option<Vec<Judgement>> {
        let get = |name: &str| match &way.fed {
            Some((fed, tensor)) if *fed == name => Some(tensor.clone()),
            _ => self.tensor(name),
        };
        let classes = self.classes();
        let change = |a: &mut Assignment, strides: &[f64]| {
            if let Some(targets) = way.targets {
                targets(a, &Of { classes, strides });
            }
        };
        let of = As {
            loss: way.loss,
            reduction: way.reduction,
            targets: &change,
        };
        let given = evaluate_as(self.off.training, &of, self.off.image, &get);
        given.ok().map(|g| (self.off.held)(&g))
    }

    /// nc, by the number of anchors.
    fn classes(&self) -> usize {
        let all = self.tensor("pred_scores").map_or(0, |t| t.numel());
        let images = self
            .tensor("pred_scores")
            .map_or(1, |t| t.shape()[0].max(1));
        let anchors = self.strides().len().max(1);
        all / images / anchors
    }

    /// `[A]`.
    fn strides(&self) -> Vec<f64> {
        let [height, width] = self.off.image;
        let strides = &self.off.training.strides;
        let anchors = crate::kernel::anchors::Anchors::of_image(height, width, strides);
        anchors.map_or(vec![], |a| a.strides)
    }
}

/// What is left of a loss.
struct Left {
    ratio: f64,
    over: usize,
    explains: bool,
}

/// `after` beside `before`: what was off is within, and nothing else is off or open.
fn left(before: &[Judgement], after: &[Judgement]) -> Left {
    let ratio = |all: &[Judgement]| all.iter().filter_map(Judgement::ratio).fold(0.0, f64::max);
    let within = |j: &Judgement| matches!(j, Judgement::Within(_));
    let mut was_off = before.iter().zip(after).filter(|(b, _)| b.over());
    let over = after.iter().filter(|j| j.over()).count();
    Left {
        ratio: ratio(after),
        over,
        explains: before.len() == after.len() && over == 0 && was_off.all(|(_, a)| within(a)),
    }
}

/// In which form the kernel gives what the side gives; None where nothing is off, or the kernel takes none of it.
///
/// # Errors
/// An unknown kernel.
pub fn explain(off: &Off) -> Result<Option<Explained>> {
    let reads = Reads {
        off,
        plain: find(&off.training.kernel)?.tuned(off.training)?,
        reduction: off.training.hyper.reduction.unwrap_or_default(),
    };
    let Some(before) = reads.held(&reads.plainly(String::new())) else {
        return Ok(None);
    };
    let many = before.iter().filter(|j| j.over()).count();
    if many == 0 {
        return Ok(None);
    }
    let (mut tried, mut confirmed, mut near) = (0, vec![], vec![]);
    for form in all() {
        for way in (form.ways)(&reads) {
            let Some(after) = reads.held(&way) else {
                continue;
            };
            tried += 1;
            let left = left(&before, &after);
            match left.explains {
                true => confirmed.push(Confirmed {
                    cause: form.name.into(),
                    says: way.says,
                    next: form.mend.into(),
                    amount: None,
                    after: left.ratio,
                }),
                false => near.push((left.over, left.ratio, form.name)),
            }
        }
    }
    near.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut nearest: Vec<Near> = vec![];
    for (off, after, name) in near {
        if confirmed.is_empty()
            && nearest.len() < NEAREST
            && nearest.iter().all(|n| n.cause != name)
        {
            nearest.push(Near {
                cause: name.into(),
                after,
                off: off as u64,
            });
        }
    }
    Ok(Some(Explained {
        before: before
            .iter()
            .filter_map(Judgement::ratio)
            .fold(0.0, f64::max),
        off: many as u64,
        of: before.len() as u64,
        confirmed,
        tried,
        nearest,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::{Limit, Pair, against};
    use crate::scenario::training::{NORMALISER, TOTAL, raw};
    use crate::subject::kernels::training::evaluate;

    /// 64 x 64: 8² + 4² + 2² anchors of 3 classes, two objects.
    fn fed(name: &str) -> Option<Tensor> {
        let drawn = |i: usize, low: f64, high: f64| {
            let bits = crate::hash::bits(5, i as u64) >> 11;
            low + (high - low) * bits as f64 / (1u64 << 53) as f64
        };
        let many = |n: usize, low, high| (0..n).map(|i| drawn(i, low, high)).collect();
        Some(match name {
            "pred_scores" => Tensor::from_vec(&[1, 84, 3], many(84 * 3, 0.01, 0.3)),
            "pred_distri" => Tensor::from_vec(&[1, 84, 4], many(84 * 4, 0.5, 3.0)),
            "gt_labels" => Tensor::from_vec(&[1, 3], vec![1i64, 0, 0]),
            "gt_boxes" => {
                let boxes = [6.0, 9.0, 40.0, 33.0, 20.0, 18.0, 61.0, 58.0];
                let padded: Vec<f64> = boxes.into_iter().chain([0.0; 4]).collect();
                Tensor::from_vec(&[1, 3, 4], padded)
            }
            _ => return None,
        })
    }

    fn training() -> Training {
        let kernel = "kernel = \"gold_yolo_n\"";
        toml::from_str(kernel).unwrap()
    }

    /// Everything that the loss of a kernel says, as a port rounds it.
    fn numbers(of: &Evaluated) -> Vec<f64> {
        let terms = ["iou", "dfl", "cls"].map(raw);
        let names = terms.iter().map(String::as_str).chain([TOTAL, NORMALISER]);
        let number = |n: &str| f64::from(of.tensors[n].to_f64()[0] as f32);
        names.map(number).collect()
    }

    /// What explains a side that gives these numbers.
    fn why(gives: &[f64]) -> Option<Explained> {
        let held = |of: &Evaluated| {
            let both = numbers(of).into_iter().zip(gives);
            let judged = |(want, has): (f64, &f64)| {
                against(&Pair(want, *has), Limit::Bound(1e-6 * want.abs()))
            };
            both.map(judged).collect()
        };
        explain(&Off {
            training: &training(),
            image: [64, 64],
            get: &fed,
            held: &held,
        })
        .unwrap()
    }

    #[test]
    fn every_form_is_named_where_it_was_taken_and_a_clean_loss_says_nothing() {
        let (image, training) = ([64, 64], training());
        let clean = numbers(&evaluate(&training, image, &fed).unwrap());
        assert!(why(&clean).is_none());
        let off = Off {
            training: &training,
            image,
            get: &fed,
            held: &|of| numbers(of).into_iter().map(Judgement::Within).collect(),
        };
        let reads = Reads {
            off: &off,
            plain: find(&training.kernel).unwrap().tuned(&training).unwrap(),
            reduction: Reduction::default(),
        };
        let mut silent = vec![];
        for form in all() {
            let mut shown = false;
            for way in (form.ways)(&reads) {
                let Some(given) = reads.held(&way) else {
                    continue;
                };
                let given: Vec<f64> = given.iter().filter_map(Judgement::ratio).collect();
                let Some(why) = why(&given) else { continue };
                assert!(why.names(form.name), "{}: {} {why:?}", form.name, way.says);
                shown = true;
            }
            silent.extend((!shown).then_some(form.name));
        }
        // Here no third object overlaps an anchor that two claim, and boxes are too large for an eps to be seen in single precision.
        assert_eq!(silent, ["other-rivals", "other-iou-eps"]);
    }

    #[test]
    fn a_loss_that_no_form_gives_is_not_explained_and_says_what_came_nearest() {
        let clean = numbers(&evaluate(&training(), [64, 64], &fed).unwrap());
        let odd: Vec<f64> = clean.iter().map(|v| v * 1.0371).collect();
        let why = why(&odd).expect("something is off");
        assert!(why.confirmed.is_empty(), "{why:?}");
        assert!(why.tried > 30 && !why.nearest.is_empty() && why.off > 0);
    }

    #[test]
    fn what_was_off_has_to_be_within_and_nothing_else_off_or_open() {
        use crate::verdict::Why;
        let (within, over) = (Judgement::Within(0.5), Judgement::Over(3.0));
        let open = Judgement::NotJudged(Why::OpenFloor);
        let explains = |b: &[Judgement], a: &[Judgement]| left(b, a).explains;
        let before = [over.clone(), within.clone()];
        assert!(explains(&before, &[within.clone(), within.clone()]));
        assert!(!explains(&before, &[within.clone(), over.clone()]));
        assert!(!explains(&before, &[open, within.clone()]));
        assert!(!explains(&before, &[within]));
    }
}

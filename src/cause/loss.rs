//! loss: what causes that lie in a loss are tested on: what one opinion says of it, its gradients into the predictions, the shapes on its way.

use crate::judge::stage::loss::Values;
use crate::kernel::loss::Weighted;

/// An opinion beside what the f64 reference says of the same predictions.
pub struct Beside<'a> {
    pub ours: &'a Values,
    pub reference: &'a Values,
    pub terms: &'a [Weighted],
}

/// Norms of the gradient of one term into the predictions.
pub struct Reach<'a> {
    pub term: &'a str,
    /// Whose, by which prediction, its L2 norm; None where no path leads back.
    pub into: Vec<(&'a str, &'a str, Option<f64>)>,
    /// Whose gradients are right.
    pub reference: &'a str,
}

/// A tensor on the way to the loss.
pub struct Shape<'a> {
    pub who: &'a str,
    pub tensor: &'a str,
    pub shape: &'a [usize],
    pub term: &'a str,
    /// Elements that the declared shapes of the loss hold at most: [B, A, columns] and [B, G, A].
    pub largest: usize,
}

#[cfg(test)]
mod tests {
    use super::super::{of_loss, of_shape};
    use super::*;
    use crate::judge::stage::loss::sample::{floor, said, terms, values, weighted};
    use crate::judge::stage::loss::{Report, Said, checks};
    use crate::scenario::training::{ITEMS, NORMALISER, TOTAL, raw};
    use crate::tensor::Tensor;
    use crate::verdict::Finding;

    fn explained(ours: &Values, reference: &Values, terms: &[Weighted]) -> Vec<Finding> {
        of_loss(&Beside {
            ours,
            reference,
            terms,
        })
    }

    /// An opinion on a loss of these terms, in tensors that `change` may change.
    fn opinion(who: &str, terms: &[Weighted], change: &dyn Fn(&str, &mut Vec<f64>)) -> Said {
        let names: Vec<&str> = terms.iter().map(|t| t.name).collect();
        let raws: Vec<f64> = (0..terms.len()).map(|i| 0.5 + i as f64 * 0.625).collect();
        let items: Vec<f64> = raws.iter().zip(terms).map(|(r, t)| r * t.weight).collect();
        let get = |name: &str| {
            let raw_of = |i: usize| vec![raws[i]];
            let mut values = match name {
                ITEMS => items.clone(),
                TOTAL => vec![items.iter().sum()],
                NORMALISER => vec![8.0],
                _ => raw_of(names.iter().position(|t| raw(t) == name)?),
            };
            change(name, &mut values);
            Some(Tensor::of(&[values.len()], &values)).filter(|t| t.numel() > 0)
        };
        Said::read(who, &names, &get)
    }

    #[test]
    fn a_loss_of_any_number_of_terms_is_judged_as_one_of_three() {
        let (names, weights) = (
            ["iou", "dfl", "cls", "mask", "pose"],
            [2.5, 0.5, 1.0, 3.0, 7.0],
        );
        let floor = floor(1e-7);
        for n in 1..=5 {
            let (names, terms) = (&names[..n], weighted(&names[..n], &weights[..n]));
            let kernel = opinion("kernel", &terms, &|_, _| ());
            let report = |change: &dyn Fn(&str, &mut Vec<f64>)| {
                let own = opinion("candidate", &terms, change);
                let both = own.whole().zip(kernel.whole());
                Report {
                    checks: checks(&own, &kernel, &|_| Some(&floor)),
                    flags: both.map_or(vec![], |(own, kernel)| explained(&own, &kernel, &terms)),
                    ..Report::default()
                }
            };
            let clean = report(&|_, _| ());
            assert_eq!(clean.checks.len(), n + 2);
            assert_eq!(
                (clean.first(), clean.unjudged("candidate", names)),
                (None, None)
            );
            for (i, term) in names.iter().enumerate() {
                let name = raw(term);
                let off = report(&|at, v| v.iter_mut().for_each(|v| *v += f64::from(at == name)));
                assert_eq!(off.first().unwrap().0, name);
                let none = report(&|at, v| v.retain(|_| at != name && at != ITEMS));
                let says = format!("candidate: '{name}' is missing");
                assert_eq!(none.unjudged("candidate", names), Some(says));
                let item = report(&|at, v| match at {
                    ITEMS => v[i] += 1.0,
                    _ => v.retain(|_| at != name),
                });
                assert_eq!(item.first().unwrap().0, ITEMS);
                let part = 0.5 + i as f64 * 0.625;
                let lacks = report(&|at, v| v[0] -= f64::from(at == TOTAL) * part * weights[i]);
                assert_eq!(lacks.first().unwrap().0, *term, "{:?}", lacks.flags);
            }
            let turned = report(&|at, v| v.rotate_left(usize::from(at == ITEMS && n > 1)));
            let found = turned
                .flags
                .iter()
                .find(|f| f.kind == super::super::item_order::CAUSE.name);
            let order = [&names[1..], &names[..1]].concat().join(", ");
            let says = |f: &Finding| f.what.contains(&format!("holds [{order}], expected"));
            assert_eq!(found.map(says), (n > 1).then_some(true));
        }
    }

    #[test]
    fn items_in_another_order_name_that_order() {
        let mixed = Values {
            items: vec![2.0, 1.25, 0.125],
            ..values("candidate")
        };
        let found = explained(&mixed, &values("kernel"), &terms());
        assert_eq!((found.len(), found[0].kind.as_str()), (1, "item_order"));
        let what = &found[0].what;
        assert!(what.contains("[cls, iou, dfl]"), "{what}");
    }

    #[test]
    fn an_intermediate_larger_than_every_declared_shape_is_a_broadcast() {
        let found = |shape: &[usize]| {
            of_shape(&Shape {
                who: "candidate",
                tensor: "t",
                shape,
                term: "iou",
                largest: 84 * 20,
            })
        };
        assert_eq!(found(&[1, 84, 20]), None);
        let what = found(&[84, 84]).unwrap().what;
        assert!(what.contains("7056 elements"), "{what}");
    }

    #[test]
    fn a_weight_that_does_not_act_explains_a_total_that_is_off() {
        let raw = Values {
            items: vec![0.5, 0.125, 2.0],
            total: 2.625,
            ..values("candidate")
        };
        let report = |ours: &Values| {
            let floor = floor(1e-7);
            Report {
                checks: checks(&said(ours), &said(&values("kernel")), &|_| Some(&floor)),
                flags: explained(ours, &values("kernel"), &terms()),
                ..Report::default()
            }
        };
        assert_eq!(report(&raw).first().unwrap().0, "iou");
        assert_eq!(
            report(&Values {
                total: 3.4,
                ..values("candidate")
            })
            .first()
            .unwrap()
            .0,
            TOTAL
        );
        assert_eq!(
            report(&Values {
                terms: vec![0.5, 0.3, 2.0],
                ..raw
            })
            .first()
            .unwrap()
            .0,
            "loss.dfl"
        );
    }
}

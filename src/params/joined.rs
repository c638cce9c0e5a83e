//! joined: what one program holds as one tensor and the other as several: the slices of it along one axis (query, key and value of an attention, two
//! convolutions of the same input). Found by numbers that nothing else has, then by the modules that these stand in.

use super::module;
use super::names::{Role, role};
use crate::compare::layout::{Order, inverse, orders};
use crate::error::Result;
use crate::tensor::Tensor;

/// A tensor by its parameter's name: a value, or a gradient.
pub type Held<'a> = (&'a str, &'a Tensor);

/// One tensor, and the several that are its slices in order.
#[derive(Clone, Debug)]
pub struct Joined {
    pub whole: String,
    pub parts: Vec<Part>,
    shape: Vec<usize>,
    axis: usize,
}

/// A slice, and the parameter that holds it.
#[derive(Clone, Debug)]
pub struct Part {
    pub name: String,
    shape: Vec<usize>,
    /// The slice as it lies in the whole.
    slice: Vec<usize>,
    /// From the slice to the parameter, and back.
    there: Order,
    back: Order,
}

impl Joined {
    /// The parts of a tensor of the whole's shape, by their names; None of a tensor of another shape.
    ///
    /// # Errors
    /// Never: the shapes fit.
    pub fn split(&self, whole: &Tensor) -> Result<Option<Vec<(String, Tensor)>>> {
        if whole.shape() != self.shape {
            return Ok(None);
        }
        let mut from = 0;
        let part = |part: &Part| {
            let end = from + part.slice[self.axis];
            let slice = whole.taken(self.axis, from..end);
            from = end;
            Ok((part.name.clone(), part.there.read(&slice, &part.shape)?))
        };
        self.parts.iter().map(part).collect::<Result<_>>().map(Some)
    }

    /// The whole of all of its parts; None where one is not there or of another shape.
    ///
    /// # Errors
    /// Never: the shapes fit.
    pub fn whole<'t>(&self, of: impl Fn(&str) -> Option<&'t Tensor>) -> Result<Option<Tensor>> {
        let mut slices = vec![];
        for part in &self.parts {
            let Some(t) = of(&part.name).filter(|t| t.shape() == part.shape) else {
                return Ok(None);
            };
            slices.push(part.back.read(t, &part.slice)?);
        }
        together(&slices, &self.shape, self.axis).map(Some)
    }
}

/// The slices behind each other along `axis`.
fn together(slices: &[Tensor], shape: &[usize], axis: usize) -> Result<Tensor> {
    let outer: usize = shape[..axis].iter().product();
    let mut bytes = vec![];
    for i in 0..outer {
        for slice in slices {
            let long = slice.bytes().len() / outer;
            bytes.extend_from_slice(&slice.bytes()[i * long..(i + 1) * long]);
        }
    }
    let dtype = slices[0].dtype();
    Tensor::from_bytes(dtype, shape.to_vec(), &bytes)
}

/// What is joined of `wholes` and `parts`, which have no counterpart: where one part and no other continues the whole, `same` by their numbers.
pub fn by_numbers(
    wholes: &[Held],
    parts: &[Held],
    same: &dyn Fn(&[f64], &[f64]) -> bool,
) -> Vec<Joined> {
    let says = |t: &Tensor| {
        let values = t.to_f64();
        values.iter().any(|v| *v != values[0])
    };
    let parts: Vec<Held> = parts.iter().copied().filter(|p| says(p.1)).collect();
    let found = wholes.iter().filter_map(|whole| {
        let axes = 0..whole.1.shape().len();
        axes.filter_map(|axis| tiled(*whole, axis, &parts, same))
            .next()
    });
    let found: Vec<Joined> = found.collect();
    // A part of two wholes tells neither.
    let owners = |name: &str| {
        let all = found.iter().flat_map(|j| &j.parts);
        all.filter(|p| p.name == name).count()
    };
    let alone = |j: &&Joined| j.parts.iter().all(|p| owners(&p.name) == 1);
    found.iter().filter(alone).cloned().collect()
}

/// The parts that make up the whole along `axis`, each the only one that comes next.
fn tiled(
    (name, whole): Held,
    axis: usize,
    parts: &[Held],
    same: &dyn Fn(&[f64], &[f64]) -> bool,
) -> Option<Joined> {
    let (shape, mut from, mut found) = (whole.shape(), 0, Vec::<Part>::new());
    while from < shape[axis] {
        let next = parts.iter().filter_map(|(part, held)| {
            let mut ways = ways(part, held.shape(), shape, axis);
            ways.retain(|way| from + way.slice[axis] <= shape[axis]);
            let end = from + ways.first()?.slice[axis];
            let here = whole.taken(axis, from..end).to_f64();
            ways.into_iter().find(|way| {
                let held = way.back.read(held, &way.slice);
                held.is_ok_and(|held| same(&here, &held.to_f64()))
            })
        });
        let next: Vec<Part> = next
            .filter(|p| found.iter().all(|f| f.name != p.name))
            .collect();
        let [part] = <[Part; 1]>::try_from(next).ok()?;
        from += part.slice[axis];
        found.push(part);
    }
    let whole = name.to_string();
    (found.len() > 1).then(|| Joined {
        whole,
        parts: found,
        shape: shape.to_vec(),
        axis,
    })
}

/// How a tensor of shape `held` may be a slice along `axis` of one of shape `whole`; nothing where it cannot be one.
fn ways(name: &str, held: &[usize], whole: &[usize], axis: usize) -> Vec<Part> {
    let rest: usize = whole.iter().product::<usize>() / whole[axis].max(1);
    let count: usize = held.iter().product();
    if rest == 0 || count == 0 || !count.is_multiple_of(rest) || count / rest >= whole[axis] {
        return vec![];
    }
    let mut slice = whole.to_vec();
    slice[axis] = count / rest;
    let way = |there: Order| {
        Some(Part {
            name: name.into(),
            shape: held.to_vec(),
            back: inverse(&there, &slice, held)?,
            slice: slice.clone(),
            there,
        })
    };
    orders(&slice, held).into_iter().filter_map(way).collect()
}

/// What is joined because of what is: in the modules of the parts the only ones that fit another whole of the whole's module.
pub fn by_modules(found: &[Joined], wholes: &[Held], parts: &[Held]) -> Vec<Joined> {
    let modules = |j: &Joined| -> Vec<String> {
        let all = j.parts.iter().map(|p| module(&p.name).to_string());
        all.collect()
    };
    let beside = |(name, whole): &Held| {
        let mut own = found.iter().filter(|j| module(&j.whole) == module(name));
        let joined = own.next()?;
        let agree = own.all(|other| modules(other) == modules(joined));
        let axes = 0..whole.shape().len();
        let mut all = axes.filter_map(|axis| alike(joined, (name, whole), axis, parts));
        all.next().filter(|_| agree && all.next().is_none())
    };
    wholes.iter().filter_map(beside).collect()
}

/// `whole` of one part of each module that those of `joined` stand in, if there is one and no other.
fn alike(joined: &Joined, (name, whole): Held, axis: usize, parts: &[Held]) -> Option<Joined> {
    let fits = |of: &Part| {
        let mut own = parts.iter().filter(|(part, held)| {
            let shares = (held.shape().iter().product::<usize>() * joined.shape[joined.axis])
                .checked_div(of.slice[joined.axis]);
            module(part) == module(&of.name) && is_role(name, part) && shares == Some(whole.numel())
        });
        let (part, held) = own.next().filter(|_| own.next().is_none())?;
        ways(part, held.shape(), whole.shape(), axis)
            .into_iter()
            .next()
    };
    let found: Vec<Part> = joined.parts.iter().map(fits).collect::<Option<_>>()?;
    let long: usize = found.iter().map(|p| p.slice[axis]).sum();
    let apart = (1..found.len()).all(|i| found[..i].iter().all(|p| p.name != found[i].name));
    (apart && long == whole.shape()[axis]).then(|| Joined {
        whole: name.into(),
        parts: found,
        shape: whole.shape().to_vec(),
        axis,
    })
}

/// Whether a leaf may be a slice of another: of its role, or one of them says none.
fn is_role(whole: &str, part: &str) -> bool {
    match (role(whole), role(part)) {
        (Role::Other(_), _) | (_, Role::Other(_)) => true,
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(shape: &[usize], seed: usize) -> Tensor {
        let count: usize = shape.iter().product();
        let values = (0..count).map(|i| ((seed * 97 + i) as f64 * 1.7).sin());
        Tensor::from_vec(shape, values.collect::<Vec<f64>>())
    }

    fn of(shape: &[usize], value: f64) -> Tensor {
        Tensor::from_vec(shape, vec![value; shape.iter().product()])
    }

    fn cat(parts: &[&Tensor], shape: &[usize], axis: usize) -> Tensor {
        let parts: Vec<Tensor> = parts.iter().map(|t| (*t).clone()).collect();
        together(&parts, shape, axis).unwrap()
    }

    fn turned(t: &Tensor) -> Tensor {
        let [a, b] = <[usize; 2]>::try_from(t.shape()).unwrap();
        Order::permuted(&[a, b], &[1, 0]).read(t, &[b, a]).unwrap()
    }

    fn exact(a: &[f64], b: &[f64]) -> bool {
        a == b
    }

    fn told(found: &[Joined]) -> Vec<(&str, Vec<&str>)> {
        found
            .iter()
            .map(|j| {
                let parts = j.parts.iter().map(|p| p.name.as_str());
                (j.whole.as_str(), parts.collect())
            })
            .collect()
    }

    #[test]
    fn one_matrix_is_three_others_as_they_lie_or_turned_and_leads_back() {
        let [q, k, v] = [1, 2, 3].map(|seed| drawn(&[4, 4], seed));
        let whole = cat(&[&q, &k, &v], &[12, 4], 0);
        let turned: Vec<Tensor> = [&v, &q, &k].into_iter().map(turned).collect();
        for parts in [[&v, &q, &k], [&turned[0], &turned[1], &turned[2]]] {
            let parts = [
                ("v.weight", parts[0]),
                ("q.weight", parts[1]),
                ("k.weight", parts[2]),
            ];
            let found = by_numbers(&[("in", &whole)], &parts, &exact);
            assert_eq!(
                told(&found),
                [("in", vec!["q.weight", "k.weight", "v.weight"])]
            );
            let split = found[0].split(&whole).unwrap().unwrap();
            let by_name = |name: &str| parts.iter().find(|p| p.0 == name).unwrap().1;
            assert!(split.iter().all(|(n, t)| t.bytes() == by_name(n).bytes()));
            let again = found[0].whole(|name| Some(by_name(name))).unwrap().unwrap();
            assert_eq!(again.bytes(), whole.bytes());
            assert!(found[0].whole(|_| None).unwrap().is_none());
            assert!(found[0].split(&q).unwrap().is_none());
        }
    }

    #[test]
    fn kernels_lie_behind_each_other_along_any_axis_and_in_any_share() {
        let (a, b) = (drawn(&[2, 3, 1, 1], 1), drawn(&[4, 3, 1, 1], 2));
        let whole = cat(&[&b, &a], &[6, 3, 1, 1], 0);
        let found = by_numbers(&[("w", &whole)], &[("a", &a), ("b", &b)], &exact);
        assert_eq!(told(&found), [("w", vec!["b", "a"])]);
        let (a, b) = (drawn(&[2, 3], 1), drawn(&[2, 5], 2));
        let whole = cat(&[&a, &b], &[2, 8], 1);
        let found = by_numbers(&[("w", &whole)], &[("a", &a), ("b", &b)], &exact);
        assert_eq!(told(&found), [("w", vec!["a", "b"])]);
    }

    #[test]
    fn numbers_that_several_have_or_that_leave_a_gap_tell_nothing() {
        let (a, b) = (drawn(&[2], 1), drawn(&[2], 2));
        let whole = cat(&[&a, &b], &[4], 0);
        let none = |wholes: &[Held], parts: &[Held]| {
            assert!(by_numbers(wholes, parts, &exact).is_empty(), "{parts:?}");
        };
        none(&[("w", &whole)], &[("a", &a), ("b", &b), ("c", &b)]);
        none(&[("w", &whole)], &[("a", &a)]);
        none(&[("w", &whole), ("u", &whole)], &[("a", &a), ("b", &b)]);
        let zeros = [of(&[2], 0.0), of(&[2], 0.0)];
        none(
            &[("w", &of(&[4], 0.0))],
            &[("a", &zeros[0]), ("b", &zeros[1])],
        );
    }

    #[test]
    fn biases_of_zero_follow_the_weights_of_their_modules() {
        let [q, k, v] = [1, 2, 3].map(|seed| drawn(&[4, 4], seed));
        let whole = cat(&[&q, &k, &v], &[12, 4], 0);
        let parts = [
            ("at.q.weight", &q),
            ("at.k.weight", &k),
            ("at.v.weight", &v),
        ];
        let found = by_numbers(&[("at.in_proj_weight", &whole)], &parts, &exact);
        let (bias, one) = (of(&[12], 0.0), of(&[4], 0.0));
        let biases = [
            ("at.v.bias", &one),
            ("at.q.bias", &one),
            ("at.k.bias", &one),
        ];
        let more = by_modules(&found, &[("at.in_proj_bias", &bias)], &biases);
        assert_eq!(
            told(&more),
            [(
                "at.in_proj_bias",
                vec!["at.q.bias", "at.k.bias", "at.v.bias"]
            )]
        );
        // Of another module, of two that fit, and where one is not there.
        assert!(by_modules(&found, &[("of.in_proj_bias", &bias)], &biases).is_empty());
        let two = [biases.as_slice(), &[("at.q.scale", &one)]].concat();
        assert!(by_modules(&found, &[("at.in_proj_bias", &bias)], &two).is_empty());
        assert!(by_modules(&found, &[("at.in_proj_bias", &bias)], &biases[1..]).is_empty());
    }
}

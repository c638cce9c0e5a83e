//! plan: two files as a pair that can be asked about drawn inputs: which input and output stands for which, who is the reference, and in
//! what the other computes.

use super::form::{Form, nudged};
use super::proof::computes_in_f64;
use super::side::Side;
use super::slots::{Input, paired, slots};
use crate::error::{Error, Place, Result};
use crate::fuzz::drawn::drawn;
use crate::fuzz::kernel::response::Response;
use crate::graph::{Dim, Graph, Port};
use crate::scenario::{Live, Loss};
use crate::subject::kernels::draw::Case;
use crate::subject::kernels::draw::domains::{Slot, cases};
use crate::subject::{Answered, Engines};
use crate::tensor::{DType, Tensor};
use proptest::strategy::ValueTree;

/// Cases on which both are tried before anything is compared.
const TRIED: u64 = 8;

/// A file and what of the pair it takes and gives.
pub struct Known {
    pub side: Side,
    double: bool,
    /// For each of its own inputs: the slot, and the dtype that it is fed in.
    takes: Vec<(usize, DType)>,
    /// For each of its own inputs, whether both know gradients by it.
    by: Vec<bool>,
    /// Its own outputs by the names of the reference.
    gives: Vec<(String, String)>,
}

/// What can be asked.
pub struct Plan {
    pub loss: Loss,
    pub live: Live,
    pub reference: Known,
    pub candidate: Known,
    pub slots: Vec<Slot>,
    /// Inputs whose domain nobody declared.
    pub guessed: Vec<String>,
    /// What a reader has to know of the pair.
    pub notes: Vec<String>,
}

impl Plan {
    /// # Errors
    /// Files that are no forms of a loss, or not of the same; domains that fit no input; forms of which neither computes in f64.
    pub fn of(loss: &Loss, live: &Live, engines: Engines) -> Result<Self> {
        let read = |path| Side::read(path, live, engines);
        let (first, second) = (read(&loss.reference)?, read(&loss.candidate)?);
        let ports = [first.inputs(), second.inputs()];
        let inputs = paired(&ports[0], &ports[1])?;
        let sides = [&first, &second];
        let slots = slots(&inputs, &loss.domains, &|input| example(input, sides))?;
        let plain = tried(&slots);
        let mut notes = unused(&inputs, sides);
        notes.extend(undifferentiated(&inputs, &slots, sides));
        let by = differentiated(&inputs, sides);
        let known = |side, of: Of| {
            let takes = takes(&inputs, &slots, of);
            Known {
                by: takes.iter().map(|(slot, _)| by[*slot]).collect(),
                takes,
                double: true,
                gives: vec![],
                side,
            }
        };
        let mut reference = known(first, |i| i.reference);
        let mut candidate = known(second, |i| i.candidate);
        let gives = [
            reference.tries(&plain, engines)?,
            candidate.tries(&plain, engines)?,
        ];
        (reference.gives, candidate.gives) = outputs(&gives)?;
        let proofs = [
            reference.is_exact(&plain, engines)?,
            candidate.is_exact(&plain, engines)?,
        ];
        let single = loss.dtype == Some(DType::F32);
        match proofs {
            [true, true] => candidate.double = !single,
            [true, false] => candidate.double = false,
            [false, true] => {
                std::mem::swap(&mut reference, &mut candidate);
                candidate.double = false;
            }
            [false, false] => return Err(Error::uncovered(format!(
                "neither {} nor {} computes in f64 on f64 inputs: there is nothing to judge the other by",
                reference.side.name(),
                candidate.side.name()
            ))
            .next("take the casts to float32 out of one of them, or export one to ONNX")),
        }
        for (side, is) in [&loss.reference, &loss.candidate].into_iter().zip(proofs) {
            let text = "computes in f32 even on f64 inputs: it is held against the other in f64";
            notes.extend((!is).then(|| format!("{} {text}", side.display())));
        }
        if !candidate.double && !reference.side.is_graph() {
            return Err(Error::uncovered(format!(
                "{} is judged in f32, and what rounding in f32 may do cannot be measured inside {}",
                candidate.side.name(),
                reference.side.name()
            ))
            .next("export it to ONNX, whose every operation is seen"));
        }
        let guessed = slots.iter().map(|s| s.name.clone());
        let guessed = guessed.filter(|n| !loss.domains.contains_key(n)).collect();
        Ok(Self {
            loss: loss.clone(),
            live: live.clone(),
            reference,
            candidate,
            slots,
            guessed,
            notes,
        })
    }

    /// Both files, the reference first.
    pub fn names(&self) -> String {
        let single = if self.is_single() { " in f32" } else { "" };
        let [a, b] = [&self.reference, &self.candidate].map(|k| k.side.name());
        format!("{b}{single} against {a}")
    }

    /// Whether the candidate computes in f32.
    pub fn is_single(&self) -> bool {
        !self.candidate.double
    }

    /// The inputs as a graph declares them, to read those of a find by.
    pub fn as_graph(&self) -> Graph {
        let port = |slot: &Slot| Port {
            name: slot.name.clone(),
            dtype: Some(slot.dtype),
            shape: None,
        };
        Graph {
            inputs: self.slots.iter().map(port).collect(),
            ..Graph::default()
        }
    }
}

/// A few plain cases.
fn tried(slots: &[Slot]) -> Vec<Case> {
    let strategy = cases(slots, true);
    (0..TRIED)
        .map(|n| drawn(&strategy, 0, n).current())
        .collect()
}

/// Inputs that one of the two does not take.
fn unused(inputs: &[Input], sides: [&Side; 2]) -> Vec<String> {
    let one = |input: &Input| {
        let lacks = match (input.reference, input.candidate) {
            (Some(_), Some(_)) => return None,
            (None, _) => sides[0],
            (_, None) => sides[1],
        };
        Some(format!("{} takes no '{}'", lacks.name(), input.name))
    };
    inputs.iter().filter_map(one).collect()
}

/// The sides that take an input, with its place in each.
fn takers<'s>(input: &Input, sides: [&'s Side; 2]) -> impl Iterator<Item = (&'s Side, usize)> {
    let places = [input.reference, input.candidate].map(|at| at.map(|(place, _)| place));
    let takers = sides.into_iter().zip(places);
    takers.filter_map(|(side, place)| Some((side, place?)))
}

fn example(input: &Input, sides: [&Side; 2]) -> Option<Vec<Dim>> {
    let shape = takers(input, sides).find_map(|(side, place)| side.example(place))?;
    Some(shape.iter().map(|n| Dim::Known(*n)).collect())
}

/// Of each input whether all that take it know gradients by it.
fn differentiated(inputs: &[Input], sides: [&Side; 2]) -> Vec<bool> {
    let all = |input| takers(input, sides).all(|(side, place)| side.differentiates(place));
    inputs.iter().map(all).collect()
}

/// What a side does not differentiate by.
fn undifferentiated(inputs: &[Input], slots: &[Slot], sides: [&Side; 2]) -> Vec<String> {
    let is_float = |(_, slot): &(&Input, &Slot)| slot.dtype.is_float();
    let lacks = |side: &Side, input: &Input| {
        let mut own = takers(input, sides).filter(|(of, _)| std::ptr::eq(*of, side));
        own.any(|(_, place)| !side.differentiates(place))
    };
    let of = |side: &Side| {
        let floats = inputs.iter().zip(slots).filter(is_float);
        let names = floats.filter(|(input, _)| lacks(side, input));
        let names: Vec<&str> = names.map(|(input, _)| input.name).collect();
        let text = "they are not compared";
        let who = side.name();
        (!names.is_empty())
            .then(|| format!("{who} gives no gradients by {}: {text}", names.join(", ")))
    };
    sides.into_iter().filter_map(of).collect()
}

/// An input's place in one of the forms, with what is declared of it there.
type Of = for<'a> fn(&Input<'a>) -> Option<(usize, &'a Port)>;

/// What a form is fed, in the order of its own inputs.
fn takes(inputs: &[Input], slots: &[Slot], of: Of) -> Vec<(usize, DType)> {
    let one = |(slot, input): (usize, &Input)| {
        let (place, port) = of(input)?;
        Some((place, (slot, port.dtype.unwrap_or(slots[slot].dtype))))
    };
    let mut all: Vec<_> = inputs.iter().enumerate().filter_map(one).collect();
    all.sort_by_key(|(place, _)| *place);
    all.into_iter().map(|(_, slot)| slot).collect()
}

type Names = Vec<(String, String)>;

/// (own name, the reference's) of every output of both: by name where the names are the same, else by position.
fn outputs(gives: &[Vec<String>; 2]) -> Result<(Names, Names)> {
    let [first, second] = gives;
    let is_named = first.len() == second.len() && first.iter().all(|n| second.contains(n));
    if first.len() != second.len() || first.is_empty() {
        return Err(Error::usage(format!(
            "the reference gives {} tensors ({}), the candidate {} ({})",
            first.len(),
            first.join(", "),
            second.len(),
            second.join(", ")
        ))
        .next("outputs pair by name, or by position: both must give the same"));
    }
    let own = first.iter().map(|n| (n.clone(), n.clone())).collect();
    let other = first.iter().zip(second);
    let other = other.map(|(a, b)| (if is_named { a } else { b }.clone(), a.clone()));
    Ok((own, other.collect()))
}

impl Known {
    /// Its names on the first case that it answers.
    fn tries(&self, cases: &[Case], engines: Engines) -> Result<Vec<String>> {
        let mut form = self.side.open(false, engines)?;
        let mut said = Err(Error::usage("nothing was tried"));
        for case in cases {
            said = form.answer(&self.given(case));
            if let Ok(answered) = &said {
                return Ok(answered.values.iter().map(|(n, _)| n.clone()).collect());
            }
            if let Some(e) = form.broken() {
                return Err(e);
            }
        }
        let next = "are shapes and domains as the loss wants them? --domain NAME=DOMAIN@AXIS,AXIS";
        said.map(|_| vec![])
            .map_err(|e| {
                Error::usage(format!(
                    "it refuses every case that was tried: {}",
                    e.message
                ))
                .next(next)
            })
            .at(self.side.name())
    }

    /// A graph is computed in f64 operation by operation; a script says so itself.
    fn is_exact(&self, cases: &[Case], engines: Engines) -> Result<bool> {
        if self.side.is_graph() {
            return Ok(true);
        }
        let mut form = self.side.open(true, engines)?;
        let given = cases.iter().map(|case| self.given(case));
        let given: Vec<_> = given.filter(|given| form.answer(given).is_ok()).collect();
        // What cannot be run in f64 does not compute in it.
        let proved = match given.is_empty() {
            false => computes_in_f64(&mut *form, &given).at(self.side.name()),
            true => Ok(false),
        };
        form.broken().map_or(proved, Err)
    }

    /// What the form is fed of a case.
    fn given(&self, case: &Case) -> Vec<Tensor> {
        let fed = |(slot, dtype): &(usize, DType)| {
            let (_, t) = case.inputs.get_index(*slot)?;
            match t.dtype() == *dtype || t.dtype() == DType::F64 {
                true => Some(t.clone()),
                false => Tensor::from_f64(*dtype, t.shape(), &t.to_f64()).ok(),
            }
        };
        self.takes.iter().filter_map(fed).collect()
    }

    /// # Errors
    /// An operator that is not there.
    pub fn open(&self, slots: &[Slot], engines: Engines) -> Result<Asked<'_>> {
        Ok(Asked {
            known: self,
            slots: slots.iter().map(|s| s.name.clone()).collect(),
            form: self.side.open(self.double, engines)?,
        })
    }
}

/// A form that answers cases under the names of the pair.
pub struct Asked<'a> {
    known: &'a Known,
    slots: Vec<String>,
    form: Box<dyn Form>,
}

impl Asked<'_> {
    /// Why it can be asked nothing more.
    pub fn broken(&self) -> Option<Error> {
        self.form.broken()
    }

    /// # Errors
    /// What the form refuses.
    pub fn answer(&mut self, case: &Case) -> Result<Response> {
        let said = self.form.answer(&self.known.given(case))?;
        Ok(self.named(said))
    }

    /// With rounding behind every operation, where these are seen.
    ///
    /// # Errors
    /// What the form refuses.
    pub fn rounded(&mut self, case: &Case, seed: u64, run: u32) -> Result<Option<Response>> {
        let said = self.form.rounded(&self.known.given(case), seed, run)?;
        Ok(said.map(|said| self.named(said)))
    }

    /// On inputs that are off by a rounding.
    ///
    /// # Errors
    /// What the form refuses.
    pub fn nudged(&mut self, case: &Case, seed: u64, run: u32) -> Result<Response> {
        let said = self
            .form
            .answer(&nudged(&self.known.given(case), seed, run))?;
        Ok(self.named(said))
    }

    /// # Errors
    /// What the form refuses.
    pub fn moved(&mut self, case: &Case, run: u32) -> Result<Option<Response>> {
        let said = self.form.moved(&self.known.given(case), run)?;
        Ok(said.map(|said| self.named(said)))
    }

    fn named(&self, said: Answered) -> Response {
        let called = |own: &str| {
            let found = self.known.gives.iter().find(|(name, _)| name == own);
            found.map(|(_, name)| name.clone())
        };
        let slot = |place: usize| self.slots[self.known.takes[place].0].clone();
        let value = |(name, t): (String, Tensor)| Some((called(&name)?, t));
        let gradient =
            |(of, by, g): (String, usize, Option<Tensor>)| Some(((called(&of)?, slot(by)), g));
        let is_compared = |(_, by, _): &(String, usize, Option<Tensor>)| self.known.by[*by];
        let gradients = said.gradients.into_iter().filter(is_compared);
        Response {
            tensors: said.values.into_iter().filter_map(value).collect(),
            gradients: Some(gradients.filter_map(gradient).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_pair_by_name_and_else_by_position() {
        let of = |a: &[&str], b: &[&str]| {
            outputs(&[a, b].map(|names| names.iter().map(|n| n.to_string()).collect()))
        };
        let pair = |a: &str, b: &str| (a.to_string(), b.to_string());
        assert_eq!(
            of(&["u", "v"], &["v", "u"]).unwrap().1,
            [pair("u", "u"), pair("v", "v")]
        );
        assert_eq!(
            of(&["u", "v"], &["0", "1"]).unwrap().1,
            [pair("0", "u"), pair("1", "v")]
        );
        let e = of(&["u"], &["0", "1"]).unwrap_err();
        assert!(
            e.message
                .contains("gives 1 tensors (u), the candidate 2 (0, 1)"),
            "{}",
            e.message
        );
    }
}

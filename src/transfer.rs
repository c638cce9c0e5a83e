//! transfer: parameters of one program put into another, a live port or a graph: paired, laid out and cast as it holds them, loaded, and read back.

use crate::compare::layout::{Layout, Order, orders};
use crate::error::Result;
use crate::graph::Graph;
use crate::input::parameters::{of_graph, of_trace};
use crate::params::names::{Role, leaf, role};
use crate::params::pair::{Paired, by_names};
use crate::params::value::Relation;
use crate::params::{Param, Rename, Source};
use crate::port::{Port, Tensors};
use crate::tensor::Tensor;
use crate::verdict::{Finding, Severity};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use wildmatch::WildMatch;

/// What became of what was put in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transferred {
    /// Items that the program was given.
    pub given: usize,
    /// Of these, read back as they were given.
    pub arrived: Vec<String>,
    /// It says that it took them over, and holds something else.
    pub ignored: Vec<String>,
    /// It refuses them: what it says of each.
    pub refused: Vec<String>,
    /// Laid out otherwise than where they come from: how, and how many.
    pub laid: Vec<(String, usize)>,
    /// Square ones, whose order of axes no shape tells, and no other of their kind.
    pub square: Vec<String>,
    /// What the program has and was not given, with its elements; counters, which decide nothing, are left out.
    pub missing: Vec<(String, u64)>,
    /// Of what did not arrive, what is meant to begin anew.
    pub anew: Vec<(String, u64)>,
    /// Items and elements of the program, without its counters.
    pub all: (usize, u64),
}

/// Has `port` take over what `source` holds for it.
///
/// # Errors
/// The port fails; a rename that pairs nothing; a value that cannot be read.
pub fn into_port(source: &Source, port: &mut Port, renames: &[Rename]) -> Result<Transferred> {
    let held = held(port)?;
    let (given, mut done) = laid_out(source, &held, renames)?;
    let told = port.load(&given)?;
    let said = |name: &String| format!("'{name}': the port has no such parameter");
    done.refused.extend(told.unknown.iter().map(said));
    let unlike = told.unlike.iter();
    let unlike = unlike.map(|u| format!("'{}' is {}, and was given {}", u.name, u.held, u.given));
    done.refused.extend(unlike);
    let now = self::held(port)?;
    // In the program's order, whatever order the port says it in.
    for (name, value) in given.iter().filter(|(n, _)| told.loaded.contains(n)) {
        let same = now.value(name)?.is_some_and(|v| is_same(&v, value));
        let list = match same {
            true => &mut done.arrived,
            false => &mut done.ignored,
        };
        list.push(name.clone());
    }
    done.count(&held);
    Ok(done)
}

/// Has `graph` hold what `source` has for it.
///
/// # Errors
/// A rename that pairs nothing; a value that cannot be read.
pub fn into_graph(source: &Source, graph: &mut Graph, renames: &[Rename]) -> Result<Transferred> {
    let held = of_graph(Arc::new(graph.clone()));
    let (given, mut done) = laid_out(source, &held, renames)?;
    // The file says something else from here on.
    graph.file = None;
    for (name, value) in given {
        done.arrived.push(name.clone());
        graph.weights.insert(name, value);
    }
    done.count(&held);
    Ok(done)
}

/// What the port holds.
///
/// # Errors
/// The port fails.
pub fn held(port: &mut Port) -> Result<Source> {
    Ok(of_trace(port.parameters()?)?.unwrap_or_default())
}

/// NaN too is what it was.
fn is_same(a: &Tensor, b: &Tensor) -> bool {
    (a.dtype(), a.shape(), a.bytes()) == (b.dtype(), b.shape(), b.bytes())
}

/// A pair of the same elements, and the orders of axes in which they may lie.
struct Fit<'a> {
    from: &'a Param,
    into: &'a Param,
    orders: Vec<Order>,
}

/// What `into` is to be given, by its own names, in its own layout and dtype.
fn laid_out(source: &Source, into: &Source, renames: &[Rename]) -> Result<(Tensors, Transferred)> {
    let pairs = by_names(source, into, renames, &|_, _| Relation::NotCompared)?;
    let fits: Vec<Fit> = pairs.into_iter().filter_map(fit).collect();
    let agreed = agreed(&fits);
    let (mut given, mut done) = (Tensors::new(), Transferred::default());
    let mut laid: HashMap<String, usize> = HashMap::new();
    for fit in &fits {
        let Some(value) = source.value(&fit.from.name)? else {
            continue;
        };
        let order = match agreed.get(&kind(fit.into)) {
            Some(layout) => fit
                .orders
                .iter()
                .find(|o| o.layout.as_ref() == layout.as_ref()),
            None => None,
        };
        let order = order.unwrap_or(&fit.orders[0]);
        if !agreed.contains_key(&kind(fit.into)) && is_open(fit) {
            done.square.push(fit.into.name.clone());
        }
        if let Some(layout) = &order.layout {
            *laid.entry(layout.say()).or_default() += 1;
        }
        let value = order.read(&value, &fit.into.shape)?;
        let value = match value.dtype() == fit.into.dtype {
            true => value,
            false => Tensor::from_f64(fit.into.dtype, value.shape(), &value.to_f64())?,
        };
        given.insert(fit.into.name.clone(), value);
    }
    done.given = given.len();
    done.laid = laid.into_iter().collect();
    done.laid.sort();
    Ok((given, done))
}

fn fit(pair: Paired) -> Option<Fit> {
    let Paired::Both(pair) = pair else {
        return None;
    };
    let (from, into) = (pair.reference, pair.candidate);
    let orders = orders(&from.shape, &into.shape);
    (!orders.is_empty()).then_some(Fit { from, into, orders })
}

/// Parameters that a framework lays out alike: of as many axes, under the same leaf.
fn kind(param: &Param) -> (usize, &str) {
    (param.shape.len(), leaf(&param.name))
}

/// Whether its shape leaves open how its elements lie.
fn is_open(fit: &Fit) -> bool {
    fit.from.shape.len() > 1 && fit.orders.len() > 1
}

/// The layout of each kind that its shapes tell: the only one that fits all of them, or of several the only one that frameworks have.
fn agreed<'f>(fits: &'f [Fit]) -> HashMap<(usize, &'f str), Option<Layout>> {
    let mut by: HashMap<(usize, &str), Vec<&Fit>> = HashMap::new();
    for fit in fits {
        by.entry(kind(fit.into)).or_default().push(fit);
    }
    let one = |(kind, all): ((usize, &'f str), Vec<&Fit>)| {
        let mut left: Vec<Option<Layout>> =
            all[0].orders.iter().map(|o| o.layout.clone()).collect();
        left.retain(|l| all.iter().all(|f| f.orders.iter().any(|o| o.layout == *l)));
        let known: Vec<_> = left
            .iter()
            .filter(|l| l.as_ref().is_none_or(is_known))
            .collect();
        let chosen = match (&known[..], &left[..]) {
            ([only], _) => *only,
            ([], [only]) => only,
            _ => return None,
        };
        Some((kind, chosen.clone()))
    };
    by.into_iter().filter_map(one).collect()
}

/// An order that some framework keeps kernels in.
fn is_known(layout: &Layout) -> bool {
    match layout {
        Layout::Reshaped => true,
        Layout::Permuted(_) => !layout.say().starts_with("axes in the order"),
    }
}

impl Transferred {
    /// What of the program's own did not arrive.
    fn count(&mut self, held: &Source) {
        let arrived: HashSet<&String> = self.arrived.iter().collect();
        let own = held.list.iter().filter(|p| role(&p.name) != Role::Counter);
        self.all = (own.clone().count(), own.clone().map(Param::elements).sum());
        let missing = own.filter(|p| !arrived.contains(&p.name));
        self.missing = missing.map(|p| (p.name.clone(), p.elements())).collect();
    }

    /// With those that are meant to begin anew told apart.
    pub fn except(mut self, patterns: &[String]) -> Self {
        let is_meant = |name: &str| patterns.iter().any(|p| WildMatch::new(p).matches(name));
        let (anew, missing) = self
            .missing
            .into_iter()
            .partition(|(name, _)| is_meant(name));
        (self.anew, self.missing) = (anew, missing);
        self
    }

    /// "690 of 691 items; 99.98 % of the elements".
    pub fn say(&self) -> String {
        let (items, elements) = self.all;
        let lacking = self.missing.iter().chain(&self.anew);
        let (n, lacking) = lacking.fold((items, 0), |(n, sum), m| (n - 1, sum + m.1));
        let share = 100.0 * (elements - lacking) as f64 / elements.max(1) as f64;
        format!("{n} of {items} items; {share:.2} % of the elements")
    }

    /// What was not taken over as it was said, and what is only supposed.
    pub fn findings(&self) -> Vec<Finding> {
        let mut found = vec![];
        if let Some(first) = self.ignored.first() {
            let what = format!(
                "{} of {} items that the port says it took over read back as something else",
                self.ignored.len(),
                self.given
            );
            let names = self.ignored.iter().take(SHOWN).map(|n| format!("'{n}'"));
            let next = "the load of this framework raises at no unknown name and no other shape: look at what it says it has loaded";
            found.push(
                Finding::new("ignored", first, what)
                    .facts(names)
                    .next([next.to_string()]),
            );
        }
        if !self.refused.is_empty() {
            let what = format!(
                "the port refuses {} of {} items",
                self.refused.len(),
                self.given
            );
            let lines = self.refused.iter().take(SHOWN).cloned();
            found.push(Finding::new("refused", "port", what).facts(lines));
        }
        if let Some(first) = self.square.first() {
            let what = format!(
                "in which order the axes of {} square items lie is not told by their shapes: they were put in as they are",
                self.square.len()
            );
            let next = "compare what both compute from them: parity run A B";
            found.push(
                Finding::new("square", first, what)
                    .next([next.to_string()])
                    .severity(Severity::Warning),
            );
        }
        found.push(self.said());
        found
    }

    fn said(&self) -> Finding {
        let what = format!(
            "{} of {} items that the port was given read back as they were given",
            self.arrived.len(),
            self.given
        );
        let laid = self
            .laid
            .iter()
            .map(|(how, n)| format!("{n} of them {how}"));
        Finding::new("loaded", "port", what)
            .facts(laid)
            .severity(Severity::Note)
    }
}

/// Items that a finding names.
const SHOWN: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Kind;
    use crate::tensor::DType;

    fn source(all: &[(&str, &[usize])], dtype: DType) -> Source {
        let param = |(name, shape): &(&str, &[usize])| Param {
            name: name.to_string(),
            shape: shape.to_vec(),
            dtype,
            kind: Kind::Parameter,
            trainable: None,
        };
        let shapes: HashMap<String, Vec<usize>> = all
            .iter()
            .map(|(n, s)| (n.to_string(), s.to_vec()))
            .collect();
        let read = move |name: &str| {
            let shape = &shapes[name];
            let values: Vec<f64> = (0..shape.iter().product())
                .map(|i: usize| i as f64)
                .collect();
            Tensor::from_f64(dtype, shape, &values).map(Some)
        };
        Source::valued(all.iter().map(param).collect(), Box::new(read))
    }

    fn put(from: &[(&str, &[usize])], into: &[(&str, &[usize])]) -> (Tensors, Transferred) {
        laid_out(&source(from, DType::F64), &source(into, DType::F32), &[]).unwrap()
    }

    #[test]
    fn a_transposed_linear_is_turned_and_a_square_one_follows_those_of_its_kind() {
        let (given, done) = put(
            &[("a.weight", &[2, 3]), ("b.weight", &[2, 2])],
            &[("a.kernel", &[3, 2]), ("b.kernel", &[2, 2])],
        );
        assert_eq!(given["a.kernel"].to_f64(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(given["b.kernel"].to_f64(), [0.0, 2.0, 1.0, 3.0]);
        assert_eq!(given["a.kernel"].dtype(), DType::F32);
        assert_eq!(done.laid, [("transposed, axes [1, 0]".to_string(), 2)]);
        assert!(done.square.is_empty());
    }

    #[test]
    fn a_square_one_alone_is_put_in_as_it_is_and_said() {
        let (given, done) = put(&[("b.weight", &[2, 2])], &[("b.kernel", &[2, 2])]);
        assert_eq!(given["b.kernel"].to_f64(), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(done.square, ["b.kernel"]);
        assert!(done.findings().iter().any(|f| f.kind == "square"));
        let (_, plain) = put(
            &[("a.weight", &[2, 3]), ("b.weight", &[2, 2])],
            &[("a.weight", &[2, 3]), ("b.weight", &[2, 2])],
        );
        assert!(
            plain.square.is_empty() && plain.laid.is_empty(),
            "{plain:?}"
        );
    }

    #[test]
    fn kernels_of_images_go_as_frameworks_keep_them_though_their_sides_are_equal() {
        let (given, done) = put(
            &[("a.weight", &[4, 2, 3, 3]), ("b.weight", &[4, 4, 3, 3])],
            &[("a.kernel", &[3, 3, 2, 4]), ("b.kernel", &[3, 3, 4, 4])],
        );
        assert_eq!(
            done.laid,
            [("OIHW as HWIO, axes [2, 3, 1, 0]".to_string(), 2)]
        );
        // Row 0, column 1 of input 0, output 0.
        assert_eq!(given["a.kernel"].to_f64()[8], 1.0);
        assert_eq!(given["b.kernel"].to_f64()[16], 1.0);
    }

    #[test]
    fn what_has_another_size_is_not_put_in() {
        let (given, mut done) = put(
            &[("a.weight", &[4, 3, 3, 3]), ("a.bias", &[4])],
            &[("a.weight", &[4, 4, 3, 3]), ("a.bias", &[4])],
        );
        assert_eq!(given.keys().collect::<Vec<_>>(), ["a.bias"]);
        done.arrived = vec!["a.bias".into()];
        done.count(&source(
            &[("a.weight", &[4, 4, 3, 3]), ("a.bias", &[4])],
            DType::F32,
        ));
        assert_eq!(done.say(), "1 of 2 items; 2.70 % of the elements");
        assert_eq!(done.missing, [("a.weight".to_string(), 144)]);
        assert!(done.except(&["a.*".into()]).missing.is_empty());
    }
}

//! listed: docs/OPERATORS.md is the registry, line by line.

use super::{Op, Scale, all};

impl Op {
    fn family_name(&self) -> &'static str {
        match &self.scale {
            Scale::Exact | Scale::Copies(_) => "exact",
            Scale::Decision(..) => "decision",
            Scale::Selection(..) => "selection",
            Scale::Random => "random",
            Scale::Absolute(f, ..)
            | Scale::Output(f)
            | Scale::One(f)
            | Scale::Perturbed(f)
            | Scale::By(f, _)
            | Scale::Stepped(f, ..)
            | Scale::Graded(f, _) => f.name(),
            Scale::Node(_) => "by attribute",
        }
    }
}

impl Scale {
    fn describe(&self) -> &'static str {
        match self {
            Scale::Exact | Scale::Copies(_) => "bit-exact",
            Scale::Decision(..) | Scale::Selection(..) => "exact, ties told apart",
            Scale::Graded(..) => "S = |y|; integers exact, ties told apart",
            Scale::Random => "taken from the reference",
            Scale::Absolute(..) => "S = operator on absolute values",
            Scale::Output(_) => "S = |y|",
            Scale::One(_) => "S = 1",
            Scale::Perturbed(_) => "S from perturbed inputs",
            Scale::By(..) => "S by its own formula",
            Scale::Stepped(..) => "S by its own formula; integers exact, ties told apart",
            Scale::Node(_) => "bound by attribute",
        }
    }
}

/// What `parity list operators` shows.
fn table() -> String {
    let head = "| domain | operator | from opset | family | bound |\n|---|---|---|---|---|\n";
    let domain = |op: &Op| {
        if op.domain.is_empty() {
            "ai.onnx"
        } else {
            op.domain
        }
    };
    let row = |op: &Op| {
        format!(
            "| {} | {} | {} | {} | {} |\n",
            domain(op),
            op.name,
            op.since,
            op.family_name(),
            op.scale.describe()
        )
    };
    let mut rows: Vec<String> = all().map(row).collect();
    rows.sort();
    head.to_string() + &rows.concat()
}

#[test]
fn the_listed_operators_are_the_registered_ones() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/OPERATORS.md");
    if std::env::var_os("PARITY_WRITE_DOCS").is_some() {
        std::fs::write(path, table()).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(path).unwrap(),
        table(),
        "PARITY_WRITE_DOCS=1 cargo test --release writes it anew"
    );
}

#[test]
fn no_line_stands_twice_and_no_scale_by_attribute_hides_another() {
    let mut seen = std::collections::BTreeSet::new();
    for op in all() {
        assert!(
            seen.insert((op.domain, op.name, op.since)),
            "{} {} stands twice",
            op.name,
            op.since
        );
        let node = parity::graph::Node {
            name: String::new(),
            op: op.name.into(),
            domain: String::new(),
            inputs: vec![],
            outputs: vec![],
            attributes: Default::default(),
        };
        assert!(!matches!(op.scale(&node), Scale::Node(_)), "{}", op.name);
    }
}

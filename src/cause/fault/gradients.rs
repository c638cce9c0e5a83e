//! gradients: faults that change no output bit: a gradient that is stopped, one that passes where the original detaches.

use super::edit::node;
use super::{Edit, Fault, Reads};
use crate::error::Result;
use crate::graph::proto::{FunctionProto, NodeProto, OperatorSetIdProto};

/// Of the mark that lets values pass and no gradient.
const DOMAIN: &str = "parity";
const MARK: &str = "StopGradient";

pub const FAULTS: &[Fault] = &[
    Fault {
        name: "stop-gradient",
        summary: "no gradient passes back through the output",
        ops: &[],
        amount: None,
        inject: stop,
        reads: Reads::Never("no output shows it: the stage of the gradients does"),
        mend: "let the gradient pass",
    },
    Fault {
        name: "lost-detach",
        summary: "the gradient passes where the original stops it",
        ops: &[MARK],
        amount: None,
        inject: pass,
        reads: Reads::Never("no output shows it: the stage of the gradients does"),
        mend: "detach as the reference does",
    },
];

fn stop(e: &mut Edit) -> Result<()> {
    let opset = e.graph().opset("");
    e.import(mark(opset));
    e.append(|before, after| {
        let mut stop = node(MARK, &[before], after);
        stop.domain = DOMAIN.into();
        vec![stop]
    });
    Ok(())
}

fn pass(e: &mut Edit) -> Result<()> {
    let node = e.node();
    (node.op, node.domain) = ("Identity".into(), String::new());
    Ok(())
}

/// What the mark is to an engine that does not know it: Identity.
fn mark(opset: Option<i64>) -> FunctionProto {
    let own = |s: &str| Some(s.to_string());
    FunctionProto {
        name: own(MARK),
        domain: own(DOMAIN),
        input: vec!["x".into()],
        output: vec!["y".into()],
        node: vec![NodeProto {
            op_type: own("Identity"),
            input: vec!["x".into()],
            output: vec!["y".into()],
            ..Default::default()
        }],
        opset_import: vec![OperatorSetIdProto {
            domain: own(""),
            version: opset,
        }],
        ..Default::default()
    }
}

//! zeros: whoever answers one zero for every declared output.

use super::{Feed, Output, Session};
use crate::error::Result;
use crate::graph::Graph;
use crate::graph::cut::Link;
use crate::tensor::Tensor;
use std::sync::Arc;

pub struct Zeros(pub Arc<Graph>);

impl Session for Zeros {
    fn tensors(&mut self, names: &[&str], _link: Link, _feed: Feed) -> Result<Vec<Output>> {
        let one = |name: &&str| match self.0.outputs.iter().any(|p| p.name == **name) {
            true => Ok(Tensor::of(&[1], &[0f32])),
            false => Err(format!("'{name}' is no declared output")),
        };
        Ok(names.iter().map(one).collect())
    }

    fn can_isolate(&self) -> bool {
        false
    }
}

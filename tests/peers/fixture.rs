//! What is recorded: tensors by name, integers widened to i64, and the peers' manifests.

use crate::check::Row;
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;

pub const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/peers");

#[derive(Clone, Debug)]
pub enum Values {
    Real(Vec<f64>),
    Whole(Vec<i64>),
}

pub struct File {
    pub tensors: BTreeMap<String, Values>,
}

impl File {
    pub fn of(row: &Row) -> Self {
        Self::read(&row.file())
    }

    pub fn read(name: &str) -> Self {
        let path = format!("{FOLDER}/{name}.safetensors");
        let bytes =
            std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}; run scripts/peers"));
        let all = SafeTensors::deserialize(&bytes).unwrap_or_else(|e| panic!("{path}: {e}"));
        let tensors = all
            .tensors()
            .into_iter()
            .map(|(name, t)| (name, values(t.dtype(), t.data())))
            .collect();
        Self { tensors }
    }

    pub fn real(&self, name: &str) -> &[f64] {
        match self.tensors.get(name) {
            Some(Values::Real(v)) => v,
            other => panic!("{name}: {other:?}, but real numbers were expected"),
        }
    }

    pub fn whole(&self, name: &str) -> &[i64] {
        match self.tensors.get(name) {
            Some(Values::Whole(v)) => v,
            other => panic!("{name}: {other:?}, but integers were expected"),
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }
}

fn values(dtype: Dtype, data: &[u8]) -> Values {
    match dtype {
        Dtype::F64 => Values::Real(
            data.chunks(8)
                .map(|b| f64::from_le_bytes(b.try_into().unwrap()))
                .collect(),
        ),
        Dtype::I32 => Values::Whole(
            data.chunks(4)
                .map(|b| i64::from(i32::from_le_bytes(b.try_into().unwrap())))
                .collect(),
        ),
        Dtype::I16 => Values::Whole(
            data.chunks(2)
                .map(|b| i64::from(i16::from_le_bytes(b.try_into().unwrap())))
                .collect(),
        ),
        Dtype::I8 => Values::Whole(data.iter().map(|&b| i64::from(b as i8)).collect()),
        Dtype::U8 => Values::Whole(data.iter().map(|&b| i64::from(b)).collect()),
        other => panic!("a tensor of {other:?}, which no fixture has"),
    }
}

pub fn manifest(peer: &str) -> serde_json::Value {
    let path = format!("{FOLDER}/{peer}.json");
    let text =
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}; run scripts/peers"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"))
}

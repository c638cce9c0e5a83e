//! map: the pairs of two graphs as a file that people look through and change.

use super::Pairing;
use crate::error::{Error, Place, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// What the file holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Map {
    /// The reference's tensor -> the candidate's.
    tensors: BTreeMap<String, String>,
    /// What has no partner: for whoever reads.
    #[serde(default, rename = "unpaired")]
    _unpaired: BTreeMap<String, Vec<String>>,
}

/// The file: a line for each pair with its evidence, and what has no partner.
pub fn text(pairing: &Pairing) -> String {
    let quoted = |name: &str| toml::Value::from(name).to_string();
    let [ours, theirs] = pairing.tensors;
    let mut out = format!(
        "# {} pairs, of {ours} tensors of the reference and {theirs} of the candidate that the inputs decide.\n\
         # A line that is changed or added is taken as it is by `parity run A B --map FILE`; one that is left out is looked for again.\n[tensors]\n",
        pairing.pairs.len()
    );
    for pair in &pairing.pairs {
        let line = BTreeMap::from([(&pair.reference, &pair.candidate)]);
        let line = toml::to_string(&line).unwrap_or_default();
        out += &format!("{} # {}\n", line.trim_end(), pair.by.say());
    }
    out += "\n[unpaired]\n";
    for (side, names) in ["reference", "candidate"].iter().zip(&pairing.unpaired) {
        let list: Vec<String> = names
            .iter()
            .map(|n| format!("  {},\n", quoted(n)))
            .collect();
        out += &format!("{side} = [\n{}]\n", list.concat());
    }
    out
}

/// The pairs of such a file.
///
/// # Errors
/// It cannot be read, or is no map.
pub fn read(path: &Path) -> Result<Vec<(String, String)>> {
    let place = format!("map {}", path.display());
    let text = std::fs::read_to_string(path).map_err(|e| Error::usage(e.to_string()));
    let map: Map = toml::from_str(&text.at(&place)?)
        .map_err(|e| Error::usage(e.to_string()).next("`parity map A B` writes one"))
        .at(&place)?;
    Ok(map.tensors.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::super::{Evidence, Pair};
    use super::*;

    #[test]
    fn what_is_written_is_read_with_names_of_any_kind() {
        let pair = |reference: &str, candidate: &str| Pair {
            reference: reference.into(),
            candidate: candidate.into(),
            by: Evidence::Values,
        };
        let pairing = Pairing {
            pairs: vec![
                pair("/a/Conv_output_0", "t.1"),
                pair("b \"c\" 'e'", "d = #"),
            ],
            tensors: [3, 2],
            unpaired: [vec!["x".into()], vec![]],
        };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("map.toml");
        std::fs::write(&file, text(&pairing)).unwrap();
        let found = read(&file).unwrap();
        let pairs = pairing
            .pairs
            .iter()
            .map(|p| (p.reference.clone(), p.candidate.clone()));
        assert_eq!(found, pairs.collect::<Vec<_>>());
        std::fs::write(&file, "[tensor]\n").unwrap();
        let said = read(&file).unwrap_err().to_string();
        assert!(said.contains("tensor"), "{said}");
    }
}

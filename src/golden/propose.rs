//! propose: a golden changes in two steps: a proposal is written beside it (`NAME.proposed/`) after its difference was shown, then a
//! person accepts or rejects it. A proposal knows which golden it was shown against, and is refused by any other.

use super::Golden;
use super::manifest::{Manifest, explain};
use super::store::{self, MANIFEST, Packed};
use crate::digest;
use crate::error::{Error, Place, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The one file that makes a proposal: renamed into place last, removed first.
const PROPOSAL: &str = "proposal.json";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Proposal {
    format: u32,
    /// SHA-256 of the manifest that it was shown against; null where there was no golden.
    against: Option<String>,
    manifest: Manifest,
}

/// A proposal that waits.
pub struct Pending {
    pub golden: Golden,
    against: Option<String>,
}

/// Where the proposal for the golden in `folder` lies.
pub fn beside(folder: &Path) -> Result<PathBuf> {
    match folder.file_name().and_then(|n| n.to_str()) {
        Some(name) if !name.ends_with(".proposed") => {
            Ok(folder.with_file_name(format!("{name}.proposed")))
        }
        _ => Err(Error::usage(format!(
            "golden {}: not a golden's folder",
            folder.display()
        ))
        .next("name it golden/NAME")),
    }
}

/// Writes `golden` as the proposal for `folder`, in place of one that waits there.
pub fn propose(folder: &Path, golden: &Golden) -> Result<()> {
    let packed = Packed::of(golden)?;
    let proposal = Proposal {
        format: 1,
        against: store::manifest_digest(folder)?,
        manifest: packed.manifest.clone(),
    };
    let text = serde_json::to_string_pretty(&proposal)
        .map_err(|e| Error::failed(format!("proposal: {e}")))?;
    packed.write(&beside(folder)?, PROPOSAL, &(text + "\n"))
}

/// The proposal for `folder`, verified; None where none waits.
pub fn pending(folder: &Path) -> Result<Option<Pending>> {
    let proposed = beside(folder)?;
    let text = match std::fs::read_to_string(proposed.join(PROPOSAL)) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => {
            return Err(Error::failed(format!(
                "proposal {}: {e}",
                proposed.display()
            )));
        }
    };
    let read = || {
        let proposal: Proposal = serde_json::from_str(&text)
            .map_err(|e| explain(&e))
            .at(PROPOSAL)?;
        if (proposal.format, proposal.manifest.format) != (1, 1) {
            return Err(Error::usage(format!(
                "{PROPOSAL}: format {} is not known; this parity reads format 1",
                proposal.format
            )));
        }
        Ok(Pending {
            golden: store::load(&proposed, &proposal.manifest)?,
            against: proposal.against,
        })
    };
    read()
        .at(format!("proposal {}", proposed.display()))
        .map(Some)
}

/// Makes the proposal the golden. Killed at any moment it leaves the old golden or the new one, and accepting again completes it.
pub fn accept(folder: &Path) -> Result<Golden> {
    let pending = pending(folder)?.ok_or_else(|| none(folder))?;
    let (present, new) = (
        store::manifest_digest(folder)?,
        Packed::of(&pending.golden)?.manifest.text()?,
    );
    let completed = present.as_deref() == Some(&digest::of_bytes(new.as_bytes()));
    if present != pending.against && !completed {
        return Err(Error::usage(format!(
            "golden {}: {MANIFEST} has changed since the proposal was shown",
            folder.display()
        ))
        .next("propose it again, and look at the difference again"));
    }
    store::put(folder, &pending.golden)?;
    remove(folder)?;
    Ok(pending.golden)
}

/// Drops the proposal.
pub fn reject(folder: &Path) -> Result<()> {
    if !beside(folder)?.join(PROPOSAL).exists() {
        return Err(none(folder));
    }
    remove(folder)
}

fn none(folder: &Path) -> Error {
    Error::usage(format!("golden {}: no proposal waits", folder.display())).next(format!(
        "parity bless TRACE --golden {} --scenario NAME proposes one",
        folder.display()
    ))
}

fn remove(folder: &Path) -> Result<()> {
    let proposed = beside(folder)?;
    std::fs::remove_file(proposed.join(PROPOSAL))
        .map_err(|e| Error::failed(format!("proposal {}: {e}", proposed.display())))?;
    store::sweep(&proposed, &[]);
    // What a person put there stays.
    let _ = std::fs::remove_dir(&proposed);
    Ok(())
}

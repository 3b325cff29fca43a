//! Replacing what an earlier upload submitted: its receipts are marked first, then the new file is
//! uploaded, and only when all servers hold all of it they hear that it takes the place of the old.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use mpc::ids::StudyId;
use mpc::sign::PublicKey;
use serde::Serialize;

use super::{
    beside,
    change::{self, Change},
    receipts::{self, Previous, ReceiptsError, Replaces, Retired},
};
use crate::error::ClientError;

/// What an upload took the place of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Replaced {
    /// The receipts of what was replaced.
    pub receipts: PathBuf,
    /// The amendment that all servers acknowledged.
    pub amendment: String,
    /// Submissions that count no more.
    pub submissions: usize,
}

/// A replacement, begun or not.
#[derive(Debug)]
pub(super) struct Replacement {
    previous: Previous,
}

impl Replacement {
    /// Opens the receipts in `path`, which must be of this study and provider.
    pub fn open(path: &Path, study: StudyId, provider: PublicKey) -> Result<Self, ReceiptsError> {
        let previous = Previous::open(path)?;
        previous.require(study, provider)?;
        match &previous.document().retired {
            Some(Retired { receipts: None, .. }) => {
                Err(ReceiptsError::Withdrawn { path: path.to_owned() })
            }
            _ => Ok(Self { previous }),
        }
    }

    /// Where the receipts of the new file go: into `wanted`, or beside the file. A replacement that
    /// was begun has its place already, and no other takes it.
    pub fn receipts(
        &self,
        file: &Path,
        csv_sha256: [u8; 32],
        wanted: Option<&Path>,
    ) -> Result<PathBuf, ReceiptsError> {
        let sequence = self.previous.document().next_sequence();
        let candidates = match wanted {
            Some(path) => vec![path.to_owned()],
            None => vec![beside(file, None), beside(file, Some(sequence))],
        };
        let taken = candidates.last().cloned().unwrap_or_default();
        let ours = real(self.previous.path());
        let mut candidates = candidates.into_iter().filter(|path| real(path) != ours);
        match &self.previous.document().retired {
            None => {
                candidates.find(|path| !path.exists()).ok_or(ReceiptsError::Taken { path: taken })
            }
            Some(retired) => candidates
                .find(|path| is_begun_in(retired, path, csv_sha256))
                .ok_or_else(|| self.replaced_by(retired)),
        }
    }

    /// Marks the old receipts, unless an earlier run has. `new` is the number of submissions that
    /// take their place.
    pub fn begin(&mut self, receipts: &Path, new: u64) -> Result<Replaces, ClientError> {
        let old = self.previous.submissions()?;
        change::require_room(old.len().saturating_add(usize::try_from(new).unwrap_or(usize::MAX)))?;
        let id = self.previous.amendment()?.unwrap_or_else(Change::draw);
        let sequence = self.previous.document().next_sequence();
        self.previous.retire(id, Some(real(receipts).display().to_string()))?;
        Ok(Replaces {
            receipts: real(self.previous.path()).display().to_string(),
            amendment: id.to_string(),
            sequence,
            old: old.iter().map(ToString::to_string).collect(),
        })
    }

    /// The change that it is, once it is begun.
    pub fn change(&self) -> Result<Change, ReceiptsError> {
        Change::of(&self.previous)
    }

    /// Deletes what an unfinished upload left of the old submissions, once all servers have
    /// acknowledged the change.
    pub fn forget(&self) -> Result<(), ReceiptsError> {
        self.previous.forget()
    }

    /// What it is to the user, once it is begun.
    pub fn report(&self) -> Result<Replaced, ReceiptsError> {
        let change = self.change()?;
        Ok(Replaced {
            receipts: self.previous.path().to_owned(),
            amendment: change.id.to_string(),
            submissions: change.old.len(),
        })
    }

    fn replaced_by(&self, retired: &Retired) -> ReceiptsError {
        let by = retired.receipts.clone().unwrap_or_default();
        ReceiptsError::Replaced { path: self.previous.path().to_owned(), by }
    }
}

impl Change {
    /// The change that has retired the submissions of these receipts.
    pub fn of(previous: &Previous) -> Result<Self, ReceiptsError> {
        let nothing = || ReceiptsError::Nothing { path: previous.path().to_owned() };
        let old: BTreeSet<_> = previous.submissions()?;
        let sequence = previous.document().next_sequence();
        let id = previous.amendment()?.ok_or_else(nothing)?;
        Ok(Self { study: previous.study()?, id, sequence, old })
    }
}

/// Whether an earlier run of the same command keeps its receipts in `path`, or was about to.
fn is_begun_in(retired: &Retired, path: &Path, csv_sha256: [u8; 32]) -> bool {
    match receipts::read(path) {
        Ok(found) => {
            let replaces = found.header.replaces.map(|replaces| replaces.amendment);
            replaces.as_ref() == Some(&retired.retired_by)
                && found.header.csv_sha256 == hex::encode(csv_sha256)
        }
        // It was interrupted before its first line.
        Err(_) => retired.receipts == Some(real(path).display().to_string()),
    }
}

/// The path from the root, also of a file that is not there yet.
fn real(path: &Path) -> PathBuf {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match (fs::canonicalize(path), fs::canonicalize(parent), path.file_name()) {
        (Ok(real), ..) => real,
        (_, Ok(parent), Some(name)) => parent.join(name),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests;

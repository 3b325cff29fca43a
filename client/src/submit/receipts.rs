//! The receipts file beside a CSV: what was submitted and acknowledged, so that a run that was
//! interrupted anywhere can be repeated and nothing is counted twice.
//!
//! One JSON object per line: a header that says which file, study and provider this is about,
//! then one line per batch whose receipts are complete. A line is written when all servers have
//! acknowledged the batch, and is on disk before the batch's bytes are deleted. Submissions that
//! are replaced or withdrawn are marked so in a last line, before any server hears of it; what all
//! servers acknowledged of that is a line of its own.

use std::{
    collections::{BTreeSet, HashSet},
    fs::File,
    io,
    path::{Path, PathBuf},
};

use mpc::ids::{IdError, SubmissionId};

use super::pending::Pending;
use crate::error::{Exit, plain};
use file::{Lines, Missing, Whole};

mod file;
mod format;
mod previous;

pub use format::{Acknowledged, Document, Entry, Header, Replaces, Retired, entries, read};
pub use previous::Previous;

/// An open receipts file. While it is open, no other run can open it.
#[derive(Debug)]
pub struct Receipts {
    lines: Lines,
    header: Header,
    pending: Pending,
    done: HashSet<u64>,
    submissions: Vec<String>,
    records: u64,
    acknowledged: bool,
}

/// Why a receipts file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptsError {
    /// Reading or writing failed.
    #[error("{}: {}", path.display(), plain(.source))]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Another run uses the file now.
    #[error("{}: another run is using these receipts: wait until it has finished", path.display())]
    InUse {
        /// The receipts file.
        path: PathBuf,
    },
    /// The file holds something else, which is left as it is.
    #[error("{}:{line}: this is not a line of a receipts file: choose another file with --receipts", path.display())]
    NotReceipts {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
    },
    /// The file belongs to another upload.
    #[error("{}: these receipts are for another {what} ({theirs}, now {ours}): {remedy}", path.display())]
    Other {
        /// The receipts file.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// Its value in the receipts file.
        theirs: String,
        /// Its value now.
        ours: String,
        /// What to do.
        remedy: &'static str,
    },
    /// Batches of an earlier run lie there, and its receipts file is gone.
    #[error("{}: this directory holds submissions of an earlier run whose receipts file is gone: put the receipts back to go on, or delete the directory (what was sent already will be counted, too)", path.display())]
    Orphans {
        /// The directory.
        path: PathBuf,
    },
    /// The submissions were replaced.
    #[error("{}: these submissions are replaced by those of {by}: use that file in its place", path.display())]
    Replaced {
        /// The receipts file.
        path: PathBuf,
        /// The newer receipts file.
        by: String,
    },
    /// The submissions were withdrawn.
    #[error("{}: these submissions are withdrawn: to submit again, name another file with --receipts", path.display())]
    Withdrawn {
        /// The receipts file.
        path: PathBuf,
    },
    /// There is nothing to replace or to withdraw.
    #[error("{}: nothing was submitted with these receipts, so there is nothing to replace or to withdraw", path.display())]
    Nothing {
        /// The receipts file.
        path: PathBuf,
    },
    /// The receipts of a replacement would overwrite others.
    #[error("{}: these are receipts of another upload: name a new file with --receipts", path.display())]
    Taken {
        /// The receipts file.
        path: PathBuf,
    },
    /// An id in the file is none.
    #[error("{}: an id in this file cannot be read: put back the file as it was", path.display())]
    NotAnId {
        /// The receipts file.
        path: PathBuf,
    },
    /// A stored batch is not one of this upload.
    #[error("{}: this is not a stored submission of this upload: put back the file as it was", path.display())]
    NotASubmission {
        /// The file.
        path: PathBuf,
    },
}

impl ReceiptsError {
    /// The exit code of a command that ends with this error.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Io { .. }
            | Self::InUse { .. }
            | Self::Other { .. }
            | Self::Replaced { .. }
            | Self::Withdrawn { .. }
            | Self::Nothing { .. }
            | Self::Taken { .. } => Exit::Usage,
            Self::NotReceipts { .. }
            | Self::Orphans { .. }
            | Self::NotAnId { .. }
            | Self::NotASubmission { .. } => Exit::InvalidData,
        }
    }
}

impl Receipts {
    /// Opens the receipts in `path` for the upload that `header` describes, or starts new ones.
    pub fn open(path: &Path, header: Header) -> Result<Self, ReceiptsError> {
        let mut receipts = Self {
            lines: Lines::open(path, Missing::Created)?,
            header,
            pending: Pending::beside(path),
            done: HashSet::new(),
            submissions: Vec::new(),
            records: 0,
            acknowledged: false,
        };
        let whole = receipts.read()?;
        receipts.lines.trim(whole)?;
        if whole.lines == 0 {
            receipts.start()?;
        }
        receipts.pending.tidy(&receipts.done)?;
        Ok(receipts)
    }

    /// The receipts file.
    pub fn path(&self) -> &Path {
        self.lines.path()
    }

    /// Where batches lie while they are under way.
    pub fn pending(&self) -> &Pending {
        &self.pending
    }

    /// Whether all receipts of a batch are recorded.
    pub fn is_done(&self, batch: u64) -> bool {
        self.done.contains(&batch)
    }

    /// Records of all batches whose receipts are recorded.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Ids of all submissions whose receipts are recorded, in the order of their recording.
    pub fn submissions(&self) -> &[String] {
        &self.submissions
    }

    /// The same ids, sorted.
    pub fn ids(&self) -> Result<BTreeSet<SubmissionId>, ReceiptsError> {
        let ids = self.submissions.iter().map(|id| id.parse());
        let ids: Result<_, IdError> = ids.collect();
        ids.map_err(|_| ReceiptsError::NotAnId { path: self.path().to_owned() })
    }

    /// Whether all servers acknowledged the amendment by which these submissions replace others.
    pub fn is_acknowledged(&self) -> bool {
        self.acknowledged
    }

    /// Records batches' receipts durably, with one write, then deletes the batches' stored bytes.
    pub fn record(
        &mut self,
        entries: impl IntoIterator<Item = Entry>,
    ) -> Result<(), ReceiptsError> {
        let entries: Vec<Entry> = entries.into_iter().collect();
        self.lines.append(&entries)?;
        for entry in entries {
            self.pending.remove(entry.batch)?;
            self.note(entry);
        }
        Ok(())
    }

    /// Records that all servers acknowledged the amendment of these submissions.
    pub fn acknowledge(&mut self, acknowledged: &Acknowledged) -> Result<(), ReceiptsError> {
        self.lines.append(&[acknowledged])?;
        self.acknowledged = true;
        Ok(())
    }

    /// Reads all whole lines.
    fn read(&mut self) -> Result<Whole, ReceiptsError> {
        let path = self.lines.path().to_owned();
        let mut document = None;
        let take = |line, text: &[u8]| {
            Document::add(&mut document, text)
                .ok_or_else(|| ReceiptsError::NotReceipts { path: path.clone(), line })
        };
        // Only what a crash can leave of our own header may be overwritten.
        let header = serde_json::to_vec(&self.header).unwrap_or_default();
        let is_torn_header =
            |bytes: &[u8]| header.starts_with(bytes) || bytes.iter().all(|&byte| byte == 0);
        let whole = self.lines.read(take, is_torn_header)?;
        let Some(document) = document else { return Ok(whole) };
        if let Some(retired) = document.retired {
            return Err(match retired.receipts {
                Some(by) => ReceiptsError::Replaced { path, by },
                None => ReceiptsError::Withdrawn { path },
            });
        }
        self.header.require(&document.header, &path)?;
        let amendment = self.header.replaces.as_ref().map(|replaces| &replaces.amendment);
        let mut acknowledged = document.acknowledged.iter().map(|line| Some(&line.amendment));
        self.acknowledged = acknowledged.any(|acknowledged| acknowledged == amendment);
        document.entries.into_iter().for_each(|entry| self.note(entry));
        Ok(whole)
    }

    fn start(&mut self) -> Result<(), ReceiptsError> {
        if !self.pending.is_empty()? {
            return Err(ReceiptsError::Orphans { path: self.pending.dir().to_owned() });
        }
        self.lines.append(std::slice::from_ref(&self.header))?;
        sync_dir(self.lines.path().parent())
    }

    fn note(&mut self, entry: Entry) {
        if self.done.insert(entry.batch) {
            self.records += u64::from(entry.records);
            self.submissions.push(entry.submission);
        }
    }
}

/// Makes the creation or removal of files in a directory durable.
pub(super) fn sync_dir(dir: Option<&Path>) -> Result<(), ReceiptsError> {
    let dir = match dir {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    let synced = File::open(dir).and_then(|file| file.sync_all());
    synced.map_err(|source| ReceiptsError::Io { path: dir.to_owned(), source })
}

#[cfg(test)]
mod tests;

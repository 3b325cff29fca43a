//! Receipts of an earlier upload that are replaced or withdrawn: marked so on disk before anything
//! is sent, and never taken up again.

use std::{
    collections::{BTreeSet, HashSet},
    path::Path,
};

use mpc::ids::{AmendmentId, StudyId, SubmissionId};
use mpc::sign::PublicKey;

use super::{
    ReceiptsError,
    file::{Lines, Missing},
    format::{Acknowledged, Document, Retired, start},
};
use crate::submit::pending::Pending;

/// An open receipts file of an earlier upload, finished or not.
#[derive(Debug)]
pub struct Previous {
    lines: Lines,
    document: Document,
    pending: Pending,
}

impl Previous {
    /// Opens the receipts in `path`.
    pub fn open(path: &Path) -> Result<Self, ReceiptsError> {
        let mut lines = Lines::open(path, Missing::Refused)?;
        let mut document = None;
        let add = |line, text: &[u8]| {
            Document::add(&mut document, text)
                .ok_or_else(|| ReceiptsError::NotReceipts { path: path.to_owned(), line })
        };
        let whole = lines.read(add, |_| false)?;
        let none = || ReceiptsError::NotReceipts { path: path.to_owned(), line: 1 };
        let document = document.ok_or_else(none)?;
        lines.trim(whole)?;
        Ok(Self { lines, document, pending: Pending::beside(path) })
    }

    /// The receipts file.
    pub fn path(&self) -> &Path {
        self.lines.path()
    }

    /// What it says.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The study of the submissions.
    pub fn study(&self) -> Result<StudyId, ReceiptsError> {
        self.document.header.study.parse().map_err(|_| self.no_id())
    }

    /// Requires the submissions to be of this study and provider.
    pub fn require(&self, study: StudyId, provider: PublicKey) -> Result<(), ReceiptsError> {
        let other = |what, theirs: &str, ours: String, remedy| {
            let (theirs, ours) = (start(theirs), start(&ours));
            let path = self.path().to_owned();
            Err(ReceiptsError::Other { path, what, theirs, ours, remedy })
        };
        let header = &self.document.header;
        if header.study != study.to_string() {
            let remedy = "name that study, or receipts of this one";
            return other("study", &header.study, study.to_string(), remedy);
        }
        if header.provider != provider.to_string() {
            let remedy = "use the provider key of the first run";
            return other("provider key", &header.provider, provider.to_string(), remedy);
        }
        Ok(())
    }

    /// Every submission that the file stands for: those that it replaced, and those of which
    /// servers may hold something, included.
    pub fn submissions(&self) -> Result<BTreeSet<SubmissionId>, ReceiptsError> {
        let mut all = self.document.submissions().ok_or_else(|| self.no_id())?;
        all.extend(self.unfinished()?);
        match all.is_empty() {
            true => Err(ReceiptsError::Nothing { path: self.path().to_owned() }),
            false => Ok(all),
        }
    }

    /// The amendment that retires these submissions, if they are.
    pub fn amendment(&self) -> Result<Option<AmendmentId>, ReceiptsError> {
        let retired = self.document.retired.as_ref().map(|retired| retired.retired_by.parse());
        retired.transpose().map_err(|_| self.no_id())
    }

    /// Marks the submissions as replaced by those in `receipts`, or as withdrawn. Durable, and once
    /// only: the mark of an earlier run stays.
    pub fn retire(
        &mut self,
        amendment: AmendmentId,
        receipts: Option<String>,
    ) -> Result<(), ReceiptsError> {
        if self.document.retired.is_none() {
            let own: HashSet<&str> =
                self.document.entries.iter().map(|entry| &*entry.submission).collect();
            let unfinished = self.unfinished()?.into_iter().map(|id| id.to_string());
            let retired = Retired {
                retired_by: amendment.to_string(),
                sequence: self.document.next_sequence(),
                receipts,
                unfinished: unfinished.filter(|id| !own.contains(&**id)).collect(),
            };
            self.lines.append(&[&retired])?;
            self.document.retired = Some(retired);
        }
        Ok(())
    }

    /// Deletes the stored batches. Nobody sends them any more, and they hold shares; but they are
    /// all that is left of what servers may hold until all of these have taken the change.
    pub fn forget(&self) -> Result<(), ReceiptsError> {
        self.pending.clear()
    }

    /// Records that all servers acknowledged the amendment.
    pub fn acknowledge(&mut self, acknowledged: Acknowledged) -> Result<(), ReceiptsError> {
        self.lines.append(&[&acknowledged])?;
        self.document.acknowledged.push(acknowledged);
        Ok(())
    }

    /// Submissions that were under way when the last run ended.
    fn unfinished(&self) -> Result<Vec<SubmissionId>, ReceiptsError> {
        let mut found = Vec::new();
        for number in self.pending.numbers()? {
            found.extend(self.pending.load(number)?.map(|batch| batch.public.submission));
        }
        Ok(found)
    }

    fn no_id(&self) -> ReceiptsError {
        ReceiptsError::NotAnId { path: self.path().to_owned() }
    }
}

//! The lines of a receipts file: a header, then what became of the submissions, one JSON object
//! each.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use mpc::ids::{AmendmentId, StudyId, SubmissionId};
use mpc::sign::PublicKey;
use serde::{Deserialize, Serialize};

use super::ReceiptsError;

/// Format of a file that replaces nothing.
const VERSION: u32 = 1;
/// Format of a file whose submissions take the place of others.
const VERSION_OF_REPLACEMENT: u32 = 2;

/// The first line: what the file is about. Two runs with different headers do not mix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Format of the file.
    pub version: u32,
    /// The study's id, in hexadecimal.
    pub study: String,
    /// SHA-256 of the CSV, in hexadecimal.
    pub csv_sha256: String,
    /// Length of the CSV.
    pub csv_bytes: u64,
    /// Records per submission.
    pub batch: u32,
    /// The provider's public key, in hexadecimal.
    pub provider: String,
    /// Whether rows that are not valid are left out.
    pub skip_invalid: bool,
    /// What these submissions take the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Replaces>,
}

/// What submissions take the place of, and by which amendment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replaces {
    /// The receipts file that is replaced.
    pub receipts: String,
    /// The amendment's id, in hexadecimal.
    pub amendment: String,
    /// The amendment's place among those of this provider.
    pub sequence: u64,
    /// All submissions that are replaced, also those that were replaced before, in hexadecimal.
    pub old: Vec<String>,
}

/// One batch that all servers have acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The batch's number, from 0.
    pub batch: u64,
    /// Row of the batch's first record, counted from 1 below the header.
    pub first_row: u64,
    /// Records in the batch.
    pub records: u32,
    /// The submission's id, in hexadecimal.
    pub submission: String,
    /// Hash of the submission's public part, in hexadecimal.
    pub public_hash: String,
    /// Each server's receipt: its signature, in hexadecimal, by the server's name.
    pub receipts: BTreeMap<String, String>,
}

/// The mark that this file's submissions are replaced or withdrawn. It is on disk before anything
/// of that is sent, so that there is one such change, whatever is interrupted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retired {
    /// The amendment's id, in hexadecimal.
    pub retired_by: String,
    /// The amendment's place among those of this provider.
    pub sequence: u64,
    /// The receipts file of the submissions that take their place; none: they are withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipts: Option<String>,
    /// Submissions that some servers may hold, and that will have no receipts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unfinished: Vec<String>,
}

/// An amendment that all servers have acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledged {
    /// The amendment's id, in hexadecimal.
    pub amendment: String,
    /// Hash of the amendment, in hexadecimal.
    pub hash: String,
    /// Each server's receipt for it: its signature, in hexadecimal, by the server's name.
    pub acknowledged: BTreeMap<String, String>,
}

/// Any line but the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// A batch.
    Entry(Entry),
    /// The end of all of them.
    Retired(Retired),
    /// An amendment.
    Acknowledged(Acknowledged),
}

/// Everything that a receipts file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What the file is about.
    pub header: Header,
    /// The batches, in the order of their recording.
    pub entries: Vec<Entry>,
    /// What took the place of these submissions, if anything did.
    pub retired: Option<Retired>,
    /// Amendments by which these submissions replaced others, or were withdrawn.
    pub acknowledged: Vec<Acknowledged>,
}

/// Everything in a receipts file that is not open. A last line that was torn is left out.
pub fn read(path: &Path) -> Result<Document, ReceiptsError> {
    let text =
        fs::read(path).map_err(|source| ReceiptsError::Io { path: path.to_owned(), source })?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').unwrap_or_default();
    let lines = text.get(..whole).unwrap_or_default().split(|byte| *byte == b'\n');
    let mut document = None;
    for (number, line) in (1..).zip(lines) {
        Document::add(&mut document, line)
            .ok_or_else(|| ReceiptsError::NotReceipts { path: path.to_owned(), line: number })?;
    }
    document.ok_or_else(|| ReceiptsError::NotReceipts { path: path.to_owned(), line: 1 })
}

/// The header and the batches alone, of a file that is not open.
pub fn entries(path: &Path) -> Result<(Header, Vec<Entry>), ReceiptsError> {
    let Document { header, entries, .. } = read(path)?;
    Ok((header, entries))
}

impl Document {
    /// Adds one line, the first of which is the header; nothing if it is none.
    pub(super) fn add(document: &mut Option<Self>, line: &[u8]) -> Option<()> {
        let Some(document) = document else {
            let header: Header = serde_json::from_slice(line).ok()?;
            let is_known = [VERSION, VERSION_OF_REPLACEMENT].contains(&header.version);
            let (entries, acknowledged) = (Vec::new(), Vec::new());
            let new = Self { header, entries, retired: None, acknowledged };
            *document = Some(new).filter(|_| is_known);
            return document.as_ref().map(drop);
        };
        match serde_json::from_slice(line).ok()? {
            Line::Entry(entry) => document.entries.push(entry),
            Line::Retired(retired) => document.retired = Some(retired),
            Line::Acknowledged(acknowledged) => document.acknowledged.push(acknowledged),
        }
        Some(())
    }

    /// Every submission that this file stands for: its own, those without receipts, and those that
    /// they took the place of. Nothing if one of them is no id.
    pub fn submissions(&self) -> Option<BTreeSet<SubmissionId>> {
        let replaced = self.header.replaces.iter().flat_map(|replaces| &replaces.old);
        let unfinished = self.retired.iter().flat_map(|retired| &retired.unfinished);
        let own = self.entries.iter().map(|entry| &entry.submission);
        replaced.chain(unfinished).chain(own).map(|id| id.parse().ok()).collect()
    }

    /// The place of the next amendment.
    pub fn next_sequence(&self) -> u64 {
        self.header.replaces.as_ref().map_or(0, |replaces| replaces.sequence).saturating_add(1)
    }

    /// Whether all servers have acknowledged an amendment.
    pub fn is_acknowledged(&self, amendment: AmendmentId) -> bool {
        let id = amendment.to_string();
        self.acknowledged.iter().any(|acknowledged| acknowledged.amendment == id)
    }
}

impl Header {
    /// The header of an upload that replaces nothing.
    pub fn new(
        study: StudyId,
        csv_sha256: [u8; 32],
        csv_bytes: u64,
        batch: u32,
        provider: PublicKey,
        skip_invalid: bool,
    ) -> Self {
        Self {
            version: VERSION,
            study: study.to_string(),
            csv_sha256: hex::encode(csv_sha256),
            csv_bytes,
            batch,
            provider: provider.to_string(),
            skip_invalid,
            replaces: None,
        }
    }

    /// The same upload, in place of other submissions.
    pub fn replacing(self, replaces: Replaces) -> Self {
        Self { version: VERSION_OF_REPLACEMENT, replaces: Some(replaces), ..self }
    }

    /// Names the first difference to a header found in `path`.
    pub(super) fn require(&self, found: &Self, path: &Path) -> Result<(), ReceiptsError> {
        const ELSEWHERE: &str = "give this upload its own with --receipts FILE";
        const CONTENT: &str =
            "what was sent of that counts; give other records their own with --receipts FILE";
        const SAME: &str = "use the same value as in the first run";
        const KEY: &str = "use the provider key of the first run";
        // Whether they differ is seen in the whole values; of long ones the start is shown.
        let same_csv = (&found.csv_sha256, found.csv_bytes) == (&self.csv_sha256, self.csv_bytes);
        let (what, remedy, shown): (_, _, fn(&Self) -> String) = if found.study != self.study {
            ("study", ELSEWHERE, |header| start(&header.study))
        } else if !same_csv {
            ("content of the file", CONTENT, Self::csv)
        } else if found.provider != self.provider {
            ("provider key", KEY, |header| start(&header.provider))
        } else if found.batch != self.batch {
            ("--batch", SAME, |header| header.batch.to_string())
        } else if found.skip_invalid != self.skip_invalid {
            ("--skip-invalid", SAME, |header| header.skip_invalid.to_string())
        } else if found.amendment() != self.amendment() {
            ("--replace", SAME, Self::replaced)
        } else if found.version != self.version {
            ("format", ELSEWHERE, |header| header.version.to_string())
        } else {
            return Ok(());
        };
        let (theirs, ours) = (shown(found), shown(self));
        Err(ReceiptsError::Other { path: path.to_owned(), what, theirs, ours, remedy })
    }

    fn csv(&self) -> String {
        format!("{} bytes, SHA-256 {}", self.csv_bytes, start(&self.csv_sha256))
    }

    fn amendment(&self) -> Option<&str> {
        self.replaces.as_ref().map(|replaces| &*replaces.amendment)
    }

    fn replaced(&self) -> String {
        self.replaces.as_ref().map_or_else(|| "none".into(), |replaces| replaces.receipts.clone())
    }
}

/// The start of an id, a key or a hash in hexadecimal, enough to tell it from others.
pub(super) fn start(hex: &str) -> String {
    hex.chars().take(8).chain(['…']).collect()
}

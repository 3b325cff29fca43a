//! The receipts file beside a CSV: what was submitted and acknowledged, so that a run that was
//! interrupted anywhere can be repeated and nothing is counted twice.
//!
//! One JSON object per line: a header that says which file, study and provider this is about,
//! then one line per batch whose receipts are complete. A line is written when all servers have
//! acknowledged the batch, and is on disk before the batch's bytes are deleted.

use std::{
    collections::{BTreeMap, HashSet},
    fs::{self, File, TryLockError},
    io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::pending::Pending;
use crate::error::{Exit, plain};

/// Format of the file.
const VERSION: u32 = 1;

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

/// An open receipts file. While it is open, no other run can open it.
#[derive(Debug)]
pub struct Receipts {
    path: PathBuf,
    file: File,
    header: Header,
    pending: Pending,
    done: HashSet<u64>,
    submissions: Vec<String>,
    records: u64,
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
            Self::Io { .. } | Self::InUse { .. } | Self::Other { .. } => Exit::Usage,
            Self::NotReceipts { .. } | Self::Orphans { .. } | Self::NotASubmission { .. } => {
                Exit::InvalidData
            }
        }
    }
}

impl Header {
    /// A header in this version of the format.
    pub fn new(
        study: mpc::ids::StudyId,
        csv_sha256: [u8; 32],
        csv_bytes: u64,
        batch: u32,
        provider: mpc::sign::PublicKey,
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
        }
    }

    /// Names the first difference to a header found in `path`.
    fn require(&self, found: &Self, path: &Path) -> Result<(), ReceiptsError> {
        const ELSEWHERE: &str = "give this upload its own with --receipts FILE";
        const CONTENT: &str =
            "what was sent of that counts; give other records their own with --receipts FILE";
        const SAME: &str = "use the same value as in the first run";
        const KEY: &str = "use the provider key of the first run";
        // Whether they differ is seen in the whole values; of long ones the start is shown.
        let same_csv = (&found.csv_sha256, found.csv_bytes) == (&self.csv_sha256, self.csv_bytes);
        let (what, remedy, shown): (_, _, fn(&Self) -> String) = if found.version != self.version {
            ("format", ELSEWHERE, |header| header.version.to_string())
        } else if found.study != self.study {
            ("study", ELSEWHERE, |header| start(&header.study))
        } else if !same_csv {
            ("content of the file", CONTENT, Self::csv)
        } else if found.provider != self.provider {
            ("provider key", KEY, |header| start(&header.provider))
        } else if found.batch != self.batch {
            ("--batch", SAME, |header| header.batch.to_string())
        } else if found.skip_invalid != self.skip_invalid {
            ("--skip-invalid", SAME, |header| header.skip_invalid.to_string())
        } else {
            return Ok(());
        };
        let (theirs, ours) = (shown(found), shown(self));
        Err(ReceiptsError::Other { path: path.to_owned(), what, theirs, ours, remedy })
    }

    fn csv(&self) -> String {
        format!("{} bytes, SHA-256 {}", self.csv_bytes, start(&self.csv_sha256))
    }
}

/// The start of an id, a key or a hash in hexadecimal, enough to tell it from others.
fn start(hex: &str) -> String {
    hex.chars().take(8).chain(['…']).collect()
}

impl Receipts {
    /// Opens the receipts in `path` for the upload that `header` describes, or starts new ones.
    pub fn open(path: &Path, header: Header) -> Result<Self, ReceiptsError> {
        let failed = |source| ReceiptsError::Io { path: path.to_owned(), source };
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(ReceiptsError::InUse { path: path.to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let mut receipts = Self {
            path: path.to_owned(),
            file,
            header,
            pending: Pending::beside(path),
            done: HashSet::new(),
            submissions: Vec::new(),
            records: 0,
        };
        if receipts.read()? == 0 {
            receipts.start()?;
        }
        receipts.pending.tidy(&receipts.done)?;
        Ok(receipts)
    }

    /// The receipts file.
    pub fn path(&self) -> &Path {
        &self.path
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

    /// Records batches' receipts durably, with one write, then deletes the batches' stored bytes.
    pub fn record(
        &mut self,
        entries: impl IntoIterator<Item = Entry>,
    ) -> Result<(), ReceiptsError> {
        let entries: Vec<Entry> = entries.into_iter().collect();
        self.append(&entries)?;
        for entry in entries {
            self.pending.remove(entry.batch)?;
            self.note(entry);
        }
        Ok(())
    }

    /// Reads all whole lines and cuts off a torn last one. Returns how many lines there are.
    fn read(&mut self) -> Result<u64, ReceiptsError> {
        let failed = |source| ReceiptsError::Io { path: self.path.clone(), source };
        let mut reader = BufReader::new(self.file.try_clone().map_err(failed)?);
        let (mut lines, mut whole) = (0, 0);
        let mut entries = Vec::new();
        let mut line = Vec::new();
        loop {
            line.clear();
            let len = reader.read_until(b'\n', &mut line).map_err(failed)?;
            let not_receipts =
                || ReceiptsError::NotReceipts { path: self.path.clone(), line: lines + 1 };
            let Some(text) = line.strip_suffix(b"\n") else {
                if lines == 0 && !self.is_torn_header(&line) {
                    return Err(not_receipts());
                }
                break;
            };
            if lines == 0 {
                let found: Header = serde_json::from_slice(text).map_err(|_| not_receipts())?;
                self.header.require(&found, &self.path)?;
            } else {
                entries.push(serde_json::from_slice::<Entry>(text).map_err(|_| not_receipts())?);
            }
            lines += 1;
            whole += len as u64;
        }
        self.file.set_len(whole).map_err(failed)?;
        self.file.seek(SeekFrom::Start(whole)).map_err(failed)?;
        for entry in entries {
            self.note(entry);
        }
        Ok(lines)
    }

    /// Only what a crash can leave of our own header may be overwritten.
    fn is_torn_header(&self, bytes: &[u8]) -> bool {
        let header = serde_json::to_vec(&self.header).unwrap_or_default();
        header.starts_with(bytes) || bytes.iter().all(|&byte| byte == 0)
    }

    fn start(&mut self) -> Result<(), ReceiptsError> {
        if !self.pending.is_empty()? {
            return Err(ReceiptsError::Orphans { path: self.pending.dir().to_owned() });
        }
        let header = self.header.clone();
        self.append(&[header])?;
        sync_dir(self.path.parent())
    }

    fn append(&mut self, lines: &[impl Serialize]) -> Result<(), ReceiptsError> {
        let failed = |source| ReceiptsError::Io { path: self.path.clone(), source };
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, line)
                .map_err(|error| failed(io::Error::other(error)))?;
            text.push(b'\n');
        }
        self.file.write_all(&text).map_err(failed)?;
        self.file.sync_data().map_err(failed)
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

/// Every receipt in a file that is not open, for `sotto audit` and for people.
pub fn entries(path: &Path) -> Result<(Header, Vec<Entry>), ReceiptsError> {
    let failed = |source| ReceiptsError::Io { path: path.to_owned(), source };
    let text = fs::read_to_string(path).map_err(failed)?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let not_receipts =
        |line: usize| ReceiptsError::NotReceipts { path: path.to_owned(), line: line as u64 + 1 };
    let mut lines = whole.lines().enumerate();
    let header = lines.next().and_then(|(_, line)| serde_json::from_str(line).ok());
    let header = header.ok_or_else(|| not_receipts(0))?;
    let entries = lines
        .map(|(number, line)| serde_json::from_str(line).map_err(|_| not_receipts(number)))
        .collect::<Result<_, _>>()?;
    Ok((header, entries))
}

#[cfg(test)]
mod tests;

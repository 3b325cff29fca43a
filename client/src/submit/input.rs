//! The two passes over a CSV: one that checks every row, one that gives the records.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::Path,
};

use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use study::{
    Record, Study,
    table::{PROBLEMS_KEPT, Problem, Row, Table, TableError},
};
use tokio_util::sync::CancellationToken;

use crate::{
    error::ClientError,
    progress::{Event, Progress},
};

/// How often a long pass tells of itself and looks whether it should stop, in rows.
const NEWS: u64 = 10_000;

/// What is wrong with one row. It may quote the row and is for the provider's eyes alone, so its
/// `Debug` is redacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowProblem(Problem);

/// What the first pass found.
#[derive(Debug)]
pub struct Checked {
    /// Rows that are records of the study.
    pub valid: u64,
    /// Rows that are not.
    pub bad: u64,
    /// What is wrong with the first of them.
    pub problems: Vec<RowProblem>,
    /// How many problems there are in all.
    pub problem_count: u64,
    /// Columns that the study does not name; of many, the first.
    pub ignored: Vec<String>,
    /// How many such columns there are.
    pub ignored_count: usize,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// Length of the file.
    pub bytes: u64,
}

/// The first pass: checks every row.
pub fn check(
    file: &Path,
    study: &Study,
    stop: &CancellationToken,
    progress: &dyn Progress,
) -> Result<Checked, ClientError> {
    let mut input = Hashed { file: open(file)?, hasher: Sha256::new(), bytes: 0 };
    let mut table = Table::open(&mut input, &name(file), study)?;
    let ignored = table.ignored().clone();
    let (mut valid, mut bad, mut problem_count) = (0, 0, 0);
    let mut problems = Vec::new();
    for row in &mut table {
        match row? {
            Row::Valid(_) => valid += 1,
            Row::Invalid(faults) => {
                bad += 1;
                problem_count += faults.len() as u64;
                let room = PROBLEMS_KEPT.saturating_sub(problems.len());
                problems.extend(faults.into_iter().take(room).map(RowProblem));
            }
        }
        if (valid + bad) % NEWS == 0 {
            progress.event(Event::Checking { rows: valid + bad });
            if stop.is_cancelled() {
                return Err(ClientError::Interrupted);
            }
        }
    }
    drop(table);
    if valid + bad == 0 {
        return Err(TableError::NoRows { file: name(file) }.into());
    }
    // The table reads to the end of the file; the hash is over all of it, whatever it reads.
    io::copy(&mut input, &mut io::sink())
        .map_err(|source| ClientError::File { path: file.to_owned(), source })?;
    Ok(Checked {
        valid,
        bad,
        problems,
        problem_count,
        ignored: ignored.names,
        ignored_count: ignored.count,
        sha256: input.hasher.finalize().into(),
        bytes: input.bytes,
    })
}

/// The second pass: gives every valid record with the number of its row below the header, from
/// 1, until `take` says that it wants no more.
pub fn read(
    file: &Path,
    study: &Study,
    skip_invalid: bool,
    mut take: impl FnMut(u64, Record) -> bool,
) -> Result<(), ClientError> {
    for (number, row) in (1..).zip(Table::open(open(file)?, &name(file), study)?) {
        match row? {
            Row::Valid(record) => {
                if !take(number, record) {
                    return Ok(());
                }
            }
            Row::Invalid(_) if skip_invalid => {}
            Row::Invalid(_) => return Err(ClientError::FileChanged { file: file.to_owned() }),
        }
    }
    Ok(())
}

impl fmt::Display for RowProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for RowProblem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A file that is hashed as it is read.
struct Hashed {
    file: File,
    hasher: Sha256,
    bytes: u64,
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.file.read(buffer)?;
        self.hasher.update(buffer.get(..len).unwrap_or_default());
        self.bytes += len as u64;
        Ok(len)
    }
}

/// Only a regular file can be read twice and be the same.
fn open(file: &Path) -> Result<File, ClientError> {
    let failed = |source| ClientError::File { path: file.to_owned(), source };
    let opened = File::open(file).map_err(failed)?;
    match opened.metadata().map_err(failed)?.is_file() {
        true => Ok(opened),
        false => Err(ClientError::NotAFile { file: file.to_owned() }),
    }
}

fn name(file: &Path) -> String {
    file.display().to_string()
}

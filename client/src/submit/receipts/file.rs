//! A file of lines that is only appended to, by one process at a time.

use std::{
    fs::{File, TryLockError},
    io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::ReceiptsError;

/// The open file. While it is open, no other run can open it.
#[derive(Debug)]
pub(super) struct Lines {
    path: PathBuf,
    file: File,
}

/// The whole lines of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whole {
    pub lines: u64,
    bytes: u64,
}

/// Whether a file that is not there is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    Created,
    Refused,
}

impl Lines {
    pub(super) fn open(path: &Path, missing: Missing) -> Result<Self, ReceiptsError> {
        let failed = |source| ReceiptsError::Io { path: path.to_owned(), source };
        let create = missing == Missing::Created;
        let mut options = File::options();
        let file = options.read(true).write(true).create(create).truncate(false).open(path);
        let file = file.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), file }),
            Err(TryLockError::WouldBlock) => Err(ReceiptsError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives every whole line to `take`, which says whether it is one. A file without a whole line is
    /// taken only if `is_ours` knows its bytes. Changes nothing; returns where the whole lines end.
    pub(super) fn read(
        &mut self,
        mut take: impl FnMut(u64, &[u8]) -> Result<(), ReceiptsError>,
        is_ours: impl Fn(&[u8]) -> bool,
    ) -> Result<Whole, ReceiptsError> {
        let failed = |source| ReceiptsError::Io { path: self.path.clone(), source };
        let mut reader = BufReader::new(self.file.try_clone().map_err(failed)?);
        let (mut lines, mut whole) = (0, 0);
        let mut line = Vec::new();
        loop {
            line.clear();
            let len = reader.read_until(b'\n', &mut line).map_err(failed)?;
            let Some(text) = line.strip_suffix(b"\n") else {
                if lines == 0 && !is_ours(&line) {
                    return Err(ReceiptsError::NotReceipts { path: self.path.clone(), line: 1 });
                }
                break;
            };
            lines += 1;
            take(lines, text)?;
            whole += len as u64;
        }
        Ok(Whole { lines, bytes: whole })
    }

    /// Cuts off a torn last line, so that what is appended follows whole ones.
    pub(super) fn trim(&mut self, whole: Whole) -> Result<(), ReceiptsError> {
        let failed = |source| ReceiptsError::Io { path: self.path.clone(), source };
        self.file.set_len(whole.bytes).map_err(failed)?;
        self.file.seek(SeekFrom::Start(whole.bytes)).map_err(failed)?;
        Ok(())
    }

    /// Appends lines durably, with one write.
    pub(super) fn append(&mut self, lines: &[impl Serialize]) -> Result<(), ReceiptsError> {
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
}

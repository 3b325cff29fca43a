//! Batches on their way: a batch's exact bytes lie on disk from before the first byte is sent
//! until every server's receipt is recorded, so that a repeated run sends the same submission
//! again and not a second one with the same records.
//!
//! These files hold all shares of a batch, so whoever reads them learns its records, as from the
//! CSV itself: the directory is closed to others and each file goes as soon as it can.

use std::{
    collections::HashSet,
    fs::{self, DirBuilder, File},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use mpc::{
    collect::{PublicPart, Sharded, credential},
    ids::PARTIES,
    sign::{Signature, Signer},
    wire::{Reader, WireError, put_prefixed},
};
use tonic::codegen::Bytes;
use zeroize::Zeroizing;

use super::receipts::{ReceiptsError, sync_dir};

/// A directory of stored batches.
#[derive(Debug, Clone)]
pub struct Pending {
    dir: PathBuf,
}

/// One batch, ready to be sent.
pub struct Batch {
    /// The batch's number, from 0.
    pub number: u64,
    /// Row of its first record, counted from 1 below the header.
    pub first_row: u64,
    /// The public part, decoded.
    pub public: PublicPart,
    /// The public part as it is sent.
    pub public_bytes: Bytes,
    /// The provider's signature over it.
    pub credential: Signature,
    /// Each server's payload; wiped when the last clone is dropped.
    pub payloads: Vec<Bytes>,
}

impl Batch {
    /// A batch from its shares.
    pub fn new(number: u64, first_row: u64, sharded: Sharded, provider: &Signer) -> Self {
        let public_bytes = sharded.public.encode();
        let credential = credential(provider, PublicPart::hash_encoded(&public_bytes));
        Self {
            number,
            first_row,
            public: sharded.public,
            public_bytes: public_bytes.into(),
            credential,
            payloads: sharded.payloads.into_iter().map(Bytes::from_owner).collect(),
        }
    }

    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let parts = || [&self.public_bytes].into_iter().chain(&self.payloads);
        let len = 8 + 64 + parts().map(|part| 4 + part.len()).sum::<usize>();
        let mut out = Zeroizing::new(Vec::with_capacity(len));
        out.extend_from_slice(&self.first_row.to_be_bytes());
        out.extend_from_slice(&self.credential.0);
        for part in parts() {
            put_prefixed(&mut out, part);
        }
        out
    }

    fn decode(number: u64, bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let first_row = reader.u64()?;
        let credential = Signature(reader.array()?);
        let public_bytes =
            Bytes::copy_from_slice(reader.prefixed(proto::MAX_MESSAGE, "public part")?);
        let public = PublicPart::decode(&public_bytes)?;
        let parties = public.payload_hashes.len();
        if !PARTIES.contains(&parties) {
            return Err(WireError::Range("number of servers"));
        }
        let mut payloads = Vec::with_capacity(parties);
        for _ in 0..parties {
            let payload = reader.prefixed(proto::MAX_MESSAGE, "payload")?.to_vec();
            payloads.push(Bytes::from_owner(Zeroizing::new(payload)));
        }
        reader.finish()?;
        Ok(Self { number, first_row, public, public_bytes, credential, payloads })
    }
}

/// What lies ready to be sent: the row of each batch's first record, and its public part.
#[cfg(feature = "testing")]
pub fn ready(pending: &Pending) -> Vec<(u64, PublicPart)> {
    let numbers: std::collections::BTreeSet<u64> =
        pending.numbers().unwrap_or_default().into_iter().collect();
    let stored = numbers.into_iter().filter_map(|number| pending.load(number).ok()?);
    stored.map(|batch| (batch.first_row, batch.public)).collect()
}

/// A stored batch, read and written again.
#[cfg(feature = "testing")]
pub fn again(bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    Batch::decode(0, bytes).ok().map(|batch| batch.encode())
}

/// A batch as it is stored.
#[cfg(feature = "testing")]
pub fn stored(batch: &Batch) -> Zeroizing<Vec<u8>> {
    batch.encode()
}

impl Pending {
    /// The directory beside a receipts file.
    pub fn beside(receipts: &Path) -> Self {
        let mut dir = receipts.as_os_str().to_owned();
        dir.push(".pending");
        Self { dir: dir.into() }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Stores a batch durably. Only then may anything of it be sent.
    pub fn store(&self, batch: &Batch) -> Result<(), ReceiptsError> {
        let path = self.path(batch.number);
        let aside = path.with_extension("new");
        let failed = |source| ReceiptsError::Io { path: aside.clone(), source };
        let mut file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&aside)
            .map_err(failed)?;
        file.write_all(&batch.encode()).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        fs::rename(&aside, &path).map_err(failed)?;
        sync_dir(Some(&self.dir))
    }

    /// The stored batch of that number, if there is one.
    pub fn load(&self, number: u64) -> Result<Option<Batch>, ReceiptsError> {
        let path = self.path(number);
        let bytes = match fs::read(&path) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ReceiptsError::Io { path, source }),
        };
        match Batch::decode(number, &bytes) {
            Ok(batch) => Ok(Some(batch)),
            Err(_) => Err(ReceiptsError::NotASubmission { path }),
        }
    }

    /// The error that a stored batch is which does not belong to this upload.
    pub fn foreign(&self, number: u64) -> ReceiptsError {
        ReceiptsError::NotASubmission { path: self.path(number) }
    }

    /// Numbers of all stored batches.
    pub fn numbers(&self) -> Result<HashSet<u64>, ReceiptsError> {
        let mut numbers = HashSet::new();
        self.each(|_, number| {
            numbers.extend(number);
            Ok(())
        })?;
        Ok(numbers)
    }

    pub(super) fn is_empty(&self) -> Result<bool, ReceiptsError> {
        Ok(self.numbers()?.is_empty())
    }

    /// Makes the directory if it does not exist, and deletes what a crash left behind: halves
    /// that were never sent, and batches whose receipts are recorded.
    pub(super) fn tidy(&self, done: &HashSet<u64>) -> Result<(), ReceiptsError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.dir);
        made.map_err(|source| ReceiptsError::Io { path: self.dir.clone(), source })?;
        self.each(|path, number| match number {
            Some(number) if !done.contains(&number) => Ok(()),
            Some(_) => fs::remove_file(path),
            None if path.extension().is_some_and(|extension| extension == "new") => {
                fs::remove_file(path)
            }
            None => Ok(()),
        })
    }

    /// Deletes a batch that all servers have acknowledged.
    pub(super) fn remove(&self, number: u64) -> Result<(), ReceiptsError> {
        let path = self.path(number);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(ReceiptsError::Io { path, source: error })
            }
            _ => Ok(()),
        }
    }

    /// Deletes all stored batches: none of them is sent any more.
    pub(super) fn clear(&self) -> Result<(), ReceiptsError> {
        self.each(|path, number| match number {
            Some(_) => fs::remove_file(path),
            None => Ok(()),
        })?;
        self.close();
        Ok(())
    }

    /// Deletes the directory when nothing is in it.
    pub fn close(&self) {
        // A directory that stays behind, because something else lies in it, does no harm.
        let _ = fs::remove_dir(&self.dir);
    }

    fn path(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{number:06}"))
    }

    /// Calls `visit` with every file and the batch number that its name is.
    fn each(
        &self,
        mut visit: impl FnMut(&Path, Option<u64>) -> io::Result<()>,
    ) -> Result<(), ReceiptsError> {
        let failed = |source| ReceiptsError::Io { path: self.dir.clone(), source };
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(failed(source)),
        };
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            visit(&path, name.and_then(|name| name.parse().ok())).map_err(failed)?;
        }
        Ok(())
    }
}

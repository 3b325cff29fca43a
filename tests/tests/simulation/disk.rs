//! Disk: the real storage of one life of a server, in which each write may be the last one, and
//! whose every answer comes at once, so that a run repeats.

use std::{
    future::Future,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use mpc::{
    ids::{RunId, StudyId, SubmissionId},
    sign::PublicKey,
};
use server::storage::{
    self, AmendLimits, AmendOutcome, Arrival, Charge, Charged, Counts, Detail, Entry, Finish,
    NewAmendment, NewStudy, NewSubmission, PublicRow, PutLimits, PutOutcome, Sighted, Sighting,
    Storage, StorageError, StoredSubmission, StudyRow, StudyState, Summary, UnverifiedRow, Verdict,
    sqlite::SqliteStorage,
};
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::{
    broken::Broken,
    machine::{Life, Writing},
    plan::AtWrite,
};

/// What a disk holds: the database and its log.
#[derive(Clone, Default)]
pub struct Image {
    database: Vec<u8>,
    log: Vec<u8>,
}

impl Image {
    /// What is at `path` now.
    pub fn of(path: &Path) -> Self {
        let read = |path: PathBuf| std::fs::read(path).unwrap_or_default();
        Self { database: read(path.to_owned()), log: read(log_of(path)) }
    }

    /// Puts it to `path`.
    pub fn put(&self, path: &Path) {
        if self.database.is_empty() {
            return;
        }
        std::fs::write(path, &self.database).unwrap();
        std::fs::write(log_of(path), &self.log).unwrap();
    }

    /// A write that made `after` of this, torn: so many thousandths of what it changed in the log
    /// are there. Writes that went into the database itself are whole.
    fn torn(self, after: Self, thousandths: u16) -> Self {
        if self.database != after.database {
            return after;
        }
        let same = self.log.iter().zip(&after.log).take_while(|(one, other)| one == other).count();
        let new = after.log.len() - same;
        let cut = same + new * usize::from(thousandths) / 1_000;
        let mut log = after.log;
        log.truncate(cut);
        log.extend_from_slice(self.log.get(cut..).unwrap_or_default());
        Self { database: self.database, log }
    }
}

fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// The storage of one life of a server.
pub struct Disk {
    inner: SqliteStorage,
    path: PathBuf,
    life: Arc<Life>,
    /// Why nothing is written: after an error, until the disk is tried again.
    failure: watch::Sender<Option<StorageError>>,
}

impl Disk {
    /// Opens what is at `path`.
    pub fn open(path: PathBuf, life: Arc<Life>) -> Result<Self, StorageError> {
        let inner = SqliteStorage::open(&path)?;
        Ok(Self { inner, path, life, failure: watch::channel(None).0 })
    }

    /// What would be found after a crash now.
    pub fn image(&self) -> Image {
        Image::of(&self.path)
    }

    /// Reads without the server.
    pub fn peek(&self) -> &SqliteStorage {
        &self.inner
    }

    /// Waits as long as a slow disk takes, or forever if the server is dead.
    async fn reach(&self) {
        self.life.survive().await;
        let slow = self.life.slow_ms();
        if slow > 0 {
            tokio::time::sleep(Duration::from_millis(slow)).await;
            self.life.survive().await;
        }
    }

    /// Writes, unless the server dies around it.
    async fn write<T>(
        &self,
        name: &str,
        writing: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        self.reach().await;
        if let Some(failure) = self.failure.borrow().clone() {
            return Err(failure);
        }
        let how = match self.life.next_write(name) {
            Writing::Works => return at_once(writing),
            Writing::Fails { is_done } => {
                if is_done {
                    let _ = at_once(writing);
                }
                let failure = StorageError::Failing("disk I/O error".into());
                self.failure.send_replace(Some(failure.clone()));
                return Err(failure);
            }
            Writing::Dies(how) => how,
        };
        let before = self.image();
        let left = match how {
            AtWrite::Before => before,
            AtWrite::After => {
                let _ = at_once(writing);
                self.image()
            }
            AtWrite::Torn(thousandths) => {
                let _ = at_once(writing);
                before.torn(self.image(), thousandths)
            }
        };
        self.life.die(left);
        std::future::pending().await
    }

    async fn read<T>(
        &self,
        reading: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        self.reach().await;
        at_once(reading)
    }
}

/// Waits for the storage's own threads, and lets nothing else happen in the meantime.
pub fn at_once<T>(storage: impl Future<Output = T>) -> T {
    futures::executor::block_on(tokio::task::unconstrained(storage))
}

macro_rules! writes {
    ($disk:ident.$name:ident($($argument:expr),*)) => {
        $disk.write(stringify!($name), $disk.inner.$name($($argument),*)).await
    };
}

macro_rules! reads {
    ($disk:ident.$name:ident($($argument:expr),*)) => {
        $disk.read($disk.inner.$name($($argument),*)).await
    };
}

#[async_trait]
impl Storage for Disk {
    async fn insert_study(&self, study: NewStudy) -> Result<bool, StorageError> {
        writes!(self.insert_study(study))
    }

    async fn study(&self, id: StudyId) -> Result<Option<StudyRow>, StorageError> {
        reads!(self.study(id))
    }

    async fn studies(
        &self,
        after: Option<StudyId>,
        limit: usize,
    ) -> Result<Vec<StudyRow>, StorageError> {
        reads!(self.studies(after, limit))
    }

    async fn transition(
        &self,
        id: StudyId,
        from: &[StudyState],
        to: StudyState,
        detail: Detail,
        now_ms: u64,
    ) -> Result<bool, StorageError> {
        writes!(self.transition(id, from, to, detail, now_ms))
    }

    async fn fix_setup_commitments(
        &self,
        id: StudyId,
        commitments: &[[u8; 32]],
    ) -> Result<Vec<[u8; 32]>, StorageError> {
        writes!(self.fix_setup_commitments(id, commitments))
    }

    async fn open_study(
        &self,
        id: StudyId,
        verify_key: [u8; 32],
        now_ms: u64,
    ) -> Result<bool, StorageError> {
        writes!(self.open_study(id, verify_key, now_ms))
    }

    async fn put_submission(
        &self,
        study: StudyId,
        submission: NewSubmission,
        limits: PutLimits,
    ) -> Result<PutOutcome, StorageError> {
        if self.life.is_broken(Broken::LosesWhatItSignedFor) {
            self.life.forget_from(|| self.image());
        }
        let outcome = writes!(self.put_submission(study, submission, limits))?;
        match outcome {
            PutOutcome::NotOpen(StudyState::Closing)
                if self.life.is_broken(Broken::SignsAfterTheClose) =>
            {
                Ok(PutOutcome::Stored)
            }
            outcome => Ok(outcome),
        }
    }

    async fn put_amendment(
        &self,
        study: StudyId,
        amendment: NewAmendment,
        limits: AmendLimits,
    ) -> Result<AmendOutcome, StorageError> {
        writes!(self.put_amendment(study, amendment, limits))
    }

    async fn amendments(&self, study: StudyId) -> Result<Vec<Vec<u8>>, StorageError> {
        if self.life.is_broken(Broken::ForgetsAmendments) {
            return Ok(Vec::new());
        }
        reads!(self.amendments(study))
    }

    async fn fix_amendments(
        &self,
        study: StudyId,
        amendments: Vec<Vec<u8>>,
    ) -> Result<(), StorageError> {
        writes!(self.fix_amendments(study, amendments))
    }

    async fn agreed_amendments(&self, study: StudyId) -> Result<Vec<Vec<u8>>, StorageError> {
        reads!(self.agreed_amendments(study))
    }

    async fn unverified(
        &self,
        study: StudyId,
        after: Option<Arrival>,
        limit: usize,
    ) -> Result<Vec<UnverifiedRow>, StorageError> {
        reads!(self.unverified(study, after, limit))
    }

    async fn submissions(
        &self,
        study: StudyId,
        ids: &[SubmissionId],
    ) -> Result<Vec<Option<StoredSubmission>>, StorageError> {
        reads!(self.submissions(study, ids))
    }

    async fn record_verdicts(
        &self,
        study: StudyId,
        verdicts: Vec<(SubmissionId, Verdict)>,
    ) -> Result<(), StorageError> {
        writes!(self.record_verdicts(study, verdicts))
    }

    async fn entries(
        &self,
        study: StudyId,
        after: Option<SubmissionId>,
        limit: usize,
    ) -> Result<Vec<Entry>, StorageError> {
        let mut entries = reads!(self.entries(study, after, limit))?;
        if entries.len() > 2 && self.life.is_broken(Broken::OverlooksASubmission) {
            entries.remove(0);
        }
        Ok(entries)
    }

    async fn public_parts(
        &self,
        study: StudyId,
        after: Option<SubmissionId>,
        limit: usize,
    ) -> Result<Vec<PublicRow>, StorageError> {
        reads!(self.public_parts(study, after, limit))
    }

    async fn output_shares(
        &self,
        study: StudyId,
        after: Option<SubmissionId>,
        limit: usize,
    ) -> Result<Vec<(SubmissionId, Zeroizing<Vec<u8>>)>, StorageError> {
        reads!(self.output_shares(study, after, limit))
    }

    async fn fix_set(&self, study: StudyId, set: Vec<u8>) -> Result<Vec<u8>, StorageError> {
        writes!(self.fix_set(study, set))
    }

    async fn fix_word(
        &self,
        study: StudyId,
        word: u16,
        bytes: Vec<u8>,
    ) -> Result<Vec<u8>, StorageError> {
        writes!(self.fix_word(study, word, bytes))
    }

    async fn charge(&self, study: StudyId, charge: Charge) -> Result<Charged, StorageError> {
        writes!(self.charge(study, charge))
    }

    async fn begin_run(&self, study: StudyId, run: RunId) -> Result<bool, StorageError> {
        let begins =
            writes!(self.begin_run(study, run))? || self.life.is_broken(Broken::BeginsARunAgain);
        if begins {
            self.life.begins(run);
        }
        Ok(begins)
    }

    async fn fix_rejected(
        &self,
        study: StudyId,
        rejected: Vec<(SubmissionId, u8)>,
    ) -> Result<(), StorageError> {
        writes!(self.fix_rejected(study, rejected))
    }

    async fn rejected(
        &self,
        study: StudyId,
    ) -> Result<Option<Vec<(SubmissionId, u8)>>, StorageError> {
        reads!(self.rejected(study))
    }

    async fn set(&self, study: StudyId) -> Result<Option<Vec<u8>>, StorageError> {
        reads!(self.set(study))
    }

    async fn finish(&self, study: StudyId, finish: Finish) -> Result<bool, StorageError> {
        writes!(self.finish(study, finish))
    }

    async fn outcome(&self, study: StudyId) -> Result<Option<Vec<u8>>, StorageError> {
        reads!(self.outcome(study))
    }

    async fn transcript(
        &self,
        study: StudyId,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Vec<u8>)>, StorageError> {
        reads!(self.transcript(study, after, limit))
    }

    async fn counts(&self, study: StudyId) -> Result<Counts, StorageError> {
        reads!(self.counts(study))
    }

    async fn summary(&self) -> Result<Summary, StorageError> {
        reads!(self.summary())
    }

    async fn life(&self) -> Result<storage::Life, StorageError> {
        reads!(self.life())
    }

    async fn sight(
        &self,
        sighting: Sighting,
        life: storage::Life,
    ) -> Result<Sighted, StorageError> {
        writes!(self.sight(sighting, life))
    }

    async fn sightings(&self, peer: PublicKey) -> Result<Vec<Sighting>, StorageError> {
        reads!(self.sightings(peer))
    }

    fn failure(&self) -> watch::Receiver<Option<StorageError>> {
        self.failure.subscribe()
    }

    async fn health(&self) -> Result<(), StorageError> {
        // Neither reads nor writes what counts.
        self.reach().await;
        self.failure.send_replace(None);
        Ok(())
    }

    async fn close(&self) {
        std::future::pending().await
    }
}

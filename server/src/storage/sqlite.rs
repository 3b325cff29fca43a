//! Storage in one SQLite file: no database to install, durable at every answer.
//!
//! One thread writes and commits in groups; a few connections read beside it. The database is in
//! WAL mode with `synchronous=FULL`, and deleted content is overwritten (`secure_delete`).

use std::{path::Path, sync::Mutex, sync::PoisonError};

use async_trait::async_trait;
use mpc::ids::{RunId, StudyId, SubmissionId};
use mpc::sign::PublicKey;
use rusqlite::ErrorCode;
use tokio::sync::{oneshot, watch};
use zeroize::Zeroizing;

use super::{
    AmendLimits, AmendOutcome, Arrival, Charge, Charged, Counts, Detail, Entry, Finish, Life,
    Moment, NewAmendment, NewStudy, NewSubmission, PublicRow, PutLimits, PutOutcome, Sighted,
    Sighting, Start, Storage, StorageError, StoredSubmission, StudyRow, StudyState, Summary,
    UnverifiedRow, Verdict,
};
use desk::Desk;
use failure::Failure;
use readers::Readers;
use writer::{Order, Writer};

mod amendments;
mod charges;
mod columns;
mod desk;
mod ending;
mod failure;
pub mod inspect;
mod lives;
mod readers;
mod room;
mod schema;
mod studies;
mod submissions;
mod transcripts;
mod verdicts;
mod writer;

pub use room::free;

/// [`Storage`] in one SQLite database file.
pub struct SqliteStorage {
    readers: Readers,
    failure: Failure,
    /// `None` once closed.
    writer: Mutex<Option<Writer>>,
    writer_closed: Mutex<Option<oneshot::Receiver<()>>>,
}

impl SqliteStorage {
    /// Opens the database at `path`, creating it (and its directory) if there is none. Fails if
    /// another process has it open, if it is of a newer program, if it is not ours, or if nothing
    /// can be written.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        let unopened = |error: StorageError| match error.is_of_disk() {
            true => StorageError::Unopened {
                path: path.display().to_string(),
                cause: Box::new(room::named(path, error)),
            },
            false => error,
        };
        let lock = schema::lock(path).map_err(unopened)?;
        let connection = schema::open_writer(path).map_err(unopened)?;
        let failure = Failure::default();
        let readers = Readers::open(path.to_owned()).map_err(unopened)?;
        let desk = Desk::new(connection, path.to_owned(), readers.clone(), failure.clone());
        let (writer, closed) = Writer::start(desk, lock)?;
        Ok(Self {
            readers,
            failure,
            writer: Mutex::new(Some(writer)),
            writer_closed: Mutex::new(Some(closed)),
        })
    }

    fn writer(&self) -> Result<Writer, StorageError> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.clone().ok_or(StorageError::Closed)
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&rusqlite::Connection) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        self.writer()?.run(Order::default(), work).await
    }
}

#[async_trait]
impl Storage for SqliteStorage {
    async fn insert_study(&self, study: NewStudy) -> Result<bool, StorageError> {
        self.write(move |c| studies::insert(c, &study)).await
    }

    async fn study(&self, id: StudyId) -> Result<Option<StudyRow>, StorageError> {
        self.readers.run(move |c| studies::get(c, id)).await
    }

    async fn studies(
        &self,
        after: Option<StudyId>,
        limit: usize,
    ) -> Result<Vec<StudyRow>, StorageError> {
        self.readers.run(move |c| studies::list(c, after, limit)).await
    }

    async fn transition(
        &self,
        id: StudyId,
        from: &[StudyState],
        to: StudyState,
        detail: Detail,
        now_ms: u64,
    ) -> Result<bool, StorageError> {
        let from = from.to_vec();
        self.write(move |c| studies::transition(c, id, &from, to, &detail, now_ms)).await
    }

    async fn fix_setup_commitments(
        &self,
        id: StudyId,
        commitments: &[[u8; 32]],
    ) -> Result<Vec<[u8; 32]>, StorageError> {
        let commitments = commitments.to_vec();
        self.write(move |c| studies::fix_setup_commitments(c, id, &commitments)).await
    }

    async fn open_study(
        &self,
        id: StudyId,
        verify_key: [u8; 32],
        now_ms: u64,
    ) -> Result<bool, StorageError> {
        let verify_key = Zeroizing::new(verify_key);
        self.write(move |c| studies::open(c, id, &verify_key, now_ms)).await
    }

    async fn put_submission(
        &self,
        study: StudyId,
        submission: NewSubmission,
        limits: PutLimits,
    ) -> Result<PutOutcome, StorageError> {
        let bytes = submission.public.len() + submission.payload.len();
        let order = Order { bytes, ..Order::default() };
        self.writer()?.run(order, move |c| submissions::put(c, study, &submission, limits)).await
    }

    async fn put_amendment(
        &self,
        study: StudyId,
        amendment: NewAmendment,
        limits: AmendLimits,
    ) -> Result<AmendOutcome, StorageError> {
        let order = Order { bytes: amendment.bytes.len(), ..Order::default() };
        self.writer()?.run(order, move |c| amendments::put(c, study, &amendment, limits)).await
    }

    async fn amendments(&self, study: StudyId) -> Result<Vec<Vec<u8>>, StorageError> {
        self.readers.run(move |c| amendments::received(c, study)).await
    }

    async fn fix_amendments(
        &self,
        study: StudyId,
        amendments: Vec<Vec<u8>>,
    ) -> Result<(), StorageError> {
        let bytes = amendments.iter().map(Vec::len).sum();
        let order = Order { bytes, ..Order::default() };
        self.writer()?.run(order, move |c| amendments::fix(c, study, &amendments)).await
    }

    async fn agreed_amendments(&self, study: StudyId) -> Result<Vec<Vec<u8>>, StorageError> {
        self.readers.run(move |c| amendments::agreed(c, study)).await
    }

    async fn unverified(
        &self,
        study: StudyId,
        after: Option<Arrival>,
        limit: usize,
    ) -> Result<Vec<UnverifiedRow>, StorageError> {
        self.readers.run(move |c| submissions::unverified(c, study, after, limit)).await
    }

    async fn submissions(
        &self,
        study: StudyId,
        ids: &[SubmissionId],
    ) -> Result<Vec<Option<StoredSubmission>>, StorageError> {
        let ids = ids.to_vec();
        self.readers.run(move |c| submissions::get(c, study, &ids)).await
    }

    async fn record_verdicts(
        &self,
        study: StudyId,
        verdicts: Vec<(SubmissionId, Verdict)>,
    ) -> Result<(), StorageError> {
        let bytes = verdicts.iter().map(|(_, verdict)| verdicts::size(verdict)).sum();
        let order = Order { bytes, ..Order::default() };
        self.writer()?.run(order, move |c| verdicts::record(c, study, &verdicts)).await
    }

    async fn entries(
        &self,
        study: StudyId,
        after: Option<SubmissionId>,
        limit: usize,
    ) -> Result<Vec<Entry>, StorageError> {
        self.readers.run(move |c| submissions::entries(c, study, after, limit)).await
    }

    async fn public_parts(
        &self,
        study: StudyId,
        after: Option<SubmissionId>,
        limit: usize,
    ) -> Result<Vec<PublicRow>, StorageError> {
        self.readers.run(move |c| submissions::public_parts(c, study, after, limit)).await
    }

    async fn output_shares(
        &self,
        study: StudyId,
        after: Option<SubmissionId>,
        limit: usize,
    ) -> Result<Vec<(SubmissionId, Zeroizing<Vec<u8>>)>, StorageError> {
        self.readers.run(move |c| verdicts::output_shares(c, study, after, limit)).await
    }

    async fn fix_set(&self, study: StudyId, set: Vec<u8>) -> Result<Vec<u8>, StorageError> {
        self.write(move |c| ending::fix_set(c, study, &set)).await
    }

    async fn fix_rejected(
        &self,
        study: StudyId,
        rejected: Vec<(SubmissionId, u8)>,
    ) -> Result<(), StorageError> {
        self.write(move |c| ending::fix_rejected(c, study, &rejected)).await
    }

    async fn rejected(
        &self,
        study: StudyId,
    ) -> Result<Option<Vec<(SubmissionId, u8)>>, StorageError> {
        self.readers.run(move |c| ending::rejected(c, study)).await
    }

    async fn fix_word(
        &self,
        study: StudyId,
        word: u16,
        bytes: Vec<u8>,
    ) -> Result<Vec<u8>, StorageError> {
        self.write(move |c| ending::fix_word(c, study, word, &bytes)).await
    }

    async fn charge(&self, study: StudyId, charge: Charge) -> Result<Charged, StorageError> {
        let order = Order { bytes: charge.noise.len(), ..Order::default() };
        self.writer()?.run(order, move |c| charges::charge(c, study, &charge)).await
    }

    async fn begin_run(&self, study: StudyId, run: RunId) -> Result<bool, StorageError> {
        self.write(move |c| transcripts::begin_run(c, study, run)).await
    }

    async fn set(&self, study: StudyId) -> Result<Option<Vec<u8>>, StorageError> {
        self.readers.run(move |c| ending::set(c, study)).await
    }

    async fn finish(&self, study: StudyId, finish: Finish) -> Result<bool, StorageError> {
        if !finish.to.is_final() {
            return Err(StorageError::NotFinal(finish.to));
        }
        let said: usize = finish.transcript.iter().map(Vec::len).sum();
        let order = Order {
            bytes: finish.outcome.len() + said,
            empty_log: finish.scrub,
            ..Order::default()
        };
        self.writer()?.run(order, move |c| ending::finish(c, study, &finish)).await
    }

    async fn outcome(&self, study: StudyId) -> Result<Option<Vec<u8>>, StorageError> {
        self.readers.run(move |c| ending::outcome(c, study)).await
    }

    async fn transcript(
        &self,
        study: StudyId,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Vec<u8>)>, StorageError> {
        self.readers.run(move |c| transcripts::parts(c, study, after, limit)).await
    }

    async fn counts(&self, study: StudyId) -> Result<Counts, StorageError> {
        self.readers.run(move |c| studies::counts(c, study)).await
    }

    async fn summary(&self) -> Result<Summary, StorageError> {
        self.readers.run(studies::summary).await
    }

    async fn life(&self) -> Result<Life, StorageError> {
        self.readers.run(lives::own).await
    }

    async fn sight(&self, sighting: Sighting, life: Life) -> Result<Sighted, StorageError> {
        self.write(move |c| lives::sight(c, &sighting, &life)).await
    }

    async fn sightings(&self, peer: PublicKey) -> Result<Vec<Sighting>, StorageError> {
        self.readers.run(move |c| lives::seen(c, peer)).await
    }

    fn failure(&self) -> watch::Receiver<Option<StorageError>> {
        self.failure.watch()
    }

    async fn health(&self) -> Result<(), StorageError> {
        // What counts is that something new is durable.
        self.writer()?.run(Order { probe: true, ..Order::default() }, lives::grow).await?;
        self.readers.run(|_| Ok(())).await
    }

    async fn close(&self) {
        self.readers.close().await;
        drop(self.writer.lock().unwrap_or_else(PoisonError::into_inner).take());
        let closed = self.writer_closed.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(closed) = closed {
            // An error here means that the thread is gone already.
            let _ = closed.await;
        }
    }
}

impl From<rusqlite::Error> for StorageError {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            // SQLite's own messages name tables and files; the others may quote a value.
            rusqlite::Error::SqliteFailure(failure, message) => {
                let text = message.unwrap_or_else(|| failure.to_string());
                match failure.code {
                    ErrorCode::DiskFull => Self::Full,
                    ErrorCode::SystemIoFailure
                    | ErrorCode::CannotOpen
                    | ErrorCode::ReadOnly
                    | ErrorCode::FileLockingProtocolFailed => {
                        Self::Failing(format!("{text}, SQLite code {}", failure.extended_code))
                    }
                    _ => Self::Engine(text),
                }
            }
            _ => Self::Damaged("a column has a value that was never written there"),
        }
    }
}

#[cfg(test)]
mod tests;

//! What a server must remember, as one trait: jobs and handlers know it, and no database.
//!
//! Every method is one transaction. What a method returns is durable: a process that is killed
//! right after an answer finds the same state when it starts again. Time is an argument.

use async_trait::async_trait;
use mpc::{
    ids::{RunId, StudyId, SubmissionId},
    sign::PublicKey,
};
use tokio::sync::watch;
use zeroize::Zeroizing;

mod amendments;
mod charges;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
mod lives;
mod rows;
pub mod sqlite;

pub use amendments::{AmendLimits, AmendOutcome, NewAmendment, Room};
pub use charges::{Charge, Charged};
pub use lives::{Life, Moment, Sighted, Sighting, Start};
pub use rows::{
    Arrival, Counts, Detail, Entry, EntryStatus, Finish, NewStudy, NewSubmission, PublicRow,
    PutLimits, PutOutcome, Stage, StoredSubmission, StudyRow, StudySecrets, StudyState, Summary,
    UnverifiedRow, Verdict,
};

/// Why storage could not do what it was asked to.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StorageError {
    /// No study of this id was ever proposed here.
    #[error("study {0} is not known to this server")]
    UnknownStudy(StudyId),
    /// [`Storage::finish`] was asked to end a study in a state that is not an end.
    #[error("a study cannot end in the state {0}")]
    NotFinal(StudyState),
    /// Another process serves from the same database.
    #[error(
        "{path} is in use by another process: stop it, or give this server its own data directory"
    )]
    InUse {
        /// The lock file.
        path: String,
    },
    /// The database was written by a newer version of the program.
    #[error(
        "{path} has schema version {found}, and this program knows versions up to {known}: \
             start the newer program, or restore the backup from before it was started"
    )]
    NewerSchema {
        /// The database file.
        path: String,
        /// The version found there.
        found: i64,
        /// The newest version that this program understands.
        known: i64,
    },
    /// The file is a database of something else.
    #[error("{path} is not a Sotto database: give this server its own data directory")]
    ForeignFile {
        /// The database file.
        path: String,
    },
    /// The linked SQLite has a known bug that can lose data.
    #[error(
        "SQLite {found} is too old: {needed} or later is needed (earlier ones can corrupt the log)"
    )]
    OldLibrary {
        /// The linked version.
        found: &'static str,
        /// The oldest version that is safe.
        needed: &'static str,
    },
    /// Nothing more can be written.
    #[error(
        "no room is left on the disk of the database: make room (16 MiB or more), and it goes on by itself"
    )]
    Full,
    /// Reading or writing failed, or a word that something is durable.
    #[error(
        "the disk of the database fails ({0}): look into the system's log; it goes on by itself when \
         the disk works again"
    )]
    Failing(String),
    /// The database could not be opened.
    #[error("{path}: {cause}")]
    Unopened {
        /// The database file.
        path: String,
        /// Why.
        cause: Box<StorageError>,
    },
    /// A stored value that cannot have been written by this program.
    #[error("the database is damaged: {0}")]
    Damaged(&'static str),
    /// The database file cannot be reached.
    #[error("{path}: {cause}")]
    Io {
        /// The file.
        path: String,
        /// What the operating system said.
        cause: String,
    },
    /// The database engine failed. The text names statements and files, never values.
    #[error("the database failed: {0}")]
    Engine(String),
    /// The storage was closed.
    #[error("the storage is closed")]
    Closed,
}

impl StorageError {
    /// Whether the disk is the cause: nothing is taken until it works again.
    pub fn is_of_disk(&self) -> bool {
        matches!(self, Self::Full | Self::Failing(_))
    }
}

/// Everything that a server remembers.
///
/// After an error of the disk ([`StorageError::is_of_disk`]) nothing is written, and every method that
/// writes fails at once, until [`Storage::health`] finds that what it writes is durable again.
///
/// Methods that take a study id fail with [`StorageError::UnknownStudy`] when there is no such
/// study, except [`Storage::study`] (which answers `None`) and the compare-and-set methods
/// [`Storage::transition`], [`Storage::open_study`] and [`Storage::finish`] (which answer `false`).
#[async_trait]
pub trait Storage: Send + Sync + 'static {
    /// Stores a new study in the state [`StudyState::Proposed`]. `false`: a study of this id is
    /// stored already, and stays as it is.
    async fn insert_study(&self, study: NewStudy) -> Result<bool, StorageError>;

    /// The study of this id.
    async fn study(&self, id: StudyId) -> Result<Option<StudyRow>, StorageError>;

    /// Up to `limit` studies in the order of their ids, starting behind `after`.
    async fn studies(
        &self,
        after: Option<StudyId>,
        limit: usize,
    ) -> Result<Vec<StudyRow>, StorageError>;

    /// Takes the study to the state `to` if it is in one of `from`. `false`: it is not, and
    /// nothing has changed. `from` may contain `to`: this renews the detail. A study ends with
    /// [`Storage::finish`], which can scrub it.
    async fn transition(
        &self,
        id: StudyId,
        from: &[StudyState],
        to: StudyState,
        detail: Detail,
        now_ms: u64,
    ) -> Result<bool, StorageError>;

    /// Stores the commitments of all servers to their contributions if none are stored yet, and
    /// returns those that are stored now: the first ones ever given.
    async fn fix_setup_commitments(
        &self,
        id: StudyId,
        commitments: &[[u8; 32]],
    ) -> Result<Vec<[u8; 32]>, StorageError>;

    /// Stores the verify key and takes the study from Approved to Open, with an empty detail.
    /// `false`: the study was not Approved, and nothing has changed.
    async fn open_study(
        &self,
        id: StudyId,
        verify_key: [u8; 32],
        now_ms: u64,
    ) -> Result<bool, StorageError>;

    /// Stores a submission. A submission that is stored already answers `Same` or `Conflict`
    /// whatever the study's state and limits are; a new one is held against the state first, then
    /// against the limits.
    async fn put_submission(
        &self,
        study: StudyId,
        submission: NewSubmission,
        limits: PutLimits,
    ) -> Result<PutOutcome, StorageError>;

    /// Stores an amendment. One that is stored already answers `Same` or `Conflict` whatever the
    /// study's state and limits are; a new one is held against the state first, then against the
    /// limits.
    async fn put_amendment(
        &self,
        study: StudyId,
        amendment: NewAmendment,
        limits: AmendLimits,
    ) -> Result<AmendOutcome, StorageError>;

    /// The amendments that [`Storage::put_amendment`] stored, in the order of provider and id. Once
    /// the study is closed they are always the same.
    async fn amendments(&self, study: StudyId) -> Result<Vec<Vec<u8>>, StorageError>;

    /// Stores the amendments that the agreed set is made with, in their order, in place of any
    /// stored so before. They stay when the study has ended.
    async fn fix_amendments(
        &self,
        study: StudyId,
        amendments: Vec<Vec<u8>>,
    ) -> Result<(), StorageError>;

    /// The amendments given to [`Storage::fix_amendments`], in their order: the same at every
    /// server.
    async fn agreed_amendments(&self, study: StudyId) -> Result<Vec<Vec<u8>>, StorageError>;

    /// Up to `limit` submissions that are not verified yet, in the order of their arrival,
    /// starting behind `after`.
    async fn unverified(
        &self,
        study: StudyId,
        after: Option<Arrival>,
        limit: usize,
    ) -> Result<Vec<UnverifiedRow>, StorageError>;

    /// The submissions of these ids, in the order asked for; `None` for one that is not stored.
    async fn submissions(
        &self,
        study: StudyId,
        ids: &[SubmissionId],
    ) -> Result<Vec<Option<StoredSubmission>>, StorageError>;

    /// Stores verdicts and drops the payloads. A submission that has a verdict already, or that
    /// is not stored, is passed over: the first verdict stays. All of them or none; none once the
    /// study has ended, so that no share comes back after a scrub.
    async fn record_verdicts(
        &self,
        study: StudyId,
        verdicts: Vec<(SubmissionId, Verdict)>,
    ) -> Result<(), StorageError>;

    /// Up to `limit` submissions in the order of their ids, starting behind `after`.
    async fn entries(
        &self,
        study: StudyId,
        after: Option<SubmissionId>,
        limit: usize,
    ) -> Result<Vec<Entry>, StorageError>;

    /// The public parts of up to `limit` submissions in the order of their ids, starting behind
    /// `after`; also after a scrub.
    async fn public_parts(
        &self,
        study: StudyId,
        after: Option<SubmissionId>,
        limit: usize,
    ) -> Result<Vec<PublicRow>, StorageError>;

    /// Output shares of accepted submissions, up to `limit`, in the order of the submissions'
    /// ids, starting behind `after`. Nothing after a scrub.
    async fn output_shares(
        &self,
        study: StudyId,
        after: Option<SubmissionId>,
        limit: usize,
    ) -> Result<Vec<(SubmissionId, Zeroizing<Vec<u8>>)>, StorageError>;

    /// Stores the agreed set if none is stored yet, and returns the one that is stored now.
    async fn fix_set(&self, study: StudyId, set: Vec<u8>) -> Result<Vec<u8>, StorageError>;

    /// Stores what this server holds itself and others to under `word`, if nothing is stored there
    /// yet, and returns what is stored now.
    async fn fix_word(
        &self,
        study: StudyId,
        word: u16,
        bytes: Vec<u8>,
    ) -> Result<Vec<u8>, StorageError>;

    /// Charges an opening to the study's privacy budget and stores its noise, and returns that. If
    /// the opening is charged already, nothing is charged, and the noise that was stored then is
    /// returned. Refused, without any change, when the charges would exceed the budget, when the
    /// opening was charged for other coordinates, and once the study has ended.
    async fn charge(&self, study: StudyId, charge: Charge) -> Result<Charged, StorageError>;

    /// Notes that this server takes part in a run. `false`: it did so before, and must not sign
    /// anything in it again.
    async fn begin_run(&self, study: StudyId, run: RunId) -> Result<bool, StorageError>;

    /// Keeps the submissions that the agreed set leaves out, by id, each with the code of its reason.
    /// Those of the first set stay, as the set does.
    async fn fix_rejected(
        &self,
        study: StudyId,
        rejected: Vec<(SubmissionId, u8)>,
    ) -> Result<(), StorageError>;

    /// The submissions given to [`Storage::fix_rejected`]; none: no set is agreed. Kept after a
    /// scrub.
    async fn rejected(
        &self,
        study: StudyId,
    ) -> Result<Option<Vec<(SubmissionId, u8)>>, StorageError>;

    /// The agreed set, if one is fixed. Apart from [`StudyRow`] because it may be large.
    async fn set(&self, study: StudyId) -> Result<Option<Vec<u8>>, StorageError>;

    /// Ends a study that has not ended: state, outcome, transcript, number of rejected submissions
    /// and, if asked for, the scrub of everything secret, in one transaction. `false`: the study is
    /// unknown or ended before, and nothing has changed.
    async fn finish(&self, study: StudyId, finish: Finish) -> Result<bool, StorageError>;

    /// What the study ended in, as given to [`Storage::finish`]. Apart from [`StudyRow`] because
    /// it may be large.
    async fn outcome(&self, study: StudyId) -> Result<Option<Vec<u8>>, StorageError>;

    /// Up to `limit` parts of the transcript of the run that ended the study, each with its number,
    /// starting behind `after`. No parts: the study has not ended, or by no run of this server.
    async fn transcript(
        &self,
        study: StudyId,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Vec<u8>)>, StorageError>;

    /// The study's counters. Cheap: they are maintained, not computed.
    async fn counts(&self, study: StudyId) -> Result<Counts, StorageError>;

    /// How many studies there are, and what waits. Cheap: the operator's metrics ask for it.
    async fn summary(&self) -> Result<Summary, StorageError>;

    /// How far this database has come: its age rises with every transaction that changes it, and
    /// every opening is a start.
    async fn life(&self) -> Result<Life, StorageError>;

    /// Notes how far a peer's database was seen to have come, unless its `life` does not remember what
    /// was seen of it before, and returns what is noted now.
    async fn sight(&self, sighting: Sighting, life: Life) -> Result<Sighted, StorageError>;

    /// The furthest that each database of `peer` was seen: of the last 16 that it had.
    async fn sightings(&self, peer: PublicKey) -> Result<Vec<Sighting>, StorageError>;

    /// Why nothing is written at the moment, now and whenever that changes.
    fn failure(&self) -> watch::Receiver<Option<StorageError>> {
        watch::channel(None).1
    }

    /// Whether reading and writing work. Writes, and opens the database again after an error.
    async fn health(&self) -> Result<(), StorageError>;

    /// Finishes what was asked for before, and closes the storage. Later calls of other methods
    /// fail with [`StorageError::Closed`]; a second close does nothing.
    async fn close(&self);
}

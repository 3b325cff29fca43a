//! The one place where a server's errors become gRPC statuses.
//!
//! A stranger gets a code, a sentence without values, and where it helps a machine-readable reason
//! or a pause after which to try again. The log gets the detail.

use std::time::Duration;

use mpc::{collect::CollectError, sign::BadSignature, wire::WireError};
use proto::convert::FieldError;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::{
    catalog::CatalogError,
    limits::Refused,
    lives::LifeError,
    metrics::Word,
    node::{Ailment, Node},
    storage::{StorageError, StudyState},
};

/// What strangers are told while nothing can be written; where and why is in the operator's log.
const FULL: &str =
    "the server's disk is full, and nothing was stored: it goes on when its operator has made room";
const FAILING: &str =
    "the server's disk fails, and nothing was stored: it goes on when the disk works again";
/// When to try again then.
const RECOVERY: Duration = Duration::from_secs(2);

/// Why a call was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// A field of the wrong length.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A field that is out of range.
    #[error("{0}")]
    Invalid(&'static str),
    /// A public part that cannot be decoded.
    #[error("public part: {0}")]
    PublicPart(#[from] WireError),
    /// An amendment that cannot be decoded.
    #[error("amendment: {0}")]
    Amendment(#[source] WireError),
    /// An upload that fails a check at the door.
    #[error(transparent)]
    Upload(#[from] CollectError),
    /// A study that cannot run here.
    #[error(transparent)]
    Study(#[from] CatalogError),
    /// The study is not known here.
    #[error(
        "this server does not know the study: check the id, and that the study was created with these servers"
    )]
    UnknownStudy,
    /// The call is not for a study in this state.
    #[error("{call} is not possible: the study is {state}")]
    State {
        /// What was asked for.
        call: &'static str,
        /// The study's state.
        state: StudyState,
    },
    /// The study ended here by another server's word.
    #[error(
        "this server was told of the study's end and did not take part in the run that ended it: ask another one"
    )]
    NoTranscript,
    /// There is no result.
    #[error("nothing was published, so nothing is counted")]
    Unpublished,
    /// The same submission id with other bytes.
    #[error("another submission has this id: nothing was changed")]
    Conflict,
    /// A second submission where each provider submits once.
    #[error(
        "this provider has submitted to the study, and unit = \"provider\" takes one submission of each: to correct it, replace it (sotto submit --replace RECEIPTS), or withdraw it and submit again"
    )]
    SecondOfProvider,
    /// Several records where each provider submits one.
    #[error("unit = \"provider\" takes one record of each provider: submit one record")]
    OneRecordPerProvider,
    /// The study holds as many records as it may.
    #[error("the study holds as many records as its max_records allows")]
    RecordsExhausted,
    /// The study holds as many submissions as a server keeps.
    #[error(
        "the study holds a million submissions, and no more are kept: submit more records in each"
    )]
    SubmissionsExhausted,
    /// The same amendment id with other bytes.
    #[error("another amendment has this id: nothing was changed")]
    AmendmentConflict,
    /// The provider has amended as often as it may.
    #[error(
        "this provider has changed its submissions to the study as often as it may: nothing was changed"
    )]
    AmendmentsOfProvider,
    /// The study holds as many amendments as a server keeps.
    #[error("the study holds as many changes of submissions as are kept: nothing was changed")]
    AmendmentsExhausted,
    /// Too much at once.
    #[error("the server is busy: {what}")]
    Busy {
        /// What is exhausted.
        what: &'static str,
        /// When to try again.
        retry: Duration,
    },
    /// Faster than one address may be, or more than the server works on at once.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A signature that does not verify.
    #[error(transparent)]
    Signature(#[from] BadSignature),
    /// A key that this server does not list.
    #[error("{0}")]
    NotAuthorised(&'static str),
    /// The caller is not a server of the roster, or not the one that this call is for.
    #[error("{0}")]
    NotAPeer(&'static str),
    /// This server cannot send to another server of the study.
    #[error("no link from here to {peer}: {reason}")]
    NoLink {
        /// The other server.
        peer: String,
        /// Why.
        reason: String,
    },
    /// The peer does not fit this server.
    #[error("{0}")]
    Greeting(String),
    /// A word about a database that does not hold.
    #[error("{0}")]
    Life(String),
    /// This server's database is an old backup.
    #[error(
        "the server was started with an old copy of its database, and takes nothing in: its operator has to restore the newest one"
    )]
    Behind,
    /// The server is stopping.
    #[error("the server is stopping: try again when it is back")]
    Stopping,
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<LifeError> for RpcError {
    fn from(error: LifeError) -> Self {
        match error {
            LifeError::Storage(error) => Self::Storage(error),
            error => Self::Life(error.to_string()),
        }
    }
}

impl From<Ailment> for RpcError {
    fn from(ailment: Ailment) -> Self {
        match ailment {
            Ailment::Storage(error) => Self::Storage(error),
            Ailment::Behind(_) => Self::Behind,
        }
    }
}

impl Node {
    /// Refuses a call that would store something, while nothing can be stored or must be.
    pub(super) fn require_health(&self) -> Result<(), RpcError> {
        self.ailment().map_or(Ok(()), |ailment| Err(ailment.into()))
    }
}

impl RpcError {
    /// A call for peers by somebody who is none.
    pub const STRANGER: Self = Self::NotAPeer("only servers of the roster may call this");

    /// The reason's name in metrics.
    pub fn word(&self) -> Word {
        match self {
            Self::Upload(CollectError::Opening) => "commitment",
            Self::Upload(CollectError::PayloadHash) => "payload_hash",
            Self::Field(_)
            | Self::Invalid(_)
            | Self::PublicPart(_)
            | Self::Amendment(_)
            | Self::Upload(_)
            | Self::Study(_) => "malformed",
            Self::UnknownStudy => "unknown_study",
            Self::State { .. } | Self::NoTranscript | Self::Unpublished => "study_state",
            Self::Conflict | Self::AmendmentConflict => "conflict",
            Self::SecondOfProvider | Self::OneRecordPerProvider => "one_per_provider",
            Self::RecordsExhausted => "records_exhausted",
            Self::SubmissionsExhausted => "submissions_exhausted",
            Self::AmendmentsOfProvider | Self::AmendmentsExhausted => "amendments_exhausted",
            Self::Busy { .. } => "backlog",
            Self::Refused(refused) => refused.word(),
            Self::Signature(_) => "signature",
            Self::NotAuthorised(_) | Self::NotAPeer(_) => "not_authorised",
            Self::NoLink { .. } | Self::Greeting(_) | Self::Life(_) => "peer",
            Self::Behind => "old_backup",
            Self::Stopping | Self::Storage(StorageError::Closed) => "stopping",
            Self::Storage(_) => "storage",
        }
    }
}

impl From<RpcError> for Status {
    fn from(error: RpcError) -> Self {
        let text = error.to_string();
        match error {
            RpcError::Field(_)
            | RpcError::Invalid(_)
            | RpcError::PublicPart(_)
            | RpcError::Amendment(_)
            | RpcError::Upload(_)
            | RpcError::Study(_) => Self::invalid_argument(text),
            RpcError::UnknownStudy => Self::not_found(text),
            RpcError::State { state, .. } => {
                with_reason(Code::FailedPrecondition, &text, &format!("STUDY_{state}"))
            }
            RpcError::NoTranscript => with_reason(Code::FailedPrecondition, &text, "NO_TRANSCRIPT"),
            RpcError::SecondOfProvider | RpcError::OneRecordPerProvider => {
                with_reason(Code::FailedPrecondition, &text, "ONE_RECORD_PER_PROVIDER")
            }
            RpcError::RecordsExhausted => {
                with_reason(Code::FailedPrecondition, &text, "RECORDS_EXHAUSTED")
            }
            RpcError::SubmissionsExhausted => {
                with_reason(Code::FailedPrecondition, &text, "SUBMISSIONS_EXHAUSTED")
            }
            RpcError::AmendmentsOfProvider | RpcError::AmendmentsExhausted => {
                with_reason(Code::FailedPrecondition, &text, "AMENDMENTS_EXHAUSTED")
            }
            RpcError::Behind => with_reason(Code::FailedPrecondition, &text, "OLD_BACKUP"),
            RpcError::Greeting(_)
            | RpcError::Life(_)
            | RpcError::NoLink { .. }
            | RpcError::Unpublished => Self::failed_precondition(text),
            RpcError::Conflict | RpcError::AmendmentConflict => Self::already_exists(text),
            RpcError::Busy { retry, .. } => exhausted(&text, retry),
            RpcError::Refused(refused) => exhausted(&text, refused.retry_after()),
            RpcError::Signature(_) => Self::unauthenticated(text),
            RpcError::NotAuthorised(_) | RpcError::NotAPeer(_) => Self::permission_denied(text),
            RpcError::Stopping => Self::unavailable(text),
            RpcError::Storage(StorageError::Closed) => Self::unavailable("the server is stopping"),
            RpcError::Storage(error) if error.is_of_disk() => {
                let (code, text) = match error {
                    StorageError::Full => (Code::ResourceExhausted, FULL),
                    _ => (Code::Unavailable, FAILING),
                };
                let details = ErrorDetails::with_retry_info(Some(RECOVERY));
                Self::with_error_details(code, text, details)
            }
            RpcError::Storage(StorageError::UnknownStudy(_)) => Self::from(RpcError::UnknownStudy),
            RpcError::Storage(error) => {
                tracing::error!(%error, "storage");
                Self::internal(
                    "the server's storage failed; its operator finds the cause in the log",
                )
            }
        }
    }
}

fn exhausted(text: &str, retry: Duration) -> Status {
    let details = ErrorDetails::with_retry_info(Some(retry));
    Status::with_error_details(Code::ResourceExhausted, text, details)
}

fn with_reason(code: Code, text: &str, reason: &str) -> Status {
    let reason = reason.to_uppercase();
    let details = ErrorDetails::with_error_info(reason, "sotto", std::collections::HashMap::new());
    Status::with_error_details(code, text, details)
}

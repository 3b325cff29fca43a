//! The rows that storage takes and gives: studies, submissions, verdicts and counters.

use std::fmt;

use mpc::ids::{AmendmentId, PublicHash, StudyId, SubmissionId};
use mpc::publish::MAX_AMENDMENTS_OF_PROVIDER;
use mpc::sign::{PublicKey, Signature};
use zeroize::Zeroizing;

/// Where a study is in its life at this server. The numbers are those of the wire and of the
/// database, and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum StudyState {
    /// Waits for this server's operator.
    Proposed = 1,
    /// Approved here; waits for the other servers and the joint key.
    Approved = 2,
    /// Takes submissions.
    Open = 3,
    /// Takes no more submissions; the result is being computed.
    Closing = 4,
    /// The result is published.
    Published = 5,
    /// A rule of the study forbids a result. Nothing was opened.
    Refused = 6,
    /// A server broke the protocol. Nothing was published.
    Aborted = 7,
    /// The analyst or an operator gave the study up.
    Cancelled = 8,
}

impl StudyState {
    /// Every state, in the order of a study's life.
    pub const ALL: [Self; 8] = [
        Self::Proposed,
        Self::Approved,
        Self::Open,
        Self::Closing,
        Self::Published,
        Self::Refused,
        Self::Aborted,
        Self::Cancelled,
    ];

    /// The state's number on the wire and in the database.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The state of a number.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// The state's name, as people and scripts see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Approved => "approved",
            Self::Open => "open",
            Self::Closing => "closing",
            Self::Published => "published",
            Self::Refused => "refused",
            Self::Aborted => "aborted",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether no other state can follow.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Published | Self::Refused | Self::Aborted | Self::Cancelled)
    }
}

impl fmt::Display for StudyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a study is where it is, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Detail {
    /// One sentence: who is waited for, which rule, which culprit. Never a value.
    pub text: String,
    /// Names of the servers that the sentence is about.
    pub servers: Vec<String>,
}

/// What a server keeps to itself about a study until the study ends.
#[derive(Clone, PartialEq, Eq)]
pub struct StudySecrets {
    /// This server's contribution to the joint verify key.
    pub contribution: Zeroizing<[u8; 32]>,
    /// The seed of the salts of this server's openings.
    pub salt_seed: Zeroizing<[u8; 32]>,
    /// The joint verify key, once all servers have contributed.
    pub verify_key: Option<Zeroizing<[u8; 32]>>,
}

impl fmt::Debug for StudySecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StudySecrets(redacted)")
    }
}

/// A study as it is proposed.
#[derive(Debug, Clone)]
pub struct NewStudy {
    /// The hash of `bytes`.
    pub id: StudyId,
    /// The study's canonical encoding.
    pub bytes: Vec<u8>,
    /// The analyst's signature over the proposal.
    pub signature: Signature,
    /// What the study waits for.
    pub detail: Detail,
    /// Drawn by this server for this study.
    pub secrets: StudySecrets,
    /// When it was proposed, milliseconds since 1970.
    pub now_ms: u64,
}

/// A stored study.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StudyRow {
    /// The hash of `bytes`.
    pub id: StudyId,
    /// The study's canonical encoding.
    pub bytes: Vec<u8>,
    /// The analyst's signature over the proposal.
    pub signature: Signature,
    /// Where the study is in its life.
    pub state: StudyState,
    /// Why it is there.
    pub detail: Detail,
    /// `None` after a scrub.
    pub secrets: Option<StudySecrets>,
    /// All servers' commitments to their contributions, in the order of the study's servers.
    pub setup_commitments: Option<Vec<[u8; 32]>>,
    /// Whether the agreed set is fixed; [`super::Storage::set`] reads it.
    pub has_set: bool,
    /// When the study was proposed, milliseconds since 1970.
    pub created_ms: u64,
    /// When its state or detail changed last, milliseconds since 1970.
    pub updated_ms: u64,
}

/// A submission that passed every check at the door.
#[derive(Clone, PartialEq, Eq)]
pub struct NewSubmission {
    /// The provider's id for it.
    pub id: SubmissionId,
    /// The public part, the same at every server.
    pub public: Vec<u8>,
    /// The hash of `public`. It covers every server's payload, so equal hashes mean equal
    /// submissions.
    pub public_hash: PublicHash,
    /// How many records it holds.
    pub records: u32,
    /// Who submits.
    pub provider: PublicKey,
    /// The amendment that it is a part of.
    pub amendment: Option<AmendmentId>,
    /// This server's share.
    pub payload: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for NewSubmission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSubmission")
            .field("id", &self.id)
            .field("public_hash", &self.public_hash)
            .field("records", &self.records)
            .field("provider", &self.provider)
            .field("amendment", &self.amendment)
            .finish_non_exhaustive()
    }
}

/// How much a study may hold at this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PutLimits {
    /// Submissions, whatever became of them.
    pub max_submissions: u64,
    /// Records of the submissions that were accepted, with the new one. Those that are part of an
    /// amendment are counted apart from the others: they take nobody's place, and what they replace
    /// keeps its own until the agreement. What was withdrawn does not count, nor does a replacement
    /// that was replaced.
    pub max_records: u64,
    /// Submissions that wait for their verification.
    pub max_unverified: u64,
    /// Whether a provider may submit only while no other submission of it is stored, rejected and
    /// withdrawn ones aside. Of those that are part of an amendment it may send
    /// [`PutLimits::AMENDED_OF_PROVIDER`].
    pub one_per_provider: bool,
}

impl PutLimits {
    /// The most submissions of one provider that are part of amendments, where each submits once: as
    /// many as it may send amendments.
    pub const AMENDED_OF_PROVIDER: u64 = MAX_AMENDMENTS_OF_PROVIDER as u64;
}

/// What became of a submission at the door of the storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutOutcome {
    /// It is stored now.
    Stored,
    /// The very same submission was stored before.
    Same,
    /// Another submission of the same id was stored before, and stays.
    Conflict,
    /// The study takes no submissions in this state.
    NotOpen(StudyState),
    /// The provider has another submission, and the study takes one of each.
    SecondOfProvider,
    /// The provider has sent as many submissions for its amendments as it may.
    AmendedExhausted,
    /// The study would hold more records than it may.
    RecordsExhausted,
    /// The study holds as many submissions as it may.
    SubmissionsExhausted,
    /// Too many submissions wait for their verification: try again later.
    Backlog,
}

/// A submission's place in the order of arrival at this server, over all studies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arrival(pub u64);

/// A submission that waits for its verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnverifiedRow {
    /// The cursor for the next page.
    pub arrival: Arrival,
    /// The submission.
    pub id: SubmissionId,
    /// How many records it holds.
    pub records: u32,
    /// Bytes of this server's share.
    pub payload_len: u64,
}

/// A stored submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSubmission {
    /// The public part, the same at every server.
    pub public: Vec<u8>,
    /// The hash of `public`.
    pub public_hash: PublicHash,
    /// How many records it holds.
    pub records: u32,
    /// How far its verification is.
    pub stage: Stage,
}

/// How far a submission's verification is. The byte strings are empty after a scrub.
#[derive(Clone, PartialEq, Eq)]
pub enum Stage {
    /// Not verified.
    Unverified {
        /// This server's share.
        payload: Zeroizing<Vec<u8>>,
    },
    /// Verified, and valid.
    Accepted {
        /// What this server sent to the others, for one that missed it.
        verifier_share: Vec<u8>,
    },
    /// Verified, and not valid.
    Rejected {
        /// Why: a code of the caller's.
        reason: u8,
        /// What this server sent to the others, for one that missed it.
        verifier_share: Vec<u8>,
    },
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unverified { .. } => f.write_str("Unverified"),
            Self::Accepted { .. } => f.write_str("Accepted"),
            Self::Rejected { reason, .. } => write!(f, "Rejected({reason})"),
        }
    }
}

/// What the servers decided about a submission.
#[derive(Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is valid.
    Accepted {
        /// This server's share of its encoding.
        output_share: Zeroizing<Vec<u8>>,
        /// What this server sent to the others.
        verifier_share: Vec<u8>,
    },
    /// It is not valid.
    Rejected {
        /// Why: a code of the caller's.
        reason: u8,
        /// What this server sent to the others.
        verifier_share: Vec<u8>,
    },
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted { .. } => f.write_str("Accepted"),
            Self::Rejected { reason, .. } => write!(f, "Rejected({reason})"),
        }
    }
}

/// One line of a study's list of submissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The submission.
    pub id: SubmissionId,
    /// The hash of its public part.
    pub public_hash: PublicHash,
    /// How many records it holds.
    pub records: u32,
    /// Who submitted it.
    pub provider: PublicKey,
    /// The amendment that it is a part of.
    pub amendment: Option<AmendmentId>,
    /// How far its verification is.
    pub status: EntryStatus,
}

/// What is public of one submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicRow {
    /// The submission.
    pub id: SubmissionId,
    /// Its public part, as it was received.
    pub public: Vec<u8>,
    /// How far its verification is.
    pub status: EntryStatus,
}

/// A submission's place in a study's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryStatus {
    /// Not verified.
    Unverified,
    /// Verified, and valid.
    Accepted,
    /// Verified, and not valid, for the reason of this code.
    Rejected(u8),
}

/// How a study ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finish {
    /// The final state.
    pub to: StudyState,
    /// Why, for people.
    pub detail: Detail,
    /// The outcome's encoding, for everybody who asks.
    pub outcome: Vec<u8>,
    /// What was said in the run that ended it, in parts, for everybody who audits; kept after a
    /// scrub.
    pub transcript: Vec<Vec<u8>>,
    /// How many submissions are not in the result; replaces the counter.
    pub rejected: u64,
    /// Whether to remove payloads, output shares, verifier shares, noise and the study's secrets.
    /// Ids, hashes, numbers of records, public parts and charges stay.
    pub scrub: bool,
    /// When, milliseconds since 1970.
    pub now_ms: u64,
}

/// What a server holds in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Studies in each state, in the order of [`StudyState::ALL`].
    pub studies: [u64; StudyState::ALL.len()],
    /// Submissions that wait for their verification, of studies that have not ended.
    pub unverified: u64,
}

/// A study's counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Submissions stored.
    pub submissions: u64,
    /// Records of all submissions stored, rejected ones included.
    pub records: u64,
    /// Submissions that have a verdict, of either kind.
    pub verified: u64,
    /// Submissions that were rejected.
    pub rejected: u64,
    /// Records of the submissions that were accepted.
    pub accepted_records: u64,
    /// Bytes of shares received.
    pub share_bytes: u64,
    /// What openings were charged to the study's privacy budget.
    pub charged: u64,
}

impl Counts {
    /// Submissions that wait for their verification.
    pub fn unverified(&self) -> u64 {
        self.submissions.saturating_sub(self.verified)
    }
}

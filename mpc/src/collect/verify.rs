//! Verification of a batch: one round in which every server broadcasts its verifier shares.

use std::{fmt, sync::Arc};

use zeroize::Zeroizing;

use super::{Collect, Prepared};
use crate::{
    ids::{Party, PublicHash, SubmissionId},
    mesh::Mesh,
    sign::PublicKey,
    transcript::{
        Message, Place, Step, Transcript, TranscriptError,
        replay::{Replay, Stop},
    },
    wire::{Reader, WireError, put_prefixed},
};

/// What one server holds of one submission of the batch.
pub enum Item {
    /// Nothing: the provider has not reached this server.
    Missing,
    /// An unverified share.
    Fresh {
        /// Hash of the public part that this server received.
        public: PublicHash,
        /// Number of records.
        records: u32,
        /// This server's verifier share and state.
        prepared: Box<Prepared>,
    },
    /// A submission on which this server decided in an earlier run; its message is repeated for
    /// peers who did not store the outcome.
    Decided {
        /// Hash of the public part that this server received.
        public: PublicHash,
        /// The verifier share that was sent before.
        verifier_share: Vec<u8>,
    },
}

/// Why a submission is not counted. The codes are stored and signed: never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Reason {
    /// The proof does not hold: a record is invalid, or the shares do not fit together.
    InvalidProof = 1,
    /// The servers received different public parts under one id.
    PublicPartsDiffer = 2,
    /// Not all servers received it before the close.
    Incomplete = 3,
    /// The study holds as many records as its max_records allows without it.
    RecordsExhausted = 4,
    /// The study counts one submission of each provider, and another one of the same provider
    /// counts.
    SecondOfProvider = 5,
    /// Its provider withdrew it.
    Withdrawn = 6,
    /// Its provider replaced it, and the replacement is valid.
    Replaced = 7,
    /// It is part of an amendment that does not hold: some of it is missing or not valid, nobody
    /// received it, or a later one superseded it.
    NotAmended = 8,
}

impl Reason {
    /// The reason of a code.
    pub fn from_code(code: u8) -> Option<Self> {
        let all = [
            Self::InvalidProof,
            Self::PublicPartsDiffer,
            Self::Incomplete,
            Self::RecordsExhausted,
            Self::SecondOfProvider,
            Self::Withdrawn,
            Self::Replaced,
            Self::NotAmended,
        ];
        all.into_iter().find(|reason| *reason as u8 == code)
    }

    /// Whether all servers hold a submission, and the same one, when this is why it does not count.
    pub fn is_of_all_servers(self) -> bool {
        !matches!(self, Self::PublicPartsDiffer | Self::Incomplete)
    }

    /// One line for people.
    pub fn describe(self) -> &'static str {
        match self {
            Self::InvalidProof => "the proof of validity does not hold",
            Self::PublicPartsDiffer => "servers received different versions of it",
            Self::Incomplete => "not all servers received it before the study closed",
            Self::RecordsExhausted => "the study holds as many records as it may without it",
            Self::SecondOfProvider => "another submission of the same provider counts",
            Self::Withdrawn => "its provider withdrew it",
            Self::Replaced => "its provider replaced it",
            Self::NotAmended => {
                "its amendment is missing, incomplete or superseded, so it does not count"
            }
        }
    }
}

/// What a server learns about one submission of the batch. Shares are redacted in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Some server does not hold it yet; it stays unverified.
    Deferred,
    /// Valid: store the output share in place of the payload.
    Accepted {
        /// This server's share of the submission's contribution to the totals, behind the blinding
        /// of the commitment to it: see [`Collect::decode_output_share`].
        output_share: Zeroizing<Vec<u8>>,
        /// What this server sent, for a repeated run.
        verifier_share: Vec<u8>,
    },
    /// Not valid, for all servers alike.
    Rejected {
        /// Why.
        reason: Reason,
        /// What this server sent, for a repeated run.
        verifier_share: Vec<u8>,
    },
    /// Decided in an earlier run.
    Known,
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deferred => f.write_str("Deferred"),
            Self::Accepted { .. } => f.write_str("Accepted"),
            Self::Rejected { reason, .. } => write!(f, "Rejected({reason:?})"),
            Self::Known => f.write_str("Known"),
        }
    }
}

/// Runs the verification of one batch; every server calls it with the same submissions in the
/// same order. Returns one verdict per item.
pub async fn verify<M: Mesh>(
    transcript: &mut Transcript<'_>,
    mesh: &mut M,
    collect: &Collect,
    items: Vec<Item>,
) -> Result<Vec<Verdict>, TranscriptError> {
    let received = transcript.round(mesh, Step::Verify, encode(&items)).await?;
    let columns = columns(&received, items.len())?;
    let mut verdicts = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let shares: Vec<Option<(PublicHash, &[u8])>> =
            columns.iter().map(|column| column[index]).collect();
        verdicts.push(decide(collect, item, &shares)?);
    }
    Ok(verdicts)
}

fn decide(
    collect: &Collect,
    item: Item,
    shares: &[Option<(PublicHash, &[u8])>],
) -> Result<Verdict, TranscriptError> {
    let Item::Fresh { public, records, prepared } = item else {
        return Ok(match item {
            Item::Decided { .. } => Verdict::Known,
            _ => Verdict::Deferred,
        });
    };
    let Some(shares) = shares.iter().copied().collect::<Option<Vec<_>>>() else {
        return Ok(Verdict::Deferred);
    };
    let Prepared { state, blinding, verifier_share } = *prepared;
    if shares.iter().any(|(hash, _)| *hash != public) {
        return Ok(Verdict::Rejected { reason: Reason::PublicPartsDiffer, verifier_share });
    }
    let shares: Vec<&[u8]> = shares.into_iter().map(|(_, share)| share).collect();
    Ok(match collect.finish(records, state, &blinding, &shares).map_err(broken)? {
        Some(output_share) => Verdict::Accepted { output_share, verifier_share },
        None => Verdict::Rejected { reason: Reason::InvalidProof, verifier_share },
    })
}

/// Why the recording of a verification does not stand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyFault {
    /// A server broke the protocol, as the servers found then.
    #[error(transparent)]
    Server(#[from] TranscriptError),
    /// Whoever gave out the recording changed it.
    #[error("the recording is damaged or false: {0}")]
    Recording(&'static str),
}

impl From<Stop> for VerifyFault {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Broken(error) => Self::Server(error),
            Stop::False(what) => Self::Recording(what),
        }
    }
}

/// How many records a submission has, by its public part of that hash; none: that is not known here.
pub type Records<'a> = dyn Fn(&SubmissionId, &PublicHash) -> Option<u32> + 'a;

/// Follows the recording of the verification of these submissions. Whether proofs hold is not seen
/// from outside; messages that are none are. How long a message must be follows from the public
/// part whose hash all servers signed in it, so `records` must know it by that hash alone.
pub fn replay(
    collect: &Collect,
    place: Place,
    keys: &[PublicKey],
    submissions: &[SubmissionId],
    records: &Records<'_>,
    rounds: &[Vec<Message>],
) -> Result<(), VerifyFault> {
    let mut replay = Replay::new(place, keys, rounds);
    let Some(received) = replay.round(Step::Verify)? else { return Ok(replay.end()?) };
    let columns = columns(&received, submissions.len())?;
    for (index, submission) in submissions.iter().enumerate() {
        // A column has a place per submission, and there is a column per server.
        let shares: Option<Vec<(PublicHash, &[u8])>> =
            columns.iter().map(|column| column[index]).collect();
        let Some(shares) = shares else { continue };
        let [(public, _), others @ ..] = &shares[..] else { continue };
        if others.iter().any(|(other, _)| other != public) {
            continue;
        }
        // Servers take nothing of more records than that.
        let allowed = |records: &u32| (1..=collect.max_records()).contains(records);
        let Some(records) = records(submission, public).filter(allowed) else { continue };
        for (party, (_, share)) in (0..).map(Party).zip(&shares) {
            if !collect.is_verifier_share(records, share) {
                return Err(broken(party).into());
            }
        }
    }
    Ok(replay.end()?)
}

/// What each server says of each submission.
fn columns(received: &[Arc<[u8]>], items: usize) -> Result<Vec<Column<'_>>, TranscriptError> {
    let column = |(party, message): (Party, _)| decode(message, items).map_err(|_| broken(party));
    (0..).map(Party).zip(received.iter().map(|message| &message[..])).map(column).collect()
}

fn broken(party: Party) -> TranscriptError {
    TranscriptError::Malformed { party, step: Step::Verify }
}

/// Bytes of a message about one submission whose verifier share has this length.
pub(super) fn message_len(verifier_share: usize) -> usize {
    1 + 32 + 4 + verifier_share
}

/// Per item: 0, or 1 ‖ public hash (32) ‖ length (4) ‖ verifier share.
pub(super) fn encode(items: &[Item]) -> Vec<u8> {
    let mut out = Vec::new();
    for item in items {
        let (public, share) = match item {
            Item::Missing => {
                out.push(0);
                continue;
            }
            Item::Fresh { public, prepared, .. } => (public, &prepared.verifier_share),
            Item::Decided { public, verifier_share } => (public, verifier_share),
        };
        out.push(1);
        out.extend_from_slice(&public.0);
        put_prefixed(&mut out, share);
    }
    out
}

type Column<'a> = Vec<Option<(PublicHash, &'a [u8])>>;

fn decode(message: &[u8], items: usize) -> Result<Column<'_>, WireError> {
    let mut reader = Reader::new(message);
    let mut column = Vec::with_capacity(items);
    for _ in 0..items {
        column.push(match reader.u8()? {
            0 => None,
            1 => {
                let public = PublicHash(reader.array()?);
                Some((public, reader.prefixed(message.len(), "verifier share")?))
            }
            _ => return Err(WireError::Range("tag")),
        });
    }
    reader.finish()?;
    Ok(column)
}

//! Agreement on the set: Merkle roots, and lists where the roots differ.

use std::collections::{BTreeMap, HashSet};

use super::{PublishError, Rejections, SignedSet};
use crate::{
    collect::Reason,
    dst,
    ids::{Party, PublicHash, SubmissionId},
    merkle,
    mesh::Mesh,
    sign::PublicKey,
    transcript::{Step, Transcript, TranscriptError},
    wire::{Reader, WireError},
};

/// What a server knows of one submission at the close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The submission.
    pub submission: SubmissionId,
    /// Hash of the public part that this server received.
    pub public: PublicHash,
    /// Number of records.
    pub records: u32,
    /// What became of it here.
    pub status: Status,
    /// Who submitted it, where a study counts one submission of each provider; none: it counts
    /// them all. Never sent: it is part of what `public` is the hash of.
    pub provider: Option<PublicKey>,
}

/// What became of a submission at one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Stored, but some other server did not have it.
    Unverified,
    /// Verified and accepted.
    Accepted,
    /// Verified and rejected.
    Rejected(Reason),
}

/// The set of submissions that a result is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreedSet {
    /// Merkle root over the sorted (submission id, public hash, records).
    pub root: [u8; 32],
    /// Number of submissions in the set.
    pub submissions: u64,
    /// Number of records in the set.
    pub records: u64,
    /// Every other submission that any server holds, sorted by id, with the reason.
    pub rejected: Rejections,
    /// Submissions that this server accepted but that are not in the set, sorted.
    pub dropped: Vec<SubmissionId>,
}

/// What the servers' lists give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// The set, as far as it is decided.
    pub set: AgreedSet,
    /// Submissions that all servers hold alike but not all have a verdict on, sorted: they must be
    /// verified, and the agreement repeated, before the set is confirmed.
    pub pending: Vec<SubmissionId>,
}

impl AgreedSet {
    /// What is signed of it.
    pub fn signed(&self) -> SignedSet {
        SignedSet {
            root: self.root,
            submissions: self.submissions,
            records: self.records,
            rejected: self.rejected.len() as u64,
            rejected_hash: rejections_hash(&self.rejected),
        }
    }

    /// What is signed and stored: [`SignedSet::encode`].
    pub fn digest(&self) -> Vec<u8> {
        self.signed().encode()
    }
}

/// Hash over a sorted list of rejected submissions.
pub(super) fn rejections_hash(rejected: &Rejections) -> [u8; 32] {
    let mut hasher = dst::Hasher::new(dst::PUBLISH_REJECTED);
    for (submission, reason) in rejected {
        hasher.part(&submission.0);
        hasher.part(&[*reason as u8]);
    }
    hasher.finish()
}

pub(super) async fn agree<M: Mesh>(
    transcript: &mut Transcript<'_>,
    mesh: &mut M,
    entries: &[Entry],
    max_records: u64,
) -> Result<Agreement, PublishError> {
    let roots = transcript.round(mesh, Step::Roots, summary(entries)).await?;
    if roots.iter().all(|root| *root == roots[0]) {
        // One list stands for k equal ones.
        return Ok(combine(entries, &[entries], max_records));
    }
    let messages = transcript.round(mesh, Step::Lists, encode(entries)).await?;
    let mut lists = Vec::with_capacity(messages.len());
    for ((party, message), root) in (0..).map(Party).zip(&messages).zip(&roots) {
        let list =
            decode(message).map_err(|_| TranscriptError::Malformed { party, step: Step::Lists })?;
        if summary(&list)[..] != **root {
            return Err(PublishError::ListMismatch { party });
        }
        lists.push(list);
    }
    let lists: Vec<&[Entry]> = lists.iter().map(Vec::as_slice).collect();
    Ok(combine(entries, &lists, max_records))
}

pub(super) async fn confirm<M: Mesh>(
    transcript: &mut Transcript<'_>,
    mesh: &mut M,
    set: &AgreedSet,
) -> Result<(), PublishError> {
    let mine = set.digest();
    let digests = transcript.round(mesh, Step::Set, mine.clone()).await?;
    // The lists are the same for all (the transcript is), so another set is a false one.
    match (0..).map(Party).zip(&digests).find(|(_, digest)| ***digest != mine) {
        Some((party, _)) => Err(PublishError::SetMismatch { party }),
        None => Ok(()),
    }
}

/// Root and number of the accepted entries, hash and number of the others.
fn summary(entries: &[Entry]) -> Vec<u8> {
    let accepted = || entries.iter().filter(|entry| entry.status == Status::Accepted);
    let others: Vec<Entry> =
        entries.iter().filter(|entry| entry.status != Status::Accepted).copied().collect();
    let mut out = merkle::root(accepted().map(Entry::leaf)).to_vec();
    out.extend_from_slice(&(accepted().count() as u64).to_be_bytes());
    out.extend_from_slice(&dst::hash(dst::PUBLISH_REJECTED, &[&encode(&others)]));
    out.extend_from_slice(&(others.len() as u64).to_be_bytes());
    out
}

/// The leaf of one submission in the tree of the set.
pub(super) fn leaf(submission: SubmissionId, public: PublicHash, records: u32) -> [u8; 32] {
    merkle::leaf(&submission, &public, records)
}

impl Entry {
    fn leaf(&self) -> [u8; 32] {
        leaf(self.submission, self.public, self.records)
    }
}

/// The set that follows from all servers' lists, or from one that stands for all. Where more
/// records were accepted than the study may hold, the first submissions by id count; where each
/// provider counts once, the first of each by id.
fn combine(mine: &[Entry], lists: &[&[Entry]], max_records: u64) -> Agreement {
    let mut by_id: BTreeMap<SubmissionId, Vec<&Entry>> = BTreeMap::new();
    for entry in lists.iter().copied().flatten() {
        by_id.entry(entry.submission).or_default().push(entry);
    }
    let (mut submissions, mut records): (u64, u64) = (0, 0);
    let (mut leaves, mut rejected, mut pending) = (Vec::new(), Vec::new(), Vec::new());
    let mut counted = HashSet::new();
    for (submission, held) in &by_id {
        match fate(held, lists.len()) {
            Fate::Counted if records + u64::from(held[0].records) > max_records => {
                rejected.push((*submission, Reason::RecordsExhausted));
            }
            Fate::Counted if provider(mine, submission).is_some_and(|key| !counted.insert(key)) => {
                rejected.push((*submission, Reason::SecondOfProvider));
            }
            Fate::Counted => {
                submissions += 1;
                records += u64::from(held[0].records);
                leaves.push(held[0].leaf());
            }
            Fate::Pending => pending.push(*submission),
            Fate::Rejected(reason) => rejected.push((*submission, reason)),
        }
    }
    let dropped = mine
        .iter()
        .filter(|entry| entry.status == Status::Accepted)
        .map(|entry| entry.submission)
        .filter(|submission| rejected.binary_search_by_key(submission, |entry| entry.0).is_ok())
        .collect();
    let root = merkle::root(leaves);
    Agreement { set: AgreedSet { root, submissions, records, rejected, dropped }, pending }
}

/// Who submitted something that all servers hold alike, if that matters.
fn provider(mine: &[Entry], submission: &SubmissionId) -> Option<PublicKey> {
    let place = mine.binary_search_by_key(submission, |entry| entry.submission).ok()?;
    mine.get(place)?.provider
}

enum Fate {
    Counted,
    Pending,
    Rejected(Reason),
}

/// What becomes of a submission that `held` servers of `servers` hold.
fn fate(held: &[&Entry], servers: usize) -> Fate {
    let rejected = held.iter().find_map(|entry| match entry.status {
        Status::Rejected(reason) => Some(reason),
        _ => None,
    });
    let alike = |entry: &&Entry| (entry.public, entry.records) == (held[0].public, held[0].records);
    match rejected {
        Some(reason) => Fate::Rejected(reason),
        None if !held.iter().all(alike) => Fate::Rejected(Reason::PublicPartsDiffer),
        None if held.len() < servers => Fate::Rejected(Reason::Incomplete),
        None if held.iter().any(|entry| entry.status == Status::Unverified) => Fate::Pending,
        None => Fate::Counted,
    }
}

/// Per entry: id (16) ‖ public hash (32) ‖ records (4) ‖ status (1).
fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::with_capacity(53 * entries.len());
    for entry in entries {
        out.extend_from_slice(&entry.submission.0);
        out.extend_from_slice(&entry.public.0);
        out.extend_from_slice(&entry.records.to_be_bytes());
        out.push(match entry.status {
            Status::Unverified => 0,
            Status::Accepted => 255,
            Status::Rejected(reason) => reason as u8,
        });
    }
    out
}

fn decode(message: &[u8]) -> Result<Vec<Entry>, WireError> {
    let mut reader = Reader::new(message);
    let mut entries: Vec<Entry> = Vec::with_capacity(message.len() / 53);
    while reader.remaining() > 0 {
        let entry = Entry {
            submission: SubmissionId(reader.array()?),
            public: PublicHash(reader.array()?),
            records: reader.u32()?,
            status: match reader.u8()? {
                0 => Status::Unverified,
                255 => Status::Accepted,
                code => {
                    Status::Rejected(Reason::from_code(code).ok_or(WireError::Range("status"))?)
                }
            },
            provider: None,
        };
        if entries.last().is_some_and(|last| last.submission >= entry.submission) {
            return Err(WireError::Range("order of the submissions"));
        }
        entries.push(entry);
    }
    Ok(entries)
}

//! Agreement on the set: Merkle roots, and lists where the roots differ.
//!
//! Amendments are what any server holds: a provider signed them, so one server that shows an
//! amendment is enough, and one that hides it is harmless beside one that does not.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use super::{Counted, PublishError, Rejections, SignedSet};
use crate::{
    collect::{Amendment, Origin, Reason, Resolution, SignedAmendment, resolve, resolve_full},
    dst,
    ids::{AmendmentId, Party, PublicHash, StudyId, SubmissionId},
    merkle,
    mesh::Mesh,
    sign::PublicKey,
    transcript::{Message, Step, Transcript, TranscriptError},
};
pub(super) use list::amendments_hash;

mod list;

pub(super) use list::{List, Listed, is_undecided};
pub use list::{
    MAX_AMENDMENT_BYTES, MAX_AMENDMENT_BYTES_OF_PROVIDER, MAX_AMENDMENTS,
    MAX_AMENDMENTS_OF_PROVIDER,
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
    /// Who submitted it. Never sent: it is part of what `public` is the hash of.
    pub provider: PublicKey,
    /// The amendment that it is a part of. Never sent, likewise.
    pub amendment: Option<AmendmentId>,
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

/// What a server brings to the agreement. It must not change any more, except by verdicts on what
/// the agreement finds pending.
#[derive(Debug, Clone, Copy)]
pub struct Holdings<'a> {
    /// Its submissions, sorted by id.
    pub entries: &'a [Entry],
    /// Its amendments, each verified, in any order.
    pub amendments: &'a [SignedAmendment],
}

/// How much of what all servers hold counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most records.
    pub max_records: u64,
    /// Whether one submission of each provider counts.
    pub one_per_provider: bool,
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
    /// Every amendment that any server holds and that is about an accepted submission of its
    /// provider, sorted by [`SignedAmendment::order`].
    pub amendments: Vec<SignedAmendment>,
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
            counted: Counted {
                root: self.root,
                submissions: self.submissions,
                records: self.records,
                rejected: self.rejected.len() as u64,
                rejected_hash: rejections_hash(&self.rejected),
            },
            amendments: self.amendments.len() as u64,
            amendments_hash: amendments_hash(&self.amendments),
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
    mine: Holdings<'_>,
    limits: Limits,
) -> Result<Agreement, PublishError> {
    let list = List::new(mine.entries, mine.amendments);
    let origin_of = |submission: &SubmissionId| origin_of(mine.entries, submission);
    let roots = transcript.round(mesh, Step::Roots, list.summary()).await?;
    if roots.iter().all(|root| *root == roots[0]) {
        // One list stands for k equal ones.
        return Ok(combine(&[&list], &list, origin_of, limits));
    }
    let messages = transcript.round(mesh, Step::Lists, list.encode()).await?;
    let lists = lists(transcript.study(), &roots, &messages)?;
    let lists: Vec<&List> = lists.iter().collect();
    Ok(combine(&lists, &list, origin_of, limits))
}

/// All servers' lists, each of them the one under its root.
pub(super) fn lists(
    study: StudyId,
    roots: &[Arc<[u8]>],
    messages: &[Arc<[u8]>],
) -> Result<Vec<List>, PublishError> {
    let mut lists = Vec::with_capacity(messages.len());
    for ((party, message), root) in (0..).map(Party).zip(messages).zip(roots) {
        let theirs = List::decode(study, message)
            .map_err(|_| TranscriptError::Malformed { party, step: Step::Lists })?;
        if theirs.summary()[..] != **root {
            return Err(PublishError::ListMismatch { party });
        }
        lists.push(theirs);
    }
    Ok(lists)
}

pub(super) async fn confirm<M: Mesh>(
    transcript: &mut Transcript<'_>,
    mesh: &mut M,
    mine: Holdings<'_>,
    set: &AgreedSet,
) -> Result<(), PublishError> {
    let digests = transcript.round(mesh, Step::Set, set.digest()).await?;
    let same = same_set(&set.digest(), &digests);
    let has_shown = |round: &Vec<Message>| {
        round.first().is_some_and(|message| message.statement.step == Step::Lists as u8)
    };
    if same.is_err() && !transcript.rounds().iter().rev().nth(1).is_some_and(has_shown) {
        // Who lied follows from the list under the roots, which nobody shows while all are alike.
        let list = List::new(mine.entries, mine.amendments).encode();
        let _ = transcript.round(mesh, Step::Lists, list).await;
    }
    same
}

/// Whether nothing that all servers hold alike waits for a verdict.
pub(super) fn is_decided(lists: &[List]) -> bool {
    !by_id(lists).values().any(|held| matches!(fate(held, lists.len()), Fate::Pending))
}

/// What all servers hold alike and have accepted: id and hash of the public part.
pub(super) fn accepted(lists: &[List]) -> Vec<(SubmissionId, PublicHash)> {
    let is_accepted = |held: &[&Listed]| matches!(fate(held, lists.len()), Fate::Accepted);
    let accepted = by_id(lists).into_iter().filter(|(_, held)| is_accepted(held));
    // What is in no list is not in the map.
    accepted.map(|(submission, held)| (submission, held[0].public)).collect()
}

/// Whether all servers signed this set. The lists are the same for all (the transcript is), so
/// another set is a false one.
pub(super) fn same_set(set: &[u8], digests: &[Arc<[u8]>]) -> Result<(), PublishError> {
    match (0..).map(Party).zip(digests).find(|(_, digest)| &digest[..] != set) {
        Some((party, _)) => Err(PublishError::SetMismatch { party }),
        None => Ok(()),
    }
}

/// The set that follows from all servers' lists, or from one that stands for all; `mine` is the
/// list of whoever asks. `origin_of` knows whose the submissions are that all servers hold alike.
///
/// What counts by its amendments counts as far as the limits allow: where more records were
/// accepted than the study may hold, the first submissions by id; where each provider counts once,
/// the first of each by id. Those that are part of an amendment come after all others, so that
/// nobody loses its place to a replacement; but first come those that keep the place of what they
/// replace in a full study, so that nobody loses both.
pub(super) fn combine(
    lists: &[&List],
    mine: &List,
    origin_of: impl Fn(&SubmissionId) -> Option<Origin>,
    limits: Limits,
) -> Agreement {
    let by_id = by_id(lists.iter().copied());
    let (mut accepted, mut rejected, mut pending) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for (submission, held) in &by_id {
        match fate(held, lists.len()) {
            Fate::Accepted => drop(accepted.insert(*submission, held[0])),
            Fate::Pending => pending.push(*submission),
            Fate::Rejected(reason) => drop(rejected.insert(*submission, reason)),
        }
    }
    let is_of = |submission: &SubmissionId, provider: &PublicKey| {
        accepted.contains_key(submission)
            && origin_of(submission).is_some_and(|origin| origin.provider == *provider)
    };
    let mut amendments = union(lists);
    amendments.retain(|signed| is_about_any(&signed.amendment, is_of));
    let resolution = resolution(&amendments, &accepted, &origin_of, limits);
    let (amended, original): (Vec<&Listed>, Vec<&Listed>) =
        accepted.values().copied().partition(|listed| is_amended(&origin_of, listed));
    let (first, amended): (Vec<&Listed>, Vec<&Listed>) = amended.into_iter().partition(|listed| {
        origin_of(&listed.submission).is_some_and(|origin| resolution.is_first(&origin))
    });
    let mut counter =
        Counter { limits, resolution, submissions: 0, records: 0, counted: HashSet::new() };
    for listed in first.into_iter().chain(original).chain(amended) {
        if let Err(reason) = counter.count(listed, origin_of(&listed.submission)) {
            rejected.insert(listed.submission, reason);
        }
    }
    let counts = |listed: &&&Listed| !rejected.contains_key(&listed.submission);
    let root = merkle::root(accepted.values().filter(counts).map(|listed| listed.leaf()));
    let dropped = mine
        .submissions
        .iter()
        .filter(|listed| listed.status == Status::Accepted)
        .map(|listed| listed.submission)
        .filter(|submission| rejected.contains_key(submission))
        .collect();
    let (submissions, records) = (counter.submissions, counter.records);
    let rejected = rejected.into_iter().collect();
    Agreement {
        set: AgreedSet { root, submissions, records, rejected, dropped, amendments },
        pending,
    }
}

/// What the amendments make of the accepted submissions, in a study that is full by them as well.
fn resolution(
    amendments: &[SignedAmendment],
    accepted: &BTreeMap<SubmissionId, &Listed>,
    origin_of: impl Fn(&SubmissionId) -> Option<Origin>,
    limits: Limits,
) -> Resolution {
    let amendments = || amendments.iter().map(|signed| &signed.amendment);
    let origin = |submission: &SubmissionId| {
        accepted.contains_key(submission).then(|| origin_of(submission)).flatten()
    };
    let records = |submission: &SubmissionId| {
        accepted.get(submission).map_or(0, |listed| u64::from(listed.records))
    };
    let resolution = resolve(amendments(), origin);
    let counts = |submission: &&SubmissionId| {
        origin_of(submission).is_none_or(|origin| resolution.refusal(&origin).is_none())
    };
    let counted = accepted.keys().filter(counts).map(records).fold(0, u64::saturating_add);
    match counted > limits.max_records {
        true => resolve_full(amendments(), origin, records),
        false => resolution,
    }
}

/// What each list says of each submission.
fn by_id<'a>(lists: impl IntoIterator<Item = &'a List>) -> BTreeMap<SubmissionId, Vec<&'a Listed>> {
    let mut by_id: BTreeMap<SubmissionId, Vec<&Listed>> = BTreeMap::new();
    for listed in lists.into_iter().flat_map(|list| &list.submissions) {
        by_id.entry(listed.submission).or_default().push(listed);
    }
    by_id
}

/// Decides one accepted submission after the other.
struct Counter {
    limits: Limits,
    resolution: Resolution,
    submissions: u64,
    records: u64,
    /// Providers of which a submission counts.
    counted: HashSet<PublicKey>,
}

impl Counter {
    fn count(&mut self, listed: &Listed, origin: Option<Origin>) -> Result<(), Reason> {
        if let Some(reason) = origin.and_then(|origin| self.resolution.refusal(&origin)) {
            return Err(reason);
        }
        let records = self.records + u64::from(listed.records);
        if records > self.limits.max_records {
            return Err(Reason::RecordsExhausted);
        }
        let provider =
            origin.filter(|_| self.limits.one_per_provider).map(|origin| origin.provider);
        if provider.is_some_and(|provider| !self.counted.insert(provider)) {
            return Err(Reason::SecondOfProvider);
        }
        self.submissions += 1;
        self.records = records;
        Ok(())
    }
}

/// Every amendment of any list, once. Of two signatures on the same one the smaller stays, so that
/// all servers keep the same.
fn union(lists: &[&List]) -> Vec<SignedAmendment> {
    let mut all: Vec<&SignedAmendment> = lists.iter().flat_map(|list| &list.amendments).collect();
    all.sort_by(|one, other| one.order(other));
    all.dedup_by(|next, first| next.amendment == first.amendment);
    all.into_iter().cloned().collect()
}

/// Whether an amendment is about any accepted submission of its provider. Without one it changes
/// nothing, and whoever makes up keys can sign any number of such amendments.
fn is_about_any(amendment: &Amendment, is_of: impl Fn(&SubmissionId, &PublicKey) -> bool) -> bool {
    let Amendment { old, new, provider, .. } = amendment;
    old.iter().chain(new).any(|submission| is_of(submission, provider))
}

/// Whose submission it is, of something that all servers hold alike.
fn origin_of(entries: &[Entry], submission: &SubmissionId) -> Option<Origin> {
    let place = entries.binary_search_by_key(submission, |entry| entry.submission).ok()?;
    let Entry { submission, provider, amendment, .. } = *entries.get(place)?;
    Some(Origin { submission, provider, amendment })
}

fn is_amended(origin_of: impl Fn(&SubmissionId) -> Option<Origin>, listed: &Listed) -> bool {
    origin_of(&listed.submission).is_some_and(|origin| origin.amendment.is_some())
}

enum Fate {
    /// All servers accepted it alike.
    Accepted,
    Pending,
    Rejected(Reason),
}

/// What becomes of a submission that `held` servers of `servers` hold.
///
/// A verdict needs all servers, so one about what not all of them hold is none. Where all hold the
/// same, one rejection is enough, and nobody is to blame for it: a server whose verifier share was
/// false towards one peer alone leads there, too, and that peer was honest.
fn fate(held: &[&Listed], servers: usize) -> Fate {
    let is_rejected = |listed: &&Listed| matches!(listed.status, Status::Rejected(_));
    let alike =
        |listed: &&Listed| (listed.public, listed.records) == (held[0].public, held[0].records);
    if held.len() < servers {
        return Fate::Rejected(Reason::Incomplete);
    }
    if !held.iter().all(alike) {
        return Fate::Rejected(Reason::PublicPartsDiffer);
    }
    if held.iter().any(is_rejected) {
        return Fate::Rejected(Reason::InvalidProof);
    }
    match held.iter().any(|listed| listed.status == Status::Unverified) {
        true => Fate::Pending,
        false => Fate::Accepted,
    }
}

#[cfg(test)]
mod tests;

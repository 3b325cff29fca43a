//! Tally: what an auditor computes of the public parts of the submissions that count, one after the
//! other: the root of the set, its numbers, and the sums of the commitments.
//!
//! The sums are most of the work, and their order does not matter: [`Sums`] of several threads are
//! added up at the end.

use curve25519_dalek::{RistrettoPoint, traits::Identity as _};

use crate::{
    collect::PublicPart,
    ids::{Party, PublicHash, SubmissionId},
    merkle,
    pedersen::Commitment,
};

/// Root, numbers and sums of commitments over the counted submissions.
pub struct Tally {
    tree: merkle::Tree,
    records: u64,
    last: Option<SubmissionId>,
    sums: Sums,
}

/// Sums of the commitments to each server's output shares, by party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sums(Vec<RistrettoPoint>);

/// What a [`Tally`] comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tallied {
    /// Merkle root over (submission id, public hash, records).
    pub root: [u8; 32],
    /// Number of submissions.
    pub submissions: u64,
    /// Number of records.
    pub records: u64,
    /// The sum of the commitments to each server's output shares, by party.
    pub sums: Vec<RistrettoPoint>,
}

/// Why a submission cannot be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TallyError {
    /// The submissions are not sorted, or one comes twice.
    #[error("submission {0} is out of order")]
    Order(SubmissionId),
    /// Not one commitment per server.
    #[error("submission {0} does not have one commitment per server")]
    Commitments(SubmissionId),
    /// A commitment is no point of the group.
    #[error("the commitment of submission {0} for {1} is no point of the group")]
    Point(SubmissionId, Party),
    /// More records than can be counted.
    #[error("submission {0} makes more records than there can be")]
    Records(SubmissionId),
}

impl Sums {
    /// Nothing added yet.
    pub fn new(parties: usize) -> Self {
        Self(vec![RistrettoPoint::identity(); parties])
    }

    /// Adds the commitments of a submission; of one that is refused, none.
    pub fn add(
        &mut self,
        submission: SubmissionId,
        commitments: &[Commitment],
    ) -> Result<(), TallyError> {
        if commitments.len() != self.0.len() {
            return Err(TallyError::Commitments(submission));
        }
        let mut points = Vec::with_capacity(commitments.len());
        for (party, commitment) in (0..).map(Party).zip(commitments) {
            points.push(commitment.point().ok_or(TallyError::Point(submission, party))?);
        }
        self.0.iter_mut().zip(points).for_each(|(sum, point)| *sum += point);
        Ok(())
    }

    /// Adds other sums, for as many servers.
    pub fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(sum, other)| *sum += other);
    }
}

impl Tally {
    /// Nothing counted yet.
    pub fn new(parties: usize) -> Self {
        Self { tree: merkle::Tree::default(), records: 0, last: None, sums: Sums::new(parties) }
    }

    /// Counts the next submission, in the order of their ids. `hash` is [`PublicPart::hash`].
    pub fn push(&mut self, public: &PublicPart, hash: PublicHash) -> Result<(), TallyError> {
        self.list(public, hash)?;
        self.sums.add(public.submission, &public.commitments)
    }

    /// [`Tally::push`] for a submission whose commitments are added up elsewhere and come with
    /// [`Tally::add_sums`].
    pub fn list(&mut self, public: &PublicPart, hash: PublicHash) -> Result<(), TallyError> {
        let submission = public.submission;
        if self.last.is_some_and(|last| last >= submission) {
            return Err(TallyError::Order(submission));
        }
        let records = self.records.checked_add(u64::from(public.records));
        self.records = records.ok_or(TallyError::Records(submission))?;
        self.tree.push(merkle::leaf(&submission, &hash, public.records));
        self.last = Some(submission);
        Ok(())
    }

    /// Adds sums of commitments of submissions that were listed.
    pub fn add_sums(&mut self, sums: &Sums) {
        self.sums.merge(sums);
    }

    /// The root, the numbers and the sums.
    pub fn finish(self) -> Tallied {
        Tallied {
            root: self.tree.root(),
            submissions: self.tree.leaves(),
            records: self.records,
            sums: self.sums.0,
        }
    }
}

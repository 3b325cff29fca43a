//! The signed set: what every server signs about the set that a result is over.

use crate::{
    ids::StudyId,
    wire::{Reader, WireError},
};

/// What all servers sign about the set. The submissions themselves are under its root; those that
/// are not counted are under a hash of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedSet {
    /// Merkle root over the sorted (submission id, public hash, records).
    pub root: [u8; 32],
    /// Submissions in the set.
    pub submissions: u64,
    /// Records in the set.
    pub records: u64,
    /// Submissions that are not in the set.
    pub rejected: u64,
    /// Hash of their ids and reasons, sorted by id.
    pub rejected_hash: [u8; 32],
}

impl SignedSet {
    /// root (32) ‖ submissions (8) ‖ records (8) ‖ rejected (8) ‖ hash of the rejected (32).
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.root.to_vec();
        out.extend_from_slice(&self.submissions.to_be_bytes());
        out.extend_from_slice(&self.records.to_be_bytes());
        out.extend_from_slice(&self.rejected.to_be_bytes());
        out.extend_from_slice(&self.rejected_hash);
        out
    }

    /// The inverse of [`SignedSet::encode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let (root, submissions, records) = (reader.array()?, reader.u64()?, reader.u64()?);
        let (rejected, rejected_hash) = (reader.u64()?, reader.array()?);
        reader.finish()?;
        Ok(Self { root, submissions, records, rejected, rejected_hash })
    }

    /// What the servers sign when they sign a result over this set:
    ///
    /// ```text
    /// study (32) ‖ root (32) ‖ submissions (8) ‖ records (8) ‖ hash of the rejected (32)
    /// ‖ rejected (8) ‖ per coordinate 0, or 1 ‖ total (16, two's complement)
    /// ```
    ///
    /// Nothing else, so that a repeated run signs the same bytes.
    pub(super) fn result_parts(&self, study: StudyId, totals: &[Option<i128>]) -> Vec<u8> {
        let mut out = study.0.to_vec();
        out.extend_from_slice(&self.root);
        out.extend_from_slice(&self.submissions.to_be_bytes());
        out.extend_from_slice(&self.records.to_be_bytes());
        out.extend_from_slice(&self.rejected_hash);
        out.extend_from_slice(&self.rejected.to_be_bytes());
        super::published::put_totals(&mut out, totals);
        out
    }
}

//! The signed set: what every server signs about the set that a result is over.

use super::{agree::amendments_hash, published::put_totals};
use crate::{
    collect::SignedAmendment,
    ids::StudyId,
    wire::{Reader, WireError},
};

/// Which submissions count and which do not, by hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Merkle root over the sorted (submission id, public hash, records) of those that count.
    pub root: [u8; 32],
    /// How many submissions count.
    pub submissions: u64,
    /// How many records they have.
    pub records: u64,
    /// How many submissions do not count.
    pub rejected: u64,
    /// Hash of their ids and reasons, sorted by id.
    pub rejected_hash: [u8; 32],
}

/// What all servers sign about the set before anything is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedSet {
    /// What counts.
    pub counted: Counted,
    /// How many amendments were taken into account.
    pub amendments: u64,
    /// Hash of the amendments, in their order.
    pub amendments_hash: [u8; 32],
}

impl SignedSet {
    /// root (32) ‖ submissions (8) ‖ records (8) ‖ rejected (8) ‖ hash of the rejected (32)
    /// ‖ amendments (8) ‖ hash of the amendments (32).
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.counted.root.to_vec();
        out.extend_from_slice(&self.counted.submissions.to_be_bytes());
        out.extend_from_slice(&self.counted.records.to_be_bytes());
        out.extend_from_slice(&self.counted.rejected.to_be_bytes());
        out.extend_from_slice(&self.counted.rejected_hash);
        out.extend_from_slice(&self.amendments.to_be_bytes());
        out.extend_from_slice(&self.amendments_hash);
        out
    }

    /// Whether it was made with these amendments, in their order.
    pub fn is_made_with(&self, amendments: &[SignedAmendment]) -> bool {
        self.amendments == amendments.len() as u64
            && self.amendments_hash == amendments_hash(amendments)
    }

    /// The inverse of [`SignedSet::encode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let (root, submissions, records) = (reader.array()?, reader.u64()?, reader.u64()?);
        let (rejected, rejected_hash) = (reader.u64()?, reader.array()?);
        let counted = Counted { root, submissions, records, rejected, rejected_hash };
        let (amendments, amendments_hash) = (reader.u64()?, reader.array()?);
        reader.finish()?;
        Ok(Self { counted, amendments, amendments_hash })
    }
}

impl Counted {
    /// What the servers sign when they sign a result:
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
        put_totals(&mut out, totals);
        out
    }
}

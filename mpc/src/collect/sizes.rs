//! Sizes: how many bytes a submission is, without making it.

use prio::{codec::Decode as _, field::Field128, flp::Flp as _};

use super::{BLINDING, Collect, verify::message_len};
use crate::circuit::Validity;

/// Bytes of a seed and of a blind of Prio3.
const SEED: usize = 32;
/// Bytes of a field element.
const ELEMENT: usize = 16;

/// Bytes of one submission's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// The public part, which goes to every server.
    pub public: usize,
    /// The payload of the first server.
    pub first: usize,
    /// The payload of every other server.
    pub other: usize,
    /// A server's verifier share.
    pub verifier_share: usize,
    /// What every server sends to every other: its verifier share, and what it is of.
    pub message: usize,
}

impl Collect {
    /// The sizes of a submission of `records` records.
    pub fn sizes(&self, records: u32) -> Sizes {
        // A u32 fits.
        let validity = Validity::new(self.circuit.clone(), records as usize);
        // Per server a part of the joint randomness, a commitment and the hash of its payload.
        let public = 2 + 32 + 16 + 4 + 32 + 16 + 4 + 1 + 3 * 32 * self.parties();
        let verifier_share = ELEMENT * validity.verifier_len() + SEED;
        Sizes {
            public,
            first: first_payload(&validity),
            other: BLINDING + 2 * SEED,
            verifier_share,
            message: message_len(verifier_share),
        }
    }
}

impl Collect {
    /// Whether bytes can be decoded as a verifier share of a submission of `records` records: field
    /// elements, then a part of the joint randomness.
    pub(super) fn is_verifier_share(&self, records: u32, share: &[u8]) -> bool {
        let Some(elements) = share.len().checked_sub(SEED) else { return false };
        let mut elements = share.split_at(elements).0.chunks_exact(ELEMENT);
        share.len() == self.verifier_share_len(records)
            && elements.all(|element| Field128::get_decoded(element).is_ok())
    }
}

/// Bytes of the first server's payload.
pub(super) fn first_payload(validity: &Validity) -> usize {
    BLINDING + ELEMENT * (validity.input_len() + validity.proof_len()) + SEED
}

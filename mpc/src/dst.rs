//! Every domain separation string of Sotto, in one place, so that no two can collide unseen.

use sha2::{Digest, Sha256, Sha512};

/// Identity of a study: SHA-256 over its canonical encoding.
pub const STUDY_ID: &[u8] = b"sotto/v1/study/id";
/// Prio3's application context, followed by the study id.
pub const COLLECT_CONTEXT: &[u8] = b"sotto/v1/collect/context";
/// Hash of one server's payload, published to all servers.
pub const COLLECT_PAYLOAD: &[u8] = b"sotto/v1/collect/payload";
/// Hash of a submission's public part.
pub const COLLECT_PUBLIC: &[u8] = b"sotto/v1/collect/public";
/// A provider's signature over a submission.
pub const COLLECT_CREDENTIAL: &[u8] = b"sotto/v1/collect/credential";
/// A server's signed receipt for a submission.
pub const COLLECT_RECEIPT: &[u8] = b"sotto/v1/collect/receipt";
/// A provider's signed change of its submissions.
pub const COLLECT_AMENDMENT: &[u8] = b"sotto/v1/collect/amendment";
/// A server's signed receipt for an amendment.
pub const COLLECT_AMENDED: &[u8] = b"sotto/v1/collect/amended";
/// The bases of the commitments to output shares, followed by their number.
pub const PEDERSEN_BASE: &[u8] = b"sotto/v1/pedersen/base";
/// The base of the commitments' blindings.
pub const PEDERSEN_BLINDING: &[u8] = b"sotto/v1/pedersen/blinding";
/// Nonces of a proof of knowledge of what stays closed.
pub const PEDERSEN_NONCE: &[u8] = b"sotto/v1/pedersen/nonce";
/// Challenge of a proof of knowledge of what stays closed.
pub const PEDERSEN_CHALLENGE: &[u8] = b"sotto/v1/pedersen/challenge";
/// Commitment to one server's contribution to the verify key.
pub const SETUP_COMMIT: &[u8] = b"sotto/v1/setup/commit";
/// A server's confirmation of the verify key.
pub const SETUP_CONFIRM: &[u8] = b"sotto/v1/setup/confirm";
/// The verify key, from all contributions.
pub const SETUP_KEY: &[u8] = b"sotto/v1/setup/key";
/// Leaf of the Merkle tree over submissions.
pub const MERKLE_LEAF: &[u8] = b"sotto/v1/merkle/leaf";
/// Inner node of the Merkle tree over submissions.
pub const MERKLE_NODE: &[u8] = b"sotto/v1/merkle/node";
/// Root of the Merkle tree over no submissions.
pub const MERKLE_EMPTY: &[u8] = b"sotto/v1/merkle/empty";
/// Identity of one run of a protocol.
pub const SESSION: &[u8] = b"sotto/v1/session";
/// A signed message of the publication.
pub const PUBLISH_MESSAGE: &[u8] = b"sotto/v1/publish/message";
/// The running hash over all messages of the publication.
pub const PUBLISH_TRANSCRIPT: &[u8] = b"sotto/v1/publish/transcript";
/// Hash of the body of a message.
pub const PUBLISH_BODY: &[u8] = b"sotto/v1/publish/body";
/// Commitment to an opening.
pub const PUBLISH_COMMIT: &[u8] = b"sotto/v1/publish/commit";
/// Derivation of an opening's salt from a server's stored secret.
pub const PUBLISH_SALT: &[u8] = b"sotto/v1/publish/salt";
/// Derivation of the blinding of a commitment to noise from a server's stored secret.
pub const PUBLISH_NOISE: &[u8] = b"sotto/v1/publish/noise";
/// A server's signature over the published result.
pub const PUBLISH_RESULT: &[u8] = b"sotto/v1/publish/result";
/// Hash over a list of submissions that are not counted.
pub const PUBLISH_REJECTED: &[u8] = b"sotto/v1/publish/rejected";
/// Hash over the amendments that any server holds.
pub const PUBLISH_AMENDMENTS: &[u8] = b"sotto/v1/publish/amendments";
/// Seed of the draws behind the intervals of a noisy result.
pub const RESULT_REPEAT: &[u8] = b"sotto/v1/result/repeat";
/// An analyst's or operator's signed command to one server.
pub const COMMAND: &[u8] = b"sotto/v1/command";
/// A server's word of how far its database has come.
pub const LIFE: &[u8] = b"sotto/v1/life";
/// Hash of the servers' roster.
pub const ROSTER: &[u8] = b"sotto/v1/roster";
/// Hash of a masked number that one pupil of a ring sends to another.
pub const RING_BODY: &[u8] = b"sotto/v1/ring/body";
/// A pupil's signature over what it sends.
pub const RING_SLIP: &[u8] = b"sotto/v1/ring/slip";
/// A pupil's signature over what it received.
pub const RING_ACKNOWLEDGEMENT: &[u8] = b"sotto/v1/ring/acknowledgement";
/// A pupil's signature over what it announces.
pub const RING_ANNOUNCEMENT: &[u8] = b"sotto/v1/ring/announcement";
/// Key derivation between two browsers of a ring; written out once more in the page's TypeScript.
pub const RING_SEAL: &[u8] = b"sotto/v1/ring/seal";
/// A round as one browser was told it, to which its seals are bound; written out once more in the
/// page's TypeScript.
pub const RING_ROUND: &[u8] = b"sotto/v1/ring/round";
/// What the screens of a class compare; written out once more in the page's TypeScript.
pub const RING_CHECK: &[u8] = b"sotto/v1/ring/check";
/// Hash of the roster of a round, which every pupil's terminal shows.
pub const RING_ROSTER: &[u8] = b"sotto/v1/ring/roster";
/// Checksum of the code by which pupils join.
pub const RING_CODE: &[u8] = b"sotto/v1/ring/code";

/// SHA-256 over `dst` and `parts`, each preceded by its length (8 bytes, big-endian), so that no
/// two different lists of parts give the same input.
pub fn hash(dst: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Hasher::new(dst);
    for part in parts {
        hasher.part(part);
    }
    hasher.finish()
}

/// SHA-512 over `dst` and `parts`, each preceded by its length as in [`hash`]: as many bytes as are
/// hashed to a point or to a scalar of the group.
pub fn wide_hash(dst: &[u8], parts: &[&[u8]]) -> [u8; 64] {
    let mut hasher = Sha512::new();
    for part in std::iter::once(&dst).chain(parts) {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// The streaming form of [`hash`].
#[derive(Clone)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Starts a hash in the domain `dst`.
    pub fn new(dst: &[u8]) -> Self {
        let mut hasher = Self(Sha256::new());
        hasher.part(dst);
        hasher
    }

    /// Adds one length-prefixed part.
    pub fn part(&mut self, part: &[u8]) {
        self.0.update((part.len() as u64).to_be_bytes());
        self.0.update(part);
    }

    /// The digest over all parts.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cannot_be_moved_across_their_boundary() {
        assert_ne!(hash(STUDY_ID, &[b"ab", b"c"]), hash(STUDY_ID, &[b"a", b"bc"]));
        assert_ne!(hash(STUDY_ID, &[b"abc"]), hash(COMMAND, &[b"abc"]));
    }
}

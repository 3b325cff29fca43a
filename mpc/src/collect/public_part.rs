//! The part of a submission that all servers receive alike, and the provider's signature on it.

use crate::{
    dst,
    ids::{AmendmentId, PARTIES, PublicHash, StudyId, SubmissionId},
    pedersen::Commitment,
    sign::{BadSignature, PublicKey, Signature, Signer},
    wire::{Reader, WireError, put_prefixed},
};

/// Version byte of the encoding.
const VERSION: u8 = 2;

/// The public part of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicPart {
    /// The study.
    pub study: StudyId,
    /// The submission; also Prio3's nonce.
    pub submission: SubmissionId,
    /// Number of records, m ≥ 1.
    pub records: u32,
    /// Who submits.
    pub provider: PublicKey,
    /// The amendment that this submission is a part of: it counts only with it. None: it counts by
    /// itself.
    pub amendment: Option<AmendmentId>,
    /// Prio3's public share: one joint randomness part of 32 bytes per server.
    pub joint_rand: Vec<u8>,
    /// Pedersen commitments to the servers' output shares, by party.
    pub commitments: Vec<Commitment>,
    /// Hash of each server's payload.
    pub payload_hashes: Vec<[u8; 32]>,
}

impl PublicPart {
    /// The encoding that is hashed and sent:
    ///
    /// ```text
    /// version (1) ‖ k (1) ‖ study (32) ‖ submission (16) ‖ records (4) ‖ provider (32)
    /// ‖ amendment (16, zero: none) ‖ length (4) ‖ joint randomness
    /// ‖ k (1) ‖ commitments (k · 32) ‖ payload hashes (k · 32)
    /// ```
    pub fn encode(&self) -> Vec<u8> {
        let hashes = 32 * (self.payload_hashes.len() + self.commitments.len());
        let mut out = Vec::with_capacity(107 + self.joint_rand.len() + hashes);
        // At most 8 of each: see decode.
        out.extend_from_slice(&[VERSION, self.payload_hashes.len() as u8]);
        out.extend_from_slice(&self.study.0);
        out.extend_from_slice(&self.submission.0);
        out.extend_from_slice(&self.records.to_be_bytes());
        out.extend_from_slice(&self.provider.0);
        out.extend_from_slice(&self.amendment.map_or([0; 16], |amendment| amendment.0));
        put_prefixed(&mut out, &self.joint_rand);
        out.push(self.commitments.len() as u8);
        out.extend(self.commitments.iter().flat_map(|commitment| commitment.0));
        out.extend(self.payload_hashes.iter().flatten());
        out
    }

    /// Decodes and checks every length; refuses anything that [`PublicPart::encode`] does not
    /// produce.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        if reader.u8()? != VERSION {
            return Err(WireError::Range("version"));
        }
        let parties = usize::from(reader.u8()?);
        if !PARTIES.contains(&parties) {
            return Err(WireError::Range("number of servers"));
        }
        let study = StudyId(reader.array()?);
        let submission = SubmissionId(reader.array()?);
        let records = reader.u32()?;
        if records == 0 {
            return Err(WireError::Range("records"));
        }
        let provider = PublicKey(reader.array()?);
        let amendment = Some(AmendmentId(reader.array()?)).filter(|id| id.0 != [0; 16]);
        let joint_rand = reader.prefixed(32 * parties, "joint randomness")?.to_vec();
        if usize::from(reader.u8()?) != parties {
            return Err(WireError::Range("number of commitments"));
        }
        let commitments =
            (0..parties).map(|_| reader.array().map(Commitment)).collect::<Result<_, _>>()?;
        let payload_hashes = (0..parties).map(|_| reader.array()).collect::<Result<_, _>>()?;
        reader.finish()?;
        Ok(Self {
            study,
            submission,
            records,
            provider,
            amendment,
            joint_rand,
            commitments,
            payload_hashes,
        })
    }

    /// The hash that receipts, credentials and the Merkle tree are over.
    pub fn hash(&self) -> PublicHash {
        Self::hash_encoded(&self.encode())
    }

    /// [`PublicPart::hash`] of an encoding.
    pub fn hash_encoded(encoded: &[u8]) -> PublicHash {
        PublicHash(dst::hash(dst::COLLECT_PUBLIC, &[encoded]))
    }
}

/// The provider's signature over a public part.
pub fn credential(provider: &Signer, public: PublicHash) -> Signature {
    provider.sign(dst::COLLECT_CREDENTIAL, &[&public.0])
}

/// Checks the provider's signature over a public part.
pub fn check_credential(
    provider: &PublicKey,
    public: PublicHash,
    credential: &Signature,
) -> Result<(), BadSignature> {
    provider.verify(dst::COLLECT_CREDENTIAL, &[&public.0], credential)
}

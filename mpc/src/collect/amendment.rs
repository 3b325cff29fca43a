//! Amendment: a provider's signed word that some of its submissions take the place of others, or
//! that others shall not count at all.
//!
//! # Security
//! Nobody but the provider can make one. A server that hides an amendment changes nothing while
//! any other server shows it, and every server signs for what it takes. Together with one server a
//! provider can still amend its own submissions between the close and the moment when that server
//! shows its list: before anything is opened, so that it knows no more than before the close.

use std::cmp::Ordering;

use crate::{
    dst,
    ids::{AmendmentHash, AmendmentId, StudyId, SubmissionId},
    sign::{BadSignature, PublicKey, Signature, Signer},
    wire::{Reader, WireError},
};

mod resolve;

pub use resolve::{Resolution, resolve, resolve_full};

/// Version byte of the encoding.
const VERSION: u8 = 1;

/// What a provider changes about its submissions to one study.
///
/// Its submissions `old` count no more if all of `new` are accepted; without any `new` they are
/// withdrawn. `old` names everything that `new` takes the place of, also what was replaced before:
/// so each amendment says all that it means, whatever became of earlier ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amendment {
    /// The study.
    pub study: StudyId,
    /// Drawn by the provider; its new submissions carry it in their public parts.
    pub id: AmendmentId,
    /// The later of two amendments of one provider has the larger one.
    pub sequence: u64,
    /// Whose submissions they are.
    pub provider: PublicKey,
    /// Submissions that count no more, sorted; at least one.
    pub old: Vec<SubmissionId>,
    /// Submissions that count in their place, sorted; none of them is in `old`.
    pub new: Vec<SubmissionId>,
}

/// An amendment as it is sent and kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedAmendment {
    /// What is amended.
    pub amendment: Amendment,
    /// The provider's signature over it.
    pub signature: Signature,
}

impl Amendment {
    /// The most submissions that one amendment may name, old and new ones together.
    pub const MAX_IDS: usize = 1 << 16;

    /// The most bytes of an encoding.
    pub const MAX_BYTES: usize = Self::HEAD + 16 * Self::MAX_IDS;

    /// Bytes before the ids.
    const HEAD: usize = 1 + 32 + 16 + 8 + 32 + 4 + 4;

    /// The encoding that is hashed, signed and sent:
    ///
    /// ```text
    /// version (1) ‖ study (32) ‖ amendment (16) ‖ sequence (8) ‖ provider (32)
    /// ‖ number of old (4) ‖ number of new (4) ‖ old (16 each) ‖ new (16 each)
    /// ```
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::HEAD + 16 * (self.old.len() + self.new.len()));
        out.push(VERSION);
        out.extend_from_slice(&self.study.0);
        out.extend_from_slice(&self.id.0);
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&self.provider.0);
        // At most 2^16 of both: see decode.
        out.extend_from_slice(&(self.old.len() as u32).to_be_bytes());
        out.extend_from_slice(&(self.new.len() as u32).to_be_bytes());
        out.extend(self.old.iter().chain(&self.new).flat_map(|id| id.0));
        out
    }

    /// Decodes and checks everything that [`Amendment`] says of its fields.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let amendment = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(amendment)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        if reader.u8()? != VERSION {
            return Err(WireError::Range("version"));
        }
        let study = StudyId(reader.array()?);
        let id = AmendmentId(reader.array()?);
        if id.0 == [0; 16] {
            return Err(WireError::Range("amendment"));
        }
        let sequence = reader.u64()?;
        let provider = PublicKey(reader.array()?);
        let count = |number: u32| {
            let number = usize::try_from(number).ok();
            number.filter(|number| *number <= Self::MAX_IDS).ok_or(WireError::Range("submissions"))
        };
        let (old, new) = (count(reader.u32()?)?, count(reader.u32()?)?);
        if old == 0 || old + new > Self::MAX_IDS {
            return Err(WireError::Range("submissions"));
        }
        let (old, new) = (ids(reader, old)?, ids(reader, new)?);
        if old.iter().any(|id| new.binary_search(id).is_ok()) {
            return Err(WireError::Range("new submissions"));
        }
        Ok(Self { study, id, sequence, provider, old, new })
    }

    /// The hash that signatures and acknowledgements are over.
    pub fn hash(&self) -> AmendmentHash {
        AmendmentHash(dst::hash(dst::COLLECT_AMENDMENT, &[&self.encode()]))
    }

    /// Signs it as its provider.
    pub fn sign(self, provider: &Signer) -> SignedAmendment {
        let signature = provider.sign(dst::COLLECT_AMENDMENT, &[&self.encode()]);
        SignedAmendment { amendment: self, signature }
    }
}

impl SignedAmendment {
    /// The most bytes of an encoding.
    pub const MAX_BYTES: usize = 64 + Amendment::MAX_BYTES;

    /// Checks that the provider signed it.
    pub fn verify(&self) -> Result<(), BadSignature> {
        let Amendment { provider, .. } = &self.amendment;
        provider.verify(dst::COLLECT_AMENDMENT, &[&self.amendment.encode()], &self.signature)
    }

    /// signature (64) ‖ amendment: see [`Amendment::encode`].
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.signature.0.to_vec();
        out.extend(self.amendment.encode());
        out
    }

    /// The inverse of [`SignedAmendment::encode`]. The signature is not checked.
    pub fn decode_unverified(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let signature = Signature(reader.array()?);
        let amendment = Amendment::read(&mut reader)?;
        reader.finish()?;
        Ok(Self { amendment, signature })
    }

    /// The order of lists: by provider, id, hash and signature, so that whoever has the same
    /// amendments has the same list.
    pub fn order(&self, other: &Self) -> Ordering {
        let place = |signed: &Self| (signed.amendment.provider, signed.amendment.id);
        place(self)
            .cmp(&place(other))
            .then_with(|| self.amendment.hash().cmp(&other.amendment.hash()))
            .then_with(|| self.signature.0.cmp(&other.signature.0))
    }
}

/// Ids that must rise.
fn ids(reader: &mut Reader<'_>, number: usize) -> Result<Vec<SubmissionId>, WireError> {
    // The bytes are there before anything is allocated for them.
    let (ids, _) = reader.bytes(16 * number)?.as_chunks::<16>();
    let ids: Vec<_> = ids.iter().copied().map(SubmissionId).collect();
    match ids.is_sorted_by(|one, next| one < next) {
        true => Ok(ids),
        false => Err(WireError::Range("order of the submissions")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider() -> Signer {
        Signer::from_seed(&[5; 32])
    }

    fn submissions(ids: &[u8]) -> Vec<SubmissionId> {
        ids.iter().map(|id| SubmissionId([*id; 16])).collect()
    }

    fn amendment(old: &[u8], new: &[u8]) -> Amendment {
        Amendment {
            study: StudyId([1; 32]),
            id: AmendmentId([2; 16]),
            sequence: 3,
            provider: provider().public(),
            old: submissions(old),
            new: submissions(new),
        }
    }

    #[test]
    fn an_amendment_survives_its_encoding() {
        for (old, new) in [(&[1][..], &[][..]), (&[1, 2, 9], &[3, 4])] {
            let signed = amendment(old, new).sign(&provider());
            assert_eq!(Amendment::decode(&signed.amendment.encode()), Ok(signed.amendment.clone()));
            assert_eq!(SignedAmendment::decode_unverified(&signed.encode()), Ok(signed.clone()));
            assert_eq!(signed.verify(), Ok(()));
        }
    }

    #[test]
    fn ids_that_are_unsorted_repeated_on_both_sides_or_missing_are_refused() {
        let wrong =
            [(&[][..], &[1][..]), (&[2, 1], &[]), (&[1, 1], &[]), (&[1], &[3, 2]), (&[1, 2], &[2])];
        for (old, new) in wrong {
            assert!(Amendment::decode(&amendment(old, new).encode()).is_err(), "{old:?} {new:?}");
        }
        let unnamed = Amendment { id: AmendmentId([0; 16]), ..amendment(&[1], &[]) };
        assert!(Amendment::decode(&unnamed.encode()).is_err());
    }

    #[test]
    fn no_more_ids_are_taken_than_one_amendment_may_name() {
        let many = |number: usize| -> Vec<SubmissionId> {
            (0..number as u128).map(|id| SubmissionId(id.to_be_bytes())).collect()
        };
        let full = Amendment { old: many(Amendment::MAX_IDS), ..amendment(&[], &[]) };
        assert_eq!(full.encode().len(), Amendment::MAX_BYTES);
        assert!(Amendment::decode(&full.encode()).is_ok());
        let over = Amendment { new: submissions(&[0xff]), ..full };
        assert_eq!(Amendment::decode(&over.encode()), Err(WireError::Range("submissions")));
        // A number alone makes nobody allocate.
        let mut short = amendment(&[1], &[]).encode();
        short.truncate(Amendment::HEAD);
        assert_eq!(Amendment::decode(&short), Err(WireError::Short));
    }

    #[test]
    fn a_change_of_any_byte_breaks_the_signature_or_the_encoding() {
        let bytes = amendment(&[1, 2], &[3]).sign(&provider()).encode();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            let valid = SignedAmendment::decode_unverified(&changed)
                .is_ok_and(|signed| signed.verify().is_ok());
            assert!(!valid, "byte {place}");
        }
    }
}

//! Amendments: what providers change about their submissions, kept as they signed it.

use mpc::{
    collect::SignedAmendment,
    ids::{AmendmentHash, AmendmentId, SubmissionId},
    publish::{
        MAX_AMENDMENT_BYTES, MAX_AMENDMENT_BYTES_OF_PROVIDER, MAX_AMENDMENTS,
        MAX_AMENDMENTS_OF_PROVIDER,
    },
    sign::PublicKey,
};

use super::StudyState;

/// An amendment that passed every check at the door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAmendment {
    /// The provider's id for it. Two providers may use the same one.
    pub id: AmendmentId,
    /// Whose submissions it is about.
    pub provider: PublicKey,
    /// Hash of what it says. Equal hashes mean equal amendments, whatever their signatures are.
    pub hash: AmendmentHash,
    /// The submissions that count no more by it.
    pub old: Vec<SubmissionId>,
    /// Whether nothing takes their place.
    pub is_withdrawal: bool,
    /// The encoding with its signature: [`SignedAmendment::encode`].
    pub bytes: Vec<u8>,
}

impl From<&SignedAmendment> for NewAmendment {
    fn from(signed: &SignedAmendment) -> Self {
        let amendment = &signed.amendment;
        Self {
            id: amendment.id,
            provider: amendment.provider,
            hash: amendment.hash(),
            old: amendment.old.clone(),
            is_withdrawal: amendment.new.is_empty(),
            bytes: signed.encode(),
        }
    }
}

/// How many amendments a study may hold at this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmendLimits {
    /// Of all providers.
    pub study: Room,
    /// Of one provider.
    pub provider: Room,
}

/// Room for amendments. It may be used up, and not crossed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// How many.
    pub amendments: u64,
    /// Bytes of them all.
    pub bytes: u64,
}

impl AmendLimits {
    /// What a server takes: in all what a list may hold, and of each provider a part of that.
    pub const DOOR: Self = Self {
        study: Room { amendments: MAX_AMENDMENTS as u64, bytes: MAX_AMENDMENT_BYTES as u64 },
        provider: Room {
            amendments: MAX_AMENDMENTS_OF_PROVIDER as u64,
            bytes: MAX_AMENDMENT_BYTES_OF_PROVIDER as u64,
        },
    };
}

/// What became of an amendment at the door of the storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AmendOutcome {
    /// It is stored now.
    Stored,
    /// The very same amendment was stored before.
    Same,
    /// Another amendment of this provider and id was stored before, and stays.
    Conflict,
    /// The study takes no amendments in this state.
    NotOpen(StudyState),
    /// The provider's room is used up.
    ProviderExhausted,
    /// The study's room is used up.
    StudyExhausted,
}

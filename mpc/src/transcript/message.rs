//! Message: a body and the statement about it that its sender signed.

use std::sync::Arc;

use crate::{
    dst,
    ids::{Party, RunId, StudyId},
    sign::{PublicKey, Signature, Signer},
    wire::{Reader, WireError},
};

/// What a server says about one message of its own, signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement {
    /// The sender.
    pub party: Party,
    /// What kind of message it is: the code of a [`Step`](super::Step).
    pub step: u8,
    /// The round of the run, from 0.
    pub number: u32,
    /// Hash of everything that the sender heard in the rounds before.
    pub chain: [u8; 32],
    /// Hash of the message's body.
    pub body: [u8; 32],
    /// The sender's signature over all of this.
    pub signature: Signature,
}

impl Statement {
    /// Signs a statement over `body`.
    pub fn sign(
        signer: &Signer,
        place: Place,
        party: Party,
        (step, number): (u8, u32),
        chain: [u8; 32],
        body: &[u8],
    ) -> Self {
        let signature = Signature([0; 64]);
        let body = body_hash(body);
        let mut statement = Self { party, step, number, chain, body, signature };
        statement.signature =
            statement.with_parts(place, |parts| signer.sign(dst::PUBLISH_MESSAGE, parts));
        statement
    }

    /// Whether `key` signed this statement in that run of that study.
    pub fn is_signed_by(&self, key: &PublicKey, place: Place) -> bool {
        self.with_parts(place, |parts| {
            key.verify(dst::PUBLISH_MESSAGE, parts, &self.signature).is_ok()
        })
    }

    fn with_parts<T>(&self, place: Place, use_parts: impl FnOnce(&[&[u8]]) -> T) -> T {
        let number = self.number.to_be_bytes();
        let head = [self.step, self.party.0];
        use_parts(&[&place.study.0, &place.run.0, &head, &number, &self.chain, &self.body])
    }
}

/// Hash of a message's body, as a statement signs it.
pub fn body_hash(body: &[u8]) -> [u8; 32] {
    dst::hash(dst::PUBLISH_BODY, &[body])
}

/// Which run of which study something was said in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The study.
    pub study: StudyId,
    /// The run.
    pub run: RunId,
}

/// A statement and the body that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What its sender signed.
    pub statement: Statement,
    /// The message itself.
    pub body: Arc<[u8]>,
}

impl Message {
    /// Bytes before the body.
    pub const HEAD: usize = 1 + 4 + 32 + 64;

    /// step (1) ‖ number (4) ‖ chain (32) ‖ signature (64) ‖ body.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::HEAD + self.body.len());
        out.push(self.statement.step);
        out.extend_from_slice(&self.statement.number.to_be_bytes());
        out.extend_from_slice(&self.statement.chain);
        out.extend_from_slice(&self.statement.signature.0);
        out.extend_from_slice(&self.body);
        out
    }

    /// This message with another body, signed by `signer`: what a server that lies would send.
    pub fn falsified(&self, signer: &Signer, place: Place, body: &[u8]) -> Self {
        let Statement { party, step, number, chain, .. } = self.statement;
        let statement = Statement::sign(signer, place, party, (step, number), chain, body);
        Self { statement, body: body.into() }
    }

    /// The message of `party`, its signature not yet checked.
    pub fn decode_unverified(party: Party, bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let (step, number, chain) = (reader.u8()?, reader.u32()?, reader.array()?);
        let signature = Signature(reader.array()?);
        let body = Arc::from(reader.bytes(reader.remaining())?);
        let hash = body_hash(&body);
        Ok(Self {
            statement: Statement { party, step, number, chain, body: hash, signature },
            body,
        })
    }
}

/// The running hash before the first round of a run.
pub fn first_chain(place: Place) -> [u8; 32] {
    dst::hash(dst::PUBLISH_TRANSCRIPT, &[&place.study.0, &place.run.0])
}

/// The running hash after a round: over the one before and what each party said, by party. Without
/// the signatures, of which a server could give two for the same words.
pub fn next_chain(chain: &[u8; 32], round: &[Statement]) -> [u8; 32] {
    let mut hasher = dst::Hasher::new(dst::PUBLISH_TRANSCRIPT);
    hasher.part(chain);
    for statement in round {
        hasher.part(&[statement.step, statement.party.0]);
        hasher.part(&statement.body);
    }
    hasher.finish()
}

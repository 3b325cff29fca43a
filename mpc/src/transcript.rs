//! Transcript: lockstep rounds whose messages are signed and chained, so that a lie can be shown.
//!
//! # Parties
//! Servers S_0..S_{k−1} with signing keys known to all.
//!
//! # Assumes
//! A [`Mesh`]. A run id that no honest server ever uses twice (storage remembers those used), so
//! that an honest server signs one message per (study, run, number).
//!
//! # Security
//! A message is body and [`Statement`]: what step of which run it is, its number in the run, the
//! running hash of all that was said before, and the hash of the body, signed by its sender. So a
//! message cannot be moved to another place, run or study, and whoever holds two different
//! statements of one server for one place holds proof that it lied.
//!
//! # Rounds
//! One exchange each: step (1) ‖ number (4) ‖ chain (32) ‖ signature (64) ‖ body.
//!
//! # Cost
//! 101 bytes, one signature and k − 1 verifications a round.
//!
//! # Source
//! Baum, Damgård, Orlandi, SCN 2014: an audit needs nothing but signed messages.

use std::{fmt, sync::Arc};

use crate::{
    dst,
    ids::{Party, RunId, StudyId},
    mesh::{Mesh, MeshError},
    sign::{PublicKey, Signature, Signer},
    wire::{Reader, WireError},
};

mod recording;

pub use recording::{About, Recording};

/// A step of a protocol. The codes are signed: never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    /// Roots of the servers' lists.
    Roots = 1,
    /// The lists.
    Lists = 2,
    /// The agreed set.
    Set = 3,
    /// Commitments to the result shares.
    Commit = 4,
    /// The result shares.
    Open = 5,
    /// Signatures over the result.
    Result = 6,
    /// Commitments to the noise.
    Noise = 7,
    /// Commitments to the contributions to the verify key.
    KeyCommit = 8,
    /// The contributions.
    KeyReveal = 9,
    /// Hashes of the verify key.
    KeyConfirm = 10,
    /// Verifier shares of a batch.
    Verify = 11,
    /// What a server heard, when servers heard different things.
    Blame = 12,
}

impl Step {
    const ALL: [Self; 12] = [
        Self::Roots,
        Self::Lists,
        Self::Set,
        Self::Commit,
        Self::Open,
        Self::Result,
        Self::Noise,
        Self::KeyCommit,
        Self::KeyReveal,
        Self::KeyConfirm,
        Self::Verify,
        Self::Blame,
    ];

    /// The step of a code.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|step| *step as u8 == code)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Why a round gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TranscriptError {
    /// A round could not be completed.
    #[error(transparent)]
    Mesh(#[from] MeshError),
    /// A message that does not carry its sender's signature. Only who received it knows that.
    #[error("{party} sent an unsigned or wrongly signed message in step {step}")]
    Signature {
        /// The sender.
        party: Party,
        /// The step.
        step: Step,
    },
    /// A signed message that is none of this step.
    #[error("{party} sent a malformed message in step {step}")]
    Malformed {
        /// The sender.
        party: Party,
        /// The step.
        step: Step,
    },
    /// Servers do not agree on what was said before this step.
    #[error(
        "servers saw different messages before step {step}: one of them told its peers different things"
    )]
    Split {
        /// The step at which it was noticed.
        step: Step,
    },
}

impl TranscriptError {
    /// Servers that broke the protocol.
    pub fn culprits(&self) -> Vec<Party> {
        match self {
            Self::Signature { party, .. }
            | Self::Malformed { party, .. }
            | Self::Mesh(MeshError::Broken { party, .. }) => vec![*party],
            Self::Mesh(_) | Self::Split { .. } => Vec::new(),
        }
    }
}

/// What a server says about one message of its own, signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement {
    /// The sender.
    pub party: Party,
    /// What kind of message it is: the code of a [`Step`].
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

/// The state of one run at one server: who it is, and everything said so far.
pub struct Transcript<'a> {
    pub(crate) place: Place,
    pub(crate) keys: &'a [PublicKey],
    pub(crate) signer: &'a Signer,
    chain: [u8; 32],
    rounds: Vec<Vec<Message>>,
}

impl<'a> Transcript<'a> {
    /// Nothing said yet. `keys` are the servers' public keys by party.
    pub fn new(place: Place, keys: &'a [PublicKey], signer: &'a Signer) -> Self {
        Self { place, keys, signer, chain: first_chain(place), rounds: Vec::new() }
    }

    /// The study.
    pub fn study(&self) -> StudyId {
        self.place.study
    }

    /// Every message of every round so far, by party.
    pub fn rounds(&self) -> &[Vec<Message>] {
        &self.rounds
    }

    /// Everything heard, that of a round that failed included.
    fn heard(&self) -> Vec<Vec<Message>> {
        self.rounds.clone()
    }

    /// One round: sends `body` and returns all parties' bodies.
    pub async fn round<M: Mesh>(
        &mut self,
        mesh: &mut M,
        step: Step,
        body: Vec<u8>,
    ) -> Result<Vec<Arc<[u8]>>, TranscriptError> {
        // At most a handful of rounds.
        let number = self.rounds.len() as u32;
        let place = (step as u8, number);
        let statement =
            Statement::sign(self.signer, self.place, mesh.me(), place, self.chain, &body);
        let received = mesh.exchange(Message { statement, body: body.into() }.encode()).await?;
        let mut split = false;
        let mut round = Vec::with_capacity(received.len());
        for ((party, bytes), key) in (0..).map(Party).zip(&received).zip(self.keys) {
            let unsigned = TranscriptError::Signature { party, step };
            let message = Message::decode_unverified(party, bytes).map_err(|_| unsigned.clone())?;
            if !message.statement.is_signed_by(key, self.place) {
                return Err(unsigned);
            }
            let said = &message.statement;
            if said.chain == self.chain && (said.step, said.number) != place {
                return Err(TranscriptError::Malformed { party, step });
            }
            split |= said.chain != self.chain;
            round.push(message);
        }
        if split {
            return Err(TranscriptError::Split { step });
        }
        let statements: Vec<Statement> = round.iter().map(|message| message.statement).collect();
        self.chain = next_chain(&self.chain, &statements);
        let bodies = round.iter().map(|message| message.body.clone()).collect();
        self.rounds.push(round);
        Ok(bodies)
    }
}

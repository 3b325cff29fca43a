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
//! statements of one server for one place holds proof that it lied. A server that tells its peers
//! different things is noticed one round later, by the chain; then the servers show each other what
//! they heard ([`blame`]), which names it.
//!
//! What cannot be shown to others is a message without its sender's signature, and silence.
//!
//! # Rounds
//! One exchange each: step (1) ‖ number (4) ‖ chain (32) ‖ signature (64) ‖ body. Two more when
//! servers heard different things.
//!
//! # Cost
//! 101 bytes, one signature and k − 1 verifications a round.
//!
//! # Source
//! Baum, Damgård, Orlandi, SCN 2014: an audit needs nothing but signed messages.

use std::{fmt, sync::Arc};

use crate::{
    ids::{Party, RunId, StudyId},
    mesh::{Mesh, MeshError, missing},
    sign::{PublicKey, Signer},
};

pub mod blame;
mod message;
mod recording;
pub mod replay;

use blame::{Shown, judge};
pub use message::{Message, Place, Statement, body_hash, first_chain, next_chain};
pub use recording::{About, Recording, Session};

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

    /// Bytes that a body of this step stays below, whatever the study.
    fn max_body(self) -> usize {
        match self {
            Self::Commit | Self::Noise | Self::Result => 64,
            Self::KeyCommit | Self::KeyReveal | Self::KeyConfirm => 64,
            Self::Roots | Self::Set => 1 << 10,
            // Statements of 256 rounds of 8 servers.
            Self::Blame => 512 << 10,
            // Sums or proof for each of 2^14 coordinates.
            Self::Open => 2 << 20,
            // 256 verifier shares of small submissions, or 16 of the largest.
            Self::Verify => 32 << 20,
            // A million submissions, and the amendments.
            Self::Lists => 128 << 20,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Roots => "roots of the lists of submissions",
            Self::Lists => "lists of submissions",
            Self::Set => "signature over the set",
            Self::Commit => "commitment to the result share",
            Self::Open => "opening of the result share",
            Self::Result => "signature over the result",
            Self::Noise => "commitment to the noise",
            Self::KeyCommit => "commitment to the joint key",
            Self::KeyReveal => "contribution to the joint key",
            Self::KeyConfirm => "confirmation of the joint key",
            Self::Verify => "verification of submissions",
            Self::Blame => "account of what was heard",
        })
    }
}

/// Why a round gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TranscriptError {
    /// A round could not be completed.
    #[error(transparent)]
    Mesh(#[from] MeshError),
    /// A message that does not carry its sender's signature. Only who received it knows that.
    #[error("{party} sent an unsigned or wrongly signed message ({step})")]
    Signature {
        /// The sender.
        party: Party,
        /// The step.
        step: Step,
    },
    /// A signed message that is none of this step.
    #[error("{party} sent a malformed message ({step})")]
    Malformed {
        /// The sender.
        party: Party,
        /// The step.
        step: Step,
    },
    /// A server signed two different statements for one place of the run.
    #[error("{party} signed two different messages for one place ({step})")]
    Contradiction {
        /// The server.
        party: Party,
        /// The step of one of them.
        step: Step,
    },
    /// What a server shows as what it heard is not what it signed.
    #[error("what {party} shows as what it heard is not what it signed")]
    Inconsistent {
        /// The server.
        party: Party,
    },
    /// Servers heard different things, and nobody can tell from whom.
    #[error(
        "servers heard different things ({step}), and {} showed nothing: it may have lied, or been cut \
         off, which nobody can tell",
        parties(silent)
    )]
    Split {
        /// The step at which it was noticed.
        step: Step,
        /// Who did not show what it heard.
        silent: Vec<Party>,
    },
}

impl TranscriptError {
    /// Servers that broke the protocol.
    pub fn culprits(&self) -> Vec<Party> {
        match self {
            Self::Signature { party, .. }
            | Self::Malformed { party, .. }
            | Self::Contradiction { party, .. }
            | Self::Inconsistent { party }
            | Self::Mesh(MeshError::Broken { party, .. }) => vec![*party],
            Self::Mesh(_) | Self::Split { .. } => Vec::new(),
        }
    }

    /// Whether anybody who is shown the recording of the run finds the same.
    pub fn is_shown(&self) -> bool {
        match self {
            Self::Malformed { .. }
            | Self::Contradiction { .. }
            | Self::Inconsistent { .. }
            | Self::Split { .. } => true,
            Self::Mesh(_) | Self::Signature { .. } => false,
        }
    }
}

fn parties(parties: &[Party]) -> String {
    match parties {
        [] => "somebody".to_owned(),
        _ => parties.iter().map(Party::to_string).collect::<Vec<_>>().join(", "),
    }
}

/// The state of one run at one server: who it is, and everything said so far.
pub struct Transcript<'a> {
    pub(crate) place: Place,
    pub(crate) keys: &'a [PublicKey],
    pub(crate) signer: &'a Signer,
    chain: [u8; 32],
    rounds: Vec<Vec<Message>>,
    /// What was heard in a round that failed, and of the blame that followed.
    broken: Vec<Message>,
}

impl<'a> Transcript<'a> {
    /// Nothing said yet. `keys` are the servers' public keys by party.
    pub fn new(place: Place, keys: &'a [PublicKey], signer: &'a Signer) -> Self {
        let (chain, rounds, broken) = (first_chain(place), Vec::new(), Vec::new());
        Self { place, keys, signer, chain, rounds, broken }
    }

    /// The study.
    pub fn study(&self) -> StudyId {
        self.place.study
    }

    /// The run.
    pub fn run(&self) -> RunId {
        self.place.run
    }

    /// Every message of every completed round so far, by party.
    pub fn rounds(&self) -> &[Vec<Message>] {
        &self.rounds
    }

    /// One round: sends `body` and returns all parties' bodies.
    pub async fn round<M: Mesh>(
        &mut self,
        mesh: &mut M,
        step: Step,
        body: Vec<u8>,
    ) -> Result<Vec<Arc<[u8]>>, TranscriptError> {
        let (round, mine) = (mesh.round(), self.message(mesh.me(), step, 0, &body));
        let received = mesh.gather(mine.encode()).await?;
        let unsigned = self.hear(&received, step);
        let number = mine.statement.number;
        match finding(&self.broken, (step, number), &self.chain) {
            Finding::Split => return Err(self.blame(mesh, step).await),
            Finding::Other(party) => return Err(TranscriptError::Malformed { party, step }),
            Finding::Fits => {}
        }
        if let Some(party) = unsigned {
            return Err(TranscriptError::Signature { party, step });
        }
        let silent = missing(&received);
        if !silent.is_empty() {
            return Err(MeshError::Missing { round, parties: silent }.into());
        }
        let heard = std::mem::take(&mut self.broken);
        self.chain = chain_after(&self.chain, &heard);
        let bodies = heard.iter().map(|message| message.body.clone()).collect();
        self.rounds.push(heard);
        Ok(bodies)
    }

    /// Keeps what is signed by its sender; returns the first party whose message is not. What is
    /// longer than any message of the step is none: nobody keeps it, or looks at it any further.
    fn hear(&mut self, received: &[Option<Vec<u8>>], step: Step) -> Option<Party> {
        let mut unsigned = None;
        let longest = Message::HEAD + step.max_body().max(Step::Blame.max_body());
        for ((party, bytes), key) in (0..).map(Party).zip(received).zip(self.keys) {
            let Some(bytes) = bytes else { continue };
            let bytes = Some(bytes).filter(|bytes| bytes.len() <= longest);
            let message = bytes.and_then(|bytes| Message::decode_unverified(party, bytes).ok());
            match message.filter(|message| message.statement.is_signed_by(key, self.place)) {
                Some(message) if self.broken.contains(&message) => {}
                Some(message) => self.broken.push(message),
                None => unsigned = unsigned.or(Some(party)),
            }
        }
        unsigned
    }

    /// Shows what this server heard, hears what the others did, and judges.
    async fn blame<M: Mesh>(&mut self, mesh: &mut M, step: Step) -> TranscriptError {
        let shown = Shown::new(&self.rounds, &self.broken).encode();
        let mine = self.message(mesh.me(), Step::Blame, 1, &shown);
        // Twice: somebody may notice one round later, and show what it heard only then.
        for _ in 0..2 {
            let Ok(received) = mesh.gather(mine.encode()).await else { break };
            self.hear(&received, Step::Blame);
            if self.silent(mesh.parties()).is_empty() {
                break;
            }
        }
        let heard = self.rounds.iter().flatten().chain(&self.broken);
        let silent = || self.silent(mesh.parties());
        judge(self.place, self.keys, heard)
            .unwrap_or_else(|| TranscriptError::Split { step, silent: silent() })
    }

    /// Who has not shown what it heard.
    fn silent(&self, parties: usize) -> Vec<Party> {
        silent(self.broken.iter(), parties)
    }

    /// This server's message: `later` numbers behind the completed rounds.
    fn message(&self, me: Party, step: Step, later: u32, body: &[u8]) -> Message {
        // A run has a handful of rounds.
        let place = (step as u8, self.rounds.len() as u32 + later);
        let statement = Statement::sign(self.signer, self.place, me, place, self.chain, body);
        Message { statement, body: body.into() }
    }

    /// Everything heard: the completed rounds, and behind them what came of one that failed.
    fn heard(&self) -> Vec<Vec<Message>> {
        let broken = Some(&self.broken).filter(|broken| !broken.is_empty());
        self.rounds.iter().chain(broken).cloned().collect()
    }
}

/// How the signed messages of a round go with the rounds before it.
enum Finding {
    /// They continue it.
    Fits,
    /// Somebody heard other things before, or says that somebody did.
    Split,
    /// Somebody who heard the same says something else than its turn is.
    Other(Party),
}

fn finding(heard: &[Message], (step, number): (Step, u32), chain: &[u8; 32]) -> Finding {
    let said = || heard.iter().map(|message| message.statement);
    if said().any(|said| said.chain != *chain || said.step == Step::Blame as u8) {
        return Finding::Split;
    }
    match said().find(|said| (said.step, said.number) != (step as u8, number)) {
        Some(said) => Finding::Other(said.party),
        None => Finding::Fits,
    }
}

fn chain_after(chain: &[u8; 32], round: &[Message]) -> [u8; 32] {
    let statements: Vec<Statement> = round.iter().map(|message| message.statement).collect();
    next_chain(chain, &statements)
}

/// The parties that have sent no blame.
fn silent<'a>(heard: impl Iterator<Item = &'a Message>, parties: usize) -> Vec<Party> {
    let blames = heard.filter(|message| message.statement.step == Step::Blame as u8);
    let shown: Vec<Party> = blames.map(|message| message.statement.party).collect();
    let has_shown = |party: &Party| shown.contains(party);
    (0..).map(Party).take(parties).filter(|party| !has_shown(party)).collect()
}

#[cfg(test)]
mod tests;

//! Recording: everything that was said in one run, as it is stored, sent and audited.

use super::{Message, Place, Statement, Transcript};
use crate::{
    dst,
    ids::{PARTIES, Party, RunId, StudyId, SubmissionId},
    wire::{Reader, WireError},
};

/// Everything that a server heard in one run, in the order in which it heard it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// The run.
    pub session: Session,
    /// The messages of each round, by party. Behind the last whole round may follow what came of a
    /// round that was not completed, and what the servers showed each other about it.
    pub rounds: Vec<Vec<Message>>,
}

/// A run, and what it was about.
///
/// The run's id is a hash over all of this, and every message is signed under it. So nobody can
/// show messages as those of a run about something else: under its id no signature holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// What tells it from other runs about the same: random, or
    /// [`Session::nonce_of_part`] within another run.
    pub nonce: [u8; 16],
    /// What it was about.
    pub about: About,
}

/// What a run was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// Drawing the verify key.
    Setup,
    /// Verifying these submissions.
    Verify(Vec<SubmissionId>),
    /// Opening the totals.
    Publish,
}

impl About {
    /// The protocol's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Verify(_) => "verify",
            Self::Publish => "publish",
        }
    }
}

impl Session {
    /// The nonce of a run within another one, which all servers find without being told.
    pub fn nonce_of_part(run: RunId, attempt: u64, number: u64) -> [u8; 16] {
        let place = [attempt, number].map(u64::to_be_bytes);
        first_half(&dst::hash(dst::SESSION, &[&run.0, &place[0], &place[1]]))
    }

    /// The run's id. Servers that were told different things never meet in one run: each finds the
    /// others silent, and nobody is blamed.
    pub fn run(&self, study: StudyId) -> RunId {
        let mut hasher = dst::Hasher::new(dst::SESSION);
        hasher.part(&self.nonce);
        hasher.part(&study.0);
        hasher.part(self.about.name().as_bytes());
        if let About::Verify(submissions) = &self.about {
            submissions.iter().for_each(|submission| hasher.part(&submission.0));
        }
        RunId(first_half(&hasher.finish()))
    }

    /// Where its messages are said.
    pub fn place(&self, study: StudyId) -> Place {
        Place { study, run: self.run(study) }
    }
}

impl Recording {
    /// What the transcript of a session holds.
    pub fn of(transcript: &Transcript<'_>, session: Session) -> Self {
        Self { session, rounds: transcript.heard() }
    }

    /// Where it was said.
    pub fn place(&self, study: StudyId) -> Place {
        self.session.place(study)
    }

    /// The parts in which it is stored and sent. The first one:
    ///
    /// ```text
    /// nonce (16) ‖ protocol (1: setup 1, verify 2, publish 3)
    /// ‖ for verify: number of submissions (4) ‖ per submission id (16)
    /// ```
    ///
    /// then one part a message: party (1) ‖ [`Message::encode`].
    pub fn encode(&self) -> Vec<Vec<u8>> {
        let mut head = self.session.nonce.to_vec();
        match &self.session.about {
            About::Setup => head.push(1),
            About::Verify(submissions) => {
                head.push(2);
                // A run is about 256 submissions at most.
                head.extend_from_slice(&(submissions.len() as u32).to_be_bytes());
                for submission in submissions {
                    head.extend_from_slice(&submission.0);
                }
            }
            About::Publish => head.push(3),
        }
        let messages = self.rounds.iter().flatten();
        std::iter::once(head).chain(messages.map(part)).collect()
    }

    /// The inverse of [`Recording::encode`]; no signature is checked yet. A round ends where the
    /// party is not above the one before. The caller bounds the length of the parts.
    pub fn decode<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, WireError> {
        let mut parts = parts.into_iter();
        let mut reader = Reader::new(parts.next().ok_or(WireError::Short)?);
        let nonce = reader.array()?;
        let about = match reader.u8()? {
            1 => About::Setup,
            2 => {
                let ids = (0..reader.u32()?).map(|_| reader.array().map(SubmissionId));
                About::Verify(ids.collect::<Result<_, _>>()?)
            }
            3 => About::Publish,
            _ => return Err(WireError::Range("protocol")),
        };
        reader.finish()?;
        let mut rounds: Vec<Vec<Message>> = Vec::new();
        for part in parts {
            let (party, message) = part.split_first().ok_or(WireError::Short)?;
            if usize::from(*party) >= *PARTIES.end() {
                return Err(WireError::Range("party"));
            }
            let message = Message::decode_unverified(Party(*party), message)?;
            let goes_on = |round: &&mut Vec<Message>| {
                round.last().is_some_and(|last| last.statement.party < message.statement.party)
            };
            match rounds.last_mut().filter(goes_on) {
                Some(round) => round.push(message),
                None => rounds.push(vec![message]),
            }
        }
        Ok(Self { session: Session { nonce, about }, rounds })
    }

    /// The statements of all messages.
    pub fn statements(&self) -> impl Iterator<Item = &Statement> {
        self.rounds.iter().flatten().map(|message| &message.statement)
    }
}

fn part(message: &Message) -> Vec<u8> {
    let mut part = vec![message.statement.party.0];
    part.extend_from_slice(&message.encode());
    part
}

fn first_half(hash: &[u8; 32]) -> [u8; 16] {
    std::array::from_fn(|place| hash[place])
}

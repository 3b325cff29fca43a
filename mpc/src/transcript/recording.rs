//! Recording: everything that was said in one run, as it is stored, sent and audited.

use super::{Message, Place, Statement, Transcript};
use crate::{
    ids::{PARTIES, Party, RunId, StudyId, SubmissionId},
    wire::{Reader, WireError},
};

/// Everything that a server heard in one run, in the order in which it heard it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// The run.
    pub run: RunId,
    /// What it was about.
    pub about: About,
    /// The messages of each round, by party. Behind the last whole round may follow what came of a
    /// round that was not completed, and what the servers showed each other about it.
    pub rounds: Vec<Vec<Message>>,
}

/// What a run was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// Drawing the verify key.
    Setup,
    /// Verifying these submissions, of so many records each.
    Verify(Vec<(SubmissionId, u32)>),
    /// Opening the totals.
    Publish,
}

impl Recording {
    /// What a transcript holds.
    pub fn of(transcript: &Transcript<'_>, about: About) -> Self {
        Self { run: transcript.place.run, about, rounds: transcript.heard() }
    }

    /// Where it was said.
    pub fn place(&self, study: StudyId) -> Place {
        Place { study, run: self.run }
    }

    /// The parts in which it is stored and sent. The first one:
    ///
    /// ```text
    /// run (16) ‖ protocol (1: setup 1, verify 2, publish 3)
    /// ‖ for verify: number of submissions (4) ‖ per submission id (16) ‖ records (4)
    /// ```
    ///
    /// then one part a message: party (1) ‖ [`Message::encode`].
    pub fn encode(&self) -> Vec<Vec<u8>> {
        let mut head = self.run.0.to_vec();
        match &self.about {
            About::Setup => head.push(1),
            About::Verify(submissions) => {
                head.push(2);
                // A run is about 256 submissions at most.
                head.extend_from_slice(&(submissions.len() as u32).to_be_bytes());
                for (submission, records) in submissions {
                    head.extend_from_slice(&submission.0);
                    head.extend_from_slice(&records.to_be_bytes());
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
        let run = RunId(reader.array()?);
        let about = match reader.u8()? {
            1 => About::Setup,
            2 => {
                let submissions = (0..reader.u32()?).map(|_| submission(&mut reader));
                About::Verify(submissions.collect::<Result<_, _>>()?)
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
        Ok(Self { run, about, rounds })
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

fn submission(reader: &mut Reader<'_>) -> Result<(SubmissionId, u32), WireError> {
    Ok((SubmissionId(reader.array()?), reader.u32()?))
}

//! Replay: what was said in a run, read again by anybody, with the checks of the live rounds.

use std::{slice::Iter, sync::Arc};

use super::{
    Finding, Message, Place, Step, TranscriptError, chain_after, finding, first_chain, judge,
    silent,
};
use crate::sign::PublicKey;

/// The messages of a recording, round by round, as far as they were completed.
pub struct Replay<'a> {
    place: Place,
    keys: &'a [PublicKey],
    rounds: Iter<'a, Vec<Message>>,
    all: &'a [Vec<Message>],
    chain: [u8; 32],
    number: u32,
}

/// Why a recording cannot be followed further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// A server broke the protocol.
    Broken(TranscriptError),
    /// Whoever gave out the recording changed it: no server is to blame for what it says.
    False(&'static str),
}

impl<'a> Replay<'a> {
    /// At the first round. `keys` are the servers' public keys by party.
    pub fn new(place: Place, keys: &'a [PublicKey], rounds: &'a [Vec<Message>]) -> Self {
        let chain = first_chain(place);
        Self { place, keys, rounds: rounds.iter(), all: rounds, chain, number: 0 }
    }

    /// What was said in a round, by party; none: the run did not complete it.
    pub fn round(&mut self, step: Step) -> Result<Option<Vec<Arc<[u8]>>>, Stop> {
        let Some(round) = self.rounds.next() else { return Ok(None) };
        let whole = self.check(round)?;
        match finding(round, (step, self.number), &self.chain) {
            Finding::Fits if whole => {
                self.chain = chain_after(&self.chain, round);
                self.number = self.number.saturating_add(1);
                Ok(Some(round.iter().map(|message| message.body.clone()).collect()))
            }
            Finding::Fits => self.end().map(|()| None),
            Finding::Other(party) => {
                self.end()?;
                Err(Stop::Broken(TranscriptError::Malformed { party, step }))
            }
            Finding::Split => Err(self.split(step)),
        }
    }

    /// The messages of the next round, of whatever step, without going on to it.
    pub fn peek(&self) -> &'a [Message] {
        self.rounds.as_slice().first().map_or(&[], Vec::as_slice)
    }

    /// Checks that nothing follows.
    pub fn end(&self) -> Result<(), Stop> {
        match self.rounds.as_slice().is_empty() {
            true => Ok(()),
            false => Err(Stop::False("messages follow the end of the run")),
        }
    }

    /// Whether all messages of a round are signed by their senders, and whether all are there.
    fn check(&self, round: &[Message]) -> Result<bool, Stop> {
        for message in round {
            let said = &message.statement;
            let key = self.keys.get(said.party.index());
            if !key.is_some_and(|key| said.is_signed_by(key, self.place)) {
                return Err(Stop::False("a message is not signed by its sender"));
            }
        }
        let places = round.iter().map(|message| message.statement.party.index());
        Ok(places.eq(0..self.keys.len()))
    }

    /// What servers that heard different things proved.
    fn split(&self, step: Step) -> Stop {
        for round in self.rounds.as_slice() {
            if let Err(stop) = self.check(round) {
                return stop;
            }
        }
        let heard = || self.all.iter().flatten();
        let silent = || silent(heard(), self.keys.len());
        let lie = judge(self.place, self.keys, heard());
        Stop::Broken(lie.unwrap_or_else(|| TranscriptError::Split { step, silent: silent() }))
    }
}

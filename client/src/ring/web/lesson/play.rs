//! Play: a round while it is played; sealed messages wait here until a step lets them pass.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use mpc::ring::{Announcement, Lane, Seat};

use crate::ring::{
    name::Named,
    round::{Outcome, Round},
    stop::Stop,
    web::request::Seal,
};

/// A round with its messages.
#[derive(Debug)]
pub struct Play {
    round: Round,
    /// All that was sent, so that a second message on a lane is told from the same one again.
    sent: BTreeMap<Lane, Seal>,
    held: Vec<Lane>,
    passed: BTreeSet<Lane>,
    lanes: usize,
    /// How long messages are held; none: until somebody steps.
    pace: Option<Duration>,
    /// When the messages that are held pass.
    release_at: Option<Instant>,
    /// When something came last that the round waited for.
    heard_at: Instant,
}

/// A message that is handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passing {
    /// Its way.
    pub lane: Lane,
    /// The message.
    pub seal: Seal,
    /// The how many-th of the round it is.
    pub count: usize,
    /// How many the round has.
    pub of: usize,
}

impl Play {
    /// A round of which nothing was sent.
    pub fn new(round: Round, pace_ms: u32, now: Instant) -> Self {
        let lanes = round.plan().lanes().len();
        Self {
            round,
            sent: BTreeMap::new(),
            held: Vec::new(),
            passed: BTreeSet::new(),
            lanes,
            pace: pace(pace_ms),
            release_at: None,
            heard_at: now,
        }
    }

    /// The round.
    pub fn round(&self) -> &Round {
        &self.round
    }

    /// The round, when it is over.
    pub fn into_round(self) -> Round {
        self.round
    }

    /// How many messages wait for a step.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Takes a message of an authenticated pupil. Whether it is a new one.
    pub fn take(&mut self, lane: Lane, seal: Seal, now: Instant) -> Result<bool, Stop> {
        let who = self.round.pupil(lane.from);
        match self.sent.get(&lane) {
            Some(same) if *same == seal => return Ok(false),
            Some(_) => return Err(Stop::Twice { who, to: self.round.pupil(lane.to) }),
            None if !self.round.is_due(lane) => return Err(Stop::Garbage { who }),
            None => self.sent.insert(lane, seal),
        };
        self.held.push(lane);
        self.heard_at = now;
        self.release_at = self.release_at.or(self.pace.map(|pace| now + pace));
        Ok(true)
    }

    /// Lets all messages pass that are held.
    pub fn release(&mut self, now: Instant) -> Result<Vec<Passing>, Stop> {
        self.release_at = None;
        self.heard_at = now;
        let mut passing = Vec::new();
        for lane in std::mem::take(&mut self.held) {
            self.round.pass(lane)?;
            self.passed.insert(lane);
            if let Some(&seal) = self.sent.get(&lane) {
                let (count, of) = (self.passed.len(), self.lanes);
                passing.push(Passing { lane, seal, count, of });
            }
        }
        Ok(passing)
    }

    /// Holds messages for another time from now on.
    pub fn set_pace(&mut self, pace_ms: u32, now: Instant) {
        self.pace = pace(pace_ms);
        self.release_at = self.pace.filter(|_| !self.held.is_empty()).map(|pace| now + pace);
    }

    /// Takes an announcement. Whether it is a new one, and the outcome, when it was the last one.
    pub fn announce(
        &mut self,
        announcement: Announcement,
        now: Instant,
    ) -> Result<(bool, Option<Outcome>), Stop> {
        let new = !self.round.announced().contains_key(&announcement.from);
        let outcome = self.round.announce(announcement)?;
        if new {
            self.heard_at = now;
        }
        Ok((new, outcome))
    }

    /// Why the round stops when the receiver of a lane says that it cannot open what came.
    pub fn unreadable(&self, lane: Lane) -> Stop {
        let (sender, receiver) = (self.round.pupil(lane.from), self.round.pupil(lane.to));
        if self.passed.contains(&lane) {
            return Stop::Disagree { one: sender, other: receiver };
        }
        match self.round.plan().lanes().contains(&lane) {
            // Nothing came to the receiver that it could have failed to open.
            true => Stop::FalseAccusation { who: receiver, accused: sender },
            false => Stop::Garbage { who: receiver },
        }
    }

    /// When messages pass by themselves.
    pub fn release_at(&self) -> Option<Instant> {
        self.release_at
    }

    /// When to look whether the round waits for somebody.
    pub fn silent_at(&self, silence: Duration) -> Instant {
        self.heard_at + silence
    }

    /// Those of whom the round has waited too long. Nobody, if it waits for a step: then the
    /// waiting starts anew.
    pub fn silent(&mut self, now: Instant) -> Option<Stop> {
        let who = self.late();
        if who.is_empty() {
            self.heard_at = now;
            return None;
        }
        Some(Stop::Silent { who })
    }

    /// Those who have to send a message or to announce, without those whose messages are here.
    fn late(&self) -> Vec<Named> {
        let due = self.round.due();
        let held: BTreeSet<&Lane> = self.held.iter().collect();
        let senders: BTreeSet<Seat> = due.iter().map(|lane| lane.from).collect();
        let missing: BTreeSet<Seat> =
            due.iter().filter(|lane| !held.contains(lane)).map(|lane| lane.from).collect();
        let is_late = |seat: &Seat| missing.contains(seat) || !senders.contains(seat);
        let waited_for = self.round.waiting_for().into_iter();
        waited_for.filter(|named| self.round.seat(named.id).as_ref().is_some_and(is_late)).collect()
    }
}

fn pace(pace_ms: u32) -> Option<Duration> {
    (pace_ms > 0).then(|| Duration::from_millis(pace_ms.into()))
}

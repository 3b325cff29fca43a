//! Referee: who broke the rules of a round, from what the pupils say of each other.
//!
//! # Parties
//! The host, who knows the plan, the keys of all seats, and who says what to it; it never sees a
//! number, unless somebody accuses with one.
//!
//! # Assumes
//! Honest pupils sign one slip per lane and one announcement, and say no more than [`Inbox`] can
//! prove; who says that nothing came ([`Report::Missing`]) takes nothing on that lane afterwards.
//!
//! # Security
//! An honest pupil is never found guilty, whatever the others say: what convicts is its own
//! signature, or its own report. Of two pupils of whom one lies about what only they saw, both are
//! named. A pupil that adds a wrong number is not found.
//!
//! # Rounds
//! 1. Every receiver reports what it took, with both signatures ([`Report::Delivered`]). 2. Who is
//!    given something that breaks the rules reports the proof, which is decided at once. 3. A
//!    message that does not come through is reported by both ends; what only one end says stays
//!    open until [`Referee::settle`], so that the other can answer.
//!
//! [`Inbox`]: super::inbox::Inbox

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    Announcement, Lane, Protocol, Seat,
    plan::Plan,
    slip::{MOST, Slip, Unreadable, verify_announcement},
};
use crate::{
    ids::RunId,
    sign::{PublicKey, Signature},
};

/// A slip with its sender's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed {
    /// What is signed.
    pub slip: Slip,
    /// The sender's signature.
    pub signature: Signature,
}

/// An announcement with its pupil's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedAnnouncement {
    /// What is signed.
    pub announcement: Announcement,
    /// The pupil's signature.
    pub signature: Signature,
}

/// What a pupil says to the host about a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// A message was sent and taken: either end has both signatures.
    Delivered {
        /// The message's slip.
        slip: Slip,
        /// The sender's signature.
        signature: Signature,
        /// The receiver's.
        acknowledgement: Signature,
    },
    /// What was sent is no number, or has no lane.
    Garbage {
        /// The slip that came with it.
        slip: Slip,
        /// The sender's signature.
        signature: Signature,
        /// What came, at most [`MOST`] bytes.
        body: Vec<u8>,
    },
    /// Two different messages were sent on one lane.
    Twice {
        /// The one.
        first: Signed,
        /// The other.
        second: Signed,
    },
    /// Two different numbers were announced by one pupil.
    AnnouncedTwice {
        /// The one.
        first: SignedAnnouncement,
        /// The other.
        second: SignedAnnouncement,
    },
    /// The receiver says that nothing came that it could take, and takes nothing any more.
    Missing(Lane),
    /// The sender says that the receiver does not acknowledge.
    Refused(Lane),
}

/// What the referee makes of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// Nothing new, or nothing yet.
    Noted,
    /// A message has passed.
    Passed(Lane),
    /// A pupil has announced a number.
    Announced(Announcement),
    /// The round is over.
    Stopped(Verdict),
}

/// Who broke the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A pupil did, and it is proved.
    Guilty {
        /// The pupil.
        who: Seat,
        /// What it did.
        offence: Offence,
    },
    /// The sender or the receiver of a message did, or their connection is broken.
    Undecided(Lane),
}

/// What a pupil did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offence {
    /// It sent what is no number of the round.
    Garbage,
    /// It sent this pupil two different numbers.
    Twice(Seat),
    /// It announced two different numbers.
    AnnouncedTwice,
    /// It accused this pupil of what that one did not do.
    FalseAccusation(Seat),
}

/// Not one key for each seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{keys} keys were given for {pupils} pupils")]
pub struct WrongKeys {
    /// How many keys.
    pub keys: usize,
    /// How many pupils.
    pub pupils: usize,
}

/// What is known about a round.
#[derive(Debug)]
pub struct Referee {
    run: RunId,
    lanes: BTreeSet<Lane>,
    plan: Arc<Plan>,
    keys: Vec<PublicKey>,
    delivered: BTreeMap<Lane, Slip>,
    announced: BTreeMap<Seat, u64>,
    missing: BTreeSet<Lane>,
    refused: BTreeSet<Lane>,
}

impl Referee {
    /// A referee for a round, with the key of every seat.
    pub fn new(run: RunId, plan: Arc<Plan>, keys: Vec<PublicKey>) -> Result<Self, WrongKeys> {
        if keys.len() != plan.pupils() {
            return Err(WrongKeys { keys: keys.len(), pupils: plan.pupils() });
        }
        let lanes = plan.lanes().into_iter().collect();
        Ok(Self {
            run,
            lanes,
            plan,
            keys,
            delivered: BTreeMap::new(),
            announced: BTreeMap::new(),
            missing: BTreeSet::new(),
            refused: BTreeSet::new(),
        })
    }

    /// Hears what a pupil says of this round. `by` is who says it, of which the host is sure by
    /// their connection. A slip of another round is left aside: it may have come late.
    pub fn hear(&mut self, by: Seat, report: &Report) -> Ruling {
        match report {
            Report::Delivered { slip, signature, acknowledgement } if slip.run == self.run => {
                self.delivered(by, Signed { slip: *slip, signature: *signature }, acknowledgement)
            }
            Report::Garbage { slip, signature, body } if slip.run == self.run => {
                self.garbage(by, Signed { slip: *slip, signature: *signature }, body)
            }
            Report::Twice { first, second } => self.twice(by, *first, *second),
            Report::AnnouncedTwice { first, second } => self.announced_twice(by, *first, *second),
            Report::Missing(lane) => self.missing(by, *lane),
            Report::Refused(lane) => self.refused(by, *lane),
            Report::Delivered { .. } | Report::Garbage { .. } => Ruling::Noted,
        }
    }

    /// Hears an announcement from the pupil who makes it.
    pub fn announce(&mut self, by: Seat, said: SignedAnnouncement) -> Ruling {
        let Announcement { from, value } = said.announcement;
        if from != by || !self.has_signed_announcement(&said) || !self.plan.announces(by) {
            return guilty(by, Offence::Garbage);
        }
        match self.announced.insert(from, value) {
            None => Ruling::Announced(said.announcement),
            Some(before) if before == value => Ruling::Noted,
            Some(_) => guilty(by, Offence::AnnouncedTwice),
        }
    }

    /// Decides what has been said of messages that did not come through, when nobody has anything
    /// to add. That nothing came counts only where the sender had something to send.
    pub fn settle(&self) -> Option<Verdict> {
        let missing = self.missing.iter().filter(|lane| self.is_due(**lane));
        let mut open = missing.chain(&self.refused).copied();
        open.find(|lane| !self.delivered.contains_key(lane)).map(Verdict::Undecided)
    }

    /// Whether the sender has received what it passes on.
    fn is_due(&self, lane: Lane) -> bool {
        let before = self.plan.incoming(lane.from).get(usize::from(lane.ring));
        self.plan.protocol() == Protocol::Shares
            || lane.from == Seat(0)
            || before.is_some_and(|before| self.delivered.contains_key(before))
    }

    /// Whether somebody says that this message did not come through, and nobody that it did.
    pub fn is_open(&self, lane: Lane) -> bool {
        let is_said = self.missing.contains(&lane) || self.refused.contains(&lane);
        is_said && !self.delivered.contains_key(&lane)
    }

    fn delivered(&mut self, by: Seat, sent: Signed, acknowledgement: &Signature) -> Ruling {
        let lane = sent.slip.lane;
        let receiver = self.keys.get(lane.to.index());
        let is_taken =
            receiver.is_some_and(|key| sent.slip.verify_acknowledged(key, acknowledgement).is_ok());
        if !self.has_signed(&sent) || !is_taken {
            return guilty(by, Offence::Garbage);
        }
        if !self.lanes.contains(&lane) {
            return guilty(lane.from, Offence::Garbage);
        }
        match self.delivered.insert(lane, sent.slip) {
            Some(before) if before != sent.slip => guilty(lane.from, Offence::Twice(lane.to)),
            Some(_) => Ruling::Noted,
            // The receiver itself has signed that it came.
            None if self.missing.contains(&lane) => {
                guilty(lane.to, Offence::FalseAccusation(lane.from))
            }
            None => Ruling::Passed(lane),
        }
    }

    fn garbage(&self, by: Seat, sent: Signed, body: &[u8]) -> Ruling {
        let lane = sent.slip.lane;
        if !self.has_signed(&sent) || body.len() > MOST {
            return self.unproved(by, lane.from);
        }
        let is_no_number = matches!(sent.slip.open(body), Err(Unreadable::NoNumber { .. }));
        match !self.lanes.contains(&lane) || is_no_number {
            true => guilty(lane.from, Offence::Garbage),
            false => self.unproved(by, lane.from),
        }
    }

    fn twice(&self, by: Seat, first: Signed, second: Signed) -> Ruling {
        let lane = first.slip.lane;
        if first.slip.run != self.run {
            return Ruling::Noted;
        }
        let is_proved = second.slip.run == self.run
            && second.slip.lane == lane
            && second.slip.digest != first.slip.digest
            && self.has_signed(&first)
            && self.has_signed(&second);
        match is_proved {
            true if self.lanes.contains(&lane) => guilty(lane.from, Offence::Twice(lane.to)),
            true => guilty(lane.from, Offence::Garbage),
            false => self.unproved(by, lane.from),
        }
    }

    fn announced_twice(
        &self,
        by: Seat,
        first: SignedAnnouncement,
        second: SignedAnnouncement,
    ) -> Ruling {
        let from = first.announcement.from;
        let is_proved = second.announcement.from == from
            && second.announcement.value != first.announcement.value
            && self.has_signed_announcement(&first)
            && self.has_signed_announcement(&second);
        match is_proved {
            true => guilty(from, Offence::AnnouncedTwice),
            false => self.unproved(by, from),
        }
    }

    fn missing(&mut self, by: Seat, lane: Lane) -> Ruling {
        if by != lane.to || !self.lanes.contains(&lane) {
            return self.unproved(by, lane.from);
        }
        if self.delivered.contains_key(&lane) {
            return guilty(by, Offence::FalseAccusation(lane.from));
        }
        self.missing.insert(lane);
        self.both_ends(lane)
    }

    fn refused(&mut self, by: Seat, lane: Lane) -> Ruling {
        if by != lane.from || !self.lanes.contains(&lane) {
            return self.unproved(by, lane.to);
        }
        // A receiver may have told the host alone: no fault of the sender's.
        if self.delivered.contains_key(&lane) {
            return Ruling::Noted;
        }
        self.refused.insert(lane);
        self.both_ends(lane)
    }

    fn both_ends(&self, lane: Lane) -> Ruling {
        match self.missing.contains(&lane) && self.refused.contains(&lane) {
            true => Ruling::Stopped(Verdict::Undecided(lane)),
            false => Ruling::Noted,
        }
    }

    /// An accusation that shows nothing. Who accuses itself or nobody of the round talks garbage.
    fn unproved(&self, by: Seat, accused: Seat) -> Ruling {
        match accused != by && accused.index() < self.keys.len() {
            true => guilty(by, Offence::FalseAccusation(accused)),
            false => guilty(by, Offence::Garbage),
        }
    }

    fn has_signed(&self, sent: &Signed) -> bool {
        let key = self.keys.get(sent.slip.lane.from.index());
        key.is_some_and(|key| sent.slip.verify(key, &sent.signature).is_ok())
    }

    fn has_signed_announcement(&self, said: &SignedAnnouncement) -> bool {
        let SignedAnnouncement { announcement, signature } = said;
        let key = self.keys.get(announcement.from.index());
        key.is_some_and(|key| verify_announcement(self.run, *announcement, key, signature).is_ok())
    }
}

fn guilty(who: Seat, offence: Offence) -> Ruling {
    Ruling::Stopped(Verdict::Guilty { who, offence })
}

#[cfg(test)]
mod tests;

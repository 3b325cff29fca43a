//! Game: what the host makes of what pupils say during a round, without sockets and clocks.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mpc::{
    ids::RunId,
    ring::{
        Lane, Protocol, Seat,
        plan::WrongNumber,
        referee::{Referee, Report, Ruling, SignedAnnouncement, Verdict},
    },
};

use crate::ring::{
    name::{Named, PupilId},
    round::{Outcome, Round},
    scale::Scale,
    stop::Stop,
    wire::{About, Contact, Instruction},
};

/// A round that is being played.
pub struct Game {
    round: Round,
    referee: Referee,
    lanes: usize,
    /// The place of each lane in the order of steps.
    order: BTreeMap<Lane, usize>,
    seated: BTreeSet<Seat>,
    /// Messages that were reported before those that lead to them: reports come on several
    /// streams.
    early: Vec<Lane>,
    passed: usize,
    announced: BTreeMap<Seat, SignedAnnouncement>,
    held: BTreeSet<Lane>,
    released: Option<Lane>,
    outcome: Option<Outcome>,
    /// Who knows the result, or left when everybody had been told it.
    learned: BTreeSet<Seat>,
}

/// What follows from something that a pupil said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consequence {
    /// Nothing new.
    Nothing,
    /// The round goes on.
    Progress {
        /// Messages that have passed.
        passed: Vec<Lane>,
        /// For everybody.
        order: Option<Instruction>,
    },
    /// A sender says that its number does not arrive: the receiver is asked.
    Complaint(Lane),
}

impl Game {
    pub fn new(
        run: RunId,
        protocol: Protocol,
        scale: Scale,
        roster: &[(Named, Contact)],
    ) -> Result<Self, WrongNumber> {
        let pupils = roster.iter().map(|(named, _)| named.clone()).collect();
        let keys = roster.iter().map(|(_, contact)| contact.key).collect();
        let round = Round::new(run, protocol, scale, pupils)?;
        let plan = round.plan();
        // There are as many keys as pupils.
        let referee = Referee::new(run, Arc::clone(plan), keys)
            .map_err(|_| WrongNumber { pupils: roster.len() })?;
        let lanes = plan.lanes();
        Ok(Self {
            referee,
            lanes: lanes.len(),
            order: steps(&lanes),
            seated: BTreeSet::new(),
            early: Vec::new(),
            passed: 0,
            announced: BTreeMap::new(),
            held: BTreeSet::new(),
            released: None,
            outcome: None,
            learned: BTreeSet::new(),
            round,
        })
    }

    pub fn round(&self) -> &Round {
        &self.round
    }

    /// The result, as soon as everybody knows it.
    pub fn result(&self) -> Option<Outcome> {
        self.outcome.filter(|_| self.learned.len() == self.round.pupils().len())
    }

    /// The result, as soon as it is announced.
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// A pupil says something of this round.
    pub fn hear(&mut self, by: Seat, about: About) -> Result<Consequence, Stop> {
        match about {
            About::Seated => {
                self.seated.insert(by);
                let all = self.seated.len() == self.round.pupils().len();
                Ok(progress(all.then_some(Instruction::Begin)))
            }
            About::Declined(reason) => Err(Stop::Declined { who: self.round.pupil(by), reason }),
            About::Held(lane) if lane.from == by && self.order.contains_key(&lane) => {
                self.held.insert(lane);
                Ok(Consequence::Nothing)
            }
            About::Held(_) => Err(self.garbage(by)),
            About::Report(report) => {
                let ruling = self.referee.hear(by, &report);
                match (self.rule(ruling, None)?, report) {
                    (Consequence::Nothing, Report::Refused(lane)) => {
                        Ok(Consequence::Complaint(lane))
                    }
                    (other, _) => Ok(other),
                }
            }
            About::Announced(said) => {
                let ruling = self.referee.announce(by, said);
                self.rule(ruling, Some(said))
            }
            About::Learned(total) => {
                let known = self.outcome.map(|outcome| outcome.total.cast_unsigned());
                if known != Some(total) {
                    return Err(self.garbage(by));
                }
                self.learned.insert(by);
                Ok(progress(None))
            }
            About::View(_) | About::NoView => Ok(Consequence::Nothing),
        }
    }

    /// A pupil is gone. When the total is announced this stops nothing: played again without it,
    /// total less total would be its value.
    pub fn left(&mut self, id: PupilId) -> Option<Stop> {
        let seat = self.round.seat(id)?;
        if self.outcome.is_some() {
            self.learned.insert(seat);
            return None;
        }
        Some(Stop::Left { who: self.round.pupil(seat) })
    }

    /// What follows from a complaint that its receiver did not answer in time.
    pub fn unanswered(&self, lane: Lane) -> Option<Stop> {
        let is_open = self.referee.is_open(lane) && self.outcome.is_none();
        is_open.then(|| Stop::Silent { who: vec![self.round.pupil(lane.to)] })
    }

    /// What follows from all complaints when nobody has anything to add: where both ends say that a
    /// message did not come through, the round is over already, so this receiver said nothing.
    fn settle(&self) -> Option<Stop> {
        self.referee.settle().map(|verdict| match verdict {
            Verdict::Undecided(lane) => Stop::Silent { who: vec![self.round.pupil(lane.to)] },
            guilty @ Verdict::Guilty { .. } => self.round.convict(guilty),
        })
    }

    /// Nothing came for too long. None: nothing is waited for but the word that it is known.
    pub fn silent(&self) -> Option<Stop> {
        if self.outcome.is_some() {
            return None;
        }
        let all = self.round.pupils().len();
        let those_without = |done: &dyn Fn(&Seat) -> bool| {
            let seats = self.round.plan().seats().into_iter().filter(|seat| !done(seat));
            Stop::Silent { who: seats.map(|seat| self.round.pupil(seat)).collect() }
        };
        if self.seated.len() < all {
            return Some(those_without(&|seat| self.seated.contains(seat)));
        }
        Some(self.settle().unwrap_or_else(|| self.round.silent()))
    }

    /// The number that passes next, if it waits for the teacher.
    pub fn turn(&self) -> Option<Lane> {
        if self.released.is_some() || self.held.is_empty() {
            return None;
        }
        let due = self.round.due().into_iter();
        due.min_by_key(|lane| self.order.get(lane)).filter(|lane| self.held.contains(lane))
    }

    /// The teacher lets a number pass.
    pub fn release(&mut self, lane: Lane) {
        self.held.remove(&lane);
        self.released = Some(lane);
    }

    fn rule(
        &mut self,
        ruling: Ruling,
        said: Option<SignedAnnouncement>,
    ) -> Result<Consequence, Stop> {
        match ruling {
            Ruling::Noted => Ok(Consequence::Nothing),
            Ruling::Passed(lane) => {
                self.early.push(lane);
                let passed = self.catch_up();
                Ok(Consequence::Progress { passed, order: self.add_up()? })
            }
            Ruling::Announced(announcement) => {
                if let Some(said) = said {
                    self.announced.insert(announcement.from, said);
                }
                Ok(progress(self.add_up()?))
            }
            Ruling::Stopped(verdict) => Err(self.round.convict(verdict)),
        }
    }

    /// Notes the messages that have passed, as far as what leads to them has.
    fn catch_up(&mut self) -> Vec<Lane> {
        let mut passed = Vec::new();
        // Each is tried again after every success; those that cannot be noted yet change nothing.
        while let Some(place) = self.early.iter().position(|lane| self.round.pass(*lane).is_ok()) {
            let lane = self.early.swap_remove(place);
            if self.released == Some(lane) {
                self.released = None;
            }
            passed.push(lane);
        }
        self.passed += passed.len();
        passed
    }

    /// When all messages have passed: notes the announcements. When they are all there: the result
    /// for everybody.
    fn add_up(&mut self) -> Result<Option<Instruction>, Stop> {
        if self.passed < self.lanes || self.outcome.is_some() {
            return Ok(None);
        }
        for said in self.announced.values() {
            if let Some(outcome) = self.round.announce(said.announcement)? {
                self.outcome = Some(outcome);
                let all = self.announced.values().copied().collect();
                return Ok(Some(Instruction::Finished(all)));
            }
        }
        Ok(None)
    }

    fn garbage(&self, by: Seat) -> Stop {
        Stop::Garbage { who: self.round.pupil(by) }
    }
}

fn progress(order: Option<Instruction>) -> Consequence {
    Consequence::Progress { passed: Vec::new(), order }
}

/// The order of steps: the first numbers of all rings, then the second ones, and so on.
fn steps(lanes: &[Lane]) -> BTreeMap<Lane, usize> {
    let mut places: BTreeMap<u16, usize> = BTreeMap::new();
    let mut order: Vec<(usize, Lane)> = Vec::new();
    for lane in lanes {
        let place = places.entry(lane.ring).or_default();
        order.push((*place, *lane));
        *place += 1;
    }
    order.sort_by_key(|(place, lane)| (*place, lane.ring));
    order.into_iter().enumerate().map(|(step, (_, lane))| (lane, step)).collect()
}

#[cfg(test)]
mod tests;

//! Round: what a host knows of one play, and who is waited for.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mpc::{
    ids::RunId,
    ring::{
        Announcement, Lane, Protocol, Seat,
        plan::{Plan, WrongNumber},
        referee::{Offence, Verdict},
    },
};

use super::{
    name::{Named, PupilId},
    scale::Scale,
    stop::Stop,
};

/// One play, as far as everybody may know it: which messages have passed, and what was announced.
#[derive(Debug, Clone)]
pub struct Round {
    run: RunId,
    plan: Arc<Plan>,
    scale: Scale,
    pupils: Vec<Named>,
    passed: BTreeSet<Lane>,
    announced: BTreeMap<Seat, u64>,
}

/// What everybody learns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// How many pupils played.
    pub pupils: usize,
    /// The sum of their values, times 10^decimals.
    pub total: i64,
    /// Their average.
    pub average: f64,
}

impl Round {
    /// A round of these pupils, who sit in this order.
    pub fn new(
        run: RunId,
        protocol: Protocol,
        scale: Scale,
        pupils: Vec<Named>,
    ) -> Result<Self, WrongNumber> {
        let plan = Arc::new(Plan::new(protocol, pupils.len())?);
        Ok(Self { run, plan, scale, pupils, passed: BTreeSet::new(), announced: BTreeMap::new() })
    }

    /// The round's id, by which its messages are told from those of others.
    pub fn run(&self) -> RunId {
        self.run
    }

    /// Who sends to whom.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The values.
    pub fn scale(&self) -> &Scale {
        &self.scale
    }

    /// The pupils in the order of their seats.
    pub fn pupils(&self) -> &[Named] {
        &self.pupils
    }

    /// The seat of a pupil that plays.
    pub fn seat(&self, id: PupilId) -> Option<Seat> {
        let place = self.pupils.iter().position(|pupil| pupil.id == id)?;
        u16::try_from(place).ok().map(Seat)
    }

    /// Who sits there. Seats come from the plan or from [`Self::seat`], so somebody does.
    pub fn pupil(&self, seat: Seat) -> Named {
        let named = self.pupils.get(seat.index()).cloned();
        named.unwrap_or_else(|| Named::new(PupilId(0), ""))
    }

    /// Notes that a message has passed. A lane of the plan, once, and not before what leads to it.
    pub fn pass(&mut self, lane: Lane) -> Result<(), Stop> {
        let who = || self.pupil(lane.from);
        if self.passed.contains(&lane) {
            return Err(Stop::Twice { who: who(), to: self.pupil(lane.to) });
        }
        match self.is_due(lane) {
            true => {
                self.passed.insert(lane);
                Ok(())
            }
            false => Err(Stop::Garbage { who: who() }),
        }
    }

    /// Notes an announcement. The outcome, when it was the last one.
    pub fn announce(&mut self, announcement: Announcement) -> Result<Option<Outcome>, Stop> {
        let Announcement { from, value } = announcement;
        match self.announced.get(&from) {
            Some(&other) if other == value => return Ok(None),
            Some(_) => return Err(Stop::AnnouncedTwice { who: self.pupil(from) }),
            None if !self.may_announce(from) => {
                return Err(Stop::Garbage { who: self.pupil(from) });
            }
            None => self.announced.insert(from, value),
        };
        if self.announced.len() < self.announcers().len() {
            return Ok(None);
        }
        let total = self.announced.values().fold(0u64, |sum, value| sum.wrapping_add(*value));
        let pupils = self.pupils.len();
        let Some(total) = self.scale.total(total, pupils) else {
            let (min, max) = (*self.scale.range().start(), *self.scale.range().end());
            let (min, max) = (self.scale.show(min), self.scale.show(max));
            return Err(Stop::ImpossibleTotal { pupils, min, max });
        };
        Ok(Some(Outcome { pupils, total, average: self.scale.average(total, pupils) }))
    }

    /// What was announced so far.
    pub fn announced(&self) -> &BTreeMap<Seat, u64> {
        &self.announced
    }

    /// The messages that are due: those whose sender has received what it needs.
    pub fn due(&self) -> Vec<Lane> {
        let lanes = self.plan.lanes().into_iter();
        lanes.filter(|lane| !self.passed.contains(lane) && self.is_due(*lane)).collect()
    }

    /// Who is waited for: the senders of messages that are due, or those who have to announce.
    pub fn waiting_for(&self) -> Vec<Named> {
        let due = self.due();
        let mut seats: BTreeSet<Seat> = due.iter().map(|lane| lane.from).collect();
        let announcers = self.announcers().into_iter();
        seats.extend(
            announcers
                .filter(|seat| !self.announced.contains_key(seat) && self.may_announce(*seat)),
        );
        seats.into_iter().map(|seat| self.pupil(seat)).collect()
    }

    /// Stops the round because nothing came for too long.
    pub fn silent(&self) -> Stop {
        Stop::Silent { who: self.waiting_for() }
    }

    /// Stops the round because the referee has found who broke the rules, or between whom it is.
    pub fn convict(&self, verdict: Verdict) -> Stop {
        let (who, offence) = match verdict {
            Verdict::Guilty { who, offence } => (self.pupil(who), offence),
            Verdict::Undecided(lane) => {
                return Stop::Disagree { one: self.pupil(lane.from), other: self.pupil(lane.to) };
            }
        };
        match offence {
            Offence::Garbage => Stop::Garbage { who },
            Offence::Twice(to) => Stop::Twice { who, to: self.pupil(to) },
            Offence::AnnouncedTwice => Stop::AnnouncedTwice { who },
            Offence::FalseAccusation(accused) => {
                Stop::FalseAccusation { who, accused: self.pupil(accused) }
            }
        }
    }

    /// Whether the plan has this lane, and its sender has received what it passes on.
    pub fn is_due(&self, lane: Lane) -> bool {
        match self.plan.protocol() {
            Protocol::Shares => {
                lane.ring == 0
                    && lane.from != lane.to
                    && lane.from.index() < self.pupils.len()
                    && lane.to.index() < self.pupils.len()
            }
            Protocol::Ring | Protocol::Rings => {
                let Some(order) = self.plan.rings().get(usize::from(lane.ring)) else {
                    return false;
                };
                let Some(place) = order.iter().position(|&seat| seat == lane.from) else {
                    return false;
                };
                let next = order.get(place + 1).or(order.first()).copied();
                let before = place.checked_sub(1).and_then(|place| order.get(place)).copied();
                next == Some(lane.to)
                    && before.is_none_or(|from| {
                        self.passed.contains(&Lane { ring: lane.ring, from, to: lane.from })
                    })
            }
        }
    }

    fn announcers(&self) -> Vec<Seat> {
        match self.plan.protocol() {
            Protocol::Shares => self.plan.seats(),
            Protocol::Ring | Protocol::Rings => vec![Seat(0)],
        }
    }

    /// Whether everything that this pupil's announcement depends on has passed.
    fn may_announce(&self, seat: Seat) -> bool {
        let awaited = |lane: &Lane| lane.to == seat && !self.passed.contains(lane);
        self.announcers().contains(&seat) && !self.plan.lanes().iter().any(awaited)
    }
}

#[cfg(test)]
mod tests;

//! One pupil's part in a round, without sockets: what it sends at first, and upon each message.

use std::{fmt, sync::Arc};

use rand::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Announcement, Lane, Message, Protocol, Seat, plan::Plan, view::View};

/// A pupil during a round. Its value, shares and masks are wiped when it is dropped, and are not
/// shown by `Debug`.
pub struct Pupil {
    view: View,
    plan: Arc<Plan>,
    /// For each lane to this pupil, in the plan's order, where in the view its message is.
    arrived: Vec<Option<usize>>,
    /// For each lane from this pupil, in the plan's order, whether it has been used.
    sent: Vec<bool>,
    started: bool,
    learned: bool,
}

/// What a pupil brings into a round: its value and what it draws. Redacted in `Debug`, wiped when
/// dropped.
#[derive(Clone)]
pub struct Secrets {
    /// Its value, modulo 2^64.
    pub value: u64,
    /// The shares of its value, which add up to it: as many as the plan says.
    pub shares: Vec<u64>,
    /// With P_1 one mask per ring; nobody else has any, and with [`Protocol::Shares`] nobody.
    pub masks: Vec<u64>,
}

/// What a pupil does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Sends a message.
    Send(Message),
    /// Announces a number to everybody.
    Announce(Announcement),
    /// Knows the total, modulo 2^64.
    Learn(u64),
}

/// A message or an announcement that does not belong to the round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unexpected {
    /// The lane is none of the plan's that lead to this pupil.
    #[error("no number comes from {} in ring {} here", .0.from, u32::from(.0.ring) + 1)]
    Lane(Lane),
    /// There was another message on this lane.
    #[error("{} sent two different numbers in ring {}", .0.from, u32::from(.0.ring) + 1)]
    Twice(Lane),
    /// This pupil has nothing to announce.
    #[error("{0} has nothing to announce")]
    Announcer(Seat),
    /// This pupil announced another number before.
    #[error("{0} announced two different numbers")]
    AnnouncedTwice(Seat),
}

/// Secrets that do not fit a seat of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the shares and masks are not those of {0} in this plan")]
pub struct WrongSecrets(pub Seat);

impl Secrets {
    /// Draws the shares and masks of a value.
    pub fn draw(plan: &Plan, seat: Seat, value: u64, rng: &mut impl CryptoRng) -> Self {
        let mut shares = Vec::with_capacity(plan.shares());
        let mut last = value;
        for _ in 1..plan.shares() {
            let share = rng.next_u64();
            last = last.wrapping_sub(share);
            shares.push(share);
        }
        shares.push(last);
        let masks = (0..Self::masks(plan, seat)).map(|_| rng.next_u64()).collect();
        Self { value, shares, masks }
    }

    /// Whether these are secrets that this seat could have.
    pub fn check(&self, plan: &Plan, seat: Seat) -> Result<(), WrongSecrets> {
        let fits = seat.index() < plan.pupils()
            && self.shares.len() == plan.shares()
            && self.masks.len() == Self::masks(plan, seat)
            && sum(self.shares.iter().copied()) == self.value;
        if fits { Ok(()) } else { Err(WrongSecrets(seat)) }
    }

    /// How many masks this seat has: P_1 starts every ring.
    fn masks(plan: &Plan, seat: Seat) -> usize {
        if seat == Seat(0) { plan.rings().len() } else { 0 }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

impl Drop for Secrets {
    fn drop(&mut self) {
        self.value.zeroize();
        self.shares.zeroize();
        self.masks.zeroize();
    }
}

impl ZeroizeOnDrop for Secrets {}

impl Pupil {
    /// A pupil with a seat of the plan and a value; draws its shares and masks.
    pub fn new(plan: Arc<Plan>, seat: Seat, value: u64, rng: &mut impl CryptoRng) -> Self {
        let secrets = Secrets::draw(&plan, seat, value, rng);
        Self::assemble(plan, seat, &secrets)
    }

    /// A pupil whose shares and masks are given: for vectors, and to play a class again that an
    /// attacker imagines.
    pub fn with_secrets(
        plan: Arc<Plan>,
        seat: Seat,
        secrets: &Secrets,
    ) -> Result<Self, WrongSecrets> {
        secrets.check(&plan, seat)?;
        Ok(Self::assemble(plan, seat, secrets))
    }

    /// What the pupil does at first. Messages that came before wait for it.
    pub fn start(&mut self) -> Vec<Action> {
        self.started = true;
        self.advance()
    }

    /// What the pupil does upon a message to it. The same message again: nothing.
    pub fn receive(&mut self, message: Message) -> Result<Vec<Action>, Unexpected> {
        let incoming = self.plan.incoming(self.view.seat);
        let place = incoming.iter().position(|lane| *lane == message.lane);
        let Some(arrived) = place.and_then(|place| self.arrived.get_mut(place)) else {
            return Err(Unexpected::Lane(message.lane));
        };
        match arrived.and_then(|at| self.view.received.get(at)) {
            Some(before) if *before == message => return Ok(Vec::new()),
            Some(_) => return Err(Unexpected::Twice(message.lane)),
            None => {
                *arrived = Some(self.view.received.len());
                self.view.received.push(message);
            }
        }
        Ok(self.advance())
    }

    /// What the pupil does upon an announcement of somebody else. The same again: nothing.
    pub fn hear(&mut self, announcement: Announcement) -> Result<Vec<Action>, Unexpected> {
        let Announcement { from, value } = announcement;
        match self.announced(from) {
            Some(before) if before == value => return Ok(Vec::new()),
            Some(_) => return Err(Unexpected::AnnouncedTwice(from)),
            // Nobody else speaks for this pupil.
            None if from == self.view.seat || !self.plan.announces(from) => {
                return Err(Unexpected::Announcer(from));
            }
            None => self.view.announced.push(announcement),
        }
        Ok(self.advance())
    }

    /// Everything that the pupil has seen so far, its own secrets among it.
    pub fn reveal_view(&self) -> &View {
        &self.view
    }

    fn assemble(plan: Arc<Plan>, seat: Seat, secrets: &Secrets) -> Self {
        let (incoming, outgoing) = (plan.incoming(seat).len(), plan.outgoing(seat).len());
        // No message is copied by a growing list, which would leave it in memory.
        let view = View {
            seat,
            value: secrets.value,
            shares: secrets.shares.clone(),
            masks: secrets.masks.clone(),
            sent: Vec::with_capacity(outgoing),
            received: Vec::with_capacity(incoming),
            announced: Vec::new(),
        };
        let (arrived, sent) = (vec![None; incoming], vec![false; outgoing]);
        Self { view, plan, arrived, sent, started: false, learned: false }
    }

    /// Does whatever can be done by now and has not been done.
    fn advance(&mut self) -> Vec<Action> {
        if !self.started {
            return Vec::new();
        }
        let mut actions = Vec::new();
        let plan = Arc::clone(&self.plan);
        for (place, &lane) in plan.outgoing(self.view.seat).iter().enumerate() {
            let Some(value) = self.content(lane) else { continue };
            if let Some(sent) = self.sent.get_mut(place).filter(|sent| !**sent) {
                *sent = true;
                let message = Message { lane, value };
                self.view.sent.push(message);
                actions.push(Action::Send(message));
            }
        }
        if let Some(value) = self.conclusion() {
            let announcement = Announcement { from: self.view.seat, value };
            self.view.announced.push(announcement);
            actions.push(Action::Announce(announcement));
        }
        // Only who has to announce is in the list, and nobody twice.
        if !self.learned && self.view.announced.len() == self.plan.announcers() {
            self.learned = true;
            actions.push(Action::Learn(sum(self.view.announced.iter().map(|said| said.value))));
        }
        actions
    }

    /// What belongs on a lane from this pupil, when it is known.
    fn content(&self, lane: Lane) -> Option<u64> {
        let ring = usize::from(lane.ring);
        match self.plan.protocol() {
            Protocol::Shares => self.view.shares.get(lane.to.index()).copied(),
            Protocol::Ring | Protocol::Rings => {
                let share = *self.view.shares.get(ring)?;
                let before = match self.view.masks.get(ring) {
                    Some(mask) => *mask,
                    None => self.received(ring)?,
                };
                Some(before.wrapping_add(share))
            }
        }
    }

    /// What this pupil has to announce, when it is known and has not been announced.
    fn conclusion(&self) -> Option<u64> {
        let seat = self.view.seat;
        let is_due = self.plan.announces(seat)
            && self.announced(seat).is_none()
            && self.view.received.len() == self.arrived.len();
        let received = sum(self.view.received.iter().map(|message| message.value));
        let own = match self.plan.protocol() {
            Protocol::Shares => *self.view.shares.get(seat.index())?,
            Protocol::Ring | Protocol::Rings => sum(self.view.masks.iter().copied()).wrapping_neg(),
        };
        is_due.then_some(received.wrapping_add(own))
    }

    /// What came on a lane to this pupil, by the lane's place in the plan, which is the ring.
    fn received(&self, place: usize) -> Option<u64> {
        let at = (*self.arrived.get(place)?)?;
        self.view.received.get(at).map(|message| message.value)
    }

    fn announced(&self, from: Seat) -> Option<u64> {
        let announcement = self.view.announced.iter().find(|heard| heard.from == from);
        announcement.map(|heard| heard.value)
    }
}

fn sum(values: impl Iterator<Item = u64>) -> u64 {
    values.fold(0, u64::wrapping_add)
}

impl fmt::Debug for Pupil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pupil").field("view", &self.view).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

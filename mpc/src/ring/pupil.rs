//! One pupil's part in a round, without sockets: what it sends at first, and upon each message.

use std::sync::Arc;

use rand::CryptoRng;

use super::{Announcement, Lane, Message, Seat, plan::Plan, view::View};

/// A pupil during a round. Its value, shares and masks are wiped when it is dropped, and are not
/// shown by `Debug`.
pub struct Pupil {
    view: View,
    plan: Arc<Plan>,
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
    #[error("no number comes from {} in ring {} here", .0.from, .0.ring + 1)]
    Lane(Lane),
    /// There was another message on this lane.
    #[error("{} sent two different numbers in ring {}", .0.from, .0.ring + 1)]
    Twice(Lane),
    /// This pupil has nothing to announce.
    #[error("{0} has nothing to announce")]
    Announcer(Seat),
    /// This pupil announced another number before.
    #[error("{0} announced two different numbers")]
    AnnouncedTwice(Seat),
}

impl Pupil {
    /// A pupil with a seat of the plan and a value; draws its shares and masks.
    pub fn new(plan: Arc<Plan>, seat: Seat, value: u64, rng: &mut impl CryptoRng) -> Self {
        unimplemented!()
    }

    /// What the pupil does at first.
    pub fn start(&mut self) -> Vec<Action> {
        unimplemented!()
    }

    /// What the pupil does upon a message to it. The same message again: nothing.
    pub fn receive(&mut self, message: Message) -> Result<Vec<Action>, Unexpected> {
        unimplemented!()
    }

    /// What the pupil does upon an announcement of somebody else. The same again: nothing.
    pub fn hear(&mut self, announcement: Announcement) -> Result<Vec<Action>, Unexpected> {
        unimplemented!()
    }

    /// Everything that the pupil has seen so far, its own secrets among it.
    pub fn reveal_view(&self) -> &View {
        &self.view
    }
}

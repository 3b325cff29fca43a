//! Coalition: views that strangers may have made up, checked to be of one round and to fit together.

use std::{collections::BTreeMap, sync::Arc};

use super::Contradiction;
use crate::ring::{
    Lane, Message, Seat,
    plan::Plan,
    play::Played,
    pupil::{Pupil, Secrets, Unexpected},
    view::View,
};

/// Views that fit together.
pub(super) struct Coalition {
    plan: Arc<Plan>,
    views: BTreeMap<Seat, View>,
    honest: Vec<Seat>,
    seen: BTreeMap<Lane, u64>,
    /// What everybody heard, and its sum: the total.
    announced: BTreeMap<Seat, u64>,
}

impl Coalition {
    /// Checks views: each by playing its pupil again with what it says to have received, and all
    /// against each other.
    pub(super) fn new(plan: &Plan, views: &[View]) -> Result<Self, Contradiction> {
        let plan = Arc::new(plan.clone());
        let mut checked: BTreeMap<Seat, View> = BTreeMap::new();
        let mut seen: BTreeMap<Lane, u64> = BTreeMap::new();
        let first = views.first().ok_or(Contradiction::Nobody)?.sorted();
        for view in views {
            let view = check(&plan, view)?;
            let seat = view.seat;
            if checked.contains_key(&seat) {
                return Err(Contradiction::Again(seat));
            }
            for message in view.sent.iter().chain(&view.received) {
                let Lane { from, to, .. } = message.lane;
                if *seen.entry(message.lane).or_insert(message.value) != message.value {
                    return Err(Contradiction::Between(from, to));
                }
            }
            if view.announced != first.announced {
                return Err(Contradiction::Announced(first.seat, seat));
            }
            checked.insert(seat, view);
        }
        let mut honest = plan.seats();
        honest.retain(|seat| !checked.contains_key(seat));
        let announced = first.announced.iter().map(|said| (said.from, said.value)).collect();
        Ok(Self { plan, views: checked, honest, seen, announced })
    }

    pub(super) fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Everybody whose view is not here, in the order of seats.
    pub(super) fn honest(&self) -> &[Seat] {
        &self.honest
    }

    /// The view of a member; none for an honest pupil.
    pub(super) fn view(&self, seat: Seat) -> Option<&View> {
        self.views.get(&seat)
    }

    /// A message that a member sent or received.
    pub(super) fn seen(&self, ring: u16, from: Seat, to: Seat) -> Option<Message> {
        let lane = Lane { ring, from, to };
        self.seen.get(&lane).map(|&value| Message { lane, value })
    }

    /// What a pupil announced.
    pub(super) fn announced(&self, from: Seat) -> Option<u64> {
        self.announced.get(&from).copied()
    }

    /// The sum of all honest values, modulo 2^64: the total without the members' own.
    pub(super) fn honest_sum(&self) -> u64 {
        let total = self.announced.values().copied().fold(0, u64::wrapping_add);
        self.views.values().fold(total, |rest, view| rest.wrapping_sub(view.value))
    }

    /// Whether the members would have seen the same in this round.
    pub(super) fn has_seen(&self, played: &Played) -> bool {
        let same = |view: &View| {
            played.views.get(view.seat.index()).is_some_and(|other| other.sorted() == *view)
        };
        self.views.values().all(same)
    }
}

/// A view in order, if it is one that a pupil of this plan can have.
fn check(plan: &Arc<Plan>, view: &View) -> Result<View, Contradiction> {
    let seat = view.seat;
    if seat.index() >= plan.pupils() {
        return Err(Contradiction::Stranger(seat));
    }
    let lanes = |messages: &[Message]| {
        let mut lanes: Vec<_> = messages.iter().map(|message| message.lane).collect();
        lanes.sort_unstable();
        lanes
    };
    let sorted = |lanes: &[Lane]| {
        let mut lanes = lanes.to_vec();
        lanes.sort_unstable();
        lanes
    };
    if lanes(&view.sent) != sorted(plan.outgoing(seat))
        || lanes(&view.received) != sorted(plan.incoming(seat))
    {
        return Err(Contradiction::Messages(seat));
    }
    let secrets =
        Secrets { value: view.value, shares: view.shares.clone(), masks: view.masks.clone() };
    let mut pupil = Pupil::with_secrets(Arc::clone(plan), seat, &secrets)
        .map_err(|_| Contradiction::Secrets(seat))?;
    let broken = |_: Unexpected| Contradiction::Arithmetic(seat);
    pupil.start();
    for message in &view.received {
        pupil.receive(*message).map_err(broken)?;
    }
    for said in view.announced.iter().filter(|said| said.from != seat) {
        pupil.hear(*said).map_err(broken)?;
    }
    let view = view.sorted();
    match pupil.reveal_view().sorted() == view && view.announced.len() == plan.announcers() {
        true => Ok(view),
        false => Err(Contradiction::Arithmetic(seat)),
    }
}

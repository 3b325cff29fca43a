//! Play: one round as a pupil sees it, without sockets: what it does upon what comes.

use std::{collections::BTreeMap, sync::Arc};

use mpc::{
    ids::RunId,
    ring::{
        Lane, Message, Seat,
        inbox::{Inbox, Taken},
        plan::Plan,
        pupil::{Action, Pupil},
        referee::{Report, SignedAnnouncement},
        slip,
    },
    sign::{PublicKey, Signature, Signer},
};
use rand::CryptoRng;

use super::{Event, Learned, Seating};
use crate::ring::{
    check,
    name::Named,
    round::Outcome,
    scale::Scale,
    wire::{About, Contact, Parcel, Seats},
};

/// One round.
pub struct Play {
    pub run: RunId,
    seats: Vec<(Named, Contact)>,
    seat: Seat,
    plan: Arc<Plan>,
    stepped: bool,
    pupil: Pupil,
    inbox: Inbox,
    heard: BTreeMap<Seat, SignedAnnouncement>,
    held: BTreeMap<Lane, Message>,
    total: Option<u64>,
    finished: bool,
}

/// What is to be done.
#[derive(Debug)]
pub enum Effect {
    /// Tell the host.
    Tell(About),
    /// Send a number.
    Deliver(Message),
    /// Tell everybody.
    Proclaim(SignedAnnouncement),
    /// Show the person.
    Show(Event),
}

impl Play {
    /// A pupil's place in a round, or why it does not play: what the host sent must be a round with
    /// this pupil in it.
    pub fn new(
        seats: Seats,
        own: (&Named, &Contact),
        value: i64,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, String> {
        let Seats { run, protocol, pupils: seats, stepped } = seats;
        let plan = Arc::new(Plan::new(protocol, seats.len()).map_err(|error| error.to_string())?);
        for (place, (named, contact)) in seats.iter().enumerate() {
            let is_double = |(other, theirs): &(Named, Contact)| {
                other.id == named.id || theirs.key == contact.key || theirs.pin == contact.pin
            };
            if seats.iter().skip(place + 1).any(is_double) {
                return Err(format!("{named} sits in two seats"));
            }
        }
        let seat =
            seats.iter().position(|(named, contact)| named.id == own.0.id && contact == own.1);
        let seat = seat.and_then(|place| u16::try_from(place).ok()).map(Seat);
        let seat = seat.ok_or("the host's roster is not right about it")?;
        let keys: Vec<PublicKey> = seats.iter().map(|(_, contact)| contact.key).collect();
        let pupil = Pupil::new(Arc::clone(&plan), seat, value.cast_unsigned(), rng);
        let inbox = Inbox::new(run, &plan, seat, keys);
        Ok(Self {
            run,
            seats,
            seat,
            plan,
            stepped,
            pupil,
            inbox,
            heard: BTreeMap::new(),
            held: BTreeMap::new(),
            total: None,
            finished: false,
        })
    }

    /// Where the pupil sits.
    pub fn seating(&self) -> Seating {
        Seating {
            protocol: self.plan.protocol(),
            pupils: self.seats.iter().map(|(named, _)| named.clone()).collect(),
            seat: self.seat,
            plan: Arc::clone(&self.plan),
            check: check::of(self.plan.protocol(), &self.seats),
        }
    }

    /// Where the others are.
    pub fn contact(&self, seat: Seat) -> Option<&Contact> {
        self.seats.get(seat.index()).map(|(_, contact)| contact)
    }

    /// Everybody else.
    pub fn others(&self) -> impl Iterator<Item = &Contact> {
        let own = self.seat.index();
        let seats = self.seats.iter().enumerate().filter(move |(place, _)| *place != own);
        seats.map(|(_, (_, contact))| contact)
    }

    /// The names of some of those who play.
    pub fn named(&self, ids: &[crate::ring::name::PupilId]) -> Vec<Named> {
        let named = self.seats.iter().map(|(named, _)| named);
        named.filter(|named| ids.contains(&named.id)).cloned().collect()
    }

    /// Everybody is seated.
    pub fn begin(&mut self, signer: &Signer) -> Vec<Effect> {
        let actions = self.pupil.start();
        self.effects(actions, signer)
    }

    /// A number has come. The acknowledgement, if it is taken.
    pub fn receive(
        &mut self,
        parcel: &Parcel,
        signer: &Signer,
    ) -> (Option<Signature>, Vec<Effect>) {
        match self.inbox.take(parcel.signed, &parcel.body, signer) {
            Taken::New { message, acknowledgement, report } => {
                // The host hears of it before anything is sent on.
                let mut effects = vec![
                    Effect::Show(Event::Received(message)),
                    Effect::Tell(About::Report(report)),
                ];
                // The inbox takes one number per lane of the plan, so nothing is unexpected.
                let actions = self.pupil.receive(message).unwrap_or_default();
                effects.extend(self.effects(actions, signer));
                (Some(acknowledgement), effects)
            }
            Taken::Again { acknowledgement } => (Some(acknowledgement), Vec::new()),
            Taken::Proof(report) => (None, vec![Effect::Tell(About::Report(report))]),
            Taken::Nothing => (None, Vec::new()),
        }
    }

    /// Somebody announces something. None: not of this round, or not signed by who announces.
    pub fn hear(&mut self, said: SignedAnnouncement, signer: &Signer) -> Option<Vec<Effect>> {
        let SignedAnnouncement { announcement, signature } = said;
        let key = &self.contact(announcement.from)?.key;
        slip::verify_announcement(self.run, announcement, key, &signature).ok()?;
        match self.heard.get(&announcement.from) {
            Some(first) if first.announcement == announcement => return Some(Vec::new()),
            Some(first) => {
                let report = Report::AnnouncedTwice { first: *first, second: said };
                return Some(vec![Effect::Tell(About::Report(report))]);
            }
            None => {}
        }
        let actions = self.pupil.hear(announcement).ok()?;
        self.heard.insert(announcement.from, said);
        let mut effects = vec![Effect::Show(Event::Announced(announcement))];
        effects.extend(self.effects(actions, signer));
        Some(effects)
    }

    /// The sender of a number says that it does not arrive here. From now on it does not.
    pub fn asked(&mut self, lane: Lane) -> Vec<Effect> {
        let missing = self.inbox.give_up(lane);
        missing.map(|report| Effect::Tell(About::Report(report))).into_iter().collect()
    }

    /// The number of a lane may be sent.
    pub fn release(&mut self, lane: Lane) -> Vec<Effect> {
        let held = self.held.remove(&lane);
        held.map(Effect::Deliver).into_iter().collect()
    }

    /// The host has heard everything.
    pub fn finish(&mut self, all: Vec<SignedAnnouncement>, signer: &Signer) -> Vec<Effect> {
        self.finished = true;
        all.into_iter().filter_map(|said| self.hear(said, signer)).flatten().collect()
    }

    /// What the pupil knows at the end, when it has come.
    pub fn conclusion(&self, scale: &Scale) -> Option<(u64, Learned)> {
        let total = self.total.filter(|_| self.finished)?;
        let pupils = self.plan.pupils();
        let sum = scale.total(total, pupils)?;
        let outcome = Outcome { pupils, total: sum, average: scale.average(sum, pupils) };
        Some((total, Learned { outcome, view: self.pupil.reveal_view().clone() }))
    }

    /// A lane that leads to this pupil: one on which something came, if there is one.
    pub fn incoming(&self) -> Option<Lane> {
        let received = self.pupil.reveal_view().received.first().map(|message| message.lane);
        received.or_else(|| self.plan.lanes().into_iter().find(|lane| lane.to == self.seat))
    }

    fn effects(&mut self, actions: Vec<Action>, signer: &Signer) -> Vec<Effect> {
        let mut effects = Vec::new();
        for action in actions {
            match action {
                Action::Send(message) if self.stepped => {
                    self.held.insert(message.lane, message);
                    effects.push(Effect::Tell(About::Held(message.lane)));
                }
                Action::Send(message) => effects.push(Effect::Deliver(message)),
                Action::Announce(announcement) => {
                    let signature = slip::sign_announcement(self.run, announcement, signer);
                    let said = SignedAnnouncement { announcement, signature };
                    self.heard.insert(announcement.from, said);
                    effects.push(Effect::Show(Event::Announced(announcement)));
                    effects.push(Effect::Proclaim(said));
                }
                Action::Learn(total) => self.total = Some(total),
            }
        }
        effects
    }
}

#[cfg(test)]
mod tests;

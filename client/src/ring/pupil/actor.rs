//! Actor: the one task that holds a pupil's value, and everything that reaches it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use mpc::{
    ids::RunId,
    ring::{
        Message,
        referee::{Report, Signed},
        slip::{self, Slip},
    },
    sign::{Signature, Signer},
};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::Instant,
};
use zeroize::Zeroizing;

use super::{
    Command, Event, Observer,
    door::{Door, Incoming},
    entry::Line,
    play::{Effect, Play},
};
use crate::ring::{
    error::RingError,
    misbehaviour::Misbehaviour,
    name::{Named, PupilId},
    peer::{self, Undelivered},
    scale::Scale,
    wire::{About, Contact, Instruction, Order, Parcel, Said, Seats},
};

/// Numbers and announcements of one pupil that are under way at once: each is a connection, and a
/// whole class may be on one machine.
const UNDER_WAY: usize = 4;
/// What somebody sends who sends garbage.
const GARBAGE: &[u8] = b"this is not a number";

/// What a pupil starts with.
pub struct Start {
    pub named: Named,
    pub contact: Contact,
    pub signer: Signer,
    pub scale: Scale,
    /// How long it tries to hand over a number.
    pub patience: Duration,
    pub misbehaviour: Option<Misbehaviour>,
    pub observe: Observer,
    pub host: Line,
}

/// A pupil's task.
pub struct Actor {
    start: Start,
    value: Option<Zeroizing<i64>>,
    play: Option<Play>,
    runs: BTreeSet<RunId>,
    under_way: JoinSet<Arrived>,
    slots: Arc<Semaphore>,
    /// The total was reported to the host.
    learned: bool,
    /// The round for which the person is being asked.
    asked: Option<RunId>,
    /// It says and does nothing any more.
    silenced: bool,
}

/// What became of something that was sent.
enum Arrived {
    Number(Box<Parcel>, Result<Signature, Undelivered>),
    Announcement,
}

impl Arrived {
    /// What the host of this round is told. Nothing of another round: the report of a number does
    /// not name its round, so its signature would be false in this one.
    fn report(self, run: RunId) -> Option<Report> {
        let Self::Number(parcel, answer) = self else { return None };
        let Signed { slip, signature } = parcel.signed;
        let report = match answer {
            Ok(acknowledgement) => Report::Delivered { slip, signature, acknowledgement },
            Err(Undelivered) => Report::Refused(slip.lane),
        };
        (slip.run == run).then_some(report)
    }
}

/// Whether the pupil stays.
#[derive(PartialEq, Eq)]
enum Stay {
    Yes,
    No,
}

impl Actor {
    pub fn new(start: Start) -> Self {
        Self {
            start,
            value: None,
            play: None,
            runs: BTreeSet::new(),
            under_way: JoinSet::new(),
            slots: Arc::new(Semaphore::new(UNDER_WAY)),
            learned: false,
            asked: None,
            silenced: false,
        }
    }

    /// Attends until the class is over, or the pupil leaves.
    pub async fn run(
        mut self,
        mut door: Door,
        mut commands: mpsc::Receiver<Command>,
    ) -> Result<(), RingError> {
        loop {
            let stay = tokio::select! {
                order = self.start.host.hears.message() => match order {
                    Ok(Some(order)) => {
                        let order = Order::try_from(order);
                        let order =
                            order.map_err(|error| RingError::HostBroke(error.to_string()))?;
                        self.obey(order).await
                    }
                    Ok(None) | Err(_) => return Err(RingError::HostLost),
                },
                Some(incoming) = door.incoming.recv() => self.take(incoming).await,
                command = commands.recv() => self.follow(command.unwrap_or(Command::Leave)).await,
                Some(arrived) = self.under_way.join_next() => match arrived {
                    Ok(arrived) => self.arrived(arrived).await,
                    // Given up with its round.
                    Err(_) => Stay::Yes,
                },
            };
            if stay == Stay::No {
                return Ok(());
            }
            self.conclude().await;
        }
    }

    async fn obey(&mut self, order: Order) -> Stay {
        let (run, instruction) = match order {
            Order::Ended => return Stay::No,
            Order::Welcome(_) => return Stay::Yes,
            Order::Seats(seats) => return self.sit(seats).await,
            Order::Of(run, instruction) => (run, instruction),
        };
        let signer = &self.start.signer;
        let Some(play) = self.play.as_mut().filter(|play| play.run == run) else {
            if matches!(instruction, Instruction::AskView(_)) {
                self.tell(run, About::NoView).await;
            }
            return Stay::Yes;
        };
        let effects = match instruction {
            Instruction::Begin => play.begin(signer),
            Instruction::Release(lane) => play.release(lane),
            Instruction::Finished(all) => play.finish(all, signer),
            Instruction::Ask(lane) => play.asked(lane),
            // The host may be done before this pupil's last number is acknowledged.
            Instruction::Done => {
                let conclusion = play.conclusion(&self.start.scale);
                self.learned |= conclusion.is_some();
                let shown = |(_, learned)| Effect::Show(Event::Learned(Box::new(learned)));
                conclusion.map(shown).into_iter().collect()
            }
            Instruction::Stopped { kind, message } => {
                self.clear();
                vec![Effect::Show(Event::Stopped { kind, message })]
            }
            Instruction::AskView(with) => {
                return self.asked_for_view(run, &with).await;
            }
        };
        self.perform(effects).await
    }

    /// Takes a seat in a new round, whatever became of the one before.
    async fn sit(&mut self, seats: Seats) -> Stay {
        self.clear();
        let run = seats.run;
        let own = (&self.start.named, &self.start.contact);
        let play = match &self.value {
            _ if !self.runs.insert(run) => Err("the host repeats a round".to_owned()),
            None => Err("it has no value yet".to_owned()),
            Some(value) => Play::new(seats, own, **value, &mut rand::rng()),
        };
        match play {
            Ok(play) => {
                let shown = Effect::Show(Event::Seated(play.seating()));
                self.play = Some(play);
                self.perform(vec![shown, Effect::Tell(About::Seated)]).await
            }
            Err(reason) => {
                self.tell(run, About::Declined(reason)).await;
                Stay::Yes
            }
        }
    }

    async fn asked_for_view(&mut self, run: RunId, with: &[PupilId]) -> Stay {
        let with = match &self.play {
            Some(play) if self.learned => play.named(with),
            _ => {
                self.tell(run, About::NoView).await;
                return Stay::Yes;
            }
        };
        self.asked = Some(run);
        self.perform(vec![Effect::Show(Event::AskedForView { with })]).await
    }

    async fn take(&mut self, incoming: Incoming) -> Stay {
        let Some(play) = self.play.as_mut().filter(|_| !self.silenced) else {
            return Stay::Yes;
        };
        let effects = match incoming {
            Incoming::Number(parcel, answer) => {
                let (acknowledgement, effects) = play.receive(&parcel, &self.start.signer);
                if let Some(acknowledgement) = acknowledgement {
                    // The neighbour asks again when it has gone.
                    let _ = answer.send(acknowledgement);
                }
                effects
            }
            Incoming::Announcement(run, said, answer) => {
                let is_ours = run == play.run;
                let effects = is_ours.then(|| play.hear(said, &self.start.signer)).flatten();
                if effects.is_some() {
                    let _ = answer.send(());
                }
                effects.unwrap_or_default()
            }
        };
        self.perform(effects).await
    }

    async fn follow(&mut self, command: Command) -> Stay {
        match command {
            Command::Bring(value) => {
                self.value = Some(value);
                self.say(Said::Ready).await;
            }
            Command::Show(shows) => {
                let Some(run) = self.asked.take() else { return Stay::Yes };
                let view = match &self.play {
                    Some(play) if shows => play.conclusion(&self.start.scale),
                    _ => None,
                };
                let answer = match view {
                    Some((_, learned)) => About::View(Box::new(learned.view)),
                    None => About::NoView,
                };
                self.tell(run, answer).await;
            }
            Command::Leave => {
                self.say(Said::Leave).await;
                return Stay::No;
            }
        }
        Stay::Yes
    }

    async fn arrived(&mut self, arrived: Arrived) -> Stay {
        let run = self.play.as_ref().map(|play| play.run);
        match run.and_then(|run| arrived.report(run)) {
            Some(report) => self.perform(vec![Effect::Tell(About::Report(report))]).await,
            None => Stay::Yes,
        }
    }

    async fn perform(&mut self, effects: Vec<Effect>) -> Stay {
        for effect in effects {
            if self.silenced {
                break;
            }
            let Some(run) = self.play.as_ref().map(|play| play.run) else {
                if let Effect::Show(event) = effect {
                    (self.start.observe)(event);
                }
                continue;
            };
            match effect {
                Effect::Tell(about) => self.tell(run, about).await,
                Effect::Show(event) => (self.start.observe)(event),
                Effect::Proclaim(said) => {
                    self.tell(run, About::Announced(said)).await;
                    let others: Vec<Contact> =
                        self.play.iter().flat_map(Play::others).cloned().collect();
                    for to in others {
                        let (slots, patience) = (Arc::clone(&self.slots), self.start.patience);
                        self.under_way.spawn(async move {
                            let _slot = slots.acquire_owned().await;
                            let until = Instant::now() + patience;
                            // Who has not heard it from us hears it from the host at the end.
                            let _ = peer::tell(run, &said, &to, until).await;
                            Arrived::Announcement
                        });
                    }
                }
                Effect::Deliver(message) => match self.start.misbehaviour {
                    None => self.deliver(
                        run,
                        message,
                        &[&slip::body(message.value, &mut rand::rng())[..]],
                    ),
                    Some(way) => {
                        if self.misbehave(run, message, way).await == Stay::No {
                            return Stay::No;
                        }
                    }
                },
            }
        }
        Stay::Yes
    }

    /// Sends bodies on a message's lane, one after the other.
    fn deliver(&mut self, run: RunId, message: Message, bodies: &[&[u8]]) {
        let Some(to) = self.play.as_ref().and_then(|play| play.contact(message.lane.to)) else {
            return;
        };
        (self.start.observe)(Event::Sent(message));
        let to = to.clone();
        let parcels: Vec<Parcel> = bodies
            .iter()
            .map(|body| {
                let slip = Slip::new(run, message.lane, body);
                let signature = slip.sign(&self.start.signer);
                Parcel { signed: Signed { slip, signature }, body: Zeroizing::new(body.to_vec()) }
            })
            .collect();
        let (slots, patience) = (Arc::clone(&self.slots), self.start.patience);
        self.under_way.spawn(async move {
            let _slot = slots.acquire_owned().await;
            let mut last = Arrived::Announcement;
            for parcel in parcels {
                let answer = peer::pass(&parcel, &to, Instant::now() + patience).await;
                last = Arrived::Number(Box::new(parcel), answer);
            }
            last
        });
    }

    async fn misbehave(&mut self, run: RunId, message: Message, way: Misbehaviour) -> Stay {
        match way {
            Misbehaviour::Drops => return Stay::No,
            Misbehaviour::Silent => self.silenced = true,
            Misbehaviour::Twice => {
                let rng = &mut rand::rng();
                let first = slip::body(message.value, rng);
                let second = slip::body(message.value.wrapping_add(1), rng);
                self.deliver(run, message, &[&first[..], &second[..]]);
            }
            Misbehaviour::Garbage => self.deliver(run, message, &[GARBAGE]),
            Misbehaviour::Lies => {
                let Some(lane) = self.play.as_ref().and_then(Play::incoming) else {
                    return Stay::Yes;
                };
                // Whoever accuses needs the other's signature, and has only its own.
                let slip = Slip::new(run, lane, GARBAGE);
                let signature = slip.sign(&self.start.signer);
                let report = Report::Garbage { slip, signature, body: GARBAGE.to_vec() };
                self.tell(run, About::Report(report)).await;
            }
        }
        Stay::Yes
    }

    /// Reports the total when everything is known and everything that was sent has arrived.
    async fn conclude(&mut self) {
        if self.learned || self.silenced || !self.under_way.is_empty() {
            return;
        }
        let Some(play) = &self.play else { return };
        if let Some((total, _)) = play.conclusion(&self.start.scale) {
            let run = play.run;
            self.learned = true;
            self.tell(run, About::Learned(total)).await;
        }
    }

    fn clear(&mut self) {
        // A new set: the old one would still hand out what had arrived already.
        self.under_way = JoinSet::new();
        self.play = None;
        self.learned = false;
        self.asked = None;
    }

    async fn tell(&self, run: RunId, about: About) {
        self.say(Said::Of(run, about)).await;
    }

    async fn say(&self, said: Said) {
        if !self.silenced {
            // A lost stream shows when the next order is awaited.
            let _ = self.start.host.says.send(said.into()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use mpc::ring::{Lane, Seat};

    use super::*;

    #[test]
    fn what_arrives_of_an_earlier_round_is_not_reported_in_the_next_one() {
        let (signer, earlier, run) = (Signer::from_seed(&[1; 32]), RunId([1; 16]), RunId([2; 16]));
        let lane = Lane { ring: 0, from: Seat(0), to: Seat(1) };
        let slip = Slip::new(earlier, lane, GARBAGE);
        let signed = Signed { slip, signature: slip.sign(&signer) };
        for answer in [Ok(slip.acknowledge(&signer)), Err(Undelivered)] {
            let arrived = || {
                let parcel = Parcel { signed, body: Zeroizing::new(GARBAGE.to_vec()) };
                Arrived::Number(Box::new(parcel), answer)
            };
            assert_eq!(arrived().report(run), None);
            assert!(arrived().report(earlier).is_some());
        }
    }
}

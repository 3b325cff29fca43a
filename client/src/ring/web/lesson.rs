//! Lesson: what the host does upon each thing that happens, without sockets and without a clock.
//!
//! Whoever drives it hands in requests of authenticated pages and the time, and takes out what
//! the pages are to be told. It holds sealed messages and public keys, and never a key that opens
//! one.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use mpc::{
    ids::RunId,
    ring::{Announcement, Lane, Protocol, Seat, view::View},
};

use super::{
    event::{Audience, Event, PupilShown, ScaleShown},
    refusal::Refusal,
    request::{FromPupil, FromTeacher, PublicKey, Seal},
    wire::{Number, Run},
};
use crate::ring::{
    class::Class,
    name::{Named, PupilId},
    round::{Outcome, Round},
    scale::Scale,
    stop::Stop,
};

mod collusion;
mod play;
#[cfg(test)]
mod tests;
mod views;

use play::{Passing, Play};
use views::Played;

/// What a lesson goes by.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The values.
    pub scale: Scale,
    /// How long a round waits for a pupil.
    pub silence: Duration,
    /// How long a pupil may be out of reach before it counts as gone.
    pub grace: Duration,
}

/// What whoever drives a lesson has to do.
#[derive(Debug)]
pub enum Output {
    /// Tell somebody.
    Tell(Audience, Event),
    /// Compute what colluders learn, which takes long, and say it with [`Lesson::found`].
    Find(Arc<Round>, Vec<View>),
    /// Forget a pupil that left.
    Forget(PupilId),
}

/// A class and what it plays.
#[derive(Debug)]
pub struct Lesson {
    rules: Rules,
    class: Class,
    desks: BTreeMap<PupilId, Desk>,
    stage: Stage,
    /// All rounds so far: what still comes for one that is over is late, not wrong.
    runs: BTreeSet<RunId>,
    outputs: Vec<Output>,
}

/// What a browser class knows of a pupil beyond [`Class`].
#[derive(Debug)]
struct Desk {
    key: PublicKey,
    /// Since when it is out of reach.
    away_since: Option<Instant>,
}

#[derive(Debug)]
enum Stage {
    Idle,
    Playing(Box<Play>),
    Played(Played),
    Ended,
}

impl Lesson {
    /// A class that nobody has joined.
    pub fn new(rules: Rules) -> Self {
        let (class, desks) = (Class::default(), BTreeMap::new());
        let (stage, outputs) = (Stage::Idle, Vec::new());
        let mut lesson = Self { rules, class, desks, stage, runs: BTreeSet::new(), outputs };
        lesson.show_class();
        lesson
    }

    /// What has to be done since the last time, in this order.
    pub fn outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// Takes a pupil in. It is out of reach until it listens.
    pub fn join(&mut self, name: &str, key: PublicKey, now: Instant) -> Result<PupilId, Refusal> {
        if matches!(self.stage, Stage::Ended) {
            return Err(Refusal::Ended);
        }
        if self.desks.values().any(|desk| desk.key == key) {
            return Err(Refusal::KeyTaken);
        }
        let id = self.class.join(name)?.id;
        self.desks.insert(id, Desk { key, away_since: Some(now) });
        self.show_class();
        if let Stage::Playing(play) = &self.stage {
            let round = play.round();
            let started = started(round);
            let announced: Vec<Event> = round
                .announced()
                .iter()
                .map(|(&seat, &value)| announced(round, Announcement { from: seat, value }))
                .collect();
            self.tell(Audience::Pupil(id), started);
            announced.into_iter().for_each(|event| self.tell(Audience::Pupil(id), event));
        }
        Ok(id)
    }

    /// A pupil listens.
    pub fn reached(&mut self, id: PupilId) {
        let Some(desk) = self.desks.get_mut(&id) else { return };
        desk.away_since = None;
        self.set_connected(id, true);
    }

    /// A pupil does not listen any more.
    pub fn out_of_reach(&mut self, id: PupilId, now: Instant) {
        if let Some(desk) = self.desks.get_mut(&id) {
            desk.away_since.get_or_insert(now);
        }
    }

    /// Does what a pupil's page asks for.
    pub fn pupil(&mut self, id: PupilId, request: FromPupil, now: Instant) -> Result<(), Refusal> {
        if self.is_late(&request) {
            return Ok(());
        }
        match request {
            FromPupil::Ready {} => self.set_ready(id, true),
            FromPupil::Unready {} => self.set_ready(id, false),
            FromPupil::Sealed { run, ring, to, iv, sealed } => {
                let (play, from) = self.playing(run, id)?;
                match play.round().seat(PupilId(to)) {
                    Some(to) => self.sealed(Lane { ring, from, to }, Seal { iv, sealed }, now),
                    None => self.garbage(id),
                }
            }
            FromPupil::Announce { run, value } => {
                let (_, from) = self.playing(run, id)?;
                self.announce(Announcement { from, value: value.0 }, now);
            }
            FromPupil::Unreadable { run, ring, from } => {
                let (play, to) = self.playing(run, id)?;
                let from = play.round().seat(PupilId(from));
                let stop = from.map(|from| play.unreadable(Lane { ring, from, to }));
                match stop {
                    Some(stop) => self.stop(&stop),
                    None => self.garbage(id),
                }
            }
            FromPupil::View { run, view } => self.view(run, id, &view)?,
            FromPupil::NoView { run } => {
                self.asked(run, id)?;
                self.no_view(id);
            }
            FromPupil::Decline { run } => self.decline(run, id)?,
            FromPupil::Leave {} => self.leave(id),
        }
        Ok(())
    }

    /// A pupil sent what cannot be read at all: if it plays, the round is over.
    pub fn garbage(&mut self, id: PupilId) {
        if let Stage::Playing(play) = &self.stage
            && let Some(seat) = play.round().seat(id)
        {
            let who = play.round().pupil(seat);
            self.stop(&Stop::Garbage { who });
        }
    }

    /// Does what the teacher's page asks for. A round that it starts has the id `run`.
    pub fn teacher(
        &mut self,
        request: FromTeacher,
        run: RunId,
        now: Instant,
    ) -> Result<(), Refusal> {
        match request {
            FromTeacher::Play { protocol, pace_ms } => self.play(protocol, pace_ms, run, now)?,
            FromTeacher::Step {} => {
                self.play_mut("there is nothing to step")?;
                self.release(now);
            }
            FromTeacher::Pace { pace_ms } => {
                self.play_mut("no round has a pace")?.set_pace(pace_ms, now);
            }
            FromTeacher::Stop {} => {
                self.play_mut("there is nothing to stop")?;
                self.stop(&Stop::Teacher);
            }
            FromTeacher::Collude { pupils } => self.collude(&pupils)?,
            FromTeacher::LeaveOut { pupil } => self.set_left_out(pupil, true)?,
            FromTeacher::TakeBack { pupil } => self.set_left_out(pupil, false)?,
            FromTeacher::Remove { pupil } => {
                self.class.member(PupilId(pupil)).ok_or(Refusal::Unknown(pupil))?;
                self.leave(PupilId(pupil));
            }
        }
        Ok(())
    }

    /// When [`Self::tick`] has something to do.
    pub fn next_tick(&self) -> Option<Instant> {
        let connected = |id: &PupilId| self.class.member(*id).is_some_and(|m| m.connected);
        let away = self.desks.iter().filter(|(id, _)| connected(id));
        let away = away.filter_map(|(_, desk)| Some(desk.away_since? + self.rules.grace)).min();
        let play = match &self.stage {
            Stage::Playing(play) => {
                Some(play.release_at().into_iter().chain([play.silent_at(self.rules.silence)]))
            }
            _ => None,
        };
        away.into_iter().chain(play.into_iter().flatten()).min()
    }

    /// Does what is due at this time.
    pub fn tick(&mut self, now: Instant) {
        let (grace, silence) = (self.rules.grace, self.rules.silence);
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let gone = self
            .desks
            .iter()
            .filter(|(_, desk)| is_due(desk.away_since.map(|since| since + grace)));
        let gone: Vec<PupilId> = gone.map(|(id, _)| *id).collect();
        gone.into_iter().for_each(|id| self.lost(id));
        if let Stage::Playing(play) = &self.stage
            && is_due(play.release_at())
        {
            self.release(now);
        }
        if let Stage::Playing(play) = &mut self.stage
            && play.silent_at(silence) <= now
            && let Some(stop) = play.silent(now)
        {
            self.stop(&stop);
        }
    }

    /// The class is over.
    pub fn end(&mut self) {
        if !matches!(self.stage, Stage::Ended) {
            self.stage = Stage::Ended;
            self.tell(Audience::Everybody, Event::Ended {});
        }
    }

    fn play(
        &mut self,
        protocol: Protocol,
        pace_ms: u32,
        run: RunId,
        now: Instant,
    ) -> Result<(), Refusal> {
        match self.stage {
            Stage::Playing(_) => return Err(Refusal::Busy),
            Stage::Ended => return Err(Refusal::Ended),
            Stage::Idle | Stage::Played(_) => {}
        }
        let round = Round::new(run, protocol, self.rules.scale.clone(), self.class.players())?;
        self.tell(Audience::Everybody, started(&round));
        self.runs.insert(run);
        self.stage = Stage::Playing(Box::new(Play::new(round, pace_ms, now)));
        Ok(())
    }

    fn sealed(&mut self, lane: Lane, seal: Seal, now: Instant) {
        let Stage::Playing(play) = &mut self.stage else { return };
        let (run, taken) = (Run(play.round().run()), play.take(lane, seal, now));
        let count = play.held();
        match taken {
            Ok(true) => self.tell(Audience::Teacher, Event::Held { run, count }),
            Ok(false) => {}
            Err(stop) => self.stop(&stop),
        }
    }

    /// Hands on what is held.
    fn release(&mut self, now: Instant) {
        let Stage::Playing(play) = &mut self.stage else { return };
        let run = Run(play.round().run());
        let released = play.release(now);
        let id = |seat: Seat| play.round().pupil(seat).id;
        let events = |passing: Passing| {
            let Passing { lane, seal, count, of } = passing;
            let (from, to) = (id(lane.from), id(lane.to));
            let (ring, sealed) = (lane.ring, seal.sealed);
            let passed = Event::Passed { run, ring, from: from.0, to: to.0, sealed, count, of };
            let deliver = Event::deliver(run, ring, from.0, seal);
            [(Audience::Teacher, passed), (Audience::Pupil(to), deliver)]
        };
        match released.map(|passing| passing.into_iter().flat_map(events).collect::<Vec<_>>()) {
            Ok(events) if events.is_empty() => {}
            Ok(events) => {
                events.into_iter().for_each(|(to, event)| self.tell(to, event));
                self.tell(Audience::Teacher, Event::Held { run, count: 0 });
            }
            Err(stop) => self.stop(&stop),
        }
    }

    fn announce(&mut self, announcement: Announcement, now: Instant) {
        let Stage::Playing(play) = &mut self.stage else { return };
        let taken = play.announce(announcement, now);
        // An impossible total is announced like any other: everybody sees what was said.
        let heard = play.round().announced().get(&announcement.from) == Some(&announcement.value);
        let event = announced(play.round(), announcement);
        let is_new = match &taken {
            Ok((new, _)) => *new,
            Err(Stop::ImpossibleTotal { .. }) => heard,
            Err(_) => false,
        };
        if is_new {
            self.tell(Audience::Everybody, event);
        }
        match taken {
            Ok((_, Some(outcome))) => self.finish(outcome),
            Ok((_, None)) => {}
            Err(stop) => self.stop(&stop),
        }
    }

    fn finish(&mut self, outcome: Outcome) {
        let Stage::Playing(play) = std::mem::replace(&mut self.stage, Stage::Idle) else { return };
        let round = play.into_round();
        let Outcome { pupils, total, average } = outcome;
        let (run, total) = (Run(round.run()), round.scale().show(total));
        self.tell(Audience::Everybody, Event::Outcome { run, pupils, total, average });
        self.stage = Stage::Played(Played::new(round));
    }

    fn stop(&mut self, stop: &Stop) {
        let Stage::Playing(play) = std::mem::replace(&mut self.stage, Stage::Idle) else { return };
        let suspects = match stop {
            // Whoever does not agree to a round has done nothing wrong, and may agree to the next.
            Stop::Declined { .. } => Vec::new(),
            _ => stop.suspects().into_iter().map(|id| id.0).collect(),
        };
        let (run, kind, message) = (Run(play.round().run()), stop.kind(), stop.to_string());
        self.tell(Audience::Everybody, Event::Stopped { run, kind, message, suspects });
    }

    fn decline(&mut self, run: Run, id: PupilId) -> Result<(), Refusal> {
        let (play, seat) = self.playing(run, id)?;
        let (who, reason) = (play.round().pupil(seat), "its page or its pupil said no".to_owned());
        self.stop(&Stop::Declined { who, reason });
        Ok(())
    }

    /// A pupil is gone for good: its place is free.
    fn leave(&mut self, id: PupilId) {
        self.lost(id);
        self.class.remove(id);
        self.desks.remove(&id);
        self.show_class();
        self.outputs.push(Output::Forget(id));
    }

    /// A pupil is gone, for now or for good.
    fn lost(&mut self, id: PupilId) {
        self.set_connected(id, false);
        self.no_view(id);
        if let Stage::Playing(play) = &self.stage
            && let Some(seat) = play.round().seat(id)
        {
            let who = play.round().pupil(seat);
            self.stop(&Stop::Left { who });
        }
    }

    fn set_connected(&mut self, id: PupilId, connected: bool) {
        if let Some(member) = self.class.member_mut(id)
            && member.connected != connected
        {
            member.connected = connected;
            self.show_class();
        }
    }

    fn set_ready(&mut self, id: PupilId, ready: bool) {
        if let Some(member) = self.class.member_mut(id)
            && member.ready != ready
        {
            member.ready = ready;
            self.show_class();
        }
    }

    fn set_left_out(&mut self, number: u16, left_out: bool) -> Result<(), Refusal> {
        let member = self.class.member_mut(PupilId(number)).ok_or(Refusal::Unknown(number))?;
        if member.left_out != left_out {
            member.left_out = left_out;
            self.show_class();
        }
        Ok(())
    }

    fn play_mut(&mut self, nothing: &'static str) -> Result<&mut Play, Refusal> {
        match &mut self.stage {
            Stage::Playing(play) => Ok(play),
            _ => Err(Refusal::NoRound(nothing)),
        }
    }

    /// The round that is being played, if it is this one, and the pupil's seat in it.
    fn playing(&self, run: Run, id: PupilId) -> Result<(&Play, Seat), Refusal> {
        match &self.stage {
            Stage::Playing(play) if play.round().run() == run.0 => {
                Ok((play, play.round().seat(id).ok_or(Refusal::NotPlaying)?))
            }
            _ => Err(Refusal::Over),
        }
    }

    /// Whether a request is part of a round that is over: sent before the page knew, or sent again
    /// because the answer was lost.
    fn is_late(&self, request: &FromPupil) -> bool {
        match request {
            FromPupil::Sealed { run, .. }
            | FromPupil::Announce { run, .. }
            | FromPupil::Decline { run }
            | FromPupil::Unreadable { run, .. } => {
                let playing = match &self.stage {
                    Stage::Playing(play) => Some(play.round().run()),
                    _ => None,
                };
                self.runs.contains(&run.0) && playing != Some(run.0)
            }
            _ => false,
        }
    }

    fn show_class(&mut self) {
        let shown = |desk: &Desk, named: &Named, connected, ready, left_out| PupilShown {
            pupil: named.id.0,
            name: named.name.clone(),
            key: *desk.key.bytes(),
            connected,
            ready,
            left_out,
        };
        let pupils = self.class.members().filter_map(|member| {
            let desk = self.desks.get(&member.named.id)?;
            let (connected, ready) = (member.connected, member.ready);
            Some(shown(desk, &member.named, connected, ready, member.left_out))
        });
        let pupils = pupils.collect();
        let scale = ScaleShown::of(&self.rules.scale);
        self.tell(Audience::Everybody, Event::Class { scale, pupils });
    }

    fn tell(&mut self, to: Audience, event: Event) {
        self.outputs.push(Output::Tell(to, event));
    }
}

fn started(round: &Round) -> Event {
    let id = |seat: &Seat| round.pupil(*seat).id.0;
    Event::Started {
        run: Run(round.run()),
        protocol: round.plan().protocol(),
        seats: round.pupils().iter().map(|named| named.id.0).collect(),
        rings: round.plan().rings().iter().map(|ring| ring.iter().map(id).collect()).collect(),
    }
}

fn announced(round: &Round, announcement: Announcement) -> Event {
    let Announcement { from, value } = announcement;
    Event::Announced { run: Run(round.run()), from: round.pupil(from).id.0, value: Number(value) }
}

//! Document: a round that was played on one machine, as JSON. Numbers modulo 2^64 are texts, because
//! JSON's numbers are too small for them; rings are counted from 1.

use client::ring::{finding::Finding, host::Played, name::Named};
use mpc::ring::{Announcement, Message, Seat};
use serde::Serialize;

use super::local::Seen;

/// A round.
#[derive(Debug, Serialize)]
pub struct Document {
    protocol: &'static str,
    scale: ScaleShown,
    pupils: Vec<PupilShown>,
    rings: Vec<Vec<String>>,
    messages: Vec<MessageShown>,
    announcements: Vec<Said>,
    total: f64,
    average: f64,
    knows: Vec<Knows>,
    /// What the colluders learned, if some colluded.
    pub finding: Option<Finding>,
    /// Rounds before this one that were stopped.
    pub stopped: Vec<Stopped>,
}

/// The values of a class.
#[derive(Debug, Serialize)]
pub struct ScaleShown {
    min: String,
    max: String,
    decimals: u8,
}

/// A pupil.
#[derive(Debug, Serialize)]
pub struct PupilShown {
    pupil: String,
    name: String,
}

/// A number on its way.
#[derive(Debug, Serialize)]
struct MessageShown {
    ring: u32,
    from: String,
    to: String,
    value: String,
}

/// A number that everybody hears.
#[derive(Debug, Serialize)]
pub struct Said {
    from: String,
    value: String,
}

/// What a pupil knows at the end, besides the average.
#[derive(Debug, Serialize)]
struct Knows {
    pupil: String,
    value: f64,
    received: Vec<MessageShown>,
    sent: Vec<MessageShown>,
    others_total: f64,
}

/// A round without a result, for scripts, on one line.
#[derive(Debug, Serialize)]
pub struct Ended {
    protocol: &'static str,
    stopped: Stopped,
}

/// Why a round had no result.
#[derive(Debug, Clone, Serialize)]
pub struct Stopped {
    /// A word.
    pub kind: &'static str,
    /// A sentence.
    pub message: String,
    /// Without whom it may be played again.
    pub suspects: Vec<String>,
}

impl Document {
    /// A round with everything that passed.
    pub fn new(played: &Played, seen: &Seen, finding: Option<Finding>) -> Self {
        let round = &played.round;
        let scale = round.scale();
        let name = |seat: Seat| round.pupil(seat).id.to_string();
        let message = |message: &Message| MessageShown {
            ring: u32::from(message.lane.ring) + 1,
            from: name(message.lane.from),
            to: name(message.lane.to),
            value: message.value.to_string(),
        };
        let knows = seen.learned.iter().map(|(id, learned)| {
            let value = learned.view.value.cast_signed();
            Knows {
                pupil: id.to_string(),
                value: scale.number(value),
                received: learned.view.received.iter().map(message).collect(),
                sent: learned.view.sent.iter().map(message).collect(),
                others_total: scale.number(learned.outcome.total - value),
            }
        });
        Self {
            protocol: round.plan().protocol().name(),
            scale: ScaleShown::of(round),
            pupils: round.pupils().iter().map(PupilShown::of).collect(),
            rings: rings(played),
            messages: seen.messages.iter().map(message).collect(),
            announcements: seen.announcements.iter().map(|said| Said::of(played, said)).collect(),
            total: scale.number(played.outcome.total),
            average: played.outcome.average,
            knows: knows.collect(),
            finding,
            stopped: Vec::new(),
        }
    }
}

impl ScaleShown {
    /// The scale of a round.
    pub fn of(round: &client::ring::round::Round) -> Self {
        let scale = round.scale();
        Self {
            min: scale.show(*scale.range().start()),
            max: scale.show(*scale.range().end()),
            decimals: scale.decimals(),
        }
    }
}

impl PupilShown {
    /// A pupil, which is called by its number where it has no name.
    pub fn of(named: &Named) -> Self {
        let pupil = named.id.to_string();
        let name = if named.name.is_empty() { pupil.clone() } else { named.name.clone() };
        Self { pupil, name }
    }
}

impl Said {
    /// An announcement.
    pub fn of(played: &Played, said: &Announcement) -> Self {
        let from = played.round.pupil(said.from).id.to_string();
        Self { from, value: said.value.to_string() }
    }
}

impl Ended {
    /// A stopped round of this protocol.
    pub fn of(protocol: mpc::ring::Protocol, stop: &client::ring::stop::Stop) -> Self {
        Self { protocol: protocol.name(), stopped: Stopped::of(stop) }
    }
}

impl Stopped {
    /// A stopped round.
    pub fn of(stop: &client::ring::stop::Stop) -> Self {
        Self {
            kind: stop.kind(),
            message: stop.to_string(),
            suspects: stop.suspects().iter().map(ToString::to_string).collect(),
        }
    }
}

/// The rings of a round as the pupils' numbers.
pub fn rings(played: &Played) -> Vec<Vec<String>> {
    let round = &played.round;
    let name = |seat: &Seat| round.pupil(*seat).id.to_string();
    round.plan().rings().iter().map(|ring| ring.iter().map(name).collect()).collect()
}

//! Example: the shipped class, played with open cards in memory, so that a lesson can show what
//! travels.

use std::sync::Arc;

use mpc::ring::{Announcement, Lane, Message, Protocol, Seat, plan::Plan, play};
use rand::{CryptoRng, RngExt as _};
use serde::Serialize;

use super::{
    event::{ScaleShown, protocol_name},
    refusal::Refusal,
    request::ExampleWanted,
    wire::Number,
};
use crate::ring::{
    finding::{Finding, find},
    name::{Named, PupilId},
    round::Round,
    scale::Scale,
};

/// A class whose values everybody may see.
#[derive(Debug, Clone)]
pub struct Example {
    /// The values' scale.
    pub scale: Scale,
    /// One value per pupil, times 10^decimals.
    pub values: Vec<i64>,
}

/// A round of it, with everything that was sent.
#[derive(Debug, Serialize)]
pub struct ExamplePlayed {
    #[serde(serialize_with = "protocol_name")]
    protocol: Protocol,
    scale: ScaleShown,
    pupils: Vec<ExamplePupil>,
    rings: Vec<Vec<u16>>,
    messages: Vec<ExampleMessage>,
    announcements: Vec<ExampleAnnouncement>,
    total: String,
    average: f64,
    finding: Option<Finding>,
}

#[derive(Debug, Serialize)]
struct ExamplePupil {
    pupil: u16,
    name: &'static str,
    value: String,
}

#[derive(Debug, Serialize)]
struct ExampleMessage {
    ring: u16,
    from: u16,
    to: u16,
    value: Number,
}

#[derive(Debug, Serialize)]
struct ExampleAnnouncement {
    from: u16,
    value: Number,
}

impl Example {
    /// Plays a round of the class with new masks and shares. Takes a while where colluders are
    /// shown what they cannot exclude.
    pub fn play(
        &self,
        wanted: &ExampleWanted,
        rng: &mut impl CryptoRng,
    ) -> Result<ExamplePlayed, Refusal> {
        let colluders = self.colluders(&wanted.collude)?;
        let plan = Arc::new(Plan::new(wanted.protocol, self.values.len())?);
        let values: Vec<u64> = self.values.iter().map(|value| value.cast_unsigned()).collect();
        let played = play::play(&plan, &values, rng).map_err(|_| Refusal::Broken)?;
        let (round, outcome) = self.round(&plan, &played, rng)?;
        let finding = match colluders.is_empty() {
            true => None,
            false => {
                let in_it = |view: &&mpc::ring::view::View| colluders.contains(&view.seat);
                let views: Vec<_> = played.views.iter().filter(in_it).cloned().collect();
                Some(find(&round, &views).map_err(|_| Refusal::Broken)?)
            }
        };
        Ok(ExamplePlayed {
            protocol: wanted.protocol,
            scale: ScaleShown::of(&self.scale),
            pupils: (1..)
                .zip(&self.values)
                .map(|(pupil, &value)| ExamplePupil {
                    pupil,
                    name: "",
                    value: self.scale.show(value),
                })
                .collect(),
            rings: plan
                .rings()
                .iter()
                .map(|ring| ring.iter().copied().map(number).collect())
                .collect(),
            messages: played.messages.iter().map(shown).collect(),
            announcements: played
                .announcements
                .iter()
                .map(|&Announcement { from, value }| ExampleAnnouncement {
                    from: number(from),
                    value: Number(value),
                })
                .collect(),
            total: self.scale.show(outcome.total),
            average: outcome.average,
            finding,
        })
    }

    /// The colluders' seats: some pupils, each once, and not all.
    fn colluders(&self, numbers: &[u16]) -> Result<Vec<Seat>, Refusal> {
        let mut seats = Vec::new();
        for &number in numbers {
            let seat = number.checked_sub(1).map(Seat);
            let seat = seat.filter(|seat| seat.index() < self.values.len());
            seats.push(seat.ok_or(Refusal::Unknown(number))?);
        }
        let named = seats.len();
        seats.sort();
        seats.dedup();
        match seats.len() == named && named < self.values.len() {
            true => Ok(seats),
            false => Err(Refusal::Colluders),
        }
    }

    /// The round as a host that watched it would know it.
    fn round(
        &self,
        plan: &Plan,
        played: &play::Played,
        rng: &mut impl CryptoRng,
    ) -> Result<(Round, crate::ring::round::Outcome), Refusal> {
        let pupils = plan.seats().into_iter().map(|seat| Named::new(PupilId(number(seat)), ""));
        let (run, scale) = (mpc::ids::RunId(rng.random()), self.scale.clone());
        let mut round = Round::new(run, plan.protocol(), scale, pupils.collect())?;
        for message in &played.messages {
            round.pass(message.lane).map_err(|_| Refusal::Broken)?;
        }
        let mut outcome = None;
        for &announcement in &played.announcements {
            outcome = round.announce(announcement).map_err(|_| Refusal::Broken)?;
        }
        Ok((round, outcome.ok_or(Refusal::Broken)?))
    }
}

/// The pupil of a seat: they are numbered in order.
fn number(seat: Seat) -> u16 {
    seat.0 + 1
}

fn shown(message: &Message) -> ExampleMessage {
    let Lane { ring, from, to } = message.lane;
    ExampleMessage { ring, from: number(from), to: number(to), value: Number(message.value) }
}

//! Event: what the pages are told, as it is written to them.

use mpc::ring::Protocol;
use serde::{Serialize, Serializer};

use super::{
    request::Seal,
    wire::{Hex, Number, Run},
};
use crate::ring::{finding::Finding, scale::Scale};

/// Something that happened in the lesson.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Event {
    /// Who is there; whenever anything of it changes.
    Class {
        /// The values.
        scale: ScaleShown,
        /// The pupils, in the order of joining.
        pupils: Vec<PupilShown>,
    },
    /// A round begins.
    Started {
        /// The round.
        run: Run,
        /// How the sum is computed.
        #[serde(serialize_with = "protocol_name")]
        protocol: Protocol,
        /// The pupils that play, in order.
        seats: Vec<u16>,
        /// The rings, as pupils.
        rings: Vec<Vec<u16>>,
    },
    /// A number for everybody.
    Announced {
        /// The round.
        run: Run,
        /// Who says it.
        from: u16,
        /// The number.
        value: Number,
    },
    /// A round has its result.
    Outcome {
        /// The round.
        run: Run,
        /// How many played.
        pupils: usize,
        /// The sum of their values.
        total: String,
        /// Their average.
        average: f64,
    },
    /// A round ended without a result.
    Stopped {
        /// The round.
        run: Run,
        /// The cause, for scripts.
        kind: &'static str,
        /// The cause, for people.
        message: String,
        /// Without whom the round may be played again.
        suspects: Vec<u16>,
    },
    /// The class is over.
    Ended {},
    /// To a pupil: a masked number, sealed for it.
    Deliver {
        /// The round.
        run: Run,
        /// The ring, counted from 0.
        ring: u16,
        /// Who sent it.
        from: u16,
        /// See [`Seal`].
        iv: Hex<12>,
        /// See [`Seal`].
        #[serde(rename = "box")]
        sealed: Hex<24>,
    },
    /// To a pupil: whether it plays a colluder.
    AskView {
        /// The round.
        run: Run,
        /// All colluders, this pupil among them.
        with: Vec<u16>,
    },
    /// To the teacher: messages wait for the next step.
    Held {
        /// The round.
        run: Run,
        /// How many.
        count: usize,
    },
    /// To the teacher: a message was handed on.
    Passed {
        /// The round.
        run: Run,
        /// The ring, counted from 0.
        ring: u16,
        /// The sender.
        from: u16,
        /// The receiver.
        to: u16,
        /// What the host has of it.
        sealed: Hex<24>,
        /// The how many-th of the round it is.
        count: usize,
        /// How many the round has.
        of: usize,
    },
    /// To the teacher: pupils were asked to play colluders.
    Asked {
        /// The round.
        run: Run,
        /// The pupils.
        pupils: Vec<u16>,
    },
    /// To the teacher: a pupil showed its view.
    Shown {
        /// The round.
        run: Run,
        /// The pupil.
        pupil: u16,
    },
    /// To the teacher: a pupil does not show its view.
    Refused {
        /// The round.
        run: Run,
        /// The pupil.
        pupil: u16,
    },
    /// To the teacher: what the colluders learned.
    Finding {
        /// The round.
        run: Run,
        /// What they learned.
        finding: Box<Finding>,
    },
    /// To the teacher: the views do not fit together.
    Contradiction {
        /// The round.
        run: Run,
        /// Whose, in one sentence.
        message: String,
    },
}

/// The values of a class.
#[derive(Debug, Clone, Serialize)]
pub struct ScaleShown {
    /// The smallest.
    pub min: String,
    /// The largest.
    pub max: String,
    /// Digits after the point.
    pub decimals: u8,
}

/// A pupil as everybody sees it.
#[derive(Debug, Clone, Serialize)]
pub struct PupilShown {
    /// Its number.
    pub pupil: u16,
    /// Its name.
    pub name: String,
    /// Its public key.
    pub key: Hex<65>,
    /// Whether it can be reached.
    pub connected: bool,
    /// Whether it has a value to play with.
    pub ready: bool,
    /// Whether the teacher plays without it.
    pub left_out: bool,
}

/// For whom an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// All pupils and the teacher.
    Everybody,
    /// One pupil.
    Pupil(crate::ring::name::PupilId),
    /// The teacher.
    Teacher,
}

impl Event {
    /// A message as its receiver gets it.
    pub fn deliver(run: Run, ring: u16, from: u16, seal: Seal) -> Self {
        Self::Deliver { run, ring, from, iv: seal.iv, sealed: seal.sealed }
    }
}

impl ScaleShown {
    /// The scale for the page.
    pub fn of(scale: &Scale) -> Self {
        Self {
            min: scale.show(*scale.range().start()),
            max: scale.show(*scale.range().end()),
            decimals: scale.decimals(),
        }
    }
}

/// A protocol as the page names it.
pub fn protocol_name<S: Serializer>(protocol: &Protocol, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(protocol.name())
}

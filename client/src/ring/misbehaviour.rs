//! Misbehaviour: how a pupil breaks the rules on purpose, for a class to see what happens then.

use std::{fmt, str::FromStr};

/// How a pupil breaks the rules as soon as it is its turn to send a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misbehaviour {
    /// It leaves instead.
    Drops,
    /// It does nothing any more, and stays.
    Silent,
    /// It sends two different numbers, one after the other.
    Twice,
    /// It sends what is no number.
    Garbage,
    /// It accuses the pupil of whom it received a number.
    Lies,
}

/// The text names no misbehaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a pupil misbehaves in one of these ways: drops, silent, twice, garbage, lies")]
pub struct NoMisbehaviour;

impl Misbehaviour {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Drops, Self::Silent, Self::Twice, Self::Garbage, Self::Lies];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Drops => "drops",
            Self::Silent => "silent",
            Self::Twice => "twice",
            Self::Garbage => "garbage",
            Self::Lies => "lies",
        }
    }
}

impl fmt::Display for Misbehaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Misbehaviour {
    type Err = NoMisbehaviour;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|way| way.name() == text).ok_or(NoMisbehaviour)
    }
}

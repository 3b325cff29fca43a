//! Ring: n pupils learn the sum of their values, and nobody's value is shown to anybody.
//!
//! # Parties
//! n pupils, 3 ≤ n ≤ [`MOST`], each with a value v_i (an integer of the class's scale, taken
//! modulo 2^64). Whoever fixes their order (the host) sees no message.
//!
//! # Assumes
//! Private and authentic channels between any two pupils, and one on which everybody hears the
//! same announcement.
//!
//! # Security
//! Semi-honest. What a coalition learns beyond its own values, with the protocol
//! - [`Protocol::Ring`]: the sum of every run of honest pupils between two of its members, so that
//!   two neighbours of a pupil learn its value;
//! - [`Protocol::Rings`] and [`Protocol::Shares`]: the sum of all honest values, which follows from
//!   the announced total anyway: nothing against n−2.
//!
//! [`leak`] says it for any set of rings; [`attack`] computes it from what a coalition saw, and
//! makes for every value that its members cannot exclude a class that looks the same to them.
//! Nothing stops a pupil from adding another value than its own.
//!
//! # Rounds
//! One ring: 1. P_1 → its successor: v_1 + r, r uniform modulo 2^64. 2. every other pupil adds its
//! value to what it receives and passes it on. 3. P_1 subtracts r from what comes back and announces
//! the total.
//!
//! Rings: v_i is split into m additive shares; ring j runs as above over the j-th shares, all rings
//! at once, with a mask of its own each; P_1 announces the total of all. The rings are Walecki's
//! ([`plan::Plan`]).
//!
//! Shares: 1. P_i → P_j, for all j ≠ i: a share of v_i. 2. everybody announces the sum of the shares
//! that it holds, its own among them.
//!
//! # Cost
//! Messages of 8 bytes: n in n rounds; n·⌊n/2⌋ in n rounds; n·(n−1) in one round. And an announcement.
//!
//! # Source
//! Clifton et al., Tools for Privacy Preserving Distributed Data Mining (SIGKDD Explorations 2002):
//! the ring and its repair by shares over edge-disjoint rings. Walecki's construction: Alspach, The
//! Wonderful Walecki Construction (2008). Masks are modulo 2^64 rather than bounded, so that a
//! partial sum is uniform.

pub mod attack;
pub mod inbox;
pub mod leak;
pub mod plan;
pub mod play;
pub mod pupil;
pub mod referee;
pub mod slip;
pub mod view;

use std::{fmt, str::FromStr};

pub use play::play;

/// The fewest pupils: with two, the total tells each the other's value.
pub const FEWEST: usize = 3;
/// The most pupils: all shares of a round are a few thousand messages then.
pub const MOST: usize = 100;

/// A pupil's place in a round, counted from 0 in the order that the host fixed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seat(pub u16);

/// How the sum is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// One masked sum goes around one ring.
    Ring,
    /// Values are split into shares, one for each of several rings.
    Rings,
    /// Everybody sends a share to everybody.
    Shares,
}

/// A way from one pupil to another in one of the rings; a round uses each once. The shares of
/// [`Protocol::Shares`] are all in ring 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane {
    /// The ring, counted from 0.
    pub ring: u16,
    /// Who sends.
    pub from: Seat,
    /// Who receives.
    pub to: Seat,
}

/// A masked number on its way. Redacted in `Debug`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Message {
    /// Its way.
    pub lane: Lane,
    /// The partial sum or share, modulo 2^64.
    pub value: u64,
}

/// A number that everybody hears: the total, or with [`Protocol::Shares`] a sum of shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Announcement {
    /// Who says it.
    pub from: Seat,
    /// The number, modulo 2^64.
    pub value: u64,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("lane", &self.lane).finish_non_exhaustive()
    }
}

impl Seat {
    /// The place as an index.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "P{}", u32::from(self.0) + 1)
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Protocol {
    /// All of them, in the order of a lesson.
    pub const ALL: [Self; 3] = [Self::Ring, Self::Rings, Self::Shares];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ring => "ring",
            Self::Rings => "rings",
            Self::Shares => "shares",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a protocol is `ring`, `rings` or `shares`")]
pub struct NoProtocol;

impl FromStr for Protocol {
    type Err = NoProtocol;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|protocol| protocol.name() == text).ok_or(NoProtocol)
    }
}

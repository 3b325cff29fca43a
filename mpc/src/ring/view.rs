//! View: all that one pupil sees of a round. What colluders put together is their views.

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Announcement, Message, Seat};

/// What one pupil holds after a round. Redacted in `Debug`, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct View {
    /// Whose it is.
    pub seat: Seat,
    /// Its value, modulo 2^64.
    pub value: u64,
    /// The shares of its value: one per ring; with `Protocol::Shares` one per seat, its own kept.
    pub shares: Vec<u64>,
    /// P_1's masks, one per ring; nobody else has any.
    pub masks: Vec<u64>,
    /// What it sent.
    pub sent: Vec<Message>,
    /// What it received.
    pub received: Vec<Message>,
    /// What was announced, its own announcement among it.
    pub announced: Vec<Announcement>,
}

//! View: all that one pupil sees of a round. What colluders put together is their views.

use std::fmt;

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

impl View {
    /// The same view with everything in one order: messages of different rings may pass a pupil
    /// in any.
    #[must_use]
    pub fn sorted(&self) -> Self {
        let mut view = self.clone();
        view.sent.sort_unstable();
        view.received.sort_unstable();
        view.announced.sort_unstable();
        view
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("seat", &self.seat)
            .field("sent", &self.sent.len())
            .field("received", &self.received.len())
            .field("announced", &self.announced)
            .finish_non_exhaustive()
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.value.zeroize();
        self.shares.zeroize();
        self.masks.zeroize();
        for message in self.sent.iter_mut().chain(&mut self.received) {
            message.value.zeroize();
        }
    }
}

impl ZeroizeOnDrop for View {}

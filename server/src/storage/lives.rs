//! Lives: how far a database has come, so that one from an older backup can be told.

use mpc::sign::{PublicKey, Signature};

/// How far a database has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// Drawn when the database was made.
    pub identity: [u8; 16],
    /// Transactions that changed it since.
    pub age: u64,
}

/// How far a peer's database was seen to have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// The peer.
    pub peer: PublicKey,
    /// How far.
    pub life: Life,
    /// The peer's signature over it.
    pub signature: Signature,
    /// When it was seen.
    pub seen_ms: u64,
}

/// What is known of a peer's database after a sighting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighted {
    /// The furthest that this database of the peer was ever seen.
    pub furthest: Sighting,
    /// Whether it was never seen before, while another one of the peer was.
    pub is_another: bool,
}

//! Sotto's gRPC interface: generated messages in [`v1`], domain types in [`convert`], the [`pin`]
//! by which a server is known, the [`listener`] through which strangers come in, what is
//! [`metered`] there and at what [`rate`], the [`trace`] that a call belongs to, the [`codec`] that
//! bounds what a message may become, the [`checkup`] of a server, and where both ends look at the
//! [`clock`], draw by [`chance`] and have their [`work`] done.

pub mod chance;
pub mod checkup;
pub mod clock;
pub mod codec;
pub mod convert;
pub mod ending;
pub mod listener;
pub mod metered;
pub mod pin;
pub mod rate;
mod redacted;
#[cfg(feature = "testing")]
pub mod repeatable;
pub mod trace;
pub mod work;

/// The generated messages and services of `sotto.v1`.
#[allow(missing_docs, clippy::all, clippy::unwrap_used, rustdoc::all)]
pub mod v1 {
    tonic::include_proto!("sotto.v1");

    /// The compiled descriptors, for server reflection.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

    /// The descriptors of all messages, those of a class included.
    pub const ALL_DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/all.bin"));
}

/// Versions of the protocol that this build speaks.
pub const PROTOCOL: std::ops::RangeInclusive<u32> = 1..=1;

/// The largest gRPC message, in bytes.
pub const MAX_MESSAGE: usize = 4 << 20;

/// The most bytes of a question about the record of a study: it names 256 submissions at most.
pub const MAX_QUESTION: usize = 64 << 10;

/// The most bytes of a call that measures how fast they arrive.
pub const MAX_MEASURE: usize = 512 << 10;

/// The largest outcome of a study, in bytes: it lists the rejected submissions, 17 bytes each, and
/// whoever floods a study with bad ones must not make its result too large to fetch.
pub const MAX_OUTCOME: usize = 64 << 20;

//! The protocols of Sotto: what clients and servers compute, without sockets, storage or a clock.
//!
//! Everything here is a function of its arguments: randomness is passed in, and messages between
//! parties go through a [`mesh::Mesh`], which is a set of channels in memory in tests and gRPC
//! streams in life. Read in this order: [`circuit`] (what one record looks like and when it is
//! valid), [`collect`] (shares and their proof), [`setup`] (the servers' joint key), [`noise`] (what
//! differential privacy adds), [`publish`] (agree on the set, open the totals). [`ring`] stands
//! alone: the protocols of the classroom.

pub mod circuit;
pub mod collect;
pub mod dst;
pub mod ids;
pub mod merkle;
pub mod mesh;
pub mod noise;
pub mod pedersen;
pub mod publish;
pub mod receipt;
pub mod record;
pub mod ring;
pub mod setup;
pub mod sign;
pub mod transcript;
pub mod wire;

pub use curve25519_dalek::RistrettoPoint;
pub use prio::field::Field128;

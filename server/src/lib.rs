//! One computation server: what it remembers, whom it trusts, and how it is reached.
//!
//! Start reading at [`server`] (what runs), then [`jobs`] (how a study gets to its result), then
//! [`rpc`] (what strangers and peers may call).

pub mod catalog;
pub mod certs;
pub mod config;
pub mod doctor;
pub mod door;
pub mod jobs;
pub mod keys;
pub mod limits;
pub mod lives;
pub mod metrics;
pub mod node;
pub mod peers;
pub mod rpc;
pub mod server;
mod socket;
pub mod storage;
pub mod strangers;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tls;
pub mod trace;

pub use proto::clock;
use proto::{chance, work};

pub use server::{Running, Server, StartError};

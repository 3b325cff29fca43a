//! The input provider's and analyst's side of Sotto: everything that `sotto` does as a client.
//!
//! A [`profile::Profile`] says which servers there are and which keys are ours; a
//! [`connection::Cluster`] is checked channels to them; [`studies`], [`submit`] and [`result`] are
//! what one does with it; [`cost`] needs none of that. The library prints nothing: it tells a [`progress::Progress`].

pub mod abort;
pub mod audit;
pub mod bundle;
pub mod connection;
pub mod cost;
pub mod doctor;
pub mod error;
pub mod keys;
pub mod profile;
pub mod progress;
pub mod receipt;
pub mod result;
pub mod ring;
pub mod status;
pub mod studies;
pub mod submit;
#[cfg(feature = "testing")]
pub mod testing;

mod deadline;
mod pinned;
mod refusal;

pub use connection::Cluster;
pub use error::{ClientError, Exit};
pub use profile::Profile;

//! The ring in a classroom: everything about [`mpc::ring`] that has names, decimals and sockets.
//!
//! A host knows the class and the order, and starts, watches and stops rounds; it never holds a
//! number that a pupil passed on in a form that it could read. Two hosts share the rules in
//! [`round`]: the one of pupils who run this program and speak to each other directly ([`host`],
//! [`pupil`]), and the one of pupils with a browser, which hands their sealed messages on ([`web`]).

pub mod address;
pub mod class;
pub mod code;
pub mod error;
pub mod finding;
pub mod host;
pub mod misbehaviour;
pub mod name;
pub mod pupil;
pub mod round;
pub mod scale;
pub mod stop;
pub mod web;

mod check;
mod credentials;
mod peer;
mod place;
pub(crate) mod wire;

#[cfg(test)]
mod tests;

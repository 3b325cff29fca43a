//! What an audit finds to be false, and who is proven to have said it.

use mpc::publish::audit::Fault;

use crate::{bundle::BundleError, error::ClientError};

/// A check that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The check.
    pub check: &'static str,
    /// What is false, and where.
    pub text: String,
    /// Servers of which that is proven; none: nobody can tell who changed it.
    pub culprits: Vec<String>,
}

/// Why an audit goes no further.
pub(super) enum Failed {
    /// The record is false.
    Finding(Finding),
    /// There is nothing to check.
    Client(ClientError),
}

impl Finding {
    /// A finding against nobody.
    pub(super) fn of(check: &'static str, text: String) -> Self {
        Self { check, text, culprits: Vec::new() }
    }

    /// A fault of the messages, with the servers' names.
    pub(super) fn by(check: &'static str, fault: &Fault, servers: &[String]) -> Self {
        let (text, culprits) = named(fault, servers);
        Self { check, text, culprits }
    }
}

/// What a fault says, with the names of the servers in place of S0, S1, …, and who is proven to
/// have lied.
pub(super) fn named(fault: &Fault, servers: &[String]) -> (String, Vec<String>) {
    let mut text = fault.to_string();
    let mut culprits = Vec::new();
    for party in fault.culprits() {
        let name = servers.get(party.index()).map_or("an unknown server", String::as_str);
        text = text.replacen(&party.to_string(), name, 1);
        culprits.push(name.to_owned());
    }
    (text, culprits)
}

impl From<Finding> for Failed {
    fn from(finding: Finding) -> Self {
        Self::Finding(finding)
    }
}

impl From<BundleError> for Failed {
    fn from(error: BundleError) -> Self {
        Self::Client(error.into())
    }
}

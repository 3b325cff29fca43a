//! What an audit finds to be false, and who is proven to have said it.

use mpc::{ids::Party, publish::audit::Fault};

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
    /// The study is one of other servers than those that are known.
    Strangers(String),
    /// There is nothing to check.
    Client(ClientError),
}

impl Finding {
    /// A finding against nobody.
    pub(super) fn of(check: &'static str, text: String) -> Self {
        Self { check, text, culprits: Vec::new() }
    }

    /// A finding against all servers: it is in what each of them signed.
    pub(super) fn by_all(check: &'static str, text: String, servers: &[String]) -> Self {
        Self { check, text, culprits: servers.to_vec() }
    }

    /// A fault of the messages, with the servers' names.
    pub(super) fn by(check: &'static str, fault: &Fault, servers: &[String]) -> Self {
        let (text, culprits) = named(&fault.to_string(), &fault.culprits(), servers);
        Self { check, text, culprits }
    }
}

/// A text in which parties are S0, S1, … with the servers' names instead, and the names of those
/// who are proven to have lied.
pub(super) fn named(text: &str, culprits: &[Party], servers: &[String]) -> (String, Vec<String>) {
    let name = |party: Party| servers.get(party.index()).map(String::as_str);
    let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    let named = words.map(|word| {
        let bare = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let party = bare.strip_prefix('S').and_then(|number| number.parse().ok()).map(Party);
        match party.and_then(name) {
            Some(name) => word.replacen(bare, name, 1),
            None => word.to_owned(),
        }
    });
    let culprits = culprits.iter().filter_map(|party| name(*party)).map(str::to_owned);
    (named.collect(), culprits.collect())
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

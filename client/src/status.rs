//! A study's state as one server reports it, checked, and what the servers' reports add up to.

use mpc::ids::StudyId;
use proto::v1;
use serde::{Serialize, Serializer};
use study::{Study, is_invisible};

use crate::{connection::Server, error::ClientError};

/// More servers than a study can have are not shown.
const NAMES_SHOWN: usize = 8;

/// Where a study is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Waits for an operator.
    Proposed,
    /// Approved; waits for the other servers and their joint key.
    Approved,
    /// Takes submissions.
    Open,
    /// The result is being computed.
    Closing,
    /// There is a result.
    Published,
    /// A rule of the study forbids a result.
    Refused,
    /// A server broke the protocol.
    Aborted,
    /// Ended by its analyst or an operator.
    Cancelled,
}

/// One server's report on a study.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The server's name.
    pub server: String,
    /// The study's state there.
    pub state: State,
    /// Why it is there, in the server's words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Servers that the study waits for, or that broke the protocol.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<String>,
    /// Submissions that the server holds.
    pub submissions: u64,
    /// Records in them.
    pub records: u64,
    /// Submissions that passed verification.
    pub verified: u64,
    /// Submissions that did not.
    pub rejected: u64,
    /// Bytes of shares that the server received.
    pub share_bytes: u64,
    /// Parts of the study's privacy budget that the server has charged.
    pub charged: u64,
    /// Whether the server gives out the public record of how the study ended.
    pub record: bool,
}

/// A study and what the servers of the profile say about it.
#[derive(Debug, Clone, Serialize)]
pub struct Overview {
    /// The study's id.
    #[serde(rename = "study", serialize_with = "display")]
    pub id: StudyId,
    /// Its title.
    pub title: String,
    /// What the reports add up to.
    pub state: State,
    /// One report per server that answered, in the study's order.
    pub servers: Vec<Report>,
    /// Servers that did not answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreachable: Vec<String>,
    /// The study itself.
    #[serde(skip)]
    pub definition: Study,
}

impl State {
    /// Whether nothing changes any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Published | Self::Refused | Self::Aborted | Self::Cancelled)
    }

    /// The state of a study as a whole: an end anywhere is the end, a study is open when it is
    /// open everywhere, and otherwise it is where the last of its servers is.
    pub fn of_all(states: impl IntoIterator<Item = Self>) -> Option<Self> {
        let rank = |state: &Self| match state {
            Self::Aborted => 0,
            Self::Cancelled => 1,
            Self::Refused => 2,
            Self::Published => 3,
            Self::Closing => 4,
            Self::Proposed => 5,
            Self::Approved => 6,
            Self::Open => 7,
        };
        states.into_iter().min_by_key(rank)
    }

    pub(crate) fn from_wire(state: i32, server: &Server) -> Result<Self, ClientError> {
        match v1::StudyState::try_from(state) {
            Ok(v1::StudyState::Proposed) => Ok(Self::Proposed),
            Ok(v1::StudyState::Approved) => Ok(Self::Approved),
            Ok(v1::StudyState::Open) => Ok(Self::Open),
            Ok(v1::StudyState::Closing) => Ok(Self::Closing),
            Ok(v1::StudyState::Published) => Ok(Self::Published),
            Ok(v1::StudyState::Refused) => Ok(Self::Refused),
            Ok(v1::StudyState::Aborted) => Ok(Self::Aborted),
            Ok(v1::StudyState::Cancelled) => Ok(Self::Cancelled),
            Ok(v1::StudyState::Unspecified) | Err(_) => {
                Err(server.broke(format!("it reports the unknown study state {state}")))
            }
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Proposed => "proposed",
            Self::Approved => "approved",
            Self::Open => "open",
            Self::Closing => "closing",
            Self::Published => "published",
            Self::Refused => "refused",
            Self::Aborted => "aborted",
            Self::Cancelled => "cancelled",
        })
    }
}

impl Report {
    /// Checks one server's answer; returns the study that it came with, too, when it did.
    pub(crate) fn from_wire(
        server: &Server,
        status: v1::StudyStatus,
    ) -> Result<(StudyId, Self, Option<Study>), ClientError> {
        let id = StudyId::try_from(&status.study_id[..])
            .map_err(|_| server.broke("it reports a study without an id"))?;
        let definition = match status.study.is_empty() {
            true => None,
            false => Some(definition(server, id, &status.study)?),
        };
        let report = Self {
            server: server.name().to_owned(),
            state: State::from_wire(status.state, server)?,
            detail: printable(&status.detail),
            waits_for: names(&status.servers),
            submissions: status.submissions,
            records: status.records,
            verified: status.verified,
            rejected: status.rejected,
            share_bytes: status.share_bytes,
            charged: status.charged,
            record: status.record,
        };
        Ok((id, report, definition))
    }

    /// Why the study is where it is: the server's words, or who is waited for.
    pub fn why(&self) -> String {
        match (self.detail.is_empty(), self.waits_for.is_empty()) {
            (false, _) => self.detail.clone(),
            (true, false) => format!("waits for {}", self.waits_for.join(", ")),
            (true, true) => String::new(),
        }
    }
}

impl Overview {
    /// Servers that wait for their operator.
    pub fn unapproved(&self) -> Vec<String> {
        let proposed = self.servers.iter().filter(|report| report.state == State::Proposed);
        proposed.map(|report| report.server.clone()).collect()
    }

    /// Why the study is where it is, in the words of a server that is there.
    pub fn why(&self) -> String {
        let waiting = self.unapproved();
        if self.state == State::Proposed && !waiting.is_empty() {
            return format!("waits for approval by the operator of {}", waiting.join(", "));
        }
        let there = self.servers.iter().filter(|report| report.state == self.state);
        let why = there.map(Report::why).find(|why| !why.is_empty()).unwrap_or_default();
        match (why.is_empty(), self.unreachable.is_empty()) {
            (true, false) => format!("{} unreachable", self.unreachable.join(", ")),
            _ => why,
        }
    }
}

/// Decodes a study and checks that it is the one that `id` names.
fn definition(server: &Server, id: StudyId, bytes: &[u8]) -> Result<Study, ClientError> {
    let study = Study::decode(bytes)
        .map_err(|error| server.broke(format!("it sent a study that is not valid: {error}")))?;
    if study.id() != id {
        return Err(server.broke(format!("it sent another study as {id}")));
    }
    Ok(study)
}

/// Names that a server gives, as far as a study can have so many.
pub(crate) fn names(names: &[String]) -> Vec<String> {
    names.iter().take(NAMES_SHOWN).map(|name| printable(name)).collect()
}

/// A server's words, without anything that could steer a terminal or change the direction of what
/// follows, and not too many.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if is_invisible(c) { ' ' } else { c }).take(500).collect()
}

fn display<S: Serializer>(id: &StudyId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_study_is_open_when_it_is_open_everywhere() {
        use State::*;
        assert_eq!(State::of_all([Open, Open, Open]), Some(Open));
        assert_eq!(State::of_all([Open, Approved, Proposed]), Some(Proposed));
        assert_eq!(State::of_all([Open, Closing]), Some(Closing));
        assert_eq!(State::of_all([Published, Closing]), Some(Published));
        assert_eq!(State::of_all([Closing, Aborted]), Some(Aborted));
        assert_eq!(State::of_all([]), None);
    }

    #[test]
    fn a_server_s_words_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\nc"), "a [2Jb c");
        assert_eq!(printable("a\u{202e}b\u{2066}c\u{200f}"), "a b c ", "nor turn its lines");
        assert_eq!(printable(&"x".repeat(1000)).len(), 500);
    }
}

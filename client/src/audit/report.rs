//! The report of an audit: what was checked, of how much, and what follows.

use mpc::{ids::Party, publish::audit::Tallied, record::End};
use serde::Serialize;

use super::{
    finding::{self, Finding},
    front::Front,
};
use crate::{
    bundle::Bundle,
    result::ResultDocument,
    status::{State, printable},
};

/// What an audit comes to.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The study's id, in hexadecimal.
    pub study: String,
    /// Its title.
    pub title: String,
    /// How it ended, says the record.
    pub state: State,
    /// What follows from the checks.
    pub verdict: Verdict,
    /// The verdict in a sentence.
    pub says: String,
    /// Servers that are proven to have broken the protocol.
    pub culprits: Vec<String>,
    /// Servers that the record came from; empty: a file, of which that is not known.
    pub source: Vec<String>,
    /// The study's servers, by party.
    pub servers: Vec<String>,
    /// Submissions that count.
    pub submissions: u64,
    /// Records in them.
    pub records: u64,
    /// Submissions that do not count.
    pub rejected: u64,
    /// Amendments that all servers kept.
    pub amendments: u64,
    /// Signed messages.
    pub messages: u64,
    /// What was checked, in this order; the last one may have failed.
    pub checks: Vec<Check>,
    /// The answers, if they hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultDocument>,
}

/// One check.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// Whether it holds.
    pub outcome: Outcome,
    /// What was checked, or what is false and where.
    pub what: String,
}

/// What became of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It holds.
    Holds,
    /// It does not.
    Fails,
    /// There was nothing to check it with.
    Skipped,
}

/// What follows from an audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The published result is the one of the submissions that count.
    Holds,
    /// The study's rules forbade a result, and nothing was opened.
    Refused,
    /// The servers aborted the study, and the record shows why.
    Aborted,
    /// The servers aborted the study, and the record does not show why.
    Untold,
    /// The record is false.
    Fails,
    /// The study is one of other servers than those of the profile. Nobody is accused.
    Strangers,
}

impl Report {
    /// Nothing checked yet.
    pub(super) fn of(bundle: &Bundle) -> Self {
        let head = bundle.head();
        Self {
            study: head.study.to_string(),
            title: String::new(),
            state: match head.end {
                End::Published => State::Published,
                End::Refused => State::Refused,
                End::Aborted => State::Aborted,
            },
            verdict: Verdict::Fails,
            says: String::new(),
            culprits: Vec::new(),
            source: Vec::new(),
            servers: Vec::new(),
            submissions: 0,
            records: 0,
            rejected: 0,
            amendments: 0,
            messages: 0,
            checks: Vec::new(),
            result: None,
        }
    }

    /// Names the servers that the record came from. Where nothing is proven against anybody, it may be
    /// them who changed it, or who hold less than others.
    pub fn came_from(&mut self, servers: Vec<String>) {
        let is_open = matches!(self.verdict, Verdict::Untold | Verdict::Fails);
        if is_open && self.culprits.is_empty() && !servers.is_empty() {
            let names = servers.join(" and ");
            self.says.push_str(&format!(
                "; the record is that of {names}: ask another server for it with --server NAME"
            ));
        }
        self.source = servers;
    }

    pub(super) fn open(&mut self, front: &Front) {
        self.title = printable(front.study.title());
        self.servers = front.study.servers().iter().map(|server| server.name.clone()).collect();
        self.messages = front.recording.statements().count() as u64;
        self.amendments = front.amendments.len() as u64;
    }

    pub(super) fn pass(&mut self, name: &'static str, what: impl Into<String>) {
        self.checks.push(Check { name, outcome: Outcome::Holds, what: what.into() });
    }

    pub(super) fn skip(&mut self, name: &'static str, what: impl Into<String>) {
        self.checks.push(Check { name, outcome: Outcome::Skipped, what: what.into() });
    }

    pub(super) fn counted(&mut self, tallied: &Tallied, rejected: u64) {
        self.submissions = tallied.submissions;
        self.records = tallied.records;
        self.rejected = rejected;
    }

    pub(super) fn holds(&mut self, result: ResultDocument) {
        self.verdict = Verdict::Holds;
        self.rejected = result.rejected;
        self.says = "the published result is the one of the submissions that count".into();
        self.result = Some(result);
    }

    pub(super) fn refused(&mut self, records: u64, least: u64) {
        let what = format!("{records} records count, and the study needs {least}");
        self.pass("rule", what.clone());
        self.verdict = Verdict::Refused;
        self.says = format!("no result: {what}; nothing was opened");
    }

    /// The servers aborted, for a fault that the record shows.
    pub(super) fn aborted(&mut self, text: &str, culprits: &[Party]) {
        let (text, culprits) = finding::named(text, culprits, &self.servers);
        if culprits.is_empty() {
            self.verdict = Verdict::Untold;
            self.says = format!("aborted, and nobody can tell who broke the protocol: {text}");
            return;
        }
        self.pass("evidence", "the messages that prove it are signed by who is named");
        self.verdict = Verdict::Aborted;
        self.says = format!("aborted: {text}; this is proven by its signature");
        self.culprits = culprits;
    }

    /// The servers aborted, for a fault that the record does not show.
    pub(super) fn untold(&mut self, why: &str) {
        self.verdict = Verdict::Untold;
        self.says = format!("aborted, and the record does not tell by whom: {why}");
    }

    pub(super) fn found(&mut self, finding: Finding) {
        let Finding { check, text, culprits } = finding;
        self.verdict = Verdict::Fails;
        self.says = match &culprits[..] {
            [] => {
                format!("{check}: {text}; the record is false, and nobody can tell who changed it")
            }
            [_] => format!("{check}: {text}; this is proven by its signature"),
            _ => format!("{check}: {text}; all servers signed for it"),
        };
        self.checks.push(Check { name: check, outcome: Outcome::Fails, what: text });
        self.culprits = culprits;
    }

    pub(super) fn strangers(&mut self, text: String) {
        self.verdict = Verdict::Strangers;
        self.says = format!(
            "the study's servers are not those of the profile, so nothing more was checked: {text}; \
             pass --profile with the profile that lists them"
        );
        self.checks.push(Check { name: "servers", outcome: Outcome::Fails, what: text });
    }
}

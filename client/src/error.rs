//! Why a client's command failed, in words for people.

use std::{io, path::PathBuf};

use mpc::ids::StudyId;
use proto::work::GivenUp;

use crate::{
    bundle::BundleError,
    keys::KeyError,
    profile::ProfileError,
    status::State,
    submit::{ReceiptsError, RowProblem},
};

mod exit;

pub use exit::Exit;

/// Why a client's command failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The profile.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// A key file.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The receipts of an upload.
    #[error(transparent)]
    Receipts(#[from] ReceiptsError),
    /// A bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A bundle whose record is false.
    #[error("{}: {text}: `sotto audit` says more", file.display())]
    FalseRecord {
        /// The bundle.
        file: PathBuf,
        /// What is false.
        text: String,
    },
    /// A bundle without a result.
    #[error("{}: the study ended without a result, so nothing is counted", file.display())]
    NoResult {
        /// The bundle.
        file: PathBuf,
    },
    /// A server that the study does not run on.
    #[error("{name} is no server of the study: it runs on {servers}")]
    NotOfTheStudy {
        /// The name that was given.
        name: String,
        /// The study's servers.
        servers: String,
    },
    /// A study file, or a study that a server sent.
    #[error(transparent)]
    Study(#[from] study::StudyError),
    /// A CSV file that cannot be read as a table of the study.
    #[error(transparent)]
    Table(#[from] study::table::TableError),
    /// Something else than a regular file.
    #[error("{}: this is not a regular file, and it has to be read twice: save the table as a file", file.display())]
    NotAFile {
        /// The path.
        file: PathBuf,
    },
    /// A study file that holds something else than text.
    #[error("{}: this is not a text file in UTF-8: a study file is TOML", file.display())]
    NotText {
        /// The file.
        file: PathBuf,
    },
    /// A number of servers that is not that of the study file.
    #[error("{}: the file names {named} servers, and --servers asks for {asked}: leave --servers out", file.display())]
    OtherServers {
        /// The file.
        file: PathBuf,
        /// Servers that it names.
        named: usize,
        /// Servers that were asked for.
        asked: usize,
    },
    /// The proof system cannot handle the study.
    #[error("the study cannot be computed: {0}")]
    Collect(#[from] mpc::collect::CollectError),
    /// A local file.
    #[error("{}: {}", path.display(), plain(.source))]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Rows of a file do not fit the study. Nothing of the file was sent.
    #[error("{}: {bad} of {rows} rows {}, so nothing was sent: correct {}, or pass --skip-invalid{}", file.display(), if *.bad == 1 { "is not valid" } else { "are not valid" }, if *.bad == 1 { "it" } else { "them" }, first(.problems, *.problem_count))]
    InvalidRows {
        /// The file.
        file: PathBuf,
        /// Rows that are not valid.
        bad: u64,
        /// Rows of the file.
        rows: u64,
        /// What is wrong with the first of them, in the file's order.
        problems: Vec<RowProblem>,
        /// How many problems there are in all.
        problem_count: u64,
    },
    /// A file without a record to send.
    #[error("{}: there is no valid record in the file, so there is nothing to send", file.display())]
    NoRecords {
        /// The file.
        file: PathBuf,
    },
    /// A file with more records than the study takes.
    #[error("{}: the file has {records} records, and the study takes at most {max_records}", file.display())]
    TooManyRecords {
        /// The file.
        file: PathBuf,
        /// Valid records of the file.
        records: u64,
        /// The study's limit.
        max_records: u64,
    },
    /// A file with several records for a study that takes one of each provider.
    #[error("{}: the file has {records} records, and the study's privacy is per provider: each submits one record, once, so nothing was sent; submit a file with one row, or ask the analyst for a study with unit = \"record\"", file.display())]
    OneRecordPerProvider {
        /// The file.
        file: PathBuf,
        /// Valid records of the file.
        records: u64,
    },
    /// A batch size that the study's servers do not take.
    #[error("--batch {size} is not possible: a submission to this study holds 1 to {most} records")]
    BatchSize {
        /// The size that was asked for.
        size: u32,
        /// The largest possible.
        most: u32,
    },
    /// The study lists its providers, and this is none of them.
    #[error(
        "study {id} takes records from listed providers only, and {provider} is not listed: give this key to the analyst, or use the key that is listed"
    )]
    NotAProvider {
        /// The study.
        id: StudyId,
        /// Our key.
        provider: mpc::sign::PublicKey,
    },
    /// A file changed while it was being read.
    #[error("{}: the file changed while it was being submitted: run the command again", file.display())]
    FileChanged {
        /// The file.
        file: PathBuf,
    },
    /// No server of the profile knows the study.
    #[error("study {id} is not known to {servers}: check the id with `sotto study list`")]
    UnknownStudy {
        /// The id that was asked for.
        id: StudyId,
        /// The servers that were asked.
        servers: String,
    },
    /// A study runs on a server that the profile does not list.
    #[error("the study runs on {name} (identity {identity}), which {} does not list: add a [[server]] for it", profile.display())]
    ServerNotInProfile {
        /// The server's name in the study.
        name: String,
        /// Its key.
        identity: mpc::sign::PublicKey,
        /// The profile.
        profile: PathBuf,
    },
    /// A server cannot be reached.
    #[error("{server} ({endpoint}) is unreachable: {reason}")]
    Unreachable {
        /// The server.
        server: String,
        /// Its address.
        endpoint: String,
        /// What happened.
        reason: String,
        /// Whether it is there and was only late or not ready, so that it may answer soon; not that
        /// nobody listens, nor that it is not the one that was meant.
        is_late: bool,
    },
    /// A server took nothing for too long.
    #[error(
        "{server} took nothing for {seconds} s ({reason}): run the same command again to go on"
    )]
    NoProgress {
        /// The server.
        server: String,
        /// How long.
        seconds: u64,
        /// The last reason.
        reason: String,
    },
    /// A server speaks no version of the protocol that this program speaks.
    #[error(
        "{server} speaks protocol versions {theirs}, this program {ours}: upgrade the older one"
    )]
    OtherVersion {
        /// The server.
        server: String,
        /// Its versions.
        theirs: String,
        /// Ours.
        ours: String,
    },
    /// Two servers work with different sets of servers.
    #[error(
        "{first} and {second} have different rosters: {first} lists {first_roster}; {second} lists {second_roster}; their operators must agree on one"
    )]
    DifferentRosters {
        /// A server.
        first: String,
        /// Its roster.
        first_roster: String,
        /// Another one.
        second: String,
        /// Its roster.
        second_roster: String,
    },
    /// A server's clock is wrong.
    #[error(
        "{server}'s clock differs from this machine's by {seconds} s (at most 300 s): set the wrong one"
    )]
    Clock {
        /// The server.
        server: String,
        /// Difference, in seconds.
        seconds: u64,
    },
    /// Something else answers at a server's address.
    #[error(
        "{server} ({endpoint}) says that its identity is {theirs}, the profile says {expected}: do not use it before its operator explains that"
    )]
    OtherIdentity {
        /// The server's name in the profile.
        server: String,
        /// Its address.
        endpoint: String,
        /// The identity that it gave.
        theirs: String,
        /// The identity in the profile.
        expected: mpc::sign::PublicKey,
    },
    /// A server does not accept the key.
    #[error("{server} does not authorise this: {reason}")]
    NotAuthorised {
        /// The server.
        server: String,
        /// Its words.
        reason: String,
    },
    /// A rule of a server or of the study.
    #[error("{server} refuses: {reason}")]
    Refused {
        /// The server.
        server: String,
        /// Its words, which name the rule.
        reason: String,
    },
    /// A server takes no more at the moment, and said when it may.
    #[error("{server} refuses: {reason}")]
    Busy {
        /// The server.
        server: String,
        /// Its words, which name the limit.
        reason: String,
    },
    /// A server finds the request malformed.
    #[error("{server} does not accept the request: {reason}")]
    NotAccepted {
        /// The server.
        server: String,
        /// Its words.
        reason: String,
    },
    /// The study takes no (more) submissions.
    #[error("study {id} takes no submissions: it is {state}{}", because(.detail))]
    NotOpen {
        /// The study.
        id: StudyId,
        /// Its state.
        state: State,
        /// Why.
        detail: String,
    },
    /// What was submitted cannot be changed any more.
    #[error("study {id} is {state}, so it is too late to change what was submitted: {}", what_counts(.took, .silent))]
    TooLate {
        /// The study.
        id: StudyId,
        /// Its state.
        state: State,
        /// Servers that took the change while the study was open.
        took: Vec<String>,
        /// Servers that did not answer, and may have taken it before.
        silent: Vec<String>,
    },
    /// More submissions than one change can name.
    #[error(
        "the change names {submissions} submissions, and one change names at most {most}: submit more records in each (--batch)"
    )]
    TooManySubmissions {
        /// Old and new ones.
        submissions: usize,
        /// The limit.
        most: usize,
    },
    /// Operators have not approved the study yet.
    #[error("study {id} is not open: it waits for approval by the operator of {servers}")]
    NotApproved {
        /// The study.
        id: StudyId,
        /// Whose approval is missing.
        servers: String,
    },
    /// The proposal did not reach all servers, and was taken back from those that had it.
    #[error("{cause}; the study was not created{}", still_held(.left))]
    NotProposed {
        /// What went wrong.
        cause: Box<ClientError>,
        /// Servers from which the proposal could not be taken back.
        left: Vec<String>,
    },
    /// The study has no result yet.
    #[error("study {id} has no result yet: it is {state}{}{}; pass --wait to wait for it", because(.detail), down(.unreachable))]
    NotPublished {
        /// The study.
        id: StudyId,
        /// Its state.
        state: State,
        /// Who or what is waited for.
        detail: String,
        /// Servers that could not be asked.
        unreachable: Vec<String>,
    },
    /// A rule of the study forbids a result.
    #[error("study {id} was refused a result: {detail}")]
    ResultRefused {
        /// The study.
        id: StudyId,
        /// The rule, and that nothing was opened.
        detail: String,
    },
    /// The study was cancelled.
    #[error("study {id} was cancelled{}", because(.detail))]
    Cancelled {
        /// The study.
        id: StudyId,
        /// By whom.
        detail: String,
    },
    /// A server broke the protocol.
    #[error("study {id} was aborted: {detail}; nothing was published")]
    StudyAborted {
        /// The study.
        id: StudyId,
        /// What happened, with the culprit.
        detail: String,
    },
    /// A server answered with something that it must not.
    #[error("{server} breaks the protocol: {what}")]
    BrokenBy {
        /// The server.
        server: String,
        /// What it did.
        what: String,
    },
    /// All servers signed a result that is none of this study.
    #[error(
        "the servers signed a result of {found} sums for a study of {expected}: they run another version of the plan"
    )]
    WrongShape {
        /// Sums of the study's plan.
        expected: usize,
        /// Sums of the result.
        found: usize,
    },
    /// The user stopped the command.
    #[error("stopped; run the same command again to go on where it stopped")]
    Interrupted,
    /// A thread of the program panicked.
    #[error("a worker of this program failed; run the same command again")]
    WorkerFailed,
}

impl ClientError {
    /// Whether the cause is that a server could not be asked, so that another one may do.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// Whether the same question may be answered soon.
    pub fn is_late(&self) -> bool {
        self.awaited().is_some()
    }

    /// Which server may answer the same question soon, and why it has not yet.
    pub(crate) fn awaited(&self) -> Option<(&str, &str)> {
        match self {
            Self::Unreachable { server, reason, is_late: true, .. }
            | Self::Busy { server, reason } => Some((server, reason)),
            _ => None,
        }
    }
}

impl From<GivenUp> for ClientError {
    fn from(_: GivenUp) -> Self {
        Self::WorkerFailed
    }
}

/// What the operating system said, without the number of it.
pub(crate) fn plain(error: &io::Error) -> String {
    without_number(&error.to_string())
}

/// `text` without the number that the standard library puts at the end of a system's error.
pub(crate) fn without_number(text: &str) -> String {
    text.split(" (os error ").next().unwrap_or(text).to_owned()
}

/// `" (detail)"`, or nothing.
fn because(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(" ({detail})") }
}

/// What counts when a change came too late. One server that holds it is enough.
fn what_counts(took: &[String], silent: &[String]) -> String {
    match (took, silent) {
        ([], []) => "what was submitted before counts".into(),
        ([], _) => format!(
            "what was submitted before counts, unless {} took the change before: run the same command again when it answers",
            silent.join(" or ")
        ),
        _ => format!("{} took the change in time, so it counts", took.join(", ")),
    }
}

fn down(servers: &[String]) -> String {
    match servers {
        [] => String::new(),
        _ => format!("; {} unreachable", servers.join(", ")),
    }
}

fn still_held(servers: &[String]) -> String {
    match servers {
        [] => String::new(),
        _ => format!("; {} may still hold it as proposed", servers.join(", ")),
    }
}

fn first(problems: &[RowProblem], all: u64) -> String {
    let mut text = String::new();
    for problem in problems {
        text.push('\n');
        text.push_str(&problem.to_string());
    }
    match all.saturating_sub(problems.len() as u64) {
        0 => text,
        more => format!("{text}\n… and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_named_without_the_number_of_the_error() {
        let error =
            ClientError::File { path: "x.csv".into(), source: io::Error::from_raw_os_error(2) };
        let text = error.to_string();
        assert!(text.starts_with("x.csv: ") && !text.contains("os error"), "{text}");
    }

    #[test]
    fn a_change_that_came_too_late_says_what_counts_and_who_may_have_taken_it() {
        let text = |took: &[&str], silent: &[&str]| {
            let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
            let (took, silent) = (names(took), names(silent));
            let id = StudyId([1; 32]);
            ClientError::TooLate { id, state: State::Published, took, silent }.to_string()
        };
        assert!(text(&[], &[]).ends_with(": what was submitted before counts"));
        let open = text(&[], &["gamma"]);
        assert!(open.contains("counts, unless gamma took the change before"), "{open}");
        assert!(text(&["beta"], &["gamma"]).contains("beta took the change in time, so it counts"));
    }

    #[test]
    fn a_failed_proposal_has_its_cause_s_exit_code_and_names_who_may_still_hold_it() {
        let cause =
            ClientError::Refused { server: "beta".into(), reason: "unknown analyst".into() };
        let error = ClientError::NotProposed { cause: Box::new(cause), left: vec!["gamma".into()] };
        assert_eq!(error.exit(), Exit::Refused);
        let text = error.to_string();
        assert!(text.contains("beta") && text.contains("gamma"), "{text}");
    }
}

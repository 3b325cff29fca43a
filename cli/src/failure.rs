//! Why a command failed, and how that is said: one line on stderr and an exit code.

use std::{io, path::PathBuf, process::ExitCode};

use client::{ClientError, Exit};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The client library.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The program's runtime could not be started.
    #[error("the program could not start its threads: {0}")]
    Runtime(#[source] io::Error),
    /// A temporary directory could not be used.
    #[error(
        "a temporary directory is needed: {0}; set TMPDIR to a directory that can be written to"
    )]
    Temporary(#[source] io::Error),
    /// Writing the answer failed.
    #[error("the answer could not be written: {0}")]
    Output(#[source] io::Error),
    /// A picture could not be written to its file.
    #[error(
        "{}: the picture could not be written: {error}; name a file in a directory that you can write to",
        file.display()
    )]
    Picture {
        /// The file.
        file: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// Several servers were asked, and not all did it. Each has been reported.
    #[error("{done} of {asked} servers did it: {first}{remedy}")]
    Partly {
        /// How many did it.
        done: usize,
        /// How many were asked.
        asked: usize,
        /// The first that did not.
        first: Box<ClientError>,
        /// What to do now.
        remedy: &'static str,
    },
    /// A server could not be started or configured.
    #[error("{0}")]
    Server(String),
    /// An audit found something false, or that the study was aborted.
    #[error("{0}")]
    Audit(String),
    /// A checkup found what does not work. All of it has been reported.
    #[error("{fails} of {checks} checks failed, the first: {first}")]
    Unwell {
        /// How many failed.
        fails: usize,
        /// How many there were.
        checks: usize,
        /// Whose, which, and what was found.
        first: String,
        /// Whether the first is about another server.
        is_elsewhere: bool,
    },
    /// A record is one of a study of other servers than those of the profile.
    #[error("{0}")]
    Strangers(String),
    /// A server signed a receipt and did not keep it.
    #[error(
        "{server} broke its signed word about {submissions} of the submissions: keep the receipts file, and the evidence with --evidence FILE"
    )]
    BrokenWord {
        /// The first such server.
        server: String,
        /// Of how many submissions somebody did.
        submissions: u64,
    },
    /// Nobody proved what became of submissions.
    #[error(
        "what became of {0} of the submissions is not proven: the table says why; check again when more servers answer, or with --bundle FILE"
    )]
    NotProven(u64),
    /// A class's scale, as it was given.
    #[error("--min, --max and --decimals: {0}")]
    Scale(#[from] client::ring::scale::ScaleError),
    /// A class, or a round of it.
    #[error(transparent)]
    Class(#[from] client::ring::error::RingError),
    /// The user ended a class.
    #[error("interrupted: {0}")]
    ClassInterrupted(&'static str),
    /// The code of a class, as it was typed.
    #[error(transparent)]
    Code(client::ring::code::CodeError),
    /// A pupil without a value.
    #[error("a value is needed: type it when you are asked, or name a file with --value-file")]
    NoValue,
    /// The values of a class.
    #[error(transparent)]
    Grades(#[from] crate::command::GradesError),
    /// A class cannot be opened, joined or played.
    #[error("{0}")]
    Ring(String),
    /// The demonstration's answer is not the plaintext answer.
    #[error("the result differs from the plaintext answer in {0}")]
    Differs(String),
    /// The data that comes with the program cannot be read.
    #[error("the data of the demonstration is damaged: {0}")]
    Shipped(String),
}

impl Failure {
    /// Says it and gives the exit code.
    pub fn report(self) -> ExitCode {
        // Whoever closed our stdout, as `head` does, has what they wanted.
        if let Self::Output(error) = &self
            && error.kind() == io::ErrorKind::BrokenPipe
        {
            return ExitCode::SUCCESS;
        }
        eprintln!("error: {self}");
        ExitCode::from(self.exit().code())
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Client(error) => error.exit(),
            Self::Partly { first, .. } => first.exit(),
            Self::Class(error) => error.exit(),
            Self::Runtime(_)
            | Self::Temporary(_)
            | Self::Output(_)
            | Self::Picture { .. }
            | Self::Strangers(_)
            | Self::Scale(_)
            | Self::Code(_)
            | Self::Ring(_)
            | Self::Server(_) => Exit::Usage,
            Self::Differs(_) | Self::Audit(_) | Self::BrokenWord { .. } => Exit::Aborted,
            Self::Shipped(_) | Self::Grades(_) | Self::NoValue => Exit::InvalidData,
            Self::Unwell { is_elsewhere: true, .. } => Exit::Unreachable,
            Self::Unwell { is_elsewhere: false, .. } => Exit::Usage,
            Self::NotProven(_) => Exit::Unreachable,
            Self::ClassInterrupted(_) => Exit::Interrupted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_only_some_servers_did_has_the_exit_code_of_the_first_that_did_not() {
        let first = ClientError::Unreachable {
            server: "gamma".into(),
            endpoint: "https://127.0.0.1:1".into(),
            reason: "Connection refused".into(),
            is_late: false,
        };
        let failure =
            Failure::Partly { done: 2, asked: 3, first: Box::new(first), remedy: "; repeat it" };
        assert_eq!(failure.exit(), Exit::Unreachable);
        let text = failure.to_string();
        assert!(text.contains("2 of 3") && text.contains("gamma"), "{text}");
    }

    #[test]
    fn what_nobody_proves_looks_neither_like_success_nor_like_a_lie() {
        assert_eq!(Failure::NotProven(1).exit().code(), 5);
    }

    #[test]
    fn a_wrong_demonstration_does_not_look_like_success() {
        assert_eq!(Failure::Differs("mean".into()).exit(), Exit::Aborted);
    }
}

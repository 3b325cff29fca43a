//! The exit code that says to scripts why a command failed.

use super::ClientError;

/// The exit codes of `sotto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// The command cannot be carried out as it was given.
    Usage = 2,
    /// A study file, a CSV file or a stored file is not valid.
    InvalidData = 3,
    /// A server does not accept the key, or is not the one that the profile names.
    NotAuthorised = 4,
    /// A server cannot be reached or cannot be worked with.
    Unreachable = 5,
    /// The protocol was broken; the culprit is named.
    Aborted = 6,
    /// A rule of the study or of a server forbids it; the rule is named.
    Refused = 7,
    /// Stopped by a signal; the same command goes on (128 + SIGINT).
    Interrupted = 130,
}

impl Exit {
    /// The process's exit code.
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl ClientError {
    /// The exit code of a command that ends with this error.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Profile(_)
            | Self::Key(_)
            | Self::File { .. }
            | Self::NotAFile { .. }
            | Self::UnknownStudy { .. }
            | Self::ServerNotInProfile { .. }
            | Self::BatchSize { .. }
            | Self::OtherServers { .. }
            | Self::NotOfTheStudy { .. }
            | Self::WorkerFailed => Exit::Usage,
            // The question came too early; or its answer depends on a server that is down.
            Self::NotPublished { unreachable, .. } if unreachable.is_empty() => Exit::Usage,
            Self::NotPublished { .. } => Exit::Unreachable,
            Self::Receipts(error) => error.exit(),
            Self::Bundle(error) => error.exit(),
            Self::Study(_)
            | Self::Table(_)
            | Self::NotText { .. }
            | Self::Collect(_)
            | Self::InvalidRows { .. }
            | Self::NoRecords { .. }
            | Self::TooManyRecords { .. }
            | Self::OneRecordPerProvider { .. }
            | Self::TooManySubmissions { .. }
            | Self::FileChanged { .. }
            | Self::NotAccepted { .. } => Exit::InvalidData,
            Self::NotAuthorised { .. } | Self::OtherIdentity { .. } | Self::NotAProvider { .. } => {
                Exit::NotAuthorised
            }
            Self::Unreachable { .. }
            | Self::NoProgress { .. }
            | Self::OtherVersion { .. }
            | Self::DifferentRosters { .. }
            | Self::Clock { .. } => Exit::Unreachable,
            Self::FalseRecord { .. } => Exit::Aborted,
            Self::NoResult { .. } => Exit::Refused,
            Self::BrokenBy { .. } | Self::StudyAborted { .. } | Self::WrongShape { .. } => {
                Exit::Aborted
            }
            Self::Refused { .. }
            | Self::Busy { .. }
            | Self::NotOpen { .. }
            | Self::TooLate { .. }
            | Self::NotApproved { .. }
            | Self::ResultRefused { .. }
            | Self::Cancelled { .. } => Exit::Refused,
            Self::NotProposed { cause, .. } => cause.exit(),
            Self::Interrupted => Exit::Interrupted,
        }
    }
}

#[cfg(test)]
mod tests {
    use mpc::ids::StudyId;

    use super::*;
    use crate::{profile::ProfileError, status::State};

    #[test]
    fn every_class_of_failure_has_the_documented_exit_code() {
        let server = || "beta".to_owned();
        let reason = || "so".to_owned();
        let id = StudyId([1; 32]);
        let cases = [
            (ClientError::Profile(ProfileError::Missing { file: "x".into() }), 2),
            (ClientError::NoRecords { file: "x".into() }, 3),
            (ClientError::NotAuthorised { server: server(), reason: reason() }, 4),
            (
                ClientError::Unreachable {
                    server: server(),
                    endpoint: "https://h:1".into(),
                    reason: reason(),
                    is_late: false,
                },
                5,
            ),
            (ClientError::BrokenBy { server: server(), what: reason() }, 6),
            (ClientError::Refused { server: server(), reason: reason() }, 7),
            (ClientError::NotOpen { id, state: State::Published, detail: reason() }, 7),
            (ClientError::Interrupted, 130),
        ];
        for (error, code) in cases {
            assert_eq!(error.exit().code(), code, "{error}");
        }
    }
}

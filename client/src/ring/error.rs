//! Why a class cannot be opened or joined, or a round not be played.

use std::{io, net::SocketAddr};

use mpc::ring::plan::WrongNumber;

use super::{
    finding::Unbelievable,
    name::{Named, PupilId},
    scale::ScaleError,
    stop::Stop,
};
use crate::Exit;

/// Why something of a class failed.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// Nobody can listen there.
    #[error("nobody can listen on {address}: {cause}; choose another --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        cause: io::Error,
    },
    /// A name that cannot be part of an address.
    #[error("--address {0:?} is no host name and no address")]
    BadAddress(String),
    /// Keys or certificates cannot be made.
    #[error("no TLS certificate can be made: {0}")]
    Tls(String),
    /// The host cannot be reached.
    #[error(
        "the host at {address} cannot be reached ({reason}): is it still running, and are both machines in the same network"
    )]
    Unreachable {
        /// Where it should be.
        address: String,
        /// What happened.
        reason: String,
    },
    /// Something else answers at the host's address.
    #[error(
        "what answers at {address} is not the host of this code: ask for the code that the host shows now"
    )]
    NotTheHost {
        /// The address.
        address: String,
    },
    /// The host does not let us in.
    #[error("the host does not let you in: {0}")]
    NotAdmitted(String),
    /// Host and pupil speak different versions.
    #[error("{0}")]
    OtherVersion(String),
    /// The host does not speak as a host does.
    #[error(
        "the host sent something that is no message of a class ({0}): it may be another version"
    )]
    HostBroke(String),
    /// The connection to the host ended without a word.
    #[error(
        "the connection to the host is lost: the class is over for you; join again by the code"
    )]
    HostLost,
    /// A value that is not of the scale.
    #[error(transparent)]
    Value(#[from] ScaleError),
    /// Too few or too many for a round.
    #[error(transparent)]
    Number(#[from] WrongNumber),
    /// A round was stopped.
    #[error(transparent)]
    Stopped(#[from] Stop),
    /// A pupil that nobody knows, or that does not play.
    #[error("{0} does not play in this round")]
    NotPlaying(PupilId),
    /// A pupil was asked for what it saw, and does not show it.
    #[error("{0} does not want to show what it saw")]
    NotShown(Named),
    /// There is no round to look back at.
    #[error("no round has been played to its end yet")]
    NothingPlayed,
    /// What pupils show is not what they can have seen.
    #[error(transparent)]
    Unbelievable(#[from] Unbelievable),
    /// The class is over.
    #[error("the class has ended")]
    Ended,
}

impl RingError {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Listen { .. }
            | Self::BadAddress(_)
            | Self::Tls(_)
            | Self::NotPlaying(_)
            | Self::Number(_)
            | Self::NothingPlayed => Exit::Usage,
            Self::NotShown(_) => Exit::Refused,
            Self::Value(_) => Exit::InvalidData,
            Self::NotTheHost { .. } | Self::NotAdmitted(_) => Exit::NotAuthorised,
            Self::Unreachable { .. } | Self::OtherVersion(_) | Self::HostLost | Self::Ended => {
                Exit::Unreachable
            }
            Self::HostBroke(_) | Self::Stopped(_) | Self::Unbelievable(_) => Exit::Aborted,
        }
    }
}

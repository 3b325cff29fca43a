//! The names that travel through every protocol: studies, submissions and parties.

use std::{fmt, str::FromStr};

/// A study's identity: SHA-256 of its canonical encoding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StudyId(pub [u8; 32]);

/// A submission's identity: 16 bytes drawn by the provider; also Prio3's nonce.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubmissionId(pub [u8; 16]);

/// One run of a protocol among the servers: no server ever uses one twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub [u8; 16]);

/// A provider's change of what it submitted: 16 bytes drawn by the provider.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AmendmentId(pub [u8; 16]);

/// SHA-256 of a submission's public part.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicHash(pub [u8; 32]);

/// SHA-256 of an amendment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AmendmentHash(pub [u8; 32]);

/// A computation server's place in the study's list of servers, counted from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Party(pub u8);

/// The fewest and the most servers that a study may have.
pub const PARTIES: std::ops::RangeInclusive<usize> = 2..=8;

impl Party {
    /// The place as an index.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The party that schedules work: the first of the study's list.
    pub fn is_leader(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S{}", self.0)
    }
}

impl fmt::Debug for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An id that is not the right number of hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id of {digits} hexadecimal digits is needed")]
pub struct IdError {
    /// How many hexadecimal digits the id has.
    pub digits: usize,
}

macro_rules! hex_id {
    ($name:ident, $len:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let mut bytes = [0; $len];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| IdError { digits: 2 * $len })?;
                Ok(Self(bytes))
            }
        }
        impl TryFrom<&[u8]> for $name {
            type Error = IdError;
            fn try_from(bytes: &[u8]) -> Result<Self, IdError> {
                Ok(Self(bytes.try_into().map_err(|_| IdError { digits: 2 * $len })?))
            }
        }
        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
    };
}

hex_id!(StudyId, 32);
hex_id!(SubmissionId, 16);
hex_id!(RunId, 16);
hex_id!(AmendmentId, 16);
hex_id!(PublicHash, 32);
hex_id!(AmendmentHash, 32);

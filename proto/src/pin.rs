//! A pin: the hash by which rosters and profiles know a server's TLS key.

use std::{fmt, str::FromStr, time::Duration};

use rustls::{
    CertificateError,
    pki_types::{CertificateDer, UnixTime},
};
use sha2::{Digest as _, Sha256};

mod verify;
mod words;

pub use verify::{Judge, PinnedClients, PinnedServer};
pub use words::{day, refusal};

/// SHA-256 of a certificate's SubjectPublicKeyInfo. A renewed certificate over the same key has
/// the same pin.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pin(pub [u8; 32]);

/// The bytes are not an X.509 certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not an X.509 certificate")]
pub struct NotACertificate;

/// What servers and clients read of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The pin of its key.
    pub pin: Pin,
    /// SHA-256 of the whole certificate: what tells it from a renewed one over the same key.
    pub fingerprint: [u8; 32],
    /// When it becomes valid, seconds since 1970.
    pub not_before: i64,
    /// When it ceases to be valid, seconds since 1970.
    pub not_after: i64,
}

impl Pin {
    /// The pin of a certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, NotACertificate> {
        Ok(Facts::of(certificate)?.pin)
    }

    /// The pin of a key, given as a DER-encoded SubjectPublicKeyInfo.
    pub fn of_public_key(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }
}

impl Facts {
    /// Reads a certificate in DER form.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, NotACertificate> {
        let (rest, parsed) =
            x509_parser::parse_x509_certificate(certificate).map_err(|_| NotACertificate)?;
        if !rest.is_empty() {
            return Err(NotACertificate);
        }
        let validity = parsed.validity();
        Ok(Self {
            pin: Pin::of_public_key(parsed.public_key().raw),
            fingerprint: Sha256::digest(certificate).into(),
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
        })
    }
}

impl Facts {
    /// Whether the certificate is out of its dates at `now_s`, seconds since 1970, and how.
    pub fn out_of_date(&self, now_s: i64) -> Option<CertificateError> {
        let time = |seconds: i64| {
            UnixTime::since_unix_epoch(Duration::from_secs(seconds.max(0).unsigned_abs()))
        };
        let now = time(now_s);
        if now_s < self.not_before {
            let not_before = time(self.not_before);
            return Some(CertificateError::NotValidYetContext { time: now, not_before });
        }
        let not_after = time(self.not_after);
        (now_s > self.not_after)
            .then_some(CertificateError::ExpiredContext { time: now, not_after })
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Pin {
    type Err = mpc::ids::IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| mpc::ids::IdError { digits: 64 })?;
        Ok(Self(bytes))
    }
}

//! A server's own TLS key and certificate.

use std::{fmt, fs, path::Path};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use zeroize::Zeroizing;

use super::{Facts, NotACertificate, Pin};
use crate::keys::{self, KeyError};

/// A TLS key with the certificate chain over it. The key is redacted in `Debug`.
pub struct TlsIdentity {
    chain: Vec<CertificateDer<'static>>,
    key: Zeroizing<PrivateKeyDer<'static>>,
    pin: Pin,
}

/// Why a TLS key or certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The key file cannot be read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The key file holds no key.
    #[error("{path}: this is not a private key in PEM form")]
    NotAKey {
        /// The file.
        path: String,
    },
    /// The certificate file cannot be read.
    #[error("{path}: {cause}")]
    Io {
        /// The file.
        path: String,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// The certificate file holds no certificate.
    #[error("{path}: this is not a certificate in PEM form")]
    NotACertificate {
        /// The file.
        path: String,
    },
    /// Key and certificate do not belong together.
    #[error(
        "{certificate}: this certificate is not over the key in {key}: name the two files that belong together"
    )]
    Mismatch {
        /// The certificate file.
        certificate: String,
        /// The key file.
        key: String,
    },
}

impl TlsIdentity {
    /// Reads the key and the chain, own certificate first, from PEM files.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, IdentityError> {
        let named = |path: &Path| path.display().to_string();
        let text = keys::read_secret(key)?;
        let private = PrivateKeyDer::from_pem_slice(&text)
            .map_err(|_| IdentityError::NotAKey { path: named(key) })?;
        let pem = fs::read(certificate)
            .map_err(|cause| IdentityError::Io { path: named(certificate), cause })?;
        let not_one = || IdentityError::NotACertificate { path: named(certificate) };
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<_, _>>()
            .map_err(|_| not_one())?;
        let own = chain.first().ok_or_else(not_one)?;
        let pin = Pin::of(own).map_err(|NotACertificate| not_one())?;
        let identity = Self { chain, key: Zeroizing::new(private), pin };
        if identity.is_consistent() {
            Ok(identity)
        } else {
            let (certificate, key) = (named(certificate), named(key));
            Err(IdentityError::Mismatch { certificate, key })
        }
    }

    /// The pin under which a roster must know this key.
    pub fn pin(&self) -> Pin {
        self.pin
    }

    /// What is to be known of the own certificate.
    pub fn facts(&self) -> Result<Facts, NotACertificate> {
        self.chain.first().map_or(Err(NotACertificate), Facts::of)
    }

    /// The certificates, own one first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// A copy of the private key, for a TLS configuration.
    pub fn reveal_key(&self) -> PrivateKeyDer<'static> {
        self.key.clone_key()
    }

    fn is_consistent(&self) -> bool {
        let provider = super::provider();
        let Ok(key) = provider.key_provider.load_private_key(self.reveal_key()) else {
            return false;
        };
        rustls::sign::CertifiedKey::new(self.chain.clone(), key).keys_match().is_ok()
    }
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsIdentity({})", self.pin)
    }
}

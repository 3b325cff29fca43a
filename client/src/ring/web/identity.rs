//! Identity: the certificate by which browsers know the host, since they encrypt on secure pages
//! alone.

use std::{path::Path, sync::Arc, time::Duration};

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
};
use rustls::{
    ServerConfig,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _},
};
use sha2::{Digest as _, Sha256};

/// How long a certificate made for one lesson holds. A day of it has passed already, because
/// phones' clocks are behind.
const LIFE: Duration = Duration::from_secs(8 * 24 * 60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A certificate and its key, ready for connections.
#[derive(Debug, Clone)]
pub struct Identity {
    config: Arc<ServerConfig>,
    fingerprint: [u8; 32],
    self_signed: bool,
}

/// A certificate that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file cannot be read, or holds something else.
    #[error("{file}: {cause}; a file in PEM form is needed")]
    File {
        /// The file.
        file: String,
        /// Why not.
        cause: rustls::pki_types::pem::Error,
    },
    /// There is nothing in it.
    #[error("{file}: there is no certificate in it; a file in PEM form is needed")]
    Empty {
        /// The file.
        file: String,
    },
    /// Certificate and key do not belong together, or are of no kind that is supported.
    #[error("the certificate cannot be used: {0}; give the certificate with its own key")]
    Unusable(#[from] rustls::Error),
    /// A name that no certificate can be for.
    #[error("no certificate can be made for {name}: {cause}; give a host name or an address")]
    Name {
        /// The name.
        name: String,
        /// Why not.
        cause: rcgen::Error,
    },
    /// The clock is out of any range.
    #[error(
        "the clock says {unix_s} s since 1970, and no certificate can hold that: set the clock"
    )]
    Time {
        /// What it says.
        unix_s: u64,
    },
}

impl Identity {
    /// A certificate of the host's own making, for a name or address and for this machine itself.
    pub fn self_signed(name: &str, unix_s: u64) -> Result<Self, IdentityError> {
        let failed = |cause| IdentityError::Name { name: name.to_owned(), cause };
        let names = [name, "localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let mut names = names.to_vec();
        names.dedup();
        let mut params = CertificateParams::new(names).map_err(failed)?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "Sotto class");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        let now =
            Duration::from_secs(unix_s).try_into().ok().and_then(|now| epoch.checked_add(now));
        let now = now.filter(|now| (1971..4000).contains(&now.year()));
        let now = now.ok_or(IdentityError::Time { unix_s })?;
        params.not_before = now - DAY;
        params.not_after = now - DAY + LIFE;
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.self_signed(&key).map_err(failed)?.der().clone();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        Self::new(vec![certificate], key.into(), true)
    }

    /// A certificate, with what leads to its authority, and its key, from files.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, IdentityError> {
        let named = |path: &Path| path.display().to_string();
        let failed = |path, cause| IdentityError::File { file: named(path), cause };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificate)
            .map_err(|cause| failed(certificate, cause))?
            .collect();
        let chain = chain.map_err(|cause| failed(certificate, cause))?;
        if chain.is_empty() {
            return Err(IdentityError::Empty { file: named(certificate) });
        }
        let secret = PrivateKeyDer::from_pem_file(key).map_err(|cause| failed(key, cause))?;
        Self::new(chain, secret, false)
    }

    /// SHA-256 of the certificate, as browsers show it.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// Whether phones warn of it.
    pub fn is_self_signed(&self) -> bool {
        self.self_signed
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        self_signed: bool,
    ) -> Result<Self, IdentityError> {
        let fingerprint = Sha256::digest(chain.first().map_or(&[][..], |first| first)).into();
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), fingerprint, self_signed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_made_for_names_and_addresses_and_differs_each_time() {
        for name in ["192.168.1.20", "localhost", "fe80::1", "class.example"] {
            let one = Identity::self_signed(name, 1_800_000_000).unwrap();
            let other = Identity::self_signed(name, 1_800_000_000).unwrap();
            assert_ne!(one.fingerprint(), other.fingerprint());
        }
        let error = Identity::self_signed("bücher", 1_800_000_000).unwrap_err().to_string();
        assert!(error.contains("bücher") && error.contains("host name"), "{error}");
        assert!(matches!(Identity::self_signed("a", u64::MAX), Err(IdentityError::Time { .. })));
    }

    #[test]
    fn a_file_that_is_no_certificate_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("notes.txt");
        std::fs::write(&file, "no certificate").unwrap();
        let error = Identity::from_files(&file, &file).unwrap_err().to_string();
        assert!(error.contains("notes.txt"), "{error}");
        let missing = directory.path().join("missing.pem");
        let error = Identity::from_files(&missing, &file).unwrap_err().to_string();
        assert!(error.contains("missing.pem"), "{error}");
    }
}

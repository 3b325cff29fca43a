//! Making what a server is known by: identity keys, TLS keys and certificates.
//!
//! Certificates are issued by a small authority of one's own, which clients trust by its file.
//! Servers do not trust it: they pin each other's keys.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use mpc::sign::PublicKey;
use rand::CryptoRng;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

use crate::{
    config::{IDENTITY_KEY, TLS_CERTIFICATE, TLS_KEY},
    keys::{self, KeyError},
    tls::{Facts, Pin},
};

mod dev;

pub use dev::{DevCluster, DevError, DevRequest, DevServer, dev};

/// The authority's certificate, which clients name in their profile as `roots`.
pub const AUTHORITY_CERTIFICATE: &str = "ca.pem";
/// The authority's key.
pub const AUTHORITY_KEY: &str = "ca.key";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a server's certificate is valid.
const SERVER_DAYS: u32 = 365;
/// A server's certificate that has less than this left is renewed.
const SERVER_RENEWAL_DAYS: u32 = 30;
/// How long the authority's certificate is valid.
const AUTHORITY_DAYS: u32 = 3_650;
/// The authority's certificate must outlive those that it signs.
const AUTHORITY_RENEWAL_DAYS: u32 = SERVER_DAYS + SERVER_RENEWAL_DAYS;

/// Why keys or certificates cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CertError {
    /// A file cannot be read or written.
    #[error("{path}: {cause}")]
    Io {
        /// The file.
        path: String,
        /// What the operating system said.
        cause: io::Error,
    },
    /// A key file cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A key file in PEM form holds something else.
    #[error("{path}: this is not a private key in PEM form: restore it from your backup")]
    NotAKey {
        /// The file.
        path: String,
    },
    /// A name that no certificate can be for, or a failure of the random source.
    #[error("no certificate can be made: {0}")]
    Generation(#[from] rcgen::Error),
    /// The time is not one that a certificate can hold.
    #[error(
        "the clock says {unix_s} s since 1970, and no certificate can hold that: set the clock"
    )]
    Time {
        /// The time given.
        unix_s: u64,
    },
}

/// A small certificate authority in two files.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: PathBuf,
}

/// By what a roster knows a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerKeys {
    /// The key that signs receipts and results.
    pub identity: PublicKey,
    /// The key of the TLS certificate.
    pub tls: Pin,
}

impl Authority {
    /// The authority in `directory`: its key is made once, its certificate is renewed when less
    /// than a server's certificate's life is left of it.
    pub fn open_or_create(directory: &Path, unix_s: u64) -> Result<Self, CertError> {
        create_directory(directory)?;
        let key = tls_key(&directory.join(AUTHORITY_KEY))?;
        let certificate = directory.join(AUTHORITY_CERTIFICATE);
        let mut params = CertificateParams::default();
        params.distinguished_name = named("Sotto certificate authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_validity(&mut params, unix_s, AUTHORITY_DAYS)?;
        if !holds_for(&certificate, &key, unix_s, AUTHORITY_RENEWAL_DAYS) {
            replace(&certificate, params.self_signed(&key)?.pem().as_bytes())?;
        }
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }

    /// The certificate's file, for clients' profiles.
    pub fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// A server's keys and certificate in `directory`, made if they are missing. `names` are the
    /// DNS names and IP addresses by which clients reach the server. The certificate is renewed
    /// over the same key when less than 30 days are left of it.
    pub fn server(
        &self,
        directory: &Path,
        name: &str,
        names: &[String],
        unix_s: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<ServerKeys, CertError> {
        create_directory(directory)?;
        let identity = keys::load_or_create(&directory.join(IDENTITY_KEY), rng)?.public();
        let key = tls_key(&directory.join(TLS_KEY))?;
        let certificate = directory.join(TLS_CERTIFICATE);
        if !holds_for(&certificate, &key, unix_s, SERVER_RENEWAL_DAYS) {
            let mut params = CertificateParams::new(names)?;
            params.distinguished_name = named(name);
            params.use_authority_key_identifier_extension = true;
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages =
                vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
            set_validity(&mut params, unix_s, SERVER_DAYS)?;
            replace(&certificate, params.signed_by(&key, &self.issuer)?.pem().as_bytes())?;
        }
        Ok(ServerKeys { identity, tls: pin_of_key(&key) })
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authority({})", self.certificate.display())
    }
}

/// Writes a whole file aside and moves it into place, so that nobody reads half of it.
fn replace(path: &Path, text: &[u8]) -> Result<(), CertError> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let write = || {
        let mut file = fs::File::create(&aside)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&aside, path)?;
        keys::sync_directory_of(path)
    };
    write().map_err(|cause| CertError::Io { path: path.display().to_string(), cause })
}

fn create_directory(path: &Path) -> Result<(), CertError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|cause| CertError::Io { path: path.display().to_string(), cause })
}

/// The TLS key in `path`, made if there is none.
fn tls_key(path: &Path) -> Result<KeyPair, CertError> {
    if !path.exists() {
        let pem = zeroize::Zeroizing::new(KeyPair::generate()?.serialize_pem());
        keys::write_secret(path, pem.as_bytes())?;
    }
    let not_a_key = || CertError::NotAKey { path: path.display().to_string() };
    let text = keys::read_secret(path)?;
    let text = std::str::from_utf8(&text).map_err(|_| not_a_key())?;
    KeyPair::from_pem(text).map_err(|_| not_a_key())
}

/// Whether the certificate in `path` is over `key` and valid now and for `days` more.
fn holds_for(path: &Path, key: &KeyPair, unix_s: u64, days: u32) -> bool {
    let Ok(certificate) = CertificateDer::from_pem_file(path) else { return false };
    let Ok(facts) = Facts::of(&certificate) else { return false };
    let Ok(now) = i64::try_from(unix_s) else { return false };
    facts.pin == pin_of_key(key)
        && now >= facts.not_before
        && facts.not_after.saturating_sub(now) >= i64::from(days) * 24 * 60 * 60
}

fn pin_of_key(key: &KeyPair) -> Pin {
    use rcgen::PublicKeyData as _;
    Pin::of_public_key(&key.subject_public_key_info())
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// From a day ago, because other clocks may be behind, for `days` from now.
fn set_validity(params: &mut CertificateParams, unix_s: u64, days: u32) -> Result<(), CertError> {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let now = epoch
        .checked_add(
            Duration::from_secs(unix_s).try_into().map_err(|_| CertError::Time { unix_s })?,
        )
        .filter(|now| (1970..4000).contains(&now.year()))
        .ok_or(CertError::Time { unix_s })?;
    params.not_before = now - DAY;
    params.not_after = now + DAY * days;
    Ok(())
}

#[cfg(test)]
mod tests;

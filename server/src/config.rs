//! A server's configuration: read from its file, checked against its roster and its own keys.

use std::{
    net::SocketAddr,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use mpc::sign::{PublicKey, Signer};
use serde::Deserialize;
use toml::Spanned;

use crate::{
    keys::{self, KeyError},
    tls::{IdentityError, Pin, Revoked, TlsIdentity, reload::Files},
};

mod limits;
mod operations;
mod roster;
mod source;

pub use limits::Limits;
pub use roster::{Roster, RosterServer};
pub use source::Position;

use source::Source;

/// The database's file name in the data directory.
pub const DATABASE: &str = "sotto.db";
/// The identity key's file name in the data directory.
pub const IDENTITY_KEY: &str = "identity.key";
/// The TLS key's file name in the data directory, unless the configuration names another.
pub const TLS_KEY: &str = "tls.key";
/// The TLS certificate's file name in the data directory, unless the configuration names another.
pub const TLS_CERTIFICATE: &str = "tls.pem";

/// Everything that a server needs to start.
#[derive(Debug)]
pub struct Config {
    /// This server's name in the roster.
    pub name: String,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Its data directory.
    pub data: PathBuf,
    /// Who may propose studies.
    pub analysts: Vec<PublicKey>,
    /// Who may approve studies here.
    pub operators: Vec<PublicKey>,
    /// How studies are approved.
    pub approve: Approve,
    /// All servers, this one included.
    pub roster: Roster,
    /// What strangers may use up.
    pub limits: Limits,
    /// Where metrics are served; none: nowhere.
    pub metrics: Option<SocketAddr>,
    /// The collector to which spans are exported (OTLP over gRPC); none: they are not.
    pub otlp: Option<String>,
    /// The key that signs receipts and results.
    pub identity: Signer,
    /// The TLS key and certificate.
    pub tls: TlsIdentity,
    /// Where they were read from, and the configuration was.
    pub tls_files: Files,
    /// Peers' keys and certificates that are not accepted any more.
    pub revoked: Revoked,
    /// The versions of the protocol that it speaks: those of the program.
    pub protocol: RangeInclusive<u32>,
}

/// How studies are approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Approve {
    /// By an operator, one by one.
    #[default]
    Manual,
    /// Every study of a listed analyst, at once.
    Automatic,
}

/// Why a server cannot start with its configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("{path}: {cause}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// The text is not TOML, or has a key that does not exist, or a value of another type.
    #[error("{at}: {cause}")]
    Syntax {
        /// Where.
        at: Position,
        /// What the parser says.
        cause: String,
    },
    /// A value is not what its key needs.
    #[error("{at}: {key} must be {rule}")]
    Value {
        /// Where.
        at: Position,
        /// The key.
        key: &'static str,
        /// What it must be.
        rule: String,
    },
    /// Two servers of the roster have something in common that must tell them apart.
    #[error("{at}: the servers {first} and {second} have the same {what}: each needs its own")]
    Duplicate {
        /// Where the second one stands.
        at: Position,
        /// What they share.
        what: &'static str,
        /// The first server.
        first: String,
        /// The second server.
        second: String,
    },
    /// The roster does not know this server.
    #[error("{at}: the roster has no server {name}: it has {known}")]
    NotInRoster {
        /// Where the name stands.
        at: Position,
        /// The configured name.
        name: String,
        /// The roster's names.
        known: String,
    },
    /// The roster lists another identity key for this server than the one it has.
    #[error(
        "the roster lists the identity {listed} for {name}, but the key in {path} has {own}: \
             correct the roster at every server, or restore the key"
    )]
    IdentityDiffers {
        /// This server.
        name: String,
        /// The key file.
        path: String,
        /// The roster's key.
        listed: PublicKey,
        /// The file's key.
        own: PublicKey,
    },
    /// The roster lists another TLS key for this server than the one it has.
    #[error(
        "the roster lists the tls pin {listed} for {name}, but the certificate {path} has {own}: \
             correct the roster at every server, or restore key and certificate"
    )]
    TlsDiffers {
        /// This server.
        name: String,
        /// The certificate file.
        path: String,
        /// The roster's pin.
        listed: Pin,
        /// The certificate's pin.
        own: Pin,
    },
    /// The identity key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The TLS key or certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] IdentityError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    name: Spanned<String>,
    listen: Spanned<String>,
    data: PathBuf,
    #[serde(default)]
    analysts: Vec<Spanned<String>>,
    #[serde(default)]
    operators: Vec<Spanned<String>>,
    #[serde(default)]
    approve: Approve,
    roster: PathBuf,
    #[serde(default)]
    tls: RawTls,
    #[serde(default)]
    limits: limits::RawLimits,
    #[serde(default)]
    metrics: operations::RawMetrics,
    #[serde(default)]
    tracing: operations::RawTracing,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawTls {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    #[serde(default)]
    revoked: Vec<Spanned<String>>,
}

impl RawTls {
    fn revoked(&self, source: &Source) -> Result<Revoked, ConfigError> {
        let parse = |text: &Spanned<String>| {
            let rule = "a TLS pin, or the SHA-256 of a certificate, as 64 hexadecimal digits";
            let pin = text.get_ref().parse::<Pin>();
            pin.map(|pin| pin.0).map_err(|_| source.value(text, "tls.revoked", rule))
        };
        self.revoked.iter().map(parse).collect()
    }
}

/// What the configuration in `file` revokes, now. The rest of it counts when the server starts.
pub fn revoked(file: &Path) -> Result<Revoked, ConfigError> {
    let source = Source::read(file)?;
    let raw: RawConfig = source.parse()?;
    raw.tls.revoked(&source)
}

impl Config {
    /// Reads the configuration in `file`, and the roster and keys that it names. Relative paths
    /// start at the directory of the file that names them.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let source = Source::read(file)?;
        let raw: RawConfig = source.parse()?;
        let base = file.parent().unwrap_or(Path::new(""));
        let listen = raw.listen.get_ref().parse().map_err(|_| {
            source.value(&raw.listen, "listen", "an address and a port, like \"0.0.0.0:7400\"")
        })?;
        let analysts = public_keys(&source, "analysts", &raw.analysts)?;
        let operators = public_keys(&source, "operators", &raw.operators)?;
        let limits = raw.limits.check(&source)?;
        let metrics = raw.metrics.check(&source)?;
        let otlp = raw.tracing.check(&source)?;
        let roster = Roster::load(&base.join(&raw.roster))?;
        let data = base.join(&raw.data);
        let path_of = |named: &Option<PathBuf>, usual: &str| {
            named.as_ref().map_or_else(|| data.join(usual), |path| base.join(path))
        };
        let tls_files = Files {
            certificate: path_of(&raw.tls.certificate, TLS_CERTIFICATE),
            key: path_of(&raw.tls.key, TLS_KEY),
            config: file.to_owned(),
        };
        let config = Self {
            identity: keys::load(&data.join(IDENTITY_KEY))?,
            tls: TlsIdentity::load(&tls_files.certificate, &tls_files.key)?,
            tls_files,
            revoked: raw.tls.revoked(&source)?,
            name: raw.name.get_ref().clone(),
            listen,
            data: data.clone(),
            analysts,
            operators,
            approve: raw.approve,
            roster,
            limits,
            metrics,
            otlp,
            protocol: proto::PROTOCOL,
        };
        config.check_own_entry(&source.at(&raw.name), &config.tls_files.certificate)?;
        Ok(config)
    }

    /// The database's path.
    pub fn database(&self) -> PathBuf {
        self.data.join(DATABASE)
    }

    fn check_own_entry(&self, at: &Position, certificate: &Path) -> Result<(), ConfigError> {
        let Some(entry) = self.roster.get(&self.name) else {
            let known: Vec<_> =
                self.roster.servers().iter().map(|server| server.name.as_str()).collect();
            let (name, known) = (self.name.clone(), known.join(", "));
            return Err(ConfigError::NotInRoster { at: at.clone(), name, known });
        };
        let own = self.identity.public();
        if entry.identity != own {
            return Err(ConfigError::IdentityDiffers {
                name: self.name.clone(),
                path: self.data.join(IDENTITY_KEY).display().to_string(),
                listed: entry.identity,
                own,
            });
        }
        if entry.tls != self.tls.pin() {
            return Err(ConfigError::TlsDiffers {
                name: self.name.clone(),
                path: certificate.display().to_string(),
                listed: entry.tls,
                own: self.tls.pin(),
            });
        }
        Ok(())
    }
}

fn public_keys(
    source: &Source,
    key: &'static str,
    texts: &[Spanned<String>],
) -> Result<Vec<PublicKey>, ConfigError> {
    texts.iter().map(|text| source.public_key(key, text)).collect()
}

#[cfg(test)]
mod tests;

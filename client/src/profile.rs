//! The client profile, `sotto.toml`: which servers there are, and where our keys lie.

use std::{
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
};

use mpc::sign::{PublicKey, Signer};
use proto::pin::Pin;
use serde::Deserialize;
use toml::Spanned;

use crate::{
    error::plain,
    keys::{self, KeyError},
};

/// How a certificate in PEM form begins.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

/// A profile, checked.
#[derive(Debug, Clone)]
pub struct Profile {
    file: PathBuf,
    roots: PathBuf,
    analyst: Option<PathBuf>,
    operator: Option<PathBuf>,
    provider: Option<PathBuf>,
    servers: Vec<ProfileServer>,
}

/// One `[[server]]` of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileServer {
    /// The name that people and study files call it by.
    pub name: String,
    /// Its address, `https://host:port`.
    pub endpoint: tonic::transport::Uri,
    /// The key that it signs with.
    pub identity: PublicKey,
    /// The key of its TLS certificate.
    pub tls: Pin,
}

/// Whose key a command is signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Proposes, closes and cancels studies.
    Analyst,
    /// Approves and cancels studies on the operator's own server.
    Operator,
    /// Submits records.
    Provider,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Analyst, Self::Operator, Self::Provider];
}

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// There is no such file.
    #[error("{}: there is no profile here: pass --profile FILE or set SOTTO_PROFILE (`sotto dev` writes one)", file.display())]
    Missing {
        /// The path that was tried.
        file: PathBuf,
    },
    /// A file cannot be read.
    #[error("{}: cannot be read: {}", file.display(), plain(.source))]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file that should hold certificates.
    #[error("{}: there is no certificate in PEM form here: `roots` names the operators' ca.pem files, one after the other", file.display())]
    NoCertificate {
        /// The file.
        file: PathBuf,
    },
    /// A line of the profile is wrong.
    #[error("{}:{line}: {what}", file.display())]
    Line {
        /// The profile.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong, and the remedy.
        what: String,
    },
    /// A command needs a key that the profile does not name.
    #[error("{}: this command needs a key of the {role}: add a section `[{role}]` with `key = \"{role}.key\"`", file.display())]
    NoKey {
        /// The profile.
        file: PathBuf,
        /// Whose key.
        role: Role,
    },
    /// No server of that name.
    #[error("{}: there is no [[server]] named {name:?}; there are {known}", file.display())]
    UnknownServer {
        /// The profile.
        file: PathBuf,
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProfile {
    roots: PathBuf,
    analyst: Option<RawKey>,
    operator: Option<RawKey>,
    provider: Option<RawKey>,
    #[serde(default)]
    server: Vec<RawServer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey {
    key: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawServer {
    name: Spanned<String>,
    endpoint: Spanned<String>,
    identity: Spanned<String>,
    tls: Spanned<String>,
}

impl Profile {
    /// Reads and checks the profile in `file`.
    pub fn load(file: &Path) -> Result<Self, ProfileError> {
        match fs::read_to_string(file) {
            Ok(text) => Self::parse(&text, file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(ProfileError::Missing { file: file.to_owned() })
            }
            Err(source) => Err(ProfileError::Unreadable { file: file.to_owned(), source }),
        }
    }

    /// Checks the profile `text`; paths in it are relative to the directory of `file`.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ProfileError> {
        let refuse = |span: Option<Range<usize>>, what: String| ProfileError::Line {
            file: file.to_owned(),
            line: line_of(text, span),
            what,
        };
        let raw: RawProfile = toml::from_str(text)
            // The library repeats what it did not expect, and that may steer a terminal.
            .map_err(|error| {
                let what = error.message().replace('\n', "; ").replace(char::is_control, " ");
                refuse(error.span(), what)
            })?;
        if raw.server.is_empty() {
            let what =
                "a profile needs at least one [[server]] with name, endpoint, identity and tls";
            return Err(refuse(None, what.into()));
        }
        let mut servers: Vec<ProfileServer> = Vec::with_capacity(raw.server.len());
        for entry in raw.server {
            let name_span = entry.name.span();
            let server =
                ProfileServer::check(entry).map_err(|(span, what)| refuse(Some(span), what))?;
            if servers.iter().any(|other| other.name == server.name) {
                let what =
                    format!("name = {:?} is given to two servers: choose another", server.name);
                return Err(refuse(Some(name_span), what));
            }
            if let Some(other) = servers.iter().find(|other| other.identity == server.identity) {
                let what = format!("{:?} and {:?} have the same identity", other.name, server.name);
                return Err(refuse(Some(name_span), what));
            }
            servers.push(server);
        }
        let dir = file.parent().unwrap_or(Path::new(""));
        let key = |raw: Option<RawKey>| raw.map(|raw| dir.join(raw.key));
        Ok(Self {
            file: file.to_owned(),
            roots: dir.join(raw.roots),
            analyst: key(raw.analyst),
            operator: key(raw.operator),
            provider: key(raw.provider),
            servers,
        })
    }

    /// Where the profile was read from.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The servers, in the profile's order.
    pub fn servers(&self) -> &[ProfileServer] {
        &self.servers
    }

    /// The server of that name.
    pub fn server(&self, name: &str) -> Result<&ProfileServer, ProfileError> {
        self.servers.iter().find(|server| server.name == name).ok_or_else(|| {
            let known: Vec<_> = self.servers.iter().map(|server| server.name.as_str()).collect();
            ProfileError::UnknownServer {
                file: self.file.clone(),
                name: name.into(),
                known: known.join(", "),
            }
        })
    }

    /// The certificates that vouch for the servers, as PEM. No others are trusted.
    pub fn roots(&self) -> Result<Vec<u8>, ProfileError> {
        let file = || self.roots.clone();
        let pem = fs::read(&self.roots)
            .map_err(|source| ProfileError::Unreadable { file: file(), source })?;
        match pem.windows(CERTIFICATE.len()).any(|part| part == CERTIFICATE.as_bytes()) {
            true => Ok(pem),
            false => Err(ProfileError::NoCertificate { file: file() }),
        }
    }

    /// Where the key of a role is; none: the profile names none.
    pub fn key(&self, role: Role) -> Option<&Path> {
        match role {
            Role::Analyst => self.analyst.as_deref(),
            Role::Operator => self.operator.as_deref(),
            Role::Provider => self.provider.as_deref(),
        }
    }

    /// The key of a role. A provider's key is created when its file does not exist.
    pub fn signer(&self, role: Role) -> Result<Signer, crate::ClientError> {
        let path =
            self.key(role).ok_or_else(|| ProfileError::NoKey { file: self.file.clone(), role })?;
        let read: Result<Signer, KeyError> = match role {
            Role::Provider => keys::read_or_create(path),
            Role::Analyst | Role::Operator => keys::read(path),
        };
        Ok(read?)
    }

    /// The same profile with another provider's key file, for one process that acts for several.
    pub fn with_provider_key(mut self, path: PathBuf) -> Self {
        self.provider = Some(path);
        self
    }
}

impl ProfileServer {
    fn check(raw: RawServer) -> Result<Self, (Range<usize>, String)> {
        let name = raw.name.get_ref();
        if name.is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
            return Err((raw.name.span(), "name must have 1 to 64 visible characters".into()));
        }
        let endpoint = raw.endpoint.get_ref();
        let uri = endpoint.parse::<tonic::transport::Uri>().ok().filter(|uri| {
            uri.scheme_str() == Some("https")
                && uri.port_u16().is_some_and(|port| port != 0)
                && matches!(uri.path(), "" | "/")
        });
        let Some(uri) = uri else {
            let what = format!("endpoint = {endpoint:?} of {name:?} is not https://HOST:PORT");
            return Err((raw.endpoint.span(), what));
        };
        let identity =
            raw.identity.get_ref().parse::<PublicKey>().ok().filter(PublicKey::is_usable);
        let Some(identity) = identity else {
            let what = format!(
                "identity of {name:?} is not an Ed25519 public key in 64 hexadecimal digits: \
                 ask the server's operator for it"
            );
            return Err((raw.identity.span(), what));
        };
        let Ok(tls) = raw.tls.get_ref().parse::<Pin>() else {
            let what = format!(
                "tls of {name:?} is not the SHA-256 of a key in 64 hexadecimal digits: \
                 copy it from the roster"
            );
            return Err((raw.tls.span(), what));
        };
        Ok(Self { name: raw.name.into_inner(), endpoint: uri, identity, tls })
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Analyst => "analyst",
            Self::Operator => "operator",
            Self::Provider => "provider",
        })
    }
}

/// The line, from 1, in which `span` starts.
fn line_of(text: &str, span: Option<Range<usize>>) -> usize {
    let start = span.map_or(0, |span| span.start);
    let before = text.as_bytes().iter().take(start);
    1 + before.filter(|&&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(seed: u8) -> String {
        Signer::from_seed(&[seed; 32]).public().to_string()
    }

    fn text() -> String {
        format!(
            "roots = \"ca.pem\"\n[analyst]\nkey = \"analyst.key\"\n[[server]]\nname = \"alpha\"\n\
             endpoint = \"https://127.0.0.1:41231\"\nidentity = \"{}\"\ntls = \"{}\"\n",
            identity(1),
            "ab".repeat(32)
        )
    }

    fn refused(text: &str) -> String {
        Profile::parse(text, Path::new("there/sotto.toml")).unwrap_err().to_string()
    }

    #[test]
    fn paths_are_relative_to_the_profile() {
        let profile = Profile::parse(&text(), Path::new("there/sotto.toml")).unwrap();
        assert_eq!(profile.roots, Path::new("there/ca.pem"));
        assert_eq!(profile.analyst.as_deref(), Some(Path::new("there/analyst.key")));
        assert_eq!(profile.servers()[0].name, "alpha");
        assert_eq!(profile.servers()[0].identity.to_string(), identity(1));
    }

    #[test]
    fn an_unknown_key_is_refused_with_file_and_line() {
        let error = refused(&text().replace("endpoint =", "endpiont ="));
        assert!(error.starts_with("there/sotto.toml:6: "), "{error}");
        assert!(error.contains("endpiont") && error.contains("endpoint"), "{error}");
    }

    #[test]
    fn an_endpoint_without_tls_or_port_is_refused() {
        for endpoint in
            ["http://127.0.0.1:41231", "https://127.0.0.1", "127.0.0.1:1", "https://h:0"]
        {
            let error = refused(&text().replace("https://127.0.0.1:41231", endpoint));
            assert!(error.starts_with("there/sotto.toml:6: endpoint"), "{error}");
            assert!(error.contains("https://HOST:PORT"), "{error}");
        }
    }

    #[test]
    fn an_identity_that_is_no_key_is_refused() {
        let error = refused(&text().replace(&identity(1), &"0".repeat(64)));
        assert!(error.starts_with("there/sotto.toml:7: identity of \"alpha\""), "{error}");
    }

    #[test]
    fn roots_without_a_certificate_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("ca.pem"), "-----BEGIN PRIVATE KEY-----").unwrap();
        let profile = Profile::parse(&text(), &dir.path().join("sotto.toml")).unwrap();
        let error = profile.roots().unwrap_err().to_string();
        assert!(error.contains("ca.pem: there is no certificate"), "{error}");
        fs::write(dir.path().join("ca.pem"), CERTIFICATE).unwrap();
        assert!(profile.roots().is_ok());
    }

    #[test]
    fn a_pin_that_is_no_hash_is_refused() {
        let error = refused(&text().replace(&"ab".repeat(32), "ab"));
        assert!(error.starts_with("there/sotto.toml:8: tls of \"alpha\""), "{error}");
    }

    #[test]
    fn two_servers_may_share_neither_name_nor_identity() {
        let second = |name: &str, seed| {
            let entry = format!(
                "[[server]]\nname = \"{name}\"\nendpoint = \"https://h:2\"\nidentity = \"{}\"\ntls = \"{}\"\n",
                identity(seed),
                "cd".repeat(32)
            );
            text() + &entry
        };
        assert!(refused(&second("alpha", 2)).starts_with("there/sotto.toml:10: name = \"alpha\""));
        assert!(refused(&second("beta", 1)).contains("same identity"));
        assert!(Profile::parse(&second("beta", 2), Path::new("sotto.toml")).is_ok());
    }

    #[test]
    fn a_missing_profile_key_or_server_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let error = Profile::load(&dir.path().join("sotto.toml")).unwrap_err().to_string();
        assert!(error.contains("SOTTO_PROFILE"), "{error}");
        let profile = Profile::parse(&text(), Path::new("sotto.toml")).unwrap();
        let error = profile.signer(Role::Operator).unwrap_err().to_string();
        assert!(error.contains("[operator]"), "{error}");
        let error = profile.server("delta").unwrap_err().to_string();
        assert!(error.contains("delta") && error.contains("alpha"), "{error}");
        assert!(refused("roots = \"ca.pem\"\n").contains("[[server]]"));
    }
}

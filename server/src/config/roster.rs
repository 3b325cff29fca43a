//! The roster: which servers there are, and by which keys they are known.

use std::path::Path;

use mpc::{dst, sign::PublicKey};
use serde::Deserialize;
use toml::Spanned;
use tonic::transport::Uri;

use super::{ConfigError, source::Source};
use crate::tls::Pin;

/// The fewest and the most servers of a roster.
const SERVERS: std::ops::RangeInclusive<usize> = 2..=16;
/// Characters of a server's name.
const NAME_CHARS: usize = 64;

/// The servers that work together, sorted by name. Every server has the same file, but for the
/// endpoints, which depend on where one looks from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster(Vec<RosterServer>);

/// One server of a roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterServer {
    /// Its name.
    pub name: String,
    /// Where it is reached, `https://host:port`.
    pub endpoint: String,
    /// The key that signs its receipts and results.
    pub identity: PublicKey,
    /// The key of its TLS certificate.
    pub tls: Pin,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRoster {
    server: Spanned<Vec<RawServer>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawServer {
    name: Spanned<String>,
    endpoint: Spanned<String>,
    identity: Spanned<String>,
    tls: Spanned<String>,
}

impl Roster {
    /// Reads the roster in `file`.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        Self::check(&Source::read(file)?)
    }

    /// Checks the roster `text`, which stands in `file`.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        Self::check(&Source::of(text, file))
    }

    fn check(source: &Source) -> Result<Self, ConfigError> {
        let raw: RawRoster = source.parse()?;
        if !SERVERS.contains(&raw.server.get_ref().len()) {
            let rule = format!("a list of {} to {} servers", SERVERS.start(), SERVERS.end());
            return Err(source.value(&raw.server, "[[server]]", rule));
        }
        let mut servers: Vec<RosterServer> = Vec::new();
        for raw in raw.server.get_ref() {
            let server = raw.check(source)?;
            for other in &servers {
                other.check_apart(&server).map_err(|what| ConfigError::Duplicate {
                    at: source.at(&raw.name),
                    what,
                    first: other.name.clone(),
                    second: server.name.clone(),
                })?;
            }
            servers.push(server);
        }
        servers.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self(servers))
    }

    /// All servers, sorted by name.
    pub fn servers(&self) -> &[RosterServer] {
        &self.0
    }

    /// The server of this name.
    pub fn get(&self, name: &str) -> Option<&RosterServer> {
        self.0.iter().find(|server| server.name == name)
    }

    /// The server with this TLS key.
    pub fn by_pin(&self, pin: &Pin) -> Option<&RosterServer> {
        self.0.iter().find(|server| server.tls == *pin)
    }

    /// The server with this identity.
    pub fn by_identity(&self, identity: &PublicKey) -> Option<&RosterServer> {
        self.0.iter().find(|server| server.identity == *identity)
    }

    /// What servers compare to find out whether they have the same roster: all names, identities
    /// and TLS pins, without the endpoints.
    pub fn hash(&self) -> [u8; 32] {
        let mut hasher = dst::Hasher::new(dst::ROSTER);
        for server in &self.0 {
            hasher.part(server.name.as_bytes());
            hasher.part(&server.identity.0);
            hasher.part(&server.tls.0);
        }
        hasher.finish()
    }

    /// The roster as a file.
    pub fn to_toml(&self) -> String {
        self.0.iter().map(RosterServer::to_toml).collect::<Vec<_>>().join("\n")
    }
}

impl TryFrom<Vec<RosterServer>> for Roster {
    type Error = &'static str;

    /// Sorts the servers; refuses two that share a name or a key, naming what they share.
    fn try_from(mut servers: Vec<RosterServer>) -> Result<Self, Self::Error> {
        servers.sort_by(|a, b| a.name.cmp(&b.name));
        for (index, server) in servers.iter().enumerate() {
            servers.iter().skip(index + 1).try_for_each(|other| server.check_apart(other))?;
        }
        Ok(Self(servers))
    }
}

impl RosterServer {
    /// The server's entry in the file.
    pub fn to_toml(&self) -> String {
        let quote = |text: &str| toml::Value::from(text).to_string();
        format!(
            "[[server]]\nname = {}\nendpoint = {}\nidentity = \"{}\"\ntls = \"{}\"\n",
            quote(&self.name),
            quote(&self.endpoint),
            self.identity,
            self.tls
        )
    }

    /// What the two servers share that must tell them apart.
    fn check_apart(&self, other: &Self) -> Result<(), &'static str> {
        if self.name == other.name {
            Err("name")
        } else if self.identity == other.identity {
            Err("identity")
        } else if self.tls == other.tls {
            Err("tls pin")
        } else {
            Ok(())
        }
    }
}

impl RawServer {
    fn check(&self, source: &Source) -> Result<RosterServer, ConfigError> {
        let name = self.name.get_ref();
        if name.is_empty()
            || name.chars().count() > NAME_CHARS
            || name.chars().any(char::is_control)
        {
            let rule = format!("1 to {NAME_CHARS} visible characters");
            return Err(source.value(&self.name, "name", rule));
        }
        if !is_endpoint(self.endpoint.get_ref()) {
            return Err(source.value(&self.endpoint, "endpoint", "https://HOST:PORT"));
        }
        let tls = self.tls.get_ref().parse().map_err(|_| {
            let rule = "the SHA-256 of the certificate's public key, 64 hexadecimal digits";
            source.value(&self.tls, "tls", rule)
        })?;
        Ok(RosterServer {
            name: name.clone(),
            endpoint: self.endpoint.get_ref().clone(),
            identity: source.public_key("identity", &self.identity)?,
            tls,
        })
    }
}

fn is_endpoint(text: &str) -> bool {
    text.parse::<Uri>().is_ok_and(|uri| {
        uri.scheme_str() == Some("https")
            && uri.port_u16().is_some_and(|port| port != 0)
            && matches!(uri.path(), "" | "/")
            && uri.query().is_none()
    })
}

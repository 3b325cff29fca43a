//! `sotto certs`: what a server is known by.

use std::{
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::Serialize;
use server::certs::Authority;

use super::Global;
use crate::failure::Failure;

/// Make a server's keys and certificates.
#[derive(Debug, clap::Subcommand)]
pub enum Certs {
    /// Make one server's identity key, TLS key and certificate, and print its roster entry.
    ///
    /// What is there already is kept, so the command can be repeated: it renews a certificate of
    /// which less than 30 days are left, over the same key. AUTHORITY/ca.pem is what clients name
    /// as `roots` in their profile; keep AUTHORITY/ca.key off the server.
    #[command(after_help = "\
Example:
  sotto certs new --name alpha --host alpha.example.org:7400 \\
    --dir /var/lib/sotto --authority ca")]
    New {
        /// The server's name in the roster.
        #[arg(long)]
        name: String,
        /// Where clients and peers reach the server, `HOST:PORT`.
        #[arg(long, value_name = "HOST:PORT", value_parser = address)]
        host: Address,
        /// More host names or IP addresses for the certificate (may be repeated).
        #[arg(long = "alias", value_name = "HOST")]
        aliases: Vec<String>,
        /// The server's data directory: the keys are made there.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// The certificate authority's directory; made if it does not exist.
        #[arg(long, value_name = "DIR")]
        authority: PathBuf,
    },
}

/// A host and a port.
#[derive(Debug, Clone)]
pub struct Address {
    host: String,
    port: u16,
}

/// A server's entry in the roster.
#[derive(Serialize)]
struct Entry {
    name: String,
    endpoint: String,
    identity: String,
    tls: String,
    roots: PathBuf,
}

impl Certs {
    pub fn run(self, global: &Global) -> Result<(), Failure> {
        let Self::New { name, host, aliases, dir, authority } = self;
        let failed = |error: &dyn std::fmt::Display| Failure::Server(error.to_string());
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let unix_s = since_1970.as_secs();
        let authority =
            Authority::open_or_create(&authority, unix_s).map_err(|error| failed(&error))?;
        // An IPv6 address has brackets in an endpoint and none in a certificate.
        let own = host.host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let names: Vec<String> = std::iter::once(own).chain(aliases).collect();
        let keys = authority
            .server(&dir, &name, &names, unix_s, &mut rand::rng())
            .map_err(|error| failed(&error))?;
        let entry = Entry {
            name,
            endpoint: format!("https://{}:{}", host.host, host.port),
            identity: keys.identity.to_string(),
            tls: keys.tls.to_string(),
            roots: authority.certificate().to_owned(),
        };
        eprintln!("clients trust {}", entry.roots.display());
        global.format().print(&entry, |entry| {
            format!(
                "[[server]]\nname = {:?}\nendpoint = {:?}\nidentity = {:?}\ntls = {:?}",
                entry.name, entry.endpoint, entry.identity, entry.tls
            )
        })
    }
}

fn address(text: &str) -> Result<Address, String> {
    let (host, port) = text.rsplit_once(':').ok_or("a port is missing: HOST:PORT")?;
    let port: u16 = port.parse().map_err(|_| "the port is not a number from 1 to 65535")?;
    match host.is_empty() || port == 0 || (host.contains(':') && !host.starts_with('[')) {
        true => Err("HOST:PORT is needed, with an IPv6 address in brackets".into()),
        false => Ok(Address { host: host.into(), port }),
    }
}

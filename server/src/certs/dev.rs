//! A local cluster in one directory: keys, certificates, configurations and the client's profile.
//!
//! Everything is made once and kept: started again on the same directory, the cluster has the
//! same keys and ports. Each file is written only if it is missing, in an order such that a start
//! that is interrupted anywhere is finished by the next one.

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
};

use mpc::{ids::PARTIES, sign::PublicKey};
use rand::CryptoRng;

use super::{AUTHORITY_CERTIFICATE, Authority, CertError, ServerKeys, create_directory, replace};
use crate::{
    config::{ConfigError, Roster, RosterServer},
    keys,
};

/// The names of a local cluster's servers.
const NAMES: [&str; 8] = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"];
/// Servers of a cluster when nobody says how many.
const SERVERS: usize = 3;
const ROSTER: &str = "roster.toml";
const PROFILE: &str = "sotto.toml";
const SERVER_CONFIG: &str = "server.toml";
const ANALYST_KEY: &str = "analyst.key";
const OPERATOR_KEY: &str = "operator.key";

/// What is asked of a local cluster.
#[derive(Debug, Clone)]
pub struct DevRequest {
    /// Where everything is kept.
    pub directory: PathBuf,
    /// How many servers; `None`: those that are there, or 3.
    pub servers: Option<usize>,
    /// Ports of a new cluster, one per server; empty: free ones are chosen.
    pub ports: Vec<u16>,
    /// The time, seconds since 1970.
    pub unix_s: u64,
}

/// A local cluster that is ready to be started.
#[derive(Debug)]
pub struct DevCluster {
    /// The client's profile.
    pub profile: PathBuf,
    /// Its servers, in the order of their names in the Greek alphabet.
    pub servers: Vec<DevServer>,
}

/// One server of a local cluster.
#[derive(Debug)]
pub struct DevServer {
    /// Its name.
    pub name: String,
    /// Its configuration, for [`Config::load`](crate::config::Config::load).
    pub config: PathBuf,
    /// Its port, taken: a server that is started on this socket cannot lose the port to another
    /// program in between. Dropped, the port is free again.
    pub listener: TcpListener,
}

/// Why a local cluster cannot be made or started.
#[derive(Debug, thiserror::Error)]
pub enum DevError {
    /// Another number of servers than a study can have.
    #[error("a cluster has {} to {} servers, and {asked} were asked for", PARTIES.start(), PARTIES.end())]
    Servers {
        /// The number asked for.
        asked: usize,
    },
    /// Not one port per server.
    #[error("{servers} servers need {servers} ports, and {ports} are given")]
    Ports {
        /// The number of servers.
        servers: usize,
        /// The number of ports.
        ports: usize,
    },
    /// The directory holds a cluster of another size.
    #[error(
        "{directory} holds a cluster of {found} servers, and {asked} were asked for: leave \
             out the number, or choose another directory"
    )]
    OtherSize {
        /// The directory.
        directory: String,
        /// The number of servers there.
        found: usize,
        /// The number asked for.
        asked: usize,
    },
    /// A server's port cannot be had.
    #[error(
        "port {port} of server {server} is taken ({cause}): stop what uses it, or choose \
             another directory for a new cluster"
    )]
    PortTaken {
        /// The port.
        port: u16,
        /// The server that needs it.
        server: String,
        /// What the operating system said.
        cause: io::Error,
    },
    /// No free port can be found.
    #[error("no free port can be found on 127.0.0.1: {0}")]
    NoPort(io::Error),
    /// The roster was changed to something that `dev` did not make.
    #[error("{roster}: this is not the roster of a local cluster: choose another directory")]
    ForeignRoster {
        /// The roster.
        roster: String,
    },
    /// A key or certificate cannot be made.
    #[error(transparent)]
    Cert(#[from] CertError),
    /// The roster cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Makes a local cluster in a directory, or completes the one that is there, and takes its ports.
pub fn dev(request: &DevRequest, rng: &mut impl CryptoRng) -> Result<DevCluster, DevError> {
    let directory = &request.directory;
    create_directory(directory)?;
    let names = names(request)?;
    let authority = Authority::open_or_create(directory, request.unix_s)?;
    let mut keys = Vec::new();
    for name in names {
        let reached_as = [*name, "localhost", "127.0.0.1", "::1"].map(String::from);
        keys.push(authority.server(
            &directory.join(name),
            name,
            &reached_as,
            request.unix_s,
            rng,
        )?);
    }
    let listeners = take_ports(request, names)?;
    let roster_path = directory.join(ROSTER);
    if !roster_path.exists() {
        let roster = new_roster(names, &keys, &listeners).map_err(DevError::NoPort)?;
        replace(&roster_path, roster.to_toml().as_bytes())?;
    }
    let roster = Roster::load(&roster_path)?;
    let analyst = key(directory, ANALYST_KEY, rng)?;
    let operator = key(directory, OPERATOR_KEY, rng)?;
    let mut servers = Vec::new();
    for (name, listener) in names.iter().zip(listeners) {
        let config = directory.join(name).join(SERVER_CONFIG);
        let port = listener.local_addr().map_err(DevError::NoPort)?.port();
        write_once(&config, || config_text(name, port, &analyst, &operator))?;
        servers.push(DevServer { name: (*name).into(), config, listener });
    }
    let profile = directory.join(PROFILE);
    write_once(&profile, || profile_text(names, &roster))?;
    Ok(DevCluster { profile, servers })
}

/// The names of the cluster's servers: those of the roster that is there, or the first ones.
fn names(request: &DevRequest) -> Result<&'static [&'static str], DevError> {
    let path = request.directory.join(ROSTER);
    let found = if path.exists() { Some(Roster::load(&path)?.servers().len()) } else { None };
    let servers = match (found, request.servers) {
        (Some(found), Some(asked)) if found != asked => {
            let directory = request.directory.display().to_string();
            return Err(DevError::OtherSize { directory, found, asked });
        }
        (Some(found), _) => found,
        (None, asked) => asked.unwrap_or(SERVERS),
    };
    if !PARTIES.contains(&servers) {
        return Err(DevError::Servers { asked: servers });
    }
    NAMES.get(..servers).ok_or(DevError::Servers { asked: servers })
}

/// Binds all ports: the roster's if there is one, else those asked for, else free ones.
fn take_ports(request: &DevRequest, names: &[&str]) -> Result<Vec<TcpListener>, DevError> {
    let path = request.directory.join(ROSTER);
    let ports = if path.exists() {
        let roster = Roster::load(&path)?;
        let port = |name: &&str| {
            let uri: tonic::transport::Uri = roster.get(name)?.endpoint.parse().ok()?;
            uri.port_u16()
        };
        names
            .iter()
            .map(port)
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| DevError::ForeignRoster { roster: path.display().to_string() })?
    } else if request.ports.is_empty() {
        vec![0; names.len()]
    } else if request.ports.len() == names.len() {
        request.ports.clone()
    } else {
        return Err(DevError::Ports { servers: names.len(), ports: request.ports.len() });
    };
    let bind = |(port, name): (u16, &&str)| {
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|cause| match port {
            0 => DevError::NoPort(cause),
            _ => DevError::PortTaken { port, server: (*name).into(), cause },
        })
    };
    ports.into_iter().zip(names).map(bind).collect()
}

fn new_roster(
    names: &[&str],
    keys: &[ServerKeys],
    listeners: &[TcpListener],
) -> io::Result<Roster> {
    let entry = |((name, keys), listener): ((&&str, &ServerKeys), &TcpListener)| {
        Ok(RosterServer {
            name: (*name).into(),
            endpoint: format!("https://127.0.0.1:{}", listener.local_addr()?.port()),
            identity: keys.identity,
            tls: keys.tls,
        })
    };
    let servers = names.iter().zip(keys).zip(listeners).map(entry);
    Roster::try_from(servers.collect::<io::Result<Vec<_>>>()?).map_err(io::Error::other)
}

fn key(directory: &Path, file: &str, rng: &mut impl CryptoRng) -> Result<PublicKey, CertError> {
    Ok(keys::load_or_create(&directory.join(file), rng)?.public())
}

fn write_once(path: &Path, text: impl FnOnce() -> String) -> Result<(), CertError> {
    if path.exists() { Ok(()) } else { replace(path, text().as_bytes()) }
}

fn config_text(name: &str, port: u16, analyst: &PublicKey, operator: &PublicKey) -> String {
    format!(
        "# A server of a local cluster, made by `sotto dev`.\n\
         name = \"{name}\"\n\
         listen = \"127.0.0.1:{port}\"\n\
         data = \".\"\n\
         analysts = [\"{analyst}\"]\n\
         operators = [\"{operator}\"]\n\
         approve = \"automatic\"\n\
         roster = \"../{ROSTER}\"\n\
         \n\
         [limits]\n\
         # All clients of a local cluster come from one address.\n\
         calls_per_second = 100000\n"
    )
}

fn profile_text(names: &[&str], roster: &Roster) -> String {
    let mut text = format!(
        "# The client profile of a local cluster, made by `sotto dev`.\n\
         roots = \"{AUTHORITY_CERTIFICATE}\"\n\
         \n[analyst]\nkey = \"{ANALYST_KEY}\"\n\
         \n[operator]\nkey = \"{OPERATOR_KEY}\"\n\
         \n[provider]\nkey = \"provider.key\"\n"
    );
    for server in names.iter().filter_map(|name| roster.get(name)) {
        text.push_str(&format!(
            "\n[[server]]\nname = \"{}\"\nendpoint = \"{}\"\nidentity = \"{}\"\ntls = \"{}\"\n",
            server.name, server.endpoint, server.identity, server.tls
        ));
    }
    text
}

//! Three `sotto serve` of three operators, set up by hand as the README says.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::atomic::{AtomicU16, Ordering},
};

use tempfile::TempDir;

use super::{
    client::Client,
    process::{Process, sotto, wait_until},
};

// Here, so that whoever shares this file shares that one, too.
#[path = "network.rs"]
pub mod network;

use network::Network;

pub const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];

/// The servers with everybody who has to do with them. Everything is in one directory:
/// `alpha/server.toml`, `alpha/roster.toml`, `alpha/data`, and so on.
pub struct Servers {
    // Declared first, so that the processes end before their directory goes.
    processes: [Option<Process>; 3],
    ports: [u16; 3],
    /// What `SOTTO_LOG` is for the servers.
    log: &'static str,
    /// Analyst and provider.
    pub client: Client,
    /// Each server's operator.
    pub operators: [Client; 3],
    pub dir: TempDir,
}

impl Servers {
    pub fn new() -> Self {
        Self::with_limits("")
    }

    /// Servers that log what `log` says.
    pub fn talkative(log: &'static str) -> Self {
        Self::logging("", log)
    }

    /// With `limits` in the configuration of every server.
    pub fn with_limits(limits: &str) -> Self {
        Self::logging(limits, "info")
    }

    /// With `limits` in the configurations, what `log` says in the logs, and a network in between of
    /// which a test disposes. They approve every study by themselves.
    pub fn apart(limits: &str, log: &'static str) -> (Self, Network) {
        let mut servers = Self::configured(limits, log);
        let network = Network::to(servers.ports);
        let dir = servers.dir.path();
        for (who, name) in NAMES.into_iter().enumerate() {
            servers.lead_through(&network, who, &dir.join(name).join("roster.toml"));
            servers.lead_through(&network, 3, &servers.operators[who].profile);
            let config = dir.join(name).join("server.toml");
            let text = fs::read_to_string(&config).unwrap();
            fs::write(config, text.replace("\"manual\"", "\"automatic\"")).unwrap();
        }
        servers.lead_through(&network, 3, &servers.client.profile);
        servers.start_all();
        (servers, network)
    }

    /// Has the endpoints in a file lead through the network.
    fn lead_through(&self, network: &Network, who: usize, file: &Path) {
        let mut text = fs::read_to_string(file).unwrap();
        for (server, port) in self.ports.into_iter().enumerate() {
            let through = format!("127.0.0.1:{}\"", network.port(who, server));
            text = text.replace(&format!("127.0.0.1:{port}\""), &through);
        }
        fs::write(file, text).unwrap();
    }

    /// With `limits` in the configurations, and what `log` says in the logs.
    pub fn logging(limits: &str, log: &'static str) -> Self {
        let mut servers = Self::configured(limits, log);
        servers.start_all();
        servers
    }

    fn start_all(&mut self) {
        (0..NAMES.len()).for_each(|server| self.start(server));
    }

    fn configured(limits: &str, log: &'static str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ports = [(); 3].map(|()| free_port());
        let client = Client::new(dir.path().join("client"), &dir.path().join("client/sotto.toml"));
        let operators = NAMES.map(|name| {
            let dir = dir.path().join(format!("operator-{name}"));
            Client::new(dir.clone(), &dir.join("sotto.toml"))
        });
        let servers = Self { processes: [None, None, None], ports, log, client, operators, dir };
        servers.configure(limits);
        servers
    }

    fn configure(&self, limits: &str) {
        let dir = self.dir.path();
        let entry = |server: usize| {
            let host = format!("127.0.0.1:{}", self.ports[server]);
            certs(dir, NAMES[server], &host, &format!("{}/data", NAMES[server]))
        };
        let roster = [entry(0), entry(1), entry(2)].concat();
        let analyst = public_key(&certs(dir, "analyst", "localhost:1", "client/analyst"));
        let mut roots = String::new();
        for (server, name) in NAMES.into_iter().enumerate() {
            let keys = format!("operator-{name}/keys");
            let operator = public_key(&certs(dir, "operator", "localhost:1", &keys));
            let config = format!(
                "name = \"{name}\"\nlisten = \"127.0.0.1:{}\"\ndata = \"data\"\n\
                 roster = \"roster.toml\"\nanalysts = [\"{analyst}\"]\n\
                 operators = [\"{operator}\"]\napprove = \"manual\"\n{limits}",
                self.ports[server]
            );
            fs::write(dir.join(name).join("server.toml"), config).unwrap();
            fs::write(dir.join(name).join("roster.toml"), &roster).unwrap();
            roots += &fs::read_to_string(dir.join(format!("{name}-ca/ca.pem"))).unwrap();
        }
        fs::write(dir.join("roots.pem"), roots).unwrap();
        let roots = "roots = \"../roots.pem\"";
        let keys = "[analyst]\nkey = \"analyst/identity.key\"\n[provider]\nkey = \"provider.key\"";
        fs::write(&self.client.profile, format!("{roots}\n{keys}\n{roster}")).unwrap();
        for operator in &self.operators {
            let key = "[operator]\nkey = \"keys/identity.key\"";
            fs::write(&operator.profile, format!("{roots}\n{key}\n{roster}")).unwrap();
        }
    }

    /// Starts a server and waits until it can be connected to.
    #[track_caller]
    pub fn start(&mut self, server: usize) {
        self.start_with(server, |_| {});
    }

    /// [`Servers::start`] after `change` has changed the command.
    #[track_caller]
    pub fn start_with(&mut self, server: usize, change: impl FnOnce(&mut Command)) {
        let config = self.dir.path().join(NAMES[server]).join("server.toml");
        let mut serve = sotto(&self.client.dir);
        serve.args(["serve", "--config"]).arg(config).env("SOTTO_LOG", self.log);
        change(&mut serve);
        let mut process = Process::start(&mut serve);
        wait_until("a server to listen", || {
            if process.is_running() {
                return TcpStream::connect(("127.0.0.1", self.ports[server])).is_ok();
            }
            // While it was away, a connection of somebody else may have been given its port.
            assert!(process.stderr().contains("cannot listen on"), "{}", process.stderr());
            process = Process::start(&mut serve);
            false
        });
        self.processes[server] = Some(process);
    }

    pub fn port(&self, server: usize) -> u16 {
        self.ports[server]
    }

    /// A process that runs, for what it has said and for signals.
    pub fn process(&self, server: usize) -> &Process {
        self.processes[server].as_ref().unwrap()
    }

    pub fn take(&mut self, server: usize) -> Process {
        self.processes[server].take().unwrap()
    }

    /// `kill -9`.
    pub fn kill(&mut self, server: usize) {
        self.take(server).kill();
    }

    /// `kill -9` of each server in turn, each started again before the next.
    #[track_caller]
    pub fn crash_each(&mut self) {
        for server in 0..NAMES.len() {
            self.kill(server);
            self.start(server);
        }
    }

    /// Every operator approves a study, all at once.
    #[track_caller]
    pub fn approve(&self, id: &str) {
        let approve = |(operator, name): (&Client, &str)| {
            operator.start(&["study", "approve", id, "--server", name])
        };
        for approving in self.operators.iter().zip(NAMES).map(approve).collect::<Vec<_>>() {
            approving.wait().ok();
        }
    }
}

/// Makes keys in `dir`; the roster entry.
fn certs(dir: &Path, name: &str, host: &str, data: &str) -> String {
    let authority = format!("{name}-ca");
    let mut command = sotto(dir);
    command.args(["certs", "new", "--name", name, "--host", host]);
    Process::start(command.args(["--dir", data, "--authority", &authority])).wait().ok().stdout
}

fn public_key(entry: &str) -> String {
    let key = entry.lines().find_map(|line| line.strip_prefix("identity = \"")).unwrap();
    key.trim_end_matches('"').to_owned()
}

/// A port that nobody uses, below those that systems give to outgoing connections, so that a
/// server finds its port free when it starts again.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = 10_000 + u16::try_from(std::process::id() * 37 % 18_000).unwrap();
    loop {
        let port = start + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

//! Attack: what bad neighbours do, each as one future that goes on until it is dropped.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use ::client::Profile;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    version::TLS13,
};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};

// The benchmark includes this file from elsewhere.
#[path = "attack/call.rs"]
pub mod call;
#[path = "attack/connections.rs"]
pub mod connections;
#[path = "attack/frames.rs"]
pub mod frames;
#[path = "attack/garbage.rs"]
pub mod garbage;
#[path = "attack/messages.rs"]
pub mod messages;
#[path = "attack/uploads.rs"]
pub mod uploads;

pub use uploads::Uploads;

/// Where all of them come from, unless they come from everywhere.
const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Between two tries of somebody who was turned away.
pub const PAUSE: Duration = Duration::from_millis(50);

/// What a neighbour does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Neighbour {
    /// Many connections: silent, silent after their handshake, and with a byte a second.
    Slow,
    /// The same from as many addresses.
    SlowFromEverywhere,
    /// Handshakes that are begun and never ended, again and again.
    HalfOpen,
    /// Connections that are reset as soon as they are there.
    TcpResets,
    /// Calls that are reset as soon as they are made.
    Resets,
    /// Messages of 64 MiB.
    Large,
    /// Messages that are as large as they may be, and never complete.
    Incomplete,
    /// Messages of a million fields, and of groups in groups.
    ManyFields,
    /// Messages that are compressed.
    Bomb,
    /// Headers without end, in one frame or in many.
    Headers,
    /// Random bytes, and random fields, on every call that there is.
    Garbage,
    /// Uploads to a study that is not known.
    Unknown,
    /// Valid uploads to a study that is closed.
    Closed,
}

/// What the neighbours need, and what they say of what they did.
pub struct Stage {
    pub servers: Vec<SocketAddr>,
    tls: Arc<ClientConfig>,
    pub connections: usize,
    pub uploads: Uploads,
    /// What was done, in steps of the neighbour's own.
    done: AtomicU64,
}

impl Neighbour {
    pub const ALL: [Self; 13] = [
        Self::Slow,
        Self::SlowFromEverywhere,
        Self::HalfOpen,
        Self::TcpResets,
        Self::Resets,
        Self::Large,
        Self::Incomplete,
        Self::ManyFields,
        Self::Bomb,
        Self::Headers,
        Self::Garbage,
        Self::Unknown,
        Self::Closed,
    ];

    pub async fn run(self, stage: &Stage) {
        match self {
            Self::Slow => connections::slow(stage, |_| STRANGER).await,
            Self::SlowFromEverywhere => connections::slow(stage, somewhere).await,
            Self::HalfOpen => connections::half_open(stage).await,
            Self::TcpResets => connections::resets(stage).await,
            Self::Resets => frames::resets(stage).await,
            Self::Headers => frames::headers(stage).await,
            Self::Large => messages::large(stage).await,
            Self::Incomplete => messages::incomplete(stage).await,
            Self::ManyFields => messages::many_fields(stage).await,
            Self::Bomb => messages::bomb(stage).await,
            Self::Garbage => garbage::everywhere(stage).await,
            Self::Unknown => uploads::flood(stage, |uploads, server| uploads.unknown(server)).await,
            Self::Closed => uploads::flood(stage, |uploads, server| uploads.closed(server)).await,
        }
    }
}

/// An address of this machine of everybody's own.
fn somewhere(number: usize) -> Ipv4Addr {
    let [_, a, b, c] = u32::try_from(number + (1 << 16)).unwrap().to_be_bytes();
    Ipv4Addr::new(127, a, b, c)
}

impl Stage {
    pub fn new(profile: &Path, roots: &Path, connections: usize, uploads: Uploads) -> Self {
        let profile = Profile::load(profile).unwrap();
        let address = |endpoint: String| {
            let endpoint = endpoint.trim_start_matches("https://").trim_end_matches('/');
            endpoint.parse().unwrap()
        };
        let servers = profile.servers().iter();
        Self {
            servers: servers.map(|server| address(server.endpoint.to_string())).collect(),
            tls: tls(roots),
            connections,
            uploads,
            done: AtomicU64::new(0),
        }
    }

    /// A step is done.
    pub fn step(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// A connection of the stranger.
    pub async fn connect(&self, server: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        self.greet(tcp(server, STRANGER).await?).await
    }

    /// The handshake.
    pub async fn greet(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::IpAddress(IpAddr::from([127, 0, 0, 1]).into());
        TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await
    }

    /// A call's way to a server, over a connection of its own.
    pub async fn caller(&self, server: SocketAddr) -> io::Result<call::Caller> {
        call::Caller::new(self.connect(server).await?).await
    }
}

/// A connection from any address of this machine.
pub async fn tcp(server: SocketAddr, from: Ipv4Addr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    socket.connect(server).await
}

fn tls(roots: &Path) -> Arc<ClientConfig> {
    let mut store = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(roots).unwrap() {
        store.add(root.unwrap()).unwrap();
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

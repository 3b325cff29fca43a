//! One server: starts its services, keeps them healthy, and stops them in order.

use std::{
    net::SocketAddr,
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

#[cfg(feature = "testing")]
use std::sync::atomic::{AtomicBool, Ordering};

use proto::{listener::Served, rate::RateLimit, v1};
use study::Study;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::watch,
    task::JoinHandle,
};
use tokio_stream::Stream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{
    service::{Routes, RoutesBuilder},
    transport::{Channel, server::Connected},
};
use tonic_health::server::HealthReporter;

use crate::{
    catalog::CatalogError,
    clock::Clock,
    config::{Config, RosterServer},
    jobs,
    limits::{Held, InFlight},
    lives::Lives,
    metrics::{self, Metrics, Traffic},
    node::{Ailment, Node},
    peers::{Greeting, Peers, sessions::Sessions},
    rpc, socket,
    storage::{Storage, StorageError, StudyState, sqlite::SqliteStorage},
    strangers::Strangers,
    tls::{self, ChannelError, ListenerLimits},
};

/// How long requests that are being worked on may take while the server stops.
const DRAIN: Duration = Duration::from_secs(20);
/// Deadline of every call that is not a stream, from the server's side.
const CALL: Duration = Duration::from_secs(60);
/// Pings that find connections whose other end is gone.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(10));
/// How often storage is tried, for the health service.
const HEALTH: Duration = Duration::from_secs(5);
/// How often it is tried after it has failed.
const RECOVERY: Duration = Duration::from_secs(1);
/// Streams that one connection may have open: each may hold an unread answer.
const STREAMS: u32 = 32;
/// Bytes of the headers of one call, each counted with 32 bytes more.
const HEADERS: u32 = 8 << 10;
/// The largest upload or amendment: twice what either can be, because its memory is taken as soon as
/// its length is known.
const UPLOAD: usize = 2 << 20;
/// The largest proposal of a study, and its framing; more than a study may have, so that who sends
/// too much is told what the limit is.
const PROPOSAL: usize = 2 << 20;
/// Public records that are read at once: each reads the database page by page.
const RECORDS: u32 = 8;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {cause}; another process may use the port, or set another one"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        cause: std::io::Error,
    },
    /// The database cannot be used.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A peer's endpoint cannot be used.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The TLS configuration cannot be used.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The reflection service cannot be built.
    #[error("reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// A stored study cannot run under this configuration.
    #[error("study {study}: {cause}; end it with the former configuration, or correct this one")]
    Study {
        /// The study's id.
        study: mpc::ids::StudyId,
        /// Why.
        cause: CatalogError,
    },
}

/// A server, before it runs.
pub struct Server;

/// What a server has around it, beside those who call it.
pub struct Surroundings {
    /// What it remembers.
    pub storage: Arc<dyn Storage>,
    /// What time it is.
    pub clock: Clock,
    /// Makes the channel to a peer, which connects by itself and counts its bytes.
    pub channel: Box<Connect>,
}

type Connect = dyn Fn(&Arc<tls::Credentials>, &RosterServer, Traffic) -> Result<Channel, ChannelError>
    + Send
    + Sync;

/// A running server. Dropping it stops it without draining; call [`Running::shutdown`] instead.
pub struct Running {
    node: Arc<Node>,
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    serving: JoinHandle<Result<(), tonic::transport::Error>>,
    stop_serving: CancellationToken,
    health: HealthReporter,
}

impl Server {
    /// Starts a server: opens its database, listens, connects to its peers and goes on with the
    /// studies that have not ended.
    pub async fn start(config: Config) -> Result<Running, StartError> {
        let address = config.listen;
        let listener =
            socket::listen(address).map_err(|cause| StartError::Listen { address, cause })?;
        Self::start_on(config, listener).await
    }

    /// [`Server::start`] on a socket that is bound already.
    pub async fn start_on(
        config: Config,
        listener: std::net::TcpListener,
    ) -> Result<Running, StartError> {
        Self::start_at(config, listener, Clock::system()).await
    }

    /// [`Server::start_on`] by another clock than the machine's.
    pub async fn start_at(
        config: Config,
        listener: std::net::TcpListener,
        clock: Clock,
    ) -> Result<Running, StartError> {
        let listen = |cause| StartError::Listen { address: config.listen, cause };
        listener.set_nonblocking(true).map_err(listen)?;
        let listener = TcpListener::from_std(listener).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let storage: Arc<dyn Storage> = Arc::new(SqliteStorage::open(&config.database())?);
        let connections = usize::try_from(config.limits.connections).unwrap_or(usize::MAX);
        let limits = ListenerLimits::of_connections(connections);
        let metrics_listener = config.metrics.map(listen_for_metrics).transpose()?;
        let metrics_address = metrics_listener.as_ref().and_then(|on| on.local_addr().ok());
        let around = Surroundings { storage, clock, channel: Box::new(tls::peer_channel_as) };
        let node = node(config, &around)?;
        resume(&node).await?;
        let server_tls = tls::server_config(&node.credentials, &node.config.roster)?;
        let counts = node.metrics.connections.of_roster(&node.config.roster);
        let entrance = tls::Entrance { counts, credentials: node.credentials.clone() };
        let incoming = tls::listener_watched(listener, server_tls, limits, Arc::new(entrance));
        node.tasks.spawn(tls::reload::keep(
            node.config.tls_files.clone(),
            node.credentials.clone(),
            node.clock.clone(),
            node.reload.clone(),
            node.stop.clone(),
        ));
        let mut running = serve(node, address, incoming, |routes| routes).await?;
        if let Some(listener) = metrics_listener {
            running.metrics_address = metrics_address;
            running.node.tasks.spawn(metrics::serve(listener, running.node.clone()));
        }
        Ok(running)
    }

    /// Starts a server in surroundings of a test's own making: its callers come as `incoming`, and
    /// its calls pass through what `wrap` puts around them.
    #[cfg(feature = "testing")]
    pub async fn start_in<C: Caller>(
        config: Config,
        around: &Surroundings,
        incoming: impl Stream<Item = Result<C, std::io::Error>> + Send + 'static,
        wrap: impl FnOnce(Routes) -> Routes,
    ) -> Result<Running, StartError> {
        let address = config.listen;
        let node = node(config, around)?;
        resume(&node).await?;
        serve(node, address, incoming, wrap).await
    }
}

impl Running {
    /// The address that the server listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address that metrics are served on, if they are.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// The server's name in its roster.
    pub fn name(&self) -> &str {
        self.node.name()
    }

    /// Looks now whether the certificate was renewed or others were revoked, which is done every half
    /// second in any case.
    pub fn reload(&self) {
        self.node.reload.notify_one();
    }

    /// Greets all peers again now, as is done every half minute in any case.
    #[cfg(feature = "testing")]
    pub fn greet(&self) {
        for server in self.node.config.roster.servers() {
            self.node.peers.retry(&server.name);
        }
    }

    /// Why the link to a peer is down, as the log says it; `None` while it is up.
    #[cfg(feature = "testing")]
    pub fn trouble(&self, peer: &str) -> Option<String> {
        self.node.peers.trouble(peer)
    }

    /// Waits until the server stops serving by itself, which only a fault does.
    pub async fn failed(&mut self) -> String {
        match (&mut self.serving).await {
            Ok(Ok(())) => "the server stopped serving".into(),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        }
    }

    /// Makes this server lie to its peers from now on.
    #[cfg(feature = "testing")]
    pub fn tamper_with_frames(&self, tamper: crate::peers::Tamper) {
        self.node.peers.set_tamper(tamper);
    }

    /// Makes this server open a result share that is 1 too large from now on, as a server would that
    /// does not care for the commitments.
    #[cfg(feature = "testing")]
    pub fn add_wrongly(&self) {
        self.node.adds_wrongly.store(true, Ordering::Relaxed);
    }

    /// Stops without waiting for requests or runs that are under way. For tests of what is
    /// durable; a process that is killed stops harder still, and is tested as a process.
    #[cfg(feature = "testing")]
    pub async fn crash(self) {
        self.node.stop.cancel();
        self.stop_serving.cancel();
        let abort = self.serving.abort_handle();
        if tokio::time::timeout(Duration::from_millis(500), self.serving).await.is_err() {
            abort.abort();
        }
        self.node.storage.close().await;
    }

    /// Ends what goes on by itself, without a word to anybody: what is left of a process that was
    /// killed. Whoever calls this has cut the server off from its storage and from all others.
    #[cfg(feature = "testing")]
    pub fn kill(&self) {
        self.node.stop.cancel();
    }

    /// Stops within 30 s: takes nothing new, finishes what it is doing, closes the database. What
    /// was acknowledged is durable; runs that were under way start again after the next start.
    pub async fn shutdown(self) {
        set_health(&self.health, false).await;
        self.node.stop.cancel();
        self.stop_serving.cancel();
        let abort = self.serving.abort_handle();
        if tokio::time::timeout(DRAIN, self.serving).await.is_err() {
            tracing::warn!("requests were still under way after {} s", DRAIN.as_secs());
            abort.abort();
        }
        self.node.tasks.close();
        if tokio::time::timeout(Duration::from_secs(5), self.node.tasks.wait()).await.is_err() {
            tracing::warn!("background tasks were still under way");
        }
        self.node.storage.close().await;
        tracing::info!(name = self.node.name(), "stopped");
    }
}

/// The socket for metrics, which everybody can read who can connect to it.
fn listen_for_metrics(address: SocketAddr) -> Result<TcpListener, StartError> {
    let bind = || {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let bound = listener.local_addr()?;
        if address.ip().is_unspecified() {
            tracing::warn!(address = %bound, "metrics are served on every address of this machine, \
                without a password: keep them behind a firewall, or listen on one address");
        }
        tracing::info!(address = %bound, "metrics");
        Ok(listener)
    };
    bind().map_err(|cause| StartError::Listen { address, cause })
}

/// A connection that a server can be called over.
pub trait Caller:
    AsyncRead
    + AsyncWrite
    + Connected<ConnectInfo: Clone + Send + Sync + 'static>
    + Unpin
    + Send
    + 'static
{
}

impl<C> Caller for C where
    C: AsyncRead
        + AsyncWrite
        + Connected<ConnectInfo: Clone + Send + Sync + 'static>
        + Unpin
        + Send
        + 'static
{
}

/// Serves whoever comes as `incoming`, until the server is stopped.
async fn serve<C: Caller>(
    node: Arc<Node>,
    address: SocketAddr,
    incoming: impl Stream<Item = Result<C, std::io::Error>> + Send + 'static,
    wrap: impl FnOnce(Routes) -> Routes,
) -> Result<Running, StartError> {
    let (health, health_service) = tonic_health::server::health_reporter();
    let mut routes = routes(&node)?;
    routes.add_service(health_service.max_decoding_message_size(proto::MAX_QUESTION));
    let strangers = Strangers(node.clone());
    let router = listening().layer(Served).layer(strangers).add_routes(wrap(routes.routes()));
    let stop_serving = CancellationToken::new();
    let stopped = stop_serving.clone().cancelled_owned();
    let serving = tokio::spawn(router.serve_with_incoming_shutdown(incoming, stopped));
    set_health(&health, true).await;
    node.tasks.spawn(watch_health(node.clone(), health.clone()));
    tracing::info!(name = node.name(), %address, "serving");
    Ok(Running { node, address, metrics_address: None, serving, stop_serving, health })
}

fn node(config: Config, around: &Surroundings) -> Result<Arc<Node>, ChannelError> {
    let metrics = Arc::new(Metrics::new());
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let credentials = tls::Credentials::new(&config.tls, &config.roster, config.revoked.clone())?;
    let greeting = Arc::new(Greeting {
        roster_hash: config.roster.hash(),
        clock: around.clock.clone(),
        protocol: config.protocol.clone(),
    });
    let others = config.roster.servers().iter().filter(|server| server.name != config.name);
    let channels = others
        .map(|server| {
            let traffic = metrics.connections.traffic(&server.name);
            Ok((server.name.clone(), (around.channel)(&credentials, server, traffic)?))
        })
        .collect::<Result<Vec<_>, ChannelError>>()?;
    let lives = Arc::new(Lives::new(&config, around.storage.clone(), around.clock.clone()));
    let per_second = NonZeroU32::new(config.limits.calls_per_second);
    Ok(Arc::new(Node {
        peers: Peers::start(channels, &greeting, &lives, &tasks, &stop),
        sessions: Arc::new(Sessions::default()),
        rate: RateLimit::per_second(per_second.unwrap_or(NonZeroU32::MIN)),
        held: Arc::new(Held::default()),
        in_flight: InFlight::new(config.limits.requests_in_flight),
        records: InFlight::new(RECORDS),
        metrics,
        lives,
        catalog: crate::catalog::Catalog::default(),
        config,
        storage: around.storage.clone(),
        clock: around.clock.clone(),
        credentials,
        reload: Arc::default(),
        greeting,
        stop,
        tasks,
        #[cfg(feature = "testing")]
        adds_wrongly: AtomicBool::default(),
    }))
}

/// Takes up every stored study where it stopped.
async fn resume(node: &Arc<Node>) -> Result<(), StartError> {
    for row in node.all_studies().await? {
        let study = Study::decode(&row.bytes).map_err(CatalogError::from);
        // What runs here has to be what its name says, and what it is elsewhere.
        let is_other = study.as_ref().is_ok_and(|study| study.id() != row.id);
        if is_other && !row.state.is_final() {
            let what = "it holds the bytes of one study under the id of another: restore a backup";
            return Err(StorageError::Damaged(what).into());
        }
        let context = match study.and_then(|study| node.context(study)) {
            Ok(context) => context,
            // An ended study is history: it can be read, and nothing runs.
            Err(_) if row.state.is_final() => continue,
            Err(cause) => return Err(StartError::Study { study: row.id, cause }),
        };
        let context = node.catalog.insert(context);
        if !row.state.is_final() {
            note_backlog(node, row.id).await?;
        }
        if !row.state.is_final() && row.state != StudyState::Proposed {
            jobs::start(node, context);
        }
    }
    Ok(())
}

/// Notes what waited for its verification before this start.
async fn note_backlog(node: &Node, study: mpc::ids::StudyId) -> Result<(), StorageError> {
    const PAGE: usize = 1_000;
    let (now, mut after) = (Instant::now(), None);
    loop {
        let page = node.storage.unverified(study, after, PAGE).await?;
        for row in &page {
            node.metrics.backlog.enter(study, row.id, now);
        }
        after = page.last().map(|row| row.arrival);
        if page.len() < PAGE {
            return Ok(());
        }
    }
}

/// How connections are listened to.
fn listening() -> tonic::transport::Server {
    tonic::transport::Server::builder()
        .timeout(CALL)
        .http2_keepalive_interval(Some(KEEPALIVE.0))
        .http2_keepalive_timeout(Some(KEEPALIVE.1))
        .max_concurrent_streams(STREAMS)
        .http2_max_header_list_size(HEADERS)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(2 << 20)
}

fn routes(node: &Arc<Node>) -> Result<RoutesBuilder, tonic_reflection::server::Error> {
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(v1::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    let directory = rpc::directory::DirectoryService(node.clone());
    let studies = rpc::studies::StudiesService(node.clone());
    let submissions = rpc::submissions::SubmissionsService(node.clone());
    let audit = rpc::audit::AuditService(node.clone());
    let peers = rpc::peers::PeersService(node.clone());
    let mut routes = RoutesBuilder::default();
    routes
        .add_service(
            v1::directory_server::DirectoryServer::new(directory)
                // A measurement, and its framing.
                .max_decoding_message_size(proto::MAX_MEASURE + 1024)
                .max_encoding_message_size(proto::MAX_MESSAGE),
        )
        .add_service(
            v1::studies_server::StudiesServer::new(studies)
                .max_decoding_message_size(PROPOSAL)
                .max_encoding_message_size(proto::MAX_OUTCOME),
        )
        .add_service(
            v1::submissions_server::SubmissionsServer::new(submissions)
                .max_decoding_message_size(UPLOAD)
                .max_encoding_message_size(proto::MAX_MESSAGE),
        )
        .add_service(
            v1::audit_server::AuditServer::new(audit)
                .max_decoding_message_size(proto::MAX_QUESTION)
                .max_encoding_message_size(proto::MAX_MESSAGE),
        )
        .add_service(
            v1::peers_server::PeersServer::new(peers)
                .max_decoding_message_size(proto::MAX_MESSAGE)
                .max_encoding_message_size(proto::MAX_OUTCOME),
        )
        .add_service(reflection.max_decoding_message_size(proto::MAX_QUESTION));
    Ok(routes)
}

/// Says whether the server takes anything in: at once when a write fails, and otherwise by trying.
async fn watch_health(node: Arc<Node>, health: HealthReporter) {
    let (mut failure, mut behind) = (node.storage.failure(), node.lives.behind());
    let mut before = None;
    loop {
        let mut tried = Ok(());
        tokio::select! {
            biased;
            () = node.stop.cancelled() => return,
            () = changed(&mut failure) => {}
            () = changed(&mut behind) => {}
            () = tokio::time::sleep(if before.is_none() { HEALTH } else { RECOVERY }) => {
                tried = node.storage.health().await;
            }
        }
        let ailment = node.ailment().or_else(|| tried.err().map(Ailment::Storage));
        let now = ailment.map(|ailment| ailment.to_string());
        if now == before {
            continue;
        }
        match &now {
            None => tracing::info!("the server takes submissions again"),
            Some(reason) => {
                let database = node.config.database();
                let database = database.display();
                tracing::error!(%database, reason, "the server takes nothing in");
            }
        }
        set_health(&health, now.is_none()).await;
        before = now;
    }
}

/// Waits for news; for ever if there can be none.
async fn changed<T>(watched: &mut watch::Receiver<T>) {
    if watched.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// One word for the whole server and for the service that providers use.
async fn set_health(health: &HealthReporter, serving: bool) {
    use tonic_health::ServingStatus::{NotServing, Serving};
    type Submissions =
        v1::submissions_server::SubmissionsServer<rpc::submissions::SubmissionsService>;
    health.set_service_status("", if serving { Serving } else { NotServing }).await;
    match serving {
        true => health.set_serving::<Submissions>().await,
        false => health.set_not_serving::<Submissions>().await,
    }
}

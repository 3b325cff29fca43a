//! One server: starts its services, keeps them healthy, and stops them in order.

use std::{
    net::SocketAddr,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use proto::v1;
use study::Study;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::transport::server::Router;
use tonic_health::server::HealthReporter;

use crate::{
    catalog::CatalogError,
    config::Config,
    jobs,
    limits::{InFlight, RateLimit},
    metrics::{self, Metrics},
    node::Node,
    peers::{Greeting, Peers, sessions::Sessions},
    rpc,
    storage::{Storage, StorageError, StudyState, sqlite::SqliteStorage},
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
/// Streams that one connection may have open: each may hold an unread answer.
const STREAMS: u32 = 32;
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
        let listener = std::net::TcpListener::bind(address)
            .map_err(|cause| StartError::Listen { address, cause })?;
        Self::start_on(config, listener).await
    }

    /// [`Server::start`] on a socket that is bound already.
    pub async fn start_on(
        config: Config,
        listener: std::net::TcpListener,
    ) -> Result<Running, StartError> {
        let listen = |cause| StartError::Listen { address: config.listen, cause };
        listener.set_nonblocking(true).map_err(listen)?;
        let listener = TcpListener::from_std(listener).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let storage: Arc<dyn Storage> = Arc::new(SqliteStorage::open(&config.database())?);
        let server_tls = tls::server_config(&config.tls, &config.roster)?;
        let connections = usize::try_from(config.limits.connections).unwrap_or(usize::MAX);
        let limits = ListenerLimits::of_connections(connections);
        let metrics_listener = config.metrics.map(listen_for_metrics).transpose()?;
        let metrics_address = metrics_listener.as_ref().and_then(|on| on.local_addr().ok());
        let node = node(config, storage)?;
        resume(&node).await?;
        let (health, health_service) = tonic_health::server::health_reporter();
        let router = router(&node)?.add_service(health_service);
        let stop_serving = CancellationToken::new();
        let connections = node.metrics.connections.of_roster(&node.config.roster);
        let incoming = tls::listener_watched(listener, server_tls, limits, Arc::new(connections));
        let stopped = stop_serving.clone().cancelled_owned();
        let serving = tokio::spawn(router.serve_with_incoming_shutdown(incoming, stopped));
        set_health(&health, true).await;
        node.tasks.spawn(watch_health(node.clone(), health.clone()));
        if let Some(listener) = metrics_listener {
            node.tasks.spawn(metrics::serve(listener, node.clone()));
        }
        tracing::info!(name = node.name(), %address, "serving");
        Ok(Running { node, address, metrics_address, serving, stop_serving, health })
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

fn node(config: Config, storage: Arc<dyn Storage>) -> Result<Arc<Node>, ChannelError> {
    let metrics = Arc::new(Metrics::new());
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let greeting = Arc::new(Greeting { roster_hash: config.roster.hash() });
    let others = config.roster.servers().iter().filter(|server| server.name != config.name);
    let channels = others
        .map(|server| {
            let traffic = metrics.connections.traffic(&server.name);
            Ok((server.name.clone(), tls::peer_channel(&config.tls, server, traffic)?))
        })
        .collect::<Result<Vec<_>, ChannelError>>()?;
    let per_second = NonZeroU32::new(config.limits.calls_per_second);
    Ok(Arc::new(Node {
        peers: Peers::start(channels, &greeting, &tasks, &stop),
        sessions: Arc::new(Sessions::default()),
        rate: RateLimit::per_second(per_second.unwrap_or(NonZeroU32::MIN)),
        in_flight: InFlight::new(config.limits.requests_in_flight),
        records: InFlight::new(RECORDS),
        metrics,
        storage_healthy: AtomicBool::new(true),
        catalog: crate::catalog::Catalog::default(),
        config,
        storage,
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

fn router(node: &Arc<Node>) -> Result<Router, tonic_reflection::server::Error> {
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(v1::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    let directory = rpc::directory::DirectoryService(node.clone());
    let studies = rpc::studies::StudiesService(node.clone());
    let submissions = rpc::submissions::SubmissionsService(node.clone());
    let audit = rpc::audit::AuditService(node.clone());
    let peers = rpc::peers::PeersService(node.clone());
    Ok(tonic::transport::Server::builder()
        .timeout(CALL)
        .http2_keepalive_interval(Some(KEEPALIVE.0))
        .http2_keepalive_timeout(Some(KEEPALIVE.1))
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .add_service(
            v1::directory_server::DirectoryServer::new(directory)
                // A measurement, and its framing.
                .max_decoding_message_size(proto::MAX_MEASURE + 1024)
                .max_encoding_message_size(proto::MAX_MESSAGE),
        )
        .add_service(
            v1::studies_server::StudiesServer::new(studies)
                .max_decoding_message_size(proto::MAX_MESSAGE)
                .max_encoding_message_size(proto::MAX_OUTCOME),
        )
        .add_service(
            v1::submissions_server::SubmissionsServer::new(submissions)
                .max_decoding_message_size(proto::MAX_MESSAGE)
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
        .add_service(reflection))
}

async fn watch_health(node: Arc<Node>, health: HealthReporter) {
    let mut serving = true;
    loop {
        tokio::select! {
            () = tokio::time::sleep(HEALTH) => {}
            () = node.stop.cancelled() => return,
        }
        let healthy = node.storage.health().await;
        if healthy.is_ok() == serving {
            continue;
        }
        serving = healthy.is_ok();
        node.storage_healthy.store(serving, Ordering::Relaxed);
        match healthy {
            Ok(()) => tracing::info!("storage works again"),
            Err(error) => tracing::error!(%error, "storage does not work"),
        }
        set_health(&health, serving).await;
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

//! Connections after their TLS handshake, none of which waits for another's.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt, io,
    net::{IpAddr, Ipv6Addr},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use rustls::{ServerConfig, pki_types::CertificateDer};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
    time,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::Stream;
use tonic::transport::server::{Connected, TcpConnectInfo, TlsConnectInfo};

use crate::{
    ending::{End, Ending},
    metered::{Meter, Metered},
};

/// Connections that wait between their handshake and the server.
const READY: usize = 16;
/// Pause after the system refused to accept, which it does when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a request's extensions say about its connection.
pub type ConnectInfo = TlsConnectInfo<TcpConnectInfo>;

/// How many strangers may be connected, and how long they may take to say hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenerLimits {
    /// Connections in total, handshakes included. Those above are closed at once.
    pub connections: usize,
    /// Connections from one network address, so that one stranger cannot take all places.
    pub per_address: usize,
    /// Handshakes in progress. Further connections wait in the system's queue.
    pub handshakes: usize,
    /// A handshake that takes longer is given up.
    pub handshake_deadline: Duration,
}

impl ListenerLimits {
    /// Limits for that many connections, with the usual handshake limits.
    pub fn of_connections(connections: usize) -> Self {
        Self {
            connections,
            per_address: (connections / 4).max(16),
            handshakes: 256,
            handshake_deadline: Duration::from_secs(10),
        }
    }
}

/// Who counts what comes through the door.
pub trait Watch: fmt::Debug + Send + Sync {
    /// A connection above the limit was closed.
    fn refused(&self);

    /// A handshake failed, or took too long.
    fn failed(&self);

    /// A connection is open to somebody who presented these certificates, or none. Its bytes are
    /// counted by the answer, which is dropped with it.
    fn opened(&self, certificates: Option<&[CertificateDer<'_>]>) -> Box<dyn Meter>;

    /// When a connection to somebody who presented these certificates has to end; none: nobody ends
    /// it.
    fn end(&self, certificates: Option<&[CertificateDer<'_>]>) -> Option<End> {
        let _ = certificates;
        None
    }
}

/// Nobody counts.
impl Watch for () {
    fn refused(&self) {}

    fn failed(&self) {}

    fn opened(&self, _: Option<&[CertificateDer<'_>]>) -> Box<dyn Meter> {
        Box::new(())
    }
}

/// The stream of connections for [`tonic`]'s `serve_with_incoming`. Dropping it closes the
/// listening socket and gives up handshakes in progress.
#[derive(Debug)]
pub struct Incoming(mpsc::Receiver<Connection>);

/// One encrypted connection; it holds its place in the total until it is dropped.
#[derive(Debug)]
pub struct Connection {
    stream: Ending<Metered<TlsStream<TcpStream>, Box<dyn Meter>>>,
    _place: Place,
}

/// A connection's place in the total and among those of its address.
#[derive(Debug)]
struct Place {
    _total: OwnedSemaphorePermit,
    address: IpAddr,
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Place {
    /// A place, unless all are taken, or the address has as many as it may.
    fn take(
        total: &Arc<Semaphore>,
        by_address: &Arc<Mutex<HashMap<IpAddr, usize>>>,
        address: IpAddr,
        per_address: usize,
    ) -> Option<Self> {
        let address = network_of(address);
        let permit = Arc::clone(total).try_acquire_owned().ok()?;
        let mut counts = by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= per_address {
            return None;
        }
        *count += 1;
        Some(Self { _total: permit, address, by_address: Arc::clone(by_address) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = counts.entry(self.address) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// Accepts connections from `tcp` in the background. Must be called within a runtime.
pub fn listener(tcp: TcpListener, config: Arc<ServerConfig>, limits: ListenerLimits) -> Incoming {
    listener_watched(tcp, config, limits, Arc::new(()))
}

/// [`listener`], with somebody who counts.
pub fn listener_watched(
    tcp: TcpListener,
    config: Arc<ServerConfig>,
    limits: ListenerLimits,
    watch: Arc<dyn Watch>,
) -> Incoming {
    let (ready, incoming) = mpsc::channel(READY);
    tokio::spawn(accept_all(tcp, TlsAcceptor::from(config), limits, watch, ready));
    Incoming(incoming)
}

impl Stream for Incoming {
    type Item = io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|connection| connection.map(Ok))
    }
}

impl Connected for Connection {
    type ConnectInfo = ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.get_ref().get_ref().connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The network that an address counts as: itself, or its IPv6 /64.
pub fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        },
    }
}

async fn accept_all(
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    limits: ListenerLimits,
    watch: Arc<dyn Watch>,
    ready: mpsc::Sender<Connection>,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let by_address = Arc::new(Mutex::new(HashMap::new()));
    // Dropped with this task, which ends the handshakes in it.
    let mut handshakes = JoinSet::new();
    loop {
        tokio::select! {
            () = ready.closed() => return,
            Some(_) = handshakes.join_next() => {}
            accepted = tcp.accept(), if handshakes.len() < limits.handshakes => match accepted {
                Ok((stream, from)) => {
                    let place = Place::take(&places, &by_address, from.ip(), limits.per_address);
                    let Some(place) = place else {
                        watch.refused();
                        tracing::debug!("a connection above the limit was closed");
                        continue;
                    };
                    let (acceptor, ready) = (acceptor.clone(), ready.clone());
                    let watch = Arc::clone(&watch);
                    handshakes.spawn(async move {
                        let shaken = shake_hands(stream, acceptor, place, &*watch, ready);
                        if time::timeout(limits.handshake_deadline, shaken).await.is_err() {
                            watch.failed();
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "no connection could be accepted");
                    time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

async fn shake_hands(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    place: Place,
    watch: &dyn Watch,
    ready: mpsc::Sender<Connection>,
) {
    // Without it small messages wait for acknowledgements; with an error it works all the same.
    let _ = stream.set_nodelay(true);
    match acceptor.accept(stream).await {
        Ok(stream) => {
            let certificates = stream.get_ref().1.peer_certificates();
            let (meter, end) = (watch.opened(certificates), watch.end(certificates));
            let stream = Ending::new(Metered::new(stream, meter), end);
            // An error means that the server is stopping.
            let _ = ready.send(Connection { stream, _place: place }).await;
        }
        Err(error) => {
            watch.failed();
            tracing::debug!(%error, "a TLS handshake failed");
        }
    }
}

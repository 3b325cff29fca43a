//! Connections after their TLS handshake, none of which waits for another's, and which of them stay
//! when more come than there are places.

use std::{
    fmt, io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use rustls::{ServerConfig, pki_types::CertificateDer};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::Stream;
use tonic::transport::server::{Connected, TcpConnectInfo, TlsConnectInfo};

use crate::{
    ending::{End, Ending},
    metered::{Meter, Metered},
};

mod door;
mod places;
mod served;

pub use places::Standing;
pub use served::Served;

use places::{Place, STEP};

/// Connections that wait between their handshake and the server.
const READY: usize = 16;

/// An office behind one address, all of which connects in one moment.
const MANY: u32 = 256;
/// One in so many of those who may come at once may come every second: a handshake costs the server
/// more than it costs a stranger who does not end it.
const LASTING: u32 = 4;

/// Bytes that a connection brings before everybody else has their turn, so that what it brought is
/// dealt with before it brings more.
const TURN: usize = 64 << 10;

/// What a request's extensions say about its connection.
#[derive(Debug, Clone)]
pub struct ConnectInfo {
    tls: TlsConnectInfo<TcpConnectInfo>,
    standing: Standing,
}

impl ConnectInfo {
    /// Where the connection comes from.
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.tls.get_ref().remote_addr()
    }

    /// The certificates that the other end presented, which have been verified.
    pub fn peer_certs(&self) -> Option<Arc<Vec<CertificateDer<'static>>>> {
        self.tls.peer_certs()
    }

    /// What the listener thinks of the connection.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }
}

/// How many strangers may be connected, and how long they may take to say something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenerLimits {
    /// Connections of strangers in total, handshakes included. When more come, those make
    /// room that have said nothing, or nothing for the longest time; without any, newcomers are
    /// closed.
    pub connections: usize,
    /// Connections from one network address, so that one stranger cannot take all places.
    pub per_address: usize,
    /// New connections from one network address that may come at once, after a pause. Those above
    /// are closed before their handshake.
    pub new_at_once: NonZeroU32,
    /// New connections a second from one network address that may go on coming.
    pub new_per_second: NonZeroU32,
    /// A handshake that takes longer is given up.
    pub handshake_deadline: Duration,
    /// A connection without a call that was answered well is closed after this time, unless its
    /// bytes still come.
    pub first_call_deadline: Duration,
}

impl ListenerLimits {
    /// Limits for that many connections, with the usual deadlines.
    pub fn of_connections(connections: usize) -> Self {
        let per_address = (connections / 4).max(16);
        let at_once = u32::try_from(per_address).unwrap_or(u32::MAX).max(MANY);
        let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self {
            connections,
            per_address,
            new_at_once: number(at_once),
            new_per_second: number(at_once / LASTING),
            handshake_deadline: Duration::from_secs(10),
            first_call_deadline: Duration::from_secs(30),
        }
    }
}

/// Who counts what comes through the door.
pub trait Watch: fmt::Debug + Send + Sync {
    /// A connection was closed because there were too many, or it said nothing for too long.
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

/// One encrypted connection; it holds its place until it is dropped.
#[derive(Debug)]
pub struct Connection {
    stream: Ending<Metered<TlsStream<TcpStream>, Box<dyn Meter>>>,
    place: Place,
    /// Bytes of this turn.
    brought: usize,
    /// Bytes that came and went since the last step.
    moved: usize,
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
    tokio::spawn(door::accept_all(tcp, TlsAcceptor::from(config), limits, watch, ready));
    Incoming(incoming)
}

impl Stream for Incoming {
    type Item = io::Result<Connection>;

    fn poll_next(mut self: pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|connection| connection.map(Ok))
    }
}

impl Connected for Connection {
    type ConnectInfo = ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        let tls = self.stream.get_ref().get_ref().connect_info();
        ConnectInfo { tls, standing: self.place.standing().clone() }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: pin::Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.brought >= TURN {
            self.brought = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let polled = pin::Pin::new(&mut self.stream).poll_read(cx, buffer);
        let bytes = buffer.filled().len().saturating_sub(before);
        self.brought += bytes;
        self.moves(bytes);
        polled
    }
}

impl Connection {
    fn moves(&mut self, bytes: usize) {
        self.moved += bytes;
        if self.moved >= STEP {
            self.moved = 0;
            self.place.standing().step(Instant::now());
        }
    }

    fn wrote(&mut self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &polled {
            self.moves(*bytes);
        }
        polled
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: pin::Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = pin::Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(polled)
    }

    fn poll_write_vectored(
        mut self: pin::Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = pin::Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.wrote(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin::Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin::Pin::new(&mut self.stream).poll_shutdown(cx)
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

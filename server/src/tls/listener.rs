//! Connections after their TLS handshake, none of which waits for another's.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
    time,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::Stream;
use tonic::transport::server::Connected;

/// Connections that wait between their handshake and the server.
const READY: usize = 16;
/// Pause after the system refused to accept, which it does when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many strangers may be connected, and how long they may take to say hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenerLimits {
    /// Connections in total, handshakes included. Those above are closed at once.
    pub connections: usize,
    /// Handshakes in progress. Further connections wait in the system's queue.
    pub handshakes: usize,
    /// A handshake that takes longer is given up.
    pub handshake_deadline: Duration,
}

impl ListenerLimits {
    /// Limits for that many connections, with the usual handshake limits.
    pub fn of_connections(connections: usize) -> Self {
        Self { connections, handshakes: 256, handshake_deadline: Duration::from_secs(10) }
    }
}

/// The stream of connections for [`tonic`]'s `serve_with_incoming`. Dropping it closes the
/// listening socket and gives up handshakes in progress.
#[derive(Debug)]
pub struct Incoming(mpsc::Receiver<Connection>);

/// One encrypted connection; it holds its place in the total until it is dropped.
#[derive(Debug)]
pub struct Connection {
    stream: TlsStream<TcpStream>,
    _place: OwnedSemaphorePermit,
}

/// Accepts connections from `tcp` in the background. Must be called within a runtime.
pub fn listener(tcp: TcpListener, config: Arc<ServerConfig>, limits: ListenerLimits) -> Incoming {
    let (ready, incoming) = mpsc::channel(READY);
    tokio::spawn(accept_all(tcp, TlsAcceptor::from(config), limits, ready));
    Incoming(incoming)
}

impl Stream for Incoming {
    type Item = io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|connection| connection.map(Ok))
    }
}

impl Connected for Connection {
    type ConnectInfo = super::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
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

async fn accept_all(
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    limits: ListenerLimits,
    ready: mpsc::Sender<Connection>,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    // Dropped with this task, which ends the handshakes in it.
    let mut handshakes = JoinSet::new();
    loop {
        tokio::select! {
            () = ready.closed() => return,
            Some(_) = handshakes.join_next() => {}
            accepted = tcp.accept(), if handshakes.len() < limits.handshakes => match accepted {
                Ok((stream, _)) => {
                    let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                        tracing::debug!("a connection above the limit was closed");
                        continue;
                    };
                    let (acceptor, ready) = (acceptor.clone(), ready.clone());
                    let shaken = shake_hands(stream, acceptor, place, ready);
                    handshakes.spawn(time::timeout(limits.handshake_deadline, shaken));
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
    place: OwnedSemaphorePermit,
    ready: mpsc::Sender<Connection>,
) {
    // Without it small messages wait for acknowledgements; with an error it works all the same.
    let _ = stream.set_nodelay(true);
    match acceptor.accept(stream).await {
        Ok(stream) => {
            // An error means that the server is stopping.
            let _ = ready.send(Connection { stream, _place: place }).await;
        }
        Err(error) => tracing::debug!(%error, "a TLS handshake failed"),
    }
}

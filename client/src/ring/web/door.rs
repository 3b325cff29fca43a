//! Door: which connections come in, and how long one is kept that is silent or a stranger's.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::Extension;
use axum_server::accept::Accept;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep},
};
use tokio_io_timeout::TimeoutStream;
use tower::Layer as _;

use super::limits::{Place, Room};

/// How long a connection may take nothing of what is written to it.
const SLOWEST_WRITE: Duration = Duration::from_secs(30);

/// Lets a connection in if there is room for it.
#[derive(Debug, Clone)]
pub struct Door {
    room: Room,
    patience: Duration,
}

/// A connection that ends when it takes nothing for too long, or when nobody shows a token on it.
#[derive(Debug)]
pub struct Connection {
    stream: Pin<Box<TimeoutStream<TcpStream>>>,
    place: Arc<Place>,
    /// Until when somebody has to show a token; none, when somebody has.
    deadline: Option<Pin<Box<Sleep>>>,
}

/// Keeps a connection's place for as long as anything uses it.
pub type Kept<S> = <Extension<Arc<Place>> as tower::Layer<S>>::Service;

impl<S: Send + 'static> Accept<TcpStream, S> for Door {
    type Stream = Connection;
    type Service = Kept<S>;
    type Future = std::future::Ready<io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let accepted = self.let_in(stream);
        std::future::ready(accepted.map(|connection| {
            let place = Extension(Arc::clone(&connection.place));
            (connection, place.layer(service))
        }))
    }
}

impl Door {
    /// A door that keeps a connection without a token for so long.
    pub fn new(patience: Duration) -> Self {
        Self { room: Room::default(), patience }
    }

    fn let_in(&self, stream: TcpStream) -> io::Result<Connection> {
        let address = stream.peer_addr()?.ip();
        let full = || io::Error::other("no more connections are taken");
        let place = Arc::new(self.room.enter(address).ok_or_else(full)?);
        stream.set_nodelay(true)?;
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(SLOWEST_WRITE));
        let deadline = tokio::time::sleep_until(Instant::now() + self.patience);
        Ok(Connection { stream: Box::pin(stream), place, deadline: Some(Box::pin(deadline)) })
    }
}

impl Connection {
    /// Fails when nobody has shown a token in time. A connection is always read from, so that the
    /// task that has it is woken at that time.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let Some(deadline) = &mut self.deadline else { return Ok(()) };
        let is_over = deadline.as_mut().poll(context).is_ready();
        if self.place.is_known() {
            self.deadline = None;
        } else if is_over {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "nobody has shown a token"));
        }
        Ok(())
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        self.stream.as_mut().poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_shutdown(context)
    }
}

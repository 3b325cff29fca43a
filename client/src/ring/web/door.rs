//! Door: which connections come in, and how long a silent one is kept.

use std::{io, pin::Pin, time::Duration};

use axum::Extension;
use axum_server::accept::Accept;
use tokio::net::TcpStream;
use tokio_io_timeout::TimeoutStream;
use tower::Layer as _;

use super::limits::Room;

/// How long a connection may take nothing of what is written to it.
const SLOWEST_WRITE: Duration = Duration::from_secs(30);

/// Lets a connection in if there is room for it.
#[derive(Debug, Clone, Default)]
pub struct Door(Room);

/// A connection that ends when it takes nothing for too long.
pub type Connection = Pin<Box<TimeoutStream<TcpStream>>>;

/// Keeps a connection's place for as long as anything uses it.
pub type Kept<S> = <Extension<std::sync::Arc<super::limits::Place>> as tower::Layer<S>>::Service;

impl<S: Send + 'static> Accept<TcpStream, S> for Door {
    type Stream = Connection;
    type Service = Kept<S>;
    type Future = std::future::Ready<io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        std::future::ready(self.let_in(stream, service))
    }
}

impl Door {
    fn let_in<S>(&self, stream: TcpStream, service: S) -> io::Result<(Connection, Kept<S>)> {
        let address = stream.peer_addr()?.ip();
        let full = || io::Error::other("no more connections are taken");
        let place = self.0.enter(address).ok_or_else(full)?;
        stream.set_nodelay(true)?;
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(SLOWEST_WRITE));
        Ok((Box::pin(stream), Extension(std::sync::Arc::new(place)).layer(service)))
    }
}

//! Connections: how many there are, and the bytes on them, by who is at the other end.

use std::{
    collections::HashMap,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Word;
use crate::{config::Roster, tls};

/// Everybody who is not a server of the roster.
const CLIENTS: &str = "clients";

/// Counts connections and bytes. The default counts what nobody reads.
#[derive(Debug, Clone, Default)]
pub struct ConnectionMetrics {
    bytes: Family<Label, Counter>,
    open: Gauge,
    refused: Counter,
    failed: Counter,
    /// Bytes from and to the servers of the roster, by their keys.
    peers: Arc<HashMap<tls::Pin, Traffic>>,
    clients: Traffic,
}

/// Bytes in both directions; without those of TLS.
#[derive(Debug, Clone, Default)]
pub struct Traffic {
    received: Counter,
    sent: Counter,
}

/// A connection that is open until this is dropped.
#[derive(Debug)]
pub struct Open(Gauge);

/// A stream whose bytes are counted.
#[derive(Debug)]
pub struct Metered<S> {
    stream: S,
    traffic: Traffic,
}

/// `with` is "clients" or a name of the roster.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Label {
    with: Arc<str>,
    direction: Word,
}

impl ConnectionMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let help = "Bytes within TLS, with other servers and with clients";
        registry.register_with_unit("traffic", help, Unit::Bytes, metrics.bytes.clone());
        let help = "Connections of clients and other servers that are open";
        registry.register("connections", help, metrics.open.clone());
        let help = "Connections that were closed at once because there were too many";
        registry.register("connections_refused", help, metrics.refused.clone());
        let help = "TLS handshakes that failed";
        registry.register("handshakes_failed", help, metrics.failed.clone());
        Self { clients: metrics.traffic(CLIENTS), ..metrics }
    }

    /// The same for a server with this roster.
    pub fn of_roster(&self, roster: &Roster) -> Self {
        let servers = roster.servers().iter();
        let peers = servers.map(|server| (server.tls, self.traffic(&server.name)));
        Self { peers: Arc::new(peers.collect()), ..self.clone() }
    }

    /// The bytes to and from a server of the roster.
    pub fn traffic(&self, with: &str) -> Traffic {
        let count = |direction| {
            let label = Label { with: with.into(), direction };
            self.bytes.get_or_create_owned(&label)
        };
        Traffic { received: count("received"), sent: count("sent") }
    }

    /// The bytes of whoever presented this certificate, or none.
    pub fn of_certificates(&self, certificates: Option<&[CertificateDer<'_>]>) -> Traffic {
        let first = certificates.and_then(<[_]>::first);
        let pin = first.and_then(|certificate| tls::Pin::of(certificate).ok());
        pin.and_then(|pin| self.peers.get(&pin)).unwrap_or(&self.clients).clone()
    }

    /// Counts a connection until the answer is dropped.
    pub fn open(&self) -> Open {
        self.open.inc();
        Open(self.open.clone())
    }

    /// Counts a connection above the limit.
    pub fn refuse(&self) {
        self.refused.inc();
    }

    /// Counts a handshake that failed.
    pub fn fail(&self) {
        self.failed.inc();
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Traffic {
    /// Counts the bytes of `stream` from now on.
    pub fn meter<S>(self, stream: S) -> Metered<S> {
        Metered { stream, traffic: self }
    }
}

impl<S> Metered<S> {
    /// The stream whose bytes are counted.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.traffic.received.inc_by(buffer.filled().len().saturating_sub(before) as u64);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.wrote(polled)
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

impl<S> Metered<S> {
    fn wrote(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(written)) = polled {
            self.traffic.sent.inc_by(written as u64);
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn every_byte_of_a_stream_is_counted_once_in_its_direction() {
        let traffic = Traffic::default();
        let (near, mut far) = tokio::io::duplex(7);
        let mut near = traffic.clone().meter(near);
        let writing = tokio::spawn(async move {
            far.write_all(&[1; 100]).await.unwrap();
            far.read_exact(&mut [0; 30]).await.unwrap();
        });
        near.read_exact(&mut [0; 100]).await.unwrap();
        near.write_all(&[2; 30]).await.unwrap();
        writing.await.unwrap();
        assert_eq!((traffic.received.get(), traffic.sent.get()), (100, 30));
    }
}

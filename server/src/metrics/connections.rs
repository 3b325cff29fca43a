//! Connections: how many there are, and the bytes on them, by who is at the other end.

use std::{collections::HashMap, sync::Arc};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};
use proto::{listener::Watch, metered::Meter};
use rustls::pki_types::CertificateDer;

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
struct Open(Gauge);

/// An open connection, and its bytes.
#[derive(Debug)]
struct Counted {
    traffic: Traffic,
    _open: Open,
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
        let help = "Connections that were closed because there were too many, or they said nothing for too long";
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
    fn of_certificates(&self, certificates: Option<&[CertificateDer<'_>]>) -> Traffic {
        let first = certificates.and_then(<[_]>::first);
        let pin = first.and_then(|certificate| tls::Pin::of(certificate).ok());
        pin.and_then(|pin| self.peers.get(&pin)).unwrap_or(&self.clients).clone()
    }

    /// Counts a connection until the answer is dropped.
    fn open(&self) -> Open {
        self.open.inc();
        Open(self.open.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Meter for Traffic {
    fn received(&self, bytes: usize) {
        self.received.inc_by(bytes as u64);
    }

    fn sent(&self, bytes: usize) {
        self.sent.inc_by(bytes as u64);
    }
}

impl Meter for Counted {
    fn received(&self, bytes: usize) {
        self.traffic.received(bytes);
    }

    fn sent(&self, bytes: usize) {
        self.traffic.sent(bytes);
    }
}

impl Watch for ConnectionMetrics {
    fn refused(&self) {
        self.refused.inc();
    }

    fn failed(&self) {
        self.failed.inc();
    }

    fn opened(&self, certificates: Option<&[CertificateDer<'_>]>) -> Box<dyn Meter> {
        Box::new(Counted { traffic: self.of_certificates(certificates), _open: self.open() })
    }
}

//! TLS of a server: anonymous clients, and peers that are known by their pinned keys.
//!
//! Only TLS 1.3, only the `ring` provider. A peer's certificate counts for its key and its dates:
//! the roster pins the key, so no authority is asked, and a session is never resumed, so that the
//! dates are looked at on every connection.

use std::{net::IpAddr, sync::Arc};

use proto::{
    ending::End,
    listener::Watch,
    metered::Meter,
    pin::{PinnedClients, PinnedServer},
};
use rustls::{
    ClientConfig, ServerConfig,
    client::Resumption,
    crypto::{CryptoProvider, ring},
    pki_types::CertificateDer,
    server::NoServerSessionStorage,
    version::TLS13,
};

use crate::config::{Roster, RosterServer};

mod channel;
mod credentials;
mod identity;
mod live;
pub mod reload;

pub use channel::{ChannelError, peer_certificate, peer_channel, peer_channel_as};
pub use credentials::{Credentials, Revoked};
pub use identity::{IdentityError, TlsIdentity};
pub use proto::listener::{
    ConnectInfo, Connection, Incoming, ListenerLimits, listener, listener_watched,
};
pub use proto::pin::{Facts, NotACertificate, Pin};

/// The only application protocol spoken here.
const ALPN: &[u8] = b"h2";

/// The server's side: any client may connect without a certificate; one that presents a
/// certificate must be a peer of the roster.
pub fn server_config(
    own: &Arc<Credentials>,
    roster: &Roster,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let (provider, own_pin) = (provider(), own.facts().pin);
    let pins = roster.servers().iter().map(|server| server.tls).filter(|pin| *pin != own_pin);
    let verifier = PinnedClients::new(pins.collect(), &provider).judged_by(own.clone());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(own.clone());
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}

/// A peer's side of a connection to the server with the key `peer`: that key or nobody, and our
/// own certificate is presented.
pub fn peer_config(own: &Arc<Credentials>, peer: Pin) -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = provider();
    let verifier = PinnedServer::new(peer, &provider).judged_by(own.clone());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(own.clone());
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Who counts a server's connections, and ends those of peers whose certificates are not accepted any
/// more.
#[derive(Debug)]
pub struct Entrance<W> {
    /// Who counts.
    pub counts: W,
    /// What is accepted.
    pub credentials: Arc<Credentials>,
}

impl<W: Watch> Watch for Entrance<W> {
    fn refused(&self) {
        self.counts.refused();
    }

    fn failed(&self) {
        self.counts.failed();
    }

    fn opened(&self, certificates: Option<&[CertificateDer<'_>]>) -> Box<dyn Meter> {
        self.counts.opened(certificates)
    }

    fn end(&self, certificates: Option<&[CertificateDer<'_>]>) -> Option<End> {
        let facts = Facts::of(certificates?.first()?).ok()?;
        Some(self.credentials.live().enter(facts))
    }
}

/// The roster's server that presented this certificate chain; `None` for an anonymous client.
pub fn peer_of<'a>(
    certificates: Option<&[CertificateDer<'_>]>,
    roster: &'a Roster,
) -> Option<&'a RosterServer> {
    let certificate = certificates?.first()?;
    roster.by_pin(&Pin::of(certificate).ok()?)
}

/// The roster's server at the other end of a request's connection; `None` for a client.
pub fn peer_of_request<'a, T>(
    request: &tonic::Request<T>,
    roster: &'a Roster,
) -> Option<&'a RosterServer> {
    #[cfg(feature = "testing")]
    if let Some(Claimed(pin)) = request.extensions().get() {
        return roster.by_pin(pin.as_ref()?);
    }
    let certificates = request.extensions().get::<ConnectInfo>()?.peer_certs()?;
    peer_of(Some(&certificates), roster)
}

/// A connection of a simulation, which has no TLS and says itself which key its other end has; none:
/// that of a client.
#[cfg(feature = "testing")]
#[derive(Debug, Clone)]
pub struct Claimed(pub Option<Pin>);

/// Where a request's connection comes from.
pub fn remote_ip<T>(request: &tonic::Request<T>) -> Option<IpAddr> {
    let info = request.extensions().get::<ConnectInfo>()?;
    info.remote_addr().map(|address| address.ip())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

#[cfg(test)]
mod tests;

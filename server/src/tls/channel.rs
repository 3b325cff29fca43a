//! The channel to one peer: its pinned key or nothing, reconnecting by itself.

use std::{io, sync::Arc, time::Duration};

use hyper_util::rt::TokioIo;
use proto::{ending::Ending, metered::Metered};
use rustls::pki_types::{InvalidDnsNameError, ServerName};
use tokio::{io::AsyncBufReadExt as _, net::TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::{Channel, Endpoint, Uri};

use super::{Credentials, Facts, TlsIdentity, peer_config};
use crate::{config::RosterServer, metrics::Traffic};

/// Time for name resolution, TCP and TLS together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A ping every so often, so that a peer that vanished is noticed.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// A ping that is not answered in this time ends the connection.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there can be no channel to a peer. A peer that cannot be reached is no such reason: the
/// channel tries again at every call.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The endpoint has no usable host name.
    #[error("{endpoint}: this is no host name")]
    Host {
        /// The endpoint, as in the roster.
        endpoint: String,
        /// What is wrong with it.
        source: InvalidDnsNameError,
    },
    /// The endpoint is not `https://host:port`.
    #[error("{endpoint}: an endpoint is https://host:port")]
    Endpoint {
        /// The endpoint, as in the roster.
        endpoint: String,
    },
    /// Our own key or certificate cannot be presented.
    #[error("our TLS certificate cannot be presented to other servers: {0}")]
    Tls(#[from] rustls::Error),
}

/// A channel to `peer` that connects at the first call, and again after a connection is lost. Its
/// bytes are counted as `traffic`.
pub fn peer_channel(
    own: &TlsIdentity,
    peer: &RosterServer,
    traffic: Traffic,
) -> Result<Channel, ChannelError> {
    peer_channel_as(&Credentials::fixed(own)?, peer, traffic)
}

/// [`peer_channel`] with credentials that may change: each connection shows those of its beginning.
pub fn peer_channel_as(
    own: &Arc<Credentials>,
    peer: &RosterServer,
    traffic: Traffic,
) -> Result<Channel, ChannelError> {
    let malformed = || ChannelError::Endpoint { endpoint: peer.endpoint.clone() };
    let target = Arc::new(Target::new(own, peer)?);
    let uri = &target.uri;
    let authority = uri.authority().ok_or_else(malformed)?;
    // The connector below speaks TLS by itself, which tonic takes for plain text.
    let endpoint = Endpoint::from_shared(format!("http://{authority}"))
        .map_err(|_| malformed())?
        .origin(uri.clone())
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    let connected = Arc::clone(&target);
    Ok(endpoint.connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
        let (target, traffic) = (Arc::clone(&connected), traffic.clone());
        async move {
            let stream = target.connect().await?;
            let end = shown(&stream).map(|facts| target.own.live().enter(facts));
            Ok::<_, io::Error>(TokioIo::new(Ending::new(Metered::new(stream, traffic), end)))
        }
    })))
}

/// The certificate that `peer` shows now, over its pinned key.
pub async fn peer_certificate(
    own: &Arc<Credentials>,
    peer: &RosterServer,
) -> Result<Result<Facts, io::Error>, ChannelError> {
    let target = Target::new(own, peer)?;
    let connecting = tokio::time::timeout(CONNECT_TIMEOUT, target.connect());
    Ok(connecting.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).and_then(
        |stream| shown(&stream).ok_or_else(|| io::Error::other("it shows no certificate")),
    ))
}

/// What is to be known of the certificate that the other end has shown.
fn shown(stream: &TlsStream<TcpStream>) -> Option<Facts> {
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first)?;
    Facts::of(certificate).ok()
}

/// Where a peer is, and how to speak to it.
struct Target {
    own: Arc<Credentials>,
    uri: Uri,
    host: String,
    port: u16,
    name: ServerName<'static>,
    connector: TlsConnector,
}

impl Target {
    fn new(own: &Arc<Credentials>, peer: &RosterServer) -> Result<Self, ChannelError> {
        let malformed = || ChannelError::Endpoint { endpoint: peer.endpoint.clone() };
        let uri: Uri = peer.endpoint.parse().map_err(|_| malformed())?;
        let host = uri.host().ok_or_else(malformed)?.trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().ok_or_else(malformed)?;
        let name = ServerName::try_from(host.clone())
            .map_err(|source| ChannelError::Host { endpoint: peer.endpoint.clone(), source })?;
        let connector = TlsConnector::from(peer_config(own, peer.tls)?);
        Ok(Self { own: own.clone(), uri, host, port, name, connector })
    }

    async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let mut stream = self.connector.connect(self.name.clone(), stream).await?;
        // The other end judges our certificate after TLS is set up on this one. It speaks first in
        // HTTP/2, so its first word tells what became of that, with the reason.
        match stream.fill_buf().await?.is_empty() {
            true => Err(io::Error::other("the connection was closed")),
            false => Ok(stream),
        }
    }
}

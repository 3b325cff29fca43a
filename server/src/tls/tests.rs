//! Who gets in, over real sockets: pinned peers and anonymous clients, and nobody else.

use std::{
    net::SocketAddr,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use rustls::{
    RootCertStore,
    pki_types::{ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsConnector;
use tokio_stream::StreamExt as _;
use tonic::transport::server::Connected as _;

use super::*;
use crate::{
    certs::{Authority, ServerKeys},
    metrics::Traffic,
};

const YEAR_S: u64 = 365 * 24 * 60 * 60;

struct Site {
    directory: tempfile::TempDir,
    authority: Authority,
    roster: Roster,
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn make(authority: &Authority, directory: &Path, name: &str, unix_s: u64) -> ServerKeys {
    let names = [String::from("localhost"), String::from("127.0.0.1")];
    authority.server(&directory.join(name), name, &names, unix_s, &mut rand::rng()).unwrap()
}

impl Site {
    /// alpha, beta and gamma are in the roster; gamma's certificate has expired, delta's is not
    /// valid yet; epsilon is not in the roster.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_create(directory.path(), now()).unwrap();
        let place = directory.path();
        let made = [
            ("alpha", now()),
            ("beta", now()),
            ("gamma", now() - 2 * YEAR_S),
            ("delta", now() + YEAR_S),
        ];
        let entries = made.map(|(name, unix_s)| {
            let keys = make(&authority, place, name, unix_s);
            RosterServer {
                name: name.into(),
                endpoint: "https://127.0.0.1:1".into(),
                identity: keys.identity,
                tls: keys.tls,
            }
        });
        make(&authority, place, "epsilon", now());
        let roster = Roster::try_from(entries.to_vec()).unwrap();
        Self { directory, authority, roster }
    }

    fn identity(&self, name: &str) -> TlsIdentity {
        let place = self.directory.path().join(name);
        TlsIdentity::load(&place.join("tls.pem"), &place.join("tls.key")).unwrap()
    }

    fn credentials(&self, name: &str) -> Arc<Credentials> {
        Credentials::fixed(&self.identity(name)).unwrap()
    }

    fn pin(&self, name: &str) -> Pin {
        self.roster.get(name).unwrap().tls
    }

    /// A server that answers each connection with the name that it knows the peer by.
    async fn serve(&self, name: &str, limits: ListenerLimits) -> SocketAddr {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let config = server_config(&self.credentials(name), &self.roster).unwrap();
        let mut incoming = listener(tcp, config, limits);
        let roster = self.roster.clone();
        tokio::spawn(async move {
            while let Some(connection) = incoming.next().await {
                let mut connection = connection.unwrap();
                let info = connection.connect_info();
                assert!(info.remote_addr().is_some());
                let certificates = info.peer_certs();
                let peer = peer_of(certificates.as_ref().map(|chain| &chain[..]), &roster);
                let answer = peer.map_or("nobody", |peer| &peer.name).to_owned();
                tokio::spawn(async move {
                    connection.write_all(answer.as_bytes()).await.unwrap();
                    // Held until the client has gone.
                    let _ = connection.read(&mut [0; 1]).await;
                });
            }
        });
        address
    }

    /// The name by which the server at `address` knows `name`, which expects to meet `expected`.
    async fn meet(
        &self,
        address: SocketAddr,
        name: &str,
        expected: Pin,
    ) -> std::io::Result<String> {
        talk(address, peer_config(&self.credentials(name), expected).unwrap()).await
    }

    fn client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.authority.certificate()).unwrap()).unwrap();
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![ALPN.to_vec()];
        Arc::new(config)
    }
}

async fn talk(address: SocketAddr, config: Arc<ClientConfig>) -> std::io::Result<String> {
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(address).await?;
    let mut stream = TlsConnector::from(config).connect(name, stream).await?;
    let mut answer = [0; 64];
    let length = stream.read(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}

fn ample() -> ListenerLimits {
    ListenerLimits::of_connections(100)
}

#[tokio::test]
async fn a_peer_of_the_roster_is_known_by_name() {
    let site = Site::new();
    let alpha = site.serve("alpha", ample()).await;
    assert_eq!(site.meet(alpha, "beta", site.pin("alpha")).await.unwrap(), "beta");
}

#[tokio::test]
async fn a_client_without_a_certificate_is_anonymous() {
    let site = Site::new();
    let alpha = site.serve("alpha", ample()).await;
    assert_eq!(talk(alpha, site.client()).await.unwrap(), "nobody");
}

#[tokio::test]
async fn a_peer_that_is_not_in_the_roster_is_refused() {
    let site = Site::new();
    let alpha = site.serve("alpha", ample()).await;
    site.meet(alpha, "epsilon", site.pin("alpha")).await.unwrap_err();
}

#[tokio::test]
async fn a_peer_that_shows_our_own_certificate_is_refused() {
    let site = Site::new();
    let alpha = site.serve("alpha", ample()).await;
    site.meet(alpha, "alpha", site.pin("alpha")).await.unwrap_err();
}

#[tokio::test]
async fn a_peer_whose_certificate_is_out_of_date_is_refused() {
    let site = Site::new();
    let alpha = site.serve("alpha", ample()).await;
    site.meet(alpha, "gamma", site.pin("alpha")).await.unwrap_err();
    site.meet(alpha, "delta", site.pin("alpha")).await.unwrap_err();
}

#[tokio::test]
async fn a_server_with_another_key_or_out_of_date_is_refused_by_its_peers() {
    let site = Site::new();
    let alpha = site.serve("alpha", ample()).await;
    let error = site.meet(alpha, "beta", site.pin("gamma")).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    for name in ["gamma", "delta"] {
        let address = site.serve(name, ample()).await;
        let error = site.meet(address, "beta", site.pin(name)).await.unwrap_err();
        assert!(error.to_string().contains("certificate"), "{error}");
    }
}

#[tokio::test]
async fn a_stolen_certificate_without_its_key_is_refused() {
    let site = Site::new();
    let alpha = site.serve("alpha", ample()).await;
    let key =
        provider().key_provider.load_private_key(site.identity("epsilon").reveal_key()).unwrap();
    let stolen = rustls::sign::CertifiedKey::new(site.identity("beta").chain().to_vec(), key);
    let verifier = PinnedServer::new(site.pin("alpha"), &provider());
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(stolen)));
    config.alpn_protocols = vec![ALPN.to_vec()];
    talk(alpha, Arc::new(config)).await.unwrap_err();
}

#[tokio::test]
async fn old_versions_of_tls_are_refused() {
    let site = Site::new();
    let alpha = site.serve("alpha", ample()).await;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(site.authority.certificate()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    talk(alpha, Arc::new(config)).await.unwrap_err();
}

#[tokio::test]
async fn a_silent_stranger_holds_nobody_up() {
    let site = Site::new();
    let alpha = site.serve("alpha", ample()).await;
    let _silent: Vec<_> =
        [TcpStream::connect(alpha).await.unwrap(), TcpStream::connect(alpha).await.unwrap()].into();
    assert_eq!(talk(alpha, site.client()).await.unwrap(), "nobody");
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_is_given_up_and_frees_its_place() {
    let site = Site::new();
    let limits =
        ListenerLimits { handshake_deadline: std::time::Duration::from_millis(50), ..ample() };
    let alpha = site.serve("alpha", limits).await;
    let mut silent = TcpStream::connect(alpha).await.unwrap();
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap_or(0), 0, "closed by the server");
    assert_eq!(site.meet(alpha, "beta", site.pin("alpha")).await.unwrap(), "beta");
}

/// A place is free again when its connection ends, and is taken from one that stays silent.
#[tokio::test]
async fn connections_above_the_limit_are_closed_until_there_is_room() {
    let site = Site::new();
    let few = [
        ListenerLimits { connections: 1, ..ample() },
        ListenerLimits { per_address: 1, ..ample() },
    ];
    for limits in few {
        let alpha = site.serve("alpha", limits).await;
        let mut first = connect(alpha, &site).await;
        talk(alpha, site.client()).await.unwrap_err();
        while talk(alpha, site.client()).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let ended = first.read(&mut [0; 1]).await;
        assert!(!matches!(ended, Ok(1..)), "it made room: {ended:?}");
    }
}

#[tokio::test]
async fn a_peer_keeps_its_place_whoever_else_comes() {
    let site = Site::new();
    let second = std::time::Duration::from_secs(1);
    let limits = ListenerLimits { connections: 2, first_call_deadline: second, ..ample() };
    let alpha = site.serve("alpha", limits).await;
    let config = peer_config(&site.credentials("beta"), site.pin("alpha")).unwrap();
    let mut peer = connect_with(alpha, config).await;
    let mut stranger = connect(alpha, &site).await;
    // It is closed, because it says nothing.
    assert!(!matches!(stranger.read(&mut [0; 1]).await, Ok(1..)));
    let _crowd = [connect(alpha, &site).await, connect(alpha, &site).await];
    let mut byte = [0; 1];
    let ended = tokio::time::timeout(2 * second, peer.read(&mut byte)).await;
    assert!(ended.is_err(), "the peer was closed: {ended:?}");
}

type Stream = tokio_rustls::client::TlsStream<TcpStream>;

async fn connect(address: SocketAddr, site: &Site) -> Stream {
    connect_with(address, site.client()).await
}

/// A connection that was greeted.
async fn connect_with(address: SocketAddr, config: Arc<ClientConfig>) -> Stream {
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let mut stream = TlsConnector::from(config).connect(name, stream).await.unwrap();
    let _ = stream.read(&mut [0; 64]).await.unwrap();
    stream
}

#[tokio::test]
async fn a_dropped_listener_frees_its_port() {
    let site = Site::new();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let config = server_config(&site.credentials("alpha"), &site.roster).unwrap();
    drop(listener(tcp, config, ample()));
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

/// A gRPC service of our own would need generated code; tonic's own routing answers `Unimplemented`
/// to an unknown method, which proves the whole way there and back.
#[tokio::test]
async fn a_peer_channel_carries_calls_and_reconnects() {
    let site = Site::new();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let mut peer = site.roster.get("alpha").unwrap().clone();
    peer.endpoint = format!("https://{address}");
    let beta = peer_channel(&site.identity("beta"), &peer, Traffic::default()).unwrap();
    peer.tls = site.pin("gamma");
    let deceived = peer_channel(&site.identity("beta"), &peer, Traffic::default()).unwrap();
    let mut tcp = Some(tcp);
    for _ in 0..2 {
        let tcp = match tcp.take() {
            Some(tcp) => tcp,
            None => TcpListener::bind(address).await.unwrap(),
        };
        let config = server_config(&site.credentials("alpha"), &site.roster).unwrap();
        let roster = site.roster.clone();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let routes = tonic::service::Routes::default();
        let server = tonic::transport::Server::builder()
            .layer(tonic::service::InterceptorLayer::new(move |request: tonic::Request<()>| {
                match peer_of_request(&request, &roster) {
                    Some(peer) => Err(tonic::Status::already_exists(peer.name.clone())),
                    None => Err(tonic::Status::unauthenticated("nobody")),
                }
            }))
            .add_routes(routes)
            .serve_with_incoming_shutdown(listener(tcp, config, ample()), async {
                // Ends when the test says so, and when it is gone.
                let _ = stopped.await;
            });
        let server = tokio::spawn(server);
        let status = call(beta.clone()).await;
        assert_eq!((status.code(), status.message()), (tonic::Code::AlreadyExists, "beta"));
        assert_eq!(call(deceived.clone()).await.code(), tonic::Code::Unavailable);
        drop(stop);
        server.await.unwrap().unwrap();
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert_eq!(call(beta.clone()).await.code(), tonic::Code::Unavailable);
    }
}

async fn call(channel: tonic::transport::Channel) -> tonic::Status {
    let mut client = tonic_health::pb::health_client::HealthClient::new(channel);
    client.check(tonic_health::pb::HealthCheckRequest::default()).await.unwrap_err()
}

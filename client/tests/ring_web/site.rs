//! A host in this process, and requests to it over TLS as a browser makes them.

use std::{
    io::{self, Write},
    net::{self, SocketAddr},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use http_body_util::{BodyExt as _, Full};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{ring::default_provider, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sotto_client::ring::{
    scale::Scale,
    web::{Host, HostError, Settings, example::Example, identity::Identity, lesson::Rules},
};
use tokio::{io::AsyncReadExt as _, net::TcpStream, task::JoinHandle};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;

/// A running host.
pub struct Site {
    pub door: Door,
    pub teacher: String,
    pub code: String,
    pub traffic: Written,
    stop: CancellationToken,
    served: JoinHandle<Result<(), HostError>>,
}

/// What it takes to reach a host.
#[derive(Clone)]
pub struct Door {
    pub address: SocketAddr,
    certificate: [u8; 32],
}

/// What the host wrote down.
#[derive(Clone, Default)]
pub struct Written(Arc<Mutex<Vec<u8>>>);

/// An answer that has been read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

/// One connection with HTTP/2, as browsers have it: everything of a page goes through it.
#[derive(Clone)]
pub struct Connection {
    sender: http2::SendRequest<Full<Bytes>>,
    origin: String,
    tcp: Arc<net::TcpStream>,
}

/// The values of the classes here: such that none is in anything by accident.
pub const VALUES: [i64; 5] = [48_611, 73_907, 61_283, 90_089, 55_217];

impl Site {
    /// A host with a silence and a grace that no test waits for unless it wants to.
    pub fn open() -> Self {
        Self::with(Duration::from_secs(300), Duration::from_secs(300))
    }

    pub fn with(silence: Duration, grace: Duration) -> Self {
        Self::patient(silence, grace, Duration::from_secs(300))
    }

    /// A host that keeps a connection without a token for so long.
    pub fn patient(silence: Duration, grace: Duration, patience: Duration) -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let identity = Identity::self_signed("127.0.0.1", since.as_secs()).unwrap();
        let scale = Scale::new("0", "9999.9", 1).unwrap();
        let example = Example {
            scale: Scale::new("0", "100", 1).unwrap(),
            values: vec![763, 754, 671, 635, 724, 714],
        };
        let traffic = Written::default();
        let host = Host::bind(Settings {
            listen: "127.0.0.1:0".parse().unwrap(),
            name: "127.0.0.1".into(),
            identity,
            rules: Rules { scale, silence, grace },
            patience,
            example,
            traffic: Some(Box::new(traffic.clone())),
        })
        .unwrap();
        let links = host.links();
        let (origin, teacher) = links.teacher.split_once("/teacher#").unwrap();
        let address = origin.strip_prefix("https://").unwrap().parse().unwrap();
        let door = Door { address, certificate: links.certificate };
        let (teacher, code) = (teacher.to_owned(), links.code.clone());
        assert_eq!(links.pupils, format!("{origin}/#{code}"));
        let stop = CancellationToken::new();
        let served = tokio::spawn(host.serve(stop.clone()));
        Self { door, teacher, code, traffic, stop, served }
    }

    /// Tells the host to stop and waits until it has.
    pub async fn close(self) {
        self.stop.cancel();
        self.served.await.unwrap().unwrap();
    }
}

impl Door {
    /// A page's connection.
    pub async fn connect(&self) -> Connection {
        let tcp = TcpStream::connect(self.address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let tcp = tcp.into_std().unwrap();
        let same = TcpStream::from_std(tcp.try_clone().unwrap()).unwrap();
        let stream = TokioIo::new(self.tls(b"h2", same).await.unwrap());
        let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(connection);
        Connection { sender, origin: format!("https://{}", self.address), tcp: Arc::new(tcp) }
    }

    /// Connects, and says nothing. Waits until the host closes the connection.
    pub async fn say_nothing(&self) {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let mut stream = self.tls(b"h2", stream).await.unwrap();
        let mut bytes = Vec::new();
        // How it ends, tidily or not, is the same.
        let _ = stream.read_to_end(&mut bytes).await;
    }

    /// A request as anybody may write it, on a connection of its own.
    pub async fn raw(&self, request: Request<Full<Bytes>>) -> Answer {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let stream = TokioIo::new(self.tls(b"http/1.1", stream).await.unwrap());
        let (mut sender, connection) = http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Answer::read(sender.send_request(request).await.unwrap()).await
    }

    /// A request with the headers that every client sends.
    pub fn request(&self, method: Method, path: &str) -> hyper::http::request::Builder {
        Request::builder().method(method).uri(path).header("host", self.address.to_string())
    }

    /// A TLS connection to the host with this certificate.
    async fn tls(&self, protocol: &[u8], stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pinned(self.certificate)))
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let name = ServerName::from(self.address.ip());
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}

impl Connection {
    /// Sends a body of JSON as a page of this host.
    pub async fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        let request = self.to(Method::POST, path, token).header("content-type", "application/json");
        let request = request.body(Full::from(body.to_string())).unwrap();
        Answer::read(self.sender.clone().send_request(request).await.unwrap()).await
    }

    /// The events after one of them, as they come.
    pub async fn events(&self, token: &str, after: u64) -> Response<Incoming> {
        let request = self.to(Method::GET, &format!("/api/events?after={after}"), token);
        let request = request.body(Full::default()).unwrap();
        self.sender.clone().send_request(request).await.unwrap()
    }

    /// Closes the connection as a tab does that is closed.
    pub fn cut(&self) {
        let _ = self.tcp.shutdown(net::Shutdown::Both);
    }

    fn to(&self, method: Method, path: &str, token: &str) -> hyper::http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.origin))
            .header("origin", &self.origin)
            .header("authorization", format!("Bearer {token}"))
    }
}

impl Answer {
    async fn read(response: Response<Incoming>) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        Self { status: parts.status, headers: parts.headers, body }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The cause of a refusal.
    pub fn kind(&self) -> String {
        self.json()["kind"].as_str().unwrap_or_else(|| panic!("{}", self.body)).to_owned()
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Written {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Trusts the certificate whose fingerprint the host has printed.
#[derive(Debug)]
struct Pinned([u8; 32]);

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let is_it = Sha256::digest(certificate).as_slice() == self.0;
        let wrong = rustls::CertificateError::UnknownIssuer;
        is_it.then(ServerCertVerified::assertion).ok_or(wrong.into())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("the host speaks TLS 1.3 alone".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = default_provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}

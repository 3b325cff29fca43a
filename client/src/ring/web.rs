//! Web: the host of a class whose pupils use a browser.
//!
//! It serves the page, hands sealed messages on from one pupil's page to another's, and keeps the
//! rules of the round. The pages agree on keys among themselves, so what passes here are sealed
//! numbers, announcements, and the views that pupils show to the teacher when they are asked.

use std::{
    fmt,
    io::{self, Write},
    net::{IpAddr, SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use axum_server::{
    Handle,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use hyper_util::rt::TokioTimer;
use rustls::pki_types::ServerName;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

mod classroom;
mod door;
mod event;
pub mod example;
mod headers;
mod http;
pub mod identity;
pub mod lesson;
mod limits;
mod log;
mod page;
mod refusal;
pub(crate) mod request;
mod token;
mod traffic;
mod wire;

use classroom::Classroom;
use door::Door;
use example::Example;
use http::Web;
use identity::Identity;
use lesson::Rules;
use token::{Code, Token};
use traffic::Traffic;

/// How long a round waits for a pupil, where nothing else is asked for.
pub const SILENCE: Duration = Duration::from_secs(20);
/// How long a pupil may be out of reach before it counts as gone, where nothing else is asked for.
pub const GRACE: Duration = Duration::from_secs(5);
/// How long a connection is kept on which nobody shows a token, where nothing else is asked for.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of a request's body.
const BODY_LIMIT: usize = 64 * 1024;
/// Bytes of the body of a request to join.
const JOIN_LIMIT: usize = 4 * 1024;
/// How long a request may take, events aside.
const LONGEST_REQUEST: Duration = Duration::from_secs(60);
/// How long a connection may take to say what it wants, and a request to send its body.
const SLOWEST_START: Duration = Duration::from_secs(10);
/// How long pages have to read that the class is over.
const FAREWELL: Duration = Duration::from_secs(2);
/// Requests at once on one connection.
const STREAMS: u32 = 64;
/// Bytes that a connection may send before somebody has read them.
const WINDOW: u32 = 128 * 1024;

/// What a host is to do.
pub struct Settings {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The name or address by which pupils reach it.
    pub name: String,
    /// The certificate, for that name.
    pub identity: Identity,
    /// What the lesson goes by.
    pub rules: Rules,
    /// How long a connection is kept on which nobody shows a token.
    pub patience: Duration,
    /// The class that is played with open cards.
    pub example: Example,
    /// Where to write down what the host receives and sends, tokens aside.
    pub traffic: Option<Box<dyn Write + Send>>,
}

/// A host that listens and does not answer yet.
#[derive(Debug)]
pub struct Host {
    listener: TcpListener,
    identity: Identity,
    links: Links,
    door: Door,
    web: Web,
}

/// By what people find the class.
pub struct Links {
    /// The teacher's link. Whoever has it is the teacher.
    pub teacher: Zeroizing<String>,
    /// The pupils' link.
    pub pupils: String,
    /// The class code, which is in the pupils' link.
    pub code: String,
    /// SHA-256 of the certificate.
    pub certificate: [u8; 32],
}

/// A host that cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Pupils cannot reach a host by this.
    #[error("{0:?} is neither a host name nor an address: give one, without a port")]
    Name(String),
    /// The address cannot be listened on.
    #[error("{address} cannot be listened on: {cause}; give another address or port 0")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        cause: io::Error,
    },
    /// Connections are not taken any more.
    #[error("the host stopped: {0}; start it again")]
    Serve(#[source] io::Error),
}

impl Host {
    /// A host for a new class.
    pub fn bind(settings: Settings) -> Result<Self, HostError> {
        let Settings { listen, name, identity, rules, patience, example, traffic } = settings;
        if ServerName::try_from(name.as_str()).is_err() {
            return Err(HostError::Name(name));
        }
        let failed = |cause| HostError::Listen { address: listen, cause };
        let listener = TcpListener::bind(listen).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let mut rng = rand::rng();
        let (code, teacher) = (Code::draw(&mut rng), Token::draw(&mut rng));
        let origin = match name.parse() {
            Ok(IpAddr::V6(address)) => format!("https://[{address}]:{port}"),
            _ => format!("https://{name}:{port}"),
        };
        let links = Links {
            teacher: Zeroizing::new(format!("{origin}/teacher#{}", *teacher.reveal())),
            pupils: format!("{origin}/#{code}"),
            code: code.to_string(),
            certificate: identity.fingerprint(),
        };
        let traffic = traffic.map_or_else(Traffic::default, Traffic::to);
        let classroom = Classroom::new(rules, code, links.pupils.clone(), teacher, traffic);
        let web = Web {
            classroom: Arc::new(classroom),
            name: name.into(),
            link: links.pupils.clone().into(),
            example: Arc::new(example),
            computing: Arc::new(Semaphore::new(1)),
        };
        Ok(Self { listener, identity, links, door: Door::new(patience), web })
    }

    /// By what people find the class.
    pub fn links(&self) -> &Links {
        &self.links
    }

    /// The pupils' link as a QR code of block characters, for dark letters on a light ground.
    pub fn qr(&self) -> Option<String> {
        page::qr_blocks(&self.links.pupils)
    }

    /// Serves the class until it is told to stop; pages are told that the class is over.
    pub async fn serve(self, stop: CancellationToken) -> Result<(), HostError> {
        let config = RustlsConfig::from_config(self.identity.config());
        let acceptor =
            RustlsAcceptor::new(config).handshake_timeout(SLOWEST_START).acceptor(self.door);
        let handle = Handle::new();
        let server = axum_server::from_tcp(self.listener).map_err(HostError::Serve)?;
        let mut server = server.handle(handle.clone()).acceptor(acceptor);
        let builder = server.http_builder();
        builder.http1().timer(TokioTimer::new()).header_read_timeout(SLOWEST_START);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(SLOWEST_START)
            .keep_alive_timeout(SLOWEST_START)
            .max_concurrent_streams(STREAMS)
            .initial_connection_window_size(WINDOW)
            .initial_stream_window_size(WINDOW)
            .max_header_list_size(16 * 1024);
        let classroom = Arc::clone(&self.web.classroom);
        let lesson = async {
            classroom.keep_time(stop).await;
            handle.graceful_shutdown(Some(FAREWELL));
            std::future::pending().await
        };
        let router = http::router(self.web);
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        tokio::select! {
            served = server.serve(service) => served.map_err(HostError::Serve),
            () = lesson => Ok(()),
        }
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Links({})", self.pupils)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Settings({} at {})", self.name, self.listen)
    }
}

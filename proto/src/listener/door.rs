//! Door: strangers come in and shake hands, or are turned away at little cost.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::pki_types::CertificateDer;
use socket2::{SockRef, Socket};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::{self, JoinSet},
    time,
};
use tokio_rustls::TlsAcceptor;

use super::{
    Connection, ListenerLimits, Watch,
    places::{Evicted, Place, Places},
};
use crate::{
    ending::{End, Ending},
    metered::Metered,
    pin::Pin,
    rate::RateLimit,
};

/// Pause after the system refused to accept, which it does when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Newcomers that are dealt with before everybody else has their turn.
const CROWD: usize = 32;
/// How often silent connections are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// Accepts connections for as long as somebody takes them.
pub(super) async fn accept_all(
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    limits: ListenerLimits,
    watch: Arc<dyn Watch>,
    ready: mpsc::Sender<Connection>,
) {
    let mut sweep = time::interval(SWEEP);
    sweep.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    let mut door = Door {
        acceptor,
        places: Places::new(limits.connections, limits.per_address),
        rate: RateLimit::with_burst(limits.new_per_second, limits.new_at_once),
        limits,
        watch,
        ready: ready.clone(),
        handshakes: JoinSet::new(),
    };
    loop {
        tokio::select! {
            biased;
            () = ready.closed() => return,
            Some(_) = door.handshakes.join_next() => {}
            _ = sweep.tick() => door.sweep(),
            accepted = tcp.accept() => match accepted {
                Ok((stream, from)) => {
                    door.come(Newcomer::Known(stream), from);
                    door.come_all(&tcp);
                    // Those who came in are served before the next ones come.
                    task::yield_now().await;
                }
                Err(error) => {
                    tracing::warn!(%error, "no connection could be accepted");
                    time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

/// Where strangers come in, or not.
struct Door {
    acceptor: TlsAcceptor,
    places: Places,
    rate: RateLimit,
    limits: ListenerLimits,
    watch: Arc<dyn Watch>,
    ready: mpsc::Sender<Connection>,
    /// Dropped with the door, which ends the handshakes in it.
    handshakes: JoinSet<()>,
}

/// A connection that the runtime knows already, or not yet.
enum Newcomer {
    Known(TcpStream),
    Unknown(Socket),
}

impl Newcomer {
    /// Turns it away with a reset, after which nothing of it is left here. With an error it is closed
    /// all the same.
    fn refuse(self) {
        let _ = match self {
            Self::Known(stream) => stream.set_zero_linger(),
            Self::Unknown(socket) => socket.set_linger(Some(Duration::ZERO)),
        };
    }

    fn known(self) -> io::Result<TcpStream> {
        match self {
            Self::Known(stream) => Ok(stream),
            Self::Unknown(socket) => {
                socket.set_nonblocking(true)?;
                TcpStream::from_std(socket.into())
            }
        }
    }
}

impl Door {
    /// Lets all in who came with somebody, or turns them away, which has to be cheap: of a flood the
    /// runtime hears only of those who come in.
    fn come_all(&mut self, tcp: &TcpListener) {
        for _ in 0..CROWD {
            // Nobody is left; or an error, which comes again where it is looked at.
            let Ok((socket, from)) = SockRef::from(tcp).accept() else { return };
            if let Some(from) = from.as_socket() {
                self.come(Newcomer::Unknown(socket), from);
            }
        }
    }

    fn come(&mut self, newcomer: Newcomer, from: SocketAddr) {
        let place = match self.rate.check(from.ip()) {
            Ok(()) => self.places.take(from.ip(), Instant::now()),
            Err(_) => None,
        };
        let Some((place, evicted, others)) = place else {
            newcomer.refuse();
            self.watch.refused();
            tracing::debug!("a connection above the limit was closed");
            return;
        };
        for _ in 0..others {
            self.watch.refused();
        }
        let stream = match newcomer.known() {
            Ok(stream) => stream,
            Err(error) => return tracing::warn!(%error, "a connection could not be used"),
        };
        let (acceptor, ready) = (self.acceptor.clone(), self.ready.clone());
        let (watch, deadline) = (Arc::clone(&self.watch), self.limits.handshake_deadline);
        self.handshakes.spawn(async move {
            shake_hands(stream, acceptor, (place, evicted), &*watch, deadline, ready).await;
        });
    }

    /// Closes those who have said nothing for too long.
    fn sweep(&self) {
        for _ in 0..self.places.sweep(self.limits.first_call_deadline, Instant::now()) {
            self.watch.refused();
        }
    }
}

async fn shake_hands(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    (place, mut evicted): (Place, Evicted),
    watch: &dyn Watch,
    deadline: Duration,
    ready: mpsc::Sender<Connection>,
) {
    // Without it small messages wait for acknowledgements; with an error it works all the same.
    let _ = stream.set_nodelay(true);
    let shaken = tokio::select! {
        biased;
        shaken = time::timeout(deadline, acceptor.accept(stream)) => shaken,
        // It was counted by whoever took its place.
        _ = &mut evicted => return,
    };
    match shaken {
        Ok(Ok(stream)) => {
            let certificates = stream.get_ref().1.peer_certificates();
            if let Some([own, ..]) = certificates
                && place.standing().keep_peer(peer(own))
            {
                watch.refused();
            }
            let (meter, end) = (watch.opened(certificates), watch.end(certificates));
            let stream = Ending::new(Metered::new(stream, meter), Some(either(end, evicted)));
            // An error means that the server is stopping.
            let _ = ready.send(Connection { stream, place, brought: 0, moved: 0 }).await;
        }
        Ok(Err(error)) => {
            watch.failed();
            tracing::debug!(%error, "a TLS handshake failed");
        }
        Err(_) => watch.failed(),
    }
}

/// Who presented a certificate; the handshake has verified that it is one of ours.
fn peer(certificate: &CertificateDer<'_>) -> Pin {
    Pin::of(certificate).unwrap_or_else(|_| Pin::of_public_key(certificate))
}

/// The end of a connection: that of its certificate, or the loss of its place.
fn either(end: Option<End>, evicted: Evicted) -> End {
    Box::pin(async {
        // A place is lost by dropping the other end.
        let evicted = async { drop(evicted.await) };
        match end {
            None => evicted.await,
            Some(end) => tokio::select! {
                biased;
                () = end => {}
                () = evicted => {}
            },
        }
    })
}

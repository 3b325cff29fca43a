//! Host: opens a class, fixes the order, and starts, watches and stops rounds. It never holds a
//! number that pupils send each other: what reaches it is in [`super::wire::Said`].

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use mpc::ring::{Lane, Protocol};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    class::Member,
    code::{Code, Secret},
    credentials::Credentials,
    error::RingError,
    finding::Finding,
    name::{Named, PupilId},
    place,
    round::{Outcome, Round},
    scale::Scale,
    wire::{Order, Said},
};

mod course;
mod game;
mod reception;
mod views;

use reception::Reception;

/// How long a round waits for somebody.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// For the goodbyes of a class.
const GOODBYE: Duration = Duration::from_secs(3);

/// How a class is opened.
#[derive(Clone)]
pub struct Settings {
    /// Where the host listens.
    pub listen: SocketAddr,
    /// Under which name or address pupils find it; none: its address in the network.
    pub address: Option<String>,
    /// The values of the class.
    pub scale: Scale,
    /// How long a round waits for somebody.
    pub patience: Duration,
    /// Hears of what happens.
    pub observe: Observer,
    /// Is given every message that the host receives or sends, as it is encoded: so that anybody
    /// can check what the host sees.
    pub traffic: Option<Recorder>,
}

/// Who hears of [`News`]. It must not wait.
pub type Observer = Arc<dyn Fn(News) + Send + Sync>;
/// Who is given the host's traffic. It must not wait.
pub type Recorder = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// What happens in a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Somebody has joined.
    Joined(Named),
    /// Somebody has a value.
    Ready(Named),
    /// Somebody is gone.
    Left(Named),
    /// A round begins, with these letters on every screen.
    Began {
        /// See [`super::pupil::Seating::check`].
        check: String,
    },
    /// The number of this lane is the next to pass, when the teacher says so.
    Waiting(Lane),
    /// A number has passed.
    Passed(Lane),
}

/// An open class. Dropping it ends the class without a word; [`Host::end`] says goodbye.
pub struct Host {
    code: Code,
    scale: Scale,
    patience: Duration,
    reception: Arc<Reception>,
    inbox: mpsc::Receiver<(PupilId, Heard)>,
    server: JoinHandle<()>,
    closing: CancellationToken,
    last: Option<Played>,
}

/// What the host hears of a pupil.
#[derive(Debug)]
enum Heard {
    Said(Box<Said>),
    Left,
}

/// A round that has been played to its end.
#[derive(Debug, Clone)]
pub struct Played {
    /// The round.
    pub round: Round,
    /// Its result.
    pub outcome: Outcome,
}

impl Settings {
    /// A class with this scale, at this address.
    pub fn new(listen: SocketAddr, scale: Scale) -> Self {
        Self {
            listen,
            address: None,
            scale,
            patience: PATIENCE,
            observe: Arc::new(|_| ()),
            traffic: None,
        }
    }
}

impl Host {
    /// Opens a class.
    pub async fn open(settings: Settings) -> Result<Self, RingError> {
        let (tcp, host, port) =
            place::listen(settings.listen, settings.address.as_deref(), None).await?;
        let rng = &mut rand::rng();
        let credentials = Credentials::make(rng)?;
        let secret = Secret::draw(rng);
        let code = Code::new(&host, port, secret, credentials.pin);
        let (sender, inbox) = mpsc::channel(reception::WAITING);
        let reception = Arc::new(Reception::new(secret, &settings, sender));
        let closing = CancellationToken::new();
        let server = serve(tcp, &credentials, Arc::clone(&reception), closing.clone());
        let Settings { scale, patience, .. } = settings;
        Ok(Self { code, scale, patience, reception, inbox, server, closing, last: None })
    }

    /// By what pupils join.
    pub fn code(&self) -> &Code {
        &self.code
    }

    /// The values of the class.
    pub fn scale(&self) -> &Scale {
        &self.scale
    }

    /// Everybody who has joined, in that order.
    pub fn members(&self) -> Vec<Member> {
        self.reception.members()
    }

    /// Who would play a round that starts now.
    pub fn players(&self) -> Vec<Named> {
        self.reception.players()
    }

    /// Returns when so many can play.
    pub async fn gathered(&self, pupils: usize) {
        let mut changes = self.reception.changes();
        while self.players().len() < pupils {
            // The reception holds the other end as long as the host lives.
            let _ = changes.changed().await;
        }
    }

    /// Plays without a pupil from now on, or with it again.
    pub fn leave_out(&mut self, id: PupilId, left_out: bool) -> Result<(), RingError> {
        match self.reception.leave_out(id, left_out) {
            true => Ok(()),
            false => Err(RingError::NotPlaying(id)),
        }
    }

    /// Plays a round with everybody who can. With `steps`, every number waits for one of them.
    pub async fn play(
        &mut self,
        protocol: Protocol,
        steps: Option<&mut mpsc::Receiver<()>>,
        stop: &CancellationToken,
    ) -> Result<Played, RingError> {
        self.last = None;
        let played = self.course(protocol, steps, stop).await?;
        self.last = Some(played.clone());
        Ok(played)
    }

    /// Asks pupils for what they saw of the last round, and shows what they learned together.
    pub async fn collude(
        &mut self,
        ids: &[PupilId],
        stop: &CancellationToken,
    ) -> Result<Finding, RingError> {
        let round = self.last.as_ref().ok_or(RingError::NothingPlayed)?.round.clone();
        self.views(&round, ids, stop).await
    }

    /// Says goodbye to everybody and closes the class.
    pub async fn end(mut self) {
        self.reception.send_all(&Order::Ended);
        self.reception.close();
        self.closing.cancel();
        // Whoever does not listen does not hear it.
        let _ = timeout(GOODBYE, &mut self.server).await;
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.closing.cancel();
        self.server.abort();
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Host({:?})", self.code)
    }
}

fn serve(
    tcp: TcpListener,
    credentials: &Credentials,
    reception: Arc<Reception>,
    closing: CancellationToken,
) -> JoinHandle<()> {
    let router = reception::router(reception, closing.clone());
    let connections = proto::listener::listener(tcp, credentials.tls.clone(), place::limits());
    tokio::spawn(async move {
        let served =
            router.serve_with_incoming_shutdown(connections, closing.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::debug!(%error, "the host's server ended");
        }
    })
}

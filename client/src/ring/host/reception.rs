//! Reception: lets pupils into the class, and holds the streams to them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mpc::ids::RunId;
use prost::Message as _;
use proto::{
    PROTOCOL,
    listener::ConnectInfo,
    v1::{
        self,
        ring_host_server::{RingHost, RingHostServer},
    },
};
use tokio::{
    sync::{mpsc, watch},
    time::{sleep, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Server, server::Router},
};

use super::{Heard, News, Observer, Recorder, Settings};
use crate::ring::{
    class::{Class, Member},
    code::Secret,
    name::{Named, PupilId},
    peer::{PING, PONG},
    scale::Scale,
    wire::{Contact, Join, MOST_CONTROL, Order, Said, Welcome},
};

/// What pupils said and the host has not heard yet.
pub const WAITING: usize = 1024;
/// Orders that a pupil has not read yet; whoever is that far behind has left.
const BEHIND: usize = 512;
/// Streams on one connection: a pupil needs one.
const STREAMS: u32 = 2;
/// Time for introducing oneself.
const INTRODUCTION: Duration = Duration::from_secs(10);
/// Before a wrong code is refused, so that nobody tries many.
const WRONG: Duration = Duration::from_millis(300);
/// What one pupil may say in a round: more than any round needs.
const WORDS: u32 = 2_000;

/// Who is in the class, and the streams to them.
pub struct Reception {
    secret: Secret,
    scale: Scale,
    patience: Duration,
    observe: Observer,
    traffic: Option<Recorder>,
    state: Mutex<State>,
    inbox: mpsc::Sender<(PupilId, Heard)>,
    changes: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    class: Class,
    lines: BTreeMap<PupilId, Line>,
    /// The round that is played or shown: nothing else is passed on.
    run: Option<RunId>,
    closed: bool,
}

/// What a pupil's stream gives it.
type Orders = mpsc::Receiver<Result<v1::HostSays, Status>>;

/// The stream to a pupil.
struct Line {
    contact: Contact,
    orders: mpsc::Sender<Result<v1::HostSays, Status>>,
    /// Dropped with the line, so that whoever listens to the pupil stops.
    _here: DropGuard,
}

impl State {
    fn roster(&self) -> Vec<(Named, Contact)> {
        let reached = |named: Named| {
            let contact = self.lines.get(&named.id)?.contact.clone();
            Some((named, contact))
        };
        self.class.players().into_iter().filter_map(reached).collect()
    }
}

impl Reception {
    pub fn new(secret: Secret, settings: &Settings, inbox: mpsc::Sender<(PupilId, Heard)>) -> Self {
        Self {
            secret,
            scale: settings.scale.clone(),
            patience: settings.patience,
            observe: Arc::clone(&settings.observe),
            traffic: settings.traffic.clone(),
            state: Mutex::default(),
            inbox,
            changes: watch::Sender::new(()),
        }
    }

    pub fn members(&self) -> Vec<Member> {
        self.state().class.members().cloned().collect()
    }

    pub fn players(&self) -> Vec<Named> {
        self.state().class.players()
    }

    /// Who would play, and how they are reached.
    pub fn roster(&self) -> Vec<(Named, Contact)> {
        self.state().roster()
    }

    /// Who plays this round. From now on what is said of it is passed on, that somebody leaves
    /// too: under one lock, so that nobody leaves unnoticed in between.
    pub fn assemble(&self, run: RunId) -> Vec<(Named, Contact)> {
        let mut state = self.state();
        state.run = Some(run);
        state.roster()
    }

    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    pub fn news(&self, news: News) {
        (self.observe)(news);
    }

    /// False: there is nobody with this number.
    pub fn leave_out(&self, id: PupilId, left_out: bool) -> bool {
        let mut state = self.state();
        let member = state.class.member_mut(id);
        member.map(|member| member.left_out = left_out).is_some()
    }

    /// From now on what is said of this round is passed on, and of no other.
    pub fn listen_to(&self, run: Option<RunId>) {
        self.state().run = run;
    }

    /// Sends an order to one pupil. One that does not read is let go.
    pub fn send(&self, id: PupilId, order: &Order) {
        let mut state = self.state();
        let Some(line) = state.lines.get(&id) else { return };
        let message = v1::HostSays::from(order.clone());
        self.record(&message.encode_to_vec());
        if line.orders.try_send(Ok(message)).is_err() {
            state.lines.remove(&id);
        }
    }

    pub fn send_all(&self, order: &Order) {
        let ids: Vec<_> = self.state().lines.keys().copied().collect();
        for id in ids {
            self.send(id, order);
        }
    }

    /// Lets everybody go, and nobody in.
    pub fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.lines.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, message: &[u8]) {
        if let Some(traffic) = &self.traffic {
            traffic(message);
        }
    }

    /// Lets somebody in who introduced itself.
    async fn admit(&self, join: Join) -> Result<(Named, Orders, CancellationToken), Status> {
        if join.secret != self.secret {
            sleep(WRONG).await;
            return Err(Status::permission_denied(
                "the code is not the one of this class; type the code that the host shows now",
            ));
        }
        let (theirs, ours) = (join.protocol, *PROTOCOL.end());
        if theirs.0 > ours || theirs.1 < *PROTOCOL.start() {
            return Err(Status::failed_precondition(format!(
                "the host speaks version {ours} of the ring, this program {} to {}: upgrade the older one",
                theirs.0, theirs.1
            )));
        }
        let (orders, stream) = mpsc::channel(BEHIND);
        let left = CancellationToken::new();
        let named = {
            let mut state = self.state();
            if state.closed {
                return Err(Status::unavailable("the class has ended"));
            }
            let Join { contact, .. } = &join;
            let is_taken =
                |line: &Line| line.contact.key == contact.key || line.contact.pin == contact.pin;
            if state.lines.values().any(is_taken) {
                return Err(Status::permission_denied("somebody with this key has joined already"));
            }
            let named = state
                .class
                .join(&join.name)
                .map_err(|full| Status::resource_exhausted(full.to_string()))?;
            let welcome = Order::Welcome(Welcome {
                protocol: ours.min(theirs.1),
                id: named.id,
                scale: self.scale.clone(),
                patience: self.patience,
            });
            let welcome = v1::HostSays::from(welcome);
            self.record(&welcome.encode_to_vec());
            // The channel is new.
            let _ = orders.try_send(Ok(welcome));
            let _here = left.clone().drop_guard();
            state.lines.insert(named.id, Line { contact: join.contact, orders, _here });
            named
        };
        self.news(News::Joined(named.clone()));
        Ok((named, stream, left))
    }

    /// Listens to a pupil until it leaves.
    async fn attend(
        self: Arc<Self>,
        named: Named,
        mut says: Streaming<v1::PupilSays>,
        left: CancellationToken,
    ) {
        let mut words = 0;
        let mut of = None;
        while let Some(Ok(Some(message))) = left.run_until_cancelled(says.message()).await {
            self.record(&message.encode_to_vec());
            match Said::try_from(message) {
                Ok(Said::Ready) => {
                    self.ready(named.id);
                }
                Ok(said @ Said::Of(run, _)) => {
                    let current = self.state().run;
                    if of != current {
                        (of, words) = (current, 0);
                    }
                    words += 1;
                    if words > WORDS {
                        break;
                    }
                    if current == Some(run)
                        && self.inbox.send((named.id, Heard::Said(Box::new(said)))).await.is_err()
                    {
                        break;
                    }
                }
                // Nobody joins twice on one stream.
                Ok(Said::Leave | Said::Join(_)) | Err(_) => break,
            }
            if !self.state().lines.contains_key(&named.id) {
                break;
            }
        }
        self.gone(named).await;
    }

    fn ready(&self, id: PupilId) {
        let named = {
            let mut state = self.state();
            let member = state.class.member_mut(id);
            member.filter(|member| !member.ready).map(|member| {
                member.ready = true;
                member.named.clone()
            })
        };
        if let Some(named) = named {
            self.news(News::Ready(named));
            self.changes.send_replace(());
        }
    }

    async fn gone(&self, named: Named) {
        let is_played = {
            let mut state = self.state();
            state.lines.remove(&named.id);
            if let Some(member) = state.class.member_mut(named.id) {
                member.connected = false;
            }
            if state.closed {
                return;
            }
            state.run.is_some()
        };
        if is_played {
            // An error means that the host is gone, too.
            let _ = self.inbox.send((named.id, Heard::Left)).await;
        }
        self.news(News::Left(named));
        self.changes.send_replace(());
    }
}

/// The service of a class.
pub fn router(reception: Arc<Reception>, closing: CancellationToken) -> Router {
    let service = RingHostServer::new(Desk { reception, closing })
        .max_decoding_message_size(MOST_CONTROL)
        .max_encoding_message_size(MOST_CONTROL);
    Server::builder()
        .max_concurrent_streams(STREAMS)
        .http2_keepalive_interval(Some(PING))
        .http2_keepalive_timeout(Some(PONG))
        .add_service(service)
}

struct Desk {
    reception: Arc<Reception>,
    closing: CancellationToken,
}

#[tonic::async_trait]
impl RingHost for Desk {
    type AttendStream = ReceiverStream<Result<v1::HostSays, Status>>;

    async fn attend(
        &self,
        request: Request<Streaming<v1::PupilSays>>,
    ) -> Result<Response<Self::AttendStream>, Status> {
        let info = request.extensions().get::<ConnectInfo>().cloned();
        let mut says = request.into_inner();
        let first = timeout(INTRODUCTION, says.message())
            .await
            .map_err(|_| Status::deadline_exceeded("who joins introduces itself at once"))??
            .ok_or_else(|| Status::invalid_argument("who joins introduces itself"))?;
        self.reception.record(&first.encode_to_vec());
        let said =
            Said::try_from(first).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let Said::Join(join) = said else {
            return Err(Status::invalid_argument("who joins introduces itself first"));
        };
        let (named, orders, left) = self.reception.admit(join).await?;
        if let Some(info) = info {
            info.standing().keep();
        }
        let (reception, closing) = (Arc::clone(&self.reception), self.closing.clone());
        tokio::spawn(async move {
            closing.run_until_cancelled(reception.attend(named, says, left)).await;
        });
        Ok(Response::new(ReceiverStream::new(orders)))
    }
}

//! Peers: this server's connections to the other servers of its roster.
//!
//! Each pair of servers keeps one long-lived stream in each direction. A stream begins with a
//! greeting that compares protocol versions, rosters and clocks; a peer that does not fit is named
//! with what differs, before any data is exchanged.

use std::{collections::HashMap, sync::Arc, time::Duration};

use mpc::ids::StudyId;
use proto::{
    trace::Trace,
    v1::{self, Frame, peers_client::PeersClient},
};
use tokio::sync::{Notify, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Code, Request, Status, transport::Channel};

mod link;
pub mod mesh;
pub mod sessions;

pub use link::{Greeting, Trouble};

use crate::lives::{LifeError, Lives};
use link::LinkState;
use sessions::{ABANDONED, SessionId};

/// Deadline of a call to a peer.
const CALL: Duration = Duration::from_secs(10);
/// Deadline of a meeting, in which both sides write.
pub(crate) const MEET: Duration = Duration::from_secs(10);

/// Why a peer did not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// The peer cannot be reached, or cannot be worked with.
    #[error("{peer} cannot be reached: {reason}")]
    Unreachable {
        /// The peer.
        peer: String,
        /// Why.
        reason: String,
    },
    /// The peer does not know the study.
    #[error("{peer} does not know the study")]
    UnknownStudy {
        /// The peer.
        peer: String,
    },
    /// The peer refused.
    #[error("{peer}: {reason}")]
    Refused {
        /// The peer.
        peer: String,
        /// Its words.
        reason: String,
    },
}

impl PeerError {
    /// The peer's name.
    pub fn peer(&self) -> &str {
        match self {
            Self::Unreachable { peer, .. }
            | Self::UnknownStudy { peer }
            | Self::Refused { peer, .. } => peer,
        }
    }
}

struct Link {
    retry: Arc<Notify>,
    client: PeersClient<Channel>,
    state: watch::Receiver<LinkState>,
}

/// Changes a frame on its way to a peer: how a lying server is made for tests.
#[cfg(feature = "testing")]
pub type Tamper = Box<dyn FnMut(&str, Frame) -> Frame + Send>;

/// The links to all peers, by name.
pub struct Peers {
    links: HashMap<String, Link>,
    lives: Arc<Lives>,
    #[cfg(feature = "testing")]
    tamper: std::sync::Mutex<Option<Tamper>>,
}

impl Peers {
    /// Opens a link to every peer and keeps it open until `stop`.
    pub fn start(
        channels: impl IntoIterator<Item = (String, Channel)>,
        greeting: &Arc<Greeting>,
        lives: &Arc<Lives>,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Arc<Self> {
        let links = channels.into_iter().map(|(name, channel)| {
            let client = PeersClient::new(channel)
                .max_decoding_message_size(proto::MAX_OUTCOME)
                .max_encoding_message_size(proto::MAX_MESSAGE);
            let (publish, state) = watch::channel(LinkState::Down {
                trouble: Trouble::Starting,
                reason: "not connected yet".into(),
            });
            let retry = Arc::new(Notify::new());
            let link = link::Keeper {
                peer: name.clone(),
                client: client.clone(),
                greeting: greeting.clone(),
                lives: lives.clone(),
                state: publish,
                retry: retry.clone(),
                stop: stop.clone(),
            };
            tasks.spawn(link.keep());
            (name, Link { retry, client, state })
        });
        Arc::new(Self {
            links: links.collect(),
            lives: lives.clone(),
            #[cfg(feature = "testing")]
            tamper: std::sync::Mutex::default(),
        })
    }

    fn link(&self, peer: &str) -> Option<&Link> {
        self.links.get(peer)
    }

    /// Lets `tamper` change every frame that this server sends from now on.
    #[cfg(feature = "testing")]
    pub fn set_tamper(&self, tamper: Tamper) {
        *self.tamper.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(tamper);
    }

    #[cfg(feature = "testing")]
    fn tampered(&self, peer: &str, frame: Frame) -> Frame {
        let mut tamper = self.tamper.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match tamper.as_mut() {
            Some(tamper) => tamper(peer, frame),
            None => frame,
        }
    }

    /// Sends one frame; `false` if the link is down.
    pub async fn send(&self, peer: &str, frame: Frame) -> bool {
        #[cfg(feature = "testing")]
        let frame = self.tampered(peer, frame);
        let frames = match self.link(peer).map(|link| link.state.borrow().clone()) {
            Some(LinkState::Up { frames, .. }) => frames,
            _ => return false,
        };
        frames.send(frame).await.is_ok()
    }

    /// Tells `peer` that this server has given a session up, so that it does not wait for more.
    pub async fn abandon(&self, peer: &str, session: SessionId) {
        let session_id = session.0.to_vec().into();
        let frame = Frame { session_id, round: ABANDONED, part: Default::default(), last: true };
        // A peer that cannot be told finds out when the link is lost, or by its deadline.
        drop(tokio::time::timeout(CALL, self.send(peer, frame)).await);
    }

    /// Counts the times that the link to `peer` came up; `None` while it is down.
    pub fn generation(&self, peer: &str) -> Option<u64> {
        match *self.link(peer)?.state.borrow() {
            LinkState::Up { generation, .. } => Some(generation),
            LinkState::Down { .. } => None,
        }
    }

    /// Tries the link to `peer` again without waiting: the peer has just shown that it is there.
    pub fn retry(&self, peer: &str) {
        if let Some(link) = self.link(peer) {
            link.retry.notify_one();
        }
    }

    /// Why the link to `peer` is down; `None` while it is up.
    pub fn trouble(&self, peer: &str) -> Option<String> {
        match &*self.link(peer)?.state.borrow() {
            LinkState::Up { .. } => None,
            LinkState::Down { reason, .. } => Some(reason.clone()),
        }
    }

    /// All peers, each with why the link to it is down.
    pub fn standing(&self) -> impl Iterator<Item = (&str, Option<Trouble>)> {
        self.links.iter().map(|(name, link)| {
            let trouble = match *link.state.borrow() {
                LinkState::Up { .. } => None,
                LinkState::Down { trouble, .. } => Some(trouble),
            };
            (name.as_str(), trouble)
        })
    }

    /// Requires that neither this server nor `peer` has an old backup for its database.
    pub async fn meet(&self, peer: &str) -> Result<(), PeerError> {
        let client = self.client(peer)?;
        self.lives.meet(peer, client).await.map_err(|error| match error {
            LifeError::Call(status) => self::error(peer, &status),
            error => PeerError::Refused { peer: peer.to_owned(), reason: error.to_string() },
        })
    }

    /// Where a study is at `peer`.
    pub async fn study_state(
        &self,
        peer: &str,
        study: StudyId,
    ) -> Result<v1::PeerStudyState, PeerError> {
        let request = v1::GetStudyRequest { study_id: study.0.to_vec().into() };
        let mut client = self.client(peer)?;
        Ok(client
            .study_state(call(request))
            .await
            .map_err(|status| error(peer, &status))?
            .into_inner())
    }

    /// What a study ended in at `peer`.
    pub async fn outcome(&self, peer: &str, study: StudyId) -> Result<v1::Outcome, PeerError> {
        let request = v1::GetStudyRequest { study_id: study.0.to_vec().into() };
        let mut client = self.client(peer)?;
        Ok(client.outcome(call(request)).await.map_err(|status| error(peer, &status))?.into_inner())
    }

    /// Asks `peer` to join a session, which both log under `trace`.
    pub async fn start_session(
        &self,
        peer: &str,
        request: v1::StartRequest,
        trace: Trace,
    ) -> Result<(), PeerError> {
        let mut client = self.client(peer)?;
        let mut request = call(request);
        trace.attach(&mut request);
        client.start(request).await.map_err(|status| error(peer, &status))?;
        Ok(())
    }

    fn client(&self, peer: &str) -> Result<PeersClient<Channel>, PeerError> {
        let unreachable = |reason: String| PeerError::Unreachable { peer: peer.to_owned(), reason };
        let link = self.link(peer).ok_or_else(|| unreachable("it is not in the roster".into()))?;
        match &*link.state.borrow() {
            LinkState::Up { .. } => Ok(link.client.clone()),
            LinkState::Down { reason, .. } => Err(unreachable(reason.clone())),
        }
    }
}

/// A failed call in words.
pub(crate) fn reason(status: &Status) -> String {
    link::reason(status)
}

fn call<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(CALL);
    request
}

fn error(peer: &str, status: &Status) -> PeerError {
    let (peer, reason) = (peer.to_owned(), link::reason(status));
    match status.code() {
        Code::NotFound => PeerError::UnknownStudy { peer },
        Code::FailedPrecondition | Code::PermissionDenied | Code::InvalidArgument => {
            PeerError::Refused { peer, reason }
        }
        _ => PeerError::Unreachable { peer, reason },
    }
}

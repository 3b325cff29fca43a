//! Sessions: where frames from peers wait for the protocol run that they belong to.
//!
//! A peer may be a step ahead, so frames of a session that has not been joined here yet are kept
//! for a while, within limits on their number and size.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mpc::ids::IdError;
use tokio::{sync::Notify, time::Instant};

/// One run of a protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId(pub [u8; 16]);

impl TryFrom<&[u8]> for SessionId {
    type Error = IdError;

    fn try_from(bytes: &[u8]) -> Result<Self, IdError> {
        Ok(Self(bytes.try_into().map_err(|_| IdError { digits: 32 })?))
    }
}

/// Bytes that a session may hold before it is joined.
const EARLY_BYTES: usize = 8 << 20;
/// Bytes that a joined session may hold: lists of a million submissions from seven peers.
const SESSION_BYTES: usize = 512 << 20;
/// Sessions that one peer may open here by frames before they are joined.
const EARLY_SESSIONS: usize = 32;
/// How long frames wait for a session to be joined.
const EARLY_LIFE: Duration = Duration::from_secs(60);
/// No protocol has more rounds.
const MAX_ROUNDS: u32 = 256;
/// In place of a round: the sender has given the session up.
pub const ABANDONED: u32 = u32::MAX;

/// A frame that no honest peer sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The round is beyond that of any protocol.
    #[error("the round number is out of range")]
    Round,
    /// The message of this round is complete already.
    #[error("a frame follows the last frame of its message")]
    AfterLast,
    /// More bytes than a session may hold.
    #[error("the session holds too many bytes")]
    TooLarge,
    /// More sessions than a peer may open ahead of time.
    #[error("too many sessions that were never started")]
    TooMany,
}

/// All sessions of a server.
#[derive(Default)]
pub struct Sessions {
    open: Mutex<HashMap<SessionId, Arc<Inbox>>>,
}

#[derive(Default)]
struct Message {
    bytes: Vec<u8>,
    complete: bool,
}

/// The messages of one session, by round and sender.
struct Inbox {
    state: Mutex<InboxState>,
    arrived: Notify,
}

struct InboxState {
    /// Who has given the session up.
    abandoned: HashSet<String>,
    messages: HashMap<(u32, String), Message>,
    bytes: usize,
    opened_by: Option<String>,
    opened: Instant,
}

/// A joined session; its messages are forgotten when this is dropped.
pub struct Joined {
    sessions: Arc<Sessions>,
    id: SessionId,
    inbox: Arc<Inbox>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every critical section leaves the data consistent, so a panic elsewhere spoils nothing.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sessions {
    /// Joins a session: from now on it may hold large messages and does not expire.
    pub fn join(self: &Arc<Self>, id: SessionId) -> Joined {
        let inbox = lock(&self.open).entry(id).or_insert_with(|| Inbox::new(None)).clone();
        lock(&inbox.state).opened_by = None;
        Joined { sessions: self.clone(), id, inbox }
    }

    /// Takes one frame from `peer`.
    pub fn deliver(
        &self,
        peer: &str,
        id: SessionId,
        round: u32,
        part: &[u8],
        last: bool,
    ) -> Result<(), FrameError> {
        if round >= MAX_ROUNDS && round != ABANDONED {
            return Err(FrameError::Round);
        }
        let inbox = self.inbox_for(peer, id)?;
        let mut state = lock(&inbox.state);
        if round == ABANDONED {
            state.abandoned.insert(peer.to_owned());
            drop(state);
            inbox.arrived.notify_waiters();
            return Ok(());
        }
        let limit = if state.opened_by.is_some() { EARLY_BYTES } else { SESSION_BYTES };
        if state.bytes + part.len() > limit {
            return Err(FrameError::TooLarge);
        }
        state.bytes += part.len();
        let message = state.messages.entry((round, peer.to_owned())).or_default();
        if message.complete {
            return Err(FrameError::AfterLast);
        }
        message.bytes.extend_from_slice(part);
        message.complete = last;
        drop(state);
        if last {
            inbox.arrived.notify_waiters();
        }
        Ok(())
    }

    fn inbox_for(&self, peer: &str, id: SessionId) -> Result<Arc<Inbox>, FrameError> {
        let mut open = lock(&self.open);
        if let Some(inbox) = open.get(&id) {
            return Ok(inbox.clone());
        }
        open.retain(|_, inbox| {
            let state = lock(&inbox.state);
            state.opened_by.is_none() || state.opened.elapsed() < EARLY_LIFE
        });
        let early = open
            .values()
            .filter(|inbox| lock(&inbox.state).opened_by.as_deref() == Some(peer))
            .count();
        if early >= EARLY_SESSIONS {
            return Err(FrameError::TooMany);
        }
        let inbox = Inbox::new(Some(peer.to_owned()));
        open.insert(id, inbox.clone());
        Ok(inbox)
    }
}

impl Inbox {
    fn new(opened_by: Option<String>) -> Arc<Self> {
        let state = InboxState {
            abandoned: HashSet::new(),
            messages: HashMap::new(),
            bytes: 0,
            opened_by,
            opened: Instant::now(),
        };
        Arc::new(Self { state: Mutex::new(state), arrived: Notify::new() })
    }
}

impl Joined {
    /// The session's id.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// Waits until a message may have arrived since the returned future was created.
    pub fn arrival(&self) -> tokio::sync::futures::Notified<'_> {
        self.inbox.arrived.notified()
    }

    /// Who of `peers` has not sent the whole message of `round` yet.
    pub fn missing<'a>(
        &self,
        round: u32,
        peers: impl Iterator<Item = &'a str>,
    ) -> HashSet<&'a str> {
        let state = lock(&self.inbox.state);
        let complete = |peer: &str| {
            state.messages.get(&(round, peer.to_owned())).is_some_and(|message| message.complete)
        };
        peers.filter(|peer| !complete(peer)).collect()
    }

    /// Whether `peer` has given the session up.
    pub fn is_abandoned_by(&self, peer: &str) -> bool {
        lock(&self.inbox.state).abandoned.contains(peer)
    }

    /// Takes the message of `round` from `peer`, if it is complete.
    pub fn take(&self, round: u32, peer: &str) -> Option<Vec<u8>> {
        let mut state = lock(&self.inbox.state);
        let key = (round, peer.to_owned());
        let complete = state.messages.get(&key).is_some_and(|message| message.complete);
        let message = complete.then(|| state.messages.remove(&key)).flatten()?;
        state.bytes = state.bytes.saturating_sub(message.bytes.len());
        Some(message.bytes)
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        lock(&self.sessions.open).remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: SessionId = SessionId([1; 16]);

    #[test]
    fn frames_that_come_before_the_session_is_joined_are_kept() {
        let sessions = Arc::new(Sessions::default());
        sessions.deliver("beta", ID, 0, b"one ", false).expect("kept");
        sessions.deliver("beta", ID, 0, b"two", true).expect("kept");
        let joined = sessions.join(ID);
        assert!(joined.missing(0, ["beta", "gamma"].into_iter()).contains("gamma"));
        assert_eq!(joined.take(0, "beta").as_deref(), Some(&b"one two"[..]));
        assert_eq!(joined.take(0, "beta"), None);
    }

    #[test]
    fn a_message_has_one_end_and_a_round_number_in_range() {
        let sessions = Arc::new(Sessions::default());
        sessions.deliver("beta", ID, 0, b"x", true).expect("kept");
        assert_eq!(sessions.deliver("beta", ID, 0, b"y", true), Err(FrameError::AfterLast));
        assert_eq!(sessions.deliver("beta", ID, MAX_ROUNDS, b"", true), Err(FrameError::Round));
    }

    #[test]
    fn a_peer_cannot_fill_the_memory_with_sessions_that_nobody_joined() {
        let sessions = Arc::new(Sessions::default());
        let large = vec![0; EARLY_BYTES];
        sessions.deliver("beta", ID, 0, &large, false).expect("at the limit");
        assert_eq!(sessions.deliver("beta", ID, 0, b"x", false), Err(FrameError::TooLarge));
        for i in 1..EARLY_SESSIONS {
            sessions.deliver("beta", SessionId([i as u8 + 1; 16]), 0, b"", true).expect("allowed");
        }
        let more = SessionId([99; 16]);
        assert_eq!(sessions.deliver("beta", more, 0, b"", true), Err(FrameError::TooMany));
        sessions.deliver("gamma", more, 0, b"", true).expect("another peer's allowance");
    }

    #[test]
    fn a_peer_that_gives_up_is_known_and_what_it_sent_before_counts() {
        let sessions = Arc::new(Sessions::default());
        sessions.deliver("beta", ID, 0, b"x", true).expect("kept");
        sessions.deliver("beta", ID, ABANDONED, b"", true).expect("noted");
        let joined = sessions.join(ID);
        assert!(joined.is_abandoned_by("beta") && !joined.is_abandoned_by("gamma"));
        assert_eq!(joined.take(0, "beta").as_deref(), Some(&b"x"[..]));
    }

    #[test]
    fn a_finished_session_leaves_nothing_behind() {
        let sessions = Arc::new(Sessions::default());
        drop(sessions.join(ID));
        assert!(lock(&sessions.open).is_empty());
    }
}

//! The mesh over gRPC: one session's lockstep rounds on the long-lived links between servers.

use std::{sync::Arc, time::Duration};

use mpc::{
    ids::Party,
    mesh::{Mesh, MeshError},
};
use proto::v1::Frame;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Peers, sessions::Joined};
use crate::metrics::{Metrics, Word};

/// Bytes of a message that travel in one frame.
const PART: usize = 1 << 20;
/// How often a waiting round looks whether a link has gone down.
const LOOK: Duration = Duration::from_millis(200);

/// One party's end of one session.
pub struct GrpcMesh {
    me: Party,
    /// Names of the parties, in order.
    names: Vec<String>,
    peers: Arc<Peers>,
    session: Joined,
    round: u32,
    round_timeout: Duration,
    /// The links' generations when the session began: a link that reconnected lost frames.
    generations: Vec<Option<u64>>,
    ended: CancellationToken,
    pace: Pace,
}

/// Where the duration of rounds is counted.
#[derive(Clone)]
pub struct Pace {
    /// What counts them.
    pub metrics: Arc<Metrics>,
    /// The protocol that is spoken.
    pub protocol: Word,
}

impl GrpcMesh {
    /// The end of `me` in a session of the servers `names`.
    pub fn new(
        me: Party,
        names: Vec<String>,
        peers: Arc<Peers>,
        session: Joined,
        round_timeout: Duration,
        ended: CancellationToken,
        pace: Pace,
    ) -> Self {
        let generations = names.iter().map(|name| peers.generation(name)).collect();
        Self { me, names, peers, session, round: 0, round_timeout, generations, ended, pace }
    }

    fn others(&self) -> impl Iterator<Item = (Party, &str)> {
        let me = self.me;
        (0..)
            .map(Party)
            .zip(self.names.iter().map(String::as_str))
            .filter(move |(party, _)| *party != me)
    }

    /// Sends a message to all others; returns those that it could not be sent to.
    async fn send(&self, round: u32, message: &[u8], deadline: Instant) -> Vec<Party> {
        let message = bytes::Bytes::copy_from_slice(message);
        let sends = self.others().map(|(party, name)| {
            let message = message.clone();
            async move {
                let sent = tokio::time::timeout_at(deadline, self.send_to(name, round, message));
                (party, matches!(sent.await, Ok(true)))
            }
        });
        let sent = futures::future::join_all(sends).await;
        sent.into_iter().filter(|(_, sent)| !sent).map(|(party, _)| party).collect()
    }

    async fn send_to(&self, name: &str, round: u32, message: bytes::Bytes) -> bool {
        let mut start = 0;
        loop {
            let end = (start + PART).min(message.len());
            let frame = Frame {
                session_id: bytes::Bytes::copy_from_slice(&self.session.id().0),
                round,
                part: message.slice(start..end),
                last: end == message.len(),
            };
            if !self.peers.send(name, frame).await {
                return false;
            }
            if end == message.len() {
                return true;
            }
            start = end;
        }
    }

    /// Waits until the message of `round` is there from every peer that can still send one, except
    /// from those that are `gone`.
    async fn wait(&self, round: u32, gone: &[Party], deadline: Instant) -> Result<(), MeshError> {
        loop {
            let arrival = self.session.arrival();
            let waited_for = self.others().filter(|(party, _)| !gone.contains(party));
            let missing = self.session.missing(round, waited_for.map(|(_, name)| name));
            let is_lost = |(party, name): &(Party, &str)| {
                self.session.is_abandoned_by(name)
                    || self.peers.generation(name) != self.generations[party.index()]
            };
            let awaited = self
                .others()
                .filter(|(_, name)| missing.contains(name))
                .filter(|other| !is_lost(other))
                .count();
            if awaited == 0 || Instant::now() >= deadline {
                return Ok(());
            }
            let look = deadline.min(Instant::now() + LOOK);
            tokio::select! {
                biased;
                () = self.ended.cancelled() => return Err(MeshError::Ended),
                () = arrival => {}
                () = tokio::time::sleep_until(look) => {}
            }
        }
    }
}

impl Mesh for GrpcMesh {
    fn me(&self) -> Party {
        self.me
    }

    fn parties(&self) -> usize {
        self.names.len()
    }

    fn round(&self) -> u32 {
        self.round
    }

    async fn gather(&mut self, message: Vec<u8>) -> Result<Vec<Option<Vec<u8>>>, MeshError> {
        let round = self.round;
        self.round += 1;
        let started = Instant::now();
        let deadline = started + self.round_timeout;
        let gone = self.send(round, &message, deadline).await;
        self.wait(round, &gone, deadline).await?;
        self.pace.metrics.round(self.pace.protocol, round, started.elapsed());
        tracing::debug!(round, silent = gone.len(), "round");
        let mut mine = Some(message);
        let mut received = Vec::with_capacity(self.names.len());
        for (party, name) in (0..).map(Party).zip(&self.names) {
            received.push(match party == self.me {
                true => mine.take(),
                false => self.session.take(round, name),
            });
        }
        Ok(received)
    }
}

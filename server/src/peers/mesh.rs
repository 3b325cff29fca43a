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
    ) -> Self {
        let generations = names.iter().map(|name| peers.generation(name)).collect();
        Self { me, names, peers, session, round: 0, round_timeout, generations, ended }
    }

    fn others(&self) -> impl Iterator<Item = (Party, &str)> {
        let me = self.me;
        (0..)
            .map(Party)
            .zip(self.names.iter().map(String::as_str))
            .filter(move |(party, _)| *party != me)
    }

    /// Parties of `names`; none if a name is not of this session.
    fn parties_of(&self, names: &std::collections::HashSet<&str>) -> Vec<Party> {
        self.others().filter(|(_, name)| names.contains(name)).map(|(party, _)| party).collect()
    }

    async fn send(&self, round: u32, message: &[u8], deadline: Instant) -> Result<(), MeshError> {
        let message = bytes::Bytes::copy_from_slice(message);
        let sends = self.others().map(|(party, name)| {
            let message = message.clone();
            async move {
                let sent = tokio::time::timeout_at(deadline, self.send_to(name, round, message));
                (party, matches!(sent.await, Ok(true)))
            }
        });
        let sent = futures::future::join_all(sends).await;
        let parties: Vec<Party> =
            sent.into_iter().filter(|(_, sent)| !sent).map(|(party, _)| party).collect();
        match parties.is_empty() {
            true => Ok(()),
            false => Err(MeshError::Missing { round, parties }),
        }
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

    /// Waits until every peer's message of `round` is there.
    async fn wait(&self, round: u32, deadline: Instant) -> Result<(), MeshError> {
        loop {
            let arrival = self.session.arrival();
            let missing = self.session.missing(round, self.others().map(|(_, name)| name));
            if missing.is_empty() {
                return Ok(());
            }
            let lost = (0..).map(Party).zip(&self.names).any(|(party, name)| {
                missing.contains(name.as_str())
                    && (self.session.is_abandoned_by(name)
                        || self.peers.generation(name) != self.generations[party.index()])
            });
            if lost || Instant::now() >= deadline {
                return Err(MeshError::Missing { round, parties: self.parties_of(&missing) });
            }
            let look = deadline.min(Instant::now() + LOOK);
            tokio::select! {
                () = arrival => {}
                () = tokio::time::sleep_until(look) => {}
                () = self.ended.cancelled() => return Err(MeshError::Ended),
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

    async fn exchange(&mut self, message: Vec<u8>) -> Result<Vec<Vec<u8>>, MeshError> {
        let round = self.round;
        self.round += 1;
        let deadline = Instant::now() + self.round_timeout;
        self.send(round, &message, deadline).await?;
        self.wait(round, deadline).await?;
        let mut mine = Some(message);
        let mut received = Vec::with_capacity(self.names.len());
        for (party, name) in (0..).map(Party).zip(&self.names) {
            let message =
                if party == self.me { mine.take() } else { self.session.take(round, name) };
            let missing = || MeshError::Missing { round, parties: vec![party] };
            received.push(message.ok_or_else(missing)?);
        }
        Ok(received)
    }
}

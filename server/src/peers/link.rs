//! One link: connect, greet, carry frames, and again after a failure.

use std::{error::Error, io, sync::Arc, time::Duration};

use proto::v1::{Frame, HelloRequest, HelloResponse, peers_client::PeersClient};
use tokio::sync::{Notify, mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Status, transport::Channel};

use crate::{
    clock::Clock,
    lives::{LifeError, Lives},
};

/// Frames that may wait in a link: at most 1 MiB each.
const QUEUE: usize = 4;
/// Deadline of the greeting.
const HELLO: Duration = Duration::from_secs(5);
/// First and longest pause between attempts to connect.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How far two servers' clocks may differ.
const CLOCK_MS: u64 = 5 * 60 * 1000;

/// Whether frames can be sent to a peer.
#[derive(Clone)]
pub(super) enum LinkState {
    Down { trouble: Trouble, reason: String },
    Up { generation: u64, frames: mpsc::Sender<Frame> },
}

/// Why a link is down, in one of a few words; the reason beside it is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It was not tried yet.
    Starting,
    /// Nobody answers.
    Unreachable,
    /// Who answers is not the peer, or does not take this server for one.
    Certificate,
    /// Version, roster or clock differ.
    Misfit,
    /// It was up, and ended.
    Lost,
}

impl Trouble {
    /// Every one.
    pub const ALL: [Self; 5] =
        [Self::Starting, Self::Unreachable, Self::Certificate, Self::Misfit, Self::Lost];

    /// Its name in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Unreachable => "unreachable",
            Self::Certificate => "certificate",
            Self::Misfit => "misfit",
            Self::Lost => "lost",
        }
    }

    /// What a failed call of the greeting shows.
    fn of(status: &Status) -> Self {
        let mut cause: Option<&(dyn Error + 'static)> = status.source();
        while let Some(error) = cause {
            // An error of TLS hides in one of reading and writing, and is not its source.
            let hidden = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            let is_tls = |error: &(dyn Error + 'static)| error.is::<rustls::Error>();
            if is_tls(error) || hidden.is_some_and(|error| error.is::<rustls::Error>()) {
                return Self::Certificate;
            }
            cause = error.source();
        }
        match status.code() {
            Code::FailedPrecondition => Self::Misfit,
            Code::PermissionDenied => Self::Certificate,
            _ => Self::Unreachable,
        }
    }
}

/// What servers compare before they work together.
#[derive(Debug)]
pub struct Greeting {
    /// Hash of this server's roster.
    pub roster_hash: [u8; 32],
    /// This server's clock.
    pub clock: Clock,
}

impl Greeting {
    /// This server's part of the greeting.
    pub fn request(&self) -> HelloRequest {
        HelloRequest {
            protocol_min: *proto::PROTOCOL.start(),
            protocol_max: *proto::PROTOCOL.end(),
            roster_hash: self.roster_hash.to_vec().into(),
            unix_ms: self.clock.now_ms(),
            version: env!("CARGO_PKG_VERSION").into(),
        }
    }

    /// Checks a peer's greeting; the error says what differs.
    pub fn check(&self, peer: &HelloRequest) -> Result<u32, String> {
        let (min, max) = (*proto::PROTOCOL.start(), *proto::PROTOCOL.end());
        if peer.protocol_max < min || peer.protocol_min > max {
            return Err(format!(
                "protocol versions do not overlap: {min}..{max} (sotto {}) here, {}..{} (sotto {}) there",
                env!("CARGO_PKG_VERSION"),
                peer.protocol_min,
                peer.protocol_max,
                peer.version,
            ));
        }
        if peer.roster_hash[..] != self.roster_hash {
            return Err(
                "the two servers have different rosters: compare their roster.toml files".into()
            );
        }
        self.check_clock(peer.unix_ms)?;
        Ok(max.min(peer.protocol_max))
    }

    fn check_clock(&self, theirs_ms: u64) -> Result<(), String> {
        let apart_ms = theirs_ms.abs_diff(self.clock.now_ms());
        match apart_ms > CLOCK_MS {
            true => Err(format!("the two servers' clocks are {} s apart", apart_ms / 1000)),
            false => Ok(()),
        }
    }
}

/// Keeps one link up.
pub(super) struct Keeper {
    pub peer: String,
    pub client: PeersClient<Channel>,
    pub greeting: Arc<Greeting>,
    pub lives: Arc<Lives>,
    pub state: watch::Sender<LinkState>,
    /// Cuts a pause short.
    pub retry: Arc<Notify>,
    pub stop: CancellationToken,
}

impl Keeper {
    /// Connects, and again after every failure, until `stop`.
    pub(super) async fn keep(self) {
        let mut pause = PAUSE.0;
        let mut generation = 0;
        loop {
            let connected = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                connected = self.connected() => connected,
            };
            let (trouble, reason) = match connected {
                Ok((frames, mut acks)) => {
                    generation += 1;
                    pause = PAUSE.0;
                    tracing::info!(peer = self.peer, "link up");
                    self.state.send_replace(LinkState::Up { generation, frames });
                    tokio::select! {
                        biased;
                        () = self.stop.cancelled() => return,
                        reason = ended(&mut acks) => (Trouble::Lost, reason),
                    }
                }
                Err(down) => down,
            };
            self.down(trouble, reason);
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = self.retry.notified() => pause = PAUSE.0,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSE.1),
            }
        }
    }

    async fn connected(&self) -> Result<(mpsc::Sender<Frame>, Acks), (Trouble, String)> {
        let connected = connect(self.client.clone(), &self.greeting).await?;
        let met = self.lives.meet(&self.peer, self.client.clone()).await;
        met.map_err(|error| match error {
            LifeError::Call(status) => (Trouble::of(&status), reason(&status)),
            LifeError::Storage(_) => (Trouble::Lost, error.to_string()),
            _ => (Trouble::Misfit, error.to_string()),
        })?;
        Ok(connected)
    }

    fn down(&self, trouble: Trouble, reason: String) {
        let news = match &*self.state.borrow() {
            LinkState::Down { reason: before, .. } => *before != reason,
            LinkState::Up { .. } => true,
        };
        if news {
            tracing::warn!(peer = self.peer, reason, "link down");
        }
        self.state.send_replace(LinkState::Down { trouble, reason });
    }
}

type Acks = tonic::Streaming<proto::v1::LinkAck>;

async fn connect(
    mut client: PeersClient<Channel>,
    greeting: &Greeting,
) -> Result<(mpsc::Sender<Frame>, Acks), (Trouble, String)> {
    let failed = |status: Status| (Trouble::of(&status), reason(&status));
    let misfit = |reason| (Trouble::Misfit, reason);
    let mut hello = Request::new(greeting.request());
    hello.set_timeout(HELLO);
    let answer = client.hello(hello).await.map_err(failed)?.into_inner();
    let HelloResponse { protocol, unix_ms, .. } = answer;
    if !proto::PROTOCOL.contains(&protocol) {
        return Err(misfit(format!("the peer wants to speak protocol version {protocol}")));
    }
    greeting.check_clock(unix_ms).map_err(misfit)?;
    let (frames, queue) = mpsc::channel(QUEUE);
    let acks = tokio::time::timeout(HELLO, client.link(ReceiverStream::new(queue)))
        .await
        .map_err(|_| (Trouble::Unreachable, "no answer in time".to_owned()))?
        .map_err(failed)?;
    Ok((frames, acks.into_inner()))
}

/// Reads acknowledgements until the stream ends; returns why it did.
async fn ended(acks: &mut Acks) -> String {
    loop {
        match acks.message().await {
            Ok(Some(_)) => {}
            Ok(None) => return "the peer closed the link".into(),
            Err(status) => return reason(&status),
        }
    }
}

/// A status in words: its message, and the innermost cause if the transport failed.
pub(super) fn reason(status: &Status) -> String {
    let mut innermost: Option<&dyn std::error::Error> = status.source();
    while let Some(source) = innermost.and_then(|error| error.source()) {
        innermost = Some(source);
    }
    match innermost.map(ToString::to_string) {
        // The TLS library's text is about how the peer should have said goodbye.
        Some(cause) if cause.contains("close_notify") => "the connection was closed".into(),
        Some(cause) => cause,
        None => status.message().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting() -> Greeting {
        Greeting { roster_hash: [1; 32], clock: Clock::system() }
    }

    #[test]
    fn the_class_of_a_trouble_is_told_by_what_failed() {
        let hidden = io::Error::other(rustls::Error::DecryptError);
        let cases = [
            (Status::failed_precondition("rosters"), Trouble::Misfit),
            (Status::permission_denied("not a peer"), Trouble::Certificate),
            (Status::from_error(Box::new(hidden)), Trouble::Certificate),
            (Status::from_error(Box::new(rustls::Error::DecryptError)), Trouble::Certificate),
            (Status::from_error(Box::new(io::Error::other("refused"))), Trouble::Unreachable),
            (Status::unavailable("stopping"), Trouble::Unreachable),
        ];
        for (status, class) in cases {
            assert_eq!(Trouble::of(&status), class, "{status:?}");
        }
    }

    #[test]
    fn like_servers_greet_each_other() {
        assert_eq!(greeting().check(&greeting().request()), Ok(*proto::PROTOCOL.end()));
    }

    #[test]
    fn another_version_is_refused_and_both_versions_are_said() {
        let peer = HelloRequest {
            protocol_min: 7,
            protocol_max: 9,
            version: "9.9.9".into(),
            ..greeting().request()
        };
        let error = greeting().check(&peer).expect_err("too new");
        assert!(error.contains("7..9") && error.contains("9.9.9"), "{error}");
        assert!(error.contains(env!("CARGO_PKG_VERSION")), "{error}");
    }

    #[test]
    fn another_roster_or_clock_is_refused() {
        let roster = HelloRequest { roster_hash: vec![2; 32].into(), ..greeting().request() };
        assert!(greeting().check(&roster).expect_err("differs").contains("roster"));
        let late = HelloRequest {
            unix_ms: greeting().clock.now_ms() - 2 * CLOCK_MS,
            ..greeting().request()
        };
        assert!(greeting().check(&late).expect_err("late").contains("clocks"));
    }
}

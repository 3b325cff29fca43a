//! One link: connect, greet, carry frames, and again after a failure.

use std::{error::Error, io, ops::RangeInclusive, sync::Arc, time::Duration};

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
/// How often servers that are linked greet each other again: clocks drift.
const AGAIN: Duration = Duration::from_secs(30);
/// First and longest pause between attempts to connect.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Characters of a peer's words that are shown.
const MOST_WORDS: usize = 500;
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
        if tls_error(status).is_some() {
            return Self::Certificate;
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
    /// The versions of the protocol that it speaks.
    pub protocol: RangeInclusive<u32>,
}

impl Greeting {
    /// This server's part of the greeting.
    pub fn request(&self) -> HelloRequest {
        HelloRequest {
            protocol_min: *self.protocol.start(),
            protocol_max: *self.protocol.end(),
            roster_hash: self.roster_hash.to_vec().into(),
            unix_ms: self.clock.now_ms(),
            version: env!("CARGO_PKG_VERSION").into(),
        }
    }

    /// Checks a peer's greeting; the error says what differs.
    pub fn check(&self, peer: &HelloRequest) -> Result<u32, String> {
        let (min, max) = (*self.protocol.start(), *self.protocol.end());
        if peer.protocol_max < min || peer.protocol_min > max {
            return Err(format!(
                "protocol versions do not overlap: {min}..{max} (sotto {}) here, {}..{} (sotto {}) there: \
                 install the newer sotto of the two on both sides",
                env!("CARGO_PKG_VERSION"),
                peer.protocol_min,
                peer.protocol_max,
                plain(&peer.version),
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

    /// Checks a peer's answer to the greeting; the error says what differs.
    pub fn check_answer(&self, answer: &HelloResponse) -> Result<(), String> {
        let protocol = answer.protocol;
        if !self.protocol.contains(&protocol) {
            return Err(format!("the peer wants to speak protocol version {protocol}"));
        }
        self.check_clock(answer.unix_ms)
    }

    fn check_clock(&self, theirs_ms: u64) -> Result<(), String> {
        let apart_ms = theirs_ms.abs_diff(self.clock.now_ms());
        match apart_ms > CLOCK_MS {
            true => {
                let apart_s = apart_ms / 1000;
                Err(format!(
                    "the two servers' clocks are {apart_s} s apart: synchronise them (NTP)"
                ))
            }
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
                        drifted = self.greet_again() => drifted,
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
        self.meet().await?;
        Ok(connected)
    }

    /// Requires that neither side has an old backup for its database.
    async fn meet(&self) -> Result<(), (Trouble, String)> {
        let met = self.lives.meet(&self.peer, self.client.clone()).await;
        met.map_err(|error| match error {
            LifeError::Call(status) if status.code() == Code::Unimplemented => {
                let text =
                    "it does not know this call: install the newer sotto of the two on both sides";
                (Trouble::Misfit, text.to_owned())
            }
            LifeError::Call(status) => failed(&status),
            LifeError::Storage(_) => (Trouble::Lost, error.to_string()),
            _ => (Trouble::Misfit, error.to_string()),
        })
    }

    /// Greets the peer again and again, until the two do not fit any more. That no answer comes is
    /// found by the connection's own pings.
    async fn greet_again(&self) -> (Trouble, String) {
        loop {
            tokio::select! {
                biased;
                () = self.retry.notified() => {}
                () = tokio::time::sleep(AGAIN) => {}
            }
            let fits = match greet(&mut self.client.clone(), &self.greeting).await {
                Ok(()) => self.meet().await,
                drifted => drifted,
            };
            if let Err(drifted @ (Trouble::Misfit | Trouble::Certificate, _)) = fits {
                return drifted;
            }
        }
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

fn failed(status: &Status) -> (Trouble, String) {
    (Trouble::of(status), reason(status))
}

/// Compares what must be alike, on both sides.
async fn greet(
    client: &mut PeersClient<Channel>,
    greeting: &Greeting,
) -> Result<(), (Trouble, String)> {
    let misfit = |reason| (Trouble::Misfit, reason);
    let mut hello = Request::new(greeting.request());
    hello.set_timeout(HELLO);
    let answer = client.hello(hello).await.map_err(|status| failed(&status))?.into_inner();
    greeting.check_answer(&answer).map_err(misfit)
}

async fn connect(
    mut client: PeersClient<Channel>,
    greeting: &Greeting,
) -> Result<(mpsc::Sender<Frame>, Acks), (Trouble, String)> {
    greet(&mut client, greeting).await?;
    let (frames, queue) = mpsc::channel(QUEUE);
    let acks = tokio::time::timeout(HELLO, client.link(ReceiverStream::new(queue)))
        .await
        .map_err(|_| (Trouble::Unreachable, SILENT.to_owned()))?
        .map_err(|status| failed(&status))?;
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

/// What is said of a peer that does not answer.
const SILENT: &str = "no answer in time";

/// A status in words: its message, and the innermost cause if the transport failed.
pub(super) fn reason(status: &Status) -> String {
    if let Some(text) = tls_error(status).and_then(proto::pin::refusal) {
        return text;
    }
    let mut innermost: Option<&dyn Error> = status.source();
    while let Some(source) = innermost.and_then(Error::source) {
        innermost = Some(source);
    }
    let text = match innermost.map(ToString::to_string) {
        // The TLS library's text is about how the peer should have said goodbye.
        Some(cause) if cause.contains("close_notify") => return "the connection was closed".into(),
        Some(cause) => cause,
        None if status.code() == Code::DeadlineExceeded => return SILENT.into(),
        None => plain(status.message()),
    };
    match text.as_str() {
        "Timeout expired" | "keep-alive timed out" => SILENT.into(),
        // The number that the operating system gives to it.
        _ => text.split(" (os error").next().unwrap_or_default().to_owned(),
    }
}

/// A peer's words, without anything that could steer a terminal, and not too many.
fn plain(words: &str) -> String {
    words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST_WORDS).collect()
}

/// The error of TLS by which a call failed, if it was one.
fn tls_error(status: &Status) -> Option<&rustls::Error> {
    let mut cause: Option<&(dyn Error + 'static)> = status.source();
    while let Some(error) = cause {
        // An error of TLS hides in one of reading and writing, and is not its source.
        let hidden = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let hidden = hidden.and_then(|error| error.downcast_ref());
        if let Some(error) = error.downcast_ref().or(hidden) {
            return Some(error);
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting() -> Greeting {
        Greeting { roster_hash: [1; 32], clock: Clock::system(), protocol: proto::PROTOCOL }
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
    fn a_failure_is_told_without_the_system_s_number_for_it() {
        let refused = io::Error::from_raw_os_error(111);
        assert!(refused.to_string().contains("os error"), "{refused}");
        let text = reason(&Status::from_error(Box::new(refused)));
        assert!(!text.contains("os error") && text.contains("refused"), "{text}");
        assert_eq!(reason(&Status::deadline_exceeded("")), SILENT);
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
    fn a_peer_s_words_steer_no_terminal() {
        let version = format!("9\u{1b}[2J\n{}", "9".repeat(1_000));
        let peer = HelloRequest { protocol_min: 7, version, ..greeting().request() };
        let error = greeting().check(&peer).expect_err("too new");
        assert!(!error.contains(char::is_control) && error.len() < 1_000, "{error:?}");
        let refused = Status::failed_precondition("no\u{1b}[2J\nno");
        assert_eq!(reason(&refused), "no [2J no");
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

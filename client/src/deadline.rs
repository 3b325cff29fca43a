//! How long one call may take: every request to a server carries a deadline, and a server that is
//! busy is asked again within it; one that is late is asked again for as long as its caller has
//! patience.

use std::{
    error::Error as _,
    io::{self, ErrorKind},
    time::Duration,
};

use proto::chance;
use rand::RngExt as _;
use tokio::time::Instant;
use tonic::{Code, ConnectError, Response, Status};

use crate::{
    error::ClientError,
    progress::{Event, Progress, Silent},
    refusal,
};

/// For questions and commands.
pub const ASK: Duration = Duration::from_secs(10);
/// For one submission, which the server answers when it is durable. Several megabytes may be
/// under way at once over a slow line.
pub const SUBMIT: Duration = Duration::from_secs(120);
/// For setting up TCP and TLS.
pub const CONNECT: Duration = Duration::from_secs(5);

/// The least pause before a server that is busy is asked again, and the longest that we choose.
const LEAST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long a server may close connections before anything is said: one that many come to at once
/// from one address takes so many a second, and closes the others.
const CLOSED: Duration = Duration::from_secs(10);
/// The least pause before the next connection.
const CLOSED_PAUSE: Duration = Duration::from_millis(250);
/// How long a server may be busy: when ten thousand come at once, the last of them waits.
const BUSY: Duration = Duration::from_secs(120);

/// How long servers that are all needed are waited for where nobody says how long.
pub const LATE: Duration = Duration::from_secs(60);
/// The first pause before a server that is late is asked again; each next one is twice as long.
const LATE_PAUSE: Duration = Duration::from_millis(500);

/// How long a server that is late is asked again, and who is told for whom one waits.
#[derive(Clone, Copy)]
pub struct Patience<'a> {
    /// From the first question on; a question that has been asked may take longer.
    pub longest: Duration,
    /// Is told.
    pub progress: &'a dyn Progress,
}

impl Patience<'_> {
    /// Asks once: for those who can do with the others' answers.
    pub const NONE: Self = Self { longest: Duration::ZERO, progress: &Silent };

    /// Asks, and asks again while a server that is needed is late or busy ([`ClientError::is_late`]).
    /// Only for what may be done twice.
    pub async fn ask<T, A>(self, question: impl Fn() -> A) -> Result<T, ClientError>
    where
        A: Future<Output = Result<T, ClientError>>,
    {
        let started = Instant::now();
        let mut pause = LATE_PAUSE;
        loop {
            let error = match question().await {
                Err(error) => error,
                answer => return answer,
            };
            let rest = self.longest.saturating_sub(started.elapsed());
            let Some((server, reason)) = error.awaited() else { return Err(error) };
            if rest.is_zero() {
                return Err(error);
            }
            let what = format!("an answer of {server} ({reason})");
            self.progress.event(Event::Waiting { what });
            // Spread, so that many clients do not come back at the same moment.
            let spread = chance::rng().random_range(0.75..1.25);
            tokio::time::sleep(pause.mul_f64(spread).min(rest)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// `message` as a request with a deadline.
pub fn request<T>(message: T, deadline: Duration) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.set_timeout(deadline);
    request
}

/// Makes a question or a command, and makes it again while the server says that it takes no more
/// at the moment and when it will, which must be within [`ASK`], for two minutes at most. What a
/// server refuses so it has not begun, so any call may be repeated. The same for ten seconds while it
/// closes the connection before anything could be said on it.
pub async fn patiently<T, A>(call: impl Fn() -> A) -> Result<Response<T>, Status>
where
    A: Future<Output = Result<Response<T>, Status>>,
{
    let started = Instant::now();
    loop {
        let status = match call().await {
            Err(status) => status,
            answer => return answer,
        };
        let (wish, longest) = match refusal::retry_delay(&status) {
            Some(wish) if status.code() == Code::ResourceExhausted => (wish, BUSY),
            _ if was_closed_before_a_call(&status) => (CLOSED_PAUSE, CLOSED),
            _ => return Err(status),
        };
        // Spread and rising, so that many clients do not come back at the same moment.
        let spread = chance::rng().random_range(1.0..1.5);
        let rising = (started.elapsed() / 2).clamp(LEAST_PAUSE, LONGEST_PAUSE);
        let pause = wish.max(rising).mul_f64(spread);
        if wish > ASK || started.elapsed() + pause > longest {
            return Err(status);
        }
        tokio::time::sleep(pause).await;
    }
}

/// Whether the connection was closed while it was set up, so that no call can have begun: not that
/// nobody listens, nor that somebody else does.
fn was_closed_before_a_call(status: &Status) -> bool {
    let mut cause = status.source();
    let mut is_new = false;
    while let Some(error) = cause {
        is_new |= error.is::<ConnectError>();
        if let Some(error) = error.downcast_ref::<io::Error>() {
            // One that took too long has waited already.
            let kind = error.kind();
            if is_new && kind != ErrorKind::TimedOut && refusal::is_passing(kind) {
                return true;
            }
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tonic_types::{ErrorDetails, StatusExt as _};

    use super::*;

    fn busy(retry_ms: u64) -> Status {
        let details = ErrorDetails::with_retry_info(Some(Duration::from_millis(retry_ms)));
        Status::with_error_details(Code::ResourceExhausted, "too fast", details)
    }

    #[tokio::test]
    async fn a_server_that_says_when_it_will_answer_is_asked_again() {
        let calls = Cell::new(0);
        let answer = patiently(async || {
            calls.set(calls.get() + 1);
            if calls.get() < 3 { Err(busy(1)) } else { Ok(Response::new(calls.get())) }
        });
        assert_eq!(answer.await.unwrap().into_inner(), 3);
    }

    #[tokio::test]
    async fn a_refusal_or_a_wish_beyond_the_deadline_is_passed_on_at_once() {
        let calls = Cell::new(0);
        for status in
            [busy(60_000), Status::resource_exhausted("no"), Status::failed_precondition("no")]
        {
            let answer: Result<Response<()>, _> = patiently(async || {
                calls.set(calls.get() + 1);
                Err(status.clone())
            })
            .await;
            assert_eq!(answer.unwrap_err().code(), status.code());
        }
        assert_eq!(calls.get(), 3);
    }

    /// Keeps what it is told.
    #[derive(Default)]
    struct Told(std::sync::Mutex<Vec<Event>>);

    impl Progress for Told {
        fn event(&self, event: Event) {
            self.0.lock().unwrap().push(event);
        }
    }

    fn unreachable(is_late: bool) -> ClientError {
        let (server, endpoint) = ("beta".into(), "https://h:1".into());
        ClientError::Unreachable { server, endpoint, reason: "no answer in time".into(), is_late }
    }

    #[tokio::test]
    async fn a_server_that_is_late_is_named_and_asked_until_it_answers() {
        let (calls, told) = (Cell::new(0), Told::default());
        let patience = Patience { longest: ASK, progress: &told };
        let answer = patience.ask(async || {
            calls.set(calls.get() + 1);
            if calls.get() < 3 { Err(unreachable(true)) } else { Ok(calls.get()) }
        });
        assert_eq!(answer.await.unwrap(), 3);
        let what = "an answer of beta (no answer in time)".to_owned();
        let waiting = Event::Waiting { what };
        assert_eq!(*told.0.lock().unwrap(), [waiting.clone(), waiting]);
    }

    #[tokio::test]
    async fn a_server_that_stays_busy_is_asked_for_as_long_as_its_caller_has_patience() {
        let (calls, told) = (Cell::new(0), Told::default());
        let answer = Patience { longest: ASK, progress: &told }.ask(async || {
            calls.set(calls.get() + 1);
            let (server, reason) = ("beta".into(), "this server is busy".into());
            if calls.get() < 2 { Err(ClientError::Busy { server, reason }) } else { Ok(()) }
        });
        answer.await.unwrap();
        assert_eq!((calls.get(), told.0.lock().unwrap().len()), (2, 1));
    }

    #[tokio::test]
    async fn patience_ends_and_is_only_for_who_is_late() {
        let told = Told::default();
        let short = Patience { longest: Duration::from_millis(600), progress: &told };
        for (patience, is_late, most) in
            [(short, true, 3), (short, false, 1), (Patience::NONE, true, 1)]
        {
            let calls = Cell::new(0);
            let answer: Result<(), _> = patience
                .ask(async || {
                    calls.set(calls.get() + 1);
                    Err(unreachable(is_late))
                })
                .await;
            assert!(answer.unwrap_err().is_unreachable());
            assert!((most.min(2)..=most).contains(&calls.get()), "{} of {most}", calls.get());
        }
    }

    #[tokio::test]
    async fn a_connection_that_is_closed_at_once_is_made_again_and_one_that_is_refused_is_not() {
        for (kind, wanted) in [
            (ErrorKind::UnexpectedEof, 2),
            (ErrorKind::ConnectionReset, 2),
            (ErrorKind::ConnectionRefused, 1),
            (ErrorKind::InvalidData, 1),
        ] {
            let calls = Cell::new(0);
            let answer = patiently(async || {
                calls.set(calls.get() + 1);
                let error = ConnectError(io::Error::from(kind).into());
                if calls.get() < 2 {
                    Err(Status::from_error(Box::new(error)))
                } else {
                    Ok(Response::new(()))
                }
            });
            assert_eq!(answer.await.is_ok(), wanted == 2, "{kind}");
            assert_eq!(calls.get(), wanted, "{kind}");
        }
        let call = Status::from_error(Box::new(io::Error::from(ErrorKind::ConnectionReset)));
        assert!(!was_closed_before_a_call(&call), "it may have begun");
    }
}

//! How long one call may take: every request to a server carries a deadline, and a server that is
//! busy is asked again within it.

use std::time::{Duration, Instant};

use rand::RngExt as _;
use tonic::{Code, Response, Status};

use crate::refusal;

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
/// How long a server may be busy: when ten thousand come at once, the last of them waits.
const BUSY: Duration = Duration::from_secs(120);

/// `message` as a request with a deadline.
pub fn request<T>(message: T, deadline: Duration) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.set_timeout(deadline);
    request
}

/// Makes a question or a command, and makes it again while the server says that it takes no more
/// at the moment and when it will, which must be within [`ASK`], for two minutes at most. What a
/// server refuses so it has not begun, so any call may be repeated.
pub async fn patiently<T, A>(call: impl Fn() -> A) -> Result<Response<T>, Status>
where
    A: Future<Output = Result<Response<T>, Status>>,
{
    let started = Instant::now();
    loop {
        let status = match call().await {
            Err(status) if status.code() == Code::ResourceExhausted => status,
            answer => return answer,
        };
        let Some(wish) = refusal::retry_delay(&status) else { return Err(status) };
        // Spread and rising, so that many clients do not come back at the same moment.
        let spread = rand::rng().random_range(1.0..1.5);
        let rising = (started.elapsed() / 2).clamp(LEAST_PAUSE, LONGEST_PAUSE);
        let pause = wish.max(rising).mul_f64(spread);
        if wish > ASK || started.elapsed() + pause > BUSY {
            return Err(status);
        }
        tokio::time::sleep(pause).await;
    }
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
}

//! Checkup: what `sotto doctor` looks at in a server, and from when on it is a worry; the same for
//! clients and for operators.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tonic::{Code, Request, Status, transport::Channel};

use crate::{
    MAX_MEASURE,
    pin::{Facts, day},
    v1::{DescribeRequest, DescribeResponse, MeasureRequest, directory_client::DirectoryClient},
};

/// Questions of which the median is the round trip.
const TRIPS: usize = 5;
/// Deadline of a question, and of the upload that is measured.
const ASK: Duration = Duration::from_secs(10);
const UPLOAD: Duration = Duration::from_secs(30);
/// Where a clock becomes a worry, and where servers and clients refuse it.
const CLOCK_MS: (u64, u64) = (30_000, 300_000);
/// Days before its end in which a certificate is renewed.
const CERTIFICATE_DAYS: i64 = 30;
/// A round trip that makes every round of a protocol slow.
const SLOW_TRIP: Duration = Duration::from_secs(1);
/// Bytes a second at which the largest share takes ten seconds.
const SLOW_UPLOAD: u64 = 100_000;

/// Whose a finding is that is about no server: the machine that the command runs on.
pub const HERE: &str = "this machine";

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// It works, and may not for long.
    Warn,
    /// It does not work.
    Fail,
}

/// What was looked at, and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Whose: a server's name, or what is looked at on this machine.
    pub about: String,
    /// What was looked at.
    pub check: &'static str,
    /// How bad it is.
    pub state: State,
    /// What was found. Never a secret.
    pub found: String,
    /// What to do about it; none when nothing has to be done.
    pub remedy: Option<String>,
}

impl Finding {
    /// Nothing has to be done.
    pub fn ok(about: &str, check: &'static str, found: impl Into<String>) -> Self {
        let about = about.to_owned();
        Self { about, check, state: State::Ok, found: found.into(), remedy: None }
    }

    /// Something should be done.
    pub fn warn(
        about: &str,
        check: &'static str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let (state, remedy) = (State::Warn, Some(remedy.into()));
        Self { state, remedy, ..Self::ok(about, check, found) }
    }

    /// Something has to be done.
    pub fn fail(
        about: &str,
        check: &'static str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { state: State::Fail, ..Self::warn(about, check, found, remedy) }
    }
}

/// What was measured at a server.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Who it says that it is.
    pub description: DescribeResponse,
    /// How far its clock is ahead of this machine's, in milliseconds; as exact as half a round trip.
    pub ahead_ms: i64,
    /// The median of several round trips.
    pub trip: Duration,
    /// Bytes a second on the way to it, or why that was not measured.
    pub upload: Result<u64, Status>,
}

/// Asks the server at the other end of `channel` who it is, several times, and sends it some bytes.
pub async fn measure(channel: Channel) -> Result<Measured, Status> {
    let directory = DirectoryClient::new(channel).max_decoding_message_size(crate::MAX_MESSAGE);
    let ask = async || {
        let (started, asked_ms) = (Instant::now(), now_ms());
        let call = request(DescribeRequest {}, ASK);
        let description = directory.clone().describe(call).await?.into_inner();
        Ok::<_, Status>((description, started.elapsed(), asked_ms))
    };
    // The first one connects.
    ask().await?;
    let mut answers = Vec::with_capacity(TRIPS);
    for _ in 0..TRIPS {
        answers.push(ask().await?);
    }
    answers.sort_by_key(|(_, trip, _)| *trip);
    let (description, trip, asked_ms) = answers.swap_remove(TRIPS / 2);
    let there = i64::try_from(description.unix_ms).unwrap_or(i64::MAX);
    let middle_ms = asked_ms.saturating_add(as_ms(trip) / 2);
    let ahead_ms = there.saturating_sub(middle_ms);
    let upload = upload(directory, trip).await;
    Ok(Measured { description, ahead_ms, trip, upload })
}

async fn upload(mut directory: DirectoryClient<Channel>, trip: Duration) -> Result<u64, Status> {
    let filler = MeasureRequest { filler: vec![0; MAX_MEASURE].into() };
    let started = Instant::now();
    directory.measure(request(filler, UPLOAD)).await?;
    // Without the way of the answer; a millisecond is the least that means something.
    let took = started.elapsed().saturating_sub(trip).max(Duration::from_millis(1));
    let per_second = (MAX_MEASURE as u128 * 1_000) / took.as_millis().max(1);
    Ok(u64::try_from(per_second).unwrap_or(u64::MAX))
}

impl Measured {
    /// What there is to say about clock, round trip and bandwidth.
    pub fn findings(&self, about: &str) -> Vec<Finding> {
        vec![clock(about, self.ahead_ms), round_trip(about, self.trip), self.bandwidth(about)]
    }

    fn bandwidth(&self, about: &str) -> Finding {
        let check = "bandwidth";
        let again = "repeat the command when the server is less busy";
        match &self.upload {
            Ok(rate) if *rate < SLOW_UPLOAD => {
                let remedy = "use a faster line: a large share takes more than 10 s on this one";
                Finding::warn(about, check, format!("{} to it", per_second(*rate)), remedy)
            }
            Ok(rate) => Finding::ok(about, check, format!("{} to it", per_second(*rate))),
            Err(status) if status.code() == Code::Unimplemented => {
                let remedy = "nothing, or ask its operator to install a newer sotto";
                Finding::warn(about, check, "the server does not measure it", remedy)
            }
            Err(status) if status.code() == Code::ResourceExhausted => {
                Finding::warn(about, check, "not measured: the server is busy", again)
            }
            Err(_) => Finding::warn(about, check, "not measured: no answer in time", again),
        }
    }
}

/// A server's clock against this machine's.
pub fn clock(about: &str, ahead_ms: i64) -> Finding {
    let check = "clock";
    let side = if ahead_ms < 0 { "behind" } else { "ahead of" };
    let apart_ms = ahead_ms.unsigned_abs();
    let (seconds, rest) = (apart_ms / 1_000, apart_ms % 1_000);
    let found = format!("{seconds}.{rest:03} s {side} this machine's");
    let remedy = "synchronise both machines' clocks (NTP)";
    match apart_ms {
        _ if apart_ms < CLOCK_MS.0 => Finding::ok(about, check, found),
        _ if apart_ms <= CLOCK_MS.1 => Finding::warn(about, check, found, remedy),
        _ => Finding::fail(about, check, found, remedy),
    }
}

/// How long a certificate is valid still.
pub fn certificate(about: &str, facts: Facts, now_s: i64) -> Finding {
    const DAY_S: i64 = 24 * 60 * 60;
    let check = "certificate";
    let days = facts.not_after.saturating_sub(now_s).div_euclid(DAY_S);
    let renew = "its operator repeats `sotto certs new` with the same arguments";
    if now_s < facts.not_before {
        let remedy = "set this machine's clock, or issue the certificate again";
        let found = format!("not valid before {}", day(facts.not_before));
        return Finding::fail(about, check, found, remedy);
    }
    match days {
        ..0 => Finding::fail(about, check, expired(facts.not_after, -days), renew),
        0..CERTIFICATE_DAYS => Finding::warn(about, check, days_left(days), renew),
        _ => Finding::ok(about, check, days_left(days)),
    }
}

fn expired(not_after: i64, days: i64) -> String {
    format!("expired on {}, {days} day{} ago", day(not_after), if days == 1 { "" } else { "s" })
}

fn days_left(days: i64) -> String {
    format!("{days} day{} left", if days == 1 { "" } else { "s" })
}

fn round_trip(about: &str, trip: Duration) -> Finding {
    let tenths = trip.as_micros() / 100;
    let found = format!("{}.{} ms, median of {TRIPS}", tenths / 10, tenths % 10);
    match trip > SLOW_TRIP {
        true => {
            let remedy = "use a shorter way to it: every round of a protocol takes this long";
            Finding::warn(about, "round trip", found, remedy)
        }
        false => Finding::ok(about, "round trip", found),
    }
}

fn per_second(rate: u64) -> String {
    match rate {
        0..1_000_000 => format!("{} kB/s", rate / 1_000),
        _ => format!("{}.{} MB/s", rate / 1_000_000, rate % 1_000_000 / 100_000),
    }
}

fn request<T>(message: T, deadline: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(deadline);
    request
}

fn now_ms() -> i64 {
    as_ms(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn as_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pin::Pin;

    const DAY: i64 = 86_400;

    #[test]
    fn a_clock_is_a_worry_before_it_is_refused() {
        let cases = [
            (0, State::Ok, "0.000 s ahead"),
            (-29_999, State::Ok, "29.999 s behind"),
            (30_000, State::Warn, "30.000 s ahead"),
            (-300_000, State::Warn, "300.000 s behind"),
            (300_001, State::Fail, "300.001 s ahead"),
            (i64::MIN, State::Fail, "behind"),
        ];
        for (ahead_ms, state, found) in cases {
            let finding = clock("beta", ahead_ms);
            assert_eq!(finding.state, state, "{ahead_ms}");
            assert!(finding.found.contains(found), "{}", finding.found);
            assert_eq!(finding.remedy.is_some(), state != State::Ok);
        }
    }

    #[test]
    fn a_certificate_is_a_worry_in_its_last_thirty_days() {
        let (pin, fingerprint) = (Pin([0; 32]), [0; 32]);
        let facts = Facts { pin, fingerprint, not_before: 100 * DAY, not_after: 200 * DAY };
        let cases = [
            (99 * DAY, State::Fail, "not valid before 1970-04-11 00:00 UTC"),
            (100 * DAY, State::Ok, "100 days left"),
            (170 * DAY, State::Ok, "30 days left"),
            (171 * DAY, State::Warn, "29 days left"),
            (199 * DAY, State::Warn, "1 day left"),
            (203 * DAY, State::Fail, "expired on 1970-07-20 00:00 UTC, 3 days ago"),
        ];
        for (now, state, found) in cases {
            let finding = certificate("beta", facts, now);
            assert_eq!((finding.state, finding.found.as_str()), (state, found));
        }
    }

    #[test]
    fn what_could_not_be_measured_is_no_failure() {
        let measured = |upload| Measured {
            description: DescribeResponse::default(),
            ahead_ms: 0,
            trip: Duration::from_millis(1),
            upload,
        };
        let of = |upload| measured(upload).bandwidth("beta");
        assert_eq!(of(Ok(2_340_000)).found, "2.3 MB/s to it");
        assert_eq!(of(Ok(99_999)).state, State::Warn);
        for status in [Status::unimplemented("no"), Status::resource_exhausted("no")] {
            assert_eq!(of(Err(status)).state, State::Warn);
        }
    }
}

//! From a server's gRPC status to what the person at the terminal should know and do.

use std::{
    error::Error as _,
    io::{self, ErrorKind},
    time::Duration,
};

use rustls::CertificateError;
use tonic::{Code, ConnectError, Status, TimeoutExpired};
use tonic_types::StatusExt as _;

use crate::{
    connection::Server,
    error::{ClientError, without_number},
    status::printable,
};

/// The error that a failed call to `server` is.
pub fn from_status(server: &Server, status: &Status) -> ClientError {
    let name = server.name().to_owned();
    if is_unreachable(status) {
        return ClientError::Unreachable {
            server: name,
            endpoint: server.endpoint(),
            reason: reason(status),
            is_late: is_late(status),
        };
    }
    let reason = reason(status);
    match status.code() {
        Code::Unauthenticated | Code::PermissionDenied => {
            ClientError::NotAuthorised { server: name, reason }
        }
        Code::ResourceExhausted if retry_delay(status).is_some() => {
            ClientError::Busy { server: name, reason }
        }
        Code::FailedPrecondition | Code::ResourceExhausted | Code::AlreadyExists => {
            ClientError::Refused { server: name, reason }
        }
        Code::Unimplemented => ClientError::BrokenBy {
            server: name,
            what: format!("it does not know this call ({reason})"),
        },
        Code::Internal | Code::DataLoss | Code::Unknown => {
            ClientError::BrokenBy { server: name, what: format!("it reports an error: {reason}") }
        }
        _ => ClientError::NotAccepted { server: name, reason },
    }
}

/// Whether repeating the same call may succeed. Only for calls that may be repeated.
pub fn is_transient(status: &Status) -> bool {
    is_unreachable(status) || matches!(status.code(), Code::ResourceExhausted | Code::Aborted)
}

/// Whether the server is there and gave no answer for now: it was late, it is not ready, or the
/// connection broke. Not that nobody listens, nor that whoever does is not trusted.
fn is_late(status: &Status) -> bool {
    let mut cause = status.source();
    if cause.is_none() || status.code() == Code::DeadlineExceeded || status.message() == TIMEOUT {
        return true;
    }
    let mut is_new = false;
    while let Some(error) = cause {
        if error.is::<TimeoutExpired>() {
            return true;
        }
        is_new |= error.is::<ConnectError>();
        if let Some(error) = error.downcast_ref::<io::Error>().filter(|_| is_new) {
            return is_passing(error.kind());
        }
        cause = error.source();
    }
    // One that was there broke.
    !is_new
}

/// What happens to connections with somebody who listens.
pub fn is_passing(kind: ErrorKind) -> bool {
    let broken = [
        ErrorKind::UnexpectedEof,
        ErrorKind::ConnectionReset,
        ErrorKind::ConnectionAborted,
        ErrorKind::BrokenPipe,
    ];
    kind == ErrorKind::TimedOut || broken.contains(&kind)
}

/// How long the server asks to wait before the call is repeated.
pub fn retry_delay(status: &Status) -> Option<Duration> {
    status.get_details_retry_info().and_then(|info| info.retry_delay)
}

/// The server's words, or the transport's deepest cause when the call never got an answer; nothing
/// in them steers a terminal.
pub fn reason(status: &Status) -> String {
    printable(&words(status))
}

fn words(status: &Status) -> String {
    if let Some(text) = out_of_date(status) {
        return text;
    }
    let mut cause = status.source();
    let mut deepest = None;
    while let Some(error) = cause {
        deepest = Some(error.to_string());
        cause = error.source();
    }
    match (deepest, status.code()) {
        (_, Code::DeadlineExceeded) => "no answer in time".into(),
        (Some(text), _) if text == TIMEOUT || text == ELAPSED => "no answer in time".into(),
        // rustls says this of every peer that ended without a goodbye, with a link to its manual.
        (Some(text), _) if text.contains("close_notify") => "the connection was closed".into(),
        (Some(text), _) if text.starts_with(CERTIFICATE) => certificate(&text),
        // rustls' words before those of the profile's pin.
        (Some(text), _) if text.starts_with(GENERAL) => text.replacen(GENERAL, "", 1),
        (Some(text), _) if !text.is_empty() => without_number(&text),
        (_, code) if status.message().is_empty() => code.description().into(),
        _ => status.message().into(),
    }
}

/// A certificate whose dates are the trouble, with them.
fn out_of_date(status: &Status) -> Option<String> {
    let mut cause = status.source();
    while let Some(error) = cause {
        let hidden = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let hidden = hidden.and_then(|error| error.downcast_ref::<rustls::Error>());
        let found = error.downcast_ref::<rustls::Error>().or(hidden);
        if let Some(
            error @ rustls::Error::InvalidCertificate(
                CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYetContext { .. },
            ),
        ) = found
        {
            return proto::pin::refusal(error);
        }
        cause = error.source();
    }
    None
}

/// How rustls begins an error of our own.
const GENERAL: &str = "unexpected error: ";

/// How rustls begins when it does not accept a certificate.
const CERTIFICATE: &str = "invalid peer certificate: ";

/// Why a certificate is not accepted; some causes are rustls' names of them.
fn certificate(text: &str) -> String {
    match text.strip_prefix(CERTIFICATE).unwrap_or(text) {
        // Two authorities of the same name differ in their signatures.
        "UnknownIssuer" | "BadSignature" => {
            "its certificate is of no authority in the profile's `roots`: add its operator's ca.pem"
                .into()
        }
        "BadEncoding" => "its certificate cannot be read".into(),
        other => format!("its certificate is not accepted: {other}"),
    }
}

/// What tonic calls its own timeout.
const TIMEOUT: &str = "Timeout expired";
/// What tokio calls that of a connection.
const ELAPSED: &str = "deadline has elapsed";

/// The call may not have arrived: the server said so, or the transport did. Statuses that a
/// server sent have no source; the transport's have.
fn is_unreachable(status: &Status) -> bool {
    let from_transport = status.source().is_some() || status.message() == TIMEOUT;
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded => true,
        Code::Cancelled | Code::Unknown | Code::Internal => from_transport,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::ErrorDetails;

    #[test]
    fn only_refusals_that_may_pass_are_repeated() {
        assert!(is_transient(&Status::unavailable("draining")));
        assert!(is_transient(&Status::resource_exhausted("queue is full")));
        assert!(is_transient(&Status::cancelled(TIMEOUT)));
        assert!(!is_transient(&Status::failed_precondition("the study is closed")));
        assert!(!is_transient(&Status::already_exists("other bytes")));
        assert!(!is_transient(&Status::internal("storage")));
    }

    #[test]
    fn a_server_s_refusal_cannot_steer_the_terminal() {
        let status = Status::failed_precondition("no\u{1b}]0;x\u{7}\u{202e}\nerror: all is well");
        assert_eq!(reason(&status), "no ]0;x   error: all is well");
    }

    #[tokio::test]
    async fn a_connection_that_is_not_set_up_in_time_is_no_answer_in_time() {
        let never = tokio::time::timeout(Duration::ZERO, std::future::pending::<()>());
        let elapsed = io::Error::new(ErrorKind::TimedOut, never.await.unwrap_err());
        let status = Status::from_error(Box::new(ConnectError(elapsed.into())));
        assert_eq!(reason(&status), "no answer in time");
        assert!(is_late(&status));
    }

    #[test]
    fn who_is_late_is_told_from_who_is_not_there() {
        let transport = |kind: ErrorKind| {
            Status::from_error(Box::new(ConnectError(io::Error::from(kind).into())))
        };
        for kind in [ErrorKind::TimedOut, ErrorKind::ConnectionReset, ErrorKind::UnexpectedEof] {
            assert!(is_late(&transport(kind)), "{kind}");
        }
        for kind in [ErrorKind::ConnectionRefused, ErrorKind::InvalidData, ErrorKind::NotFound] {
            assert!(is_unreachable(&transport(kind)) && !is_late(&transport(kind)), "{kind}");
        }
        for status in [Status::unavailable("stopping"), Status::deadline_exceeded("")] {
            assert!(is_late(&status), "{status}");
        }
        assert!(is_late(&Status::cancelled(TIMEOUT)));
        let call = Status::from_error(Box::new(io::Error::from(ErrorKind::InvalidData)));
        assert!(is_late(&call), "there was a connection");
        assert!(is_late(&Status::from_error(Box::new(TimeoutExpired(())))));
    }

    #[test]
    fn the_server_s_wish_to_wait_is_read_from_its_details() {
        let wait = Duration::from_millis(1500);
        let details = ErrorDetails::with_retry_info(Some(wait));
        let status = Status::with_error_details(Code::ResourceExhausted, "busy", details);
        assert_eq!(retry_delay(&status), Some(wait));
        assert_eq!(retry_delay(&Status::resource_exhausted("busy")), None);
    }
}

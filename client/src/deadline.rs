//! How long one call may take: every request to a server carries a deadline.

use std::time::Duration;

/// For questions and commands.
pub const ASK: Duration = Duration::from_secs(10);
/// For one submission, which the server answers when it is durable. Several megabytes may be
/// under way at once over a slow line.
pub const SUBMIT: Duration = Duration::from_secs(120);
/// For setting up TCP and TLS.
pub const CONNECT: Duration = Duration::from_secs(5);

/// `message` as a request with a deadline.
pub fn request<T>(message: T, deadline: Duration) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.set_timeout(deadline);
    request
}

//! SIGINT and SIGTERM, as something that a command can look at.

use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Signals that come together are one: some programs send theirs to a process and its group.
const TOGETHER: Duration = Duration::from_secs(1);

/// A token that is cancelled by the first SIGINT or SIGTERM. A later one ends the process at
/// once, for a command that does not stop by itself.
///
/// The handlers are in place when this returns: whoever reads what a command prints may signal it
/// at once.
pub fn stop() -> CancellationToken {
    let token = CancellationToken::new();
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Without handlers the signals end the process, which is safe at any moment.
        return token;
    };
    let stop = token.clone();
    tokio::spawn(async move {
        let mut first = None;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if first.get_or_insert_with(Instant::now).elapsed() > TOGETHER {
                std::process::exit(i32::from(client::Exit::Interrupted.code()));
            }
            stop.cancel();
        }
    });
    token
}

/// SIGHUP, again and again.
pub struct Hangup(Option<Signal>);

/// The handler of SIGHUP, in place when this returns.
pub fn hangup() -> Hangup {
    Hangup(signal(SignalKind::hangup()).ok())
}

impl Hangup {
    /// Waits for the next one.
    pub async fn next(&mut self) {
        if let Some(signal) = &mut self.0
            && signal.recv().await.is_some()
        {
            return;
        }
        // There will be no other.
        std::future::pending().await
    }
}

//! SIGINT and SIGTERM, as something that a command can look at.

use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Signals that come together are one: some programs send theirs to a process and its group.
const TOGETHER: Duration = Duration::from_secs(1);

/// A token that is cancelled by the first SIGINT or SIGTERM. A later one ends the process at
/// once, for a command that does not stop by itself.
pub fn stop() -> CancellationToken {
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            // Without handlers the signals end the process, which is safe at any moment.
            return;
        };
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

//! `sotto serve`: one production server.

use std::path::PathBuf;

use server::{Server, config::Config};

use crate::{descriptors, failure::Failure, logging, signal};

/// Run one server.
///
/// Logs to stderr, in JSON unless stderr is a terminal. With `[metrics] listen` in the configuration
/// metrics for Prometheus are served there; with `[tracing] otlp` spans are exported. A renewed
/// certificate and a changed `[tls] revoked` are taken up within a second, and at once after SIGHUP.
/// SIGTERM and SIGINT drain: nothing new is taken, what is under way is finished, and the process ends within 30 s. What was acknowledged
/// is durable, and the next start goes on where this one stopped.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sotto config check server.toml
  sotto serve --config server.toml")]
pub struct Serve {
    /// The server's configuration (TOML).
    #[arg(long, value_name = "FILE", env = "SOTTO_CONFIG")]
    config: PathBuf,
}

impl Serve {
    pub async fn run(self) -> Result<(), Failure> {
        let stop = signal::stop();
        let mut hangup = signal::hangup();
        let failed = |error: &dyn std::fmt::Display| Failure::Server(error.to_string());
        let config = Config::load(&self.config).map_err(|error| failed(&error))?;
        let spans = logging::start_server(&config.name, config.otlp.as_deref())
            .map_err(|error| failed(&format!("tracing.otlp cannot be used: {error}")))?;
        descriptors::raise(config.limits.connections);
        let mut running = Server::start(config).await.map_err(|error| failed(&error))?;
        let served = loop {
            tokio::select! {
                () = stop.cancelled() => {
                    running.shutdown().await;
                    break Ok(());
                }
                () = hangup.next() => running.reload(),
                error = running.failed() => break Err(failed(&error)),
            }
        };
        spans.end().await;
        served
    }
}

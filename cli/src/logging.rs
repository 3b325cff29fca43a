//! Logs go to stderr, so that stdout holds data alone.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{EnvFilter, fmt};

/// How a command logs by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logs {
    /// Warnings; a client's news are its progress.
    Client,
    /// Failures alone: servers that stop together warn of each other.
    Demonstration,
    /// What a cluster on one's own machine does.
    Development,
    /// What a production server does; JSON when a machine reads it.
    Server,
}

/// Starts logging. `SOTTO_LOG`, else `RUST_LOG`, overrides the level.
pub fn start(logs: Logs) {
    let default = match logs {
        Logs::Client => "warn",
        Logs::Demonstration => "error",
        Logs::Development | Logs::Server => "info",
    };
    let wish = ["SOTTO_LOG", "RUST_LOG"].into_iter().find_map(|name| std::env::var(name).ok());
    let filter = wish.filter(|wish| !wish.is_empty()).unwrap_or_else(|| default.into());
    let filter = EnvFilter::try_new(&filter).unwrap_or_else(|error| {
        eprintln!("warning: the log filter {filter:?} is not used: {error}");
        EnvFilter::new(default)
    });
    let terminal = io::stderr().is_terminal();
    let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(colour);
    // Fails only when logging runs already.
    let _ = match logs == Logs::Server && !terminal {
        true => builder.json().try_init(),
        false => builder.with_target(false).try_init(),
    };
}

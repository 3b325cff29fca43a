//! `sotto config`: looks at a server's configuration before it is used.

use std::path::PathBuf;

use serde::Serialize;
use server::config::{Approve, Config};

use super::Global;
use crate::failure::Failure;

/// Check a server's configuration.
#[derive(Debug, clap::Subcommand)]
pub enum ConfigCommand {
    /// Check a configuration with its roster, keys and certificate, and say what it comes to.
    ///
    /// Servers work together when their roster hashes are equal.
    Check {
        /// The configuration (TOML).
        file: PathBuf,
    },
}

/// What a configuration comes to.
#[derive(Serialize)]
struct Summary {
    name: String,
    listen: String,
    identity: String,
    roster_hash: String,
    roster: Vec<String>,
    analysts: usize,
    operators: usize,
    approve: &'static str,
}

impl ConfigCommand {
    pub fn run(self, global: &Global) -> Result<(), Failure> {
        let Self::Check { file } = self;
        let config = Config::load(&file).map_err(|error| Failure::Server(error.to_string()))?;
        let servers = config.roster.servers().iter();
        let summary = Summary {
            name: config.name.clone(),
            listen: config.listen.to_string(),
            identity: config.identity.public().to_string(),
            roster_hash: hex(&config.roster.hash()),
            roster: servers.map(|server| server.name.clone()).collect(),
            analysts: config.analysts.len(),
            operators: config.operators.len(),
            approve: match config.approve {
                Approve::Manual => "manual",
                Approve::Automatic => "automatic",
            },
        };
        global.format().print(&summary, |summary| {
            format!(
                "{} listens on {}\nidentity     {}\nroster       {}\nroster hash  {}\n\
                 analysts     {}\noperators    {}\napproval     {}",
                summary.name,
                summary.listen,
                summary.identity,
                summary.roster.join(", "),
                summary.roster_hash,
                summary.analysts,
                summary.operators,
                summary.approve,
            )
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

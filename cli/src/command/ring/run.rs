//! `sotto ring run`: a whole class on this machine, every message shown as it passes.

use std::path::PathBuf;

use mpc::ring::Protocol;

use super::{Global, ScaleOptions};
use crate::failure::Failure;

/// Play a round on this machine: one gRPC peer per pupil, every message shown.
///
/// Without --values the class of 20 that comes with the program plays.
#[derive(Debug, clap::Args)]
pub struct Run {
    /// CSV file with a header and one row per pupil.
    #[arg(long, value_name = "FILE")]
    values: Option<PathBuf>,
    /// The column with the values; may be left out where only one has numbers.
    #[arg(long, value_name = "NAME")]
    column: Option<String>,
    #[command(flatten)]
    scale: ScaleOptions,
    /// How the sum is computed: `ring`, `rings` or `shares`.
    #[arg(long, default_value_t = Protocol::Ring, value_name = "PROTOCOL")]
    protocol: Protocol,
    /// Let these pupils put together what they saw: P3,P5.
    #[arg(long, value_delimiter = ',', value_name = "PUPILS")]
    collude: Vec<String>,
    /// Wait for Enter before each message.
    #[arg(long)]
    step: bool,
    /// Let a pupil break the rules: P4=drops, P4=twice, P4=garbage or P4=lies.
    #[arg(long, value_name = "PUPIL=HOW")]
    misbehave: Option<String>,
}

impl Run {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let _ = (self, global);
        todo!()
    }
}

//! `sotto ring`: the classroom protocol, on one machine, on several, and with a page.

use clap::Subcommand;
use client::ring::scale::Scale;

use super::Global;
use crate::failure::Failure;

mod host;
mod join;
mod run;
mod web;

/// The classroom protocol: pupils learn the average of their grades, and nobody's grade is shown.
#[derive(Debug, Subcommand)]
pub enum RingCommand {
    Run(run::Run),
    Host(host::Host),
    Join(join::Join),
}

/// The values that a class plays with.
#[derive(Debug, Clone, clap::Args)]
pub struct ScaleOptions {
    /// The smallest value.
    #[arg(long, default_value = "0", allow_hyphen_values = true, value_name = "VALUE")]
    min: String,
    /// The largest value.
    #[arg(long, default_value = "100", allow_hyphen_values = true, value_name = "VALUE")]
    max: String,
    /// Digits after the point.
    #[arg(long, default_value_t = 1, value_name = "DIGITS")]
    decimals: u8,
}

impl RingCommand {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::Run(command) => command.run(global).await,
            Self::Host(command) if command.web => web::run(command, global).await,
            Self::Host(command) => command.run(global).await,
            Self::Join(command) => command.run(global).await,
        }
    }
}

impl ScaleOptions {
    /// The scale that was asked for.
    pub fn scale(&self) -> Result<Scale, Failure> {
        Ok(Scale::new(&self.min, &self.max, self.decimals)?)
    }
}

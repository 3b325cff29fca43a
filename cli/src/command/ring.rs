//! `sotto ring`: the classroom protocol, on one machine, on several, and with a page.

use std::collections::BTreeSet;

use clap::Subcommand;
use client::ring::{misbehaviour::Misbehaviour, name::PupilId, scale::Scale};

use super::{Global, usage};
use crate::failure::Failure;

mod document;
mod grades;
mod host;
mod join;
mod keyboard;
mod lesson;
mod local;
mod run;
mod show;
mod web;

pub use document::Document;
pub use grades::{Grades, GradesError};
pub use local::LocalClass;
pub use run::play;

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

/// A pupil's number: `P4`, or `4`.
fn pupil(text: &str) -> Result<PupilId, String> {
    let digits = text.trim().trim_start_matches(['P', 'p']);
    match digits.parse() {
        Ok(number @ 1..) => Ok(PupilId(number)),
        _ => Err(format!("{text:?} is no pupil: pupils are P1, P2, …")),
    }
}

/// Who breaks the rules, and how: `P4=garbage`.
fn breach(text: &str) -> Result<(PupilId, Misbehaviour), String> {
    let (who, how) = text.split_once('=').ok_or("write it like P4=garbage")?;
    let how: Misbehaviour = how
        .parse()
        .map_err(|error: client::ring::misbehaviour::NoMisbehaviour| error.to_string())?;
    Ok((pupil(who)?, how))
}

/// Ends the program as clap does when somebody is named twice.
fn check_once(colluders: &[PupilId]) {
    let mut named = BTreeSet::new();
    if let Some(id) = colluders.iter().find(|id| !named.insert(**id)) {
        usage(&format!("--collude names {id} twice"));
    }
}

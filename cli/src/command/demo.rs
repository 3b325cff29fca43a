//! `sotto demo`: the main job in one command, beside the answer in the clear.

use clap::ValueEnum;

use super::Global;
use crate::{failure::Failure, signal};

mod compare;
mod people;
mod wages;

/// Run the main job over real data and compare it with the plaintext answer.
///
/// Starts three servers on this machine (TLS, storage in a temporary directory), creates a study,
/// submits 61,395 real records of four providers as shares, and prints the result beside the
/// answer computed in the clear. Leaves nothing running and no files.
#[derive(Debug, clap::Args)]
pub struct Demo {
    /// The job.
    #[arg(value_enum, default_value_t = Job::Wages)]
    job: Job,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Job {
    /// Mean hourly earnings by region and gender, mean age by region (US, 2004).
    Wages,
}

impl Demo {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let stop = signal::stop();
        match self.job {
            Job::Wages => wages::run(global.format(), &stop).await,
        }
    }
}

//! `sotto demo`: the main job in one command, beside the answer in the clear.

use clap::ValueEnum;

use super::Global;
use crate::{failure::Failure, signal};

mod compare;
mod people;
mod ring;
mod wages;

/// Run the main job over real data and compare it with the plaintext answer.
///
/// `wages` starts three servers on this machine (TLS, storage in a temporary directory), creates a
/// study, submits 61,395 real records of four providers as shares, and prints the result beside the
/// answer computed in the clear. `ring` plays the lesson of the classroom. Leaves nothing running
/// and no files.
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
    /// The classroom's ring: 20 pupils, the attack of two neighbours, and its repair.
    Ring,
}

impl Demo {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let stop = signal::stop();
        match self.job {
            Job::Wages => wages::run(global.format(), &stop).await,
            Job::Ring => ring::run(global.format(), &stop).await,
        }
    }
}

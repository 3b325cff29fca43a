//! `sotto receipt`: what became of a provider's submissions, by its receipts.

use std::{fs, path::PathBuf};

use client::{ClientError, receipt};

use super::Global;
use crate::{failure::Failure, report, signal, terminal::Terminal};

/// Hold receipts against the published result.
#[derive(Debug, clap::Subcommand)]
pub enum ReceiptCommand {
    Check(Check),
}

/// Check that every submission in a receipts file counts, or see why not.
///
/// Each one stands under the root that all servers signed, or was rejected for a reason, or some
/// server broke its signed word: then the two words that contradict each other are shown, and the
/// exit code is 6. Where nobody proves any of that, the exit code is 5.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sotto receipt check wages.csv.receipts
  sotto receipt check wages.csv.receipts --bundle study.bundle
  sotto receipt check wages.csv.receipts --evidence broken.json")]
pub struct Check {
    /// The receipts file that `sotto submit` wrote.
    receipts: PathBuf,
    /// Look the submissions up in this bundle, and ask no server.
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// Write what servers signed and did not keep to this file, in JSON.
    #[arg(long, value_name = "FILE")]
    evidence: Option<PathBuf>,
}

impl ReceiptCommand {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::Check(command) => command.run(global).await,
        }
    }
}

impl Check {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let profile = match self.bundle {
            Some(_) => None,
            None => Some(global.profile()?),
        };
        let stop = signal::stop();
        let terminal = Terminal::new("receipts");
        let bundle = self.bundle.as_deref();
        let report =
            receipt::check(profile.as_ref(), &self.receipts, bundle, &stop, &terminal).await?;
        terminal.clear();
        global.format().print(&report, report::receipts)?;
        if let Some(file) = self.evidence.filter(|_| !report.evidence.is_empty()) {
            fs::write(&file, report::json(&report.evidence)?)
                .map_err(|source| ClientError::File { path: file, source })?;
        }
        match report.evidence.first() {
            None if report.unproven > 0 => Err(Failure::NotProven(report.unproven)),
            None => Ok(()),
            Some(first) => Err(Failure::BrokenWord {
                server: first.server.clone(),
                submissions: report.broken,
            }),
        }
    }
}

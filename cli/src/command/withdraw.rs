//! `sotto withdraw`: a provider takes back what it submitted.

use std::{path::PathBuf, time::Duration};

use client::submit::{self, WithdrawReport};

use super::Global;
use crate::{failure::Failure, report, signal, terminal::Terminal};

/// Withdraw what was submitted, as long as the study is open.
///
/// All submissions of the receipts are withdrawn, and with them what they had replaced: none of them
/// counts. Every server signs for it, and the study's record says so. After an interruption or a
/// failure run the same command again. To submit other records instead, use
/// `sotto submit --replace`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sotto withdraw wages.csv.receipts
  sotto withdraw wages.csv.receipts --json | jq .submissions")]
pub struct Withdraw {
    /// The receipts of what is withdrawn.
    receipts: PathBuf,
    /// Give a server up that takes nothing for this long.
    #[arg(
        long,
        value_name = "SECONDS",
        env = "SOTTO_TIMEOUT",
        default_value = "300",
        value_parser = super::whole_number::<u64>
    )]
    timeout: u64,
}

impl Withdraw {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let profile = global.profile()?;
        let stop = signal::stop();
        let terminal = Terminal::new(&self.receipts.display().to_string());
        let timeout = Duration::from_secs(self.timeout);
        let withdrawn = submit::withdraw(&profile, &self.receipts, timeout, &stop, &terminal);
        let report = withdrawn.await?;
        terminal.clear();
        explain(&report);
        global.format().print(&report, text)
    }
}

/// Data: the ids of what counts no more.
fn text(report: &WithdrawReport) -> String {
    report.submissions.iter().map(|id| format!("{id}\n")).collect()
}

fn explain(report: &WithdrawReport) {
    let earlier = if report.earlier { " in an earlier run" } else { "" };
    eprintln!(
        "{}: {} withdrawn{earlier}, acknowledged by {}",
        report.receipts.display(),
        report::counted(report.submissions.len() as u64, "submission"),
        report.servers.join(", "),
    );
}

//! `sotto submit`: a provider's records, as shares, to all servers of a study.

use std::{path::PathBuf, sync::Arc, time::Duration};

use client::submit::{self, Options, SubmitReport};
use mpc::ids::StudyId;

use super::Global;
use crate::{
    failure::Failure,
    report::{self, Format},
    signal,
    terminal::Terminal,
};

/// Check the rows of CSV files and submit them to a study.
///
/// Every row is checked first; nothing of a file is sent unless all of its rows are valid. The
/// receipts of the servers are kept in FILE.csv.receipts. After an interruption or a failure run
/// the same command again: it goes on where it stopped, and nothing is counted twice. While
/// submissions are under way their bytes lie in FILE.csv.receipts.pending; keep that directory as
/// private as the CSV itself.
///
/// With --replace the file takes the place of what was submitted before, all of it, as long as the
/// study is open: the old submissions count until all servers hold the new ones, and from then on
/// the new ones do. Should the new ones not be valid, the old ones count.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sotto submit $id wages.csv
  sotto submit $id north.csv south.csv --skip-invalid
  sotto submit $id corrected.csv --replace wages.csv.receipts")]
pub struct Submit {
    /// The study's id.
    id: StudyId,
    /// The files; the first line of each names its columns.
    #[arg(required = true, value_name = "FILE.csv")]
    files: Vec<PathBuf>,
    /// Leave out rows that are not valid, and list them.
    #[arg(long)]
    skip_invalid: bool,
    /// Records per submission; the default is as many as fit.
    #[arg(long, value_name = "N", env = "SOTTO_BATCH", value_parser = super::whole_number::<u32>)]
    batch: Option<u32>,
    /// Where to keep the receipts; only with one file.
    #[arg(long, value_name = "FILE", env = "SOTTO_RECEIPTS")]
    receipts: Option<PathBuf>,
    /// Replace the submissions of these receipts; only with one file.
    #[arg(long, value_name = "RECEIPTS")]
    replace: Option<PathBuf>,
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

impl Submit {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        if self.receipts.is_some() && self.files.len() > 1 {
            let message = "--receipts names one file, so it takes one FILE.csv";
            super::usage(message);
        }
        if self.replace.is_some() && self.files.len() > 1 {
            let message =
                "--replace puts one file in the place of another, so it takes one FILE.csv";
            super::usage(message);
        }
        let profile = global.profile()?;
        let stop = signal::stop();
        let options = Options {
            batch: self.batch,
            receipts: self.receipts,
            replace: self.replace,
            skip_invalid: self.skip_invalid,
            timeout: Duration::from_secs(self.timeout),
        };
        let mut reports = Vec::new();
        for file in &self.files {
            let terminal = Arc::new(Terminal::new(&file.display().to_string()));
            let progress = terminal.clone();
            let report = submit::submit(&profile, self.id, file, &options, &stop, progress).await?;
            terminal.clear();
            explain(&report);
            if global.format() == Format::Text {
                report::print(&text(&report))?;
            }
            reports.push(report);
        }
        match global.format() {
            Format::Json => report::print(&report::json(&reports)?),
            Format::Text => Ok(()),
        }
    }
}

/// Data: the ids, and where the receipts are.
fn text(report: &SubmitReport) -> String {
    let mut text = String::new();
    for id in &report.submissions {
        text.push_str(id);
        text.push('\n');
    }
    text.push_str(&format!("receipts: {}\n", report.receipts.display()));
    text
}

/// Everything else about a file, on stderr.
fn explain(report: &SubmitReport) {
    let file = report.file.display();
    for problem in &report.problems {
        eprintln!("skipped: {problem}");
    }
    let more = report.problem_count.saturating_sub(report.problems.len() as u64);
    if more > 0 {
        eprintln!("skipped: … and {more} more");
    }
    if !report.ignored_columns.is_empty() {
        let names = report.ignored_columns.join(", ");
        let more = match report.ignored_column_count.saturating_sub(report.ignored_columns.len()) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        eprintln!("{file}: columns that the study does not name, so not sent: {names}{more}");
    }
    let resumed = match report.resumed {
        0 => String::new(),
        resumed => format!(" ({resumed} of them in an earlier run)"),
    };
    let skipped = match report.skipped {
        0 => String::new(),
        skipped => format!(", {} left out", report::counted(skipped, "row")),
    };
    let sent: Vec<_> = report
        .sent
        .iter()
        .map(|sent| format!("{} to {}", report::bytes(sent.bytes), sent.server))
        .collect();
    let sent = match sent.is_empty() {
        true => String::new(),
        false => format!("; sent {}", sent.join(", ")),
    };
    eprintln!(
        "{file}: {} in {}{resumed}{skipped}, {:.1} s{sent}",
        report::counted(report.records, "record"),
        report::counted(report.submissions.len() as u64, "submission"),
        report.elapsed_seconds,
    );
    if let Some(replaced) = &report.replaced {
        eprintln!(
            "{file}: replaces {} of {}",
            report::counted(replaced.submissions as u64, "submission"),
            replaced.receipts.display(),
        );
    }
}

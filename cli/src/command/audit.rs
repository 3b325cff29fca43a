//! `sotto audit`: a study's public record, checked without trust in any server.

use std::path::PathBuf;

use client::{
    audit::{self, Report, Verdict},
    bundle::{self, Fetched},
};
use mpc::ids::StudyId;

use super::Global;
use crate::{failure::Failure, report, signal, terminal::Terminal};

/// Check a study's published result from its public record, trusting no server.
///
/// Downloads everything public about the study from one server, or reads it from a bundle, and
/// checks all of it: signatures, the set of submissions, every commitment and opening, the answer.
/// Exit code 6 if anything is false, 3 if the file is damaged, 2 if the study's servers are not those
/// of the profile.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sotto audit $id
  sotto audit $id --keep study.bundle
  sotto audit $id --bundle study.bundle     needs no server, years later")]
pub struct Audit {
    /// The study's id.
    id: StudyId,
    /// Ask this server for the record; otherwise the first that has it.
    #[arg(long, value_name = "NAME", conflicts_with = "bundle")]
    server: Option<String>,
    /// Check this file, and ask no server.
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// Keep the record in this file; a download that broke off goes on.
    #[arg(long, value_name = "FILE", conflicts_with = "bundle")]
    keep: Option<PathBuf>,
}

impl Audit {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let terminal = Terminal::new("audit");
        let report = match &self.bundle {
            Some(file) => {
                let profile = global.profile_if_any()?;
                let check = || audit::audit(file, Some(self.id), profile.as_ref(), &terminal);
                tokio::task::block_in_place(check)?
            }
            None => self.downloaded(global, &terminal).await?,
        };
        terminal.clear();
        global.format().print(&report, report::audit)?;
        verdict(&report)
    }

    async fn downloaded(&self, global: &Global, terminal: &Terminal) -> Result<Report, Failure> {
        let profile = global.profile()?;
        let stop = signal::stop();
        let dir = tempfile::tempdir().map_err(Failure::Temporary)?;
        let file = self.keep.clone().unwrap_or_else(|| dir.path().join("bundle"));
        let server = self.server.as_deref();
        let fetched = bundle::fetch(&profile, self.id, server, &file, &stop, terminal).await?;
        let check = || audit::audit(&file, Some(self.id), Some(&profile), terminal);
        let mut report = tokio::task::block_in_place(check)?;
        match fetched {
            Fetched::From(servers) => report.came_from(servers),
            Fetched::Earlier => {
                eprintln!("{}: downloaded earlier; delete it to download it again", file.display())
            }
        }
        Ok(report)
    }
}

fn verdict(report: &Report) -> Result<(), Failure> {
    match report.verdict {
        Verdict::Holds | Verdict::Refused => Ok(()),
        Verdict::Aborted | Verdict::Untold | Verdict::Fails => {
            Err(Failure::Audit(report.says.clone()))
        }
        Verdict::Strangers => Err(Failure::Strangers(report.says.clone())),
    }
}

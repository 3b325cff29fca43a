//! `sotto doctor`: looks at everything that has to be right, and says what to do about the rest.

use std::path::PathBuf;

use proto::checkup::{Finding, HERE, State};
use serde::Serialize;

use super::Global;
use crate::{failure::Failure, report};

/// Check servers, connections, clocks, certificates and files.
///
/// With a profile: every server of it, as a client sees it. With --config, on an operator's machine:
/// the server's files, disk and database, and every other server of its roster over mutual TLS.
/// Changes nothing, and does not disturb a server that runs. Sends each server 512 KiB to measure
/// how fast they arrive.
///
/// The exit code is 0 when nothing failed (warnings may be there), 2 when the first failure is on this
/// machine, and 5 when it is about another server.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sotto doctor
  sotto doctor --config server.toml --json")]
pub struct Doctor {
    /// The configuration of the server that runs on this machine (TOML).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What was found, for programs.
#[derive(Serialize)]
pub struct Checkup {
    /// How many checks found nothing.
    ok: usize,
    /// How many found what may become a failure.
    warn: usize,
    /// How many found one.
    fail: usize,
    /// All of them.
    pub checks: Vec<Finding>,
}

impl Doctor {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let findings = match &self.config {
            Some(file) => server::doctor::doctor(file).await,
            None => client::doctor::doctor(&global.profile()?).await?,
        };
        let checkup = Checkup::of(findings);
        global.format().print(&checkup, report::doctor)?;
        checkup.verdict()
    }
}

impl Checkup {
    /// Counts the findings.
    pub fn of(checks: Vec<Finding>) -> Self {
        let count = |state| checks.iter().filter(|finding| finding.state == state).count();
        let (ok, warn, fail) = (count(State::Ok), count(State::Warn), count(State::Fail));
        Self { ok, warn, fail, checks }
    }

    fn verdict(&self) -> Result<(), Failure> {
        let Some(first) = self.checks.iter().find(|finding| finding.state == State::Fail) else {
            return Ok(());
        };
        Err(Failure::Unwell {
            fails: self.fail,
            checks: self.checks.len(),
            first: format!("{}, {}", first.about, first.check),
            is_elsewhere: first.about != HERE,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_failures_change_the_exit_code_and_the_first_one_decides() {
        let ok = || Finding::ok(HERE, "disk", "much");
        let warn = || Finding::warn(HERE, "disk", "little", "more");
        assert!(Checkup::of(vec![ok(), warn()]).verdict().is_ok());
        let fail = |about| Finding::fail(about, "clock", "wrong", "set it");
        for (about, elsewhere) in [(HERE, false), ("beta", true)] {
            let verdict = Checkup::of(vec![ok(), fail(about), fail("gamma")]).verdict();
            let Err(Failure::Unwell { fails, checks, first, is_elsewhere }) = verdict else {
                panic!("it failed")
            };
            assert_eq!((fails, checks, is_elsewhere), (2, 3, elsewhere));
            assert_eq!(first, format!("{about}, clock"));
        }
    }
}

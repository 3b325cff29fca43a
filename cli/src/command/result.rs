//! `sotto result`: the published result of a study, checked.

use client::result::{self, Wait};
use mpc::ids::StudyId;

use super::Global;
use crate::{failure::Failure, report, signal, terminal::Terminal};

/// Print the published result of a study.
///
/// The result is shown only when all servers of the study signed it and those that answer agree.
/// Without --wait, a study that has no result yet gives exit code 2, or 5 when one of its servers
/// is unreachable. A study that was refused a result or cancelled gives 7, an aborted one 6.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sotto result $id --wait
  sotto result $id --json | jq .statistics")]
pub struct ResultCommand {
    /// The study's id.
    id: StudyId,
    /// Wait until there is a result, or until there never will be one.
    #[arg(long)]
    wait: bool,
    /// Answer in CSV: one line per cell.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

impl ResultCommand {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let profile = global.profile()?;
        let stop = signal::stop();
        let terminal = Terminal::new("result");
        let wait = if self.wait { Wait::UntilPublished } else { Wait::No };
        let document = result::result(&profile, self.id, wait, &stop, &terminal).await?;
        terminal.clear();
        if self.csv {
            return report::print(&document.statistics.to_csv());
        }
        global.format().print(&document, |document| {
            format!(
                "{}\n{} in {}, {} rejected; signed by {}\n\n{}",
                document.title,
                report::counted(document.records, "record"),
                report::counted(document.submissions, "submission"),
                document.rejected,
                document.servers.join(", "),
                document.statistics.to_table(),
            )
        })
    }
}

//! `sotto result`: the published result of a study, checked.

use std::path::{Path, PathBuf};

use client::{
    bundle,
    result::{self, ResultDocument, Wait},
};
use mpc::ids::StudyId;

use super::Global;
use crate::{
    failure::Failure,
    report::{self, Picture},
    signal,
    terminal::Terminal,
};

/// Print the published result of a study.
///
/// The result is shown only when all servers of the study signed it and those that answer agree.
/// Without --wait, a study that has no result yet gives exit code 2, or 5 when one of its servers
/// is unreachable. A study that was refused a result or cancelled gives 7, an aborted one 6.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sotto result $id --wait
  sotto result $id --json | jq .statistics
  sotto result $id --plot result.svg
  sotto result $id --bundle study.bundle    for sotto audit, offline")]
pub struct ResultCommand {
    /// The study's id.
    id: StudyId,
    /// Wait until there is a result, or until there never will be one.
    #[arg(long)]
    wait: bool,
    /// Answer in CSV: one line per cell and number.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Also draw the result: an SVG picture with a panel per statistic.
    #[arg(long, value_name = "FILE.svg", value_parser = svg_file)]
    plot: Option<PathBuf>,
    /// Also write the study's public record to this file, to be audited without any server. A
    /// download that broke off goes on.
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
}

impl ResultCommand {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let profile = global.profile()?;
        let stop = signal::stop();
        let terminal = Terminal::new("result");
        let wait = if self.wait { Wait::UntilPublished } else { Wait::No };
        let document = result::result(&profile, self.id, wait, &stop, &terminal).await?;
        terminal.clear();
        match self.csv {
            true => report::print(&document.statistics.to_csv())?,
            false => global.format().print(&document, |document| {
                let (title, about) = (&document.title, about(document));
                format!("{title}\n{about}\n\n{}", document.statistics.to_table())
            })?,
        }
        if let Some(file) = &self.bundle {
            bundle::fetch(&profile, self.id, None, file, &stop, &terminal).await?;
            terminal.clear();
        }
        self.plot.map_or(Ok(()), |file| plot(&document, &file))
    }
}

/// What the result rests on, in one line.
fn about(document: &ResultDocument) -> String {
    format!(
        "{} in {}, {} rejected; signed by {}",
        report::counted(document.records, "record"),
        report::counted(document.submissions, "submission"),
        document.rejected,
        document.servers.join(", "),
    )
}

fn plot(document: &ResultDocument, file: &Path) -> Result<(), Failure> {
    let picture = Picture::new(&document.title, &about(document), &document.statistics);
    let picture = picture.map_err(|error| Failure::Picture { file: file.to_owned(), error })?;
    picture.write(file)?;
    for line in &picture.left_out {
        eprintln!("{}: {line}", file.display());
    }
    Ok(())
}

/// A file for a picture.
fn svg_file(text: &str) -> Result<PathBuf, &'static str> {
    let file = PathBuf::from(text);
    let is_svg = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("svg"));
    if is_svg { Ok(file) } else { Err("pictures are SVG; name a file that ends in .svg") }
}

//! `sotto study`: a study's life, from proposal to end.

use std::path::PathBuf;

use client::{
    ClientError,
    profile::Role,
    status::{Overview, State},
    studies::{self, Action, Answer},
};
use mpc::ids::StudyId;
use serde::Serialize;

use super::Global;
use crate::{
    failure::Failure,
    report::{self, Format},
    terminal::Terminal,
};

mod cost;
mod show;

/// Propose, approve and end studies.
#[derive(Debug, clap::Subcommand)]
pub enum StudyCommand {
    /// Propose a study to all its servers; prints its id.
    ///
    /// Signed with the profile's analyst key. The servers take submissions when every operator
    /// has approved the study. When one server refuses, nothing is left behind at the others.
    #[command(after_help = "Example:\n  id=$(sotto study create wages.toml)")]
    Create {
        /// The study file (TOML).
        file: PathBuf,
    },
    /// Say what a study would cost, before anyone joins it: no server is asked.
    ///
    /// Checks the file as `create` does, and measures on this machine, for about half a second, how
    /// long a random record takes. The servers are those of the profile, or without a profile
    /// those that the file names, or three.
    #[command(after_help = "Example:\n  sotto study cost wages.toml --servers 4")]
    Cost {
        /// The study file (TOML).
        file: PathBuf,
        /// Count with so many servers, 2 to 8, whatever the profile says.
        #[arg(
            long,
            value_name = "K",
            env = "SOTTO_SERVERS",
            value_parser = super::whole_number::<usize>
        )]
        servers: Option<usize>,
    },
    /// List the studies that the profile's servers know.
    List,
    /// Show a study: what it collects and asks, and where it stands at every server.
    Show {
        /// The study's id.
        id: StudyId,
    },
    /// Approve a study, as the operator of a server.
    ///
    /// Signed with the profile's operator key. Look at the study with `sotto study show` first: it
    /// says what may ever be opened.
    Approve {
        /// The study's id.
        id: StudyId,
        /// Only at this server (may be repeated); without it: at all servers of the study.
        #[arg(long = "server", value_name = "NAME", env = "SOTTO_SERVER", value_delimiter = ',')]
        servers: Vec<String>,
    },
    /// End the submissions and have the result computed.
    ///
    /// Signed with the profile's analyst key. A server that is down now is named: repeat the
    /// command when it is back, nothing is lost.
    Close {
        /// The study's id.
        id: StudyId,
    },
    /// End a study without a result.
    ///
    /// Signed with the profile's analyst key, or with the operator key with --operator.
    Cancel {
        /// The study's id.
        id: StudyId,
        /// As the operator of a server, not as the study's analyst.
        #[arg(long)]
        operator: bool,
        /// Only at this server (may be repeated); without it: at all servers of the study.
        #[arg(long = "server", value_name = "NAME", env = "SOTTO_SERVER", value_delimiter = ',')]
        servers: Vec<String>,
    },
}

/// What every server answered to a command.
#[derive(Serialize)]
struct Answers {
    study: String,
    servers: Vec<ServerAnswer>,
}

#[derive(Serialize)]
struct ServerAnswer {
    server: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<State>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// In a table that is the whole error, so that it stays narrow.
    #[serde(skip)]
    is_unreachable: bool,
}

impl StudyCommand {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::Create { file } => create(global, &file).await,
            Self::Cost { file, servers } => cost::cost(global, file, servers).await,
            Self::List => list(global).await,
            Self::Show { id } => show::show(global, id).await,
            Self::Approve { id, servers } => approve(global, id, &servers).await,
            Self::Close { id } => {
                let remedy = "; repeat the command to close the study there, too";
                command(global, id, Action::Close, &[], remedy).await
            }
            Self::Cancel { id, operator, servers } => {
                let role = if operator { Role::Operator } else { Role::Analyst };
                let remedy = "; repeat the command to cancel the study there, too";
                command(global, id, Action::Cancel(role), &servers, remedy).await
            }
        }
    }
}

async fn create(global: &Global, file: &std::path::Path) -> Result<(), Failure> {
    let terminal = Terminal::new("study");
    let overview = studies::create(&global.profile()?, file, &terminal).await?;
    terminal.clear();
    say_state(&overview);
    global.format().print(&overview, |overview| overview.id.to_string())
}

async fn list(global: &Global) -> Result<(), Failure> {
    let (studies, unreachable) = studies::list(&global.profile()?).await?;
    for error in &unreachable {
        eprintln!("warning: {error}");
    }
    global.format().print(&studies, |studies| studies.iter().map(listed).collect())
}

/// Two lines: an id is as long as a line of a terminal can be.
fn listed(study: &Overview) -> String {
    let records = study.servers.iter().map(|report| report.records).max().unwrap_or_default();
    let records = report::counted(records, "record");
    format!("{}  {}\n    {}, {records}\n", study.id, study.state, study.title)
}

async fn approve(global: &Global, id: StudyId, servers: &[String]) -> Result<(), Failure> {
    let profile = global.profile()?;
    let answers = studies::command(&profile, id, Action::Approve, servers).await?;
    let remedy = "; repeat the command for those that did not";
    finish(global.format(), id, answers, remedy)?;
    let terminal = Terminal::new("study");
    let (cluster, _) = client::Cluster::connect_to_some(&profile).await?;
    let overview = studies::watch_opening(&cluster, id, &terminal).await?;
    terminal.clear();
    say_state(&overview);
    Ok(())
}

async fn command(
    global: &Global,
    id: StudyId,
    action: Action,
    servers: &[String],
    remedy: &'static str,
) -> Result<(), Failure> {
    let answers = studies::command(&global.profile()?, id, action, servers).await?;
    finish(global.format(), id, answers, remedy)
}

/// Prints what every server answered; fails when one did not do it.
fn finish(
    format: Format,
    id: StudyId,
    answers: Vec<Answer>,
    remedy: &'static str,
) -> Result<(), Failure> {
    let shown = Answers {
        study: id.to_string(),
        servers: answers.iter().map(ServerAnswer::from).collect(),
    };
    format.print(&shown, |shown| {
        let rows = shown.servers.iter().map(|answer| {
            let state = answer.state.map(|state| state.to_string());
            let error = match answer.is_unreachable {
                true => Some("unreachable".into()),
                false => answer.error.clone(),
            };
            vec![answer.server.clone(), state.or(error).unwrap_or_default()]
        });
        report::table(&["server", "study"], 2, rows)
    })?;
    let asked = answers.len();
    let mut failed: Vec<ClientError> =
        answers.into_iter().filter_map(|answer| answer.report.err()).collect();
    match failed.is_empty() {
        true => Ok(()),
        false => {
            let done = asked - failed.len();
            let first = Box::new(failed.swap_remove(0));
            // Repeating helps where a server could not be asked, not where it refused.
            let remedy = if first.is_unreachable() { remedy } else { "" };
            Err(Failure::Partly { done, asked, first, remedy })
        }
    }
}

fn say_state(overview: &Overview) {
    let why = overview.why();
    match why.is_empty() {
        true => eprintln!("the study is {}", overview.state),
        false => eprintln!("the study is {}: {why}", overview.state),
    }
}

impl From<&Answer> for ServerAnswer {
    fn from(answer: &Answer) -> Self {
        let (state, error) = match &answer.report {
            Ok(report) => (Some(report.state), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let is_unreachable = answer.report.as_ref().is_err_and(ClientError::is_unreachable);
        Self { server: answer.server.clone(), state, error, is_unreachable }
    }
}

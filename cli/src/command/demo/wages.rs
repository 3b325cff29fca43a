//! The job `wages`: four regional offices, three servers, and means that nobody could compute
//! alone.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use client::{
    ClientError, Profile,
    progress::{Event, Progress, Silent},
    result::{self, ResultDocument, Wait},
    status::Overview,
    studies::{self, Action},
    submit::{self, Options, SubmitReport},
};
use mpc::ids::StudyId;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{
    compare::{self, Comparison},
    people::People,
};
use crate::{
    cluster::Cluster,
    failure::Failure,
    report::{self, Format},
    terminal::Terminal,
};

const STUDY: &str = include_str!("../../../data/wages.toml");
const SERVERS: usize = 3;
/// Questions of the study.
const STATISTICS: usize = 4;

/// Everything that the demonstration says.
#[derive(Debug, Serialize)]
struct Report {
    study: String,
    title: String,
    records: u64,
    submissions: u64,
    rejected: u64,
    steps: Vec<Step>,
    statistics: Vec<Comparison>,
    servers: Vec<Seen>,
    equal: bool,
}

/// One step and how long it took.
#[derive(Debug, Serialize)]
struct Step {
    name: String,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    records_per_second: Option<f64>,
}

/// What one server saw of the data.
#[derive(Debug, Serialize)]
struct Seen {
    server: String,
    submissions: u64,
    share_bytes: u64,
}

/// Runs the job in a temporary directory and prints the comparison.
pub async fn run(format: Format, stop: &CancellationToken) -> Result<(), Failure> {
    let dir =
        tempfile::Builder::new().prefix("sotto-demo-").tempdir().map_err(Failure::Temporary)?;
    let mut steps = Steps { format, steps: Vec::new() };
    let started = Instant::now();
    let cluster = Cluster::start(dir.path(), Some(SERVERS)).await?;
    let outcome = tokio::select! {
        () = stop.cancelled() => Err(ClientError::Interrupted.into()),
        outcome = async {
            cluster.ready().await?;
            let name = format!("started {SERVERS} servers on loopback, TLS, storage on disk");
            steps.done(name, started, None)?;
            job(dir.path(), cluster.profile(), stop, &mut steps).await
        } => outcome,
    };
    cluster.stop().await;
    dir.close().map_err(Failure::Temporary)?;
    let (document, overview, comparison) = outcome?;
    finish(format, steps.steps, document, overview, comparison)
}

/// Steps so far, each printed when it is done.
struct Steps {
    format: Format,
    steps: Vec<Step>,
}

impl Steps {
    fn done(
        &mut self,
        name: impl Into<String>,
        started: Instant,
        records: Option<u64>,
    ) -> Result<(), Failure> {
        let (name, seconds) = (name.into(), started.elapsed().as_secs_f64());
        let records_per_second = records.map(|records| records as f64 / seconds);
        if self.format == Format::Text {
            let rate = records_per_second.map(|rate| format!("  {rate:>8.0} records/s"));
            report::print(&format!("{seconds:7.2} s  {name:<58}{}", rate.unwrap_or_default()))?;
        }
        self.steps.push(Step { name, seconds, records_per_second });
        Ok(())
    }
}

async fn job(
    dir: &Path,
    profile: &Path,
    stop: &CancellationToken,
    steps: &mut Steps,
) -> Result<(ResultDocument, Overview, Vec<Comparison>), Failure> {
    let profile = Profile::load(profile).map_err(ClientError::from)?;
    let started = Instant::now();
    let people = People::shipped()?;
    let offices = people.split_by_region(dir).map_err(Failure::Temporary)?;
    steps.done(
        format!("unpacked {} real people of {} regions", people.len(), offices.len()),
        started,
        None,
    )?;

    let started = Instant::now();
    let file = dir.join("wages.toml");
    std::fs::write(&file, STUDY).map_err(Failure::Temporary)?;
    let study = studies::create(&profile, &file, &Silent).await?;
    steps.done("proposed the study, approved by all servers", started, None)?;

    let submitted = Instant::now();
    let reports = submit_all(dir, &profile, study.id, offices, people.len(), stop).await?;
    let submissions: usize = reports.iter().map(|report| report.submissions.len()).sum();
    let providers = reports.len();
    let name = format!("{providers} providers split and sent {submissions} submissions");
    steps.done(name, submitted, Some(people.len()))?;

    let started = Instant::now();
    for answer in studies::command(&profile, study.id, Action::Close, &[]).await? {
        answer.report?;
    }
    let document = result::result(&profile, study.id, Wait::UntilPublished, stop, &Silent).await?;
    steps.done("closed; servers checked the rest and opened the sums", started, None)?;
    steps.done("from the first submission to the result", submitted, Some(people.len()))?;

    let started = Instant::now();
    let comparison = compare::compare(&document.statistics, &people);
    steps.done("computed the plaintext answer and compared", started, None)?;
    let overview = studies::show(&profile, study.id).await?;
    Ok((document, overview, comparison))
}

/// All offices at once, each with its own key, through the same library as `sotto submit`.
async fn submit_all(
    dir: &Path,
    profile: &Profile,
    study: StudyId,
    offices: Vec<(String, PathBuf)>,
    records: u64,
    stop: &CancellationToken,
) -> Result<Vec<SubmitReport>, Failure> {
    let terminal = Arc::new(Terminal::new("submitting"));
    terminal.event(Event::Uploading { records, done: 0 });
    let uploaded = Arc::new(Mutex::new(vec![0; offices.len()]));
    let mut uploads = tokio::task::JoinSet::new();
    for (office, (region, file)) in offices.into_iter().enumerate() {
        let key = dir.join(format!("{}.key", region.to_lowercase()));
        let profile = profile.clone().with_provider_key(key);
        let progress =
            Arc::new(Share { office, uploaded: uploaded.clone(), all: terminal.clone() });
        let stop = stop.clone();
        uploads.spawn(async move {
            let options = Options::default();
            submit::submit(&profile, study, &file, &options, &stop, progress).await
        });
    }
    let mut reports = Vec::new();
    while let Some(report) = uploads.join_next().await {
        reports.push(report.map_err(|_| ClientError::WorkerFailed)??);
    }
    Ok(reports)
}

/// One office's share in the progress of all.
struct Share {
    office: usize,
    uploaded: Arc<Mutex<Vec<u64>>>,
    all: Arc<Terminal>,
}

impl Progress for Share {
    fn event(&self, event: Event) {
        match event {
            Event::Uploaded { records } => {
                let mut uploaded = self.uploaded.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(own) = uploaded.get_mut(self.office) {
                    *own = records;
                }
                self.all.event(Event::Uploaded { records: uploaded.iter().sum() });
            }
            Event::Retrying { .. } => self.all.event(event),
            Event::Checking { .. }
            | Event::Uploading { .. }
            | Event::Measuring { .. }
            | Event::AskingAnother { .. }
            | Event::Downloading { .. }
            | Event::Auditing { .. }
            | Event::Waiting { .. } => {}
        }
    }
}

fn finish(
    format: Format,
    steps: Vec<Step>,
    document: ResultDocument,
    overview: Overview,
    statistics: Vec<Comparison>,
) -> Result<(), Failure> {
    let mut differences = compare::differences(&statistics);
    if statistics.len() != STATISTICS {
        differences.push(format!("{} statistics instead of {STATISTICS}", statistics.len()));
    }
    let servers = overview.servers.into_iter().map(|server| Seen {
        server: server.server,
        submissions: server.submissions,
        share_bytes: server.share_bytes,
    });
    let report = Report {
        study: document.study,
        title: document.title,
        records: document.records,
        submissions: document.submissions,
        rejected: document.rejected,
        steps,
        statistics,
        servers: servers.collect(),
        equal: differences.is_empty(),
    };
    format.print(&report, text)?;
    match differences.is_empty() {
        true => Ok(()),
        false => Err(Failure::Differs(differences.join("; "))),
    }
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    for statistic in &report.statistics {
        let number = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.6}"));
        let rows = statistic.cells.iter().map(|cell| {
            vec![
                cell.cell.clone(),
                cell.count.map_or("-".into(), |count| count.to_string()),
                number(cell.sotto),
                number(cell.plaintext),
                if cell.equal { "yes" } else { "NO" }.into(),
            ]
        });
        let header = ["cell", "count", "Sotto", "plaintext", "equal"];
        text.push_str(&format!("\n{}\n{}\n", statistic.name, report::table(&header, 1, rows)));
    }
    let rows = report.servers.iter().map(|seen| {
        let bytes = report::bytes(seen.share_bytes);
        // One server's shares are uniformly random whatever the records are.
        vec![seen.server.clone(), seen.submissions.to_string(), bytes, "none".into()]
    });
    let header = ["server", "submissions", "bytes of shares", "values seen"];
    text.push_str(&format!("\nwhat each server saw\n{}\n\n", report::table(&header, 1, rows)));
    let cells: usize = report.statistics.iter().map(|statistic| statistic.cells.len()).sum();
    text.push_str(&match report.equal {
        true => format!(
            "all {cells} cells over {} records equal the plaintext answer exactly",
            report.records
        ),
        false => format!("NOT equal to the plaintext answer over {} records", report.records),
    });
    text
}

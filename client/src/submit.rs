//! Submitting a CSV: check every row, split, upload to all servers at once, keep the receipts.
//!
//! The file is read twice: first to check every row, so that nothing is sent of a file that is
//! not valid, then to encode and send it batch by batch, so that memory does not grow with it.
//! What makes a repeated run safe is in [`receipts`] and [`pending`].

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use mpc::{collect::Collect, ids::StudyId, sign::PublicKey};
use proto::{chance, trace::Trace, work};
use serde::Serialize;
use study::{Plan, Study};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    connection::Cluster,
    deadline::Patience,
    error::ClientError,
    profile::{Profile, Role},
    progress::{Event, Progress},
    status::State,
    studies::{self, POLL},
};

mod change;
mod input;
pub mod pending;
mod pipeline;
pub mod receipts;
mod replace;
mod upload;
mod withdraw;

pub use input::RowProblem;
pub use receipts::ReceiptsError;
pub use replace::Replaced;
pub use withdraw::{WithdrawReport, withdraw, withdraw_through};

use pipeline::{Extent, Pass, Pipeline, Work};
use receipts::{Header, Receipts};
use replace::Replacement;
use upload::Lanes;

/// How a file is submitted.
#[derive(Debug, Clone)]
pub struct Options {
    /// Records per submission; none: as many as fit.
    pub batch: Option<u32>,
    /// The receipts file; none: `FILE.receipts` beside the CSV.
    pub receipts: Option<PathBuf>,
    /// The receipts of submissions that the file takes the place of; none: it is an addition.
    pub replace: Option<PathBuf>,
    /// Leave out rows that are not valid.
    pub skip_invalid: bool,
    /// A server that takes nothing for this long is given up.
    pub timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        let timeout = Duration::from_secs(300);
        Self { batch: None, receipts: None, replace: None, skip_invalid: false, timeout }
    }
}

/// What was submitted.
#[derive(Debug, Clone, Serialize)]
pub struct SubmitReport {
    /// The CSV.
    pub file: PathBuf,
    /// The study's id.
    pub study: String,
    /// The provider's public key.
    pub provider: String,
    /// Records that all servers hold now.
    pub records: u64,
    /// Of these, records that an earlier run had submitted.
    pub resumed: u64,
    /// Ids of the submissions that hold them.
    pub submissions: Vec<String>,
    /// What they took the place of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Replaced>,
    /// Rows that were left out because they are not valid.
    pub skipped: u64,
    /// What is wrong with the first of them.
    pub problems: Vec<RowProblem>,
    /// How many problems they have in all.
    pub problem_count: u64,
    /// Columns of the CSV that the study does not name, of which nothing was sent; of many, the
    /// first.
    pub ignored_columns: Vec<String>,
    /// How many such columns there are.
    pub ignored_column_count: usize,
    /// Bytes that each server acknowledged in this run.
    pub sent: Vec<Sent>,
    /// Where the receipts are.
    pub receipts: PathBuf,
    /// The id under which every server logs what came in this run.
    pub trace: String,
    /// How long the run took.
    pub elapsed_seconds: f64,
}

/// What one server was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sent {
    /// The server.
    pub server: String,
    /// Bytes: shares, public parts and signatures.
    pub bytes: u64,
}

/// Submits the records in `file` to study `id`. Repeat it with the same arguments after any
/// failure: it goes on where it stopped.
pub async fn submit(
    profile: &Profile,
    id: StudyId,
    file: &Path,
    options: &Options,
    stop: &CancellationToken,
    progress: Arc<dyn Progress>,
) -> Result<SubmitReport, ClientError> {
    let cluster = connect(profile, options.timeout, stop, &*progress).await?;
    submit_through(&cluster, profile, id, file, options, stop, progress).await
}

/// [`submit`], over connections that are there already.
pub async fn submit_through(
    cluster: &Cluster,
    profile: &Profile,
    id: StudyId,
    file: &Path,
    options: &Options,
    stop: &CancellationToken,
    progress: Arc<dyn Progress>,
) -> Result<SubmitReport, ClientError> {
    let (started, trace) = (Instant::now(), Trace::start(&mut chance::rng()));
    let provider = profile.signer(Role::Provider)?;
    let key = provider.public();
    let (cluster, study) = joined(cluster, id, key, options.timeout, stop, &*progress).await?;
    let plan = Arc::new(Plan::new(&study)?);
    let collect = Collect::new(plan.circuit().clone(), id, cluster.servers().len())?;
    let size = batch_size(options.batch, collect.max_records())?;

    let checked = check(file, &study, options, stop, &progress).await?;
    let header = Header::new(id, checked.sha256, checked.bytes, size, key, options.skip_invalid);
    let replace = options.replace.as_deref();
    let replacement = replace.map(|path| Replacement::open(path, id, key)).transpose()?;
    let begin = Begin { cluster: &cluster, file, options, checked: &checked, id, header };
    let Begun { receipts, replacement, is_open } = begin.run(replacement, stop, &*progress).await?;
    let resumed = receipts.records();
    let amendment = replacement.as_ref().map(Replacement::change).transpose()?;
    let upload = Upload {
        work: Work {
            file: file.to_owned(),
            study,
            plan,
            collect: Arc::new(collect),
            provider: provider.clone(),
            amendment: amendment.as_ref().map(|change| change.id),
        },
        pass: Pass {
            size,
            valid: checked.valid,
            skip_invalid: options.skip_invalid,
            extent: Extent::Everything,
        },
        cluster: cluster.clone(),
        is_open,
        timeout: options.timeout,
        trace,
    };
    let uploaded = upload.run(receipts, stop, progress.clone()).await;
    let (mut receipts, sent) = match amendment.is_some() {
        true => uploaded.map_err(change::too_late)?,
        false => uploaded?,
    };
    receipts.pending().close();
    if let Some(change) = amendment.filter(|_| !receipts.is_acknowledged()) {
        let signed = change.sign(receipts.ids()?, &provider);
        let lanes = Lanes::new(cluster.servers().to_vec(), options.timeout, trace);
        let acknowledged = change::send(&cluster, &lanes, &signed, stop, &*progress).await?;
        receipts.acknowledge(&acknowledged)?;
    }
    replacement.as_ref().map(Replacement::forget).transpose()?;
    Ok(SubmitReport {
        file: file.to_owned(),
        study: id.to_string(),
        provider: key.to_string(),
        records: receipts.records(),
        resumed,
        submissions: receipts.submissions().to_vec(),
        replaced: replacement.as_ref().map(Replacement::report).transpose()?,
        skipped: checked.bad,
        problems: checked.problems,
        problem_count: checked.problem_count,
        ignored_columns: checked.ignored,
        ignored_column_count: checked.ignored_count,
        sent: sent.into_iter().map(|(server, bytes)| Sent { server, bytes }).collect(),
        receipts: receipts.path().to_owned(),
        trace: trace.id().to_string(),
        elapsed_seconds: started.elapsed().as_secs_f64(),
    })
}

/// The servers of a profile that answer, at least one.
async fn connect(
    profile: &Profile,
    longest: Duration,
    stop: &CancellationToken,
    progress: &dyn Progress,
) -> Result<Cluster, ClientError> {
    let patience = Patience { longest, progress };
    let connected = patience.ask(|| Cluster::connect_to_some(profile));
    unless_stopped(stop, connected).await.map(|(cluster, _)| cluster)
}

/// What `work` gives, unless the user stops it before: a server may be waited for for long.
async fn unless_stopped<T>(
    stop: &CancellationToken,
    work: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(ClientError::Interrupted),
        done = work => done,
    }
}

/// The servers of a study that takes submissions of `provider`, and the study.
async fn joined(
    cluster: &Cluster,
    id: StudyId,
    provider: PublicKey,
    longest: Duration,
    stop: &CancellationToken,
    progress: &dyn Progress,
) -> Result<(Cluster, Arc<Study>), ClientError> {
    let patience = Patience { longest, progress };
    let asked = patience.ask(|| studies::overview(cluster, id));
    let study = Arc::new(unless_stopped(stop, asked).await?.definition);
    if !study.providers().is_empty() && !study.providers().contains(&provider) {
        return Err(ClientError::NotAProvider { id, provider });
    }
    Ok((cluster.only(&cluster.servers_of(&study)?), study))
}

/// What is known of an upload before its receipts are opened.
struct Begin<'a> {
    cluster: &'a Cluster,
    file: &'a Path,
    options: &'a Options,
    checked: &'a input::Checked,
    id: StudyId,
    header: Header,
}

/// An upload whose receipts are opened.
struct Begun {
    receipts: Receipts,
    replacement: Option<Replacement>,
    /// Whether all servers have just said that they take submissions.
    is_open: bool,
}

impl Begin<'_> {
    /// Opens the receipts of the upload; of a replacement, once the old ones are marked.
    async fn run(
        self,
        mut replacement: Option<Replacement>,
        stop: &CancellationToken,
        progress: &dyn Progress,
    ) -> Result<Begun, ClientError> {
        let Self { cluster, file, options, checked, id, mut header } = self;
        let wanted = options.receipts.as_deref();
        let path = match &replacement {
            Some(replacement) => replacement.receipts(file, checked.sha256, wanted)?,
            None => wanted.map_or_else(|| beside(file, None), Path::to_owned),
        };
        // A study that takes nothing leaves no receipts file behind that knows of no receipt.
        let is_new = !path.exists();
        if is_new {
            let open = wait_until_open(cluster, id, options.timeout, stop, progress).await;
            match replacement.is_some() {
                true => open.map_err(change::too_late)?,
                false => open?,
            }
        }
        if let Some(replacement) = &mut replacement {
            let batches = checked.valid.div_ceil(u64::from(header.batch));
            header = header.replacing(replacement.begin(&path, batches)?);
        }
        let receipts = Receipts::open(&path, header)?;
        Ok(Begun { receipts, replacement, is_open: is_new })
    }
}

/// What is left to do once the file is checked.
struct Upload {
    work: Work,
    pass: Pass,
    cluster: Cluster,
    is_open: bool,
    timeout: Duration,
    trace: Trace,
}

impl Upload {
    /// Sends what has no receipts yet. Returns the bytes that each server took.
    async fn run(
        self,
        receipts: Receipts,
        stop: &CancellationToken,
        progress: Arc<dyn Progress>,
    ) -> Result<(Receipts, Vec<(String, u64)>), ClientError> {
        let Self { work, mut pass, cluster, is_open, timeout, trace } = self;
        let batches = pass.valid.div_ceil(u64::from(pass.size));
        let is_complete = |receipts: &Receipts| (0..batches).all(|batch| receipts.is_done(batch));
        if is_complete(&receipts) {
            return Ok((receipts, Vec::new()));
        }
        let id = work.collect.study();
        let open = match is_open {
            true => Ok(()),
            false => wait_until_open(&cluster, id, timeout, stop, &*progress).await,
        };
        let late = match open {
            Ok(()) => None,
            // An earlier run may have been interrupted between a server's answer and its note:
            // servers give their receipts for what they hold at any time.
            Err(late @ ClientError::NotOpen { .. }) if !receipts.pending().is_empty()? => {
                pass.extent = Extent::Stored;
                Some(late)
            }
            Err(error) => return Err(error),
        };
        progress.event(Event::Uploading { records: pass.valid, done: receipts.records() });
        let lanes = Lanes::new(cluster.servers().to_vec(), timeout, trace);
        let ran = Pipeline::new(work, pass, lanes).run(receipts, stop, progress).await;
        match (ran, late) {
            (Err(ClientError::Refused { .. }), Some(late)) => Err(late),
            (Ok((receipts, _)), Some(late)) if !is_complete(&receipts) => Err(late),
            (ran, _) => ran,
        }
    }
}

/// The default receipts file of a CSV; of one that was submitted before and replaces that, a
/// numbered one.
fn beside(file: &Path, number: Option<u64>) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    match number {
        None => path.push(".receipts"),
        Some(number) => path.push(format!(".{number}.receipts")),
    }
    path.into()
}

fn batch_size(wanted: Option<u32>, most: u32) -> Result<u32, ClientError> {
    match wanted {
        None => Ok(most),
        Some(size) if (1..=most).contains(&size) => Ok(size),
        Some(size) => Err(ClientError::BatchSize { size, most }),
    }
}

/// The first pass over the file.
async fn check(
    file: &Path,
    study: &Arc<Study>,
    options: &Options,
    stop: &CancellationToken,
    progress: &Arc<dyn Progress>,
) -> Result<input::Checked, ClientError> {
    let (path, study, max_records) = (file.to_owned(), study.clone(), study.max_records());
    let is_one_per_provider = study.privacy().is_one_per_provider();
    let (stop, progress) = (stop.clone(), progress.clone());
    let checked = work::aside(move || input::check(&path, &study, &stop, &*progress)).await??;
    let file = file.to_owned();
    if checked.bad > 0 && !options.skip_invalid {
        return Err(ClientError::InvalidRows {
            file,
            bad: checked.bad,
            rows: checked.bad + checked.valid,
            problems: checked.problems,
            problem_count: checked.problem_count,
        });
    }
    if checked.valid == 0 {
        return Err(ClientError::NoRecords { file });
    }
    if is_one_per_provider && checked.valid > 1 {
        return Err(ClientError::OneRecordPerProvider { file, records: checked.valid });
    }
    if checked.valid > max_records {
        return Err(ClientError::TooManyRecords { file, records: checked.valid, max_records });
    }
    Ok(checked)
}

/// Waits while the servers set up a study that all operators have approved.
async fn wait_until_open(
    cluster: &Cluster,
    id: StudyId,
    timeout: Duration,
    stop: &CancellationToken,
    progress: &dyn Progress,
) -> Result<(), ClientError> {
    let patience = Patience { longest: timeout, progress };
    unless_stopped(stop, cluster.require_all(patience)).await?;
    let started = Instant::now();
    loop {
        let asked = patience.ask(|| studies::overview(cluster, id));
        let now = unless_stopped(stop, asked).await?;
        let all = now.servers.len() == cluster.servers().len();
        match now.state {
            State::Open if all => return Ok(()),
            State::Proposed => {
                return Err(ClientError::NotApproved { id, servers: now.unapproved().join(", ") });
            }
            State::Open | State::Approved if started.elapsed() < timeout => {}
            state => return Err(ClientError::NotOpen { id, state, detail: now.why() }),
        }
        progress.event(Event::Waiting { what: format!("the study to open ({})", now.why()) });
        tokio::select! {
            biased;
            () = stop.cancelled() => return Err(ClientError::Interrupted),
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

//! Withdrawing what an upload submitted, all of it, while the study is open.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use mpc::ids::AmendmentId;
use proto::{chance, trace::Trace};
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    change::{self, Change},
    connect, joined,
    receipts::{Previous, ReceiptsError, Retired},
    upload::Lanes,
    wait_until_open,
};
use crate::{
    connection::Cluster,
    error::ClientError,
    profile::{Profile, Role},
    progress::Progress,
};

/// What was withdrawn.
#[derive(Debug, Clone, Serialize)]
pub struct WithdrawReport {
    /// The receipts of what was withdrawn.
    pub receipts: PathBuf,
    /// The study's id.
    pub study: String,
    /// The provider's public key.
    pub provider: String,
    /// The amendment that all servers acknowledged.
    pub amendment: String,
    /// Ids of the submissions that count no more: those of the receipts, and those that they had
    /// replaced.
    pub submissions: Vec<String>,
    /// Servers that acknowledged it: all of the study's.
    pub servers: Vec<String>,
    /// Whether an earlier run had done it.
    pub earlier: bool,
    /// The id under which every server logs what came in this run.
    pub trace: String,
    /// How long the run took.
    pub elapsed_seconds: f64,
}

/// Withdraws everything that the receipts in `path` stand for. Repeat it after any failure: it goes
/// on where it stopped, and does nothing once all servers have acknowledged it.
pub async fn withdraw(
    profile: &Profile,
    path: &Path,
    timeout: Duration,
    stop: &CancellationToken,
    progress: &dyn Progress,
) -> Result<WithdrawReport, ClientError> {
    let connected = async || connect(profile, timeout, stop, progress).await;
    withdraw_by(connected, profile, path, timeout, stop, progress).await
}

/// [`withdraw`], over connections that are there already.
pub async fn withdraw_through(
    cluster: &Cluster,
    profile: &Profile,
    path: &Path,
    timeout: Duration,
    stop: &CancellationToken,
    progress: &dyn Progress,
) -> Result<WithdrawReport, ClientError> {
    let connected = async || Ok(cluster.clone());
    withdraw_by(connected, profile, path, timeout, stop, progress).await
}

/// `connected` is asked once there is something to say.
async fn withdraw_by(
    connected: impl AsyncFnOnce() -> Result<Cluster, ClientError>,
    profile: &Profile,
    path: &Path,
    timeout: Duration,
    stop: &CancellationToken,
    progress: &dyn Progress,
) -> Result<WithdrawReport, ClientError> {
    let (started, trace) = (Instant::now(), Trace::start(&mut chance::rng()));
    let mut previous = Previous::open(path)?;
    let provider = profile.signer(Role::Provider)?;
    let id = previous.study()?;
    previous.require(id, provider.public())?;
    if let Some(Retired { receipts: Some(by), .. }) = &previous.document().retired {
        return Err(ReceiptsError::Replaced { path: path.to_owned(), by: by.clone() }.into());
    }
    let is_acknowledged = |id: AmendmentId| previous.document().is_acknowledged(id);
    let earlier = previous.amendment()?.is_some_and(is_acknowledged);
    if !earlier {
        let cluster = connected().await?;
        let (cluster, _) = joined(&cluster, id, provider.public(), timeout, stop, progress).await?;
        if previous.amendment()?.is_none() {
            change::require_room(previous.submissions()?.len())?;
            let open = wait_until_open(&cluster, id, timeout, stop, progress).await;
            open.map_err(change::too_late)?;
        }
        previous.retire(Change::draw(), None)?;
        let signed = Change::of(&previous)?.sign(BTreeSet::new(), &provider);
        let lanes = Lanes::new(cluster.servers().to_vec(), timeout, trace);
        let acknowledged = change::send(&cluster, &lanes, &signed, stop, progress).await?;
        previous.acknowledge(acknowledged)?;
    }
    // Also after a run that ended between the two.
    previous.forget()?;
    let Change { id: amendment, old, .. } = Change::of(&previous)?;
    let last = previous.document().acknowledged.last();
    let servers = last.map(|last| last.acknowledged.keys().cloned().collect());
    Ok(WithdrawReport {
        receipts: path.to_owned(),
        study: id.to_string(),
        provider: provider.public().to_string(),
        amendment: amendment.to_string(),
        submissions: old.iter().map(ToString::to_string).collect(),
        servers: servers.unwrap_or_default(),
        earlier,
        trace: trace.id().to_string(),
        elapsed_seconds: started.elapsed().as_secs_f64(),
    })
}

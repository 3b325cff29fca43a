//! The driver of one study: looks at its state and does what comes next.

use std::{collections::HashMap, sync::Arc, time::Duration};

use mpc::{ids::SubmissionId, transcript::About};
use tokio::time::Instant;

use super::{
    Backoff, JobError, SILENT, describe, lead, settle,
    survey::Survey,
    verify::{BATCH_BYTES, MAX_BATCH},
};
use crate::{
    catalog::StudyContext,
    node::Node,
    storage::{Detail, StudyState},
};

/// The longest pause while a study waits for people.
const WAIT: Duration = Duration::from_secs(5);
/// How long the first server trusts that all servers are open before it looks again.
const LOOK: Duration = Duration::from_secs(10);
/// How long the first server gathers submissions before it starts a verification.
const GATHER: Duration = Duration::from_millis(20);

/// What a driver remembers between its steps; all of it can be found again after a restart.
struct Driver {
    /// When all servers were last known to have opened the study.
    all_open: Option<Instant>,
    /// Submissions that some server lacked: when to try again, and the pause after that.
    deferred: HashMap<SubmissionId, (Instant, Backoff)>,
    backoff: Backoff,
}

/// Whether something was done, so that the next step follows at once.
enum Progress {
    Done,
    Waiting,
    Ended,
}

/// Drives a study until it ends or the server stops.
pub async fn drive(node: &Arc<Node>, context: &Arc<StudyContext>) {
    let backoff = Backoff::new(WAIT);
    let mut driver = Driver { all_open: None, deferred: HashMap::new(), backoff };
    loop {
        let step = tokio::select! {
            biased;
            () = node.stop.cancelled() => return,
            step = driver.step(node, context) => step,
        };
        let pause = match step {
            Ok(Progress::Ended) => return,
            Ok(Progress::Done) => {
                driver.backoff.reset();
                Duration::ZERO
            }
            Ok(Progress::Waiting) => driver.backoff.next(),
            Err(error) => {
                tracing::debug!(study = %context.id, %error, "step");
                settle(node, context, &error).await;
                driver.backoff.next()
            }
        };
        tokio::select! {
            biased;
            () = node.stop.cancelled() => return,
            () = context.wake.notified() => driver.backoff.reset(),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

impl Driver {
    async fn step(
        &mut self,
        node: &Arc<Node>,
        context: &Arc<StudyContext>,
    ) -> Result<Progress, JobError> {
        let Some(row) = node.storage.study(context.id).await? else { return Ok(Progress::Ended) };
        if row.state.is_final() {
            return Ok(Progress::Ended);
        }
        // An open study's first server has work; everything else begins with a look around.
        if row.state == StudyState::Open && context.me.is_leader() && self.is_open_everywhere() {
            return self.verify(node, context).await;
        }
        let survey = Survey::take(node, context).await;
        if survey.adopt_end(node, context).await? {
            return Ok(Progress::Ended);
        }
        match row.state {
            StudyState::Approved => {
                let ready = [StudyState::Approved, StudyState::Open, StudyState::Closing];
                match survey.waits_for(&ready, "approval by the operator of") {
                    Some(detail) => describe(node, context, detail).await?,
                    None if context.me.is_leader() => return open(node, context).await,
                    // Who was silent in the last run stays named until the next one.
                    None if row.detail.text.starts_with(SILENT) => {}
                    None => describe(node, context, joint_key()).await?,
                }
                Ok(Progress::Waiting)
            }
            StudyState::Open if context.me.is_leader() => {
                let opened = [StudyState::Open, StudyState::Closing];
                if survey.all_in(&opened) {
                    self.all_open = Some(Instant::now());
                    return Ok(Progress::Done);
                }
                match survey.any_in(StudyState::Approved) {
                    true => open(node, context).await,
                    false => {
                        let detail = survey.waits_for(&opened, "").unwrap_or_default();
                        describe(node, context, detail).await?;
                        Ok(Progress::Waiting)
                    }
                }
            }
            StudyState::Closing if context.me.is_leader() => {
                self.close(node, context, &survey).await
            }
            _ => Ok(Progress::Waiting),
        }
    }

    fn is_open_everywhere(&self) -> bool {
        self.all_open.is_some_and(|seen| seen.elapsed() < LOOK)
    }

    /// Verifies one batch of what has arrived.
    async fn verify(
        &mut self,
        node: &Arc<Node>,
        context: &Arc<StudyContext>,
    ) -> Result<Progress, JobError> {
        tokio::time::sleep(GATHER).await;
        let batch = self.next_batch(node, context).await?;
        if batch.is_empty() {
            return Ok(Progress::Waiting);
        }
        let deferred = match lead(node, context, About::Verify(batch.clone())).await {
            Ok(deferred) => deferred,
            Err(error) => {
                // A server that lost its key, or is gone, shows in the next survey.
                self.all_open = None;
                return Err(error);
            }
        };
        describe(node, context, Detail::default()).await?;
        for submission in &batch {
            if !deferred.contains(submission) {
                self.deferred.remove(submission);
                continue;
            }
            let (due, backoff) = self
                .deferred
                .entry(*submission)
                .or_insert_with(|| (Instant::now(), Backoff::new(Duration::from_secs(30))));
            *due = Instant::now() + backoff.next();
        }
        Ok(Progress::Done)
    }

    /// The oldest unverified submissions that are due, as many as fit one run.
    async fn next_batch(
        &self,
        node: &Node,
        context: &StudyContext,
    ) -> Result<Vec<SubmissionId>, JobError> {
        let (mut batch, mut bytes, mut after) = (Vec::new(), 0, None);
        loop {
            let page = node.storage.unverified(context.id, after, MAX_BATCH).await?;
            for row in &page {
                let due = self.deferred.get(&row.id).is_none_or(|(due, _)| *due <= Instant::now());
                if !due {
                    continue;
                }
                batch.push(row.id);
                let verifier_share = context.collect.verifier_share_len(row.records) as u64;
                bytes += row.payload_len.max(verifier_share);
                if batch.len() == MAX_BATCH || bytes >= BATCH_BYTES {
                    return Ok(batch);
                }
            }
            after = page.last().map(|row| row.arrival);
            if page.len() < MAX_BATCH {
                return Ok(batch);
            }
        }
    }

    /// Verifies the rest, waits until all servers have closed, and publishes.
    async fn close(
        &mut self,
        node: &Arc<Node>,
        context: &Arc<StudyContext>,
        survey: &Survey,
    ) -> Result<Progress, JobError> {
        if survey.any_in(StudyState::Approved) {
            return open(node, context).await;
        }
        if let Some(detail) = survey.waits_for(&[StudyState::Closing], "the close at") {
            describe(node, context, detail).await?;
            return Ok(Progress::Waiting);
        }
        // A verification that fails is no obstacle: servers that have fixed the set refuse it, and
        // the publication verifies what all servers hold.
        match self.verify(node, context).await {
            Ok(Progress::Done) => return Ok(Progress::Done),
            Err(error @ JobError::Abort { .. }) => return Err(error),
            Ok(_) | Err(_) => {}
        }
        lead(node, context, About::Publish).await?;
        Ok(Progress::Done)
    }
}

async fn open(node: &Arc<Node>, context: &Arc<StudyContext>) -> Result<Progress, JobError> {
    describe(node, context, joint_key()).await?;
    lead(node, context, About::Setup).await?;
    Ok(Progress::Done)
}

fn joint_key() -> Detail {
    Detail { text: "the servers draw their joint key".into(), servers: Vec::new() }
}

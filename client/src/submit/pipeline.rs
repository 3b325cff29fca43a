//! The second pass: read, split, store, upload and record, all at once and in bounded memory.
//!
//! ```text
//! reader thread ─ records ─→ worker threads: encode, split, store ─→ uploads ─ receipts ─→ recorder
//! ```
//!
//! Every arrow is a bounded queue, so the slowest step sets the pace of all.

use std::{path::PathBuf, sync::Arc};

use futures::StreamExt as _;
use mpc::{
    Field128,
    collect::{Collect, Origin},
    ids::{AmendmentId, SubmissionId},
    sign::Signer,
};
use proto::{
    chance,
    work::{self, GivenUp},
};
use rand::RngExt as _;
use study::{Plan, Record, Study};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::{
    input,
    pending::{Batch, Pending},
    receipts::{Entry, Receipts},
    upload::Lanes,
};
use crate::{
    error::ClientError,
    progress::{Event, Progress},
};

/// Full batches under way at once.
const FULL_IN_FLIGHT: u32 = 4;
/// Batches under way at once, however small they are.
const MOST_IN_FLIGHT: u32 = 64;
/// Receipts that are recorded with one write to disk.
const RECORDED_AT_ONCE: usize = 256;

/// What is submitted, and how it is encoded.
pub struct Work {
    /// The CSV.
    pub file: PathBuf,
    /// The study.
    pub study: Arc<Study>,
    /// Its plan.
    pub plan: Arc<Plan>,
    /// Its proof system.
    pub collect: Arc<Collect>,
    /// Who submits.
    pub provider: Signer,
    /// The amendment that all of it is a part of.
    pub amendment: Option<AmendmentId>,
}

/// What of the file goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All that has not been acknowledged.
    Everything,
    /// Only what an earlier run had begun to send.
    Stored,
}

/// How the file is cut into submissions.
#[derive(Debug, Clone, Copy)]
pub struct Pass {
    /// Records of every submission but the last.
    pub size: u32,
    /// Valid records of the file.
    pub valid: u64,
    /// Whether there are others among them.
    pub skip_invalid: bool,
    /// What goes out.
    pub extent: Extent,
}

/// The second pass over one file.
pub struct Pipeline {
    work: Arc<Work>,
    pass: Pass,
    lanes: Lanes,
}

/// A batch on its way from the reader to a worker.
struct Job {
    number: u64,
    first_row: u64,
    records: u32,
    /// None: the batch is stored already.
    content: Option<Vec<Record>>,
}

impl Pipeline {
    /// Prepares a pass; reads and sends nothing.
    pub fn new(work: Work, pass: Pass, lanes: Lanes) -> Self {
        Self { work: Arc::new(work), pass, lanes }
    }

    /// Runs the pass to its end. Returns the receipts and the bytes that each server took.
    pub async fn run(
        self,
        receipts: Receipts,
        stop: &CancellationToken,
        progress: Arc<dyn Progress>,
    ) -> Result<(Receipts, Vec<(String, u64)>), ClientError> {
        let pending = receipts.pending().clone();
        let ended = stop.child_token();
        let (reader, queue) = self.reader(&receipts, ended.clone())?;
        let (entries, to_record) = mpsc::channel(RECORDED_AT_ONCE);
        let recorder = record(receipts, to_record, &*progress);
        let uploads = async {
            // Stops the reader, whatever ends the uploads.
            let _end = ended.drop_guard();
            self.upload(queue, &pending, entries, stop, &*progress).await
        };
        let (read, outcome, receipts) = tokio::join!(reader, uploads, recorder);
        outcome?;
        // What was acknowledged is recorded, whatever ended the uploads.
        let receipts = receipts?;
        read??;
        Ok((receipts, self.lanes.bytes()))
    }

    /// Prepares and uploads what is in the queue, and gives its receipts to the recorder.
    async fn upload(
        &self,
        queue: mpsc::Receiver<Job>,
        pending: &Pending,
        entries: mpsc::Sender<Entry>,
        stop: &CancellationToken,
        progress: &dyn Progress,
    ) -> Result<(), ClientError> {
        let prepared = ReceiverStream::new(queue)
            .map(|job| {
                let (work, pending) = (self.work.clone(), pending.clone());
                work::aside(move || work.prepare(job, &pending))
            })
            .buffer_unordered(work::threads());
        let uploads = prepared.map(async |prepared| {
            let batch = prepared??;
            self.lanes.send(&batch, progress).await
        });
        let mut uploads = std::pin::pin!(uploads.buffer_unordered(self.in_flight()));
        loop {
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => return Err(ClientError::Interrupted),
                next = uploads.next() => next,
            };
            let Some(entry) = next.transpose()? else { return Ok(()) };
            // The recorder hangs up only when it failed: its own error follows.
            if entries.send(entry).await.is_err() {
                return Ok(());
            }
        }
    }

    /// Small batches wait for the network, large ones fill memory.
    fn in_flight(&self) -> usize {
        let full = self.work.collect.max_records() / self.pass.size.max(1);
        full.saturating_mul(FULL_IN_FLIGHT).clamp(FULL_IN_FLIGHT, MOST_IN_FLIGHT) as usize
    }

    /// Reads the file on a thread of its own, which ends when nobody takes its jobs any more; and
    /// where the jobs come.
    #[allow(clippy::type_complexity, reason = "a future and a queue")]
    fn reader(
        &self,
        receipts: &Receipts,
        ended: CancellationToken,
    ) -> Result<
        (
            impl Future<Output = Result<Result<(), ClientError>, GivenUp>> + use<>,
            mpsc::Receiver<Job>,
        ),
        ClientError,
    > {
        let Pass { size, valid, skip_invalid, extent } = self.pass;
        let stored = receipts.pending().numbers()?;
        let batches = valid.div_ceil(u64::from(size));
        if let Some(&number) = stored.iter().find(|&&number| number >= batches) {
            return Err(receipts.pending().foreign(number).into());
        }
        let plan = (0..batches).map(|batch| match (stored.contains(&batch), extent) {
            _ if receipts.is_done(batch) => Way::Skip,
            (true, _) => Way::Stored,
            (false, Extent::Everything) => Way::Fresh,
            (false, Extent::Stored) => Way::Skip,
        });
        let mut cutter = Cutter {
            size: u64::from(size),
            valid,
            ways: plan.collect(),
            read: 0,
            first_row: 0,
            content: Vec::new(),
        };
        // Nobody takes any while the whole file is read at once.
        let room = if work::is_inline() { cutter.ways.len() } else { work::threads() };
        let (jobs, queue) = mpsc::channel(room.max(1));
        let work = self.work.clone();
        let reader = work::aside(move || {
            let mut wanted = true;
            input::read(&work.file, &work.study, skip_invalid, |row, record| {
                if cutter.read == valid {
                    // One more than there were.
                    cutter.read += 1;
                    return false;
                }
                wanted = match cutter.take(row, record) {
                    Some(job) => hand_over(&jobs, job),
                    None => !ended.is_cancelled(),
                };
                wanted
            })?;
            match cutter.read == valid || !wanted {
                true => Ok(()),
                false => Err(ClientError::FileChanged { file: work.file.clone() }),
            }
        });
        Ok((reader, queue))
    }
}

/// Waits for room, if there is none; false: nobody takes jobs any more.
fn hand_over(jobs: &mpsc::Sender<Job>, job: Job) -> bool {
    match jobs.try_send(job) {
        Ok(()) => true,
        Err(TrySendError::Full(job)) => jobs.blocking_send(job).is_ok(),
        Err(TrySendError::Closed(_)) => false,
    }
}

/// What happens to a batch of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Nothing.
    Skip,
    /// Its stored bytes are sent again.
    Stored,
    /// It is encoded and split.
    Fresh,
}

/// Cuts a stream of records into batches.
struct Cutter {
    size: u64,
    valid: u64,
    ways: Vec<Way>,
    read: u64,
    first_row: u64,
    content: Vec<Record>,
}

impl Cutter {
    /// Takes the next record; gives a job when it was the last of a batch that goes out.
    fn take(&mut self, row: u64, record: Record) -> Option<Job> {
        let number = self.read / self.size;
        if self.read.is_multiple_of(self.size) {
            self.first_row = row;
        }
        self.read += 1;
        let way = usize::try_from(number).ok().and_then(|number| self.ways.get(number));
        if way == Some(&Way::Fresh) {
            self.content.push(record);
        }
        if !self.read.is_multiple_of(self.size) && self.read != self.valid {
            return None;
        }
        // At most `size`, which is a u32.
        let records = (self.read - number * self.size) as u32;
        let content = match way? {
            Way::Skip => return None,
            Way::Stored => None,
            Way::Fresh => Some(std::mem::take(&mut self.content)),
        };
        Some(Job { number, first_row: self.first_row, records, content })
    }
}

impl Work {
    /// Encodes, splits and stores a batch; or takes up the one that an earlier run stored.
    fn prepare(&self, job: Job, pending: &Pending) -> Result<Batch, ClientError> {
        let Job { number, first_row, records, content } = job;
        let Some(content) = content else {
            let foreign = || ClientError::from(pending.foreign(number));
            let batch = pending.load(number)?.ok_or_else(foreign)?;
            let public = &batch.public;
            let ours = public.study == self.collect.study()
                && public.provider == self.provider.public()
                && public.amendment == self.amendment
                && public.records == records
                && public.payload_hashes.len() == self.collect.parties();
            return if ours { Ok(batch) } else { Err(foreign()) };
        };
        let width = self.collect.circuit().wires();
        let mut wires: Vec<Field128> = Vec::with_capacity(width * content.len());
        for record in &content {
            self.plan
                .encode(record, &mut wires)
                .map_err(|_| ClientError::FileChanged { file: self.file.clone() })?;
        }
        drop(content);
        let mut rng = chance::rng();
        let submission = SubmissionId(rng.random());
        let (provider, amendment) = (self.provider.public(), self.amendment);
        let origin = Origin { submission, provider, amendment };
        let sharded = self.collect.shard(origin, wires, &mut rng)?;
        let batch = Batch::new(number, first_row, sharded, &self.provider);
        pending.store(&batch)?;
        Ok(batch)
    }
}

/// Records receipts until no more come, as many at once as there are.
async fn record(
    mut receipts: Receipts,
    mut entries: mpsc::Receiver<Entry>,
    progress: &dyn Progress,
) -> Result<Receipts, ClientError> {
    let mut some = Vec::new();
    while entries.recv_many(&mut some, RECORDED_AT_ONCE).await > 0 {
        let new = std::mem::take(&mut some);
        receipts = work::aside(move || receipts.record(new).map(|()| receipts)).await??;
        progress.event(Event::Uploaded { records: receipts.records() });
    }
    Ok(receipts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use study::Value;

    fn cut(valid: u64, size: u64, ways: Vec<Way>) -> Vec<(u64, u64, u32, Option<Vec<Record>>)> {
        let mut cutter = Cutter { size, valid, ways, read: 0, first_row: 0, content: Vec::new() };
        let jobs = (1..=valid).filter_map(|row| {
            // Every second row of the file is one that is left out.
            cutter.take(2 * row, Record { values: vec![Value::Number(row.into())] })
        });
        jobs.map(|job| (job.number, job.first_row, job.records, job.content)).collect()
    }

    fn records(numbers: impl IntoIterator<Item = i128>) -> Option<Vec<Record>> {
        let record = |number| Record { values: vec![Value::Number(number)] };
        Some(numbers.into_iter().map(record).collect())
    }

    #[test]
    fn every_record_is_in_one_batch_and_the_last_batch_may_be_short() {
        let jobs = cut(7, 3, vec![Way::Fresh; 3]);
        let expected =
            [(0, 2, 3, records(1..=3)), (1, 8, 3, records(4..=6)), (2, 14, 1, records(7..=7))];
        assert_eq!(jobs, expected);
        assert_eq!(cut(6, 3, vec![Way::Fresh; 2]).len(), 2);
    }

    #[test]
    fn finished_batches_are_skipped_and_stored_ones_not_encoded_again() {
        let jobs = cut(7, 3, vec![Way::Skip, Way::Stored, Way::Fresh]);
        assert_eq!(jobs, [(1, 8, 3, None), (2, 14, 1, records(7..=7))]);
    }
}

//! Publication run: the servers agree on the set, open its totals (with noise, where the study is
//! differentially private) and sign the result.

use std::sync::Arc;

use mpc::{
    collect::{Reason, SignedAmendment},
    ids::{RunId, SubmissionId},
    mesh::Mesh,
    noise::Draws,
    publish::{
        self, AgreedSet, Entry, Holdings, Ledger, Limits, NoNoise, Opening, Published, Status, Sum,
        Word,
    },
    transcript::{Place, Transcript},
};
use rand::{SeedableRng as _, rngs};
use study::plan::Noise;

use super::{JobError, end, verify};
use crate::{
    catalog::StudyContext,
    node::Node,
    storage::{Charge, Charged, Detail, EntryStatus, StorageError, StudyState},
};

/// Rows read from the database at a time.
const PAGE: usize = 1_000;
/// How often pending submissions are verified before the run is given up for now.
const ATTEMPTS: usize = 3;

/// Runs the publication to the study's end.
pub async fn run<M: Mesh + 'static>(
    node: &Node,
    context: &Arc<StudyContext>,
    id: RunId,
    mut mesh: M,
) -> Result<(), JobError> {
    let row = node.storage.study(context.id).await?.ok_or(JobError::State(StudyState::Proposed))?;
    let secrets = match (row.state, row.secrets) {
        (StudyState::Closing, Some(secrets)) => secrets,
        (state, _) => return Err(JobError::State(state)),
    };
    let fail = |error| JobError::from_publish(context, &error);
    let place = Place { study: context.id, run: id };
    let mut transcript = Transcript::new(place, &context.keys, node.signer());
    let limits = Limits {
        max_records: context.study.max_records(),
        one_per_provider: context.study.privacy().is_one_per_provider(),
    };
    let amendments = amendments(node, context).await?;
    for attempt in 0..ATTEMPTS {
        let entries = entries(node, context).await?;
        let mine = Holdings { entries: &entries, amendments: &amendments };
        let agreement =
            publish::agree(&mut transcript, &mut mesh, mine, limits).await.map_err(fail)?;
        if !agreement.pending.is_empty() {
            let pending = agreement.pending;
            mesh = verify_pending(node, context, (id, attempt), mesh, pending).await?;
            continue;
        }
        let set = agreement.set;
        fix(node, context, &set).await?;
        publish::confirm(&mut transcript, &mut mesh, &set).await.map_err(fail)?;
        if let Some(detail) = refusal(context, set.records) {
            let rejected = set.rejected.len() as u64;
            end(node, context, StudyState::Refused, detail, Vec::new(), rejected).await?;
            return Ok(());
        }
        let sums = sums(node, context, &set).await?;
        let bounds = context.plan.bounds(set.records);
        let opening = Opening {
            set: &set,
            sums: &sums,
            bounds: &bounds,
            mechanism: context.plan.noise().map(Noise::mechanism),
            salt_seed: &secrets.salt_seed,
        };
        let next = |opened: &[Option<i128>]| {
            // With many cells, which of them are withheld takes seconds to find.
            tokio::task::block_in_place(|| context.plan.next_opening(set.records, opened))
        };
        let words = Words { node, context };
        let published =
            publish::open(&mut transcript, &mut mesh, opening, &words, next).await.map_err(fail)?;
        return store(node, context, &published).await;
    }
    let text = "submissions that all servers hold could not be verified".into();
    Err(JobError::Incomplete { text, servers: Vec::new() })
}

/// The study's words in this server's storage.
struct Words<'a> {
    node: &'a Node,
    context: &'a Arc<StudyContext>,
}

impl Ledger for Words<'_> {
    async fn fix(&self, word: Word, value: Vec<u8>) -> Option<Vec<u8>> {
        let number = match word {
            Word::Result => 0,
            Word::Commitments(opening) => 1 + u16::from(opening),
        };
        let fixed = self.node.storage.fix_word(self.context.id, number, value).await;
        fixed.inspect_err(|error| tracing::error!(%error, "storage")).ok()
    }

    async fn noise(&self, opening: u8, coordinates: &[usize]) -> Result<Draws, NoNoise> {
        let noise = self.context.plan.noise().ok_or(NoNoise::Unavailable)?;
        let (cost, budget) = (noise.charge(coordinates), noise.budget());
        let drawn = draw(self.context.clone(), coordinates.to_vec()).await?;
        let charge = Charge {
            opening,
            // A plan has at most 2^14 coordinates.
            coordinates: coordinates.iter().map(|&coordinate| coordinate as u32).collect(),
            cost,
            budget,
            noise: drawn.encode(),
        };
        match self.node.storage.charge(self.context.id, charge).await {
            Ok(Charged::Noise(stored)) => Draws::decode(&stored).ok_or_else(|| {
                let error = StorageError::Damaged("stored noise is of another length");
                tracing::error!(%error, "storage");
                NoNoise::Unavailable
            }),
            Ok(Charged::Exceeded { charged }) => Err(NoNoise::Budget { charged, cost, budget }),
            Ok(Charged::OtherCoordinates) => Err(NoNoise::OtherCoordinates),
            Ok(Charged::Ended) => Err(NoNoise::Unavailable),
            Err(error) => {
                tracing::error!(%error, "storage");
                Err(NoNoise::Unavailable)
            }
        }
    }
}

/// Draws noise, with a generator that the operating system has just seeded, on a thread of its own.
async fn draw(context: Arc<StudyContext>, coordinates: Vec<usize>) -> Result<Draws, NoNoise> {
    let draw = move || {
        let mut rng = rngs::StdRng::try_from_rng(&mut rngs::SysRng).ok()?;
        context.plan.noise()?.mechanism().sample(&coordinates, &mut rng)
    };
    let drawn = tokio::task::spawn_blocking(draw).await;
    drawn.ok().flatten().ok_or(NoNoise::Unavailable)
}

/// Stores a published result and wipes what is secret.
pub async fn store(
    node: &Node,
    context: &StudyContext,
    published: &Published,
) -> Result<(), JobError> {
    let rejected = published.rejected.len() as u64;
    let (detail, outcome) = (Detail::default(), published.encode());
    end(node, context, StudyState::Published, detail, outcome, rejected).await?;
    Ok(())
}

/// The rule of the study that forbids a result over so many records.
pub fn refusal(context: &StudyContext, records: u64) -> Option<Detail> {
    let least = context.study.privacy().min_records;
    (records < least).then(|| Detail {
        text: format!(
            "min_records: the study has {records} valid records and needs {least}; nothing was opened"
        ),
        servers: Vec::new(),
    })
}

/// Number of records in a stored set's digest: see [`AgreedSet::digest`].
pub fn records_of(digest: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(*digest.get(40..)?.first_chunk()?))
}

/// Stores the set before it is signed, and the amendments that it is made with. A set that was fixed in an earlier run stays: another one
/// now means that a server changed its list after signing, and two sets are never opened.
async fn fix(node: &Node, context: &StudyContext, set: &AgreedSet) -> Result<(), JobError> {
    let digest = set.digest();
    match node.storage.fix_set(context.id, digest.clone()).await? == digest {
        true => {
            let amendments = set.amendments.iter().map(SignedAmendment::encode).collect();
            Ok(node.storage.fix_amendments(context.id, amendments).await?)
        }
        false => Err(JobError::Abort {
            text: "a server changed its list of submissions after the set was fixed".into(),
            servers: Vec::new(),
        }),
    }
}

async fn entries(node: &Node, context: &StudyContext) -> Result<Vec<Entry>, JobError> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let after = entries.last().map(|entry| entry.submission);
        let page = node.storage.entries(context.id, after, PAGE).await?;
        let last = page.len() < PAGE;
        entries.extend(page.into_iter().map(|entry| Entry {
            submission: entry.id,
            public: entry.public_hash,
            records: entry.records,
            status: match entry.status {
                EntryStatus::Unverified => Status::Unverified,
                EntryStatus::Accepted => Status::Accepted,
                EntryStatus::Rejected(code) => {
                    Status::Rejected(Reason::from_code(code).unwrap_or(Reason::InvalidProof))
                }
            },
            provider: entry.provider,
            amendment: entry.amendment,
        }));
        if last {
            return Ok(entries);
        }
    }
}

/// The amendments that came in here while the study was open.
async fn amendments(node: &Node, context: &StudyContext) -> Result<Vec<SignedAmendment>, JobError> {
    let stored = node.storage.amendments(context.id).await?;
    let decode = |bytes: &Vec<u8>| SignedAmendment::decode_unverified(bytes);
    let decoded: Result<Vec<_>, _> = stored.iter().map(decode).collect();
    decoded.map_err(|_| StorageError::Damaged("an amendment cannot be decoded").into())
}

/// Verifies what all servers hold, in batches of the same size at every server.
async fn verify_pending<M: Mesh + 'static>(
    node: &Node,
    context: &Arc<StudyContext>,
    (run, attempt): (RunId, usize),
    mut mesh: M,
    pending: Vec<SubmissionId>,
) -> Result<M, JobError> {
    // At the largest, a submission's share is 1 MiB: a batch stays below 16 MiB.
    for (number, batch) in pending.chunks(16).enumerate() {
        let run = part_of(run, attempt, number);
        (mesh, _) = verify::run_on(node, context, run, mesh, batch.to_vec()).await?;
    }
    Ok(mesh)
}

/// The run of a batch that is verified within a publication.
fn part_of(run: RunId, attempt: usize, number: usize) -> RunId {
    let place = [attempt, number].map(|number| (number as u64).to_be_bytes());
    let hash = mpc::dst::hash(mpc::dst::SESSION, &[&run.0, &place[0], &place[1]]);
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    RunId(id)
}

/// This server's integer sums over the set, in constant memory.
async fn sums(node: &Node, context: &StudyContext, set: &AgreedSet) -> Result<Vec<Sum>, JobError> {
    let mut sums = vec![Sum::default(); context.plan.coordinates()];
    let mut after = None;
    let mut added = 0;
    loop {
        let page = node.storage.output_shares(context.id, after, PAGE).await?;
        for (submission, share) in &page {
            if set.dropped.binary_search(submission).is_ok() {
                continue;
            }
            let share = context.collect.decode_output_share(share).map_err(|_| damaged())?;
            for (sum, value) in sums.iter_mut().zip(share.values.iter()) {
                sum.add(*value);
            }
            added += 1;
        }
        after = page.last().map(|(submission, _)| *submission);
        if page.len() < PAGE {
            break;
        }
    }
    match added == set.submissions {
        true => Ok(sums),
        false => Err(damaged()),
    }
}

fn damaged() -> JobError {
    StorageError::Damaged("an output share is missing or has the wrong length").into()
}

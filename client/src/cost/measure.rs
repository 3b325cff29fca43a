//! Measuring: the whole way of random records through provider and servers, in this process.

use std::time::Duration;

use futures::{executor::block_on, future::join_all};
use mpc::{
    Field128,
    collect::{
        Collect, CollectError, Item, Origin, PublicPart, Verdict, check_credential, credential,
        verify,
    },
    ids::{Party, RunId, SubmissionId},
    mesh::local::LocalMesh,
    receipt::Receipt,
    sign::{Signature, Signer},
    transcript::{Place, Transcript},
};
use rand::{Rng, RngExt as _};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use study::{Column, ColumnType, Plan, Record, Value};

use crate::error::ClientError;

/// How long one size of submissions is measured, in processor time.
const BUDGET: Duration = Duration::from_millis(250);
/// Different records: what they hold does not matter for the time.
const RECORDS: usize = 64;

/// Processor time in microseconds: encoding, shares, proofs, commitments and signatures, without
/// reading files, network and storage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cpu {
    /// At the provider.
    pub provider: f64,
    /// At the first server, which expands no seed but takes the largest share.
    pub first_server: f64,
    /// At each other server.
    pub other_server: f64,
}

/// Time spent so far.
#[derive(Default)]
struct Spent {
    provider: Duration,
    first: Duration,
    others: Duration,
}

/// A submission on its way, and the keys that sign for it.
struct Way<'a> {
    collect: &'a Collect,
    provider: Signer,
    server: Signer,
    verify_key: [u8; 32],
}

/// What a server was sent, and what it is to combine with the others' messages.
struct Upload {
    bytes: Vec<u8>,
    credential: Signature,
}

/// Measures submissions of `records` random records until enough of them are done.
pub fn measure(plan: &Plan, collect: &Collect, records: u32) -> Result<Cpu, ClientError> {
    let mut rng = rand::rng();
    let content: Vec<Record> =
        (0..RECORDS).map(|_| record(plan.study().columns(), &mut rng)).collect();
    let way = Way {
        collect,
        provider: Signer::generate(&mut rng),
        server: Signer::generate(&mut rng),
        verify_key: rng.random(),
    };
    // Happens once for a study.
    collect.bases().prepare();
    let mut spent = Spent::default();
    let mut rounds = 0.0;
    while rounds < 1.0 || spent.provider + spent.first + spent.others < BUDGET {
        // A u32 fits.
        let content = content.iter().cycle().take(records as usize);
        way.submit(plan, content, &mut spent)?;
        rounds += 1.0;
    }
    let each = |time: Duration| time.as_secs_f64() * 1e6 / (rounds * f64::from(records));
    // There are two servers at least.
    let others = (collect.parties() - 1) as f64;
    Ok(Cpu {
        provider: each(spent.provider),
        first_server: each(spent.first),
        other_server: each(spent.others) / others,
    })
}

impl Way<'_> {
    /// One submission, from records to the servers' verdicts.
    fn submit<'r>(
        &self,
        plan: &Plan,
        records: impl Iterator<Item = &'r Record>,
        spent: &mut Spent,
    ) -> Result<(), ClientError> {
        let failed = || ClientError::from(CollectError::Proof);
        let start = now();
        let mut wires: Vec<Field128> = Vec::new();
        for record in records {
            plan.encode(record, &mut wires).map_err(|_| failed())?;
        }
        let mut rng = rand::rng();
        let submission = SubmissionId(rng.random());
        let origin = Origin { submission, provider: self.provider.public(), amendment: None };
        let sharded = self.collect.shard(origin, wires, &mut rng)?;
        let bytes = sharded.public.encode();
        let credential = credential(&self.provider, PublicPart::hash_encoded(&bytes));
        let upload = Upload { bytes, credential };
        spent.provider += now() - start;

        let mut items = Vec::with_capacity(self.collect.parties());
        for (party, payload) in (0..).map(Party).zip(&sharded.payloads) {
            let start = now();
            let (item, receipt) = self.take(party, &upload, payload)?;
            let time = if party.is_leader() { &mut spent.first } else { &mut spent.others };
            *time += now() - start;
            items.push(item);
            let start = now();
            receipt.verify(&self.server.public()).map_err(|_| failed())?;
            spent.provider += now() - start;
        }
        let start = now();
        let servers = LocalMesh::connect(items.len()).into_iter().zip(items);
        let place = Place { study: self.collect.study(), run: RunId(submission.0) };
        let keys = vec![self.server.public(); servers.len()];
        let verdicts = servers.map(async |(mut mesh, item)| {
            let mut transcript = Transcript::new(place, &keys, &self.server);
            let verified = verify(&mut transcript, &mut mesh, self.collect, vec![item]);
            verified.await.map_err(|_| failed())
        });
        for verdicts in block_on(join_all(verdicts)) {
            if !matches!(verdicts?[..], [Verdict::Accepted { .. }]) {
                return Err(failed());
            }
        }
        // At most 8 servers, all of which do the same here.
        let decided = (now() - start) / self.collect.parties() as u32;
        spent.first += decided;
        spent.others += decided * (self.collect.parties() as u32 - 1);
        Ok(())
    }

    /// What one server does alone: check, acknowledge, and prepare the verification.
    fn take(
        &self,
        me: Party,
        upload: &Upload,
        payload: &[u8],
    ) -> Result<(Item, Receipt), ClientError> {
        let malformed = |error| ClientError::from(CollectError::Malformed(error));
        let public = PublicPart::decode(&upload.bytes).map_err(malformed)?;
        let hash = PublicPart::hash_encoded(&upload.bytes);
        check_credential(&public.provider, hash, &upload.credential)
            .map_err(|_| CollectError::Proof)?;
        let opened = self.collect.check_upload(me, &public, payload)?;
        // Uploads that arrive together share most of this: one by itself is the dearest.
        if self.collect.bases().check_all(&[opened], &mut rand::rng()) != [true] {
            return Err(CollectError::Opening.into());
        }
        let receipt = Receipt::sign(&self.server, public.study, public.submission, hash);
        let prepared = self.collect.prepare(&self.verify_key, me, &public, payload)?;
        let (prepared, records) = (Box::new(prepared), public.records);
        Ok((Item::Fresh { public: hash, records, prepared }, receipt))
    }
}

/// A record that the study takes, at random.
fn record(columns: &[Column], rng: &mut impl Rng) -> Record {
    Record { values: columns.iter().map(|column| value(column, rng)).collect() }
}

fn value(column: &Column, rng: &mut impl Rng) -> Value {
    if column.missing_allowed && rng.random_ratio(1, 8) {
        return Value::Missing;
    }
    match &column.holds {
        ColumnType::Integer { min, max } | ColumnType::Decimal { min, max, .. } => {
            Value::Number(rng.random_range(*min..=*max).into())
        }
        ColumnType::Boolean => Value::Boolean(rng.random()),
        // A study's categories have at least one label and fit a u32.
        ColumnType::Category { values } => {
            Value::Category(rng.random_range(0..values.len() as u32))
        }
    }
}

/// Processor time of this thread so far, so that other programs do not count.
fn now() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let part = |part: i64| u64::try_from(part).unwrap_or_default();
    Duration::from_secs(part(time.tv_sec)) + Duration::from_nanos(part(time.tv_nsec))
}

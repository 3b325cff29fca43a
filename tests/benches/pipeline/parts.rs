//! Parts: the way of submissions of one record, taken apart, and how fast SQLite takes them in.

use std::time::{Duration, Instant};

use futures::{StreamExt as _, future::join_all, stream};
use mpc::{
    collect::{Item, Origin, PublicPart, Sharded, Verdict, check_credential, credential, verify},
    ids::{Party, RunId, SubmissionId},
    mesh::{Mesh as _, local::LocalMesh},
    receipt::Receipt,
    sign::{Signature, Signer},
    transcript::{Place, Transcript},
};
use rand::RngExt as _;
use server::storage::{
    self, Detail, NewStudy, NewSubmission, PutLimits, PutOutcome, Storage, StudySecrets,
    StudyState, sqlite::SqliteStorage,
};
use zeroize::Zeroizing;

use crate::{
    cpu,
    data::{Data, SERVERS},
    table,
};

/// Submissions under way at once, as many as a client has.
const AT_ONCE: usize = 64;
/// Submissions of one verification.
const BATCH: usize = 256;
const MANY: u64 = 10_000_000;
const LIMITS: PutLimits = PutLimits {
    max_records: MANY,
    max_submissions: MANY,
    max_unverified: MANY,
    one_per_provider: false,
};

/// One part: its name, how often it happens for a submission, and its CPU in microseconds.
struct Part {
    name: &'static str,
    times: usize,
    micros: f64,
}

/// Prints what every part of `count` submissions of one record costs.
pub async fn print(data: &Data, count: usize) {
    let provider = Signer::from_seed(&[1; 32]);
    let (sharded, split) = shard(data, count, &provider);
    let mut parts = vec![split];
    parts.extend(signatures(&provider, &sharded));
    parts.push(part("server: check the share", SERVERS, &sharded, |sharded| {
        let payload = &sharded.payloads[0];
        let opened = data.collect.check_upload(Party(0), &sharded.public, payload);
        let opened = [opened.expect("an honest upload")];
        assert_eq!(data.collect.bases().check_all(&opened, &mut rand::rng()), [true]);
    }));

    let start = cpu::now();
    let verdicts = decide(data, &sharded).await;
    let micros = cpu::micros_each(start, count);
    parts.push(Part { name: "servers: verify, all together", times: 1, micros });

    let dir = tempfile::tempdir().expect("a directory");
    let storage = SqliteStorage::open(&dir.path().join("sotto.db")).expect("a database");
    open_study(&storage, data).await;
    let (start, started) = (cpu::now(), Instant::now());
    ingest(&storage, data, &sharded).await;
    let (micros, ingested) = (cpu::micros_each(start, count), started.elapsed());
    parts.push(Part { name: "server: store, durably", times: SERVERS, micros });

    let start = cpu::now();
    record(&storage, data, verdicts).await;
    let micros = cpu::micros_each(start, count);
    parts.push(Part { name: "server: store the verdict", times: SERVERS, micros });
    storage.close().await;
    report(&parts, count, ingested);
}

fn report(parts: &[Part], count: usize, ingested: Duration) {
    let total: f64 = parts.iter().map(|part| part.micros * part.times as f64).sum();
    let mut rows: Vec<Vec<String>> = parts
        .iter()
        .map(|part| {
            let all = part.micros * part.times as f64;
            let percent = format!("{:.0} %", 100.0 * all / total);
            vec![
                part.name.into(),
                format!("{:.1}", part.micros),
                part.times.to_string(),
                format!("{all:.1}"),
                percent,
            ]
        })
        .collect();
    rows.push(vec!["sum".into(), "".into(), "".into(), format!("{total:.1}"), "100 %".into()]);
    let title = format!(
        "(d) parts of a submission of one record, over {count}; what is missing to (b) is network, \
         TLS and the client's files"
    );
    table::print(&title, &["", "CPU µs", "times", "CPU µs/submission", "of the sum"], &rows);
    let rate = count as f64 / ingested.as_secs_f64();
    println!("  SQLite takes in {rate:.0} submissions/s at one server, {AT_ONCE} at a time");
}

/// Does something with every submission.
fn part(name: &'static str, times: usize, sharded: &[Sharded], work: impl FnMut(&Sharded)) -> Part {
    let start = cpu::now();
    sharded.iter().for_each(work);
    Part { name, times, micros: cpu::micros_each(start, sharded.len()) }
}

fn shard(data: &Data, count: usize, provider: &Signer) -> (Vec<Sharded>, Part) {
    let mut rng = rand::rng();
    let wires = data.submissions(count, 1);
    let start = cpu::now();
    let shard = |wires| {
        let id = SubmissionId(rng.random());
        let provider = provider.public();
        let origin = Origin { submission: id, provider, amendment: None };
        data.collect.shard(origin, wires, &mut rng).expect("wires of the circuit")
    };
    let sharded = wires.into_iter().map(shard).collect();
    let micros = cpu::micros_each(start, count);
    (sharded, Part { name: "client: split and prove", times: 1, micros })
}

/// The four signatures' parts; one key stands for client and server.
fn signatures(key: &Signer, sharded: &[Sharded]) -> [Part; 4] {
    let mut credentials = Vec::with_capacity(sharded.len());
    let sign = part("client: sign", 1, sharded, |sharded| {
        credentials.push(credential(key, sharded.public.hash()));
    });
    let mut given = credentials.iter();
    let check = part("server: check the signature", SERVERS, sharded, |sharded| {
        let credential = given.next().expect("one each");
        check_credential(&key.public(), sharded.public.hash(), credential).expect("our own");
    });
    let mut receipts = Vec::with_capacity(sharded.len());
    let give = part("server: sign a receipt", SERVERS, sharded, |sharded| {
        let public = &sharded.public;
        receipts.push(Receipt::sign(key, public.study, public.submission, public.hash()));
    });
    let mut given = receipts.iter();
    let take = part("client: check a receipt", SERVERS, sharded, |_| {
        given.next().expect("one each").verify(&key.public()).expect("our own");
    });
    [sign, check, give, take]
}

/// All servers' verdicts on all submissions; returns those of the first.
async fn decide(data: &Data, sharded: &[Sharded]) -> Vec<(SubmissionId, Verdict)> {
    let mut decided = Vec::with_capacity(sharded.len());
    for batch in sharded.chunks(BATCH) {
        let signer = Signer::from_seed(&[0; 32]);
        let (keys, signer) = (&[signer.public(); SERVERS], &signer);
        let servers = LocalMesh::connect(SERVERS).into_iter().map(|mut mesh| async move {
            let items = batch.iter().map(|sharded| item(data, mesh.me(), sharded)).collect();
            let place = Place { study: data.id(), run: RunId([0; 16]) };
            let mut transcript = Transcript::new(place, keys, signer);
            let verified = verify(&mut transcript, &mut mesh, &data.collect, items);
            verified.await.expect("all servers answer")
        });
        let verdicts = join_all(servers).await.remove(0);
        let ids = batch.iter().map(|sharded| sharded.public.submission);
        decided.extend(ids.zip(verdicts));
    }
    decided
}

/// As a server does it: from the bytes that it stored.
fn item(data: &Data, me: Party, sharded: &Sharded) -> Item {
    let encoded = sharded.public.encode();
    let public = PublicPart::decode(&encoded).expect("our own encoding");
    let payload = &sharded.payloads[me.index()];
    let prepared = data.collect.prepare(&[0; 32], me, &public, payload).expect("an honest share");
    let (hash, records) = (PublicPart::hash_encoded(&encoded), public.records);
    Item::Fresh { public: hash, records, prepared: Box::new(prepared) }
}

async fn open_study(storage: &SqliteStorage, data: &Data) {
    let secret = || Zeroizing::new([0; 32]);
    let secrets = StudySecrets { contribution: secret(), salt_seed: secret(), verify_key: None };
    let study = NewStudy {
        id: data.id(),
        bytes: data.study.encode(),
        signature: Signature([0; 64]),
        detail: Detail::default(),
        secrets,
        now_ms: 0,
    };
    assert!(storage.insert_study(study).await.expect("a database"));
    let (from, to) = (&[StudyState::Proposed], StudyState::Approved);
    let approved = storage.transition(data.id(), from, to, Detail::default(), 0).await;
    assert!(approved.expect("a database"));
    assert!(storage.open_study(data.id(), [0; 32], 0).await.expect("a database"));
}

async fn ingest(storage: &SqliteStorage, data: &Data, sharded: &[Sharded]) {
    let puts = sharded.iter().map(|sharded| {
        let public = sharded.public.encode();
        let submission = NewSubmission {
            id: sharded.public.submission,
            public_hash: PublicPart::hash_encoded(&public),
            public,
            records: sharded.public.records,
            provider: sharded.public.provider,
            amendment: sharded.public.amendment,
            payload: sharded.payloads[0].clone(),
        };
        storage.put_submission(data.id(), submission, LIMITS)
    });
    let mut puts = stream::iter(puts).buffer_unordered(AT_ONCE);
    while let Some(outcome) = puts.next().await {
        assert_eq!(outcome.expect("a database"), PutOutcome::Stored);
    }
}

async fn record(storage: &SqliteStorage, data: &Data, verdicts: Vec<(SubmissionId, Verdict)>) {
    let mut verdicts = verdicts.into_iter().map(|(id, verdict)| match verdict {
        Verdict::Accepted { output_share, verifier_share } => {
            (id, storage::Verdict::Accepted { output_share, verifier_share })
        }
        _ => panic!("an honest submission is accepted"),
    });
    loop {
        let batch: Vec<_> = verdicts.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            return;
        }
        storage.record_verdicts(data.id(), batch).await.expect("a database");
    }
}

//! A whole run at the most talkative log level, and what it leaves behind, searched for secrets.

use std::{
    collections::BTreeSet,
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use client::{
    audit::{self, Verdict},
    bundle,
    progress::Silent,
    submit::Options,
};
use mpc::{
    collect::Sharded,
    ids::{Party, StudyId},
};
use proto::v1;
use rusqlite::{Connection, OpenFlags};
use sotto_tests::{Provider, World, provider::send};
use study::Value;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::fmt::{MakeWriter, format::FmtSpan};

use super::spelled::{Search, Secret};

const STUDY: &str = r#"
title = "Savings"
[privacy]
min_records = 1
[[column]]
name = "savings"
type = "integer"
min = 0
max = 4_000_000_000
[[column]]
name = "place"
type = "category"
values = ["here", "there"]
[[statistic]]
name = "savings by place"
kind = "mean"
of = "savings"
by = ["place"]
"#;

/// No numbers of this size occur by accident, and neither does any sum or mean of them.
const PLANTED: [u64; 3] = [3_141_592_653, 2_718_281_828, 1_618_033_988];

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Every file below a directory.
fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            // A file that SQLite took away meanwhile holds nothing any more.
            false => found.extend(std::fs::read(&path).ok().map(|bytes| (path, bytes))),
        }
    }
    found
}

#[track_caller]
fn assert_clean(what: &str, bytes: &[u8], secrets: &Search) {
    let found = secrets.found(bytes);
    assert!(found.is_empty(), "in {what}: {found:?}");
}

/// What a submission's servers were given: windows of blinding and share, and what follows from
/// them.
fn shares(name: &str, provider: &Provider, sharded: &Sharded) -> Vec<Secret> {
    let mut secrets = Vec::new();
    for (party, payload) in (0..).map(Party).zip(&sharded.payloads) {
        let ends = [0, 16, 32, payload.len() / 2, payload.len() - 16];
        for start in ends {
            let window = &payload[start..start + 16];
            secrets.push(Secret::bytes(format!("{name}: payload of {party} at {start}"), window));
        }
        let opened = provider.collect.check_upload(party, &sharded.public, payload).unwrap();
        // Elements of a share are uniform, those of the cleartext are not.
        for (place, value) in opened.values().iter().enumerate() {
            let name = format!("{name}: output share of {party} at {place}");
            secrets.push(Secret::bytes(name, &value.to_le_bytes()));
        }
    }
    secrets
}

/// What each server drew for the study.
fn drawn(world: &World, study: StudyId) -> Vec<Secret> {
    let mut secrets = Vec::new();
    for server in 0..3 {
        let file = world.data(server).join("sotto.db");
        let database = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let sql = "SELECT contribution, salt_seed, verify_key FROM study_secret
                   JOIN study ON study.number = study_secret.study WHERE study.id = ?1";
        let row: [[u8; 32]; 3] = database
            .query_row(sql, [study.0], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]))
            .unwrap();
        for (what, bytes) in ["contribution", "salt seed", "verify key"].iter().zip(row) {
            secrets.push(Secret::bytes(format!("{what} of S{server}"), &bytes));
        }
    }
    secrets
}

/// Keys of servers and people, which stay in their files.
fn keys(world: &World) -> Vec<Secret> {
    let is_key = |path: &Path| path.extension().is_some_and(|extension| extension == "key");
    let found = files(world.path()).into_iter().filter(|(path, _)| is_key(path));
    let keys: Vec<_> = found
        .map(|(path, text)| {
            let text = String::from_utf8(text).unwrap();
            let line = text.lines().find(|line| !line.starts_with('-')).unwrap();
            let digits = line.rsplit(':').next().unwrap();
            match hex::decode(digits) {
                Ok(seed) => Secret::bytes(path.display().to_string(), &seed),
                Err(_) => Secret::bytes(path.display().to_string(), digits.as_bytes()),
            }
        })
        .collect();
    assert!(keys.len() >= 8, "{} keys", keys.len());
    keys
}

/// What a server says to uploads that are wrong in every way that reads the share.
async fn answers_to_bad_uploads(world: &World, provider: &Provider, sharded: &Sharded) -> String {
    let mut said = String::new();
    for server in 0..3 {
        let good = provider.request(sharded, server);
        let changed = |change: fn(&mut Vec<u8>)| {
            let mut payload = good.payload.to_vec();
            change(&mut payload);
            v1::SubmitRequest { payload: payload.into(), ..good.clone() }
        };
        let requests = [
            changed(|payload| payload[40] ^= 1),
            changed(|payload| payload[0] ^= 1),
            changed(|payload| payload.truncate(33)),
            changed(|payload| payload.extend([0; 16])),
            v1::SubmitRequest { credential: vec![1; 64].into(), ..good.clone() },
            v1::SubmitRequest { public_part: vec![2; 40].into(), ..good.clone() },
        ];
        for request in requests {
            let status = send(world, request, server).await.unwrap_err();
            said += &format!("{status:?} {status}\n");
        }
    }
    said
}

/// A provider with a file and the client's own program.
async fn submit_file(world: &World, study: StudyId) -> PathBuf {
    let dir = world.path().join("provider");
    std::fs::create_dir(&dir).unwrap();
    let csv = dir.join("savings.csv");
    let text = format!("savings,place\n{},here\n{},there\n", PLANTED[2], 40_000);
    std::fs::write(&csv, text).unwrap();
    let report = world.submit_with(study, &csv, &Options::default()).await.unwrap();
    assert!(!format!("{report:?}").contains(&PLANTED[2].to_string()));
    std::fs::remove_file(&csv).unwrap();
    dir
}

async fn wait_for_the_end(world: &World, study: StudyId) {
    for _ in 0..600 {
        let overview = client::studies::show(&world.profile(), study).await.unwrap();
        if overview.servers.iter().all(|report| report.state.is_final()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not all servers have published");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_input_share_seed_or_key_reaches_a_log_or_outlives_the_publication() {
    let log = Log::default();
    // Spans with their fields are what is exported to a collector, too.
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let metrics = |_, config: String| config + "\n[metrics]\nlisten = \"127.0.0.1:0\"\n";
    let world = World::with_configs(3, metrics).await;
    let study = world.create(STUDY).await;
    let mut provider = Provider::new(&world, study, 1).await;
    let number = |place: usize| Value::Number(PLANTED[place].into());
    let records = [
        vec![number(0), Value::Category(0)],
        vec![number(1), Value::Category(0)],
        vec![Value::Number(17), Value::Category(1)],
    ];
    let wires = provider.encode(&records);
    let good = provider.shard(wires.clone());
    // A rejected submission is handled by other code than an accepted one.
    let mut bad = wires;
    bad[0] += mpc::Field128::from(1);
    let bad = provider.shard(bad);
    // And one that nobody takes.
    let refused = provider.shard(provider.encode(&records));

    // Shares are looked for in the databases, too: before the end they are there, after it not.
    let mut kept = shares("good", &provider, &good);
    kept.extend(shares("bad", &provider, &bad));
    let mut secrets = shares("refused", &provider, &refused);
    for (place, planted) in PLANTED.into_iter().enumerate() {
        secrets.push(Secret::number(format!("planted input {place}"), planted));
    }
    secrets.push(Secret::bytes("the provider's key", provider.signer.reveal_seed().as_ref()));
    let answers = answers_to_bad_uploads(&world, &provider, &refused).await;
    provider.send_all(&world, &good).await;
    provider.send_all(&world, &bad).await;
    let provider_dir = submit_file(&world, study).await;
    kept.extend(drawn(&world, study));
    let databases = || (0..3).flat_map(|server| files(world.data(server))).collect::<Vec<_>>();
    let search = Search::new(&kept);
    let found = |files: &[(PathBuf, Vec<u8>)]| -> BTreeSet<String> {
        let found = files.iter().flat_map(|(_, bytes)| search.found(bytes));
        found.map(str::to_owned).collect()
    };
    // The search is not blind.
    let before = found(&databases());
    assert!(before.len() >= 9, "{before:?}");

    world.close(study).await;
    let result = world.result(study).await.unwrap();
    assert_eq!((result.records, result.rejected), (5, 1));
    wait_for_the_end(&world, study).await;
    let after = databases();
    let has = |name: &str| after.iter().any(|(path, _)| path.ends_with(name));
    assert!(has("sotto.db") && has("sotto.db-wal") && has("sotto.db-shm"));
    assert_eq!(found(&after), BTreeSet::new(), "outlived the publication");
    secrets.extend(kept);

    // What others get.
    let mut metrics = String::new();
    for server in 0..3 {
        metrics += &world.metrics(server).await;
    }
    let file = world.path().join("study.bundle");
    let stop = CancellationToken::new();
    bundle::fetch(&world.profile(), study, None, &file, &stop, &Silent).await.unwrap();
    let report = audit::audit(&file, Some(study), None, &Silent).unwrap();
    assert_eq!(report.verdict, Verdict::Holds, "{}", report.says);
    let mut findings = client::doctor::doctor(&world.profile()).await.unwrap();
    findings.extend(server::doctor::doctor(world.config(0)).await);
    let shown = client::studies::show(&world.profile(), study).await.unwrap();
    let everything_but_keys = {
        let mut files = files(world.path());
        files.retain(|(path, _)| path.extension().is_none_or(|extension| extension != "key"));
        files
    };
    assert!(everything_but_keys.iter().any(|(path, _)| path.ends_with("study.bundle")));
    let in_provider_dir: Vec<_> = files(&provider_dir).into_iter().map(|(path, _)| path).collect();
    assert_eq!(in_provider_dir, [provider_dir.join("savings.csv.receipts")], "and nothing pending");
    secrets.extend(keys(&world));
    let secrets = Search::new(&secrets);
    world.end().await;

    let log = log.0.lock().unwrap();
    assert_eq!(metrics.matches("outcome=\"accepted\",reason=\"\"} 2").count(), 3, "{metrics}");
    assert!(log.len() > 10_000, "the log is there: {} bytes", log.len());
    assert!(answers.lines().count() >= 18, "{answers}");
    assert_clean("the log", &log, &secrets);
    assert_clean("the metrics", metrics.as_bytes(), &secrets);
    assert_clean("an answer to a client", answers.as_bytes(), &secrets);
    assert_clean("what doctor says", format!("{findings:?}").as_bytes(), &secrets);
    assert_clean("what a study shows", format!("{shown:?}").as_bytes(), &secrets);
    assert_clean("the result", &serde_json::to_vec(&result).unwrap(), &secrets);
    assert_clean("the audit", &serde_json::to_vec(&report).unwrap(), &secrets);
    for (path, bytes) in everything_but_keys {
        assert_clean(&path.display().to_string(), &bytes, &secrets);
    }
}

//! Providers: thousands at once, each with a key and connections of its own, each with one record.
//!
//! They live in processes of their own, so that no process has more connections than the system
//! allows it. All connect first; when everybody is connected, everybody submits, a hundred a second,
//! and stays until the last has: this one machine is all of theirs. Nobody tries anything again: what
//! a server cannot do at once is the client library's to ride out.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use ::client::{
    Cluster, Profile,
    progress::{Event, Progress},
    submit::Options,
};
use futures::{StreamExt as _, future::try_join_all, stream};
use mpc::ids::StudyId;
use rand::RngExt as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    end, print_use,
    process::{Process, typed, wait_until},
    serve_cluster::{NAMES, Servers},
    size,
};

/// Providers of one process: three connections each.
const OF_PROCESS: usize = 4_000;
/// Providers of one process that connect at the same moment.
const CONNECTING: usize = 32;
/// Everybody may come from one address here, and nothing else is beyond the usual limits.
const LIMITS: &str = "[limits]\nconnections = 60000\ncalls_per_second = 1000000\n\
                      [metrics]\nlisten = \"127.0.0.1:0\"\n";
/// What a process of providers is told by its environment.
const TASK: &str = "LOAD_PROVIDERS";

const STUDY: &str = r#"
title = "Ages"
max_records = 2000000
[privacy]
min_records = 1
[[column]]
name = "age"
type = "integer"
min = 0
max = 100
[[statistic]]
name = "sum"
kind = "sum"
of = "age"
"#;

/// Requires this many records, with this sum.
#[track_caller]
pub fn assert_sum(result: &Value, records: usize, sum: usize) {
    assert_eq!(result["records"], records, "{result}");
    assert_eq!(result["rejected"], 0, "{result}");
    assert_eq!(result["statistics"][0]["cells"][0]["value"], sum, "{result}");
}

/// A study of [`STUDY`] that takes submissions.
pub fn open(servers: &Servers) -> String {
    let study = servers.client.create(STUDY);
    servers.approve(&study);
    study
}

#[test]
fn providers_that_come_all_at_once_are_all_counted_once() {
    let count = size("SOTTO_PROVIDERS", 300);
    let servers = Servers::with_limits(LIMITS);
    let client = servers.client.clone();
    let study = open(&servers);
    print_use(&servers, "before");
    let ranges = (0..count).step_by(OF_PROCESS).map(|from| from..(from + OF_PROCESS).min(count));
    let mut processes: Vec<_> = ranges
        .map(|range| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--ignored", "--exact", "providers::be_providers", "--nocapture"]);
            let dir = client.dir.display();
            let task = format!("{dir}\n{study}\n{}\n{}\n{count}", range.start, range.end);
            Process::start(typed(command.env(TASK, task).current_dir(&client.dir)))
        })
        .collect();
    for process in &mut processes {
        until(process, "connected");
    }
    print_use(&servers, "connected");
    for process in &mut processes {
        process.types("go");
    }
    for process in &mut processes {
        until(process, "submitted");
    }
    print_use(&servers, "submitted");
    for process in processes {
        println!("{}", process.wait().ok().stdout);
    }
    print_refusals(&servers);
    client.close(&study);
    assert_sum(&client.result(&study), count, (0..count).map(age).sum());
    end(servers);
}

/// Prints what the servers refused for now.
fn print_refusals(servers: &Servers) {
    for (server, name) in NAMES.into_iter().enumerate() {
        let metrics = metrics(servers.process(server));
        let refused = |line: &&str| {
            ["sotto_limits_total", "sotto_submissions_total"]
                .iter()
                .any(|name| line.starts_with(name))
        };
        for line in metrics.lines().filter(refused) {
            println!("{name}: {line}");
        }
    }
}

/// What a server counts, from where its log says.
fn metrics(server: &Process) -> String {
    let log = server.stderr();
    let said = log.lines().find(|line| line.contains("\"message\":\"metrics\"")).unwrap();
    let said: Value = serde_json::from_str(said).unwrap();
    let mut stream = TcpStream::connect(said["fields"]["address"].as_str().unwrap()).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Longer than any other wait: there may be ten thousand of them.
#[track_caller]
fn until(process: &mut Process, word: &str) {
    for _ in 0..60 {
        let mut pause = 0;
        wait_until(word, || {
            pause += 1;
            assert!(
                process.is_running() || process.stdout().contains(word),
                "{}",
                process.stderr()
            );
            process.stdout().contains(word) || pause > 1_000
        });
    }
    assert!(process.stdout().contains(word), "{word}: {}", process.stderr());
}

fn age(provider: usize) -> usize {
    provider % 101
}

#[test]
#[ignore = "a process of the test above"]
fn be_providers() {
    let task = std::env::var(TASK).unwrap();
    let told = Arc::new(Told::default());
    let [dir, study, from, to, count] = task.split('\n').collect::<Vec<_>>().try_into().unwrap();
    let [from, to, count] = [from, to, count].map(|number| number.parse::<usize>().unwrap());
    // All connections that the system allows a process that asks for them.
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let begun = Instant::now();
        let connecting =
            stream::iter(from..to).map(|number| connect(Path::new(dir), number, &told));
        let connected: Vec<_> = connecting.buffer_unordered(CONNECTING).collect().await;
        println!("connected in {} s, {told}", begun.elapsed().as_secs());
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).unwrap();
        let begun = Instant::now();
        let study: StudyId = study.parse().unwrap();
        let submitting = connected.into_iter().map(|provider| {
            let moment = rand::rng().random_range(0..=count * 10);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(moment as u64)).await;
                provider.submit(study).await;
                // It stays connected until all have submitted.
                provider
            })
        });
        let submitted: Vec<_> = submitting.collect();
        let connected = try_join_all(submitted).await.unwrap();
        println!("submitted in {} s, {told}", begun.elapsed().as_secs());
        drop(connected);
    });
}

struct Provider {
    profile: Profile,
    cluster: Cluster,
    file: std::path::PathBuf,
    told: Arc<Told>,
}

/// How often all providers of a process were told that something is waited for or sent again.
#[derive(Default)]
struct Told {
    waiting: AtomicU64,
    retrying: AtomicU64,
}

impl Progress for Told {
    fn event(&self, event: Event) {
        match event {
            Event::Waiting { .. } => self.waiting.fetch_add(1, Ordering::Relaxed),
            Event::Retrying { .. } => self.retrying.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
    }
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        write!(f, "{} waits for a server, {} resent", of(&self.waiting), of(&self.retrying))
    }
}

/// A provider with a key of its own, connected to all servers.
async fn connect(dir: &Path, number: usize, told: &Arc<Told>) -> Provider {
    let common = std::fs::read_to_string(dir.join("sotto.toml")).unwrap();
    let own = common.replace("provider.key", &format!("provider-{number}.key"));
    let (profile, file) = (dir.join(format!("{number}.toml")), dir.join(format!("{number}.csv")));
    std::fs::write(&profile, own).unwrap();
    std::fs::write(&file, format!("age\n{}\n", age(number))).unwrap();
    let profile = Profile::load(&profile).unwrap();
    let patience = Options::default().timeout;
    let cluster = Cluster::connect(&profile, patience, &**told).await.unwrap();
    Provider { profile, cluster, file, told: told.clone() }
}

impl Provider {
    async fn submit(&self, study: StudyId) {
        let options = Options::default();
        let stop = CancellationToken::new();
        let report = ::client::submit::submit_through(
            &self.cluster,
            &self.profile,
            study,
            &self.file,
            &options,
            &stop,
            self.told.clone(),
        );
        assert_eq!(Box::pin(report).await.unwrap().records, 1);
    }
}

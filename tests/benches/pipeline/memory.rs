//! Memory: the peak of servers that are processes of their own, after few and after many records.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::SystemTime,
};

use client::{
    Profile,
    progress::Silent,
    result::Wait,
    studies::{self, Action},
    submit::Options,
};
use server::{
    Server,
    certs::{DevRequest, dev},
    config::Config,
};
use tokio_util::sync::CancellationToken;

use crate::{
    data::{Data, SERVERS},
    table,
};

/// The argument that makes this program a server.
pub const SERVE: &str = "serve";
const READY: &str = "ready";

/// Prints every server's peak at both numbers of records.
pub async fn print(data: &Data, counts: [usize; 2]) {
    if !cfg!(target_os = "linux") {
        println!("\n(c) peak memory of a server: skipped, because it is read from Linux's /proc");
        return;
    }
    let [few, many] = [peaks(data, counts[0]).await, peaks(data, counts[1]).await];
    let mib = |kib: u64| format!("{:.1}", kib as f64 / 1024.0);
    let rows: Vec<Vec<String>> = few
        .into_iter()
        .zip(many)
        .map(|((name, few), (_, many))| {
            vec![name, mib(few), mib(many), format!("{:.2}", many as f64 / few as f64)]
        })
        .collect();
    let title = "(c) peak memory of a server, a process of its own; target for the ratio: 1.5";
    let [few, many] = counts.map(|count| format!("MiB at {count} records"));
    table::print(title, &["", &few, &many, "ratio"], &rows);
}

/// Is one server until the standard input ends: that is when the parent ends, however it does.
pub async fn serve(config: &Path) {
    let config = Config::load(config).expect("a configuration");
    let running = Server::start(config).await.expect("a server");
    println!("{READY}");
    let input = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    // Whatever ended the input, the parent is gone.
    drop(input.await);
    running.shutdown().await;
}

/// A server's process, which ends with this guard.
struct Process {
    name: String,
    child: Child,
}

impl Process {
    fn start(name: String, config: &Path) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut command = Command::new(program);
        // As the systemd unit sets it.
        command.env("MALLOC_ARENA_MAX", "2");
        command.arg(SERVE).arg(config).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Self { name, child: command.spawn().expect("a process") };
        let output = process.child.stdout.take().expect("a pipe");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).expect("a line");
        assert_eq!(line.trim_end(), READY, "{} starts", process.name);
        process
    }

    /// The most memory that the process has had, in KiB.
    fn peak(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("a process that runs");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        peak.trim().trim_end_matches("kB").trim_end().parse().expect("a number")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A process that has ended already cannot be killed, and need not be.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Every server's name and peak, in KiB, after a whole study of `count` records.
async fn peaks(data: &Data, count: usize) -> Vec<(String, u64)> {
    let dir = tempfile::tempdir().expect("a directory");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock");
    let request = DevRequest {
        directory: dir.path().to_owned(),
        servers: Some(SERVERS),
        ports: Vec::new(),
        unix_s: now.as_secs(),
    };
    let cluster = dev(&request, &mut rand::rng()).expect("a cluster");
    let processes: Vec<Process> = cluster
        .servers
        .into_iter()
        .map(|server| {
            drop(server.listener);
            Process::start(server.name, &server.config)
        })
        .collect();
    let profile = Profile::load(&cluster.profile).expect("a profile");
    study(data, dir.path(), &profile, count).await;
    processes.iter().map(|process| (process.name.clone(), process.peak())).collect()
}

async fn study(data: &Data, dir: &Path, profile: &Profile, count: usize) {
    let (toml, csv) = (dir.join("study.toml"), dir.join("records.csv"));
    std::fs::write(&toml, &data.toml).expect("a disk");
    std::fs::write(&csv, data.csv(count)).expect("a disk");
    let id = studies::create(profile, &toml, &Silent).await.expect("a study").id;
    let (options, stop) = (Options::default(), CancellationToken::new());
    client::submit::submit(profile, id, &csv, &options, &stop, Arc::new(Silent))
        .await
        .expect("all is taken");
    for answer in studies::command(profile, id, Action::Close, &[]).await.expect("answers") {
        answer.report.expect("a close");
    }
    let result = client::result::result(profile, id, Wait::UntilPublished, &stop, &Silent);
    let result = result.await.expect("a result");
    assert_eq!(result.records, count as u64, "every record is counted");
}

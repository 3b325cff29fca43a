//! A whole run at the most talkative log level, and what it leaves behind, searched for secrets.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on, stops")]

use std::{
    io::Write,
    path::Path,
    sync::{Arc, Mutex},
};

use sotto_tests::{Provider, World};
use study::Value;
use tracing_subscriber::fmt::MakeWriter;

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

/// No number of this size occurs by accident.
const PLANTED: i128 = 3_141_592_653;

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

/// Every way in which bytes could have been printed.
fn spellings(secret: &[u8]) -> Vec<Vec<u8>> {
    let list = format!("{secret:?}");
    vec![
        secret.to_vec(),
        hex::encode(secret).into_bytes(),
        hex::encode_upper(secret).into_bytes(),
        list.trim_matches(['[', ']']).as_bytes().to_vec(),
    ]
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(haystack, needle).is_some()
}

fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn no_input_share_seed_or_key_reaches_a_log_or_outlives_the_publication() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let metrics = |_, config: String| config + "\n[metrics]\nlisten = \"127.0.0.1:0\"\n";
    let world = World::with_configs(3, metrics).await;
    let study = world.create(STUDY).await;
    let mut provider = Provider::new(&world, study, 1).await;
    let records = [
        vec![Value::Number(PLANTED), Value::Category(0)],
        vec![Value::Number(17), Value::Category(1)],
    ];
    let wires = provider.encode(&records);
    let good = provider.shard(wires.clone());
    // A rejected submission is handled by other code than an accepted one.
    let mut bad = wires;
    bad[0] += mpc::Field128::from(1);
    let bad = provider.shard(bad);
    provider.send_all(&world, &good).await;
    provider.send_all(&world, &bad).await;
    let mut secrets: Vec<(String, Vec<u8>)> = Vec::new();
    for (name, sharded) in [("good", &good), ("bad", &bad)] {
        for (server, payload) in sharded.payloads.iter().enumerate() {
            // The blinding at the head is zero; windows of the share proper are what is secret.
            let share = &payload[32..];
            for start in [0, share.len() / 2, share.len() - 16] {
                let window = share[start..start + 16].to_vec();
                secrets.push((format!("{name} share of S{server} at {start}"), window));
            }
        }
    }
    secrets.push(("the provider's key".into(), provider.signer.reveal_seed().to_vec()));
    // The search is not blind: before the publication the shares are in the databases.
    let in_databases = |secrets: &[(String, Vec<u8>)]| {
        let files: Vec<_> = (0..3).flat_map(|server| files(world.data(server))).collect();
        secrets
            .iter()
            .filter(|(_, secret)| files.iter().any(|(_, file)| holds(file, secret)))
            .count()
    };
    assert!(in_databases(&secrets) > 0);

    world.close(study).await;
    let result = world.result(study).await.unwrap();
    assert_eq!((result.records, result.rejected), (2, 1));
    // All servers have published, not only the first that answers.
    for _ in 0..600 {
        let overview = client::studies::show(&world.profile(), study).await.unwrap();
        if overview.servers.iter().all(|report| report.state.is_final()) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(in_databases(&secrets), 0, "shares outlived the publication");
    for server in 0..3 {
        for key in ["identity.key", "tls.key"] {
            let text = std::fs::read_to_string(world.data(server).join(key)).unwrap();
            let line = text.lines().find(|line| !line.starts_with('-')).unwrap();
            let line = line.rsplit(':').next().unwrap().as_bytes().to_vec();
            secrets.push((format!("{key} of S{server}"), line));
        }
    }
    let mut metrics = String::new();
    for server in 0..3 {
        metrics += &world.metrics(server).await;
    }
    world.end().await;

    let log = log.0.lock().unwrap();
    assert_eq!(metrics.matches("outcome=\"accepted\",reason=\"\"} 1").count(), 3, "{metrics}");
    assert!(log.len() > 10_000, "the log is there: {} bytes", log.len());
    for (name, secret) in &secrets {
        for spelling in spellings(secret) {
            assert!(!holds(&log, &spelling), "{name} is in the log");
            assert!(!holds(metrics.as_bytes(), &spelling), "{name} is in the metrics");
        }
    }
    let planted = [PLANTED.to_string(), format!("{PLANTED:x}"), format!("{PLANTED:X}")];
    for text in planted {
        assert!(!holds(&log, text.as_bytes()), "a planted input is in the log");
        assert!(!metrics.contains(&text), "a planted input is in the metrics");
    }
}

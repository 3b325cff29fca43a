//! A scrape: what is looked at when it is asked for, and all of it as text.

use std::{
    fmt, fs,
    path::Path,
    sync::atomic::AtomicU64,
    time::{Duration, Instant},
};

use prometheus_client::{
    encoding::text::encode,
    metrics::{family::Family, gauge::Gauge, info::Info},
    registry::{Registry, Unit},
};

use super::{PeerLabel, Word, Words};
use crate::{
    node::Node,
    peers::Trouble,
    storage::{StudyState, Summary, sqlite::free},
};

/// How long a scrape waits for the database.
const STORAGE: Duration = Duration::from_secs(5);
const DAY_S: f64 = 24.0 * 60.0 * 60.0;

type Real = Gauge<f64, AtomicU64>;

/// What is set at every scrape.
#[derive(Default)]
pub(super) struct Gauges {
    studies: Family<Words<1>, Gauge>,
    unverified: Gauge,
    oldest: Real,
    in_flight: Gauge,
    peers: Family<PeerLabel, Gauge>,
    trouble: Family<(PeerLabel, Words<1>), Gauge>,
    storage_up: Gauge,
    storage_bytes: Family<Words<1>, Gauge>,
    storage_free: Gauge,
    certificate: Real,
}

impl Gauges {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let gauges = Self::default();
        let build: Words<1> = [("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "The program that runs", Info::new(build));
        let help = "Studies in each state";
        registry.register("studies", help, gauges.studies.clone());
        let help = "Submissions that wait for their verification";
        registry.register("unverified_submissions", help, gauges.unverified.clone());
        let help = "How long the oldest of them has waited, at most since the start of the server";
        registry.register_with_unit("verification_lag", help, Unit::Seconds, gauges.oldest.clone());
        let help = "Calls that are being worked on";
        registry.register("calls_in_flight", help, gauges.in_flight.clone());
        let help = "Whether the link to another server is up";
        registry.register("peer_up", help, gauges.peers.clone());
        let help = "Why the link to another server is down";
        registry.register("peer_trouble", help, gauges.trouble.clone());
        let help = "Whether the database can be read and written";
        registry.register("storage_up", help, gauges.storage_up.clone());
        let (help, files) = ("Size of the database and of its log", gauges.storage_bytes.clone());
        registry.register_with_unit("storage", help, Unit::Bytes, files);
        let (help, free) = ("Room left beside the database", gauges.storage_free.clone());
        registry.register_with_unit("storage_free", help, Unit::Bytes, free);
        let help = "Days until this server's certificate expires";
        registry.register("certificate_days", help, gauges.certificate.clone());
        gauges
    }

    fn set_summary(&self, summary: &Summary) {
        for (state, studies) in StudyState::ALL.into_iter().zip(summary.studies) {
            self.studies.get_or_create(&[("state", state.name())]).set(whole(studies));
        }
        self.unverified.set(whole(summary.unverified));
    }

    fn set_peers(&self, node: &Node) {
        for (name, trouble) in node.peers.standing() {
            let peer = PeerLabel { peer: name.into() };
            self.peers.get_or_create(&peer).set(i64::from(trouble.is_none()));
            for reason in Trouble::ALL {
                let labels = (peer.clone(), [("reason", reason.word())]);
                self.trouble.get_or_create(&labels).set(i64::from(trouble == Some(reason)));
            }
        }
    }

    fn set_files(&self, files: &[(Word, u64)], free: Option<u64>) {
        for (file, bytes) in files {
            self.storage_bytes.get_or_create(&[("file", file)]).set(whole(*bytes));
        }
        if let Some(free) = free {
            self.storage_free.set(whole(free));
        }
    }
}

/// Everything that is counted and measured, in OpenMetrics' text format.
pub async fn text(node: &Node) -> Result<String, fmt::Error> {
    let metrics = &node.metrics;
    let gauges = &metrics.gauges;
    // A database that does not answer is seen as such, and hides nothing else.
    let summary = tokio::time::timeout(STORAGE, node.storage.summary()).await;
    let healthy = node.is_storage_healthy();
    gauges.storage_up.set(i64::from(healthy && matches!(summary, Ok(Ok(_)))));
    if let Ok(Ok(summary)) = summary {
        gauges.set_summary(&summary);
    }
    gauges.oldest.set(metrics.backlog.oldest(Instant::now()).as_secs_f64());
    gauges.in_flight.set(whole(node.in_flight.taken()));
    gauges.set_peers(node);
    let database = node.config.database();
    let looked = tokio::task::spawn_blocking(move || (files(&database), free(&database))).await;
    if let Ok((files, free)) = looked {
        gauges.set_files(&files, free);
    }
    if let Some(days) = certificate_days(node) {
        gauges.certificate.set(days);
    }
    let mut text = String::new();
    encode(&mut text, &metrics.registry)?;
    Ok(text)
}

/// Sizes of the database's files; one that is not there has no bytes.
fn files(database: &Path) -> [(Word, u64); 2] {
    let size = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    [("database", size(database)), ("log", size(log.as_ref()))]
}

fn certificate_days(node: &Node) -> Option<f64> {
    let facts = node.credentials.facts();
    let now_s = i64::try_from(node.clock.now_ms() / 1_000).ok()?;
    // Seconds of a few thousand years are exact.
    Some(facts.not_after.saturating_sub(now_s) as f64 / DAY_S)
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

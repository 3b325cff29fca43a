//! Compare: the whole pipeline, servers and client in this process, against the bare proof system.

use std::time::{Duration, Instant};

use client::submit::Options;
use sotto_tests::World;

use crate::{
    Sizes, bare,
    bare::Bytes,
    cpu,
    data::{Data, SERVERS},
    table::{self, median},
};

/// What comes before a verifier share in a message between servers: tag, hash, length.
const VERIFIER_HEADER: usize = 1 + 32 + 4;

/// One run of the pipeline.
struct Run {
    /// CPU of all four parties, microseconds a record.
    micros: f64,
    /// Records a second of wall time, from the first row to the signed result.
    rate: f64,
    bytes: Bytes,
}

/// Runs of the pipeline and of the bare proof system, one beside the other.
struct Pairs {
    size: usize,
    count: usize,
    pairs: Vec<(Run, f64)>,
}

/// Prints both comparisons: pair by pair at the size that `sotto submit` chooses, and what a
/// larger batch gains.
pub async fn print(data: &Data, sizes: Sizes) {
    let full = Pairs::run(data, sizes.full, data.most().min(sizes.full), sizes.pairs).await;
    full.print();
    let middle = Pairs::run(data, sizes.middle, 64.min(sizes.middle), sizes.pairs).await;
    let single = Pairs::run(data, sizes.single, 1, sizes.pairs).await;
    print_gain(data, &[single, middle, full]);
}

impl Pairs {
    async fn run(data: &Data, count: usize, size: usize, pairs: usize) -> Self {
        let mut done = Vec::with_capacity(pairs);
        for _ in 0..pairs {
            let pipeline = pipeline(data, count, size).await;
            done.push((pipeline, bare::run(data, count, size)));
        }
        Self { size, count, pairs: done }
    }

    fn print(&self) {
        let row = |name: String, pipeline: f64, bare: f64, ratio: f64, rate: f64| {
            let figures = [format!("{pipeline:.2}"), format!("{bare:.2}")];
            let figures = figures.into_iter().chain([format!("{ratio:.3}"), format!("{rate:.0}")]);
            std::iter::once(name).chain(figures).collect::<Vec<_>>()
        };
        let pairs = self.pairs.iter().zip(1..);
        let mut rows: Vec<_> = pairs
            .map(|((run, bare), n)| {
                row(format!("pair {n}"), run.micros, *bare, run.micros / bare, run.rate)
            })
            .collect();
        let (pipeline, bare) = (self.micros(), self.bare());
        rows.push(row("median".into(), pipeline, bare, self.ratio(), self.rate()));
        let title = format!(
            "(a) pipeline (client and {SERVERS} servers) against bare prio: {} records, {} a \
             submission; target for the ratio: 1.5",
            self.count, self.size
        );
        let header = ["", "pipeline CPU µs/record", "bare CPU µs/record", "ratio", "records/s"];
        table::print(&title, &header, &rows);
    }

    fn micros(&self) -> f64 {
        median(self.pairs.iter().map(|(run, _)| run.micros))
    }

    fn bare(&self) -> f64 {
        median(self.pairs.iter().map(|(_, bare)| *bare))
    }

    fn rate(&self) -> f64 {
        median(self.pairs.iter().map(|(run, _)| run.rate))
    }

    fn ratio(&self) -> f64 {
        median(self.pairs.iter().map(|(run, bare)| run.micros / bare))
    }
}

fn print_gain(data: &Data, all: &[Pairs; 3]) {
    let [single, ..] = all;
    let row = |name: String, micros: f64, gain: f64, rate: Option<f64>, bytes: Bytes| {
        let rate = rate.map_or("-".into(), |rate| format!("{rate:.0}"));
        let sizes = [bytes.first, bytes.other, bytes.between].map(|bytes| format!("{bytes:.1}"));
        let figures = [name, format!("{micros:.2}"), format!("{gain:.2}"), rate];
        figures.into_iter().chain(sizes).collect()
    };
    let rows: Vec<Vec<String>> = all
        .iter()
        .flat_map(|pairs| {
            let (m, micros, bare) = (pairs.size, pairs.micros(), pairs.bare());
            let Some((run, _)) = pairs.pairs.first() else { return Vec::new() };
            let (name, gain) = (format!("pipeline, m = {m}"), single.micros() / micros);
            let pipeline = row(name, micros, gain, Some(pairs.rate()), run.bytes);
            let (name, gain) = (format!("bare, m = {m}"), single.bare() / bare);
            vec![pipeline, row(name, bare, gain, None, bare::bytes(data, m))]
        })
        .collect();
    table::print(
        "(b) the batch's gain: m records under one proof; gain = CPU at m = 1 / CPU at m",
        &[
            "",
            "CPU µs/record",
            "gain",
            "records/s",
            "bytes/record to S0",
            "to each other server",
            "between each pair, each way",
        ],
        &rows,
    );
}

/// Submits `count` records in submissions of `size`, closes, and waits for the result.
async fn pipeline(data: &Data, count: usize, size: usize) -> Run {
    let world = World::servers(SERVERS).await;
    let study = world.create(&data.toml).await;
    let csv = world.file("records.csv", &data.csv(count));
    let batch = Some(u32::try_from(size).expect("a size that fits"));
    let options = Options { batch, timeout: Duration::from_secs(60), ..Options::default() };
    let (start, started) = (cpu::now(), Instant::now());
    let report = world.submit_with(study, &csv, &options).await.expect("all is taken");
    world.close(study).await;
    let result = world.result(study).await.expect("a result");
    let (micros, elapsed) = (cpu::micros_each(start, count), started.elapsed());
    assert_eq!(result.records, count as u64, "every record is counted");
    world.end().await;
    let sent = |server: usize| report.sent[server].bytes as f64 / count as f64;
    let verifier_share = data.collect.verifier_share_len(size as u32) + VERIFIER_HEADER;
    let between = verifier_share as f64 / size as f64;
    let bytes = Bytes { first: sent(0), other: sent(1), between };
    Run { micros, rate: count as f64 / elapsed.as_secs_f64(), bytes }
}

//! Differential privacy in the whole system: noise within its tail, drawn and charged once whatever
//! crashes, and one submission of each provider where that is the unit.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on, stops")]

use std::{collections::HashSet, time::Duration};

use client::{status::State, studies, submit::Options};
use mpc::{ids::StudyId, publish::Published};
use proto::v1::Frame;
use server::storage::{Charge, Charged, Storage as _, sqlite::SqliteStorage};
use sotto_tests::{Provider, World};
use study::{Plan, Value};
use tonic::Code;
use zeroize::Zeroizing;

/// Counts and sums by region: two blocks of three cells.
const STUDY: &str = r#"
title = "Wages by region"
[privacy]
min_records = 1
epsilon = 0.5
unit = "record"
[[column]]
name = "wage"
type = "integer"
min = 0
max = 1000
[[column]]
name = "region"
type = "category"
values = ["North", "South", "West"]
[[statistic]]
name = "mean wage"
kind = "mean"
of = "wage"
by = ["region"]
"#;

const CSV: &str = "wage,region\n100,North\n200,North\n300,North\n777,South\n888,South\n0,North\n";
/// Counts, then sums of wages.
const EXACT: [i128; 6] = [4, 2, 0, 600, 1665, 0];

fn per_provider() -> String {
    STUDY.replace("unit = \"record\"\n", "")
}

async fn published(world: &World, study: StudyId) -> Published {
    world.result(study).await.unwrap();
    world.published(study).await
}

/// The noise in the published totals. Every server's ledger must say that all of the budget is
/// charged, and no more.
async fn noise(world: &World, study: StudyId) -> Vec<i128> {
    let totals = published(world, study).await.totals;
    let overview = studies::show(&world.profile(), study).await.unwrap();
    let plan = Plan::new(&overview.definition).unwrap();
    let noise = plan.noise().unwrap();
    for report in &overview.servers {
        assert_eq!(report.charged, noise.budget(), "{report:?}");
    }
    assert_eq!(totals.len(), EXACT.len());
    let mut drawn = Vec::new();
    for (coordinate, (total, exact)) in totals.into_iter().zip(EXACT).enumerate() {
        let difference = total.unwrap() - exact;
        let tail = noise.mechanism().tail(coordinate, overview.definition.servers().len());
        assert!(difference.unsigned_abs() <= tail, "{coordinate}: {difference}");
        drawn.push(difference);
    }
    drawn
}

#[tokio::test(flavor = "multi_thread")]
async fn published_totals_carry_noise_that_is_within_its_tail() {
    let world = World::servers(3).await;
    let gaussian = STUDY.replace("epsilon = 0.5", "epsilon = 0.5\ndelta = 1e-6");
    let mut seen = HashSet::new();
    for text in [STUDY, STUDY, &gaussian] {
        let study = world.create(text).await;
        let csv = world.file("wages.csv", CSV);
        let receipts = Some(world.path().join(format!("{study}.receipts")));
        let options = Options { receipts, ..Options::default() };
        world.submit_with(study, &csv, &options).await.unwrap();
        world.close(study).await;
        let noise = noise(&world, study).await;
        // Scales are 8 and 8,000 and more: all six are zero once in 10^20 runs.
        assert!(noise.iter().any(|noise| *noise != 0), "{noise:?}");
        assert!(seen.insert(noise), "every study has noise of its own");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_moment_of_the_publication_charges_once() {
    for (server, after_ms) in [(0, 0), (1, 0), (2, 10), (0, 20), (1, 30), (2, 45), (0, 60)] {
        let mut world = World::servers(3).await;
        let study = world.create(STUDY).await;
        let csv = world.file("wages.csv", CSV);
        world.submit(study, &csv).await.unwrap();
        world.close(study).await;
        tokio::time::sleep(Duration::from_millis(after_ms)).await;
        world.crash(server).await;
        world.start(server).await;
        noise(&world, study).await;
        world.end().await;
    }
}

/// Frames of the openings (round 3, and with suppression round 5) that are never heard.
fn withhold(round: u32) -> server::peers::Tamper {
    Box::new(move |_, frame| match frame.round == round {
        true => Frame { session_id: vec![0; 16].into(), ..frame },
        false => frame,
    })
}

/// Waits until beta's peers have charged this much. It hears their openings, and may be one ahead.
async fn charged_by_peers(world: &World, study: StudyId, charges: u64) {
    for _ in 0..600 {
        let overview = studies::show(&world.profile(), study).await.unwrap();
        let mut peers = overview.servers.iter().filter(|report| report.server != "beta");
        assert!(peers.clone().all(|report| report.charged <= charges), "{overview:?}");
        assert!(peers.clone().all(|report| report.state == State::Closing), "{overview:?}");
        if peers.all(|report| report.charged == charges) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the opening was not charged");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_restarts_between_commitment_and_opening_publishes_with_the_same_noise() {
    // With suppression there are two openings; with so little noise the counts stay what they are.
    let suppressing = STUDY.replace("epsilon = 0.5", "epsilon = 100\nmin_cell = 2");
    for (text, round, charges) in [(STUDY, 3, 2), (&suppressing, 3, 1), (&suppressing, 5, 2)] {
        let quick = |_, text: String| text + "round_seconds = 2\n";
        let mut world = World::with_configs(3, quick).await;
        let study = world.create(text).await;
        let csv = world.file("wages.csv", CSV);
        world.submit(study, &csv).await.unwrap();
        world.tamper(1, withhold(round));
        world.close(study).await;
        charged_by_peers(&world, study, charges).await;
        // One round later all have stored its commitment: were the noise of the next run another,
        // they would name it and end the study.
        tokio::time::sleep(Duration::from_millis(500)).await;
        charged_by_peers(&world, study, charges).await;
        world.crash(1).await;
        world.start(1).await;
        published(&world, study).await;
        let overview = studies::show(&world.profile(), study).await.unwrap();
        assert!(overview.servers.iter().all(|report| report.charged == 2), "{overview:?}");
        world.end().await;
    }
}

/// Charges a stopped server's ledger behind its back.
async fn charge(world: &World, server: usize, study: StudyId, charge: Charge) {
    let storage = SqliteStorage::open(&world.data(server).join("sotto.db")).unwrap();
    let charged = storage.charge(study, charge.clone()).await.unwrap();
    assert_eq!(charged, Charged::Noise(charge.noise));
    storage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_that_its_ledger_refuses_ends_the_study_with_the_rule_named() {
    let charged = |opening, coordinates| Charge {
        opening,
        coordinates,
        cost: 1,
        budget: 2,
        noise: Zeroizing::new(vec![0; 16]),
    };
    let cases = [
        (charged(7, vec![0]), "privacy budget (epsilon): 1 of 2 parts are charged, and it costs 2"),
        (charged(0, vec![0]), "privacy budget (epsilon) was charged for an opening of other"),
    ];
    for (before, rule) in cases {
        let mut world = World::servers(2).await;
        let study = world.create(STUDY).await;
        let csv = world.file("wages.csv", CSV);
        world.submit(study, &csv).await.unwrap();
        world.stop(1).await;
        charge(&world, 1, study, before).await;
        world.start(1).await;
        world.close(study).await;
        let error = world.result(study).await.unwrap_err();
        assert_eq!(error.exit().code(), 6, "{error}");
        assert!(error.to_string().contains(rule), "{error}");
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_submits_one_record_once_where_the_unit_is_the_provider() {
    let world = World::servers(3).await;
    let study = world.create(&per_provider()).await;
    let many = world.file("many.csv", CSV);
    let error = world.submit(study, &many).await.unwrap_err();
    assert!(error.to_string().contains("unit = \"record\""), "{error}");
    assert_eq!(error.exit().code(), 3);
    assert!(!world.path().join("many.csv.receipts").exists(), "nothing was begun");
    let one = world.file("one.csv", "wage,region\n100,North\n");
    assert_eq!(world.submit(study, &one).await.unwrap().records, 1);
    assert_eq!(world.submit(study, &one).await.unwrap().resumed, 1, "the same file is no second");
    let second = world.file("second.csv", "wage,region\n200,North\n");
    let error = world.submit(study, &second).await.unwrap_err();
    assert!(error.to_string().contains("unit = \"provider\""), "{error}");
    assert_eq!(error.exit().code(), 7);

    // Without the client's checks the servers refuse alike.
    let mut provider = Provider::new(&world, study, 1).await;
    let record = vec![Value::Number(7), Value::Category(1)];
    let batch = provider.encode(&[record.clone(), record.clone()]);
    let batch = provider.shard(batch);
    let wires = provider.encode(std::slice::from_ref(&record));
    let (first, again) = (provider.shard(wires.clone()), provider.shard(wires));
    for server in 0..3 {
        let refused = provider.send(&world, &batch, server).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert!(refused.message().contains("one record of each provider"), "{refused}");
        provider.send(&world, &first, server).await.unwrap();
        let refused = provider.send(&world, &again, server).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert!(refused.message().contains("takes one submission of each"), "{refused}");
    }
    world.close(study).await;
    let published = published(&world, study).await;
    assert_eq!((published.submissions, published.records), (2, 2));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_submits_as_often_as_it_likes_where_the_unit_is_the_record() {
    let world = World::servers(2).await;
    let study = world.create(STUDY).await;
    let csv = world.file("wages.csv", CSV);
    let options = Options { batch: Some(2), ..Options::default() };
    let report = world.submit_with(study, &csv, &options).await.unwrap();
    assert_eq!((report.records, report.submissions.len()), (6, 3));
    let more = world.file("more.csv", "wage,region\n100,North\n");
    world.submit(study, &more).await.unwrap();
    world.close(study).await;
    let published = published(&world, study).await;
    assert_eq!((published.submissions, published.records), (4, 7));
    world.end().await;
}

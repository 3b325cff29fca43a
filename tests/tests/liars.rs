//! Servers that lie to their peers: the run aborts, names them, and nothing is published.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on, stops")]

use std::time::Duration;

use client::{
    progress::Silent,
    status::{Overview, State},
    studies,
};
use mpc::ids::StudyId;
use proto::v1::Frame;
use sotto_tests::{Provider, World};
use study::Value;

const STUDY: &str = r#"
title = "Ages"
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

/// Flips the last bit of every message of one round.
fn flip(round: u32) -> server::peers::Tamper {
    Box::new(move |_, frame| {
        let mut part = frame.part.to_vec();
        if let Some(last) = part.last_mut().filter(|_| frame.round == round && frame.last) {
            *last ^= 1;
        }
        Frame { part: part.into(), ..frame }
    })
}

/// Cuts off the last byte of every message.
fn truncate() -> server::peers::Tamper {
    Box::new(|_, frame| {
        let part = frame.part.slice(..frame.part.len().saturating_sub(1));
        Frame { part, ..frame }
    })
}

async fn ended(world: &World, study: StudyId, liar: &str) -> Overview {
    for _ in 0..600 {
        let overview = studies::show(&world.profile(), study).await.unwrap();
        let ended = |report: &client::status::Report| report.state.is_final();
        if overview.servers.iter().filter(|report| report.server != liar).all(ended) {
            return overview;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the study did not end");
}

/// The honest servers ended the study. Each names the liar, or says who told it that the study
/// is over; one at least has seen the lie itself.
async fn aborted_and_named(world: &World, study: StudyId, liar: &str) {
    let overview = ended(world, study, liar).await;
    let honest: Vec<_> = overview.servers.iter().filter(|report| report.server != liar).collect();
    for report in &honest {
        assert_eq!(report.state, State::Aborted, "{report:?}");
        assert!(report.detail.contains(liar), "{report:?}");
        let told = report.detail.contains("aborted the study");
        assert!(told || report.waits_for == [liar], "{report:?}");
    }
    assert!(honest.iter().any(|report| report.waits_for == [liar]), "{honest:?}");
}

async fn no_result_and_named(world: &World, study: StudyId, liar: &str) {
    aborted_and_named(world, study, liar).await;
    let error = world.result(study).await.unwrap_err();
    assert_eq!(error.exit().code(), 6, "{error}");
    assert!(error.to_string().contains(liar), "{error}");
}

/// Submits one record and waits until all servers have verified it.
async fn submit_one(world: &World, study: StudyId) {
    let mut provider = Provider::new(world, study, 1).await;
    let wires = provider.encode(&[vec![Value::Number(30)]]);
    let sharded = provider.shard(wires);
    provider.send_all(world, &sharded).await;
}

async fn verified(world: &World, study: StudyId) {
    for _ in 0..600 {
        let overview = studies::show(&world.profile(), study).await.unwrap();
        if overview.servers.iter().all(|report| report.verified == 1) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the submission was not verified");
}

/// The servers that lie: one that starts the runs, and one that joins them.
const LIARS: [(usize, &str); 2] = [(0, "alpha"), (1, "beta")];

#[tokio::test(flavor = "multi_thread")]
async fn another_contribution_than_was_committed_to_names_its_server() {
    for (server, name) in LIARS {
        let world = World::servers(3).await;
        world.tamper(server, flip(1));
        let file = world.file("study.toml", STUDY);
        let created = studies::create(&world.profile(), &file, &Silent).await;
        let study = created.expect("the proposal itself is fine").id;
        no_result_and_named(&world, study, name).await;
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_not_all_derive_ends_the_study_before_it_opens() {
    // Another commitment, or another confirmation: nobody can say who is right.
    for round in [0, 2] {
        let world = World::servers(3).await;
        world.tamper(1, flip(round));
        let file = world.file("study.toml", STUDY);
        let study = studies::create(&world.profile(), &file, &Silent).await.unwrap().id;
        let overview = ended(&world, study, "beta").await;
        assert!(overview.servers.iter().all(|report| report.state != State::Open));
        assert!(world.result(study).await.is_err());
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_message_that_is_none_names_its_server() {
    for (server, name) in LIARS {
        let world = World::servers(3).await;
        let study = world.create(STUDY).await;
        world.tamper(server, truncate());
        submit_one(&world, study).await;
        no_result_and_named(&world, study, name).await;
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_falsified_message_of_any_round_of_the_publication_names_its_server() {
    // Roots, set, commitment, opening, result.
    for (server, name) in LIARS {
        for round in 0..5 {
            let world = World::servers(3).await;
            let study = world.create(STUDY).await;
            submit_one(&world, study).await;
            verified(&world, study).await;
            world.tamper(server, flip(round));
            world.close(study).await;
            if round < 4 {
                no_result_and_named(&world, study, name).await;
            } else {
                // The liar holds all signatures and gave a false one to the others. They name it,
                // and what it can show is the true result, which all have signed.
                aborted_and_named(&world, study, name).await;
                let result = serde_json::to_value(world.result(study).await.unwrap()).unwrap();
                assert_eq!(result["statistics"][0]["cells"][0]["value"], 30);
            }
            world.end().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_withholds_its_opening_once_cannot_change_the_result_afterwards() {
    let quick = |_, text: String| text + "round_seconds = 2\n";
    let world = World::with_configs(3, quick).await;
    let study = world.create(STUDY).await;
    submit_one(&world, study).await;
    verified(&world, study).await;
    // Openings are round 3; frames without a session go nowhere, so this one is never heard.
    let mut withheld = std::collections::HashSet::new();
    world.tamper(
        1,
        Box::new(move |peer, frame| match frame.round == 3 && withheld.insert(peer.to_owned()) {
            true => Frame { session_id: vec![0; 16].into(), ..frame },
            false => frame,
        }),
    );
    // What it said once, it says again: the run that is repeated gives the true result.
    world.close(study).await;
    let result = serde_json::to_value(world.result(study).await.unwrap()).unwrap();
    assert_eq!(result["statistics"][0]["cells"][0]["value"], 30);
    world.end().await;
}

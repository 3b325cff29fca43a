//! Servers that lie to their peers: the run aborts, names them, and nothing is published.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on, stops")]

use std::time::Duration;

use client::{
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

async fn ended(world: &World, study: StudyId) -> Overview {
    for _ in 0..300 {
        let overview = studies::show(&world.profile(), study).await.unwrap();
        let ended = |report: &client::status::Report| report.state.is_final();
        if overview.servers.iter().filter(|report| report.server != "beta").all(ended) {
            return overview;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the study did not end");
}

async fn aborted_and_beta_named(world: &World, study: StudyId) {
    let overview = ended(world, study).await;
    for report in overview.servers.iter().filter(|report| report.server != "beta") {
        assert_eq!(report.state, State::Aborted, "{report:?}");
        assert!(report.detail.contains("beta"), "{report:?}");
        assert_eq!(report.waits_for, ["beta"], "{report:?}");
    }
}

async fn no_result_and_beta_named(world: &World, study: StudyId) {
    aborted_and_beta_named(world, study).await;
    let error = world.result(study).await.unwrap_err();
    assert_eq!(error.exit().code(), 6, "{error}");
    assert!(error.to_string().contains("beta"), "{error}");
}

/// Submits one record and waits until all servers have verified it.
async fn submit_one(world: &World, study: StudyId) {
    let mut provider = Provider::new(world, study, 1).await;
    let wires = provider.encode(&[vec![Value::Number(30)]]);
    let sharded = provider.shard(wires);
    provider.send_all(world, &sharded).await;
}

async fn verified(world: &World, study: StudyId) {
    for _ in 0..100 {
        let overview = studies::show(&world.profile(), study).await.unwrap();
        if overview.servers.iter().all(|report| report.verified == 1) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the submission was not verified");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_contribution_than_was_committed_to_names_its_server() {
    let world = World::servers(3).await;
    world.tamper(1, flip(1));
    let file = world.file("study.toml", STUDY);
    let profile = world.profile();
    let created = studies::create(&profile, &file, &client::progress::Silent).await;
    let study = match created {
        Ok(overview) => overview.id,
        Err(error) => panic!("the proposal itself is fine: {error}"),
    };
    no_result_and_beta_named(&world, study).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_message_that_is_none_names_its_server() {
    let world = World::servers(3).await;
    let study = world.create(STUDY).await;
    world.tamper(1, truncate());
    submit_one(&world, study).await;
    no_result_and_beta_named(&world, study).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_falsified_message_of_any_round_of_the_publication_names_its_server() {
    // Roots, set, commitment, opening, result.
    for round in 0..5 {
        let world = World::servers(3).await;
        let study = world.create(STUDY).await;
        submit_one(&world, study).await;
        verified(&world, study).await;
        world.tamper(1, flip(round));
        world.close(study).await;
        if round < 4 {
            no_result_and_beta_named(&world, study).await;
        } else {
            // Beta holds all signatures and gave a false one to the others. They name it, and
            // what beta can show is the true result, which all have signed.
            aborted_and_beta_named(&world, study).await;
            let result = serde_json::to_value(world.result(study).await.unwrap()).unwrap();
            assert_eq!(result["statistics"][0]["cells"][0]["value"], 30);
        }
        world.end().await;
    }
}

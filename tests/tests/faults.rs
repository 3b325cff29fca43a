//! Crashes and restarts between any two steps: nothing acknowledged is lost or counted twice.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on, stops")]

use std::time::Duration;

use client::{
    ClientError,
    studies::{self, Action},
    submit::Options,
};
use mpc::ids::StudyId;
use sotto_tests::World;

const STUDY: &str = r#"
title = "Everyone once"
[privacy]
min_records = 1
[[column]]
name = "who"
type = "category"
values = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"]
[[statistic]]
name = "count"
kind = "count"
by = ["who"]
"#;

const NAMES: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

fn csv(names: &[&str]) -> String {
    format!("who\n{}\n", names.join("\n"))
}

/// One record per submission, so that a crash can come between any two.
fn one_by_one() -> Options {
    Options { batch: Some(1), timeout: Duration::from_secs(60), ..Options::default() }
}

async fn each_is_counted_once(world: &World, study: StudyId, what: &str) {
    let result = serde_json::to_value(world.result(study).await.unwrap()).unwrap();
    assert_eq!(result["records"], 12, "{what}");
    for cell in result["statistics"][0]["cells"].as_array().unwrap() {
        assert_eq!(cell["value"], 1, "{what}: {cell}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_server_may_crash_between_any_two_steps() {
    for server in 0..3 {
        let mut world = World::servers(3).await;
        let study = world.create(STUDY).await;
        world.crash(server).await;
        world.start(server).await;
        let first = world.file("first.csv", &csv(&NAMES[..6]));
        let second = world.file("second.csv", &csv(&NAMES[6..]));
        world.submit_with(study, &first, &one_by_one()).await.unwrap();
        // Receipts are out, verification may be at any point.
        world.crash(server).await;
        world.start(server).await;
        world.submit_with(study, &second, &one_by_one()).await.unwrap();
        world.crash(server).await;
        world.start(server).await;
        world.close(study).await;
        world.crash(server).await;
        world.start(server).await;
        each_is_counted_once(&world, study, &format!("server {server}")).await;
        world.crash(server).await;
        world.start(server).await;
        each_is_counted_once(&world, study, "after the end").await;
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_server_may_crash_at_any_moment_of_the_publication() {
    for server in 0..3 {
        for after_ms in [0, 5, 15, 30, 60] {
            let mut world = World::servers(3).await;
            let study = world.create(STUDY).await;
            let file = world.file("all.csv", &csv(&NAMES));
            world.submit_with(study, &file, &one_by_one()).await.unwrap();
            world.close(study).await;
            tokio::time::sleep(Duration::from_millis(after_ms)).await;
            world.crash(server).await;
            world.start(server).await;
            each_is_counted_once(&world, study, &format!("server {server}, {after_ms} ms")).await;
            world.end().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_at_submit_is_named_and_the_upload_goes_on_later() {
    let mut world = World::servers(3).await;
    let study = world.create(STUDY).await;
    let file = world.file("all.csv", &csv(&NAMES));
    world.stop(1).await;
    let options = Options { timeout: Duration::from_secs(1), ..one_by_one() };
    let error = world.submit_with(study, &file, &options).await.unwrap_err();
    assert!(error.to_string().contains("beta"), "{error}");
    assert_eq!(error.exit().code(), 5);
    world.start(1).await;
    let report = world.submit_with(study, &file, &one_by_one()).await.unwrap();
    assert_eq!(report.records, 12);
    // Once more: nothing is sent twice.
    let again = world.submit_with(study, &file, &one_by_one()).await.unwrap();
    assert_eq!((again.records, again.resumed), (12, 12));
    world.close(study).await;
    each_is_counted_once(&world, study, "resumed").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_at_the_close_is_waited_for() {
    let mut world = World::servers(3).await;
    let study = world.create(STUDY).await;
    let file = world.file("all.csv", &csv(&NAMES));
    world.submit_with(study, &file, &one_by_one()).await.unwrap();
    world.stop(2).await;
    let profile = world.profile();
    let answers = studies::command(&profile, study, Action::Close, &[]).await.unwrap();
    let failed: Vec<&ClientError> =
        answers.iter().filter_map(|answer| answer.report.as_ref().err()).collect();
    assert_eq!(failed.len(), 1);
    assert!(failed[0].to_string().contains("gamma"), "{}", failed[0]);
    assert_eq!(failed[0].exit().code(), 5);
    world.start(2).await;
    // The same command again finishes what was begun.
    world.close(study).await;
    each_is_counted_once(&world, study, "closed late").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_study_below_min_records_ends_refused_at_every_server_with_the_rule_named() {
    let world = World::servers(2).await;
    let study = world.create(&STUDY.replace("min_records = 1", "min_records = 13")).await;
    let file = world.file("all.csv", &csv(&NAMES));
    world.submit_with(study, &file, &one_by_one()).await.unwrap();
    world.close(study).await;
    let error = world.result(study).await.unwrap_err();
    assert!(error.to_string().contains("min_records"), "{error}");
    assert_eq!(error.exit().code(), 7);
    let overview = studies::show(&world.profile(), study).await.unwrap();
    for report in overview.servers {
        assert_eq!(report.state, client::status::State::Refused, "{report:?}");
    }
    world.end().await;
}

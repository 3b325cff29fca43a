//! Limits at the door: what is too much is refused with the time to try again, and nothing is lost.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on, stops")]

use std::time::Duration;

use client::submit::Options;
use sotto_tests::{AGES, Provider, World};
use study::Value;
use tonic::Code;
use tonic_types::StatusExt as _;

/// Ages of forty people at most.
fn study() -> String {
    format!("max_records = 40\n{AGES}")
}

/// A world in which a limit of every server is `value`.
async fn limited(limit: &str, value: u32) -> World {
    World::with_configs(2, |_, text| {
        let kept = text.lines().filter(|line| !line.starts_with(limit));
        kept.map(|line| format!("{line}\n")).collect::<String>() + &format!("{limit} = {value}\n")
    })
    .await
}

fn ages(n: usize) -> String {
    format!("age\n{}", "1\n".repeat(n))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_too_fast_is_told_when_to_come_back_and_the_client_does() {
    let world = limited("calls_per_second", 15).await;
    let study = world.create(&study()).await;
    let mut provider = Provider::new(&world, study, 1).await;
    let mut refused = None;
    for _ in 0..60 {
        let sharded = provider.shard(provider.encode(&[vec![Value::Number(1)]]));
        // To one server only: these will be listed as incomplete.
        if let Err(status) = provider.send(&world, &sharded, 0).await {
            refused = Some(status);
            break;
        }
    }
    let status = refused.expect("60 at once are more than 15 a second");
    assert_eq!(status.code(), Code::ResourceExhausted);
    let delay = status.get_details_retry_info().unwrap().retry_delay.unwrap();
    assert!(delay > Duration::ZERO && delay <= Duration::from_secs(5), "{delay:?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_rides_out_a_rate_limit_by_itself() {
    let world = limited("calls_per_second", 20).await;
    let study = world.create(&study()).await;
    let csv = world.file("ages.csv", &ages(30));
    let options =
        Options { batch: Some(1), timeout: Duration::from_secs(60), ..Options::default() };
    let report = world.submit_with(study, &csv, &options).await.unwrap();
    assert_eq!(report.records, 30);
    world.close(study).await;
    let result = serde_json::to_value(world.result(study).await.unwrap()).unwrap();
    assert_eq!(result["statistics"][0]["cells"][0]["value"], 30);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_backlog_is_refused_until_it_is_verified() {
    let world = limited("unverified_per_study", 3).await;
    let study = world.create(&study()).await;
    let mut provider = Provider::new(&world, study, 1).await;
    let one = |provider: &mut Provider| provider.shard(provider.encode(&[vec![Value::Number(1)]]));
    // Half submissions stay unverified: the other server lacks them.
    let halves: Vec<_> = (0..3).map(|_| one(&mut provider)).collect();
    for half in &halves {
        provider.send(&world, half, 0).await.unwrap();
    }
    let more = one(&mut provider);
    let status = provider.send(&world, &more, 0).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.get_details_retry_info().is_some());
    // Completed, they are verified, and there is room again.
    for half in &halves {
        provider.send(&world, half, 1).await.unwrap();
    }
    let mut sent = provider.send(&world, &more, 0).await;
    for _ in 0..600 {
        if sent.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        sent = provider.send(&world, &more, 0).await;
    }
    sent.unwrap();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_study_holds_no_more_records_than_it_may() {
    let world = World::servers(2).await;
    let study = world.create(&study()).await;
    let (all, more) = (world.file("all.csv", &ages(40)), world.file("more.csv", &ages(1)));
    // Halves that claim to hold every record, at one server: they use nothing up.
    let mut stranger = Provider::new(&world, study, 1).await;
    for _ in 0..3 {
        let wires = stranger.encode(&vec![vec![Value::Number(1)]; 40]);
        let half = stranger.shard(wires);
        stranger.send(&world, &half, 1).await.unwrap();
    }
    world.submit(study, &all).await.unwrap();
    for _ in 0..600 {
        let overview = client::studies::show(&world.profile(), study).await.unwrap();
        if overview.servers.iter().all(|report| report.verified > 0) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let error = world.submit(study, &more).await.unwrap_err();
    assert!(error.to_string().contains("max_records"), "{error}");
    assert_eq!(error.exit().code(), 7);
    world.close(study).await;
    let result = world.result(study).await.unwrap();
    assert_eq!((result.records, result.rejected), (40, 3));
    world.end().await;
}

//! Duplicates, replays, late and partial submissions: every record is counted once or listed.
//!
//! Each record has a cell of its own, so that a count above one or a lost record shows.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on, stops")]

use std::collections::BTreeMap;

use futures::future::join_all;
use sotto_tests::{Provider, World};
use study::Value;
use tonic::Code;

const CELLS: u32 = 24;

fn study() -> String {
    let values: Vec<String> = (0..CELLS).map(|cell| format!("\"r{cell}\"")).collect();
    format!(
        "title = \"Everyone in a cell of their own\"\n[privacy]\nmin_records = 1\n\
         [[column]]\nname = \"who\"\ntype = \"category\"\nvalues = [{}]\n\
         [[statistic]]\nname = \"count\"\nkind = \"count\"\nby = [\"who\"]\n",
        values.join(", ")
    )
}

/// Counts by cell, zeros left out.
async fn counts(world: &World, study: mpc::ids::StudyId) -> (BTreeMap<String, u64>, u64) {
    let result = serde_json::to_value(world.result(study).await.unwrap()).unwrap();
    let cells = result["statistics"][0]["cells"].as_array().unwrap();
    let counts = cells.iter().map(|cell| {
        (cell["by"]["who"].as_str().unwrap().to_owned(), cell["value"].as_f64().unwrap() as u64)
    });
    (counts.filter(|(_, count)| *count > 0).collect(), result["rejected"].as_u64().unwrap())
}

fn record(provider: &Provider, cell: u32) -> Vec<mpc::Field128> {
    provider.encode(&[vec![Value::Category(cell)]])
}

#[tokio::test(flavor = "multi_thread")]
async fn every_submission_is_counted_exactly_once_or_listed_as_rejected() {
    let world = World::servers(3).await;
    let study = world.create(&study()).await;
    let mut provider = Provider::new(&world, study, 1).await;

    // 0..8: honest; sent twice at once, and replayed below after they were verified.
    let mut honest = Vec::new();
    for cell in 0..8 {
        let wires = record(&provider, cell);
        let sharded = provider.shard(wires);
        let twice = [0, 1, 2, 0, 1, 2].map(|server| provider.send(&world, &sharded, server));
        let receipts: Vec<_> =
            join_all(twice).await.into_iter().map(|receipt| receipt.unwrap()).collect();
        assert_eq!(receipts[..3], receipts[3..], "the same receipt again");
        honest.push(sharded);
    }
    // 8..10: only some servers have it.
    for (cell, servers) in [(8, &[0][..]), (9, &[1, 2]), (10, &[0, 1])] {
        let wires = record(&provider, cell);
        let sharded = provider.shard(wires);
        for server in servers {
            provider.send(&world, &sharded, *server).await.unwrap();
        }
    }
    // 11 and 12 share an id: the second is refused where the first is, and the servers disagree.
    let first = provider.shard(record(&provider, 11));
    let second = provider.shard_as(first.public.submission, record(&provider, 12));
    for server in [0, 1] {
        provider.send(&world, &first, server).await.unwrap();
        let status = provider.send(&world, &second, server).await.unwrap_err();
        assert_eq!(status.code(), Code::AlreadyExists);
    }
    provider.send(&world, &second, 2).await.unwrap();
    // 13 arrives at the last server long after the others.
    let slow = provider.shard(record(&provider, 13));
    provider.send(&world, &slow, 0).await.unwrap();
    provider.send(&world, &slow, 1).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    provider.send(&world, &slow, 2).await.unwrap();
    // A replay of what has been verified changes nothing.
    for sharded in &honest {
        provider.send_all(&world, sharded).await;
    }
    world.close(study).await;
    let (counts, rejected) = counts(&world, study).await;
    let expected: BTreeMap<String, u64> =
        (0..8).chain([13]).map(|cell| (format!("r{cell}"), 1)).collect();
    assert_eq!(counts, expected);
    assert_eq!(rejected, 4, "three partial ones and one in two versions");
    // Late: refused by every server, and a replay still gives the receipt that was given.
    let late = provider.shard(record(&provider, 14));
    for server in 0..3 {
        let status = provider.send(&world, &late, server).await.unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
        provider.send(&world, &honest[0], server).await.unwrap();
    }
    world.end().await;
}

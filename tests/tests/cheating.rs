//! Cheating clients against real servers: every broken clause is rejected, the rest is unharmed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on, stops")]

use mpc::{
    Field128,
    collect::{PublicPart, credential},
};
use sotto_tests::{Provider, World, provider};
use study::Value;
use tonic::Code;

const STUDY: &str = r#"
title = "Earnings by group"
[privacy]
min_records = 1
[[column]]
name = "earnings"
type = "integer"
min = 0
max = 5
missing = "allowed"
[[column]]
name = "group"
type = "category"
values = ["a", "b", "c"]
[[statistic]]
name = "sum"
kind = "sum"
of = "earnings"
by = ["group"]
[[statistic]]
name = "spread"
kind = "variance"
of = "earnings"
by = ["group"]
[[statistic]]
name = "levels"
kind = "histogram"
of = "earnings"
bins = [0, 2, 5]
"#;

fn record(earnings: i128, group: u32) -> Vec<Value> {
    vec![Value::Number(earnings), Value::Category(group)]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_any_wire_of_a_record_is_rejected_and_the_honest_total_stands() {
    let world = World::servers(3).await;
    let study = world.create(STUDY).await;
    let mut provider = Provider::new(&world, study, 1).await;
    // Bits that become 2, values above the maximum, two groups at once, no group, wrong products,
    // wrong squares, a level that is not the value's, a value behind a missing one: every clause is
    // broken by some wire.
    let honest = provider.encode(&[record(3, 1)]);
    let missing = provider.encode(&[vec![Value::Missing, Value::Category(1)]]);
    let mut cheats = Vec::new();
    for (name, base) in [("a record", &honest), ("a missing value", &missing)] {
        for wire in 0..base.len() {
            for change in [1, u128::from(-Field128::from(1))] {
                let mut wires = base.clone();
                wires[wire] += Field128::from(change);
                cheats.push((format!("wire {wire} of {name} changed by {change}"), wires));
            }
        }
    }
    assert!(cheats.len() > 40);
    for (_, wires) in &cheats {
        let sharded = provider.shard(wires.clone());
        provider.send_all(&world, &sharded).await;
    }
    let good = provider.encode(&[record(5, 0), record(4, 1), record(0, 2), record(1, 0)]);
    let sharded = provider.shard(good);
    provider.send_all(&world, &sharded).await;
    world.close(study).await;
    let result = serde_json::to_value(world.result(study).await.unwrap()).unwrap();
    assert_eq!(result["rejected"], cheats.len(), "{result:#}");
    assert_eq!((&result["records"], &result["submissions"]), (&4.into(), &1.into()));
    let cells = result["statistics"][0]["cells"].as_array().unwrap();
    let values: Vec<f64> = cells.iter().map(|cell| cell["value"].as_f64().unwrap()).collect();
    assert_eq!(values, [6.0, 4.0, 0.0]);
    assert_eq!(result["statistics"][1]["cells"][0]["value"], 8.0);
    assert_eq!(result["statistics"][2]["cells"][0]["value"]["counts"], serde_json::json!([2, 2]));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_of_another_study_or_submission_are_refused_at_the_door_or_rejected() {
    let world = World::servers(2).await;
    let study = world.create(STUDY).await;
    let other = world.create(STUDY).await;
    let mut here = Provider::new(&world, study, 1).await;
    let mut there = Provider::new(&world, other, 2).await;
    let wires = here.encode(&[record(3, 1)]);

    // The share of another submission does not have the hash that the public part names.
    let (one, two) = (here.shard(wires.clone()), here.shard(wires.clone()));
    let mut swapped = here.request(&one, 0);
    swapped.payload = two.payloads[0].to_vec().into();
    assert_eq!(provider::send(&world, swapped, 0).await.unwrap_err().code(), Code::InvalidArgument);

    // A proof made for another study, relabelled, committed to and signed again, does not verify
    // here.
    let mut foreign = there.shard(wires.clone());
    foreign.public.study = study;
    foreign.public.provider = here.signer.public();
    let refused = here.send(&world, &foreign, 1).await.unwrap_err();
    assert!(refused.message().contains("commitment"), "{refused:?}");
    here.commit_again(&mut foreign);
    here.send_all(&world, &foreign).await;

    // Someone else's submission cannot be sent in one's own name.
    let mut stolen = here.request(&one, 0);
    stolen.credential =
        credential(&there.signer, PublicPart::hash_encoded(&stolen.public_part)).0.to_vec().into();
    assert_eq!(provider::send(&world, stolen, 0).await.unwrap_err().code(), Code::Unauthenticated);

    here.send_all(&world, &one).await;
    world.close(study).await;
    let result = world.result(study).await.unwrap();
    assert_eq!((result.records, result.submissions, result.rejected), (1, 1, 1));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_and_oversized_uploads_get_a_clear_refusal_and_leave_nothing() {
    let world = World::servers(2).await;
    let study = world.create(STUDY).await;
    let mut provider = Provider::new(&world, study, 1).await;
    let wires = provider.encode(&[record(3, 1)]);
    let sharded = provider.shard(wires);
    let good = provider.request(&sharded, 0);
    let mut attempts = Vec::new();
    for len in [0, 1, 40, good.public_part.len() - 1] {
        let mut request = good.clone();
        request.public_part = good.public_part.slice(..len);
        attempts.push((request, Code::InvalidArgument));
    }
    let mut short_credential = good.clone();
    short_credential.credential = good.credential.slice(..63);
    attempts.push((short_credential, Code::InvalidArgument));
    let mut huge = good.clone();
    huge.payload = vec![0; 5 << 20].into();
    attempts.push((huge, Code::OutOfRange));
    let mut unknown = provider.shard(provider.encode(&[record(1, 1)]));
    unknown.public.study = mpc::ids::StudyId([7; 32]);
    attempts.push((provider.request(&unknown, 0), Code::NotFound));
    for (request, code) in attempts {
        let status = provider::send(&world, request, 0).await.unwrap_err();
        assert_eq!(status.code(), code, "{status:?}");
    }
    let report = &client::studies::show(&world.profile(), study).await.unwrap().servers[0];
    assert_eq!((report.submissions, report.share_bytes), (0, 0));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commitment_that_does_not_open_is_refused_by_its_server_so_that_no_k_receipts_exist() {
    let world = World::servers(3).await;
    let study = world.create(STUDY).await;
    let mut provider = Provider::new(&world, study, 1).await;
    let wires = provider.encode(&[record(3, 1)]);
    for liar in 0..3 {
        let (mut sharded, other) = (provider.shard(wires.clone()), provider.shard(wires.clone()));
        sharded.public.commitments[liar] = other.public.commitments[liar];
        for server in 0..3 {
            match provider.send(&world, &sharded, server).await {
                Ok(_) => assert_ne!(server, liar),
                Err(refused) => {
                    assert_eq!((server, refused.code()), (liar, Code::InvalidArgument));
                    assert!(refused.message().contains("does not open"), "{refused:?}");
                }
            }
        }
    }
    let sharded = provider.shard(wires);
    provider.send_all(&world, &sharded).await;
    world.close(study).await;
    let result = world.result(study).await.unwrap();
    assert_eq!((result.records, result.submissions, result.rejected), (1, 1, 3));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_false_commitment_among_many_uploads_at_once_is_refused_alone() {
    const UPLOADS: usize = 40;
    const FALSE: usize = 17;
    let world = World::servers(2).await;
    let study = world.create(STUDY).await;
    let mut provider = Provider::new(&world, study, 1).await;
    let wires = provider.encode(&[record(2, 2)]);
    let mut uploads: Vec<_> = (0..UPLOADS).map(|_| provider.shard(wires.clone())).collect();
    uploads[FALSE].public.commitments = uploads[0].public.commitments.clone();
    for server in 0..2 {
        let sent = uploads.iter().map(|sharded| provider.send(&world, sharded, server));
        let answers = futures::future::join_all(sent).await;
        let refused: Vec<usize> = (0..UPLOADS).filter(|upload| answers[*upload].is_err()).collect();
        assert_eq!(refused, [FALSE], "{answers:?}");
        let refused = answers[FALSE].as_ref().unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
    world.close(study).await;
    let result = world.result(study).await.unwrap();
    assert_eq!((result.records, result.rejected), (UPLOADS as u64 - 1, 0));
    world.end().await;
}

//! The test vectors of docs/audit.md: a small bundle, and every value on the way through it. With
//! `UPDATE_DOCS=1` they are written; otherwise they are compared.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on, stops")]

use std::{fs, path::PathBuf};

use client::{
    audit::{Verdict, audit},
    progress::Silent,
};
use curve25519_dalek::Scalar;
use mpc::{
    dst,
    merkle::{self, Tree},
    pedersen::Bases,
    publish::SignedSet,
    record::Section,
    transcript::{Recording, Step, first_chain, next_chain},
};
use serde_json::{Value as Json, json};
use sotto_tests::recorded::{self, Recorded, Unpublished};
use study::{Plan, Value};

const STUDY: &str = r#"
title = "Ages by group"
[privacy]
min_records = 1
min_cell = 2
[[column]]
name = "age"
type = "integer"
min = 0
max = 100
[[column]]
name = "group"
type = "category"
values = ["a", "b", "c", "d"]
[[statistic]]
name = "mean"
kind = "mean"
of = "age"
by = ["group"]
"#;

fn vectors(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/audit-vectors")).join(name)
}

fn record(age: i128, group: u32) -> Vec<Value> {
    vec![Value::Number(age), Value::Category(group)]
}

/// All submissions count, and all servers have the same.
async fn recorded() -> Recorded {
    let mut unpublished = Unpublished::new(STUDY, 3, 4);
    unpublished.submit(&[record(30, 0), record(41, 0)]);
    unpublished.submit(&[record(52, 0)]);
    unpublished.submit(&[record(63, 1), record(24, 2), record(25, 2)]);
    unpublished.submit(&[record(17, 0), record(18, 0), record(19, 0)]);
    unpublished.submit(&[record(77, 3), record(66, 3)]);
    unpublished.publish().await
}

/// One submission was replaced, one withdrawn, one is invalid, and one not everywhere, so that the
/// servers show their lists.
async fn amended() -> Recorded {
    let mut unpublished = Unpublished::new(STUDY, 3, 6);
    let replaced = unpublished.submit(&[record(30, 0), record(41, 1)]);
    let withdrawn = unpublished.submit(&[record(99, 3)]);
    unpublished.submit(&[record(52, 0), record(53, 1), record(54, 2)]);
    unpublished.submit_invalid(&[record(1, 0)]);
    unpublished.submit_to_some(&[record(2, 0)]);
    unpublished.amend(replaced, Some(&[record(31, 0), record(42, 1), record(43, 2)]));
    unpublished.amend(withdrawn, None);
    unpublished.publish().await
}

/// What an implementation computes on its way, in the order of the page.
fn steps(recorded: &Recorded) -> Json {
    let id = recorded.study.id();
    let plan = Plan::new(&recorded.study).unwrap();
    let bases = Bases::new(plan.coordinates());
    let hex_of = |point: curve25519_dalek::RistrettoPoint| hex::encode(point.compress().as_bytes());
    let mut tree = Tree::default();
    let submissions: Vec<Json> = recorded
        .submissions
        .iter()
        .filter(|public| recorded.published.reason(&public.submission).is_none())
        .map(|public| {
            let hash = public.hash();
            let leaf = merkle::leaf(&public.submission, &hash, public.records);
            tree.push_and_prove(leaf);
            json!({
                "submission": public.submission.to_string(),
                "records": public.records,
                "public_hash": hash.to_string(),
                "commitments": public.commitments.iter().map(|one| hex::encode(one.0)).collect::<Vec<_>>(),
                "leaf": hex::encode(leaf),
            })
        })
        .collect();
    let (root, proofs) = tree.finish();
    let (phases, rests) = openings(recorded, &plan, &bases);
    let place = recorded.recording.place(id);
    let mut chain = first_chain(place);
    let mut chains = vec![hex::encode(chain)];
    let mut messages = Vec::new();
    for round in &recorded.recording.rounds {
        for message in round {
            let said = &message.statement;
            messages.push(json!({
                "party": said.party.0,
                "step": said.step,
                "name": Step::from_code(said.step).unwrap().to_string(),
                "number": said.number,
                "chain": hex::encode(said.chain),
                "body_hash": hex::encode(said.body),
                "signature": hex::encode(said.signature.0),
            }));
        }
        let statements: Vec<_> = round.iter().map(|message| message.statement).collect();
        chain = next_chain(&chain, &statements);
        chains.push(hex::encode(chain));
    }
    let set = recorded.recording.rounds.iter().flatten();
    let set = set.clone().find(|message| message.statement.step == Step::Set as u8).unwrap();
    let rejected = recorded.published.rejected.iter();
    json!({
        "study": id.to_string(),
        "servers": recorded.study.servers().iter().map(|one| one.identity.to_string()).collect::<Vec<_>>(),
        "coordinates": plan.coordinates(),
        "bounds": plan.bounds(recorded.published.records).iter().map(u128::to_string).collect::<Vec<_>>(),
        "hash_of_two_parts": hex::encode(dst::hash(b"sotto/v1/example", &[b"ab", b"c"])),
        "bases": (0..plan.coordinates()).map(|c| hex_of(bases.base(c))).collect::<Vec<_>>(),
        "blinding_base": hex_of(bases.blinding_base()),
        "run": recorded.recording.session.run(recorded.study.id()).to_string(),
        "chains": chains,
        "messages": messages,
        "submissions": submissions,
        "root": hex::encode(root),
        "proofs": proofs.iter().map(|proof| hex::encode(proof.encode())).collect::<Vec<_>>(),
        "sums": recorded.tallied.sums.iter().map(|sum| hex_of(*sum)).collect::<Vec<_>>(),
        "set": hex::encode(&set.body),
        "rejected": rejected.map(|(id, reason)| json!([id.to_string(), *reason as u8])).collect::<Vec<_>>(),
        "phases": phases,
        "rests": rests,
        "totals": recorded.published.totals.iter().map(|total| total.map(|total| total.to_string())).collect::<Vec<_>>(),
        "result_signatures": recorded.published.signatures.iter().map(|one| hex::encode(one.0)).collect::<Vec<_>>(),
    })
}

/// Which coordinates each phase opens, and by phase and party what is left of the sums behind it: T.
fn openings(
    recorded: &Recorded,
    plan: &Plan,
    bases: &Bases,
) -> (Vec<Vec<usize>>, Vec<Vec<String>>) {
    let messages = recorded.recording.rounds.iter().flatten();
    let bodies: Vec<_> = messages
        .filter(|message| message.statement.step == Step::Open as u8)
        .map(|message| message.body.clone())
        .collect();
    let mut rests = recorded.tallied.sums.clone();
    let mut totals = vec![None; plan.coordinates()];
    let (mut phases, mut encoded) = (Vec::new(), Vec::new());
    for opened in bodies.chunks(rests.len()) {
        let coordinates = plan.next_opening(recorded.published.records, &totals);
        for (body, rest) in opened.iter().zip(&mut rests) {
            let sums = body[32..].chunks_exact(24).take(coordinates.len());
            for (&coordinate, sum) in coordinates.iter().zip(sums) {
                let mut scalar = [0; 32];
                scalar[8..].copy_from_slice(sum);
                scalar.reverse();
                *rest -= bases.base(coordinate) * Scalar::from_bytes_mod_order(scalar);
                totals[coordinate] = recorded.published.totals[coordinate];
            }
        }
        phases.push(coordinates);
        encoded.push(rests.iter().map(|rest| hex::encode(rest.compress().as_bytes())).collect());
    }
    (phases, encoded)
}

fn compare(name: &str, made: &[u8]) {
    let file = vectors(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, made).unwrap();
    }
    let kept = fs::read(&file).unwrap_or_default();
    assert!(
        kept == made,
        "docs/audit-vectors/{name} is another one: run this test with UPDATE_DOCS=1"
    );
}

#[tokio::test]
async fn the_vectors_of_the_page_are_those_that_the_program_makes_and_accepts() {
    let recorded = recorded().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bundle");
    recorded.write(&file);
    compare("published.bundle", &fs::read(&file).unwrap());
    let steps = steps(&recorded);
    assert_eq!(steps["root"], hex::encode(recorded.published.root));
    let set = SignedSet::decode(&hex::decode(steps["set"].as_str().unwrap()).unwrap()).unwrap();
    assert_eq!(set.counted, recorded.published.counted());
    // A small cell stays closed, so the openings come in two phases.
    assert_eq!(steps["phases"].as_array().unwrap().len(), 2, "{}", steps["phases"]);
    assert!(recorded.published.totals.iter().any(Option::is_none));
    compare("published.json", (serde_json::to_string_pretty(&steps).unwrap() + "\n").as_bytes());
    let report = audit(&vectors("published.bundle"), None, None, &Silent).unwrap();
    assert_eq!(report.verdict, Verdict::Holds, "{report:#?}");
}

#[tokio::test]
async fn the_vectors_with_lists_and_amendments_are_those_that_the_program_makes_and_accepts() {
    let recorded = amended().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bundle");
    recorded.write(&file);
    compare("amended.bundle", &fs::read(&file).unwrap());
    let steps = steps(&recorded);
    let reasons: Vec<u8> =
        recorded.published.rejected.iter().map(|(_, reason)| *reason as u8).collect();
    for reason in [1, 3, 6, 7] {
        assert_eq!(reasons.iter().filter(|found| **found == reason).count(), 1, "{reasons:?}");
    }
    let mut messages = recorded.recording.statements();
    assert!(messages.any(|said| said.step == Step::Lists as u8), "the servers show their lists");
    compare("amended.json", (serde_json::to_string_pretty(&steps).unwrap() + "\n").as_bytes());
    let report = audit(&vectors("amended.bundle"), None, None, &Silent).unwrap();
    assert_eq!(report.verdict, Verdict::Holds, "{report:#?}");
    assert_eq!((report.submissions, report.rejected), (2, 4));
}

#[test]
fn the_vectors_of_an_aborted_setup_are_those_that_the_program_makes_and_convicts() {
    let unpublished = Unpublished::new(STUDY, 3, 8);
    let messages = unpublished.abort_setup();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bundle");
    recorded::write(&file, &messages);
    compare("aborted.bundle", &fs::read(&file).unwrap());
    let parts = messages.iter().filter(|message| message.0 == Section::Transcript);
    let recording = Recording::decode(parts.map(|part| &part.1[..])).unwrap();
    let mut chains = vec![first_chain(recording.place(unpublished.study.id()))];
    for round in &recording.rounds {
        let statements: Vec<_> = round.iter().map(|message| message.statement).collect();
        chains.push(next_chain(chains.last().unwrap(), &statements));
    }
    let steps = json!({
        "study": unpublished.study.id().to_string(),
        "coordinates": 0,
        "bases": [],
        "blinding_base": hex::encode(Bases::new(1).blinding_base().compress().as_bytes()),
        "run": recording.place(unpublished.study.id()).run.to_string(),
        "chains": chains.iter().map(hex::encode).collect::<Vec<_>>(),
        "culprits": [2],
    });
    compare("aborted.json", (serde_json::to_string_pretty(&steps).unwrap() + "\n").as_bytes());
    let report = audit(&vectors("aborted.bundle"), None, None, &Silent).unwrap();
    assert_eq!(report.verdict, Verdict::Aborted, "{report:#?}");
    assert_eq!(report.culprits, ["gamma"]);
}

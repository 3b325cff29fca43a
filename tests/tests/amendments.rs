//! Replaced and withdrawn submissions: the last valid word of each provider counts, exactly once,
//! whatever is sent twice, in another order, not everywhere, or across a crash.
//!
//! Each record has a cell of its own, so that a count above one or a lost record shows.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on, stops")]

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use client::submit::{self, Options};
use mpc::{
    Field128,
    collect::{Amendment, Origin, Reason, Sharded, SignedAmendment},
    ids::{AmendmentId, StudyId, SubmissionId},
    receipt::AmendmentReceipt,
    sign::Signer,
};
use proto::v1::{self, submissions_client::SubmissionsClient};
use rand::RngExt as _;
use server::storage::{Storage as _, sqlite::SqliteStorage};
use sotto_tests::{Provider, World};
use study::Value;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

const CELLS: u32 = 24;
const ALL: [usize; 3] = [0, 1, 2];

fn study() -> String {
    let values: Vec<String> = (0..CELLS).map(|cell| format!("\"r{cell}\"")).collect();
    format!(
        "title = \"Everyone in a cell of their own\"\n[privacy]\nmin_records = 1\n\
         [[column]]\nname = \"who\"\ntype = \"category\"\nvalues = [{}]\n\
         [[statistic]]\nname = \"count\"\nkind = \"count\"\nby = [\"who\"]\n",
        values.join(", ")
    )
}

/// Cells that count, each of which must be 1.
async fn counted(world: &World, study: StudyId) -> Vec<u32> {
    let result = serde_json::to_value(world.result(study).await.unwrap()).unwrap();
    let mut found = Vec::new();
    for cell in result["statistics"][0]["cells"].as_array().unwrap() {
        let who: u32 = cell["by"]["who"].as_str().unwrap()[1..].parse().unwrap();
        match cell["value"].as_u64().unwrap() {
            0 => {}
            1 => found.push(who),
            more => panic!("{who} counts {more} times"),
        }
    }
    found
}

/// Why submissions do not count.
async fn reasons(world: &World, study: StudyId) -> BTreeMap<SubmissionId, Reason> {
    let published = world.published(study).await;
    published.rejected.into_iter().collect()
}

/// A submission of one record; amendment 0 is none.
fn shard(provider: &Provider, wires: Vec<Field128>, amendment: u8) -> Sharded {
    let origin = Origin {
        submission: SubmissionId(rand::rng().random()),
        provider: provider.signer.public(),
        amendment: (amendment > 0).then_some(AmendmentId([amendment; 16])),
    };
    provider.collect.shard(origin, wires, &mut rand::rng()).unwrap()
}

fn wires(provider: &Provider, cell: u32) -> Vec<Field128> {
    provider.encode(&[vec![Value::Category(cell)]])
}

/// A record of two cells at once, which is none.
fn invalid(provider: &Provider, cell: u32) -> Vec<Field128> {
    let both = wires(provider, cell).into_iter().zip(wires(provider, cell + 1));
    both.map(|(one, other)| one + other).collect()
}

/// Sends a submission of a cell to these servers; returns its id.
async fn submit_to(
    world: &World,
    provider: &Provider,
    cell: u32,
    amendment: u8,
    servers: &[usize],
) -> SubmissionId {
    let sharded = shard(provider, wires(provider, cell), amendment);
    for server in servers {
        provider.send(world, &sharded, *server).await.unwrap();
    }
    sharded.public.submission
}

fn amendment(
    provider: &Provider,
    (id, sequence): (u8, u64),
    old: &[SubmissionId],
    new: &[SubmissionId],
) -> SignedAmendment {
    let sorted = |ids: &[SubmissionId]| {
        let mut ids = ids.to_vec();
        ids.sort();
        ids
    };
    let amendment = Amendment {
        study: provider.collect.study(),
        id: AmendmentId([id; 16]),
        sequence,
        provider: provider.signer.public(),
        old: sorted(old),
        new: sorted(new),
    };
    amendment.sign(&provider.signer)
}

async fn amend(
    world: &World,
    signed: &SignedAmendment,
    server: usize,
) -> Result<AmendmentReceipt, Status> {
    let request = v1::AmendRequest {
        amendment: signed.amendment.encode().into(),
        credential: signed.signature.0.to_vec().into(),
    };
    let mut client = SubmissionsClient::new(world.channel(server).await);
    let receipt = client.amend(request).await?.into_inner();
    Ok(AmendmentReceipt::try_from(receipt).unwrap())
}

async fn amend_all(world: &World, signed: &SignedAmendment, servers: &[usize]) {
    for server in servers {
        let receipt = amend(world, signed, *server).await.unwrap();
        assert_eq!(receipt.hash, signed.amendment.hash());
        receipt.verify(&world.profile().servers()[*server].identity).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_valid_word_counts_exactly_once_whatever_happens_on_the_way() {
    let mut world = World::servers(3).await;
    let study = world.create(&study()).await;
    let me = Provider::new(&world, study, 1).await;
    let other = Provider::new(&world, study, 2).await;
    let mut expected = BTreeMap::new();

    // 0 → 1, in the usual order; 2 is withdrawn; 3 → 4 is withdrawn.
    let [a, c, d] = [0, 2, 3].map(|cell| submit_to(&world, &me, cell, 0, &ALL));
    let (a, c, d) = (a.await, c.await, d.await);
    let b = submit_to(&world, &me, 1, 1, &ALL).await;
    amend_all(&world, &amendment(&me, (1, 1), &[a], &[b]), &ALL).await;
    amend_all(&world, &amendment(&me, (2, 1), &[c], &[]), &ALL).await;
    let e = submit_to(&world, &me, 4, 3, &ALL).await;
    amend_all(&world, &amendment(&me, (3, 1), &[d], &[e]), &ALL).await;
    amend_all(&world, &amendment(&me, (4, 2), &[d, e], &[]), &ALL).await;
    let withdrawn = [c, d, e].map(|id| (id, Reason::Withdrawn));
    expected.extend(withdrawn.into_iter().chain([(a, Reason::Replaced)]));

    // 5 → 6 → 7: everything twice, the amendments before what they are about, and a crash between.
    let [old, middle, new] =
        [(5, 0), (6, 5), (7, 6)].map(|(cell, amendment)| shard(&me, wires(&me, cell), amendment));
    let ids = [&old, &middle, &new].map(|sharded| sharded.public.submission);
    let last = amendment(&me, (6, 2), &ids[..2], &ids[2..]);
    let first = amendment(&me, (5, 1), &ids[..1], &ids[1..2]);
    for server in ALL {
        for (signed, sharded) in [(&last, &new), (&first, &old), (&last, &middle), (&first, &new)] {
            amend_all(&world, signed, &[server]).await;
            me.send(&world, sharded, server).await.unwrap();
        }
        world.crash(server).await;
        world.start(server).await;
    }
    expected.extend([(ids[0], Reason::Replaced), (ids[1], Reason::Replaced)]);

    // 8 → 9, whose proof does not hold.
    let old = submit_to(&world, &me, 8, 0, &ALL).await;
    let bad = shard(&me, invalid(&me, 9), 7);
    me.send_all(&world, &bad).await;
    let bad = bad.public.submission;
    amend_all(&world, &amendment(&me, (7, 1), &[old], &[bad]), &ALL).await;
    expected.insert(bad, Reason::InvalidProof);
    // 10 → 11, 12 → 13: the client stopped when one server alone had the amendment, or before the
    // last server had the new submission.
    let old = submit_to(&world, &me, 10, 0, &ALL).await;
    let new = submit_to(&world, &me, 11, 8, &ALL).await;
    amend_all(&world, &amendment(&me, (8, 1), &[old], &[new]), &[1]).await;
    expected.insert(old, Reason::Replaced);
    let old = submit_to(&world, &me, 12, 0, &ALL).await;
    let new = submit_to(&world, &me, 13, 9, &[0, 1]).await;
    amend_all(&world, &amendment(&me, (9, 1), &[old], &[new]), &ALL).await;
    expected.insert(new, Reason::Incomplete);
    // 14 → 15 and 14 → 16, by two copies of the receipts; 17 waits for an amendment that never comes.
    let old = submit_to(&world, &me, 14, 0, &ALL).await;
    let one = submit_to(&world, &me, 15, 10, &ALL).await;
    let two = submit_to(&world, &me, 16, 11, &ALL).await;
    amend_all(&world, &amendment(&me, (10, 1), &[old], &[one]), &[0]).await;
    amend_all(&world, &amendment(&me, (11, 1), &[old], &[two]), &[2]).await;
    let lonely = submit_to(&world, &me, 17, 12, &ALL).await;
    expected.extend([(old, Reason::Replaced), (one, Reason::NotAmended)]);
    expected.insert(lonely, Reason::NotAmended);
    // Somebody else withdraws what is not theirs.
    let mine = submit_to(&world, &me, 18, 0, &ALL).await;
    amend_all(&world, &amendment(&other, (13, 9), &[mine], &[]), &ALL).await;

    world.crash(1).await;
    world.start(1).await;
    world.close(study).await;
    assert_eq!(counted(&world, study).await, [1, 7, 8, 11, 12, 16, 18]);
    assert_eq!(reasons(&world, study).await, expected);

    // After the close: nothing new, and the same receipt for what was taken.
    let late = amendment(&me, (14, 9), &[mine], &[]);
    for server in ALL {
        let refused = amend(&world, &late, server).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
        amend_all(&world, &first, &[server]).await;
    }
    every_server_keeps_the_same_amendments(world, study).await;
}

/// For the record: whichever server is asked, the amendments are the same, and each is signed. What
/// somebody says of others' submissions alone is not among them.
async fn every_server_keeps_the_same_amendments(mut world: World, study: StudyId) {
    let mut kept = Vec::new();
    for server in ALL {
        world.stop(server).await;
        let storage = SqliteStorage::open(&world.data(server).join("sotto.db")).unwrap();
        kept.push(storage.agreed_amendments(study).await.unwrap());
        storage.close().await;
    }
    assert!(kept.iter().all(|amendments| *amendments == kept[0]));
    assert_eq!(kept[0].len(), 11);
    for bytes in &kept[0] {
        SignedAmendment::decode_unverified(bytes).unwrap().verify().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amendment_that_does_not_pass_the_door_is_refused_and_changes_nothing() {
    let world = World::servers(2).await;
    let study = world.create(&study()).await;
    let me = Provider::new(&world, study, 1).await;
    let id = submit_to(&world, &me, 0, 0, &[0, 1]).await;
    let good = amendment(&me, (1, 1), &[id], &[]);
    let stranger = Signer::from_seed(&[9; 32]);
    let forged = SignedAmendment {
        signature: good.amendment.clone().sign(&stranger).signature,
        ..good.clone()
    };
    let elsewhere = Amendment { study: StudyId([7; 32]), ..good.amendment.clone() };
    let empty = Amendment { old: Vec::new(), ..good.amendment.clone() };
    let cases = [
        (forged, Code::Unauthenticated),
        (elsewhere.sign(&me.signer), Code::NotFound),
        (empty.sign(&me.signer), Code::InvalidArgument),
    ];
    for (signed, code) in cases {
        assert_eq!(amend(&world, &signed, 0).await.unwrap_err().code(), code);
    }
    // One provider cannot use up the study's room.
    for tag in 2..66 {
        amend_all(&world, &amendment(&me, (tag, 1), &[SubmissionId([tag; 16])], &[]), &[0]).await;
    }
    let refused = amend(&world, &good, 0).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("as often as it may"), "{refused}");
    let other = amendment(&me, (2, 1), &[id], &[]);
    assert_eq!(amend(&world, &other, 0).await.unwrap_err().code(), Code::AlreadyExists);
    world.close(study).await;
    assert_eq!(counted(&world, study).await, [0]);
    world.end().await;
}

fn replacing(receipts: PathBuf) -> Options {
    Options {
        replace: Some(receipts),
        batch: Some(1),
        timeout: Duration::from_secs(60),
        ..Options::default()
    }
}

async fn withdraw(world: &World, receipts: &str) -> Result<Vec<String>, client::ClientError> {
    let (stop, silent) = (CancellationToken::new(), client::progress::Silent);
    let path = world.path().join(receipts);
    let timeout = Duration::from_secs(60);
    let report = submit::withdraw(&world.profile(), &path, timeout, &stop, &silent).await?;
    assert_eq!(report.servers.len(), 3);
    Ok(report.submissions)
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_replaced_again_and_withdrawn_by_their_receipts() {
    let mut world = World::servers(3).await;
    let study = world.create(&study()).await;
    let a = world.file("a.csv", "who\nr0\nr1\n");
    let b = world.file("b.csv", "who\nr0\nr1\nr2\n");
    let c = world.file("c.csv", "who\nr1\n");
    let d = world.file("d.csv", "who\nr3\nr4\n");
    let dir = world.path().to_owned();
    let receipts = |name: &str| dir.join(name);
    world.submit(study, &a).await.unwrap();
    world.submit(study, &d).await.unwrap();
    let first = replacing(receipts("a.csv.receipts"));
    let replaced = world.submit_with(study, &b, &first).await.unwrap();
    assert_eq!((replaced.records, replaced.replaced.unwrap().submissions), (3, 1));
    world.crash(2).await;
    world.start(2).await;
    let second = replacing(receipts("b.csv.receipts"));
    let replaced = world.submit_with(study, &c, &second).await.unwrap();
    // What the middle one had replaced, too.
    assert_eq!(replaced.replaced.unwrap().submissions, 4);
    let error = world.submit_with(study, &d, &first).await.unwrap_err();
    assert!(error.to_string().contains("b.csv.receipts"), "{error}");
    assert_eq!(withdraw(&world, "d.csv.receipts").await.unwrap().len(), 1);
    assert_eq!(withdraw(&world, "d.csv.receipts").await.unwrap().len(), 1, "once more is the same");
    let error = withdraw(&world, "a.csv.receipts").await.unwrap_err();
    assert!(error.to_string().contains("b.csv.receipts"), "{error}");
    let document = submit::receipts::read(&receipts("c.csv.receipts")).unwrap();
    assert_eq!(document.acknowledged[0].acknowledged.len(), 3);
    world.close(study).await;
    assert_eq!(counted(&world, study).await, [1]);
    let reasons = reasons(&world, study).await;
    let count = |reason| reasons.values().filter(|found| **found == reason).count();
    assert_eq!((count(Reason::Replaced), count(Reason::Withdrawn)), (4, 1));
    let error = withdraw(&world, "c.csv.receipts").await.unwrap_err();
    assert_eq!(error.exit().code(), 7, "{error}");
    assert!(error.to_string().contains("too late"), "{error}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_one_server_missed_is_sent_again_by_the_same_command() {
    let mut world = World::servers(3).await;
    let study = world.create(&study()).await;
    let a = world.file("a.csv", "who\nr0\n");
    world.submit(study, &a).await.unwrap();
    world.crash(2).await;
    let (stop, silent) = (CancellationToken::new(), client::progress::Silent);
    let path = world.path().join("a.csv.receipts");
    // Nothing is begun while a server is down.
    let short = Duration::from_secs(1);
    let error = submit::withdraw(&world.profile(), &path, short, &stop, &silent).await.unwrap_err();
    assert_eq!(error.exit().code(), 5, "{error}");
    assert!(submit::receipts::read(&path).unwrap().retired.is_none());
    // Begun, and then the server goes: the mark stays, and two servers have the amendment.
    submit::receipts::Previous::open(&path).unwrap().retire(AmendmentId([4; 16]), None).unwrap();
    let error = submit::withdraw(&world.profile(), &path, short, &stop, &silent).await.unwrap_err();
    assert_eq!(error.exit().code(), 5, "{error}");
    assert!(submit::receipts::read(&path).unwrap().acknowledged.is_empty());
    world.start(2).await;
    world.close(study).await;
    // Too late for the third server, and not for the change.
    let error = withdraw(&world, "a.csv.receipts").await.unwrap_err();
    assert!(error.to_string().contains("alpha, beta took the change in time"), "{error}");
    let error = world.result(study).await.unwrap_err();
    assert!(error.to_string().contains("min_records"), "nothing is left: {error}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_each_provider_submits_once_it_may_replace_that_and_still_counts_once() {
    let world = World::servers(3).await;
    let text =
        study().replace("min_records = 1\n", "min_records = 1\nepsilon = 1\nunit = \"provider\"\n");
    let study = world.create(&text).await;
    let a = world.file("a.csv", "who\nr0\n");
    let b = world.file("b.csv", "who\nr1\n");
    world.submit(study, &a).await.unwrap();
    let error = world.submit(study, &b).await.unwrap_err();
    assert_eq!(error.exit().code(), 7, "{error}");
    assert!(error.to_string().contains("--replace"), "{error}");
    let replace = replacing(world.path().join("a.csv.receipts"));
    world.submit_with(study, &b, &replace).await.unwrap();
    // A client that amends what it never submitted gets no second record counted.
    let cheat = Provider::new(&world, study, 1).await;
    let first = submit_to(&world, &cheat, 2, 0, &ALL).await;
    let second = submit_to(&world, &cheat, 3, 7, &ALL).await;
    let nothing = SubmissionId([1; 16]);
    amend_all(&world, &amendment(&cheat, (7, 1), &[nothing], &[second]), &ALL).await;
    world.close(study).await;
    let result = serde_json::to_value(world.result(study).await.unwrap()).unwrap();
    assert_eq!((&result["records"], &result["submissions"]), (&2.into(), &2.into()));
    let reasons = reasons(&world, study).await;
    assert_eq!(reasons.get(&second), Some(&Reason::SecondOfProvider));
    assert!(!reasons.contains_key(&first));
    assert_eq!(reasons.values().filter(|reason| **reason == Reason::Replaced).count(), 1);
    world.end().await;
}

//! Anybody audits a study from its public record: through any server, or from a file with all
//! servers gone; and what a server changes in the record that it gives out is found.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on, stops")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use client::{
    audit::{Report, Verdict, audit},
    bundle,
    progress::Silent,
    receipt::{self, Fate},
    status::State,
};
use mpc::{
    collect::PublicPart,
    ids::StudyId,
    publish::Published,
    record::{self, FRAME_HEAD, FrameHead, Section},
};
use sha2::{Digest as _, Sha256};
use sotto_tests::World;
use tokio_util::sync::CancellationToken;

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
name = "mean"
kind = "mean"
of = "age"
"#;

/// A published study with six submissions of two records, and their receipts.
async fn published(world: &World) -> (StudyId, PathBuf) {
    let study = world.create(STUDY).await;
    let rows: String = (10..22).map(|age| format!("{age}\n")).collect();
    let csv = world.file("ages.csv", &format!("age\n{rows}"));
    let options = client::submit::Options { batch: Some(2), ..Default::default() };
    world.submit_with(study, &csv, &options).await.unwrap();
    world.close(study).await;
    assert_eq!(world.result(study).await.unwrap().submissions, 6);
    (study, world.path().join("ages.csv.receipts"))
}

async fn fetch(world: &World, study: StudyId, from: Option<&str>, name: &str) -> PathBuf {
    let file = world.path().join(name);
    let stop = CancellationToken::new();
    bundle::fetch(&world.profile(), study, from, &file, &stop, &Silent).await.unwrap();
    file
}

fn check(world: &World, study: StudyId, file: &Path) -> Report {
    audit(file, Some(study), Some(&world.profile()), &Silent).unwrap()
}

/// The messages of a bundle.
fn messages(file: &Path) -> Vec<(Section, Vec<u8>)> {
    let bytes = fs::read(file).unwrap();
    let (mut rest, mut messages) = (&bytes[..], Vec::new());
    let mut message = Vec::new();
    while let Some(head) = rest.first_chunk::<FRAME_HEAD>() {
        let head = FrameHead::decode(head).unwrap();
        let (body, after) = rest[FRAME_HEAD..].split_at(head.len);
        message.extend_from_slice(body);
        if !head.more {
            messages.push((head.section, std::mem::take(&mut message)));
        }
        rest = after;
    }
    messages
}

/// Writes a bundle with a true checksum, as whoever falsifies a record would.
fn write(world: &World, messages: &[(Section, Vec<u8>)]) -> PathBuf {
    let mut bytes = Vec::new();
    for (section, message) in messages.iter().filter(|message| message.0 != Section::Sum) {
        record::put(&mut bytes, *section, message);
    }
    let sum = Sha256::digest(&bytes);
    record::put(&mut bytes, Section::Sum, &sum);
    let file = world.path().join("falsified");
    fs::write(&file, bytes).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn a_study_is_audited_through_every_server_and_from_a_file_with_all_servers_gone() {
    let mut world = World::servers(3).await;
    let (study, receipts) = published(&world).await;
    let mut files = Vec::new();
    for name in ["alpha", "beta", "gamma"] {
        files.push(fetch(&world, study, Some(name), &format!("{name}.bundle")).await);
    }
    let first = fs::read(&files[0]).unwrap();
    for file in &files {
        assert!(fs::read(file).unwrap() == first, "every server has the same record");
    }
    for server in 0..3 {
        world.stop(server).await;
    }
    for file in &files {
        let report = check(&world, study, file);
        assert_eq!(report.verdict, Verdict::Holds, "{report:#?}");
        assert_eq!((report.submissions, report.records, report.rejected), (6, 12, 0));
        let result = serde_json::to_value(report.result.unwrap()).unwrap();
        assert_eq!(result["statistics"][0]["cells"][0]["value"], 15.5);
    }
    // Nobody needs a profile to check what the study says of itself.
    let report = audit(&files[0], None, None, &Silent).unwrap();
    assert_eq!(report.verdict, Verdict::Holds);
    let stop = CancellationToken::new();
    let found = receipt::check(None, &receipts, Some(&files[0]), &stop, &Silent).await.unwrap();
    assert_eq!((found.counted, found.rejected, found.broken), (6, 0, 0), "{found:#?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_breaks_off_goes_on_at_another_server_with_the_same_bytes() {
    let mut world = World::servers(3).await;
    let (study, _) = published(&world).await;
    let whole = fs::read(fetch(&world, study, Some("alpha"), "whole").await).unwrap();
    world.stop(0).await;
    for len in [1, 40, 300, whole.len() / 3, whole.len() / 2, whole.len() - 600] {
        let name = format!("part{len}");
        fs::write(world.path().join(format!("{name}.part")), &whole[..len]).unwrap();
        fs::write(world.path().join(format!("{name}.part.from")), "alpha").unwrap();
        let file = fetch(&world, study, None, &name).await;
        assert!(fs::read(&file).unwrap() == whole, "after {len} bytes");
        assert!(!world.path().join(format!("{name}.part")).exists());
    }
    // What another server than the one that is asked for sent is not gone on with.
    let mut poisoned = whole[..whole.len() / 2].to_vec();
    poisoned[whole.len() / 3] ^= 1;
    fs::write(world.path().join("poisoned.part"), poisoned).unwrap();
    fs::write(world.path().join("poisoned.part.from"), "alpha").unwrap();
    let file = fetch(&world, study, Some("beta"), "poisoned").await;
    assert!(fs::read(&file).unwrap() == whole);
    let (profile, stop) = (world.profile(), CancellationToken::new());
    let again = bundle::fetch(&profile, study, Some("gamma"), &file, &stop, &Silent).await;
    assert_eq!(again.unwrap_err().exit().code(), 2, "the file is there already");
    let again = bundle::fetch(&profile, study, None, &file, &stop, &Silent).await.unwrap();
    assert_eq!(again, bundle::Fetched::Earlier);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_with_any_byte_changed_never_passes() {
    let world = World::servers(2).await;
    let (study, _) = published(&world).await;
    let file = fetch(&world, study, None, "bundle").await;
    let good = fs::read(&file).unwrap();
    // As damage does it: the checksum tells.
    for place in (0..good.len()).step_by(97) {
        let mut bad = good.clone();
        bad[place] ^= 1 << (place % 8);
        fs::write(&file, &bad).unwrap();
        let error = audit(&file, Some(study), None, &Silent).expect_err("damaged");
        assert!([2, 3].contains(&error.exit().code()), "byte {place}: {error}");
    }
    fs::write(&file, &good).unwrap();
    // As a liar does it: with a new checksum.
    let messages = messages(&file);
    for (number, (section, message)) in messages.iter().enumerate() {
        if *section == Section::Sum {
            continue;
        }
        for place in (0..message.len()).step_by(message.len() / 60 + 1) {
            let mut changed = messages.clone();
            changed[number].1[place] ^= 1 << (place % 8);
            let file = write(&world, &changed);
            let what = format!("byte {place} of message {number} ({section:?})");
            if let Ok(report) = audit(&file, Some(study), None, &Silent) {
                assert_ne!(report.verdict, Verdict::Holds, "{what}");
                assert!(report.culprits.is_empty(), "{what}: {report:#?}");
            }
        }
    }
    assert_eq!(check(&world, study, &write(&world, &messages)).verdict, Verdict::Holds);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_falsifies_the_record_that_it_gives_out_is_found() {
    let world = World::servers(3).await;
    let (study, _) = published(&world).await;
    let good = messages(&fetch(&world, study, None, "bundle").await);
    let place_of = |section| good.iter().position(|message| message.0 == section).unwrap();
    let (result, first) = (place_of(Section::Published), place_of(Section::Submission));
    type Messages = Vec<(Section, Vec<u8>)>;
    let falsified = |change: &dyn Fn(&mut Messages)| {
        let mut messages = good.clone();
        change(&mut messages);
        check(&world, study, &write(&world, &messages))
    };
    let failed = |report: Report, name: &str| {
        assert_eq!(report.verdict, Verdict::Fails, "{report:#?}");
        let last = report.checks.last().unwrap();
        assert_eq!(last.name, name, "{report:#?}");
    };
    // Another total.
    failed(
        falsified(&|messages| {
            let mut published = Published::decode(&messages[result].1).unwrap();
            published.totals[0] = published.totals[0].map(|total| total + 1);
            messages[result].1 = published.encode();
        }),
        "result",
    );
    // A submission left out, one twice, two in another order.
    failed(falsified(&|messages| drop(messages.remove(first + 2))), "submissions");
    failed(falsified(&|messages| messages.insert(first, messages[first].clone())), "submissions");
    failed(falsified(&|messages| messages.swap(first, first + 1)), "submissions");
    // One that is said not to count.
    failed(falsified(&|messages| messages[first].1[0] = 0), "submissions");
    // Another commitment.
    failed(
        falsified(&|messages| {
            let mut public = PublicPart::decode(&messages[first].1[1..]).unwrap();
            let other = PublicPart::decode(&messages[first + 1].1[1..]).unwrap();
            public.commitments[1] = other.commitments[1];
            messages[first].1.truncate(1);
            messages[first].1.extend(public.encode());
        }),
        "submissions",
    );
    // No result, and a message left out.
    failed(falsified(&|messages| drop(messages.remove(result))), "result");
    failed(falsified(&|messages| drop(messages.remove(result - 1))), "transcript");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_submission_of_a_receipts_file_is_proven_by_every_server() {
    let world = World::servers(3).await;
    let (study, receipts) = published(&world).await;
    let (profile, stop) = (world.profile(), CancellationToken::new());
    let report = receipt::check(Some(&profile), &receipts, None, &stop, &Silent).await.unwrap();
    assert_eq!(report.study, study.to_string());
    assert_eq!((report.counted, report.rejected, report.broken), (6, 0, 0), "{report:#?}");
    for one in &report.submissions {
        assert_eq!(
            (one.fate, &one.proven_by[..]),
            (Fate::Counted, &["alpha", "beta", "gamma"].map(String::from)[..])
        );
        assert!(one.without_receipt.is_empty());
    }
    // A receipt that somebody changed is none.
    let text = fs::read_to_string(&receipts).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut entry: serde_json::Value = serde_json::from_str(&lines[1]).unwrap();
    entry["receipts"]["beta"] = "00".repeat(64).into();
    lines[1] = entry.to_string();
    fs::write(&receipts, lines.join("\n") + "\n").unwrap();
    let report = receipt::check(Some(&profile), &receipts, None, &stop, &Silent).await.unwrap();
    assert_eq!(report.submissions[0].without_receipt, ["beta"]);
    assert_eq!(report.counted, 6);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_study_that_has_not_ended_has_no_record() {
    let world = World::servers(2).await;
    let study = world.create(STUDY).await;
    let file = world.path().join("bundle");
    let (profile, stop) = (world.profile(), CancellationToken::new());
    let error = bundle::fetch(&profile, study, None, &file, &stop, &Silent).await.unwrap_err();
    assert_eq!(error.exit().code(), 7, "{error}");
    assert!(error.to_string().contains("open"), "{error}");
    assert!(!file.exists());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_study_is_audited_too() {
    let world = World::servers(2).await;
    let study = world.create(&STUDY.replace("min_records = 1", "min_records = 50")).await;
    let csv = world.file("ages.csv", "age\n5\n6\n");
    world.submit(study, &csv).await.unwrap();
    world.close(study).await;
    assert_eq!(world.result(study).await.unwrap_err().exit().code(), 7);
    let file = fetch(&world, study, None, "bundle").await;
    let report = check(&world, study, &file);
    assert_eq!((report.verdict, report.state), (Verdict::Refused, State::Refused), "{report:#?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_read_on_behind_any_message_and_bad_places_are_refused() {
    use proto::v1::{RecordCursor, RecordRequest, audit_client::AuditClient};
    let world = World::servers(2).await;
    let (study, _) = published(&world).await;
    let mut audit = AuditClient::new(world.channel(1).await);
    let mut read = async |after: Option<RecordCursor>| {
        let request = RecordRequest { study_id: study.0.to_vec().into(), after };
        let mut stream = audit.record(request).await?.into_inner();
        let (mut bytes, mut is_last) = (Vec::new(), false);
        while let Some(part) = stream.message().await? {
            assert!(!is_last);
            bytes.extend_from_slice(&part.frames);
            is_last = part.last;
        }
        assert!(is_last);
        Ok::<_, tonic::Status>(bytes)
    };
    let whole = read(None).await.unwrap();
    let (mut at, mut count, mut section) = (0, 0, Section::Head);
    while let Some(head) = whole.get(at..at + FRAME_HEAD) {
        let head = FrameHead::decode(head.try_into().unwrap()).unwrap();
        let message = &whole[at + FRAME_HEAD..at + FRAME_HEAD + head.len];
        at += FRAME_HEAD + head.len;
        count = if head.section == section { count + 1 } else { 1 };
        section = head.section;
        let submission = message.get(35..51).filter(|_| section == Section::Submission);
        let after = RecordCursor {
            section: u32::from(section as u8),
            count,
            submission_id: submission.unwrap_or_default().to_vec().into(),
        };
        assert!(read(Some(after)).await.unwrap() == whole[at..], "behind {section:?} {count}");
    }
    let cursor =
        |section, id: &[u8]| RecordCursor { section, count: 1, submission_id: id.to_vec().into() };
    for bad in [cursor(0, &[]), cursor(9, &[]), cursor(999, &[]), cursor(6, &[1; 15])] {
        let status = read(Some(bad)).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument, "{status:?}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_providers_replaced_and_withdrew_is_audited_and_told_to_them() {
    let world = World::servers(3).await;
    let study = world.create(STUDY).await;
    let (a, b) = (world.file("a.csv", "age\n10\n20\n"), world.file("b.csv", "age\n30\n"));
    let c = world.file("c.csv", "age\n99\n");
    let replace = Some(world.path().join("a.csv.receipts"));
    let silent = std::sync::Arc::new(Silent);
    world.submit(study, &a).await.unwrap();
    let options = client::submit::Options { replace, ..Default::default() };
    world.submit_with(study, &b, &options).await.unwrap();
    world.submit(study, &c).await.unwrap();
    let (profile, stop) = (world.profile(), CancellationToken::new());
    let path = world.path().join("c.csv.receipts");
    let timeout = std::time::Duration::from_secs(60);
    client::submit::withdraw(&profile, &path, timeout, &stop, &*silent).await.unwrap();
    world.close(study).await;
    assert_eq!(world.result(study).await.unwrap().records, 1);
    let file = fetch(&world, study, None, "bundle").await;
    let report = check(&world, study, &file);
    assert_eq!(report.verdict, Verdict::Holds, "{report:#?}");
    assert_eq!((report.submissions, report.rejected, report.amendments), (1, 2, 2));
    for (name, fate, what) in [
        ("a.csv.receipts", Fate::Rejected, "replaced"),
        ("b.csv.receipts", Fate::Counted, "stands"),
        ("c.csv.receipts", Fate::Rejected, "withdrew"),
    ] {
        let receipts = world.path().join(name);
        for bundle in [None, Some(file.as_path())] {
            let found =
                receipt::check(Some(&profile), &receipts, bundle, &stop, &Silent).await.unwrap();
            let [one] = &found.submissions[..] else { panic!("{found:#?}") };
            assert_eq!(one.fate, fate, "{found:#?}");
            assert!(one.what.contains(what), "{found:#?}");
        }
    }
    // Without an amendment, or with another one's, the submissions do not count as they do.
    let good = messages(&file);
    let first = good.iter().position(|message| message.0 == Section::Amendment).unwrap();
    let mut without = good.clone();
    without.remove(first);
    let mut swapped = good.clone();
    swapped.swap(first, first + 1);
    let mut forged = good;
    forged[first].1[0] ^= 1;
    for messages in [without, swapped, forged] {
        let report = check(&world, study, &write(&world, &messages));
        assert_eq!(report.verdict, Verdict::Fails);
        assert_eq!(report.checks.last().unwrap().name, "amendments", "{report:#?}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_differentially_private_study_and_one_with_small_cells_are_audited() {
    let private = STUDY.replace(
        "min_records = 1",
        "min_records = 1\nepsilon = 1.0\ndelta = 1e-6\nunit = \"record\"",
    );
    let cells = STUDY.replace("min_records = 1", "min_records = 1\nmin_cell = 3")
        + "by = [\"group\"]\n[[column]]\nname = \"group\"\ntype = \"category\"\nvalues = [\"a\", \"b\", \"c\", \"d\"]\n";
    for text in [private, cells] {
        let world = World::servers(3).await;
        let study = world.create(&text).await;
        let group = |row: usize| ["a", "a", "a", "a", "b", "b", "b", "c", "d", "d"][row % 10];
        let rows: String = (0..10).map(|row| format!("{row},{}\n", group(row))).collect();
        let csv = world.file("x.csv", &format!("age,group\n{rows}"));
        world.submit(study, &csv).await.unwrap();
        world.close(study).await;
        world.result(study).await.unwrap();
        let report = check(&world, study, &fetch(&world, study, None, "bundle").await);
        assert_eq!(report.verdict, Verdict::Holds, "{text}: {report:#?}");
        world.end().await;
    }
}

/// A study of three servers with a submission of one record that counts, and one of two records that
/// is withdrawn. Not closed yet.
async fn with_a_withdrawal(min_records: u32) -> (World, StudyId) {
    let world = World::servers(3).await;
    let text = STUDY.replace("min_records = 1", &format!("min_records = {min_records}"));
    let study = world.create(&text).await;
    let (a, b) = (world.file("a.csv", "age\n10\n"), world.file("b.csv", "age\n20\n30\n"));
    world.submit(study, &a).await.unwrap();
    world.submit(study, &b).await.unwrap();
    let (receipts, stop) = (world.path().join("b.csv.receipts"), CancellationToken::new());
    let (timeout, silent) = (std::time::Duration::from_secs(60), Silent);
    client::submit::withdraw(&world.profile(), &receipts, timeout, &stop, &silent).await.unwrap();
    (world, study)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_study_that_is_refused_because_of_a_withdrawal_is_audited() {
    let (world, study) = with_a_withdrawal(2).await;
    world.close(study).await;
    assert_eq!(world.result(study).await.unwrap_err().exit().code(), 7);
    let report = check(&world, study, &fetch(&world, study, None, "bundle").await);
    assert_eq!(report.verdict, Verdict::Refused, "{report:#?}");
    assert_eq!((report.submissions, report.records, report.rejected), (1, 1, 1));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_false_opening_names_its_server_although_a_submission_was_withdrawn() {
    let (world, study) = with_a_withdrawal(1).await;
    world.add_wrongly(1);
    world.close(study).await;
    world.result(study).await.unwrap_err();
    let file = fetch(&world, study, Some("alpha"), "bundle").await;
    let report = check(&world, study, &file);
    assert_eq!(report.verdict, Verdict::Aborted, "{report:#?}");
    assert_eq!(report.culprits, ["beta"]);
    // Whoever says of a submission that it counts although it does not hides the false opening, and
    // the report says that nobody looked at it.
    let mut messages = messages(&file);
    let withdrawn = messages.iter_mut().find(|one| one.0 == Section::Submission && one.1[0] == 0);
    withdrawn.unwrap().1[0] = 1;
    let report = check(&world, study, &write(&world, &messages));
    assert_eq!((report.verdict, report.culprits.len()), (Verdict::Untold, 0), "{report:#?}");
    assert_eq!(report.checks.last().unwrap().name, "openings", "{report:#?}");
    world.end().await;
}

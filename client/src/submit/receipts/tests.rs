//! The receipts file survives a crash at any byte, and never mixes two uploads.

use std::{collections::BTreeMap, fs};

use super::*;
use crate::submit::pending::Batch;
use mpc::{
    collect::{PublicPart, Sharded},
    ids::{AmendmentId, StudyId, SubmissionId},
    pedersen::Commitment,
    sign::{PublicKey, Signer},
};
use zeroize::Zeroizing;

fn header() -> Header {
    Header::new(StudyId([1; 32]), [2; 32], 77, 10, PublicKey([3; 32]), false)
}

fn entry(batch: u64) -> Entry {
    Entry {
        batch,
        first_row: 2 + 10 * batch,
        records: 10,
        submission: hex::encode([batch as u8; 16]),
        public_hash: hex::encode([batch as u8; 32]),
        receipts: BTreeMap::from([("alpha".into(), hex::encode([4; 64]))]),
    }
}

fn batch(number: u64) -> Batch {
    let public = PublicPart {
        study: StudyId([1; 32]),
        submission: SubmissionId([number as u8; 16]),
        records: 10,
        provider: PublicKey([3; 32]),
        amendment: None,
        joint_rand: vec![5; 64],
        commitments: vec![Commitment([4; 32]); 2],
        payload_hashes: vec![[6; 32]; 2],
    };
    let payloads = vec![Zeroizing::new(vec![7; 100]), Zeroizing::new(vec![8; 20])];
    Batch::new(number, 2 + 10 * number, Sharded { public, payloads }, &Signer::from_seed(&[9; 32]))
}

#[test]
fn a_crash_at_any_byte_loses_only_the_line_it_was_in() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("full.receipts");
    let mut receipts = Receipts::open(&path, header()).unwrap();
    for number in 0..3 {
        receipts.record([entry(number)]).unwrap();
    }
    drop(receipts);
    let full = fs::read(&path).unwrap();
    for cut in 0..=full.len() {
        let path = dir.path().join(format!("{cut}.receipts"));
        fs::write(&path, &full[..cut]).unwrap();
        let whole = full[..cut].iter().filter(|&&byte| byte == b'\n').count() as u64;
        let mut receipts = Receipts::open(&path, header()).unwrap();
        for number in 0..3 {
            assert_eq!(receipts.is_done(number), number + 1 < whole, "cut at {cut}");
        }
        // What follows is appended to whole lines, and the file is whole again at the end. Every
        // append waits for the disk, so not every cut is continued.
        if cut % 16 > 0 && full.get(cut) != Some(&b'\n') {
            continue;
        }
        for number in 0..3 {
            if !receipts.is_done(number) {
                receipts.record([entry(number)]).unwrap();
            }
        }
        assert_eq!(receipts.records(), 30);
        drop(receipts);
        assert_eq!(fs::read(&path).unwrap(), full, "cut at {cut}");
    }
}

#[test]
fn two_runs_cannot_use_the_same_receipts_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("receipts");
    let first = Receipts::open(&path, header()).unwrap();
    assert!(matches!(Receipts::open(&path, header()), Err(ReceiptsError::InUse { .. })));
    drop(first);
    assert!(Receipts::open(&path, header()).is_ok());
}

#[test]
fn receipts_of_another_upload_are_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("receipts");
    drop(Receipts::open(&path, header()).unwrap());
    let before = fs::read(&path).unwrap();
    let others = [
        (Header { study: "other".into(), ..header() }, "study"),
        (Header { csv_bytes: 78, ..header() }, "content of the file"),
        (Header { csv_sha256: "other".into(), ..header() }, "content of the file"),
        (Header { batch: 11, ..header() }, "--batch"),
        (Header { provider: "other".into(), ..header() }, "provider key"),
        (Header { skip_invalid: true, ..header() }, "--skip-invalid"),
    ];
    for (other, what) in others {
        let error = Receipts::open(&path, other).unwrap_err();
        assert!(error.to_string().contains(&format!("another {what}")), "{error}");
        assert_eq!(error.exit(), Exit::Usage);
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}

#[test]
fn a_file_that_holds_something_else_is_never_written_to() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("letter.txt");
    for text in ["Dear Ada", "Dear Ada\n", "{\"version\":1}\n", "{}"] {
        fs::write(&path, text).unwrap();
        let error = Receipts::open(&path, header()).unwrap_err();
        assert!(matches!(error, ReceiptsError::NotReceipts { line: 1, .. }), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn a_damaged_line_in_the_middle_is_named_and_nothing_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("receipts");
    let mut receipts = Receipts::open(&path, header()).unwrap();
    receipts.record([entry(0)]).unwrap();
    receipts.record([entry(1)]).unwrap();
    drop(receipts);
    let damaged = fs::read_to_string(&path).unwrap().replacen("\"first_row\":2", "\"first", 1);
    fs::write(&path, &damaged).unwrap();
    let error = Receipts::open(&path, header()).unwrap_err();
    assert!(matches!(error, ReceiptsError::NotReceipts { line: 2, .. }), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
}

#[test]
fn a_stored_batch_comes_back_byte_for_byte_until_its_receipts_are_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("receipts");
    let receipts = Receipts::open(&path, header()).unwrap();
    let stored = batch(4);
    receipts.pending().store(&stored).unwrap();
    drop(receipts);

    let mut receipts = Receipts::open(&path, header()).unwrap();
    assert_eq!(receipts.pending().numbers().unwrap(), HashSet::from([4]));
    let loaded = receipts.pending().load(4).unwrap().unwrap();
    assert_eq!(loaded.public_bytes, stored.public_bytes);
    assert_eq!(loaded.public, stored.public);
    assert_eq!(loaded.payloads, stored.payloads);
    assert_eq!(loaded.credential, stored.credential);
    assert_eq!(loaded.first_row, stored.first_row);
    assert!(receipts.pending().load(5).unwrap().is_none());

    receipts.record([entry(4)]).unwrap();
    assert!(receipts.pending().load(4).unwrap().is_none());
}

#[test]
fn a_crash_between_record_and_delete_leaves_nothing_to_send() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("receipts");
    let mut receipts = Receipts::open(&path, header()).unwrap();
    receipts.lines.append(&[entry(0)]).unwrap();
    receipts.pending().store(&batch(0)).unwrap();
    fs::write(receipts.pending().dir().join("000001.new"), b"half").unwrap();
    drop(receipts);
    let receipts = Receipts::open(&path, header()).unwrap();
    assert!(receipts.is_done(0));
    assert_eq!(fs::read_dir(receipts.pending().dir()).unwrap().count(), 0);
}

#[test]
fn stored_batches_are_closed_to_others() {
    use std::os::unix::fs::MetadataExt as _;
    let dir = tempfile::tempdir().unwrap();
    let receipts = Receipts::open(&dir.path().join("receipts"), header()).unwrap();
    receipts.pending().store(&batch(0)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(receipts.pending().dir()), 0o700);
    assert_eq!(mode(&receipts.pending().dir().join("000000")), 0o600);
}

#[test]
fn stored_batches_without_their_receipts_are_not_sent_as_new() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("receipts");
    let receipts = Receipts::open(&path, header()).unwrap();
    receipts.pending().store(&batch(0)).unwrap();
    drop(receipts);
    fs::remove_file(&path).unwrap();
    let error = Receipts::open(&path, header()).unwrap_err();
    assert!(matches!(error, ReceiptsError::Orphans { .. }), "{error}");
}

fn replaces() -> Replaces {
    Replaces {
        receipts: "/old.receipts".into(),
        amendment: hex::encode([5; 16]),
        sequence: 3,
        old: vec![hex::encode([70; 16]), hex::encode([71; 16])],
    }
}

fn acknowledged(amendment: u8) -> Acknowledged {
    Acknowledged {
        amendment: hex::encode([amendment; 16]),
        hash: hex::encode([6; 32]),
        acknowledged: BTreeMap::from([("alpha".into(), hex::encode([7; 64]))]),
    }
}

/// Ids of submissions by their tags.
fn tags(ids: &BTreeSet<SubmissionId>) -> Vec<u8> {
    ids.iter().map(|id| id.0[0]).collect()
}

/// Receipts of batches 1 and 2 in `path`.
fn submitted(path: &Path) {
    let mut receipts = Receipts::open(path, header()).unwrap();
    receipts.record([entry(1), entry(2)]).unwrap();
}

#[test]
fn a_file_that_replaces_nothing_keeps_the_first_format() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("receipts");
    submitted(&path);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("{\"version\":1,") && !text.contains("replaces"), "{text}");
}

#[test]
fn everything_that_was_written_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("receipts");
    let header = header().replacing(replaces());
    let mut receipts = Receipts::open(&path, header.clone()).unwrap();
    receipts.record([entry(1)]).unwrap();
    assert!(!receipts.is_acknowledged());
    receipts.acknowledge(&acknowledged(5)).unwrap();
    drop(receipts);
    assert!(Receipts::open(&path, header.clone()).unwrap().is_acknowledged());
    let mut previous = Previous::open(&path).unwrap();
    previous.retire(AmendmentId([8; 16]), None).unwrap();
    previous.acknowledge(acknowledged(8)).unwrap();
    assert_eq!(read(&path).unwrap(), *previous.document());
    let document = read(&path).unwrap();
    assert_eq!((&document.header, &document.entries), (&header, &vec![entry(1)]));
    let retired = document.retired.clone().unwrap();
    assert_eq!((retired.sequence, retired.receipts), (4, None));
    assert_eq!(document.acknowledged, [acknowledged(5), acknowledged(8)]);
    assert!(document.is_acknowledged(AmendmentId([8; 16])));
    assert!(!document.is_acknowledged(AmendmentId([9; 16])));
    assert_eq!(tags(&document.submissions().unwrap()), [1, 70, 71]);
}

#[test]
fn a_crash_at_any_byte_of_the_mark_leaves_the_receipts_as_they_were_or_marked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("receipts");
    submitted(&path);
    let before = fs::read(&path).unwrap().len();
    Previous::open(&path).unwrap().retire(AmendmentId([8; 16]), Some("/new".into())).unwrap();
    let full = fs::read(&path).unwrap();
    for cut in before..=full.len() {
        let path = dir.path().join(format!("{cut}.receipts"));
        fs::write(&path, &full[..cut]).unwrap();
        let mut previous = Previous::open(&path).unwrap();
        let marked = cut == full.len();
        assert_eq!(previous.amendment().unwrap().is_some(), marked, "cut at {cut}");
        // The first mark stays; without one the next is written.
        previous.retire(AmendmentId([9; 16]), Some("/new".into())).unwrap();
        let expected = AmendmentId([if marked { 8 } else { 9 }; 16]);
        drop(previous);
        let previous = Previous::open(&path).unwrap();
        assert_eq!(previous.amendment().unwrap(), Some(expected), "cut at {cut}");
        assert_eq!(tags(&previous.submissions().unwrap()), [1, 2]);
    }
}

#[test]
fn submissions_under_way_are_retired_with_the_others_and_their_shares_deleted_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("receipts");
    let mut receipts = Receipts::open(&path, header()).unwrap();
    receipts.record([entry(1)]).unwrap();
    // A crash between record and delete, and one before any receipt.
    receipts.pending().store(&batch(1)).unwrap();
    receipts.pending().store(&batch(2)).unwrap();
    let pending = receipts.pending().dir().to_owned();
    drop(receipts);
    let mut previous = Previous::open(&path).unwrap();
    assert_eq!(tags(&previous.submissions().unwrap()), [1, 2]);
    previous.retire(AmendmentId([8; 16]), None).unwrap();
    let kept = Pending::beside(&path).load(2).unwrap().unwrap();
    assert_eq!(kept.public_bytes, batch(2).public_bytes, "until servers have taken the change");
    assert_eq!(tags(&previous.submissions().unwrap()), [1, 2]);
    previous.forget().unwrap();
    assert!(!pending.exists());
    assert_eq!(tags(&previous.submissions().unwrap()), [1, 2]);
    let unfinished = read(&path).unwrap().retired.unwrap().unfinished;
    assert_eq!(unfinished, [hex::encode([2; 16])]);
}

#[test]
fn retired_submissions_are_not_taken_up_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("receipts");
    submitted(&path);
    Previous::open(&path).unwrap().retire(AmendmentId([8; 16]), Some("/new".into())).unwrap();
    let error = Receipts::open(&path, header()).unwrap_err();
    assert!(matches!(&error, ReceiptsError::Replaced { by, .. } if by == "/new"), "{error}");
    let path = dir.path().join("others");
    submitted(&path);
    Previous::open(&path).unwrap().retire(AmendmentId([8; 16]), None).unwrap();
    let error = Receipts::open(&path, header()).unwrap_err();
    assert!(matches!(error, ReceiptsError::Withdrawn { .. }), "{error}");
}

#[test]
fn a_replacement_is_taken_up_by_its_own_amendment_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("receipts");
    drop(Receipts::open(&path, header().replacing(replaces())).unwrap());
    let moved = Replaces { receipts: "/moved.receipts".into(), ..replaces() };
    drop(Receipts::open(&path, header().replacing(moved)).unwrap());
    let other = Replaces { amendment: hex::encode([9; 16]), ..replaces() };
    for other in [header(), header().replacing(other)] {
        let error = Receipts::open(&path, other).unwrap_err();
        assert!(error.to_string().contains("another --replace"), "{error}");
    }
}

#[test]
fn receipts_of_nothing_another_study_or_another_provider_are_not_retired() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("receipts");
    assert!(matches!(Previous::open(&path), Err(ReceiptsError::Io { .. })));
    assert!(!path.exists());
    drop(Receipts::open(&path, header()).unwrap());
    let previous = Previous::open(&path).unwrap();
    assert!(matches!(previous.submissions(), Err(ReceiptsError::Nothing { .. })));
    let (study, provider) = (StudyId([1; 32]), PublicKey([3; 32]));
    assert!(previous.require(study, provider).is_ok());
    assert!(previous.require(StudyId([2; 32]), provider).is_err());
    assert!(previous.require(study, PublicKey([4; 32])).is_err());
    let letter = dir.path().join("letter.txt");
    fs::write(&letter, "Dear Ada\n").unwrap();
    assert!(matches!(Previous::open(&letter), Err(ReceiptsError::NotReceipts { line: 1, .. })));
}

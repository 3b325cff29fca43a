//! A replacement has one place for its receipts, and one amendment, whatever is interrupted.

use std::collections::BTreeMap;

use super::*;
use crate::submit::receipts::{Entry, Header, Receipts};

const STUDY: StudyId = StudyId([1; 32]);
const PROVIDER: PublicKey = PublicKey([3; 32]);
const CSV: [u8; 32] = [2; 32];

fn header(csv: [u8; 32]) -> Header {
    Header::new(STUDY, csv, 77, 10, PROVIDER, false)
}

/// Receipts of one submission of `file`.
fn submitted(file: &Path) -> PathBuf {
    let path = beside(file, None);
    let mut receipts = Receipts::open(&path, header([9; 32])).unwrap();
    let entry = Entry {
        batch: 0,
        first_row: 1,
        records: 10,
        submission: hex::encode([7; 16]),
        public_hash: hex::encode([8; 32]),
        receipts: BTreeMap::new(),
    };
    receipts.record([entry]).unwrap();
    path
}

fn open(old: &Path) -> Replacement {
    Replacement::open(old, STUDY, PROVIDER).unwrap()
}

/// What is refused, and the text that says so.
fn refused(old: &Path, file: &Path, csv: [u8; 32], wanted: Option<&Path>) -> String {
    open(old).receipts(file, csv, wanted).unwrap_err().to_string()
}

#[test]
fn receipts_go_beside_the_new_file_and_never_over_others() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a.csv"), dir.path().join("b.csv"));
    let old = submitted(&a);
    assert_eq!(open(&old).receipts(&b, CSV, None).unwrap(), beside(&b, None));
    // Of the same file, corrected in place.
    assert_eq!(open(&old).receipts(&a, CSV, None).unwrap(), beside(&a, Some(1)));
    // Of a file that was submitted by itself before.
    submitted(&b);
    assert_eq!(open(&old).receipts(&b, CSV, None).unwrap(), beside(&b, Some(1)));
    for taken in [&old, &beside(&b, None)] {
        let text = refused(&old, &b, CSV, Some(taken));
        assert!(text.contains("of another upload"), "{text}");
    }
}

#[test]
fn what_was_begun_is_taken_up_by_the_same_command_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a.csv"), dir.path().join("b.csv"));
    let old = submitted(&a);
    let path = open(&old).receipts(&b, CSV, None).unwrap();
    let begun = open(&old).begin(&path, 1).unwrap();
    assert_eq!((begun.sequence, &begun.old), (1, &vec![hex::encode([7; 16])]));
    // Interrupted before the new receipts were made, at any byte of their header, and after.
    drop(Receipts::open(&path, header(CSV).replacing(begun.clone())).unwrap());
    let full = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    for cut in (0..=full.len()).step_by(7).chain([full.len()]) {
        assert_eq!(open(&old).receipts(&b, CSV, None).unwrap(), path, "cut at {cut}");
        let again = open(&old).begin(&path, 1).unwrap();
        assert_eq!(again, begun, "cut at {cut}");
        drop(Receipts::open(&path, header(CSV).replacing(again)).unwrap());
        assert_eq!(fs::read(&path).unwrap(), full);
        fs::write(&path, &full[..cut]).unwrap();
    }
    // Another file, another content, another place.
    let others = [(&a, CSV, None), (&b, [5; 32], None), (&b, CSV, Some(dir.path().join("c")))];
    for (file, csv, wanted) in others {
        let text = refused(&old, file, csv, wanted.as_deref());
        assert!(text.contains("replaced by those of") && text.contains("b.csv.receipts"), "{text}");
    }
    // Receipts that were moved are known by their amendment.
    let moved = dir.path().join("moved");
    fs::rename(&path, &moved).unwrap();
    assert_eq!(open(&old).receipts(&b, CSV, Some(&moved)).unwrap(), moved);
    // The next one names everything, and comes later.
    let next = open(&moved).begin(&dir.path().join("d"), 1).unwrap();
    assert_eq!((next.sequence, &next.old), (2, &begun.old));
}

#[test]
fn more_submissions_than_one_amendment_names_are_refused_before_anything_is_marked() {
    let dir = tempfile::tempdir().unwrap();
    let old = submitted(&dir.path().join("a.csv"));
    let error = open(&old).begin(&dir.path().join("b"), 1 << 16).unwrap_err();
    assert!(matches!(error, ClientError::TooManySubmissions { .. }), "{error}");
    assert_eq!(receipts::read(&old).unwrap().retired, None);
}

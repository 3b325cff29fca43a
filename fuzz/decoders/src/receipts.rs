//! Receipts files, stored batches and what servers answer, as a provider's program reads them.

use std::fs;

use client::{
    submit::receipts::{self, Document, Receipts},
    testing,
};
use mpc::receipt::{AmendmentReceipt, Receipt};
use prost::Message as _;
use proto::v1;

use crate::{check_line, choice};

pub(crate) fn check(data: &[u8]) {
    let (how, rest) = choice(data);
    match how % 4 {
        0 => file(rest),
        1 => batch(rest),
        2 => {
            let Ok(message) = v1::Receipt::decode(rest) else { return };
            if let Ok(receipt) = Receipt::try_from(message.clone()) {
                assert_eq!(v1::Receipt::from(receipt), message, "one encoding of a receipt");
            }
        }
        _ => {
            let Ok(message) = v1::AmendmentReceipt::decode(rest) else { return };
            if let Ok(receipt) = AmendmentReceipt::try_from(message.clone()) {
                assert_eq!(v1::AmendmentReceipt::from(receipt), message);
            }
        }
    }
}

/// What is read of a file is read again of what is written, and a run that goes on with it keeps all
/// of it.
fn file(bytes: &[u8]) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("records.csv.receipts");
    fs::write(&path, bytes).expect("a file");
    let document = match receipts::read(&path) {
        Ok(document) => document,
        Err(error) => return check_line(&error.to_string()),
    };
    let _ = document.submissions();
    let _ = document.next_sequence();
    match Receipts::open(&path, document.header.clone()) {
        Ok(open) => {
            assert!(open.submissions().len() <= document.entries.len());
            drop(open);
            assert_eq!(receipts::read(&path).expect("receipts"), document, "a run lost something");
        }
        Err(error) => {
            check_line(&error.to_string());
            assert_eq!(fs::read(&path).expect("a file"), bytes, "what is refused stays as it is");
        }
    }
    fs::write(&path, written(&document)).expect("a file");
    assert_eq!(receipts::read(&path).expect("receipts"), document, "other receipts");
}

fn written(document: &Document) -> Vec<u8> {
    let line = |line: serde_json::Result<String>| line.expect("texts and numbers") + "\n";
    let mut text = line(serde_json::to_string(&document.header));
    document.entries.iter().for_each(|entry| text += &line(serde_json::to_string(entry)));
    document.retired.iter().for_each(|retired| text += &line(serde_json::to_string(retired)));
    for acknowledged in &document.acknowledged {
        text += &line(serde_json::to_string(acknowledged));
    }
    text.into_bytes()
}

fn batch(bytes: &[u8]) {
    if let Some(again) = testing::batch(bytes) {
        assert_eq!(*again, bytes, "one encoding of a batch");
    }
}

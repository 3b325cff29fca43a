//! The public record of a study, as anybody reads it from a file or from a server.

use std::{fs, path::Path, sync::OnceLock};

use client::{
    audit::{self, Verdict},
    bundle::Bundle,
    progress::Silent,
    testing,
};
use mpc::record::{self, Section};
use sha2::{Digest as _, Sha256};

use crate::check_line;

/// Bundles of published studies, without their checksums, and what they say. Nobody can make another
/// one of the same study that holds and says something else: its servers' keys are not here.
const PUBLISHED: [&[u8]; 2] = [
    include_bytes!("../../corpus/bundle/published"),
    include_bytes!("../../corpus/bundle/amended"),
];

/// Study and answers of [`PUBLISHED`].
fn known() -> &'static [(String, String)] {
    static KNOWN: OnceLock<Vec<(String, String)>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let said = PUBLISHED.iter().map(|bytes| {
            let (_dir, path) = file(&summed(bytes));
            let report = audit::audit(&path, None, None, &Silent).expect("a bundle");
            assert_eq!(report.verdict, Verdict::Holds, "{}", report.says);
            (report.study, serde_json::to_string(&report.result).expect("texts and numbers"))
        });
        said.collect()
    })
}

/// Makes what is made once.
pub(crate) fn ready() {
    known();
}

/// The bytes are the frames of a bundle: its checksum is no secret.
pub(crate) fn check(data: &[u8]) {
    let bytes = summed(data);
    let (_dir, path) = file(&bytes);
    read(&path, &bytes);
    follow(data);
    match audit::audit(&path, None, None, &Silent) {
        Ok(report) => {
            check_line(&report.says);
            report.checks.iter().for_each(|check| check_line(&check.what));
            if report.verdict == Verdict::Holds {
                let said = serde_json::to_string(&report.result).expect("texts and numbers");
                for (study, known) in known() {
                    assert!(report.study != *study || said == *known, "a result nobody signed");
                }
            }
        }
        Err(error) => check_line(&error.to_string().replace(&*path.to_string_lossy(), "FILE")),
    }
}

/// What is read of a bundle is what it is written from.
fn read(path: &Path, bytes: &[u8]) {
    let Ok(mut bundle) = Bundle::open(path) else { return };
    let mut written = Vec::new();
    record::put(&mut written, Section::Head, &bundle.head().encode());
    let mut message = Vec::new();
    loop {
        match bundle.next(&mut message) {
            Ok(Some(section)) => record::put(&mut written, section, &message),
            Ok(None) => {
                let sum = Sha256::digest(&written);
                record::put(&mut written, Section::Sum, &sum);
                assert!(written == bytes, "one encoding of a bundle");
                return;
            }
            Err(error) => {
                return check_line(&error.to_string().replace(&*path.to_string_lossy(), "FILE"));
            }
        }
    }
}

/// A download takes whole frames, and keeps whole messages.
fn follow(data: &[u8]) {
    if let Some(kept) = testing::follow(data) {
        assert!(kept <= data.len());
        assert_eq!(testing::follow(&data[..kept]), Some(kept), "what was kept is whole");
    }
}

fn summed(frames: &[u8]) -> Vec<u8> {
    let mut bytes = frames.to_vec();
    record::put(&mut bytes, Section::Sum, &Sha256::digest(frames));
    bytes
}

fn file(bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("study.bundle");
    fs::write(&path, bytes).expect("a file");
    (dir, path)
}

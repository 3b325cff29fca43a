//! What cargo-fuzz gives to every decoder that faces a stranger, given to it here, too: all of
//! `fuzz/corpus/`, which holds real messages, made by `seeds`, and what was found with others.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on, stops")]

mod coverage;
mod seeds;

use std::{
    fs,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use decoders::{TARGETS, Target};

/// Memory is measured for the whole process: one input at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Also behind a test that failed: the corpus can be written again then.
fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn corpus(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target)
}

fn inputs(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(corpus(target.name)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn every_decoder_holds_its_property_on_the_whole_corpus() {
    let _alone = alone();
    for target in &TARGETS {
        let inputs = inputs(target);
        assert!(inputs.len() >= 3, "{}: {} inputs", target.name, inputs.len());
        for (path, bytes) in inputs {
            println!("{}", path.display());
            target.run(&bytes);
        }
    }
}

/// Every seed, cut off at every length and with bytes changed: what fuzzers try first.
#[test]
fn every_decoder_holds_its_property_on_torn_and_damaged_seeds() {
    let _alone = alone();
    for target in &TARGETS {
        for (path, bytes) in inputs(target) {
            println!("{}", path.display());
            let step = 1 + bytes.len() / 12;
            for place in (0..bytes.len()).step_by(step) {
                target.run(&bytes[..place]);
                let mut damaged = bytes.clone();
                damaged[place] ^= 0x81;
                target.run(&damaged);
            }
        }
    }
}

#[test]
fn the_corpus_holds_the_messages_of_this_version() {
    let _alone = alone();
    let is_update = std::env::var_os("UPDATE_CORPUS").is_some();
    let mut bytes = 0;
    for (target, seeds) in seeds::all() {
        for (name, seed) in seeds {
            let path = corpus(target).join(name);
            bytes += seed.len();
            if is_update {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, &seed).unwrap();
            }
            let found = fs::read(&path).unwrap_or_default();
            let remedy = "UPDATE_CORPUS=1 cargo test -p sotto-tests --test decoders";
            assert!(found == seed, "{}: another message now: {remedy}", path.display());
        }
    }
    assert!(bytes < 1 << 20, "{bytes} bytes");
}

/// What lets the fuzzer do without sanitizers: there is no unsafe code of our own, generated code
/// and the fuzz targets included. `forbid` cannot be allowed away further in.
#[test]
fn every_package_forbids_unsafe_code() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let manifest = |package: &str| {
        let text = fs::read_to_string(root.join(package).join("Cargo.toml")).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let has = |lines: &[String], section: &str, line: &str| {
        let rest = lines.iter().skip_while(|found| *found != section).skip(1);
        rest.take_while(|found| !found.starts_with('[')).any(|found| found == line)
    };
    let forbidden = r#"unsafe_code = "forbid""#;
    let workspace = manifest("");
    assert!(has(&workspace, "[workspace.lints.rust]", forbidden));
    assert!(has(&manifest("fuzz"), "[lints.rust]", forbidden));
    let members = workspace.iter().find_map(|line| line.strip_prefix("members = ")).unwrap();
    let members: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
    assert!(members.len() >= 8, "{members:?}");
    for member in members {
        assert!(has(&manifest(member), "[lints]", "workspace = true"), "{member}");
    }
}

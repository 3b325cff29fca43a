//! The page of the statistics: what `docs/statistics.md` says is what the registry says, and what
//! really comes out.
//!
//! `UPDATE_DOCS=1 cargo test -p sotto-study --test statistics_page` writes the page anew.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod answer;
mod json;
mod render;

use std::{env, fs, path::Path};

use study::statistic;

/// The page, from the directory of this crate.
const PAGE: &str = "../docs/statistics.md";

#[test]
fn the_page_says_what_the_registry_says_and_what_comes_out() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = render::page();
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap();
    let different = page.lines().zip(committed.lines()).position(|(new, old)| new != old);
    assert!(
        page == committed,
        "docs/statistics.md is not up to date (line {}): run this test with UPDATE_DOCS=1",
        different.map_or(page.lines().count().min(committed.lines().count()), |line| line) + 1
    );
}

#[test]
fn every_example_has_an_answer_in_every_cell() {
    for kind in statistic::kinds() {
        let answer = answer::of(kind.page().example);
        assert_eq!(answer.records, 24);
        assert!(!answer.cells.is_empty(), "{}", kind.name());
        for cell in &answer.cells {
            assert!(cell.value.is_some(), "{}: {:?}", kind.name(), cell.reason);
        }
    }
}

/// The code that ARCHITECTURE.md shows, block by block, is in these files.
#[test]
fn the_code_that_the_architecture_shows_is_the_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let architecture = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let (_, section) = architecture.split_once("\n## Adding a statistic\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let code = ["src/statistic.rs", "src/statistic/count.rs"]
        .map(|file| fs::read_to_string(root.join("study").join(file)).unwrap())
        .concat();
    let blocks: Vec<_> = section.split("```rust\n").skip(1).collect();
    assert!(blocks.len() >= 3);
    for block in blocks {
        let (block, _) = block.split_once("```").unwrap();
        // A block stands within an item of a list.
        let block: Vec<_> =
            block.lines().map(|line| line.strip_prefix("   ").unwrap_or("")).collect();
        let block = block.join("\n");
        assert!(
            code.contains(block.trim_end()),
            "ARCHITECTURE.md shows other code than there is:\n{block}"
        );
    }
}

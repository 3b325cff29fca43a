//! Servers that lie: for every message of every protocol a run in which one server falsifies it. The
//! table of SECURITY.md is what these runs come to.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on, stops")]

mod cases;
mod run;

use std::{collections::BTreeSet, path::Path};

use futures::{StreamExt as _, stream};

use cases::Case;
use run::{Ended, Ending, LIAR};

/// Runs at once.
const AT_ONCE: usize = 4;
const MARKS: [&str; 2] = ["<!-- lies: begin -->\n", "<!-- lies: end -->"];

/// `UPDATE_DOCS=1` writes the table anew.
#[tokio::test(flavor = "multi_thread")]
async fn every_lie_ends_as_security_md_says() {
    let cases = cases::all();
    let only = std::env::var("ONLY").unwrap_or_default();
    let runs = stream::iter(cases.iter().filter(|case| case.does.contains(&only)))
        .map(async |case| (case, run::run(case).await));
    let ended: Vec<(&Case, Ended)> = runs.buffered(AT_ONCE).collect().await;
    let mut table = String::from(
        "| beta … | the study | named | proof for anybody |\n| --- | --- | --- | --- |\n",
    );
    for (case, ended) in &ended {
        println!("{}: {ended:?}", case.does);
        let beta = BTreeSet::from([LIAR.1.to_owned()]);
        match ended.ending {
            // Who waits for the liar keeps others waiting.
            Ending::Waits => assert!(ended.accused.is_superset(&beta), "{}: {ended:?}", case.does),
            _ => assert!(ended.accused.is_subset(&beta), "{}: {ended:?}", case.does),
        }
        assert!(ended.convicted.is_subset(&beta), "{}: {ended:?}", case.does);
        let [study, named, proof] = row(ended);
        table.push_str(&format!("| {} | {study} | {named} | {proof} |\n", case.does));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../SECURITY.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = page.split_once(MARKS[0]).unwrap();
    let (written, tail) = rest.split_once(MARKS[1]).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{head}{}{table}{}{tail}", MARKS[0], MARKS[1])).unwrap();
        return;
    }
    assert_eq!(written, table, "run this test with UPDATE_DOCS=1 and read what has changed");
}

fn row(ended: &Ended) -> [String; 3] {
    let yes = |set: &BTreeSet<String>, no: &str| match set.is_empty() {
        true => no.to_owned(),
        false => "yes".to_owned(),
    };
    match &ended.ending {
        Ending::Published { rejected: 0, .. } => {
            ["published, true".into(), "no".into(), "no".into()]
        }
        Ending::Published { .. } => [
            "published, true, over the rest; the submission is listed as rejected".into(),
            yes(&ended.convicted, "no"),
            match ended.convicted.is_empty() {
                true => "no: a provider's false proof looks the same".into(),
                false => "yes, with the receipt".into(),
            },
        ],
        Ending::Aborted => {
            ["aborted".into(), yes(&ended.accused, "no"), yes(&ended.convicted, "no")]
        }
        Ending::Waits => [
            "waits; goes on, true, when beta speaks".into(),
            yes(&ended.accused, "no"),
            "no: silence cannot be shown".into(),
        ],
    }
}

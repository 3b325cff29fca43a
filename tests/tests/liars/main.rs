//! Servers that lie: for every message of every protocol a run in which one server falsifies it. The
//! table of SECURITY.md is what these runs come to.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on, stops")]

mod cases;
mod run;

use std::{collections::BTreeSet, path::Path};

use futures::{StreamExt as _, stream};

use cases::Case;
use run::{Ended, Ending, NAMES};

/// Runs at once.
const AT_ONCE: usize = 4;
const MARKS: [&str; 2] = ["<!-- lies: begin -->\n", "<!-- lies: end -->"];

/// `UPDATE_DOCS=1` writes the table anew.
#[tokio::test(flavor = "multi_thread")]
async fn every_lie_ends_as_security_md_says() {
    let cases = cases::all();
    let ended = run_all(&cases, 1).await;
    let mut table = String::from(
        "| beta … | the study … | beta is named | proof for anybody |\n| --- | --- | --- | --- |\n",
    );
    for (case, ended) in &ended {
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

/// The server that starts all runs.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_server_lies_with_no_more_success() {
    let all = cases::all();
    let cases: Vec<Case> = all.iter().step_by(3).copied().collect();
    let ended = run_all(&cases, 0).await;
    let rows =
        |ended: &[(&Case, Ended)]| ended.iter().map(|(_, ended)| row(ended)).collect::<Vec<_>>();
    assert_eq!(rows(&ended), rows(&run_all(&cases, 1).await));
}

/// Runs all cases with this server as the liar. No honest one is ever named.
async fn run_all(cases: &[Case], liar: usize) -> Vec<(&Case, Ended)> {
    let runs = stream::iter(cases).map(async |case| (case, run::run(case, liar).await));
    let all: Vec<(&Case, Ended)> = runs.buffered(AT_ONCE).collect().await;
    let liar = BTreeSet::from([NAMES[liar].to_owned()]);
    for (case, ended) in &all {
        println!("{}: {ended:?}", case.does);
        match ended.ending {
            // Who waits for the liar keeps others waiting.
            Ending::Waits => assert!(ended.accused.is_superset(&liar), "{}: {ended:?}", case.does),
            _ => assert!(ended.accused.is_subset(&liar), "{}: {ended:?}", case.does),
        }
        assert!(ended.convicted.is_subset(&liar), "{}: {ended:?}", case.does);
        let why = ended.words.iter().all(|words| !words.is_empty());
        assert!(why || matches!(ended.ending, Ending::Published { .. }), "{}", case.does);
    }
    all
}

fn row(ended: &Ended) -> [String; 3] {
    let convicted = !ended.convicted.is_empty();
    let named = if convicted || !ended.accused.is_empty() { "yes" } else { "no" };
    let (study, proof) = match &ended.ending {
        Ending::Published { rejected: 0, .. } => ("publishes the true result", "yes"),
        Ending::Published { .. } => (
            "publishes the true result of the rest, and lists the submission as rejected",
            match convicted {
                true => "yes: the receipt and the list",
                false => "no: a provider's false proof looks the same",
            },
        ),
        Ending::Waits => {
            ("waits; publishes the true result when beta speaks", "no: silence cannot be shown")
        }
        Ending::Aborted if convicted => ("aborts", "yes"),
        Ending::Aborted => ("aborts", "no: only who received the message knows"),
    };
    [study, named, proof].map(str::to_owned)
}

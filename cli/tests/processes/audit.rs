//! `sotto audit` and `sotto receipt check` as people and scripts run them.

use std::fs;

use super::{
    dev_cluster::Dev,
    process::{Outcome, Process, Signal, sotto},
};

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

/// A published study of three submissions.
#[track_caller]
fn published(dev: &Dev) -> String {
    let id = dev.client.create(STUDY);
    dev.client.write("ages.csv", "age\n10\n20\n30\n");
    dev.client.run(&["submit", &id, "ages.csv", "--batch", "1"]).ok();
    dev.client.close(&id);
    dev.client.result(&id);
    id
}

/// A command without any profile.
fn alone(dev: &Dev, arguments: &[&str]) -> Outcome {
    Process::start(sotto(&dev.client.dir).args(arguments)).wait()
}

#[test]
fn a_result_is_audited_through_a_server_and_from_a_bundle_when_all_servers_are_gone() {
    let mut dev = Dev::new();
    let id = published(&dev);
    let client = dev.client.clone();
    let shown = client.run(&["audit", &id, "--server", "beta"]).ok();
    for part in ["Ages", "submissions", "openings", "3 records in 3 submissions", "holds"] {
        assert!(shown.stdout.contains(part), "{part}: {}", shown.stdout);
    }
    let files = || fs::read_dir(&client.dir).unwrap().count();
    let before = files();
    let report = client.run(&["audit", &id, "--json"]).json();
    assert_eq!(files(), before, "nothing is kept");
    assert_eq!((&report["verdict"], &report["submissions"]), (&"holds".into(), &3.into()));
    assert_eq!(report["result"]["statistics"][0]["cells"][0]["value"], 20.0);
    client.run(&["result", &id, "--bundle", "study.bundle"]).ok();
    client.run(&["audit", &id, "--keep", "kept.bundle"]).ok();
    let bundle = fs::read(client.dir.join("study.bundle")).unwrap();
    assert_eq!(bundle, fs::read(client.dir.join("kept.bundle")).unwrap());

    let process = dev.take();
    process.signal(Signal::TERM);
    process.wait();
    let report = alone(&dev, &["audit", &id, "--bundle", "study.bundle", "--json"]).json();
    assert_eq!(report["verdict"], "holds");
    let found =
        alone(&dev, &["receipt", "check", "ages.csv.receipts", "--bundle", "study.bundle"]).ok();
    assert!(found.stdout.contains("3 counted, 0 rejected, 0 broken"), "{}", found.stdout);

    let other = "00".repeat(32);
    alone(&dev, &["audit", &other, "--bundle", "study.bundle"]).refused(2, &["study.bundle", &id]);
    let mut damaged = bundle.clone();
    *damaged.last_mut().unwrap() ^= 1;
    client.write("damaged.bundle", &damaged);
    alone(&dev, &["audit", &id, "--bundle", "damaged.bundle"]).refused(3, &["damaged.bundle"]);
    client.write("cut.bundle", &bundle[..bundle.len() / 2]);
    alone(&dev, &["audit", &id, "--bundle", "cut.bundle"]).refused(3, &["cut.bundle", "ends"]);
    alone(&dev, &["audit", &id, "--bundle", "ages.csv"]).refused(3, &["ages.csv", "not a bundle"]);
    alone(&dev, &["audit", &id, "--bundle", "none"]).refused(2, &["none"]);
}

#[test]
fn receipts_are_checked_with_every_server_and_a_study_without_a_result_says_so() {
    let dev = Dev::new();
    let id = published(&dev);
    let found = dev.client.run(&["receipt", "check", "ages.csv.receipts", "--json"]).json();
    assert_eq!((&found["study"], &found["counted"]), (&id.into(), &3.into()), "{found:#}");
    assert_eq!(found["submissions"][0]["proven_by"].as_array().unwrap().len(), 3);

    let open = dev.client.create(STUDY);
    dev.client.run(&["audit", &open]).refused(7, &["open"]);
    dev.client.run(&["audit", &open, "--server", "nobody"]).refused(2, &["nobody", "alpha"]);
    dev.client.run(&["receipt", "check", "ages.csv"]).refused(3, &["ages.csv:1"]);
    let error = dev.client.run(&["audit", &open, "--server", "beta", "--bundle", "x"]);
    assert_eq!(error.code, Some(2), "{}", error.stderr);
}

//! What an audit finds although the messages are all genuine: a set that the study's rules forbid, a
//! result that the record hides, servers that nobody knows.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on, stops")]

use client::{
    audit::{Outcome, Report, Verdict, audit},
    profile::Profile,
    progress::Silent,
};
use mpc::{
    record::{End, Head, Section},
    sign::Signer,
};
use sotto_tests::recorded::{Recorded, Unpublished, write};
use study::Value;

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

async fn recorded(text: &str) -> Recorded {
    let mut unpublished = Unpublished::new(text, 3, 5);
    unpublished.submit(&[vec![Value::Number(30)], vec![Value::Number(41)]]);
    unpublished.submit(&[vec![Value::Number(52)]]);
    unpublished.publish().await
}

fn check(messages: &[(Section, Vec<u8>)], profile: Option<&Profile>) -> Report {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bundle");
    write(&file, messages);
    audit(&file, None, profile, &Silent).unwrap()
}

#[tokio::test]
async fn servers_that_count_a_provider_who_is_not_listed_are_found() {
    let listed = Signer::from_seed(&[7; 32]).public();
    let report = check(&recorded(STUDY).await.messages(), None);
    assert_eq!(report.verdict, Verdict::Holds, "{report:#?}");
    let text = format!("providers = [\"{listed}\"]\n{STUDY}");
    let report = check(&recorded(&text).await.messages(), None);
    assert_eq!(report.verdict, Verdict::Fails, "{report:#?}");
    assert!(report.says.contains("is not listed"), "{}", report.says);
    assert_eq!(report.culprits, ["alpha", "beta", "gamma"], "all of them signed the set");
}

#[tokio::test]
async fn a_record_that_hides_its_result_is_false_and_its_source_is_named() {
    let recorded = recorded(STUDY).await;
    for end in [End::Aborted, End::Refused] {
        for is_left_out in [false, true] {
            let mut messages = recorded.messages();
            messages[0].1 = Head { study: recorded.study.id(), end }.encode();
            messages.retain(|message| !is_left_out || message.0 != Section::Published);
            let mut report = check(&messages, None);
            assert_eq!(report.verdict, Verdict::Fails, "{report:#?}");
            assert!(report.says.contains("all servers signed a result"), "{}", report.says);
            assert!(report.culprits.is_empty());
            report.came_from(vec!["beta".into()]);
            assert!(report.says.contains("that of beta: ask another server"), "{}", report.says);
        }
    }
}

#[tokio::test]
async fn a_study_of_other_servers_than_the_profiles_accuses_nobody() {
    let recorded = recorded(STUDY).await;
    let identity = Signer::from_seed(&[8; 32]).public();
    let profile = format!(
        "roots = \"roots.pem\"\n[[server]]\nname = \"alpha\"\nendpoint = \"https://127.0.0.1:1\"\n\
         identity = \"{identity}\"\ntls = \"{}\"\n",
        "00".repeat(32)
    );
    let profile = Profile::parse(&profile, "elsewhere/sotto.toml".as_ref()).unwrap();
    let report = check(&recorded.messages(), Some(&profile));
    assert_eq!(report.verdict, Verdict::Strangers, "{report:#?}");
    assert!(report.culprits.is_empty());
    assert!(report.says.contains("elsewhere/sotto.toml"), "{}", report.says);
    assert!(!report.says.contains("false"), "{}", report.says);
    let last = report.checks.last().unwrap();
    assert_eq!((last.name, last.outcome), ("servers", Outcome::Fails));
}

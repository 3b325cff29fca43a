//! Profiles, ids and questions that make no sense.

use std::fs;

use crate::{client::Client, dev_cluster::Dev, one_hot};

const UNKNOWN: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

#[test]
fn an_id_that_is_none_or_unknown_is_named() {
    let dev = Dev::new();
    let client = &dev.client;
    client.write("people.csv", one_hot::people(0..2));
    for command in [
        &["study", "show", UNKNOWN][..],
        &["study", "close", UNKNOWN],
        &["study", "approve", UNKNOWN],
        &["submit", UNKNOWN, "people.csv"],
        &["result", UNKNOWN],
        &["result", UNKNOWN, "--wait"],
    ] {
        client.run(command).refused(2, &[UNKNOWN, "not known", "sotto study list"]);
    }
    for id in ["12", "not-an-id", &UNKNOWN[1..], &UNKNOWN.replace('0', "g")] {
        let refused = client.run(&["result", id]);
        assert_eq!(refused.code, Some(2));
        refused.says(&[id, "64 hexadecimal digits"]);
    }
    assert!(!client.has("people.csv.receipts"));
}

#[test]
fn a_study_answers_what_does_not_fit_its_state_with_the_rule() {
    let dev = Dev::new();
    let client = &dev.client;
    let id = client.create(&one_hot::study(2));
    client.run(&["result", &id]).refused(2, &[&id, "no result yet", "open", "--wait"]);
    client.write("people.csv", one_hot::people(0..2));
    client.run(&["submit", &id, "people.csv"]).ok();
    client.close(&id);
    client.write("late.csv", one_hot::people(0..2));
    client.run(&["submit", &id, "late.csv"]).refused(7, &[&id, "takes no submissions"]);
    assert!(!client.has("late.csv.receipts") && !client.has("late.csv.receipts.pending"));
    assert_eq!(client.result(&id)["records"], 2);
    client.run(&["submit", &id, "late.csv"]).refused(7, &[&id, "published"]);

    let id = client.create(&one_hot::study(2).replace("min_records = 1\n", "min_records = 3\n"));
    client.run(&["submit", &id, "late.csv"]).ok();
    client.close(&id);
    let refused = client.run(&["result", &id, "--wait"]);
    assert_eq!(refused.code, Some(7), "{}", refused.stderr);
    refused.says(&["min_records", "needs 3", "nothing was opened"]);

    let id = client.create(&one_hot::study(2));
    client.run(&["study", "cancel", &id]).ok();
    client.write("other.csv", one_hot::people(0..2));
    client.run(&["submit", &id, "other.csv"]).refused(7, &[&id, "cancelled"]);
    client.run(&["result", &id, "--wait"]).refused(7, &[&id, "cancelled"]);
    let closed = client.run(&["study", "close", &id]);
    assert_eq!(closed.code, Some(7), "{}", closed.stderr);
    closed.says(&["alpha", "cancelled"]);
}

#[test]
fn a_profile_that_is_missing_or_wrong_is_named_with_its_line() {
    let dev = Dev::new();
    let good = fs::read_to_string(&dev.client.profile).unwrap();
    let profile = dev.cluster().join("other.toml");
    let client = Client { profile: profile.clone(), ..dev.client.clone() };
    client.run(&["study", "list"]).refused(2, &["other.toml", "--profile", "SOTTO_PROFILE"]);
    let cases: [(String, i32, &[&str]); 5] = [
        (good.replace("roots =", "rots ="), 2, &["other.toml:2", "rots", "roots"]),
        (good.replace("https:", "http:"), 2, &["other.toml:15", "https://HOST:PORT"]),
        (good.replace("\"ca.pem\"", "\"none.pem\""), 2, &["none.pem"]),
        (good.replace("\"ca.pem\"", "\"sotto.toml\""), 2, &["sotto.toml", "certificate"]),
        ("not a profile".into(), 2, &["other.toml:1"]),
    ];
    for (text, code, parts) in cases {
        fs::write(&profile, text).unwrap();
        client.run(&["study", "list"]).refused(code, parts);
    }
    // Certificates of somebody else's authority.
    let stranger = Dev::new();
    fs::copy(stranger.cluster().join("ca.pem"), dev.cluster().join("stranger.pem")).unwrap();
    fs::write(&profile, good.replace("ca.pem", "stranger.pem")).unwrap();
    client.run(&["study", "list"]).refused(5, &["alpha", "certificate", "roots"]);
}

//! `sotto dev`: a session on one's own machine, its end and its crashes.

use std::{thread, time::Duration};

use serde_json::json;

use super::{
    client::Client,
    dev_cluster::Dev,
    one_hot::{self, assert_everybody_counts_once},
    process::{Signal, wait_until},
};

const STUDY: &str = r#"title = "Pay and age"
max_records = 1000
[privacy]
min_records = 1
min_cell = 2
[[column]]
name = "age"
type = "integer"
min = 16
max = 99
[[column]]
name = "pay"
type = "decimal"
decimals = 2
min = 0
max = 500
missing = "allowed"
[[column]]
name = "union"
type = "boolean"
[[column]]
name = "region"
type = "category"
values = ["East", "North", "South", "West"]
[[statistic]]
name = "people by region"
kind = "count"
by = ["region"]
[[statistic]]
name = "mean age"
kind = "mean"
of = "age"
[[statistic]]
name = "total pay"
kind = "sum"
of = "pay"
[[statistic]]
name = "pay by region"
kind = "mean"
of = "pay"
by = ["region"]
[[statistic]]
name = "members"
kind = "share"
of = "union"
"#;

const EAST: &str = "age,pay,union,region\n20,10.5,true,East\n50,30.25,no,East\n";
const OTHERS: &str = "region,age,union,pay,note\nWest,30,no,20.25,x\nWest,41,1,,\nNorth,61,yes,NA,y\nSouth,38,no,7.25,z\n";

#[test]
fn a_session_from_create_to_result_gives_the_answer_of_the_plain_data() {
    let dev = Dev::new();
    assert_eq!(dev.process().stdout(), "ready\n");
    assert!(dev.cluster().join("sotto.toml").is_file());
    let client = &dev.client;
    client.write("study.toml", STUDY);
    let created = client.run(&["study", "create", "study.toml"]).ok().stdout;
    let id = created.trim_end();
    assert_eq!(created, format!("{id}\n"), "stdout is the id alone");
    assert!(id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");

    let listed = client.run(&["study", "list"]).ok().stdout;
    assert!(listed.contains(id) && listed.contains("open") && listed.contains("Pay and age"));
    let listed = client.run(&["study", "list", "--json"]).json();
    assert_eq!(listed[0]["study"], id);

    client.write("east.csv", EAST);
    client.write("others.csv", OTHERS);
    let submitted = client.run(&["submit", id, "east.csv"]).ok().stdout;
    let lines: Vec<_> = submitted.lines().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0].len(), 32, "the submission's id");
    assert_eq!(lines[1], "receipts: east.csv.receipts");
    assert!(client.has("east.csv.receipts") && !client.has("east.csv.receipts.pending"));
    let submitted = client.run(&["submit", id, "others.csv", "--json"]).json();
    assert_eq!(submitted[0]["records"], 4);
    assert_eq!(submitted[0]["ignored_columns"], json!(["note"]));

    let shown = client.show(id);
    assert_eq!((&shown["study"], &shown["state"]), (&json!(id), &json!("open")));
    for (server, name) in
        shown["servers"].as_array().unwrap().iter().zip(["alpha", "beta", "gamma"])
    {
        assert_eq!(server["server"], name);
        assert_eq!((&server["records"], &server["submissions"]), (&json!(6), &json!(2)));
    }

    client.close(id);
    let table = client.run(&["result", id, "--wait"]).ok().stdout;
    for part in ["Pay and age", "6 records in 2 submissions", "68.25", "20.375", "<2"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    assert_eq!(client.run(&["result", id, "--json"]).json(), expected(id));
    assert_eq!(client.run(&["result", id, "--csv"]).ok().stdout, EXPECTED_CSV);
    check_plot(client, id, &table);
}

/// A picture is drawn beside the answer, and the answer stays what it is.
fn check_plot(client: &Client, id: &str, table: &str) {
    assert_eq!(client.run(&["result", id, "--plot", "picture.svg"]).ok().stdout, table);
    let picture = std::fs::read_to_string(client.dir.join("picture.svg")).unwrap();
    for part in ["<svg ", "Pay and age", "people by region", "East", "68.25", "</svg>"] {
        assert!(picture.contains(part), "{part}: {picture}");
    }
    let outcome = client.run(&["result", id, "--csv", "--plot", "missing/picture.svg"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), EXPECTED_CSV));
    assert!(outcome.stderr.contains("missing/picture.svg: the picture could not be written"));
}

/// Exactly the shape of PRODUCT.md, and the answer that one finds by hand.
fn expected(id: &str) -> serde_json::Value {
    let cell = |region: &str, count: u64, value: serde_json::Value| json!({"by": {"region": region}, "count": count, "value": value, "suppressed": false});
    let closed = |region: &str| {
        json!({"by": {"region": region}, "count": null, "value": null, "suppressed": true,
               "reason": "fewer than 2 records"})
    };
    let all = |count: u64, value: serde_json::Value| json!([{"by": {}, "count": count, "value": value, "suppressed": false}]);
    json!({
        "study": id, "title": "Pay and age", "state": "published",
        "servers": ["alpha", "beta", "gamma"],
        "records": 6, "submissions": 2, "rejected": 0,
        "statistics": [
            {"name": "people by region", "kind": "count", "of": [], "by": ["region"],
             "cells": [cell("East", 2, json!(2)), closed("North"), closed("South"),
                       cell("West", 2, json!(2))]},
            {"name": "mean age", "kind": "mean", "of": ["age"], "by": [],
             "cells": all(6, json!(40.0))},
            {"name": "total pay", "kind": "sum", "of": ["pay"], "by": [],
             "cells": all(4, json!(68.25))},
            {"name": "pay by region", "kind": "mean", "of": ["pay"], "by": ["region"],
             "cells": [cell("East", 2, json!(20.375)), closed("North"), closed("South"),
                       closed("West")]},
            {"name": "members", "kind": "share", "of": ["union"], "by": [],
             "cells": all(6, json!(0.5))},
        ]
    })
}

const EXPECTED_CSV: &str = "\
statistic,kind,of,region,count,part,value,suppressed
people by region,count,,East,2,,2,false
people by region,count,,North,,,,true
people by region,count,,South,,,,true
people by region,count,,West,2,,2,false
mean age,mean,age,,6,,40,false
total pay,sum,pay,,4,,68.25,false
pay by region,mean,pay,East,2,,20.375,false
pay by region,mean,pay,North,,,,true
pay by region,mean,pay,South,,,,true
pay by region,mean,pay,West,,,,true
members,share,union,,6,,0.5,false
";

#[test]
fn both_signals_stop_it_cleanly_and_the_same_directory_goes_on() {
    let mut dev = Dev::new();
    let id = dev.client.create(&one_hot::study(4));
    dev.client.write("people.csv", one_hot::people(0..4));
    for signal in [Signal::TERM, Signal::INT] {
        let process = dev.take();
        process.signal(signal);
        let ended = process.wait();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_eq!(ended.stdout, "ready\n");
        dev.start();
        dev.client.run(&["submit", &id, "people.csv"]).ok();
    }
    dev.client.close(&id);
    assert_everybody_counts_once(&dev.client.result(&id), 4);
}

#[test]
fn a_cluster_killed_between_any_two_steps_counts_everybody_once() {
    const PEOPLE: usize = 30;
    let mut dev = Dev::new();
    dev.client.write("first.csv", one_hot::people(0..20));
    dev.client.write("second.csv", one_hot::people(20..PEOPLE));
    let id = dev.client.create(&one_hot::study(PEOPLE));
    dev.crash();
    dev.client.run(&["submit", &id, "first.csv", "--batch", "3"]).ok();
    dev.crash();
    dev.client.run(&["submit", &id, "first.csv", "--batch", "3"]).ok();
    dev.client.run(&["submit", &id, "second.csv"]).ok();
    dev.crash();
    dev.client.close(&id);
    dev.crash();
    assert_everybody_counts_once(&dev.client.result(&id), PEOPLE);
    dev.crash();
    assert_everybody_counts_once(&dev.client.result(&id), PEOPLE);
}

#[test]
fn a_cluster_killed_at_several_moments_after_the_close_counts_everybody_once() {
    const PEOPLE: usize = 8;
    let mut dev = Dev::new();
    dev.client.write("people.csv", one_hot::people(0..PEOPLE));
    for moment_ms in [0, 5, 10, 20, 40, 80] {
        let id = dev.client.create(&one_hot::study(PEOPLE));
        let receipts = format!("receipts-{moment_ms}");
        let submit = ["submit", &id, "people.csv", "--batch", "1", "--receipts", &receipts];
        dev.client.run(&submit).ok();
        dev.client.close(&id);
        thread::sleep(Duration::from_millis(moment_ms));
        dev.crash();
        assert_everybody_counts_once(&dev.client.result(&id), PEOPLE);
    }
}

#[test]
fn a_submit_outlives_the_cluster_being_killed_under_it() {
    const PEOPLE: usize = 200;
    let mut dev = Dev::new();
    let id = dev.client.create(&one_hot::study(PEOPLE));
    dev.client.write("people.csv", one_hot::people(0..PEOPLE));
    let submit = dev.client.start(&["submit", &id, "people.csv", "--batch", "1"]);
    let pending = dev.client.dir.join("people.csv.receipts.pending");
    wait_until("the first batches", || pending.join("000003").exists() || submit.stdout() != "");
    dev.crash();
    let submitted = submit.wait().ok();
    assert_eq!(submitted.stdout.lines().count(), PEOPLE + 1, "{}", submitted.stderr);
    dev.client.close(&id);
    assert_everybody_counts_once(&dev.client.result(&id), PEOPLE);
}

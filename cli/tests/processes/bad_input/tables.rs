//! CSV files that are refused before anything of them is sent, and odd ones that are not.

use std::{
    fs::{self, File},
    io::Write as _,
};

use serde_json::json;

use crate::{
    client::Client,
    dev_cluster::Dev,
    process::{Outcome, Process, sotto_in_shell},
};

const STUDY: &str = r#"title = "People"
max_records = 100
[privacy]
min_records = 1
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
[[column]]
name = "region"
type = "category"
values = ["East", "West"]
[[statistic]]
name = "mean age"
kind = "mean"
of = "age"
[[statistic]]
name = "pay by region"
kind = "mean"
of = "pay"
by = ["region"]
"#;

const HEADER: &str = "age,pay,region\n";

fn submit(client: &Client, id: &str, table: impl AsRef<[u8]>) -> Outcome {
    client.write("t.csv", table);
    client.run(&["submit", id, "t.csv"])
}

/// No server has anything, and nothing lies beside the file.
#[track_caller]
fn assert_nothing_was_sent(client: &Client, id: &str) {
    for server in client.show(id)["servers"].as_array().unwrap() {
        assert_eq!(server["submissions"], 0, "{server}");
    }
    assert!(!client.has("t.csv.receipts") && !client.has("t.csv.receipts.pending"));
}

#[test]
fn a_file_that_is_no_table_of_the_study_is_refused_and_nothing_is_sent() {
    let dev = Dev::new();
    let client = &dev.client;
    let id = client.create(STUDY);
    let binary: Vec<u8> = (0..=255).cycle().take(5000).collect();
    let cases: [(&[u8], &[&str]); 7] = [
        (b"", &["t.csv", "empty", "columns"]),
        (HEADER.as_bytes(), &["t.csv", "no rows below the header"]),
        (&binary, &["t.csv:1", "UTF-8"]),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", &["t.csv:1", "UTF-8"]),
        (b"\xff\xfea\0g\0e\0", &["t.csv:1", "UTF-8"]),
        (b"age,region\n20,East\n", &["t.csv:1", "\"pay\" is missing", "age, region"]),
        (b"age,pay,region,age\n20,1,East,20\n", &["t.csv:1", "\"age\"", "twice"]),
    ];
    for (table, parts) in cases {
        submit(client, &id, table).refused(3, parts);
    }
    client.run(&["submit", &id, "none.csv"]).refused(2, &["none.csv"]);
    client.run(&["submit", &id, "."]).refused(2, &["not a regular file"]);
    let many = format!("{HEADER}{}", "20,1,East\n".repeat(101));
    submit(client, &id, many).refused(3, &["t.csv", "101 records", "at most 100"]);
    for batch in ["0", "1000000"] {
        client.run(&["submit", &id, "t.csv", "--batch", batch]).refused(2, &["--batch", batch]);
    }
    assert_nothing_was_sent(client, &id);
}

#[test]
fn a_line_of_a_gigabyte_is_refused_in_little_memory() {
    let dev = Dev::new();
    let client = &dev.client;
    let id = client.create(STUDY);
    let path = client.dir.join("t.csv");

    let mut zeros = File::create(&path).unwrap();
    zeros.write_all(format!("{HEADER}20,1,East\n").as_bytes()).unwrap();
    zeros.set_len(1 << 30).unwrap();
    submit_in_little_memory(client, &id).refused(3, &["t.csv:3", "longer than 1 MiB"]);

    fs::write(&path, format!("{HEADER}20,1,East\n{}", "a".repeat(64 << 20))).unwrap();
    submit_in_little_memory(client, &id).refused(3, &["t.csv:3", "longer than 1 MiB"]);

    fs::write(&path, "a".repeat(64 << 20)).unwrap();
    submit_in_little_memory(client, &id).refused(3, &["t.csv:1", "longer than 1 MiB"]);
    fs::remove_file(&path).unwrap();
    assert_nothing_was_sent(client, &id);
}

/// Where the system can, with less address space than the file has bytes; threads reserve some of
/// it, so there are few of them.
fn submit_in_little_memory(client: &Client, id: &str) -> Outcome {
    let limit = if cfg!(target_os = "linux") { "ulimit -v 600000 || exit 99" } else { ":" };
    let mut command = sotto_in_shell(&client.dir, limit);
    command.env("TOKIO_WORKER_THREADS", "1").env("MALLOC_ARENA_MAX", "1");
    command.args(["submit", id, "t.csv", "--profile"]).arg(&client.profile);
    Process::start(&mut command).wait()
}

const BAD: &str = "\
age,pay,region
20,1,East
100,1,East
21.5,1,East
21.0,1,West
20,1.234,East
20,500.01,East
20,1,Est
,1,East
abc,xyz,East
20,1
";

const PROBLEMS: [&str; 9] = [
    "t.csv:3: age = 100 is above the study's maximum 99",
    "t.csv:4: age = 21.5 is not a whole number",
    "t.csv:6: pay = 1.234 has more than 2 decimals",
    "t.csv:7: pay = 500.01 is above the study's maximum 500",
    "t.csv:8: region = \"Est\" is none of the study's values East, West",
    "t.csv:9: age is missing, which the study refuses",
    "t.csv:10: age = abc is not a number",
    "t.csv:10: pay = xyz is not a number",
    "t.csv:11: the row has 2 fields, and the header 3",
];

#[test]
fn every_bad_row_is_named_and_nothing_is_sent_unless_told_to_skip_them() {
    let dev = Dev::new();
    let client = &dev.client;
    let id = client.create(STUDY);
    let refused = submit(client, &id, BAD);
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    refused.says(&["t.csv: 8 of 10 rows are not valid", "nothing was sent", "--skip-invalid"]);
    assert!(refused.stdout.is_empty());
    let lines: Vec<_> = refused.stderr.lines().skip(1).collect();
    assert_eq!(lines.len(), PROBLEMS.len(), "{}", refused.stderr);
    for (line, problem) in lines.iter().zip(PROBLEMS) {
        assert!(line.starts_with(problem), "{line}");
    }
    assert_nothing_was_sent(client, &id);

    let skipped = client.run(&["submit", &id, "t.csv", "--skip-invalid"]).ok();
    for problem in PROBLEMS {
        assert!(skipped.stderr.contains(&format!("skipped: {problem}")), "{}", skipped.stderr);
    }
    assert!(skipped.stderr.contains("2 records") && skipped.stderr.contains("8 rows left out"));
    client.close(&id);
    let result = client.result(&id);
    assert_eq!(result["records"], 2);
    assert_eq!(result["statistics"][0]["cells"][0]["value"], json!(20.5));
}

#[test]
fn of_many_bad_rows_the_first_are_named_and_all_are_counted() {
    let dev = Dev::new();
    let id = dev.client.create(STUDY);
    let table = format!("{HEADER}{}", "1,1,East\n".repeat(5000));
    let refused = submit(&dev.client, &id, table);
    assert_eq!(refused.code, Some(3));
    refused.says(&["5000 of 5000 rows"]);
    assert!(refused.stderr.lines().count() < 30, "{}", refused.stderr);
    assert!(refused.stderr.contains("and 4980 more"), "{}", refused.stderr);
    assert_nothing_was_sent(&dev.client, &id);
}

#[test]
fn lines_are_counted_right_behind_a_byte_order_mark_and_quoted_line_ends() {
    let dev = Dev::new();
    let id = dev.client.create(STUDY);
    let start = "\u{feff}age,pay,region,\"a, note\"\r\n20,1,East,\"one,\r\ntwo\r\nthree\"\r\n";
    let refused = submit(&dev.client, &id, format!("{start}101,1,West,\"x\"\r\n"));
    assert_eq!(refused.code, Some(3));
    refused.says(&["t.csv: 1 of 2 rows is not valid"]);
    assert!(refused.stderr.contains("t.csv:5: age = 101"), "{}", refused.stderr);
    assert_nothing_was_sent(&dev.client, &id);
    let sent = submit(&dev.client, &id, format!("{start}99,\"2.5\",West,\"\"\"x\"\"\"\r\n")).ok();
    assert!(sent.stderr.contains("a, note"), "{}", sent.stderr);
    assert!(sent.stderr.contains("2 records"), "{}", sent.stderr);
}

#[test]
fn thousands_of_columns_that_the_study_does_not_name_are_ignored_and_said_to_be() {
    let dev = Dev::new();
    let id = dev.client.create(STUDY);
    let names: Vec<_> = (0..3000).map(|column| format!("c{column}")).collect();
    let table = format!(
        "{},age,pay,region\n{}20,1,East\n{}99,2,West\n",
        names.join(","),
        "x,".repeat(3000),
        "y,".repeat(3000)
    );
    let sent = submit(&dev.client, &id, &table).ok();
    assert!(sent.stderr.contains("c0, c1, c2"), "{}", sent.stderr);
    assert!(sent.stderr.contains("and 2980 more"), "{}", sent.stderr);
    assert!(sent.stderr.lines().all(|line| line.chars().count() <= 220), "{}", sent.stderr);
    assert_eq!(dev.client.show(&id)["servers"][0]["records"], 2);
}

#[test]
fn receipts_are_not_used_for_another_content_of_the_file() {
    let dev = Dev::new();
    let id = dev.client.create(STUDY);
    submit(&dev.client, &id, "age,pay,region\n20,1,East\n").ok();
    let other = submit(&dev.client, &id, "age,pay,region\n21,1,East\n");
    other.refused(2, &["t.csv.receipts", "content of the file", "--receipts"]);
    assert_eq!(dev.client.show(&id)["servers"][0]["records"], 1);
}

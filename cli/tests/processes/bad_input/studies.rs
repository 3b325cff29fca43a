//! Study files that are refused before any server hears of them.

use std::fs::File;

use crate::dev_cluster::Dev;

const STUDY: &str = r#"title = "Pay"
max_records = 1000
[[column]]
name = "pay"
type = "integer"
min = 0
max = 500
[[statistic]]
name = "mean pay"
kind = "mean"
of = "pay"
"#;

#[test]
fn a_study_file_that_is_wrong_is_refused_with_its_line_and_leaves_no_study() {
    let dev = Dev::new();
    let client = &dev.client;
    let huge = STUDY
        .replace("max = 500", "max = 4_000_000_000_000_000_000")
        .replace("max_records = 1000", "max_records = 1_000_000_000_000");
    let cases: [(String, &[&str]); 9] = [
        (STUDY.replace("max =", "maxx ="), &["study.toml:7", "maxx", "min, max"]),
        (STUDY.replace("of = \"pay\"", "of = \"age\""), &["study.toml:11", "age", "pay"]),
        (huge, &["study.toml:", "\"pay\"", "overflow", "max_records"]),
        (cells(), &["study.toml:", "by a, b", "1000000", "4096"]),
        (STUDY.replace("max = 500", "max = "), &["study.toml:7", "TOML"]),
        (STUDY.replace("\"Pay\"", "\"Pay"), &["study.toml:1", "TOML"]),
        (STUDY.replace("1000", "\"many\""), &["study.toml:2", "max_records", "whole number"]),
        (STUDY.replace("min = 0", "min = 501"), &["study.toml:", "\"pay\"", "501", "500"]),
        (String::new(), &["study.toml:1", "title"]),
    ];
    for (study, parts) in cases {
        client.write("study.toml", study);
        client.run(&["study", "create", "study.toml"]).refused(3, parts);
    }
    client.write("study.toml", b"\xff\xfe\x00t\x00i");
    client.run(&["study", "create", "study.toml"]).refused(3, &["study.toml", "UTF-8"]);
    let long = File::create(client.dir.join("study.toml")).unwrap();
    long.set_len(1 << 32).unwrap();
    client.run(&["study", "create", "study.toml"]).refused(3, &["study.toml", "4294967296 bytes"]);
    client.run(&["study", "create", "none.toml"]).refused(2, &["none.toml"]);
    assert_eq!(client.run(&["study", "list", "--json"]).json(), serde_json::json!([]));
}

/// A statistic over 1,000 × 1,000 cells.
fn cells() -> String {
    let labels: Vec<_> = (0..1000).map(|label| format!("\"v{label}\"")).collect();
    let mut study = String::from("title = \"Cells\"\nmax_records = 1000\n");
    for name in ["a", "b"] {
        study += &format!(
            "[[column]]\nname = \"{name}\"\ntype = \"category\"\nvalues = [{}]\n",
            labels.join(", ")
        );
    }
    study + "[[statistic]]\nname = \"all\"\nkind = \"count\"\nby = [\"a\", \"b\"]\n"
}

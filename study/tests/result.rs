//! Results: the JSON of PRODUCT.md, tables for people and CSV for programs.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use mpc::sign::Signer;
use study::{Plan, Study, StudyContext, StudyResult, StudyServer, Totals};

const STUDY: &str = r#"
title = "t"
[privacy]
min_records = 1
[[column]]
name = "earnings"
type = "decimal"
decimals = 2
min = 1
max = 500
[[column]]
name = "region"
type = "category"
values = ["South", "West", "Far, far away"]
[[statistic]]
name = "earnings by region"
kind = "mean"
of = "earnings"
by = ["region"]
[[statistic]]
name = "total"
kind = "sum"
of = "earnings"
[[statistic]]
name = "people"
kind = "count"
by = "region"
"#;

/// Counts 3, 12 and 0, or with suppression 3, 12 and 25; sums of v in hundredths.
fn result(min_cell: u64) -> StudyResult {
    result_of(STUDY, min_cell)
}

fn read(study: &str, min_cell: u64) -> Study {
    let text = study.replace("min_records = 1", &format!("min_records = 1\nmin_cell = {min_cell}"));
    let key = |seed| Signer::from_seed(&[seed; 32]).public();
    let server = |(name, seed): (&str, u8)| StudyServer { name: name.into(), identity: key(seed) };
    let available = [("alpha", 1), ("beta", 2)].map(server);
    let context = StudyContext { available: &available, analyst: key(9), nonce: [0; 16] };
    Study::from_file(&text, "study.toml", context).unwrap()
}

fn result_of(study: &str, min_cell: u64) -> StudyResult {
    let study = read(study, min_cell);
    let plan = Plan::new(&study).unwrap();
    let (records, sums): (u64, &[i128]) = match min_cell {
        1 => (15, &[3, 12, 0, 1_000, 30_000, 0]),
        _ => (40, &[40, 3, 12, 25, 31_000, 1_000, 20_000, 10_000]),
    };
    assert_eq!(plan.coordinates(), sums.len());
    let mut values = vec![None; sums.len()];
    loop {
        let next = plan.next_opening(records, &values);
        if next.is_empty() {
            return plan.decode(&Totals { records, values });
        }
        next.into_iter().for_each(|place| values[place] = Some(sums[place]));
    }
}

#[test]
fn json_is_what_the_product_promises() {
    let json = serde_json::to_value(result(1)).unwrap();
    let expected = serde_json::json!({"statistics": [
        {"name": "earnings by region", "kind": "mean", "of": ["earnings"], "by": ["region"], "cells": [
            {"by": {"region": "South"}, "count": 3, "value": 1300.0 / 300.0, "suppressed": false},
            {"by": {"region": "West"}, "count": 12, "value": 26.0, "suppressed": false},
            {"by": {"region": "Far, far away"}, "count": 0, "value": null, "suppressed": false,
             "reason": "no records"}]},
        {"name": "total", "kind": "sum", "of": ["earnings"], "by": [], "cells": [
            {"by": {}, "count": 15, "value": 325.0, "suppressed": false}]},
        {"name": "people", "kind": "count", "of": [], "by": ["region"], "cells": [
            {"by": {"region": "South"}, "count": 3, "value": 3, "suppressed": false},
            {"by": {"region": "West"}, "count": 12, "value": 12, "suppressed": false},
            {"by": {"region": "Far, far away"}, "count": 0, "value": 0, "suppressed": false}]}]});
    assert_eq!(json, expected);
}

#[test]
fn suppressed_cells_are_null_and_say_why() {
    let json = serde_json::to_value(result(10)).unwrap();
    assert_eq!(
        json["statistics"][0]["cells"][0],
        serde_json::json!({"by": {"region": "South"}, "count": null, "value": null,
            "suppressed": true, "reason": "fewer than 10 records"})
    );
    assert_eq!(
        json["statistics"][0]["cells"][1],
        serde_json::json!({"by": {"region": "West"}, "count": null, "value": null,
            "suppressed": true, "reason": "withheld, because a smaller cell would follow from it"})
    );
    assert_eq!(json["statistics"][0]["cells"][2]["value"], 5.0);
    assert_eq!(json["statistics"][1]["cells"][0]["value"], 350.0);
}

#[test]
fn json_is_read_back() {
    let result = result(10);
    let read: StudyResult = serde_json::from_str(&serde_json::to_string(&result).unwrap()).unwrap();
    assert_eq!(read.statistics[0].cells[1].value, result.statistics[0].cells[1].value);
    assert_eq!(read.statistics[0].cells[0].by, result.statistics[0].cells[0].by);
    assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::to_value(&result).unwrap());
}

#[test]
fn csv_has_a_row_per_cell_where_the_value_is_a_number() {
    assert_eq!(
        result(10).to_csv(),
        "statistic,kind,of,region,count,part,value,suppressed\n\
         earnings by region,mean,earnings,South,,,,true\n\
         earnings by region,mean,earnings,West,,,,true\n\
         earnings by region,mean,earnings,\"Far, far away\",25,,5,false\n\
         total,sum,earnings,,40,,350,false\n\
         people,count,,South,,,,true\n\
         people,count,,West,,,,true\n\
         people,count,,\"Far, far away\",25,,25,false\n"
    );
}

/// The rows of one cell with this value and interval, from the count on.
fn rows(value: serde_json::Value, interval: Option<serde_json::Value>) -> Vec<String> {
    let mut result = result(1);
    result.statistics.truncate(1);
    result.statistics[0].cells.truncate(1);
    let cell = &mut result.statistics[0].cells[0];
    (cell.value, cell.ci95) = (Some(value), interval);
    let csv = result.to_csv();
    let start = "earnings by region,mean,earnings,South,3,";
    csv.lines().skip(1).map(|line| line.strip_prefix(start).unwrap().to_string()).collect()
}

#[test]
fn csv_has_a_row_per_number_of_an_object_with_its_path() {
    let histogram = serde_json::json!({"edges": [0, 12.5, 20], "counts": [7, null]});
    let expected = [
        "edges.0,0,false",
        "edges.1,12.5,false",
        "edges.2,20,false",
        "counts.0,7,false",
        "counts.1,,false",
    ];
    assert_eq!(rows(histogram, None), expected);
    let nested = serde_json::json!({"rows": ["N, S"], "counts": [[1, 2]], "p": 4.5e-35, "dof": {}});
    let expected =
        ["rows.0,\"N, S\",false", "counts.0.0,1,false", "counts.0.1,2,false", "p,4.5e-35,false"];
    assert_eq!(rows(nested, None), expected);
    assert_eq!(rows(serde_json::json!({}), None), [",,false"], "a cell is never left out");
}

#[test]
fn csv_numbers_have_full_precision() {
    for number in [1.0 / 3.0, 1e-5, 1.0 / 3.0e7, -2.0 / 3.0 * 1e300, 123_456_789.123_456_79] {
        let row = rows(number.into(), None).remove(0);
        let read: f64 = row.split(',').nth(1).unwrap().parse().unwrap();
        assert_eq!(read, number, "{row}");
    }
}

#[test]
fn csv_has_limits_where_there_are_intervals() {
    let scalar = rows(26.5.into(), Some(serde_json::json!([26.25, 26.75])));
    assert_eq!(scalar, [",26.5,false,26.25,26.75"]);
    let object = serde_json::json!({"edges": [0, 1], "counts": [7]});
    let intervals = serde_json::json!({"counts": [[5.5, 8.5]]});
    let expected = ["edges.0,0,false,,", "edges.1,1,false,,", "counts.0,7,false,5.5,8.5"];
    assert_eq!(rows(object, Some(intervals)), expected);
    let mut result = result(1);
    result.statistics[1].cells[0].ci95 = Some(serde_json::json!([1, 2]));
    let csv = result.to_csv();
    assert!(csv.starts_with("statistic,kind,of,region,count,part,value,suppressed,low,high\n"));
    assert!(csv.contains("earnings by region,mean,earnings,West,12,,26,false,,\n"));
    assert!(csv.contains("total,sum,earnings,,15,,325,false,1,2\n"));
}

#[test]
fn json_has_units_and_intervals_only_where_there_are_some() {
    let plain = serde_json::to_string(&result(1)).unwrap();
    assert!(!plain.contains("unit") && !plain.contains("ci95"));
    let mut result = result_of(&STUDY.replace("max = 500", "max = 500\nunit = \"USD/h\""), 1);
    result.statistics[0].cells[0].ci95 = Some(serde_json::json!([4.25, 4.5]));
    let json = serde_json::to_value(&result).unwrap();
    assert_eq!(json["statistics"][0]["unit"], "USD/h");
    assert_eq!(json["statistics"][0]["cells"][0]["ci95"], serde_json::json!([4.25, 4.5]));
    assert_eq!(json["statistics"][1]["unit"], "USD/h");
    assert!(json["statistics"][2].get("unit").is_none(), "a count has no unit");
    let read: StudyResult = serde_json::from_value(json).unwrap();
    assert_eq!(read.statistics[0].cells[0].ci95, result.statistics[0].cells[0].ci95);
    assert_eq!(read.statistics[0].unit, result.statistics[0].unit);
    assert!(read.statistics[0].settings.is_empty());
    assert!(
        result.to_table().contains("mean (USD/h)") && result.to_table().contains("sum (USD/h)")
    );
}

#[test]
fn a_statistic_has_the_unit_of_its_values() {
    let columns = "[[column]]\nname = \"age\"\ntype = \"integer\"\nmin = 0\nmax = 9\nunit = \"years\"\n\
                   [[column]]\nname = \"member\"\ntype = \"boolean\"\n";
    let study = STUDY.replace("max = 500", "max = 500\nunit = \"USD/h\"");
    let (study, _) = study.split_once("[[statistic]]").unwrap();
    for (kind, keys, unit) in [
        ("sum", "of = \"age\"", Some("years")),
        ("mean", "of = \"earnings\"", Some("USD/h")),
        ("stddev", "of = \"earnings\"", Some("USD/h")),
        ("variance", "of = \"earnings\"", Some("USD²/h²")),
        ("histogram", "of = \"earnings\"\nwidth = 100", Some("USD/h")),
        ("quantile", "of = \"age\"\nq = 0.5", Some("years")),
        ("min", "of = \"age\"", Some("years")),
        ("max", "of = \"age\"", Some("years")),
        ("ttest", "of = \"age\"\nbetween = \"member\"", Some("years")),
        ("anova", "of = \"age\"\nbetween = \"region\"", Some("years")),
        ("covariance", "of = [\"earnings\", \"age\"]", Some("(USD/h)·years")),
        ("covariance", "of = [\"member\", \"age\"]", Some("years")),
        ("correlation", "of = [\"earnings\", \"age\"]", None),
        ("regression", "y = \"earnings\"\nx = \"age\"", None),
        ("share", "of = \"member\"", None),
        ("ttest", "of = \"member\"\nbetween = \"member2\"", None),
        ("mode", "of = \"region\"", None),
        ("count", "", None),
    ] {
        let other = "[[column]]\nname = \"member2\"\ntype = \"boolean\"\n";
        let asked = format!("[[statistic]]\nname = \"s\"\nkind = \"{kind}\"\n{keys}\n");
        let study = read(&format!("{study}{columns}{other}{asked}"), 1);
        let plan = Plan::new(&study).unwrap();
        let totals = Totals { records: 0, values: vec![None; plan.coordinates()] };
        assert_eq!(plan.decode(&totals).statistics[0].unit.as_deref(), unit, "{kind} {keys}");
    }
}

#[test]
fn tables_are_aligned_and_explain_what_is_not_there() {
    let table = result(1).to_table();
    println!("{table}");
    assert!(table.contains("earnings by region (mean of earnings by region)\n"));
    assert!(table.contains("4.3333"), "two digits more than the column has");
    assert!(table.contains("325.00"), "a sum has exactly its decimals");
    assert!(table.contains("–: no records"));
    let ends: Vec<_> =
        ["4.3333", "26.0000"].iter().map(|value| column_end(&table, value)).collect();
    assert_eq!(ends[0], ends[1], "numbers are aligned to the right");
    let table = result(10).to_table();
    println!("{table}");
    assert!(table.contains("<10") && table.contains("–¹: fewer than 10 records"));
    assert!(!table.contains("4.3333"));
}

/// Where in its line a text ends.
fn column_end(table: &str, text: &str) -> usize {
    let line = table.lines().find(|line| line.contains(text)).unwrap();
    let start = line.find(text).unwrap();
    line[..start].chars().count() + text.chars().count()
}

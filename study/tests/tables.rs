//! Tables for people: the exact text of small results of every form.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use serde_json::{Map, Value, json};
use study::{
    StudyResult,
    result::{Cell, Labels, Presentation, Sheet, StatisticResult},
};

fn statistic(kind: &str, by: &[&str], cells: Vec<Cell>) -> StatisticResult {
    StatisticResult {
        name: "answer".into(),
        kind: kind.into(),
        of: vec!["earnings".into()],
        by: by.iter().map(|name| name.to_string()).collect(),
        unit: Some("USD/h".into()),
        settings: Map::new(),
        cells,
        noise: Vec::new(),
        min_cell: 10,
    }
}

fn cell(labels: &[(&str, &str)], count: i64, shown: Presentation) -> Cell {
    let label = |(column, label): &(&str, &str)| (column.to_string(), label.to_string());
    Cell {
        by: Labels(labels.iter().map(label).collect()),
        count: Some(count),
        value: Some(Value::Null),
        suppressed: false,
        ci95: None,
        reason: None,
        exact: None,
        shown: Some(shown),
    }
}

fn without(labels: &[(&str, &str)], count: Option<i64>, reason: &str) -> Cell {
    Cell {
        count,
        suppressed: count.is_none(),
        value: None,
        reason: Some(reason.into()),
        shown: None,
        ..cell(labels, 0, Presentation::Text(String::new()))
    }
}

fn number(label: &str, count: i64, text: &str) -> Cell {
    cell(&[("region", label)], count, Presentation::Number(text.into()))
}

fn shown(statistic: StatisticResult) -> String {
    let table = StudyResult { differential_privacy: None, statistics: vec![statistic] }.to_table();
    println!("{table}");
    table
}

#[track_caller]
fn check(statistic: StatisticResult, expected: &[&str]) {
    let table = shown(statistic);
    assert_eq!(table.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_number_per_group_has_its_point_in_line_and_a_bar() {
    let cells = vec![
        number("Midwest", 15136, "18.1435"),
        without(&[("region", "Northeast")], None, "fewer than 10 records"),
        number("South", 963, "17.6494"),
        number("West", 14925, "9.5"),
    ];
    check(
        statistic("mean", &["region"], cells),
        &[
            "answer (mean of earnings by region)",
            " region      count   mean (USD/h)",
            "─────────────────────────────────────────────────────────────────────────────",
            " Midwest     15136        18.1435   ████████████████████████████████████████",
            " Northeast     <10              –",
            " South         963        17.6494   ██████████████████████████████████████▉",
            " West        14925         9.5      █████████████████████",
            "─────────────────────────────────────────────────────────────────────────────",
            "–: fewer than 10 records",
        ],
    );
}

#[test]
fn several_reasons_are_notes_with_numbers() {
    let cells = vec![
        number("Midwest", 15136, "18.1435"),
        without(&[("region", "Northeast")], None, "fewer than 10 records"),
        without(&[("region", "South")], Some(0), "no records"),
        without(&[("region", "West")], None, "fewer than 10 records"),
        without(&[("region", "Far")], None, "not opened"),
    ];
    check(
        statistic("mean", &["region"], cells),
        &[
            "answer (mean of earnings by region)",
            " region      count   mean (USD/h)",
            "──────────────────────────────────",
            " Midwest     15136        18.1435",
            " Northeast     <10             –¹",
            " South           0             –²",
            " West          <10             –¹",
            " Far             –             –³",
            "──────────────────────────────────",
            "–¹: fewer than 10 records",
            "–²: no records",
            "–³: not opened",
        ],
    );
}

#[test]
fn counts_have_bars_and_small_ones_are_a_limit() {
    let cells = vec![
        number("Midwest", 15136, "15136"),
        without(&[("region", "Northeast")], None, "fewer than 10 records"),
        number("South", 18963, "18963"),
    ];
    let result =
        StatisticResult { of: vec![], unit: None, ..statistic("count", &["region"], cells) };
    check(
        result,
        &[
            "answer (count by region)",
            " region      count",
            "──────────────────────────────────────────────────────────────",
            " Midwest     15136   ███████████████████████████████▉",
            " Northeast     <10",
            " South       18963   ████████████████████████████████████████",
            "──────────────────────────────────────────────────────────────",
            "<10: fewer than 10 records",
        ],
    );
}

#[test]
fn intervals_are_half_widths_beside_the_number() {
    let with = |cell: Cell, low: f64, high: f64| Cell { ci95: Some(json!([low, high])), ..cell };
    let cells = vec![
        with(number("Midwest", 15136, "18.1435"), 18.1, 18.19),
        without(&[("region", "Northeast")], None, "fewer than 10 records"),
        with(number("South", 963, "17.6494"), 16.0, 19.2),
    ];
    check(
        statistic("mean", &["region"], cells),
        &[
            "answer (mean of earnings by region)",
            " region      count   mean (USD/h)        ±",
            "────────────────────────────────────────────────────────────────────────────────",
            " Midwest     15136        18.1435   0.0450   ██████████████████████████████████",
            " Northeast     <10              –",
            " South         963        17.6494   1.6000   █████████████████████████████████▏",
            "────────────────────────────────────────────────────────────────────────────────",
            "–: fewer than 10 records",
            "±: half the width of the 95 % interval for the value without noise",
        ],
    );
}

#[test]
fn noisy_counts_have_bars_though_some_are_negative() {
    let with = |cell: Cell, low: i64| Cell { ci95: Some(json!([low, low + 8])), ..cell };
    let cells = vec![with(number("Midwest", 40, "40"), 36), with(number("South", -2, "-2"), -6)];
    let count = StatisticResult { of: vec![], ..statistic("count", &["region"], cells) };
    check(
        StatisticResult { unit: None, min_cell: 1, ..count },
        &[
            "answer (count by region)",
            " region    count   ±",
            "────────────────────────────────────────────────────────────────",
            " Midwest      40   4   ████████████████████████████████████████",
            " South        -2   4",
            "────────────────────────────────────────────────────────────────",
            "±: half the width of the 95 % interval for the value without noise",
        ],
    );
    let counts = Cell {
        ci95: Some(json!({"counts": [[1, 7], null, [3, 8]]})),
        ..cell(&[], 9, bars(&[Some(4), Some(5), Some(6)]))
    };
    let table = shown(statistic("histogram", &[], vec![counts]));
    assert!(table.contains("   4   3   █") && table.contains("   5       █"), "{table}");
    assert!(
        table.ends_with("±: half the width of the 95 % interval for the value without noise\n")
    );
}

#[test]
fn one_number_has_no_bar() {
    let cells = vec![cell(&[], 61395, Presentation::Number("18.3521".into()))];
    check(
        statistic("mean", &[], cells),
        &[
            "answer (mean of earnings)",
            " count   mean (USD/h)",
            "──────────────────────",
            " 61395        18.3521",
            "──────────────────────",
        ],
    );
}

#[test]
fn texts_begin_on_one_line() {
    let text = |gender: &str, count, text: &str| {
        cell(&[("gender", gender)], count, Presentation::Text(text.into()))
    };
    let cells = vec![text("female", 1234, "South"), text("male", 99, "Northeast")];
    let result = StatisticResult {
        unit: None,
        of: vec!["region".into()],
        ..statistic("mode", &["gender"], cells)
    };
    check(
        result,
        &[
            "answer (mode of region by gender)",
            " gender   count   mode",
            "────────────────────────────",
            " female    1234   South",
            " male        99   Northeast",
            "────────────────────────────",
        ],
    );
}

fn bars(counts: &[Option<i64>]) -> Presentation {
    let labels = ["0.00 to <10.00", "10.00 to <20.00", "20.00 to <100.00", "100.00 to 500.00"];
    Presentation::Bars(
        labels
            .iter()
            .zip(counts)
            .map(|(label, count)| (label.to_string(), count.map(Into::into)))
            .collect(),
    )
}

#[test]
fn histograms_of_several_groups_have_one_scale() {
    let cells = vec![
        cell(&[("region", "South")], 18963, bars(&[Some(4821), Some(8000), Some(6130), None])),
        without(&[("region", "East")], None, "fewer than 10 records"),
        cell(&[("region", "West")], 4011, bars(&[Some(11), Some(4000), Some(0), Some(0)])),
    ];
    check(
        statistic("histogram", &["region"], cells),
        &[
            "answer (histogram of earnings by region)",
            "South (18963 records)",
            " earnings (USD/h)    count",
            "──────────────────────────────────────────────────────────────────────",
            "   0.00 to  <10.00    4821   ████████████████████████▏",
            "  10.00 to  <20.00    8000   ████████████████████████████████████████",
            "  20.00 to <100.00    6130   ██████████████████████████████▋",
            " 100.00 to  500.00       –",
            "──────────────────────────────────────────────────────────────────────",
            "",
            "East: fewer than 10 records",
            "",
            "West (4011 records)",
            " earnings (USD/h)    count",
            "──────────────────────────────────────────────────",
            "   0.00 to  <10.00      11   ▏",
            "  10.00 to  <20.00    4000   ████████████████████",
            "  20.00 to <100.00       0",
            " 100.00 to  500.00       0",
            "──────────────────────────────────────────────────",
            "–: withheld, fewer than 10 records, or such a count would follow from it",
        ],
    );
}

fn quartiles(label: &str, values: [&str; 3]) -> Cell {
    let rows = ["0.25", "0.5", "0.75"]
        .iter()
        .zip(values)
        .map(|(q, value)| vec![q.to_string(), value.into()]);
    let header = vec!["q".into(), "value".into()];
    cell(
        &[("region", label)],
        1234,
        Presentation::Table(Sheet { header, rows: rows.collect(), notes: vec![] }),
    )
}

#[test]
fn quantiles_by_group_are_one_table() {
    let cells = vec![
        quartiles("South", ["10.00", "15.50", "24.00"]),
        without(&[("region", "East")], Some(0), "no records"),
        quartiles("West", ["9.00", "100.50", "240.00"]),
    ];
    let quantile = StatisticResult {
        settings: Map::from_iter([("q".into(), json!([0.25, 0.5, 0.75]))]),
        ..statistic("quantile", &["region"], cells)
    };
    check(
        quantile,
        &[
            "answer (quantile of earnings by region, in USD/h)",
            " region   count   q 0.25    q 0.5   q 0.75",
            "───────────────────────────────────────────",
            " South     1234    10.00    15.50    24.00",
            " East         0        –        –        –",
            " West      1234     9.00   100.50   240.00",
            "───────────────────────────────────────────",
            "–: no records",
        ],
    );
}

#[test]
fn a_sheet_per_cell_has_its_notes_and_withheld_counts_are_explained_once() {
    let sheet = |notes: &str| {
        Presentation::Table(Sheet {
            header: ["region × gender", "female", "male"].map(String::from).to_vec(),
            rows: [["North", "10", "20"], ["South", "withheld", "1234"]]
                .map(|row| row.map(String::from).to_vec())
                .to_vec(),
            notes: vec![notes.into()],
        })
    };
    let cells = vec![
        cell(&[("union", "false")], 61395, sheet("no χ²: a count is withheld")),
        cell(&[("union", "true")], 123, sheet("χ² = 12.31, dof = 1, p = 0.0004511")),
    ];
    let result = StatisticResult {
        unit: None,
        of: vec!["region".into(), "gender".into()],
        ..statistic("crosstab", &["union"], cells)
    };
    check(
        result,
        &[
            "answer (crosstab of region, gender by union)",
            "false (61395 records)",
            " region × gender   female   male",
            "─────────────────────────────────",
            " North                 10     20",
            " South                  –   1234",
            "─────────────────────────────────",
            "no χ²: a count is withheld",
            "",
            "true (123 records)",
            " region × gender   female   male",
            "─────────────────────────────────",
            " North                 10     20",
            " South                  –   1234",
            "─────────────────────────────────",
            "χ² = 12.31, dof = 1, p = 0.0004511",
            "–: withheld, fewer than 10 records, or such a count would follow from it",
        ],
    );
}

#[test]
fn one_median_says_of_which_part() {
    let cells = vec![number("South", 12, "10.5"), number("West", 13, "-3")];
    let median = statistic("quantile", &["region"], cells);
    let settings = Map::from_iter([("q".into(), json!(0.5))]);
    check(
        StatisticResult { settings, ..median },
        &[
            "answer (quantile of earnings by region, q = 0.5)",
            " region   count   quantile (USD/h)",
            "───────────────────────────────────",
            " South       12               10.5",
            " West        13               -3",
            "───────────────────────────────────",
        ],
    );
}

#[test]
fn what_was_not_opened_is_said_without_a_limit() {
    let closed = || without(&[("region", "East")], None, "not opened");
    let sum = StatisticResult { min_cell: 1, ..statistic("sum", &["region"], vec![closed()]) };
    check(
        sum,
        &[
            "answer (sum of earnings by region)",
            " region   count   sum (USD/h)",
            "──────────────────────────────",
            " East         –             –",
            "──────────────────────────────",
            "–: not opened",
        ],
    );
    let bars = vec![cell(&[], 3, bars(&[Some(1), None, Some(2), Some(0)]))];
    let table = shown(StatisticResult { min_cell: 1, ..statistic("histogram", &[], bars) });
    assert!(table.ends_with("–: not opened\n"), "{table}");
}

#[test]
fn a_thousand_groups_are_a_thousand_rows_of_one_width() {
    let cells = (0..1000).map(|group| {
        number(&format!("commune {group}"), group, &format!("{}.{group:03}", group % 97))
    });
    let table = shown(statistic("mean", &["region"], cells.collect()));
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 1_000 + 4);
    let point = |line: &str| line.chars().take_while(|c| *c != '.').count();
    assert!(lines[3..1_003].iter().all(|line| point(line) == point(lines[3])));
    assert!(lines.iter().all(|line| line.chars().count() <= 80));
}

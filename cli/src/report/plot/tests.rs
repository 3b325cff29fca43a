//! Pictures: well-formed, with every label and value, and no text over another or over a bar.

use serde_json::{Map, Value, json};
use study::result::{Cell, Labels, Presentation, Sheet, StatisticResult};

use super::*;

mod letters;

use letters::{Box, Text, boxes, texts};

fn statistic(kind: &str, cells: Vec<Cell>) -> StatisticResult {
    let by = cells.iter().flat_map(|cell| cell.by.0.iter().map(|(name, _)| name.clone())).take(1);
    StatisticResult {
        name: format!("the {kind}"),
        kind: kind.into(),
        of: vec!["earnings".into(), "vote".into()],
        by: by.collect(),
        unit: Some("USD/h".into()),
        settings: Map::new(),
        cells,
        noise: Vec::new(),
        min_cell: 10,
    }
}

fn cell(label: &str, value: Value, shown: Presentation) -> Cell {
    let labels = match label {
        "" => Vec::new(),
        label => vec![("region".to_string(), label.to_string())],
    };
    Cell {
        by: Labels(labels),
        count: Some(1234),
        value: Some(value),
        suppressed: false,
        ci95: None,
        reason: None,
        exact: None,
        shown: Some(shown),
    }
}

fn number(label: &str, value: f64) -> Cell {
    cell(label, json!(value), Presentation::Number(format!("{value:.4}")))
}

fn withheld(label: &str) -> Cell {
    let reason = Some("fewer than 10 records".into());
    Cell { value: None, shown: None, count: None, suppressed: true, reason, ..number(label, 0.0) }
}

fn sheet(notes: &[&str]) -> Presentation {
    let notes = notes.iter().map(|note| note.to_string()).collect();
    let header = ["gender", "n", "mean"].map(String::from).to_vec();
    let rows = [["female", "withheld", "16.3381"], ["male", "31", "20.0864"]];
    let rows = rows.map(|row| row.map(String::from).to_vec()).to_vec();
    Presentation::Table(Sheet { header, rows, notes })
}

fn picture(statistics: Vec<StatisticResult>) -> Picture {
    Picture::new(
        "Hourly earnings",
        "61395 records",
        &StudyResult { differential_privacy: None, statistics },
    )
    .unwrap()
}

/// Groups with the names of states, some of them long.
fn groups(count: usize) -> Vec<Cell> {
    let name = |group: usize| match group % 4 {
        0 => format!("Ohio {group}"),
        1 => format!("New Hampshire {group}"),
        2 => format!("District of Columbia with everything around it {group}"),
        _ => format!("Iowa {group}"),
    };
    (0..count).map(|group| number(&name(group), 9.5 + (group * 7 % 13) as f64)).collect()
}

/// Every text is inside of the picture and over no other.
#[track_caller]
fn check_texts(svg: &str) -> Vec<Text> {
    let texts = texts(svg);
    let size = letters::size(svg);
    for (place, text) in texts.iter().enumerate() {
        assert!(text.area.is_within(&size), "outside of the picture: {text:?}");
        for other in &texts[..place] {
            assert!(!text.area.meets(&other.area), "{text:?} is over {other:?}");
        }
    }
    texts
}

#[track_caller]
fn check_has(texts: &[Text], wanted: &str) {
    assert!(texts.iter().any(|text| text.text == wanted), "{wanted} is not in {texts:?}");
}

#[test]
fn groups_have_their_labels_and_values_beside_their_bars() {
    for count in [1, 4, 51] {
        let cells = groups(count);
        let svg = picture(vec![statistic("mean", cells.clone())]).svg;
        let texts = check_texts(&svg);
        let bars: Vec<Box> = boxes(&svg, canvas::MARK);
        assert_eq!(bars.len(), count);
        // Labels end at the axis, and long ones have several lines.
        let labels: Vec<&Text> = texts.iter().filter(|text| text.anchor == "end").collect();
        let all: Vec<&str> = labels.iter().map(|text| text.text.as_str()).collect();
        let names: Vec<String> = cells.iter().map(value::label).collect();
        assert_eq!(all.join(" "), names.join(" "));
        let heights: Vec<f64> = labels.iter().map(|text| text.y).collect();
        let size = f64::from(canvas::LETTERS);
        assert!(heights.windows(2).all(|pair| pair[1] - pair[0] >= 1.2 * size), "{heights:?}");
        for (cell, bar) in cells.iter().zip(&bars) {
            let wanted = value::shown(cell).unwrap();
            let of_bar = |text: &&Text| text.text == wanted && text.area.meets_rows(bar);
            let text = texts.iter().find(of_bar).expect("every value is there");
            assert!(text.area.left >= bar.right + 4.0, "{text:?} touches {bar:?}");
        }
        assert!(texts.iter().any(|text| text.text == "mean (USD/h)"));
        assert!(texts.iter().any(|text| text.text == "Hourly earnings"));
    }
}

#[test]
fn bars_are_as_long_as_their_values() {
    let svg = picture(vec![statistic("mean", vec![number("a", 5.0), number("b", 20.0)])]).svg;
    let [a, b] = boxes(&svg, canvas::MARK)[..] else { panic!("two bars") };
    assert!(((b.right - b.left) / (a.right - a.left) - 4.0).abs() < 0.02, "{a:?} {b:?}");
    let svg = picture(vec![statistic("covariance", vec![number("a", -5.0), number("b", 5.0)])]).svg;
    let [a, b] = boxes(&svg, canvas::MARK)[..] else { panic!("two bars") };
    assert_eq!(a.right, b.left, "both begin at 0");
}

#[test]
fn a_group_without_a_value_says_why_and_whiskers_push_the_value_away() {
    let ci95 = Some(json!([12.0, 31.0]));
    let cells = vec![number("a", 20.0), withheld("b"), Cell { ci95, ..number("c", 20.0) }];
    let svg = picture(vec![statistic("mean", cells)]).svg;
    let texts = check_texts(&svg);
    check_has(&texts, "fewer than 10 records");
    check_has(&texts, "dark lines: 95 % interval for the value without noise");
    let values: Vec<&Text> = texts.iter().filter(|text| text.text == "20.0000").collect();
    assert_eq!(boxes(&svg, canvas::MARK).len(), 2);
    assert!(values[1].area.left > values[0].area.left + 50.0, "behind the whisker");
}

#[test]
fn labels_are_letters_whatever_they_are() {
    let cells =
        vec![number("<script>alert(1)</script> & \"more\"", 1.0), number("北海道 – Ω", 2.0)];
    let texts = check_texts(&picture(vec![statistic("mean", cells)]).svg);
    check_has(&texts, "<script>alert(1)</script> & \"more\"");
    check_has(&texts, "北海道 – Ω");
}

#[test]
fn histograms_stand_over_their_edges_and_say_what_is_withheld() {
    let bins = |label, counts: Value| {
        let value = json!({"edges": [0, 10, 20, 22, 80, 100.5], "counts": counts});
        cell(label, value, Presentation::Bars(Vec::new()))
    };
    let cells = vec![
        bins("South", json!([12, 400, null, 90, 3])),
        withheld("East"),
        bins("West", json!([1, null, 7, 200, 0])),
    ];
    let svg = picture(vec![statistic("histogram", cells)]).svg;
    let texts = check_texts(&svg);
    for wanted in ["South", "West", "400", "200", "–", "0", "100.5", "records"] {
        check_has(&texts, wanted);
    }
    check_has(&texts, "fewer than 10 records: East");
    let reason = "–: withheld, fewer than 10 records, or such a count would follow from it";
    check_has(&texts, reason);
    let bars = boxes(&svg, canvas::MARK);
    assert_eq!((bars.len(), boxes(&svg, canvas::EMPTY).len()), (8, 2));
    let width = |bar: &Box| bar.right - bar.left;
    assert!(width(&bars[2]) > 4.0 * width(&bars[0]), "58 beside 10: {bars:?}");
    let height = |bar: &Box| bar.bottom - bar.top;
    assert!((height(&bars[1]) / height(&bars[6]) - 2.0).abs() < 0.05, "one scale: {bars:?}");
}

#[test]
fn quantiles_are_points_and_bins_of_values_are_lines() {
    let quartiles = |label, values: [f64; 3]| {
        let [a, b, c] = values;
        let rows = values.map(|value| vec!["q".into(), format!("{value:.1}")]).to_vec();
        let sheet = Sheet { header: vec!["q".into(), "value".into()], rows, notes: Vec::new() };
        cell(label, json!({"0.25": a, "0.5": b, "0.75": c}), Presentation::Table(sheet))
    };
    let range = json!({"from": 10.0, "to": 19.9});
    let cells = vec![
        quartiles("South", [9.5, 15.5, 22.0]),
        cell("West", json!({"0.25": range, "0.5": range, "0.75": range}), sheet(&[])),
    ];
    let svg = picture(vec![statistic("quantile", cells)]).svg;
    let texts = check_texts(&svg);
    check_has(&texts, "9.5 · 15.5 · 22.0");
    check_has(&texts, "10 to 19.9 · 10 to 19.9 · 10 to 19.9");
    assert_eq!((svg.matches("<circle").count(), boxes(&svg, canvas::MARK).len()), (3, 3));
    let min = statistic("min", vec![cell("", range, Presentation::Number("10.0 to 19.9".into()))]);
    check_has(&check_texts(&picture(vec![min]).svg), "10.0 to 19.9");
}

#[test]
fn pairs_of_labels_are_shades_with_their_counts() {
    let small = json!({"rows": ["none", "college"], "columns": ["Clinton", "Dole"],
        "counts": [[12, null], [200, 150]], "chi2": 1.5, "dof": 1, "p": 0.5});
    let wide = json!({
        "rows": (0..9).map(|row| format!("industry {row} and more of it")).collect::<Vec<_>>(),
        "columns": (0..25).map(|column| format!("occupation {column}")).collect::<Vec<_>>(),
        "counts": (0..9).map(|row| (0..25).map(|column| row * 70 + column).collect()).collect::<Vec<Vec<u32>>>(),
    });
    let crosstab = |value| statistic("crosstab", vec![cell("", value, sheet(&["χ² = 1.5"]))]);
    let texts = check_texts(&picture(vec![crosstab(small), crosstab(wide)]).svg);
    for wanted in ["none", "college", "Clinton", "Dole", "12", "–", "200", "150", "χ² = 1.5"] {
        check_has(&texts, wanted);
    }
    for wanted in ["industry 8 and more of it", "occupation 24", "584"] {
        check_has(&texts, wanted);
    }
    let labels: Vec<String> = (0..101).map(|row| row.to_string()).collect();
    let many = json!({"rows": labels, "columns": ["a"], "counts": []});
    let texts = check_texts(&picture(vec![crosstab(many)]).svg);
    check_has(&texts, "101 × 1 counts are too many to be drawn");
}

#[test]
fn coefficients_have_their_errors_and_the_intercept_is_a_note() {
    let value = json!({
        "coefficients": {"intercept": -478.336, "age": 20.486, "sex[male]": 580.08, "z": null},
        "std_errors": {"intercept": 528.7, "age": 2.8096, "sex[male]": 49.296, "z": null},
    });
    let svg =
        picture(vec![statistic("regression", vec![cell("", value, sheet(&["R² = 0.9"]))])]).svg;
    let texts = check_texts(&svg);
    for wanted in ["age", "20.49 ± 5.507", "580.1 ± 96.62", "intercept -478.3 ± 1036, not drawn"]
    {
        check_has(&texts, wanted);
    }
    check_has(&texts, "R² = 0.9");
    assert!(texts.iter().any(|text| text.text.contains("1.96 standard errors")));
    assert_eq!(svg.matches("<circle").count(), 2);
}

#[test]
fn everything_else_is_a_table() {
    let value = json!({"sides": ["female", "male"], "t": 1.5});
    let test = |label| cell(label, value.clone(), sheet(&["t = 1.5, dof = 3, p = 0.5"]));
    let ttest = statistic("ttest", vec![test("South"), test("West")]);
    let mode = cell("South", json!("Perot"), Presentation::Text("Perot".into()));
    let texts = check_texts(&picture(vec![ttest, statistic("mode", vec![mode])]).svg);
    for wanted in ["South", "female", "–", "31", "20.0864", "t = 1.5, dof = 3, p = 0.5", "Perot"]
    {
        check_has(&texts, wanted);
    }
}

#[test]
fn what_is_too_much_is_said() {
    let most = picture(vec![statistic("mean", groups(200))]);
    assert!(most.left_out.is_empty());
    let more = picture(vec![statistic("mean", groups(1_000))]);
    assert_eq!(more.left_out, ["the mean: the picture has the first 200 of 1000 groups"]);
    check_has(&check_texts(&more.svg), &more.left_out[0]);
    let many = picture(vec![statistic("mean", groups(150)); 200]);
    let height = letters::size(&many.svg).bottom;
    assert!(height <= f64::from(MOST_HEIGHT), "{height}");
    let [line] = &many.left_out[..] else { panic!("{:?}", many.left_out) };
    assert!(line.starts_with("the picture has the first ") && line.ends_with(" of 200 statistics"));
}

#[test]
fn a_picture_is_written_or_its_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let picture = picture(vec![statistic("mean", groups(4))]);
    let file = dir.path().join("result.svg");
    picture.write(&file).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), picture.svg);
    let nowhere = dir.path().join("missing").join("result.svg");
    let error = picture.write(&nowhere).unwrap_err().to_string();
    assert!(error.starts_with(&nowhere.display().to_string()), "{error}");
    assert!(error.contains("name a file in a directory that you can write to"), "{error}");
}

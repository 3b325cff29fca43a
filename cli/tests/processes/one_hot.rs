//! A study that sees double counting: each person is a label of their own, so every count is 1
//! exactly when everybody was counted exactly once.

use std::ops::Range;

use serde_json::Value;

/// The study of `people` persons.
pub fn study(people: usize) -> String {
    let names: Vec<_> = (0..people).map(|person| format!("\"{}\"", name(person))).collect();
    format!(
        "title = \"Everybody\"\nmax_records = 10000\n[privacy]\nmin_records = 1\n\
         [[column]]\nname = \"who\"\ntype = \"category\"\nvalues = [{}]\n\
         [[statistic]]\nname = \"everybody\"\nkind = \"count\"\nby = [\"who\"]\n",
        names.join(", ")
    )
}

/// The CSV of some of them.
pub fn people(people: Range<usize>) -> String {
    let mut csv = String::from("who\n");
    for person in people {
        csv.push_str(&name(person));
        csv.push('\n');
    }
    csv
}

/// Requires that everybody was counted exactly once.
#[track_caller]
pub fn assert_everybody_counts_once(result: &Value, people: usize) {
    assert_eq!(result["records"], people, "{result}");
    assert_eq!(result["rejected"], 0, "{result}");
    let cells = result["statistics"][0]["cells"].as_array().unwrap();
    assert_eq!(cells.len(), people);
    for cell in cells {
        assert_eq!(cell["value"], 1, "{cell}");
    }
}

fn name(person: usize) -> String {
    format!("p{person:03}")
}

//! Oracle: a study's answers straight from its records, cell by cell, without any plan.

use study::{ColumnType, Record, Study, Value};

/// What one cell should say.
#[derive(Debug, PartialEq)]
pub enum Expected {
    /// Fewer records than `min_cell`.
    Suppressed,
    /// An average of no records.
    NoRecords,
    /// A count, the exact scaled total, and the value.
    Answer { count: u64, total: i128, value: f64 },
}

/// One cell: its labels in the order of `by`.
pub type Expectation = (Vec<(String, String)>, Expected);

/// All cells of one statistic.
pub fn cells(study: &Study, statistic: usize, records: &[Record]) -> Vec<Expectation> {
    let statistic = &study.statistics()[statistic];
    let mut combinations: Vec<Vec<(String, String)>> = vec![vec![]];
    for column in &statistic.by {
        let labels = labels(study, column);
        combinations = combinations
            .iter()
            .flat_map(|start| {
                labels.iter().map(|label| {
                    let mut all = start.clone();
                    all.push((column.clone(), label.clone()));
                    all
                })
            })
            .collect();
    }
    combinations
        .into_iter()
        .map(|labels| {
            let expected = cell(study, &statistic.kind, statistic.of.first(), &labels, records);
            (labels, expected)
        })
        .collect()
}

fn cell(
    study: &Study,
    kind: &str,
    of: Option<&String>,
    cell: &[(String, String)],
    records: &[Record],
) -> Expected {
    let (mut count, mut total) = (0u64, 0i128);
    for record in records {
        let is_here = cell.iter().all(|(column, label)| {
            let value = record.values[study.column_index(column).unwrap()];
            matches!(value, Value::Category(own) if labels(study, column)[own as usize] == *label)
        });
        let value = of.map(|column| record.values[study.column_index(column).unwrap()]);
        match value {
            _ if !is_here => {}
            None => count += 1,
            Some(Value::Number(number)) => {
                count += 1;
                total += number;
            }
            Some(Value::Boolean(boolean)) => {
                count += 1;
                total += i128::from(boolean);
            }
            Some(_) => {}
        }
    }
    if count < study.privacy().min_cell && study.privacy().min_cell > 1 {
        return Expected::Suppressed;
    }
    let column = of.map(|column| &study.columns()[study.column_index(column).unwrap()]);
    let scale = 10f64.powi(column.map_or(0, |column| i32::from(column.decimals())));
    let value = match kind {
        "count" => count as f64,
        "sum" => total as f64 / scale,
        "mean" | "share" if count == 0 => return Expected::NoRecords,
        "mean" | "share" => total as f64 / (count as f64 * scale),
        other => panic!("the oracle does not know {other}"),
    };
    let total = if kind == "count" { count.into() } else { total };
    Expected::Answer { count, total, value }
}

fn labels<'a>(study: &'a Study, column: &str) -> &'a [String] {
    match &study.columns()[study.column_index(column).unwrap()].holds {
        ColumnType::Category { values } => values,
        _ => panic!("{column} is no category"),
    }
}

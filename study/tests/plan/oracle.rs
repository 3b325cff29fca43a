//! Oracle: a study's answers straight from its records, cell by cell, without any plan.

use num_bigint::BigInt;
use num_rational::BigRational;
use study::{ColumnType, Record, Setting, Study, Value};

/// What one cell should say.
#[derive(Debug, PartialEq)]
pub enum Expected {
    /// Fewer records than `min_cell`.
    Suppressed,
    /// An average of no records.
    NoRecords,
    /// A count, and the exact value.
    Answer { count: i64, value: BigRational },
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
            let of = match statistic.setting("of") {
                Some(Setting::Texts(columns)) => columns.first(),
                _ => None,
            };
            let expected = cell(study, &statistic.kind, of, &labels, records);
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
    let (mut count, mut total) = (0i64, 0i128);
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
    if study.privacy().min_cell > 1 && count < study.privacy().min_cell as i64 {
        return Expected::Suppressed;
    }
    let column = of.map(|column| &study.columns()[study.column_index(column).unwrap()]);
    let scale = BigInt::from(10).pow(column.map_or(0, |column| column.decimals().into()));
    let value = match kind {
        "count" => BigRational::from_integer(count.into()),
        "sum" => BigRational::new(total.into(), scale),
        "mean" | "share" if count == 0 => return Expected::NoRecords,
        "mean" | "share" => BigRational::new(total.into(), scale * count),
        other => panic!("the oracle does not know {other}"),
    };
    Expected::Answer { count, value }
}

fn labels<'a>(study: &'a Study, column: &str) -> &'a [String] {
    match &study.columns()[study.column_index(column).unwrap()].holds {
        ColumnType::Category { values } => values,
        _ => panic!("{column} is no category"),
    }
}

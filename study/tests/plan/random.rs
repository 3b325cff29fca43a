//! Random studies, as the files that people write, and random records of them.

use proptest::prelude::*;
use study::{ColumnType, Record, Study, Value};

#[derive(Debug, Clone)]
pub struct Case {
    pub file: String,
    seeds: Vec<Vec<u64>>,
}

#[derive(Debug, Clone)]
enum Shape {
    Integer { min: i64, width: i64 },
    Decimal { decimals: usize, min: i64, width: i64 },
    Boolean,
    Category { labels: usize },
}

/// A study and seeds of its records.
pub fn cases() -> impl Strategy<Value = Case> {
    let shape =
        prop_oneof![
            (-50i64..50, 0i64..70).prop_map(|(min, width)| Shape::Integer { min, width }),
            (0usize..4, -500i64..500, 0i64..3000)
                .prop_map(|(decimals, min, width)| Shape::Decimal { decimals, min, width }),
            Just(Shape::Boolean),
            (1usize..4).prop_map(|labels| Shape::Category { labels }),
            (2usize..4).prop_map(|labels| Shape::Category { labels }),
        ];
    let columns = prop::collection::vec((shape, any::<bool>()), 1..7);
    let statistics = prop::collection::vec((0usize..4, any::<u32>(), any::<u32>()), 1..7);
    let seeds = prop::collection::vec(prop::collection::vec(any::<u64>(), 7), 0..40);
    (columns, statistics, 1u64..5, 1u64..5, seeds).prop_map(
        |(columns, statistics, min_records, min_cell, seeds)| Case {
            file: file(&columns, &statistics, min_records, min_cell),
            seeds,
        },
    )
}

fn file(
    columns: &[(Shape, bool)],
    statistics: &[(usize, u32, u32)],
    min_records: u64,
    min_cell: u64,
) -> String {
    let mut text = format!(
        "title = \"random\"\n[privacy]\nmin_records = {min_records}\nmin_cell = {min_cell}\n"
    );
    for (place, (shape, missing)) in columns.iter().enumerate() {
        text += &format!("[[column]]\nname = \"c{place}\"\n");
        text += &match shape {
            Shape::Integer { min, width } => {
                format!("type = \"integer\"\nmin = {min}\nmax = {}\n", min + width)
            }
            Shape::Decimal { decimals, min, width } => {
                let scaled = |number: i64| study::decimal::format(number.into(), *decimals as u32);
                let (min, max) = (scaled(*min), scaled(min + width));
                format!("type = \"decimal\"\ndecimals = {decimals}\nmin = {min}\nmax = \"{max}\"\n")
            }
            Shape::Boolean => "type = \"boolean\"\n".into(),
            Shape::Category { labels } => {
                let labels: Vec<_> = (0..*labels).map(|label| format!("l{label}")).collect();
                format!("type = \"category\"\nvalues = {labels:?}\n")
            }
        };
        text += if *missing { "missing = \"allowed\"\n" } else { "" };
    }
    for (place, &(kind, of, by)) in statistics.iter().enumerate() {
        text += &statistic(columns, place, kind, of as usize, by as usize);
    }
    text
}

fn statistic(columns: &[(Shape, bool)], place: usize, kind: usize, of: usize, by: usize) -> String {
    let named = |wanted: fn(&Shape) -> bool| -> Vec<String> {
        let columns = columns.iter().enumerate().filter(|(_, (shape, _))| wanted(shape));
        columns.map(|(place, _)| format!("c{place}")).collect()
    };
    let is_number = |shape: &Shape| matches!(shape, Shape::Integer { .. } | Shape::Decimal { .. });
    let (kind, of_columns) = match kind {
        1 => ("sum", named(is_number)),
        2 => ("mean", named(is_number)),
        3 => ("share", named(|shape| matches!(shape, Shape::Boolean))),
        _ => ("count", vec![]),
    };
    let (kind, of) = match of_columns.len() {
        0 => ("count", String::new()),
        n => (kind, format!("of = {:?}\n", of_columns[of % n])),
    };
    let categories = named(|shape| matches!(shape, Shape::Category { .. }));
    let chosen = categories.iter().enumerate().filter(|(place, _)| by >> place & 1 == 1);
    let mut chosen: Vec<_> = chosen.map(|(_, name)| name.clone()).collect();
    if by >> 16 & 1 == 1 {
        chosen.reverse();
    }
    let by = if chosen.is_empty() { String::new() } else { format!("by = {chosen:?}\n") };
    format!("[[statistic]]\nname = \"s{place}\"\nkind = \"{kind}\"\n{of}{by}")
}

impl Case {
    /// The records of the study that the file gives.
    pub fn records(&self, study: &Study) -> Vec<Record> {
        let record = |seeds: &Vec<u64>| {
            let columns = study.columns().iter().zip(seeds);
            let value = columns.map(|(column, &seed)| {
                if column.missing_allowed && seed % 4 == 0 {
                    return Value::Missing;
                }
                let seed = seed / 4;
                match &column.holds {
                    ColumnType::Boolean => Value::Boolean(seed % 2 == 1),
                    ColumnType::Category { values } => {
                        Value::Category((seed % values.len() as u64) as u32)
                    }
                    ColumnType::Integer { min, max } | ColumnType::Decimal { min, max, .. } => {
                        Value::Number(
                            i128::from(*min) + i128::from(seed % (max.abs_diff(*min) + 1)),
                        )
                    }
                }
            });
            Record { values: value.collect() }
        };
        self.seeds.iter().map(record).collect()
    }
}

//! Random studies, as the files that people write, and random records of them.
//!
//! Records are few, and their values fewer: columns that are the same in all records, columns that
//! follow from others, empty groups and groups of one are all common.

use std::ops::RangeInclusive;

use proptest::prelude::*;
use study::{ColumnType, Record, Study, Value, decimal};

mod asked;

/// Records have at most so many values.
const COLUMNS: usize = 8;
/// There are at most so many.
const RECORDS: usize = 40;

/// A study file, and what its records are made of.
#[derive(Debug, Clone)]
pub struct Case {
    /// The study file.
    pub file: String,
    habits: Vec<Habit>,
    seeds: Vec<Vec<u64>>,
}

/// A column of a random study.
#[derive(Debug, Clone)]
struct Column {
    name: String,
    shape: Shape,
    is_missing_allowed: bool,
}

/// What a column holds. Numbers are scaled by 10^decimals.
#[derive(Debug, Clone)]
enum Shape {
    Integer { min: i64, span: i64 },
    Decimal { decimals: u32, min: i64, span: i64 },
    Boolean,
    Category { labels: usize },
}

/// How the values of a column are drawn.
#[derive(Debug, Clone)]
struct Habit {
    /// The column by whose seeds they are: two columns of one source depend on each other.
    source: usize,
    /// How many different values there are at most.
    variety: u64,
    /// The first of them.
    first: u64,
}

/// What a random study asks: its kind, and a number that decides everything else.
type Asking = (usize, u64);

/// A study and seeds of its records.
pub fn cases() -> impl Strategy<Value = Case> {
    let columns = prop::collection::vec((shapes(), prop::bool::weighted(0.3)), 2..=COLUMNS);
    let kinds = study::statistic::kinds().count();
    let statistics = prop::collection::vec((0..kinds, any::<u64>()), 1..6);
    let min_cell = prop_oneof![Just(1u64), 2u64..6];
    let habits = prop::collection::vec(habits(), COLUMNS);
    let seeds = prop::collection::vec(any::<u64>(), COLUMNS);
    let seeds = prop_oneof![
        1 => prop::collection::vec(seeds.clone(), 0..8),
        3 => prop::collection::vec(seeds, 8..=RECORDS),
    ];
    (columns, statistics, 1u64..6, min_cell, habits, seeds).prop_map(
        |(columns, statistics, min_records, min_cell, habits, seeds)| Case {
            file: file(&columns, &statistics, min_records, min_cell),
            habits,
            seeds,
        },
    )
}

fn shapes() -> impl Strategy<Value = Shape> {
    let min = prop_oneof![Just(0i64), -50i64..50];
    let integer = |span: RangeInclusive<i64>| {
        (min.clone(), span).prop_map(|(min, span)| Shape::Integer { min, span })
    };
    let decimal = |decimals: RangeInclusive<u32>, min: i64, span: RangeInclusive<i64>| {
        (decimals, -min..=min, span).prop_map(|(decimals, min, span)| Shape::Decimal {
            decimals,
            min,
            span,
        })
    };
    prop_oneof![
        3 => integer(0..=9),
        1 => integer(10..=70),
        2 => decimal(0..=3, 500, 0..=9),
        1 => decimal(0..=3, 500, 10..=3000),
        // Far from 0, and as wide as the sum of a product of four allows.
        1 => decimal(0..=9, 1 << 50, 1000..=1 << 20),
        3 => Just(Shape::Boolean),
        1 => Just(Shape::Category { labels: 1 }),
        4 => (2usize..=4).prop_map(|labels| Shape::Category { labels }),
    ]
}

fn habits() -> impl Strategy<Value = Habit> {
    let variety = prop_oneof![1 => Just(1u64), 2 => Just(2), 2 => Just(3), 5 => Just(u64::MAX)];
    let source = prop_oneof![3 => Just(usize::MAX), 1 => 0..COLUMNS];
    let habit = |(source, variety, first)| Habit { source, variety, first };
    (source, variety, any::<u64>()).prop_map(habit)
}

fn file(
    columns: &[(Shape, bool)],
    statistics: &[Asking],
    min_records: u64,
    min_cell: u64,
) -> String {
    let column = |(place, (shape, missing)): (usize, &(Shape, bool))| Column {
        name: format!("c{place}"),
        shape: shape.clone(),
        is_missing_allowed: *missing,
    };
    let columns: Vec<_> = columns.iter().enumerate().map(column).collect();
    let mut text = format!(
        "title = \"random\"\nmax_records = {RECORDS}\n[privacy]\nmin_records = {min_records}\n\
         min_cell = {min_cell}\n"
    );
    text.extend(columns.iter().map(Column::text));
    for (place, asking) in statistics.iter().enumerate() {
        text += &format!("[[statistic]]\nname = \"s{place}\"\n{}", asked::text(&columns, *asking));
    }
    text
}

impl Column {
    /// The column in a study file.
    fn text(&self) -> String {
        let mut text = format!("[[column]]\nname = \"{}\"\n", self.name);
        text += &match self.shape {
            Shape::Integer { min, span } => {
                format!("type = \"integer\"\nmin = {min}\nmax = {}\n", min + span)
            }
            Shape::Decimal { decimals, min, span } => {
                let (min, max) = (self.number(min), self.number(min + span));
                format!("type = \"decimal\"\ndecimals = {decimals}\nmin = {min}\nmax = \"{max}\"\n")
            }
            Shape::Boolean => "type = \"boolean\"\n".into(),
            Shape::Category { labels } => {
                let labels: Vec<_> = (0..labels).map(|label| format!("l{label}")).collect();
                format!("type = \"category\"\nvalues = {labels:?}\n")
            }
        };
        text += if self.is_missing_allowed { "missing = \"allowed\"\n" } else { "" };
        text
    }

    /// A scaled number as it stands in a file.
    fn number(&self, scaled: i64) -> String {
        let decimals = match self.shape {
            Shape::Decimal { decimals, .. } => decimals,
            _ => 0,
        };
        decimal::format(scaled.into(), decimals)
    }

    /// The smallest value and the largest less the smallest, of a column of numbers.
    fn range(&self) -> Option<(i64, i64)> {
        match self.shape {
            Shape::Integer { min, span } | Shape::Decimal { min, span, .. } => Some((min, span)),
            _ => None,
        }
    }

    /// How many levels a category or truth value has.
    fn levels(&self) -> Option<usize> {
        match self.shape {
            Shape::Boolean => Some(2),
            Shape::Category { labels } => Some(labels),
            _ => None,
        }
    }
}

impl Case {
    /// The records of the study that the file gives.
    pub fn records(&self, study: &Study) -> Vec<Record> {
        let record = |seeds: &Vec<u64>| {
            let columns = study.columns().iter().zip(&self.habits).zip(seeds);
            let value = |((column, habit), own): ((&study::Column, &Habit), &u64)| {
                if column.missing_allowed && own % 5 == 0 {
                    return Value::Missing;
                }
                let seed = seeds.get(habit.source).unwrap_or(own) >> 8;
                // The place of the value among all that the column may hold.
                let place = |values: u64| (habit.first % values + seed % habit.variety) % values;
                match &column.holds {
                    ColumnType::Boolean => Value::Boolean(place(2) == 1),
                    ColumnType::Category { values } => {
                        Value::Category(place(values.len() as u64) as u32)
                    }
                    ColumnType::Integer { min, .. } | ColumnType::Decimal { min, .. } => {
                        let step = place(column.span() + 1);
                        Value::Number(i128::from(*min) + i128::from(step))
                    }
                }
            };
            Record { values: columns.map(value).collect() }
        };
        self.seeds.iter().map(record).collect()
    }
}

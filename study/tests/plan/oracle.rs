//! Oracle: a study's answers straight from its records, each by its definition: values one by one,
//! means first and then the distances from them, in exact fractions.
//!
//! It shares no code with what it checks. Where a number has no closed form it ends in a double.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::ToPrimitive as _;
use serde_json::Value as Json;
use study::{
    ColumnType, Record, Setting, Statistic, Study, Value,
    result::{Cell as Found, Reason},
};

mod distributions;
mod groups;
mod moments;
mod regression;
mod tables;
mod values;

/// A number without rounding.
type Exact = BigRational;

/// What one cell should say.
#[derive(Debug)]
pub struct Expectation {
    /// The cell's labels in the order of `by`.
    pub labels: Vec<(String, String)>,
    /// How many records the answer is of.
    pub count: usize,
    /// The answer.
    pub outcome: Result<Answer, Reason>,
}

/// A value, and what it is exactly, where it is one fraction.
#[derive(Debug)]
pub struct Answer {
    pub value: Json,
    pub exact: Option<Exact>,
}

/// One statistic of a study.
struct Asked<'a> {
    study: &'a Study,
    statistic: &'a Statistic,
    /// Every column that a record needs a value of.
    columns: Vec<usize>,
}

/// The records of one cell that have all values, and what was found there.
struct Cell<'a> {
    asked: &'a Asked<'a>,
    records: Vec<&'a Record>,
    found: &'a Found,
    may_withhold: bool,
}

/// All cells of one statistic. `found` are those to be judged, and are looked at for one thing only:
/// where `may_withhold` is set, large counts may be withheld from them, and then what follows from
/// these has to be as well.
pub fn cells(
    study: &Study,
    statistic: usize,
    records: &[Record],
    found: &[Found],
    may_withhold: bool,
) -> Vec<Expectation> {
    let asked = Asked::new(study, &study.statistics()[statistic]);
    let mut combinations: Vec<Vec<(usize, usize)>> = vec![vec![]];
    for column in asked.by() {
        let levels = 0..asked.labels(column).len();
        let longer = |start: &Vec<_>| {
            let start = start.clone();
            levels.clone().map(move |level| [start.clone(), vec![(column, level)]].concat())
        };
        combinations = combinations.iter().flat_map(longer).collect();
    }
    assert_eq!(found.len(), combinations.len(), "{}", asked.statistic.name);
    let cell = |(levels, found): (Vec<(usize, usize)>, &Found)| {
        let is_here = |record: &&Record| {
            asked.columns.iter().all(|column| record.values[*column] != Value::Missing)
                && levels.iter().all(|(column, own)| level(record, *column) == Some(*own))
        };
        let records: Vec<_> = records.iter().filter(is_here).collect();
        let cell = Cell { asked: &asked, records, found, may_withhold };
        let label = |(column, level): &(usize, usize)| {
            (study.columns()[*column].name.clone(), asked.labels(*column)[*level].clone())
        };
        let labels = levels.iter().map(label).collect();
        Expectation { labels, count: cell.records.len(), outcome: cell.answer() }
    };
    combinations.into_iter().zip(found).map(cell).collect()
}

impl<'a> Asked<'a> {
    fn new(study: &'a Study, statistic: &'a Statistic) -> Self {
        let mut asked = Self { study, statistic, columns: Vec::new() };
        for key in ["of", "between", "outcome", "group", "label", "y", "x"] {
            let names = asked.texts(key).iter().flat_map(|text| text.split(':'));
            let places: Vec<_> = names.map(|name| asked.place(name)).collect();
            asked.columns.extend(places);
        }
        asked
    }

    fn texts(&self, key: &str) -> &'a [String] {
        match self.statistic.setting(key) {
            Some(Setting::Texts(texts)) => texts,
            _ => &[],
        }
    }

    fn numbers(&self, key: &str) -> Vec<Exact> {
        match self.statistic.setting(key) {
            Some(Setting::Numbers(numbers)) => numbers.iter().map(|text| exact(text)).collect(),
            _ => Vec::new(),
        }
    }

    fn place(&self, name: &str) -> usize {
        self.study.column_index(name).unwrap()
    }

    /// The columns of a key.
    fn columns<const N: usize>(&self, key: &str) -> [usize; N] {
        let places: Vec<_> = self.texts(key).iter().map(|name| self.place(name)).collect();
        places.try_into().unwrap()
    }

    fn by(&self) -> Vec<usize> {
        self.statistic.by.iter().map(|name| self.place(name)).collect()
    }

    fn name(&self, column: usize) -> String {
        self.study.columns()[column].name.clone()
    }

    fn labels(&self, column: usize) -> Vec<String> {
        match &self.study.columns()[column].holds {
            ColumnType::Category { values } => values.clone(),
            ColumnType::Boolean => vec!["false".into(), "true".into()],
            _ => panic!("column {column} has no labels"),
        }
    }

    fn decimals(&self, column: usize) -> u32 {
        match self.study.columns()[column].holds {
            ColumnType::Decimal { decimals, .. } => decimals.into(),
            _ => 0,
        }
    }

    /// An integer of a column's scaled values as the number that it stands for.
    fn unscaled(&self, column: usize, scaled: impl Into<BigInt>) -> Exact {
        Exact::new(scaled.into(), BigInt::from(10).pow(self.decimals(column)))
    }

    /// The smallest and the largest value that a column of numbers may hold.
    fn range(&self, column: usize) -> [Exact; 2] {
        match self.study.columns()[column].holds {
            ColumnType::Integer { min, max } | ColumnType::Decimal { min, max, .. } => {
                [min, max].map(|end| self.unscaled(column, end))
            }
            ColumnType::Boolean => [0, 1].map(whole),
            ColumnType::Category { .. } => panic!("column {column} has no range"),
        }
    }

    /// A number of a column as JSON: whole where the column is.
    fn json(&self, column: usize, number: &Exact) -> Json {
        match self.decimals(column) {
            0 => number.to_integer().to_i64().unwrap().into(),
            _ => double(number).into(),
        }
    }
}

impl Cell<'_> {
    fn answer(&self) -> Result<Answer, Reason> {
        let min_cell = self.asked.study.privacy().min_cell;
        if self.is_small(self.records.len()) {
            return Err(Reason::FewerThan(min_cell));
        }
        match self.asked.statistic.kind.as_str() {
            "count" | "sum" | "mean" | "share" | "variance" | "stddev" => moments::of_one(self),
            "covariance" | "correlation" => moments::of_two(self),
            "histogram" => values::histogram(self),
            "quantile" | "min" | "max" => values::ranked(self),
            "mode" => values::mode(self),
            "crosstab" => tables::crosstab(self),
            "fairness" => tables::fairness(self),
            "ttest" => groups::ttest(self),
            "anova" => groups::anova(self),
            "regression" => regression::answer(self),
            other => panic!("the oracle does not know {other}"),
        }
    }

    /// Whether so many records are too few to be shown.
    fn is_small(&self, records: usize) -> bool {
        let min_cell = self.asked.study.privacy().min_cell;
        min_cell > 1 && (records as u64) < min_cell
    }

    /// Whether so many records within the cell are not shown: they are too few, or their count is
    /// withheld at this place of the value.
    fn is_hidden(&self, records: usize, place: &str) -> bool {
        let found = self.found.value.as_ref().and_then(|value| value.pointer(place));
        self.is_small(records) || (self.may_withhold && found == Some(&Json::Null))
    }

    /// The values of a column.
    fn numbers(&self, column: usize) -> Vec<Exact> {
        self.records.iter().map(|record| number(self.asked, record, column)).collect()
    }

    /// The values of a column in the records of each level of another.
    fn numbers_by(&self, column: usize, between: usize) -> Vec<Vec<Exact>> {
        let mut groups = vec![Vec::new(); self.asked.labels(between).len()];
        for record in &self.records {
            let level = level(record, between).unwrap();
            groups[level].push(number(self.asked, record, column));
        }
        groups
    }
}

impl Answer {
    /// An answer that is no fraction.
    fn of(value: Json) -> Self {
        Self { value, exact: None }
    }

    /// An answer that is one.
    fn exactly(number: Exact) -> Self {
        Self { value: double(&number).into(), exact: Some(number) }
    }
}

fn number(asked: &Asked<'_>, record: &Record, column: usize) -> Exact {
    match record.values[column] {
        Value::Number(scaled) => asked.unscaled(column, scaled),
        Value::Boolean(boolean) => whole(usize::from(boolean)),
        _ => panic!("column {column} has no number"),
    }
}

/// The place of a record's label, if it has one.
fn level(record: &Record, column: usize) -> Option<usize> {
    match record.values[column] {
        Value::Category(place) => Some(place as usize),
        Value::Boolean(boolean) => Some(boolean.into()),
        Value::Missing | Value::Number(_) => None,
    }
}

/// A decimal as it stands in a study.
fn exact(text: &str) -> Exact {
    let (before, after) = text.split_once('.').unwrap_or((text, ""));
    let digits: BigInt = format!("{before}{after}").parse().unwrap();
    Exact::new(digits, BigInt::from(10).pow(after.len() as u32))
}

fn whole(number: usize) -> Exact {
    Exact::from_integer(number.into())
}

fn double(number: &Exact) -> f64 {
    number.to_f64().unwrap()
}

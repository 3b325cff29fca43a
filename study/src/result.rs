//! Result: the answers of a study, as data, as a table for people and as CSV.

use std::fmt;

use num_bigint::BigInt;
use num_rational::BigRational;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::{Map, Value};

use crate::statistic::Answer;

mod csv;
pub(crate) mod interval;
mod text;
pub(crate) mod unit;

/// The answers of a study. As JSON it is an object with the one key `statistics`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StudyResult {
    /// The noise in all numbers; none where they are exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differential_privacy: Option<DifferentialPrivacy>,
    /// One entry per statistic, in the study's order.
    pub statistics: Vec<StatisticResult>,
}

/// What noise the numbers of a result have, and what it is good for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DifferentialPrivacy {
    /// `discrete Gaussian` or `discrete Laplace`.
    pub mechanism: String,
    /// The privacy loss.
    pub epsilon: f64,
    /// The probability that it is larger; 0 with Laplace noise.
    pub delta: f64,
    /// Whose data is protected: that of a `provider`, or a `record`.
    pub unit: String,
}

/// The noise in the sums that an answer is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SumNoise {
    /// The columns whose product is summed; none for a count.
    pub sum: Vec<String>,
    /// The columns into whose levels the sum is split.
    pub by: Vec<String>,
    /// The scale of each server's noise, in the columns' units: the Gaussian's sigma, or Laplace's b.
    pub scale: f64,
    /// The standard deviation of all servers' noise in one sum.
    pub deviation: f64,
}

/// The answer to one statistic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatisticResult {
    /// The statistic's name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// The columns that it is of.
    pub of: Vec<String>,
    /// The columns that it is grouped by.
    pub by: Vec<String>,
    /// What its values are measured in, where the study says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Its other keys, as in the study file.
    #[serde(flatten)]
    pub settings: Map<String, Value>,
    /// One cell per combination of labels; one with no labels where it is not grouped.
    pub cells: Vec<Cell>,
    /// The noise in the sums that the answers are made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noise: Vec<SumNoise>,
    /// The study's `min_cell`. Not part of the JSON.
    #[serde(skip)]
    pub min_cell: u64,
}

/// The answer in one cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The cell's label per column of `by`.
    pub by: Labels,
    /// How many records the value is of; none where the cell is suppressed. With noise it may be
    /// negative.
    pub count: Option<i64>,
    /// The value: a number or text, or an object of them. None where the cell is suppressed or has
    /// no value.
    pub value: Option<Value>,
    /// A 95 % interval for what the value is without noise, [low, high] in the place of every number
    /// of the value that noise moves. None without noise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ci95: Option<Value>,
    /// Whether the cell was left closed.
    pub suppressed: bool,
    /// Why there is no value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The value as an exact fraction, where it is one. Not part of the JSON.
    #[serde(skip)]
    pub exact: Option<BigRational>,
    /// The value as people see it. Not part of the JSON.
    #[serde(skip)]
    pub shown: Option<Presentation>,
}

/// A value as people see it.
#[derive(Debug, Clone, PartialEq)]
pub enum Presentation {
    /// One number, already rounded.
    Number(String),
    /// One text.
    Text(String),
    /// A bar per label; none where its count is withheld.
    Bars(Vec<(String, Option<BigInt>)>),
    /// A table of its own.
    Table(Sheet),
}

/// A small table of texts. Every row is as long as the header; the first column holds names, the
/// others numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sheet {
    /// The names of the columns.
    pub header: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
    /// Lines below the table, such as the outcome of a test.
    pub notes: Vec<String>,
}

/// Column and label, in the order of `by`. As JSON it is an object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Labels(pub Vec<(String, String)>);

/// Why a cell has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// There is nothing to take an average of.
    #[error("no records")]
    NoRecords,
    /// Some records, but not enough for the formula.
    #[error("fewer than the {needed} records that it takes")]
    TooFew {
        /// The fewest with which there is a value.
        needed: usize,
    },
    /// The study's `min_cell`.
    #[error("fewer than {0} records")]
    FewerThan(u64),
    /// A smaller cell would follow from it.
    #[error("withheld, because a smaller cell would follow from it")]
    Complement,
    /// The servers opened no total for it.
    #[error("not opened")]
    NotOpened,
    /// It is made of groups of which one is withheld.
    #[error("a group of it is too small to be shown")]
    SmallGroup,
    /// A group without records.
    #[error("no records in group {0}")]
    EmptyGroup(String),
    /// A group with some records, but not enough for the formula.
    #[error("fewer than the {needed} records that it takes in group {group}")]
    TooFewIn {
        /// The group.
        group: String,
        /// The fewest with which there is a value.
        needed: usize,
    },
    /// Groups that cannot be compared, because there are not two.
    #[error("fewer than two groups with records")]
    OneGroup,
    /// A column whose values differ in no group.
    #[error("{0} is the same in all records of each group")]
    ConstantInGroups(String),
    /// A column that has the same value in all records.
    #[error("{0} is the same in all records")]
    Constant(String),
    /// Predictors of which one follows from the others.
    #[error("the predictors are collinear: {0} follows from those before it")]
    Collinear(String),
    /// Sums that no records can have.
    #[error("the noise is larger than what the records give")]
    Noise,
    /// A number beyond double precision.
    #[error("the number is too large")]
    NotFinite,
}

impl StudyResult {
    /// All statistics as aligned tables for people.
    pub fn to_table(&self) -> String {
        text::write(self)
    }

    /// All statistics as one CSV table, a row per cell and number, with the header
    /// `statistic,kind,of,<the columns of all by>,count,part,value,suppressed`, and `,low,high`
    /// where a number has an interval.
    ///
    /// `part` is empty where the value is one number or text. Else it is the path of the number or
    /// text in the value, joined by points; places in a list are counted from 0: `coefficients.age`,
    /// `counts.3`, `counts.0.1`. Numbers have full double precision.
    pub fn to_csv(&self) -> String {
        csv::write(self)
    }
}

impl StatisticResult {
    /// What the statistic is, in words: `mean of earnings by region, gender`.
    pub fn description(&self) -> String {
        let part = |word: &str, names: &[String]| match names {
            [] => String::new(),
            _ => format!(" {word} {}", names.join(", ")),
        };
        format!("{}{}{}", self.kind, part("of", &self.of), part("by", &self.by))
    }
}

impl Cell {
    pub(crate) fn suppressed(by: Labels, reason: &Reason) -> Self {
        let reason = Some(reason.to_string());
        Self {
            by,
            count: None,
            value: None,
            ci95: None,
            suppressed: true,
            reason,
            exact: None,
            shown: None,
        }
    }

    pub(crate) fn answered(by: Labels, count: i64, answer: Result<Answer, Reason>) -> Self {
        let (answer, reason) = match answer {
            Ok(answer) => (Some(answer), None),
            Err(reason) => (None, Some(reason.to_string())),
        };
        let mut cell = Self {
            by,
            count: Some(count),
            value: None,
            ci95: None,
            suppressed: false,
            reason,
            exact: None,
            shown: None,
        };
        if let Some(answer) = answer {
            cell.value = Some(answer.value);
            cell.exact = answer.exact;
            cell.shown = Some(answer.shown);
        }
        cell
    }

    /// The value, where it is a number.
    pub fn number(&self) -> Option<f64> {
        self.value.as_ref().and_then(Value::as_f64)
    }
}

impl Labels {
    /// The label of a column.
    pub fn get(&self, column: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == column).map(|(_, label)| label.as_str())
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (column, label) in &self.0 {
            map.serialize_entry(column, label)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Labels;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of labels")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
                let mut labels = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    labels.push(entry);
                }
                Ok(Labels(labels))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

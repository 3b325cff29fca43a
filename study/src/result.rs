//! Result: the answers of a study, as data, as a table for people and as CSV.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
    ser::SerializeMap,
};

use crate::statistic::Answer;

mod csv;
mod text;

/// The answers of a study. As JSON it is an object with the one key `statistics`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StudyResult {
    /// One entry per statistic, in the study's order.
    pub statistics: Vec<StatisticResult>,
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
    /// One cell per combination of labels; one with no labels where it is not grouped.
    pub cells: Vec<Cell>,
    /// Digits after the point in a table. Not part of the JSON.
    #[serde(skip)]
    pub digits: u32,
    /// The study's `min_cell`. Not part of the JSON.
    #[serde(skip)]
    pub min_cell: u64,
}

/// The answer in one cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The cell's label per column of `by`.
    pub by: Labels,
    /// How many records the value is of; none where the cell is suppressed.
    pub count: Option<u64>,
    /// The value; none where the cell is suppressed or has no records that it could be of.
    pub value: Option<Scalar>,
    /// Whether the cell was left closed.
    pub suppressed: bool,
    /// Why there is no value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The integers that the value is made of. Not part of the JSON.
    #[serde(skip)]
    pub exact: Option<Exact>,
}

/// Column and label, in the order of `by`. As JSON it is an object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Labels(pub Vec<(String, String)>);

/// A number: an integer where it is one by nature, else in double precision.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// A whole number.
    Integer(i64),
    /// Any other number, or a whole one beyond 64 bits.
    Real(f64),
}

/// What a value is made of: a total is numerator / 10^decimals, an average is
/// numerator / (count · 10^decimals).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exact {
    /// The exact total, scaled by 10^decimals.
    pub numerator: i128,
    /// How many records it is over.
    pub count: u64,
    /// Decimals of the column.
    pub decimals: u32,
    /// Whether the value is an average of the records, and not their total.
    pub is_average: bool,
}

/// Why a cell has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Reason {
    /// There is nothing to take an average of.
    #[error("no records")]
    NoRecords,
    /// The study's `min_cell`.
    #[error("fewer than {0} records")]
    FewerThan(u64),
    /// The servers opened no total for it.
    #[error("not opened")]
    NotOpened,
}

impl StudyResult {
    /// All statistics as aligned tables for people.
    pub fn to_table(&self) -> String {
        text::write(self)
    }

    /// All statistics as one CSV table, a row per cell, with the header
    /// `statistic,kind,of,<the columns of all by>,count,value,suppressed`.
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
    pub(crate) fn suppressed(by: Labels, reason: Reason) -> Self {
        let reason = Some(reason.to_string());
        Self { by, count: None, value: None, suppressed: true, reason, exact: None }
    }

    pub(crate) fn answered(by: Labels, count: u64, answer: Option<Answer>) -> Self {
        let reason = answer.is_none().then(|| Reason::NoRecords.to_string());
        Self {
            by,
            count: Some(count),
            value: answer.as_ref().map(|answer| answer.value),
            suppressed: false,
            reason,
            exact: answer.map(|answer| answer.exact),
        }
    }
}

impl Scalar {
    /// The number in double precision.
    pub fn to_f64(self) -> f64 {
        match self {
            Self::Integer(integer) => integer as f64,
            Self::Real(real) => real,
        }
    }

    /// An integer, or the double nearest to it where it is beyond 64 bits.
    pub(crate) fn from_integer(integer: i128) -> Self {
        i64::try_from(integer).map_or(Self::Real(integer as f64), Self::Integer)
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(integer) => integer.fmt(f),
            Self::Real(real) => real.fmt(f),
        }
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

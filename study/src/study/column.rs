//! Column: what one field of a record may hold.

/// A column of a study.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The name, as in the header of a table.
    pub name: String,
    /// What it holds.
    pub holds: ColumnType,
    /// Whether a record may have no value here.
    pub missing_allowed: bool,
    /// What its numbers are measured in, for people: `USD/h`. None for labels and truth values.
    pub unit: Option<String>,
}

/// The type of a column with its range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnType {
    /// Whole numbers from `min` to `max`.
    Integer {
        /// The smallest value.
        min: i64,
        /// The largest value.
        max: i64,
    },
    /// Numbers with a fixed number of decimals; `min` and `max` are scaled by 10^decimals.
    Decimal {
        /// Digits after the point, 0..=9.
        decimals: u8,
        /// The smallest value, scaled.
        min: i64,
        /// The largest value, scaled.
        max: i64,
    },
    /// Truth values.
    Boolean,
    /// One of a list of labels.
    Category {
        /// The labels, in the order in which results list them.
        values: Vec<String>,
    },
}

impl ColumnType {
    /// The word for the type in a study file.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Integer { .. } => "integer",
            Self::Decimal { .. } => "decimal",
            Self::Boolean => "boolean",
            Self::Category { .. } => "category",
        }
    }
}

impl Column {
    /// Digits after the point of the column's numbers.
    pub fn decimals(&self) -> u8 {
        match self.holds {
            ColumnType::Decimal { decimals, .. } => decimals,
            _ => 0,
        }
    }

    /// The smallest and the largest (scaled) value of a column that can be added up: a number, or
    /// a truth value as 0 or 1. None for a category.
    pub fn range(&self) -> Option<(i64, i64)> {
        match self.holds {
            ColumnType::Integer { min, max } | ColumnType::Decimal { min, max, .. } => {
                Some((min, max))
            }
            ColumnType::Boolean => Some((0, 1)),
            ColumnType::Category { .. } => None,
        }
    }

    /// The smallest (scaled) value; 0 for a category.
    pub fn min(&self) -> i64 {
        self.range().map_or(0, |(min, _)| min)
    }

    /// The largest value less the smallest, scaled; 0 for a category.
    pub fn span(&self) -> u64 {
        self.range().map_or(0, |(min, max)| max.abs_diff(min))
    }

    /// The names of the levels that the column has by itself: the labels of a category, or false
    /// and true. None for a number.
    pub fn levels(&self) -> Option<Vec<&str>> {
        match &self.holds {
            ColumnType::Boolean => Some(vec!["false", "true"]),
            _ => Some(self.labels()?.iter().map(String::as_str).collect()),
        }
    }

    /// The labels of a category column.
    pub fn labels(&self) -> Option<&[String]> {
        match &self.holds {
            ColumnType::Category { values } => Some(values),
            _ => None,
        }
    }
}

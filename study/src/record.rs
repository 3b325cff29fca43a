//! Record: one row of a provider's table in the study's own terms.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// One row: a value per study column, in the study's order. Redacted in `Debug`, wiped when
/// dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// One value per column of the study.
    pub values: Vec<Value>,
}

/// One value. Redacted in `Debug`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// A number, scaled by 10^decimals of its column.
    Number(i128),
    /// A truth value.
    Boolean(bool),
    /// The place of a category in its column's list, counted from 0.
    Category(u32),
    /// No value.
    Missing,
}

/// Why a record cannot be encoded. It names the column and never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The record has not one value per column.
    #[error("a record of {found} values where the study has {columns} columns")]
    Width {
        /// Values of the record.
        found: usize,
        /// Columns of the study.
        columns: usize,
    },
    /// The value is not of the column's type.
    #[error("the value of column \"{column}\" is not of the column's type")]
    Type {
        /// The column.
        column: String,
    },
    /// The value is outside the column's range.
    #[error("the value of column \"{column}\" is outside the column's range")]
    Range {
        /// The column.
        column: String,
    },
    /// The value is missing where the study refuses that.
    #[error("the value of column \"{column}\" is missing, which the study refuses")]
    Missing {
        /// The column.
        column: String,
    },
}

impl Zeroize for Value {
    fn zeroize(&mut self) {
        match self {
            Self::Number(number) => number.zeroize(),
            Self::Boolean(boolean) => boolean.zeroize(),
            Self::Category(category) => category.zeroize(),
            Self::Missing => {}
        }
        *self = Self::Missing;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.values.iter_mut().for_each(Zeroize::zeroize);
    }
}

impl ZeroizeOnDrop for Record {}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Record({} values)", self.values.len())
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_never_prints_its_values() {
        let record = Record { values: vec![Value::Number(271_828), Value::Category(31_415)] };
        let printed = format!("{record:?} {:?}", record.values);
        assert!(!printed.contains("271828") && !printed.contains("31415"));
    }
}

//! Problem: what is wrong with a table, with file, line, column and rule.
//!
//! A problem may quote the field that is wrong: it is for the provider's own eyes, on the
//! provider's own machine, and is never sent or logged.

use std::{fmt, io, sync::Arc};

use crate::decimal::NumberError;

/// A table that cannot be used or read to its end.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// Reading fails.
    #[error("{file}: reading fails: {source}")]
    Io {
        /// The file.
        file: String,
        /// The cause.
        source: io::Error,
    },
    /// There is not even a header.
    #[error("{file}: the file is empty; its first line must name the columns")]
    Empty {
        /// The file.
        file: String,
    },
    /// There is only a header.
    #[error("{file}: there are no rows below the header")]
    NoRows {
        /// The file.
        file: String,
    },
    /// A row that does not end.
    #[error(
        "{file}:{line}: the row that starts here is longer than 1 MiB; is a quotation mark left open, or is this no CSV file?"
    )]
    TooLong {
        /// The file.
        file: String,
        /// The line on which the row starts.
        line: u64,
    },
    /// A quotation that does not end.
    #[error(
        "{file}:{line}: in the row that starts here a quotation mark is never closed, so the rows below are part of one field; close it"
    )]
    OpenQuotation {
        /// The file.
        file: String,
        /// The line on which the row starts.
        line: u64,
    },
    /// The header is no text.
    #[error(
        "{file}:{line}: this is not a text file, or not in UTF-8; save the table as CSV in UTF-8"
    )]
    Binary {
        /// The file.
        file: String,
        /// The line.
        line: u64,
    },
    /// The header is in another encoding.
    #[error("{file}:{line}: the header is not in UTF-8; save the table as CSV in UTF-8")]
    NotUtf8 {
        /// The file.
        file: String,
        /// The line.
        line: u64,
    },
    /// A column of the study is not there.
    #[error("{file}:{line}: the study's column \"{column}\" is missing; the header has {columns}")]
    MissingColumn {
        /// The file.
        file: String,
        /// The line of the header.
        line: u64,
        /// The column.
        column: String,
        /// The columns that are there.
        columns: String,
    },
    /// A column of the study is there twice.
    #[error("{file}:{line}: the column \"{column}\" is there twice; remove or rename one")]
    DuplicateColumn {
        /// The file.
        file: String,
        /// The line of the header.
        line: u64,
        /// The column.
        column: String,
    },
}

/// What is wrong with one row, or with one field of it. Redacted in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file's name.
    pub file: Arc<str>,
    /// The physical line on which the row starts, counted from 1.
    pub line: u64,
    /// The column; none where the row as a whole is wrong.
    pub column: Option<String>,
    /// The rule that is broken.
    pub fault: Fault,
}

/// A rule that a row or a field can break.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A NUL byte.
    #[error("the row has a NUL byte: the file is damaged, or no text")]
    Binary,
    /// Too few or too many fields.
    #[error("the row has {found} fields, and the header {expected}")]
    Width {
        /// Fields of the row.
        found: usize,
        /// Fields of the header.
        expected: usize,
    },
    /// Bytes that are no text.
    #[error(" is not in UTF-8; save the table as CSV in UTF-8")]
    NotUtf8,
    /// No value.
    #[error(" is missing, which the study refuses in this column")]
    Missing,
    /// No number, or one that would lose digits.
    #[error(" = {found} {cause}")]
    Number {
        /// The field.
        found: String,
        /// What is wrong with it.
        cause: NumberError,
    },
    /// Too large.
    #[error(" = {found} is above the study's maximum {max}")]
    Above {
        /// The field.
        found: String,
        /// The largest value.
        max: String,
    },
    /// Too small.
    #[error(" = {found} is below the study's minimum {min}")]
    Below {
        /// The field.
        found: String,
        /// The smallest value.
        min: String,
    },
    /// No truth value.
    #[error(" = {found} is not true or false; write true, false, yes, no, 1 or 0")]
    NotBoolean {
        /// The field.
        found: String,
    },
    /// No label of the column.
    #[error(" = \"{found}\" is none of the study's values {labels}")]
    NoSuchLabel {
        /// The field.
        found: String,
        /// The labels.
        labels: String,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = self.column.as_deref().unwrap_or_default();
        write!(f, "{}:{}: {column}{}", self.file, self.line, self.fault)
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Problem({}:{})", self.file, self.line)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fault(redacted)")
    }
}

//! Table: a provider's CSV file as records of a study, read as a stream, every bad row named.
//!
//! UTF-8 with or without byte order mark, quoted fields, LF or CRLF. Columns that the study does
//! not name are ignored; empty lines are skipped. Memory does not depend on the length of the file
//! or of a line. A whole file is looked through with [`check`] before anything of it is sent; a
//! second pass over a [`Table`] gives the records.

use std::{io::Read, sync::Arc};

use crate::{record::Record, study::Study};

mod cell;
mod header;
mod lines;
mod problem;

pub use header::Ignored;
pub use problem::{Fault, Problem, TableError};

/// How many problems [`check`] keeps; the others are counted.
pub const PROBLEMS_KEPT: usize = 20;

/// A table that is being read. An iterator over its rows.
#[derive(Debug)]
pub struct Table<R> {
    file: Arc<str>,
    lines: lines::Lines<R>,
    columns: Vec<cell::Reader>,
    /// The study's columns in the order of the table's fields.
    fields: Vec<usize>,
    width: usize,
    ignored: Ignored,
    is_broken: bool,
}

/// One row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// A record of the study.
    Valid(Record),
    /// A row that is none, with every reason.
    Invalid(Vec<Problem>),
}

/// What a look through a whole table found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Rows that are records of the study.
    pub valid: u64,
    /// Rows that are not.
    pub invalid: u64,
    /// The first [`PROBLEMS_KEPT`] problems.
    pub problems: Vec<Problem>,
    /// All problems; a row may have several.
    pub problem_count: u64,
    /// Columns that the study does not name.
    pub ignored: Ignored,
}

/// Looks through a whole table.
///
/// # Errors
/// If the table cannot be read to its end, or has no rows. Bad rows are part of the report.
pub fn check<R: Read>(reader: R, file: &str, study: &Study) -> Result<Report, TableError> {
    let mut table = Table::open(reader, file, study)?;
    let mut report = Report {
        valid: 0,
        invalid: 0,
        problems: Vec::new(),
        problem_count: 0,
        ignored: table.ignored.clone(),
    };
    for row in &mut table {
        match row? {
            Row::Valid(_) => report.valid += 1,
            Row::Invalid(problems) => {
                report.invalid += 1;
                report.problem_count += problems.len() as u64;
                let room = PROBLEMS_KEPT - report.problems.len();
                report.problems.extend(problems.into_iter().take(room));
            }
        }
    }
    if report.valid + report.invalid == 0 {
        return Err(TableError::NoRows { file: file.into() });
    }
    Ok(report)
}

/// Whether a field, without the spaces around it, means that there is no value.
pub fn is_missing(text: &str) -> bool {
    matches!(text, "" | "NA")
}

impl<R: Read> Table<R> {
    /// Reads the header of a table; `file` is its name in errors.
    pub fn open(reader: R, file: &str, study: &Study) -> Result<Self, TableError> {
        let file: Arc<str> = file.into();
        let mut lines = lines::Lines::new(reader);
        let header = match lines.next() {
            Ok(Some(line)) => header::read(line, &file, study)?,
            Ok(None) => return Err(TableError::Empty { file: file.to_string() }),
            Err(broken) => return Err(broken.into_error(&file)),
        };
        Ok(Self {
            columns: study.columns().iter().map(cell::Reader::new).collect(),
            fields: header.fields,
            width: header.width,
            ignored: header.ignored,
            file,
            lines,
            is_broken: false,
        })
    }

    /// Columns that the study does not name.
    pub fn ignored(&self) -> &Ignored {
        &self.ignored
    }

    fn row(&mut self) -> Result<Option<Row>, TableError> {
        let line = match self.lines.next() {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(None),
            Err(broken) => return Err(broken.into_error(&self.file)),
        };
        let number = line.number;
        let problem = |column: Option<&str>, fault| Problem {
            file: self.file.clone(),
            line: number,
            column: column.map(String::from),
            fault,
        };
        if line.has_nul() {
            return Ok(Some(Row::Invalid(vec![problem(None, Fault::Binary)])));
        }
        if line.len() != self.width {
            let fault = Fault::Width { found: line.len(), expected: self.width };
            return Ok(Some(Row::Invalid(vec![problem(None, fault)])));
        }
        let mut record = Record { values: Vec::with_capacity(self.columns.len()) };
        let mut problems = Vec::new();
        for (column, &field) in self.columns.iter().zip(&self.fields) {
            match column.read(line.field(field)) {
                Ok(value) => record.values.push(value),
                Err(fault) => problems.push(problem(Some(column.name()), fault)),
            }
        }
        Ok(Some(if problems.is_empty() { Row::Valid(record) } else { Row::Invalid(problems) }))
    }
}

impl<R: Read> Iterator for Table<R> {
    type Item = Result<Row, TableError>;

    /// The next row. After an error there is none.
    fn next(&mut self) -> Option<Self::Item> {
        if self.is_broken {
            return None;
        }
        let row = self.row();
        self.is_broken = row.is_err();
        row.transpose()
    }
}

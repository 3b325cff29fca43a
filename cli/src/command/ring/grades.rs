//! Grades: the pupils' values in a CSV file, all of them checked before anything begins.

use std::{fmt::Write as _, fs, path::Path};

use client::ring::{
    name::{Named, PupilId},
    scale::Scale,
};
use mpc::ring::{FEWEST, MOST};

use crate::failure::Failure;

/// The class that comes with the program.
pub const SHIPPED: &str = include_str!("../../../data/grades.csv");
/// How it is called.
pub const SHIPPED_NAME: &str = "grades.csv";
/// Bad rows that are shown.
const SHOWN: usize = 10;
/// The largest file: a hundred short rows.
const MOST_BYTES: u64 = 1 << 20;

/// A class with its values, times 10^decimals.
pub struct Grades {
    /// Names and values, in the file's order.
    pub pupils: Vec<(String, i64)>,
}

/// Bad rows of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GradesError {
    /// The file cannot be read.
    #[error("{file}: {cause}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why not.
        cause: String,
    },
    /// There is no such column.
    #[error("{file}: there is no column {column:?}: its columns are {columns}")]
    NoColumn {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// Those that there are.
        columns: String,
    },
    /// The column has to be named.
    #[error(
        "{file}: {found}: say which one has the values, with --column NAME; its columns are {columns}"
    )]
    WhichColumn {
        /// The file.
        file: String,
        /// What was found.
        found: &'static str,
        /// Those that there are.
        columns: String,
    },
    /// Rows whose value is none of the scale.
    #[error("{}", list(.0, *.1))]
    Values(Vec<String>, usize),
    /// Too few or too many rows.
    #[error(
        "{file}: {pupils} pupils cannot play: it takes {FEWEST} to {MOST}; the first line is the header and no pupil"
    )]
    Number {
        /// The file.
        file: String,
        /// Its rows.
        pupils: usize,
    },
}

impl Grades {
    /// The class that comes with the program.
    pub fn shipped(scale: &Scale) -> Result<Self, Failure> {
        Ok(Self::parse(SHIPPED_NAME, SHIPPED, None, scale)?)
    }

    /// The class in a file.
    pub fn load(file: &Path, column: Option<&str>, scale: &Scale) -> Result<Self, Failure> {
        let name = file.display().to_string();
        let unreadable = |cause: String| GradesError::Unreadable { file: name.clone(), cause };
        let plain = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => unreadable("there is no such file".into()),
            std::io::ErrorKind::InvalidData => {
                unreadable("this is not a text file in UTF-8".into())
            }
            _ => unreadable(error.kind().to_string()),
        };
        let size = fs::metadata(file).map_err(plain)?.len();
        if size > MOST_BYTES {
            return Err(unreadable("the file is too large for a class".into()).into());
        }
        let text = fs::read_to_string(file).map_err(plain)?;
        Ok(Self::parse(&name, &text, column, scale)?)
    }

    fn parse(
        file: &str,
        text: &str,
        column: Option<&str>,
        scale: &Scale,
    ) -> Result<Self, GradesError> {
        let unreadable =
            |error: csv::Error| GradesError::Unreadable { file: file.into(), cause: cause(&error) };
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let header = reader.headers().map_err(unreadable)?.clone();
        let rows = reader.records().collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
        let place = place(file, column, &header, &rows)?;
        let name = header.get(place).unwrap_or_default();
        let mut pupils = Vec::new();
        let mut bad = Vec::new();
        for row in &rows {
            let cell = row.get(place).unwrap_or_default();
            match scale.parse(cell) {
                Err(_) if cell.is_empty() => {
                    let line = row.position().map_or(0, csv::Position::line);
                    bad.push(format!("{file}:{line}: {name} is empty"));
                }
                Ok(value) => pupils.push((named(row, place), value)),
                Err(error) => {
                    let line = row.position().map_or(0, csv::Position::line);
                    bad.push(format!("{file}:{line}: {name} = {error}"));
                }
            }
        }
        if !bad.is_empty() {
            let all = bad.len();
            bad.truncate(SHOWN);
            return Err(GradesError::Values(bad, all));
        }
        match (FEWEST..=MOST).contains(&pupils.len()) {
            true => Ok(Self { pupils }),
            false => Err(GradesError::Number { file: file.into(), pupils: pupils.len() }),
        }
    }

    /// The pupils as they are shown. One that is called by its number has no name besides.
    pub fn named(&self) -> Vec<Named> {
        let named = |((name, _), number): (&(String, i64), u16)| {
            let id = PupilId(number);
            Named::new(id, if *name == id.to_string() { "" } else { name })
        };
        self.pupils.iter().zip(1..).map(named).collect()
    }
}

/// Which column has the values.
fn place(
    file: &str,
    column: Option<&str>,
    header: &csv::StringRecord,
    rows: &[csv::StringRecord],
) -> Result<usize, GradesError> {
    let columns = || header.iter().collect::<Vec<_>>().join(", ");
    if let Some(column) = column {
        let place = header.iter().position(|name| name == column);
        return place.ok_or_else(|| GradesError::NoColumn {
            file: file.into(),
            column: column.into(),
            columns: columns(),
        });
    }
    let is_number = |text: &str| text.parse::<f64>().is_ok();
    // A column with a mistake in it is still one of numbers.
    let has_numbers = |place: &usize| {
        let numbers = rows.iter().filter(|row| row.get(*place).is_some_and(is_number)).count();
        numbers * 2 > rows.len()
    };
    let mut found = (0..header.len()).filter(has_numbers);
    match (found.next(), found.next()) {
        (Some(place), None) => Ok(place),
        (first, _) => Err(GradesError::WhichColumn {
            file: file.into(),
            found: match first {
                None => "no column has numbers",
                Some(_) => "several columns have numbers",
            },
            columns: columns(),
        }),
    }
}

/// The first other cell of the row.
fn named(row: &csv::StringRecord, place: usize) -> String {
    let others = row.iter().enumerate().filter(|(other, _)| *other != place);
    others.map(|(_, name)| name.to_owned()).next().unwrap_or_default()
}

fn list(shown: &[String], all: usize) -> String {
    let mut text = shown.join("\n");
    match all - shown.len() {
        0 => {}
        // Writing to a String does not fail.
        more => drop(write!(text, "\n… and {more} more rows")),
    }
    text
}

fn cause(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = pos.as_ref().map_or(0, csv::Position::line);
            format!("line {line} has {len} cells, and the header has {expected_len}")
        }
        _ => "this is not a CSV file in UTF-8".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale() -> Scale {
        Scale::new("0", "100", 1).unwrap()
    }

    fn parse(text: &str, column: Option<&str>) -> Result<Grades, GradesError> {
        Grades::parse("class.csv", text, column, &scale())
    }

    #[test]
    fn the_shipped_class_has_twenty_pupils_who_are_called_by_their_numbers() {
        let grades = Grades::shipped(&scale()).unwrap();
        assert_eq!(grades.pupils.len(), 20);
        assert_eq!(grades.pupils[3], ("P4".into(), 635));
        assert_eq!(grades.named()[3].to_string(), "P4");
    }

    #[test]
    fn the_column_of_numbers_is_found_and_names_are_taken_from_another() {
        let grades = parse("grade,who\n1,Anna\n2.5,Ben\n3,Cem\n", None).unwrap();
        assert_eq!(grades.pupils[1], ("Ben".into(), 25));
        assert_eq!(grades.named()[1].to_string(), "P2 (Ben)");
        let named = parse("a,b\n1,7\n2,8\n3,9\n", Some("b")).unwrap();
        assert_eq!(named.pupils[0], ("1".into(), 70));
    }

    #[test]
    fn every_bad_row_is_named_with_its_line() {
        let error = parse("who,grade\nA,1\nB,203\nC,abc\nD,5.55\n", Some("grade"));
        let text = error.err().unwrap().to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "class.csv:3: grade = 203 is not between 0.0 and 100.0");
        assert!(lines[1].starts_with("class.csv:4: grade = abc is not a number"), "{text}");
        assert!(lines[2].contains("class.csv:5: grade = 5.55 has more than 1 decimal"), "{text}");
        let empty = parse("who,grade\nA,1\nB,\nC,3\n", None).err().unwrap().to_string();
        assert_eq!(empty, "class.csv:3: grade is empty");
        let many: String = (0..30).map(|_| "X,999\n").collect();
        let text = parse(&format!("who,grade\n{many}"), None).err().unwrap().to_string();
        assert_eq!(text.lines().last(), Some("… and 20 more rows"));
    }

    #[test]
    fn a_file_that_is_no_class_is_refused_with_the_reason() {
        let error = |text: &str, column| parse(text, column).err().unwrap().to_string();
        assert!(error("a,b\n1,2\n1,2\n1,2\n", None).contains("several columns"));
        assert!(error("a,b\nx,y\n", None).contains("no column has numbers"));
        assert!(error("a,b\n1,2\n", Some("c")).contains("its columns are a, b"));
        assert!(error("a\n1\n2\n", None).contains("2 pupils cannot play: it takes 3 to 100"));
        assert!(error("a,b\n1\n", None).contains("line 2 has 1 cells"));
    }
}

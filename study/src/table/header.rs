//! Header: where the study's columns stand in a table.

use std::collections::HashMap;

use super::{lines::Line, problem::TableError};
use crate::{error::list, study::Study};

/// Columns of a table that the study does not name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ignored {
    /// How many there are.
    pub count: usize,
    /// The names of the first of them, at most [`Ignored::NAMES_KEPT`].
    pub names: Vec<String>,
}

impl Ignored {
    /// How many names are kept.
    pub const NAMES_KEPT: usize = 20;
}

/// What a header says.
pub(super) struct Header {
    /// The place of every study column in a row.
    pub(super) fields: Vec<usize>,
    /// Fields of a row.
    pub(super) width: usize,
    pub(super) ignored: Ignored,
}

/// Finds the study's columns in a header.
pub(super) fn read(line: Line<'_>, file: &str, study: &Study) -> Result<Header, TableError> {
    let file = || file.to_string();
    let number = line.number;
    let is_utf16 = [b"\xff\xfe", b"\xfe\xff"].iter().any(|mark| line.field(0).starts_with(*mark));
    if is_utf16 || line.has_nul() {
        return Err(TableError::Binary { file: file(), line: number });
    }
    let mut names = Vec::with_capacity(line.len());
    for place in 0..line.len() {
        let name = std::str::from_utf8(line.field(place));
        let name = name.map_err(|_| TableError::NotUtf8 { file: file(), line: number })?;
        names.push(name.trim());
    }
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (place, name) in names.iter().enumerate() {
        places.entry(name).or_default().push(place);
    }
    let mut fields = Vec::with_capacity(study.columns().len());
    for column in study.columns() {
        let column = &column.name;
        match places.get(column.as_str()).map(Vec::as_slice) {
            Some(&[place]) => fields.push(place),
            Some(_) => {
                return Err(TableError::DuplicateColumn {
                    file: file(),
                    line: number,
                    column: column.clone(),
                });
            }
            None => {
                return Err(TableError::MissingColumn {
                    file: file(),
                    line: number,
                    column: column.clone(),
                    columns: list(names.iter().copied()).escape_debug().to_string(),
                });
            }
        }
    }
    Ok(Header { ignored: ignored(study, &names), fields, width: names.len() })
}

fn ignored(study: &Study, names: &[&str]) -> Ignored {
    let wanted: std::collections::HashSet<&str> =
        study.columns().iter().map(|column| column.name.as_str()).collect();
    let ignored = || names.iter().filter(|name| !wanted.contains(*name));
    Ignored {
        count: ignored().count(),
        names: ignored().take(Ignored::NAMES_KEPT).map(|name| name.to_string()).collect(),
    }
}

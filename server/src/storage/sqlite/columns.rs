//! Between the database's column types and ours, checked both ways.

use mpc::ids::StudyId;
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{StorageError, StudyState};

/// A count or a time as a column holds it.
pub(super) fn integer(value: u64) -> Result<i64, StorageError> {
    i64::try_from(value).map_err(|_| StorageError::Engine("a number is above 2^63".into()))
}

/// A page's length as a column holds it.
pub(super) fn limit(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A length as a count.
pub(super) fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// A count or a time out of a column.
pub(super) fn unsigned<T: TryFrom<i64>>(row: &Row<'_>, column: usize) -> Result<T, StorageError> {
    T::try_from(row.get::<_, i64>(column)?)
        .map_err(|_| StorageError::Damaged("a count is out of its range"))
}

/// A state out of a column.
pub(super) fn state(row: &Row<'_>, column: usize) -> Result<StudyState, StorageError> {
    StudyState::from_code(unsigned(row, column)?)
        .ok_or(StorageError::Damaged("a study has a state that does not exist"))
}

/// The number by which the tables know the study, and its state.
pub(super) fn study_place(
    connection: &Connection,
    id: StudyId,
) -> Result<(i64, StudyState), StorageError> {
    let mut statement =
        connection.prepare_cached("SELECT number, state FROM study WHERE id = ?1")?;
    let mut rows = statement.query([id.0])?;
    let row = rows.next()?.ok_or(StorageError::UnknownStudy(id))?;
    Ok((row.get(0)?, state(row, 1)?))
}

/// The number by which the tables know the study.
pub(super) fn study_number(connection: &Connection, id: StudyId) -> Result<i64, StorageError> {
    connection
        .prepare_cached("SELECT number FROM study WHERE id = ?1")?
        .query_row([id.0], |row| row.get(0))
        .optional()?
        .ok_or(StorageError::UnknownStudy(id))
}

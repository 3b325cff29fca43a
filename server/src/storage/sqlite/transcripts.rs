//! The statements about runs: which ids were used, and what was said in the run that ended a study.

use mpc::ids::{RunId, StudyId};
use rusqlite::{Connection, params};

use super::StorageError;
use super::columns::{integer, limit, study_number, unsigned};

pub(super) fn begin_run(
    connection: &Connection,
    study: StudyId,
    run: RunId,
) -> Result<bool, StorageError> {
    let number = study_number(connection, study)?;
    let inserted = connection
        .prepare_cached(
            "INSERT INTO study_run (study, run) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        )?
        .execute(params![number, run.0])?;
    Ok(inserted == 1)
}

pub(super) fn store(
    connection: &Connection,
    study: i64,
    parts: &[Vec<u8>],
) -> Result<(), StorageError> {
    let mut insert = connection
        .prepare_cached("INSERT INTO study_transcript (study, part, bytes) VALUES (?1, ?2, ?3)")?;
    for (part, bytes) in (0u64..).zip(parts) {
        insert.execute(params![study, integer(part)?, bytes])?;
    }
    Ok(())
}

pub(super) fn parts(
    connection: &Connection,
    study: StudyId,
    after: Option<u64>,
    page: usize,
) -> Result<Vec<(u64, Vec<u8>)>, StorageError> {
    let number = study_number(connection, study)?;
    let after = after.map_or(Ok(-1), integer)?;
    let mut statement = connection.prepare_cached(
        "SELECT part, bytes FROM study_transcript WHERE study = ?1 AND part > ?2 \
         ORDER BY part LIMIT ?3",
    )?;
    let mut rows = statement.query(params![number, after, limit(page)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((unsigned(row, 0)?, row.get(1)?));
    }
    Ok(found)
}

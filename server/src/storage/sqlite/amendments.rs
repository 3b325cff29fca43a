//! The statements about amendments: those that came through the door, and those that all servers
//! agreed on.

use mpc::ids::StudyId;
use rusqlite::{Connection, OptionalExtension as _, Params, params};

use super::columns::{integer, length, study_number, study_place, unsigned};
use super::{AmendLimits, AmendOutcome, NewAmendment, StorageError, StudyState};
use crate::storage::Room;

pub(super) fn put(
    connection: &Connection,
    study: StudyId,
    new: &NewAmendment,
    limits: AmendLimits,
) -> Result<AmendOutcome, StorageError> {
    let (number, state) = study_place(connection, study)?;
    let stored: Option<[u8; 32]> = connection
        .prepare_cached(
            "SELECT hash FROM amendment WHERE study = ?1 AND provider = ?2 AND id = ?3",
        )?
        .query_row(params![number, new.provider.0, new.id.0], |row| row.get(0))
        .optional()?;
    if let Some(stored) = stored {
        let same = stored == new.hash.0;
        return Ok(if same { AmendOutcome::Same } else { AmendOutcome::Conflict });
    }
    if state != StudyState::Open {
        return Ok(AmendOutcome::NotOpen(state));
    }
    let of_provider = used(
        connection,
        "SELECT count(*), coalesce(sum(length(bytes)), 0) FROM amendment \
         WHERE study = ?1 AND provider = ?2",
        params![number, new.provider.0],
    )?;
    if !has_room(limits.provider, of_provider, new) {
        return Ok(AmendOutcome::ProviderExhausted);
    }
    let of_study = used(
        connection,
        "SELECT count(*), coalesce(sum(length(bytes)), 0) FROM amendment WHERE study = ?1",
        params![number],
    )?;
    if !has_room(limits.study, of_study, new) {
        return Ok(AmendOutcome::StudyExhausted);
    }
    connection
        .prepare_cached(
            "INSERT INTO amendment (study, provider, id, hash, bytes) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![number, new.provider.0, new.id.0, new.hash.0, new.bytes])?;
    take_away(connection, number, new)?;
    Ok(AmendOutcome::Stored)
}

/// Notes what counts no more, and what of it leaves room at the door: what is withdrawn, and
/// replacements that are replaced. What is replaced holds the place of what takes it.
fn take_away(connection: &Connection, study: i64, new: &NewAmendment) -> Result<(), StorageError> {
    let mut find = connection.prepare_cached(
        "SELECT s.records, s.amendment IS NOT NULL FROM submission s \
         WHERE s.study = ?1 AND s.id = ?2 AND s.provider = ?3 AND s.verdict = 1",
    )?;
    let mut before = connection.prepare_cached(
        "SELECT withdrawn FROM amendment_old \
         WHERE study = ?1 AND provider = ?2 AND submission = ?3",
    )?;
    let mut note = connection.prepare_cached(
        "INSERT INTO amendment_old (study, provider, submission, withdrawn) \
         VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET withdrawn = max(withdrawn, ?4)",
    )?;
    let (mut own_records, mut amended_records) = (0u64, 0u64);
    for id in &new.old {
        let before: Option<bool> =
            before.query_row(params![study, new.provider.0, id.0], |row| row.get(0)).optional()?;
        note.execute(params![study, new.provider.0, id.0, new.is_withdrawal])?;
        let mut rows = find.query(params![study, id.0, new.provider.0])?;
        let Some(row) = rows.next()? else { continue };
        let (records, is_amended) = (u64::from(unsigned::<u32>(row, 0)?), row.get(1)?);
        match (is_amended, before) {
            (true, None) => amended_records += records,
            (false, None | Some(false)) if new.is_withdrawal => own_records += records,
            _ => {}
        }
    }
    connection
        .prepare_cached(
            "UPDATE study_count SET own_records = own_records - ?2, \
             amended_records = amended_records - ?3 WHERE study = ?1",
        )?
        .execute(params![study, integer(own_records)?, integer(amended_records)?])?;
    Ok(())
}

pub(super) fn received(
    connection: &Connection,
    study: StudyId,
) -> Result<Vec<Vec<u8>>, StorageError> {
    list(connection, study, "SELECT bytes FROM amendment WHERE study = ?1 ORDER BY provider, id")
}

pub(super) fn fix(
    connection: &Connection,
    study: StudyId,
    amendments: &[Vec<u8>],
) -> Result<(), StorageError> {
    let number = study_number(connection, study)?;
    connection
        .prepare_cached("DELETE FROM amendment_agreed WHERE study = ?1")?
        .execute([number])?;
    let mut insert = connection
        .prepare_cached("INSERT INTO amendment_agreed (study, place, bytes) VALUES (?1, ?2, ?3)")?;
    for (place, bytes) in (0u64..).zip(amendments) {
        insert.execute(params![number, integer(place)?, bytes])?;
    }
    Ok(())
}

pub(super) fn agreed(
    connection: &Connection,
    study: StudyId,
) -> Result<Vec<Vec<u8>>, StorageError> {
    list(connection, study, "SELECT bytes FROM amendment_agreed WHERE study = ?1 ORDER BY place")
}

fn list(
    connection: &Connection,
    study: StudyId,
    statement: &str,
) -> Result<Vec<Vec<u8>>, StorageError> {
    let number = study_number(connection, study)?;
    let mut statement = connection.prepare_cached(statement)?;
    let found = statement.query_map([number], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(found)
}

/// What is stored by a statement that counts amendments and their bytes.
fn used(
    connection: &Connection,
    statement: &str,
    parameters: impl Params,
) -> Result<Room, StorageError> {
    let mut statement = connection.prepare_cached(statement)?;
    let mut rows = statement.query(parameters)?;
    let row = rows.next()?.ok_or(StorageError::Damaged("a count is missing"))?;
    Ok(Room { amendments: unsigned(row, 0)?, bytes: unsigned(row, 1)? })
}

fn has_room(room: Room, used: Room, new: &NewAmendment) -> bool {
    used.amendments < room.amendments && used.bytes.saturating_add(length(&new.bytes)) <= room.bytes
}

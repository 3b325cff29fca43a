//! The statements of the ledger: what was charged to a study's privacy budget, and its noise.

use mpc::ids::StudyId;
use rusqlite::{Connection, OptionalExtension as _, params};
use zeroize::Zeroizing;

use super::columns::{integer, study_place, unsigned};
use super::{Charge, Charged, StorageError};

pub(super) fn charge(
    connection: &Connection,
    study: StudyId,
    charge: &Charge,
) -> Result<Charged, StorageError> {
    let (number, state) = study_place(connection, study)?;
    if state.is_final() {
        return Ok(Charged::Ended);
    }
    let coordinates: Vec<u8> =
        charge.coordinates.iter().flat_map(|coordinate| coordinate.to_be_bytes()).collect();
    let before: Option<Vec<u8>> = connection
        .prepare_cached("SELECT coordinates FROM study_charge WHERE study = ?1 AND opening = ?2")?
        .query_row(params![number, charge.opening], |row| row.get(0))
        .optional()?;
    match before {
        Some(before) if before != coordinates => return Ok(Charged::OtherCoordinates),
        Some(_) => return stored_noise(connection, number, charge.opening).map(Charged::Noise),
        None => {}
    }
    let charged = charged(connection, number)?;
    if charged.saturating_add(charge.cost) > charge.budget {
        return Ok(Charged::Exceeded { charged });
    }
    connection
        .prepare_cached(
            "INSERT INTO study_charge (study, opening, coordinates, cost) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![number, charge.opening, coordinates, integer(charge.cost)?])?;
    connection
        .prepare_cached("INSERT INTO study_noise (study, opening, noise) VALUES (?1, ?2, ?3)")?
        .execute(params![number, charge.opening, charge.noise.as_slice()])?;
    Ok(Charged::Noise(charge.noise.clone()))
}

/// What the study's openings were charged, all together.
pub(super) fn charged(connection: &Connection, study: i64) -> Result<u64, StorageError> {
    let mut statement = connection
        .prepare_cached("SELECT coalesce(sum(cost), 0) FROM study_charge WHERE study = ?1")?;
    let mut rows = statement.query([study])?;
    let row = rows.next()?.ok_or(StorageError::Damaged("a sum of charges is missing"))?;
    unsigned(row, 0)
}

pub(super) fn scrub_noise(connection: &Connection, study: i64) -> Result<(), StorageError> {
    connection.prepare_cached("DELETE FROM study_noise WHERE study = ?1")?.execute([study])?;
    Ok(())
}

fn stored_noise(
    connection: &Connection,
    study: i64,
    opening: u8,
) -> Result<Zeroizing<Vec<u8>>, StorageError> {
    connection
        .prepare_cached("SELECT noise FROM study_noise WHERE study = ?1 AND opening = ?2")?
        .query_row(params![study, opening], |row| row.get(0).map(Zeroizing::new))
        .optional()?
        .ok_or(StorageError::Damaged("the noise of a charged opening is missing"))
}

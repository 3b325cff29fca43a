//! The statements about studies: their life, their secrets and their counters.

use mpc::ids::StudyId;
use mpc::sign::Signature;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use zeroize::Zeroizing;

use super::columns::{integer, limit, state, study_number, unsigned};
use super::{Counts, Detail, NewStudy, StorageError, StudyRow, StudyState, Summary, charges};
use crate::storage::StudySecrets;

const COLUMNS: &str = "SELECT s.id, s.bytes, s.signature, s.state, s.detail, s.servers, \
     s.setup_commitments, s.created_ms, s.updated_ms, k.contribution, k.salt_seed, k.verify_key, \
     EXISTS (SELECT 1 FROM study_set a WHERE a.study = s.number) \
     FROM study s LEFT JOIN study_secret k ON k.study = s.number";

pub(super) fn insert(connection: &Connection, study: &NewStudy) -> Result<bool, StorageError> {
    let inserted = connection
        .prepare_cached(
            "INSERT INTO study (id, bytes, signature, state, detail, servers, created_ms, updated_ms) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7) ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![
            study.id.0,
            study.bytes,
            study.signature.0,
            StudyState::Proposed.code(),
            study.detail.text,
            servers_text(&study.detail)?,
            integer(study.now_ms)?,
        ])?;
    if inserted == 0 {
        return Ok(false);
    }
    let number = connection.last_insert_rowid();
    connection.prepare_cached("INSERT INTO study_count (study) VALUES (?1)")?.execute([number])?;
    connection
        .prepare_cached(
            "INSERT INTO study_secret (study, contribution, salt_seed, verify_key) \
             VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            number,
            study.secrets.contribution.as_slice(),
            study.secrets.salt_seed.as_slice(),
            study.secrets.verify_key.as_ref().map(|key| key.as_slice()),
        ])?;
    Ok(true)
}

pub(super) fn get(connection: &Connection, id: StudyId) -> Result<Option<StudyRow>, StorageError> {
    let mut statement = connection.prepare_cached(&format!("{COLUMNS} WHERE s.id = ?1"))?;
    let mut rows = statement.query([id.0])?;
    rows.next()?.map(study_row).transpose()
}

pub(super) fn list(
    connection: &Connection,
    after: Option<StudyId>,
    page: usize,
) -> Result<Vec<StudyRow>, StorageError> {
    // An id is 32 bytes, so the empty string is below every id.
    let after = after.as_ref().map_or(&[][..], |id| &id.0[..]);
    let mut statement =
        connection.prepare_cached(&format!("{COLUMNS} WHERE s.id > ?1 ORDER BY s.id LIMIT ?2"))?;
    let mut rows = statement.query(params![after, limit(page)])?;
    let mut studies = Vec::new();
    while let Some(row) = rows.next()? {
        studies.push(study_row(row)?);
    }
    Ok(studies)
}

pub(super) fn transition(
    connection: &Connection,
    id: StudyId,
    from: &[StudyState],
    to: StudyState,
    detail: &Detail,
    now_ms: u64,
) -> Result<bool, StorageError> {
    let current = connection
        .prepare_cached("SELECT state FROM study WHERE id = ?1")?
        .query_row([id.0], |row| Ok(state(row, 0)))
        .optional()?
        .transpose()?;
    if !current.is_some_and(|current| from.contains(&current)) {
        return Ok(false);
    }
    connection
        .prepare_cached(
            "UPDATE study SET state = ?2, detail = ?3, servers = ?4, updated_ms = ?5 WHERE id = ?1",
        )?
        .execute(params![id.0, to.code(), detail.text, servers_text(detail)?, integer(now_ms)?])?;
    Ok(true)
}

pub(super) fn fix_setup_commitments(
    connection: &Connection,
    id: StudyId,
    commitments: &[[u8; 32]],
) -> Result<Vec<[u8; 32]>, StorageError> {
    let number = study_number(connection, id)?;
    connection
        .prepare_cached(
            "UPDATE study SET setup_commitments = ?2 \
             WHERE number = ?1 AND setup_commitments IS NULL",
        )?
        .execute(params![number, commitments.as_flattened()])?;
    let stored: Vec<u8> = connection
        .prepare_cached("SELECT setup_commitments FROM study WHERE number = ?1")?
        .query_row([number], |row| row.get(0))?;
    split_commitments(&stored)
}

pub(super) fn open(
    connection: &Connection,
    id: StudyId,
    verify_key: &[u8; 32],
    now_ms: u64,
) -> Result<bool, StorageError> {
    let detail = Detail::default();
    if !transition(connection, id, &[StudyState::Approved], StudyState::Open, &detail, now_ms)? {
        return Ok(false);
    }
    let changed = connection
        .prepare_cached("UPDATE study_secret SET verify_key = ?2 WHERE study = ?1")?
        .execute(params![study_number(connection, id)?, verify_key.as_slice()])?;
    if changed == 1 {
        Ok(true)
    } else {
        Err(StorageError::Damaged("a study that has not ended has no secrets"))
    }
}

pub(super) fn counts(connection: &Connection, id: StudyId) -> Result<Counts, StorageError> {
    let number = study_number(connection, id)?;
    let mut statement = connection.prepare_cached(
        "SELECT submissions, records, verified, rejected, accepted_records, share_bytes \
         FROM study_count WHERE study = ?1",
    )?;
    let mut rows = statement.query([number])?;
    let row = rows.next()?.ok_or(StorageError::Damaged("a study has no counters"))?;
    Ok(Counts {
        submissions: unsigned(row, 0)?,
        records: unsigned(row, 1)?,
        verified: unsigned(row, 2)?,
        rejected: unsigned(row, 3)?,
        accepted_records: unsigned(row, 4)?,
        share_bytes: unsigned(row, 5)?,
        charged: charges::charged(connection, number)?,
    })
}

pub(super) fn summary(connection: &Connection) -> Result<Summary, StorageError> {
    let mut statement = connection.prepare_cached(
        "SELECT s.state, count(*), sum(c.submissions - c.verified) \
         FROM study s JOIN study_count c ON c.study = s.number GROUP BY s.state",
    )?;
    let mut rows = statement.query([])?;
    let mut summary = Summary::default();
    while let Some(row) = rows.next()? {
        let state = state(row, 0)?;
        let slots = StudyState::ALL.into_iter().zip(&mut summary.studies);
        for (_, slot) in slots.filter(|(of, _)| *of == state) {
            *slot = unsigned(row, 1)?;
        }
        if !state.is_final() {
            summary.unverified += unsigned::<u64>(row, 2)?;
        }
    }
    Ok(summary)
}

pub(super) fn servers_text(detail: &Detail) -> Result<String, StorageError> {
    serde_json::to_string(&detail.servers)
        .map_err(|_| StorageError::Engine("a list of names cannot be encoded".into()))
}

fn study_row(row: &Row<'_>) -> Result<StudyRow, StorageError> {
    let servers: String = row.get(5)?;
    let commitments: Option<Vec<u8>> = row.get(6)?;
    let secrets = match row.get::<_, Option<[u8; 32]>>(9)? {
        None => None,
        Some(contribution) => Some(StudySecrets {
            contribution: Zeroizing::new(contribution),
            salt_seed: Zeroizing::new(row.get(10)?),
            verify_key: row.get::<_, Option<[u8; 32]>>(11)?.map(Zeroizing::new),
        }),
    };
    Ok(StudyRow {
        id: StudyId(row.get(0)?),
        bytes: row.get(1)?,
        signature: Signature(row.get(2)?),
        state: state(row, 3)?,
        detail: Detail {
            text: row.get(4)?,
            servers: serde_json::from_str(&servers)
                .map_err(|_| StorageError::Damaged("a list of server names is not one"))?,
        },
        secrets,
        setup_commitments: commitments.map(|bytes| split_commitments(&bytes)).transpose()?,
        has_set: row.get(12)?,
        created_ms: unsigned(row, 7)?,
        updated_ms: unsigned(row, 8)?,
    })
}

fn split_commitments(bytes: &[u8]) -> Result<Vec<[u8; 32]>, StorageError> {
    match bytes.as_chunks::<32>() {
        (commitments, []) => Ok(commitments.to_vec()),
        _ => Err(StorageError::Damaged("a list of commitments is not one")),
    }
}

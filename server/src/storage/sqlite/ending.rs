//! The statements that end a study: the agreed set, the outcome, and the scrub of every secret.

use mpc::ids::{StudyId, SubmissionId};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::columns::{integer, study_number};
use super::{Finish, StorageError, StudyState, charges, studies, transcripts};

/// Rows of one step of a scrub, so that memory stays small whatever the study's size.
const SCRUB_ROWS: i64 = 1024;

/// The word that holds what the agreed set leaves out: far above those of any opening.
const REJECTED_WORD: u16 = u16::MAX;
/// Bytes of one of them: id ‖ reason.
const REJECTED: usize = 16 + 1;

pub(super) fn fix_set(
    connection: &Connection,
    study: StudyId,
    set: &[u8],
) -> Result<Vec<u8>, StorageError> {
    let number = study_number(connection, study)?;
    let inserted = connection
        .prepare_cached(
            "INSERT INTO study_set (study, bytes) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        )?
        .execute(params![number, set])?;
    if inserted == 1 {
        return Ok(set.to_vec());
    }
    read_set(connection, number)?.ok_or(StorageError::Damaged("an agreed set is missing"))
}

pub(super) fn fix_word(
    connection: &Connection,
    study: StudyId,
    word: u16,
    bytes: &[u8],
) -> Result<Vec<u8>, StorageError> {
    let number = study_number(connection, study)?;
    connection
        .prepare_cached(
            "INSERT INTO study_word (study, word, bytes) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        )?
        .execute(params![number, word, bytes])?;
    Ok(connection
        .prepare_cached("SELECT bytes FROM study_word WHERE study = ?1 AND word = ?2")?
        .query_row(params![number, word], |row| row.get(0))?)
}

pub(super) fn fix_rejected(
    connection: &Connection,
    study: StudyId,
    rejected: &[(SubmissionId, u8)],
) -> Result<(), StorageError> {
    let mut bytes = Vec::with_capacity(REJECTED * rejected.len());
    for (submission, reason) in rejected {
        bytes.extend_from_slice(&submission.0);
        bytes.push(*reason);
    }
    fix_word(connection, study, REJECTED_WORD, &bytes).map(drop)
}

pub(super) fn rejected(
    connection: &Connection,
    study: StudyId,
) -> Result<Option<Vec<(SubmissionId, u8)>>, StorageError> {
    let number = study_number(connection, study)?;
    let bytes: Option<Vec<u8>> = connection
        .prepare_cached("SELECT bytes FROM study_word WHERE study = ?1 AND word = ?2")?
        .query_row(params![number, REJECTED_WORD], |row| row.get(0))
        .optional()?;
    let Some(bytes) = bytes else { return Ok(None) };
    let (entries, []) = bytes.as_chunks::<REJECTED>() else {
        return Err(StorageError::Damaged("the list of rejected submissions has a part too much"));
    };
    let entry = |[id @ .., reason]: &[u8; REJECTED]| (SubmissionId(*id), *reason);
    Ok(Some(entries.iter().map(entry).collect()))
}

pub(super) fn set(
    connection: &Connection,
    study: StudyId,
) -> Result<Option<Vec<u8>>, StorageError> {
    read_set(connection, study_number(connection, study)?)
}

pub(super) fn outcome(
    connection: &Connection,
    study: StudyId,
) -> Result<Option<Vec<u8>>, StorageError> {
    let number = study_number(connection, study)?;
    Ok(connection
        .prepare_cached("SELECT bytes FROM study_outcome WHERE study = ?1")?
        .query_row([number], |row| row.get(0))
        .optional()?)
}

pub(super) fn finish(
    connection: &Connection,
    study: StudyId,
    finish: &Finish,
) -> Result<bool, StorageError> {
    let running = StudyState::ALL.map(|state| (!state.is_final()).then_some(state));
    let running: Vec<_> = running.into_iter().flatten().collect();
    let (to, detail) = (finish.to, &finish.detail);
    if !studies::transition(connection, study, &running, to, detail, finish.now_ms)? {
        return Ok(false);
    }
    let number = study_number(connection, study)?;
    connection
        .prepare_cached("INSERT INTO study_outcome (study, bytes) VALUES (?1, ?2)")?
        .execute(params![number, finish.outcome])?;
    connection
        .prepare_cached("UPDATE study_count SET rejected = ?2 WHERE study = ?1")?
        .execute(params![number, integer(finish.rejected)?])?;
    transcripts::store(connection, number, &finish.transcript)?;
    if finish.scrub {
        connection
            .prepare_cached("DELETE FROM study_secret WHERE study = ?1")?
            .execute([number])?;
        charges::scrub_noise(connection, number)?;
        scrub_rows(connection, number, PAYLOADS)?;
        scrub_rows(connection, number, SHARES)?;
    }
    Ok(true)
}

/// A table's next rows of one study in the order of arrival, and the removal of one.
#[derive(Clone, Copy)]
struct Scrub {
    next: &'static str,
    remove: &'static str,
}

const PAYLOADS: Scrub = Scrub {
    next: "SELECT t.arrival FROM submission_payload t \
           CROSS JOIN submission m ON m.arrival = t.arrival \
           WHERE t.arrival > ?2 AND m.study = ?1 ORDER BY t.arrival LIMIT ?3",
    remove: "DELETE FROM submission_payload WHERE arrival = ?1",
};

const SHARES: Scrub = Scrub {
    next: "SELECT t.arrival FROM submission_share t \
           CROSS JOIN submission m ON m.arrival = t.arrival \
           WHERE t.arrival > ?2 AND m.study = ?1 ORDER BY t.arrival LIMIT ?3",
    remove: "DELETE FROM submission_share WHERE arrival = ?1",
};

/// Removes a study's rows in the order of arrival, so that each page is rewritten once.
fn scrub_rows(connection: &Connection, study: i64, scrub: Scrub) -> Result<(), StorageError> {
    let mut next = connection.prepare_cached(scrub.next)?;
    let mut remove = connection.prepare_cached(scrub.remove)?;
    let mut last = -1i64;
    loop {
        let arrivals = next
            .query_map(params![study, last, SCRUB_ROWS], |row| row.get(0))?
            .collect::<Result<Vec<i64>, _>>()?;
        let Some(end) = arrivals.last() else { return Ok(()) };
        last = *end;
        for arrival in arrivals {
            remove.execute([arrival])?;
        }
    }
}

fn read_set(connection: &Connection, study: i64) -> Result<Option<Vec<u8>>, StorageError> {
    Ok(connection
        .prepare_cached("SELECT bytes FROM study_set WHERE study = ?1")?
        .query_row([study], |row| row.get(0))
        .optional()?)
}

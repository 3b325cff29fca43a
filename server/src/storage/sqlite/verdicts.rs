//! The statements that store verdicts and give out the shares of what was accepted.

use mpc::ids::{StudyId, SubmissionId};
use rusqlite::{Connection, params};
use zeroize::Zeroizing;

use super::columns::{integer, limit, study_number, study_place, unsigned};
use super::submissions::{ACCEPTED, REJECTED};
use super::{StorageError, Verdict};

/// A row to give out: a submission and this server's share of its encoding.
type OutputShare = (SubmissionId, Zeroizing<Vec<u8>>);

/// Bytes that the verdict adds to the database.
pub(super) fn size(verdict: &Verdict) -> usize {
    match verdict {
        Verdict::Accepted { output_share, verifier_share } => {
            output_share.len() + verifier_share.len()
        }
        Verdict::Rejected { verifier_share, .. } => verifier_share.len(),
    }
}

pub(super) fn record(
    connection: &Connection,
    study: StudyId,
    verdicts: &[(SubmissionId, Verdict)],
) -> Result<(), StorageError> {
    let (number, state) = study_place(connection, study)?;
    if state.is_final() {
        // A batch that comes in after the scrub must not bring shares back.
        return Ok(());
    }
    let mut find = connection.prepare_cached(
        "SELECT s.arrival, s.records, s.amendment IS NOT NULL, o.withdrawn FROM submission s \
         LEFT JOIN amendment_old o \
         ON o.study = s.study AND o.provider = s.provider AND o.submission = s.id \
         WHERE s.study = ?1 AND s.id = ?2 AND s.verdict = 0",
    )?;
    let (mut verified, mut rejected, mut accepted_records) = (0u64, 0u64, 0u64);
    let (mut own_records, mut amended_records) = (0u64, 0u64);
    for (id, verdict) in verdicts {
        let mut rows = find.query(params![number, id.0])?;
        let Some(row) = rows.next()? else { continue };
        let (arrival, records) = (row.get(0)?, u64::from(unsigned::<u32>(row, 1)?));
        // None: no amendment takes it away.
        let (is_amended, withdrawn) = (row.get(2)?, row.get::<_, Option<bool>>(3)?);
        store(connection, arrival, verdict)?;
        verified += 1;
        match verdict {
            Verdict::Accepted { .. } => {
                accepted_records += records;
                match (is_amended, withdrawn) {
                    (true, None) => amended_records += records,
                    (false, None | Some(false)) => own_records += records,
                    (true, Some(_)) | (false, Some(true)) => {}
                }
            }
            Verdict::Rejected { .. } => rejected += 1,
        }
    }
    connection
        .prepare_cached(
            "UPDATE study_count SET verified = verified + ?2, rejected = rejected + ?3, \
             accepted_records = accepted_records + ?4, own_records = own_records + ?5, \
             amended_records = amended_records + ?6 WHERE study = ?1",
        )?
        .execute(params![
            number,
            integer(verified)?,
            integer(rejected)?,
            integer(accepted_records)?,
            integer(own_records)?,
            integer(amended_records)?
        ])?;
    Ok(())
}

pub(super) fn output_shares(
    connection: &Connection,
    study: StudyId,
    after: Option<SubmissionId>,
    page: usize,
) -> Result<Vec<OutputShare>, StorageError> {
    let number = study_number(connection, study)?;
    // An id is 16 bytes, so the empty string is below every id.
    let after = after.as_ref().map_or(&[][..], |id| &id.0[..]);
    let mut statement = connection.prepare_cached(
        "SELECT m.id, h.output_share FROM submission m \
         CROSS JOIN submission_share h ON h.arrival = m.arrival \
         WHERE m.study = ?1 AND m.id > ?2 AND m.verdict = 1 ORDER BY m.id LIMIT ?3",
    )?;
    let mut rows = statement.query(params![number, after, limit(page)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((SubmissionId(row.get(0)?), Zeroizing::new(row.get(1)?)));
    }
    Ok(found)
}

fn store(connection: &Connection, arrival: i64, verdict: &Verdict) -> Result<(), StorageError> {
    let (code, reason, output_share, verifier_share) = match verdict {
        Verdict::Accepted { output_share, verifier_share } => {
            (ACCEPTED, None, Some(output_share.as_slice()), verifier_share)
        }
        Verdict::Rejected { reason, verifier_share } => {
            (REJECTED, Some(*reason), None, verifier_share)
        }
    };
    connection
        .prepare_cached("UPDATE submission SET verdict = ?2, reason = ?3 WHERE arrival = ?1")?
        .execute(params![arrival, code, reason])?;
    connection
        .prepare_cached("DELETE FROM submission_payload WHERE arrival = ?1")?
        .execute([arrival])?;
    connection
        .prepare_cached(
            "INSERT INTO submission_share (arrival, output_share, verifier_share) \
             VALUES (?1, ?2, ?3)",
        )?
        .execute(params![arrival, output_share, verifier_share])?;
    Ok(())
}

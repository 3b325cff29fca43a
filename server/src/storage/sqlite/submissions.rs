//! The statements about submissions before their verdict, and the lists of them.

use mpc::ids::{AmendmentId, PublicHash, StudyId, SubmissionId};
use mpc::sign::PublicKey;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use zeroize::Zeroizing;

use super::columns::{integer, length, limit, state, study_number, unsigned};
use super::{
    Arrival, Entry, NewSubmission, PublicRow, PutLimits, PutOutcome, StorageError,
    StoredSubmission, StudyState, UnverifiedRow,
};
use crate::storage::{EntryStatus, Stage};

/// Column `verdict` of a submission that waits for its verification; the partial index
/// `submission_unverified` and the queries that use it spell it out.
pub(super) const UNVERIFIED: u8 = 0;
/// Column `verdict` of an accepted submission.
pub(super) const ACCEPTED: u8 = 1;
/// Column `verdict` of a rejected submission.
pub(super) const REJECTED: u8 = 2;

pub(super) fn put(
    connection: &Connection,
    study: StudyId,
    new: &NewSubmission,
    limits: PutLimits,
) -> Result<PutOutcome, StorageError> {
    let door = Door::of(connection, study)?;
    let stored: Option<[u8; 32]> = connection
        .prepare_cached("SELECT public_hash FROM submission WHERE study = ?1 AND id = ?2")?
        .query_row(params![door.study, new.id.0], |row| row.get(0))
        .optional()?;
    if let Some(stored) = stored {
        let same = stored == new.public_hash.0;
        return Ok(if same { PutOutcome::Same } else { PutOutcome::Conflict });
    }
    if door.state != StudyState::Open {
        return Ok(PutOutcome::NotOpen(door.state));
    }
    if limits.one_per_provider
        && let Some(refused) = of_provider(connection, door.study, new)?
    {
        return Ok(refused);
    }
    if door.submissions >= limits.max_submissions {
        return Ok(PutOutcome::SubmissionsExhausted);
    }
    // Records that nobody has verified do not count: whoever sends halves uses nothing up.
    let accepted = if new.amendment.is_some() { door.amended_records } else { door.own_records };
    if accepted.saturating_add(u64::from(new.records)) > limits.max_records {
        return Ok(PutOutcome::RecordsExhausted);
    }
    if door.unverified >= limits.max_unverified {
        return Ok(PutOutcome::Backlog);
    }
    insert(connection, door.study, new)?;
    Ok(PutOutcome::Stored)
}

pub(super) fn unverified(
    connection: &Connection,
    study: StudyId,
    after: Option<Arrival>,
    page: usize,
) -> Result<Vec<UnverifiedRow>, StorageError> {
    let number = study_number(connection, study)?;
    let after = after.map_or(Ok(-1), |arrival| integer(arrival.0))?;
    let mut statement = connection.prepare_cached(
        "SELECT arrival, id, records, payload_len FROM submission \
         WHERE study = ?1 AND verdict = 0 AND arrival > ?2 ORDER BY arrival LIMIT ?3",
    )?;
    let mut rows = statement.query(params![number, after, limit(page)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(UnverifiedRow {
            arrival: Arrival(unsigned(row, 0)?),
            id: SubmissionId(row.get(1)?),
            records: unsigned(row, 2)?,
            payload_len: unsigned(row, 3)?,
        });
    }
    Ok(found)
}

pub(super) fn get(
    connection: &Connection,
    study: StudyId,
    ids: &[SubmissionId],
) -> Result<Vec<Option<StoredSubmission>>, StorageError> {
    let number = study_number(connection, study)?;
    let mut statement = connection.prepare_cached(
        "SELECT m.public, m.public_hash, m.records, m.verdict, m.reason, p.payload, \
         h.verifier_share FROM submission m \
         LEFT JOIN submission_payload p ON p.arrival = m.arrival \
         LEFT JOIN submission_share h ON h.arrival = m.arrival \
         WHERE m.study = ?1 AND m.id = ?2",
    )?;
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        let mut rows = statement.query(params![number, id.0])?;
        found.push(rows.next()?.map(stored_submission).transpose()?);
    }
    Ok(found)
}

pub(super) fn entries(
    connection: &Connection,
    study: StudyId,
    after: Option<SubmissionId>,
    page: usize,
) -> Result<Vec<Entry>, StorageError> {
    let number = study_number(connection, study)?;
    // An id is 16 bytes, so the empty string is below every id.
    let after = after.as_ref().map_or(&[][..], |id| &id.0[..]);
    let mut statement = connection.prepare_cached(
        "SELECT id, public_hash, records, verdict, reason, provider, amendment FROM submission \
         WHERE study = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
    )?;
    let mut rows = statement.query(params![number, after, limit(page)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(Entry {
            id: SubmissionId(row.get(0)?),
            public_hash: PublicHash(row.get(1)?),
            records: unsigned(row, 2)?,
            status: status(row, 3)?,
            provider: PublicKey(row.get(5)?),
            amendment: row.get::<_, Option<_>>(6)?.map(AmendmentId),
        });
    }
    Ok(found)
}

pub(super) fn public_parts(
    connection: &Connection,
    study: StudyId,
    after: Option<SubmissionId>,
    page: usize,
) -> Result<Vec<PublicRow>, StorageError> {
    let number = study_number(connection, study)?;
    // An id is 16 bytes, so the empty string is below every id.
    let after = after.as_ref().map_or(&[][..], |id| &id.0[..]);
    let mut statement = connection.prepare_cached(
        "SELECT id, public, verdict, reason FROM submission \
         WHERE study = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
    )?;
    let mut rows = statement.query(params![number, after, limit(page)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, public) = (SubmissionId(row.get(0)?), row.get(1)?);
        found.push(PublicRow { id, public, status: status(row, 2)? });
    }
    Ok(found)
}

/// What stands between a submission and the study's table.
struct Door {
    study: i64,
    state: StudyState,
    own_records: u64,
    amended_records: u64,
    unverified: u64,
    submissions: u64,
}

impl Door {
    fn of(connection: &Connection, id: StudyId) -> Result<Self, StorageError> {
        let mut statement = connection.prepare_cached(
            "SELECT s.number, s.state, c.own_records, c.amended_records, \
             c.submissions - c.verified, c.submissions \
             FROM study s JOIN study_count c ON c.study = s.number WHERE s.id = ?1",
        )?;
        let mut rows = statement.query([id.0])?;
        let row = rows.next()?.ok_or(StorageError::UnknownStudy(id))?;
        Ok(Self {
            study: row.get(0)?,
            state: state(row, 1)?,
            own_records: unsigned(row, 2)?,
            amended_records: unsigned(row, 3)?,
            unverified: unsigned(row, 4)?,
            submissions: unsigned(row, 5)?,
        })
    }
}

/// Why a provider that submits once may not submit this. Amendments let a provider correct its
/// submission or begin anew, not submit without an end.
fn of_provider(
    connection: &Connection,
    study: i64,
    new: &NewSubmission,
) -> Result<Option<PutOutcome>, StorageError> {
    if new.amendment.is_some() {
        let amended: u64 = connection
            .prepare_cached(
                "SELECT count(*) FROM submission \
                 WHERE study = ?1 AND provider = ?2 AND amendment IS NOT NULL",
            )?
            .query_row(params![study, new.provider.0], |row| row.get::<_, i64>(0))?
            .unsigned_abs();
        let is_full = amended >= PutLimits::AMENDED_OF_PROVIDER;
        return Ok(is_full.then_some(PutOutcome::AmendedExhausted));
    }
    let has_submitted: bool = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM submission s \
             WHERE s.study = ?1 AND s.provider = ?2 AND s.verdict <> 2 AND s.amendment IS NULL \
             AND NOT EXISTS (SELECT 1 FROM amendment_old o WHERE o.study = s.study \
             AND o.provider = s.provider AND o.submission = s.id AND o.withdrawn = 1))",
        )?
        .query_row(params![study, new.provider.0], |row| row.get(0))?;
    Ok(has_submitted.then_some(PutOutcome::SecondOfProvider))
}

fn insert(connection: &Connection, study: i64, new: &NewSubmission) -> Result<(), StorageError> {
    let payload_len = integer(length(&new.payload))?;
    connection
        .prepare_cached(
            "INSERT INTO submission \
             (study, id, public_hash, records, payload_len, public, provider, amendment) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            study,
            new.id.0,
            new.public_hash.0,
            new.records,
            payload_len,
            new.public,
            new.provider.0,
            new.amendment.map(|amendment| amendment.0),
        ])?;
    connection
        .prepare_cached("INSERT INTO submission_payload (arrival, payload) VALUES (?1, ?2)")?
        .execute(params![connection.last_insert_rowid(), new.payload.as_slice()])?;
    connection
        .prepare_cached(
            "UPDATE study_count SET submissions = submissions + 1, records = records + ?2, \
             share_bytes = share_bytes + ?3 WHERE study = ?1",
        )?
        .execute(params![study, new.records, payload_len])?;
    Ok(())
}

fn stored_submission(row: &Row<'_>) -> Result<StoredSubmission, StorageError> {
    // Payload and shares are gone after a scrub.
    let bytes =
        |column| Ok::<_, StorageError>(row.get::<_, Option<Vec<u8>>>(column)?.unwrap_or_default());
    let stage = match status(row, 3)? {
        EntryStatus::Unverified => Stage::Unverified { payload: Zeroizing::new(bytes(5)?) },
        EntryStatus::Accepted => Stage::Accepted { verifier_share: bytes(6)? },
        EntryStatus::Rejected(reason) => Stage::Rejected { reason, verifier_share: bytes(6)? },
    };
    Ok(StoredSubmission {
        public: row.get(0)?,
        public_hash: PublicHash(row.get(1)?),
        records: unsigned(row, 2)?,
        stage,
    })
}

/// Reads the columns `verdict` and `reason`, which stand side by side.
fn status(row: &Row<'_>, verdict: usize) -> Result<EntryStatus, StorageError> {
    match unsigned::<u8>(row, verdict)? {
        UNVERIFIED => Ok(EntryStatus::Unverified),
        ACCEPTED => Ok(EntryStatus::Accepted),
        REJECTED => Ok(EntryStatus::Rejected(unsigned(row, verdict + 1)?)),
        _ => Err(StorageError::Damaged("a submission has a verdict that does not exist")),
    }
}

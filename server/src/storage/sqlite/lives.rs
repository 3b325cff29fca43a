//! The statements about lives: this database's own, and those of the peers' that were seen.

use mpc::sign::{PublicKey, Signature};
use rusqlite::{Connection, Row, params};

use super::columns::{integer, limit, unsigned};
use super::{Life, Moment, Sighted, Sighting, Start, StorageError};

/// Databases that are remembered of one peer.
const DATABASES: i64 = 16;

pub(super) fn own(connection: &Connection) -> Result<Life, StorageError> {
    let mut statement = connection.prepare_cached("SELECT identity, age FROM life")?;
    let mut rows = statement.query([])?;
    let row = rows.next()?.ok_or(StorageError::Damaged("its own identity is missing"))?;
    let (identity, age) = (row.get(0)?, unsigned(row, 1)?);
    let mut statement =
        connection.prepare_cached("SELECT start, age FROM life_start ORDER BY number")?;
    let mut rows = statement.query([])?;
    let mut starts = Vec::new();
    while let Some(row) = rows.next()? {
        starts.push(Start { start: row.get(0)?, age: unsigned(row, 1)? });
    }
    let start = starts.last().ok_or(StorageError::Damaged("its own start is missing"))?.start;
    Ok(Life { now: Moment { identity, start, age }, starts })
}

/// Notes that a server starts on the database.
pub(super) fn start(connection: &Connection) -> Result<(), StorageError> {
    connection.execute_batch(
        "BEGIN IMMEDIATE;
         INSERT INTO life_start (start, age) SELECT randomblob(16), age FROM life;
         UPDATE life SET age = age + 1;",
    )?;
    let old = "DELETE FROM life_start WHERE number <= (SELECT max(number) FROM life_start) - ?1";
    connection.prepare_cached(old)?.execute([limit(Life::STARTS)])?;
    Ok(connection.execute_batch("COMMIT")?)
}

/// Counts a transaction.
pub(super) fn grow(connection: &Connection) -> Result<(), StorageError> {
    connection.prepare_cached("UPDATE life SET age = age + 1")?.execute([])?;
    Ok(())
}

pub(super) fn sight(
    connection: &Connection,
    new: &Sighting,
    life: &Life,
) -> Result<Sighted, StorageError> {
    let before = seen(connection, new.peer)?;
    let known = before.iter().find(|sighting| sighting.moment.identity == new.moment.identity);
    let is_further = |known: &Sighting| life.remembers(&known.moment) && known.moment != new.moment;
    if let Some(furthest) = known.filter(|known| !is_further(known)) {
        return Ok(Sighted { furthest: *furthest, is_another: false });
    }
    let is_another = known.is_none() && !before.is_empty();
    connection
        .prepare_cached(
            "INSERT INTO peer_life (peer, identity, start, age, signature, seen_ms) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (peer, identity) DO UPDATE SET \
             start = excluded.start, age = excluded.age, signature = excluded.signature, \
             seen_ms = excluded.seen_ms",
        )?
        .execute(params![
            new.peer.0,
            new.moment.identity,
            new.moment.start,
            integer(new.moment.age)?,
            new.signature.0,
            integer(new.seen_ms)?
        ])?;
    if is_another {
        connection
            .prepare_cached(
                "DELETE FROM peer_life WHERE peer = ?1 AND identity NOT IN (SELECT identity \
                 FROM peer_life WHERE peer = ?1 ORDER BY identity = ?3 DESC, seen_ms DESC LIMIT ?2)",
            )?
            .execute(params![new.peer.0, DATABASES, new.moment.identity])?;
    }
    Ok(Sighted { furthest: *new, is_another })
}

pub(super) fn seen(
    connection: &Connection,
    peer: PublicKey,
) -> Result<Vec<Sighting>, StorageError> {
    let mut statement = connection.prepare_cached(
        "SELECT identity, start, age, signature, seen_ms FROM peer_life WHERE peer = ?1 \
         ORDER BY seen_ms, identity",
    )?;
    let mut rows = statement.query([peer.0])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(sighting(peer, row)?);
    }
    Ok(found)
}

fn sighting(peer: PublicKey, row: &Row<'_>) -> Result<Sighting, StorageError> {
    let moment = Moment { identity: row.get(0)?, start: row.get(1)?, age: unsigned(row, 2)? };
    let signature = Signature(row.get(3)?);
    Ok(Sighting { peer, moment, signature, seen_ms: unsigned(row, 4)? })
}

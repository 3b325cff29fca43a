//! The statements about lives: this database's own, and those of the peers' that were seen.

use mpc::sign::{PublicKey, Signature};
use rusqlite::{Connection, Row, params};

use super::columns::{integer, unsigned};
use super::{Life, Sighted, Sighting, StorageError};

/// Databases that are remembered of one peer.
const DATABASES: i64 = 16;

pub(super) fn own(connection: &Connection) -> Result<Life, StorageError> {
    let mut statement = connection.prepare_cached("SELECT identity, age FROM life")?;
    let mut rows = statement.query([])?;
    let row = rows.next()?.ok_or(StorageError::Damaged("its own identity is missing"))?;
    Ok(Life { identity: row.get(0)?, age: unsigned(row, 1)? })
}

/// Counts a transaction.
pub(super) fn grow(connection: &Connection) -> Result<(), StorageError> {
    connection.prepare_cached("UPDATE life SET age = age + 1")?.execute([])?;
    Ok(())
}

pub(super) fn sight(connection: &Connection, new: &Sighting) -> Result<Sighted, StorageError> {
    let before = seen(connection, new.peer)?;
    let known = before.iter().find(|sighting| sighting.life.identity == new.life.identity);
    if let Some(furthest) = known.filter(|known| known.life.age >= new.life.age) {
        return Ok(Sighted { furthest: *furthest, is_another: false });
    }
    let is_another = known.is_none() && !before.is_empty();
    connection
        .prepare_cached(
            "INSERT INTO peer_life (peer, identity, age, signature, seen_ms) \
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (peer, identity) DO UPDATE SET \
             age = excluded.age, signature = excluded.signature, seen_ms = excluded.seen_ms",
        )?
        .execute(params![
            new.peer.0,
            new.life.identity,
            integer(new.life.age)?,
            new.signature.0,
            integer(new.seen_ms)?
        ])?;
    if is_another {
        connection
            .prepare_cached(
                "DELETE FROM peer_life WHERE peer = ?1 AND identity NOT IN (SELECT identity \
                 FROM peer_life WHERE peer = ?1 ORDER BY seen_ms DESC, identity = ?3 DESC LIMIT ?2)",
            )?
            .execute(params![new.peer.0, DATABASES, new.life.identity])?;
    }
    Ok(Sighted { furthest: *new, is_another })
}

pub(super) fn seen(
    connection: &Connection,
    peer: PublicKey,
) -> Result<Vec<Sighting>, StorageError> {
    let mut statement = connection.prepare_cached(
        "SELECT identity, age, signature, seen_ms FROM peer_life WHERE peer = ?1 \
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
    Ok(Sighting {
        peer,
        life: Life { identity: row.get(0)?, age: unsigned(row, 1)? },
        signature: Signature(row.get(2)?),
        seen_ms: unsigned(row, 3)?,
    })
}

//! How much room is left beside the database.

use std::path::Path;

use super::StorageError;

/// What has to be free until a database that had no room goes on: a full group of commands, the copy
/// of it when the log is emptied, and as much again, so that it does not stop and go at the brim.
pub(super) const TO_GO_ON: u64 = 16 << 20;

/// With less than this, whatever failed failed for want of room.
const NOTHING: u64 = 64 << 10;

/// What an error of the disk is called: some of SQLite's hide that there was no room.
pub(super) fn named(database: &Path, error: StorageError) -> StorageError {
    match free(database) {
        Some(free) if free < NOTHING && error.is_of_disk() => StorageError::Full,
        _ => error,
    }
}

/// Bytes that may still be written beside the database; `None`: the system does not say.
pub fn free(database: &Path) -> Option<u64> {
    let room = rustix::fs::statvfs(database.parent()?).ok()?;
    room.f_bavail.checked_mul(room.f_frsize)
}

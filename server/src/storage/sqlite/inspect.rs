//! Looking at a database without writing to it, whether a server uses it or not.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::mpsc,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{Life, StorageError, lives, schema};

/// Problems that are read of a damaged database.
const PROBLEMS: usize = 10;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inspection {
    /// There is none: the first start of a server makes it.
    Absent,
    /// It is whole.
    Whole,
    /// It is not: so many problems were found, at least.
    Damaged {
        /// How many; more than a few are not counted.
        problems: usize,
    },
    /// The check was given up.
    Unfinished,
}

/// Checks the structure of the database at `path` (SQLite's `quick_check`), for at most `limit`. A
/// server that uses it goes on undisturbed.
pub fn inspect(path: &Path, limit: Duration) -> Result<Inspection, StorageError> {
    if matches!(path.try_exists(), Ok(false)) {
        return Ok(Inspection::Absent);
    }
    let found = check(&open(path)?, path, limit);
    // A server that started in the meantime has changed what was not to change.
    match &found {
        Ok(Inspection::Whole | Inspection::Absent | Inspection::Unfinished) => found,
        _ if log(path).exists() => check(&schema::open_reader(path)?, path, limit),
        _ => found,
    }
}

/// How far the database at `path` has come; `None`: there is none, or it is of a version that does not
/// count.
pub fn life(path: &Path) -> Result<Option<Life>, StorageError> {
    if matches!(path.try_exists(), Ok(false)) {
        return Ok(None);
    }
    let connection = open(path)?;
    schema::require_known(&connection, path)?;
    let counts = "SELECT count(*) FROM sqlite_schema WHERE name = 'life'";
    match connection.query_row(counts, [], |row| row.get(0))? {
        0 => Ok(None),
        _ => lives::own(&connection).map(Some),
    }
}

/// Without a log nobody uses the database, and it is read as a file that nobody changes: so nothing
/// is made beside it that its server could not open.
fn open(path: &Path) -> Result<Connection, StorageError> {
    if log(path).exists() {
        return schema::open_reader(path);
    }
    let mut name = OsString::from("file:");
    for part in path.as_os_str().to_string_lossy().chars() {
        match part {
            '%' => name.push("%25"),
            '?' => name.push("%3f"),
            '#' => name.push("%23"),
            other => name.push(other.to_string()),
        }
    }
    name.push("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Connection::open_with_flags(name, flags)?)
}

fn log(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

fn check(
    connection: &Connection,
    path: &Path,
    limit: Duration,
) -> Result<Inspection, StorageError> {
    match schema::require_known(connection, path) {
        // What is damaged may not even tell its version; the check below says so.
        Err(StorageError::Engine(_)) => {}
        known => known?,
    }
    let interrupt = connection.get_interrupt_handle();
    let (finished, wait) = mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        if wait.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
            interrupt.interrupt();
        }
    });
    let lines = lines(connection);
    drop(finished);
    // It holds nothing, and ends by itself.
    let _ = watch.join();
    match lines {
        Ok(lines) if lines == ["ok"] => Ok(Inspection::Whole),
        Ok(lines) => Ok(Inspection::Damaged { problems: lines.len() }),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => Ok(Inspection::Unfinished),
            Some(ErrorCode::DatabaseCorrupt) => Ok(Inspection::Damaged { problems: 1 }),
            _ => Err(error.into()),
        },
    }
}

fn lines(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(&format!("PRAGMA quick_check({PROBLEMS})"))?;
    statement.query_map([], |row| row.get(0))?.collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::storage::{Storage as _, conformance, sqlite::SqliteStorage};

    const LONG: Duration = Duration::from_secs(60);

    fn names(directory: &Path) -> Vec<OsString> {
        let mut names: Vec<_> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn a_database_is_whole_while_it_is_used_and_afterwards_and_nothing_is_left_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        // A name that means something in a URI.
        let path = directory.path().join("a?b#c%20d.db");
        assert_eq!(inspect(&path, LONG).unwrap(), Inspection::Absent);
        let storage = SqliteStorage::open(&path).unwrap();
        storage.insert_study(conformance::study(1)).await.unwrap();
        assert_eq!(inspect(&path, LONG).unwrap(), Inspection::Whole);
        storage.insert_study(conformance::study(2)).await.unwrap();
        storage.close().await;
        let before = names(directory.path());
        assert_eq!(inspect(&path, LONG).unwrap(), Inspection::Whole);
        assert_eq!(names(directory.path()), before);
    }

    #[tokio::test]
    async fn a_damaged_database_is_said_to_be_so() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sotto.db");
        let storage = SqliteStorage::open(&path).unwrap();
        for tag in 1..50 {
            storage.insert_study(conformance::study(tag)).await.unwrap();
        }
        storage.close().await;
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..].fill(0x5a);
        fs::write(&path, bytes).unwrap();
        let found = inspect(&path, LONG).unwrap();
        assert!(matches!(found, Inspection::Damaged { problems: 1.. }), "{found:?}");
    }

    #[test]
    fn a_file_of_something_else_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sotto.db");
        fs::write(&path, vec![b'x'; 10_000]).unwrap();
        assert!(matches!(inspect(&path, LONG), Err(StorageError::ForeignFile { .. })));
    }
}

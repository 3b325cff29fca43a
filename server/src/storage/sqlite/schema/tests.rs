//! What is opened, what is refused, and how the connections are set.

use super::*;

fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data").join("sotto.db");
    (directory, path)
}

fn open(path: &Path) -> Result<(File, Connection), StorageError> {
    Ok((lock(path)?, open_writer(path)?))
}

#[test]
fn a_second_process_is_refused_while_the_first_holds_the_database() {
    let (_directory, path) = place();
    let first = open(&path).unwrap();
    assert!(matches!(lock(&path), Err(StorageError::InUse { .. })));
    drop(first);
    open(&path).unwrap();
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let (_directory, path) = place();
    open(&path).unwrap().1.pragma_update(None, "user_version", 99).unwrap();
    let refused = open(&path).err().unwrap();
    assert!(matches!(refused, StorageError::NewerSchema { found: 99, .. }));
    let (text, known) = (refused.to_string(), MIGRATIONS.len());
    for part in ["99".to_owned(), format!("up to {known}"), "start the newer program".to_owned()] {
        assert!(text.contains(&part), "{part}: {text}");
    }
    let version: i64 = Connection::open(&path)
        .unwrap()
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, 99);
}

#[test]
fn a_file_of_something_else_is_refused_and_left_alone() {
    let (_directory, path) = place();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert!(matches!(open(&path), Err(StorageError::ForeignFile { .. })));
    let text = vec![b'x'; 10_000];
    fs::write(&path, &text).unwrap();
    assert!(matches!(open(&path), Err(StorageError::ForeignFile { .. })));
    assert_eq!(fs::read(&path).unwrap(), text);
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_database_and_its_log() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_directory, path) = place();
    let (_lock, connection) = open(&path).unwrap();
    connection.execute_batch("UPDATE study SET state = 1").unwrap();
    let mut seen = 0;
    for entry in fs::read_dir(path.parent().unwrap()).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        seen += 1;
    }
    assert!(seen >= 3, "database, log and lock file");
}

#[test]
fn the_connection_is_as_durable_and_as_forgetful_as_promised() {
    let (_directory, path) = place();
    let (_lock, connection) = open(&path).unwrap();
    let number = |name: &str| -> i64 {
        connection.pragma_query_value(None, name, |row| row.get(0)).unwrap()
    };
    let mode: String =
        connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    assert_eq!(number("synchronous"), 2);
    assert_eq!(number("foreign_keys"), 1);
    assert_eq!(number("secure_delete"), 1);
    assert_eq!(number("temp_store"), 2, "in memory");
    assert_eq!(number("application_id"), APPLICATION_ID);
    assert!(rusqlite::version_number() >= OLDEST_LIBRARY.0);
}

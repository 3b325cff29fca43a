//! The database file: how it is opened, what its tables are, and which versions of it are known.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use zeroize::Zeroizing;

use super::{StorageError, lives};

/// Marks the file as Sotto's, for `file` and for us: "SOTT".
const APPLICATION_ID: i64 = 0x534f_5454;

/// The script that takes the database from schema version `i` to `i + 1`, for each `i`.
const MIGRATIONS: &[&str] = &[VERSION_1, VERSION_2, VERSION_3, VERSION_4, VERSION_5];

/// Versions before this one can corrupt the database when the log is reset.
const OLDEST_LIBRARY: (i32, &str) = (3_051_003, "3.51.3");

/// Pages of the log after which it is copied into the database: 8 MiB.
const CHECKPOINT_PAGES: i64 = 2048;
/// The log file is cut back to this size after a large transaction: 32 MiB.
const LOG_LIMIT_BYTES: i64 = 32 << 20;
/// Page caches of the writer and of each reader. Small, so that memory does not grow with the data:
/// payloads are written once and read once.
const WRITER_CACHE_KIB: i64 = 1024;
const READER_CACHE_KIB: i64 = 256;
/// Bytes of the log that are written again at a time.
const REWRITTEN: usize = 1 << 20;
/// How long a statement waits for another connection's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Statements kept prepared per connection; more than there are.
const STATEMENTS: usize = 64;

/// Large and secret things have tables of their own, so that dropping them leaves the small rows
/// as they are. Rows of a submission are keyed by its arrival, so that a batch that is verified or
/// scrubbed in the order of arrival touches neighbouring pages.
const VERSION_1: &str = "
CREATE TABLE study (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 32),
    bytes BLOB NOT NULL,
    signature BLOB NOT NULL CHECK (length(signature) = 64),
    state INTEGER NOT NULL,
    detail TEXT NOT NULL,
    servers TEXT NOT NULL,
    setup_commitments BLOB,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE study_secret (
    study INTEGER PRIMARY KEY REFERENCES study,
    contribution BLOB NOT NULL CHECK (length(contribution) = 32),
    salt_seed BLOB NOT NULL CHECK (length(salt_seed) = 32),
    verify_key BLOB CHECK (length(verify_key) = 32)
) STRICT;
CREATE TABLE study_count (
    study INTEGER PRIMARY KEY REFERENCES study,
    submissions INTEGER NOT NULL DEFAULT 0,
    records INTEGER NOT NULL DEFAULT 0,
    verified INTEGER NOT NULL DEFAULT 0,
    rejected INTEGER NOT NULL DEFAULT 0,
    accepted_records INTEGER NOT NULL DEFAULT 0,
    share_bytes INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE study_set (study INTEGER PRIMARY KEY REFERENCES study, bytes BLOB NOT NULL) STRICT;
CREATE TABLE study_word (
    study INTEGER NOT NULL REFERENCES study,
    word INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (study, word)
) STRICT, WITHOUT ROWID;
CREATE TABLE study_outcome (study INTEGER PRIMARY KEY REFERENCES study, bytes BLOB NOT NULL) STRICT;
CREATE TABLE submission (
    arrival INTEGER PRIMARY KEY,
    study INTEGER NOT NULL REFERENCES study,
    id BLOB NOT NULL CHECK (length(id) = 16),
    public_hash BLOB NOT NULL CHECK (length(public_hash) = 32),
    records INTEGER NOT NULL,
    payload_len INTEGER NOT NULL,
    verdict INTEGER NOT NULL DEFAULT 0,
    reason INTEGER,
    public BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX submission_by_id ON submission (study, id);
CREATE INDEX submission_unverified ON submission (study, arrival) WHERE verdict = 0;
CREATE TABLE submission_payload (
    arrival INTEGER PRIMARY KEY REFERENCES submission,
    payload BLOB NOT NULL
) STRICT;
CREATE TABLE submission_share (
    arrival INTEGER PRIMARY KEY REFERENCES submission,
    output_share BLOB,
    verifier_share BLOB NOT NULL
) STRICT;
";

/// The ledger of differential privacy, and who submitted what. A public part has its provider's key
/// behind version, number of servers, study, submission and number of records, which are 54 bytes.
const VERSION_2: &str = "
CREATE TABLE study_charge (
    study INTEGER NOT NULL REFERENCES study,
    opening INTEGER NOT NULL,
    coordinates BLOB NOT NULL,
    cost INTEGER NOT NULL,
    PRIMARY KEY (study, opening)
) STRICT, WITHOUT ROWID;
CREATE TABLE study_noise (
    study INTEGER NOT NULL REFERENCES study,
    opening INTEGER NOT NULL,
    noise BLOB NOT NULL,
    PRIMARY KEY (study, opening)
) STRICT;
ALTER TABLE submission ADD COLUMN provider BLOB CHECK (length(provider) = 32);
UPDATE submission SET provider = substr(public, 55, 32);
CREATE INDEX submission_by_provider ON submission (study, provider);
";

/// What a server signed in: the ids of its runs, and the words of the run that ended a study.
const VERSION_3: &str = "
CREATE TABLE study_run (
    study INTEGER NOT NULL REFERENCES study,
    run BLOB NOT NULL CHECK (length(run) = 16),
    PRIMARY KEY (study, run)
) STRICT, WITHOUT ROWID;
CREATE TABLE study_transcript (
    study INTEGER NOT NULL REFERENCES study,
    part INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (study, part)
) STRICT;
";

/// Amendments as they came in, what they let count no more, the list that all servers agreed on, and
/// which submission is part of which. Submissions of earlier versions are part of none.
///
/// Of the accepted records, `own_records` are those of submissions that are part of no amendment and
/// that none withdraws, and `amended_records` those of the others that no amendment takes away.
const VERSION_4: &str = "
CREATE TABLE amendment (
    number INTEGER PRIMARY KEY,
    study INTEGER NOT NULL REFERENCES study,
    provider BLOB NOT NULL CHECK (length(provider) = 32),
    id BLOB NOT NULL CHECK (length(id) = 16),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    bytes BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX amendment_by_id ON amendment (study, provider, id);
CREATE TABLE amendment_old (
    study INTEGER NOT NULL REFERENCES study,
    provider BLOB NOT NULL,
    submission BLOB NOT NULL,
    withdrawn INTEGER NOT NULL,
    PRIMARY KEY (study, provider, submission)
) STRICT, WITHOUT ROWID;
CREATE TABLE amendment_agreed (
    study INTEGER NOT NULL REFERENCES study,
    place INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (study, place)
) STRICT;
ALTER TABLE submission ADD COLUMN amendment BLOB CHECK (length(amendment) = 16);
ALTER TABLE study_count ADD COLUMN own_records INTEGER NOT NULL DEFAULT 0;
ALTER TABLE study_count ADD COLUMN amended_records INTEGER NOT NULL DEFAULT 0;
UPDATE study_count SET own_records = accepted_records;
";

/// What tells this database from an older copy of itself: an identity that is drawn once, and an age
/// that rises with every transaction, and all starts of a server on it. And how far the peers' databases were seen to have come.
const VERSION_5: &str = "
CREATE TABLE life (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    identity BLOB NOT NULL CHECK (length(identity) = 16),
    age INTEGER NOT NULL
) STRICT;
INSERT INTO life VALUES (1, randomblob(16), 0);
CREATE TABLE life_start (
    number INTEGER PRIMARY KEY,
    start BLOB NOT NULL CHECK (length(start) = 16),
    age INTEGER NOT NULL
) STRICT;
CREATE TABLE peer_life (
    peer BLOB NOT NULL CHECK (length(peer) = 32),
    identity BLOB NOT NULL CHECK (length(identity) = 16),
    start BLOB NOT NULL CHECK (length(start) = 16),
    age INTEGER NOT NULL,
    signature BLOB NOT NULL CHECK (length(signature) = 64),
    seen_ms INTEGER NOT NULL,
    PRIMARY KEY (peer, identity)
) STRICT, WITHOUT ROWID;
";

/// Locks the database against other processes for as long as the file is held.
pub(super) fn lock(database: &Path) -> Result<File, StorageError> {
    if let Some(directory) = database.parent() {
        create_directory(directory).map_err(|cause| io_error(directory, &cause))?;
    }
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    let path = PathBuf::from(path);
    let file = open_private(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(StorageError::InUse { path: path.display().to_string() })
        }
        Err(TryLockError::Error(cause)) => Err(io_error(&path, &cause)),
    }
}

/// Opens the writer's connection, creating or migrating the database. The caller holds the lock.
pub(super) fn open_writer(path: &Path) -> Result<Connection, StorageError> {
    if rusqlite::version_number() < OLDEST_LIBRARY.0 {
        return Err(StorageError::OldLibrary {
            found: rusqlite::version(),
            needed: OLDEST_LIBRARY.1,
        });
    }
    // SQLite gives its log the mode of the database, so that this covers both.
    drop(open_private(path)?);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    let version = known_version(&connection, path)?;
    configure(&connection, WRITER_CACHE_KIB)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "secure_delete", true)?;
    // The log is copied by [`checkpoint_if_large`], which says when that fails.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", LOG_LIMIT_BYTES)?;
    migrate(&mut connection, version, MIGRATIONS)?;
    // Who starts has to know that what it writes stays.
    lives::start(&connection)?;
    // A process that was killed may have left scrubbed bytes in the log.
    checkpoint(&connection)?;
    if let Some(directory) = path.parent() {
        sync_directory(directory).map_err(|cause| io_error(directory, &cause))?;
    }
    Ok(connection)
}

/// Opens a connection that cannot write, to a database that the writer has opened.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StorageError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    configure(&connection, READER_CACHE_KIB)?;
    Ok(connection)
}

/// Copies the log into the database and empties it. `false`: a reader was in the way.
pub(super) fn checkpoint(connection: &Connection) -> Result<bool, StorageError> {
    let busy: i64 =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(busy == 0)
}

/// Copies the log into the database if it is large. What a reader still needs stays.
pub(super) fn checkpoint_if_large(connection: &Connection) -> Result<(), StorageError> {
    let pages = |mode: &str| -> Result<i64, StorageError> {
        let mut statement = connection.prepare_cached(mode)?;
        Ok(statement.query_row([], |row| row.get(1))?)
    };
    if pages("PRAGMA wal_checkpoint(NOOP)")? >= CHECKPOINT_PAGES {
        pages("PRAGMA wal_checkpoint(PASSIVE)")?;
    }
    Ok(())
}

/// Writes every byte of the log again, and asks for it to be durable. After an error the system may
/// take what it could not write for written; what is written anew it has to answer for. Nobody may
/// have the database open.
pub(super) fn rewrite_log(database: &Path) -> Result<(), StorageError> {
    let mut path = database.as_os_str().to_owned();
    path.push("-wal");
    let rewrite = || {
        let mut file = match OpenOptions::new().read(true).write(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        let mut part = Zeroizing::new(vec![0; REWRITTEN]);
        loop {
            let read = file.read(&mut part)?;
            let Some(bytes) = part.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
            // At most a part: it fits.
            file.seek_relative(-(read as i64))?;
            file.write_all(bytes)?;
        }
        file.sync_all()
    };
    rewrite().map_err(|cause| of_disk(&cause))
}

fn of_disk(cause: &io::Error) -> StorageError {
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StorageError::Full,
        _ => StorageError::Failing(cause.to_string()),
    }
}

fn configure(connection: &Connection, cache_kib: i64) -> Result<(), StorageError> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // No temporary file ever holds a copy of a page.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

/// Requires a database of Sotto's, of a version that this program understands. Changes nothing.
pub(super) fn require_known(connection: &Connection, path: &Path) -> Result<(), StorageError> {
    known_version(connection, path).map(drop)
}

/// The schema version of the file; 0 for a new one. Changes nothing.
fn known_version(connection: &Connection, path: &Path) -> Result<usize, StorageError> {
    let foreign = || StorageError::ForeignFile { path: path.display().to_string() };
    let pragma = |name: &str| -> Result<i64, StorageError> {
        match connection.pragma_query_value(None, name, |row| row.get(0)) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
                Err(foreign())
            }
            other => Ok(other?),
        }
    };
    let (application, found) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let is_new = application == 0 && found == 0 && tables == 0;
    if application != APPLICATION_ID && !is_new {
        return Err(foreign());
    }
    let version = usize::try_from(found).map_err(|_| foreign())?;
    if version > MIGRATIONS.len() {
        // The list of migrations is written by hand: its length is far below i64's range.
        let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
        return Err(StorageError::NewerSchema { path: path.display().to_string(), found, known });
    }
    Ok(version)
}

/// Takes the database from a version to the last one in a single transaction: whatever happens in
/// between, the program of the old version can use it.
fn migrate(
    connection: &mut Connection,
    from: usize,
    migrations: &[&str],
) -> Result<(), StorageError> {
    if from == migrations.len() {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    for script in migrations.iter().skip(from) {
        transaction.execute_batch(script)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    let version = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    transaction.pragma_update(None, "user_version", version)?;
    transaction.commit()?;
    if from > 0 {
        tracing::info!(from, to = version, "the database was taken over from an older version");
    }
    Ok(())
}

#[cfg(unix)]
fn create_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn create_directory(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// Opens or creates a file that only its owner can read.
#[cfg(unix)]
fn open_private(path: &Path) -> Result<File, StorageError> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let open = || {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(path)?;
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        Ok(file)
    };
    open().map_err(|cause| io_error(path, &cause))
}

#[cfg(not(unix))]
fn open_private(path: &Path) -> Result<File, StorageError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path).map_err(|cause| io_error(path, &cause))
}

/// Makes the directory's entries durable, where the system has such a thing.
fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

fn io_error(path: &Path, cause: &io::Error) -> StorageError {
    StorageError::Io { path: path.display().to_string(), cause: cause.to_string() }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod versions;

//! What the writer works with: the connection that writes, and what is done when the disk fails.
//!
//! When a word that something is durable is refused, the operating system may have dropped what it
//! could not write, and answer the next such question with yes. So nothing is written after such an
//! error until the database was opened anew from what is in its files, its log was written once more
//! (see [`schema::rewrite_log`]), and a transaction of its own was made durable.

use std::path::PathBuf;

use rusqlite::Connection;

use super::{Failure, Readers, StorageError, room, schema};

/// The writer's connection, and the way to a new one.
pub(super) struct Desk {
    /// `None`: it was closed after an error, and could not be opened again.
    connection: Option<Connection>,
    path: PathBuf,
    readers: Readers,
    failure: Failure,
    /// Whether deleted secrets are in the log still.
    log_holds_secrets: bool,
}

impl Desk {
    pub(super) fn new(
        connection: Connection,
        path: PathBuf,
        readers: Readers,
        failure: Failure,
    ) -> Self {
        let connection = Some(connection);
        Self { connection, path, readers, failure, log_holds_secrets: false }
    }

    /// The connection, if the disk works; a `probe` opens the database again if it did not.
    pub(super) fn connection(&mut self, probe: bool) -> Result<&Connection, StorageError> {
        if let Some(error) = self.failure.get() {
            if !probe {
                return Err(error);
            }
            self.reopen(&error)?;
        }
        self.connection.as_ref().ok_or(StorageError::Closed)
    }

    /// Takes note of what became of a group.
    pub(super) fn note(&self, committed: &[Result<(), StorageError>]) {
        let errors = committed.iter().filter_map(|committed| committed.as_ref().err());
        match errors.clone().find(|error| error.is_of_disk()) {
            Some(error) => self.fail(error),
            None if errors.count() == 0 => self.failure.clear(),
            None => {}
        }
    }

    /// Empties the log if deleted secrets are in it, or copies it into the database if it is large.
    pub(super) fn tidy(&mut self, deleted_secrets: bool) {
        self.log_holds_secrets |= deleted_secrets;
        if self.failure.get().is_some() {
            return;
        }
        let Some(connection) = &self.connection else { return };
        let tidied = match self.log_holds_secrets {
            true => schema::checkpoint(connection).map(|emptied| !emptied),
            false => schema::checkpoint_if_large(connection).map(|()| false),
        };
        match tidied {
            // Otherwise it is tried again after the next group.
            Ok(log_holds_secrets) => self.log_holds_secrets = log_holds_secrets,
            Err(error) => {
                tracing::warn!(%error, "the database's log could not be emptied");
                self.fail(&error);
            }
        }
    }

    fn fail(&self, error: &StorageError) {
        self.failure.note(&room::named(&self.path, error.clone()));
    }

    fn reopen(&mut self, error: &StorageError) -> Result<(), StorageError> {
        let is_full = matches!(error, StorageError::Full);
        if is_full && room::free(&self.path).is_some_and(|free| free < room::TO_GO_ON) {
            return Err(error.clone());
        }
        let _nobody_reads = self.readers.pause().ok_or(StorageError::Closed)?;
        drop(self.connection.take());
        schema::rewrite_log(&self.path)?;
        self.connection = Some(schema::open_writer(&self.path)?);
        Ok(())
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.tidy(true);
    }
}

//! The connections that only read: few, so that memory stays small, and never behind the writer.
//!
//! What cannot be read fails its reader alone: strangers choose what is read, and whether anything is
//! taken in must not depend on one damaged page of an old study. The writer decides that.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{StorageError, schema};
use crate::work;

/// Reads that can run at once.
const CONNECTIONS: usize = 2;
/// [`CONNECTIONS`] as the semaphore counts them.
const PERMITS: u32 = 2;

/// A small pool of read-only connections.
#[derive(Clone)]
pub(super) struct Readers {
    path: PathBuf,
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    /// Opens the connections. The writer must have opened the database before.
    pub(super) fn open(path: PathBuf) -> Result<Self, StorageError> {
        let idle =
            (0..CONNECTIONS).map(|_| schema::open_reader(&path)).collect::<Result<_, _>>()?;
        Ok(Self {
            path,
            permits: Arc::new(Semaphore::new(CONNECTIONS)),
            idle: Arc::new(Mutex::new(idle)),
        })
    }

    /// Runs `work` over one snapshot of the database.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let permit =
            Arc::clone(&self.permits).acquire_owned().await.map_err(|_| StorageError::Closed)?;
        let (idle, path) = (Arc::clone(&self.idle), self.path.clone());
        let reading = work::aside(move || {
            let spare = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            // A connection is missing if a read before this one panicked, or could not be ended.
            let connection = spare.map_or_else(|| schema::open_reader(&path), Ok)?;
            let result = snapshot(&connection, work);
            if connection.is_autocommit() {
                idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            }
            drop(permit);
            result
        });
        reading.await.map_err(|_| StorageError::Engine("a read was interrupted".into()))?
    }

    /// Waits for the reads under way and closes their connections; no read begins until what this
    /// returns is dropped. Called on a thread that may wait. `None`: the pool is closed.
    pub(super) fn pause(&self) -> Option<OwnedSemaphorePermit> {
        let all = Arc::clone(&self.permits).acquire_many_owned(PERMITS);
        let all = futures::executor::block_on(all).ok()?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Some(all)
    }

    /// Waits for the reads under way and closes the connections.
    pub(super) async fn close(&self) {
        if let Ok(all) = self.permits.acquire_many(PERMITS).await {
            self.permits.close();
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
            drop(all);
        }
    }
}

fn snapshot<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, StorageError>,
) -> Result<T, StorageError> {
    connection.prepare_cached("BEGIN")?.execute([])?;
    let result = work(connection);
    // An error of the disk may have ended it already, and is what the caller has to hear of.
    if !connection.is_autocommit() {
        let ended = connection.prepare_cached("ROLLBACK").and_then(|mut end| end.execute([]));
        if result.is_ok() {
            ended?;
        }
    }
    result
}

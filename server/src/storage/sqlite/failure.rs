//! Why nothing is written at the moment, shared by everything that meets the disk.

use std::sync::Arc;

use tokio::sync::watch;

use super::StorageError;

/// The last error of the disk, until the disk is found to work.
#[derive(Clone)]
pub(super) struct Failure(Arc<watch::Sender<Option<StorageError>>>);

impl Default for Failure {
    fn default() -> Self {
        Self(Arc::new(watch::channel(None).0))
    }
}

impl Failure {
    pub(super) fn get(&self) -> Option<StorageError> {
        self.0.borrow().clone()
    }

    pub(super) fn watch(&self) -> watch::Receiver<Option<StorageError>> {
        self.0.subscribe()
    }

    /// Notes an error, if it is one of the disk. The first one stays: what follows may be its
    /// consequence.
    pub(super) fn note(&self, error: &StorageError) {
        if error.is_of_disk() {
            self.0.send_if_modified(|known| match known {
                Some(_) => false,
                None => known.replace(error.clone()).is_none(),
            });
        }
    }

    /// Something new was made durable.
    pub(super) fn clear(&self) {
        self.0.send_if_modified(|known| known.take().is_some());
    }
}

//! Node: everything that the handlers and jobs of one server share.

#[cfg(feature = "testing")]
use std::sync::atomic::AtomicBool;
use std::{sync::Arc, time::Duration};

use mpc::sign::Signer;
use proto::rate::RateLimit;
use study::Study;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    catalog::{Catalog, CatalogError, StudyContext},
    clock::Clock,
    config::Config,
    limits::{Held, InFlight, Place, Refused},
    lives::{Behind, Lives},
    metrics::Metrics,
    peers::{Greeting, Peers, sessions::Sessions},
    storage::{Storage, StorageError, StudyRow},
    tls,
};

/// Why a server takes nothing in.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Ailment {
    /// Nothing can be written.
    #[error(transparent)]
    Storage(StorageError),
    /// Its database is an old backup.
    #[error(transparent)]
    Behind(Behind),
}

/// The shared state of one server.
pub struct Node {
    /// The server's configuration.
    pub config: Config,
    /// What the server remembers.
    pub storage: Arc<dyn Storage>,
    /// The studies, ready to use.
    pub catalog: Catalog,
    /// Connections to the other servers.
    pub peers: Arc<Peers>,
    /// Messages of running protocols.
    pub sessions: Arc<Sessions>,
    /// What is compared when servers meet.
    pub greeting: Arc<Greeting>,
    /// What time it is.
    pub clock: Clock,
    /// How fast one address may call.
    pub rate: RateLimit,
    /// What calls of strangers hold before they are complete.
    pub held: Arc<Held>,
    /// How many calls are worked on at once.
    pub in_flight: InFlight,
    /// How many records are read by strangers at once.
    pub records: InFlight,
    /// The certificate that is shown, and those that are not accepted any more.
    pub credentials: Arc<tls::Credentials>,
    /// Has the certificate's files looked at without waiting.
    pub reload: Arc<tokio::sync::Notify>,
    /// What the operator sees.
    pub metrics: Arc<Metrics>,
    /// How far the databases of all servers have come.
    pub lives: Arc<Lives>,
    /// Ends everything.
    pub stop: CancellationToken,
    /// Everything that runs in the background.
    pub tasks: TaskTracker,
    /// Whether this server adds to its result shares what no submission has.
    #[cfg(feature = "testing")]
    pub adds_wrongly: AtomicBool,
}

impl Node {
    /// This server's name.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// How long a round of a protocol waits for all peers.
    pub fn round_timeout(&self) -> Duration {
        Duration::from_secs(self.config.limits.round_seconds.into())
    }

    /// Signs receipts, protocol messages and results.
    pub fn signer(&self) -> &Signer {
        &self.config.identity
    }

    /// Counts one call of a stranger, whose message is complete, against what is worked on at once;
    /// the place is taken until it is dropped.
    pub fn admit<T>(&self, request: &tonic::Request<T>) -> Result<Place, Refused> {
        let place = self.in_flight.enter(tls::remote_ip(request));
        place.inspect_err(|refused| self.metrics.limit(refused.word()))
    }

    /// Why this server takes nothing in at the moment, if there is a reason.
    pub fn ailment(&self) -> Option<Ailment> {
        let behind = self.lives.behind().borrow().clone().map(Ailment::Behind);
        behind.or_else(|| self.storage.failure().borrow().clone().map(Ailment::Storage))
    }

    /// Whether the database can be written.
    pub fn is_storage_healthy(&self) -> bool {
        self.storage.failure().borrow().is_none()
    }

    /// Derives a study's context; an error says why it cannot run here.
    pub fn context(&self, study: Study) -> Result<StudyContext, CatalogError> {
        let key = |name: &str| self.config.roster.get(name).map(|server| server.identity);
        StudyContext::new(study, self.name(), key)
    }

    /// All studies in storage, page by page.
    pub async fn all_studies(&self) -> Result<Vec<StudyRow>, StorageError> {
        const PAGE: usize = 100;
        let mut studies: Vec<StudyRow> = Vec::new();
        loop {
            let after = studies.last().map(|study| study.id);
            let page = self.storage.studies(after, PAGE).await?;
            let last = page.len() < PAGE;
            studies.extend(page);
            if last {
                return Ok(studies);
            }
        }
    }
}

//! Catalog: what each study means at this server, derived once from its canonical encoding.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError, atomic::AtomicBool},
};

use mpc::{
    collect::{Collect, CollectError},
    ids::{Party, StudyId},
    sign::PublicKey,
};
use study::{Plan, Study, StudyError};
use tokio::sync::{Mutex as AsyncMutex, Notify, Semaphore};

use crate::{door::Door, storage::StudyState};

/// A study as one of its servers sees it.
pub struct StudyContext {
    /// The study's id.
    pub id: StudyId,
    /// The study.
    pub study: Study,
    /// What its records become and how its totals are read.
    pub plan: Plan,
    /// Its VDAF.
    pub collect: Collect,
    /// Where the commitments of its uploads are checked.
    pub door: Arc<Door>,
    /// This server's place among the study's servers.
    pub me: Party,
    /// The servers' names, by party.
    pub names: Vec<String>,
    /// The servers' keys, by party.
    pub keys: Vec<PublicKey>,
    /// Held while a protocol runs, so that a study runs one at a time.
    pub running: AsyncMutex<()>,
    /// Places for runs that have been joined, so that the first server cannot pile them up.
    pub runs: Arc<Semaphore>,
    /// Wakes the study's driver.
    pub wake: Notify,
    /// Whether a new upload was refused because the study takes none any more. It never will.
    pub takes_nothing: AtomicBool,
    /// The state that it ended in, once somebody asked.
    pub ended: OnceLock<StudyState>,
    /// Uploads that come too late are looked up one after another: others have the database, too.
    pub late: Semaphore,
}

/// Runs of one study that may wait for each other at one server.
const RUNS: usize = 4;

/// Why a study cannot run at this server.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The study is not valid.
    #[error(transparent)]
    Study(#[from] StudyError),
    /// The study's parameters do not fit the protocol.
    #[error(transparent)]
    Collect(#[from] CollectError),
    /// The study does not name this server under its key.
    #[error("the study does not name this server ({name}) with its key among its servers")]
    NotAServer {
        /// This server's name.
        name: String,
    },
    /// A server of the study is not in this server's roster under the same key.
    #[error("{name} is not in this server's roster with the key that the study gives")]
    UnknownServer {
        /// The server's name in the study.
        name: String,
    },
}

impl StudyContext {
    /// Derives everything from a study. `roster` gives a server's key by its name.
    pub fn new(
        study: Study,
        my_name: &str,
        roster: impl Fn(&str) -> Option<PublicKey>,
    ) -> Result<Self, CatalogError> {
        let plan = Plan::new(&study)?;
        let id = study.id();
        let collect = Collect::new(plan.circuit().clone(), id, study.servers().len())?;
        for server in study.servers() {
            if roster(&server.name) != Some(server.identity) {
                return Err(CatalogError::UnknownServer { name: server.name.clone() });
            }
        }
        let not_a_server = || CatalogError::NotAServer { name: my_name.to_owned() };
        let me = study
            .servers()
            .iter()
            .position(|server| server.name == my_name)
            .ok_or_else(not_a_server)?;
        Ok(Self {
            id,
            plan,
            door: Door::new(collect.bases().clone()),
            collect,
            // At most 8 servers: Collect has checked it.
            me: Party(me as u8),
            names: study.servers().iter().map(|server| server.name.clone()).collect(),
            keys: study.servers().iter().map(|server| server.identity).collect(),
            study,
            running: AsyncMutex::new(()),
            runs: Arc::new(Semaphore::new(RUNS)),
            wake: Notify::new(),
            takes_nothing: AtomicBool::default(),
            ended: OnceLock::new(),
            late: Semaphore::new(1),
        })
    }

    /// The name of a party.
    pub fn name(&self, party: Party) -> &str {
        self.names.get(party.index()).map_or("an unknown server", String::as_str)
    }

    /// The names of all other servers.
    pub fn others(&self) -> impl Iterator<Item = &str> {
        let me = self.me.index();
        let others = self.names.iter().enumerate().filter(move |(party, _)| *party != me);
        others.map(|(_, name)| name.as_str())
    }
}

/// The studies that this server knows.
#[derive(Default)]
pub struct Catalog {
    studies: Mutex<HashMap<StudyId, Arc<StudyContext>>>,
}

impl Catalog {
    /// The context of a study.
    pub fn get(&self, id: StudyId) -> Option<Arc<StudyContext>> {
        self.studies.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Adds a study; the one that is there already stays.
    pub fn insert(&self, context: StudyContext) -> Arc<StudyContext> {
        let mut studies = self.studies.lock().unwrap_or_else(PoisonError::into_inner);
        studies.entry(context.id).or_insert_with(|| Arc::new(context)).clone()
    }
}

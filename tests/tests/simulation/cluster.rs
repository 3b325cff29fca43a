//! Cluster: the servers' keys, configurations and roster, made once, and people's keys.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{SystemTime, UNIX_EPOCH},
};

use mpc::sign::{PublicKey, Signer};
use rand::{SeedableRng as _, rngs::StdRng};
use server::{
    certs::{DevRequest, dev},
    config::{Approve, Config},
    keys,
    storage::{Storage as _, sqlite::SqliteStorage},
    tls::Pin,
};
use study::StudyServer;

use crate::disk::Image;

/// The most servers of a plan.
const MOST: usize = 4;

/// Servers that know each other.
pub struct Cluster {
    /// Where its keys are.
    _place: tempfile::TempDir,
    configs: Vec<PathBuf>,
    pins: Vec<Pin>,
    servers: Vec<StudyServer>,
    /// What each server's disk holds before its first study: made once, for it takes as long as a
    /// small run.
    empty: Vec<Image>,
    pub analyst: Signer,
    pub operator: Signer,
}

/// A database without anything in it.
fn empty(path: &Path) -> Image {
    let storage = SqliteStorage::open(path).unwrap();
    futures::executor::block_on(storage.close());
    Image::of(path)
}

/// The cluster of `k` servers, made when nobody has it.
pub fn of(k: usize) -> Arc<Cluster> {
    static MADE: [Mutex<Weak<Cluster>>; MOST + 1] = [const { Mutex::new(Weak::new()) }; MOST + 1];
    let mut made = MADE[k].lock().unwrap_or_else(PoisonError::into_inner);
    made.upgrade().unwrap_or_else(|| {
        let cluster = Arc::new(Cluster::new(k));
        *made = Arc::downgrade(&cluster);
        cluster
    })
}

/// The clusters of all plans. They last, with their directories, for as long as somebody has them.
pub fn all() -> Vec<Arc<Cluster>> {
    (2..=MOST).map(of).collect()
}

impl Cluster {
    fn new(k: usize) -> Self {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().to_owned();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let request = DevRequest {
            directory: directory.clone(),
            servers: Some(k),
            ports: Vec::new(),
            unix_s: now.as_secs(),
        };
        let made = dev(&request, &mut StdRng::seed_from_u64(k as u64)).unwrap();
        let configs: Vec<_> = made.servers.iter().map(|server| server.config.clone()).collect();
        let roster = Config::load(&configs[0]).unwrap().roster;
        let known = || made.servers.iter().map(|server| roster.get(&server.name).unwrap());
        Self {
            pins: known().map(|server| server.tls).collect(),
            servers: known()
                .map(|server| StudyServer { name: server.name.clone(), identity: server.identity })
                .collect(),
            empty: (0..k).map(|server| empty(&directory.join(format!("{server}.db")))).collect(),
            configs,
            analyst: keys::load(&directory.join("analyst.key")).unwrap(),
            operator: keys::load(&directory.join("operator.key")).unwrap(),
            _place: place,
        }
    }

    pub fn config(&self, server: usize) -> Config {
        let mut config = Config::load(&self.configs[server]).unwrap();
        config.approve = Approve::Manual;
        config
    }

    /// What a server's disk holds before its first study.
    pub fn empty(&self, server: usize) -> Image {
        self.empty[server].clone()
    }

    pub fn pin(&self, server: usize) -> Pin {
        self.pins[server]
    }

    pub fn servers(&self) -> &[StudyServer] {
        &self.servers
    }

    pub fn keys(&self) -> Vec<PublicKey> {
        self.servers.iter().map(|server| server.identity).collect()
    }

    /// The place of a server of this name.
    pub fn index(&self, name: &str) -> usize {
        self.servers.iter().position(|server| server.name == name).unwrap()
    }
}

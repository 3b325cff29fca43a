//! Machine: what a server runs on. Its processes come and go; its disk, its clock and its place in
//! the network stay.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
};

use mpc::ids::RunId;
use proto::clock::Clock;
use server::{
    Running, Server,
    config::{Config, RosterServer},
    server::Surroundings,
};
use tokio::sync::Notify;
use tokio_stream::wrappers::UnboundedReceiverStream;

use crate::{
    broken::Broken,
    calls::Calls,
    cluster::Cluster,
    disk::{Disk, Image},
    ledger::Ledger,
    network::{Death, Listener, Network},
    plan::AtWrite,
    trace::Trace,
};

/// When every run begins, milliseconds since 1970.
const EPOCH_MS: u64 = 1_800_000_000_000;

/// A clock that is right.
pub fn clock(trace: &Trace) -> Clock {
    let trace = trace.clone();
    Clock::new(move || now_ms(&trace))
}

fn now_ms(trace: &Trace) -> u64 {
    EPOCH_MS + u64::try_from(trace.elapsed().as_millis()).unwrap()
}

/// A server's machine.
pub struct Machine {
    pub index: usize,
    cluster: Arc<Cluster>,
    network: Arc<Network>,
    trace: Trace,
    directory: PathBuf,
    ledger: Ledger,
    broken: Option<Broken>,
    /// Faults at the doors of its server.
    pub calls: Arc<Calls>,
    state: Arc<Mutex<State>>,
}

/// What outlives a server's processes, and how many there were.
#[derive(Default)]
struct State {
    clock_ms: i64,
    slow_ms: u64,
    /// Writes until one that is special, and what is special about it.
    armed: Option<(u32, Armed)>,
    /// What the disk holds while no process runs.
    image: Image,
    lives: u32,
    alive: Option<(Arc<Life>, Arc<Disk>, Running)>,
    writes: u64,
    /// What is left of former lives. An end of it would be noticed in an order that does not
    /// repeat, so it stays until the end of the run.
    graves: Vec<(Option<Listener>, Arc<Disk>, Running)>,
}

#[derive(Clone, Copy)]
enum Armed {
    Crash(AtWrite, u64),
    Fail { is_done: bool },
}

/// One life of a server: from a start to a crash.
pub struct Life {
    server: usize,
    number: u32,
    death: Death,
    dead: Mutex<Option<Image>>,
    died: Arc<Notify>,
    machine: Arc<Mutex<State>>,
    ledger: Ledger,
    broken: Option<Broken>,
    /// What is left after a crash of a server that does not wait for its disk.
    lagging: Mutex<Option<Image>>,
    /// How long it stays down.
    down_ms: Mutex<u64>,
    trace: Trace,
}

/// What becomes of a write.
pub enum Writing {
    Works,
    /// It is done or not, and nobody knows.
    Fails {
        is_done: bool,
    },
    Dies(AtWrite),
}

impl Life {
    /// Waits forever, once the server is dead.
    pub async fn survive(&self) {
        if self.is_dead() {
            std::future::pending().await
        }
    }

    fn is_dead(&self) -> bool {
        self.dead.lock().unwrap().is_some()
    }

    /// How long the disk takes now.
    pub fn slow_ms(&self) -> u64 {
        let slow_ms = self.machine.lock().unwrap().slow_ms;
        if slow_ms > 0 {
            self.trace.fired("a slow disk");
        }
        slow_ms
    }

    /// A run has begun here, for the first time, says the disk.
    pub fn begins(&self, run: RunId) {
        self.ledger.begins(self.server, run);
    }

    pub fn is_broken(&self, how: Broken) -> bool {
        self.broken == Some(how)
    }

    /// A crash leaves what `image` gives, not what comes after it.
    pub fn forget_from(&self, image: impl FnOnce() -> Image) {
        *self.lagging.lock().unwrap() = Some(image());
    }

    /// What becomes of the next write.
    pub fn next_write(&self, name: &str) -> Writing {
        let mut machine = self.machine.lock().unwrap();
        machine.writes += 1;
        self.trace.say(|| format!("{} writes {name}", self.server));
        let armed = match &mut machine.armed {
            None => return Writing::Works,
            Some((0, armed)) => *armed,
            Some((left, _)) => {
                *left -= 1;
                return Writing::Works;
            }
        };
        machine.armed = None;
        match armed {
            Armed::Fail { is_done } => {
                let kinds = ["a write fails", "a write fails and is done"];
                self.trace.fired(kinds[usize::from(is_done)]);
                self.trace.say(|| format!("{}: the write fails", self.server));
                Writing::Fails { is_done }
            }
            Armed::Crash(how, down_ms) => {
                *self.down_ms.lock().unwrap() = down_ms;
                self.trace.fired(match how {
                    AtWrite::Before => "a crash before a write",
                    AtWrite::Torn(_) => "a torn write",
                    AtWrite::After => "a crash behind a write",
                });
                Writing::Dies(how)
            }
        }
    }

    /// The process is gone, and this is what its disk holds.
    pub fn die(&self, image: Image) {
        self.trace.say(|| format!("{} dies, life {}", self.server, self.number));
        let image = self.lagging.lock().unwrap().take().unwrap_or(image);
        *self.dead.lock().unwrap() = Some(image);
        self.death.closed.cancel();
        self.died.notify_one();
    }
}

impl Machine {
    pub fn new(
        index: usize,
        cluster: Arc<Cluster>,
        network: Arc<Network>,
        directory: PathBuf,
        broken: Option<Broken>,
        (ledger, trace): (Ledger, Trace),
    ) -> Arc<Self> {
        let calls = Arc::new(Calls::new(index, trace.clone()));
        Arc::new(Self {
            index,
            cluster,
            network,
            trace,
            directory,
            ledger,
            broken,
            calls,
            state: Arc::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn turn_clock(&self, by_s: i64) {
        self.trace.fired(if by_s < 0 { "a clock is put back" } else { "a clock is put forward" });
        self.lock().clock_ms = by_s * 1_000;
    }

    pub fn slow_disk(&self, ms: u64) {
        self.lock().slow_ms = ms;
    }

    pub fn crash_at_write(&self, writes: u32, how: AtWrite, down_ms: u64) {
        self.lock().armed = Some((writes, Armed::Crash(how, down_ms)));
    }

    pub fn fail_write(&self, writes: u32, is_done: bool) {
        self.lock().armed = Some((writes, Armed::Fail { is_done }));
    }

    /// No fault is under way or waits.
    pub fn heal(&self) {
        let mut state = self.lock();
        (state.clock_ms, state.slow_ms, state.armed) = (0, 0, None);
        drop(state);
        self.calls.heal();
    }

    /// How often its server was started, and how often it wrote.
    pub fn work(&self) -> (u32, u64) {
        let state = self.lock();
        (state.lives, state.writes)
    }

    /// The disk of the process that runs.
    pub fn disk(&self) -> Option<Arc<Disk>> {
        self.lock().alive.as_ref().map(|(_, disk, _)| disk.clone())
    }

    /// Lets go of its processes, which hold on to this machine.
    pub fn scrap(&self) {
        let (alive, graves) = {
            let mut state = self.lock();
            (state.alive.take(), std::mem::take(&mut state.graves))
        };
        drop((alive, graves));
    }

    /// Kills the process, if one runs.
    pub fn crash(&self, down_ms: u64) {
        let alive = self.lock().alive.as_ref().map(|(life, disk, _)| (life.clone(), disk.clone()));
        let Some((life, disk)) = alive.filter(|(life, _)| !life.is_dead()) else { return };
        *life.down_ms.lock().unwrap() = down_ms;
        self.trace.fired("a crash");
        life.die(disk.image());
    }

    /// Keeps a process running: starts it, and again some time after each of its ends. `started`
    /// looks at it before anybody can.
    pub async fn keep(self: Arc<Self>, hurry: Arc<Notify>, started: impl Fn(&Self, &Disk)) {
        loop {
            let died = Arc::new(Notify::new());
            self.start(died.clone(), &started).await;
            died.notified().await;
            let down_ms = self.bury();
            tokio::select! {
                biased;
                () = hurry.notified() => {}
                () = tokio::time::sleep(std::time::Duration::from_millis(down_ms)) => {}
            }
        }
    }

    /// Takes what a dead process left; returns how long nothing runs.
    fn bury(&self) -> u64 {
        let listener = self.network.silence(self.index);
        let mut state = self.lock();
        let Some((life, disk, running)) = state.alive.take() else { return 0 };
        running.kill();
        state.image = life.dead.lock().unwrap().clone().unwrap_or_default();
        let down_ms = *life.down_ms.lock().unwrap();
        state.graves.push((listener, disk, running));
        down_ms
    }

    async fn start(&self, died: Arc<Notify>, started: &impl Fn(&Self, &Disk)) {
        let (number, image) = {
            let mut state = self.lock();
            state.lives += 1;
            (state.lives, std::mem::take(&mut state.image))
        };
        let image = match number {
            1 => self.cluster.empty(self.index),
            _ => image,
        };
        self.trace.say(|| format!("{} starts, life {number}", self.index));
        let path = self.directory.join(format!("{number}.db"));
        image.put(&path);
        let life = Arc::new(Life {
            server: self.index,
            number,
            death: Death::default(),
            dead: Mutex::default(),
            died,
            machine: self.state.clone(),
            ledger: self.ledger.clone(),
            broken: self.broken,
            lagging: Mutex::default(),
            down_ms: Mutex::default(),
            trace: self.trace.clone(),
        });
        let disk = Disk::open(path, life.clone()).expect("what a crash left can be opened");
        let disk = Arc::new(disk);
        started(self, &disk);
        let incoming = self.network.listen(self.index, life.death.clone());
        let around = self.surroundings(disk.clone(), life.death.clone());
        let calls = self.calls.clone();
        let starting = Server::start_in(
            self.config(),
            &around,
            UnboundedReceiverStream::new(incoming),
            move |routes| calls.before(routes),
        );
        // It may die while it starts.
        let running = tokio::select! {
            biased;
            running = starting => running.expect("a server starts"),
            () = life.death.closed.cancelled() => {
                let mut state = self.lock();
                state.image = life.dead.lock().unwrap().clone().unwrap_or_default();
                return;
            }
        };
        self.lock().alive = Some((life, disk, running));
    }

    fn config(&self) -> Config {
        self.cluster.config(self.index)
    }

    fn surroundings(&self, disk: Arc<Disk>, death: Death) -> Surroundings {
        let (network, cluster, me) = (self.network.clone(), self.cluster.clone(), self.index);
        let pin = cluster.pin(me);
        let channel = move |_: &_, peer: &RosterServer, _| {
            Ok(network.channel(me, cluster.index(&peer.name), Some(pin), &death))
        };
        let (state, trace) = (self.state.clone(), self.trace.clone());
        let clock = Clock::new(move || {
            let turned = state.lock().unwrap().clock_ms;
            now_ms(&trace).saturating_add_signed(turned)
        });
        Surroundings { storage: disk, clock, channel: Box::new(channel) }
    }
}

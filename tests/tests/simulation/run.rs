//! Run: one plan from its beginning to the end of its studies, in virtual time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use proto::v1;
use server::storage::{Storage as _, StudyState};
use tokio::{sync::Notify, task::JoinHandle};

use crate::{
    broken::Broken,
    callers::{Caller, request},
    cluster::{self, Cluster},
    disk::{Disk, at_once},
    ledger::Ledger,
    library::Library,
    machine::Machine,
    network::{ANALYST, Host, Network, PROVIDERS},
    panics,
    people::People,
    plan::{Plan, Step, What},
    provider::{Around, Order, Provider},
    referee::{self, Ending, Tally},
    studies::{self, Cells, Prepared},
    trace::{Fired, Trace},
};

/// After everything works again, every study ends in this time.
const BOUND: Duration = Duration::from_secs(20 * 60);

/// What a run came to.
#[derive(Debug, Default, Clone)]
pub struct Report {
    pub wrong: Vec<String>,
    pub hash: u64,
    pub lines: Vec<String>,
    pub tally: Tally,
    pub virtual_time: Duration,
    pub operations: u64,
    pub faults: u64,
    pub crashes: u64,
    pub writes: u64,
    pub receipts: u64,
    pub fired: Fired,
}

/// Runs a plan, on this thread.
pub fn run(plan: &Plan, broken: Option<Broken>, keep: bool) -> Report {
    let _repeatable = proto::repeatable::enter(plan.seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let directory = place();
    let playing = || {
        runtime.block_on(async {
            let trace = Trace::new(keep);
            let world = World::new(plan, broken, directory.path(), trace.clone());
            let report = world.play(plan).await;
            Report { hash: trace.hash(), lines: trace.lines(), ..report }
        })
    };
    // A panic is noted where it happens.
    let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(playing));
    let mut report = played.unwrap_or_default();
    drop(runtime);
    report.wrong.extend(panics::take());
    report
}

/// In memory, if this machine has such a place.
fn place() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    match memory.is_dir() {
        true => tempfile::tempdir_in(memory).unwrap(),
        false => tempfile::tempdir().unwrap(),
    }
}

/// A provider, who uses the client library or speaks its protocol.
enum Somebody {
    Library(Box<Library>),
    Wire(Box<Provider>),
}

impl Somebody {
    async fn follow(&self, order: Order, dies: bool) {
        match self {
            Self::Library(library) => library.follow(order, dies).await,
            Self::Wire(provider) => provider.follow(order, dies).await,
        }
    }
}

fn uses_the_library(seed: u64, index: usize) -> bool {
    !(seed + index as u64).is_multiple_of(2)
}

struct World {
    cluster: Arc<Cluster>,
    network: Arc<Network>,
    machines: Vec<Arc<Machine>>,
    /// Cuts the time short that nothing runs.
    hurry: Arc<Notify>,
    studies: Arc<Vec<Prepared>>,
    people: People,
    providers: Vec<Arc<Somebody>>,
    orders: Vec<Vec<JoinHandle<()>>>,
    tasks: Vec<JoinHandle<()>>,
    ledger: Ledger,
    trace: Trace,
    /// Heals under way end no fault that began after them.
    healed: Arc<AtomicU64>,
}

impl World {
    fn new(plan: &Plan, broken: Option<Broken>, place: &std::path::Path, trace: Trace) -> Self {
        let cluster = cluster::of(plan.servers);
        let network = Network::new(plan.seed, plan.latency_ms, trace.clone());
        let (ledger, hurry) = (Ledger::default(), Arc::new(Notify::new()));
        let numbers = (0..plan.studies).map(|study| u8::try_from(study).unwrap());
        let studies: Vec<_> = numbers.map(|number| studies::of(&cluster, number)).collect();
        let studies = Arc::new(studies);
        let machines: Vec<_> = (0..plan.servers)
            .map(|server| {
                let directory = place.join(server.to_string());
                std::fs::create_dir(&directory).unwrap();
                let (cluster, network) = (cluster.clone(), network.clone());
                let notes = (ledger.clone(), trace.clone());
                Machine::new(server, cluster, network, directory, broken, notes)
            })
            .collect();
        for machine in &machines {
            let (ledger, studies) = (ledger.clone(), studies.clone());
            let started = move |machine: &Machine, disk: &Disk| {
                check_durable(machine.index, disk, &ledger, &studies);
            };
            tokio::spawn(machine.clone().keep(hurry.clone(), started));
        }
        let caller = |host| Caller::new(host, &network, &cluster, trace.clone());
        let people = People { caller: caller(ANALYST), cluster: cluster.clone() };
        let cells = Arc::new(Cells::new(plan.studies));
        let around = Around {
            cluster: cluster.clone(),
            studies: studies.clone(),
            cells,
            ledger: ledger.clone(),
            trace: trace.clone(),
        };
        let providers = (0..plan.providers).map(|index| {
            let (seed, caller, around) = (plan.seed, caller(PROVIDERS + index), around.clone());
            Arc::new(match uses_the_library(seed, index) {
                true => {
                    let directory = place.join(format!("provider-{index}"));
                    let library = Library::new(index, seed, caller, around, directory, broken);
                    Somebody::Library(Box::new(library))
                }
                false => Somebody::Wire(Box::new(Provider::new(index, seed, caller, around))),
            })
        });
        let providers: Vec<_> = providers.collect();
        let orders = providers.iter().map(|_| Vec::new()).collect();
        let (tasks, healed) = (Vec::new(), Arc::default());
        Self {
            cluster,
            network,
            machines,
            hurry,
            studies,
            people,
            providers,
            orders,
            tasks,
            ledger,
            trace,
            healed,
        }
    }

    async fn play(mut self, plan: &Plan) -> Report {
        let mut report = Report::default();
        let ledger = self.ledger.clone();
        tokio::select! {
            biased;
            () = ledger.found() => {}
            () = self.play_all(plan, &mut report) => {}
        }
        report.virtual_time = self.trace.elapsed();
        report.fired = self.trace.all_fired();
        for machine in &self.machines {
            let (lives, writes) = machine.work();
            report.crashes += u64::from(lives).saturating_sub(1);
            report.writes += writes;
        }
        let books = ledger.books();
        let receipts =
            books.submissions.values().map(|submission| submission.receipts.len() as u64);
        report.receipts = receipts.sum();
        drop(books);
        report.wrong.extend(ledger.all_wrong());
        self.machines.iter().for_each(|machine| machine.scrap());
        report
    }

    async fn play_all(&mut self, plan: &Plan, report: &mut Report) {
        let mut proposed = vec![false; plan.studies];
        for Step { after_ms, what } in &plan.steps {
            tokio::time::sleep(Duration::from_millis(*after_ms)).await;
            self.trace.say(|| format!("== {what:?}"));
            if let What::Propose { study } = what {
                proposed[*study] = true;
            }
            match self.operate(what) || self.inject(what) {
                true if matches!(what, What::Heal) => self.heal(),
                true => {}
                false => unreachable!("a step is an operation or a fault"),
            }
            match is_operation(what) {
                true => report.operations += 1,
                false => report.faults += 1,
            }
        }
        self.trace.say(|| "== the end begins".into());
        self.heal();
        let ended = tokio::time::timeout(BOUND, self.end(&proposed, report)).await;
        if ended.is_err() {
            let states = self.states(&proposed).await;
            report.wrong.push(format!("no end after {} s: {states}", BOUND.as_secs()));
        }
    }

    /// Does an operation; `false`: it is none.
    fn operate(&mut self, what: &What) -> bool {
        let people = self.people.clone();
        let id = |study: usize| self.studies[study].study.id();
        match *what {
            What::Propose { study } => {
                let (studies, ledger) = (self.studies.clone(), self.ledger.clone());
                self.spawn(async move {
                    if let Err(error) = people.propose(&studies[study]).await {
                        ledger.wrong(error);
                    }
                });
            }
            What::Approve { study, server } => {
                let id = id(study);
                self.spawn(async move { drop(people.approve(id, server).await) });
            }
            What::Close { study } => {
                let id = id(study);
                self.spawn(async move { drop(people.close(id).await) });
            }
            What::Cancel { study, server } => {
                let id = id(study);
                self.ledger.books().cancelled.insert(study);
                self.spawn(async move { people.cancel(id, server).await });
            }
            What::Submit { provider, study, records, dies } => {
                self.order(provider, Order::Submit { study, records }, dies);
            }
            What::Retry { provider } => self.order(provider, Order::Retry, false),
            What::Replace { provider, study, dies } => {
                self.order(provider, Order::Replace { study }, dies);
            }
            What::Withdraw { provider, study, dies } => {
                self.order(provider, Order::Withdraw { study }, dies);
            }
            What::KillProvider { provider } => {
                self.orders[provider].drain(..).for_each(|order| order.abort());
            }
            What::Heal => {}
            _ => return false,
        }
        true
    }

    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.push(tokio::spawn(task));
    }

    /// A provider does one thing after the other.
    fn order(&mut self, provider: usize, order: Order, dies: bool) {
        let me = self.providers[provider].clone();
        let before = std::mem::take(&mut self.orders[provider]);
        let aborts: Vec<_> = before.iter().map(JoinHandle::abort_handle).collect();
        let task = tokio::spawn(async move {
            // Whoever kills this one kills those before it.
            let _others = Aborts(aborts);
            join_all(before).await;
            me.follow(order, dies).await;
        });
        self.orders[provider].push(task);
    }

    /// Injects a fault; `false`: it is none.
    fn inject(&self, what: &What) -> bool {
        match *what {
            What::Crash { server, down_ms } => self.machines[server].crash(down_ms),
            What::CrashAtWrite { server, writes, how, down_ms } => {
                self.machines[server].crash_at_write(writes, how, down_ms);
            }
            What::FailWrite { server, writes, is_done } => {
                self.machines[server].fail_write(writes, is_done);
            }
            What::SlowDisk { server, ms, for_ms } => {
                let machine = self.machines[server].clone();
                machine.slow_disk(ms);
                self.later(for_ms, move || machine.slow_disk(0));
            }
            What::Clock { server, by_s } => self.machines[server].turn_clock(by_s),
            What::Block { from, to, for_ms } => self.block(vec![(from, to)], for_ms),
            What::Part { one, other, for_ms } => {
                self.block(vec![(one, other), (other, one)], for_ms);
            }
            What::Isolate { server, deaf, for_ms } => {
                let others = (0..self.machines.len()).filter(|other| *other != server);
                let clients = (0..self.providers.len()).map(|index| PROVIDERS + index);
                let hosts: Vec<Host> = others.chain(clients).chain([ANALYST]).collect();
                let out = hosts.iter().map(|host| (server, *host));
                let back = hosts.iter().filter(|_| deaf).map(|host| (*host, server));
                self.block(out.chain(back).collect(), for_ms);
            }
            What::Slow { ms, for_ms } => {
                let network = self.network.clone();
                network.slow(ms);
                self.later(for_ms, move || network.slow(0));
            }
            What::Cut { from, to, bytes } => self.network.cut(from, to, bytes),
            What::Call { server, kind, skip, fault } => {
                self.machines[server].calls.arm(kind, skip, fault);
            }
            _ => return false,
        }
        true
    }

    fn block(&self, ways: Vec<(Host, Host)>, for_ms: u64) {
        ways.iter().for_each(|(from, to)| self.network.block(*from, *to));
        let network = self.network.clone();
        self.later(for_ms, move || {
            ways.iter().for_each(|(from, to)| network.unblock(*from, *to));
        });
    }

    /// Ends a fault, unless everything was healed before.
    fn later(&self, for_ms: u64, end: impl FnOnce() + Send + 'static) {
        let (healed, then) = (self.healed.clone(), self.healed.load(Ordering::Relaxed));
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(for_ms)).await;
            if healed.load(Ordering::Relaxed) == then {
                end();
            }
        });
    }

    fn heal(&self) {
        self.healed.fetch_add(1, Ordering::Relaxed);
        self.network.heal();
        self.machines.iter().for_each(|machine| machine.heal());
        self.hurry.notify_waiters();
    }

    /// People finish what was begun, and the referee looks at what it came to.
    async fn end(&mut self, proposed: &[bool], report: &mut Report) {
        for orders in std::mem::take(&mut self.orders) {
            join_all(orders).await;
        }
        join_all(std::mem::take(&mut self.tasks)).await;
        for (study, _) in proposed.iter().enumerate().filter(|(_, proposed)| **proposed) {
            let prepared = &self.studies[study];
            let id = prepared.study.id();
            let servers = 0..self.machines.len();
            let done = async {
                self.people.propose(prepared).await?;
                let approvals = servers.clone().map(|server| self.people.approve(id, server));
                join_all(approvals).await.into_iter().collect::<Result<(), _>>()?;
                self.people.close(id).await
            };
            if let Err(error) = done.await {
                report.wrong.push(error);
            }
            // Providers come back, and send again what not all servers have answered.
            let retries =
                self.providers.iter().map(|provider| provider.follow(Order::Retry, false));
            join_all(retries).await;
            let endings = join_all(servers.map(|server| self.ending(study, server))).await;
            let (keys, books) = (self.cluster.keys(), self.ledger.books());
            let tally = &mut report.tally;
            report.wrong.extend(referee::judge(study, prepared, &keys, &books, &endings, tally));
        }
    }

    /// Waits for a study's end at a server.
    async fn ending(&self, study: usize, server: usize) -> Ending {
        let id = self.studies[study].study.id();
        loop {
            let state = self.people.state(server, id).await;
            if let Some(state) = state.filter(|state| state.is_final()) {
                let message = v1::GetStudyRequest { study_id: id.0.to_vec().into() };
                let mut studies = self.people.caller.studies(server);
                if let Ok(outcome) = studies.get_outcome(request(message)).await {
                    let outcome = outcome.into_inner();
                    let (detail, servers) = (outcome.detail, outcome.servers);
                    self.trace.say(|| format!("study {study} is {state} at {server}: {detail}"));
                    return Ending {
                        state,
                        detail,
                        servers,
                        published: outcome.published.to_vec(),
                    };
                }
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    async fn states(&self, proposed: &[bool]) -> String {
        let mut words = Vec::new();
        for study in (0..proposed.len()).filter(|study| proposed[*study]) {
            let id = self.studies[study].study.id();
            for (server, machine) in self.machines.iter().enumerate() {
                let row = machine.disk().and_then(|disk| at_once(disk.peek().study(id)).ok()?);
                let words_of =
                    |row: server::storage::StudyRow| format!("{} ({})", row.state, row.detail.text);
                let row = row.map_or("nothing".into(), words_of);
                words.push(format!("study {study} at {server}: {row}"));
            }
        }
        words.join("; ")
    }
}

/// Aborts tasks when it is dropped.
struct Aborts(Vec<tokio::task::AbortHandle>);

impl Drop for Aborts {
    fn drop(&mut self) {
        self.0.iter().for_each(|task| task.abort());
    }
}

/// What people and providers do, but for the end of faults.
fn is_operation(what: &What) -> bool {
    matches!(
        what,
        What::Propose { .. }
            | What::Approve { .. }
            | What::Close { .. }
            | What::Cancel { .. }
            | What::Submit { .. }
            | What::Retry { .. }
            | What::Replace { .. }
            | What::Withdraw { .. }
            | What::Heal
    )
}

/// Whatever a server signed for is on its disk when it starts, or its study has ended.
fn check_durable(server: usize, disk: &Disk, ledger: &Ledger, studies: &[Prepared]) {
    let books = ledger.books();
    let mut wrong = Vec::new();
    for (index, prepared) in studies.iter().enumerate() {
        let id = prepared.study.id();
        let row = at_once(disk.peek().study(id)).expect("a study can be read");
        let is_over = row.is_some_and(|row: server::storage::StudyRow| {
            row.state.is_final() && row.state != StudyState::Published
        });
        if is_over {
            continue;
        }
        let signed = books.submissions.iter().filter(|(_, submission)| {
            submission.study == index && submission.receipts.contains(&server)
        });
        let ids: Vec<_> = signed.map(|(id, _)| *id).collect();
        let stored = match ids.is_empty() {
            true => Vec::new(),
            false => at_once(disk.peek().submissions(id, &ids)).unwrap_or_default(),
        };
        for (place, submission) in ids.iter().enumerate() {
            if stored.get(place).is_none_or(Option::is_none) {
                wrong.push(format!("{server} signed for {submission} and has it no more"));
            }
        }
        let amendments = at_once(disk.peek().amendments(id)).unwrap_or_default();
        let amended = books
            .amendments
            .iter()
            .filter(|(_, noted)| noted.study == index && noted.receipts.contains(&server));
        for (id, noted) in amended {
            if !amendments.contains(&noted.signed.encode()) {
                wrong.push(format!("{server} signed for amendment {id} and has it no more"));
            }
        }
    }
    drop(books);
    wrong.into_iter().for_each(|wrong| ledger.wrong(wrong));
}

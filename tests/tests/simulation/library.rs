//! Library: a provider who submits, replaces and withdraws with the client library, files included.
//!
//! Its process may end at any moment; its directory stays. What it did is read from there as a user
//! would read it: from its receipts, and from the submissions that lie ready to be sent.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use client::{
    ClientError, Exit, Profile,
    connection::Cluster as Servers,
    profile::Role,
    progress::{Event, Progress},
    submit::{self, Options, pending::Pending, receipts},
    testing::ready,
};
use mpc::{
    collect::Amendment,
    ids::{AmendmentId, SubmissionId},
    sign::Signer,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio_util::sync::CancellationToken;

use crate::{
    broken::Broken,
    callers::Caller,
    cluster::Cluster,
    ledger::{self, Ledger},
    machine::clock,
    provider::{Around, Order},
    studies::{Cells, Prepared},
    trace::Trace,
};

/// How long the library waits for a server.
const PATIENCE: Duration = Duration::from_secs(60);
/// When a process that dies ends at the latest: in the middle of its work, mostly.
const DEATH_MS: u64 = 2_000;

/// A provider, its directory included.
pub struct Library {
    index: usize,
    caller: Caller,
    servers: Servers,
    profile: Profile,
    provider: Signer,
    cluster: Arc<Cluster>,
    studies: Arc<Vec<Prepared>>,
    ledger: Ledger,
    trace: Trace,
    cells: Arc<Cells>,
    directory: PathBuf,
    broken: Option<Broken>,
    rng: Mutex<StdRng>,
    memory: Mutex<Memory>,
}

/// What the provider knows without a look at its directory.
#[derive(Default)]
struct Memory {
    /// Files of each study, with the cells of their rows.
    files: Vec<Upload>,
    /// Commands that have not come to an end, in order.
    pending: Vec<Command>,
}

#[derive(Clone)]
struct Upload {
    study: usize,
    csv: PathBuf,
    cells: Vec<u32>,
    batch: u32,
    /// Whether nothing has taken its place yet, or is about to.
    is_last: bool,
}

/// A command as a user gives it, and gives it again.
#[derive(Debug, Clone)]
enum Command {
    Submit { file: usize, replaces: Option<usize> },
    Withdraw { file: usize },
}

impl Library {
    pub fn new(
        index: usize,
        seed: u64,
        caller: Caller,
        around: Around,
        directory: PathBuf,
        broken: Option<Broken>,
    ) -> Self {
        let Around { cluster, studies, cells, ledger, trace } = around;
        fs::create_dir(&directory).unwrap();
        // As the library names it in receipts.
        let directory = fs::canonicalize(directory).unwrap();
        let profile = profile(&cluster, &directory);
        let provider = profile.signer(Role::Provider).unwrap();
        let servers = Servers::by_way_of(&profile, clock(&trace), |server| {
            caller.channel(cluster.index(&server.name))
        });
        Self {
            index,
            caller,
            servers,
            profile,
            provider,
            cluster,
            studies,
            ledger,
            trace,
            cells,
            directory,
            broken,
            rng: Mutex::new(StdRng::seed_from_u64(seed ^ (0x6c69_6272 + index as u64))),
            memory: Mutex::default(),
        }
    }

    /// Does what it is asked to, after what it had begun before. With `dies` its process ends
    /// somewhere on the way.
    pub async fn follow(&self, order: Order, dies: bool) {
        self.finish().await;
        let study = match order {
            Order::Retry => return,
            Order::Submit { study, .. } | Order::Replace { study } | Order::Withdraw { study } => {
                study
            }
        };
        if !self.caller.is_open_soon(self.studies[study].study.id()).await
            || !self.begin(order, study)
        {
            return;
        }
        let death = Duration::from_millis(self.rng.lock().unwrap().random_range(0..DEATH_MS));
        tokio::select! {
            biased;
            () = tokio::time::sleep(death), if dies => {
                self.trace.fired("a provider of the library dies");
                self.trace.say(|| format!("provider {} dies", self.index));
            }
            () = self.finish() => {}
        }
    }

    /// Notes a command; false: there is nothing to do.
    fn begin(&self, order: Order, study: usize) -> bool {
        let mut memory = self.memory.lock().unwrap();
        let command = match order {
            Order::Retry => None,
            Order::Submit { records, .. } => {
                let file = self.write(&mut memory, study, records);
                file.map(|file| Command::Submit { file, replaces: None })
            }
            Order::Replace { .. } => self.last(&memory, study).and_then(|old| {
                let file = self.write(&mut memory, study, 1)?;
                Some(Command::Submit { file, replaces: Some(old) })
            }),
            Order::Withdraw { .. } => {
                self.last(&memory, study).map(|file| Command::Withdraw { file })
            }
        };
        let Some(command) = command else { return false };
        if let Command::Submit { replaces: Some(old), .. } | Command::Withdraw { file: old } =
            command
        {
            memory.files[old].is_last = false;
            // Whoever changes what is not all submitted yet does not submit it any more.
            memory
                .pending
                .retain(|command| !matches!(command, Command::Submit { file, .. } if *file == old));
        }
        self.trace.say(|| format!("provider {} is about to {command:?}", self.index));
        memory.pending.push(command);
        true
    }

    /// A file that may be replaced or withdrawn: the oldest of the study of which something was sent
    /// or lies ready.
    fn last(&self, memory: &Memory, study: usize) -> Option<usize> {
        let is_submitted = |upload: &Upload| {
            let path = receipts_of(&upload.csv);
            let has_receipts = receipts::read(&path).is_ok_and(|said| !said.entries.is_empty());
            has_receipts || Pending::beside(&path).numbers().is_ok_and(|ready| !ready.is_empty())
        };
        memory
            .files
            .iter()
            .position(|upload| upload.study == study && upload.is_last && is_submitted(upload))
    }

    /// A new file; none if there are no more cells.
    fn write(&self, memory: &mut Memory, study: usize, records: usize) -> Option<usize> {
        let cells = self.cells.take(study, records);
        let most = u32::try_from(cells.len()).unwrap();
        if cells.is_empty() {
            return None;
        }
        let mut text = "who\n".to_owned();
        cells.iter().for_each(|cell| writeln!(text, "r{cell}").unwrap());
        let number = memory.files.len();
        let csv = self.directory.join(format!("{number}.csv"));
        fs::write(&csv, text).unwrap();
        let batch = self.rng.lock().unwrap().random_range(1..=most);
        memory.files.push(Upload { study, csv, cells, batch, is_last: true });
        Some(number)
    }

    /// Gives the commands that have not come to an end.
    async fn finish(&self) {
        self.note();
        if self.broken == Some(Broken::ForgetsWhatLiesReady) {
            self.forget_what_lies_ready();
        }
        loop {
            let command = self.memory.lock().unwrap().pending.first().cloned();
            let Some(command) = command else { return };
            let ended = self.run(&command).await;
            self.note();
            self.trace.say(|| format!("provider {}: {command:?}: {ended:?}", self.index));
            match ended {
                Ok(what) => self.trace.fired(what),
                Err(error) => match error.exit() {
                    Exit::Unreachable => return,
                    // The study takes nothing any more.
                    Exit::Refused => {}
                    _ => self.ledger.wrong(format!("{command:?} ends with: {error}")),
                },
            }
            self.memory.lock().unwrap().pending.remove(0);
        }
    }

    fn forget_what_lies_ready(&self) {
        for upload in &self.memory.lock().unwrap().files {
            // There is nothing, mostly.
            let _ = fs::remove_dir_all(Pending::beside(&receipts_of(&upload.csv)).dir());
        }
    }

    async fn run(&self, command: &Command) -> Result<&'static str, ClientError> {
        let upload = |file: usize| self.memory.lock().unwrap().files[file].clone();
        let (stop, news) = (CancellationToken::new(), News(self.trace.clone()));
        match *command {
            Command::Submit { file, replaces } => {
                let Upload { study, csv, batch, .. } = upload(file);
                let options = Options {
                    batch: Some(batch),
                    replace: replaces.map(|old| receipts_of(&upload(old).csv)),
                    timeout: PATIENCE,
                    ..Options::default()
                };
                let (id, news) = (self.studies[study].study.id(), Arc::new(news));
                let (servers, profile) = (&self.servers, &self.profile);
                submit::submit_through(servers, profile, id, &csv, &options, &stop, news).await?;
                Ok(if replaces.is_some() { "the library replaces" } else { "the library submits" })
            }
            Command::Withdraw { file } => {
                let receipts = receipts_of(&upload(file).csv);
                let (servers, profile) = (&self.servers, &self.profile);
                submit::withdraw_through(servers, profile, &receipts, PATIENCE, &stop, &news)
                    .await?;
                Ok("the library withdraws")
            }
        }
    }

    /// Enters into the ledger what lies in the directory.
    fn note(&self) {
        let files = self.memory.lock().unwrap().files.clone();
        let mut books = self.ledger.books();
        for upload in &files {
            let path = receipts_of(&upload.csv);
            let rows = |first: u64, records: u32| {
                let first = usize::try_from(first).unwrap() - 1;
                upload.cells[first..first + records as usize].to_vec()
            };
            for (first_row, public) in ready(&Pending::beside(&path)) {
                books.submissions.entry(public.submission).or_insert_with(|| ledger::Submission {
                    study: upload.study,
                    cells: rows(first_row, public.records),
                    hash: public.hash(),
                    amendment: public.amendment,
                    sent: true,
                    receipts: BTreeSet::new(),
                });
            }
            // There are none before the first is begun.
            let Ok(said) = receipts::read(&path) else { continue };
            let amendment = said.header.replaces.as_ref().map(|by| by.amendment.parse().unwrap());
            for entry in &said.entries {
                let id: SubmissionId = entry.submission.parse().unwrap();
                let noted = books.submissions.entry(id).or_insert_with(|| ledger::Submission {
                    study: upload.study,
                    cells: rows(entry.first_row, entry.records),
                    hash: entry.public_hash.parse().unwrap(),
                    amendment,
                    sent: true,
                    receipts: BTreeSet::new(),
                });
                noted.receipts = self.places(&entry.receipts);
            }
        }
        for upload in &files {
            let Ok(said) = receipts::read(&receipts_of(&upload.csv)) else { continue };
            if let Some((amendment, receipts)) = self.change(upload, &said, &files) {
                let noted = ledger::Amendment {
                    study: upload.study,
                    signed: amendment.sign(&self.provider),
                    sent: true,
                    receipts,
                };
                books.amendments.insert(noted.signed.amendment.id, noted);
            }
        }
    }

    /// The change that takes the place of an upload, once it may have been sent, and the servers whose
    /// receipts for it there are.
    fn change(
        &self,
        upload: &Upload,
        said: &receipts::Document,
        files: &[Upload],
    ) -> Option<(Amendment, BTreeSet<usize>)> {
        let retired = said.retired.as_ref()?;
        let id: AmendmentId = retired.retired_by.parse().unwrap();
        let after = match &retired.receipts {
            None => None,
            Some(by) => {
                let by = files.iter().find(|file| Path::new(by) == receipts_of(&file.csv))?;
                let after = receipts::read(&receipts_of(&by.csv)).ok()?;
                let records: usize = after.entries.iter().map(|entry| entry.records as usize).sum();
                // It is said once all servers hold all of it.
                Some((records == by.cells.len()).then_some(after)?)
            }
        };
        let entries = after.iter().flat_map(|after| &after.entries);
        let new: BTreeSet<SubmissionId> =
            entries.map(|entry| entry.submission.parse().unwrap()).collect();
        let acknowledged = after.as_ref().unwrap_or(said).acknowledged.iter();
        let own = acknowledged.filter(|line| line.amendment == retired.retired_by);
        let receipts = own.flat_map(|line| self.places(&line.acknowledged)).collect();
        let amendment = Amendment {
            study: self.studies[upload.study].study.id(),
            id,
            sequence: said.next_sequence(),
            provider: self.provider.public(),
            old: said.submissions().unwrap().into_iter().collect(),
            new: new.into_iter().collect(),
        };
        Some((amendment, receipts))
    }

    fn places(&self, by_name: &BTreeMap<String, String>) -> BTreeSet<usize> {
        by_name.keys().map(|name| self.cluster.index(name)).collect()
    }
}

/// A profile and a provider's key in a directory.
fn profile(cluster: &Cluster, directory: &Path) -> Profile {
    let mut text = "roots = \"roots.pem\"\n[provider]\nkey = \"provider.key\"\n".to_owned();
    for (place, server) in cluster.servers().iter().enumerate() {
        let (name, identity, pin) = (&server.name, server.identity, cluster.pin(place));
        writeln!(
            text,
            "[[server]]\nname = \"{name}\"\nendpoint = \"https://{name}:1\"\n\
             identity = \"{identity}\"\ntls = \"{pin}\""
        )
        .unwrap();
    }
    let file = directory.join("sotto.toml");
    fs::write(&file, text).unwrap();
    Profile::load(&file).unwrap()
}

fn receipts_of(csv: &Path) -> PathBuf {
    csv.with_extension("csv.receipts")
}

/// What the library says is a part of what happened.
struct News(Trace);

impl Progress for News {
    fn event(&self, event: Event) {
        self.0.say(|| format!("the library: {event:?}"));
    }
}

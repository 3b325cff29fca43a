//! Traffic: people who create studies, submit to them and wait for results, whatever happens to the
//! servers meanwhile, and who see for themselves that everybody was counted once.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    client::Client,
    one_hot::{self, assert_everybody_counts_once},
    process::{DEADLINE, Outcome},
};

/// A command that a server was away for is repeated after this, as a script of an analyst would.
const PAUSE: Duration = Duration::from_millis(100);

/// What people did until now.
#[derive(Debug, Default)]
pub struct Tally {
    /// Studies that ended with a result that was checked.
    pub studies: AtomicUsize,
    /// Persons in them, each of whom was counted once.
    pub people: AtomicUsize,
    /// Persons with receipts of all servers in studies that were closed while they submitted.
    pub late: AtomicUsize,
    /// How many are submitting now.
    pub submitting: AtomicUsize,
    stop: AtomicBool,
}

/// People at work. Dropping it does not stop them; [`Traffic::end`] does.
pub struct Traffic {
    pub tally: Arc<Tally>,
    people: Vec<JoinHandle<()>>,
}

impl Traffic {
    /// That many analysts, each with studies one after another, in directories of their own beside
    /// the profile.
    pub fn start(client: &Client, analysts: usize) -> Self {
        let tally = Arc::<Tally>::default();
        let people = (0..analysts).map(|analyst| {
            let dir = client.dir.join(format!("analyst-{analyst}"));
            let (client, tally) = (Client::new(dir, &client.profile), tally.clone());
            thread::spawn(move || {
                let mut study = 0;
                while !tally.stop.load(Ordering::Relaxed) {
                    // Every third study is closed while people submit to it.
                    match study % 3 {
                        2 => closed_early(&client, study, &tally),
                        _ => whole(&client, study, &tally),
                    }
                    study += 1;
                }
            })
        });
        Self { people: people.collect(), tally }
    }

    /// Whether somebody has found something wrong.
    pub fn has_failed(&self) -> bool {
        self.people.iter().any(JoinHandle::is_finished)
    }

    /// Lets the studies under way come to their end.
    pub fn end(self) -> Arc<Tally> {
        self.tally.stop.store(true, Ordering::Relaxed);
        for people in self.people {
            if let Err(panic) = people.join() {
                std::panic::resume_unwind(panic);
            }
        }
        self.tally
    }
}

/// A study of which all have receipts before it is closed.
fn whole(client: &Client, study: usize, tally: &Tally) {
    const PEOPLE: usize = 12;
    let id = create(client, PEOPLE);
    for (part, range) in [0..5, 5..PEOPLE].into_iter().enumerate() {
        let name = format!("{study}-{part}.csv");
        client.write(&name, one_hot::people(range));
        let batch = if part == 0 { "1" } else { "3" };
        tally.submitting.fetch_add(1, Ordering::Relaxed);
        repeat(|| client.run(&["submit", &id, &name, "--batch", batch]));
        tally.submitting.fetch_sub(1, Ordering::Relaxed);
    }
    repeat(|| client.run(&["study", "close", &id]));
    assert_everybody_counts_once(&result(client, &id), PEOPLE);
    for part in 0..2 {
        let receipts = format!("{study}-{part}.csv.receipts");
        repeat(|| client.run(&["receipt", "check", &receipts]));
    }
    tally.studies.fetch_add(1, Ordering::Relaxed);
    tally.people.fetch_add(PEOPLE, Ordering::Relaxed);
}

/// A study that is closed while people submit to it: whoever has receipts of all counts, and nobody
/// counts twice.
fn closed_early(client: &Client, study: usize, tally: &Tally) {
    const PEOPLE: usize = 12;
    let id = create(client, PEOPLE);
    let (csv, receipts) = (format!("{study}.csv"), format!("{study}.csv.receipts"));
    client.write(&csv, one_hot::people(0..PEOPLE));
    tally.submitting.fetch_add(1, Ordering::Relaxed);
    let start = || client.start(&["submit", &id, &csv, "--batch", "1"]);
    let (mut submit, started) = (start(), Instant::now());
    while acknowledged(&client.dir.join(&receipts)) < 3 {
        assert!(started.elapsed() < DEADLINE, "no receipts: {}", submit.stderr());
        thread::sleep(PAUSE / 4);
        // A server may be away when it begins.
        if !submit.is_running() {
            let ended = std::mem::replace(&mut submit, start()).wait();
            assert!(ended.code.is_some_and(|code| [0, 5].contains(&code)), "{ended:?}");
        }
    }
    repeat(|| client.run(&["study", "close", &id]));
    // It ends well, or with the news that the study takes no more.
    let ended = submit.wait();
    tally.submitting.fetch_sub(1, Ordering::Relaxed);
    assert!(ended.code.is_some_and(|code| [0, 5, 7].contains(&code)), "{ended:?}");
    let result = result(client, &id);
    let late = acknowledged(&client.dir.join(&receipts));
    assert_nobody_counts_twice(&result, late);
    repeat(|| client.run(&["receipt", "check", &receipts]));
    tally.studies.fetch_add(1, Ordering::Relaxed);
    tally.late.fetch_add(late, Ordering::Relaxed);
}

/// The persons of a receipts file that was written with `--batch 1`.
pub fn acknowledged(receipts: &Path) -> usize {
    let text = fs::read_to_string(receipts).unwrap_or_default();
    // The first line is the header, and the last one may be half written.
    text.lines().skip(1).filter(|line| line.ends_with('}')).count()
}

#[track_caller]
fn assert_nobody_counts_twice(result: &Value, acknowledged: usize) {
    let cells = result["statistics"][0]["cells"].as_array().unwrap();
    let counts: Vec<_> = cells.iter().map(|cell| cell["value"].as_u64().unwrap()).collect();
    assert!(counts.iter().all(|count| *count <= 1), "{result}");
    let records = result["records"].as_u64().unwrap();
    assert_eq!(counts.iter().sum::<u64>(), records, "{result}");
    assert_eq!(result["rejected"], 0, "{result}");
    assert!(records >= acknowledged as u64, "{acknowledged} have receipts: {result}");
}

fn create(client: &Client, people: usize) -> String {
    client.write("study.toml", one_hot::study(people));
    let created = repeat(|| client.run(&["study", "create", "study.toml"]));
    created.stdout.trim_end().to_owned()
}

fn result(client: &Client, id: &str) -> Value {
    repeat(|| client.run(&["result", id, "--wait", "--json"])).json()
}

/// Repeats a command as long as a server is not there (exit code 5), and requires its success.
#[track_caller]
pub fn repeat(command: impl Fn() -> Outcome) -> Outcome {
    let started = Instant::now();
    loop {
        let outcome = command();
        if outcome.code == Some(0) {
            return outcome;
        }
        assert_eq!(outcome.code, Some(5), "{}{}", outcome.stdout, outcome.stderr);
        assert!(started.elapsed() < 2 * DEADLINE, "again and again: {}", outcome.stderr);
        thread::sleep(PAUSE);
    }
}

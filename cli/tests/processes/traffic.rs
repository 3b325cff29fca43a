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

/// Persons of each study.
pub const PEOPLE: usize = 12;

/// What people did until now.
#[derive(Debug, Default)]
pub struct Tally {
    /// Studies that ended with a result that was checked.
    pub studies: AtomicUsize,
    /// Persons in them, each of whom was counted once.
    pub people: AtomicUsize,
    /// Studies among them that were closed while people submitted.
    pub closed_early: AtomicUsize,
    /// Persons with receipts of all servers in these.
    pub late: AtomicUsize,
    /// How many are submitting now.
    pub submitting: AtomicUsize,
    stop: AtomicBool,
    is_given_up: AtomicBool,
}

/// People at work. [`Traffic::end`] lets them come to an end; when it is dropped, because the test has
/// failed, they give up at their next command.
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
                    // The first and every third study after it is closed while people submit to it.
                    match study % 3 {
                        0 => closed_early(&client, study, &tally),
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
    pub fn end(mut self) -> Arc<Tally> {
        self.tally.stop.store(true, Ordering::Relaxed);
        for people in std::mem::take(&mut self.people) {
            if let Err(panic) = people.join() {
                std::panic::resume_unwind(panic);
            }
        }
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        let (late, closed_early) = (count(&self.tally.late), count(&self.tally.closed_early));
        assert!(late < PEOPLE * closed_early, "nobody was too late: {:?}", self.tally);
        self.tally.clone()
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.tally.stop.store(true, Ordering::Relaxed);
        self.tally.is_given_up.store(true, Ordering::Relaxed);
    }
}

impl Tally {
    /// [`repeat`], as long as the test goes on.
    #[track_caller]
    fn repeat(&self, command: impl Fn() -> Outcome) -> Outcome {
        repeat(|| {
            assert!(!self.is_given_up.load(Ordering::Relaxed), "the test has ended");
            command()
        })
    }
}

/// A study of which all have receipts before it is closed.
fn whole(client: &Client, study: usize, tally: &Tally) {
    let id = create(client, tally, PEOPLE);
    for (part, range) in [0..5, 5..PEOPLE].into_iter().enumerate() {
        let name = format!("{study}-{part}.csv");
        client.write(&name, one_hot::people(range));
        let batch = if part == 0 { "1" } else { "3" };
        tally.submitting.fetch_add(1, Ordering::Relaxed);
        tally.repeat(|| client.run(&["submit", &id, &name, "--batch", batch]));
        tally.submitting.fetch_sub(1, Ordering::Relaxed);
    }
    tally.repeat(|| client.run(&["study", "close", &id]));
    assert_everybody_counts_once(&result(client, tally, &id), PEOPLE);
    for part in 0..2 {
        let receipts = format!("{study}-{part}.csv.receipts");
        tally.repeat(|| client.run(&["receipt", "check", &receipts]));
    }
    tally.studies.fetch_add(1, Ordering::Relaxed);
    tally.people.fetch_add(PEOPLE, Ordering::Relaxed);
}

/// A study that is closed while people submit to it, one after another: whoever has receipts of all
/// counts, and nobody counts twice.
fn closed_early(client: &Client, study: usize, tally: &Tally) {
    let id = create(client, tally, PEOPLE);
    let files: Vec<_> = (0..PEOPLE).map(|person| format!("{study}-{person}.csv")).collect();
    for (person, file) in files.iter().enumerate() {
        client.write(file, one_hot::people(person..person + 1));
    }
    let submit = ["submit", &id].into_iter().chain(files.iter().map(String::as_str));
    let submit: Vec<_> = submit.chain(["--batch", "1"]).collect();
    let receipts = |file: &String| client.dir.join(format!("{file}.receipts"));
    let all_acknowledged = || files.iter().map(|file| acknowledged(&receipts(file))).sum::<usize>();
    tally.submitting.fetch_add(1, Ordering::Relaxed);
    let (mut submitting, started) = (client.start(&submit), Instant::now());
    while all_acknowledged() < 3 {
        assert!(started.elapsed() < DEADLINE, "no receipts: {}", submitting.stderr());
        thread::sleep(PAUSE / 10);
        // A server may be away when it begins.
        if !submitting.is_running() {
            let ended = std::mem::replace(&mut submitting, client.start(&submit)).wait();
            assert!(ended.code.is_some_and(|code| [0, 5].contains(&code)), "{ended:?}");
        }
    }
    tally.repeat(|| client.run(&["study", "close", &id]));
    // It ends well, or with the news that the study takes no more.
    let ended = submitting.wait();
    tally.submitting.fetch_sub(1, Ordering::Relaxed);
    assert!(ended.code.is_some_and(|code| [0, 5, 7].contains(&code)), "{ended:?}");
    let result = result(client, tally, &id);
    let late = all_acknowledged();
    assert_nobody_counts_twice(&result, late);
    for file in files.iter().filter(|file| acknowledged(&receipts(file)) > 0) {
        tally.repeat(|| client.run(&["receipt", "check", &format!("{file}.receipts")]));
    }
    tally.studies.fetch_add(1, Ordering::Relaxed);
    tally.closed_early.fetch_add(1, Ordering::Relaxed);
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
    // Who is at two of three servers when the study is closed is listed as rejected.
    assert!(records >= acknowledged as u64, "{acknowledged} have receipts: {result}");
}

fn create(client: &Client, tally: &Tally, people: usize) -> String {
    client.write("study.toml", one_hot::study(people));
    let created = tally.repeat(|| client.run(&["study", "create", "study.toml"]));
    created.stdout.trim_end().to_owned()
}

fn result(client: &Client, tally: &Tally, id: &str) -> Value {
    tally.repeat(|| client.run(&["result", id, "--wait", "--json"])).json()
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

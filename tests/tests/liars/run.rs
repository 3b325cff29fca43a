//! One run with one liar: three real servers, of which one lies, to the end of the study.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use client::{
    audit::{self, Verdict},
    bundle,
    progress::Silent,
    receipt,
    status::{Overview, Report, State},
    studies::{self, Action},
    submit::Options,
};
use mpc::{ids::StudyId, publish::Published};
use proto::v1::{GetStudyRequest, studies_client::StudiesClient};
use rusqlite::Connection;
use sotto_tests::{Provider, World};
use study::Value;
use tokio_util::sync::CancellationToken;

use super::cases::{Asks, Case, Way};

/// The servers.
pub const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];

/// What became of a study.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// A result, over so many submissions.
    Published { submissions: u64, rejected: u64 },
    /// No result, for good.
    Aborted,
    /// No result as long as the liar keeps silent, and the true one afterwards.
    Waits,
}

/// What one run came to.
#[derive(Debug)]
pub struct Ended {
    /// What became of the study at the honest servers.
    pub ending: Ending,
    /// Whom they accuse.
    pub accused: BTreeSet<String>,
    /// Their words.
    pub words: Vec<String>,
    /// Whom the records of the honest servers convict, or a provider's receipts.
    pub convicted: BTreeSet<String>,
}

const HEAD: &str = "title = \"Ages\"\n[privacy]\nmin_records = 1\n";
const COLUMNS: &str = r#"
[[column]]
name = "age"
type = "integer"
min = 0
max = 100
[[column]]
name = "town"
type = "category"
values = ["A", "B"]
"#;

fn study_file(asks: Asks) -> String {
    let (rule, by) = match asks {
        Asks::Sum => ("", ""),
        Asks::SmallCells => ("min_cell = 2\n", "by = [\"town\"]\n"),
        Asks::Noise => ("epsilon = 1.0\nunit = \"record\"\n", ""),
    };
    format!(
        "{HEAD}{rule}{COLUMNS}[[statistic]]\nname = \"sum\"\nkind = \"sum\"\nof = \"age\"\n{by}"
    )
}

/// Runs `case` to its end, with this server as the liar.
pub async fn run(case: &Case, liar: usize) -> Ended {
    let edit = |_, text: String| {
        // A lie is told once. So no other run may fail, however busy the machine is.
        let round_seconds = if case.is_silent() { 2 } else { 20 };
        let text = format!("{text}round_seconds = {round_seconds}\n");
        if case.is_in_setup() { text.replace("\"automatic\"", "\"manual\"") } else { text }
    };
    let mut world = World::with_configs(3, edit).await;
    let file = world.file("study.toml", &study_file(case.asks));
    let study = studies::create(&world.profile(), &file, &Silent).await.unwrap().id;
    if case.is_in_setup() {
        lie(&mut world, case, liar, study).await;
        studies::command(&world.profile(), study, Action::Approve, &[]).await.unwrap();
    } else {
        if case.is_in_verification() {
            lie(&mut world, case, liar, study).await;
        }
        let receipts = submit(&world, case, study).await;
        if !case.is_in_verification() {
            lie(&mut world, case, liar, study).await;
        }
        // A study that has aborted cannot be closed any more.
        studies::command(&world.profile(), study, Action::Close, &[]).await.unwrap();
        let mut ended = ending(&world, case, liar, study).await;
        if let Ending::Published { .. } = ended.ending {
            ended.convicted.extend(broken_words(&world, &receipts).await);
        }
        world.end().await;
        return ended;
    }
    let ended = ending(&world, case, liar, study).await;
    world.end().await;
    ended
}

/// Three submissions of one record, verified by all servers unless the liar prevents it; and one that
/// gamma never gets, where lists are to differ. Returns the receipts of the three.
async fn submit(world: &World, case: &Case, study: StudyId) -> PathBuf {
    let file = world.file("people.csv", "age,town\n30,A\n40,A\n50,B\n");
    let timeout = Duration::from_secs(20);
    let options = Options { batch: Some(1), timeout, ..Options::default() };
    let sent = world.submit_with(study, &file, &options).await;
    // A study that has aborted takes nothing more.
    assert!(sent.is_ok() || case.is_in_verification(), "{}: {sent:?}", case.does);
    let receipts = world.path().join("people.csv.receipts");
    if case.lists {
        let mut provider = Provider::new(world, study, 1).await;
        let wires = provider.encode(&[vec![Value::Number(60), Value::Category(0)]]);
        let sharded = provider.shard(wires);
        for server in [0, 1] {
            provider.send(world, &sharded, server).await.unwrap();
        }
    }
    for _ in 0..600 {
        let overview = studies::show(&world.profile(), study).await.unwrap();
        let done = |report: &Report| report.verified == 3 || report.state.is_final();
        if overview.servers.iter().all(done) {
            return receipts;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{}: the submissions were not verified", case.does);
}

/// Makes the liar lie.
async fn lie(world: &mut World, case: &Case, liar: usize, study: StudyId) {
    match case.way {
        Way::Says(lie) => lie.tell(world, liar, study),
        Way::AddsOne => world.add_wrongly(liar),
        Way::Deletes => {
            world.stop(liar).await;
            let database = Connection::open(world.data(liar).join("sotto.db")).unwrap();
            let first = "WHERE arrival = (SELECT min(arrival) FROM submission)";
            for table in ["submission_share", "submission"] {
                let deleted = database.execute(&format!("DELETE FROM {table} {first}"), []);
                assert_eq!(deleted.unwrap(), 1);
            }
            drop(database);
            world.start(liar).await;
        }
    }
}

/// Waits for the end at the honest servers, or until they have waited long enough for the liar.
async fn ending(world: &World, case: &Case, liar: usize, study: StudyId) -> Ended {
    let mut overview = studies::show(&world.profile(), study).await.unwrap();
    let patience = if case.is_silent() { 80 } else { 1200 };
    for _ in 0..patience {
        if honest(&overview, liar).all(|report| report.state.is_final()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        overview = studies::show(&world.profile(), study).await.unwrap();
    }
    let words = honest(&overview, liar).map(Report::why).collect();
    let mut ended = Ended {
        ending: Ending::Aborted,
        accused: BTreeSet::new(),
        words,
        convicted: BTreeSet::new(),
    };
    if honest(&overview, liar).any(|report| report.state == State::Published) {
        ended.ending = published(world, case, liar, study).await;
    } else if !honest(&overview, liar).all(|report| report.state.is_final()) {
        ended.accused =
            honest(&overview, liar).flat_map(|report| report.waits_for.clone()).collect();
        world.tamper(liar, Box::new(|_, frame| frame));
        if case.is_in_setup() {
            opens(world, study).await;
        } else {
            published(world, case, liar, study).await;
        }
        ended.ending = Ending::Waits;
        return ended;
    }
    for report in honest(&overview, liar).filter(|report| report.state == State::Aborted) {
        // What a server was told by another is that server's word.
        if report.detail.contains("aborted the study") {
            continue;
        }
        ended.accused.extend(report.waits_for.clone());
        ended.convicted.extend(convicted(world, study, &report.server).await);
    }
    ended
}

/// The reports of the servers that keep to the protocol.
fn honest(overview: &Overview, liar: usize) -> impl Iterator<Item = &Report> {
    overview.servers.iter().filter(move |report| report.server != NAMES[liar])
}

async fn opens(world: &World, study: StudyId) {
    for _ in 0..600 {
        let overview = studies::show(&world.profile(), study).await.unwrap();
        if overview.state == State::Open {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the study did not open");
}

/// Checks what was published, everywhere, against what was submitted.
async fn published(world: &World, case: &Case, liar: usize, study: StudyId) -> Ending {
    world.result(study).await.unwrap();
    let mut found = None;
    for (server, name) in NAMES.into_iter().enumerate().filter(|(server, _)| *server != liar) {
        let request = GetStudyRequest { study_id: study.0.to_vec().into() };
        let outcome = StudiesClient::new(world.channel(server).await).get_outcome(request).await;
        let Ok(published) = Published::decode(&outcome.unwrap().into_inner().published) else {
            continue;
        };
        let left_out: Vec<u64> = published.rejected.iter().map(|_| 1).collect();
        assert_eq!(published.submissions, published.records, "{name}");
        let possible: Vec<i128> = match published.submissions {
            3 => vec![120],
            // Without the first of the submissions, by whatever it held.
            2 => vec![70, 80, 90],
            count => panic!("{}: {count} submissions at {name}", case.does),
        };
        if case.asks == Asks::Sum {
            let total = published.totals.iter().flatten().max();
            assert!(possible.contains(total.unwrap()), "{}: {published:?}", case.does);
        }
        let rejected = left_out.iter().sum();
        found = Some(Ending::Published { submissions: published.submissions, rejected });
        let report = audited(world, study, name).await;
        assert_eq!(report.verdict, Verdict::Holds, "{}: {report:?}", case.does);
    }
    found.unwrap()
}

/// Whom the record that a server gives out convicts, in the eyes of somebody who trusts no server.
async fn convicted(world: &World, study: StudyId, server: &str) -> Vec<String> {
    let report = audited(world, study, server).await;
    assert!(matches!(report.verdict, Verdict::Aborted | Verdict::Untold), "{report:?}");
    report.culprits
}

async fn audited(world: &World, study: StudyId, server: &str) -> audit::Report {
    let (profile, stop) = (world.profile(), CancellationToken::new());
    let file = world.path().join(format!("{server}.sotto"));
    bundle::fetch(&profile, study, Some(server), &file, &stop, &Silent).await.unwrap();
    audit::audit(&file, Some(study), Some(&profile), &Silent)
        .unwrap_or_else(|error| panic!("{server}: {error}"))
}

/// Servers that signed a receipt, and then something that contradicts it.
async fn broken_words(world: &World, receipts: &Path) -> Vec<String> {
    let (profile, stop) = (world.profile(), CancellationToken::new());
    let report = receipt::check(Some(&profile), receipts, None, &stop, &Silent).await.unwrap();
    report.evidence.into_iter().map(|evidence| evidence.server).collect()
}

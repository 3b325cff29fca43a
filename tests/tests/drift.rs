//! Drift: servers that do not fit each other any more, by roster, version, clock or study. Each is
//! named on both sides, to clients and by the doctors, before any data moves.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on, stops")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use client::{studies, submit::Options};
use mpc::{dst, ids::StudyId};
use proto::{
    checkup::{Finding, State},
    v1::{self, studies_client::StudiesClient},
};
use server::{Server, StartError, clock::Clock, config::Config, doctor::doctor};
use sotto_tests::{AGES, Provider, World};
use study::Value;

const TEN_MINUTES_MS: u64 = 10 * 60 * 1_000;

/// A clock that is ten minutes ahead.
fn ahead() -> Clock {
    Clock::new(|| server::clock::now_ms() + TEN_MINUTES_MS)
}

/// A clock that is ten minutes behind.
fn behind() -> Clock {
    Clock::new(|| server::clock::now_ms() - TEN_MINUTES_MS)
}

/// Asks until there is an answer.
async fn wait_for<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..1_200 {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("waited too long for {what}");
}

/// What a server's log says of its link to a peer, once that has `part`.
async fn trouble(world: &World, server: usize, peer: &str, part: &str) -> String {
    let what = format!("{part:?} about {peer}");
    let says = async || world.running(server).trouble(peer).filter(|text| text.contains(part));
    wait_for(&what, says).await
}

/// One server's word on a study, asked without any check of the client.
async fn status(world: &World, server: usize, study: StudyId) -> v1::StudyStatus {
    let get = v1::GetStudyRequest { study_id: study.0.to_vec().into() };
    StudiesClient::new(world.channel(server).await).get(get).await.unwrap().into_inner()
}

/// Two servers that say what they do in metrics, too.
async fn two_servers() -> World {
    World::with_configs(2, |_, config| config + "\n[metrics]\nlisten = \"127.0.0.1:0\"\n").await
}

/// Runs of protocols that a server has been in since it started.
async fn runs(world: &World, server: usize) -> f64 {
    let metrics = world.metrics(server).await;
    let runs = metrics.lines().filter(|line| line.starts_with("sotto_run_duration_seconds_count{"));
    runs.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

/// Sends a submission to both servers by hand, because a client would refuse to; requires that they do
/// nothing with it together. Whether both have taken it.
async fn nothing_moves(world: &World, provider: &mut Provider, studies: [StudyId; 2]) -> bool {
    let before = [runs(world, 0).await, runs(world, 1).await];
    let sharded = provider.shard(provider.encode(&[vec![Value::Number(40)]]));
    let mut is_taken = true;
    for server in 0..2 {
        is_taken &= provider.send(world, &sharded, server).await.is_ok();
    }
    // Servers that fit each other verify what they took at once.
    tokio::time::sleep(Duration::from_secs(2)).await;
    for (server, before) in before.into_iter().enumerate() {
        assert_eq!(status(world, server, studies[server]).await.verified, 0);
        assert_eq!(runs(world, server).await, before, "server {server} has begun a run");
    }
    is_taken
}

/// What the servers that do not fit are called by clients.
async fn submit_error(world: &World, study: StudyId) -> String {
    let csv = world.file("ages.csv", "age\n30\n");
    let options = Options { timeout: Duration::from_secs(1), ..Options::default() };
    world.submit_with(study, &csv, &options).await.unwrap_err().to_string()
}

/// Requires a finding that fails, says `part`, and says what to do.
#[track_caller]
fn assert_found(findings: &[Finding], about: &str, part: &str) {
    let is_it = |finding: &&Finding| {
        finding.about == about && finding.state == State::Fail && finding.found.contains(part)
    };
    let found = findings.iter().find(is_it);
    let found = found.unwrap_or_else(|| panic!("{part:?} of {about}: {findings:#?}"));
    assert!(found.remedy.as_ref().is_some_and(|remedy| !remedy.is_empty()), "{found:?}");
}

/// How a drift is called: by the servers, by a client, by an operator's doctor, by a client's.
struct Names {
    servers: &'static str,
    client: &'static str,
    operators_doctor: &'static str,
    clients_doctor: &'static str,
}

/// Starts beta as something else while a study is open; requires that the drift is named by
/// everybody, that nothing was sent, and that the study goes on when beta is itself again.
async fn a_drift_is_named(clock: Clock, change: impl FnOnce(&mut Config), names: Names) {
    let mut world = two_servers().await;
    let study = world.create(AGES).await;
    let mut provider = Provider::new(&world, study, 1).await;
    world.stop(1).await;
    world.start_at(1, clock, change).await;
    trouble(&world, 0, "beta", names.servers).await;
    trouble(&world, 1, "alpha", names.servers).await;
    // The first server says it to everybody who asks for the study.
    let says = async || {
        let status = status(&world, 0, study).await;
        (status.detail.contains(names.servers) && status.servers == ["beta"]).then_some(())
    };
    wait_for("the study's detail", says).await;
    let profile = world.profile();
    let errors = [
        submit_error(&world, study).await,
        world.try_create(AGES).await.unwrap_err().to_string(),
        studies::show(&profile, study).await.unwrap_err().to_string(),
    ];
    for error in errors {
        assert!(error.contains("beta") && error.contains(names.client), "{error}");
    }
    assert_found(&doctor(world.config(0)).await, "beta", names.operators_doctor);
    let findings = client::doctor::doctor(&profile).await.unwrap();
    assert_found(&findings, "beta", names.clients_doctor);
    for server in 0..2 {
        assert_eq!(status(&world, server, study).await.submissions, 0);
    }
    let is_taken = nothing_moves(&world, &mut provider, [study; 2]).await;
    world.stop(1).await;
    world.start(1).await;
    goes_on(&world, study, is_taken).await;
    world.end().await;
}

/// Requires that a study that is open takes a submission and publishes it, with the one that was
/// taken before.
async fn goes_on(world: &World, study: StudyId, is_one_taken: bool) {
    let csv = world.file("ages.csv", "age\n30\n");
    wait_for("a submission", async || world.submit(study, &csv).await.ok()).await;
    world.close(study).await;
    assert_eq!(world.result(study).await.unwrap().records, 1 + u64::from(is_one_taken));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_ten_minutes_ahead_is_named() {
    let names = Names {
        servers: "clocks are ",
        client: "clock",
        operators_doctor: "ahead of this machine's",
        clients_doctor: "ahead of this machine's",
    };
    a_drift_is_named(ahead(), |_| {}, names).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_ten_minutes_behind_is_named() {
    let names = Names {
        servers: "clocks are ",
        client: "clock",
        operators_doctor: "behind this machine's",
        clients_doctor: "behind this machine's",
    };
    a_drift_is_named(behind(), |_| {}, names).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_of_the_protocol_is_named() {
    let names = Names {
        servers: "protocol versions do not overlap",
        client: "7 to 9",
        operators_doctor: "protocol versions do not overlap",
        clients_doctor: "7 to 9",
    };
    a_drift_is_named(Clock::system(), |config| config.protocol = 7..=9, names).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_roster_is_named() {
    let names = Names {
        servers: "different rosters",
        client: "roster",
        operators_doctor: "different rosters",
        clients_doctor: "third",
    };
    let change = |config: &mut Config| {
        let mut servers = config.roster.servers().to_vec();
        let mut third = servers[0].clone();
        third.name = "third".into();
        third.identity = mpc::sign::Signer::from_seed(&[3; 32]).public();
        third.tls.0 = [3; 32];
        servers.push(third);
        config.roster = servers.try_into().unwrap();
    };
    a_drift_is_named(Clock::system(), change, names).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_drifts_while_servers_are_linked_is_named_and_forgotten_when_it_is_set() {
    let mut world = two_servers().await;
    let study = world.create(AGES).await;
    let mut provider = Provider::new(&world, study, 1).await;
    let ahead_ms = Arc::new(AtomicU64::new(0));
    let drifting = ahead_ms.clone();
    let clock = Clock::new(move || server::clock::now_ms() + drifting.load(Ordering::Relaxed));
    world.stop(1).await;
    world.start_at(1, clock, |_| {}).await;
    let is_linked = async |world: &World| {
        let alpha = world.running(0).trouble("beta");
        (alpha.is_none() && world.running(1).trouble("alpha").is_none()).then_some(())
    };
    wait_for("the links", async || is_linked(&world).await).await;
    ahead_ms.store(TEN_MINUTES_MS, Ordering::Relaxed);
    for (server, peer) in [(0, "beta"), (1, "alpha")] {
        world.running(server).greet();
        trouble(&world, server, peer, "clocks are").await;
    }
    let error = submit_error(&world, study).await;
    assert!(error.contains("beta") && error.contains("clock"), "{error}");
    assert_eq!(status(&world, 0, study).await.submissions, 0);
    let is_taken = nothing_moves(&world, &mut provider, [study; 2]).await;
    ahead_ms.store(0, Ordering::Relaxed);
    wait_for("the links", async || is_linked(&world).await).await;
    goes_on(&world, study, is_taken).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_were_given_different_studies_wait_for_each_other_and_say_so() {
    let world = two_servers().await;
    let profile = world.profile();
    let signer = profile.signer(client::profile::Role::Analyst).unwrap();
    let file = world.file("study.toml", AGES);
    // An analyst gives alpha and beta studies that differ in their bytes.
    let (mut ids, mut providers) = (Vec::new(), Vec::new());
    for server in 0..2 {
        let study = studies::read(&profile, &file, &signer).unwrap();
        let identity = profile.servers()[server].identity;
        let signed = signer.sign(dst::COMMAND, &[b"propose", &study.id().0, &identity.0]);
        let request = v1::ProposeRequest {
            study: study.encode().into(),
            signature: signed.0.to_vec().into(),
        };
        StudiesClient::new(world.channel(server).await).propose(request).await.unwrap();
        ids.push(study.id());
        providers.push(Provider::of(study, 1));
    }
    for (server, (id, other)) in ids.iter().copied().zip(["beta", "alpha"]).enumerate() {
        let says = async || {
            let status = status(&world, server, id).await;
            let is_named = status.detail.contains(&format!("{other} does not know the study"));
            (is_named && status.servers == [other]).then_some(())
        };
        wait_for("the study's detail", says).await;
        let error = submit_error(&world, id).await;
        assert!(error.contains(other), "{error}");
        assert_eq!(status(&world, server, id).await.submissions, 0);
    }
    for provider in &mut providers {
        nothing_moves(&world, provider, [ids[0], ids[1]]).await;
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_stored_study_is_not_the_one_of_its_id_does_not_start() {
    let mut world = World::servers(2).await;
    let (first, second) = (world.create(AGES).await, world.create(AGES).await);
    world.stop(1).await;
    let database = rusqlite::Connection::open(world.data(1).join("sotto.db")).unwrap();
    let swap = "UPDATE study SET bytes = (SELECT bytes FROM study WHERE id = ?1) WHERE id = ?2";
    assert_eq!(database.execute(swap, (&first.0[..], &second.0[..])).unwrap(), 1);
    drop(database);
    let error = Server::start(Config::load(world.config(1)).unwrap()).await.err().unwrap();
    assert!(matches!(error, StartError::Storage(_)), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("one study under the id of another") && text.contains("restore"),
        "{text}"
    );
    world.end().await;
}

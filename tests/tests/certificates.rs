//! Certificates that are renewed, expire, are revoked or get a new key while servers serve.
//!
//! `SOTTO_ROTATE=600` rotates every 5 seconds for so many; otherwise it is many times in a moment.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on, stops")]

use std::{
    collections::BTreeSet,
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use client::submit::Options;
use mpc::ids::StudyId;
use proto::{
    checkup::State,
    pin::Facts,
    v1::{GetStudyRequest, studies_client::StudiesClient},
};
use server::{
    certs::{Authority, ServerKeys},
    config::Config,
    doctor::doctor,
    tls,
};
use sotto_tests::{AGES, Provider, World};
use study::Value;

const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];
const YEAR_S: u64 = 365 * 24 * 60 * 60;

fn now_s() -> u64 {
    server::clock::now_ms() / 1_000
}

/// A certificate for a server, made as of `unix_s`, over its key or over a new one.
fn make(world: &World, server: usize, unix_s: u64, is_same_key: bool) -> (String, ServerKeys) {
    let next = tempfile::tempdir_in(world.path()).unwrap();
    for key in ["identity.key", "tls.key"] {
        if key == "identity.key" || is_same_key {
            fs::copy(world.data(server).join(key), next.path().join(key)).unwrap();
        }
    }
    let authority = Authority::open_or_create(world.path(), now_s()).unwrap();
    let names = ["localhost", "127.0.0.1"].map(String::from);
    let made =
        authority.server(next.path(), NAMES[server], &names, unix_s, &mut rand::rng()).unwrap();
    if !is_same_key {
        fs::copy(next.path().join("tls.key"), world.data(server).join("tls.key")).unwrap();
    }
    (fs::read_to_string(next.path().join("tls.pem")).unwrap(), made)
}

/// Puts a new certificate of a server into its place, as of `unix_s`; it is valid for a year.
fn renew(world: &World, server: usize, unix_s: u64) {
    let aside = world.data(server).join("tls.pem.next");
    fs::write(&aside, make(world, server, unix_s, true).0).unwrap();
    fs::rename(aside, world.data(server).join("tls.pem")).unwrap();
}

/// The certificate that a server shows to its peers now.
async fn shown(world: &World, server: usize) -> Option<Facts> {
    let config = Config::load(world.config((server + 1) % 2)).unwrap();
    let peer = config.roster.get(NAMES[server]).unwrap();
    let own = tls::Credentials::fixed(&config.tls).unwrap();
    tls::peer_certificate(&own, peer).await.unwrap().ok()
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
async fn trouble(world: &World, server: usize, peer: &str, part: &str) {
    let mut last = String::new();
    for _ in 0..1_200 {
        last = world.running(server).trouble(peer).unwrap_or_default();
        if last.contains(part) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{part:?} of {peer} at {server}: {last}");
}

/// What a client hears that submits.
async fn submit_error(world: &World, study: StudyId) -> String {
    let csv = world.file("ages.csv", "age\n30\n");
    let options = Options { timeout: Duration::from_secs(1), ..Options::default() };
    world.submit_with(study, &csv, &options).await.unwrap_err().to_string()
}

/// Requires that a study that is open takes a submission and publishes it.
async fn goes_on(world: &World, study: StudyId) {
    let csv = world.file("ages.csv", "age\n30\n");
    wait_for("a submission", async || world.submit(study, &csv).await.ok()).await;
    world.close(study).await;
    assert_eq!(world.result(study).await.unwrap().records, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_change_under_load_and_no_call_fails() {
    let (length, pause) = match std::env::var("SOTTO_ROTATE") {
        Ok(seconds) => (Duration::from_secs(seconds.parse().unwrap()), Duration::from_secs(5)),
        Err(_) => (Duration::from_secs(4), Duration::from_millis(200)),
    };
    let world = Arc::new(World::servers(3).await);
    let study = world.create(AGES).await;
    let (calls, is_over) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
    let load = (1..3).map(|seed| {
        let (world, calls, is_over) = (world.clone(), calls.clone(), is_over.clone());
        tokio::spawn(async move {
            let mut provider = Provider::new(&world, study, seed).await;
            let mut records = 0_u64;
            while !is_over.load(Ordering::Relaxed) {
                let sharded = provider.shard(provider.encode(&[vec![Value::Number(3)]]));
                // Each call on a connection of its own; any that fails ends the test.
                provider.send_all(&world, &sharded).await;
                calls.fetch_add(3, Ordering::Relaxed);
                records += 1;
                // The load is there the whole time, and the study stays small in long runs.
                tokio::time::sleep(pause / 50).await;
            }
            records
        })
    });
    let load: Vec<_> = load.collect();
    let (started, mut rotations, mut seen) = (Instant::now(), 0_usize, BTreeSet::new());
    while started.elapsed() < length {
        let server = rotations % 3;
        match rotations % 4 {
            // Written in two goes, as a careless script does.
            3 => {
                let (text, place) =
                    (make(&world, server, now_s(), true).0, world.data(server).join("tls.pem"));
                fs::write(&place, &text[..text.len() / 2]).unwrap();
                world.running(server).reload();
                tokio::time::sleep(pause / 4).await;
                fs::write(&place, &text).unwrap();
            }
            _ => renew(&world, server, now_s()),
        }
        world.running(server).reload();
        rotations += 1;
        tokio::time::sleep(pause).await;
        if server < 2 {
            seen.insert(shown(&world, server).await.unwrap().fingerprint);
        }
    }
    is_over.store(true, Ordering::Relaxed);
    let mut records = 0;
    for load in load {
        records += load.await.unwrap();
    }
    let calls = calls.load(Ordering::Relaxed);
    eprintln!("{rotations} rotations, {} certificates seen, {calls} calls, 0 failed", seen.len());
    assert!(seen.len() >= 3, "{rotations} rotations, and {} certificates", seen.len());
    world.close(study).await;
    assert_eq!(world.result(study).await.unwrap().records, records);
    let Some(world) = Arc::into_inner(world) else { panic!("nobody uses it any more") };
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_expires_while_its_server_runs_is_named_and_renewed_without_a_restart() {
    let mut world = World::servers(2).await;
    let study = world.create(AGES).await;
    // The links begin with a certificate that ends soon.
    world.stop(1).await;
    renew(&world, 1, now_s() - YEAR_S + 20);
    world.start(1).await;
    trouble(&world, 0, "beta", "its certificate expired on").await;
    trouble(&world, 1, "alpha", "refuses this server's certificate").await;
    let error = submit_error(&world, study).await;
    assert!(error.contains("beta") && error.contains("expired on 2"), "{error}");
    assert!(error.contains("sotto certs new"), "{error}");
    for (config, about) in [(0, "beta"), (1, "this machine")] {
        let findings = doctor(world.config(config)).await;
        let found = findings.iter().find(|found| {
            found.about == about
                && found.state == State::Fail
                && found.found.contains("expired on 2")
        });
        let found = found.unwrap_or_else(|| panic!("{findings:#?}"));
        let remedy = format!("{} {}", found.found, found.remedy.as_ref().unwrap());
        assert!(remedy.contains("sotto certs new"), "{found:?}");
    }
    let get = GetStudyRequest { study_id: study.0.to_vec().into() };
    let says = async || {
        let mut alpha = StudiesClient::new(world.channel(0).await);
        let status = alpha.get(get.clone()).await.unwrap().into_inner();
        status.detail.contains("its certificate expired on").then_some(())
    };
    wait_for("the study's detail", says).await;
    renew(&world, 1, now_s());
    goes_on(&world, study).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_peer_is_cut_off_named_on_both_sides_and_taken_back() {
    let world = World::servers(2).await;
    let study = world.create(AGES).await;
    let config = fs::read_to_string(world.config(0)).unwrap();
    let facts = shown(&world, 1).await.unwrap();
    let certificate = hex::encode(facts.fingerprint);
    for hash in [facts.pin.to_string(), certificate] {
        let is_linked = async || world.running(0).trouble("beta").is_none().then_some(());
        wait_for("the link", is_linked).await;
        fs::write(world.config(0), format!("{config}\n[tls]\nrevoked = [\"{hash}\"]\n")).unwrap();
        trouble(&world, 0, "beta", "revoked here").await;
        trouble(&world, 1, "alpha", "has revoked this server's certificate").await;
        let findings = doctor(world.config(0)).await;
        let is_it = findings.iter().any(|found| {
            found.about == "beta" && found.state == State::Fail && found.found.contains("revoked")
        });
        assert!(is_it, "{findings:#?}");
        // A list that cannot be read changes nothing.
        fs::write(world.config(0), format!("{config}\n[tls]\nrevoked = [\"beta\"]\n")).unwrap();
        world.running(0).reload();
        trouble(&world, 0, "beta", "revoked here").await;
        fs::write(world.config(0), &config).unwrap();
        wait_for("the link", is_linked).await;
    }
    goes_on(&world, study).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_tls_key_goes_into_the_rosters_and_studies_go_on() {
    let mut world = World::servers(2).await;
    let study = world.create(AGES).await;
    let csv = world.file("early.csv", "age\n20\n");
    world.submit(study, &csv).await.unwrap();
    let former = shown(&world, 1).await.unwrap().pin.to_string();
    // As deploy/README.md says: a new key, its entry to everybody, a restart of each.
    let (certificate, keys) = make(&world, 1, now_s(), false);
    fs::write(world.data(1).join("tls.pem"), certificate).unwrap();
    for file in [world.path().join("roster.toml"), world.profile_file().to_owned()] {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(&former), "{text}");
        fs::write(file, text.replace(&former, &keys.tls.to_string())).unwrap();
    }
    world.stop(1).await;
    world.start(1).await;
    // Until alpha is restarted it knows beta by the former key, and says so.
    trouble(&world, 0, "beta", "another key than the roster pins").await;
    trouble(&world, 1, "alpha", "another key than its roster pins").await;
    world.stop(0).await;
    world.start(0).await;
    let csv = world.file("ages.csv", "age\n30\n");
    wait_for("a submission", async || world.submit(study, &csv).await.ok()).await;
    world.close(study).await;
    assert_eq!(world.result(study).await.unwrap().records, 2);
    world.end().await;
}

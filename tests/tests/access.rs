//! Who may do what: pinned peers, listed analysts, operators and providers, equal rosters.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on, stops")]

use std::{path::Path, sync::Arc, time::Duration};

use client::{
    Profile,
    progress::Silent,
    status::State,
    studies::{self, Action},
    submit::Options,
};
use mpc::{dst, sign::Signer};
use proto::v1::{self, peers_client::PeersClient, studies_client::StudiesClient};
use server::{config::Config, metrics::Traffic, tls};
use sotto_tests::{AGES, Provider, World};
use study::Value;
use tokio_util::sync::CancellationToken;
use tonic::Code;

fn hello() -> v1::HelloRequest {
    v1::HelloRequest { protocol_min: 1, protocol_max: 1, ..v1::HelloRequest::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_may_not_call_what_is_for_peers() {
    let world = World::servers(2).await;
    let study = world.create(AGES).await;
    let mut peers = PeersClient::new(world.channel(0).await);
    let get = v1::GetStudyRequest { study_id: study.0.to_vec().into() };
    let codes = [
        peers.hello(hello()).await.unwrap_err().code(),
        peers.study_state(get.clone()).await.unwrap_err().code(),
        peers.outcome(get).await.unwrap_err().code(),
        peers.start(v1::StartRequest::default()).await.unwrap_err().code(),
        peers.link(no_frames()).await.unwrap_err().code(),
    ];
    assert_eq!(codes, [Code::PermissionDenied; 5]);
    world.end().await;
}

fn no_frames() -> impl futures::Stream<Item = v1::Frame> + Send + 'static {
    futures::stream::empty()
}

/// Whether the transport failed before any server could answer.
fn never_connected(status: &tonic::Status) -> bool {
    std::error::Error::source(status).is_some()
        && matches!(status.code(), Code::Unavailable | Code::Cancelled | Code::Unknown)
}

/// The configuration of a server of another world that claims to be in this one.
fn config_of(world: &World, server: usize) -> Config {
    Config::load(world.config(server)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unlisted_peer_and_a_wrong_certificate_are_refused_in_the_handshake() {
    let (world, other) = (World::servers(2).await, World::servers(2).await);
    let (ours, theirs) = (config_of(&world, 0), config_of(&other, 0));
    let alpha = ours.roster.get("alpha").unwrap();
    // A server that is not in the roster presents its certificate: no connection.
    let channel = tls::peer_channel(&theirs.tls, alpha, Traffic::default()).unwrap();
    let status = PeersClient::new(channel).hello(hello()).await.unwrap_err();
    assert!(never_connected(&status), "{status:?}");
    // A listed server that finds another certificate than the pinned one: no connection.
    let mut impostor = theirs.roster.get("alpha").unwrap().clone();
    impostor.tls = ours.roster.get("beta").unwrap().tls;
    let channel =
        tls::peer_channel(&config_of(&world, 1).tls, &impostor, Traffic::default()).unwrap();
    let status = PeersClient::new(channel).hello(hello()).await.unwrap_err();
    assert!(never_connected(&status), "{status:?}");
    // The same servers with the right keys understand each other.
    let channel = tls::peer_channel(&config_of(&world, 1).tls, alpha, Traffic::default()).unwrap();
    let request = v1::HelloRequest {
        roster_hash: ours.roster.hash().to_vec().into(),
        unix_ms: server::clock::now_ms(),
        ..hello()
    };
    PeersClient::new(channel).hello(request).await.unwrap();
    world.end().await;
    other.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_analyst_that_one_server_does_not_list_gets_no_study_anywhere() {
    let stranger = Signer::from_seed(&[9; 32]).public();
    let world = World::with_configs(3, |server, text| match server {
        2 => text
            .lines()
            .map(|line| match line.starts_with("analysts") {
                true => format!("analysts = [\"{stranger}\"]\n"),
                false => format!("{line}\n"),
            })
            .collect(),
        _ => text,
    })
    .await;
    let error = world.try_create(AGES).await.unwrap_err();
    assert!(error.to_string().contains("gamma"), "{error}");
    assert_eq!(error.exit().code(), 4);
    let (studies, _) = studies::list(&world.profile()).await.unwrap();
    assert!(studies.iter().all(|study| study.state == State::Cancelled), "{studies:?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_study_waits_for_every_operator_and_obeys_no_other_key() {
    let manual = |_, text: String| text.replace("\"automatic\"", "\"manual\"");
    let world = World::with_configs(2, manual).await;
    let study = world.create(AGES).await;
    let profile = world.profile();
    let state = || async { studies::show(&profile, study).await.unwrap() };
    assert_eq!(state().await.unapproved(), ["alpha", "beta"]);
    // Signed by a stranger, and signed for another server: refused.
    for (signer, meant_for) in [(Signer::from_seed(&[9; 32]), 0), (operator(&world), 1)] {
        let identity = profile.servers()[meant_for].identity;
        let signature = signer.sign(dst::COMMAND, &[b"approve", &study.0, &identity.0]);
        let command = v1::Command {
            study_id: study.0.to_vec().into(),
            public_key: signer.public().0.to_vec().into(),
            signature: signature.0.to_vec().into(),
        };
        let status = StudiesClient::new(world.channel(0).await).approve(command).await.unwrap_err();
        assert!(matches!(status.code(), Code::PermissionDenied | Code::Unauthenticated));
    }
    assert_eq!(state().await.unapproved(), ["alpha", "beta"]);
    let alpha = ["alpha".to_owned()];
    studies::command(&profile, study, Action::Approve, &alpha).await.unwrap();
    assert_eq!(state().await.unapproved(), ["beta"]);
    let mut provider = Provider::new(&world, study, 1).await;
    let sharded = provider.shard(provider.encode(&[vec![Value::Number(3)]]));
    let early = provider.send(&world, &sharded, 0).await.unwrap_err();
    assert_eq!(early.code(), Code::FailedPrecondition);
    studies::command(&profile, study, Action::Approve, &[]).await.unwrap();
    for _ in 0..600 {
        if state().await.state == State::Open {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    provider.send_all(&world, &sharded).await;
    world.end().await;
}

fn operator(world: &World) -> Signer {
    server::keys::load(&world.path().join("operator.key")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_listed_providers_may_submit_where_the_study_lists_them() {
    let world = World::servers(2).await;
    let listed = Signer::from_seed(&[5; 32]);
    let key = listed.public();
    let toml = AGES.replace("[privacy]", &format!("providers = [\"{key}\"]\n[privacy]"));
    let study = world.create(&toml).await;
    let mut provider = Provider::new(&world, study, 1).await;
    let sharded = provider.shard(provider.encode(&[vec![Value::Number(3)]]));
    let status = provider.send(&world, &sharded, 0).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    provider.signer = listed;
    let sharded = provider.shard(provider.encode(&[vec![Value::Number(3)]]));
    provider.send_all(&world, &sharded).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_with_different_rosters_are_named_before_any_data_moves() {
    let mut world = World::servers(2).await;
    // beta's operator got a roster in which a third server stands.
    let roster = world.path().join("roster.toml");
    let text = std::fs::read_to_string(&roster).unwrap();
    let third = Signer::from_seed(&[3; 32]).public();
    let other = format!(
        "{text}\n[[server]]\nname = \"third\"\nendpoint = \"https://127.0.0.1:1\"\n\
         identity = \"{third}\"\ntls = \"{}\"\n",
        "ab".repeat(32)
    );
    std::fs::write(world.data(1).join("roster.toml"), other).unwrap();
    let config = std::fs::read_to_string(world.config(1)).unwrap();
    std::fs::write(world.config(1), config.replace("../roster.toml", "roster.toml")).unwrap();
    world.stop(1).await;
    world.start(1).await;
    let error = world.try_create(AGES).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("roster") && text.contains("alpha") && text.contains("beta"), "{text}");
    assert_eq!(error.exit().code(), 5);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_talks_to_no_server_but_those_of_its_profile() {
    let (world, other) = (World::servers(2).await, World::servers(2).await);
    let study = world.create(AGES).await;
    let csv = world.file("ages.csv", "age\n30\n");
    // The endpoint leads to another server, whose certificate is from another authority.
    let text = std::fs::read_to_string(world.profile_file()).unwrap();
    let here = world.profile().servers()[1].endpoint.to_string();
    let there = other.profile().servers()[1].endpoint.to_string();
    let swapped = text.replace(here.trim_end_matches('/'), there.trim_end_matches('/'));
    assert_ne!(text, swapped);
    let error = submit(&world, "swapped.toml", &swapped, study, &csv).await;
    assert!(error.to_string().contains("beta"), "{error}");
    std::fs::copy(other.path().join("ca.pem"), world.path().join("other.pem")).unwrap();
    let both = std::fs::read_to_string(world.path().join("ca.pem")).unwrap()
        + &std::fs::read_to_string(other.path().join("ca.pem")).unwrap();
    world.file("both.pem", &both);
    let trusted = swapped.replace("\"ca.pem\"", "\"both.pem\"");
    let error = submit(&world, "trusted.toml", &trusted, study, &csv).await;
    // An authority that vouches for one server does not vouch for another: the key is pinned.
    assert!(error.to_string().contains("beta") && error.to_string().contains("pin"), "{error}");
    // Even with its TLS key, it does not have the identity.
    let (pin, other_pin) = (world.profile().servers()[1].tls, other.profile().servers()[1].tls);
    let pinned = trusted.replace(&pin.to_string(), &other_pin.to_string());
    let error = submit(&world, "pinned.toml", &pinned, study, &csv).await;
    assert!(error.to_string().contains("beta"), "{error}");
    assert_eq!(error.exit().code(), 4);
    world.end().await;
    other.end().await;
}

async fn submit(
    world: &World,
    name: &str,
    profile: &str,
    study: mpc::ids::StudyId,
    csv: &Path,
) -> client::ClientError {
    let profile = Profile::load(&world.file(name, profile)).unwrap();
    let options = Options { timeout: Duration::from_secs(1), ..Options::default() };
    let stop = CancellationToken::new();
    client::submit::submit(&profile, study, csv, &options, &stop, Arc::new(Silent))
        .await
        .unwrap_err()
}

//! The sample files of `deploy/` are what the programs read.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on, stops")]

use std::{fs, path::Path};

use client::Profile;
use mpc::sign::Signer;
use server::{certs::Authority, config::Config};
use study::{Study, StudyContext, StudyServer};

fn sample(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/config").join(name))
        .unwrap()
}

/// The values of `key = "…"` in a file.
fn values(text: &str, key: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix("= \""))
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect()
}

#[test]
fn the_sample_configuration_loads_once_the_sample_keys_are_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (server, roster) = (sample("server.toml"), sample("roster.toml"));
    let name = values(&server, "name").remove(0);
    let keys = Authority::open_or_create(&dir.path().join("ca"), 1_800_000_000)
        .unwrap()
        .server(
            &dir.path().join("data"),
            &name,
            &["localhost".to_owned()],
            1_800_000_000,
            &mut rand::rng(),
        )
        .unwrap();
    let place = values(&roster, "name").iter().position(|listed| *listed == name).unwrap();
    let roster = roster
        .replace(&values(&roster, "identity")[place], &keys.identity.to_string())
        .replace(&values(&roster, "tls")[place], &keys.tls.to_string());
    fs::write(dir.path().join("roster.toml"), roster).unwrap();
    fs::write(dir.path().join("server.toml"), server).unwrap();
    let config = Config::load(&dir.path().join("server.toml")).unwrap();
    assert_eq!(config.name, name);
    assert!(config.roster.servers().len() >= 2);
    assert!(config.metrics.is_some_and(|address| address.ip().is_loopback()));
}

#[test]
fn the_sample_profile_names_the_servers_of_the_sample_roster() {
    let profile = Profile::parse(&sample("sotto.toml"), Path::new("sotto.toml")).unwrap();
    let roster = sample("roster.toml");
    let mut listed: Vec<String> = profile
        .servers()
        .iter()
        .flat_map(|server| [server.identity.to_string(), server.tls.to_string()])
        .collect();
    let mut expected: Vec<String> =
        values(&roster, "identity").into_iter().chain(values(&roster, "tls")).collect();
    listed.sort();
    expected.sort();
    assert_eq!(listed, expected);
}

#[test]
fn the_sample_study_is_a_valid_study() {
    let servers: Vec<StudyServer> = values(&sample("roster.toml"), "name")
        .into_iter()
        .enumerate()
        .map(|(seed, name)| {
            let identity = Signer::from_seed(&[seed as u8 + 1; 32]).public();
            StudyServer { name, identity }
        })
        .collect();
    let context = StudyContext {
        available: &servers,
        analyst: Signer::from_seed(&[99; 32]).public(),
        nonce: [0; 16],
    };
    let study = Study::from_file(&sample("study.toml"), "study.toml", context).unwrap();
    assert_eq!(Study::decode(&study.encode()).unwrap(), study);
}

#[test]
fn the_samples_let_no_core_file_be_written() {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
    let unit = fs::read_to_string(deploy.join("systemd/sotto.service")).unwrap();
    assert!(unit.lines().any(|line| line == "LimitCORE=0"));
    let compose = fs::read_to_string(deploy.join("compose/compose.yaml")).unwrap();
    assert!(compose.lines().any(|line| line.trim() == "ulimits: { core: 0 }"));
}

//! Local clusters: complete, kept across starts, and refused by name where they cannot be.

use std::{collections::BTreeMap, fs};

use super::*;
use crate::config::{Approve, Config};

/// Some day in the year 2026.
const NOW: u64 = 1_780_000_000;
const DAY_S: u64 = 24 * 60 * 60;

fn request(directory: &Path, servers: Option<usize>) -> DevRequest {
    DevRequest { directory: directory.to_owned(), servers, ports: Vec::new(), unix_s: NOW }
}

fn start(request: &DevRequest) -> Result<DevCluster, DevError> {
    dev(request, &mut rand::rng())
}

fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn a_new_cluster_is_complete_and_consistent() {
    for servers in PARTIES_TESTED {
        let directory = tempfile::tempdir().unwrap();
        let cluster = start(&request(directory.path(), Some(servers))).unwrap();
        assert_eq!(cluster.servers.len(), servers);
        let configs: Vec<_> =
            cluster.servers.iter().map(|server| Config::load(&server.config).unwrap()).collect();
        for (config, server) in configs.iter().zip(&cluster.servers) {
            assert_eq!(config.name, server.name);
            assert_eq!(config.listen, server.listener.local_addr().unwrap());
            assert_eq!(config.approve, Approve::Automatic);
            assert_eq!(config.roster.hash(), configs[0].roster.hash());
            assert_eq!(config.roster.servers().len(), servers);
            let analyst = keys::load(&directory.path().join("analyst.key")).unwrap().public();
            let operator = keys::load(&directory.path().join("operator.key")).unwrap().public();
            assert_eq!(
                (&config.analysts[..], &config.operators[..]),
                (&[analyst][..], &[operator][..])
            );
        }
    }
}

const PARTIES_TESTED: [usize; 3] = [2, 3, 8];

#[test]
fn the_profile_is_what_clients_expect() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = start(&request(directory.path(), Some(2))).unwrap();
    let profile: toml::Table = fs::read_to_string(&cluster.profile).unwrap().parse().unwrap();
    let keys: Vec<_> = profile.keys().map(String::as_str).collect();
    assert_eq!(keys, ["analyst", "operator", "provider", "roots", "server"]);
    assert_eq!(profile["roots"].as_str(), Some("ca.pem"));
    assert_eq!(profile["provider"]["key"].as_str(), Some("provider.key"));
    assert!(!directory.path().join("provider.key").exists());
    let servers = profile["server"].as_array().unwrap();
    for (entry, server) in servers.iter().zip(&cluster.servers) {
        let config = Config::load(&server.config).unwrap();
        assert_eq!(entry["name"].as_str(), Some(server.name.as_str()));
        let endpoint = format!("https://{}", config.listen);
        assert_eq!(entry["endpoint"].as_str(), Some(endpoint.as_str()));
        let identity = config.identity.public().to_string();
        assert_eq!(entry["identity"].as_str(), Some(identity.as_str()));
        assert_eq!(entry["tls"].as_str(), Some(config.tls.pin().to_string().as_str()));
        assert_eq!(entry.as_table().unwrap().len(), 4);
    }
}

#[test]
fn a_restart_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    drop(start(&request(directory.path(), Some(3))).unwrap());
    let before = files(directory.path());
    let cluster = start(&request(directory.path(), None)).unwrap();
    assert_eq!(cluster.servers.len(), 3);
    assert_eq!(files(directory.path()), before);
    drop(cluster);
    let other = start(&request(directory.path(), Some(4))).err().unwrap();
    assert!(matches!(other, DevError::OtherSize { found: 3, asked: 4, .. }));
    assert_eq!(files(directory.path()), before);
}

#[test]
fn a_start_that_was_interrupted_is_completed_by_the_next() {
    let directory = tempfile::tempdir().unwrap();
    drop(start(&request(directory.path(), Some(2))).unwrap());
    let complete = files(directory.path());
    // What is written late can be missing; keys are written first and cannot.
    for late in ["sotto.toml", "alpha/server.toml", "beta/server.toml", "alpha/tls.pem"] {
        fs::remove_file(directory.path().join(late)).unwrap();
        drop(start(&request(directory.path(), None)).unwrap());
        let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&files(directory.path())), names(&complete));
    }
    assert_eq!(
        files(directory.path())[&directory.path().join("sotto.toml")],
        complete[&directory.path().join("sotto.toml")]
    );
}

#[test]
fn a_taken_port_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = start(&request(directory.path(), Some(2))).unwrap();
    let port = cluster.servers[0].listener.local_addr().unwrap().port();
    let taken = start(&request(directory.path(), None)).err().unwrap();
    let message = taken.to_string();
    assert!(message.starts_with(&format!("port {port} of server alpha is taken")), "{message}");
}

#[test]
fn a_certificate_is_renewed_over_the_same_key_when_its_last_month_begins() {
    let directory = tempfile::tempdir().unwrap();
    let mut request = request(directory.path(), Some(2));
    drop(start(&request).unwrap());
    let path = directory.path().join("alpha").join(TLS_CERTIFICATE);
    let facts = || Facts::of(&CertificateDer::from_pem_file(&path).unwrap()).unwrap();
    let first = facts();
    let end = i64::try_from(NOW + 365 * DAY_S).unwrap();
    assert_eq!(first.not_after, end);
    assert!(first.not_before < i64::try_from(NOW).unwrap());

    request.unix_s = NOW + (365 - 30) * DAY_S;
    drop(start(&request).unwrap());
    assert_eq!(facts().not_after, end, "30 days are left");
    request.unix_s += 1;
    let cluster = start(&request).unwrap();
    let renewed = facts();
    assert_eq!(renewed.not_after, i64::try_from(request.unix_s + 365 * DAY_S).unwrap());
    assert_eq!(renewed.pin, first.pin);
    Config::load(&cluster.servers[0].config).unwrap();
}

#[test]
fn the_authority_outlives_what_it_signs() {
    let directory = tempfile::tempdir().unwrap();
    let mut late = NOW;
    for _ in 0..12 {
        let authority = Authority::open_or_create(directory.path(), late).unwrap();
        let facts = Facts::of(&CertificateDer::from_pem_file(authority.certificate()).unwrap());
        let not_after = facts.unwrap().not_after;
        assert!(not_after >= i64::try_from(late + 365 * DAY_S).unwrap());
        late += 365 * DAY_S;
    }
}

#[test]
fn impossible_clusters_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    for asked in [0, 1, 9] {
        let refused = start(&request(directory.path(), Some(asked))).err().unwrap();
        assert!(matches!(refused, DevError::Servers { asked: number } if number == asked));
    }
    let mut wrong = request(directory.path(), Some(3));
    wrong.ports = vec![0, 0];
    assert!(matches!(start(&wrong), Err(DevError::Ports { servers: 3, ports: 2 })));
    wrong.ports = Vec::new();
    wrong.unix_s = u64::MAX;
    assert!(matches!(start(&wrong), Err(DevError::Cert(CertError::Time { .. }))));
}

#[cfg(unix)]
#[test]
fn every_key_is_closed_to_others() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let _cluster = start(&request(directory.path(), Some(2))).unwrap();
    let keys: Vec<_> = files(directory.path())
        .into_keys()
        .filter(|path| path.extension().is_some_and(|extension| extension == "key"))
        .collect();
    assert_eq!(keys.len(), 3 + 2 * 2);
    for key in keys {
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

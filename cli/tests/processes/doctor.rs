//! `sotto doctor`, of clients and of operators, with servers that are well and servers that are not.

use std::fs;

use serde_json::Value;

use super::{
    one_hot,
    process::Outcome,
    serve_cluster::{NAMES, Servers},
};

const CLIENTS: [&str; 6] =
    ["connection", "certificate", "version", "clock", "round trip", "roster"];

/// The state of each check of `about`.
fn states<'a>(checkup: &'a Value, about: &str) -> Vec<(&'a str, &'a str)> {
    let checks = checkup["checks"].as_array().unwrap().iter();
    checks
        .filter(|found| found["about"] == about)
        .map(|found| (found["check"].as_str().unwrap(), found["state"].as_str().unwrap()))
        .collect()
}

#[track_caller]
fn found<'a>(checkup: &'a Value, about: &str, check: &str) -> &'a Value {
    let checks = checkup["checks"].as_array().unwrap().iter();
    let mut found = checks.filter(|found| found["about"] == about && found["check"] == check);
    found.next().unwrap_or_else(|| panic!("no {check} of {about}: {checkup}"))
}

fn json(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{outcome:?}"))
}

/// What an operator's doctor finds.
fn operator(servers: &Servers, config: &str) -> Outcome {
    let config = servers.dir.path().join(config);
    servers.client.run(&["doctor", "--json", "--config", config.to_str().unwrap()])
}

#[test]
fn a_client_sees_every_server_and_which_one_is_down() {
    let mut servers = Servers::new();
    let client = servers.client.clone();
    let well = client.run(&["doctor", "--json"]).json();
    assert_eq!(well["fail"], 0, "{well}");
    for name in NAMES {
        for check in CLIENTS {
            assert_eq!(found(&well, name, check)["state"], "ok", "{well}");
        }
        assert!(found(&well, name, "bandwidth")["found"].as_str().unwrap().contains("B/s"));
        let certificate = found(&well, name, "certificate")["found"].as_str().unwrap();
        assert!(certificate.ends_with("days left"), "{certificate}");
    }
    let table = client.run(&["doctor"]).ok().stdout;
    for word in ["of", "check", "state", "found, and what to do", "gamma", "round trip", "ok"] {
        assert!(table.contains(word), "{word}: {table}");
    }
    servers.kill(2);
    let down = client.run(&["doctor", "--json"]);
    assert_eq!(down.code, Some(5), "{}", down.stderr);
    down.says(&["1 of", "gamma, connection"]);
    let down = json(&down);
    assert_eq!(states(&down, "gamma"), [("connection", "fail")]);
    assert!(found(&down, "gamma", "connection")["remedy"].as_str().unwrap().contains("operator"));
    assert!(states(&down, "alpha").iter().all(|(_, state)| *state == "ok"), "{down}");
}

#[test]
fn an_operator_sees_the_own_machine_and_every_peer_while_the_server_runs() {
    let mut servers = Servers::new();
    let client = servers.client.clone();
    let id = client.create(&one_hot::study(2));
    servers.approve(&id);
    let well = operator(&servers, "alpha/server.toml").json();
    for check in ["configuration", "keys", "data directory", "disk", "database", "server"] {
        let state = &found(&well, "this machine", check)["state"];
        assert!(state == "ok" || check == "disk", "{check}: {well}");
    }
    let database = found(&well, "this machine", "database")["found"].as_str().unwrap();
    assert!(database.contains("whole"), "{database}");
    for peer in ["beta", "gamma"] {
        let checks =
            ["connection", "certificate", "roster and version", "clock", "round trip", "bandwidth"];
        for check in checks {
            assert_ne!(found(&well, peer, check)["state"], "fail", "{well}");
        }
    }
    // The server was not disturbed.
    client.write("people.csv", one_hot::people(0..2));
    client.run(&["submit", &id, "people.csv"]).ok();
    servers.kill(2);
    let down = operator(&servers, "alpha/server.toml");
    assert_eq!(down.code, Some(5), "{}", down.stderr);
    down.says(&["gamma, connection"]);
    // It is looked at also when it does not run itself, and after a crash.
    let crashed = operator(&servers, "gamma/server.toml");
    let (checkup, data) = (json(&crashed), servers.dir.path().join("gamma/data"));
    assert_eq!(crashed.code, Some(0), "{checkup}");
    assert_eq!(found(&checkup, "this machine", "server")["state"], "warn");
    assert_eq!(found(&checkup, "this machine", "database")["state"], "ok");
    servers.start(2);
    client.run(&["submit", &id, "people.csv"]).ok();
    for name in ["identity.key", "tls.key"] {
        let text = fs::read_to_string(data.join(name)).unwrap();
        let secret = text.lines().find(|line| !line.starts_with('-')).unwrap();
        let secret = secret.rsplit(':').next().unwrap();
        assert!(!crashed.stdout.contains(secret) && !crashed.stderr.contains(secret));
    }
}

#[test]
fn what_is_wrong_is_named_with_its_remedy() {
    let servers = Servers::new();
    let alpha = servers.dir.path().join("alpha");
    let roster = fs::read_to_string(alpha.join("roster.toml")).unwrap();
    // Another name for gamma here than at the others: the rosters differ.
    fs::write(alpha.join("roster.toml"), roster.replace("\"gamma\"", "\"delta\"")).unwrap();
    let drifted = operator(&servers, "alpha/server.toml");
    assert_eq!(drifted.code, Some(5), "{}", drifted.stderr);
    let drifted = json(&drifted);
    let finding = found(&drifted, "beta", "roster and version");
    assert_eq!(finding["state"], "fail");
    assert!(finding["found"].as_str().unwrap().contains("different rosters"), "{finding}");
    assert!(finding["remedy"].as_str().unwrap().contains("roster.toml"), "{finding}");
    fs::write(alpha.join("roster.toml"), &roster).unwrap();

    // A key that others can read.
    use std::os::unix::fs::PermissionsExt as _;
    let key = alpha.join("data/identity.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let open = operator(&servers, "alpha/server.toml");
    assert_eq!(open.code, Some(2), "{}", open.stderr);
    open.says(&["this machine, configuration"]);
    assert!(json(&open)["checks"][0]["found"].as_str().unwrap().contains("chmod 600"));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();

    // A certificate of another server, under the pin of the roster.
    let swapped = roster.replace(&pin(&roster, 1), &"ab".repeat(32));
    fs::write(alpha.join("roster.toml"), swapped).unwrap();
    let strange = json(&operator(&servers, "alpha/server.toml"));
    let finding = found(&strange, "beta", "connection");
    assert_eq!(finding["state"], "fail");
    assert!(finding["remedy"].as_str().unwrap().contains("compare the rosters"), "{finding}");
}

/// The TLS pin of a server of the roster.
fn pin(roster: &str, place: usize) -> String {
    let pins = roster.lines().filter_map(|line| line.strip_prefix("tls = "));
    pins.map(|pin| pin.trim_matches('"').to_owned()).nth(place).unwrap()
}

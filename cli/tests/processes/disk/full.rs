//! One server of three whose disk is full: while it takes submissions, while it publishes, and while
//! it starts.

use std::fs;

use serde_json::Value;

use super::{
    super::{
        one_hot::{self, assert_everybody_counts_once},
        process::{Process, Signal, sotto, wait_until},
        serve_cluster::{NAMES, Servers},
    },
    is_refusing, is_serving, rounds,
    small::SmallDisk,
};

const BETA: usize = 1;
const GAMMA: usize = 2;

/// Three servers, of which beta is on a small disk.
fn servers() -> (Servers, SmallDisk) {
    let mut servers = Servers::new();
    servers.kill(BETA);
    let beta = servers.dir.path().join("beta");
    let disk = SmallDisk::of(&beta.join("data"), beta.join("small"));
    let config = fs::read_to_string(beta.join("server.toml")).unwrap();
    fs::write(beta.join("server.toml"), config.replace("\"data\"", "\"small\"")).unwrap();
    servers.start_with(BETA, |serve| disk.put_under(serve));
    wait_until_beta_takes(&servers, true);
    (servers, disk)
}

#[track_caller]
fn wait_until_beta_takes(servers: &Servers, takes: bool) {
    let is_as_wanted = if takes { is_serving } else { is_refusing };
    wait_until("beta's health", || is_as_wanted(servers, BETA));
}

/// What an operator's doctor says of the disk.
fn disk_at_the_doctor(servers: &Servers) -> Value {
    let config = servers.dir.path().join("beta/server.toml");
    let checkup = servers.client.run(&["doctor", "--json", "--config", config.to_str().unwrap()]);
    let checkup: Value = serde_json::from_str(&checkup.stdout).unwrap();
    let checks = checkup["checks"].as_array().unwrap();
    checks.iter().find(|found| found["check"] == "disk").unwrap().clone()
}

#[test]
fn a_full_disk_is_named_takes_nothing_and_goes_on_by_itself_when_there_is_room() {
    const PEOPLE: usize = 40;
    let (mut servers, disk) = servers();
    let client = servers.client.clone();
    client.write("first.csv", one_hot::people(0..8));
    client.write("second.csv", one_hot::people(8..36));
    client.write("third.csv", one_hot::people(36..PEOPLE));
    for _ in 0..rounds(1) {
        let id = client.create(&one_hot::study(PEOPLE));
        servers.approve(&id);
        client.run(&["submit", &id, "first.csv", "--batch", "4"]).ok();

        // While submissions come in, and are verified.
        disk.fill();
        let patient = client.start(&["submit", &id, "second.csv", "--batch", "1"]);
        wait_until_beta_takes(&servers, false);
        let hasty = client.run(&["submit", &id, "third.csv", "--timeout", "1"]);
        hasty.says(&["beta", "disk is full", "run the same command again"]);
        assert_eq!(hasty.code, Some(5), "{}", hasty.stderr);
        let receipts = fs::read_to_string(client.dir.join("third.csv.receipts")).unwrap();
        assert_eq!(receipts.lines().count(), 1, "no receipt for what is not stored: {receipts}");
        for line in hasty.stderr.lines() {
            assert!(!line.contains("sotto.db") && !line.contains("small"), "no paths: {line}");
        }
        let shown = client.show(&id);
        let beta = shown["servers"].as_array().unwrap();
        let beta = beta.iter().find(|server| server["server"] == "beta").unwrap();
        assert!(beta.to_string().contains("disk is full"), "{shown}");
        if disk.is_real() {
            let found = disk_at_the_doctor(&servers);
            assert_eq!(found["state"], "fail", "{found}");
            assert!(found["remedy"].as_str().unwrap().contains("make room"), "{found}");
        }
        disk.make_room();
        wait_until_beta_takes(&servers, true);
        patient.wait().ok();
        client.run(&["submit", &id, "third.csv"]).ok();

        // While it is published: gamma comes back when beta has no room.
        servers.kill(GAMMA);
        assert_eq!(client.run(&["study", "close", &id]).code, Some(5));
        disk.fill();
        wait_until_beta_takes(&servers, false);
        servers.start(GAMMA);
        let closed = client.run(&["study", "close", &id]);
        closed.says(&["2 of 3", "beta", "disk is full"]);
        assert_ne!(client.run(&["result", &id]).code, Some(0));
        disk.make_room();
        assert_everybody_counts_once(&client.result(&id), PEOPLE);
        for csv in ["first", "second", "third"] {
            fs::remove_file(client.dir.join(format!("{csv}.csv.receipts"))).unwrap();
        }
        wait_until_beta_takes(&servers, true);
    }
    let log = servers.take(BETA).kill().stderr;
    assert!(log.contains("the server takes nothing in") && log.contains("make room"), "{log}");
}

#[test]
fn a_server_without_room_does_not_start_and_says_what_to_do() {
    const PEOPLE: usize = 4;
    let (mut servers, disk) = servers();
    let client = servers.client.clone();
    client.write("people.csv", one_hot::people(0..PEOPLE));
    let id = client.create(&one_hot::study(PEOPLE));
    servers.approve(&id);
    client.run(&["submit", &id, "people.csv"]).ok();
    let beta = servers.take(BETA);
    beta.signal(Signal::TERM);
    beta.wait().ok();
    disk.fill();
    let config = servers.dir.path().join(NAMES[BETA]).join("server.toml");
    let mut serve = sotto(&client.dir);
    disk.put_under(serve.args(["serve", "--config"]).arg(config));
    let refused = Process::start(&mut serve).wait();
    assert_ne!(refused.code, Some(0));
    refused.says(&["sotto.db", "no room is left", "make room"]);
    disk.make_room();
    servers.start_with(BETA, |serve| disk.put_under(serve));
    client.close(&id);
    assert_everybody_counts_once(&client.result(&id), PEOPLE);
}

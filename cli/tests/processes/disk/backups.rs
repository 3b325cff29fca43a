//! A server that is started with an older copy of its database: found out by its peers, told what to
//! do, and well again with the newest copy, or with none.

use std::{fs, path::Path};

use serde_json::Value;

use super::{
    super::{
        client::Client,
        one_hot::{self, assert_everybody_counts_once},
        process::{Signal, wait_until},
        serve_cluster::{NAMES, Servers},
    },
    is_refusing, is_serving,
};

const GAMMA: usize = 2;
const FILES: [&str; 3] = ["sotto.db", "sotto.db-wal", "sotto.db-shm"];

fn stop(servers: &mut Servers, server: usize) {
    let process = servers.take(server);
    process.signal(Signal::TERM);
    process.wait().ok();
}

/// Puts the database files of `from` in place of those of `to`.
fn put(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for name in FILES {
        let _ = fs::remove_file(to.join(name));
        if from.join(name).exists() {
            fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

/// What the doctor of a server's operator says about its backup, as each peer answers.
fn backup_at_the_doctor(servers: &Servers, server: usize) -> Vec<Value> {
    let config = servers.dir.path().join(NAMES[server]).join("server.toml");
    let checkup = servers.client.run(&["doctor", "--json", "--config", config.to_str().unwrap()]);
    let checkup: Value = serde_json::from_str(&checkup.stdout).unwrap();
    let checks = checkup["checks"].as_array().unwrap().iter();
    checks.filter(|found| found["check"] == "backup").cloned().collect()
}

#[track_caller]
fn wait_until_verified(client: &Client, id: &str, submissions: u64) {
    wait_until("the verification", || {
        let shown = client.show(id);
        let all = shown["servers"].as_array().unwrap();
        all.len() == 3 && all.iter().all(|server| server["verified"] == submissions)
    });
}

#[test]
fn an_old_backup_is_refused_on_all_sides_and_the_newest_one_goes_on() {
    const PEOPLE: usize = 8;
    let mut servers = Servers::new();
    let client = servers.client.clone();
    let data = servers.dir.path().join("gamma/data");
    let (old, newest) = (servers.dir.path().join("old"), servers.dir.path().join("newest"));
    client.write("first.csv", one_hot::people(0..4));
    client.write("second.csv", one_hot::people(4..PEOPLE));
    client.write("third.csv", one_hot::people(0..1));
    let id = client.create(&one_hot::study(PEOPLE));
    servers.approve(&id);
    client.run(&["submit", &id, "first.csv"]).ok();
    wait_until_verified(&client, &id, 1);
    stop(&mut servers, GAMMA);
    put(&data, &old);
    servers.start(GAMMA);
    client.run(&["submit", &id, "second.csv"]).ok();
    wait_until_verified(&client, &id, 2);
    stop(&mut servers, GAMMA);
    put(&data, &newest);

    // Its operator can find out before it starts.
    put(&old, &data);
    let found = backup_at_the_doctor(&servers, GAMMA);
    assert_eq!(found.len(), 2, "alpha's word and beta's");
    for found in found {
        assert_eq!(found["state"], "fail", "{found}");
        assert!(found["found"].as_str().unwrap().contains("is an old copy"), "{found}");
        assert!(found["remedy"].as_str().unwrap().contains("restore its newest backup"), "{found}");
    }
    servers.start(GAMMA);
    wait_until("gamma to find out", || is_refusing(&servers, GAMMA));
    let refused = client.run(&["submit", &id, "third.csv", "--timeout", "1"]);
    refused.says(&["gamma", "old copy of its database"]);
    assert_ne!(refused.code, Some(0));
    // All sides say so, and nothing runs.
    for peer in 0..GAMMA {
        let knows = || servers.process(peer).stderr().contains("gamma's database is an old copy");
        wait_until("a peer to find out", knows);
    }
    let shown = client.show(&id);
    assert!(shown.to_string().contains("old copy of its database"), "{shown}");
    // Whether the third was sent to the others depends on when gamma said no.
    let taken = shown["servers"].as_array().unwrap().iter();
    let taken = taken.filter_map(|server| server["submissions"].as_u64()).max().unwrap();
    client.close(&id);
    wait_until("the study to wait for gamma", || {
        let waiting = client.run(&["result", &id]);
        assert_ne!(waiting.code, Some(0), "{}", waiting.stdout);
        waiting.stderr.contains("old copy")
    });
    let log = servers.take(GAMMA).kill().stderr;
    for part in ["is an old copy", "has forgotten what", "restore the newest backup", "cancelled"] {
        assert!(log.contains(part), "{part}: {log}");
    }
    assert!(!log.contains("protocol\":\"publish"), "{log}");

    put(&newest, &data);
    servers.start(GAMMA);
    client.close(&id);
    let mut result = client.result(&id);
    // What the others took while gamma refused it is not counted, and is listed.
    assert_eq!(result["rejected"].take(), taken - 2);
    result["rejected"] = 0.into();
    assert_everybody_counts_once(&result, PEOPLE);
    assert!(is_serving(&servers, GAMMA));
    let found = backup_at_the_doctor(&servers, GAMMA);
    assert!(found.len() == 2 && found.iter().all(|found| found["state"] == "ok"), "{found:?}");
}

#[test]
fn a_server_begins_anew_with_an_empty_database_and_its_studies_are_cancelled_elsewhere() {
    const PEOPLE: usize = 4;
    let mut servers = Servers::new();
    let client = servers.client.clone();
    client.write("people.csv", one_hot::people(0..PEOPLE));
    let lost = client.create(&one_hot::study(PEOPLE));
    servers.approve(&lost);
    client.run(&["submit", &lost, "people.csv", "--receipts", "lost"]).ok();
    stop(&mut servers, GAMMA);
    for name in FILES {
        let _ = fs::remove_file(servers.dir.path().join("gamma/data").join(name));
    }
    servers.start(GAMMA);
    for peer in 0..GAMMA {
        let knows = || servers.process(peer).stderr().contains("another database");
        wait_until("a peer to be warned", knows);
    }
    assert!(is_serving(&servers, GAMMA));
    wait_until("the loss to be told", || {
        client.show(&lost).to_string().contains("gamma does not know the study")
    });
    let cancel = ["study", "cancel", &lost];
    let cancelled = client.run(&cancel);
    assert!(cancelled.stdout.contains("cancelled"), "{} {}", cancelled.stdout, cancelled.stderr);
    let id = client.create(&one_hot::study(PEOPLE));
    servers.approve(&id);
    client.run(&["submit", &id, "people.csv"]).ok();
    client.close(&id);
    assert_everybody_counts_once(&client.result(&id), PEOPLE);
}

//! Servers that are down or do not fit together.

use std::fs;

use crate::{
    one_hot,
    serve_cluster::{NAMES, Servers},
};

#[test]
fn a_study_is_not_created_while_a_server_is_down() {
    let mut servers = Servers::new();
    let client = servers.client.clone();
    for (server, name) in NAMES.into_iter().enumerate() {
        servers.kill(server);
        client.write("study.toml", one_hot::study(2));
        client.run(&["study", "create", "study.toml"]).refused(5, &[name, "unreachable"]);
        servers.start(server);
    }
    assert_eq!(client.run(&["study", "list", "--json"]).json(), serde_json::json!([]));
}

#[test]
fn servers_that_answer_are_listed_and_the_one_that_is_down_is_named() {
    let mut servers = Servers::new();
    let client = servers.client.clone();
    let id = client.create(&one_hot::study(2));
    servers.kill(1);
    let listed = client.run(&["study", "list"]).ok();
    assert!(listed.stdout.contains(&id), "{}", listed.stdout);
    assert!(listed.stderr.starts_with("warning: beta"), "{}", listed.stderr);
    assert!(!listed.stderr.contains("os error"), "{}", listed.stderr);
    assert_eq!(client.show(&id)["unreachable"], serde_json::json!(["beta"]));
    for server in [0, 2] {
        servers.kill(server);
    }
    client.run(&["study", "list"]).refused(5, &["alpha", "unreachable"]);
}

#[test]
fn two_servers_with_different_rosters_are_both_named() {
    let mut servers = Servers::new();
    let client = servers.client.clone();
    let roster = servers.dir.path().join("beta/roster.toml");
    let text = fs::read_to_string(&roster).unwrap();
    let (without_gamma, _) = text.rsplit_once("[[server]]").unwrap();
    fs::write(&roster, without_gamma).unwrap();
    servers.kill(1);
    servers.start(1);
    client.write("study.toml", one_hot::study(2));
    for command in [&["study", "create", "study.toml"][..], &["study", "list"]] {
        client.run(command).refused(5, &["alpha", "beta", "roster"]);
    }
    fs::write(&roster, text).unwrap();
    servers.kill(1);
    servers.start(1);
    assert_eq!(client.run(&["study", "list", "--json"]).json(), serde_json::json!([]));
}

//! `sotto serve`: three servers of three operators, killed, down and interrupted.

use std::fs;

use super::{
    client::Client,
    one_hot::{self, assert_everybody_counts_once},
    process::{Process, Signal, sotto, wait_until},
    serve_cluster::{NAMES, Servers},
};

/// So few that a client with many small submissions is seen at work.
const SLOW: &str = "[limits]\ncalls_per_second = 30\n";

#[test]
fn servers_killed_in_turn_between_any_two_steps_count_everybody_once() {
    const PEOPLE: usize = 24;
    let mut servers = Servers::new();
    let client = servers.client.clone();
    client.write("first.csv", one_hot::people(0..12));
    client.write("second.csv", one_hot::people(12..PEOPLE));
    let id = client.create(&one_hot::study(PEOPLE));
    client.run(&["submit", &id, "first.csv"]).refused(7, &["approval", "alpha, beta, gamma"]);
    assert!(!client.has("first.csv.receipts"));
    servers.crash_each();
    for (operator, name) in servers.operators.clone().iter().zip(NAMES) {
        operator.run(&["study", "approve", &id, "--server", name]).ok();
        servers.crash_each();
    }
    client.run(&["submit", &id, "first.csv", "--batch", "2"]).ok();
    servers.crash_each();
    client.run(&["submit", &id, "second.csv", "--batch", "5"]).ok();
    servers.crash_each();
    client.close(&id);
    servers.crash_each();
    assert_everybody_counts_once(&client.result(&id), PEOPLE);
    servers.crash_each();
    assert_everybody_counts_once(&client.result(&id), PEOPLE);
}

#[test]
fn each_server_killed_right_after_the_close_counts_everybody_once() {
    const PEOPLE: usize = 8;
    let mut servers = Servers::new();
    let client = servers.client.clone();
    client.write("people.csv", one_hot::people(0..PEOPLE));
    for server in 0..NAMES.len() {
        let id = client.create(&one_hot::study(PEOPLE));
        servers.approve(&id);
        let receipts = format!("receipts-{server}");
        client.run(&["submit", &id, "people.csv", "--batch", "1", "--receipts", &receipts]).ok();
        client.close(&id);
        servers.kill(server);
        servers.start(server);
        assert_everybody_counts_once(&client.result(&id), PEOPLE);
    }
}

#[test]
fn an_operator_approves_at_the_own_server_alone() {
    let servers = Servers::new();
    let id = servers.client.create(&one_hot::study(2));
    let [_, beta, _] = &servers.operators;
    let refused = beta.run(&["study", "approve", &id, "--server", "alpha"]);
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    refused.says(&["alpha"]);
    assert_eq!(servers.client.show(&id)["state"], "proposed");
}

#[test]
fn sigterm_ends_a_server_with_exit_code_0_and_nothing_on_stdout() {
    let mut servers = Servers::new();
    for (server, signal) in [(0, Signal::TERM), (1, Signal::INT)] {
        let process = servers.take(server);
        process.signal(signal);
        let ended = process.wait();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stdout.is_empty(), "{}", ended.stdout);
    }
}

#[test]
fn sighup_takes_up_a_renewed_certificate_and_ends_nothing() {
    let servers = Servers::new();
    let (dir, alpha) = (servers.dir.path(), servers.process(0));
    let data = dir.join("alpha/data");
    // A certificate over the same key, and one that is half written.
    fs::create_dir(dir.join("next")).unwrap();
    fs::copy(data.join("tls.key"), dir.join("next/tls.key")).unwrap();
    let mut renew = sotto(dir);
    renew.args(["certs", "new", "--name", "alpha", "--host", "127.0.0.1:1", "--dir", "next"]);
    Process::start(renew.args(["--authority", "alpha-ca"])).wait().ok();
    let renewed = fs::read(dir.join("next/tls.pem")).unwrap();
    fs::write(data.join("tls.pem"), &renewed[..renewed.len() / 2]).unwrap();
    alpha.signal(Signal::HUP);
    wait_until("a warning", || alpha.stderr().contains("the former one stays"));
    assert!(alpha.stderr().contains("tls.pem: this is not a certificate"), "{}", alpha.stderr());
    fs::write(data.join("tls.pem"), &renewed).unwrap();
    alpha.signal(Signal::HUP);
    wait_until("the certificate", || alpha.stderr().contains("a renewed TLS certificate is shown"));
    // It serves, and everybody knows it.
    let id = servers.client.create(&one_hot::study(2));
    assert_eq!(servers.client.show(&id)["servers"].as_array().unwrap().len(), 3);
}

#[test]
fn a_submit_that_is_interrupted_and_then_killed_counts_nobody_twice() {
    const PEOPLE: usize = 90;
    let servers = Servers::with_limits(SLOW);
    let client = &servers.client;
    let id = client.create(&one_hot::study(PEOPLE));
    servers.approve(&id);
    client.write("people.csv", one_hot::people(0..PEOPLE));
    let arguments = ["submit", &id, "people.csv", "--batch", "1"];

    let submit = client.start(&arguments);
    let first = wait_for_receipts(client, &submit, 0);
    submit.signal(Signal::INT);
    let interrupted = submit.wait();
    interrupted.says(&["run the same command again"]);
    assert_eq!(interrupted.code, Some(130));
    assert!(interrupted.stdout.is_empty(), "{}", interrupted.stdout);

    let submit = client.start(&arguments);
    wait_for_receipts(client, &submit, first);
    let killed = submit.kill();
    assert_eq!(killed.code, None, "{}", killed.stdout);

    let finished = client.run(&arguments).ok();
    assert_eq!(finished.stdout.lines().count(), PEOPLE + 1);
    assert!(!client.has("people.csv.receipts.pending"));
    let again = client.run(&["submit", &id, "people.csv", "--batch", "1", "--json"]).json();
    assert_eq!(again[0]["resumed"], PEOPLE);
    client.close(&id);
    let result = client.result(&id);
    assert_everybody_counts_once(&result, PEOPLE);
    assert_eq!(result["submissions"], PEOPLE);
}

/// Waits until there are more than `before` receipts; returns how many.
#[track_caller]
fn wait_for_receipts(client: &Client, submit: &Process, before: usize) -> usize {
    let mut receipts = 0;
    wait_until("receipts", || {
        assert!(submit.stdout().is_empty(), "it has finished already");
        let text = fs::read_to_string(client.dir.join("people.csv.receipts")).unwrap_or_default();
        // The first line is the header.
        receipts = text.lines().count().saturating_sub(1);
        receipts > before
    });
    receipts
}

#[test]
fn a_server_that_is_down_is_named_and_everything_is_finished_by_repeating() {
    const PEOPLE: usize = 90;
    const GAMMA: usize = 2;
    let mut servers = Servers::with_limits(SLOW);
    let client = servers.client.clone();
    let id = client.create(&one_hot::study(PEOPLE));
    servers.approve(&id);
    client.write("people.csv", one_hot::people(0..PEOPLE));
    let arguments = ["submit", &id, "people.csv", "--batch", "1", "--timeout", "1"];

    // Down from the start: nothing is sent to the others.
    servers.kill(GAMMA);
    client.run(&arguments).refused(5, &["gamma", "unreachable"]);
    assert_eq!(client.show(&id)["servers"][0]["submissions"], 0);

    // Down in the middle.
    servers.start(GAMMA);
    let submit = client.start(&arguments);
    wait_for_receipts(&client, &submit, 0);
    servers.kill(GAMMA);
    let stopped = submit.wait();
    stopped.says(&["gamma", "run the same command again"]);
    assert_eq!(stopped.code, Some(5));
    assert!(stopped.stdout.is_empty(), "{}", stopped.stdout);
    servers.start(GAMMA);
    let finished = client.run(&["submit", &id, "people.csv", "--batch", "1"]).ok();
    assert_eq!(finished.stdout.lines().count(), PEOPLE + 1);

    // Down at the close.
    servers.kill(GAMMA);
    let closed = client.run(&["study", "close", &id]);
    closed.says(&["2 of 3", "gamma", "repeat"]);
    assert_eq!(closed.code, Some(5));
    let states: Vec<_> = closed.stdout.lines().filter(|line| line.contains("closing")).collect();
    assert!(states.len() == 2, "{}", closed.stdout);
    client.run(&["result", &id]).refused(5, &["no result yet", "gamma"]);
    servers.start(GAMMA);
    client.close(&id);
    assert_everybody_counts_once(&client.result(&id), PEOPLE);

    // A result needs none but one server that answers.
    servers.kill(GAMMA);
    assert_everybody_counts_once(&client.result(&id), PEOPLE);
}

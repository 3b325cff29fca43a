//! A server that answers late: who needs it says for whom one waits, and goes on when it answers.

use super::{
    one_hot::{self, assert_everybody_counts_once},
    process::{Signal, wait_until},
    serve_cluster::Servers,
};

const GAMMA: usize = 2;
const PEOPLE: usize = 2;

#[test]
fn somebody_who_submits_waits_for_a_server_that_is_late_and_says_so() {
    let servers = Servers::new();
    let client = &servers.client;
    let study = client.create(&one_hot::study(PEOPLE));
    servers.approve(&study);
    client.write("people.csv", one_hot::people(0..PEOPLE));
    servers.process(GAMMA).signal(Signal::STOP);
    // It is connected to, by its system, and says nothing: longer than any single question waits.
    let submit = client.start(&["submit", &study, "people.csv"]);
    wait_until("gamma to be waited for", || {
        submit.stderr().contains("waiting for an answer of gamma (no answer in time)")
    });
    servers.process(GAMMA).signal(Signal::CONT);
    submit.wait().ok();
    client.close(&study);
    assert_everybody_counts_once(&client.result(&study), PEOPLE);
}

#[test]
fn a_server_that_is_not_there_is_named_at_once() {
    let mut servers = Servers::new();
    let study = servers.client.create(&one_hot::study(1));
    servers.approve(&study);
    servers.kill(GAMMA);
    let client = &servers.client;
    client.write("people.csv", one_hot::people(0..1));
    let submit = client.run(&["submit", &study, "people.csv"]);
    submit.refused(5, &["gamma", "unreachable"]);
    assert!(!submit.stderr.contains("waiting for an answer"), "{}", submit.stderr);
}

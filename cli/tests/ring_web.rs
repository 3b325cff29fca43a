//! `sotto ring host --web` as scripts meet it: what it prints, and how it stops.

// Clippy knows the functions marked as tests, and not those that they call.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

fn host(dir: &Path, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_sotto"))
        .args(["ring", "host", "--web", "--listen", "127.0.0.1:0"])
        .args(arguments)
        .current_dir(dir)
        .env_remove("SOTTO_PROFILE")
        .env_remove("SOTTO_JSON")
        .env_remove("SOTTO_LOG")
        .env_remove("RUST_LOG")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The lines that it prints before it serves, until one that is the last.
fn lines(host: &mut Child, last: impl Fn(&str) -> bool) -> Vec<String> {
    let mut lines = Vec::new();
    for line in BufReader::new(host.stdout.take().unwrap()).lines() {
        lines.push(line.unwrap());
        if lines.last().is_some_and(|line| last(line)) {
            break;
        }
    }
    lines
}

fn stop(mut host: Child) {
    kill_process(Pid::from_child(&host), Signal::INT).unwrap();
    assert!(host.wait().unwrap().success());
}

/// Why it did not start.
fn refusal(dir: &Path, arguments: &[&str]) -> String {
    let output = host(dir, arguments).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn scripts_get_the_links_on_one_line_and_an_interrupt_ends_the_class() {
    let dir = tempfile::tempdir().unwrap();
    let mut host = host(dir.path(), &["--json", "--traffic", "traffic.jsonl"]);
    let lines = lines(&mut host, |_| true);
    let links: Value = serde_json::from_str(&lines[0]).unwrap();
    let text = |field: &str| links[field].as_str().unwrap();
    let (origin, token) = text("teacher").split_once("/teacher#").unwrap();
    assert!(origin.starts_with("https://127.0.0.1:"));
    assert_eq!((token.len(), text("certificate").len()), (64, 64));
    assert_eq!(text("pupils"), format!("{origin}/#{}", text("code")));
    stop(host);
    assert!(dir.path().join("traffic.jsonl").exists());
}

#[test]
fn people_get_the_links_the_fingerprint_and_a_word_about_the_warning() {
    let dir = tempfile::tempdir().unwrap();
    let mut host = host(dir.path(), &["--address", "class.example"]);
    let text = lines(&mut host, |line| line.contains("Ctrl-C")).join("\n");
    assert!(text.contains("https://class.example:"), "{text}");
    assert!(text.contains("/teacher#") && text.contains("/#"), "{text}");
    assert!(text.contains("fingerprint") && text.contains("warn"), "{text}");
    assert!(!text.contains('█'), "the picture is for terminals: {text}");
    assert!(text.lines().all(|line| line.chars().count() <= 110), "{text}");
    stop(host);
}

#[test]
fn a_certificate_of_ones_own_is_served_without_a_word_about_warnings() {
    let dir = tempfile::tempdir().unwrap();
    let made = Command::new(env!("CARGO_BIN_EXE_sotto"))
        .args(["certs", "new", "--name", "class", "--host", "127.0.0.1:1", "--dir", "class"])
        .args(["--authority", "ca"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(made.status.success());
    let own = ["--cert", "class/tls.pem", "--key", "class/tls.key"];
    let mut host = host(dir.path(), &own);
    let text = lines(&mut host, |line| line.contains("Ctrl-C")).join("\n");
    assert!(!text.contains("warn"), "{text}");
    stop(host);
}

#[test]
fn what_cannot_be_served_is_said_with_its_remedy() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("notes.txt"), "no certificate").unwrap();
    let text = refusal(dir.path(), &["--cert", "notes.txt", "--key", "notes.txt"]);
    assert!(text.contains("notes.txt") && text.contains("PEM"), "{text}");
    let text = refusal(dir.path(), &["--traffic", "nowhere/traffic.jsonl"]);
    assert!(text.contains("nowhere/traffic.jsonl"), "{text}");
    let text = refusal(dir.path(), &["--address", "no name"]);
    assert!(text.contains("no name") && text.contains("host name"), "{text}");
    assert!(refusal(dir.path(), &["--cert", "notes.txt"]).contains("--key"));
    assert!(refusal(dir.path(), &["--min", "9", "--max", "1"]).contains("not below"));
}

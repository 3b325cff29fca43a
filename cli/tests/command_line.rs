//! What scripts rely on: exit codes, what goes to stdout and what to stderr. Servers are not
//! needed here; the tests with servers are in the crate `sotto-tests`.

// Clippy knows the functions marked as tests, and not those that they call.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn sotto(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sotto"))
        .args(arguments)
        .current_dir(dir)
        .env_remove("SOTTO_PROFILE")
        .env_remove("SOTTO_LOG")
        .env_remove("RUST_LOG")
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

const ID: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// Keys, certificate and a profile whose two servers nobody runs.
fn profile(dir: &Path) {
    let mut text = String::from("roots = \"ca/ca.pem\"\n[analyst]\nkey = \"alpha/identity.key\"\n");
    for (name, port) in [("alpha", 1), ("beta", 2)] {
        let host = format!("127.0.0.1:{port}");
        let made = sotto(
            dir,
            &["certs", "new", "--name", name, "--host", &host, "--dir", name, "--authority", "ca"],
        );
        assert!(made.status.success(), "{}", stderr(&made));
        text.push_str(&stdout(&made));
        text.push('\n');
    }
    fs::write(dir.join("sotto.toml"), text).unwrap();
}

#[test]
fn every_command_explains_itself_on_stdout() {
    let dir = tempfile::tempdir().unwrap();
    let commands: [&[&str]; 24] = [
        &[],
        &["demo"],
        &["dev"],
        &["serve"],
        &["study"],
        &["study", "create"],
        &["study", "cost"],
        &["study", "list"],
        &["study", "show"],
        &["study", "approve"],
        &["study", "close"],
        &["study", "cancel"],
        &["submit"],
        &["withdraw"],
        &["result"],
        &["ring"],
        &["ring", "run"],
        &["ring", "host"],
        &["ring", "join"],
        &["keys", "new"],
        &["keys", "show"],
        &["certs", "new"],
        &["config", "check"],
        &["completions"],
    ];
    for command in commands {
        let mut arguments = command.to_vec();
        arguments.push("--help");
        let output = sotto(dir.path(), &arguments);
        assert!(output.status.success(), "{command:?}");
        assert!(stdout(&output).contains("Usage: sotto"), "{command:?}");
        assert!(output.stderr.is_empty(), "{command:?}");
    }
}

#[test]
fn a_wrong_command_line_is_usage() {
    let dir = tempfile::tempdir().unwrap();
    let two_files = ["submit", ID, "a.csv", "b.csv", "--receipts", "r"];
    let two_replace = ["submit", ID, "a.csv", "b.csv", "--replace", "r"];
    let wrong: [&[&str]; 7] = [
        &["nonsense"],
        &["study", "show", "not-an-id"],
        &["result", ID, "--json", "--csv"],
        &["result", ID, "--plot", "result.png"],
        &two_files,
        &two_replace,
        &["withdraw"],
    ];
    for arguments in wrong {
        let output = sotto(dir.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn without_a_profile_a_client_says_where_one_would_be() {
    let dir = tempfile::tempdir().unwrap();
    for arguments in [&["study", "list"][..], &["result", ID], &["submit", ID, "x.csv"]] {
        let output = sotto(dir.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let error = stderr(&output);
        assert!(error.contains("sotto.toml") && error.contains("--profile"), "{error}");
    }
}

#[test]
fn a_server_that_nobody_runs_is_named_with_exit_code_5() {
    let dir = tempfile::tempdir().unwrap();
    profile(dir.path());
    fs::write(dir.path().join("study.toml"), STUDY).unwrap();
    for arguments in [
        &["study", "list"][..],
        &["study", "close", ID],
        &["study", "create", "study.toml"],
        &["result", ID],
    ] {
        let output = sotto(dir.path(), arguments);
        let error = stderr(&output);
        assert_eq!(output.status.code(), Some(5), "{arguments:?}: {error}");
        assert!(error.contains("alpha") && error.contains("unreachable"), "{error}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_study_file_with_an_unknown_key_is_invalid_data_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    profile(dir.path());
    fs::write(dir.path().join("study.toml"), STUDY.replace("max_records", "max_recrods")).unwrap();
    let output = sotto(dir.path(), &["study", "create", "study.toml"]);
    let error = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{error}");
    assert!(error.contains("study.toml:2") && error.contains("max_recrods"), "{error}");
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    profile(dir.path());
    let key = dir.path().join("alpha/identity.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(dir.path().join("study.toml"), STUDY).unwrap();
    let output = sotto(dir.path(), &["study", "create", "study.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("chmod 600"), "{}", stderr(&output));
}

#[test]
fn a_key_is_made_once_and_its_public_half_is_printed_alone() {
    let dir = tempfile::tempdir().unwrap();
    let made = sotto(dir.path(), &["keys", "new", "analyst.key"]);
    assert_eq!(made.status.code(), Some(0));
    assert_eq!(stdout(&made).trim_end().len(), 64);
    let shown = sotto(dir.path(), &["keys", "show", "analyst.key"]);
    assert_eq!(stdout(&shown), stdout(&made));
    let again = sotto(dir.path(), &["keys", "new", "analyst.key"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("never overwritten"), "{}", stderr(&again));
    assert!(again.stdout.is_empty());
    assert_eq!(stdout(&sotto(dir.path(), &["keys", "show", "analyst.key"])), stdout(&made));
}

#[test]
fn certificates_made_twice_are_the_same() {
    let dir = tempfile::tempdir().unwrap();
    profile(dir.path());
    let first = fs::read_to_string(dir.path().join("sotto.toml")).unwrap();
    profile(dir.path());
    assert_eq!(fs::read_to_string(dir.path().join("sotto.toml")).unwrap(), first);
}

#[test]
fn a_configuration_that_does_not_exist_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for arguments in
        [&["config", "check", "server.toml"][..], &["serve", "--config", "server.toml"]]
    {
        let output = sotto(dir.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains("server.toml"), "{}", stderr(&output));
    }
}

#[test]
fn completions_know_the_commands() {
    let dir = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let output = sotto(dir.path(), &["completions", shell]);
        assert!(output.status.success());
        let script = stdout(&output);
        assert!(script.contains("submit") && script.contains("approve"), "{shell}");
    }
}

const STUDY: &str = r#"title = "Ages"
max_records = 1000
[[column]]
name = "age"
type = "integer"
min = 0
max = 120
[[statistic]]
name = "mean age"
kind = "mean"
of = "age"
"#;

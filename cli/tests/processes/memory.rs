//! What is in a program's memory stays there: no core file, whatever it dies of.

use std::{fs, path::Path, process::Command};

use super::process::{Process, Signal, sotto_in_shell, wait_until};

/// As much of a core file as the machine allows.
const CORES: &str = "ulimit -S -c $(ulimit -H -c)";

fn cores(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("core")).collect()
}

/// Servers in `dir`, which is their working directory.
fn servers(dir: &Path) -> Process {
    let mut command = sotto_in_shell(dir, CORES);
    let mut process = Process::start(command.args(["dev", "--servers", "2", "--dir", "cluster"]));
    wait_until("the line `ready`", || {
        assert!(process.is_running());
        process.stdout().contains("ready\n")
    });
    process
}

/// Another program that dies the same way, to see whether this machine writes core files here.
fn machine_writes_cores() -> bool {
    let dir = tempfile::tempdir().unwrap();
    let script = format!("{CORES}; kill -s SEGV $$");
    let _ = Command::new("sh").current_dir(dir.path()).args(["-c", &script]).status().unwrap();
    !cores(dir.path()).is_empty()
}

#[test]
fn servers_that_die_of_a_signal_leave_no_core_file() {
    println!("this machine writes core files: {}", machine_writes_cores());
    for signal in [Signal::SEGV, Signal::ABORT, Signal::BUS] {
        let dir = tempfile::tempdir().unwrap();
        let mut process = servers(dir.path());
        // Rust's own handler of the first fault takes itself away, and the next one is the end.
        wait_until("the end", || {
            process.signal(signal);
            !process.is_running()
        });
        let ended = process.wait();
        assert_eq!(ended.code, None, "{}", ended.stderr);
        assert_eq!(cores(dir.path()), [] as [String; 0], "{signal:?}");
    }
}

#[test]
fn the_limits_of_running_servers_allow_no_core_file_and_cannot_be_raised() {
    let dir = tempfile::tempdir().unwrap();
    let process = servers(dir.path());
    let limits = fs::read_to_string(format!("/proc/{}/limits", process.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let soft_and_hard: Vec<&str> = line.split_whitespace().skip(4).take(2).collect();
    assert_eq!(soft_and_hard, ["0", "0"], "{line}");
}

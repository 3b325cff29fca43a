//! `sotto demo`: the main job over real data, leaving nothing behind.

use std::fs;

use super::process::{Process, Signal, sotto, wait_until};

#[test]
fn the_demonstration_equals_the_plaintext_answer_and_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let (here, temporary) = (dir.path().join("here"), dir.path().join("tmp"));
    fs::create_dir(&here).unwrap();
    fs::create_dir(&temporary).unwrap();
    let mut demo = sotto(&here);
    let report =
        Process::start(demo.args(["demo", "--json"]).env("TMPDIR", &temporary)).wait().json();
    assert_eq!(report["equal"], true);
    assert_eq!(report["records"], 61395);
    assert_eq!(report["rejected"], 0);
    let statistics = report["statistics"].as_array().unwrap();
    let cells = statistics.iter().flat_map(|statistic| statistic["cells"].as_array().unwrap());
    let equal: Vec<_> = cells.map(|cell| cell["equal"] == true).collect();
    assert_eq!(equal, [true; 18]);
    assert_eq!(report["servers"].as_array().unwrap().len(), 3);
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
    assert_eq!(fs::read_dir(&here).unwrap().count(), 0);
}

#[test]
fn an_interrupted_demonstration_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let temporary = dir.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let demo = Process::start(sotto(dir.path()).arg("demo").env("TMPDIR", &temporary));
    wait_until("the servers to start", || demo.stdout().contains("started 3 servers"));
    demo.signal(Signal::INT);
    assert_eq!(demo.wait().code, Some(130));
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
}

//! `sotto dev` in a directory of its own, started and killed at will.

use std::{fs, path::PathBuf};

use tempfile::TempDir;

use super::{
    client::Client,
    process::{Outcome, Process, sotto, wait_until},
};

/// A cluster in one process.
pub struct Dev {
    // Declared first, so that the process ends before its directory goes.
    process: Option<Process>,
    pub client: Client,
    dir: TempDir,
}

impl Dev {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let client = Client::new(dir.path().join("client"), &dir.path().join("c/sotto.toml"));
        let mut dev = Self { process: None, client, dir };
        dev.start();
        dev
    }

    /// The cluster's directory.
    pub fn cluster(&self) -> PathBuf {
        self.dir.path().join("c")
    }

    /// Starts it and waits for the line that says so.
    #[track_caller]
    pub fn start(&mut self) {
        let elsewhere = self.dir.path().join("elsewhere");
        fs::create_dir_all(&elsewhere).unwrap();
        wait_until("the cluster to be ready", || {
            let cluster = self.cluster();
            let mut process = Process::start(sotto(&elsewhere).args(["dev", "--dir"]).arg(cluster));
            wait_until("the line `ready`", || {
                process.stdout().contains("ready\n") || !process.is_running()
            });
            if process.is_running() {
                self.process = Some(process);
                return true;
            }
            // While it was down, a connection of another program may have got one of its ports.
            let ended = process.wait();
            assert!(ended.stderr.contains("is taken"), "{}", ended.stderr);
            false
        });
    }

    pub fn process(&self) -> &Process {
        self.process.as_ref().unwrap()
    }

    pub fn take(&mut self) -> Process {
        self.process.take().unwrap()
    }

    /// `kill -9`.
    pub fn kill(&mut self) -> Outcome {
        self.take().kill()
    }

    /// `kill -9`, and start again on the same directory.
    #[track_caller]
    pub fn crash(&mut self) {
        self.kill();
        self.start();
    }
}

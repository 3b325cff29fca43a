//! Commands of a client: a profile, and a directory of its own where the files are.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::process::{Outcome, Process, sotto};

/// Somebody with a profile.
#[derive(Clone)]
pub struct Client {
    pub dir: PathBuf,
    pub profile: PathBuf,
}

impl Client {
    /// A client whose files are in `dir`, which is made.
    pub fn new(dir: PathBuf, profile: &Path) -> Self {
        fs::create_dir_all(&dir).unwrap();
        Self { dir, profile: profile.to_owned() }
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.dir.join(name), content).unwrap();
    }

    pub fn has(&self, name: &str) -> bool {
        self.dir.join(name).exists()
    }

    pub fn start(&self, arguments: &[&str]) -> Process {
        Process::start(sotto(&self.dir).args(arguments).arg("--profile").arg(&self.profile))
    }

    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        self.start(arguments).wait()
    }

    /// Writes a study file and proposes it.
    #[track_caller]
    pub fn create(&self, study: &str) -> String {
        self.write("study.toml", study);
        self.run(&["study", "create", "study.toml"]).ok().stdout.trim_end().to_owned()
    }

    #[track_caller]
    pub fn show(&self, id: &str) -> Value {
        self.run(&["study", "show", id, "--json"]).json()
    }

    #[track_caller]
    pub fn close(&self, id: &str) {
        self.run(&["study", "close", id]).ok();
    }

    /// The result, as soon as there is one.
    #[track_caller]
    pub fn result(&self, id: &str) -> Value {
        self.run(&["result", id, "--wait", "--json"]).json()
    }
}

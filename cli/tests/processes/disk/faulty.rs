//! A disk that fails when it is told to: `failing_disk.c`, compiled here and loaded into a server.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The files that a loss of power is about.
const FILES: [&str; 2] = ["sotto.db", "sotto.db-wal"];

/// The faults of one server's disk.
pub struct Faulty {
    dir: PathBuf,
}

impl Faulty {
    /// Keeps its files in `dir`, which is made.
    pub fn new(dir: PathBuf) -> Self {
        fs::create_dir(&dir).unwrap();
        fs::create_dir(dir.join("disk")).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR"));
        let source = source.join("tests/processes/disk/failing_disk.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-o"]);
        compiler.arg(dir.join("failing_disk.so")).arg(source).arg("-ldl");
        let compiled = compiler.output().expect("a C compiler, which SQLite needs as well");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        Self { dir }
    }

    /// Puts the disk under the server that is about to start.
    pub fn put_under(&self, serve: &mut Command) {
        serve.env("LD_PRELOAD", self.dir.join("failing_disk.so"));
        serve.env("FAULTY_CONTROL", self.dir.join("control"));
        serve.env("FAULTY_DISK", self.dir.join("disk"));
    }

    /// From now on `fault` fails: fsync, write, or room.
    pub fn fail(&self, fault: &str) {
        fs::write(self.dir.join("new"), fault).unwrap();
        fs::rename(self.dir.join("new"), self.dir.join("control")).unwrap();
    }

    /// Everything works again.
    pub fn work(&self) {
        fs::remove_file(self.dir.join("control")).unwrap();
    }

    /// How often something has failed.
    pub fn failures(&self) -> u64 {
        fs::metadata(self.dir.join("control.failures")).map_or(0, |failures| failures.len())
    }

    /// Takes from `data` what a loss of power takes: everything that no successful fsync was about.
    pub fn lose_power(&self, data: &Path) {
        let _ = fs::remove_file(data.join("sotto.db-shm"));
        for name in FILES {
            let _ = fs::remove_file(data.join(name));
            let survives = self.dir.join("disk").join(name);
            if survives.exists() {
                fs::copy(survives, data.join(name)).unwrap();
            }
        }
    }
}

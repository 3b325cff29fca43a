//! A process of `sotto` that is watched, waited for and ended, whatever the test does.

use std::{
    io::{Read, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

/// Longer than anything takes on a slow machine; only a test that hangs meets it.
pub const DEADLINE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(20);

/// `sotto` in `dir`, without anything of this process's environment that it would listen to.
pub fn sotto(dir: &Path) -> Command {
    quiet(Command::new(env!("CARGO_BIN_EXE_sotto")), dir)
}

/// A command into which a test types; its input ends when it is waited for.
pub fn typed(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::piped())
}

/// The same through a shell, which runs `script` first.
pub fn sotto_in_shell(dir: &Path, script: &str) -> Command {
    let mut command = quiet(Command::new("sh"), dir);
    command.args(["-c", &format!("{script}\nexec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_sotto")]);
    command
}

fn quiet(mut command: Command, dir: &Path) -> Command {
    for (name, _) in std::env::vars_os() {
        if name == "RUST_LOG" || name.to_string_lossy().starts_with("SOTTO_") {
            command.env_remove(name);
        }
    }
    command.current_dir(dir).stdin(Stdio::null());
    command
}

/// A running process. Dropping it kills it.
pub struct Process {
    child: Child,
    stdout: Stream,
    stderr: Stream,
}

/// What a process said, and how it ended.
#[derive(Debug)]
pub struct Outcome {
    /// None: a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// One output of a process, collected as it comes.
struct Stream {
    text: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

/// Waits until `condition` is true.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < DEADLINE, "waited too long: {what}");
        thread::sleep(PAUSE);
    }
}

impl Process {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = Stream::new(child.stdout.take().unwrap());
        let stderr = Stream::new(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// What it said last, of which the first line may be cut.
    pub fn stderr_end(&self, bytes: usize) -> String {
        let text = self.stderr.text.lock().unwrap();
        String::from_utf8_lossy(&text[text.len().saturating_sub(bytes)..]).into_owned()
    }

    /// Types a line. The command was made with [`typed`].
    #[track_caller]
    pub fn types(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").unwrap();
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        // A process that has ended by itself is the test's business when it looks at the outcome.
        let _ = kill_process(pid, signal);
    }

    /// `kill -9`, and the end of it.
    pub fn kill(mut self) -> Outcome {
        self.child.kill().unwrap();
        self.wait()
    }

    /// Waits for the end.
    #[track_caller]
    pub fn wait(mut self) -> Outcome {
        drop(self.child.stdin.take());
        wait_until("a process to end", || !self.is_running());
        let status = self.child.wait().unwrap();
        Outcome { code: status.code(), stdout: self.stdout.end(), stderr: self.stderr.end() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            // No more, so that the reason of the panic, above, is still in sight.
            let end = self.stderr_end(4 << 10);
            eprintln!("--- the end of the stderr of a process\n{end}");
        }
    }
}

impl Stream {
    fn new(mut output: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let all = text.clone();
        let reader = thread::spawn(move || {
            let mut some = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut some) {
                all.lock().unwrap().extend_from_slice(&some[..read]);
            }
        });
        Self { text, reader: Some(reader) }
    }

    fn text(&self) -> String {
        String::from_utf8(self.text.lock().unwrap().clone()).expect("output in UTF-8")
    }

    fn end(&mut self) -> String {
        self.reader.take().unwrap().join().unwrap();
        self.text()
    }
}

impl Outcome {
    /// Requires success.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// The answer in JSON.
    #[track_caller]
    pub fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.ok().stdout).unwrap()
    }

    /// Requires a refusal with this exit code, in one clear line that has all `parts`, and
    /// nothing on stdout.
    #[track_caller]
    pub fn refused(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        assert!(self.stdout.is_empty(), "{}", self.stdout);
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
        self.says(parts);
    }

    /// Requires every line of stderr to be one for people, and one of them to be the error, with
    /// all `parts`.
    #[track_caller]
    pub fn says(&self, parts: &[&str]) {
        const INTERNALS: [&str; 6] =
            ["docs.rs", "os error", "Error(", "Some(", "panicked", "transport error"];
        for line in self.stderr.lines() {
            assert!(line.chars().count() <= 300, "a long line: {line}");
            for internal in INTERNALS {
                assert!(!line.contains(internal), "{internal}: {line}");
            }
        }
        let error = self.stderr.lines().find(|line| line.starts_with("error: "));
        let error = error.unwrap_or_else(|| panic!("no error: {}", self.stderr));
        for part in parts {
            assert!(error.contains(part), "{part:?} is not in: {error}");
        }
    }
}

//! Keyboard: lines from stdin, for commands that also do something else while they wait for one.

use std::{
    io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _},
    thread,
};

use tokio::sync::mpsc;
use zeroize::Zeroizing;

/// The longest line that is looked at, in bytes.
const MOST: u64 = 4096;

/// Lines as they come. They may hold a value, so they are wiped.
pub struct Keyboard(mpsc::Receiver<Zeroizing<String>>);

impl Keyboard {
    /// Reads stdin from now on. A thread of its own waits for it, which ends with the process.
    pub fn new() -> Self {
        let (sender, lines) = mpsc::channel(1);
        thread::spawn(move || {
            loop {
                let mut line = Zeroizing::new(String::new());
                let read = io::stdin().lock().take(MOST).read_line(&mut line);
                // End of file, or no text.
                if !matches!(read, Ok(1..)) || sender.blocking_send(line).is_err() {
                    return;
                }
            }
        });
        Self(lines)
    }

    /// Whether a person may type.
    pub fn is_terminal() -> bool {
        io::stdin().is_terminal()
    }

    /// Asks on stderr and waits for the answer, without spaces around it. None: stdin has ended.
    pub async fn ask(&mut self, question: &str) -> Option<Zeroizing<String>> {
        eprint!("{question}");
        // Nothing is lost when it cannot be shown.
        let _ = io::stderr().flush();
        let line = self.0.recv().await;
        if line.is_none() {
            eprintln!();
        }
        line.map(|line| Zeroizing::new(line.trim().to_owned()))
    }

    /// Waits for Enter, and takes the question away again where somebody reads a table around it.
    pub async fn waits(&mut self, question: &str) -> bool {
        let pressed = self.ask(question).await.is_some();
        let is_plain = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        if pressed && !is_plain && Self::is_terminal() && io::stderr().is_terminal() {
            // One line up, and without what is in it.
            eprint!("\u{1b}[1A\r\u{1b}[2K");
        }
        pressed
    }

    /// Asks a question that is answered with yes or no.
    pub async fn agrees(&mut self, question: &str, default: bool) -> bool {
        let choice = if default { "[Y/n]" } else { "[y/N]" };
        let Some(answer) = self.ask(&format!("{question} {choice} ")).await else { return false };
        match answer.to_lowercase().as_str() {
            "" => default,
            answer => matches!(answer, "y" | "yes"),
        }
    }
}

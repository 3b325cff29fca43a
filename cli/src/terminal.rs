//! Progress on stderr: a bar on a terminal, a few lines elsewhere.

use std::{
    collections::HashSet,
    io::{self, IsTerminal as _},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use client::progress::{Event, Progress};
use indicatif::{ProgressBar, ProgressStyle};

use crate::report;

/// Draws the [`Event`]s of one operation.
#[derive(Debug)]
pub struct Terminal {
    bar: ProgressBar,
    /// What has been said on lines of its own, so that it is said once.
    said: Mutex<HashSet<String>>,
}

impl Terminal {
    /// Progress of what `name` names: a file or a command.
    pub fn new(name: &str) -> Self {
        let bar = match io::stderr().is_terminal() {
            true => ProgressBar::new_spinner(),
            false => ProgressBar::hidden(),
        };
        bar.set_prefix(name.to_owned());
        bar.set_style(style("{prefix} {spinner} {msg}"));
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { bar, said: Mutex::default() }
    }

    /// Removes the bar.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }

    /// One line above the bar, said once.
    fn say(&self, line: String) {
        if self.said.lock().unwrap_or_else(PoisonError::into_inner).insert(line.clone()) {
            match self.bar.is_hidden() {
                true => eprintln!("{line}"),
                false => self.bar.println(line),
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Progress for Terminal {
    fn event(&self, event: Event) {
        match event {
            Event::Checking { rows } => self.bar.set_message(format!("checking, {rows} rows")),
            Event::Uploading { records, done } => {
                self.bar.set_length(records);
                self.bar.set_position(done);
                // So that the speed shown is this run's alone.
                self.bar.reset_eta();
                self.bar.set_style(style(
                    "{prefix} {bar:32} {pos}/{len} records, {per_sec}, {eta} left {msg}",
                ));
                self.bar.set_message("");
                if done > 0 {
                    self.say(format!("going on after {done} of {records} records"));
                }
            }
            Event::Uploaded { records } => self.bar.set_position(records),
            Event::Retrying { server, reason } => {
                self.say(format!("{server} does not take it now ({reason}); trying again"));
            }
            Event::Measuring { records } => {
                let records = report::counted(records.into(), "record");
                self.bar.set_message(format!("measuring submissions of {records}"));
            }
            Event::AskingAnother { server, reason } => {
                self.say(format!("not from {server}: {reason}"));
            }
            Event::Downloading { bytes } => {
                self.bar.set_message(format!("downloading, {}", report::bytes(bytes)));
            }
            Event::Auditing { submissions } => {
                let submissions = report::counted(submissions, "submission");
                self.bar.set_message(format!("checking, {submissions}"));
            }
            Event::Waiting { what } => {
                self.bar.set_message(format!("waiting for {what}"));
                if self.bar.is_hidden() {
                    self.say(format!("waiting for {what}"));
                }
            }
        }
    }
}

/// A style of ours; the templates are constants, and one that is wrong shows the default bar.
fn style(template: &'static str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

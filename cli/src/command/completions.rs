//! `sotto completions`: what a shell needs to complete our command line.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Cli;
use crate::{failure::Failure, report};

/// Print a shell's completion script.
///
/// For bash: `sotto completions bash > ~/.local/share/bash-completion/completions/sotto`
#[derive(Debug, clap::Args)]
pub struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    pub fn run(self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "sotto", &mut script);
        report::print(&String::from_utf8_lossy(&script))
    }
}

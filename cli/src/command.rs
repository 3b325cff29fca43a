//! The command line: what there is to say, and which file does it.

use std::path::{Path, PathBuf};

use clap::{
    Parser, Subcommand,
    builder::{FalseyValueParser, styling::Styles},
};
use client::{Profile, profile::ProfileError};

use crate::{failure::Failure, logging::Logs, report::Format};

mod audit;
mod certs;
mod completions;
mod config;
mod demo;
mod dev;
mod doctor;
mod keys;
mod receipt;
mod result;
mod ring;
mod serve;
mod study;
mod submit;
mod withdraw;

pub use doctor::Checkup;
pub use ring::GradesError;

/// Statistics over private records, computed by servers that never see a record.
///
/// Records are split into shares on the provider's machine, one share per server. The servers
/// check and add shares; only the answer of a study is ever put together.
#[derive(Debug, Parser)]
#[command(name = "sotto", version, styles = Styles::styled(), after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Try it:
  sotto demo                      all of it in one command, over real data
  sotto dev &                     three servers on this machine
  export SOTTO_PROFILE=sotto-dev/sotto.toml
  id=$(sotto study create wages.toml)
  sotto submit $id wages.csv
  sotto study close $id
  sotto result $id --wait
  sotto audit $id

In a classroom:
  sotto demo ring                 the lesson on this machine
  sotto ring host                 a class; pupils join by the code that it shows
  sotto ring host --web           a class with a page, for pupils with a phone

Exit codes: 0 ok, 2 usage, 3 invalid data, 4 not authorised,
5 a server is unreachable, 6 the protocol aborted, 7 refused by policy,
130 interrupted.";

/// The profile that is read where none is named.
const DEFAULT_PROFILE: &str = "sotto.toml";

/// What every command takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Global {
    /// Client profile: the servers, and where your keys are.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "SOTTO_PROFILE",
        default_value = DEFAULT_PROFILE
    )]
    profile: PathBuf,
    /// Answer in JSON on stdout.
    #[arg(long, global = true, env = "SOTTO_JSON", value_parser = FalseyValueParser::new())]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    Dev(dev::Dev),
    Serve(serve::Serve),
    #[command(subcommand)]
    Study(study::StudyCommand),
    Submit(submit::Submit),
    Withdraw(withdraw::Withdraw),
    Result(result::ResultCommand),
    Audit(audit::Audit),
    #[command(subcommand)]
    Receipt(receipt::ReceiptCommand),
    #[command(subcommand)]
    Ring(ring::RingCommand),
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    #[command(subcommand)]
    Certs(certs::Certs),
    #[command(subcommand)]
    Config(config::ConfigCommand),
    Doctor(doctor::Doctor),
    Completions(completions::Completions),
}

impl Cli {
    /// How this command logs; none: its configuration says where to, and it starts that itself.
    pub fn logs(&self) -> Option<Logs> {
        match self.command {
            Command::Serve(_) => None,
            Command::Dev(_) => Some(Logs::Development),
            Command::Demo(_) | Command::Ring(_) => Some(Logs::Demonstration),
            _ => Some(Logs::Client),
        }
    }

    /// Runs the command to its end.
    pub async fn run(self) -> Result<(), Failure> {
        let global = &self.global;
        match self.command {
            Command::Demo(command) => command.run(global).await,
            Command::Dev(command) => command.run(global).await,
            Command::Serve(command) => command.run().await,
            Command::Study(command) => command.run(global).await,
            Command::Submit(command) => command.run(global).await,
            Command::Withdraw(command) => command.run(global).await,
            Command::Result(command) => command.run(global).await,
            Command::Audit(command) => command.run(global).await,
            Command::Receipt(command) => command.run(global).await,
            Command::Ring(command) => command.run(global).await,
            Command::Keys(command) => command.run(global),
            Command::Certs(command) => command.run(global),
            Command::Config(command) => command.run(global),
            Command::Doctor(command) => command.run(global).await,
            Command::Completions(command) => command.run(),
        }
    }
}

impl Global {
    fn profile(&self) -> Result<Profile, Failure> {
        Ok(Profile::load(&self.profile).map_err(client::ClientError::from)?)
    }

    /// The profile, for a command that can do without: only one that somebody asked for has to be
    /// there.
    fn profile_if_any(&self) -> Result<Option<Profile>, Failure> {
        match Profile::load(&self.profile) {
            Err(ProfileError::Missing { file }) if file == Path::new(DEFAULT_PROFILE) => Ok(None),
            profile => Ok(Some(profile.map_err(client::ClientError::from)?)),
        }
    }

    fn format(&self) -> Format {
        if self.json { Format::Json } else { Format::Text }
    }
}

/// A number on the command line.
fn whole_number<N: std::str::FromStr>(text: &str) -> Result<N, &'static str> {
    text.parse().map_err(|_| "a whole number is needed")
}

/// Ends the program as clap does for a command line that makes no sense.
fn usage(message: &str) -> ! {
    use clap::CommandFactory as _;
    Cli::command().error(clap::error::ErrorKind::ArgumentConflict, message).exit()
}

//! The `sotto` command: reads the command line and hands over to one file per command.

mod cluster;
mod command;
mod descriptors;
mod failure;
mod logging;
mod memory;
mod report;
mod signal;
mod terminal;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    memory::keep_out_of_dumps();
    let cli = command::Cli::parse();
    if let Some(logs) = cli.logs() {
        logging::start(logs);
    }
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(failure::Failure::Runtime)
        .and_then(|runtime| runtime.block_on(cli.run()));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

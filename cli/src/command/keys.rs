//! `sotto keys`: the keys of people, who are known by the public halves.

use std::path::PathBuf;

use client::{ClientError, keys};
use serde::Serialize;

use super::Global;
use crate::failure::Failure;

/// Make and show the keys of analysts, operators and providers.
///
/// The profile names the key file, as `key` of `[analyst]`, `[operator]` or `[provider]`. Others know
/// you by the public key: an analyst's goes into `analysts` of every server's server.toml, an
/// operator's into `operators` of the own server's, a provider's into `providers` of the study
/// file, if it has such a list. A server's keys are made by `sotto certs new`.
#[derive(Debug, clap::Subcommand)]
pub enum KeysCommand {
    /// Make a key file and print its public key.
    ///
    /// The file is readable by its owner alone, and a file that is there is never overwritten.
    /// The public key goes into `analysts` or `operators` of server.toml, or into `providers` of
    /// a study file. The file itself stays with you: keep a copy in a safe place.
    #[command(after_help = "Example:\n  sotto keys new analyst.key")]
    New {
        /// The key file; must not exist.
        file: PathBuf,
    },
    /// Print the public key of a key file.
    ///
    /// It is what `analysts` and `operators` of server.toml and `providers` of a study file list.
    Show {
        /// The key file.
        file: PathBuf,
    },
}

/// What may be known of a key.
#[derive(Serialize)]
struct Public {
    file: PathBuf,
    public_key: String,
}

impl KeysCommand {
    pub fn run(self, global: &Global) -> Result<(), Failure> {
        let (signer, file) = match self {
            Self::New { file } => (keys::create(&file), file),
            Self::Show { file } => (keys::read(&file), file),
        };
        let public_key = signer.map_err(ClientError::from)?.public().to_string();
        global.format().print(&Public { file, public_key }, |public| public.public_key.clone())
    }
}

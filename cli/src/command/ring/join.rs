//! `sotto ring join`: one pupil of a class.

use std::{net::SocketAddr, path::PathBuf};

use super::Global;
use crate::failure::Failure;

/// Join a class by the code that its host shows.
///
/// Asks for your value when the host has said which values there are. The value stays on this
/// machine: what is sent is masked, and goes to your neighbours alone.
#[derive(Debug, clap::Args)]
pub struct Join {
    /// The code that the host shows.
    code: String,
    /// Your name, for the others to see.
    #[arg(long, default_value = "", value_name = "NAME")]
    name: String,
    /// Read the value from this file instead of asking for it.
    #[arg(long, value_name = "FILE")]
    value_file: Option<PathBuf>,
    /// Address and port to listen on for your neighbours; port 0 takes a free one.
    #[arg(long, default_value = "0.0.0.0:0", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Name or address under which the others reach this machine; else its address in the local net.
    #[arg(long, value_name = "HOST")]
    address: Option<String>,
    /// Show what you saw without being asked, when the teacher plays a coalition with you.
    #[arg(long)]
    show_when_asked: bool,
}

impl Join {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let _ = (self, global);
        todo!()
    }
}

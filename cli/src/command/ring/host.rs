//! `sotto ring host`: the class of pupils who join from their own machines.

use std::net::SocketAddr;

use mpc::ring::Protocol;

use super::{Global, ScaleOptions};
use crate::failure::Failure;

/// Open a class: shows a code by which pupils join, and starts, watches and stops rounds.
///
/// The host fixes the order and sees no number that pupils send each other: these travel directly
/// between neighbours. When so many pupils as --pupils says have joined, or you press Enter, the
/// round is played; then you are asked for the next one.
#[derive(Debug, clap::Args)]
pub struct Host {
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, default_value = "0.0.0.0:0", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// Name or address under which pupils reach this machine; else its address in the local net.
    #[arg(long, value_name = "HOST")]
    pub address: Option<String>,
    #[command(flatten)]
    pub scale: ScaleOptions,
    /// Start as soon as so many have joined.
    #[arg(long, value_name = "NUMBER", conflicts_with = "web")]
    pub pupils: Option<usize>,
    /// How the sum is computed: `ring`, `rings` or `shares`.
    #[arg(long, default_value_t = Protocol::Ring, value_name = "PROTOCOL", conflicts_with = "web")]
    pub protocol: Protocol,
    /// Ask these pupils for what they saw after the round, and show what they learned together.
    #[arg(long, value_delimiter = ',', value_name = "PUPILS", conflicts_with = "web")]
    pub collude: Vec<String>,
    /// Serve a page instead: pupils join with a browser, and the teacher projects the ring.
    #[arg(long)]
    pub web: bool,
    #[command(flatten)]
    pub page: super::web::PageOptions,
}

impl Host {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let _ = (self, global);
        todo!()
    }
}

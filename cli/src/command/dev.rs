//! `sotto dev`: a cluster on one's own machine.

use std::path::PathBuf;

use super::Global;
use crate::{cluster::Cluster, failure::Failure, report, signal};

/// Run a local cluster: several servers in one process, for trying things out.
///
/// Everything is kept in DIR: keys, certificates, databases, and the client profile
/// DIR/sotto.toml. Started again on the same DIR, even after a crash, the cluster goes on where it
/// stopped. Studies are approved automatically. Prints one line `ready` on stdout when every
/// server answers; stops on SIGINT and SIGTERM.
///
/// All shares meet in one process here, so nothing is private: production servers are run by
/// different organisations with `sotto serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  sotto dev --servers 3 --dir /tmp/cluster &
  export SOTTO_PROFILE=/tmp/cluster/sotto.toml")]
pub struct Dev {
    /// Number of servers of a new cluster, 2 to 8; the default is 3.
    #[arg(
        long,
        value_name = "K",
        env = "SOTTO_SERVERS",
        value_parser = super::whole_number::<usize>
    )]
    servers: Option<usize>,
    /// Where everything is kept.
    #[arg(long, value_name = "DIR", env = "SOTTO_DIR", default_value = "sotto-dev")]
    dir: PathBuf,
}

impl Dev {
    pub async fn run(self, _: &Global) -> Result<(), Failure> {
        let stop = signal::stop();
        let cluster = Cluster::start(&self.dir, self.servers).await?;
        let outcome = tokio::select! {
            () = stop.cancelled() => Ok(()),
            ready = cluster.ready() => ready,
        };
        if outcome.is_ok() && !stop.is_cancelled() {
            eprintln!("profile: {}", cluster.profile().display());
            report::print("ready")?;
            stop.cancelled().await;
        }
        cluster.stop().await;
        outcome
    }
}

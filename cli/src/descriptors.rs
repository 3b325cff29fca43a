//! File descriptors: a server takes as many as the system lets it, and says when that is too few.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files, the database's connections, and the links to the other servers.
const OTHERS: u64 = 256;

/// Raises the limit of this process as far as it may, for so many connections.
pub fn raise(connections: u32) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    let needed = u64::from(connections) + OTHERS;
    // None: there is no limit.
    if let Some(descriptors) = getrlimit(Resource::Nofile).current
        && descriptors < needed
    {
        tracing::warn!(
            descriptors,
            needed,
            "this process may open fewer files than limits.connections needs: raise its hard limit \
             (LimitNOFILE in systemd, ulimit -Hn), or lower limits.connections"
        );
    }
}

//! The operator's own machine: files, disk, database, certificate, and whether the server runs.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::fs::MetadataExt as _,
    path::Path,
    time::Duration,
};

use proto::checkup::{self, Finding, HERE};
use tokio::net::TcpStream;

use crate::{
    clock,
    config::{Config, DATABASE},
    storage::sqlite::{
        free,
        inspect::{Inspection, inspect},
    },
};

/// How long the database is checked.
const QUICK_CHECK: Duration = Duration::from_secs(60);
/// How long the server may take until it answers a connection.
const CONNECT: Duration = Duration::from_secs(2);
/// Room in which a server fills its disk soon, and in which it has.
const ROOM: (u64, u64) = (1 << 30, 64 << 20);

pub(super) async fn findings(config: &Config) -> Vec<Finding> {
    let database = config.database();
    let looked = tokio::task::spawn_blocking(move || {
        let mut findings = data(&database);
        findings.push(disk(&database));
        findings.push(whole(&database));
        findings
    });
    let mut findings = looked.await.unwrap_or_else(|error| {
        let remedy = "repeat it; if it stays, report it";
        vec![Finding::fail(HERE, "data directory", error.to_string(), remedy)]
    });
    let own = config.tls.facts().ok();
    let now_s = i64::try_from(clock::now_ms() / 1_000).unwrap_or(i64::MAX);
    findings.extend(own.map(|facts| {
        let found = checkup::certificate(HERE, facts, now_s);
        let remedy = "repeat `sotto certs new` with the same arguments: no restart is needed";
        Finding { remedy: found.remedy.map(|_| remedy.into()), ..found }
    }));
    findings.push(listening(config.listen).await);
    findings.extend(config.metrics.map(metrics));
    findings
}

/// The data directory and what is in it must be the server's own.
fn data(database: &Path) -> Vec<Finding> {
    let check = "data directory";
    let directory = database.parent().unwrap_or(Path::new("."));
    let shown = directory.display();
    let metadata = match fs::metadata(directory) {
        Ok(metadata) => metadata,
        Err(error) => {
            let remedy = "name the server's directory as `data`, and run this as its owner";
            return vec![Finding::fail(HERE, check, format!("{shown}: {error}"), remedy)];
        }
    };
    let mode = metadata.mode() & 0o777;
    let mut findings = Vec::new();
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        let found = format!("{shown} belongs to another user than this one");
        let remedy = "run this as the user that the server runs as, so that it sees the same";
        findings.push(Finding::warn(HERE, check, found, remedy));
    }
    let mut open = Vec::new();
    if mode & 0o077 != 0 {
        open.push(format!("{mode:03o} {shown}"));
    }
    // Key files that others can read are refused with the configuration.
    for suffix in ["", "-wal", "-shm"] {
        let path = directory.join(format!("{DATABASE}{suffix}"));
        let mode = fs::metadata(&path).map_or(0, |metadata| metadata.mode() & 0o777);
        if mode & 0o077 != 0 {
            open.push(format!("{mode:03o} {}", path.display()));
        }
    }
    findings.push(match open.is_empty() {
        true => Finding::ok(HERE, check, format!("{shown}, closed to others")),
        false => {
            let remedy = format!("chmod 700 {shown}; chmod 600 the files in it");
            Finding::warn(HERE, check, format!("open to others: {}", open.join(", ")), remedy)
        }
    });
    findings
}

fn disk(database: &Path) -> Finding {
    let check = "disk";
    let Some(free) = free(database) else {
        let remedy = "look whether the disk of the data directory is there";
        return Finding::warn(HERE, check, "the room left is not known", remedy);
    };
    let found = format!("{} MiB free", free >> 20);
    let remedy = "make room: a server without any takes nothing in";
    match free {
        _ if free < ROOM.1 => Finding::fail(HERE, check, found, remedy),
        _ if free < ROOM.0 => Finding::warn(HERE, check, found, remedy),
        _ => Finding::ok(HERE, check, found),
    }
}

fn whole(database: &Path) -> Finding {
    let check = "database";
    let restore = "cancel its open studies at another server, and restore a backup";
    match inspect(database, QUICK_CHECK) {
        Ok(Inspection::Whole) => Finding::ok(HERE, check, "whole (quick_check)"),
        Ok(Inspection::Absent) => {
            Finding::ok(HERE, check, "none yet: the first start of the server makes it")
        }
        Ok(Inspection::Damaged { problems }) => {
            Finding::fail(HERE, check, format!("damaged: {problems} problems or more"), restore)
        }
        Ok(Inspection::Unfinished) => {
            let found = format!("not damaged as far as it was read in {} s", QUICK_CHECK.as_secs());
            let remedy = "repeat it while the server is less busy";
            Finding::warn(HERE, check, found, remedy)
        }
        Err(error) => {
            let remedy = "read the message: it names the file and what to do";
            Finding::fail(HERE, check, error.to_string(), remedy)
        }
    }
}

/// Whether something listens where the server should; who it is, is its peers' business.
async fn listening(address: SocketAddr) -> Finding {
    let reached = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, address.port()).into(),
        _ => address,
    };
    match tokio::time::timeout(CONNECT, TcpStream::connect(reached)).await {
        Ok(Ok(_)) => Finding::ok(HERE, "server", format!("listens on {address}")),
        _ => {
            let found = format!("nobody listens on {address}");
            let remedy = "start it: sotto serve --config FILE";
            Finding::warn(HERE, "server", found, remedy)
        }
    }
}

fn metrics(address: SocketAddr) -> Finding {
    let found = format!("served on {address}");
    match address.ip().is_unspecified() {
        true => {
            let remedy = "listen on one address, or keep the port behind a firewall";
            Finding::warn(HERE, "metrics", format!("{found}, on every network"), remedy)
        }
        false => Finding::ok(HERE, "metrics", found),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use proto::checkup::State;

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn files_that_others_can_read_are_named_with_the_remedy() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("sotto.db");
        fs::write(&database, "").unwrap();
        set_mode(directory.path(), 0o700);
        set_mode(&database, 0o600);
        let states = |findings: Vec<Finding>| findings.iter().map(|f| f.state).collect::<Vec<_>>();
        assert_eq!(states(data(&database)), [State::Ok]);
        set_mode(&database, 0o644);
        let found = data(&database).remove(0);
        assert_eq!(found.state, State::Warn);
        assert!(found.found.contains("644") && found.found.contains("sotto.db"), "{found:?}");
        assert!(found.remedy.unwrap().contains("chmod 600"));
        let nowhere = directory.path().join("nowhere/sotto.db");
        assert_eq!(states(data(&nowhere)), [State::Fail]);
    }

    #[tokio::test]
    async fn a_server_that_does_not_run_is_a_worry_and_no_failure() {
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        assert_eq!(listening(address).await.state, State::Ok);
        drop(socket);
        assert_eq!(listening(address).await.state, State::Warn);
    }
}

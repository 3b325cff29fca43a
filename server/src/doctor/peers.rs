//! The other servers, over mutual TLS with this server's own key, as its links reach them.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use proto::{
    checkup::{self, Finding, HERE},
    v1::{self, peers_client::PeersClient},
};
use tonic::{Code, Request, Status, transport::Channel};

use crate::{
    clock,
    config::{Config, RosterServer},
    lives,
    metrics::Traffic,
    peers::{Greeting, reason},
    storage::sqlite::inspect::life,
    tls::{self, Credentials},
};

/// Deadline of the greeting.
const HELLO: Duration = Duration::from_secs(10);

pub(super) async fn findings(config: &Config) -> Vec<Finding> {
    let credentials = match Credentials::new(&config.tls, &config.roster, config.revoked.clone()) {
        Ok(credentials) => credentials,
        Err(error) => {
            let remedy = "restore key and certificate";
            return vec![Finding::fail(HERE, "certificate", error.to_string(), remedy)];
        }
    };
    let others = config.roster.servers().iter().filter(|server| server.name != config.name);
    join_all(others.map(|peer| of_peer(config, &credentials, peer)))
        .await
        .into_iter()
        .flatten()
        .collect()
}

async fn of_peer(
    config: &Config,
    credentials: &Arc<Credentials>,
    peer: &RosterServer,
) -> Vec<Finding> {
    let name = peer.name.as_str();
    let shown = match tls::peer_certificate(credentials, peer).await {
        Ok(shown) => shown,
        Err(error) => {
            let remedy = "correct its endpoint in the roster";
            return vec![Finding::fail(name, "connection", error.to_string(), remedy)];
        }
    };
    let facts = match shown {
        Ok(facts) => facts,
        Err(error) => {
            let tls = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
            let remedy = match tls {
                Some(error) => of_certificates(error),
                None => "ask its operator whether it runs, and whether a firewall is in between",
            };
            let why = tls.and_then(proto::pin::refusal).unwrap_or_else(|| plain(&error));
            let found = format!("{}: {why}", peer.endpoint);
            return vec![Finding::fail(name, "connection", found, remedy)];
        }
    };
    let now_s = i64::try_from(clock::now_ms() / 1_000).unwrap_or(i64::MAX);
    let mut findings = vec![
        Finding::ok(name, "connection", peer.endpoint.clone()),
        checkup::certificate(name, facts, now_s),
    ];
    let channel = match tls::peer_channel_as(credentials, peer, Traffic::default()) {
        Ok(channel) => channel,
        Err(error) => {
            let remedy = "correct its endpoint in the roster";
            findings.push(Finding::fail(name, "connection", error.to_string(), remedy));
            return findings;
        }
    };
    findings.push(greeting(config, name, channel.clone()).await);
    findings.extend(meeting(config, peer, channel.clone()).await);
    match checkup::measure(channel).await {
        Ok(measured) => findings.extend(measured.findings(name)),
        Err(status) => {
            let remedy = "look into its log, and into this server's";
            findings.push(Finding::fail(name, "round trip", reason(&status), remedy));
        }
    }
    findings
}

/// Whether the peer takes this server for one of its roster, and version, roster and clock fit.
async fn greeting(config: &Config, name: &str, channel: Channel) -> Finding {
    let greeting = Greeting {
        roster_hash: config.roster.hash(),
        clock: clock::Clock::system(),
        protocol: config.protocol.clone(),
    };
    let mut hello = Request::new(greeting.request());
    hello.set_timeout(HELLO);
    let check = "roster and version";
    match PeersClient::new(channel).hello(hello).await {
        Ok(answer) => {
            let (ours, theirs) = (env!("CARGO_PKG_VERSION"), answer.into_inner().version);
            let theirs: String = theirs.chars().filter(|c| !c.is_control()).take(32).collect();
            let found = format!("the same roster; sotto {theirs} there, {ours} here");
            Finding::ok(name, check, found)
        }
        Err(status) => Finding::fail(name, check, words(&status), remedy(status.code())),
    }
}

/// Whether the peer has seen more of this server's database than is in it; nothing if there is none
/// yet, or the peer did not answer.
async fn meeting(config: &Config, peer: &RosterServer, channel: Channel) -> Option<Finding> {
    let (name, check) = (peer.name.as_str(), "backup");
    let database = config.database();
    let mine = tokio::task::spawn_blocking(move || life(&database)).await.ok()?.ok()??;
    let (said, starts) = lives::signed(&mine, &config.identity);
    let mut request = Request::new(v1::MeetRequest { life: Some(said), starts });
    request.set_timeout(HELLO);
    let answer = PeersClient::new(channel).meet(request).await.ok()?.into_inner();
    let (seen, _) = lives::heard(answer.seen.as_ref(), &config.identity.public()).ok()?;
    // A server that runs may have gone on in the meantime.
    let database = config.database();
    let now = tokio::task::spawn_blocking(move || life(&database)).await.ok()?.ok()??;
    if now.remembers(&seen) {
        let found = "nothing is forgotten of what it has seen of this server's database";
        return Some(Finding::ok(name, check, found));
    }
    let ago = lives::ago(clock::now_ms(), answer.seen_ms);
    let found =
        format!("the database is an old copy: it has forgotten what {name} saw of it {ago}");
    let remedy = "stop the server and restore its newest backup; or move sotto.db, -wal and -shm away, \
                  begin with an empty database, and have its studies cancelled at another server";
    Some(Finding::fail(name, check, found, remedy))
}

/// What to do when one of the two certificates was refused.
fn of_certificates(error: &rustls::Error) -> &'static str {
    use rustls::{AlertDescription as Alert, CertificateError as Refused, Error};
    match error {
        Error::InvalidCertificate(
            Refused::ExpiredContext { .. } | Refused::NotValidYetContext { .. },
        ) => "its operator repeats `sotto certs new` with the same arguments; compare the clocks",
        Error::InvalidCertificate(Refused::Revoked) => {
            "agree with its operator on a new key for it, or take it out of [tls] revoked"
        }
        Error::AlertReceived(Alert::CertificateExpired) => {
            "repeat `sotto certs new` with the same arguments; compare the clocks"
        }
        Error::AlertReceived(Alert::CertificateRevoked) => {
            "ask its operator why, and agree on a new key for this server"
        }
        _ => "compare the rosters: a key or a certificate is not the one listed",
    }
}

fn remedy(code: Code) -> &'static str {
    match code {
        Code::FailedPrecondition => "compare roster.toml, versions and clocks with its operator",
        Code::PermissionDenied => "its roster has another key for this server: compare them",
        _ => "ask its operator to compare its roster with this server's key and certificate",
    }
}

/// A status in words that steer no terminal.
fn words(status: &Status) -> String {
    let cleaned = |c: char| if c.is_control() { ' ' } else { c };
    reason(status).chars().map(cleaned).take(300).collect()
}

/// What the operating system said, without the number of it.
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

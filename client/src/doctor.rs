//! Doctor: looks at everything that a client needs of its profile and its servers, and says what to do
//! about what is wrong.

use std::{
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use futures::future::join_all;
use mpc::sign::PublicKey;
use proto::{
    checkup::{self, Finding, HERE, Measured},
    pin::Facts,
    v1::DescribeResponse,
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

use crate::{
    connection::{Cluster, Server, roster},
    error::ClientError,
    keys,
    profile::{Profile, Role},
    refusal,
    status::printable,
};

/// Looks at the profile's files and at every server; a server that is down hides nothing of the
/// others. Fails when there is nothing to look at.
pub async fn doctor(profile: &Profile) -> Result<Vec<Finding>, ClientError> {
    let cluster = Cluster::new(profile)?;
    let mut findings = roots(&profile.roots()?);
    findings.extend(Role::ALL.into_iter().filter_map(|role| Some(key(role, profile.key(role)?))));
    let servers = cluster.servers();
    let measured = join_all(servers.iter().map(|server| checkup::measure(server.channel()))).await;
    let mut first: Option<(&Server, DescribeResponse)> = None;
    for (server, measured) in servers.iter().zip(measured) {
        let measured = match measured {
            Ok(measured) => measured,
            Err(status) => {
                findings.push(unreachable(server, &refusal::from_status(server, &status)));
                continue;
            }
        };
        findings.extend(of_server(server, &measured, profile));
        findings.push(roster_beside(server, &measured.description, first.as_ref()));
        first.get_or_insert((server, measured.description));
    }
    Ok(findings)
}

pub(crate) fn of_server(server: &Server, measured: &Measured, profile: &Profile) -> Vec<Finding> {
    let name = server.name();
    let mut findings = vec![Finding::ok(name, "connection", server.endpoint())];
    if let Some(facts) = server.certificate() {
        findings.push(checkup::certificate(name, facts, now_s()));
    }
    let description = &measured.description;
    let answered_at = i64::try_from(description.unix_ms).unwrap_or(i64::MAX);
    // Its own clock, so that only what is not a matter of clocks is found here.
    let now = std::time::Duration::from_millis(answered_at.unsigned_abs());
    findings.push(match server.check_description(description, now) {
        Ok(()) => {
            let (theirs, ours) = (printable(&description.version), env!("CARGO_PKG_VERSION"));
            Finding::ok(name, "version", format!("sotto {theirs} there, {ours} here"))
        }
        Err(error) => {
            let check = match error {
                ClientError::OtherIdentity { .. } => "identity",
                _ => "version",
            };
            let remedy = match check {
                "identity" => "compare the profile with its operator's roster entry",
                _ => "install the newer sotto of the two on both sides",
            };
            Finding::fail(name, check, error.to_string(), remedy)
        }
    });
    findings.extend(measured.findings(name));
    findings.extend(unlisted(server, description, profile));
    findings
}

/// The servers of the profile that are not in a server's roster.
fn unlisted(server: &Server, description: &DescribeResponse, profile: &Profile) -> Option<Finding> {
    let is_listed =
        |identity: &[u8]| description.roster.iter().any(|entry| entry.identity[..] == *identity);
    let others = profile.servers().iter().filter(|other| !is_listed(&other.identity.0));
    let names: Vec<_> = others.map(|other| other.name.as_str()).collect();
    (!names.is_empty()).then(|| {
        let found = format!("not in its roster under the profile's key: {}", names.join(", "));
        let remedy = "compare the profile with the operators' roster: no study runs on both";
        Finding::warn(server.name(), "profile", found, remedy)
    })
}

pub(crate) fn roster_beside(
    server: &Server,
    description: &DescribeResponse,
    first: Option<&(&Server, DescribeResponse)>,
) -> Finding {
    let (name, check) = (server.name(), "roster");
    match first {
        Some((other, theirs)) if theirs.roster_hash != description.roster_hash => {
            let found = format!("{}; {} has {}", roster(description), other.name(), roster(theirs));
            let remedy = "their operators compare their roster.toml files";
            Finding::fail(name, check, found, remedy)
        }
        _ => {
            let digest = description.roster_hash.get(..8).unwrap_or_default();
            let found = format!("{} servers, {}…", description.roster.len(), hex::encode(digest));
            Finding::ok(name, check, found)
        }
    }
}

fn unreachable(server: &Server, error: &ClientError) -> Finding {
    let remedy = match error.is_unreachable() {
        true => "ask its operator whether it runs, and whether a firewall is in between",
        false => "compare the profile with its operator's roster entry",
    };
    Finding::fail(server.name(), "connection", error.to_string(), remedy)
}

/// The authorities that the profile trusts; the one that ends first decides.
fn roots(pem: &[u8]) -> Vec<Finding> {
    let facts = CertificateDer::pem_slice_iter(pem)
        .filter_map(|certificate| Facts::of(&certificate.ok()?).ok())
        .min_by_key(|facts| facts.not_after);
    let finding = facts.map(|facts| checkup::certificate(HERE, facts, now_s()));
    let remedy =
        "ask the operators for their ca.pem files, and put them into the profile's `roots`";
    let name = |finding: Finding| Finding {
        check: "roots",
        remedy: finding.remedy.map(|_| remedy.to_owned()),
        ..finding
    };
    finding.map(name).into_iter().collect()
}

fn key(role: Role, path: &Path) -> Finding {
    let check = match role {
        Role::Provider => "provider's key",
        Role::Analyst => "analyst's key",
        Role::Operator => "operator's key",
    };
    if role == Role::Provider && !path.exists() {
        return Finding::ok(HERE, check, "made when it is first used");
    }
    match keys::read(path) {
        Ok(signer) => Finding::ok(HERE, check, shown(&signer.public())),
        Err(error) => {
            let remedy = "restore it from your backup, closed to others (chmod 600)";
            Finding::fail(HERE, check, error.to_string(), remedy)
        }
    }
}

/// The start of a public key, which is enough to tell one's own keys apart.
fn shown(key: &PublicKey) -> String {
    format!("public half {}…", hex::encode(key.0.get(..8).unwrap_or_default()))
}

fn now_s() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}

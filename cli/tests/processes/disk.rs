//! Servers whose disk is full, whose disk fails, and whose database was put back to an older state.

mod backups;
mod failing;
mod faulty;
mod full;
mod small;

use std::fs;

use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::{process::DEADLINE, serve_cluster::Servers};

/// Rounds of each test that has rounds: as many as `SOTTO_DISK_ROUNDS` says.
fn rounds(short: usize) -> usize {
    let rounds = std::env::var("SOTTO_DISK_ROUNDS").ok();
    rounds.map_or(short, |rounds| rounds.parse().expect("a number of rounds"))
}

/// Whether a server's health service says that it takes submissions.
fn is_serving(servers: &Servers, server: usize) -> bool {
    health(servers, server) == Some(ServingStatus::Serving)
}

/// Whether it says that it takes none. A server that says nothing is not meant.
fn is_refusing(servers: &Servers, server: usize) -> bool {
    health(servers, server) == Some(ServingStatus::NotServing)
}

/// What a server's health service says of taking submissions; none: nothing.
fn health(servers: &Servers, server: usize) -> Option<ServingStatus> {
    let roots = fs::read(servers.dir.path().join("roots.pem")).unwrap();
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(roots));
    let endpoint = Endpoint::from_shared(format!("https://127.0.0.1:{}", servers.port(server)));
    let endpoint = endpoint.unwrap().tls_config(tls).unwrap().timeout(DEADLINE);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(async {
        let mut health = HealthClient::new(endpoint.connect_lazy());
        health.check(HealthCheckRequest { service: "sotto.v1.Submissions".into() }).await
    });
    answer.ok().map(|answer| answer.get_ref().status())
}

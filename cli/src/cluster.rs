//! A cluster of servers in this process, for `sotto dev` and `sotto demo`.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use client::{ClientError, Profile, profile::ProfileServer};
use server::{
    Running, Server,
    certs::{DevRequest, DevServer, dev},
    config::Config,
};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::failure::Failure;

/// How long a server may take until it answers its health check.
const READY: Duration = Duration::from_secs(30);
const ASK: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(50);

/// Running servers with the client profile that leads to them.
pub struct Cluster {
    profile: PathBuf,
    running: Vec<Running>,
}

impl Cluster {
    /// Starts the cluster that is kept in `directory`, or makes one of `servers` servers there.
    pub async fn start(directory: &Path, servers: Option<usize>) -> Result<Self, Failure> {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let request = DevRequest {
            directory: directory.to_owned(),
            servers,
            ports: Vec::new(),
            unix_s: since_1970.as_secs(),
        };
        let made = tokio::task::spawn_blocking(move || dev(&request, &mut rand::rng()))
            .await
            .map_err(|_| ClientError::WorkerFailed)?
            .map_err(|error| Failure::Server(error.to_string()))?;
        let mut cluster = Self { profile: made.profile, running: Vec::new() };
        for server in made.servers {
            match start(server).await {
                Ok(running) => cluster.running.push(running),
                Err(failure) => {
                    cluster.stop().await;
                    return Err(failure);
                }
            }
        }
        Ok(cluster)
    }

    /// Returns when every server answers its health check.
    pub async fn ready(&self) -> Result<(), Failure> {
        let profile = Profile::load(&self.profile).map_err(ClientError::from)?;
        let roots = profile.roots().map_err(ClientError::from)?;
        for server in profile.servers() {
            let refused = match tokio::time::timeout(READY, serving(server, &roots)).await {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer in {} s", READY.as_secs()),
            };
            let name = &server.name;
            return Err(Failure::Server(format!(
                "{name} does not pass its health check: {refused}"
            )));
        }
        Ok(())
    }

    /// The client profile.
    pub fn profile(&self) -> &Path {
        &self.profile
    }

    /// Stops all servers.
    pub async fn stop(self) {
        let mut stopping = tokio::task::JoinSet::new();
        for server in self.running {
            stopping.spawn(server.shutdown());
        }
        stopping.join_all().await;
    }
}

async fn start(server: DevServer) -> Result<Running, Failure> {
    let name = server.name;
    let failed = |error: &dyn std::fmt::Display| Failure::Server(format!("{name}: {error}"));
    let config = Config::load(&server.config).map_err(|error| failed(&error))?;
    Server::start_on(config, server.listener).await.map_err(|error| failed(&error))
}

/// Asks until the answer is that the server serves.
async fn serving(server: &ProfileServer, roots: &[u8]) -> Result<(), tonic::transport::Error> {
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(roots));
    let endpoint = Endpoint::from(server.endpoint.clone()).tls_config(tls)?;
    let channel = endpoint.connect_timeout(ASK).timeout(ASK).connect_lazy();
    let mut health = HealthClient::new(channel);
    loop {
        let answer = health.check(HealthCheckRequest::default()).await;
        if answer.is_ok_and(|answer| answer.get_ref().status() == ServingStatus::Serving) {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

//! World: k servers in one process, each with its own database, on loopback with real TLS.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use client::{
    ClientError, Profile,
    progress::Silent,
    result::{ResultDocument, Wait},
    studies::{self, Action},
    submit::{Options, SubmitReport},
};
use mpc::{ids::StudyId, publish::Published};
use proto::v1::{GetStudyRequest, studies_client::StudiesClient};
use server::{
    Running, Server,
    certs::{DevRequest, dev},
    clock::Clock,
    config::Config,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

/// A cluster of servers and the profile of its clients.
pub struct World {
    dir: tempfile::TempDir,
    profile: PathBuf,
    configs: Vec<PathBuf>,
    servers: Vec<Option<Running>>,
}

impl World {
    /// Starts `k` servers.
    pub async fn servers(k: usize) -> Self {
        Self::with_configs(k, |_, text| text).await
    }

    /// Starts `k` servers whose configuration files are changed by `edit` first.
    pub async fn with_configs(k: usize, edit: impl Fn(usize, String) -> String) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let request = DevRequest {
            directory: dir.path().to_owned(),
            servers: Some(k),
            ports: Vec::new(),
            unix_s: now.as_secs(),
        };
        let cluster = dev(&request, &mut rand::rng()).unwrap();
        let mut world =
            Self { dir, profile: cluster.profile, configs: Vec::new(), servers: Vec::new() };
        for (index, server) in cluster.servers.into_iter().enumerate() {
            let text = std::fs::read_to_string(&server.config).unwrap();
            std::fs::write(&server.config, edit(index, text)).unwrap();
            world.configs.push(server.config.clone());
            let config = Config::load(&server.config).unwrap();
            world.servers.push(Some(Server::start_on(config, server.listener).await.unwrap()));
        }
        world
    }

    /// The world's directory.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file into the world's directory.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The clients' profile.
    pub fn profile(&self) -> Profile {
        Profile::load(&self.profile).unwrap()
    }

    /// The profile's file.
    pub fn profile_file(&self) -> &Path {
        &self.profile
    }

    /// The configuration file of a server.
    pub fn config(&self, server: usize) -> &Path {
        &self.configs[server]
    }

    /// The data directory of a server.
    pub fn data(&self, server: usize) -> &Path {
        self.configs[server].parent().unwrap()
    }

    /// Stops a server in order.
    pub async fn stop(&mut self, server: usize) {
        if let Some(running) = self.servers[server].take() {
            running.shutdown().await;
        }
    }

    /// Stops a server as a crash would, without draining or a last word.
    pub async fn crash(&mut self, server: usize) {
        if let Some(running) = self.servers[server].take() {
            running.crash().await;
        }
    }

    /// Starts a stopped server again.
    pub async fn start(&mut self, server: usize) {
        let config = Config::load(&self.configs[server]).unwrap();
        self.servers[server] = Some(Server::start(config).await.unwrap());
    }

    /// Starts a stopped server again with a changed configuration, and by its own clock.
    pub async fn start_at(
        &mut self,
        server: usize,
        clock: Clock,
        change: impl FnOnce(&mut Config),
    ) {
        let mut config = Config::load(&self.configs[server]).unwrap();
        change(&mut config);
        let listener = std::net::TcpListener::bind(config.listen).unwrap();
        let running = Server::start_at(config, listener, clock).await.unwrap();
        self.servers[server] = Some(running);
    }

    /// A server that runs.
    pub fn running(&self, server: usize) -> &Running {
        self.servers[server].as_ref().unwrap()
    }

    /// Makes a server change every frame that it sends to its peers from now on.
    pub fn tamper(&self, server: usize, tamper: server::peers::Tamper) {
        self.servers[server].as_ref().unwrap().tamper_with_frames(tamper);
    }

    /// Makes a server open result shares that are 1 too large from now on.
    pub fn add_wrongly(&self, server: usize) {
        self.servers[server].as_ref().unwrap().add_wrongly();
    }

    /// What a server with `[metrics]` in its configuration answers to this first line of a request.
    pub async fn metrics_request(&self, server: usize, line: &str) -> String {
        let address = self.servers[server].as_ref().unwrap().metrics_address().unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// The metrics of a server, as Prometheus reads them.
    pub async fn metrics(&self, server: usize) -> String {
        let answer = self.metrics_request(server, "GET /metrics").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        answer
    }

    /// Stops all servers.
    pub async fn end(mut self) {
        for server in 0..self.servers.len() {
            self.stop(server).await;
        }
    }

    /// A raw channel to a server, as any stranger can open one.
    pub async fn channel(&self, server: usize) -> Channel {
        let profile = self.profile();
        let roots = Certificate::from_pem(profile.roots().unwrap());
        let endpoint = profile.servers()[server].endpoint.to_string();
        let tls = ClientTlsConfig::new().ca_certificate(roots);
        Endpoint::from_shared(endpoint).unwrap().tls_config(tls).unwrap().connect().await.unwrap()
    }

    /// Proposes a study with the client library and waits until it is open.
    pub async fn create(&self, toml: &str) -> StudyId {
        self.try_create(toml).await.unwrap()
    }

    /// [`World::create`], or why not.
    pub async fn try_create(&self, toml: &str) -> Result<StudyId, ClientError> {
        let file = self.file("study.toml", toml);
        Ok(studies::create(&self.profile(), &file, &Silent).await?.id)
    }

    /// Submits a CSV with the client library.
    pub async fn submit(&self, study: StudyId, csv: &Path) -> Result<SubmitReport, ClientError> {
        let options = Options { timeout: Duration::from_secs(60), ..Options::default() };
        self.submit_with(study, csv, &options).await
    }

    /// [`World::submit`] with options.
    pub async fn submit_with(
        &self,
        study: StudyId,
        csv: &Path,
        options: &Options,
    ) -> Result<SubmitReport, ClientError> {
        let stop = CancellationToken::new();
        client::submit::submit(&self.profile(), study, csv, options, &stop, Arc::new(Silent)).await
    }

    /// Closes a study at every server.
    pub async fn close(&self, study: StudyId) {
        for answer in studies::command(&self.profile(), study, Action::Close, &[]).await.unwrap() {
            answer.report.unwrap();
        }
    }

    /// The result as the first server gives it out, waited for: another one may have it first.
    pub async fn published(&self, study: StudyId) -> Published {
        let request = GetStudyRequest { study_id: study.0.to_vec().into() };
        for _ in 0..1200 {
            let mut server = StudiesClient::new(self.channel(0).await);
            let outcome = server.get_outcome(request.clone()).await.unwrap().into_inner();
            if let Ok(published) = Published::decode(&outcome.published) {
                return published;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the first server did not publish");
    }

    /// The published result, waited for.
    pub async fn result(&self, study: StudyId) -> Result<ResultDocument, ClientError> {
        let stop = CancellationToken::new();
        let profile = self.profile();
        let result = client::result::result(&profile, study, Wait::UntilPublished, &stop, &Silent);
        tokio::time::timeout(Duration::from_secs(120), result).await.expect("a result in time")
    }
}

//! Callers: how people and providers call servers, and how often they try.

use std::{future::Future, sync::Arc, time::Duration};

use futures::future::join_all;
use mpc::{dst, ids::StudyId, sign::Signer};
use proto::v1::{self, studies_client::StudiesClient, submissions_client::SubmissionsClient};
use server::storage::StudyState;
use tokio::time::Instant;
use tonic::{Code, Request, Response, Status, transport::Channel};

use crate::{
    cluster::Cluster,
    network::{Death, Host, Network},
    trace::Trace,
};

/// How long somebody waits for a study to open.
const OPENING: Duration = Duration::from_secs(20);
/// Deadline of one call.
const CALL: Duration = Duration::from_secs(15);
/// First and longest pause between two tries.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// The channels of one host to all servers.
#[derive(Clone)]
pub struct Caller {
    pub host: Host,
    channels: Vec<Channel>,
    cluster: Arc<Cluster>,
    trace: Trace,
}

impl Caller {
    pub fn new(host: Host, network: &Arc<Network>, cluster: &Arc<Cluster>, trace: Trace) -> Self {
        let servers = 0..cluster.servers().len();
        let death = Death::default();
        let channels = servers.map(|server| network.channel(host, server, None, &death)).collect();
        Self { host, channels, cluster: cluster.clone(), trace }
    }

    pub fn servers(&self) -> usize {
        self.channels.len()
    }

    /// The way to a server.
    pub fn channel(&self, server: usize) -> Channel {
        self.channels[server].clone()
    }

    pub fn submissions(&self, server: usize) -> SubmissionsClient<Channel> {
        SubmissionsClient::new(self.channels[server].clone())
    }

    pub fn studies(&self, server: usize) -> StudiesClient<Channel> {
        StudiesClient::new(self.channels[server].clone())
            .max_decoding_message_size(proto::MAX_OUTCOME)
    }

    /// Calls until there is an answer, a refusal that stays, or `patience` is over.
    pub async fn until_answered<T, A: Future<Output = Result<Response<T>, Status>>>(
        &self,
        what: &str,
        server: usize,
        patience: Duration,
        call: impl Fn() -> A,
    ) -> Result<T, Status> {
        let (started, mut pause) = (Instant::now(), PAUSE.0);
        loop {
            let status = match call().await {
                Ok(answer) => {
                    self.trace.say(|| format!("{} has {what} of {server}", self.host));
                    return Ok(answer.into_inner());
                }
                Err(status) => status,
            };
            self.trace
                .say(|| format!("{} fails: {what} of {server}, {:?}", self.host, status.code()));
            if !is_transient(&status) || started.elapsed() > patience {
                return Err(status);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// Where a study is at a server.
    pub async fn state(
        &self,
        server: usize,
        study: StudyId,
        patience: Duration,
    ) -> Result<v1::StudyStatus, Status> {
        let message = v1::GetStudyRequest { study_id: study.0.to_vec().into() };
        let call = || async { self.studies(server).get(request(message.clone())).await };
        self.until_answered("state", server, patience, call).await
    }

    /// Whether a study is open at all servers, now or soon.
    pub async fn is_open_soon(&self, study: StudyId) -> bool {
        let started = Instant::now();
        while started.elapsed() < OPENING {
            let states =
                (0..self.servers()).map(|server| self.state(server, study, Duration::ZERO));
            let states: Vec<_> = join_all(states)
                .await
                .into_iter()
                .map(|status| StudyState::from_code(u8::try_from(status.ok()?.state).ok()?))
                .collect();
            if states.iter().all(|state| *state == Some(StudyState::Open)) {
                return true;
            }
            if states.iter().flatten().any(|state| state.code() > StudyState::Open.code()) {
                return false;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        false
    }

    /// A signed command to one server.
    pub fn command(
        &self,
        action: &str,
        study: StudyId,
        server: usize,
        signer: &Signer,
    ) -> v1::Command {
        let identity = self.cluster.servers()[server].identity;
        let parts: [&[u8]; 3] = [action.as_bytes(), &study.0, &identity.0];
        v1::Command {
            study_id: study.0.to_vec().into(),
            public_key: signer.public().0.to_vec().into(),
            signature: signer.sign(dst::COMMAND, &parts).0.to_vec().into(),
        }
    }
}

/// A message with a deadline.
pub fn request<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(CALL);
    request
}

/// As the client library decides: the call may not have arrived, or it may succeed later.
pub fn is_transient(status: &Status) -> bool {
    use std::error::Error as _;
    let from_transport = status.source().is_some() || status.message() == "Timeout expired";
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted | Code::Aborted => {
            true
        }
        Code::Cancelled | Code::Unknown | Code::Internal => from_transport,
        _ => false,
    }
}

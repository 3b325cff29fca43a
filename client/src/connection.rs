//! Channels to the servers of a profile, and the checks before anything is said on them.

use std::{
    fmt::Write as _,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures::future::join_all;
use hyper_util::rt::TokioIo;
use mpc::sign::PublicKey;
use proto::{
    clock::Clock,
    pin::Facts,
    v1::{
        DescribeRequest, DescribeResponse, audit_client::AuditClient,
        directory_client::DirectoryClient, studies_client::StudiesClient,
        submissions_client::SubmissionsClient,
    },
};
use tokio::net::TcpStream;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint, Uri};

use crate::{
    deadline::{self, Patience, request},
    error::ClientError,
    pinned::{Pinned, Seen},
    profile::{Profile, ProfileServer},
    progress::Progress,
    refusal,
};

/// The largest difference between two clocks.
const CLOCK_SECONDS: u64 = 300;
/// Pings on an idle connection, so that a dead peer is noticed.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// More entries than a roster can have are not shown.
const ROSTER_SHOWN: usize = 16;
/// Nor more characters than a name can have.
const NAME_SHOWN: usize = 64;

/// Channels to all servers of a profile.
#[derive(Debug, Clone)]
pub struct Cluster {
    profile: PathBuf,
    servers: Vec<Server>,
    clock: Clock,
}

/// A channel to one server. Cheap to clone; connects when it is first used, and again after it
/// was lost.
#[derive(Debug, Clone)]
pub struct Server {
    name: String,
    endpoint: Uri,
    identity: PublicKey,
    seen: Seen,
    channel: Channel,
}

impl Cluster {
    /// Prepares channels to all servers of `profile`; sends nothing.
    pub fn new(profile: &Profile) -> Result<Self, ClientError> {
        let roots = profile.roots()?;
        let servers = profile.servers().iter().map(|server| Server::new(server, &roots));
        let servers = servers.collect::<Result<_, _>>()?;
        Ok(Self { profile: profile.file().to_owned(), servers, clock: Clock::system() })
    }

    /// Servers that are reached in another way than a profile says, by a clock that a test turns.
    #[cfg(feature = "testing")]
    pub fn by_way_of(
        profile: &Profile,
        clock: Clock,
        channel: impl Fn(&ProfileServer) -> Channel,
    ) -> Self {
        let servers = profile.servers().iter().map(|server| Server {
            name: server.name.clone(),
            endpoint: server.endpoint.clone(),
            identity: server.identity,
            seen: Seen::default(),
            channel: channel(server),
        });
        Self { profile: profile.file().to_owned(), servers: servers.collect(), clock }
    }

    /// Prepares channels and requires every server to answer and to fit. One that is late is asked
    /// again for as long as `longest`, and `progress` is told for whom one waits.
    pub async fn connect(
        profile: &Profile,
        longest: Duration,
        progress: &dyn Progress,
    ) -> Result<Self, ClientError> {
        let cluster = Self::new(profile)?;
        cluster.require_all(Patience { longest, progress }).await?;
        Ok(cluster)
    }

    /// Requires every server to answer and to fit.
    pub(crate) async fn require_all(&self, patience: Patience<'_>) -> Result<(), ClientError> {
        match self.check(patience).await?.into_iter().next() {
            None => Ok(()),
            Some(unreachable) => Err(unreachable),
        }
    }

    /// The same, for these servers alone.
    pub fn only(&self, servers: &[Server]) -> Self {
        Self { profile: self.profile.clone(), servers: servers.to_vec(), clock: self.clock.clone() }
    }

    /// Prepares channels and checks the servers that answer. Fails when one of them does not
    /// fit, or when none answers; the errors of the others are returned.
    pub async fn connect_to_some(
        profile: &Profile,
    ) -> Result<(Self, Vec<ClientError>), ClientError> {
        let cluster = Self::new(profile)?;
        let mut unreachable = cluster.check(Patience::NONE).await?;
        if unreachable.len() == cluster.servers.len() {
            // One that may answer soon is worth more than one that is not there.
            unreachable.sort_by_key(|error| !error.is_late());
            return Err(unreachable.swap_remove(0));
        }
        Ok((cluster, unreachable))
    }

    /// All servers, in the profile's order.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// Where the profile was read from, for messages.
    pub fn profile(&self) -> &Path {
        &self.profile
    }

    /// The servers' names, for messages.
    pub fn names(&self) -> String {
        let names: Vec<_> = self.servers.iter().map(Server::name).collect();
        names.join(", ")
    }

    /// The servers of a study, in the study's order.
    pub fn servers_of(&self, study: &study::Study) -> Result<Vec<Server>, ClientError> {
        let find = |wanted: &study::StudyServer| {
            self.servers
                .iter()
                .find(|server| server.identity == wanted.identity)
                .cloned()
                .ok_or_else(|| ClientError::ServerNotInProfile {
                    name: wanted.name.clone(),
                    identity: wanted.identity,
                    profile: self.profile.clone(),
                })
        };
        study.servers().iter().map(find).collect()
    }

    /// Asks every server who it is. Returns who could not be reached; fails when an answer does
    /// not fit.
    async fn check(&self, patience: Patience<'_>) -> Result<Vec<ClientError>, ClientError> {
        // Each answer with its own time: another server may have been late.
        let describe = |server: &Server| {
            let server = server.clone();
            async move {
                let answer = patience.ask(|| server.describe()).await?;
                Ok::<_, ClientError>((answer, Duration::from_millis(self.clock.now_ms())))
            }
        };
        let answers = join_all(self.servers.iter().map(describe)).await;
        let mut unreachable = Vec::new();
        let mut first: Option<(&Server, DescribeResponse)> = None;
        for (server, answer) in self.servers.iter().zip(answers) {
            let (answer, now) = match answer {
                Ok(answered) => answered,
                Err(error) if error.is_unreachable() => {
                    unreachable.push(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            server.check_description(&answer, now)?;
            match &first {
                None => first = Some((server, answer)),
                Some((other, theirs)) if theirs.roster_hash != answer.roster_hash => {
                    return Err(ClientError::DifferentRosters {
                        first: other.name.clone(),
                        first_roster: roster(theirs),
                        second: server.name.clone(),
                        second_roster: roster(&answer),
                    });
                }
                Some(_) => {}
            }
        }
        Ok(unreachable)
    }
}

/// A connection without TLS, which the channel adds.
async fn tcp(server: Uri) -> io::Result<TokioIo<TcpStream>> {
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']);
    // Profiles have no endpoint without a port.
    let stream = TcpStream::connect((host, server.port_u16().unwrap_or(443))).await?;
    stream.set_nodelay(true)?;
    Ok(TokioIo::new(stream))
}

impl Server {
    fn new(server: &ProfileServer, roots: &[u8]) -> Result<Self, ClientError> {
        let unusable = |cause: String| ClientError::Unreachable {
            server: server.name.clone(),
            endpoint: server.endpoint.to_string().trim_end_matches('/').to_owned(),
            reason: format!("the profile's roots cannot be used: {cause}"),
            is_late: false,
        };
        let pinned = Pinned::new(server.tls, roots).map_err(unusable)?;
        let seen = pinned.seen();
        let channel = Endpoint::from(server.endpoint.clone())
            .tls_config_with_verifier(ClientTlsConfig::new(), Arc::new(pinned))
            .map_err(|error| unusable(error.to_string()))?
            .connect_timeout(deadline::CONNECT)
            .timeout(deadline::SUBMIT)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE)
            // Only with a connector of one's own the deadline holds for TLS, too: a server that stands
            // still is connected to by its system, and says nothing.
            .connect_with_connector_lazy(tower::service_fn(tcp));
        Ok(Self {
            name: server.name.clone(),
            endpoint: server.endpoint.clone(),
            identity: server.identity,
            seen,
            channel,
        })
    }

    /// A server that is never called. Channels are made inside a runtime.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn unreached(name: &str, identity: PublicKey) -> Self {
        Self {
            name: name.into(),
            endpoint: Uri::from_static("https://127.0.0.1:1"),
            identity,
            seen: Seen::default(),
            channel: Endpoint::from_static("http://127.0.0.1:1").connect_lazy(),
        }
    }

    /// The connection, for measurements.
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// The certificate that the server showed; none before a connection.
    pub(crate) fn certificate(&self) -> Option<Facts> {
        self.seen.get().copied()
    }

    /// The server's name in the profile.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server's address, `https://host:port`.
    pub fn endpoint(&self) -> String {
        self.endpoint.to_string().trim_end_matches('/').to_owned()
    }

    /// The key that the server signs with.
    pub fn identity(&self) -> PublicKey {
        self.identity
    }

    pub(crate) fn studies(&self) -> StudiesClient<Channel> {
        StudiesClient::new(self.channel.clone())
            .max_decoding_message_size(proto::MAX_OUTCOME)
            .max_encoding_message_size(proto::MAX_MESSAGE)
    }

    pub(crate) fn submissions(&self) -> SubmissionsClient<Channel> {
        SubmissionsClient::new(self.channel.clone())
            .max_decoding_message_size(proto::MAX_MESSAGE)
            .max_encoding_message_size(proto::MAX_MESSAGE)
    }

    pub(crate) fn audit(&self) -> AuditClient<Channel> {
        AuditClient::new(self.channel.clone())
            .max_decoding_message_size(proto::MAX_MESSAGE)
            .max_encoding_message_size(proto::MAX_MESSAGE)
    }

    /// The error that a failed call to this server is.
    pub(crate) fn failed(&self, status: &tonic::Status) -> ClientError {
        refusal::from_status(self, status)
    }

    /// The error that an answer is which this server must not give.
    pub(crate) fn broke(&self, what: impl Into<String>) -> ClientError {
        ClientError::BrokenBy { server: self.name.clone(), what: what.into() }
    }

    async fn describe(&self) -> Result<DescribeResponse, ClientError> {
        let directory = DirectoryClient::new(self.channel.clone())
            .max_decoding_message_size(proto::MAX_MESSAGE);
        let describe =
            async || directory.clone().describe(request(DescribeRequest {}, deadline::ASK)).await;
        match deadline::patiently(describe).await {
            Ok(answer) => Ok(answer.into_inner()),
            Err(status) => Err(self.failed(&status)),
        }
    }

    pub(crate) fn check_description(
        &self,
        answer: &DescribeResponse,
        now: Duration,
    ) -> Result<(), ClientError> {
        let (server, endpoint) = (self.name.clone(), self.endpoint());
        if answer.identity[..] != self.identity.0 {
            let theirs = match PublicKey::try_from(&answer.identity[..]) {
                Ok(key) => key.to_string(),
                Err(_) => "not a key".into(),
            };
            return Err(ClientError::OtherIdentity {
                server,
                endpoint,
                theirs,
                expected: self.identity,
            });
        }
        let ours = proto::PROTOCOL;
        if answer.protocol_max < *ours.start() || answer.protocol_min > *ours.end() {
            return Err(ClientError::OtherVersion {
                server,
                theirs: versions(answer.protocol_min, answer.protocol_max),
                ours: versions(*ours.start(), *ours.end()),
            });
        }
        let seconds = Duration::from_millis(answer.unix_ms).abs_diff(now).as_secs();
        if seconds > CLOCK_SECONDS {
            return Err(ClientError::Clock { server, seconds });
        }
        Ok(())
    }
}

fn versions(min: u32, max: u32) -> String {
    if min == max { min.to_string() } else { format!("{min} to {max}") }
}

/// A roster for people: names with the start of each identity.
pub(crate) fn roster(answer: &DescribeResponse) -> String {
    let mut text = String::new();
    for entry in answer.roster.iter().take(ROSTER_SHOWN) {
        let separator = if text.is_empty() { "" } else { ", " };
        let start = entry.identity.get(..4).unwrap_or_default();
        // Writing to a String does not fail.
        let name: String = entry.name.chars().take(NAME_SHOWN).collect();
        let _ = write!(text, "{separator}{} ({}…)", name.escape_debug(), hex::encode(start));
    }
    if text.is_empty() { "no servers".into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mpc::sign::Signer;

    fn identity(seed: u8) -> PublicKey {
        Signer::from_seed(&[seed; 32]).public()
    }

    async fn server() -> Server {
        Server::unreached("beta", identity(1))
    }

    fn answer() -> DescribeResponse {
        DescribeResponse {
            protocol_min: 1,
            protocol_max: 1,
            identity: identity(1).0.to_vec().into(),
            unix_ms: 1_000_000_000,
            ..Default::default()
        }
    }

    const NOW: Duration = Duration::from_secs(1_000_000);

    #[tokio::test]
    async fn a_server_with_another_identity_is_refused_and_named() {
        let other = DescribeResponse { identity: identity(2).0.to_vec().into(), ..answer() };
        let error = server().await.check_description(&other, NOW).unwrap_err();
        assert!(matches!(error, ClientError::OtherIdentity { .. }));
        assert!(error.to_string().contains("beta"));
        assert!(server().await.check_description(&answer(), NOW).is_ok());
    }

    #[tokio::test]
    async fn a_server_of_another_version_is_refused_with_both_versions() {
        let newer = DescribeResponse { protocol_min: 7, protocol_max: 9, ..answer() };
        let error = server().await.check_description(&newer, NOW).unwrap_err().to_string();
        assert!(error.contains("beta") && error.contains("7 to 9"), "{error}");
        assert!(error.contains("this program 1"), "{error}");
    }

    #[tokio::test]
    async fn a_wrong_clock_is_named_with_its_difference() {
        let late = NOW + Duration::from_secs(CLOCK_SECONDS + 1);
        let error = server().await.check_description(&answer(), late).unwrap_err().to_string();
        assert!(error.contains("beta") && error.contains("301 s"), "{error}");
        let in_time = NOW + Duration::from_secs(CLOCK_SECONDS);
        assert!(server().await.check_description(&answer(), in_time).is_ok());
    }

    #[test]
    fn a_roster_is_shown_with_names_and_keys() {
        let entry =
            proto::v1::RosterEntry { name: "alpha".into(), identity: vec![0xab; 32].into() };
        let shown = roster(&DescribeResponse { roster: vec![entry], ..answer() });
        assert_eq!(shown, "alpha (abababab…)");
    }
}

//! Peers: what the other servers of the roster may call, and nobody else.

use std::{collections::HashSet, pin::Pin, sync::Arc};

use bytes::Bytes;
use mpc::{
    ids::{StudyId, SubmissionId},
    transcript::{About, Session},
};
use proto::{
    convert::field,
    trace::Trace,
    v1::{self, peers_server::Peers},
};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, Streaming};
use tracing::Instrument as _;

use super::{status::RpcError, studies::study_id};
use crate::{jobs, node::Node, peers::sessions::SessionId, storage::StudyState, tls, trace};

/// Parts of a transcript that are read from the database at a time.
const TRANSCRIPT_PAGE: usize = 8;

/// The `Peers` service.
pub struct PeersService(pub Arc<Node>);

#[tonic::async_trait]
impl Peers for PeersService {
    async fn hello(
        &self,
        request: Request<v1::HelloRequest>,
    ) -> Result<Response<v1::HelloResponse>, Status> {
        let peer = self.0.peer(&request)?;
        let protocol = self.0.greeting.check(request.get_ref()).map_err(|reason| {
            tracing::warn!(%peer, reason, "greeting refused");
            RpcError::Greeting(reason)
        })?;
        Ok(Response::new(v1::HelloResponse {
            protocol,
            unix_ms: self.0.clock.now_ms(),
            version: env!("CARGO_PKG_VERSION").into(),
        }))
    }

    async fn meet(
        &self,
        request: Request<v1::MeetRequest>,
    ) -> Result<Response<v1::MeetResponse>, Status> {
        let peer = self.0.peer(&request)?;
        let answer = self.0.lives.answer(&peer, request.get_ref()).await;
        Ok(Response::new(answer.map_err(RpcError::from)?))
    }

    async fn study_state(
        &self,
        request: Request<v1::GetStudyRequest>,
    ) -> Result<Response<v1::PeerStudyState>, Status> {
        self.0.peer(&request)?;
        let id = study_id(&request.get_ref().study_id)?;
        let row = self.0.storage.study(id).await.map_err(RpcError::from)?;
        let row = row.ok_or(RpcError::UnknownStudy)?;
        Ok(Response::new(v1::PeerStudyState { state: i32::from(row.state.code()) }))
    }

    async fn start(
        &self,
        request: Request<v1::StartRequest>,
    ) -> Result<Response<v1::StartResponse>, Status> {
        let peer = self.0.peer(&request)?;
        let trace = trace::of(&request);
        let starting = self.0.start_session(&peer, request.get_ref(), trace);
        starting.instrument(trace::call(trace, "start")).await?;
        Ok(Response::new(v1::StartResponse {}))
    }

    type LinkStream = Pin<Box<dyn Stream<Item = Result<v1::LinkAck, Status>> + Send>>;

    async fn link(
        &self,
        request: Request<Streaming<v1::Frame>>,
    ) -> Result<Response<Self::LinkStream>, Status> {
        let peer = self.0.peer(&request)?;
        self.0.peers.retry(&peer);
        let (acks, stream) = tokio::sync::mpsc::channel(16);
        let node = self.0.clone();
        self.0.tasks.spawn(async move { node.receive(&peer, request.into_inner(), acks).await });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }

    async fn outcome(
        &self,
        request: Request<v1::GetStudyRequest>,
    ) -> Result<Response<v1::Outcome>, Status> {
        self.0.peer(&request)?;
        let id = study_id(&request.get_ref().study_id)?;
        let mut outcome = self.0.outcome_of(id).await?;
        outcome.transcript = self.0.transcript_of(id, outcome.published.len()).await?;
        Ok(Response::new(outcome))
    }
}

impl Node {
    /// All parts of the transcript of a study's end; none if they do not fit a message that holds
    /// so many bytes already.
    async fn transcript_of(&self, id: StudyId, used: usize) -> Result<Vec<Bytes>, RpcError> {
        // Some bytes of framing a part, and the rest of the message.
        const FRAMING: usize = 16;
        const REST: usize = 64 << 10;
        let (mut parts, mut left) = (Vec::new(), proto::MAX_OUTCOME.saturating_sub(used + REST));
        let mut after = None;
        loop {
            let page = self.storage.transcript(id, after, TRANSCRIPT_PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(parts) };
            after = Some(*last);
            for (_, part) in page {
                match left.checked_sub(part.len() + FRAMING) {
                    Some(rest) => left = rest,
                    None => return Ok(Vec::new()),
                }
                parts.push(part.into());
            }
        }
    }

    /// The roster name of the caller, from the certificate that its connection presented.
    fn peer<T>(&self, request: &Request<T>) -> Result<String, RpcError> {
        tls::peer_of_request(request, &self.config.roster)
            .map(|peer| peer.name.clone())
            .ok_or(RpcError::STRANGER)
    }

    async fn start_session(
        self: &Arc<Self>,
        peer: &str,
        request: &v1::StartRequest,
        trace: Trace,
    ) -> Result<(), RpcError> {
        let (id, session) = session(request)?;
        let context = self.catalog.get(id).ok_or(RpcError::UnknownStudy)?;
        if context.names.first().map(String::as_str) != Some(peer) {
            return Err(RpcError::NotAPeer("only the study's first server starts its sessions"));
        }
        let row = self.storage.study(id).await?.ok_or(RpcError::UnknownStudy)?;
        let fits = match session.about {
            // A server that crashed before it stored the key needs the others' words again, even
            // if the study was closed in the meantime.
            About::Setup => {
                matches!(row.state, StudyState::Approved | StudyState::Open | StudyState::Closing)
            }
            About::Verify(_) => {
                matches!(row.state, StudyState::Open | StudyState::Closing) && !row.has_set
            }
            About::Publish => row.state == StudyState::Closing,
        };
        if !fits {
            return Err(RpcError::State { call: "this run", state: row.state });
        }
        // A run that cannot be answered is refused at once, not left to a deadline.
        self.require_health()?;
        for other in context.others() {
            if let Some(reason) = self.peers.trouble(other) {
                return Err(RpcError::NoLink { peer: other.to_owned(), reason });
            }
        }
        match jobs::join(self, context, session, trace) {
            true => Ok(()),
            false => Err(RpcError::Busy {
                what: "runs of this study wait for each other",
                retry: std::time::Duration::from_secs(1),
            }),
        }
    }

    /// Takes frames until the stream ends or the peer breaks the rules.
    async fn receive(
        &self,
        peer: &str,
        mut frames: Streaming<v1::Frame>,
        acks: tokio::sync::mpsc::Sender<Result<v1::LinkAck, Status>>,
    ) {
        let mut count = 0;
        loop {
            let frame = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                frame = frames.message() => frame,
            };
            let Ok(Some(frame)) = frame else { return };
            count += 1;
            let delivered = field::<SessionId>("session_id", &frame.session_id)
                .map_err(RpcError::from)
                .and_then(|session| {
                    self.sessions
                        .deliver(peer, session, frame.round, &frame.part, frame.last)
                        .map_err(|error| RpcError::Greeting(error.to_string()))
                });
            if let Err(error) = delivered {
                tracing::warn!(%peer, %error, "frame refused");
                drop(acks.send(Err(error.into())).await);
                return;
            }
            if acks.send(Ok(v1::LinkAck { frames: count })).await.is_err() {
                return;
            }
        }
    }
}

/// The session that a request starts, and of which study.
pub(crate) fn session(request: &v1::StartRequest) -> Result<(StudyId, Session), RpcError> {
    let study = study_id(&request.study_id)?;
    let nonce = request.nonce[..]
        .try_into()
        .map_err(|_| RpcError::Invalid("nonce: 16 bytes are needed"))?;
    Ok((study, Session { nonce, about: about(request)? }))
}

fn about(request: &v1::StartRequest) -> Result<About, RpcError> {
    let about = match request.protocol() {
        v1::Protocol::Setup => About::Setup,
        v1::Protocol::Publish => About::Publish,
        v1::Protocol::Verify => return Ok(About::Verify(batch(&request.submission_ids)?)),
        v1::Protocol::Unspecified => {
            return Err(RpcError::Invalid("protocol: not a known one"));
        }
    };
    match request.submission_ids.is_empty() {
        true => Ok(about),
        false => Err(RpcError::Invalid("submission_ids: only a verification has any")),
    }
}

fn batch(ids: &[Bytes]) -> Result<Vec<SubmissionId>, RpcError> {
    if ids.len() > jobs::MAX_BATCH {
        return Err(RpcError::Invalid("submission_ids: too many for one run"));
    }
    let ids = ids.iter().map(|id| Ok(field("submission_ids", id)?));
    let ids = ids.collect::<Result<Vec<SubmissionId>, RpcError>>()?;
    match ids.iter().collect::<HashSet<_>>().len() == ids.len() {
        true => Ok(ids),
        false => Err(RpcError::Invalid("submission_ids: one of them is there twice")),
    }
}

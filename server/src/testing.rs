//! Testing: the decoders of what strangers and peers ask and answer, for fuzzing. Each gives back what
//! it read, written again, or says why it read nothing.

use std::{collections::BTreeMap, sync::Arc};

use mpc::sign::{PublicKey, Signature};
use proto::{convert::field, v1};

use crate::{
    jobs::{self, survey},
    lives,
    peers::sessions::{Joined, SessionId, Sessions},
    rpc::{audit, peers, status::RpcError, studies},
    storage::Life,
};

type Again<T> = Result<T, String>;

fn told(error: RpcError) -> String {
    tonic::Status::from(error).message().to_owned()
}

/// A session that a peer starts.
pub fn start(request: &v1::StartRequest) -> Again<v1::StartRequest> {
    let (study, session) = peers::session(request).map_err(told)?;
    Ok(jobs::start_request(study, &session))
}

/// What a peer that signs with `key` says of its database.
pub fn life(
    said: Option<&v1::Life>,
    starts: &[v1::Start],
    key: &PublicKey,
) -> Result<(Life, Signature), String> {
    lives::life(said, starts, key).map_err(|error| error.to_string())
}

/// The state of a study at a peer.
pub fn state(answer: v1::PeerStudyState) -> Option<v1::PeerStudyState> {
    survey::state_of(answer).map(|state| v1::PeerStudyState { state: state.code().into() })
}

/// A question about a study.
pub fn study(request: &v1::GetStudyRequest) -> Again<v1::GetStudyRequest> {
    let id = studies::study_id(&request.study_id).map_err(told)?;
    Ok(v1::GetStudyRequest { study_id: id.0.to_vec().into() })
}

/// A question for a page of the list of studies.
pub fn page(request: &v1::ListStudiesRequest) -> Again<v1::ListStudiesRequest> {
    let (after, limit) = studies::page(request).map_err(told)?;
    let after = after.map_or_else(Vec::new, |id| id.0.to_vec()).into();
    let limit = u32::try_from(limit).map_err(|error| error.to_string())?;
    Ok(v1::ListStudiesRequest { after, limit })
}

/// A proposal: its study is read elsewhere.
pub fn proposal(request: &v1::ProposeRequest) -> Again<v1::ProposeRequest> {
    let (_, _, signature) = studies::proposal(request).map_err(told)?;
    Ok(v1::ProposeRequest { study: request.study.clone(), signature: wire(signature) })
}

/// A command of an analyst or operator.
pub fn command(command: &v1::Command) -> Again<v1::Command> {
    let (id, key, signature) = studies::signed(command).map_err(told)?;
    let (study_id, public_key) = (id.0.to_vec().into(), key.0.to_vec().into());
    Ok(v1::Command { study_id, public_key, signature: wire(signature) })
}

/// A question for the record of a study.
pub fn record(request: v1::RecordRequest) -> Again<v1::RecordRequest> {
    let (id, after) = audit::place(request).map_err(told)?;
    let after = after.map(|cursor| v1::RecordCursor {
        section: u32::from(cursor.section as u8),
        count: cursor.count,
        submission_id: cursor.submission.map_or_else(Vec::new, |id| id.0.to_vec()).into(),
    });
    Ok(v1::RecordRequest { study_id: id.0.to_vec().into(), after })
}

/// A question for proofs.
pub fn proofs(request: &v1::ProveRequest) -> Again<v1::ProveRequest> {
    let (id, wanted) = audit::wanted(request).map_err(told)?;
    let submission_ids = wanted.iter().map(|id| id.0.to_vec().into()).collect();
    Ok(v1::ProveRequest { study_id: id.0.to_vec().into(), submission_ids })
}

/// What a server has of a peer's frames.
#[derive(Debug, Default)]
pub struct Held {
    /// How many it took, up to the first one that it does not.
    pub taken: usize,
    /// Why it took no more.
    pub refusal: Option<String>,
    /// By session and round: the message, if it is whole.
    pub messages: BTreeMap<([u8; 16], u32), Option<Vec<u8>>>,
}

/// Gives the frames of a peer to a server that has joined no session yet.
pub fn frames(frames: &[v1::Frame]) -> Held {
    let sessions = Arc::new(Sessions::default());
    let mut held = Held::default();
    for frame in frames {
        let delivered = field::<SessionId>("session_id", &frame.session_id)
            .map_err(|error| error.to_string())
            .and_then(|session| {
                let (round, last) = (frame.round, frame.last);
                let delivered = sessions.deliver("beta", session, round, &frame.part, last);
                delivered.map(|()| (session.0, round)).map_err(|error| error.to_string())
            });
        match delivered {
            Ok(place) => held.messages.insert(place, None),
            Err(error) => {
                held.refusal = Some(error);
                break;
            }
        };
        held.taken += 1;
    }
    let joined: BTreeMap<[u8; 16], Joined> = held
        .messages
        .keys()
        .map(|(session, _)| (*session, sessions.join(SessionId(*session))))
        .collect();
    for ((session, round), message) in &mut held.messages {
        *message = joined.get(session).and_then(|joined| joined.take(*round, "beta"));
    }
    held
}

fn wire(signature: Signature) -> bytes::Bytes {
    signature.0.to_vec().into()
}

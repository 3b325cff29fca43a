//! Survey: where a study is at the other servers, and what this server learns from that.

use std::{collections::HashMap, sync::Arc};

use mpc::{
    ids::{PublicHash, SubmissionId},
    publish::Published,
    transcript::{About, Recording},
};
use proto::v1;

use super::{JobError, MAX_BATCH, end, ended, evidence, publish};
use crate::{
    catalog::StudyContext,
    node::Node,
    peers::PeerError,
    storage::{Detail, StudyState},
    work,
};

/// A study's states at the other servers.
pub struct Survey {
    answers: Vec<(String, Result<StudyState, PeerError>)>,
}

impl Survey {
    /// Asks all other servers.
    pub async fn take(node: &Node, context: &StudyContext) -> Self {
        let asked = context.others().map(|peer| async move {
            let answer = node.peers.study_state(peer, context.id).await;
            let state = answer.and_then(|answer| {
                state_of(answer).ok_or_else(|| {
                    let reason = "it gives a state that this version does not know".into();
                    PeerError::Refused { peer: peer.to_owned(), reason }
                })
            });
            (peer.to_owned(), state)
        });
        Self { answers: futures::future::join_all(asked).await }
    }

    /// Whether every other server answered with one of `states`.
    pub fn all_in(&self, states: &[StudyState]) -> bool {
        let in_states = |answer: &Result<StudyState, PeerError>| {
            answer.as_ref().is_ok_and(|state| states.contains(state))
        };
        self.answers.iter().all(|(_, answer)| in_states(answer))
    }

    /// Whether some other server answered with `state`.
    pub fn any_in(&self, state: StudyState) -> bool {
        self.answers.iter().any(|(_, answer)| *answer == Ok(state))
    }

    /// The servers that answered with a state that is not among `states`, or did not answer,
    /// and what to tell people about them.
    pub fn waits_for(&self, states: &[StudyState], what: &str) -> Option<Detail> {
        let mut reasons = Vec::new();
        let mut servers = Vec::new();
        for (peer, answer) in &self.answers {
            match answer {
                Ok(state) if states.contains(state) => continue,
                Ok(state) => reasons.push(format!("waits for {what} {peer} (there: {state})")),
                Err(error) => reasons.push(error.to_string()),
            }
            servers.push(peer.clone());
        }
        (!servers.is_empty()).then(|| Detail { text: reasons.join("; "), servers })
    }

    /// Takes over an end that another server has reached. `true`: the study has ended here.
    pub async fn adopt_end(
        &self,
        node: &Arc<Node>,
        context: &Arc<StudyContext>,
    ) -> Result<bool, JobError> {
        // What all servers signed counts before what any one of them says.
        for (peer, answer) in &self.answers {
            let published = *answer == Ok(StudyState::Published);
            if published && adopt_published(node, context, peer).await? {
                return Ok(true);
            }
        }
        for (peer, answer) in &self.answers {
            let adopted = match answer {
                Ok(StudyState::Refused) => adopt_refused(node, context).await?,
                Ok(StudyState::Aborted) => adopt_aborted(node, context, peer).await?,
                Ok(StudyState::Cancelled) => {
                    let servers = vec![peer.clone()];
                    let detail = Detail { text: format!("cancelled at {peer}"), servers };
                    end(node, context, ended(node, StudyState::Cancelled, detail, Vec::new()))
                        .await?;
                    true
                }
                _ => false,
            };
            if adopted {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The state that a peer gives; none that this version does not know.
pub(crate) fn state_of(answer: v1::PeerStudyState) -> Option<StudyState> {
    u8::try_from(answer.state).ok().and_then(StudyState::from_code)
}

/// A peer's published result counts when all servers signed it, this one included.
async fn adopt_published(
    node: &Node,
    context: &StudyContext,
    peer: &str,
) -> Result<bool, JobError> {
    let outcome: v1::Outcome = node.peers.outcome(peer, context.id).await?;
    let Ok(published) = Published::decode(&outcome.published) else { return Ok(false) };
    if published.verify(context.id, &context.keys).is_err() {
        tracing::warn!(%peer, study = %context.id, "a result with false signatures");
        return Ok(false);
    }
    // What it shows of it is taken over, too, if it is that.
    let shown = work::here(|| evidence::of_published(context, &published, &outcome.transcript));
    publish::store(node, context, &published, shown.unwrap_or_default()).await?;
    Ok(true)
}

/// A refusal counts when this server's own signed set breaks the rule.
async fn adopt_refused(node: &Node, context: &StudyContext) -> Result<bool, JobError> {
    let Some(set) = node.storage.set(context.id).await? else { return Ok(false) };
    let detail = publish::records_of(&set).and_then(|records| publish::refusal(context, records));
    let Some(detail) = detail else { return Ok(false) };
    end(node, context, ended(node, StudyState::Refused, detail, Vec::new())).await?;
    Ok(true)
}

/// Any server can stop a study, so an abort needs no proof; it says whose word it is, unless what the
/// peer shows proves it.
async fn adopt_aborted(node: &Node, context: &StudyContext, peer: &str) -> Result<bool, JobError> {
    let outcome = node.peers.outcome(peer, context.id).await?;
    let recording = Recording::decode(outcome.transcript.iter().map(AsRef::as_ref)).ok();
    let shown = match &recording {
        Some(recording) => {
            let held = held(node, context, recording).await?;
            let records =
                |id: &SubmissionId, public: &PublicHash| held.get(&(*id, *public)).copied();
            work::here(|| evidence::of_abort(context, recording, &records))
        }
        None => None,
    };
    let (detail, transcript) = match shown {
        Some((text, servers, transcript)) => {
            let id = context.id;
            let text = format!("{peer} shows that {text}; `sotto audit {id}` checks the evidence");
            (Detail { text, servers }, transcript)
        }
        None => {
            let told: String =
                outcome.detail.chars().filter(|c| !c.is_control()).take(600).collect();
            // Whom the peer accuses stays in its own words, and who says so is not accused.
            let text = format!("{peer} aborted the study: {told}");
            (Detail { text, servers: Vec::new() }, Vec::new())
        }
    };
    end(node, context, ended(node, StudyState::Aborted, detail, transcript)).await?;
    Ok(true)
}

/// How many records this server knows the submissions to have that a recording is about.
async fn held(
    node: &Node,
    context: &StudyContext,
    recording: &Recording,
) -> Result<HashMap<(SubmissionId, PublicHash), u32>, JobError> {
    let ids = match &recording.session.about {
        // A longer one is that of no run.
        About::Verify(ids) if ids.len() <= MAX_BATCH => &ids[..],
        _ => &[],
    };
    let stored = node.storage.submissions(context.id, ids).await?;
    let known = ids.iter().zip(stored).filter_map(|(id, stored)| {
        stored.map(|stored| ((*id, stored.public_hash), stored.records))
    });
    Ok(known.collect())
}

//! Fetching a published result and checking it before anyone sees it.

use std::time::Duration;

use futures::future::join_all;
use mpc::{
    ids::{Party, StudyId},
    publish::{Published, PublishedError},
    sign::PublicKey,
};
use proto::v1;
use serde::Serialize;
use study::{Plan, Study, StudyResult, Totals};
use tokio_util::sync::CancellationToken;

use crate::{
    connection::{Cluster, Server},
    deadline::{self, request},
    error::ClientError,
    profile::Profile,
    progress::{Event, Progress},
    status::{State, names, printable},
    studies,
};

/// The longest pause between two questions while waiting.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A published result, checked: all servers of the study signed it, and every server that was
/// asked gave the same one.
#[derive(Debug, Clone, Serialize)]
pub struct ResultDocument {
    /// The study's id, in hexadecimal.
    pub study: String,
    /// Its title.
    pub title: String,
    /// Always published.
    pub state: State,
    /// The servers that signed, in the study's order.
    pub servers: Vec<String>,
    /// Records that were counted.
    pub records: u64,
    /// Submissions that were counted.
    pub submissions: u64,
    /// Submissions that were not.
    pub rejected: u64,
    /// The answers.
    #[serde(flatten)]
    pub statistics: StudyResult,
}

/// Whether to wait for a result that is not there yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Say so.
    No,
    /// Ask again until there is one, or never will be.
    UntilPublished,
}

/// Fetches and checks the result of study `id`.
pub async fn result(
    profile: &Profile,
    id: StudyId,
    wait: Wait,
    stop: &CancellationToken,
    progress: &dyn Progress,
) -> Result<ResultDocument, ClientError> {
    let (cluster, _) = Cluster::connect_to_some(profile).await?;
    let study = studies::overview(&cluster, id).await?.definition;
    let servers = cluster.servers_of(&study)?;
    let mut pause = studies::POLL;
    loop {
        let error = match ask(&servers, id, &study).await? {
            Answer::Published(published) => return document(&study, &published),
            Answer::NotYet(error) => error,
        };
        if wait == Wait::No {
            return Err(error);
        }
        if let ClientError::NotPublished { state, detail, unreachable, .. } = error {
            let unreachable = match unreachable.is_empty() {
                true => String::new(),
                false => format!("; {} unreachable", unreachable.join(", ")),
            };
            let what = format!("the result ({state}: {detail}{unreachable})");
            progress.event(Event::Waiting { what: what.replace(": )", ")") });
        }
        tokio::select! {
            () = stop.cancelled() => return Err(ClientError::Interrupted),
            () = tokio::time::sleep(pause) => {}
        }
        pause = pause.mul_f64(1.25).min(LONGEST_PAUSE);
    }
}

/// The published result as the servers signed it, from those that answer now.
pub(crate) async fn signed_by_all(
    servers: &[Server],
    id: StudyId,
    study: &Study,
) -> Result<Published, ClientError> {
    match ask(servers, id, study).await? {
        Answer::Published(published) => Ok(*published),
        Answer::NotYet(error) => Err(error),
    }
}

enum Answer {
    Published(Box<Published>),
    /// Always a `NotPublished`.
    NotYet(ClientError),
}

/// One server's word on what the study ended in.
pub(crate) struct Outcome {
    pub(crate) state: State,
    pub(crate) detail: String,
    pub(crate) published: Option<Published>,
}

/// Asks all servers once. Fails when the study ended without a result.
async fn ask(servers: &[Server], id: StudyId, study: &Study) -> Result<Answer, ClientError> {
    let keys: Vec<PublicKey> = study.servers().iter().map(|server| server.identity).collect();
    let answers = join_all(servers.iter().map(|server| outcome_of(server, id))).await;
    let mut unreachable = Vec::new();
    let mut outcomes = Vec::new();
    for (server, answer) in servers.iter().zip(answers) {
        match answer.and_then(|outcome| check(server, id, study, &keys, outcome)) {
            Ok(outcome) => outcomes.push((server, outcome)),
            Err(error) if error.is_unreachable() => unreachable.push(server.name().to_owned()),
            Err(error) => return Err(error),
        }
    }
    let mut first: Option<(&Server, Published)> = None;
    for (server, outcome) in &mut outcomes {
        match (&first, outcome.published.take()) {
            (_, None) => {}
            (None, Some(published)) => first = Some((server, published)),
            (Some((_, ours)), Some(theirs)) if same(ours, &theirs) => {}
            (Some((other, _)), Some(_)) => {
                return Err(
                    server.broke(format!("its result differs from that of {}", other.name()))
                );
            }
        }
    }
    if let Some((_, published)) = first {
        return Ok(Answer::Published(Box::new(published)));
    }
    let state = State::of_all(outcomes.iter().map(|(_, outcome)| outcome.state));
    let state = state.unwrap_or(State::Approved);
    let there = outcomes.into_iter().filter(|(_, outcome)| outcome.state == state);
    let detail = there.map(|(_, outcome)| outcome.detail).find(|detail| !detail.is_empty());
    let detail = match (detail, state) {
        (Some(detail), _) => detail,
        (None, State::Open) => "it takes submissions until its analyst closes it".into(),
        (None, _) => String::new(),
    };
    match state {
        State::Refused => Err(ClientError::ResultRefused { id, detail }),
        State::Aborted => Err(ClientError::StudyAborted { id, detail }),
        State::Cancelled => Err(ClientError::Cancelled { id, detail }),
        state => Ok(Answer::NotYet(ClientError::NotPublished { id, state, detail, unreachable })),
    }
}

/// Two servers' results are the same when everything that all servers signed is.
fn same(one: &Published, other: &Published) -> bool {
    Published { signatures: Vec::new(), ..one.clone() }
        == Published { signatures: Vec::new(), ..other.clone() }
}

async fn outcome_of(server: &Server, id: StudyId) -> Result<v1::Outcome, ClientError> {
    let message = v1::GetStudyRequest { study_id: id.0.to_vec().into() };
    let ask = async || server.studies().get_outcome(request(message.clone(), deadline::ASK)).await;
    match deadline::patiently(ask).await {
        Ok(outcome) => Ok(outcome.into_inner()),
        Err(status) if status.code() == tonic::Code::NotFound => {
            Err(ClientError::UnknownStudy { id, servers: server.name().to_owned() })
        }
        Err(status) => Err(server.failed(&status)),
    }
}

/// Checks one server's answer.
pub(crate) fn check(
    server: &Server,
    id: StudyId,
    study: &Study,
    keys: &[PublicKey],
    outcome: v1::Outcome,
) -> Result<Outcome, ClientError> {
    if outcome.study_id != id.0[..] {
        return Err(server.broke("it answers for another study"));
    }
    let state = State::from_wire(outcome.state, server)?;
    let waits_for = names(&outcome.servers);
    let detail = match (outcome.detail.is_empty(), waits_for.is_empty()) {
        (false, _) => printable(&outcome.detail),
        (true, false) => format!("waits for {}", waits_for.join(", ")),
        (true, true) => String::new(),
    };
    let published = match state {
        State::Published => Some(signed(server, id, study, keys, &outcome.published)?),
        _ => None,
    };
    Ok(Outcome { state, detail, published })
}

fn signed(
    server: &Server,
    id: StudyId,
    study: &Study,
    keys: &[PublicKey],
    bytes: &[u8],
) -> Result<Published, ClientError> {
    let checked = Published::decode(bytes).and_then(|published| {
        published.verify(id, keys)?;
        Ok(published)
    });
    checked.map_err(|error| match error {
        PublishedError::Signature(Party(party)) => {
            let signer = study.servers().get(usize::from(party));
            let signer = signer.map_or("a server", |signer| &signer.name);
            server.broke(format!("in its result the signature of {signer} does not verify"))
        }
        other => server.broke(other.to_string()),
    })
}

pub(crate) fn document(
    study: &Study,
    published: &Published,
) -> Result<ResultDocument, ClientError> {
    let plan = Plan::new(study)?;
    if published.totals.len() != plan.coordinates() {
        return Err(ClientError::WrongShape {
            expected: plan.coordinates(),
            found: published.totals.len(),
        });
    }
    let totals = Totals { records: published.records, values: published.totals.clone() };
    Ok(ResultDocument {
        study: study.id().to_string(),
        title: study.title().to_owned(),
        state: State::Published,
        servers: study.servers().iter().map(|server| server.name.clone()).collect(),
        records: published.records,
        submissions: published.submissions,
        rejected: published.rejected.len() as u64,
        statistics: plan.decode(&totals),
    })
}

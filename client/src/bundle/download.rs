//! Downloading a record: from one server, and on from another one when that breaks off.

use std::{path::Path, time::Duration};

use mpc::{
    ids::StudyId,
    record::{Cursor, End, Section},
};
use proto::v1;
use tokio_util::sync::CancellationToken;

use super::{
    Bundle, BundleError,
    partial::{Partial, Refusal},
};
use crate::{
    connection::{Cluster, Server},
    deadline::{self, request},
    error::ClientError,
    profile::Profile,
    progress::{Event, Progress},
    studies,
};

/// How long a server may send nothing.
const IDLE: Duration = Duration::from_secs(30);
/// Pauses before servers that failed are asked again.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(300), Duration::from_secs(1), Duration::from_secs(3)];

/// How much of a record is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// All of it.
    End,
    /// Everything before the submissions, and whatever of these came with it.
    Submissions,
}

/// Where a record came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// The file was there already.
    Earlier,
    /// These servers, one behind the other.
    From(Vec<String>),
}

/// [`download`] from the servers of `profile` that run the study, or from the one that is named.
pub async fn fetch(
    profile: &Profile,
    id: StudyId,
    from: Option<&str>,
    file: &Path,
    stop: &CancellationToken,
    progress: &dyn Progress,
) -> Result<Fetched, ClientError> {
    match from {
        Some(server) if file.exists() => {
            let (file, server) = (file.to_owned(), server.to_owned());
            return Err(BundleError::Earlier { file, server }.into());
        }
        None if file.exists() => return is_of(file, id),
        _ => {}
    }
    let (cluster, _) = Cluster::connect_to_some(profile).await?;
    let study = studies::overview(&cluster, id).await?.definition;
    let mut servers = cluster.servers_of(&study)?;
    if let Some(name) = from {
        let names: Vec<String> = servers.iter().map(|server| server.name().to_owned()).collect();
        servers.retain(|server| server.name() == name);
        if servers.is_empty() {
            let (name, servers) = (name.to_owned(), names.join(", "));
            return Err(ClientError::NotOfTheStudy { name, servers });
        }
    }
    download(&servers, id, file, Until::End, stop, progress).await
}

/// Downloads the record of study `id` into `file`, from the first of `servers` that has it. What an
/// earlier run left in `FILE.part` is used if it is from these servers. A file that is whole already
/// stays as it is.
pub async fn download(
    servers: &[Server],
    id: StudyId,
    file: &Path,
    until: Until,
    stop: &CancellationToken,
    progress: &dyn Progress,
) -> Result<Fetched, ClientError> {
    if file.exists() {
        return is_of(file, id);
    }
    let mut partial = Partial::open(file, id)?;
    let is_asked = |name: &String| servers.iter().any(|server| server.name() == name);
    // Only of a published study all servers have the same record.
    if partial.head().is_some_and(|head| head.end != End::Published)
        || !partial.sources().iter().all(is_asked)
    {
        partial.restart()?;
    }
    let mut pauses = PAUSES.into_iter();
    loop {
        let before = partial.len();
        let error = match from_any(servers, (id, until), &mut partial, stop, progress).await {
            Ok(()) => return Ok(Fetched::From(partial.finish()?)),
            Err(error) => error,
        };
        let goes_on = matches!(error, ClientError::Unreachable { .. });
        if partial.len() > before {
            pauses = PAUSES.into_iter();
        }
        let Some(pause) = pauses.next().filter(|_| goes_on) else { return Err(error) };
        tokio::select! {
            () = stop.cancelled() => return Err(ClientError::Interrupted),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

fn is_of(file: &Path, id: StudyId) -> Result<Fetched, ClientError> {
    let found = Bundle::open(file)?.head().study;
    match found == id {
        true => Ok(Fetched::Earlier),
        false => Err(BundleError::OtherStudy { file: file.to_owned(), found }.into()),
    }
}

/// Asks one server after the other until one gives all of it. If none does, the first one's error
/// is returned.
async fn from_any(
    servers: &[Server],
    (id, until): (StudyId, Until),
    partial: &mut Partial,
    stop: &CancellationToken,
    progress: &dyn Progress,
) -> Result<(), ClientError> {
    let mut failed: Vec<(String, ClientError)> = Vec::new();
    for server in servers {
        if partial.head().is_some_and(|head| head.end != End::Published) {
            partial.restart()?;
        }
        let received = tokio::select! {
            () = stop.cancelled() => return Err(ClientError::Interrupted),
            received = from_one_alone(server, (id, until), partial, progress) => received,
        };
        match received {
            Ok(()) => {
                for (server, error) in failed {
                    let reason = error.to_string();
                    progress.event(Event::AskingAnother { server, reason });
                }
                return Ok(());
            }
            // A file that cannot be written.
            Err(error @ ClientError::Bundle(_)) => return Err(error),
            // A server that cannot be reached, does not have it, or sends something else.
            Err(error) => failed.push((server.name().to_owned(), error)),
        }
    }
    let first = failed.into_iter().next().map(|(_, error)| error);
    Err(first.unwrap_or(ClientError::UnknownStudy { id, servers: String::new() }))
}

/// What follows from one server. Where it does not fit what other servers sent before, nobody can
/// tell which of them is wrong, so that this one is asked for all of it.
async fn from_one_alone(
    server: &Server,
    what: (StudyId, Until),
    partial: &mut Partial,
    progress: &dyn Progress,
) -> Result<(), ClientError> {
    let is_alone = partial.sources().iter().all(|source| source == server.name());
    let mut received = from_one(server, what, partial, progress).await;
    if is_misfit(&received) {
        partial.restart()?;
        if !is_alone {
            received = from_one(server, what, partial, progress).await;
        }
        if is_misfit(&received) {
            partial.restart()?;
        }
    }
    received
}

/// Whether a server sends what cannot follow, or finds that what there is cannot be followed.
fn is_misfit(received: &Result<(), ClientError>) -> bool {
    let error = received.as_ref().err();
    error.is_some_and(|error| {
        matches!(error, ClientError::BrokenBy { .. } | ClientError::NotAccepted { .. })
    })
}

async fn from_one(
    server: &Server,
    (id, until): (StudyId, Until),
    partial: &mut Partial,
    progress: &dyn Progress,
) -> Result<(), ClientError> {
    partial.cut()?;
    let message = v1::RecordRequest {
        study_id: id.0.to_vec().into(),
        after: partial.cursor().map(wire_cursor),
    };
    let ask = async || server.audit().record(request(message.clone(), deadline::ASK)).await;
    let answer = deadline::patiently(ask).await.map_err(|status| server.failed(&status))?;
    let mut stream = answer.into_inner();
    let mut frames = partial.frames();
    loop {
        let part = match tokio::time::timeout(IDLE, stream.message()).await {
            Ok(Ok(Some(part))) => part,
            Ok(Ok(None)) => return Err(broke_off(server, "the record broke off")),
            Ok(Err(status)) => return Err(server.failed(&status)),
            Err(_) => return Err(broke_off(server, "it sent nothing for 30 s")),
        };
        partial.append(server.name(), &mut frames, &part.frames).map_err(
            |refusal| match refusal {
                Refusal::Frames(error) => server.broke(format!("its record is none: {error}")),
                Refusal::File(error) => error.into(),
            },
        )?;
        if partial.head().is_some_and(|head| head.study != id) {
            return Err(server.broke("it sent the record of another study"));
        }
        progress.event(Event::Downloading { bytes: partial.len() });
        let section = partial.cursor().map(|cursor| cursor.section);
        if until == Until::Submissions && section == Some(Section::Submission) {
            return Ok(());
        }
        if part.last {
            return match frames.is_whole() {
                true => Ok(()),
                false => Err(server.broke("its record ends within a message")),
            };
        }
    }
}

fn broke_off(server: &Server, reason: &str) -> ClientError {
    ClientError::Unreachable {
        server: server.name().to_owned(),
        endpoint: server.endpoint(),
        reason: reason.into(),
        is_late: false,
    }
}

fn wire_cursor(cursor: Cursor) -> v1::RecordCursor {
    v1::RecordCursor {
        section: u32::from(cursor.section as u8),
        count: cursor.count,
        submission_id: match (cursor.section, cursor.submission) {
            (Section::Submission, Some(id)) => id.0.to_vec().into(),
            _ => Default::default(),
        },
    }
}

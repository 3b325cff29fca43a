//! A study's life as analyst and operator see it: create, list, show, approve, close, cancel.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read as _,
    path::Path,
    time::{Duration, Instant},
};

use futures::future::join_all;
use mpc::{
    dst,
    ids::StudyId,
    sign::{PublicKey, Signature, Signer},
};
use proto::v1;
use rand::Rng as _;
use study::{
    Study, StudyContext, StudyError, StudyServer,
    error::{Place, Rule, Subject},
};

use crate::{
    connection::{Cluster, Server},
    deadline::{self, Patience, request},
    error::ClientError,
    profile::{Profile, Role},
    progress::{Event, Progress},
    status::{Overview, Report, State},
};

/// How long `create` and `approve` watch a study open.
const OPENING: Duration = Duration::from_secs(15);
/// How often a server is asked for news.
pub(crate) const POLL: Duration = Duration::from_millis(300);
/// Studies per page of a list.
const PAGE: u32 = 100;

/// Who a command is sent as, and what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// By the operator of a server: the study may run there.
    Approve,
    /// By the study's analyst: no more submissions, compute the result.
    Close,
    /// By the study's analyst, or by the operator of a server.
    Cancel(Role),
}

/// What one server answered to a command.
#[derive(Debug)]
pub struct Answer {
    /// The server.
    pub server: String,
    /// Its new state of the study, or why it has not.
    pub report: Result<Report, ClientError>,
}

/// Proposes the study in `file` to all its servers, and watches it open for a moment.
///
/// When a server refuses or fails, the proposal is taken back from the others.
pub async fn create(
    profile: &Profile,
    file: &Path,
    progress: &dyn Progress,
) -> Result<Overview, ClientError> {
    let signer = profile.signer(Role::Analyst)?;
    let study = read(profile, file, &signer)?;
    let cluster = Cluster::new(profile)?;
    let servers = cluster.servers_of(&study)?;
    let cluster = cluster.only(&servers);
    cluster.require_all(Patience { longest: deadline::LATE, progress }).await?;
    propose(&servers, &study, &signer).await?;
    watch_opening(&cluster, study.id(), progress).await
}

/// Reads and checks a study file, with a new nonce: the same file twice is two studies.
pub fn read(profile: &Profile, file: &Path, analyst: &Signer) -> Result<Study, ClientError> {
    let mut nonce = [0; 16];
    rand::rng().fill_bytes(&mut nonce);
    parse(&text_of(file)?, file, &available(profile), analyst.public(), nonce)
}

/// The servers of a profile, as a study names them.
pub(crate) fn available(profile: &Profile) -> Vec<StudyServer> {
    let servers = profile.servers().iter();
    servers
        .map(|server| StudyServer { name: server.name.clone(), identity: server.identity })
        .collect()
}

/// Checks the text of a study file.
pub(crate) fn parse(
    text: &str,
    file: &Path,
    available: &[StudyServer],
    analyst: PublicKey,
    nonce: [u8; 16],
) -> Result<Study, ClientError> {
    let context = StudyContext { available, analyst, nonce };
    Ok(Study::from_file(text, &file.display().to_string(), context)?)
}

/// A study file's text. Of a file that is too long no more than that is read.
pub(crate) fn text_of(file: &Path) -> Result<String, ClientError> {
    const MOST: u64 = study::limits::FILE_BYTES as u64;
    let failed = |source| ClientError::File { path: file.to_owned(), source };
    let opened = File::open(file).map_err(failed)?;
    let len = opened.metadata().map_err(failed)?.len();
    let mut bytes = Vec::new();
    opened.take(MOST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > study::limits::FILE_BYTES {
        let found = usize::try_from(len).unwrap_or(usize::MAX).max(bytes.len());
        let rule = Rule::Size { found, limit: study::limits::FILE_BYTES };
        let place = Place::File { name: file.display().to_string(), line: 1 };
        let error = StudyError { place, subject: Subject::Study, rule: Box::new(rule) };
        return Err(error.into());
    }
    String::from_utf8(bytes).map_err(|_| ClientError::NotText { file: file.to_owned() })
}

/// All studies that the profile's servers know, and who could not be asked.
pub async fn list(profile: &Profile) -> Result<(Vec<Overview>, Vec<ClientError>), ClientError> {
    let (cluster, unreachable) = Cluster::connect_to_some(profile).await?;
    let mut found: BTreeMap<StudyId, Found> = BTreeMap::new();
    let mut failed = Vec::new();
    for (server, listed) in
        cluster.servers().iter().zip(join_all(cluster.servers().iter().map(list_of)).await)
    {
        match listed {
            Ok(reports) => {
                for (id, report, definition) in reports {
                    let found = found.entry(id).or_default();
                    found.definition = found.definition.take().or(definition);
                    found.reports.push(report);
                }
            }
            Err(error) if error.is_unreachable() => failed.push(server.name().to_owned()),
            Err(error) => return Err(error),
        }
    }
    let studies = found.into_iter().filter_map(|(id, found)| found.overview(id, &failed));
    Ok((studies.collect(), unreachable))
}

/// One study, as all its servers that can be reached see it.
pub async fn show(profile: &Profile, id: StudyId) -> Result<Overview, ClientError> {
    let (cluster, _) = Cluster::connect_to_some(profile).await?;
    overview(&cluster, id).await
}

/// Sends a signed command to servers of the study: to `only` these by name, or to all.
/// Every server is asked, whatever the others answer.
pub async fn command(
    profile: &Profile,
    id: StudyId,
    action: Action,
    only: &[String],
) -> Result<Vec<Answer>, ClientError> {
    let signer = profile.signer(action.role())?;
    for name in only {
        profile.server(name)?;
    }
    let (cluster, _) = Cluster::connect_to_some(profile).await?;
    let known = overview(&cluster, id).await?;
    let mut servers = cluster.servers_of(&known.definition)?;
    servers.retain(|server| only.is_empty() || only.iter().any(|name| name == server.name()));
    let answers = servers.iter().map(|server| send(server, id, action, &signer));
    Ok(join_all(answers).await)
}

/// Watches a study that has just been proposed or approved until it is open or ended, or until
/// it is clear whose approval is missing.
pub async fn watch_opening(
    cluster: &Cluster,
    id: StudyId,
    progress: &dyn Progress,
) -> Result<Overview, ClientError> {
    let start = Instant::now();
    loop {
        let now = overview(cluster, id).await?;
        let settled = match now.state {
            // Servers that approve by themselves do so at once: a second look tells them apart.
            State::Proposed => start.elapsed() > Duration::from_secs(2),
            State::Approved => start.elapsed() > OPENING,
            _ => true,
        };
        if settled {
            return Ok(now);
        }
        progress.event(Event::Waiting { what: format!("the study to open ({})", now.why()) });
        tokio::time::sleep(POLL).await;
    }
}

/// Asks all servers of the cluster about one study; those that belong to it count.
pub async fn overview(cluster: &Cluster, id: StudyId) -> Result<Overview, ClientError> {
    let asked = cluster.servers().iter().map(|server| get(server, id));
    let mut found = Found::default();
    let mut unreachable = Vec::new();
    for (server, answer) in cluster.servers().iter().zip(join_all(asked).await) {
        match answer {
            Ok(Some((report, definition))) => {
                found.definition = found.definition.take().or(definition);
                found.reports.push(report);
            }
            Ok(None) => {}
            Err(error) if error.is_unreachable() => unreachable.push((server, error)),
            Err(error) => return Err(error),
        }
    }
    let names: Vec<String> =
        unreachable.iter().map(|(server, _)| server.name().to_owned()).collect();
    // One that may answer soon is worth more than one that is not there.
    unreachable.sort_by_key(|(_, error)| !error.is_late());
    match (found.overview(id, &names), unreachable.into_iter().next()) {
        (Some(overview), _) => Ok(overview),
        // Who cannot be asked may know it.
        (None, Some((_, error))) => Err(error),
        (None, None) => Err(ClientError::UnknownStudy { id, servers: cluster.names() }),
    }
}

impl Action {
    /// Whose key signs it.
    pub fn role(self) -> Role {
        match self {
            Self::Approve => Role::Operator,
            Self::Close => Role::Analyst,
            Self::Cancel(role) => role,
        }
    }

    fn bytes(self) -> &'static [u8] {
        match self {
            Self::Approve => b"approve",
            Self::Close => b"close",
            Self::Cancel(_) => b"cancel",
        }
    }
}

/// What was heard about one study.
#[derive(Default)]
struct Found {
    definition: Option<Study>,
    reports: Vec<Report>,
}

impl Found {
    /// Nothing when no server has the study. Servers that are not of the study do not count.
    fn overview(self, id: StudyId, unreachable: &[String]) -> Option<Overview> {
        let definition = self.definition?;
        let state = State::of_all(self.reports.iter().map(|report| report.state))?;
        Some(Overview {
            id,
            title: definition.title().to_owned(),
            state,
            servers: self.reports,
            unreachable: unreachable.to_vec(),
            definition,
        })
    }
}

/// The words that a command's signature is over.
fn sign(signer: &Signer, action: &[u8], id: StudyId, server: &Server) -> Signature {
    signer.sign(dst::COMMAND, &[action, &id.0, &server.identity().0])
}

async fn propose(servers: &[Server], study: &Study, signer: &Signer) -> Result<(), ClientError> {
    let id = study.id();
    let bytes = study.encode();
    let proposals = servers.iter().map(|server| {
        let signature = sign(signer, b"propose", id, server).0.to_vec().into();
        let message = v1::ProposeRequest { study: bytes.clone().into(), signature };
        async move {
            let propose =
                async || server.studies().propose(request(message.clone(), deadline::ASK)).await;
            deadline::patiently(propose).await
        }
    });
    let mut failure = None;
    let mut undo = Vec::new();
    for (server, answer) in servers.iter().zip(join_all(proposals).await) {
        match answer {
            Ok(_) => undo.push(server),
            Err(status) => {
                let error = server.failed(&status);
                // A proposal that got no answer may have arrived.
                if error.is_unreachable() {
                    undo.push(server);
                }
                failure.get_or_insert(error);
            }
        }
    }
    let Some(cause) = failure else { return Ok(()) };
    let cancel = Action::Cancel(Role::Analyst);
    let undone = join_all(undo.iter().map(|server| send(server, id, cancel, signer))).await;
    let left = undone.into_iter().filter_map(|answer| match answer.report {
        Ok(_) | Err(ClientError::UnknownStudy { .. }) => None,
        Err(_) => Some(answer.server),
    });
    Err(ClientError::NotProposed { cause: Box::new(cause), left: left.collect() })
}

async fn send(server: &Server, id: StudyId, action: Action, signer: &Signer) -> Answer {
    let command = v1::Command {
        study_id: id.0.to_vec().into(),
        public_key: signer.public().0.to_vec().into(),
        signature: sign(signer, action.bytes(), id, server).0.to_vec().into(),
    };
    let send = async || {
        let command = request(command.clone(), deadline::ASK);
        let mut studies = server.studies();
        match action {
            Action::Approve => studies.approve(command).await,
            Action::Close => studies.close(command).await,
            Action::Cancel(_) => studies.cancel(command).await,
        }
    };
    let report = match deadline::patiently(send).await {
        Ok(status) => Report::from_wire(server, status.into_inner()).map(|(_, report, _)| report),
        Err(status) if status.code() == tonic::Code::NotFound => {
            Err(ClientError::UnknownStudy { id, servers: server.name().to_owned() })
        }
        Err(status) => Err(server.failed(&status)),
    };
    Answer { server: server.name().to_owned(), report }
}

/// Nothing when the server does not know the study.
async fn get(server: &Server, id: StudyId) -> Result<Option<(Report, Option<Study>)>, ClientError> {
    let message = v1::GetStudyRequest { study_id: id.0.to_vec().into() };
    let ask = async || server.studies().get(request(message.clone(), deadline::ASK)).await;
    let status = match deadline::patiently(ask).await {
        Ok(status) => status.into_inner(),
        Err(status) if status.code() == tonic::Code::NotFound => return Ok(None),
        Err(status) => return Err(server.failed(&status)),
    };
    let (answered, report, definition) = Report::from_wire(server, status)?;
    if answered != id {
        return Err(server.broke(format!("asked for study {id}, it answers for {answered}")));
    }
    Ok(Some((report, definition)))
}

async fn list_of(server: &Server) -> Result<Vec<(StudyId, Report, Option<Study>)>, ClientError> {
    let mut reports: Vec<(StudyId, Report, Option<Study>)> = Vec::new();
    loop {
        let after = reports.last().map(|(id, ..)| id.0.to_vec()).unwrap_or_default();
        let message = v1::ListStudiesRequest { after: after.into(), limit: PAGE };
        let ask = async || server.studies().list(request(message.clone(), deadline::ASK)).await;
        let page =
            deadline::patiently(ask).await.map_err(|status| server.failed(&status))?.into_inner();
        // A page may be shorter than asked for, so only an empty one is the last.
        if page.studies.is_empty() {
            return Ok(reports);
        }
        take(server, page.studies, &mut reports)?;
    }
}

/// Takes a page of a server's list behind what there is of it.
pub(crate) fn take(
    server: &Server,
    page: Vec<v1::StudyStatus>,
    reports: &mut Vec<(StudyId, Report, Option<Study>)>,
) -> Result<(), ClientError> {
    for status in page {
        let next = Report::from_wire(server, status)?;
        // Ids must rise, or a server could keep the client listing for ever.
        if reports.last().is_some_and(|(last, ..)| *last >= next.0) {
            return Err(server.broke("its list of studies is not in order"));
        }
        reports.push(next);
    }
    Ok(())
}

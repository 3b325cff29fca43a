//! Studies: proposed by analysts, approved by operators, read by anyone.

use std::sync::Arc;

use mpc::{
    dst,
    ids::StudyId,
    sign::{PublicKey, Signature},
};
use proto::{
    convert::field,
    v1::{self, studies_server::Studies},
};
use rand::Rng as _;
use study::Study;
use tonic::{Request, Response, Status};
use zeroize::Zeroizing;

use super::status::RpcError;
use crate::{
    catalog::{CatalogError, StudyContext},
    chance,
    config::Approve,
    jobs,
    node::Node,
    storage::{Detail, Finish, NewStudy, StudyRow, StudySecrets, StudyState},
    work,
};

/// Studies in one page of a list, and bytes after which a page takes no further study.
const PAGE: usize = 100;
const PAGE_BYTES: usize = 256 << 10;
/// The longest canonical encoding of a study, in bytes.
const MAX_STUDY: usize = 1 << 20;

/// The `Studies` service.
pub struct StudiesService(pub Arc<Node>);

#[tonic::async_trait]
impl Studies for StudiesService {
    async fn propose(
        &self,
        request: Request<v1::ProposeRequest>,
    ) -> Result<Response<v1::StudyStatus>, Status> {
        let _place = self.0.admit(&request).map_err(RpcError::from)?;
        let id = self.0.propose(request.into_inner()).await?;
        Ok(Response::new(self.0.study_status(id).await?))
    }

    async fn get(
        &self,
        request: Request<v1::GetStudyRequest>,
    ) -> Result<Response<v1::StudyStatus>, Status> {
        let _place = self.0.admit(&request).map_err(RpcError::from)?;
        let id = study_id(&request.into_inner().study_id)?;
        Ok(Response::new(self.0.study_status(id).await?))
    }

    async fn list(
        &self,
        request: Request<v1::ListStudiesRequest>,
    ) -> Result<Response<v1::ListStudiesResponse>, Status> {
        let _place = self.0.admit(&request).map_err(RpcError::from)?;
        let (after, limit) = page(request.get_ref())?;
        let rows = self.0.storage.studies(after, limit).await.map_err(RpcError::from)?;
        let mut studies = Vec::with_capacity(rows.len());
        let mut bytes = 0;
        for row in rows {
            bytes += row.bytes.len();
            // Whoever asks may leave the answer unread, so it is small; the rest comes with the
            // next call.
            if bytes > PAGE_BYTES && !studies.is_empty() {
                break;
            }
            studies.push(self.0.status_of(row).await?);
        }
        Ok(Response::new(v1::ListStudiesResponse { studies }))
    }

    async fn approve(
        &self,
        request: Request<v1::Command>,
    ) -> Result<Response<v1::StudyStatus>, Status> {
        let _place = self.0.admit(&request).map_err(RpcError::from)?;
        let id = self.0.approve(&request.into_inner()).await?;
        Ok(Response::new(self.0.study_status(id).await?))
    }

    async fn close(
        &self,
        request: Request<v1::Command>,
    ) -> Result<Response<v1::StudyStatus>, Status> {
        let _place = self.0.admit(&request).map_err(RpcError::from)?;
        let id = self.0.close(&request.into_inner()).await?;
        Ok(Response::new(self.0.study_status(id).await?))
    }

    async fn cancel(
        &self,
        request: Request<v1::Command>,
    ) -> Result<Response<v1::StudyStatus>, Status> {
        let _place = self.0.admit(&request).map_err(RpcError::from)?;
        let id = self.0.cancel(&request.into_inner()).await?;
        Ok(Response::new(self.0.study_status(id).await?))
    }

    async fn get_outcome(
        &self,
        request: Request<v1::GetStudyRequest>,
    ) -> Result<Response<v1::Outcome>, Status> {
        let _place = self.0.admit(&request).map_err(RpcError::from)?;
        let id = study_id(&request.into_inner().study_id)?;
        Ok(Response::new(self.0.outcome_of(id).await?))
    }
}

/// A study id from a message.
pub(crate) fn study_id(bytes: &[u8]) -> Result<StudyId, RpcError> {
    Ok(field("study_id", bytes)?)
}

/// Behind which study a page of the list begins, and how long it may be.
pub(crate) fn page(request: &v1::ListStudiesRequest) -> Result<(Option<StudyId>, usize), RpcError> {
    let after = match request.after.is_empty() {
        true => None,
        false => Some(study_id(&request.after)?),
    };
    Ok((after, usize::try_from(request.limit).unwrap_or(PAGE).clamp(1, PAGE)))
}

/// A proposal's study, its analyst and what should be the analyst's signature.
pub(crate) fn proposal(
    request: &v1::ProposeRequest,
) -> Result<(StudyId, PublicKey, Signature), RpcError> {
    if request.study.len() > MAX_STUDY {
        return Err(RpcError::Invalid("study: longer than 1 MiB"));
    }
    let signature = field("signature", &request.signature)?;
    let (id, analyst) = Study::claim(&request.study)
        .ok_or(RpcError::Invalid("study: this is not the encoding of a study"))?;
    Ok((id, analyst, signature))
}

/// A command's study, who gives it, and what should be its signature.
pub(crate) fn signed(command: &v1::Command) -> Result<(StudyId, PublicKey, Signature), RpcError> {
    let id = study_id(&command.study_id)?;
    let key = field("public_key", &command.public_key)?;
    Ok((id, key, field("signature", &command.signature)?))
}

fn wire_state(state: StudyState) -> i32 {
    i32::from(state.code())
}

impl Node {
    async fn propose(self: &Arc<Self>, request: v1::ProposeRequest) -> Result<StudyId, RpcError> {
        self.require_health()?;
        // Who asks is checked before anything costly is derived, or even validated.
        let (id, analyst, signature) = proposal(&request)?;
        if !self.config.analysts.contains(&analyst) {
            return Err(RpcError::NotAuthorised(
                "the analyst's key is not among this server's analysts: ask its operator to list it",
            ));
        }
        self.check_command("propose", id, &analyst, &signature)?;
        let node = self.clone();
        let bytes = request.study.clone();
        let derive = move || {
            let study = Study::decode(&bytes).map_err(CatalogError::from)?;
            node.context(study)
        };
        let context = work::aside(derive).await.map_err(|_| RpcError::Stopping)??;
        if self.storage.study(id).await?.is_none() {
            self.check_number_of_studies().await?;
            let detail = Detail { text: "waits for approval".into(), servers: Vec::new() };
            let study = NewStudy {
                id,
                bytes: request.study.to_vec(),
                signature,
                detail,
                secrets: draw_secrets(),
                now_ms: self.clock.now_ms(),
            };
            self.storage.insert_study(study).await?;
            tracing::info!(study = %id, %analyst, "study proposed");
        }
        let context = self.catalog.insert(context);
        if self.config.approve == Approve::Automatic {
            self.approve_study(&context).await?;
        }
        Ok(id)
    }

    async fn check_number_of_studies(&self) -> Result<(), RpcError> {
        let open = self.all_studies().await?.iter().filter(|row| !row.state.is_final()).count();
        match open < self.config.limits.open_studies as usize {
            true => Ok(()),
            false => Err(RpcError::Busy {
                what: "it runs as many studies as its configuration allows",
                retry: std::time::Duration::from_secs(60),
            }),
        }
    }

    async fn approve(self: &Arc<Self>, command: &v1::Command) -> Result<StudyId, RpcError> {
        self.require_health()?;
        let (id, key) = self.command("approve", command)?;
        let context = self.catalog.get(id).ok_or(RpcError::UnknownStudy)?;
        self.check_operator(&key)?;
        self.approve_study(&context).await?;
        Ok(id)
    }

    async fn approve_study(self: &Arc<Self>, context: &Arc<StudyContext>) -> Result<(), RpcError> {
        let (from, to) = ([StudyState::Proposed], StudyState::Approved);
        let detail = Detail::default();
        if self.storage.transition(context.id, &from, to, detail, self.clock.now_ms()).await? {
            tracing::info!(study = %context.id, "study approved");
            jobs::start(self, context.clone());
        }
        Ok(())
    }

    async fn close(&self, command: &v1::Command) -> Result<StudyId, RpcError> {
        let (id, key) = self.command("close", command)?;
        let context = self.catalog.get(id).ok_or(RpcError::UnknownStudy)?;
        if key != context.study.analyst() {
            return Err(RpcError::NotAuthorised("only the study's analyst can close it"));
        }
        let (from, to) = ([StudyState::Open], StudyState::Closing);
        let detail = Detail { text: "the result is being computed".into(), servers: Vec::new() };
        if self.storage.transition(id, &from, to, detail, self.clock.now_ms()).await? {
            tracing::info!(study = %id, "study closed");
            context.wake.notify_one();
            return Ok(id);
        }
        match self.row(id).await?.state {
            StudyState::Closing | StudyState::Published | StudyState::Refused => Ok(id),
            state => Err(RpcError::State { call: "closing", state }),
        }
    }

    async fn cancel(&self, command: &v1::Command) -> Result<StudyId, RpcError> {
        let (id, key) = self.command("cancel", command)?;
        let context = self.catalog.get(id).ok_or(RpcError::UnknownStudy)?;
        let who = match key == context.study.analyst() {
            true => "cancelled by the analyst".to_owned(),
            false => {
                self.check_operator(&key)?;
                format!("cancelled by the operator of {}", self.name())
            }
        };
        let detail = Detail { text: who, servers: vec![self.name().to_owned()] };
        let finish = Finish {
            to: StudyState::Cancelled,
            detail,
            outcome: Vec::new(),
            transcript: Vec::new(),
            rejected: 0,
            scrub: true,
            now_ms: self.clock.now_ms(),
        };
        // A publication that has begun must not be left half done.
        let _running = context.running.lock().await;
        if self.storage.finish(id, finish).await? {
            self.metrics.backlog.end(id);
            tracing::info!(study = %id, "study cancelled");
            context.wake.notify_one();
            return Ok(id);
        }
        match self.row(id).await?.state {
            StudyState::Cancelled => Ok(id),
            state => Err(RpcError::State { call: "cancelling", state }),
        }
    }

    fn check_operator(&self, key: &PublicKey) -> Result<(), RpcError> {
        match self.config.operators.contains(key) {
            true => Ok(()),
            false => Err(RpcError::NotAuthorised("the key is not among this server's operators")),
        }
    }

    /// Checks a command's signature; returns its study and its signer.
    fn command(
        &self,
        action: &'static str,
        command: &v1::Command,
    ) -> Result<(StudyId, PublicKey), RpcError> {
        let (id, key, signature) = signed(command)?;
        self.check_command(action, id, &key, &signature)?;
        Ok((id, key))
    }

    fn check_command(
        &self,
        action: &'static str,
        id: StudyId,
        key: &PublicKey,
        signature: &Signature,
    ) -> Result<(), RpcError> {
        let parts: [&[u8]; 3] = [action.as_bytes(), &id.0, &self.signer().public().0];
        Ok(key.verify(dst::COMMAND, &parts, signature)?)
    }

    async fn row(&self, id: StudyId) -> Result<StudyRow, RpcError> {
        self.storage.study(id).await?.ok_or(RpcError::UnknownStudy)
    }

    async fn study_status(&self, id: StudyId) -> Result<v1::StudyStatus, RpcError> {
        let row = self.row(id).await?;
        self.status_of(row).await
    }

    async fn status_of(&self, row: StudyRow) -> Result<v1::StudyStatus, RpcError> {
        let counts = self.storage.counts(row.id).await?;
        let record = row.state.is_final() && self.has_record(row.id).await?;
        // What stops every study of this server comes before what this one waits for.
        let detail = match self.require_health() {
            Err(error) if !row.state.is_final() => Detail {
                text: Status::from(error).message().to_owned(),
                servers: vec![self.name().to_owned()],
            },
            _ => row.detail,
        };
        Ok(v1::StudyStatus {
            study_id: row.id.0.to_vec().into(),
            study: row.bytes.into(),
            state: wire_state(row.state),
            detail: detail.text,
            servers: detail.servers,
            submissions: counts.submissions,
            records: counts.records,
            verified: counts.verified,
            rejected: counts.rejected,
            share_bytes: counts.share_bytes,
            charged: counts.charged,
            record,
        })
    }

    /// Whether this server knows what was said in the run that ended the study.
    async fn has_record(&self, id: StudyId) -> Result<bool, RpcError> {
        Ok(!self.storage.transcript(id, None, 1).await?.is_empty())
    }

    /// What a study ended in, or where it is.
    pub(super) async fn outcome_of(&self, id: StudyId) -> Result<v1::Outcome, RpcError> {
        let row = self.row(id).await?;
        let published = self.storage.outcome(id).await?.unwrap_or_default();
        Ok(v1::Outcome {
            study_id: id.0.to_vec().into(),
            state: wire_state(row.state),
            detail: row.detail.text,
            servers: row.detail.servers,
            published: published.into(),
            transcript: Vec::new(),
        })
    }
}

/// This server's secrets for a new study.
fn draw_secrets() -> StudySecrets {
    let mut rng = chance::rng();
    let mut secrets = StudySecrets {
        contribution: Zeroizing::new([0; 32]),
        salt_seed: Zeroizing::new([0; 32]),
        verify_key: None,
    };
    rng.fill_bytes(secrets.contribution.as_mut());
    rng.fill_bytes(secrets.salt_seed.as_mut());
    secrets
}

//! Audit: what anybody may check of an ended study, for anybody who asks.

use std::{collections::BTreeSet, pin::Pin, sync::Arc};

use mpc::{
    ids::{StudyId, SubmissionId},
    merkle,
    publish::Published,
    record::{Cursor, End, Section},
};
use proto::{
    convert::field,
    v1::{self, audit_server::Audit},
};
use tokio::sync::mpsc;
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Request, Response, Status};

use self::record::Record;
use super::{status::RpcError, studies::study_id};
use crate::{
    node::Node,
    storage::{StorageError, StudyState},
    tls,
};

mod record;

/// Submissions whose inclusion is proven at once: memory and work grow with them.
const MAX_PROOFS: usize = 256;
/// Rows read from the database at a time.
const PAGE: usize = 1_000;

/// The `Audit` service.
pub struct AuditService(pub Arc<Node>);

#[tonic::async_trait]
impl Audit for AuditService {
    type RecordStream = Pin<Box<dyn Stream<Item = Result<v1::RecordPart, Status>> + Send>>;

    async fn record(
        &self,
        request: Request<v1::RecordRequest>,
    ) -> Result<Response<Self::RecordStream>, Status> {
        let _place = self.0.admit(&request).map_err(RpcError::from)?;
        let from = tls::remote_ip(&request);
        let (id, after) = place(request.into_inner())?;
        let reading = self.0.records.enter(from).map_err(RpcError::from)?;
        let record = Record::of(self.0.clone(), id).await?;
        // One part waits while the next is read; what the reader does not take is not made.
        let (parts, stream) = mpsc::channel(1);
        self.0.tasks.spawn(async move {
            record.send(after, parts).await;
            drop(reading);
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }

    async fn prove(
        &self,
        request: Request<v1::ProveRequest>,
    ) -> Result<Response<v1::ProveResponse>, Status> {
        let _place = self.0.admit(&request).map_err(RpcError::from)?;
        let from = tls::remote_ip(&request);
        let (id, wanted) = wanted(request.get_ref())?;
        let _reading = self.0.records.enter(from).map_err(RpcError::from)?;
        Ok(Response::new(v1::ProveResponse { inclusions: self.0.prove(id, wanted).await? }))
    }
}

/// The study whose record is asked for, and from where on.
pub(crate) fn place(request: v1::RecordRequest) -> Result<(StudyId, Option<Cursor>), RpcError> {
    let id = study_id(&request.study_id)?;
    Ok((id, request.after.map(cursor).transpose()?))
}

/// The study and the submissions whose proofs are asked for.
pub(crate) fn wanted(
    request: &v1::ProveRequest,
) -> Result<(StudyId, BTreeSet<SubmissionId>), RpcError> {
    let id = study_id(&request.study_id)?;
    if request.submission_ids.len() > MAX_PROOFS {
        return Err(RpcError::Invalid("submission_ids: more than 256"));
    }
    let wanted = request.submission_ids.iter().map(|id| Ok(field("submission_ids", id)?));
    Ok((id, wanted.collect::<Result<_, RpcError>>()?))
}

fn cursor(cursor: v1::RecordCursor) -> Result<Cursor, RpcError> {
    let section = u8::try_from(cursor.section).ok().and_then(Section::from_code);
    let section = section.ok_or(RpcError::Invalid("after.section: there is no such section"))?;
    let submission = match section {
        Section::Submission => Some(field("after.submission_id", &cursor.submission_id)?),
        _ => None,
    };
    Ok(Cursor { section, count: cursor.count, submission })
}

/// How a study ended, if its record can be had.
fn end(state: StudyState) -> Result<End, RpcError> {
    match state {
        StudyState::Published => Ok(End::Published),
        StudyState::Refused => Ok(End::Refused),
        StudyState::Aborted => Ok(End::Aborted),
        state => Err(RpcError::State { call: "an audit", state }),
    }
}

impl Node {
    async fn end_of(&self, id: StudyId) -> Result<End, RpcError> {
        end(self.storage.study(id).await?.ok_or(RpcError::UnknownStudy)?.state)
    }

    /// The published result of a study that has one.
    async fn published(&self, id: StudyId) -> Result<Published, RpcError> {
        let outcome = self.storage.outcome(id).await?.unwrap_or_default();
        let damaged = StorageError::Damaged("a published result cannot be decoded");
        Published::decode(&outcome).map_err(|_| damaged.into())
    }

    /// One pass over the study's list, whatever its length.
    async fn prove(
        &self,
        id: StudyId,
        wanted: BTreeSet<SubmissionId>,
    ) -> Result<Vec<v1::Inclusion>, RpcError> {
        if self.end_of(id).await? != End::Published {
            return Err(RpcError::Unpublished);
        }
        let published = self.published(id).await?;
        let mut tree = merkle::Tree::default();
        let mut inclusions = Vec::new();
        let mut after = None;
        loop {
            let page = self.storage.entries(id, after, PAGE).await?;
            for entry in &page {
                if published.reason(&entry.id).is_some() {
                    continue;
                }
                let leaf = merkle::leaf(&entry.id, &entry.public_hash, entry.records);
                if !wanted.contains(&entry.id) {
                    tree.push(leaf);
                    continue;
                }
                tree.push_and_prove(leaf);
                inclusions.push(v1::Inclusion {
                    submission_id: entry.id.0.to_vec().into(),
                    public_hash: entry.public_hash.0.to_vec().into(),
                    records: entry.records,
                    proof: Default::default(),
                });
            }
            after = page.last().map(|entry| entry.id);
            if page.len() < PAGE {
                break;
            }
        }
        let (root, proofs) = tree.finish();
        if root != published.root {
            return Err(StorageError::Damaged("the list is not the one that was published").into());
        }
        for (inclusion, proof) in inclusions.iter_mut().zip(proofs) {
            inclusion.proof = proof.encode().into();
        }
        Ok(inclusions)
    }
}

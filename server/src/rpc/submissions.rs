//! Submissions: everything about an upload is checked before it is stored, and a receipt is signed
//! only when it is durable.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use mpc::{
    collect::{CollectError, PublicPart, check_credential},
    ids::{PublicHash, SubmissionId},
    pedersen::Opened,
    receipt::Receipt,
    sign::{PublicKey, Signature},
};
use proto::{
    convert::field,
    v1::{self, submissions_server::Submissions},
};
use tonic::{Request, Response, Status};
use tracing::Instrument as _;
use zeroize::Zeroizing;

use super::status::RpcError;
use crate::{
    catalog::StudyContext,
    door::Unchecked,
    metrics::Submission,
    node::Node,
    storage::{NewSubmission, PutLimits, PutOutcome, StudyState},
    trace, work,
};

/// Payloads from this size on are checked on a thread of their own,
const LARGE: usize = 64 << 10;
/// and shares of as many field elements, which may come as a seed.
const LARGE_SHARE: usize = LARGE / 16;
/// Submissions of one study, good or bad: their lists must fit a round of the publication.
const MAX_SUBMISSIONS: u64 = 1_000_000;
/// When a provider tries again after a full backlog.
const BACKLOG: Duration = Duration::from_millis(500);

/// The `Submissions` service.
pub struct SubmissionsService(pub Arc<Node>);

#[tonic::async_trait]
impl Submissions for SubmissionsService {
    async fn submit(
        &self,
        request: Request<v1::SubmitRequest>,
    ) -> Result<Response<v1::Receipt>, Status> {
        let span = trace::call(trace::of(&request), "submit");
        let answer = async {
            let _place = self.0.admit(&request)?;
            self.0.submit(request.into_inner()).await
        };
        let answer = answer.instrument(span).await;
        self.0.metrics.submission(match &answer {
            Ok((_, submission)) => *submission,
            Err(error) => Submission::Refused(error.word()),
        });
        Ok(Response::new(answer?.0.into()))
    }

    async fn amend(
        &self,
        request: Request<v1::AmendRequest>,
    ) -> Result<Response<v1::AmendmentReceipt>, Status> {
        let span = trace::call(trace::of(&request), "amend");
        let answer = async {
            let _place = self.0.admit(&request)?;
            self.0.amend(request.into_inner()).await
        };
        let answer = answer.instrument(span).await;
        self.0.metrics.amendment(answer.as_ref().map(drop).map_err(RpcError::word));
        Ok(Response::new(answer?.into()))
    }
}

/// An upload that passed every check but that of its commitment.
struct Checked {
    public: PublicPart,
    hash: PublicHash,
    opened: Opened,
}

impl Node {
    async fn submit(
        self: &Arc<Self>,
        request: v1::SubmitRequest,
    ) -> Result<(Receipt, Submission), RpcError> {
        if self.stop.is_cancelled() {
            return Err(RpcError::Stopping);
        }
        self.require_health()?;
        let public = PublicPart::decode(&request.public_part)?;
        let context = self.catalog.get(public.study).ok_or(RpcError::UnknownStudy)?;
        self.check_takes_uploads(&context, public.submission).await?;
        // A u32 fits.
        let share = context.collect.circuit().wires().saturating_mul(public.records as usize);
        let is_small = request.payload.len() < LARGE && share < LARGE_SHARE;
        let (context, request, checked) = match is_small {
            true => {
                let checked = check(&context, public, &request);
                (context, request, checked)
            }
            false => work::aside(move || {
                let checked = check(&context, public, &request);
                (context, request, checked)
            })
            .await
            .map_err(|_| RpcError::Stopping)?,
        };
        let Checked { public, hash, opened } = checked?;
        self.check_opening(&context, opened).await?;
        let submission = NewSubmission {
            id: public.submission,
            public: request.public_part.to_vec(),
            public_hash: hash,
            records: public.records,
            provider: public.provider,
            amendment: public.amendment,
            payload: Zeroizing::new(request.payload.into()),
        };
        let stored = self.put(&context, submission).await?;
        tracing::debug!(study = %public.study, submission = %public.submission, ?stored, "receipt");
        Ok((Receipt::sign(self.signer(), public.study, public.submission, hash), stored))
    }

    /// Refuses new uploads to a study that is known to take none, before anything costly is checked.
    /// Those that it has get their receipt again.
    async fn check_takes_uploads(
        &self,
        context: &StudyContext,
        submission: SubmissionId,
    ) -> Result<(), RpcError> {
        if !context.takes_nothing.load(Ordering::Relaxed) {
            return Ok(());
        }
        let _turn = context.late.acquire().await.map_err(|_| RpcError::Stopping)?;
        let stored = self.storage.submissions(context.id, &[submission]).await?;
        if stored.iter().any(Option::is_some) {
            return Ok(());
        }
        let state = match context.ended.get() {
            Some(state) => *state,
            None => self.storage.study(context.id).await?.ok_or(RpcError::UnknownStudy)?.state,
        };
        if state.is_final() {
            // It stays.
            context.ended.get_or_init(|| state);
        }
        Err(RpcError::State { call: "submitting", state })
    }

    /// Refuses an upload whose commitment does not open to it; others that arrived with it stay.
    async fn check_opening(&self, context: &StudyContext, opened: Opened) -> Result<(), RpcError> {
        match context.door.opens(opened, &self.tasks).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(CollectError::Opening.into()),
            Err(Unchecked::Full) => Err(RpcError::Busy {
                what: "too many uploads wait for the check of their commitments",
                retry: BACKLOG,
            }),
            Err(Unchecked::Stopped) => Err(RpcError::Stopping),
        }
    }

    /// Stores a submission, and notes since when it waits for its verification.
    async fn put(
        &self,
        context: &StudyContext,
        submission: NewSubmission,
    ) -> Result<Submission, RpcError> {
        let id = submission.id;
        let backlog = &self.metrics.backlog;
        let waits = backlog.enter(context.id, id, Instant::now());
        // Also when the caller goes away before there is an answer.
        let forget = scopeguard::guard((), |()| {
            if waits {
                backlog.leave(context.id, [&id]);
            }
        });
        let stored = self.store(context, submission).await;
        if matches!(stored, Ok(Submission::Received { .. })) {
            scopeguard::ScopeGuard::into_inner(forget);
        }
        stored
    }

    async fn store(
        &self,
        context: &StudyContext,
        submission: NewSubmission,
    ) -> Result<Submission, RpcError> {
        let records = submission.records;
        let limits = PutLimits {
            max_submissions: MAX_SUBMISSIONS,
            max_records: context.study.max_records(),
            max_unverified: u64::from(self.config.limits.unverified_per_study),
            one_per_provider: context.study.privacy().is_one_per_provider(),
        };
        match self.storage.put_submission(context.id, submission, limits).await? {
            PutOutcome::Stored => {
                if context.me.is_leader() {
                    context.wake.notify_one();
                }
                Ok(Submission::Received { records })
            }
            PutOutcome::Same => Ok(Submission::Duplicate),
            PutOutcome::Conflict => Err(RpcError::Conflict),
            PutOutcome::NotOpen(state) => {
                if state == StudyState::Closing || state.is_final() {
                    context.takes_nothing.store(true, Ordering::Relaxed);
                }
                Err(RpcError::State { call: "submitting", state })
            }
            PutOutcome::SecondOfProvider => Err(RpcError::SecondOfProvider),
            PutOutcome::AmendedExhausted => Err(RpcError::AmendmentsOfProvider),
            PutOutcome::RecordsExhausted => Err(RpcError::RecordsExhausted),
            PutOutcome::SubmissionsExhausted => Err(RpcError::SubmissionsExhausted),
            PutOutcome::Backlog => Err(RpcError::Busy {
                what: "too many submissions wait for verification",
                retry: BACKLOG,
            }),
        }
    }
}

/// Refuses a provider that the study does not list, if it lists any.
pub(super) fn check_provider(context: &StudyContext, provider: &PublicKey) -> Result<(), RpcError> {
    let providers = context.study.providers();
    match providers.is_empty() || providers.contains(provider) {
        true => Ok(()),
        false => Err(RpcError::NotAuthorised(
            "the provider's key is not among the study's providers: ask the analyst to list it",
        )),
    }
}

fn check(
    context: &StudyContext,
    public: PublicPart,
    request: &v1::SubmitRequest,
) -> Result<Checked, RpcError> {
    check_provider(context, &public.provider)?;
    if context.study.privacy().is_one_per_provider() && public.records > 1 {
        return Err(RpcError::OneRecordPerProvider);
    }
    let credential: Signature = field("credential", &request.credential)?;
    let hash = PublicPart::hash_encoded(&request.public_part);
    check_credential(&public.provider, hash, &credential)?;
    let opened = context.collect.check_upload(context.me, &public, &request.payload)?;
    Ok(Checked { public, hash, opened })
}

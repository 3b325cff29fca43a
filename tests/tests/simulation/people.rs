//! People: the analyst and the operators, who repeat themselves until the servers have understood.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use mpc::{dst, ids::StudyId};
use proto::v1;
use server::storage::StudyState;
use tonic::Code;

use crate::{
    callers::{Caller, request},
    cluster::Cluster,
    studies::Prepared,
};

/// How long a person tries before it is noted that nothing came of it.
const PATIENCE: Duration = Duration::from_secs(900);
/// The pause of a person who has to wait for something else.
const PAUSE: Duration = Duration::from_secs(1);

/// The analyst, who also asks for the operators.
#[derive(Clone)]
pub struct People {
    pub caller: Caller,
    pub cluster: Arc<Cluster>,
}

impl People {
    /// Proposes a study to all servers.
    pub async fn propose(&self, prepared: &Prepared) -> Result<(), String> {
        let id = prepared.study.id();
        let proposals = (0..self.caller.servers()).map(|server| async move {
            let identity = self.cluster.servers()[server].identity;
            let parts: [&[u8]; 3] = [b"propose", &id.0, &identity.0];
            let message = v1::ProposeRequest {
                study: prepared.study.encode().into(),
                signature: self.cluster.analyst.sign(dst::COMMAND, &parts).0.to_vec().into(),
            };
            self.insist("proposal", server, &[], || async {
                let message = request(message.clone());
                self.caller.studies(server).propose(message).await.map(drop)
            })
            .await
        });
        join_all(proposals).await.into_iter().collect()
    }

    /// Approves a study at one server.
    pub async fn approve(&self, study: StudyId, server: usize) -> Result<(), String> {
        let command = self.caller.command("approve", study, server, &self.cluster.operator);
        self.insist("approval", server, &[Code::NotFound], || async {
            self.caller.studies(server).approve(request(command.clone())).await.map(drop)
        })
        .await
    }

    /// Closes a study at all servers.
    pub async fn close(&self, study: StudyId) -> Result<(), String> {
        let closes = (0..self.caller.servers()).map(|server| async move {
            let command = self.caller.command("close", study, server, &self.cluster.analyst);
            let (action, command) = ("close", &command);
            self.insist(action, server, &[Code::NotFound], || async {
                let closed = self.caller.studies(server).close(request(command.clone())).await;
                match closed {
                    // It is not open yet, or it has ended.
                    Err(status) if status.code() == Code::FailedPrecondition => {
                        match self.state(server, study).await.is_some_and(StudyState::is_final) {
                            true => Ok(()),
                            false => Err(status),
                        }
                    }
                    answer => answer.map(drop),
                }
            })
            .await
        });
        join_all(closes).await.into_iter().collect()
    }

    /// Cancels a study at one server, once.
    pub async fn cancel(&self, study: StudyId, server: usize) {
        let command = self.caller.command("cancel", study, server, &self.cluster.operator);
        let _ = self.caller.studies(server).cancel(request(command)).await;
    }

    /// Where a study is at a server, if it says so now.
    pub async fn state(&self, server: usize, study: StudyId) -> Option<StudyState> {
        let status = self.caller.state(server, study, Duration::ZERO).await.ok()?;
        StudyState::from_code(u8::try_from(status.state).ok()?)
    }

    /// Repeats a call until it is done; also after refusals with these codes, and before the
    /// study is open.
    async fn insist<A: Future<Output = Result<(), tonic::Status>>>(
        &self,
        what: &str,
        server: usize,
        also: &[Code],
        call: impl Fn() -> A,
    ) -> Result<(), String> {
        let started = tokio::time::Instant::now();
        loop {
            let answered = self
                .caller
                .until_answered(what, server, PATIENCE, || async {
                    call().await.map(tonic::Response::new)
                })
                .await;
            let status = match answered {
                Ok(()) => return Ok(()),
                Err(status) => status,
            };
            let may_pass = also.contains(&status.code())
                || matches!(status.code(), Code::FailedPrecondition | Code::Internal);
            if !may_pass || started.elapsed() > PATIENCE {
                return Err(format!("{what} at {server}: {status}"));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

//! Uploads: perfectly valid ones, to studies that do not take them.

use std::{io, net::SocketAddr, path::Path};

use ::client::Profile;
use futures::future::join_all;
use mpc::{
    collect::{Collect, Origin, PublicPart, credential},
    ids::{StudyId, SubmissionId},
    sign::Signer,
};
use prost::Message as _;
use proto::v1;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use study::{Plan, Record, Value};
use tokio::time::sleep;
use tonic::Code;

use super::{PAUSE, Stage, messages::expect};

/// Uploads that differ, so that none is a repetition of the one before.
const SOME: usize = 40;
/// At once on one connection.
const AT_ONCE: usize = 16;

/// Encoded uploads, for each server.
pub struct Uploads {
    closed: Vec<Vec<Vec<u8>>>,
    unknown: Vec<Vec<Vec<u8>>>,
}

impl Uploads {
    /// Uploads to this study of categories, and to one of which nobody has heard.
    pub async fn new(profile: &Path, closed: StudyId) -> Self {
        let profile = Profile::load(profile).unwrap();
        let study = ::client::studies::show(&profile, closed).await.unwrap().definition;
        let plan = Plan::new(&study).unwrap();
        let (mut rng, servers) = (StdRng::seed_from_u64(1), study.servers().len());
        let mut of = |id: StudyId| {
            let collect = Collect::new(plan.circuit().clone(), id, servers).unwrap();
            let mut uploads = vec![Vec::new(); servers];
            for _ in 0..SOME {
                let mut wires = Vec::new();
                plan.encode(&Record { values: vec![Value::Category(0)] }, &mut wires).unwrap();
                let provider = Signer::generate(&mut rng);
                let submission = SubmissionId(rng.random());
                let origin = Origin { submission, provider: provider.public(), amendment: None };
                let sharded = collect.shard(origin, wires, &mut rng).unwrap();
                let public_part = sharded.public.encode();
                let signature = credential(&provider, PublicPart::hash_encoded(&public_part));
                for (uploads, payload) in uploads.iter_mut().zip(&sharded.payloads) {
                    let request = v1::SubmitRequest {
                        public_part: public_part.clone().into(),
                        payload: payload.to_vec().into(),
                        credential: signature.0.to_vec().into(),
                    };
                    uploads.push(request.encode_to_vec());
                }
            }
            uploads
        };
        Self { closed: of(closed), unknown: of(StudyId([7; 32])) }
    }

    pub fn closed(&self, server: usize) -> &[Vec<u8>] {
        &self.closed[server]
    }

    pub fn unknown(&self, server: usize) -> &[Vec<u8>] {
        &self.unknown[server]
    }
}

/// The uploads to every server, over and over, as fast as they are answered.
pub async fn flood(stage: &Stage, of: impl Fn(&Uploads, usize) -> &[Vec<u8>]) {
    let one = |(number, server): (usize, SocketAddr)| {
        let uploads = of(&stage.uploads, number);
        async move {
            loop {
                // Connections end when they end.
                let _ = upload(stage, server, uploads).await;
                sleep(PAUSE).await;
            }
        }
    };
    join_all(stage.servers.iter().copied().enumerate().map(one)).await;
}

async fn upload(stage: &Stage, server: SocketAddr, uploads: &[Vec<u8>]) -> io::Result<()> {
    let caller = tokio::sync::Mutex::new(stage.caller(server).await?);
    let mut lines = Vec::new();
    for line in 0..AT_ONCE {
        let caller = &caller;
        lines.push(async move {
            for upload in uploads.iter().cycle().skip(line) {
                let message = super::call::framed(0, upload);
                let (answer, mut stream) =
                    caller.lock().await.begin("/sotto.v1.Submissions/Submit", &[]).await?;
                stream.send_data(message, true).map_err(io::Error::other)?;
                let refusals = [Code::NotFound, Code::FailedPrecondition, Code::ResourceExhausted];
                let status = super::call::status(answer).await;
                let is_over = status.is_err();
                expect(status, &refusals);
                stage.step();
                if is_over {
                    break;
                }
            }
            io::Result::Ok(())
        });
    }
    join_all(lines).await;
    Ok(())
}

//! Provider: makes submissions by hand, honest or not, and sends them to the servers it chooses.

use mpc::{
    Field128,
    collect::{Collect, Origin, PublicPart, Sharded, credential},
    ids::{Party, StudyId, SubmissionId},
    pedersen::Blinding,
    receipt::Receipt,
    sign::Signer,
};
use proto::v1::{self, submissions_client::SubmissionsClient};
use rand::{RngExt as _, SeedableRng, rngs::StdRng};
use study::{Plan, Record, Study, Value};
use tonic::Status;

use crate::World;

/// A provider with its own key and randomness.
pub struct Provider {
    /// Signs its submissions.
    pub signer: Signer,
    /// The study.
    pub study: Study,
    /// The study's plan.
    pub plan: Plan,
    /// The study's VDAF.
    pub collect: Collect,
    rng: StdRng,
}

impl Provider {
    /// A provider of `study`, which it fetches from the first server that answers.
    pub async fn new(world: &World, id: StudyId, seed: u64) -> Self {
        let overview = client::studies::show(&world.profile(), id).await.unwrap();
        Self::of(overview.definition, seed)
    }

    /// A provider of a study that it has.
    pub fn of(study: Study, seed: u64) -> Self {
        let plan = Plan::new(&study).unwrap();
        let servers = study.servers().len();
        let collect = Collect::new(plan.circuit().clone(), study.id(), servers).unwrap();
        let mut rng = StdRng::seed_from_u64(seed);
        Self { signer: Signer::generate(&mut rng), study, plan, collect, rng }
    }

    /// The wires of honest records.
    pub fn encode(&self, records: &[Vec<Value>]) -> Vec<Field128> {
        let mut wires = Vec::new();
        for values in records {
            self.plan.encode(&Record { values: values.clone() }, &mut wires).unwrap();
        }
        wires
    }

    /// Shares of any wires, valid or not, under a new id.
    pub fn shard(&mut self, wires: Vec<Field128>) -> Sharded {
        let id = SubmissionId(self.rng.random());
        self.shard_as(id, wires)
    }

    /// Shares of any wires under a chosen id.
    pub fn shard_as(&mut self, id: SubmissionId, wires: Vec<Field128>) -> Sharded {
        let provider = self.signer.public();
        let origin = Origin { submission: id, provider, amendment: None };
        self.collect.shard(origin, wires, &mut self.rng).unwrap()
    }

    /// Commits to whatever the payloads are, so that the servers take them at their doors.
    pub fn commit_again(&self, sharded: &mut Sharded) {
        for (party, payload) in (0..).map(Party).zip(&sharded.payloads) {
            let opened = self.collect.check_upload(party, &sharded.public, payload).unwrap();
            let blinding = Blinding::from_bytes(*payload.first_chunk().unwrap()).unwrap();
            let commitment = self.collect.bases().commit(opened.values(), &blinding);
            sharded.public.commitments[party.index()] = commitment;
        }
    }

    /// The message to one server.
    pub fn request(&self, sharded: &Sharded, server: usize) -> v1::SubmitRequest {
        let public_part = sharded.public.encode();
        let hash = PublicPart::hash_encoded(&public_part);
        v1::SubmitRequest {
            public_part: public_part.into(),
            payload: sharded.payloads[server].to_vec().into(),
            credential: credential(&self.signer, hash).0.to_vec().into(),
        }
    }

    /// Sends a submission to one server.
    pub async fn send(
        &self,
        world: &World,
        sharded: &Sharded,
        server: usize,
    ) -> Result<Receipt, Status> {
        send(world, self.request(sharded, server), server).await
    }

    /// Sends a submission to all servers; every one must give a receipt that verifies.
    pub async fn send_all(&self, world: &World, sharded: &Sharded) {
        for (server, listed) in self.study.servers().iter().enumerate() {
            let receipt = self.send(world, sharded, server).await.unwrap();
            receipt.verify(&listed.identity).unwrap();
            assert_eq!(receipt.public, sharded.public.hash());
        }
    }
}

/// Sends any message to one server.
pub async fn send(
    world: &World,
    request: v1::SubmitRequest,
    server: usize,
) -> Result<Receipt, Status> {
    let mut client =
        SubmissionsClient::new(world.channel(server).await).max_encoding_message_size(16 << 20);
    let receipt = client.submit(request).await?.into_inner();
    Ok(Receipt::try_from(receipt).unwrap())
}

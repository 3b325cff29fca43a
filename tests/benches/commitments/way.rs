//! The way of a submission through provider and servers, with commitments and without.

use std::time::Duration;

use futures::{executor::block_on, future::join_all};
use mpc::{
    Field128,
    circuit::Validity,
    collect::{
        Collect, Item, Origin, PublicPart, Sharded, Verdict, check_credential, credential, verify,
    },
    dst,
    ids::{Party, RunId, SubmissionId},
    mesh::local::LocalMesh,
    pedersen::Opened,
    receipt::Receipt,
    sign::{Signature, Signer},
    transcript::{Place, Transcript},
};
use prio::{
    codec::{Encode as _, ParameterizedDecode as _},
    vdaf::{
        Client as _,
        prio3::{Prio3, Prio3InputShare, Prio3PublicShare},
        xof::XofTurboShake128,
    },
};
use rand::RngExt as _;
use study::{Plan, Record, Study, StudyContext, StudyServer, Value};
use zeroize::Zeroizing;

use super::{SERVERS, TOGETHER, cpu, table::median};

/// The first algorithm id for private use.
const ALGORITHM: u32 = 0xFFFF_0000;

type Prio = Prio3<Validity, XofTurboShake128, 32>;

/// Processor time of a submission in microseconds.
pub struct Figures {
    /// At the provider, without commitments.
    pub provider: f64,
    /// At the provider, with them.
    pub provider_commits: f64,
    /// At a server, without commitments.
    pub server: f64,
    /// At a server that checks every upload by itself.
    pub server_alone: f64,
    /// At a server that checks many at once.
    pub server_together: f64,
}

/// A study, and the keys of all who take part.
pub struct Way {
    plan: Plan,
    collect: Collect,
    provider: Signer,
    server: Signer,
}

/// What is sent of a submission.
struct Upload {
    sharded: Sharded,
    bytes: Vec<u8>,
    credential: Signature,
}

impl Way {
    /// A study with so many coordinates: sum and count of every group.
    pub fn new(coordinates: usize) -> Self {
        let labels: Vec<_> = (0..coordinates / 2).map(|label| format!("g{label}")).collect();
        let text = format!(
            "title = \"Means\"\n[[column]]\nname = \"y\"\ntype = \"decimal\"\ndecimals = 2\nmin = 0\n\
             max = 500\n[[column]]\nname = \"g\"\ntype = \"category\"\nvalues = {labels:?}\n\
             [[statistic]]\nname = \"s\"\nkind = \"mean\"\nof = \"y\"\nby = \"g\"\n"
        );
        let key = |seed| Signer::from_seed(&[seed; 32]).public();
        let servers: Vec<_> = (1..=SERVERS as u8)
            .map(|seed| StudyServer { name: format!("server {seed}"), identity: key(seed) })
            .collect();
        let context = StudyContext { available: &servers, analyst: key(99), nonce: [0; 16] };
        let study = Study::from_file(&text, "study.toml", context).expect("a study");
        let plan = Plan::new(&study).expect("a plan");
        assert_eq!(plan.coordinates(), coordinates);
        let collect = Collect::new(plan.circuit().clone(), study.id(), SERVERS).expect("a VDAF");
        // Happens once for a study.
        collect.bases().prepare();
        let signer = |seed| Signer::from_seed(&[seed; 32]);
        Self { plan, collect, provider: signer(7), server: signer(8) }
    }

    /// The most records of a submission, which is what `sotto submit` chooses.
    pub fn most(&self) -> usize {
        self.collect.max_records() as usize
    }

    /// Measures submissions of `records` records, each figure until `budget` is used up.
    pub fn measure(&self, records: usize, budget: Duration) -> Figures {
        let content = self.records(records);
        let prio = self.prio(records);
        let upload = self.submit(&content);
        let provider = repeat(budget, || self.submit_without(&prio, &content));
        let provider_commits = repeat(budget, || drop(self.submit(&content)));
        let decided = repeat(budget, || self.decide(&upload)) / SERVERS as f64;
        let all_take =
            |take: &dyn Fn(Party)| repeat(budget, || parties().for_each(take)) / SERVERS as f64;
        let without = all_take(&|party| self.take_without(&prio, party, &upload));
        let checked = all_take(&|party| drop(self.take(party, &upload)));
        let alone = all_take(&|party| self.open(&[self.take(party, &upload)]));
        let together: Vec<_> = (0..TOGETHER).map(|_| self.take(Party(1), &upload)).collect();
        let together = repeat(budget, || self.open(&together)) / TOGETHER as f64;
        Figures {
            provider,
            provider_commits,
            server: without + decided,
            server_alone: alone + decided,
            server_together: checked + together + decided,
        }
    }

    /// Random records.
    fn records(&self, count: usize) -> Vec<Record> {
        let mut rng = rand::rng();
        let groups = u32::try_from(self.plan.coordinates() / 2).unwrap();
        let mut record = || {
            let group = Value::Category(rng.random_range(0..groups));
            Record { values: vec![Value::Number(rng.random_range(0..=50_000)), group] }
        };
        (0..count).map(|_| record()).collect()
    }

    fn encode(&self, records: &[Record]) -> Vec<Field128> {
        let mut wires = Vec::with_capacity(records.len() * self.plan.circuit().wires());
        for record in records {
            self.plan.encode(record, &mut wires).expect("a record of the study");
        }
        wires
    }

    fn prio(&self, records: usize) -> Prio {
        let validity = Validity::new(self.plan.circuit().clone(), records);
        Prio3::new(SERVERS as u8, 1, ALGORITHM, validity).expect("parameters that fit")
    }

    fn submit(&self, records: &[Record]) -> Upload {
        let mut rng = rand::rng();
        let submission = SubmissionId(rng.random());
        let origin = Origin { submission, provider: self.provider.public(), amendment: None };
        let sharded = self.collect.shard(origin, self.encode(records), &mut rng).expect("shares");
        let bytes = sharded.public.encode();
        let credential = credential(&self.provider, PublicPart::hash_encoded(&bytes));
        Upload { sharded, bytes, credential }
    }

    /// The same, but for blindings, output shares and commitments.
    fn submit_without(&self, prio: &Prio, records: &[Record]) {
        let submission = SubmissionId(rand::rng().random());
        let wires = self.encode(records);
        let (public, shares) = prio.shard(&self.context(), &wires, &submission.0).expect("shares");
        let payloads: Vec<_> =
            shares.iter().map(|share| Zeroizing::new(share.get_encoded().unwrap())).collect();
        let public = PublicPart {
            study: self.collect.study(),
            submission,
            records: u32::try_from(records.len()).unwrap(),
            provider: self.provider.public(),
            amendment: None,
            joint_rand: public.get_encoded().unwrap(),
            commitments: Vec::new(),
            payload_hashes: payloads.iter().map(|payload| hash(payload)).collect(),
        };
        let upload = (credential(&self.provider, public.hash()), public, payloads);
        drop(std::hint::black_box(upload));
    }

    /// What a server does with an upload before it keeps it, but for the opening.
    fn take(&self, me: Party, upload: &Upload) -> Opened {
        let (public, payload) = (self.public(upload), &upload.sharded.payloads[me.index()]);
        self.collect.check_upload(me, &public, payload).expect("an honest upload")
    }

    fn open(&self, uploads: &[Opened]) {
        let open = self.collect.bases().check_all(uploads, &mut rand::rng());
        assert!(open.into_iter().all(|opens| opens), "an honest upload");
    }

    /// The same without commitments.
    fn take_without(&self, prio: &Prio, me: Party, upload: &Upload) {
        let (public, payload) = (self.public(upload), &upload.sharded.payloads[me.index()]);
        assert_eq!(hash(payload), public.payload_hashes[me.index()]);
        let share = Prio3InputShare::get_decoded_with_param(&(prio, me.index()), &payload[32..]);
        let decoded = (Prio3PublicShare::get_decoded_with_param(prio, &public.joint_rand), share);
        assert!(decoded.0.is_ok() && decoded.1.is_ok(), "an honest upload");
    }

    /// The signed public part; the receipt for it.
    fn public(&self, upload: &Upload) -> PublicPart {
        let public = PublicPart::decode(&upload.bytes).expect("our own encoding");
        let hash = PublicPart::hash_encoded(&upload.bytes);
        check_credential(&public.provider, hash, &upload.credential).expect("our own signature");
        let receipt = Receipt::sign(&self.server, public.study, public.submission, hash);
        std::hint::black_box(receipt);
        public
    }

    /// The verification at all servers, which knows nothing of commitments.
    fn decide(&self, upload: &Upload) {
        let place = Place { study: self.collect.study(), run: RunId([0; 16]) };
        let keys = [self.server.public(); SERVERS];
        let servers = LocalMesh::connect(SERVERS).into_iter().zip(parties());
        let verdicts = servers.map(async |(mut mesh, me)| {
            let (public, payload) = (&upload.sharded.public, &upload.sharded.payloads[me.index()]);
            let prepared = self.collect.prepare(&[0; 32], me, public, payload).expect("a share");
            let (hash, records) = (public.hash(), public.records);
            let item = Item::Fresh { public: hash, records, prepared: Box::new(prepared) };
            let mut transcript = Transcript::new(place, &keys, &self.server);
            let verified = verify(&mut transcript, &mut mesh, &self.collect, vec![item]);
            verified.await.expect("all servers answer")
        });
        for verdicts in block_on(join_all(verdicts)) {
            assert!(matches!(verdicts[..], [Verdict::Accepted { .. }]), "an honest upload");
        }
    }

    fn context(&self) -> Vec<u8> {
        [dst::COLLECT_CONTEXT, &self.collect.study().0].concat()
    }
}

fn parties() -> impl Iterator<Item = Party> {
    (0..SERVERS as u8).map(Party)
}

fn hash(payload: &[u8]) -> [u8; 32] {
    dst::hash(dst::COLLECT_PAYLOAD, &[payload])
}

/// The middle of the times that some work takes, at least one, in microseconds.
fn repeat(budget: Duration, mut work: impl FnMut()) -> f64 {
    let mut times = Vec::new();
    let begun = cpu::now();
    while times.is_empty() || cpu::now() - begun < budget {
        let start = cpu::now();
        work();
        times.push(cpu::micros_each(start, 1));
    }
    median(times)
}

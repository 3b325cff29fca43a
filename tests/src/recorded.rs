//! Recorded: a study that servers in memory publish, and the bundle that anybody can audit. The same
//! seed gives the same bytes.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{Arc, Mutex},
};

use futures::future::join_all;
use mpc::{
    collect::{Collect, Origin, OutputShare, PublicPart},
    ids::{Party, SubmissionId},
    mesh::local::LocalMesh,
    noise::Draws,
    publish::{
        self, Entry, Holdings, Ledger, Limits, NoNoise, Opening, Published, ResultShare, Status,
        Word,
        audit::{Tallied, Tally},
    },
    record::{self, End, Head, Section},
    sign::{PublicKey, Signer},
    transcript::{About, Recording, Session, Transcript},
};
use rand::{RngExt as _, SeedableRng, rngs::StdRng};
use sha2::{Digest as _, Sha256};
use study::{Plan, Record, Study, StudyContext, StudyServer, Value};

/// The run of the publication.
const SESSION: Session = Session { nonce: [9; 16], about: About::Publish };

/// A study, and submissions that were not published yet.
pub struct Unpublished {
    /// The study.
    pub study: Study,
    /// Its plan.
    pub plan: Plan,
    /// Its VDAF.
    pub collect: Collect,
    signers: Vec<Signer>,
    submissions: BTreeMap<SubmissionId, Submission>,
    rng: StdRng,
}

struct Submission {
    public: PublicPart,
    /// By party, as stored: see [`Collect::decode_output_share`].
    shares: Arc<Vec<Vec<u8>>>,
}

/// A published study.
pub struct Recorded {
    /// The study.
    pub study: Study,
    /// What was said.
    pub recording: Recording,
    /// The result.
    pub published: Published,
    /// What the public parts come to.
    pub tallied: Tallied,
    /// The public parts, by id.
    pub submissions: Vec<PublicPart>,
}

#[derive(Default)]
struct Memory(Mutex<BTreeMap<Word, Vec<u8>>>);

impl Ledger for Memory {
    async fn fix(&self, word: Word, value: Vec<u8>) -> Option<Vec<u8>> {
        Some(self.0.lock().unwrap().entry(word).or_insert(value).clone())
    }

    async fn noise(&self, _: u8, _: &[usize]) -> Result<Draws, NoNoise> {
        Err(NoNoise::Unavailable)
    }
}

impl Unpublished {
    /// The study of a file, with `k` servers.
    pub fn new(text: &str, k: u8, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let signers: Vec<Signer> = (0..k).map(|_| Signer::generate(&mut rng)).collect();
        let names = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"];
        let server = |(signer, name): (&Signer, &str)| StudyServer {
            name: name.to_owned(),
            identity: signer.public(),
        };
        let available: Vec<StudyServer> = signers.iter().zip(names).map(server).collect();
        let analyst = Signer::generate(&mut rng).public();
        let context = StudyContext { available: &available, analyst, nonce: [3; 16] };
        let study = Study::from_file(text, "study.toml", context).unwrap();
        let plan = Plan::new(&study).unwrap();
        let collect = Collect::new(plan.circuit().clone(), study.id(), k.into()).unwrap();
        Self { study, plan, collect, signers, submissions: BTreeMap::new(), rng }
    }

    /// Adds a submission of these records, by a provider of its own.
    pub fn submit(&mut self, records: &[Vec<Value>]) -> SubmissionId {
        let mut wires = Vec::new();
        for values in records {
            self.plan.encode(&Record { values: values.clone() }, &mut wires).unwrap();
        }
        let submission = SubmissionId(self.rng.random());
        let provider = Signer::generate(&mut self.rng).public();
        let origin = Origin { submission, provider, amendment: None };
        let sharded = self.collect.shard(origin, wires, &mut self.rng).unwrap();
        let share = |(party, payload): (Party, &_)| {
            let payload: &[u8] = payload;
            let opened = self.collect.check_upload(party, &sharded.public, payload).unwrap();
            let values = opened.values().iter().flat_map(|value| value.to_le_bytes());
            payload[..32].iter().copied().chain(values).collect()
        };
        let payloads = sharded.payloads.iter().map(|payload| &payload[..]);
        let shares = (0..).map(Party).zip(payloads).map(share).collect();
        let entry = Submission { public: sharded.public, shares: Arc::new(shares) };
        self.submissions.insert(submission, entry);
        submission
    }

    /// Adds a submission that adds what another one does, under a new id: for many, because it costs
    /// nothing, and to an auditor they are all alike.
    pub fn submit_again(&mut self, like: SubmissionId) {
        let Submission { public, shares } = &self.submissions[&like];
        let (mut public, shares) = (public.clone(), shares.clone());
        public.submission = SubmissionId(self.rng.random());
        self.rng.fill(&mut public.payload_hashes[0]);
        self.submissions.insert(public.submission, Submission { public, shares });
    }

    /// Lets the servers publish. The study must not ask for noise.
    pub async fn publish(self) -> Recorded {
        let keys: Vec<PublicKey> = self.signers.iter().map(Signer::public).collect();
        let mut tally = Tally::new(keys.len());
        let mut entries = Vec::with_capacity(self.submissions.len());
        for Submission { public, .. } in self.submissions.values() {
            let hash = public.hash();
            tally.push(public, hash).unwrap();
            entries.push(Entry {
                submission: public.submission,
                public: hash,
                records: public.records,
                status: Status::Accepted,
                provider: public.provider,
                amendment: None,
            });
        }
        let tallied = tally.finish();
        let servers = LocalMesh::connect(keys.len()).into_iter().zip(&self.signers);
        let runs = servers
            .zip(0..)
            .map(|((mesh, signer), me)| self.server(mesh, (me, signer), &keys, &entries, &tallied));
        let (published, recording) = join_all(runs).await.swap_remove(0);
        let submissions = self.submissions.into_values().map(|one| one.public).collect();
        Recorded { study: self.study, recording, published, tallied, submissions }
    }

    async fn server(
        &self,
        mut mesh: LocalMesh,
        (me, signer): (usize, &Signer),
        keys: &[PublicKey],
        entries: &[Entry],
        tallied: &Tallied,
    ) -> (Published, Recording) {
        let mut run = Transcript::new(SESSION.place(self.study.id()), keys, signer);
        let limits = Limits { max_records: self.study.max_records(), one_per_provider: false };
        let mine = Holdings { entries, amendments: &[] };
        let set = publish::agree(&mut run, &mut mesh, mine, limits).await.unwrap().set;
        publish::confirm(&mut run, &mut mesh, mine, &set).await.unwrap();
        let mut share = ResultShare::new(self.plan.coordinates());
        self.submissions.values().for_each(|one| share.add(&self.output(&one.shares[me])));
        let opening = Opening {
            set: &set,
            share: &share,
            commitments: &tallied.sums,
            bases: self.collect.bases(),
            bounds: &self.plan.bounds(set.records),
            mechanism: None,
            salt_seed: &[me as u8; 32],
        };
        let next = |opened: &[Option<i128>]| self.plan.next_opening(set.records, opened);
        let published =
            publish::open(&mut run, &mut mesh, opening, &Memory::default(), next).await.unwrap();
        (published, Recording::of(&run, SESSION))
    }

    fn output(&self, share: &[u8]) -> OutputShare {
        self.collect.decode_output_share(share).unwrap()
    }
}

impl Recorded {
    /// The messages of the bundle.
    pub fn messages(&self) -> Vec<(Section, Vec<u8>)> {
        let head = Head { study: self.study.id(), end: End::Published };
        let mut messages =
            vec![(Section::Head, head.encode()), (Section::Study, self.study.encode())];
        messages
            .extend(self.recording.encode().into_iter().map(|part| (Section::Transcript, part)));
        messages.push((Section::Published, self.published.encode()));
        messages.extend(
            self.submissions
                .iter()
                .map(|public| (Section::Submission, [&[1], &public.encode()[..]].concat())),
        );
        messages
    }

    /// Writes the bundle.
    pub fn write(&self, file: &Path) {
        write(file, &self.messages());
    }
}

/// Writes a bundle of these messages, with its checksum.
pub fn write(file: &Path, messages: &[(Section, Vec<u8>)]) {
    let mut bytes = Vec::new();
    messages.iter().for_each(|(section, message)| record::put(&mut bytes, *section, message));
    let sum = Sha256::digest(&bytes);
    record::put(&mut bytes, Section::Sum, &sum);
    fs::write(file, bytes).unwrap();
}

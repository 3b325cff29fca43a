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
    collect::{Amendment, Collect, Origin, OutputShare, PublicPart, Reason, SignedAmendment},
    dst,
    ids::{AmendmentId, Party, SubmissionId},
    mesh::local::LocalMesh,
    noise::Draws,
    publish::{
        self, Entry, Holdings, Ledger, Limits, NoNoise, Opening, Published, ResultShare, Status,
        Word,
        audit::{Tallied, Tally},
    },
    record::{self, End, Head, Section},
    sign::{PublicKey, Signer},
    transcript::{
        About, Message, Recording, Session, Statement, Step, Transcript, first_chain, next_chain,
    },
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
    amendments: Vec<SignedAmendment>,
    rng: StdRng,
}

struct Submission {
    public: PublicPart,
    /// By party, as stored: see [`Collect::decode_output_share`].
    shares: Arc<Vec<Vec<u8>>>,
    provider: Arc<Signer>,
    fate: Fate,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Counted,
    /// Found invalid by all servers.
    Invalid,
    /// The last server does not have it.
    Missing,
    /// Accepted, and withdrawn or replaced.
    Amended,
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
    /// The amendments, in their order.
    pub amendments: Vec<SignedAmendment>,
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
        let (submissions, amendments) = (BTreeMap::new(), Vec::new());
        Self { study, plan, collect, signers, submissions, amendments, rng }
    }

    /// Adds a submission of these records, by a provider of its own.
    pub fn submit(&mut self, records: &[Vec<Value>]) -> SubmissionId {
        let provider = Arc::new(Signer::generate(&mut self.rng));
        self.submit_of(provider, None, records)
    }

    /// Adds a submission that all servers find invalid.
    pub fn submit_invalid(&mut self, records: &[Vec<Value>]) {
        self.submit_with(records, Fate::Invalid);
    }

    /// Adds a submission that does not reach the last server.
    pub fn submit_to_some(&mut self, records: &[Vec<Value>]) {
        self.submit_with(records, Fate::Missing);
    }

    /// Replaces a submission; withdraws it if there are no records.
    pub fn amend(&mut self, old: SubmissionId, records: Option<&[Vec<Value>]>) {
        let id = AmendmentId(self.rng.random());
        let provider = self.submissions[&old].provider.clone();
        let new = records.map(|records| self.submit_of(provider.clone(), Some(id), records));
        let amendment = Amendment {
            study: self.study.id(),
            id,
            sequence: 1,
            provider: provider.public(),
            old: vec![old],
            new: new.into_iter().collect(),
        };
        self.amendments.push(amendment.sign(&provider));
        self.amendments.sort_by(SignedAmendment::order);
        self.submissions.get_mut(&old).unwrap().fate = Fate::Amended;
    }

    fn submit_with(&mut self, records: &[Vec<Value>], fate: Fate) {
        let submission = self.submit(records);
        self.submissions.get_mut(&submission).unwrap().fate = fate;
    }

    fn submit_of(
        &mut self,
        provider: Arc<Signer>,
        amendment: Option<AmendmentId>,
        records: &[Vec<Value>],
    ) -> SubmissionId {
        let mut wires = Vec::new();
        for values in records {
            self.plan.encode(&Record { values: values.clone() }, &mut wires).unwrap();
        }
        let submission = SubmissionId(self.rng.random());
        let origin = Origin { submission, provider: provider.public(), amendment };
        let sharded = self.collect.shard(origin, wires, &mut self.rng).unwrap();
        let share = |(party, payload): (Party, &_)| {
            let payload: &[u8] = payload;
            let opened = self.collect.check_upload(party, &sharded.public, payload).unwrap();
            let values = opened.values().iter().flat_map(|value| value.to_le_bytes());
            payload[..32].iter().copied().chain(values).collect()
        };
        let payloads = sharded.payloads.iter().map(|payload| &payload[..]);
        let shares = (0..).map(Party).zip(payloads).map(share).collect();
        let (public, shares) = (sharded.public, Arc::new(shares));
        let entry = Submission { public, shares, provider, fate: Fate::Counted };
        self.submissions.insert(submission, entry);
        submission
    }

    /// Adds a submission that adds what another one does, under a new id: for many, because it costs
    /// nothing, and to an auditor they are all alike.
    pub fn submit_again(&mut self, like: SubmissionId) {
        let Submission { public, shares, provider, fate } = &self.submissions[&like];
        let (mut public, shares) = (public.clone(), shares.clone());
        let (provider, fate) = (provider.clone(), *fate);
        public.submission = SubmissionId(self.rng.random());
        self.rng.fill(&mut public.payload_hashes[0]);
        let again = Submission { public, shares, provider, fate };
        self.submissions.insert(again.public.submission, again);
    }

    /// The record of a setup in which the last server reveals another contribution than it committed
    /// to.
    pub fn abort_setup(&self) -> Vec<(Section, Vec<u8>)> {
        let study = self.study.id();
        let session = [&[9; 16][..], &[1]].concat();
        let place = Recording::decode([&session[..]]).unwrap().place(study);
        let last = self.signers.len() as u8 - 1;
        let body_of = |step, party: u8| match step {
            Step::KeyCommit => {
                dst::hash(dst::SETUP_COMMIT, &[&study.0, &[party], &[party; 32]]).to_vec()
            }
            _ => vec![if party == last { 99 } else { party }; 32],
        };
        let mut parts = vec![session];
        let mut chain = first_chain(place);
        for (number, step) in (0..).zip([Step::KeyCommit, Step::KeyReveal]) {
            let said = (0..).zip(&self.signers).map(|(party, signer)| {
                let (at, body) = ((step as u8, number), body_of(step, party));
                let statement = Statement::sign(signer, place, Party(party), at, chain, &body);
                Message { statement, body: body.into() }
            });
            let said: Vec<Message> = said.collect();
            let part = |said: &Message| [&[said.statement.party.0], &said.encode()[..]].concat();
            parts.extend(said.iter().map(part));
            chain = next_chain(&chain, &said.iter().map(|said| said.statement).collect::<Vec<_>>());
        }
        let head = Head { study, end: End::Aborted };
        let before = [(Section::Head, head.encode()), (Section::Study, self.study.encode())];
        before
            .into_iter()
            .chain(parts.into_iter().map(|part| (Section::Transcript, part)))
            .collect()
    }

    /// Lets the servers publish. The study must not ask for noise.
    pub async fn publish(self) -> Recorded {
        let keys: Vec<PublicKey> = self.signers.iter().map(Signer::public).collect();
        let mut tally = Tally::new(keys.len());
        let mut entries = Vec::with_capacity(self.submissions.len());
        let last = keys.len() - 1;
        let mut entries_of_last = Vec::with_capacity(self.submissions.len());
        for Submission { public, fate, .. } in self.submissions.values() {
            let hash = public.hash();
            if *fate == Fate::Counted {
                tally.push(public, hash).unwrap();
            }
            let entry = Entry {
                submission: public.submission,
                public: hash,
                records: public.records,
                status: match fate {
                    Fate::Counted | Fate::Amended => Status::Accepted,
                    Fate::Invalid => Status::Rejected(Reason::InvalidProof),
                    Fate::Missing => Status::Unverified,
                },
                provider: public.provider,
                amendment: public.amendment,
            };
            entries.push(entry);
            if *fate != Fate::Missing {
                entries_of_last.push(entry);
            }
        }
        let tallied = tally.finish();
        let servers = LocalMesh::connect(keys.len()).into_iter().zip(&self.signers);
        let runs = servers.zip(0..).map(|((mesh, signer), me)| {
            let entries = if me == last { &entries_of_last } else { &entries };
            self.server(mesh, (me, signer), &keys, entries, &tallied)
        });
        let (published, recording) = join_all(runs).await.swap_remove(0);
        // What not all servers hold is not part of a record.
        let held = self.submissions.into_values().filter(|one| one.fate != Fate::Missing);
        let submissions = held.map(|one| one.public).collect();
        let (study, amendments) = (self.study, self.amendments);
        Recorded { study, recording, published, tallied, submissions, amendments }
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
        let mine = Holdings { entries, amendments: &self.amendments };
        let set = publish::agree(&mut run, &mut mesh, mine, limits).await.unwrap().set;
        publish::confirm(&mut run, &mut mesh, mine, &set).await.unwrap();
        let mut share = ResultShare::new(self.plan.coordinates());
        let counted = self.submissions.values().filter(|one| one.fate == Fate::Counted);
        counted.for_each(|one| share.add(&self.output(&one.shares[me])));
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
        let amendments = self.amendments.iter().map(SignedAmendment::encode);
        messages.extend(amendments.map(|amendment| (Section::Amendment, amendment)));
        messages.extend(self.submissions.iter().map(|public| {
            let is_counted = self.published.reason(&public.submission).is_none();
            (Section::Submission, [&[u8::from(is_counted)], &public.encode()[..]].concat())
        }));
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

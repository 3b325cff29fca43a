//! Servers in memory with two submissions whose totals are 10, 20 and 30.

use super::*;
use crate::{
    collect::{Origin, OutputShare},
    noise::Scale,
    pedersen::Blinding,
    transcript::{About, Place, Recording, Session},
};
use curve25519_dalek::{RistrettoPoint, traits::Identity as _};
use prio::field::Field128;
use publish_audit::{Fault, Replayed, Rules, replay};
use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, Mutex},
};

use super::super::audit as publish_audit;

pub(super) const STUDY: StudyId = StudyId([3; 32]);
const SESSION: Session = Session { nonce: [7; 16], about: About::Publish };

pub(super) fn place() -> Place {
    SESSION.place(STUDY)
}

pub(super) const BOUNDS: [u128; 3] = [10, 20, 1 << 88];
pub(super) const LIMITS: Limits = Limits { max_records: 100, one_per_provider: false };
pub(super) static BASES: LazyLock<Bases> = LazyLock::new(|| Bases::new(3));

pub(super) type Outcome = Result<(AgreedSet, Published), PublishError>;
type Words = Arc<Mutex<BTreeMap<Word, Vec<u8>>>>;

/// A server's durable memory.
#[derive(Default)]
pub(super) struct Memory {
    words: Words,
    /// The noise that it gives; none: it must not be asked.
    noise: Option<Result<Vec<i128>, NoNoise>>,
    /// The openings for which it was asked.
    asked: Mutex<Vec<u8>>,
}

impl Ledger for Memory {
    async fn fix(&self, word: Word, value: Vec<u8>) -> Option<Vec<u8>> {
        Some(self.words.lock().expect("not poisoned").entry(word).or_insert(value).clone())
    }

    async fn noise(&self, opening: u8, coordinates: &[usize]) -> Result<Draws, NoNoise> {
        self.asked.lock().expect("not poisoned").push(opening);
        let noise = self.noise.clone().expect("nobody asks without differential privacy")?;
        Ok(Draws::from(coordinates.iter().map(|&place| noise[place]).collect::<Vec<_>>()))
    }
}

pub(super) fn signers(n: u8) -> Vec<Signer> {
    (0..n).map(|i| Signer::from_seed(&[i; 32])).collect()
}

pub(super) fn keys(n: usize) -> Vec<PublicKey> {
    signers(n as u8).iter().map(Signer::public).collect()
}

pub(super) fn entry(id: u8, status: Status) -> Entry {
    let (submission, public) = (SubmissionId([id; 16]), PublicHash([id; 32]));
    let provider = PublicKey([id; 32]);
    Entry { submission, public, records: 2, status, provider, amendment: None }
}

/// What a server brings that nobody sent an amendment.
pub(super) fn holds(entries: &[Entry]) -> Holdings<'_> {
    Holdings { entries, amendments: &[] }
}

/// The output share of a submission: the first one adds all, and its shares are uniform for all
/// servers but the last.
pub(super) fn output_share(id: u8, totals: [u128; 3], server: usize, n: usize) -> OutputShare {
    let share = |total: u128| {
        let random = Field128::from(u128::MAX / 7);
        let last = (1..n).fold(total.into(), |rest: Field128, _| rest - random);
        u128::from(if server + 1 == n { last } else { random })
    };
    let values = if id == 1 { totals.map(share).to_vec() } else { vec![0; 3] };
    let blinding = Blinding::from_uniform_bytes(&[id ^ (server as u8) << 4; 64]);
    OutputShare { values: values.into(), blinding }
}

pub(super) struct World {
    pub(super) lists: Vec<Vec<Entry>>,
    pub(super) totals: [u128; 3],
    pub(super) suppress_small: bool,
    pub(super) mechanism: Option<Mechanism>,
    /// Each server's noise per coordinate.
    pub(super) noise: Vec<Result<Vec<i128>, NoNoise>>,
    /// Each server's words.
    pub(super) words: Vec<Words>,
    /// A server that adds to its sums what no submission has.
    pub(super) adds_up_wrongly: Option<usize>,
    /// Whether that one finds it by its own checks.
    pub(super) notices: bool,
    /// Whether servers that tamper know what they send.
    pub(super) knowing: bool,
    pub(super) tamper: Vec<Option<Tamper>>,
}

/// What became of a run at one server.
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    pub(super) rounds: Vec<Vec<Message>>,
    /// The sums of commitments over the set, if it came that far.
    pub(super) commitments: Vec<RistrettoPoint>,
}

impl World {
    pub(super) fn servers(n: usize) -> Self {
        let list = vec![entry(1, Status::Accepted), entry(2, Status::Accepted)];
        Self {
            lists: vec![list; n],
            totals: [10, 20, 30],
            suppress_small: false,
            mechanism: None,
            noise: Vec::new(),
            words: (0..n).map(|_| Words::default()).collect(),
            adds_up_wrongly: None,
            notices: false,
            knowing: false,
            tamper: (0..n).map(|_| None).collect(),
        }
    }

    pub(super) fn tamper(mut self, server: usize, tamper: Tamper) -> Self {
        self.tamper[server] = Some(tamper);
        self
    }

    /// Noise of scale 1 at every coordinate, of which this is what the servers draw.
    pub(super) fn noise(mut self, noise: Vec<Result<Vec<i128>, NoNoise>>) -> Self {
        let (distribution, scales) = (Distribution::Laplace, vec![Scale(Scale::UNITS); 3]);
        self.mechanism = Some(Mechanism { distribution, scales });
        self.noise = noise;
        self
    }

    pub(super) fn words(&self) -> Vec<Words> {
        self.words.clone()
    }

    /// The disclosure rule.
    pub(super) fn next(suppress: bool, open: &[Option<i128>]) -> Vec<usize> {
        match (suppress, open[0]) {
            (false, None) => vec![0, 1, 2],
            (true, None) => vec![0],
            (true, Some(10..)) if open[2].is_none() => vec![2],
            _ => Vec::new(),
        }
    }

    /// Runs it, and replays what every honest server heard.
    pub(super) fn run(self) -> Vec<Outcome> {
        let (suppress, mechanism) = (self.suppress_small, self.mechanism.clone());
        let liars: Vec<bool> = self.tamper.iter().map(Option::is_some).collect();
        let liars = liars.into_iter().enumerate();
        let wrong = self.adds_up_wrongly;
        let liars: Vec<bool> = liars.map(|(me, liar)| liar || wrong == Some(me)).collect();
        let ended = self.run_to_the_end();
        for (ended, _) in ended.iter().zip(&liars).filter(|(_, liar)| !**liar) {
            check_replay(liars.len(), ended, suppress, mechanism.as_ref());
        }
        ended.into_iter().map(|ended| ended.outcome).collect()
    }

    pub(super) fn run_to_the_end(self) -> Vec<Ended> {
        let n = self.lists.len();
        let (signers, keys) = (signers(n as u8), keys(n));
        let (lists, totals, suppress) = (&self.lists, self.totals, self.suppress_small);
        let servers = LocalMesh::connect(n).into_iter().zip(self.tamper).map(|(mesh, tamper)| {
            let me = mesh.me().index();
            let mut mesh = match tamper {
                Some(tamper) if self.knowing => mesh.with_own_tamper(tamper),
                Some(tamper) => mesh.with_tamper(tamper),
                None => mesh,
            };
            let (words, noise) = (self.words[me].clone(), self.noise.get(me).cloned());
            let server = Server {
                me,
                n,
                entries: &lists[me],
                totals,
                suppress,
                mechanism: self.mechanism.as_ref(),
                wrong: self.adds_up_wrongly == Some(me),
                notices: self.notices,
                memory: Memory { words, noise, asked: Mutex::default() },
            };
            let mut run = Transcript::new(place(), &keys, &signers[me]);
            async move {
                let mut commitments = Vec::new();
                let outcome = server.run(&mut run, &mut mesh, &mut commitments).await;
                let rounds = Recording::of(&run, SESSION).rounds;
                Ended { outcome, rounds, commitments }
            }
        });
        block_on(join_all(servers))
    }
}

struct Server<'a> {
    me: usize,
    n: usize,
    entries: &'a [Entry],
    totals: [u128; 3],
    suppress: bool,
    mechanism: Option<&'a Mechanism>,
    wrong: bool,
    notices: bool,
    memory: Memory,
}

impl Server<'_> {
    async fn run(
        &self,
        run: &mut Transcript<'_>,
        mesh: &mut LocalMesh,
        commitments: &mut Vec<RistrettoPoint>,
    ) -> Outcome {
        let mine = holds(self.entries);
        let set = agree(run, mesh, mine, LIMITS).await?.set;
        confirm(run, mesh, mine, &set).await?;
        let mut share = ResultShare::new(3);
        commitments.resize(self.n, RistrettoPoint::identity());
        for id in self.counted(&set) {
            share.add(&output_share(id, self.totals, self.me, self.n));
            for (server, sum) in commitments.iter_mut().enumerate() {
                let share = output_share(id, self.totals, server, self.n);
                let commitment = BASES.commit(&share.values, &share.blinding);
                *sum += commitment.point().expect("a point");
            }
        }
        let mut believed = commitments.clone();
        if self.wrong {
            share.add(&OutputShare {
                values: vec![1, 0, 0].into(),
                blinding: Blinding::from_bytes([0; 32]).expect("zero"),
            });
            if !self.notices {
                believed[self.me] += BASES.base(0);
            }
        }
        let opening = Opening {
            set: &set,
            share: &share,
            commitments: &believed,
            bases: &BASES,
            bounds: &BOUNDS,
            mechanism: self.mechanism,
            salt_seed: &[self.me as u8; 32],
        };
        let next = |open: &[Option<i128>]| World::next(self.suppress, open);
        let published = open(run, mesh, opening, &self.memory, next).await?;
        let openings = if self.suppress { vec![0, 1] } else { vec![0] };
        let expected = if self.memory.noise.is_some() { openings } else { vec![] };
        assert_eq!(*self.memory.asked.lock().expect("not poisoned"), expected);
        Ok((set, published))
    }

    fn counted(&self, set: &AgreedSet) -> Vec<u8> {
        let accepted = self.entries.iter().filter(|entry| entry.status == Status::Accepted);
        let ids = accepted.map(|entry| entry.submission).filter(|id| !set.dropped.contains(id));
        ids.map(|id| id.0[0]).collect()
    }
}

/// Follows what a server heard, after storing and sending it.
pub(super) fn follow(
    n: usize,
    parts: &[Vec<u8>],
    suppress: bool,
    mechanism: Option<&Mechanism>,
) -> Result<Replayed, Fault> {
    let recording = Recording::decode(parts.iter().map(Vec::as_slice));
    let recording = recording.map_err(|_| Fault::Recording("cannot be decoded"))?;
    let keys = keys(n);
    let rules = Rules {
        study: STUDY,
        keys: &keys,
        coordinates: 3,
        limits: LIMITS,
        origin: &|submission, _| {
            let provider = PublicKey([submission.0[0]; 32]);
            Some(Origin { submission: *submission, provider, amendment: None })
        },
        bounds: &|_| BOUNDS.to_vec(),
        mechanism,
        next: &|_, open| World::next(suppress, open),
    };
    replay(&rules, recording.session.run(STUDY), &recording.rounds)
}

pub(super) fn parts(rounds: &[Vec<Message>]) -> Vec<Vec<u8>> {
    let rounds = rounds.to_vec();
    Recording { session: SESSION, rounds }.encode()
}

/// A replay finds what the server found, as far as it can be shown.
fn check_replay(n: usize, ended: &Ended, suppress: bool, mechanism: Option<&Mechanism>) {
    let replayed = follow(n, &parts(&ended.rounds), suppress, mechanism);
    let checked = replayed.and_then(|replayed| {
        let sums = replayed.check_sums(&BASES, &ended.commitments);
        sums.map(|()| replayed)
    });
    match &ended.outcome {
        Ok((set, published)) => {
            let replayed = checked.expect("honest");
            assert_eq!(replayed.set, Some(set.signed()));
            assert_eq!(replayed.totals, published.totals);
            assert_eq!(replayed.signatures.as_ref(), Some(&published.signatures));
        }
        Err(error) if error.is_shown() => {
            assert_eq!(checked.err(), Some(Fault::Server(error.clone())));
        }
        Err(error) => {
            let replayed = checked.unwrap_or_else(|fault| panic!("{error}: {fault}"));
            assert_eq!(replayed.signatures, None);
        }
    }
}

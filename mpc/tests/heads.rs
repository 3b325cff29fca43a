//! Heads: what servers signed in one run proves nothing under the head of another one.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use futures::{executor::block_on, future::join_all};
use prio::field::{Field128, FieldElement as _};
use rand::{SeedableRng as _, rngs::StdRng};
use sotto_mpc::{
    circuit::{CircuitBuilder, Linear},
    collect::{self, Collect, Item, Origin, PublicPart, Sharded, VerifyFault},
    ids::{Party, PublicHash, StudyId, SubmissionId},
    mesh::{Mesh as _, local::LocalMesh},
    publish::{
        self, Entry, Holdings, Limits, Status,
        audit::{Fault, Rules},
    },
    setup::{self, SetupFault},
    sign::{PublicKey, Signer},
    transcript::{About, Message, Recording, Session, Transcript},
};

const STUDY: StudyId = StudyId([3; 32]);
const NONCE: [u8; 16] = [4; 16];
const KEY: [u8; 32] = [5; 32];
const HELD: SubmissionId = SubmissionId([6; 16]);
const OTHER: SubmissionId = SubmissionId([7; 16]);
const LIMITS: Limits = Limits { max_records: 10, one_per_provider: false };

/// Two servers, and a submission that both hold.
struct World {
    signers: Vec<Signer>,
    keys: Vec<PublicKey>,
    collect: Collect,
    sharded: Sharded,
}

/// What the replay of a recording comes to.
#[derive(Debug)]
enum Shown {
    Holds,
    Server(Vec<Party>),
    Recording,
}

impl World {
    fn new() -> Self {
        let mut rng = StdRng::seed_from_u64(1);
        let signers: Vec<Signer> = (0..2).map(|_| Signer::generate(&mut rng)).collect();
        let mut builder = CircuitBuilder::default();
        let bit = builder.bit();
        builder.output(&Linear::wire(bit));
        let collect = Collect::new(Arc::new(builder.build()), STUDY, 2).unwrap();
        let provider = Signer::generate(&mut rng).public();
        let origin = Origin { submission: HELD, provider, amendment: None };
        let sharded = collect.shard(origin, vec![Field128::one()], &mut rng).unwrap();
        let keys = signers.iter().map(Signer::public).collect();
        Self { signers, keys, collect, sharded }
    }

    /// What the first server heard in an honest run.
    fn record(&self, session: &Session) -> Recording {
        let servers = LocalMesh::connect(2).into_iter().map(|mut mesh| async move {
            let me = mesh.me();
            let place = session.place(STUDY);
            let mut run = Transcript::new(place, &self.keys, &self.signers[me.index()]);
            match &session.about {
                About::Setup => {
                    let words = setup::commit(&mut run, &mut mesh, &[me.0; 32]).await.unwrap();
                    setup::reveal(&mut run, &mut mesh, &[me.0; 32], &words, &words).await.unwrap();
                }
                About::Verify(ids) => {
                    let items = ids.iter().map(|id| self.item(me, *id)).collect();
                    collect::verify(&mut run, &mut mesh, &self.collect, items).await.unwrap();
                }
                About::Publish => {
                    let entries = [self.entry()];
                    let mine = Holdings { entries: &entries, amendments: &[] };
                    let agreed = publish::agree(&mut run, &mut mesh, mine, LIMITS).await.unwrap();
                    publish::confirm(&mut run, &mut mesh, mine, &agreed.set).await.unwrap();
                }
            }
            Recording::of(&run, session.clone())
        });
        block_on(join_all(servers)).swap_remove(0)
    }

    fn item(&self, me: Party, id: SubmissionId) -> Item {
        if id != HELD {
            return Item::Missing;
        }
        let Sharded { public, payloads } = &self.sharded;
        let prepared = self.collect.prepare(&KEY, me, public, &payloads[me.index()]).unwrap();
        Item::Fresh { public: public.hash(), records: 1, prepared: Box::new(prepared) }
    }

    fn entry(&self) -> Entry {
        let public: &PublicPart = &self.sharded.public;
        Entry {
            submission: HELD,
            public: public.hash(),
            records: 1,
            status: Status::Accepted,
            provider: public.provider,
            amendment: None,
        }
    }

    /// Replays a recording as its head asks for, after storing and sending it.
    fn replay(&self, session: &Session, rounds: &[Vec<Message>]) -> Shown {
        let sent = Recording { session: session.clone(), rounds: rounds.to_vec() }.encode();
        let Recording { session, rounds } =
            Recording::decode(sent.iter().map(Vec::as_slice)).expect("its own encoding");
        let (place, keys) = (session.place(STUDY), &self.keys);
        match &session.about {
            About::Setup => match setup::replay(place, keys, &rounds) {
                Ok(()) => Shown::Holds,
                Err(SetupFault::Server(error)) => Shown::Server(error.culprits()),
                Err(SetupFault::Recording(_)) => Shown::Recording,
            },
            About::Verify(ids) => {
                let records = |_: &SubmissionId, public: &PublicHash| {
                    (*public == self.sharded.public.hash()).then_some(1)
                };
                match collect::replay(&self.collect, place, keys, ids, &records, &rounds) {
                    Ok(()) => Shown::Holds,
                    Err(VerifyFault::Server(error)) => Shown::Server(error.culprits()),
                    Err(VerifyFault::Recording(_)) => Shown::Recording,
                }
            }
            About::Publish => {
                let rules = Rules {
                    study: STUDY,
                    keys,
                    coordinates: 1,
                    limits: LIMITS,
                    origin: &|_, _| None,
                    bounds: &|records| vec![records.into()],
                    mechanism: None,
                    next: &|_, _| Vec::new(),
                };
                match publish::audit::replay(&rules, place.run, &rounds) {
                    Ok(_) => Shown::Holds,
                    Err(Fault::Server(error)) => Shown::Server(error.culprits()),
                    Err(Fault::Recording(_)) => Shown::Recording,
                }
            }
        }
    }
}

fn all_about() -> Vec<About> {
    let ids: [&[SubmissionId]; 5] = [&[], &[HELD], &[OTHER], &[HELD, OTHER], &[OTHER, HELD]];
    let verify = ids.into_iter().map(|ids| About::Verify(ids.to_vec()));
    [About::Setup, About::Publish].into_iter().chain(verify).collect()
}

/// The rounds of a recording, every beginning of them, and every message alone.
fn shown_parts(rounds: &[Vec<Message>]) -> Vec<Vec<Vec<Message>>> {
    let beginnings = (1..=rounds.len()).map(|len| rounds[..len].to_vec());
    let alone = rounds.iter().flatten().map(|message| vec![vec![message.clone()]]);
    beginnings.chain(alone).collect()
}

#[test]
fn honest_messages_under_the_head_of_another_run_name_nobody() {
    let world = World::new();
    for about in all_about() {
        let genuine = Session { nonce: NONCE, about };
        let recording = world.record(&genuine);
        let shown = world.replay(&genuine, &recording.rounds);
        assert!(matches!(shown, Shown::Holds), "{genuine:?}: {shown:?}");
        for head in all_about()
            .into_iter()
            .flat_map(|about| [NONCE, [0; 16]].map(|nonce| Session { nonce, about: about.clone() }))
        {
            for rounds in shown_parts(&recording.rounds).iter().filter(|_| head != genuine) {
                let shown = world.replay(&head, rounds);
                assert!(matches!(shown, Shown::Recording), "{genuine:?} as {head:?}: {shown:?}");
            }
        }
    }
}

#[test]
fn a_message_of_another_protocol_under_the_own_head_names_its_server() {
    let world = World::new();
    let genuine = Session { nonce: NONCE, about: About::Verify(vec![HELD]) };
    let mut rounds = world.record(&genuine).rounds;
    let liar = &world.signers[1];
    rounds[0][1] = rounds[0][1].falsified(liar, genuine.place(STUDY), b"no verifier share");
    let shown = world.replay(&genuine, &rounds);
    assert!(matches!(&shown, Shown::Server(culprits) if culprits[..] == [Party(1)]), "{shown:?}");
}

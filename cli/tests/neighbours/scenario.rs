//! Honest people beside each neighbour: they are served, and the servers stay as they were.

use std::time::{Duration, Instant};

use super::{
    attack::{Neighbour, Stage, Uploads, garbage::Interface},
    health::{Watch, descriptors, memory},
    honest::People,
    one_hot,
    process::{DEADLINE, wait_until},
    serve_cluster::{NAMES, Servers},
};

/// What a server may take for its neighbours.
const MEMORY: u64 = 50 << 20;
/// Connections of honest people that may still be there.
const REST: usize = 12;
/// People beside each neighbour.
const PEOPLE: usize = 3;

// The neighbours of each scenario.
const CONNECTIONS: [Neighbour; 5] = {
    use Neighbour::*;
    [Slow, SlowFromEverywhere, HalfOpen, TcpResets, Resets]
};
const MESSAGES: [Neighbour; 6] = {
    use Neighbour::*;
    [Large, Incomplete, ManyFields, Bomb, Headers, Garbage]
};
const UPLOADS: [Neighbour; 2] = [Neighbour::Unknown, Neighbour::Closed];

/// Connections of a neighbour: so many as are asked for, or enough for the low limit of the servers.
struct Size {
    connections: usize,
    limits: &'static str,
}

fn size() -> Size {
    match std::env::var("SOTTO_NEIGHBOURS") {
        Ok(number) => Size { connections: number.parse().unwrap(), limits: "" },
        Err(_) => Size { connections: 600, limits: "[limits]\nconnections = 120\n" },
    }
}

/// Three servers, of which nobody has asked anything bad yet.
struct Scene {
    servers: Servers,
    stage: Stage,
    people: People,
    study: String,
    pids: [u32; 3],
    memory: [u64; 3],
    descriptors: [Option<usize>; 3],
}

impl Scene {
    async fn new(neighbours: usize) -> Self {
        let Size { connections, limits } = size();
        let servers = Servers::with_limits(limits);
        let client = servers.client.clone();
        let closed = client.create(&one_hot::study(1));
        servers.approve(&closed);
        client.write("one.csv", one_hot::people(0..1));
        client.run(&["submit", &closed, "one.csv"]).ok();
        client.close(&closed);
        client.result(&closed);
        let study = client.create(&one_hot::study(PEOPLE * (neighbours + 2)));
        servers.approve(&study);
        let uploads = Uploads::new(&client.profile, closed.parse().unwrap()).await;
        let roots = servers.dir.path().join("roots.pem");
        let stage = Stage::new(&client.profile, &roots, connections, uploads);
        let mut people = People::new(&client.profile, &client.dir, &study);
        people.come(PEOPLE).await;
        let pids = [0, 1, 2].map(|server| servers.process(server).id());
        let (memory, descriptors) = (pids.map(memory), pids.map(descriptors));
        Self { servers, stage, people, study, pids, memory, descriptors }
    }

    /// Honest people beside one neighbour.
    async fn beside(&mut self, neighbour: Neighbour) {
        let (before, watch) = (self.stage.done(), Watch::start(self.pids.to_vec()));
        let (stage, people) = (&self.stage, &mut self.people);
        let honest = async {
            let (begun, steps) = (Instant::now(), steps(neighbour, stage));
            while stage.done() < before + steps {
                assert!(begun.elapsed() < DEADLINE, "{neighbour:?} does too little");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            people.come(PEOPLE).await
        };
        let waited = tokio::select! {
            () = neighbour.run(stage) => panic!("{neighbour:?} has ended by itself"),
            waited = honest => waited,
        };
        println!("{neighbour:?}: {:?}, {:?}", waited.submitting, waited.asking);
        let most = watch.most();
        for (server, name) in NAMES.into_iter().enumerate() {
            let grown = most[server].saturating_sub(self.memory[server]);
            let done = self.stage.done() - before;
            println!("{neighbour:?}: {name} +{} KiB at most ({done} steps)", grown >> 10);
            assert!(grown < MEMORY, "{neighbour:?}: {name} took {grown} bytes");
        }
    }

    /// Everybody is counted, and nothing is left of the neighbours.
    async fn end(mut self) {
        self.people.come(PEOPLE).await;
        let pids = self.pids;
        wait_until("descriptors to be given back", || {
            let now = pids.map(descriptors);
            // None of either: this test may not know.
            now.iter().zip(self.descriptors).all(|(now, before)| *now <= before.map(|n| n + REST))
        });
        let client = &self.servers.client;
        client.close(&self.study);
        one_hot::assert_everybody_counts_once(&client.result(&self.study), self.people.count());
        for server in 0..NAMES.len() {
            let mut process = self.servers.take(server);
            assert!(process.is_running());
            process.signal(super::process::Signal::TERM);
            let stderr = process.wait().ok().stderr;
            assert!(!stderr.contains("panicked"), "{stderr}");
        }
    }
}

/// What a neighbour does at least before honest people come: all connections are there or were closed;
/// garbage was tried on every call.
fn steps(neighbour: Neighbour, stage: &Stage) -> u64 {
    let steps = match neighbour {
        Neighbour::Slow | Neighbour::SlowFromEverywhere | Neighbour::HalfOpen => stage.connections,
        Neighbour::Garbage => 2 * Interface::new().paths().count() * stage.servers.len(),
        _ => 40,
    };
    steps as u64
}

async fn beside(neighbours: &[Neighbour]) {
    let mut scene = Scene::new(neighbours.len()).await;
    for neighbour in neighbours {
        scene.beside(*neighbour).await;
    }
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_and_resets_take_nothing_from_honest_people() {
    beside(&CONNECTIONS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_are_none_take_nothing_from_honest_people() {
    beside(&MESSAGES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_no_study_takes_take_nothing_from_honest_people() {
    beside(&UPLOADS).await;
}

#[test]
fn garbage_is_sent_to_every_service_that_there_is() {
    let interface = Interface::new();
    let paths: Vec<_> = interface.paths().collect();
    for path in ["Submissions/Submit", "Peers/Link", "Studies/Propose", "Audit/Record"] {
        assert!(paths.iter().any(|known| known.ends_with(path)), "{path}: {paths:?}");
    }
    assert!(paths.len() >= 20, "{paths:?}");
}

#[test]
fn every_neighbour_has_its_scenario() {
    let scenarios = [&CONNECTIONS[..], &MESSAGES, &UPLOADS].concat();
    for neighbour in Neighbour::ALL {
        assert!(scenarios.contains(&neighbour), "{neighbour:?}");
    }
}

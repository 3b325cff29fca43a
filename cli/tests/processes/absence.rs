//! A server that is away in the middle of everything: stopped (SIGSTOP), or cut off from the others
//! and from clients, both ways or one way.
//!
//! Clients and peers name it, what does not need it goes on, and everything is finished by itself when
//! it is back. `SOTTO_PAUSE=60` keeps it away for so many seconds, at every moment; otherwise it is
//! away until everybody has named it, in each way at one moment.

use std::{
    fs,
    thread::{self, ScopedJoinHandle},
    time::{Duration, Instant},
};

use super::{
    client::Client,
    one_hot::{self, assert_everybody_counts_once},
    phase::Phase,
    process::{Outcome, Process, Signal, wait_until},
    serve_cluster::{
        NAMES, Servers,
        network::{Cut, Network},
    },
    traffic::{acknowledged, repeat},
};

/// The one that is away.
const GAMMA: usize = 2;
const PEOPLE: usize = 8;
/// What a round takes longer, so that a server can leave in the middle of one.
const SLOWNESS_MS: u64 = 15;
/// Silent servers are given up sooner than by default, so that a short run is short.
const LIMITS: &str = "[limits]\nround_seconds = 5\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Away {
    Stopped,
    Cut(Cut),
}

/// How often a study is tried whose publication is over before the server has left.
const TRIES: usize = 10;

/// When it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Ingest,
    Verification,
    Publication,
}

/// The ways to be away, each with the moment of a short run.
const WAYS: [(Away, Moment); 4] = [
    (Away::Stopped, Moment::Publication),
    (Away::Cut(Cut::Both), Moment::Ingest),
    (Away::Cut(Cut::FromIt), Moment::Verification),
    (Away::Cut(Cut::ToIt), Moment::Publication),
];

/// All ways at once, each with servers of its own, because nearly all of the time is waiting.
#[test]
fn a_server_that_is_away_is_named_and_holds_up_nothing_but_its_own_studies() {
    thread::scope(|scope| {
        let ways = WAYS.map(|(away, moment)| scope.spawn(move || survives(away, &[moment])));
        for way in ways {
            if let Err(panic) = way.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
}

/// The servers, the network between them, and how one of them is away.
struct Scene {
    servers: Servers,
    network: Network,
    away: Away,
}

fn survives(away: Away, moments: &[Moment]) {
    let pause = std::env::var("SOTTO_PAUSE").ok();
    let pause = pause.map(|seconds| Duration::from_secs(seconds.parse().unwrap()));
    let all = [Moment::Ingest, Moment::Verification, Moment::Publication];
    let moments = if pause.is_some() { &all } else { moments };
    let (servers, network) = Servers::apart(LIMITS, "sotto_server=debug");
    network.slow(SLOWNESS_MS);
    let scene = Scene { servers, network, away };
    for moment in moments {
        scene.survives(*moment, pause.unwrap_or_default());
    }
}

impl Scene {
    fn leave(&self) {
        match self.away {
            Away::Stopped => self.servers.process(GAMMA).signal(Signal::STOP),
            Away::Cut(cut) => self.network.cut(GAMMA, cut),
        }
    }

    fn come_back(&self) {
        match self.away {
            Away::Stopped => self.servers.process(GAMMA).signal(Signal::CONT),
            Away::Cut(_) => self.network.heal(GAMMA),
        }
    }

    fn client(&self, name: &str) -> Client {
        let client = &self.servers.client;
        Client::new(client.dir.join(name), &client.profile)
    }

    /// Somebody whose profile has the other two servers, and who waits for no answer of gamma.
    fn client_of_two(&self, name: &str) -> Client {
        let profile = fs::read_to_string(&self.servers.client.profile).unwrap();
        let (two, _) = profile.rsplit_once("[[server]]").unwrap();
        let file = self.servers.client.dir.join(format!("{name}.toml"));
        fs::write(&file, two).unwrap();
        Client::new(self.servers.client.dir.join(name), &file)
    }

    /// Gamma leaves at this moment for at least `pause`, and comes back.
    fn survives(&self, moment: Moment, pause: Duration) {
        let is_met = (0..TRIES).any(|attempt| self.is_survived(moment, attempt, pause));
        assert!(is_met, "{:?}: every {moment:?} was over too soon", self.away);
    }

    /// Whether gamma left at this moment, and not after it; either is survived.
    fn is_survived(&self, moment: Moment, attempt: usize, pause: Duration) -> bool {
        let client = self.client(&format!("{moment:?}-{attempt}"));
        let id = client.create(&one_hot::study(PEOPLE));
        let others =
            one_hot::study(2).replace("[privacy]", "servers = [\"alpha\", \"beta\"]\n[privacy]");
        let others = client.create(&others);
        client.write("people.csv", one_hot::people(0..PEOPLE));
        let submit = client.start(&["submit", &id, "people.csv", "--batch", "1"]);
        let submit = match moment {
            Moment::Ingest => {
                wait_until("receipts", || {
                    acknowledged(&client.dir.join("people.csv.receipts")) > 1
                });
                Some(submit)
            }
            Moment::Verification => {
                self.wait_for("verify");
                Some(submit)
            }
            Moment::Publication => {
                submit.wait().ok();
                client.close(&id);
                self.wait_for("publish");
                None
            }
        };
        self.leave();
        let left = Instant::now();
        let is_met = self.is_named(&client, moment, &id, &others);
        let named = left.elapsed();
        if is_met {
            thread::sleep(pause.saturating_sub(named));
        }
        let away = left.elapsed();
        self.come_back();
        self.finishes(&client, &id, submit);
        let when = if is_met { "in" } else { "after" };
        eprintln!("{:?}, {when} {moment:?}: away {away:.1?}, named after {named:.1?}", self.away);
        is_met
    }

    /// Waits until the first server is in a run of a protocol.
    fn wait_for(&self, wanted: &str) {
        wait_until(wanted, || {
            let phase = Phase::now(self.servers.process(0));
            matches!(phase, Phase::Round { protocol, .. } if protocol == wanted)
        });
    }

    /// Everybody who asks is told who is away, and what does not need it goes on. All at once, because
    /// every question waits for the server that is away. False: the study had ended at the first
    /// server before.
    fn is_named(&self, client: &Client, moment: Moment, id: &str, others: &str) -> bool {
        let result = thread::scope(|scope| {
            let is_waiting = scope.spawn(|| self.first_server_waits(moment, id));
            let without_it = scope.spawn(|| self.ask_without_it(moment, id));
            let asked: Vec<ScopedJoinHandle<'_, ()>> = vec![
                scope.spawn(|| {
                    let shown = client.run(&["study", "show", id]).ok().stdout;
                    let named = |line: &str| line.contains("gamma") && line.contains("unreachable");
                    assert!(shown.lines().any(named), "{shown}");
                }),
                scope.spawn(|| self.others_go_on(others)),
                scope.spawn(|| {
                    for server in [0, 1] {
                        assert!(self.is_serving(server), "{}", NAMES[server]);
                    }
                }),
            ];
            let asked: Vec<_> = asked.into_iter().map(ScopedJoinHandle::join).collect();
            let (is_waiting, without_it) = (is_waiting.join(), without_it.join());
            asked.into_iter().collect::<Result<Vec<()>, _>>()?;
            Ok((is_waiting?, without_it?))
        });
        let (is_waiting, (without_it, parts)) = result.unwrap_or_else(|panic| {
            self.come_back();
            std::panic::resume_unwind(panic)
        });
        if is_waiting {
            without_it.refused(5, parts);
        }
        is_waiting
    }

    /// The study says at its first server that it waits for gamma. False: it is published there.
    fn first_server_waits(&self, moment: Moment, id: &str) -> bool {
        let client = self.client_of_two(&format!("{moment:?}-of-two"));
        let mut is_published = false;
        wait_until("gamma to be named by its peers", || {
            let shown = client.run(&["study", "show", id, "--json"]).json();
            let alpha = &shown["servers"][0];
            let detail = alpha["detail"].as_str().unwrap_or_default();
            is_published = alpha["state"] == "published";
            is_published || (detail.contains("gamma") && alpha["waits_for"][0] == "gamma")
        });
        !is_published
    }

    /// Asks for something that there is not without gamma: a result, or before it another submission;
    /// what is answered, and what has to be in the answer.
    fn ask_without_it(&self, moment: Moment, id: &str) -> (Outcome, &'static [&'static str]) {
        let client = self.client(&format!("{moment:?}-another"));
        if moment == Moment::Publication {
            return (client.run(&["result", id]), &["no result yet", "gamma"]);
        }
        client.write("other.csv", one_hot::people(0..1));
        let outcome = client.run(&["submit", id, "other.csv", "--timeout", "1"]);
        (outcome, &["gamma", "unreachable"])
    }

    /// A study of the other two servers is not concerned, for people whose profile has these two.
    fn others_go_on(&self, others: &str) {
        let client = self.client_of_two(others);
        client.write("people.csv", one_hot::people(0..2));
        client.run(&["submit", others, "people.csv"]).ok();
        client.close(others);
        assert_everybody_counts_once(&client.result(others), 2);
    }

    /// What the standard health service says.
    fn is_serving(&self, server: usize) -> bool {
        use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};
        use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
        let roots = fs::read(self.servers.dir.path().join("roots.pem")).unwrap();
        let endpoint = format!("https://127.0.0.1:{}", self.network.port(3, server));
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(roots));
        let asked = async {
            let channel = Endpoint::from_shared(endpoint).unwrap().tls_config(tls).unwrap();
            let mut health = HealthClient::new(channel.connect().await.unwrap());
            health.check(HealthCheckRequest::default()).await.unwrap().into_inner().status
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(asked) == 1
    }

    /// Whoever was submitting is done by itself, and so is the study.
    fn finishes(&self, client: &Client, id: &str, submit: Option<Process>) {
        if let Some(submit) = submit {
            submit.wait().ok();
            repeat(|| client.run(&["study", "close", id]));
        }
        assert_everybody_counts_once(&client.result(id), PEOPLE);
    }
}

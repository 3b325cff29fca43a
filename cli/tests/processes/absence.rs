//! A server that is away in the middle of everything: stopped (SIGSTOP), or cut off from the others
//! and from clients, both ways or one way.
//!
//! Clients and peers name it, what does not need it goes on, and everything is finished by itself when
//! it is back. `SOTTO_PAUSE=60` keeps it away for so many seconds, at every moment; otherwise it is
//! away until everybody has named it, at one moment or two.

use std::{
    fs,
    thread::{self, ScopedJoinHandle},
    time::{Duration, Instant},
};

use super::{
    client::Client,
    one_hot::{self, assert_everybody_counts_once},
    phase::Phase,
    process::{Process, Signal, wait_until},
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

/// When it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Ingest,
    Verification,
    Publication,
}

#[test]
fn a_stopped_server_is_named_and_holds_up_nothing_but_its_own_studies() {
    survives(Away::Stopped, &[Moment::Ingest, Moment::Publication]);
}

#[test]
fn a_server_that_is_cut_off_is_named_and_finishes_when_it_is_back() {
    survives(Away::Cut(Cut::Both), &[Moment::Ingest]);
}

#[test]
fn a_server_of_which_nobody_hears_is_named_and_finishes_when_it_is_heard() {
    survives(Away::Cut(Cut::FromIt), &[Moment::Verification]);
}

#[test]
fn a_server_that_hears_nobody_is_named_and_finishes_when_it_hears() {
    survives(Away::Cut(Cut::ToIt), &[Moment::Publication]);
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
        let client = self.client(&format!("{moment:?}"));
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
        self.is_named(&client, moment, &id, &others);
        let named = left.elapsed();
        thread::sleep(pause.saturating_sub(named));
        let away = left.elapsed();
        self.come_back();
        self.finishes(&client, &id, submit);
        eprintln!("{:?}, {moment:?}: away {away:.1?}, named by all after {named:.1?}", self.away);
    }

    /// Waits until the first server is in a run of a protocol.
    fn wait_for(&self, wanted: &str) {
        wait_until(wanted, || {
            let phase = Phase::after(&self.servers.process(0).stderr_end());
            matches!(phase, Phase::Round { protocol, .. } if protocol == wanted)
        });
    }

    /// Everybody who asks is told who is away, and what does not need it goes on. All at once, because
    /// every question waits for the server that is away.
    fn is_named(&self, client: &Client, moment: Moment, id: &str, others: &str) {
        thread::scope(|scope| {
            let asked: Vec<ScopedJoinHandle<'_, ()>> = vec![
                scope.spawn(|| {
                    let shown = client.run(&["study", "show", id]).ok().stdout;
                    let named = |line: &str| line.contains("gamma") && line.contains("unreachable");
                    assert!(shown.lines().any(named), "{shown}");
                }),
                scope.spawn(|| self.first_server_names_it(moment, id)),
                scope.spawn(|| self.another_submission_is_refused(moment, id)),
                scope.spawn(|| self.others_go_on(others)),
                scope.spawn(|| {
                    for server in [0, 1] {
                        assert!(self.is_serving(server), "{}", NAMES[server]);
                    }
                }),
            ];
            for asked in asked {
                if let Err(panic) = asked.join() {
                    self.come_back();
                    std::panic::resume_unwind(panic);
                }
            }
        });
    }

    /// The study says at its first server whom it waits for, unless it has ended there.
    fn first_server_names_it(&self, moment: Moment, id: &str) {
        let client = self.client_of_two(&format!("{moment:?}-of-two"));
        wait_until("gamma to be named by its peers", || {
            let shown = client.run(&["study", "show", id, "--json"]).json();
            let alpha = &shown["servers"][0];
            let detail = alpha["detail"].as_str().unwrap_or_default();
            alpha["state"] == "published"
                || (detail.contains("gamma") && alpha["waits_for"][0] == "gamma")
        });
    }

    fn another_submission_is_refused(&self, moment: Moment, id: &str) {
        let client = self.client(&format!("{moment:?}-another"));
        client.write("other.csv", one_hot::people(0..1));
        match moment {
            Moment::Publication => {
                // Without waiting: there is no result, or there is one already.
                let result = client.run(&["result", id]);
                if result.code != Some(0) {
                    result.refused(5, &["no result yet", "gamma"]);
                }
            }
            _ => {
                let arguments = ["submit", id, "other.csv", "--timeout", "1"];
                client.run(&arguments).refused(5, &["gamma", "unreachable"]);
            }
        }
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

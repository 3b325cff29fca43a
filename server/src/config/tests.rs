//! Configurations that are refused, each with the place and the remedy.

use std::fs;

use super::*;
use crate::certs::{Authority, ServerKeys};

const NOW: u64 = 1_780_000_000;

struct Site {
    directory: tempfile::TempDir,
    alpha: ServerKeys,
    beta: ServerKeys,
}

impl Site {
    /// Keys of two servers, their roster, and alpha's configuration.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_create(directory.path(), NOW).unwrap();
        let make = |name: &str| {
            let names = [String::from("localhost")];
            let place = directory.path().join(name);
            authority.server(&place, name, &names, NOW, &mut rand::rng()).unwrap()
        };
        let (alpha, beta) = (make("alpha"), make("beta"));
        let site = Self { directory, alpha, beta };
        site.write("roster.toml", &site.roster(alpha, beta));
        site.write("server.toml", GOOD);
        site
    }

    fn roster(&self, alpha: ServerKeys, beta: ServerKeys) -> String {
        let entry = |name: &str, keys: ServerKeys| RosterServer {
            name: name.into(),
            endpoint: format!("https://{name}.example:7400"),
            identity: keys.identity,
            tls: keys.tls,
        };
        format!("{}\n{}", entry("beta", beta).to_toml(), entry("alpha", alpha).to_toml())
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.directory.path().join(name), text).unwrap();
    }

    fn load(&self) -> Result<Config, ConfigError> {
        Config::load(&self.directory.path().join("server.toml"))
    }

    /// The refusal of alpha's configuration with `from` replaced by `to`.
    fn refusal(&self, from: &str, to: &str) -> String {
        assert!(GOOD.contains(from));
        self.write("server.toml", &GOOD.replace(from, to));
        self.message()
    }

    /// The refusal's text, without the directory's name.
    fn message(&self) -> String {
        let message = self.load().err().unwrap().to_string();
        assert_eq!(message.lines().count(), 1, "{message}");
        message.replace(&format!("{}/", self.directory.path().display()), "")
    }
}

const GOOD: &str = r#"name = "alpha"
listen = "127.0.0.1:7400"
data = "alpha"
analysts = ["3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"]
roster = "roster.toml"

[limits]
connections = 12
"#;

#[test]
fn paths_start_at_the_file_that_names_them_and_the_rest_has_defaults() {
    let site = Site::new();
    let config = site.load().unwrap();
    assert_eq!(config.database(), site.directory.path().join("alpha").join("sotto.db"));
    assert_eq!(config.identity.public(), site.alpha.identity);
    assert_eq!(config.tls.pin(), site.alpha.tls);
    assert_eq!(config.approve, Approve::Manual);
    assert!(config.operators.is_empty());
    assert_eq!(config.limits, Limits { connections: 12, ..Limits::default() });
    assert_eq!((config.metrics, config.otlp), (None, None));
    assert_eq!(config.roster.get("beta").unwrap().identity, site.beta.identity);
    let own = config.roster.by_pin(&site.alpha.tls).unwrap();
    assert_eq!(config.roster.by_identity(&site.alpha.identity), Some(own));
}

#[test]
fn named_tls_files_are_used() {
    let site = Site::new();
    for (file, name) in [("alpha/tls.pem", "other.pem"), ("alpha/tls.key", "other.key")] {
        let place = site.directory.path();
        fs::rename(place.join(file), place.join(name)).unwrap();
    }
    let tls = "[tls]\ncertificate = \"other.pem\"\nkey = \"other.key\"\n[limits]";
    site.write("server.toml", &GOOD.replace("[limits]", tls));
    assert_eq!(site.load().unwrap().tls.pin(), site.alpha.tls);
}

#[test]
fn metrics_and_spans_stay_in_the_operator_s_own_network() {
    let site = Site::new();
    let with = |text: &str| {
        site.write("server.toml", &format!("{GOOD}{text}"));
        site.load()
    };
    let config = with("[metrics]\nlisten = \"127.0.0.1:9464\"\n").unwrap();
    assert_eq!(config.metrics, Some(([127, 0, 0, 1], 9464).into()));
    let config = with("[tracing]\notlp = \"http://127.0.0.1:4317\"\n").unwrap();
    assert_eq!(config.otlp.as_deref(), Some("http://127.0.0.1:4317"));
    with("[tracing]\notlp = \"http://collector:4317\"\n").unwrap();
    for listen in ["203.0.113.1:9464", "127.0.0.1", "[2001:db8::1]:9464", "localhost:9464"] {
        let error = with(&format!("[metrics]\nlisten = \"{listen}\"\n")).unwrap_err().to_string();
        assert!(
            error.contains("server.toml:10:10: metrics.listen must be an address of"),
            "{error}"
        );
    }
    for otlp in ["http://203.0.113.1:4317", "https://127.0.0.1:4317", "http://127.0.0.1", "tcp"] {
        let error = with(&format!("[tracing]\notlp = \"{otlp}\"\n")).unwrap_err().to_string();
        assert!(error.contains("server.toml:10:8: tracing.otlp must be a collector"), "{error}");
    }
}

#[test]
fn a_wrong_line_is_named_with_what_it_must_be() {
    let site = Site::new();
    let cases = [
        ("name =", "nome =", "server.toml:1:1: unknown field `nome`"),
        ("127.0.0.1:7400", "localhost", "server.toml:2:10: listen must be an address and a port"),
        ("[\"3d40", "[\"zd40", "server.toml:4:13: analysts must be an Ed25519 public key"),
        ("= 12", "= 0", "server.toml:8:15: limits.connections must be a number from 1 to"),
        ("= 12", "= \"12\"", "server.toml:8:15: invalid type: string"),
        ("connections", "conections", "server.toml:8:1: unknown field `conections`"),
        ("data = \"alpha\"", "", "server.toml:1:1: missing field `data`"),
        (
            "\"alpha\"\nlisten",
            "\"gamma\"\nlisten",
            "server.toml:1:8: the roster has no server gamma: it has alpha, beta",
        ),
        ("roster.toml", "nowhere.toml", "nowhere.toml: "),
        ("data = \"alpha\"", "data = \"empty\"", "empty/identity.key: there is no key file here"),
        (
            "data = \"alpha\"",
            "approve = \"perhaps\"",
            "server.toml:3:11: unknown variant `perhaps`",
        ),
    ];
    for (from, to, expected) in cases {
        let message = site.refusal(from, to);
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn keys_that_differ_from_the_roster_are_told_apart() {
    let site = Site::new();
    let mut wrong = site.alpha;
    wrong.identity = mpc::sign::Signer::from_seed(&[7; 32]).public();
    site.write("roster.toml", &site.roster(wrong, site.beta));
    let message = site.message();
    let expected = format!("the roster lists the identity {} for alpha", wrong.identity);
    assert!(message.starts_with(&expected), "{message}");

    let mut wrong = site.alpha;
    wrong.tls = Pin([9; 32]);
    site.write("roster.toml", &site.roster(wrong, site.beta));
    let message = site.message();
    let expected = format!("the roster lists the tls pin {} for alpha", wrong.tls);
    assert!(message.starts_with(&expected), "{message}");

    let from = site.directory.path().join("beta/tls.pem");
    fs::copy(from, site.directory.path().join("alpha/tls.pem")).unwrap();
    let message = site.message();
    assert!(
        message.starts_with("alpha/tls.pem: this certificate is not over the key"),
        "{message}"
    );
}

#[test]
fn a_roster_that_cannot_tell_its_servers_apart_is_refused() {
    let site = Site::new();
    let good = site.roster(site.alpha, site.beta);
    let twins = site.roster(site.alpha, ServerKeys { tls: site.beta.tls, ..site.alpha });
    let one_tls = site.roster(site.alpha, ServerKeys { tls: site.alpha.tls, ..site.beta });
    let cases = [
        (good.replace("\"alpha\"", "\"beta\""), "the servers beta and beta have the same name"),
        (twins, "the servers beta and alpha have the same identity"),
        (one_tls, "the servers beta and alpha have the same tls pin"),
        (good.replace("https://alpha", "http://alpha"), "endpoint must be https://HOST:PORT"),
        (good.replace("alpha.example:7400", "alpha.example"), "endpoint must be https://HOST:PORT"),
        (good.replace("\"alpha\"", "\"\""), "name must be 1 to 64 visible characters"),
        (good.replace("tls =", "pin ="), "unknown field `pin`"),
        (good.replace(&site.alpha.tls.to_string(), "abcd"), "tls must be the SHA-256"),
        (good.split("\n\n").next().unwrap().into(), "[[server]] must be a list of 2 to 16 servers"),
    ];
    for (text, expected) in cases {
        site.write("roster.toml", &text);
        let message = site.message();
        assert!(message.starts_with("roster.toml:") && message.contains(expected), "{message}");
    }
}

#[test]
fn the_roster_hash_covers_keys_and_names_and_no_endpoint_or_order() {
    let site = Site::new();
    let hash = |text: &str| {
        site.write("other.toml", text);
        Roster::load(&site.directory.path().join("other.toml")).unwrap().hash()
    };
    let good = site.roster(site.alpha, site.beta);
    let reordered: Vec<_> = good.split("\n\n").collect();
    let reordered = format!("{}\n{}", reordered[1], reordered[0]);
    assert_eq!(hash(&good), hash(&reordered));
    assert_eq!(hash(&good), hash(&good.replace("alpha.example", "10.0.0.1")));
    assert_ne!(hash(&good), hash(&good.replace("\"alpha\"", "\"alphb\"")));
    assert_ne!(hash(&good), hash(&site.roster(site.beta, site.alpha)));
    let other_tls = ServerKeys { tls: Pin([9; 32]), ..site.alpha };
    assert_ne!(hash(&good), hash(&site.roster(other_tls, site.beta)));
}

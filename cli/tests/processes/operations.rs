//! What operators see of `sotto serve`: its logs, its metrics and its spans.

use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::TcpStream,
};

use serde_json::Value;

use super::{
    collector::Collector,
    one_hot,
    process::{Signal, wait_until},
    serve_cluster::{NAMES, Servers},
};

/// Every line of a log, which is JSON.
#[track_caller]
fn lines(log: &str) -> Vec<Value> {
    let parse = |line: &str| match serde_json::from_str::<Value>(line) {
        Ok(Value::Object(line)) => Value::Object(line),
        other => panic!("{other:?}: {line}"),
    };
    log.lines().map(parse).collect()
}

/// The trace ids of lines at `level` in a span `name` that `wanted` is true of.
fn traces(log: &str, level: &str, name: &str, wanted: impl Fn(&Value) -> bool) -> BTreeSet<String> {
    let lines = lines(log);
    let spans = lines.iter().filter(|line| line["level"] == level).flat_map(|line| {
        let spans = line["spans"].as_array().cloned().unwrap_or_default();
        spans.into_iter().filter(|span| span["name"] == name)
    });
    let id = |span: Value| span["trace_id"].as_str().unwrap().to_owned();
    spans.filter(|span| wanted(span)).map(id).collect()
}

/// A whole study; its id, and what the submission was logged as.
fn a_study(servers: &Servers) -> (String, String) {
    const PEOPLE: usize = 4;
    let client = &servers.client;
    client.write("people.csv", one_hot::people(0..PEOPLE));
    let id = client.create(&one_hot::study(PEOPLE));
    servers.approve(&id);
    let submitted = client.run(&["submit", &id, "people.csv", "--json"]).json();
    client.close(&id);
    client.result(&id);
    (id, submitted[0]["trace"].as_str().unwrap().to_owned())
}

/// Stops all servers once each has said that the study has ended; what they logged.
#[track_caller]
fn logs(servers: &mut Servers) -> Vec<String> {
    let end = |server: usize| {
        let process = servers.take(server);
        wait_until("the end", || process.stderr().contains("the study has ended"));
        process.signal(Signal::TERM);
        process.wait().ok().stderr
    };
    (0..NAMES.len()).map(end).collect()
}

#[test]
fn one_id_finds_a_run_and_a_submission_in_the_json_logs_of_all_servers() {
    let mut servers = Servers::talkative("sotto_server=debug");
    let (id, submission) = a_study(&servers);
    let logs = logs(&mut servers);
    for log in &logs {
        for line in lines(log) {
            assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
            assert!(line["fields"]["message"].is_string(), "{line}");
        }
        let of_submission = traces(log, "DEBUG", "call", |span| span["call"] == "submit");
        assert_eq!(of_submission, BTreeSet::from([submission.clone()]));
    }
    // Runs that are rare are found at the level that servers log at by themselves.
    for (protocol, level) in [("setup", "INFO"), ("verify", "DEBUG"), ("publish", "INFO")] {
        let is_of = |span: &Value| span["protocol"] == protocol && span["study"] == id.as_str();
        let of = |log: &String| traces(log, level, "run", is_of);
        let first = of(&logs[0]);
        assert!(!first.is_empty(), "{protocol}");
        for (log, name) in logs.iter().zip(NAMES) {
            assert!(!of(log).is_disjoint(&first), "{protocol}, {name}: {log}");
            assert!(of(log).is_subset(&first), "{protocol}: only the first server starts runs");
        }
        assert!(first.iter().all(|id| id.len() == 32 && *id != submission));
    }
}

#[test]
fn metrics_are_served_where_the_configuration_says() {
    let mut servers = Servers::with_limits("[metrics]\nlisten = \"127.0.0.1:0\"\n");
    a_study(&servers);
    for log in logs(&mut servers) {
        let lines = lines(&log);
        let said = lines.iter().filter(|line| line["fields"]["message"] == "metrics");
        assert_eq!(said.count(), 1, "{log}");
    }
    servers.start(0);
    let process = servers.take(0);
    let mut address = String::new();
    wait_until("the address", || {
        let log = process.stderr();
        let said = log.lines().find(|line| line.contains("\"message\":\"metrics\""));
        let said = said.map(|line| serde_json::from_str::<Value>(line).unwrap());
        address = said.map(|said| said["fields"]["address"].to_string()).unwrap_or_default();
        !address.is_empty()
    });
    let mut stream = TcpStream::connect(address.trim_matches('"')).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("\nsotto_studies{state=\"published\"} 1\n"), "{answer}");
    assert!(answer.contains(env!("CARGO_PKG_VERSION")), "{answer}");
}

#[test]
fn an_address_that_the_internet_reaches_is_refused_for_metrics() {
    let servers = Servers::new();
    let config = servers.dir.path().join("alpha/server.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = format!("{text}[metrics]\nlisten = \"203.0.113.1:9464\"\n");
    std::fs::write(&config, text).unwrap();
    let checked = servers.client.run(&["config", "check", config.to_str().unwrap()]);
    checked.refused(2, &["server.toml:", "metrics.listen", "own network", "no password"]);
}

#[test]
fn a_collector_gets_the_run_of_all_servers_as_one_trace() {
    let collector = Collector::start();
    let config = format!("[tracing]\notlp = \"{}\"\n", collector.endpoint());
    let mut servers = Servers::with_limits(&config);
    a_study(&servers);
    let logs = logs(&mut servers);
    let of_protocol = |protocol: &str| {
        let spans = collector.spans().into_iter();
        spans.filter(|span| span.name == "run" && span.is("protocol", protocol)).collect::<Vec<_>>()
    };
    for protocol in ["setup", "publish"] {
        let spans = of_protocol(protocol);
        let servers: BTreeSet<_> = spans.iter().map(|span| span.server.as_str()).collect();
        assert_eq!(servers, BTreeSet::from(NAMES), "{protocol}");
        let exported: BTreeSet<_> = spans.iter().map(|span| span.trace.clone()).collect();
        let logged = traces(&logs[0], "INFO", "run", |span| span["protocol"] == protocol);
        assert!(!logged.is_empty() && logged.is_subset(&exported), "{logged:?} {exported:?}");
    }
}

/// What servers hold back from their own logs, they hold back from a collector.
#[test]
fn a_collector_gets_no_value_that_anybody_submitted() {
    const STUDY: &str = r#"
title = "Savings"
[privacy]
min_records = 1
[[column]]
name = "savings"
type = "integer"
min = 0
max = 9000000000
[[statistic]]
name = "savings"
kind = "mean"
of = "savings"
"#;
    const PLANTED: [u64; 3] = [3_141_592_653, 2_718_281_828, 1_618_033_988];
    let collector = Collector::start();
    let config = format!("[tracing]\notlp = \"{}\"\n", collector.endpoint());
    let mut servers = Servers::logging(&config, "trace");
    let client = &servers.client;
    let id = client.create(STUDY);
    servers.approve(&id);
    let rows: Vec<_> = PLANTED.iter().map(u64::to_string).collect();
    client.write("savings.csv", format!("savings\n{}\n", rows.join("\n")));
    client.run(&["submit", &id, "savings.csv"]).ok();
    client.close(&id);
    client.result(&id);
    let logs = logs(&mut servers);
    let exported = collector.exported();
    let is_in = |part: &[u8]| exported.windows(part.len()).any(|window| window == part);
    assert!(is_in(id.as_bytes()), "the search finds what is there");
    for number in PLANTED {
        let text = number.to_string();
        assert!(
            !is_in(text.as_bytes())
                && !is_in(&number.to_be_bytes())
                && !is_in(&number.to_le_bytes())
        );
        assert!(!logs.iter().any(|log| log.contains(&text)), "{number}");
    }
}

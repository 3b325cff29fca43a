//! What an operator's Prometheus reads of a whole study, and what it must never read.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on, stops")]

use proto::v1;
use sotto_tests::{Provider, World};
use study::Value;

const STUDY: &str = r#"
title = "A title that nobody else has"
[privacy]
min_records = 1
[[column]]
name = "savings"
type = "integer"
min = 0
max = 1000
[[statistic]]
name = "all savings"
kind = "sum"
of = "savings"
"#;

async fn world() -> World {
    World::with_configs(3, |_, config| config + "\n[metrics]\nlisten = \"127.0.0.1:0\"\n").await
}

/// The value of the series with this name and these labels.
fn value(metrics: &str, series: &str) -> Option<f64> {
    let of = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
    metrics.lines().find_map(of)
}

#[track_caller]
fn assert_value(metrics: &str, series: &str, expected: f64) {
    assert_eq!(value(metrics, series), Some(expected), "{series}\n{metrics}");
}

fn outcome(outcome: &str, reason: &str) -> String {
    format!("sotto_submissions_total{{outcome=\"{outcome}\",reason=\"{reason}\"}}")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_submission_of_a_study_is_seen_in_what_became_of_it() {
    let world = world().await;
    let study = world.create(STUDY).await;
    let mut provider = Provider::new(&world, study, 1).await;
    let record = |number| vec![Value::Number(number)];
    let good = provider.shard(provider.encode(&[record(1), record(2), record(3)]));
    let mut wires = provider.encode(&[record(4)]);
    // No bit is 2 or 3.
    wires[0] += mpc::Field128::from(2);
    let bad = provider.shard(wires);
    let half = provider.shard(provider.encode(&[record(5)]));
    provider.send_all(&world, &good).await;
    provider.send_all(&world, &good).await;
    provider.send_all(&world, &bad).await;
    for server in [0, 1] {
        provider.send(&world, &half, server).await.unwrap();
    }
    // Refused at the door of the first server, for three reasons.
    let mut unsigned = provider.request(&good, 0);
    unsigned.credential = vec![1; 64].into();
    let unknown = provider.request(&good, 0);
    let mut bytes = unknown.public_part.to_vec();
    // Behind version and number of servers.
    bytes[2] ^= 1;
    let unknown = v1::SubmitRequest { public_part: bytes.into(), ..unknown };
    let malformed = v1::SubmitRequest { public_part: vec![9; 9].into(), ..unknown.clone() };
    for refused in [unsigned, unknown, malformed] {
        sotto_tests::provider::send(&world, refused, 0).await.unwrap_err();
    }
    let waiting = world.metrics(0).await;
    assert_value(&waiting, "sotto_studies{state=\"open\"}", 1.0);
    world.close(study).await;
    world.result(study).await.unwrap();
    for _ in 0..600 {
        let overview = client::studies::show(&world.profile(), study).await.unwrap();
        if overview.servers.iter().all(|report| report.state.is_final()) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    for server in 0..3 {
        let metrics = world.metrics(server).await;
        let received = if server == 2 { 2.0 } else { 3.0 };
        assert_value(&metrics, &outcome("received", ""), received);
        assert_value(&metrics, &outcome("duplicate", ""), 1.0);
        assert_value(&metrics, &outcome("accepted", ""), 1.0);
        assert_value(&metrics, &outcome("rejected", "invalid_proof"), 1.0);
        assert_value(&metrics, &outcome("incomplete", ""), 1.0);
        assert_value(&metrics, "sotto_records_total{outcome=\"accepted\"}", 3.0);
        assert_value(&metrics, "sotto_studies{state=\"published\"}", 1.0);
        assert_value(&metrics, "sotto_studies{state=\"open\"}", 0.0);
        assert_value(&metrics, "sotto_unverified_submissions", 0.0);
        assert_value(&metrics, "sotto_verification_lag_seconds", 0.0);
        assert_value(&metrics, "sotto_storage_up", 1.0);
        let runs = |protocol| {
            let labels = format!("{{protocol=\"{protocol}\",outcome=\"done\"}}");
            value(&metrics, &format!("sotto_run_duration_seconds_count{labels}")).unwrap()
        };
        assert!(runs("setup") >= 1.0 && runs("verify") >= 1.0 && runs("publish") >= 1.0);
        let round = "sotto_round_duration_seconds_count{protocol=\"publish\",round=\"1\"}";
        assert!(value(&metrics, round).unwrap() >= 1.0);
        for (place, peer) in ["alpha", "beta", "gamma"].into_iter().enumerate() {
            let up = value(&metrics, &format!("sotto_peer_up{{peer=\"{peer}\"}}"));
            assert_eq!(up, (place != server).then_some(1.0), "{metrics}");
            let labels = format!("{{with=\"{peer}\",direction=\"sent\"}}");
            let sent = value(&metrics, &format!("sotto_traffic_bytes_total{labels}"));
            assert!(place == server || sent.unwrap() > 100.0, "{metrics}");
        }
        let clients = "sotto_traffic_bytes_total{with=\"clients\",direction=\"received\"}";
        assert!(value(&metrics, clients).unwrap() > 1_000.0);
        assert!(value(&metrics, "sotto_storage_bytes{file=\"database\"}").unwrap() > 1_000.0);
        assert!(value(&metrics, "sotto_storage_free_bytes").unwrap() > 0.0);
        let days = value(&metrics, "sotto_certificate_days").unwrap();
        assert!((300.0..400.0).contains(&days), "{days}");
    }
    let metrics = world.metrics(0).await;
    for reason in ["signature", "unknown_study", "malformed"] {
        assert_value(&metrics, &outcome("refused", reason), 1.0);
    }
    for what in [study.to_string(), good.public.submission.to_string(), "127.0.0.1".into()] {
        let body = metrics.split("\r\n\r\n").nth(1).unwrap();
        assert!(!body.contains(&what), "{what}");
    }
    assert!(!metrics.contains("A title") && !metrics.contains("savings"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_down_is_seen_with_the_class_of_the_reason() {
    let mut world = world().await;
    world.stop(2).await;
    let trouble =
        |reason: &str| format!("sotto_peer_trouble{{peer=\"gamma\",reason=\"{reason}\"}}");
    let mut metrics = String::new();
    // The others may not have met yet, either.
    for _ in 0..600 {
        metrics = world.metrics(0).await;
        let is = |name: &str| value(&metrics, name) == Some(1.0);
        if is(&trouble("unreachable")) && is("sotto_peer_up{peer=\"beta\"}") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_value(&metrics, &trouble("unreachable"), 1.0);
    assert_value(&metrics, &trouble("misfit"), 0.0);
    assert_value(&metrics, "sotto_peer_up{peer=\"gamma\"}", 0.0);
    assert_value(&metrics, "sotto_peer_up{peer=\"beta\"}", 1.0);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_limit_refuses_is_counted() {
    let world = World::with_configs(2, |_, config| {
        config.replace("calls_per_second = 100000", "calls_per_second = 5")
            + "\n[metrics]\nlisten = \"127.0.0.1:0\"\n"
    })
    .await;
    for _ in 0..50 {
        let request = v1::SubmitRequest::default();
        sotto_tests::provider::send(&world, request, 0).await.unwrap_err();
    }
    let metrics = world.metrics(0).await;
    let refused = value(&metrics, &outcome("refused", "rate")).unwrap_or_default();
    assert!(refused > 0.0, "{metrics}");
    assert!(value(&metrics, "sotto_limits_total{limit=\"rate\"}").unwrap() >= refused);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_address_has_metrics_and_nothing_else() {
    let world = world().await;
    for (line, status) in [
        ("GET /", "HTTP/1.1 404"),
        ("GET /metrics/", "HTTP/1.1 404"),
        ("POST /metrics", "HTTP/1.1 405"),
        ("POST /sotto.v1.Directory/Describe", "HTTP/1.1 404"),
    ] {
        let answer = world.metrics_request(0, line).await;
        assert!(answer.starts_with(status), "{line}: {answer}");
    }
    let format = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n";
    let metrics = world.metrics(0).await;
    assert!(metrics.contains(format), "{metrics}");
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
    world.end().await;
}

//! What is counted, as it is read.

use prometheus_client::encoding::text::encode;
use proto::listener::Watch as _;

use super::*;

fn text(metrics: &Metrics) -> String {
    let mut text = String::new();
    encode(&mut text, &metrics.registry).unwrap();
    text
}

#[test]
fn every_outcome_of_a_submission_has_a_line_of_its_own() {
    let metrics = Metrics::new();
    metrics.submission(Submission::Received { records: 40 });
    metrics.submission(Submission::Received { records: 2 });
    metrics.submission(Submission::Duplicate);
    metrics.submission(Submission::Refused("rate"));
    metrics.submission(Submission::Accepted { records: 40 });
    metrics.submission(Submission::LeftOut(Reason::InvalidProof));
    metrics.submission(Submission::LeftOut(Reason::Incomplete));
    let text = text(&metrics);
    let lines = [
        "sotto_submissions_total{outcome=\"received\",reason=\"\"} 2",
        "sotto_submissions_total{outcome=\"duplicate\",reason=\"\"} 1",
        "sotto_submissions_total{outcome=\"refused\",reason=\"rate\"} 1",
        "sotto_submissions_total{outcome=\"accepted\",reason=\"\"} 1",
        "sotto_submissions_total{outcome=\"rejected\",reason=\"invalid_proof\"} 1",
        "sotto_submissions_total{outcome=\"incomplete\",reason=\"\"} 1",
        "sotto_records_total{outcome=\"received\"} 42",
        "sotto_records_total{outcome=\"accepted\"} 40",
    ];
    for line in lines {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn rounds_have_a_bounded_number_of_labels() {
    let metrics = Metrics::new();
    for round in 0..500 {
        metrics.round("publish", round, Duration::from_millis(3));
    }
    let text = text(&metrics);
    let counts = text.lines().filter(|line| line.starts_with("sotto_round_duration_seconds_count"));
    assert_eq!(counts.count(), ROUNDS.len() + 1);
    assert!(text.contains("_count{protocol=\"publish\",round=\"later\"} 488"), "{text}");
    assert!(text.contains(
        "round_duration_seconds_bucket{le=\"0.004\",protocol=\"publish\",round=\"1\"} 1"
    ));
}

#[test]
fn runs_are_counted_by_how_they_ended() {
    let metrics = Metrics::new();
    metrics.run("setup", RunEnd::Done, Duration::from_secs(1));
    metrics.run("setup", RunEnd::Incomplete, Duration::from_secs(30));
    let text = text(&metrics);
    for outcome in ["done", "incomplete"] {
        let line =
            format!("run_duration_seconds_count{{protocol=\"setup\",outcome=\"{outcome}\"}} 1");
        assert!(text.contains(&line), "{text}");
    }
}

#[test]
fn a_connection_is_counted_until_it_ends_and_its_bytes_stay() {
    let metrics = Metrics::new();
    let open = metrics.connections.opened(None);
    open.received(70);
    assert!(text(&metrics).contains("\nsotto_connections 1\n"));
    drop(open);
    metrics.connections.refused();
    let text = text(&metrics);
    assert!(text.contains("\nsotto_connections 0\n"));
    assert!(text.contains("\nsotto_connections_refused_total 1\n"));
    assert!(text.contains("sotto_traffic_bytes_total{with=\"clients\",direction=\"sent\"} 0"));
    assert!(text.contains("sotto_traffic_bytes_total{with=\"clients\",direction=\"received\"} 70"));
}

//! What a study costs, said before there is any server.

use std::fs;

use serde_json::{Value, json};

use crate::process::{Outcome, Process, sotto};

const WAGES: &str = include_str!("../../data/wages.toml");

/// `sotto study cost` of a study file, where there is no profile, or this one.
#[track_caller]
fn cost(study: &str, profile: Option<&str>, arguments: &[&str]) -> Outcome {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("study.toml"), study).unwrap();
    if let Some(profile) = profile {
        fs::write(dir.path().join("sotto.toml"), profile).unwrap();
    }
    let mut command = sotto(dir.path());
    Process::start(command.args(["study", "cost", "study.toml"]).args(arguments)).wait()
}

fn servers(cost: &Value) -> Vec<&str> {
    cost["servers"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

#[test]
fn the_cost_of_the_demo_is_known_without_profile_and_servers() {
    let cost = cost(WAGES, None, &["--json"]).json();
    assert_eq!(servers(&cost), ["server 1", "server 2", "server 3"]);
    let record =
        json!({"coordinates": 20, "wires": 42, "bits": 30, "products": 12, "multiplications": 42});
    assert_eq!(cost["record"], record);
    assert_eq!(cost["records_per_submission"], 1530);

    let sums = cost["statistics"].as_array().unwrap().iter();
    let sums = sums.map(|own| {
        let saved = own["saves"]["coordinates"].as_i64().unwrap();
        (own["sums"].as_u64().unwrap(), own["shared"].as_u64().unwrap(), saved)
    });
    assert_eq!(sums.collect::<Vec<_>>(), [(16, 16, 0), (16, 16, 0), (16, 16, 4), (12, 8, 4)]);
    // Without the mean of ages 10 of 42 multiplications are gone.
    let percent = cost["statistics"][3]["saves"]["cpu_percent"].as_f64().unwrap();
    assert!((percent - 1000.0 / 42.0).abs() < 1e-9, "{percent}");

    let [alone, many] = [0, 1].map(|place| &cost["submissions"][place]);
    assert_eq!((&alone["records"], &many["records"]), (&json!(1), &json!(1530)));
    let bytes = |cost: &Value, to: &str| cost["bytes_per_record"][to].as_f64().unwrap();
    // Public part 395, signature 64; payload of a blinding, 42 wires, a proof of 27 elements and a seed.
    assert_eq!(bytes(alone, "first_server"), 395.0 + 64.0 + 16.0 * (42.0 + 27.0) + 64.0);
    assert_eq!(bytes(alone, "other_server"), 395.0 + 64.0 + 96.0);
    assert_eq!(bytes(many, "other_server"), (395.0 + 64.0 + 96.0) / 1530.0);
    assert!(bytes(many, "first_server") > 42.0 * 16.0);
    for who in ["provider", "first_server", "other_server"] {
        assert!(many["cpu_us_per_record"][who].as_f64().unwrap() > 0.0, "{who}");
    }
}

#[test]
fn people_see_it_as_tables_and_nothing_else() {
    let outcome = cost(WAGES, None, &[]).ok();
    for expected in [
        "3: server 1, server 2, server 3",
        "42 field elements: 30 bits, 12 products",
        "20 sums over all records",
        "1627.0 B",
        "555.0 B",
        "CPU at each other server",
        "mean age by region",
    ] {
        assert!(outcome.stdout.contains(expected), "{expected}:\n{}", outcome.stdout);
    }
    assert!(outcome.stdout.lines().all(|line| line.chars().count() <= 80), "{}", outcome.stdout);
    assert!(outcome.stderr.is_empty(), "{}", outcome.stderr);
}

#[test]
fn the_servers_are_those_of_the_command_line_the_profile_or_the_file() {
    let named = format!("servers = [\"gamma\", \"alpha\"]\n{WAGES}");
    let four = cost(WAGES, Some(PROFILE), &["--json", "--servers", "4"]).json();
    assert_eq!(servers(&four), ["server 1", "server 2", "server 3", "server 4"]);
    assert_eq!(servers(&cost(WAGES, Some(PROFILE), &["--json"]).json()), ["alpha", "beta"]);
    assert_eq!(servers(&cost(&named, None, &["--json"]).json()), ["gamma", "alpha"]);
    // As `create` would refuse it.
    cost(&named, Some(PROFILE), &[]).refused(3, &["study.toml:1", "gamma", "alpha, beta"]);
    cost(&named, None, &["--servers", "3"])
        .refused(2, &["study.toml", "2 servers", "--servers asks for 3"]);
    cost(WAGES, None, &["--servers", "9"]).refused(3, &["study.toml", "2 to 8", "9"]);
    cost(WAGES, None, &["--profile", "none.toml"]).refused(2, &["none.toml", "profile"]);
}

#[test]
fn the_only_statistic_is_responsible_for_all() {
    let study = "title = \"t\"\nmax_records = 50\n[[column]]\nname = \"x\"\ntype = \"boolean\"\n\
                 [[statistic]]\nname = \"s\"\nkind = \"share\"\nof = \"x\"\n";
    let only = cost(study, None, &["--json"]).json();
    assert_eq!(only["statistics"][0]["saves"], Value::Null);
    assert_eq!(only["records_per_submission"], 50, "no more than the study takes");
    assert!(cost(study, None, &[]).ok().stdout.contains("all"));
}

#[test]
fn a_study_file_that_create_refuses_has_no_cost() {
    let wrong = WAGES.replace("of = \"age\"", "of = \"wage\"");
    cost(&wrong, None, &[]).refused(3, &["study.toml:52", "wage"]);
    cost("", None, &[]).refused(3, &["study.toml:1", "title"]);
}

const PROFILE: &str = r#"
roots = "roots.pem"
[[server]]
name = "alpha"
endpoint = "https://127.0.0.1:1"
identity = "d04ab232742bb4ab3a1368bd4615e4e6d0224ab71a016baf8520a332c9778737"
tls = "abababababababababababababababababababababababababababababababab"
[[server]]
name = "beta"
endpoint = "https://127.0.0.1:2"
identity = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
tls = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
"#;

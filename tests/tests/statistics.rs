//! Statistics: every kind, over real records with missing values, through real servers.

#[path = "../../study/tests/vectors/compare.rs"]
mod compare;

use std::{collections::BTreeSet, io::Read as _};

use flate2::read::GzDecoder;
use serde_json::Value;
use sotto_tests::World;

const STUDY: &str = include_str!("../../study/tests/vectors/penguins.toml");
const DATA: &[u8] = include_bytes!("../../study/tests/vectors/penguins.csv.gz");
const EXPECTED: &str = include_str!("../../study/tests/vectors/penguins.expected.json");

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_is_answered_by_the_servers_as_the_libraries_answer_it() {
    let mut csv = String::new();
    GzDecoder::new(DATA).read_to_string(&mut csv).unwrap();
    let world = World::servers(3).await;
    let study = world.create(STUDY).await;
    let csv = world.file("penguins.csv", &csv);
    let submitted = world.submit(study, &csv).await.unwrap();
    world.close(study).await;
    let result = serde_json::to_value(world.result(study).await.unwrap()).unwrap();
    assert_eq!(result["records"], submitted.records);
    let expected: Value = serde_json::from_str(EXPECTED).unwrap();
    let mut differences = Vec::new();
    let mut kinds = BTreeSet::new();
    for statistic in result["statistics"].as_array().unwrap() {
        let name = statistic["name"].as_str().unwrap();
        kinds.insert(statistic["kind"].as_str().unwrap().to_owned());
        let expected = expected["statistics"][name].as_array().unwrap();
        let cells = statistic["cells"].as_array().unwrap();
        assert_eq!(cells.len(), expected.len(), "{name}");
        for (cell, expected) in cells.iter().zip(expected) {
            for key in ["by", "count", "value"] {
                let place = format!("{name} {} {key}", cell["by"]);
                compare::note_differences(&place, &cell[key], &expected[key], &mut differences);
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    let all: BTreeSet<_> = study::statistic::kinds().map(|kind| kind.name().to_owned()).collect();
    assert_eq!(kinds, all, "a kind without a statistic here");
    world.end().await;
}

//! Small cells: their values are never opened, and the result says that they are withheld.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on, stops")]

use sotto_tests::World;
use study::Plan;

const STUDY: &str = r#"
title = "Wages by region"
[privacy]
min_records = 3
min_cell = 3
[[column]]
name = "wage"
type = "integer"
min = 0
max = 1000
[[column]]
name = "region"
type = "category"
values = ["North", "South", "West"]
[[statistic]]
name = "mean wage"
kind = "mean"
of = "wage"
by = ["region"]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_value_of_a_small_cell_is_opened_to_nobody() {
    let world = World::servers(3).await;
    let study = world.create(STUDY).await;
    let csv = "wage,region\n100,North\n200,North\n300,North\n777,South\n888,South\n999,West\n";
    let csv = world.file("wages.csv", csv);
    world.submit(study, &csv).await.unwrap();
    world.close(study).await;
    let document = world.result(study).await.unwrap();
    let result = serde_json::to_value(&document).unwrap();
    let cells = &result["statistics"][0]["cells"];
    assert_eq!((&cells[0]["value"], &cells[0]["suppressed"]), (&200.0.into(), &false.into()));
    for small in [1, 2] {
        assert_eq!(cells[small]["value"], serde_json::Value::Null, "{result:#}");
        assert_eq!(cells[small]["count"], serde_json::Value::Null, "{result:#}");
        assert_eq!(cells[small]["suppressed"], true);
    }
    // What the servers published has no total for the values of the small cells at all.
    let published = world.published(study).await;
    let definition = client::studies::show(&world.profile(), study).await.unwrap().definition;
    assert_eq!(published.totals.len(), Plan::new(&definition).unwrap().coordinates());
    let opened: Vec<i128> = published.totals.iter().flatten().copied().collect();
    assert!(opened.contains(&600), "the large cell's sum: {opened:?}");
    assert!(!opened.contains(&(777 + 888)) && !opened.contains(&999), "{opened:?}");
    assert_eq!(published.totals.iter().filter(|total| total.is_none()).count(), 2);
    world.end().await;
}

//! End to end: real servers, the client library, and the plaintext answer beside the result.

use sotto_tests::World;

const STUDY: &str = r#"
title = "Wages"
max_records = 10_000
[privacy]
min_records = 3
[[column]]
name = "age"
type = "integer"
min = 16
max = 99
[[column]]
name = "wage"
type = "decimal"
decimals = 2
min = 0
max = 500
missing = "allowed"
[[column]]
name = "region"
type = "category"
values = ["North", "South"]
[[column]]
name = "union"
type = "boolean"
[[statistic]]
name = "people"
kind = "count"
[[statistic]]
name = "people by region"
kind = "count"
by = ["region"]
[[statistic]]
name = "wage by region"
kind = "mean"
of = "wage"
by = ["region"]
[[statistic]]
name = "ages"
kind = "sum"
of = "age"
[[statistic]]
name = "unionised"
kind = "share"
of = "union"
"#;

const CSV: &str = "region,age,note,wage,union\n\
    North,30,x,20.50,true\n\
    South,41,y,,no\n\
    North,52,z,30.25,1\n\
    South,63,\"a, b\",10.01,false\n\
    North,17,,NA,yes\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_result_is_the_plaintext_answer_for_two_three_and_four_servers() {
    for k in [2, 3, 4] {
        let world = World::servers(k).await;
        let study = world.create(STUDY).await;
        let csv = world.file("wages.csv", CSV);
        let report = world.submit(study, &csv).await.unwrap();
        assert_eq!(report.records, 5);
        world.close(study).await;
        let result = serde_json::to_value(world.result(study).await.unwrap()).unwrap();
        assert_eq!(result["records"], 5, "{result:#}");
        assert_eq!(result["servers"].as_array().unwrap().len(), k);
        let cells = |statistic: usize| result["statistics"][statistic]["cells"].clone();
        assert_eq!(cells(0)[0]["value"], 5);
        assert_eq!(cells(1)[0]["value"], 3);
        assert_eq!(cells(1)[1]["value"], 2);
        assert_eq!(cells(2)[0]["value"], 25.375);
        assert_eq!(cells(2)[0]["count"], 2);
        assert_eq!(cells(2)[1]["value"], 10.01);
        assert_eq!(cells(3)[0]["value"], 203);
        assert_eq!(cells(4)[0]["value"], 0.6);
        world.end().await;
    }
}

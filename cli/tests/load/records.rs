//! Records: very many of one provider.

use std::time::{Duration, Instant};

use super::{
    end, print_use,
    process::DEADLINE,
    providers::{assert_sum, open},
    serve_cluster::Servers,
    size,
};

/// Longer than a record takes on a slow machine.
const OF_RECORD: Duration = Duration::from_millis(10);

#[test]
fn a_provider_with_very_many_records_is_counted_exactly() {
    let count = size("SOTTO_RECORDS", 20_000);
    let servers = Servers::new();
    let client = servers.client.clone();
    let study = open(&servers);
    let ages = || (0..count).map(|row| row % 101);
    let rows: String = ages().map(|age| format!("{age}\n")).collect();
    client.write("ages.csv", format!("age\n{rows}"));
    print_use(&servers, "before");
    let mut submit = client.start(&["submit", &study, "ages.csv", "--json"]);
    let (started, longest) = (Instant::now(), DEADLINE + OF_RECORD * u32::try_from(count).unwrap());
    while submit.is_running() {
        assert!(started.elapsed() < longest, "no end of submitting: {}", submit.stderr());
        std::thread::sleep(Duration::from_millis(200));
    }
    let report = submit.wait().json();
    println!("submitted in {} s", report[0]["elapsed_seconds"]);
    print_use(&servers, "submitted");
    assert_eq!(report[0]["records"], count);
    client.close(&study);
    assert_sum(&client.result(&study), count, ages().sum());
    print_use(&servers, "published");
    end(servers);
}

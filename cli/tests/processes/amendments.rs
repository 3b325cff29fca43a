//! `sotto submit --replace` and `sotto withdraw`: what people see, and what counts in the end.

use super::{
    dev_cluster::Dev,
    one_hot::{self, assert_everybody_counts_once},
    process::wait_until,
};

#[test]
fn a_corrected_file_counts_in_place_of_the_first_and_a_withdrawn_one_not_at_all() {
    let dev = Dev::new();
    let client = &dev.client;
    let id = client.create(&one_hot::study(6));
    // The first file has somebody twice, who is also in the second file.
    client.write("first.csv", "who\np000\np001\np001\np004\n");
    client.write("second.csv", one_hot::people(4..6));
    client.write("extra.csv", one_hot::people(0..3));
    let first = client.run(&["submit", &id, "first.csv", "--batch", "1"]).ok().stdout;
    client.run(&["submit", &id, "second.csv"]).ok();
    let extra = client.run(&["submit", &id, "extra.csv"]).ok().stdout;

    client.write("corrected.csv", one_hot::people(0..4));
    let replace = ["submit", &id, "corrected.csv", "--replace", "first.csv.receipts"];
    let replaced = client.run(&replace).ok();
    assert!(replaced.stderr.contains("replaces 4 submissions of first.csv.receipts"));
    assert!(replaced.stdout.ends_with("receipts: corrected.csv.receipts\n"), "{}", replaced.stdout);
    assert_eq!(client.run(&replace).ok().stdout, replaced.stdout, "again, and nothing is done");
    let json = client.run(&[&replace[..], &["--json"]].concat()).json();
    assert_eq!(json[0]["replaced"]["submissions"], 4);

    let withdrawn = client.run(&["withdraw", "extra.csv.receipts"]).ok();
    assert_eq!(extra, format!("{}receipts: extra.csv.receipts\n", withdrawn.stdout));
    assert!(withdrawn.stderr.contains("withdrawn, acknowledged by alpha, beta, gamma"));
    let again = client.run(&["withdraw", "extra.csv.receipts", "--json"]).json();
    assert_eq!((&again["earlier"], &again["study"]), (&true.into(), &id.as_str().into()));

    client
        .run(&["submit", &id, "first.csv", "--batch", "1"])
        .refused(2, &["corrected.csv.receipts"]);
    client.run(&["withdraw", "first.csv.receipts"]).refused(2, &["corrected.csv.receipts"]);
    client.run(&["submit", &id, "extra.csv"]).refused(2, &["withdrawn", "--receipts"]);
    client.close(&id);
    let result = client.result(&id);
    assert_eq!((&result["records"], &result["rejected"]), (&6.into(), &5.into()));
    let cells = result["statistics"][0]["cells"].as_array().unwrap();
    assert!(cells.iter().all(|cell| cell["value"] == 1), "{result}");
    assert_eq!(first.lines().count(), 5);
    // Too late: what was submitted counts.
    client.run(&["withdraw", "second.csv.receipts"]).refused(7, &["too late", "counts"]);
    client.write("late.csv", one_hot::people(0..2));
    client
        .run(&["submit", &id, "late.csv", "--replace", "corrected.csv.receipts"])
        .refused(7, &["too late", "counts"]);
    assert!(!client.has("late.csv.receipts"), "nothing was begun");
}

#[test]
fn the_same_file_corrected_in_place_gets_receipts_of_its_own() {
    let dev = Dev::new();
    let client = &dev.client;
    let id = client.create(&one_hot::study(3));
    client.write("people.csv", "who\np000\np000\n");
    client.run(&["submit", &id, "people.csv"]).ok();
    client.write("people.csv", one_hot::people(0..2));
    let replace = ["submit", &id, "people.csv", "--replace", "people.csv.receipts"];
    let replaced = client.run(&replace).ok().stdout;
    assert!(replaced.ends_with("receipts: people.csv.1.receipts\n"), "{replaced}");
    // Once more: the newer receipts are those to replace.
    client.write("people.csv", one_hot::people(0..3));
    client.run(&replace).refused(2, &["replaced by", "people.csv.1.receipts"]);
    let replace = ["submit", &id, "people.csv", "--replace", "people.csv.1.receipts"];
    let taken = [&replace[..], &["--receipts", "people.csv.receipts"]].concat();
    client.run(&taken).refused(2, &["people.csv.receipts", "another upload", "--receipts"]);
    let replaced = client.run(&replace).ok().stdout;
    assert!(replaced.ends_with("receipts: people.csv.2.receipts\n"), "{replaced}");
    client.close(&id);
    let result = client.result(&id);
    assert_eq!((&result["records"], &result["submissions"]), (&3.into(), &1.into()));
    assert!(result["statistics"][0]["cells"].as_array().unwrap().iter().all(|c| c["value"] == 1));
}

#[test]
fn a_replacement_that_is_killed_under_way_goes_on_and_counts_everybody_once() {
    const PEOPLE: usize = 60;
    let dev = Dev::new();
    let client = &dev.client;
    let id = client.create(&one_hot::study(PEOPLE));
    client.write("half.csv", one_hot::people(0..PEOPLE / 2));
    client.run(&["submit", &id, "half.csv", "--batch", "7"]).ok();
    client.write("all.csv", one_hot::people(0..PEOPLE));
    let replace = ["submit", &id, "all.csv", "--batch", "1", "--replace", "half.csv.receipts"];
    // Killed before anything, at the first batches, and at some later moment.
    for wait in [None, Some("all.csv.receipts.pending/000001"), Some("all.csv.receipts")] {
        let under_way = client.start(&replace);
        if let Some(file) = wait {
            wait_until("the upload", || client.has(file) || under_way.stdout() != "");
        }
        under_way.kill();
    }
    client.run(&replace).ok();
    client.close(&id);
    let result = client.result(&id);
    assert_eq!((&result["records"], &result["rejected"]), (&PEOPLE.into(), &5.into()));
    assert_everybody_counts_once(&without_rejected(result), PEOPLE);
}

/// The result, as if nothing had been replaced.
fn without_rejected(mut result: serde_json::Value) -> serde_json::Value {
    result["rejected"] = 0.into();
    result
}

//! One server of three whose disk fails in every way that it can, and then loses power: what was
//! acknowledged is there.

use std::{fs, thread, time::Duration};

use super::{
    super::{
        one_hot::{self, assert_everybody_counts_once},
        process::wait_until,
        serve_cluster::Servers,
    },
    faulty::Faulty,
    is_refusing, is_serving, rounds,
};

const BETA: usize = 1;
const FAULTS: [&str; 3] = ["fsync", "write", "room"];
/// People of one round.
const SOME: usize = 8;

#[test]
fn what_a_failing_disk_acknowledged_survives_a_loss_of_power() {
    let rounds = rounds(FAULTS.len());
    let people = SOME * (rounds + 1);
    let mut servers = Servers::new();
    let client = servers.client.clone();
    // Its whole life is on that disk.
    servers.kill(BETA);
    let data = servers.dir.path().join("beta/data");
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(data.join(format!("sotto.db{suffix}")));
    }
    let faulty = Faulty::new(servers.dir.path().join("faulty"));
    servers.start_with(BETA, |serve| faulty.put_under(serve));
    wait_until("beta to serve", || is_serving(&servers, BETA));

    let id = client.create(&one_hot::study(people));
    servers.approve(&id);
    client.write("people.csv", one_hot::people(0..SOME));
    client.run(&["submit", &id, "people.csv", "--batch", "2"]).ok();
    for round in 1..=rounds {
        let csv = format!("people-{round}.csv");
        client.write(&csv, one_hot::people(SOME * round..SOME * (round + 1)));
        let before = faulty.failures();
        faulty.fail(FAULTS[round % FAULTS.len()]);
        // It is seen by the first write.
        let hasty = client.run(&["submit", &id, &csv, "--batch", "1", "--timeout", "1"]);
        assert_eq!(hasty.code, Some(5), "{}", hasty.stderr);
        hasty.says(&["beta", "disk", "run the same command again"]);
        let receipts = fs::read_to_string(client.dir.join(format!("{csv}.receipts"))).unwrap();
        assert_eq!(receipts.lines().count(), 1, "no receipt: {receipts}");
        assert!(is_refusing(&servers, BETA));
        assert!(faulty.failures() > before);
        // Other moments in other rounds.
        let patient = client.start(&["submit", &id, &csv, "--batch", "1"]);
        thread::sleep(Duration::from_millis((round as u64 * 397) % 1_500));
        faulty.work();
        patient.wait().ok();
        wait_until("beta to serve", || is_serving(&servers, BETA));
        servers.kill(BETA);
        faulty.lose_power(&data);
        servers.start_with(BETA, |serve| faulty.put_under(serve));
        // It listens before it has opened its database.
        wait_until("beta to serve", || is_serving(&servers, BETA));
    }
    client.close(&id);
    assert_everybody_counts_once(&client.result(&id), people);
}

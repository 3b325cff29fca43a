//! Soak: studies created and ended over and over, connections opened and closed, results fetched; and
//! the servers use in the end what they used in the middle.

use std::time::{Duration, Instant};

use super::{
    end,
    health::{descriptors, memory},
    one_hot,
    serve_cluster::{NAMES, Servers},
    size,
};

/// What the second half may use more than the first: memory, of which an allocator does not give all
/// back, and connections that happen to be open.
const MEMORY: u64 = 8 << 20;
const DESCRIPTORS: usize = 3;
/// Studies may have ended at every server: as many as one study takes.
const PEOPLE: usize = 4;

/// What a server used after each round.
#[derive(Default)]
struct Used {
    memory: Vec<u64>,
    /// None where this test may not know.
    descriptors: Vec<Option<usize>>,
}

#[test]
fn memory_and_descriptors_stay_flat_while_studies_come_and_go() {
    let duration = Duration::from_secs(size("SOTTO_SOAK", 20) as u64);
    let servers = Servers::new();
    let client = servers.client.clone();
    client.write("people.csv", one_hot::people(0..PEOPLE));
    let mut used: [Used; 3] = Default::default();
    let (begun, mut rounds) = (Instant::now(), 0);
    while begun.elapsed() < duration || rounds < 6 {
        round(&servers);
        rounds += 1;
        for (server, used) in used.iter_mut().enumerate() {
            let pid = servers.process(server).id();
            used.memory.push(memory(pid));
            used.descriptors.push(descriptors(pid));
        }
    }
    for (used, name) in used.iter().zip(NAMES) {
        let half = rounds / 2;
        let memory = |part: &[u64]| *part.iter().max().unwrap();
        let open = |part: &[Option<usize>]| *part.iter().max().unwrap();
        let (first, second) = used.memory.split_at(half);
        let (first, second) = (memory(first), memory(second));
        println!("{name}: {} then {} KiB in {rounds} rounds", first >> 10, second >> 10);
        assert!(second <= first + MEMORY, "{name}: {:?}", used.memory);
        let (first, second) = used.descriptors.split_at(half);
        let (first, second) = (open(first), open(second));
        println!("{name}: {first:?} then {second:?} descriptors");
        assert!(second <= first.map(|first| first + DESCRIPTORS), "{name}: {:?}", used.descriptors);
    }
    end(servers);
}

/// One study from its beginning to its result, and one that is given up.
fn round(servers: &Servers) {
    let client = &servers.client;
    let study = client.create(&one_hot::study(PEOPLE));
    servers.approve(&study);
    let receipts = format!("receipts-{study}");
    client.run(&["submit", &study, "people.csv", "--batch", "1", "--receipts", &receipts]).ok();
    client.close(&study);
    one_hot::assert_everybody_counts_once(&client.result(&study), PEOPLE);
    let given_up = client.create(&one_hot::study(PEOPLE));
    client.run(&["study", "cancel", &given_up]).ok();
}

//! The contract of lives: an age that rises with all that is durable, and what is remembered of peers.

use mpc::{
    ids::RunId,
    sign::{PublicKey, Signature},
};

use super::{AMPLE, Place, filled, study, submission};
use crate::storage::{Life, Sighting, Storage};

/// A sighting of the peer `peer`, whose every byte depends on the numbers.
fn sighting(peer: u8, database: u8, age: u64) -> Sighting {
    Sighting {
        peer: PublicKey([peer; 32]),
        life: Life { identity: [database; 16], age },
        signature: Signature([database; 64]),
        seen_ms: 1_000 * u64::from(database) + age,
    }
}

/// The age rises with whatever changes something and with nothing else, is never what it was before,
/// and stays after a crash; two storages are told apart by their identities.
pub async fn check_the_age_rises_with_every_change<P: Place>(place: P, another: P) {
    let storage = place.open().await;
    let first = storage.life().await.unwrap();
    let id = filled(&storage, 1, &[1]).await;
    let mut last = storage.life().await.unwrap();
    assert_eq!(last.identity, first.identity);
    assert!(last.age > first.age);
    assert!(!storage.insert_study(study(1)).await.unwrap());
    storage.put_submission(id, submission(1), AMPLE).await.unwrap();
    assert_eq!(storage.life().await.unwrap(), last, "nothing has changed");
    storage.put_submission(id, submission(2), AMPLE).await.unwrap();
    for run in 0..5 {
        let now = storage.life().await.unwrap();
        assert!(now.age > last.age);
        last = now;
        assert!(storage.begin_run(id, RunId([run; 16])).await.unwrap());
    }
    last = storage.life().await.unwrap();
    let crashed = place.crash().await.open().await.life().await.unwrap();
    assert_eq!(crashed.identity, last.identity);
    assert!(crashed.age >= last.age);
    let other = another.open().await.life().await.unwrap();
    assert_ne!(other.identity, last.identity);
}

/// Of each database of a peer the furthest sighting stays, also after a crash.
pub async fn check_the_furthest_sighting_stays<P: Place>(place: P) {
    let storage = place.open().await;
    let sight = async |peer, database, age| {
        let new = sighting(peer, database, age);
        let sighted = storage.sight(new).await.unwrap();
        (sighted.furthest.life.age, sighted.is_another)
    };
    assert!(storage.sightings(PublicKey([1; 32])).await.unwrap().is_empty());
    assert_eq!(sight(1, 1, 10).await, (10, false));
    assert_eq!(sight(1, 1, 9).await, (10, false), "behind");
    assert_eq!(sight(1, 1, 10).await, (10, false));
    assert_eq!(sight(1, 1, 12).await, (12, false));
    assert_eq!(sight(1, 2, 3).await, (3, true), "another database of the same peer");
    assert_eq!(sight(1, 2, 4).await, (4, false));
    assert_eq!(sight(1, 1, 11).await, (12, false), "the former one is not forgotten");
    assert_eq!(sight(2, 1, 1).await, (1, false), "another peer");
    let crashed = place.crash().await.open().await;
    for storage in [&storage, &crashed] {
        let seen = storage.sightings(PublicKey([1; 32])).await.unwrap();
        assert_eq!(seen, [sighting(1, 1, 12), sighting(1, 2, 4)]);
    }
}

/// A peer that begins anew again and again fills nothing: its last 16 databases are remembered.
pub async fn check_databases_of_a_peer_are_few<P: Place>(place: P) {
    let storage = place.open().await;
    for database in 1..=40 {
        storage.sight(sighting(1, database, 5)).await.unwrap();
    }
    let seen = storage.sightings(PublicKey([1; 32])).await.unwrap();
    let databases: Vec<_> = seen.iter().map(|sighting| sighting.life.identity[0]).collect();
    assert_eq!(databases, (25..=40).collect::<Vec<u8>>());
}

/// A storage that works says so, and its health is a durable change.
pub async fn check_a_storage_that_works_says_so<P: Place>(place: P) {
    let storage = place.open().await;
    assert!(storage.failure().borrow().is_none());
    let before = storage.life().await.unwrap();
    storage.health().await.unwrap();
    assert!(storage.life().await.unwrap().age > before.age);
}

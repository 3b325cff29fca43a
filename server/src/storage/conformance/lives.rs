//! The contract of lives: an age that rises with all that is durable, and what is remembered of peers.

use mpc::{
    ids::RunId,
    sign::{PublicKey, Signature},
};

use super::{AMPLE, Place, filled, study, submission};
use crate::storage::{Life, Moment, Sighting, Start, Storage};

/// A sighting of the peer `peer` in the second start of a database that began with 10 transactions,
/// and the whole life of it.
fn sighting(peer: u8, database: u8, age: u64) -> (Sighting, Life) {
    let now = Moment { identity: [database; 16], start: [2; 16], age };
    let sighting = Sighting {
        peer: PublicKey([peer; 32]),
        moment: now,
        signature: Signature([database; 64]),
        seen_ms: 1_000 * u64::from(database) + age,
    };
    let start = |start, age| Start { start: [start; 16], age };
    (sighting, Life { now, starts: vec![start(1, 0), start(2, 10)] })
}

/// The age rises with whatever changes something and with nothing else, is never what it was before,
/// and stays after a crash; two storages are told apart by their identities.
pub async fn check_the_age_rises_with_every_change<P: Place>(place: P, another: P) {
    let storage = place.open().await;
    let first = storage.life().await.unwrap();
    let id = filled(&storage, 1, &[1]).await;
    let mut last = storage.life().await.unwrap();
    assert_eq!(last.now.identity, first.now.identity);
    assert!(last.now.age > first.now.age);
    assert!(!storage.insert_study(study(1)).await.unwrap());
    storage.put_submission(id, submission(1), AMPLE).await.unwrap();
    assert_eq!(storage.life().await.unwrap(), last, "nothing has changed");
    storage.put_submission(id, submission(2), AMPLE).await.unwrap();
    for run in 0..5 {
        let now = storage.life().await.unwrap();
        assert!(now.now.age > last.now.age);
        last = now;
        assert!(storage.begin_run(id, RunId([run; 16])).await.unwrap());
    }
    last = storage.life().await.unwrap();
    let crashed = place.crash().await.open().await.life().await.unwrap();
    assert!(crashed.remembers(&last.now) && !last.remembers(&crashed.now));
    assert_eq!(crashed.starts.len(), last.starts.len() + 1);
    let other = another.open().await.life().await.unwrap();
    assert_ne!(other.now.identity, last.now.identity);
}

/// A copy of a database that is opened again does not remember what the database did since, whatever
/// it does.
pub async fn check_an_old_copy_does_not_remember<P: Place>(place: P) {
    let storage = place.open().await;
    let id = filled(&storage, 1, &[1]).await;
    let copied = place.crash().await;
    assert!(storage.begin_run(id, RunId([1; 16])).await.unwrap());
    let seen = storage.life().await.unwrap().now;
    let copy = copied.open().await;
    for run in 0..20 {
        assert!(!copy.life().await.unwrap().remembers(&seen));
        assert!(copy.begin_run(id, RunId([100 + run; 16])).await.unwrap());
    }
    assert!(copy.life().await.unwrap().now.age > seen.age);
    copy.close().await;
    assert!(!copied.open().await.life().await.unwrap().remembers(&seen));
    assert!(place.crash().await.open().await.life().await.unwrap().remembers(&seen));
}

/// Of each database of a peer the furthest sighting stays, also after a crash.
pub async fn check_the_furthest_sighting_stays<P: Place>(place: P) {
    let storage = place.open().await;
    let sight = async |peer, database, age| {
        let (new, life) = sighting(peer, database, age);
        let sighted = storage.sight(new, life).await.unwrap();
        (sighted.furthest.moment.age, sighted.is_another)
    };
    assert!(storage.sightings(PublicKey([1; 32])).await.unwrap().is_empty());
    assert_eq!(sight(1, 1, 20).await, (20, false));
    assert_eq!(sight(1, 1, 19).await, (20, false), "behind");
    assert_eq!(sight(1, 1, 20).await, (20, false));
    assert_eq!(sight(1, 1, 22).await, (22, false));
    assert_eq!(sight(1, 2, 13).await, (13, true), "another database of the same peer");
    assert_eq!(sight(1, 2, 14).await, (14, false));
    assert_eq!(sight(1, 1, 21).await, (22, false), "the former one is not forgotten");
    assert_eq!(sight(2, 1, 11).await, (11, false), "another peer");
    // Started from a copy, it goes on as far as it likes.
    let (mut new, mut life) = sighting(1, 1, 99);
    let copied = Start { start: [3; 16], age: 21 };
    life.starts.push(copied);
    (new.moment.start, life.now.start) = (copied.start, copied.start);
    assert_eq!(storage.sight(new, life.clone()).await.unwrap().furthest.moment.age, 22);
    // Started where it was seen last.
    life.starts[2].age = 22;
    let crashed = place.crash().await.open().await;
    for storage in [&storage, &crashed] {
        let seen = storage.sightings(PublicKey([1; 32])).await.unwrap();
        assert_eq!(seen, [sighting(1, 1, 22).0, sighting(1, 2, 14).0]);
        assert_eq!(storage.sight(new, life.clone()).await.unwrap().furthest, new);
    }
}

/// A peer that begins anew again and again fills nothing: its last 16 databases are remembered.
pub async fn check_databases_of_a_peer_are_few<P: Place>(place: P) {
    let storage = place.open().await;
    for database in 1..=40 {
        let (new, life) = sighting(1, database, 15);
        storage.sight(new, life).await.unwrap();
    }
    let seen = storage.sightings(PublicKey([1; 32])).await.unwrap();
    let databases: Vec<_> = seen.iter().map(|sighting| sighting.moment.identity[0]).collect();
    assert_eq!(databases, (25..=40).collect::<Vec<u8>>());
}

/// A storage that works says so, and its health is a durable change.
pub async fn check_a_storage_that_works_says_so<P: Place>(place: P) {
    let storage = place.open().await;
    assert!(storage.failure().borrow().is_none());
    let before = storage.life().await.unwrap();
    storage.health().await.unwrap();
    assert!(storage.life().await.unwrap().now.age > before.now.age);
}

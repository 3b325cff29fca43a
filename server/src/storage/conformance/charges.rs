//! The contract of the ledger: an opening is charged once, never beyond the budget, and keeps its
//! noise.

use std::sync::Arc;

use mpc::ids::StudyId;
use zeroize::Zeroizing;

use super::{Place, filled, finish, study};
use crate::storage::{Charge, Charged, Storage, StorageError, StudyState};

/// The first charge of an opening stays with its noise; a repeated one charges nothing.
pub async fn check_an_opening_is_charged_once_and_keeps_its_noise<P: Place>(place: P) {
    let storage = place.open().await;
    let (one, two) = (filled(&storage, 1, &[1]).await, filled(&storage, 2, &[1]).await);
    assert_eq!(storage.counts(one).await.unwrap().charged, 0);
    assert_eq!(storage.charge(one, charge(0, 2, b"first")).await.unwrap(), noise(b"first"));
    assert_eq!(storage.charge(one, charge(0, 2, b"again")).await.unwrap(), noise(b"first"));
    assert_eq!(storage.counts(one).await.unwrap().charged, 2);
    assert_eq!(storage.charge(one, charge(1, 3, b"second")).await.unwrap(), noise(b"second"));
    assert_eq!(storage.charge(one, charge(0, 2, b"again")).await.unwrap(), noise(b"first"));
    assert_eq!(storage.counts(one).await.unwrap().charged, 5);
    assert_eq!(storage.counts(two).await.unwrap().charged, 0, "another study has its own budget");
    assert_eq!(storage.charge(two, charge(0, 1, b"other")).await.unwrap(), noise(b"other"));
    let unknown = storage.charge(study(9).id, charge(0, 1, b"x")).await;
    assert!(matches!(unknown, Err(StorageError::UnknownStudy(_))));
}

/// What would exceed the budget is refused and changes nothing; the last of it may be used.
pub async fn check_charges_never_exceed_the_budget<P: Place>(place: P) {
    let storage = place.open().await;
    let id = filled(&storage, 1, &[1]).await;
    let put = async |opening, cost, noise: &[u8]| {
        storage.charge(id, charge(opening, cost, noise)).await.unwrap()
    };
    assert_eq!(put(0, BUDGET + 1, b"a").await, Charged::Exceeded { charged: 0 });
    assert_eq!(put(0, u64::MAX, b"a").await, Charged::Exceeded { charged: 0 });
    assert_eq!(put(0, BUDGET - 1, b"b").await, noise(b"b"));
    assert_eq!(put(1, 2, b"c").await, Charged::Exceeded { charged: BUDGET - 1 });
    assert_eq!(put(1, u64::MAX, b"c").await, Charged::Exceeded { charged: BUDGET - 1 });
    assert_eq!(storage.counts(id).await.unwrap().charged, BUDGET - 1);
    assert_eq!(put(1, 1, b"d").await, noise(b"d"));
    assert_eq!(put(2, 1, b"e").await, Charged::Exceeded { charged: BUDGET });
    assert_eq!(put(2, 0, b"f").await, noise(b"f"), "what costs nothing may be opened");
    assert_eq!(put(0, BUDGET - 1, b"g").await, noise(b"b"), "what is charged stays so");
    assert_eq!(storage.counts(id).await.unwrap().charged, BUDGET);
}

/// An opening cannot be charged for some coordinates and used for others.
pub async fn check_a_charge_is_for_its_coordinates<P: Place>(place: P) {
    let storage = place.open().await;
    let id = filled(&storage, 1, &[1]).await;
    let of = |coordinates: &[u32], noise| Charge {
        coordinates: coordinates.to_vec(),
        ..charge(0, 1, noise)
    };
    assert_eq!(storage.charge(id, of(&[0, 1], b"a")).await.unwrap(), noise(b"a"));
    for others in [&[0][..], &[1, 0], &[0, 1, 2], &[], &[0, 257]] {
        let outcome = storage.charge(id, of(others, b"b")).await.unwrap();
        assert_eq!(outcome, Charged::OtherCoordinates, "{others:?}");
    }
    assert_eq!(storage.charge(id, of(&[0, 1], b"c")).await.unwrap(), noise(b"a"));
    assert_eq!(storage.counts(id).await.unwrap().charged, 1);
}

/// A process that is killed right after the answer finds the charge and the noise again.
pub async fn check_a_charge_survives_a_crash<P: Place>(place: P) {
    let storage = place.open().await;
    let id = filled(&storage, 1, &[1]).await;
    storage.charge(id, charge(0, 2, b"first")).await.unwrap();
    let crashed = place.crash().await;
    storage.close().await;
    let storage = crashed.open().await;
    assert_eq!(storage.counts(id).await.unwrap().charged, 2);
    assert_eq!(storage.charge(id, charge(0, 2, b"again")).await.unwrap(), noise(b"first"));
    assert_eq!(storage.counts(id).await.unwrap().charged, 2);
}

/// Of charges that arrive together, one is made, and all get its noise.
pub async fn check_concurrent_charges_get_one_noise<P: Place>(place: P) {
    let storage = Arc::new(place.open().await);
    let id = filled(&*storage, 1, &[1]).await;
    let charges: Vec<_> = (0..20u8)
        .map(|tag| {
            let storage = Arc::clone(&storage);
            tokio::spawn(async move { storage.charge(id, charge(0, 2, &[tag])).await.unwrap() })
        })
        .collect();
    let mut outcomes = Vec::new();
    for charge in charges {
        outcomes.push(charge.await.unwrap());
    }
    assert!(matches!(&outcomes[0], Charged::Noise(noise) if noise.len() == 1));
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]));
    assert_eq!(storage.counts(id).await.unwrap().charged, 2);
}

/// An ended study gives no noise, not even what it gave before, and still says what was charged.
pub async fn check_an_ended_study_is_not_charged<P: Place>(place: P) {
    for scrub in [false, true] {
        let storage = place.open().await;
        let id = filled(&storage, if scrub { 1 } else { 2 }, &[1]).await;
        storage.charge(id, charge(0, 2, b"first")).await.unwrap();
        assert!(storage.finish(id, finish(StudyState::Published, 0, scrub)).await.unwrap());
        for opening in [0, 1] {
            let outcome = storage.charge(id, charge(opening, 2, b"late")).await.unwrap();
            assert_eq!(outcome, Charged::Ended);
        }
        assert_eq!(storage.counts(id).await.unwrap().charged, 2);
        storage.close().await;
    }
}

const BUDGET: u64 = 6;

fn charge(opening: u8, cost: u64, noise: &[u8]) -> Charge {
    let noise = Zeroizing::new(noise.to_vec());
    Charge { opening, coordinates: vec![3, 4], cost, budget: BUDGET, noise }
}

fn noise(bytes: &[u8]) -> Charged {
    Charged::Noise(Zeroizing::new(bytes.to_vec()))
}

/// Charges the first opening of a study, with this noise.
pub(super) async fn charged_with(storage: &impl Storage, id: StudyId, bytes: &[u8]) {
    assert_eq!(storage.charge(id, charge(0, 2, bytes)).await.unwrap(), noise(bytes));
}

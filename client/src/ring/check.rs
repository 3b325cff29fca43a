//! Check: letters that are the same on all screens exactly when everybody was told the same seats,
//! names and keys.
//!
//! A host that puts itself between two pupils has to tell them different keys, and it chooses both
//! rosters: it may look for any two with the same letters, for which 40 of 80 bits have to be tried
//! out. [`ROUNDS`] makes each attempt dear, so that it costs what 57 bits would.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
};

use ::ring::pbkdf2;
use data_encoding::BASE32_NOPAD;
use mpc::{dst, ring::Protocol};

use super::{name::Named, wire::Contact};

const GROUP: usize = 4;
/// 80 bits: sixteen letters.
const BYTES: usize = 10;
/// 2^17; a few hundredths of a second.
const ROUNDS: NonZeroU32 = NonZeroU32::MIN.saturating_add((1 << 17) - 1);
/// Rosters whose letters are remembered.
const REMEMBERED: usize = 64;

/// What was computed: a class in one process has one roster for all its pupils. Nothing of it is
/// secret.
static SHOWN: Mutex<BTreeMap<[u8; 32], String>> = Mutex::new(BTreeMap::new());

/// The letters of a round: `k7f3-9x2m-abcd-efgh`.
pub fn of(protocol: Protocol, roster: &[(Named, Contact)]) -> String {
    let mut parts: Vec<Vec<u8>> = vec![protocol.name().into()];
    for (named, contact) in roster {
        parts.push(named.id.0.to_be_bytes().to_vec());
        parts.push(named.name.clone().into_bytes());
        parts.push(contact.key.0.to_vec());
        parts.push(contact.pin.0.to_vec());
    }
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let digest = dst::hash(dst::RING_ROSTER, &parts);
    // Whoever comes meanwhile waits for the same letters, and does not compute them again.
    let mut shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if shown.len() >= REMEMBERED {
        shown.clear();
    }
    shown.entry(digest).or_insert_with(|| letters(&digest)).clone()
}

fn letters(digest: &[u8; 32]) -> String {
    let mut derived = [0; BYTES];
    let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
    pbkdf2::derive(algorithm, ROUNDS, dst::RING_ROSTER, digest, &mut derived);
    let letters: Vec<char> = BASE32_NOPAD.encode(&derived).to_lowercase().chars().collect();
    let groups: Vec<String> = letters.chunks(GROUP).map(|group| group.iter().collect()).collect();
    groups.join("-")
}

#[cfg(test)]
mod tests {
    use mpc::sign::PublicKey;
    use proto::pin::Pin;

    use super::*;
    use crate::ring::name::PupilId;

    #[test]
    fn another_protocol_key_name_or_order_has_another_check() {
        let pupil = |number: u16, name: &str, key: u8| {
            let contact = Contact {
                address: "127.0.0.1:1".into(),
                pin: Pin([key; 32]),
                key: PublicKey([key; 32]),
            };
            (Named::new(PupilId(number), name), contact)
        };
        let roster = [pupil(1, "Anna", 1), pupil(2, "Ben", 2)];
        let shown = of(Protocol::Ring, &roster);
        assert_eq!((shown.len(), shown.matches('-').count()), (19, 3));
        assert_eq!(of(Protocol::Ring, &roster.clone()), shown);
        assert_ne!(of(Protocol::Shares, &roster), shown);
        let [anna, ben] = roster.clone();
        for other in [
            [ben.clone(), anna.clone()],
            [anna.clone(), pupil(2, "Ben", 3)],
            [anna, pupil(2, "Eve", 2)],
        ] {
            assert_ne!(of(Protocol::Ring, &other), shown);
        }
    }

    #[test]
    fn the_letters_are_those_that_anybody_can_compute() {
        // hashlib.pbkdf2_hmac("sha256", bytes(32), b"sotto/v1/ring/roster", 2**17, 10)
        assert_eq!(letters(&[0; 32]), "3d4e-bm6b-xcep-2mla");
    }
}

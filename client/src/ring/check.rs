//! Check: a few letters that are the same on all screens exactly when everybody was told the same
//! names, addresses and keys.
//!
//! A host that put itself between two pupils would have to tell them different keys. 60 bits, for
//! the same reason as in [`super::code`]: they have to be found while the class plays.

use data_encoding::BASE32_NOPAD;
use mpc::dst;

use super::{name::Named, wire::Contact};

const GROUP: usize = 4;
const LETTERS: usize = 12;

/// The letters of a roster: `k7f3-9x2m-abcd`.
pub fn of(roster: &[(Named, Contact)]) -> String {
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for (named, contact) in roster {
        parts.push(named.id.0.to_be_bytes().to_vec());
        parts.push(named.name.clone().into_bytes());
        parts.push(contact.key.0.to_vec());
        parts.push(contact.pin.0.to_vec());
    }
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let digest = dst::hash(dst::RING_ROSTER, &parts);
    let letters = BASE32_NOPAD.encode(&digest).to_lowercase();
    let letters: Vec<char> = letters.chars().take(LETTERS).collect();
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
    fn another_key_name_or_order_has_another_check() {
        let pupil = |number: u16, name: &str, key: u8| {
            let contact = Contact {
                address: "127.0.0.1:1".into(),
                pin: Pin([key; 32]),
                key: PublicKey([key; 32]),
            };
            (Named::new(PupilId(number), name), contact)
        };
        let roster = [pupil(1, "Anna", 1), pupil(2, "Ben", 2)];
        let shown = of(&roster);
        assert_eq!((shown.len(), shown.matches('-').count()), (14, 2));
        assert_eq!(of(&roster.clone()), shown);
        let [anna, ben] = roster.clone();
        for other in [
            [ben.clone(), anna.clone()],
            [anna.clone(), pupil(2, "Ben", 3)],
            [anna, pupil(2, "Eve", 2)],
        ] {
            assert_ne!(of(&other), shown);
        }
    }
}

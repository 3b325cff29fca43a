//! What a page does with its key: seals a number for a neighbour, and opens what comes from one.

use aes_gcm::{
    Aes256Gcm, KeyInit as _,
    aead::{Aead as _, Payload},
};
use hkdf::Hkdf;
use mpc::{dst, ids::RunId, ring::Protocol};
use p256::{PublicKey, SecretKey, ecdh::diffie_hellman, elliptic_curve::sec1::ToSec1Point as _};
use rand::RngExt as _;
use sha2::{Digest as _, Sha256};

/// A page's key pair.
pub struct KeyPair(SecretKey);

/// The way of a number, which is bound to it.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    pub run: RunId,
    pub ring: u16,
    pub from: u16,
    pub to: u16,
    /// See [`told`].
    pub round: [u8; 32],
}

/// The hash of a round as a page was told it: seats with their keys.
pub fn told(protocol: Protocol, seats: &[(u16, &str)]) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(dst::RING_ROUND);
    let name = protocol.name().as_bytes();
    hash.update(u16::try_from(name.len()).unwrap().to_be_bytes());
    hash.update(name);
    for (pupil, key) in seats {
        hash.update(pupil.to_be_bytes());
        hash.update(hex::decode(key).unwrap());
    }
    hash.finalize().into()
}

impl KeyPair {
    pub fn draw() -> Self {
        loop {
            // Nearly all strings of 32 bytes are below the order of the curve.
            if let Ok(key) = SecretKey::from_slice(&rand::rng().random::<[u8; 32]>()) {
                return Self(key);
            }
        }
    }

    /// The public key as hex.
    pub fn public(&self) -> String {
        hex::encode(self.0.public_key().to_sec1_point(false).as_bytes())
    }

    /// A number for the pupil with that key: initialisation vector and box, as hex.
    pub fn seal(&self, other: &str, way: Way, value: u64) -> (String, String) {
        let iv: [u8; 12] = rand::rng().random();
        let (cipher, info) = self.cipher(other, way);
        let plaintext = Payload { msg: &value.to_be_bytes(), aad: &info };
        (hex::encode(iv), hex::encode(cipher.encrypt(&iv.into(), plaintext).unwrap()))
    }

    /// The number that came from the pupil with that key, if it can be opened.
    pub fn open(&self, other: &str, way: Way, iv: &str, sealed: &str) -> Option<u64> {
        let iv: [u8; 12] = hex::decode(iv).ok()?.try_into().ok()?;
        let (cipher, info) = self.cipher(other, way);
        let sealed = hex::decode(sealed).ok()?;
        let opened = cipher.decrypt(&iv.into(), Payload { msg: &sealed, aad: &info }).ok()?;
        Some(u64::from_be_bytes(opened.try_into().ok()?))
    }

    fn cipher(&self, other: &str, way: Way) -> (Aes256Gcm, Vec<u8>) {
        let other = PublicKey::from_sec1_bytes(&hex::decode(other).unwrap()).unwrap();
        let shared = diffie_hellman(self.0.to_nonzero_scalar(), other.as_affine());
        let mut info = dst::RING_SEAL.to_vec();
        info.extend([way.ring, way.from, way.to].map(u16::to_be_bytes).concat());
        info.extend(way.round);
        let mut key = [0; 32];
        let derive = Hkdf::<Sha256>::new(Some(&way.run.0), shared.raw_secret_bytes());
        derive.expand(&info, &mut key).unwrap();
        (Aes256Gcm::new(&key.into()), info)
    }
}

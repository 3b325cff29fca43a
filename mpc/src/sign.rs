//! Ed25519 signatures, always over a domain separation string and length-prefixed parts.

use ed25519_dalek::{Signer as _, SigningKey};
use rand::CryptoRng;
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::dst;

/// A secret signing key. Redacted in `Debug`, wiped when dropped.
#[derive(Clone)]
pub struct Signer(SigningKey);

/// A public key that identifies a server, analyst, operator or provider.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

/// An Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

/// A signature that does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

impl Signer {
    /// Draws a new key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut());
        Self::from_seed(&seed)
    }

    /// The key of a 32-byte seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The seed, for writing it into a key file.
    pub fn reveal_seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs `parts` in the domain `dst`.
    pub fn sign(&self, dst: &[u8], parts: &[&[u8]]) -> Signature {
        let mut digest = dst::hash(dst, parts);
        let signature = self.0.sign(&digest).to_bytes();
        digest.zeroize();
        Signature(signature)
    }
}

impl ZeroizeOnDrop for Signer {}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.public())
    }
}

impl PublicKey {
    /// Checks a signature over `parts` in the domain `dst`. Strict: no small-order keys, so that
    /// one signature cannot be valid under two keys.
    pub fn verify(
        &self,
        dst: &[u8],
        parts: &[&[u8]],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        let key = ed25519_dalek::VerifyingKey::from_bytes(&self.0).map_err(|_| BadSignature)?;
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        key.verify_strict(&dst::hash(dst, parts), &signature).map_err(|_| BadSignature)
    }

    /// Whether the bytes are a point of the curve that may serve as a key.
    pub fn is_usable(&self) -> bool {
        ed25519_dalek::VerifyingKey::from_bytes(&self.0).is_ok_and(|key| !key.is_weak())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for PublicKey {
    type Err = crate::ids::IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| crate::ids::IdError { digits: 64 })?;
        Ok(Self(bytes))
    }
}

impl TryFrom<&[u8]> for PublicKey {
    type Error = crate::ids::IdError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        Ok(Self(bytes.try_into().map_err(|_| crate::ids::IdError { digits: 64 })?))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl TryFrom<&[u8]> for Signature {
    type Error = crate::ids::IdError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        Ok(Self(bytes.try_into().map_err(|_| crate::ids::IdError { digits: 128 })?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_domain_parts_and_key_alone() {
        let signer = Signer::from_seed(&[7; 32]);
        let signature = signer.sign(dst::COMMAND, &[b"close", b"x"]);
        let key = signer.public();
        assert!(key.verify(dst::COMMAND, &[b"close", b"x"], &signature).is_ok());
        assert!(key.verify(dst::COMMAND, &[b"closex"], &signature).is_err());
        assert!(key.verify(dst::STUDY_ID, &[b"close", b"x"], &signature).is_err());
        let other = Signer::from_seed(&[8; 32]).public();
        assert!(other.verify(dst::COMMAND, &[b"close", b"x"], &signature).is_err());
    }

    #[test]
    fn a_signing_key_never_prints_its_seed() {
        let signer = Signer::from_seed(&[7; 32]);
        assert!(!format!("{signer:?}").contains(&hex::encode([7; 32])));
    }
}

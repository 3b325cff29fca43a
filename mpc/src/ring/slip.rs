//! Slip: what a pupil signs with every message, so that neither it nor its neighbour can say
//! afterwards that something else was said.

use rand::CryptoRng;
use zeroize::Zeroizing;

use super::{Announcement, Lane, Message};
use crate::{
    dst,
    ids::RunId,
    sign::{BadSignature, PublicKey, Signature, Signer},
};

/// Bytes of a well-formed body: a nonce of 16 and a number of 8, big-endian.
pub const BODY: usize = 24;
/// Bytes of a body that are looked at: a receiver does not take more, and no more is evidence.
pub const MOST: usize = 256;

/// What is signed: which message of which round it is, and the hash of its body, which tells
/// nothing about the number in it, because of the nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slip {
    /// The round.
    pub run: RunId,
    /// The message's way.
    pub lane: Lane,
    /// The hash of round, way and body.
    pub digest: [u8; 32],
}

/// A body that holds no number, or that is not a slip's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The hash is another one: whoever holds this body cannot show that it was sent.
    #[error("the body is not the one that was signed")]
    NotSigned,
    /// The length is another one.
    #[error("a body of {len} bytes is no number: it has {BODY}")]
    NoNumber {
        /// How many bytes it has.
        len: usize,
    },
}

/// A body with a fresh nonce around a masked number.
pub fn body(value: u64, rng: &mut impl CryptoRng) -> Zeroizing<[u8; BODY]> {
    let mut body = Zeroizing::new([0; BODY]);
    let (nonce, number) = body.split_at_mut(BODY - 8);
    rng.fill_bytes(nonce);
    number.copy_from_slice(&value.to_be_bytes());
    body
}

impl Slip {
    /// The slip of a body, whatever is in it.
    pub fn new(run: RunId, lane: Lane, body: &[u8]) -> Self {
        let [ring, from, to] = numbers(lane);
        let digest = dst::hash(dst::RING_BODY, &[run.as_ref(), &ring, &from, &to, body]);
        Self { run, lane, digest }
    }

    /// The message in a body.
    pub fn open(&self, body: &[u8]) -> Result<Message, Unreadable> {
        if body.len() > MOST || Self::new(self.run, self.lane, body) != *self {
            return Err(Unreadable::NotSigned);
        }
        let number = body.last_chunk().filter(|_| body.len() == BODY);
        let number = number.ok_or(Unreadable::NoNumber { len: body.len() })?;
        Ok(Message { lane: self.lane, value: u64::from_be_bytes(*number) })
    }

    /// The sender's signature: "I send this".
    pub fn sign(&self, sender: &Signer) -> Signature {
        self.signed(|parts| sender.sign(dst::RING_SLIP, parts))
    }

    /// Checks the sender's signature.
    pub fn verify(&self, sender: &PublicKey, signature: &Signature) -> Result<(), BadSignature> {
        self.signed(|parts| sender.verify(dst::RING_SLIP, parts, signature))
    }

    /// The receiver's signature: "this has come, and it is a number".
    pub fn acknowledge(&self, receiver: &Signer) -> Signature {
        self.signed(|parts| receiver.sign(dst::RING_ACKNOWLEDGEMENT, parts))
    }

    /// Checks the receiver's signature.
    pub fn verify_acknowledged(
        &self,
        receiver: &PublicKey,
        acknowledgement: &Signature,
    ) -> Result<(), BadSignature> {
        self.signed(|parts| receiver.verify(dst::RING_ACKNOWLEDGEMENT, parts, acknowledgement))
    }

    fn signed<T>(&self, with: impl FnOnce(&[&[u8]]) -> T) -> T {
        let [ring, from, to] = numbers(self.lane);
        with(&[self.run.as_ref(), &ring, &from, &to, &self.digest])
    }
}

/// A pupil's signature over what it announces in a round.
pub fn sign_announcement(run: RunId, said: Announcement, signer: &Signer) -> Signature {
    let (from, value) = (said.from.0.to_be_bytes(), said.value.to_be_bytes());
    signer.sign(dst::RING_ANNOUNCEMENT, &[run.as_ref(), &from, &value])
}

/// Checks a pupil's signature over what it announced in a round.
pub fn verify_announcement(
    run: RunId,
    said: Announcement,
    key: &PublicKey,
    signature: &Signature,
) -> Result<(), BadSignature> {
    let (from, value) = (said.from.0.to_be_bytes(), said.value.to_be_bytes());
    key.verify(dst::RING_ANNOUNCEMENT, &[run.as_ref(), &from, &value], signature)
}

fn numbers(lane: Lane) -> [[u8; 2]; 3] {
    [lane.ring, lane.from.0, lane.to.0].map(u16::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;
    use crate::ring::Seat;

    const RUN: RunId = RunId([7; 16]);
    const LANE: Lane = Lane { ring: 1, from: Seat(2), to: Seat(3) };

    #[test]
    fn a_body_opens_under_its_own_slip_alone() {
        let rng = &mut StdRng::seed_from_u64(1);
        let body = body(12_345, rng);
        let slip = Slip::new(RUN, LANE, body.as_ref());
        assert_eq!(slip.open(body.as_ref()), Ok(Message { lane: LANE, value: 12_345 }));
        for other in [
            Slip::new(RunId([8; 16]), LANE, body.as_ref()),
            Slip::new(RUN, Lane { ring: 0, ..LANE }, body.as_ref()),
            Slip::new(RUN, Lane { from: Seat(3), to: Seat(2), ..LANE }, body.as_ref()),
        ] {
            assert_ne!(other.digest, slip.digest);
            assert_eq!(
                Slip { digest: other.digest, ..slip }.open(&*body),
                Err(Unreadable::NotSigned)
            );
        }
    }

    #[test]
    fn the_same_number_twice_has_two_digests() {
        let rng = &mut StdRng::seed_from_u64(2);
        let mut digest = || Slip::new(RUN, LANE, body(5, rng).as_ref()).digest;
        assert_ne!(digest(), digest());
    }

    #[test]
    fn a_body_of_any_other_length_is_no_number() {
        for len in [0, 8, BODY - 1, BODY + 1, MOST] {
            let body = vec![1; len];
            let opened = Slip::new(RUN, LANE, &body).open(&body);
            assert_eq!(opened, Err(Unreadable::NoNumber { len }));
        }
        let body = vec![1; MOST + 1];
        assert_eq!(Slip::new(RUN, LANE, &body).open(&body), Err(Unreadable::NotSigned));
    }

    #[test]
    fn sending_and_acknowledging_are_signed_apart() {
        let signer = Signer::from_seed(&[9; 32]);
        let slip = Slip::new(RUN, LANE, &[0; BODY]);
        let (sent, taken) = (slip.sign(&signer), slip.acknowledge(&signer));
        assert_eq!(slip.verify(&signer.public(), &sent), Ok(()));
        assert_eq!(slip.verify_acknowledged(&signer.public(), &taken), Ok(()));
        assert_eq!(slip.verify(&signer.public(), &taken), Err(BadSignature));
        assert_eq!(slip.verify_acknowledged(&signer.public(), &sent), Err(BadSignature));
        let other = Slip::new(RunId([8; 16]), LANE, &[0; BODY]);
        assert_eq!(other.verify(&signer.public(), &sent), Err(BadSignature));
    }

    #[test]
    fn an_announcement_is_signed_for_its_round_seat_and_number() {
        let signer = Signer::from_seed(&[9; 32]);
        let said = Announcement { from: Seat(0), value: 2188 };
        let signature = sign_announcement(RUN, said, &signer);
        let verify = |run, said| verify_announcement(run, said, &signer.public(), &signature);
        assert_eq!(verify(RUN, said), Ok(()));
        assert_eq!(verify(RunId([8; 16]), said), Err(BadSignature));
        assert_eq!(verify(RUN, Announcement { value: 2189, ..said }), Err(BadSignature));
        assert_eq!(verify(RUN, Announcement { from: Seat(1), ..said }), Err(BadSignature));
    }
}

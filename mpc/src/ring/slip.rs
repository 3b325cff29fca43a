//! Slip: what a pupil signs with every message, so that neither it nor its neighbour can say
//! afterwards that something else was said.

use super::{Lane, Message};
use crate::{
    ids::RunId,
    sign::{BadSignature, PublicKey, Signature, Signer},
};

/// Bytes of a well-formed body: a nonce of 16 and a number of 8.
pub const BODY: usize = 24;
/// Bytes of a body that are looked at.
pub const MOST: usize = 256;

/// What is signed: which message of which round it is, and the hash of its body, which tells
/// nothing about the number in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slip {
    pub run: RunId,
    pub lane: Lane,
    pub digest: [u8; 32],
}

// body(message, nonce) -> [u8; BODY]; Slip::new(run, lane, body); sign(&Signer) -> Signature;
// verify(key, sig); acknowledge(&Signer) -> Signature; verify_acknowledged; open(body) -> Result<Message, _>

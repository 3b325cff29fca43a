//! Outputs: a server's output share of one submission, straight from its input share.
//!
//! What Prio3 gives a server when a proof holds depends on the input share alone. So providers can
//! commit to it, and servers check the commitment, without the verification.
//!
//! # Source
//! Prio3 of draft-irtf-cfrg-vdaf-18: a helper expands its measurement share from its seed with
//! XofTurboShake128, binder its own number; the circuit's truncation makes the output share of it.

use std::fmt;

use prio::{
    codec::Decode as _,
    field::Field128,
    flp::{Flp as _, Type as _},
    vdaf::xof::{IntoFieldVec as _, Xof as _, XofTurboShake128},
};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{ALGORITHM, BLINDING, Collect, CollectError};
use crate::{circuit::Validity, ids::Party, pedersen::Blinding, wire::Reader};

/// The draft's version of VDAFs.
const VERSION: u8 = 18;
/// The draft's class of algorithms that VDAFs are.
const CLASS: u8 = 0;
/// What the expanded seed is used for: DST_MEASUREMENT_SHARE.
const USAGE: u16 = 1;
/// Bytes of a field element.
const ELEMENT: usize = 16;

/// A server's share of what one submission adds to the totals, and what hides the commitment to
/// it: secret, both. Redacted in `Debug`, wiped when dropped.
pub struct OutputShare {
    /// One integer in 0..p per coordinate.
    pub values: Zeroizing<Vec<u128>>,
    /// The commitment's blinding.
    pub blinding: Blinding,
}

impl fmt::Debug for OutputShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutputShare").field("values", &self.values.len()).finish_non_exhaustive()
    }
}

impl ZeroizeOnDrop for OutputShare {}

impl Collect {
    /// o_j of S_j = `party`, whose payload has `share` behind the blinding.
    pub(super) fn outputs(
        &self,
        party: Party,
        records: u32,
        share: &[u8],
    ) -> Result<Zeroizing<Vec<u128>>, CollectError> {
        // A u32 fits.
        let validity = Validity::new(self.circuit.clone(), records as usize);
        let wires = match party.is_leader() {
            true => {
                let (head, _) = share
                    .split_at_checked(ELEMENT * validity.input_len())
                    .ok_or(CollectError::Share)?;
                let wires = head.chunks_exact(ELEMENT).map(Field128::get_decoded);
                wires.collect::<Result<Vec<_>, _>>().map_err(|_| CollectError::Share)?
            }
            false => {
                let seed = share.first_chunk::<32>().ok_or(CollectError::Share)?;
                let tag = domain_separation_tag();
                XofTurboShake128::seed_stream(seed, &[&tag, &self.context], &[&[party.0]])
                    .into_field_vec(validity.input_len())
            }
        };
        let outputs = validity.truncate(wires).map_err(|_| CollectError::Share)?;
        Ok(Zeroizing::new(outputs.into_iter().map(u128::from).collect()))
    }

    /// Decodes what a server stores of an accepted submission: the blinding (32 bytes), then 16
    /// bytes per coordinate, little-endian.
    pub fn decode_output_share(&self, bytes: &[u8]) -> Result<OutputShare, CollectError> {
        let mut reader = Reader::new(bytes);
        let blinding = reader.array::<BLINDING>()?;
        let blinding = Blinding::from_bytes(blinding).ok_or(CollectError::Share)?;
        let (chunks, rest) = reader.bytes(reader.remaining())?.as_chunks::<ELEMENT>();
        if !rest.is_empty() || chunks.len() != self.circuit.outputs() {
            return Err(CollectError::Share);
        }
        let values = chunks.iter().map(|chunk| u128::from_le_bytes(*chunk)).collect();
        Ok(OutputShare { values: Zeroizing::new(values), blinding })
    }
}

fn domain_separation_tag() -> [u8; 8] {
    let mut tag = [VERSION, CLASS, 0, 0, 0, 0, 0, 0];
    tag[2..6].copy_from_slice(&ALGORITHM.to_be_bytes());
    tag[6..].copy_from_slice(&USAGE.to_be_bytes());
    tag
}

//! Codec: protobuf as tonic reads it, for messages of a bounded number of fields.
//!
//! A field of two bytes, an element of a list, takes up to 90 times as many in memory: within the
//! limit on its bytes a message could be a gigabyte. So fields are counted before any of them is
//! kept. Inside of a field there is no second list that a stranger could send to a server.

use std::{fmt, marker::PhantomData};

use prost::{
    Message,
    bytes::Buf,
    encoding::{DecodeContext, decode_key, skip_field},
};
use tonic::{
    Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder},
};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

/// The most fields of a message, each element of a list being one: some parts for each of 256 rounds
/// of 8 servers.
pub const MAX_FIELDS: usize = 8_192;

/// The codec of all services.
pub struct BoundedCodec<T, U>(PhantomData<(T, U)>);

/// Decodes messages of at most [`MAX_FIELDS`] fields.
pub struct BoundedDecoder<U>(ProstDecoder<U>);

impl<T, U> Default for BoundedCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for BoundedCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = BoundedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::default().encoder()
    }

    fn decoder(&mut self) -> Self::Decoder {
        BoundedDecoder(ProstCodec::<T, U>::default().decoder())
    }
}

impl<U: Message + Default> Decoder for BoundedDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        // What is there of a message is there in one piece.
        if has_too_many_fields(bytes.chunk()) {
            let text = format!("the message has more than {MAX_FIELDS} fields");
            return Err(Status::invalid_argument(text));
        }
        self.0.decode(bytes)
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.0.buffer_settings()
    }
}

impl<U> fmt::Debug for BoundedDecoder<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoundedDecoder")
    }
}

impl<T, U> fmt::Debug for BoundedCodec<T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoundedCodec")
    }
}

/// Whether a message has more than [`MAX_FIELDS`] fields. One that is malformed has as many as can
/// be read of it.
pub fn has_too_many_fields(mut bytes: &[u8]) -> bool {
    for _ in 0..MAX_FIELDS {
        let Ok((tag, wire)) = decode_key(&mut bytes) else { return false };
        if skip_field(wire, tag, &mut bytes, DecodeContext::default()).is_err() {
            return false;
        }
    }
    bytes.has_remaining()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1;

    fn prove(ids: usize) -> Vec<u8> {
        let submission_ids = vec![bytes::Bytes::new(); ids];
        v1::ProveRequest { study_id: bytes::Bytes::new(), submission_ids }.encode_to_vec()
    }

    #[test]
    fn fields_are_counted_up_to_the_last_one_that_is_allowed() {
        assert!(!has_too_many_fields(&[]));
        assert!(!has_too_many_fields(&prove(MAX_FIELDS)));
        assert!(has_too_many_fields(&prove(MAX_FIELDS + 1)));
        assert!(has_too_many_fields(&prove(2_000_000)));
    }

    #[test]
    fn unknown_fields_count_and_a_torn_message_ends() {
        // Field 100, a varint.
        let unknown = [0xa0, 0x06, 0x01].repeat(MAX_FIELDS + 1);
        assert!(has_too_many_fields(&unknown));
        assert!(!has_too_many_fields(&unknown[..3 * MAX_FIELDS]));
        assert!(!has_too_many_fields(&[0xff; 40]));
    }
}

//! Trace: the one id under which all servers log a run or a submission.
//!
//! It travels as the `traceparent` of W3C's Trace Context (Level 1, section 3.2), version 00:
//! `00-` trace id (32 hexadecimal digits) `-` span id (16) `-` flags (2). Those are 55 bytes of one
//! form, so that no library is linked into clients for them.

use std::fmt;

use rand::{CryptoRng, RngExt as _};
use tonic::{Request, metadata::MetadataValue};

/// The metadata key.
const TRACEPARENT: &str = "traceparent";

/// A trace, and the step in it that a call was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    id: TraceId,
    span: [u8; 8],
}

/// What all servers log of one run or one submission. Not a secret, and nobody's identity.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(pub [u8; 16]);

impl Trace {
    /// A trace that nobody has begun before.
    pub fn start(rng: &mut impl CryptoRng) -> Self {
        // Zeros are no id; they are drawn once in 2^64 times.
        Self { id: TraceId(rng.random::<u128>().max(1).to_be_bytes()), span: span(rng) }
    }

    /// Another step of the same trace.
    pub fn step(self, rng: &mut impl CryptoRng) -> Self {
        Self { span: span(rng), ..self }
    }

    /// The same trace from a step that has an id already.
    pub fn at(self, span: [u8; 8]) -> Self {
        Self { span, ..self }
    }

    /// The trace's id.
    pub fn id(self) -> TraceId {
        self.id
    }

    /// The id of the step.
    pub fn span(self) -> [u8; 8] {
        self.span
    }

    /// Sends it with a call.
    pub fn attach<T>(self, request: &mut Request<T>) {
        // Digits and hyphens are always a valid value.
        if let Ok(value) = MetadataValue::try_from(self.to_string()) {
            request.metadata_mut().insert(TRACEPARENT, value);
        }
    }

    /// The trace that a call came with; none if it has none, or anything but exactly one.
    pub fn of<T>(request: &Request<T>) -> Option<Self> {
        let mut values = request.metadata().get_all(TRACEPARENT).into_iter();
        match (values.next(), values.next()) {
            (Some(value), None) => Self::decode(value.as_bytes()),
            _ => None,
        }
    }

    /// Reads a `traceparent` of version 00; the flags are not used.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_at_checked(3)?;
        let (id, rest) = rest.split_at_checked(32)?;
        let (first, rest) = rest.split_at_checked(1)?;
        let (span, rest) = rest.split_at_checked(16)?;
        let (second, flags) = rest.split_at_checked(1)?;
        if (version, first, second) != (b"00-", b"-", b"-") {
            return None;
        }
        digits::<1>(flags)?;
        let (id, span) = (digits(id)?, digits(span)?);
        let is_valid = id != [0; 16] && span != [0; 8];
        is_valid.then_some(Self { id: TraceId(id), span })
    }
}

fn span(rng: &mut impl CryptoRng) -> [u8; 8] {
    rng.random::<u64>().max(1).to_be_bytes()
}

/// The bytes of exactly so many lower-case digits.
fn digits<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let is_lower = text.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    (is_lower && hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(bytes)
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-01", self.id, hex::encode(self.span))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the recommendation.
    const EXAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn the_example_of_the_recommendation_is_read_and_written() {
        let trace = Trace::decode(EXAMPLE.as_bytes()).unwrap();
        assert_eq!(trace.id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(trace.to_string(), EXAMPLE);
    }

    #[test]
    fn a_trace_survives_a_call_and_keeps_its_id_from_step_to_step() {
        let trace = Trace::start(&mut rand::rng());
        let step = trace.step(&mut rand::rng());
        assert_eq!(step.id(), trace.id());
        assert_ne!(step.span(), trace.span());
        let mut request = Request::new(());
        assert_eq!(Trace::of(&request), None);
        step.attach(&mut request);
        assert_eq!(Trace::of(&request), Some(step));
        assert_ne!(Trace::start(&mut rand::rng()).id(), trace.id());
    }

    #[test]
    fn whatever_is_not_exactly_a_trace_is_none() {
        let long = format!("{EXAMPLE}-00");
        let huge = "0".repeat(8_000);
        let cases = [
            "",
            "00",
            &EXAMPLE[..54],
            &long,
            &huge,
            &EXAMPLE.to_uppercase(),
            &EXAMPLE.replacen("00-", "01-", 1),
            &EXAMPLE.replacen("00-", "ff-", 1),
            &EXAMPLE.replacen('-', "_", 2),
            &EXAMPLE.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            &EXAMPLE.replace("b7ad6b7169203331", &"0".repeat(16)),
            &EXAMPLE.replace("0af7", "0ag7"),
            &EXAMPLE.replace("-01", "-\n1"),
        ];
        for case in cases {
            assert_eq!(Trace::decode(case.as_bytes()), None, "{case:?}");
        }
        for len in 0..EXAMPLE.len() {
            assert_eq!(Trace::decode(&EXAMPLE.as_bytes()[..len]), None);
        }
    }

    #[test]
    fn two_traces_in_one_call_are_none() {
        let mut request = Request::new(());
        for _ in 0..2 {
            let value = MetadataValue::try_from(EXAMPLE).unwrap();
            request.metadata_mut().append(TRACEPARENT, value);
        }
        assert_eq!(Trace::of(&request), None);
    }
}

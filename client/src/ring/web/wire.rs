//! Wire: how numbers and bytes are written in the page's JSON, checked where they come in.

use std::{borrow::Cow, fmt, str::FromStr};

use mpc::ids::RunId;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, Visitor},
};

/// Bytes as lower-case hexadecimal digits, of exactly this length.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hex<const N: usize>(pub [u8; N]);

/// A number modulo 2^64 as a string of decimal digits: JSON's numbers are too small for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number(pub u64);

/// A round's id as hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run(pub RunId);

impl<const N: usize> fmt::Debug for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = || D::Error::custom(format_args!("{N} bytes as lower-case hex are needed"));
        let text = text(deserializer)?;
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(wrong());
        }
        let mut bytes = [0; N];
        hex::decode_to_slice(text.as_bytes(), &mut bytes).map_err(|_| wrong())?;
        Ok(Self(bytes))
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = text(deserializer)?;
        // One way of writing each number: no sign and no zeros before it.
        let number = text.parse().ok().filter(|number: &u64| number.to_string() == text);
        number.map(Self).ok_or_else(|| D::Error::custom("a number below 2^64 as digits is needed"))
    }
}

impl Serialize for Run {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Run {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = text(deserializer)?;
        RunId::from_str(&text).map(Self).map_err(D::Error::custom)
    }
}

/// A string, borrowed where it can be.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'de, str>, D::Error> {
    struct Text;

    impl<'de> Visitor<'de> for Text {
        type Value = Cow<'de, str>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
            Ok(Cow::Borrowed(text))
        }

        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Cow::Owned(text.to_owned()))
        }
    }

    deserializer.deserialize_str(Text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_in_one_way() {
        let read = |text: &str| serde_json::from_str::<Number>(text).ok();
        assert_eq!(read(r#""18446744073709551615""#), Some(Number(u64::MAX)));
        assert_eq!(read(r#""0""#), Some(Number(0)));
        for wrong in [r#""18446744073709551616""#, r#""-1""#, r#""01""#, r#""+1""#, r#""""#, "1"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn bytes_have_their_length_and_lower_case_digits() {
        let read = |text: &str| serde_json::from_str::<Hex<2>>(text).ok();
        assert_eq!(read(r#""0aff""#), Some(Hex([0x0a, 0xff])));
        for wrong in [r#""0AFF""#, r#""0af""#, r#""0aff00""#, r#""0agg""#, "2"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}

//! Request: what a page may send, decoded with every limit that does not depend on the lesson.

use mpc::ring::Protocol;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::wire::{Hex, Number, Run};

/// The slowest pace that can be asked for, in milliseconds.
pub const SLOWEST_PACE_MS: u32 = 60_000;

/// Who wants to join.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The class code, as typed.
    pub code: String,
    /// The name, as typed.
    pub name: String,
    /// The page's public key.
    pub key: PublicKey,
}

/// A browser's ECDH public key: a point of P-256, uncompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(Hex<65>);

#[cfg(test)]
impl PublicKey {
    /// A key for every number.
    pub fn of_a_test(number: u16) -> Self {
        use p256::{ProjectivePoint, Scalar, elliptic_curve::sec1::ToSec1Point as _};
        let point = ProjectivePoint::GENERATOR * Scalar::from(u64::from(number));
        let bytes = point.to_affine().to_sec1_point(false);
        serde_json::from_value(hex::encode(bytes.as_bytes()).into()).unwrap()
    }
}

/// A sealed number: the host has no key for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seal {
    /// AES-GCM's initialisation vector.
    pub iv: Hex<12>,
    /// The number of 8 bytes, encrypted, and the tag.
    pub sealed: Hex<24>,
}

/// What a pupil's page sends. Variants without fields are written with braces, because serde
/// refuses unknown fields for those alone.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum FromPupil {
    /// It has a value on its device.
    Ready {},
    /// It took the value back.
    Unready {},
    /// A masked number for a neighbour.
    Sealed {
        /// The round.
        run: Run,
        /// The ring, counted from 0.
        ring: u16,
        /// The neighbour's number.
        to: u16,
        /// See [`Seal`].
        iv: Hex<12>,
        /// See [`Seal`].
        #[serde(rename = "box")]
        sealed: Hex<24>,
    },
    /// A number for everybody.
    Announce {
        /// The round.
        run: Run,
        /// The number.
        value: Number,
    },
    /// It could not open what came from a neighbour.
    Unreadable {
        /// The round.
        run: Run,
        /// The ring, counted from 0.
        ring: u16,
        /// The neighbour's number.
        from: u16,
    },
    /// What its device saw: it plays a colluder.
    View {
        /// The round.
        run: Run,
        /// What it saw.
        view: Box<ViewShown>,
    },
    /// It does not show what it saw.
    NoView {
        /// The round.
        run: Run,
    },
    /// It does not play this round.
    Decline {
        /// The round.
        run: Run,
    },
    /// It goes.
    Leave {},
}

/// A pupil's view of a round, with pupils' numbers instead of seats.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewShown {
    /// The pupil's value.
    pub value: Number,
    /// The shares of it.
    pub shares: Vec<Number>,
    /// The first pupil's masks.
    pub masks: Vec<Number>,
    /// What it sent.
    pub sent: Vec<PassedShown>,
    /// What it received.
    pub received: Vec<PassedShown>,
}

/// A masked number of a view. Redacted in `Debug`.
#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassedShown {
    /// The ring, counted from 0.
    pub ring: u16,
    /// The sender's number.
    pub from: u16,
    /// The receiver's number.
    pub to: u16,
    /// The masked number.
    pub value: Number,
}

/// What the teacher's page sends.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum FromTeacher {
    /// Starts a round.
    Play {
        /// How the sum is computed.
        #[serde(deserialize_with = "protocol")]
        protocol: Protocol,
        /// How long messages are held; 0: until the next step.
        #[serde(deserialize_with = "pace_ms")]
        pace_ms: u32,
    },
    /// Hands on the messages that are held.
    Step {},
    /// Changes the pace.
    Pace {
        /// How long messages are held; 0: until the next step.
        #[serde(deserialize_with = "pace_ms")]
        pace_ms: u32,
    },
    /// Stops the round.
    Stop {},
    /// Asks pupils for what they saw.
    Collude {
        /// Their numbers.
        pupils: Vec<u16>,
    },
    /// Plays without a pupil from now on.
    LeaveOut {
        /// Its number.
        pupil: u16,
    },
    /// Plays with it again.
    TakeBack {
        /// Its number.
        pupil: u16,
    },
    /// Takes a pupil out of the class: its token is void, and its place is free.
    Remove {
        /// Its number.
        pupil: u16,
    },
}

/// The round of the shipped class that the teacher asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExampleWanted {
    /// How the sum is computed.
    #[serde(deserialize_with = "protocol")]
    pub protocol: Protocol,
    /// The colluders' numbers; may be empty.
    pub collude: Vec<u16>,
}

impl PublicKey {
    /// The point.
    pub fn bytes(&self) -> &Hex<65> {
        &self.0
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Hex::<65>::deserialize(deserializer)?;
        // A point that is not on the curve would break its neighbours' pages, not this host.
        match p256::PublicKey::from_sec1_bytes(&bytes.0) {
            Ok(_) => Ok(Self(bytes)),
            Err(_) => Err(D::Error::custom("the key is no point of P-256")),
        }
    }
}

impl std::fmt::Debug for PassedShown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PassedShown(redacted)")
    }
}

impl std::fmt::Debug for ViewShown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ViewShown(redacted)")
    }
}

fn protocol<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Protocol, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

fn pace_ms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let pace_ms = u32::deserialize(deserializer)?;
    match pace_ms <= SLOWEST_PACE_MS {
        true => Ok(pace_ms),
        false => Err(D::Error::custom(format_args!("a pace is at most {SLOWEST_PACE_MS} ms"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pupil(text: &str) -> Result<FromPupil, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn unknown_types_and_fields_are_refused() {
        assert!(pupil(r#"{"type":"ready"}"#).is_ok());
        assert!(pupil(r#"{"type":"ready","value":"763"}"#).is_err());
        assert!(pupil(r#"{"type":"grade","value":"763"}"#).is_err());
        let run = "00".repeat(16);
        let announce = format!(r#"{{"type":"announce","run":"{run}","value":"1"}}"#);
        assert!(pupil(&announce).is_ok());
        assert!(pupil(&announce.replace("}", r#","mask":"1"}"#)).is_err());
    }

    #[test]
    fn a_box_of_another_size_is_no_sealed_number() {
        let sealed = |iv: usize, sealed: usize| {
            let (run, iv, sealed) = ("00".repeat(16), "ab".repeat(iv), "cd".repeat(sealed));
            let json = serde_json::json!({"type": "sealed", "run": run, "ring": 0, "to": 5,
                "iv": iv, "box": sealed});
            pupil(&json.to_string()).is_ok()
        };
        assert!(sealed(12, 24));
        assert!(!sealed(12, 25) && !sealed(11, 24) && !sealed(12, 0));
    }

    #[test]
    fn a_key_that_is_no_point_of_the_curve_is_refused() {
        let read = |bytes: [u8; 65]| {
            serde_json::from_str::<PublicKey>(&format!("\"{}\"", hex::encode(bytes))).is_ok()
        };
        let mut generator = [0; 65];
        hex::decode_to_slice(
            "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
             4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
            &mut generator,
        )
        .unwrap();
        assert!(read(generator));
        generator[64] ^= 1;
        assert!(!read(generator));
        assert!(!read([0; 65]));
    }
}

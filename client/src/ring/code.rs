//! Code: what a host shows and pupils type, which leads to this host and to nobody else.
//!
//! It holds, one after the other: a byte for the version and the kind of address; the address (4 or
//! 16 bytes, or a length and a name) and the port (2); a secret (5), without which nobody joins; the
//! start of the host's pin (10); a checksum (3). An address of 4 bytes makes 25 bytes, which is 40
//! characters in eight groups of five.
//!
//! 80 bits of the pin: whoever wants to be taken for the host has to find a TLS key whose pin begins
//! alike while the class lasts, which takes 2^80 keys. Nothing shorter is sure, as nothing else
//! vouches for the host. 40 bits of the secret: a stranger can try them at the host alone, one by
//! one, each with a connection and a pause.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
    sync::LazyLock,
};

use data_encoding::{Encoding, Specification};
use mpc::dst;
use proto::pin::Pin;
use rand::CryptoRng;

/// Bytes of the pin that the code holds.
pub const PIN_START: usize = 10;
const SECRET: usize = 5;
const CHECKSUM: usize = 3;
const GROUP: usize = 5;
/// Version 1, in the upper half of the first byte.
const VERSION: u8 = 1 << 4;
const V4: u8 = VERSION;
const V6: u8 = VERSION | 1;
const NAME: u8 = VERSION | 2;
/// The longest host name.
const MOST_NAME: usize = 255;
/// Nothing shorter is a code in which something was forgotten.
const SHORTEST: usize = 20;
/// No code is longer.
const MOST_CHARACTERS: usize = 1_000;

/// Crockford's alphabet: no letter in it can be taken for a digit, and those that can are read as
/// the digit.
static ALPHABET: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str(SYMBOLS);
    specification.translate.from.push_str("ABCDEFGHJKMNPQRSTVWXYZoOiIlL");
    specification.translate.to.push_str("abcdefghjkmnpqrstvwxyz001111");
    specification.check_trailing_bits = false;
    // The specification is a constant, which a test encodes with.
    #[allow(clippy::expect_used)]
    specification.encoding().expect("a base32 alphabet")
});
const SYMBOLS: &str = "0123456789abcdefghjkmnpqrstvwxyz";

/// Where a host is, and how a pupil shows that it was given the code.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    /// Name or address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Without it nobody joins.
    pub secret: Secret,
    /// How the pin of the host begins.
    pub pin: [u8; PIN_START],
}

/// What pupils show to join. Redacted in `Debug`.
#[derive(Clone, Copy)]
pub struct Secret([u8; SECRET]);

/// A text that is no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// A character that no code has.
    #[error("group {group} of the code, {text:?}, has a character that no code has: type it again")]
    Character {
        /// Which group, from 1.
        group: usize,
        /// The group.
        text: String,
    },
    /// One wrong character, or two that changed places, in a group.
    #[error("group {group} of the code, {text:?}, seems to be mistyped: check it")]
    Typo {
        /// Which group, from 1.
        group: usize,
        /// The group.
        text: String,
    },
    /// Too short or too long.
    #[error(
        "the code is not complete: it has {characters} characters, and the code of this kind has {expected}"
    )]
    Length {
        /// How many it has.
        characters: usize,
        /// How many it should have.
        expected: usize,
    },
    /// The checksum is another one.
    #[error("the code is mistyped in several places: compare it with what the host shows")]
    Mistyped,
    /// Nothing that starts like a code.
    #[error("this is not the code of a class: it looks like `{EXAMPLE}`")]
    NoCode,
    /// From another version of the program.
    #[error("the code is one of another version of sotto: use the same version as the host")]
    OtherVersion,
}

/// What a code looks like.
const EXAMPLE: &str = "2002k-0n1zm-…";

impl Secret {
    /// Draws a secret.
    pub fn draw(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; SECRET];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The bytes, for the host that they are shown to.
    pub fn reveal(self) -> [u8; SECRET] {
        self.0
    }
}

impl PartialEq for Secret {
    /// Over hashes, so that the time that it takes says nothing about the secret.
    fn eq(&self, other: &Self) -> bool {
        let hash = |secret: &Self| dst::hash(dst::RING_CHECK, &[b"secret", &secret.0]);
        hash(self) == hash(other)
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl TryFrom<&[u8]> for Secret {
    type Error = std::array::TryFromSliceError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self)
    }
}

impl Code {
    /// The code of a host with this pin.
    pub fn new(host: &str, port: u16, secret: Secret, pin: Pin) -> Self {
        let mut start = [0; PIN_START];
        start.copy_from_slice(&pin.0[..PIN_START]);
        Self { host: host.to_owned(), port, secret, pin: start }
    }

    /// host:port, as it stands in a URI.
    pub fn authority(&self) -> String {
        match self.host.parse() {
            Ok(IpAddr::V6(address)) => format!("[{address}]:{}", self.port),
            _ => format!("{}:{}", self.host, self.port),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = match self.host.parse() {
            Ok(IpAddr::V4(address)) => [&[V4][..], &address.octets()].concat(),
            Ok(IpAddr::V6(address)) => [&[V6][..], &address.octets()].concat(),
            Err(_) => {
                let name: Vec<u8> = self.host.bytes().take(MOST_NAME).collect();
                let len = u8::try_from(name.len()).unwrap_or(u8::MAX);
                [&[NAME, len][..], &name].concat()
            }
        };
        bytes.extend(self.port.to_be_bytes());
        bytes.extend(self.secret.0);
        bytes.extend(self.pin);
        bytes.extend(checksum(&bytes));
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM)?)?;
        if checksum(body) != sum {
            return None;
        }
        let (&kind, rest) = body.split_first()?;
        let (host, rest) = match kind {
            V4 => {
                let (address, rest) = rest.split_first_chunk::<4>()?;
                (Ipv4Addr::from(*address).to_string(), rest)
            }
            V6 => {
                let (address, rest) = rest.split_first_chunk::<16>()?;
                (Ipv6Addr::from(*address).to_string(), rest)
            }
            NAME => {
                let (&len, rest) = rest.split_first()?;
                let (name, rest) = rest.split_at_checked(len.into())?;
                (String::from_utf8(name.to_vec()).ok()?, rest)
            }
            _ => return None,
        };
        let (port, rest) = rest.split_first_chunk()?;
        let (secret, rest) = rest.split_first_chunk()?;
        let pin = rest.try_into().ok()?;
        Some(Self { host, port: u16::from_be_bytes(*port), secret: Secret(*secret), pin })
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = ALPHABET.encode(&self.encode());
        let groups: Vec<&str> = split(&text).collect();
        f.write_str(&groups.join("-"))
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({})", self.authority())
    }
}

impl FromStr for Code {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<Self, CodeError> {
        let is_filler = |c: &char| *c == '-' || c.is_whitespace();
        let typed: String = text.chars().filter(|c| !is_filler(c)).collect();
        if typed.is_empty() || typed.chars().count() > MOST_CHARACTERS {
            return Err(CodeError::NoCode);
        }
        let characters: Vec<char> = typed.chars().map(symbol).collect();
        let group = |place: usize| {
            let start = place / GROUP * GROUP;
            let text = typed.chars().skip(start).take(GROUP).collect();
            (place / GROUP + 1, text)
        };
        if let Some(place) = characters.iter().position(|c| !SYMBOLS.contains(*c)) {
            let (group, text) = group(place);
            return Err(CodeError::Character { group, text });
        }
        if let Some(code) = read(&characters) {
            return Ok(code);
        }
        if characters.len() < SHORTEST {
            return Err(CodeError::NoCode);
        }
        // The first character alone holds the version.
        if !characters.starts_with(&['2']) {
            return Err(CodeError::OtherVersion);
        }
        if let Some(place) = misplaced(&characters) {
            let (group, text) = group(place);
            return Err(CodeError::Typo { group, text });
        }
        let (characters, expected) = (characters.len(), expected(&characters));
        match expected {
            Some(expected) if expected != characters => {
                Err(CodeError::Length { characters, expected })
            }
            _ => Err(CodeError::Mistyped),
        }
    }
}

/// A character as it stands in a code.
fn symbol(typed: char) -> char {
    match typed.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        other => other,
    }
}

fn read(characters: &[char]) -> Option<Code> {
    let text: String = characters.iter().collect();
    let bytes = ALPHABET.decode(text.as_bytes()).ok()?;
    let code = Code::decode(&bytes)?;
    // Bits that are left over are not looked at above.
    (ALPHABET.encode(&bytes) == text).then_some(code)
}

/// Where one other character, or two that change places, would make a code of it.
fn misplaced(characters: &[char]) -> Option<usize> {
    let is_code = |place: usize, other: [char; 2]| {
        let mut changed = characters.to_vec();
        for (old, new) in changed.iter_mut().skip(place).zip(other) {
            *old = new;
        }
        read(&changed).is_some()
    };
    (0..characters.len()).find(|&place| {
        let here = characters.get(place).copied().unwrap_or_default();
        match characters.get(place + 1).copied() {
            Some(next) => {
                is_code(place, [next, here])
                    || SYMBOLS.chars().any(|other| is_code(place, [other, next]))
            }
            None => SYMBOLS.chars().any(|other| is_code(place, [other, '\0'])),
        }
    })
}

/// How long a code is that begins so.
fn expected(characters: &[char]) -> Option<usize> {
    let start: String = characters.iter().take(4).collect();
    let bytes = ALPHABET.decode(start.as_bytes()).ok()?;
    let address = match *bytes.first()? {
        V4 => 4,
        V6 => 16,
        NAME => 1 + usize::from(*bytes.get(1)?),
        _ => return None,
    };
    Some(((1 + address + 2 + SECRET + PIN_START + CHECKSUM) * 8).div_ceil(5))
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    let [a, b, c, ..] = dst::hash(dst::RING_CODE, &[bytes]);
    [a, b, c]
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    // The alphabet is ASCII, so every place is a boundary.
    (0..text.len()).step_by(GROUP).map(|at| &text[at..(at + GROUP).min(text.len())])
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    fn code(host: &str) -> Code {
        let secret = Secret::draw(&mut StdRng::seed_from_u64(4));
        Code::new(host, 50_123, secret, Pin([0xa7; 32]))
    }

    #[test]
    fn a_code_is_read_as_it_was_shown_however_it_is_typed() {
        for host in ["192.168.1.20", "fe80::1", "classroom.example.org", "localhost"] {
            let code = code(host);
            let shown = code.to_string();
            assert_eq!(shown.parse(), Ok(code.clone()), "{shown}");
            let typed = shown.to_uppercase().replace('-', " ").replace('0', "O").replace('1', "l");
            assert_eq!(typed.parse(), Ok(code), "{typed}");
        }
        assert_eq!(code("192.168.1.20").to_string().len(), 8 * 5 + 7);
    }

    #[test]
    fn one_wrong_character_is_found_and_its_group_named() {
        let shown = code("192.168.1.20").to_string();
        let plain: Vec<char> = shown.chars().filter(|c| *c != '-').collect();
        for place in 1..plain.len() {
            let mut typed = plain.clone();
            typed[place] = if typed[place] == 'x' { 'y' } else { 'x' };
            let error = typed.iter().collect::<String>().parse::<Code>().unwrap_err();
            let CodeError::Typo { group, text } = error else { panic!("{place}: {error}") };
            assert_eq!(group, place / GROUP + 1);
            assert!(text.contains(typed[place]));
        }
    }

    #[test]
    fn characters_that_changed_places_are_found() {
        let shown = code("192.168.1.20").to_string();
        let mut typed: Vec<char> = shown.chars().filter(|c| *c != '-').collect();
        let place = (10..).find(|&place| typed[place] != typed[place + 1]).unwrap();
        typed.swap(place, place + 1);
        let error = typed.iter().collect::<String>().parse::<Code>().unwrap_err();
        assert!(matches!(error, CodeError::Typo { .. }), "{error}");
    }

    #[test]
    fn what_is_no_code_is_refused_with_what_is_wrong() {
        let shown = code("192.168.1.20").to_string();
        let error = |text: &str| text.parse::<Code>().unwrap_err();
        assert_eq!(error(""), CodeError::NoCode);
        assert_eq!(error("abc"), CodeError::NoCode);
        assert_eq!(error(&"2".repeat(2_000)), CodeError::NoCode);
        let short = CodeError::Length { characters: 35, expected: 40 };
        assert_eq!(error(&shown[..41]), short);
        assert!(matches!(
            error(&shown.replacen('-', "!", 1)),
            CodeError::Character { group: 2, .. }
        ));
        assert_eq!(error(&format!("4{}", &shown[1..])), CodeError::OtherVersion);
        let (head, tail) = shown.split_at(6);
        let scrambled = format!("{head}uuuuu{}", &tail[5..]).replace('u', "z");
        assert_eq!(error(&scrambled), CodeError::Mistyped);
    }

    #[test]
    fn the_secret_is_not_shown_by_debug() {
        let code = code("localhost");
        assert_eq!(format!("{:?} {code:?}", code.secret), "Secret Code(localhost:50123)");
    }
}

//! Spelled: every way in which a secret could have been written down.

use std::collections::BTreeSet;

use aho_corasick::AhoCorasick;
use data_encoding::{BASE32_NOPAD, BASE64_NOPAD, BASE64URL_NOPAD};

/// Something that nobody must find, in all its spellings.
pub struct Secret {
    /// What it is, for whoever finds it.
    pub name: String,
    spellings: Vec<Vec<u8>>,
}

impl Secret {
    /// Bytes: as they are, backwards, in hexadecimal, as a list of numbers, in base32 and in base64,
    /// wherever in a longer text of those they begin.
    pub fn bytes(name: impl Into<String>, secret: &[u8]) -> Self {
        Self { name: name.into(), spellings: spellings(secret) }
    }

    /// A number: in decimal digits, and as bytes of either order.
    pub fn number(name: impl Into<String>, number: u64) -> Self {
        let mut texts = vec![number.to_string(), format!("{number:#x}"), format!("{number:#X}")];
        let digits = number.to_string();
        let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
        let groups: Vec<_> = groups.collect();
        texts.extend(["_", ",", "\u{202f}"].map(|between| groups.join(between)));
        let mut all: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
        // What JSON, a query string or a header could have been packed into.
        all.extend(based(digits.as_bytes()));
        // All eight bytes: fewer are somewhere by accident.
        all.extend(spellings(&number.to_be_bytes()));
        Self { name: name.into(), spellings: all }
    }
}

/// A look for many secrets at once.
pub struct Search {
    automaton: AhoCorasick,
    /// Whose spelling each pattern is.
    names: Vec<String>,
}

impl Search {
    /// For these secrets in all their spellings.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let (mut patterns, mut names) = (Vec::new(), Vec::new());
        for secret in secrets {
            for spelling in &secret.spellings {
                patterns.push(spelling);
                names.push(secret.name.clone());
            }
        }
        Self { automaton: AhoCorasick::new(patterns).unwrap(), names }
    }

    /// The names of all that are in there.
    pub fn found(&self, haystack: &[u8]) -> BTreeSet<&str> {
        let found = self.automaton.find_overlapping_iter(haystack);
        found.map(|found| self.names[found.pattern()].as_str()).collect()
    }
}

fn spellings(secret: &[u8]) -> Vec<Vec<u8>> {
    let backwards: Vec<u8> = secret.iter().rev().copied().collect();
    [secret, &backwards]
        .into_iter()
        .flat_map(|bytes| {
            let list = format!("{bytes:?}");
            let plain = [
                bytes.to_vec(),
                hex::encode(bytes).into_bytes(),
                hex::encode_upper(bytes).into_bytes(),
                list.trim_matches(['[', ']']).as_bytes().to_vec(),
            ];
            plain.into_iter().chain(based(bytes))
        })
        .collect()
}

/// Base64 and base32 of bytes that begin anywhere in a longer text: the characters that depend on
/// them alone.
fn based(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (encoding, bits, before) in
        [(&BASE64_NOPAD, 6, 3), (&BASE64URL_NOPAD, 6, 3), (&BASE32_NOPAD, 5, 5)]
    {
        for before in 0..before {
            let text = encoding.encode(&[&vec![0; before], bytes].concat());
            let first = (8 * before).div_ceil(bits);
            let last = 8 * (before + bytes.len()) / bits;
            all.push(text.as_bytes()[first..last].to_vec());
        }
    }
    all
}

#[test]
fn a_secret_is_found_however_it_is_written() {
    let secret = [0x9a, 0x3c, 0x51, 0xe7, 0x08, 0xbb, 0x62, 0xf4, 0x1d];
    let search = Search::new([&Secret::bytes("planted", &secret)]);
    let is_in = |bytes: &[u8]| search.found(bytes).contains("planted");
    for before in 0..7 {
        let long = [&vec![0xa7; before], &secret[..], &[0x5b; 4]].concat();
        let backwards: Vec<u8> = long.iter().rev().copied().collect();
        for bytes in [&long, &backwards] {
            assert!(is_in(bytes));
            assert!(is_in(hex::encode(bytes).as_bytes()));
            assert!(is_in(format!("{bytes:?}").as_bytes()));
            assert!(is_in(BASE64_NOPAD.encode(bytes).as_bytes()), "{before}");
            assert!(is_in(BASE64URL_NOPAD.encode(bytes).as_bytes()), "{before}");
            assert!(is_in(BASE32_NOPAD.encode(bytes).as_bytes()), "{before}");
        }
    }
    assert!(!is_in(&[0xa7; 64]));
    let search = Search::new([&Secret::number("planted", 3_141_592_653)]);
    let is_in = |bytes: &[u8]| !search.found(bytes).is_empty();
    for text in ["x=3141592653;", "3_141_592_653", "0xbb40e64d"] {
        assert!(is_in(text.as_bytes()), "{text}");
    }
    assert!(is_in(&3_141_592_653u64.to_le_bytes()));
    assert!(is_in(BASE64_NOPAD.encode(b"{\"savings\":3141592653}").as_bytes()));
    assert!(!is_in(b"3141592654"));
}

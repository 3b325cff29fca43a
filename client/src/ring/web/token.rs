//! Token: by what the host knows a page again, and the code by which pupils find the class.

use std::fmt;

use rand::CryptoRng;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, ZeroizeOnDrop, Zeroizing};

/// A secret of 32 bytes that one page holds. Redacted in `Debug`.
pub struct Token([u8; 32]);

/// What pupils type or scan: 8 characters of base32 without the letters I, L, O and U.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code(String);

/// Crockford's alphabet.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of a code: 40 bits.
const CHARACTERS: usize = 8;

impl Token {
    /// A new token.
    pub fn draw(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The token, for the page that holds it.
    pub fn reveal(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0))
    }

    /// Whether a page shows this token; takes the same time whatever it shows.
    pub fn is(&self, shown: &[u8; 32]) -> bool {
        self.0.ct_eq(shown).into()
    }

    /// What a page shows, if it has the form of a token.
    pub fn read(text: &str) -> Option<Zeroizing<[u8; 32]>> {
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text, bytes.as_mut_slice()).ok()?;
        Some(bytes)
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

impl Code {
    /// A new code.
    pub fn draw(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0u8; CHARACTERS];
        rng.fill_bytes(&mut bytes);
        // 256 is a multiple of 32, and the index is below 32.
        Self(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
    }

    /// Whether somebody typed this code, in any case and grouping, and whichever of the letters
    /// that look alike they took.
    pub fn is(&self, typed: &str) -> bool {
        let typed: String = typed
            .chars()
            .filter(|c| c.is_ascii_alphanumeric())
            .take(CHARACTERS + 1)
            .map(|c| match c.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                'U' => 'V',
                other => other,
            })
            .collect();
        self.0.as_bytes().ct_eq(typed.as_bytes()).into()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.0.split_at(CHARACTERS / 2);
        write!(f, "{first}-{second}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_recognised_as_people_type_it() {
        let code = Code("01AVKMNZ".into());
        assert_eq!(code.to_string(), "01AV-KMNZ");
        for typed in ["01AV-KMNZ", "01avkmnz", " o1av kmnz ", "OLAU-KMNZ", "0iav-kmnz"] {
            assert!(code.is(typed), "{typed}");
        }
        for typed in ["", "01AV", "01AV-KMNY", "01AV-KMNZ0"] {
            assert!(!code.is(typed), "{typed}");
        }
    }

    #[test]
    fn a_token_is_recognised_by_all_of_its_bytes_and_shown_to_nobody() {
        let token = Token::draw(&mut rand::rng());
        let shown = Token::read(&token.reveal()).unwrap();
        assert!(token.is(&shown));
        for place in 0..32 {
            let mut other = *shown;
            other[place] ^= 1;
            assert!(!token.is(&other));
        }
        assert!(Token::read("").is_none() && Token::read(&"ab".repeat(33)).is_none());
        assert_eq!(format!("{token:?}"), "Token(redacted)");
    }

    #[test]
    fn codes_are_drawn_from_the_whole_alphabet() {
        let mut seen = std::collections::BTreeSet::new();
        (0..200).for_each(|_| seen.extend(Code::draw(&mut rand::rng()).0.into_bytes()));
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), ALPHABET);
    }
}

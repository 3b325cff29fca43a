//! A TOML file and the places in it, so that every refusal can name one.

use std::{fmt, fs, path::Path};

use mpc::sign::PublicKey;
use serde::de::DeserializeOwned;
use toml::Spanned;

use super::ConfigError;

/// A place in a text file, as `file:line:column`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The file.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

/// A file's text under its name.
pub(super) struct Source {
    file: String,
    text: String,
}

impl Source {
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let file = path.display().to_string();
        let text = fs::read_to_string(path)
            .map_err(|cause| ConfigError::Unreadable { path: file.clone(), cause })?;
        Ok(Self { file, text })
    }

    /// A text that stands in the file `path`.
    pub(super) fn of(text: &str, path: &Path) -> Self {
        Self { file: path.display().to_string(), text: text.to_owned() }
    }

    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        toml::from_str(&self.text).map_err(|error| ConfigError::Syntax {
            at: self.position(error.span().map_or(0, |span| span.start)),
            // The library repeats what it did not expect, and that may steer a terminal.
            cause: error.message().replace('\n', "; ").replace(char::is_control, " "),
        })
    }

    /// Where a value stands.
    pub(super) fn at<T>(&self, value: &Spanned<T>) -> Position {
        self.position(value.span().start)
    }

    /// The refusal of a value.
    pub(super) fn value<T>(
        &self,
        value: &Spanned<T>,
        key: &'static str,
        rule: impl Into<String>,
    ) -> ConfigError {
        ConfigError::Value { at: self.at(value), key, rule: rule.into() }
    }

    pub(super) fn public_key(
        &self,
        key: &'static str,
        text: &Spanned<String>,
    ) -> Result<PublicKey, ConfigError> {
        let parsed = text.get_ref().parse().ok().filter(PublicKey::is_usable);
        let rule = "an Ed25519 public key of 64 hexadecimal digits";
        parsed.ok_or_else(|| self.value(text, key, rule))
    }

    fn position(&self, byte: usize) -> Position {
        let before = self.text.get(..byte).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Position {
            file: self.file.clone(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or("").chars().count() + 1,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

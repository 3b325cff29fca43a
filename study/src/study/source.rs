//! Source: a TOML text in which every key is known by its line.

use std::collections::HashMap;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{
    decimal,
    error::{Place, Rule, StudyError, Subject, label, list},
};

/// A part of a study.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum At {
    Study,
    Privacy,
    Column(usize),
    Statistic(usize),
}

/// The lines of a study file.
#[derive(Debug)]
pub(super) struct Source {
    file: String,
    /// Byte offset of every line's start.
    starts: Vec<usize>,
    /// The line of each key that is there.
    keys: HashMap<(At, String), usize>,
    /// The line at which each part begins.
    parts: HashMap<At, usize>,
}

/// One table of a study file, read key by key.
pub(super) struct Section<'a> {
    source: &'a Source,
    at: At,
    subject: Subject,
    toml: &'a DeTable<'a>,
}

impl Source {
    pub(super) fn new(file: &str, text: &str) -> Self {
        let newlines = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n');
        let starts = std::iter::once(0).chain(newlines.map(|(at, _)| at + 1)).collect();
        Self { file: file.into(), starts, keys: HashMap::new(), parts: HashMap::new() }
    }

    /// Remembers where the keys of a part stand.
    pub(super) fn note(&mut self, at: At, offset: usize, toml: &DeTable<'_>) {
        self.parts.insert(at, self.line_of(offset));
        for key in toml.keys() {
            let line = self.line_of(key.span().start);
            self.keys.insert((at, key.get_ref().to_string()), line);
        }
    }

    /// The line of a key, or of its part where the key is not there.
    pub(super) fn line(&self, at: At, key: &str) -> usize {
        let key = self.keys.get(&(at, key.to_string()));
        key.or_else(|| self.parts.get(&at)).copied().unwrap_or(1)
    }

    /// The line of a byte offset, counted from 1.
    pub(super) fn line_of(&self, offset: usize) -> usize {
        self.starts.partition_point(|&start| start <= offset).max(1)
    }

    pub(super) fn error(&self, line: usize, subject: Subject, rule: Rule) -> StudyError {
        let place = Place::File { name: self.file.clone(), line };
        StudyError { place, subject, rule: Box::new(rule) }
    }
}

impl<'a> Section<'a> {
    pub(super) fn new(source: &'a Source, at: At, toml: &'a DeTable<'a>) -> Self {
        let name = toml.get("name").and_then(|name| name.get_ref().as_str());
        let subject = match at {
            At::Study => Subject::Study,
            At::Privacy => Subject::Privacy,
            At::Column(place) => Subject::Column(label(name, place)),
            At::Statistic(place) => Subject::Statistic(label(name, place)),
        };
        Self { source, at, subject, toml }
    }

    /// Refuses every key but these.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), StudyError> {
        let unknown = self.toml.keys().filter(|key| !known.contains(&key.get_ref().as_ref()));
        // The first in the file: the map is in alphabetical order.
        let Some(key) = unknown.min_by_key(|key| key.span().start) else { return Ok(()) };
        let key = key.get_ref().to_string();
        let known = list(known.iter().copied());
        Err(self.error(&key.clone(), Rule::UnknownKey { key, known }))
    }

    /// An error at the line of `key`.
    pub(super) fn error(&self, key: &str, rule: Rule) -> StudyError {
        self.source.error(self.source.line(self.at, key), self.subject.clone(), rule)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.toml.contains_key(key)
    }

    pub(super) fn value(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.toml.get(key)
    }

    pub(super) fn require<T>(
        &self,
        value: Option<T>,
        key: &'static str,
        example: &'static str,
    ) -> Result<T, StudyError> {
        value.ok_or_else(|| self.error(key, Rule::MissingKey { key, example }))
    }

    pub(super) fn string(&self, key: &str) -> Result<Option<String>, StudyError> {
        self.value(key).map(|value| self.as_string(key, value, "a string")).transpose()
    }

    /// A list of strings.
    pub(super) fn strings(&self, key: &str) -> Result<Option<Vec<String>>, StudyError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let expected = "a list of strings";
        let array = value.get_ref().as_array();
        let array = array.ok_or_else(|| self.wrong_type(key, value, expected))?;
        let strings = array.iter().map(|value| self.as_string(key, value, expected));
        strings.collect::<Result<_, _>>().map(Some)
    }

    /// A string or a list of strings.
    pub(super) fn names(&self, key: &str) -> Result<Option<Vec<String>>, StudyError> {
        match self.value(key).map(|value| value.get_ref()) {
            Some(DeValue::String(name)) => Ok(Some(vec![name.to_string()])),
            _ => self.strings(key),
        }
    }

    /// A number or a list of numbers, each as a plain decimal: a TOML float's own digits are read,
    /// not its value.
    pub(super) fn decimals(&self, key: &'static str) -> Result<Option<Vec<String>>, StudyError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let values: Vec<_> = match value.get_ref() {
            DeValue::Array(array) => array.iter().collect(),
            _ => vec![value],
        };
        values
            .into_iter()
            .map(|value| self.as_decimal(key, value))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// A whole number from `min` to `max`.
    pub(super) fn count(
        &self,
        key: &'static str,
        min: u64,
        max: u64,
    ) -> Result<Option<u64>, StudyError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let DeValue::Integer(integer) = value.get_ref() else {
            return Err(self.wrong_type(key, value, "a whole number"));
        };
        match u64::from_str_radix(integer.as_str().trim_start_matches('+'), integer.radix()) {
            Ok(number) if (min..=max).contains(&number) => Ok(Some(number)),
            _ => {
                let found = integer.to_string();
                Err(self.error(key, Rule::Limits { key, found, min, max }))
            }
        }
    }

    /// A number's own digits, as they are written.
    pub(super) fn number(&self, key: &str) -> Result<Option<String>, StudyError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        match value.get_ref() {
            DeValue::Integer(integer) if integer.radix() == 10 => Ok(Some(integer.to_string())),
            DeValue::Float(float) => Ok(Some(float.as_str().to_string())),
            DeValue::String(text) => Ok(Some(text.to_string())),
            _ => Err(self.wrong_type(key, value, "a number")),
        }
    }

    /// The tables of a list of tables, with the offsets at which they begin.
    pub(super) fn tables(&self, key: &str) -> Result<Vec<(usize, &'a DeTable<'a>)>, StudyError> {
        let Some(value) = self.value(key) else { return Ok(Vec::new()) };
        let expected = "a list of tables; write [[…]] with two brackets";
        let array = value.get_ref().as_array();
        let array = array.ok_or_else(|| self.wrong_type(key, value, expected))?;
        let table = |value: &'a Spanned<DeValue<'a>>| match value.get_ref() {
            DeValue::Table(table) => Ok((value.span().start, table)),
            _ => Err(self.wrong_type(key, value, expected)),
        };
        array.iter().map(table).collect()
    }

    /// The error for a value of the wrong TOML type, at the value's own line.
    pub(super) fn wrong_type(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        expected: &'static str,
    ) -> StudyError {
        let found = match value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let rule = Rule::TomlType { key: key.into(), expected, found };
        self.source.error(self.source.line_of(value.span().start), self.subject.clone(), rule)
    }

    fn as_decimal(
        &self,
        key: &'static str,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<String, StudyError> {
        let found = match value.get_ref() {
            DeValue::Integer(integer) if integer.radix() == 10 => integer.to_string(),
            DeValue::Float(float) => float.to_string(),
            DeValue::String(text) => text.to_string(),
            _ => return Err(self.wrong_type(key, value, "a number or a list of numbers")),
        };
        decimal::plain(&found).map_err(|cause| self.error(key, Rule::Number { key, found, cause }))
    }

    fn as_string(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        expected: &'static str,
    ) -> Result<String, StudyError> {
        let string = value.get_ref().as_str().map(str::to_string);
        string.ok_or_else(|| self.wrong_type(key, value, expected))
    }
}

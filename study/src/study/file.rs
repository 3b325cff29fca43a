//! File: a study as people write it, in TOML.

use mpc::sign::PublicKey;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Column, ColumnType, Privacy, Setting, Statistic, Study, StudyContext, StudyServer,
    differential,
    source::{At, Section, Source},
};
use crate::{
    decimal,
    error::{Rule, StudyError, Subject, list},
    limits,
    statistic::{self, Holds},
};

const STUDY_KEYS: &[&str] =
    &["title", "servers", "max_records", "providers", "privacy", "column", "statistic"];
const PRIVACY_KEYS: &[&str] = &["min_records", "min_cell", "epsilon", "delta", "unit"];
const COLUMN_KEYS: &[&str] =
    &["name", "type", "min", "max", "decimals", "unit", "values", "missing"];
const STATISTIC_KEYS: &[&str] = &["name", "kind", "by"];

const DEFAULT_MAX_RECORDS: u64 = 1_000_000;
const DEFAULT_MIN_RECORDS: u64 = 10;
const DEFAULT_MIN_CELL: u64 = 1;

/// Reads a study file into a study that is not checked yet, and the lines of its keys.
pub(super) fn read(
    text: &str,
    file: &str,
    context: StudyContext<'_>,
) -> Result<(Study, Source), StudyError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut source = Source::new(file, text);
    if text.len() > limits::FILE_BYTES {
        let rule = Rule::Size { found: text.len(), limit: limits::FILE_BYTES };
        return Err(source.error(1, Subject::Study, rule));
    }
    let root = DeTable::parse(text).map_err(|error| {
        let line = source.line_of(error.span().map_or(0, |span| span.start));
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        source.error(line, Subject::Study, Rule::Syntax(message))
    })?;
    let root = root.get_ref();
    note_lines(&mut source, root);
    let section = Section::new(&source, At::Study, root);
    section.only(STUDY_KEYS)?;
    let study = Study {
        title: section.require(section.string("title")?, "title", "title = \"…\"")?,
        servers: servers(&section, context.available)?,
        analyst: context.analyst,
        nonce: context.nonce,
        max_records: section
            .count("max_records", 1, limits::RECORDS)?
            .unwrap_or(DEFAULT_MAX_RECORDS),
        privacy: privacy(&source, &section)?,
        columns: columns(&source, &section)?,
        statistics: statistics(&source, &section)?,
        providers: providers(&section)?,
    };
    Ok((study, source))
}

/// The names at the key `servers`.
pub(super) fn named_servers(text: &str) -> Vec<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > limits::FILE_BYTES {
        return Vec::new();
    }
    let root = DeTable::parse(text).ok();
    let names = root.as_ref().and_then(|root| root.get_ref().get("servers")?.get_ref().as_array());
    let names = names.into_iter().flat_map(|names| names.iter());
    names.filter_map(|name| name.get_ref().as_str().map(str::to_owned)).collect()
}

/// Remembers every key's line before anything is refused.
fn note_lines(source: &mut Source, root: &DeTable<'_>) {
    source.note(At::Study, 0, root);
    if let Some((offset, table)) = root.get("privacy").and_then(as_table) {
        source.note(At::Privacy, offset, table);
    }
    note_list(source, root, "column", At::Column);
    note_list(source, root, "statistic", At::Statistic);
}

fn note_list(source: &mut Source, root: &DeTable<'_>, key: &str, at: fn(usize) -> At) {
    let list = root.get(key).and_then(|list| list.get_ref().as_array());
    for (place, value) in list.into_iter().flat_map(|list| list.iter().enumerate()) {
        if let Some((offset, table)) = as_table(value) {
            source.note(at(place), offset, table);
        }
    }
}

fn as_table<'a, 'i>(value: &'a Spanned<DeValue<'i>>) -> Option<(usize, &'a DeTable<'i>)> {
    Some((value.span().start, value.get_ref().as_table()?))
}

fn servers(
    section: &Section<'_>,
    available: &[StudyServer],
) -> Result<Vec<StudyServer>, StudyError> {
    let Some(names) = section.strings("servers")? else { return Ok(available.to_vec()) };
    let find = |name: String| {
        let server = available.iter().find(|server| server.name == name);
        server.cloned().ok_or_else(|| {
            let known = list(available.iter().map(|server| server.name.as_str()));
            section.error("servers", Rule::UnknownServer { name, known })
        })
    };
    names.into_iter().map(find).collect()
}

fn providers(section: &Section<'_>) -> Result<Vec<PublicKey>, StudyError> {
    let keys = section.strings("providers")?.unwrap_or_default();
    let parse = |found: String| {
        found
            .parse()
            .map_err(|_| section.error("providers", Rule::Key { what: "the provider", found }))
    };
    keys.into_iter().map(parse).collect()
}

fn privacy(source: &Source, root: &Section<'_>) -> Result<Privacy, StudyError> {
    let defaults = Privacy {
        min_records: DEFAULT_MIN_RECORDS,
        min_cell: DEFAULT_MIN_CELL,
        differential: None,
    };
    let Some(value) = root.value("privacy") else { return Ok(defaults) };
    let DeValue::Table(table) = value.get_ref() else {
        return Err(root.wrong_type("privacy", value, "a table; write [privacy]"));
    };
    let section = Section::new(source, At::Privacy, table);
    section.only(PRIVACY_KEYS)?;
    let count = |key, default| Ok(section.count(key, 1, limits::RECORDS)?.unwrap_or(default));
    Ok(Privacy {
        min_records: count("min_records", defaults.min_records)?,
        min_cell: count("min_cell", defaults.min_cell)?,
        differential: differential::read(&section)?,
    })
}

fn columns(source: &Source, root: &Section<'_>) -> Result<Vec<Column>, StudyError> {
    let tables = root.tables("column")?;
    let column = |(place, &(_, table)): (usize, &(usize, _))| column(source, place, table);
    tables.iter().enumerate().map(column).collect()
}

fn column<'a>(
    source: &'a Source,
    place: usize,
    table: &'a DeTable<'a>,
) -> Result<Column, StudyError> {
    let section = Section::new(source, At::Column(place), table);
    section.only(COLUMN_KEYS)?;
    let name = section.require(section.string("name")?, "name", "name = \"…\"")?;
    let holds = section.string("type")?;
    let holds = section.require(holds, "type", "type = \"integer\", or another type")?;
    let missing_allowed = match section.string("missing")?.as_deref() {
        None | Some("refused") => false,
        Some("allowed") => true,
        Some(found) => {
            return Err(section.error("missing", Rule::MissingRule { found: found.into() }));
        }
    };
    let holds = match holds.as_str() {
        "integer" => {
            foreign(&section, "integer", &["decimals", "values"])?;
            let (min, max) = range(&section, 0)?;
            ColumnType::Integer { min, max }
        }
        "decimal" => {
            foreign(&section, "decimal", &["values"])?;
            let decimals = section.count("decimals", 0, limits::DECIMALS.into())?;
            let decimals =
                section.require(decimals, "decimals", "decimals = 2, or another number")?;
            // At most limits::DECIMALS, so that it fits.
            let decimals = decimals as u8;
            let (min, max) = range(&section, decimals)?;
            ColumnType::Decimal { decimals, min, max }
        }
        "boolean" => {
            foreign(&section, "boolean", &["decimals", "min", "max", "unit", "values"])?;
            ColumnType::Boolean
        }
        "category" => {
            foreign(&section, "category", &["decimals", "min", "max", "unit"])?;
            let values = section.strings("values")?;
            let values = section.require(values, "values", "values = [\"…\", \"…\"]")?;
            ColumnType::Category { values }
        }
        found => return Err(section.error("type", Rule::UnknownType { found: found.into() })),
    };
    Ok(Column { name, holds, missing_allowed, unit: section.string("unit")? })
}

/// Refuses keys that columns of another type have.
fn foreign(
    section: &Section<'_>,
    holds: &'static str,
    keys: &[&'static str],
) -> Result<(), StudyError> {
    match keys.iter().find(|key| section.has(key)) {
        Some(key) => Err(section.error(key, Rule::ForeignKey { key, holds })),
        None => Ok(()),
    }
}

fn range(section: &Section<'_>, decimals: u8) -> Result<(i64, i64), StudyError> {
    let min = section.require(bound(section, "min", decimals)?, "min", "the smallest value")?;
    let max = section.require(bound(section, "max", decimals)?, "max", "the largest value")?;
    Ok((min, max))
}

/// A bound, exactly as it is written: a TOML float's own digits are read, not its value.
fn bound(
    section: &Section<'_>,
    key: &'static str,
    decimals: u8,
) -> Result<Option<i64>, StudyError> {
    let Some(value) = section.value(key) else { return Ok(None) };
    let (found, parsed) = match value.get_ref() {
        DeValue::Integer(integer) if integer.radix() != 10 => {
            let number = i64::from_str_radix(integer.as_str(), integer.radix());
            let number = number.map(|number| i128::from(number) * 10i128.pow(decimals.into()));
            (integer.to_string(), Ok(number.unwrap_or(i128::MAX)))
        }
        DeValue::Integer(integer) => {
            (integer.to_string(), decimal::parse(integer.as_str(), decimals))
        }
        DeValue::Float(float) => (float.to_string(), decimal::parse(float.as_str(), decimals)),
        DeValue::String(text) => (text.to_string(), decimal::parse(text, decimals)),
        _ => return Err(section.wrong_type(key, value, "a number")),
    };
    let number = parsed.map_err(|cause| {
        let found = found.clone();
        section.error(key, Rule::Number { key, found, cause })
    })?;
    match i64::try_from(number) {
        Ok(number) if number.unsigned_abs() < limits::RANGE.unsigned_abs() => Ok(Some(number)),
        _ => Err(section.error(key, Rule::Bound { key, found })),
    }
}

fn statistics(source: &Source, root: &Section<'_>) -> Result<Vec<Statistic>, StudyError> {
    let tables = root.tables("statistic")?.into_iter().enumerate();
    tables.map(|(place, (_, table))| statistic(source, place, table)).collect()
}

fn statistic<'a>(
    source: &'a Source,
    place: usize,
    table: &'a DeTable<'a>,
) -> Result<Statistic, StudyError> {
    let section = Section::new(source, At::Statistic(place), table);
    let name = section.string("name")?;
    let name = section.require(name, "name", "name = \"…\"")?;
    let kind = section.string("kind")?;
    let kind = section.require(kind, "kind", "kind = \"mean\", or another kind")?;
    let found = statistic::find(&kind)
        .ok_or_else(|| section.error("kind", statistic::unknown_kind(&kind)))?;
    let keys = found.keys();
    let known: Vec<&str> =
        STATISTIC_KEYS.iter().copied().chain(keys.iter().map(|k| k.name)).collect();
    section.only(&known)?;
    let mut settings = Vec::new();
    for key in keys {
        let setting = match key.holds {
            Holds::Texts => section.names(key.name)?.map(Setting::Texts),
            Holds::Numbers => section.decimals(key.name)?.map(Setting::Numbers),
        };
        settings.extend(setting.map(|setting| (key.name.to_string(), setting)));
    }
    let by = section.names("by")?.unwrap_or_default();
    let mut statistic = Statistic { name, kind, by, settings };
    found.normalise(&mut statistic);
    Ok(statistic)
}

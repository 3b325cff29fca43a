//! Check: every rule that a study has to keep, whether it comes from a file or from the wire.

use std::collections::HashSet;

use mpc::{ids::PARTIES, sign::PublicKey};

use super::{Column, ColumnType, Setting, Statistic, Study, source::At};
use crate::{
    decimal,
    error::{Place, Rule, StudyError, Subject, label, list},
    limits,
    plan::{self, Term},
    statistic::{self, Holds, Kind, Question},
    table,
};

/// A broken rule, and the key at which it is broken.
#[derive(Debug)]
pub(super) struct Violation {
    pub(super) at: At,
    pub(super) key: &'static str,
    rule: Rule,
}

impl Violation {
    pub(super) fn into_error(self, study: &Study, place: Place) -> StudyError {
        let name = |name: Option<&String>, place| label(name.map(String::as_str), place);
        let subject = match self.at {
            At::Study => Subject::Study,
            At::Privacy => Subject::Privacy,
            At::Column(at) => {
                Subject::Column(name(study.columns.get(at).map(|column| &column.name), at))
            }
            At::Statistic(at) => {
                let statistic = study.statistics.get(at);
                Subject::Statistic(name(statistic.map(|statistic| &statistic.name), at))
            }
        };
        StudyError { place, subject, rule: Box::new(self.rule) }
    }
}

/// Checks every rule; the first broken one is returned.
pub(super) fn check(study: &Study) -> Result<(), Violation> {
    whole(study)?;
    let broken = |at, (key, rule)| Violation { at, key, rule };
    let mut names = HashSet::new();
    for (place, column) in study.columns.iter().enumerate() {
        check_column(column, &mut names).map_err(|rule| broken(At::Column(place), rule))?;
    }
    let mut names = HashSet::new();
    for (place, statistic) in study.statistics.iter().enumerate() {
        let at = At::Statistic(place);
        text("the name", &statistic.name, limits::NAME_CHARS)
            .map_err(|rule| broken(at, ("name", rule)))?;
        if !names.insert(statistic.name.as_str()) {
            let rule = Rule::Duplicate { what: "statistic", name: statistic.name.clone() };
            return Err(broken(at, ("name", rule)));
        }
        check_statistic(study, statistic).map_err(|rule| broken(at, rule))?;
    }
    plan::check_size(study).map_err(|(place, key, rule)| Violation {
        at: At::Statistic(place),
        key,
        rule,
    })?;
    plan::check_noise(study).map_err(|rule| broken(At::Privacy, ("epsilon", rule)))?;
    let found = study.encode().len();
    if found > limits::ENCODING_BYTES {
        let rule = Rule::Size { found, limit: limits::ENCODING_BYTES };
        return Err(Violation { at: At::Study, key: "", rule });
    }
    Ok(())
}

/// The rules of the study as a whole.
fn whole(study: &Study) -> Result<(), Violation> {
    let at = |at, key| move |rule| Violation { at, key, rule };
    let study_at = |key| at(At::Study, key);
    text("the title", &study.title, limits::TITLE_CHARS).map_err(study_at("title"))?;
    servers(study).map_err(study_at("servers"))?;
    keys(study).map_err(study_at("providers"))?;
    number("max_records", study.max_records).map_err(study_at("max_records"))?;
    let privacy = study.privacy;
    number("min_records", privacy.min_records).map_err(at(At::Privacy, "min_records"))?;
    number("min_cell", privacy.min_cell).map_err(at(At::Privacy, "min_cell"))?;
    if let Some(differential) = privacy.differential {
        differential.check().map_err(|(key, rule)| at(At::Privacy, key)(rule))?;
    }
    if privacy.min_records > study.max_records {
        let rule =
            Rule::NeverEnough { min_records: privacy.min_records, max_records: study.max_records };
        // With the default of min_records, it is max_records that was written.
        return Err(study_at("max_records")(rule));
    }
    let columns = (study.columns.len(), limits::COLUMNS);
    some_of("columns", "[[column]]", columns).map_err(study_at("column"))?;
    let statistics = (study.statistics.len(), limits::STATISTICS);
    some_of("statistics", "[[statistic]]", statistics).map_err(study_at("statistic"))
}

fn servers(study: &Study) -> Result<(), Rule> {
    if !PARTIES.contains(&study.servers.len()) {
        return Err(Rule::ServerCount { found: study.servers.len() });
    }
    let mut names = HashSet::new();
    let mut identities = HashSet::new();
    for server in &study.servers {
        text("the server's name", &server.name, limits::NAME_CHARS)?;
        usable("the server", server.identity)?;
        if !names.insert(&server.name) {
            return Err(Rule::Duplicate { what: "server", name: server.name.clone() });
        }
        if !identities.insert(server.identity) {
            let name = server.identity.to_string();
            return Err(Rule::Duplicate { what: "the servers' identity", name });
        }
    }
    Ok(())
}

/// The keys of the analyst and the providers.
fn keys(study: &Study) -> Result<(), Rule> {
    usable("the analyst", study.analyst)?;
    at_most("providers", study.providers.len(), limits::PROVIDERS)?;
    let mut seen = HashSet::new();
    for provider in &study.providers {
        usable("the provider", *provider)?;
        if !seen.insert(provider) {
            return Err(Rule::Duplicate { what: "provider", name: provider.to_string() });
        }
    }
    Ok(())
}

type Broken = (&'static str, Rule);

fn check_column<'a>(column: &'a Column, names: &mut HashSet<&'a str>) -> Result<(), Broken> {
    text("the name", &column.name, limits::NAME_CHARS).map_err(|rule| ("name", rule))?;
    if !names.insert(&column.name) {
        return Err(("name", Rule::Duplicate { what: "column", name: column.name.clone() }));
    }
    check_unit(column).map_err(|rule| ("unit", rule))?;
    match &column.holds {
        ColumnType::Integer { min, max } => check_range(*min, *max, 0),
        ColumnType::Decimal { decimals, min, max } => {
            if *decimals > limits::DECIMALS {
                let (key, found) = ("decimals", decimals.to_string());
                let max = limits::DECIMALS.into();
                return Err((key, Rule::Limits { key, found, min: 0, max }));
            }
            check_range(*min, *max, *decimals)
        }
        ColumnType::Boolean => Ok(()),
        ColumnType::Category { values } => {
            check_labels(values, column.missing_allowed).map_err(|rule| ("values", rule))
        }
    }
}

fn check_unit(column: &Column) -> Result<(), Rule> {
    let Some(unit) = &column.unit else { return Ok(()) };
    match column.holds {
        ColumnType::Integer { .. } | ColumnType::Decimal { .. } => {
            text("the unit", unit, limits::UNIT_CHARS)
        }
        ColumnType::Boolean | ColumnType::Category { .. } => {
            Err(Rule::ForeignKey { key: "unit", holds: column.holds.name() })
        }
    }
}

fn check_range(min: i64, max: i64, decimals: u8) -> Result<(), Broken> {
    let shown = |bound: i64| decimal::format(bound.into(), decimals.into());
    for (key, bound) in [("min", min), ("max", max)] {
        if bound.unsigned_abs() >= limits::RANGE.unsigned_abs() {
            return Err((key, Rule::Bound { key, found: shown(bound) }));
        }
    }
    if min > max {
        return Err(("min", Rule::MinAboveMax { min: shown(min), max: shown(max) }));
    }
    // Both are within ±2^62, so that the difference is within an i64.
    if max - min >= limits::RANGE {
        return Err(("max", Rule::Width));
    }
    Ok(())
}

fn check_labels(values: &[String], missing_allowed: bool) -> Result<(), Rule> {
    if values.is_empty() {
        return Err(Rule::NoValues);
    }
    at_most("values", values.len(), limits::LABELS)?;
    let mut seen = HashSet::new();
    for value in values {
        text("the value", value, limits::LABEL_CHARS)?;
        if missing_allowed && table::is_missing(value) {
            return Err(Rule::MissingToken(value.clone()));
        }
        if !seen.insert(value) {
            return Err(Rule::Duplicate { what: "value", name: value.clone() });
        }
    }
    Ok(())
}

/// The rules of one statistic that do not depend on the others.
fn check_statistic(study: &Study, statistic: &Statistic) -> Result<(), Broken> {
    let Some(kind) = statistic::find(&statistic.kind) else {
        return Err(("kind", statistic::unknown_kind(&statistic.kind)));
    };
    check_settings(kind, statistic)?;
    at_most("columns in `by`", statistic.by.len(), limits::BY_COLUMNS)
        .map_err(|rule| ("by", rule))?;
    let question = Question { study, statistic };
    let formula = kind.formula(&question)?;
    let mut seen = HashSet::new();
    for name in &statistic.by {
        let chosen = question.find("by", name)?;
        if chosen.column.levels().is_none() {
            let holds = chosen.column.holds.name();
            return Err(("by", Rule::ByType { column: name.clone(), holds }));
        }
        if !seen.insert(chosen.place) {
            return Err(("by", Rule::Duplicate { what: "column", name: name.clone() }));
        }
    }
    for request in formula.requests() {
        if let Some(axis) = request.axes.iter().find(|axis| seen.contains(&axis.column)) {
            let column = study.columns.get(axis.column).map(|column| column.name.clone());
            return Err(("by", Rule::ColumnTwice { column: column.unwrap_or_default() }));
        }
        let summands = request.term.expansion(study).into_iter();
        for term in summands.filter_map(|(_, term)| term.normal(study, &request.axes)) {
            check_overflow(study, &term)?;
        }
    }
    Ok(())
}

/// The kind's own keys, each at most once and in the kind's order, with what they hold.
fn check_settings(kind: &dyn Kind, statistic: &Statistic) -> Result<(), Broken> {
    let mut settings = statistic.settings.iter().peekable();
    for key in kind.keys() {
        let Some((_, setting)) = settings.next_if(|(own, _)| own == key.name) else {
            match key.is_optional {
                true => continue,
                false => {
                    let rule = Rule::MissingKey { key: key.name, example: key.example() };
                    return Err((key.name, rule));
                }
            }
        };
        let checked = match (key.holds, setting) {
            (Holds::Texts, Setting::Texts(texts)) => {
                at_most("columns", texts.len(), limits::OF_COLUMNS)
                    .and_then(|()| short_texts(texts))
            }
            (Holds::Numbers, Setting::Numbers(numbers)) => {
                at_most("numbers", numbers.len(), limits::NUMBERS)
                    .and_then(|()| plain_numbers(key.name, numbers))
            }
            _ => Err(Rule::Malformed(format!("`{}` does not hold what it should", key.name))),
        };
        checked.map_err(|rule| (key.name, rule))?;
    }
    match settings.next() {
        // Only an encoding that nobody made from a file has such a key.
        Some((key, _)) => {
            let known = list(kind.keys().iter().map(|key| key.name));
            Err(("kind", Rule::UnknownKey { key: key.clone(), known }))
        }
        None => Ok(()),
    }
}

fn short_texts(texts: &[String]) -> Result<(), Rule> {
    let (what, limit) = ("the text", limits::TEXT_CHARS);
    let lengths = texts.iter().map(|text| text.chars().count());
    match lengths.max().filter(|&found| found > limit) {
        Some(found) => Err(Rule::TooLong { what, found, limit }),
        None => Ok(()),
    }
}

fn plain_numbers(key: &'static str, numbers: &[String]) -> Result<(), Rule> {
    numbers.iter().try_for_each(|number| match decimal::plain(number) {
        Ok(plain) if plain == *number => Ok(()),
        Ok(_) => Err(Rule::NotCanonical),
        Err(cause) => Err(Rule::Number { key, found: number.clone(), cause }),
    })
}

/// max_records times the largest value of a term that is really summed stays below
/// [`limits::SUM`].
fn check_overflow(study: &Study, term: &Term) -> Result<(), Broken> {
    // A term in its normal form has no factor that is always 0.
    let span = term.span(study).max(1);
    if span.checked_mul(study.max_records.into()).is_some_and(|largest| largest < limits::SUM) {
        return Ok(());
    }
    let columns = term.values().iter().filter_map(|&place| study.columns.get(place));
    let names: Vec<_> = columns.map(|column| format!("\"{}\"", column.name)).collect();
    let largest = u64::try_from((limits::SUM - 1) / span).unwrap_or(u64::MAX);
    let max_records = study.max_records;
    Err(("of", Rule::Overflow { factors: names.join(" · "), max_records, largest }))
}

/// A text that can stand in a table, a log and an error: not empty, not too long, one line.
fn text(what: &'static str, text: &str, limit: usize) -> Result<(), Rule> {
    let found = text.chars().count();
    if text.is_empty() {
        Err(Rule::Empty { what })
    } else if found > limit {
        Err(Rule::TooLong { what, found, limit })
    } else if text.trim() != text || text.chars().any(is_invisible) {
        Err(Rule::Unprintable { what, found: text.into() })
    } else {
        Ok(())
    }
}

fn number(key: &'static str, found: u64) -> Result<(), Rule> {
    let (min, max) = (1, limits::RECORDS);
    match (min..=max).contains(&found) {
        true => Ok(()),
        false => Err(Rule::Limits { key, found: found.to_string(), min, max }),
    }
}

fn usable(what: &'static str, key: PublicKey) -> Result<(), Rule> {
    match key.is_usable() {
        true => Ok(()),
        false => Err(Rule::Key { what, found: key.to_string() }),
    }
}

fn at_most(what: &'static str, found: usize, limit: usize) -> Result<(), Rule> {
    if found > limit { Err(Rule::TooMany { what, found, limit }) } else { Ok(()) }
}

fn some_of(
    what: &'static str,
    example: &'static str,
    (found, limit): (usize, usize),
) -> Result<(), Rule> {
    match found {
        0 => Err(Rule::NoneOf { what, example }),
        _ => at_most(what, found, limit),
    }
}

/// Control characters, and those that change the direction of what follows: with them a name could
/// read as another to whoever approves the study.
pub fn is_invisible(c: char) -> bool {
    let redirects = matches!(c, '\u{061c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || redirects
}

//! Canonical encoding: the one byte string of a study, which its id is the hash of.
//!
//! JSON without spaces, keys in the order of the types below, integers only (bounds are scaled by
//! 10^decimals), keys and nonce in hexadecimal. A decoder re-encodes what it read and refuses any
//! other bytes.

use mpc::sign::PublicKey;
use serde::{Deserialize, Serialize};

use super::{
    Column, ColumnType, Differential, Parameter, Privacy, Setting, Statistic, Study, StudyServer,
    Unit, check,
};
use crate::{
    error::{Place, Rule, StudyError, Subject},
    limits,
};

/// The format's version, so that a later one cannot be taken for this.
const FORMAT: &str = "sotto/v1/study";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Canonical {
    format: String,
    title: String,
    servers: Vec<CanonicalServer>,
    analyst: String,
    nonce: String,
    max_records: u64,
    privacy: CanonicalPrivacy,
    columns: Vec<CanonicalColumn>,
    statistics: Vec<CanonicalStatistic>,
    providers: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CanonicalServer {
    name: String,
    identity: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CanonicalPrivacy {
    min_records: u64,
    min_cell: u64,
    /// Not there at all without differential privacy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    differential: Option<CanonicalDifferential>,
}

/// Numbers as [`Parameter`] writes them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CanonicalDifferential {
    epsilon: String,
    delta: Option<String>,
    unit: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CanonicalColumn {
    name: String,
    missing_allowed: bool,
    holds: CanonicalType,
    /// Not there at all where a column has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum CanonicalType {
    Integer { min: i64, max: i64 },
    Decimal { decimals: u8, min: i64, max: i64 },
    Boolean,
    Category { values: Vec<String> },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CanonicalStatistic {
    name: String,
    kind: String,
    by: Vec<String>,
    settings: Vec<(String, CanonicalSetting)>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum CanonicalSetting {
    Texts(Vec<String>),
    Numbers(Vec<String>),
}

/// The canonical encoding of a study.
pub(super) fn encode(study: &Study) -> Vec<u8> {
    // Strings and integers always serialize; there is no map with other keys and no float.
    serde_json::to_vec(&to_canonical(study)).unwrap_or_default()
}

/// The analyst that an encoding names; nothing else of it is looked at.
pub(super) fn analyst(bytes: &[u8]) -> Option<PublicKey> {
    #[derive(Deserialize)]
    struct Claim {
        analyst: String,
    }
    if bytes.len() > limits::ENCODING_BYTES {
        return None;
    }
    let claim: Claim = serde_json::from_slice(bytes).ok()?;
    claim.analyst.parse().ok()
}

/// Reads a canonical encoding and checks every rule.
pub(super) fn decode(bytes: &[u8]) -> Result<Study, StudyError> {
    if bytes.len() > limits::ENCODING_BYTES {
        return Err(refuse(Rule::Size { found: bytes.len(), limit: limits::ENCODING_BYTES }));
    }
    let canonical: Canonical = serde_json::from_slice(bytes).map_err(|error| {
        // The library repeats what it did not expect, and that may steer a terminal.
        let text = error.to_string().replace(char::is_control, " ");
        refuse(Rule::Malformed(text))
    })?;
    let study = from_canonical(canonical).map_err(refuse)?;
    if encode(&study) != bytes {
        return Err(refuse(Rule::NotCanonical));
    }
    check::check(&study).map_err(|violation| violation.into_error(&study, Place::Encoding))?;
    Ok(study)
}

fn refuse(rule: Rule) -> StudyError {
    StudyError { place: Place::Encoding, subject: Subject::Study, rule: Box::new(rule) }
}

fn to_canonical(study: &Study) -> Canonical {
    let server = |server: &StudyServer| CanonicalServer {
        name: server.name.clone(),
        identity: server.identity.to_string(),
    };
    let column = |column: &Column| CanonicalColumn {
        name: column.name.clone(),
        missing_allowed: column.missing_allowed,
        holds: match column.holds.clone() {
            ColumnType::Integer { min, max } => CanonicalType::Integer { min, max },
            ColumnType::Decimal { decimals, min, max } => {
                CanonicalType::Decimal { decimals, min, max }
            }
            ColumnType::Boolean => CanonicalType::Boolean,
            ColumnType::Category { values } => CanonicalType::Category { values },
        },
        unit: column.unit.clone(),
    };
    let setting = |(key, setting): (String, Setting)| match setting {
        Setting::Texts(texts) => (key, CanonicalSetting::Texts(texts)),
        Setting::Numbers(numbers) => (key, CanonicalSetting::Numbers(numbers)),
    };
    let statistic = |statistic: &Statistic| CanonicalStatistic {
        name: statistic.name.clone(),
        kind: statistic.kind.clone(),
        by: statistic.by.clone(),
        settings: statistic.settings.iter().cloned().map(setting).collect(),
    };
    let Privacy { min_records, min_cell, differential } = study.privacy;
    let differential = differential.map(|Differential { epsilon, delta, unit }| {
        let (epsilon, delta) = (epsilon.to_string(), delta.map(|delta| delta.to_string()));
        CanonicalDifferential { epsilon, delta, unit: unit.name().into() }
    });
    Canonical {
        format: FORMAT.into(),
        title: study.title.clone(),
        servers: study.servers.iter().map(server).collect(),
        analyst: study.analyst.to_string(),
        nonce: hex::encode(study.nonce),
        max_records: study.max_records,
        privacy: CanonicalPrivacy { min_records, min_cell, differential },
        columns: study.columns.iter().map(column).collect(),
        statistics: study.statistics.iter().map(statistic).collect(),
        providers: study.providers.iter().map(PublicKey::to_string).collect(),
    }
}

fn from_canonical(canonical: Canonical) -> Result<Study, Rule> {
    if canonical.format != FORMAT {
        return Err(Rule::Malformed(format!("its format is not {FORMAT}")));
    }
    let mut nonce = [0; 16];
    hex::decode_to_slice(&canonical.nonce, &mut nonce)
        .map_err(|_| Rule::Malformed("the nonce is not 32 hexadecimal digits".into()))?;
    let server = |server: CanonicalServer| {
        Ok(StudyServer { identity: key("the server", server.identity)?, name: server.name })
    };
    let column = |column: CanonicalColumn| Column {
        name: column.name,
        missing_allowed: column.missing_allowed,
        holds: match column.holds {
            CanonicalType::Integer { min, max } => ColumnType::Integer { min, max },
            CanonicalType::Decimal { decimals, min, max } => {
                ColumnType::Decimal { decimals, min, max }
            }
            CanonicalType::Boolean => ColumnType::Boolean,
            CanonicalType::Category { values } => ColumnType::Category { values },
        },
        unit: column.unit,
    };
    let setting = |(key, setting)| match setting {
        CanonicalSetting::Texts(texts) => (key, Setting::Texts(texts)),
        CanonicalSetting::Numbers(numbers) => (key, Setting::Numbers(numbers)),
    };
    let statistic = |CanonicalStatistic { name, kind, by, settings }| {
        let settings = settings.into_iter().map(setting).collect();
        Statistic { name, kind, by, settings }
    };
    let CanonicalPrivacy { min_records, min_cell, differential } = canonical.privacy;
    let differential = differential.map(from_differential).transpose()?;
    let provider = |text| key("the provider", text);
    Ok(Study {
        title: canonical.title,
        servers: canonical.servers.into_iter().map(server).collect::<Result<_, _>>()?,
        analyst: key("the analyst", canonical.analyst)?,
        nonce,
        max_records: canonical.max_records,
        privacy: Privacy { min_records, min_cell, differential },
        columns: canonical.columns.into_iter().map(column).collect(),
        statistics: canonical.statistics.into_iter().map(statistic).collect(),
        providers: canonical.providers.into_iter().map(provider).collect::<Result<_, _>>()?,
    })
}

fn from_differential(canonical: CanonicalDifferential) -> Result<Differential, Rule> {
    let CanonicalDifferential { epsilon, delta, unit } = canonical;
    let parameter = |key, found: String| {
        found.parse::<Parameter>().map_err(|cause| Rule::PrivacyNumber {
            key,
            found: found.clone(),
            cause,
        })
    };
    Ok(Differential {
        epsilon: parameter("epsilon", epsilon)?,
        delta: delta.map(|delta| parameter("delta", delta)).transpose()?,
        unit: Unit::find(&unit).ok_or(Rule::UnknownUnit { found: unit })?,
    })
}

fn key(what: &'static str, found: String) -> Result<PublicKey, Rule> {
    found.parse().map_err(|_| Rule::Key { what, found })
}

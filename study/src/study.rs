//! Study: one joint computation, validated: columns, statistics, privacy rules and servers.

use mpc::{dst, ids::StudyId, sign::PublicKey};

mod canonical;
mod check;
mod column;
mod differential;
mod file;
mod source;

pub use check::is_invisible;
pub use column::{Column, ColumnType};
pub use differential::{Differential, NotAParameter, Parameter, Unit};

use crate::error::{Place, StudyError};

/// One joint computation. A value of this type satisfies every rule of [`crate::limits`] and of
/// the kinds that it uses, so that a [`crate::Plan`] can be made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Study {
    title: String,
    servers: Vec<StudyServer>,
    analyst: PublicKey,
    nonce: [u8; 16],
    max_records: u64,
    privacy: Privacy,
    columns: Vec<Column>,
    statistics: Vec<Statistic>,
    providers: Vec<PublicKey>,
}

/// A computation server of a study.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StudyServer {
    /// The server's name in the profile and in the roster.
    pub name: String,
    /// The key that signs its receipts and results.
    pub identity: PublicKey,
}

/// What a study says about small numbers and about noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Privacy {
    /// With fewer accepted records than this nothing is opened.
    pub min_records: u64,
    /// Cells with fewer records than this are suppressed; 1: none is.
    pub min_cell: u64,
    /// The noise that its sums get; none: they are exact.
    pub differential: Option<Differential>,
}

impl Privacy {
    /// Whether each provider submits one record, once.
    pub fn is_one_per_provider(&self) -> bool {
        self.differential.is_some_and(|asked| asked.unit == Unit::Provider)
    }
}

/// One question of a study.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statistic {
    /// The statistic's name, unique in its study.
    pub name: String,
    /// The name of its [`crate::statistic::Kind`].
    pub kind: String,
    /// The category or boolean columns that it is grouped by, by name.
    pub by: Vec<String>,
    /// The kind's own keys, in the kind's order; those left out are not there.
    pub settings: Vec<(String, Setting)>,
}

/// What stands at a key of a statistic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// Texts: columns, or combinations of columns.
    Texts(Vec<String>),
    /// Numbers, as decimals without superfluous characters.
    Numbers(Vec<String>),
}

impl Statistic {
    /// What stands at a key.
    pub fn setting(&self, key: &str) -> Option<&Setting> {
        self.settings.iter().find(|(own, _)| own == key).map(|(_, setting)| setting)
    }
}

/// What a study file leaves to the moment of its creation.
#[derive(Debug, Clone, Copy)]
pub struct StudyContext<'a> {
    /// The servers of the client's profile.
    pub available: &'a [StudyServer],
    /// Who proposes the study.
    pub analyst: PublicKey,
    /// 16 fresh random bytes: the same file proposed twice is two studies.
    pub nonce: [u8; 16],
}

impl Study {
    /// Reads a study file. Errors name `file`, the line and the key.
    pub fn from_file(
        text: &str,
        file: &str,
        context: StudyContext<'_>,
    ) -> Result<Self, StudyError> {
        let (study, source) = file::read(text, file, context)?;
        check::check(&study).map_err(|violation| {
            let line = source.line(violation.at, violation.key);
            violation.into_error(&study, Place::File { name: file.into(), line })
        })?;
        Ok(study)
    }

    /// The servers that a study file names, before anything else of it is read; empty where it
    /// names none.
    pub fn named_servers(text: &str) -> Vec<String> {
        file::named_servers(text)
    }

    /// Reads a canonical encoding: every rule is checked again, and only the bytes that
    /// [`Study::encode`] gives are accepted, so that a study has one id.
    pub fn decode(bytes: &[u8]) -> Result<Self, StudyError> {
        canonical::decode(bytes)
    }

    /// What an encoding claims, before anything else of it is checked: its id, and its analyst.
    pub fn claim(bytes: &[u8]) -> Option<(StudyId, PublicKey)> {
        let analyst = canonical::analyst(bytes)?;
        Some((StudyId(dst::hash(dst::STUDY_ID, &[bytes])), analyst))
    }

    /// The canonical encoding, which the id is the hash of.
    pub fn encode(&self) -> Vec<u8> {
        canonical::encode(self)
    }

    /// The study's identity: SHA-256 over its canonical encoding.
    pub fn id(&self) -> StudyId {
        StudyId(dst::hash(dst::STUDY_ID, &[&self.encode()]))
    }

    /// What the study is called.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The servers that compute it, in party order.
    pub fn servers(&self) -> &[StudyServer] {
        &self.servers
    }

    /// Who proposed it and may close it.
    pub fn analyst(&self) -> PublicKey {
        self.analyst
    }

    /// The random bytes that make this study differ from another of the same file.
    pub fn nonce(&self) -> [u8; 16] {
        self.nonce
    }

    /// The most records that it may take: what every bound on a sum rests on.
    pub fn max_records(&self) -> u64 {
        self.max_records
    }

    /// Its rules about small numbers and about noise.
    pub fn privacy(&self) -> Privacy {
        self.privacy
    }

    /// The columns of its records, in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Its questions, in order.
    pub fn statistics(&self) -> &[Statistic] {
        &self.statistics
    }

    /// Who may submit; empty: anyone.
    pub fn providers(&self) -> &[PublicKey] {
        &self.providers
    }

    /// The same study without one statistic, by its place; none if it has no other, or if what is
    /// left breaks a rule (the cells of a finer grouping may have stood for many coarser ones).
    pub fn without(&self, statistic: usize) -> Option<Self> {
        let mut rest = self.clone();
        if statistic < rest.statistics.len() {
            rest.statistics.remove(statistic);
        }
        check::check(&rest).is_ok().then_some(rest)
    }

    /// The place of a column, by name.
    pub fn column_index(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

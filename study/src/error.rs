//! Errors of a study: what is wrong, where, and what to do about it, in one line.

use std::fmt;

use crate::{
    decimal::NumberError,
    limits,
    study::{NotAParameter, Study, is_invisible},
};

/// A study that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", in_one_line(.place, .subject, .rule))]
pub struct StudyError {
    /// Where the study stands.
    pub place: Place,
    /// The part of the study that is wrong.
    pub subject: Subject,
    /// The rule that it breaks.
    pub rule: Box<Rule>,
}

/// Errors repeat what they are about, and a stranger's words could steer a terminal.
fn in_one_line(place: &Place, subject: &Subject, rule: &Rule) -> String {
    format!("{place}{subject}{rule}").replace(is_invisible, " ")
}

/// Where a study was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A line of a study file, counted from 1.
    File {
        /// The file's name.
        name: String,
        /// The line.
        line: usize,
    },
    /// A canonical encoding.
    Encoding,
}

/// The part of a study that an error is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The study as a whole.
    Study,
    /// Its rules about small numbers.
    Privacy,
    /// A column, by name or by its place in the list.
    Column(String),
    /// A statistic, by name or by its place in the list.
    Statistic(String),
}

/// A rule that a study can break.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rule {
    /// The file is no TOML.
    #[error("this is not valid TOML: {0}")]
    Syntax(String),
    /// The file or the encoding is too long.
    #[error("the study is {found} bytes long; at most {limit} are allowed")]
    Size {
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The bytes are no encoding of a study.
    #[error("this is not the encoding of a study: {0}")]
    Malformed(String),
    /// The bytes are an encoding of a study, but not the canonical one.
    #[error("this is not the canonical encoding of the study")]
    NotCanonical,
    /// A key that does not exist.
    #[error("there is no key `{key}` here; the keys are {known}")]
    UnknownKey {
        /// The key.
        key: String,
        /// Those that exist.
        known: String,
    },
    /// A key that has to be there.
    #[error("`{key}` is missing; add {example}")]
    MissingKey {
        /// The key.
        key: &'static str,
        /// What to add.
        example: &'static str,
    },
    /// A key that another type of column has.
    #[error("`{key}` does not belong to a column of type {holds}; remove it")]
    ForeignKey {
        /// The key.
        key: &'static str,
        /// The column's type.
        holds: &'static str,
    },
    /// A value of the wrong TOML type.
    #[error("`{key}` must be {expected}, and is {found}")]
    TomlType {
        /// The key.
        key: String,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A privacy parameter that is no number.
    #[error("{key} = {found} {cause}")]
    PrivacyNumber {
        /// The key.
        key: &'static str,
        /// The text.
        found: String,
        /// What is wrong with it.
        cause: NotAParameter,
    },
    /// A privacy parameter outside its range.
    #[error("{key} = {found} protects nobody; it must be {range}")]
    PrivacyRange {
        /// The key.
        key: &'static str,
        /// The number.
        found: String,
        /// The range.
        range: &'static str,
    },
    /// A key of differential privacy without its first.
    #[error("`{key}` has a meaning with epsilon only; add epsilon = 1.0, or remove it")]
    WithoutEpsilon {
        /// The key.
        key: &'static str,
    },
    /// Another word than provider or record.
    #[error("unit = \"{found}\" is neither \"provider\" nor \"record\"")]
    UnknownUnit {
        /// The word.
        found: String,
    },
    /// Noise that could leave the range of the servers' shares.
    #[error(
        "the noise in the sums {}could reach 2^64; raise epsilon, {}or ask for fewer statistics",
        column_text("of column", .column), column_text("narrow the range of", .column)
    )]
    Noise {
        /// The column that is summed; none: a count.
        column: Option<String>,
    },
    /// A number outside its limits.
    #[error("{key} = {found} is outside {min}..={max}")]
    Limits {
        /// The key.
        key: &'static str,
        /// The number.
        found: String,
        /// The smallest allowed.
        min: u64,
        /// The largest allowed.
        max: u64,
    },
    /// A bound that is no number.
    #[error("{key} = {found} {cause}")]
    Number {
        /// The key.
        key: &'static str,
        /// The text.
        found: String,
        /// What is wrong with it.
        cause: NumberError,
    },
    /// A bound that is too large.
    #[error("{key} = {found} is too large: a bound times 10^decimals must be below 2^62")]
    Bound {
        /// The key.
        key: &'static str,
        /// The bound as written.
        found: String,
    },
    /// An empty text.
    #[error("{what} is empty")]
    Empty {
        /// What is empty.
        what: &'static str,
    },
    /// A text that is too long.
    #[error("{what} has {found} characters; at most {limit} are allowed")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// Its characters.
        found: usize,
        /// The characters allowed.
        limit: usize,
    },
    /// A text that cannot be a name.
    #[error("{what} \"{}\" has control characters or spaces around it; remove them", .found.escape_debug())]
    Unprintable {
        /// What the text is.
        what: &'static str,
        /// The text.
        found: String,
    },
    /// A list that is too long.
    #[error("there are {found} {what}; at most {limit} are allowed")]
    TooMany {
        /// What the list is of.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The length allowed.
        limit: usize,
    },
    /// Nothing of a kind of which at least one is needed.
    #[error("there is no {what}; add at least one {example}")]
    NoneOf {
        /// What is needed.
        what: &'static str,
        /// What to add.
        example: &'static str,
    },
    /// The same name twice.
    #[error("{what} \"{name}\" is there twice; names must differ")]
    Duplicate {
        /// What is there twice.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A server that the profile does not have.
    #[error("servers names \"{name}\", which is not in the profile; the profile has {known}")]
    UnknownServer {
        /// The name.
        name: String,
        /// The names that the profile has.
        known: String,
    },
    /// Too few or too many servers.
    #[error("a study is run by 2 to 8 servers, and this one names {found}")]
    ServerCount {
        /// How many there are.
        found: usize,
    },
    /// Bytes that are no key.
    #[error("{what} \"{found}\" is not an Ed25519 public key; write its 64 hexadecimal digits")]
    Key {
        /// Whose key it should be.
        what: &'static str,
        /// The text.
        found: String,
    },
    /// More records needed than can come.
    #[error(
        "min_records = {min_records} is above max_records = {max_records}: nothing could ever be published; lower it"
    )]
    NeverEnough {
        /// The fewest records that are published.
        min_records: u64,
        /// The most that are taken.
        max_records: u64,
    },
    /// A type of column that does not exist.
    #[error("there is no type \"{found}\"; the types are integer, decimal, boolean, category")]
    UnknownType {
        /// The type.
        found: String,
    },
    /// Another word than allowed or refused.
    #[error("missing = \"{found}\" is neither \"allowed\" nor \"refused\"")]
    MissingRule {
        /// The word.
        found: String,
    },
    /// A range without values.
    #[error("min = {min} is above max = {max}")]
    MinAboveMax {
        /// The smallest value.
        min: String,
        /// The largest value.
        max: String,
    },
    /// A range that is too wide.
    #[error("max - min times 10^decimals must be below 2^62; narrow the range or lower decimals")]
    Width,
    /// A category column without labels.
    #[error("values is empty; list the categories")]
    NoValues,
    /// A label that means "missing" in a table.
    #[error(
        "the value \"{0}\" means a missing value in a table; rename it, or set missing = \"refused\""
    )]
    MissingToken(String),
    /// A sum that could overflow.
    #[error(
        "max_records = {max_records} times the range of column {factors} reaches 2^88, so that a sum \
         could overflow; {}", overflow_remedy(*largest)
    )]
    Overflow {
        /// What is summed: a column in quotes, or several whose product it is.
        factors: String,
        /// The most records that the study takes.
        max_records: u64,
        /// The largest number of records that fits.
        largest: u64,
    },
    /// A kind of statistic that does not exist.
    #[error("there is no kind \"{found}\"; the kinds are {known}")]
    UnknownKind {
        /// The kind.
        found: String,
        /// Those that exist.
        known: String,
    },
    /// A column that does not exist.
    #[error("{key} = \"{found}\" names no column; the columns are {known}")]
    UnknownColumn {
        /// The key.
        key: &'static str,
        /// The name.
        found: String,
        /// The columns that exist.
        known: String,
    },
    /// A key that names too few or too many columns.
    #[error("a {kind} takes {} in `{key}`, and {found} are named; name {} of type {accepts}", columns_text(*wanted), columns_text(*wanted))]
    TakesColumns {
        /// The key.
        key: &'static str,
        /// The kind.
        kind: &'static str,
        /// How many it takes.
        wanted: usize,
        /// How many are named.
        found: usize,
        /// The types that the kind takes.
        accepts: &'static str,
    },
    /// A column of a type that the kind does not take.
    #[error("{key} = \"{column}\" is of type {holds}; a {kind} takes a column of type {accepts}")]
    ColumnType {
        /// The key.
        key: &'static str,
        /// The column.
        column: String,
        /// Its type.
        holds: &'static str,
        /// The kind.
        kind: &'static str,
        /// The types that the kind takes.
        accepts: &'static str,
    },
    /// A list where one number is wanted.
    #[error("{key} takes one number; remove the others")]
    OneNumber {
        /// The key.
        key: &'static str,
    },
    /// A kind whose answer the noise would decide.
    #[error(
        "the {kind} of a study with epsilon would be decided by noise in values that no record has; \
         ask for a quantile instead, or remove epsilon"
    )]
    NoisyKind {
        /// The kind.
        kind: &'static str,
    },
    /// A number that a kind cannot take.
    #[error("{key} = {found} is {problem}")]
    Setting {
        /// The key.
        key: &'static str,
        /// What is there.
        found: String,
        /// What is wrong with it, and the remedy.
        problem: String,
    },
    /// Two keys of which a kind takes one.
    #[error(
        "`{keep}` and `{other}` are both there, and say the same thing twice; remove one of them"
    )]
    EitherKey {
        /// One of them.
        keep: &'static str,
        /// The other.
        other: &'static str,
    },
    /// Bins that are no intervals.
    #[error("{key} has {found} after {before}; write the edges in ascending order, each once")]
    Edges {
        /// The key.
        key: &'static str,
        /// The edge before.
        before: String,
        /// The edge that does not come after it.
        found: String,
    },
    /// Bins that leave values out.
    #[error(
        "bins reaches {edges}, and column \"{column}\" {range}; add edges, so that every value is in a \
         bin"
    )]
    Uncovered {
        /// From where to where the bins are: "from 0 to 50".
        edges: String,
        /// The column.
        column: String,
        /// From where to where its values are.
        range: String,
    },
    /// Bins so narrow that there are too many of them.
    #[error(
        "width = {found} makes {bins} bins, and at most {} are allowed; the narrowest that fits is width = {width}",
        limits::STEPS
    )]
    Narrow {
        /// The width.
        found: String,
        /// How many bins it makes.
        bins: u64,
        /// The width that fits.
        width: String,
    },
    /// A term of a regression that can be read in two ways.
    #[error(
        "{key} = \"{found}\" can be read in several ways, because names of columns have colons; rename a column"
    )]
    Ambiguous {
        /// The key.
        key: &'static str,
        /// The term.
        found: String,
    },
    /// A statistic that divides its cells by a column that they are already of.
    #[error("column \"{column}\" is in `by` and in the statistic itself; remove one of them")]
    ColumnTwice {
        /// The column.
        column: String,
    },
    /// A number with more steps than sums can tell apart.
    #[error(
        "column \"{column}\" has {steps} possible values, and at most {} have sums of their own; \
         add width = {width}, so that the answer is a bin of that width, or narrow the column's range",
        limits::STEPS
    )]
    Steps {
        /// The column.
        column: String,
        /// How many values it can have.
        steps: u64,
        /// The bin width that fits.
        width: String,
    },
    /// A grouping by a column that is no category.
    #[error(
        "by = \"{column}\" is of type {holds}; a statistic is grouped by category or boolean columns"
    )]
    ByType {
        /// The column.
        column: String,
        /// Its type.
        holds: &'static str,
    },
    /// A grouping with too many cells.
    #[error(
        "by {by} makes {} cells ({factors}{}); at most {} are allowed",
        cells_text(.cells), if *.with_missing { ", \"missing\" counted" } else { "" }, limits::CELLS
    )]
    Cells {
        /// The columns.
        by: String,
        /// How many cells they make; none: more than can be counted.
        cells: Option<usize>,
        /// The product in numbers.
        factors: String,
        /// Whether the cells of missing values are among them.
        with_missing: bool,
    },
    /// Too many answers.
    #[error(
        "with this statistic the study has {found} cells; at most {} are allowed",
        limits::ANSWERS
    )]
    Answers {
        /// The cells of all statistics.
        found: usize,
    },
    /// Too many sums.
    #[error(
        "with this statistic the study needs {found} sums; at most {} are allowed",
        limits::COORDINATES
    )]
    Coordinates {
        /// How many sums it needs.
        found: usize,
    },
    /// Too many groupings for small cells to be protected.
    #[error(
        "with min_cell = {min_cell} the groupings of the study have {found} cells to compare, and at most {} \
         are allowed; ask for fewer groupings, or set min_cell = 1",
        limits::TABLES
    )]
    Tables {
        /// The study's `min_cell`.
        min_cell: u64,
        /// The cells.
        found: usize,
    },
    /// A record that is too large.
    #[error(
        "with this statistic a record takes {found} field elements; at most {} are allowed",
        limits::WIRES
    )]
    Wires {
        /// How many field elements it takes.
        found: usize,
    },
}

impl StudyError {
    /// An error about a statistic of a study that is not at hand as a text.
    pub(crate) fn of_statistic(study: &Study, place: usize, rule: Rule) -> Self {
        let name = study.statistics().get(place).map(|statistic| statistic.name.as_str());
        let subject = Subject::Statistic(label(name, place));
        Self { place: Place::Encoding, subject, rule: Box::new(rule) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, line } => write!(f, "{name}:{line}: "),
            Self::Encoding => Ok(()),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Study => Ok(()),
            Self::Privacy => f.write_str("privacy: "),
            Self::Column(name) => write!(f, "column {name}: "),
            Self::Statistic(name) => write!(f, "statistic {name}: "),
        }
    }
}

/// A list of names for an error: the first twenty, separated by commas.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 20;
    let mut names = names.into_iter();
    let mut text = names.by_ref().take(SHOWN).collect::<Vec<_>>().join(", ");
    let rest = names.count();
    if rest > 0 {
        text += &format!(" and {rest} more");
    }
    text
}

/// How an error names a column or statistic: by its name, or by its place in the list.
pub(crate) fn label(name: Option<&str>, place: usize) -> String {
    match name {
        Some(name) if !name.is_empty() => {
            let short: String = name.chars().take(limits::NAME_CHARS).collect();
            format!("\"{}\"", short.escape_debug())
        }
        _ => format!("{} of the list", place + 1),
    }
}

fn overflow_remedy(largest: u64) -> String {
    let narrow = "narrow the range";
    match largest {
        0 => narrow.into(),
        _ => format!("lower max_records to at most {largest}, or {narrow}"),
    }
}

fn columns_text(count: usize) -> String {
    match count {
        1 => "one column".into(),
        2 => "two columns".into(),
        _ => format!("{count} columns"),
    }
}

/// The words and the column, if there is one.
fn column_text(words: &str, column: &Option<String>) -> String {
    column.as_ref().map_or_else(String::new, |column| format!("{words} \"{column}\" "))
}

fn cells_text(cells: &Option<usize>) -> String {
    cells.map_or_else(|| "too many".into(), |cells| cells.to_string())
}

//! Limits: how large a study may be, all in one place.

/// Characters of a title.
pub const TITLE_CHARS: usize = 200;
/// Characters of the name of a column, statistic or server.
pub const NAME_CHARS: usize = 100;
/// Characters of one label of a category column.
pub const LABEL_CHARS: usize = 200;
/// Characters of a column's unit.
pub const UNIT_CHARS: usize = 20;
/// Characters of a text that a statistic's key holds: a column's name, or two with a colon between.
pub const TEXT_CHARS: usize = 2 * NAME_CHARS + 1;
/// Columns of a study.
pub const COLUMNS: usize = 1_000;
/// Labels of one category column.
pub const LABELS: usize = 10_000;
/// Statistics of a study.
pub const STATISTICS: usize = 200;
/// Columns that one statistic may be of.
pub const OF_COLUMNS: usize = 32;
/// Columns that one statistic may be grouped by: 2^12 cells are the most anyway.
pub const BY_COLUMNS: usize = 12;
/// Providers that a study may list.
pub const PROVIDERS: usize = 10_000;
/// Decimals of a decimal column.
pub const DECIMALS: u8 = 9;
/// Steps of a number of which each has a sum of its own, and bins of a histogram.
pub const STEPS: usize = 1_024;
/// Numbers that one key of a statistic may list.
pub const NUMBERS: usize = STEPS + 1;
/// Predictors of one regression: numbers, labels of categories, and their products.
pub const PREDICTORS: usize = 32;
/// Cells of one grouping, and of one joint one-hot vector.
pub const CELLS: usize = 4_096;
/// Cells of all statistics together.
pub const ANSWERS: usize = 65_536;
/// Output coordinates of a plan.
pub const COORDINATES: usize = 16_384;
/// Wires of one record: 512 KiB of field elements.
pub const WIRES: usize = 32_768;
/// Records of a study.
pub const RECORDS: u64 = 1 << 40;
/// The width of a column's range and the magnitude of its ends, scaled, are below 2^62.
pub const RANGE: i64 = 1 << 62;
/// Every sum is below 2^88, so that opening the servers' integer shares of it tells nothing else
/// but with probability below 2^−40.
pub const SUM: u128 = 1 << 88;
/// What the noise of all servers together reaches in a sum, with a probability of 2^−64, is below
/// 2^64: far within the range of the servers' shares.
pub const NOISE: u128 = 1 << 64;
/// Bytes of a study's canonical encoding.
pub const ENCODING_BYTES: usize = 1 << 20;
/// Bytes of a study file.
pub const FILE_BYTES: usize = 4 << 20;
/// Cells of all pairs of tables that have to be looked at together to protect small cells.
pub const TABLES: usize = 1 << 19;

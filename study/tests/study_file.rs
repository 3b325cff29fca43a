//! Study files: what is accepted, and for everything else one clear line that names file, line and
//! remedy.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use mpc::sign::{PublicKey, Signer};
use study::{ColumnType, Study, StudyContext, StudyError, StudyServer, Unit};

/// Lines are counted in the tests below.
const WAGES: &str = r#"title = "Hourly earnings"
servers = ["gamma", "alpha"]
max_records = 1_000_000

[privacy]
min_records = 10
min_cell = 10

[[column]]
name = "age"
type = "integer"
min = 16
max = 99

[[column]]
name = "earnings"
type = "decimal"
decimals = 2
min = 0
max = 500
missing = "allowed"

[[column]]
name = "region"
type = "category"
values = ["Midwest", "South"]

[[column]]
name = "union"
type = "boolean"

[[statistic]]
name = "earnings by region"
kind = "mean"
of = "earnings"
by = ["region"]
"#;

fn key(seed: u8) -> PublicKey {
    Signer::from_seed(&[seed; 32]).public()
}

fn servers(count: u8) -> Vec<StudyServer> {
    let names = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota"];
    let named = names.iter().zip(1..=count);
    named.map(|(name, seed)| StudyServer { name: name.to_string(), identity: key(seed) }).collect()
}

fn read(text: &str) -> Result<Study, StudyError> {
    let available = servers(3);
    let context = StudyContext { available: &available, analyst: key(9), nonce: [7; 16] };
    Study::from_file(text, "wages.toml", context)
}

/// The error after one replacement in the file.
fn refusal(from: &str, to: &str) -> String {
    assert!(WAGES.contains(from), "{from}");
    match read(&WAGES.replacen(from, to, 1)) {
        Ok(_) => panic!("accepted: {to}"),
        Err(error) => {
            let error = error.to_string();
            assert!(!error.contains('\n'), "one line: {error}");
            error
        }
    }
}

#[track_caller]
fn check_refused(from: &str, to: &str, line: usize, rule: &str) {
    let error = refusal(from, to);
    assert!(error.starts_with(&format!("wages.toml:{line}: ")), "line {line}: {error}");
    assert!(error.contains(rule), "{rule}: {error}");
}

#[test]
fn a_study_file_becomes_a_study() {
    let study = read(WAGES).unwrap();
    assert_eq!(study.title(), "Hourly earnings");
    let names: Vec<_> = study.servers().iter().map(|server| server.name.as_str()).collect();
    assert_eq!(names, ["gamma", "alpha"], "in the order of the file");
    assert_eq!(study.servers()[0].identity, key(3));
    assert_eq!((study.max_records(), study.nonce(), study.analyst()), (1_000_000, [7; 16], key(9)));
    assert_eq!((study.privacy().min_records, study.privacy().min_cell), (10, 10));
    let earnings = &study.columns()[1];
    assert_eq!(earnings.holds, ColumnType::Decimal { decimals: 2, min: 0, max: 50_000 });
    assert!(earnings.missing_allowed && !study.columns()[0].missing_allowed);
    assert_eq!(
        study.statistics()[0].setting("of"),
        Some(&study::Setting::Texts(vec!["earnings".into()]))
    );
    assert!(study.providers().is_empty());
}

#[test]
fn what_is_left_out_has_its_default() {
    let short = WAGES
        .replace("servers = [\"gamma\", \"alpha\"]\n", "")
        .replace("max_records = 1_000_000\n", "")
        .replace("[privacy]\nmin_records = 10\nmin_cell = 10\n", "");
    let study = read(&short).unwrap();
    assert_eq!((study.servers().len(), study.max_records()), (3, 1_000_000));
    assert_eq!((study.privacy().min_records, study.privacy().min_cell), (10, 1));
    let one = read(&WAGES.replace("min_records = 10", "min_records = 1")).unwrap();
    assert_eq!(one.privacy().min_records, 1);
    assert!(
        read(&format!("\u{feff}{}", WAGES.replace('\n', "\r\n"))).is_ok(),
        "as Windows saves it"
    );
}

#[test]
fn bounds_are_read_digit_by_digit() {
    let bounds = |min: &str, max: &str| {
        let text = WAGES.replace("min = 0\nmax = 500", &format!("min = {min}\nmax = {max}"));
        read(&text).map(|study| study.columns()[1].range().unwrap()).map_err(|e| e.to_string())
    };
    assert_eq!(bounds("0.5", "500.25"), Ok((50, 50_025)));
    assert_eq!(bounds("-1", "\"1.10\""), Ok((-100, 110)));
    assert_eq!(bounds("+0.10", "1_000"), Ok((10, 100_000)));
    assert_eq!(bounds("0", "0x10"), Ok((0, 1600)));
    // 2^53 + 1 hundredths: no double has this value.
    assert_eq!(bounds("90071992547409.93", "90071992547409.93").unwrap().0, 9_007_199_254_740_993);
    assert!(bounds("0", "1.005").unwrap_err().contains("max = 1.005 has more than 2 decimals"));
    assert!(bounds("0", "1e3").unwrap_err().contains("exponent"));
    assert!(bounds("nan", "1").unwrap_err().contains("not a number"));
    assert!(bounds("0", "inf").unwrap_err().contains("not a number"));
    assert!(bounds("0", "99999999999999999999").unwrap_err().contains("too large"));
    assert!(bounds("0", "true").unwrap_err().contains("must be a number, and is true or false"));
    let integer = WAGES.replace("max = 99", "max = 99.5");
    assert!(read(&integer).unwrap_err().to_string().contains("not a whole number"));
}

#[test]
fn every_mistake_in_the_head_is_named_with_its_line() {
    check_refused("title = \"Hourly", "titel = \"Hourly", 1, "no key `titel`");
    check_refused("title = \"Hourly earnings\"\n", "", 1, "`title` is missing");
    check_refused("\"Hourly earnings\"", "\"\"", 1, "the title is empty");
    check_refused("\"Hourly earnings\"", "7", 1, "must be a string, and is a number");
    check_refused("Hourly earnings", &"x".repeat(201), 1, "201 characters; at most 200");
    check_refused("Hourly earnings", "a\\nb", 1, "control characters");
    check_refused("Hourly earnings", "a\\u202eb", 1, "control characters");
    check_refused("\"gamma\"", "\"omega\"", 2, "the profile has alpha, beta, gamma");
    check_refused("\"gamma\", ", "", 2, "2 to 8 servers, and this one names 1");
    check_refused("\"gamma\"", "\"alpha\"", 2, "\"alpha\" is there twice");
    check_refused("1_000_000", "0", 3, "max_records = 0 is outside");
    check_refused("1_000_000", "1_099_511_627_777", 3, "outside 1..=1099511627776");
    check_refused("1_000_000", "5", 3, "min_records = 10 is above max_records = 5");
    check_refused("1_000_000", "\"many\"", 3, "must be a whole number");
    check_refused("title = \"Hourly earnings\"", "title = ", 1, "not valid TOML");
    check_refused("max_records", "title", 3, "not valid TOML");
    check_refused("max_records", "providers = [\"ab\"]\nmax_records", 3, "64 hexadecimal digits");
    let twice = format!("providers = [\"{0}\", \"{0}\"]\nmax_records", key(5));
    check_refused("max_records", &twice, 3, "is there twice");
    let weak = format!("providers = [\"{}\"]\nmax_records", "00".repeat(32));
    check_refused("max_records", &weak, 3, "not an Ed25519 public key");
}

#[test]
fn every_mistake_in_privacy_is_named_with_its_line() {
    check_refused("min_cell = 10", "min_cells = 10", 7, "no key `min_cells`");
    check_refused("min_cell = 10", "min_cell = 0", 7, "outside");
    check_refused("min_cell = 10", "min_cell = -3", 7, "outside");
    check_refused("min_cell = 10", "delta = 1e-6", 7, "add epsilon = 1.0, or remove it");
    check_refused("min_cell = 10", "unit = \"record\"", 7, "add epsilon = 1.0, or remove it");
    check_refused("min_cell = 10", "epsilon = 0", 7, "epsilon = 0 is not a number above 0");
    check_refused("min_cell = 10", "epsilon = -1.0", 7, "not a number above 0");
    check_refused("min_cell = 10", "epsilon = inf", 7, "not a number above 0");
    check_refused("min_cell = 10", "epsilon = true", 7, "must be a number, and is true or false");
    check_refused("min_cell = 10", "epsilon = 100.1", 7, "epsilon = 100.1 protects nobody");
    let second = |line: &str| format!("epsilon = 1.0\n{line}");
    check_refused("min_cell = 10", &second("delta = 0.0"), 8, "not a number above 0");
    check_refused("min_cell = 10", &second("delta = 1e-19"), 8, "up to 18 decimals");
    check_refused("min_cell = 10", &second("delta = 1e-2"), 8, "delta = 0.01 protects nobody");
    check_refused("min_cell = 10", &second("delta = 0.5"), 8, "it must be below 0.01");
    check_refused("min_cell = 10", &second("unit = \"person\""), 8, "neither \"provider\" nor");
    check_refused("min_cell = 10", "epsilon = 1e-15", 7, "raise epsilon, narrow the range of");
    check_refused("[privacy]", "[[privacy]]", 5, "must be a table");
}

#[test]
fn privacy_parameters_are_kept_exactly_and_have_one_encoding() {
    let asked = |lines: &str| {
        let text = WAGES.replace("min_cell = 10", lines);
        let study = read(&text).unwrap();
        let decoded = Study::decode(&study.encode()).unwrap();
        assert_eq!(decoded, study);
        (study.privacy(), String::from_utf8(study.encode()).unwrap())
    };
    let (none, encoding) = asked("");
    assert_eq!(none.differential, None);
    assert!(encoding.contains(r#""privacy":{"min_records":10,"min_cell":1},"#), "{encoding}");
    let (pure, encoding) = asked("epsilon = 1");
    let pure = pure.differential.unwrap();
    assert_eq!(
        (pure.epsilon.to_string(), pure.delta, pure.unit),
        ("1".into(), None, Unit::Provider)
    );
    let part = r#""differential":{"epsilon":"1","delta":null,"unit":"provider"}}"#;
    assert!(encoding.contains(part), "{encoding}");
    assert_eq!(encoding, asked("epsilon = 1.00\nunit = \"provider\"").1);
    let (approximate, _) = asked("epsilon = 0.30\ndelta = 1e-6\nunit = \"record\"");
    let approximate = approximate.differential.unwrap();
    assert_eq!(approximate.epsilon.to_f64(), 0.3);
    assert_eq!(approximate.delta.unwrap().to_string(), "0.000001");
    assert_eq!(approximate.unit, Unit::Record);
    assert_eq!(encoding, asked("epsilon = \"1\"").1);
    // Another way to write the same is not the encoding.
    for (from, to) in [
        ("\"epsilon\":\"1\"", "\"epsilon\":\"1.0\""),
        ("\"delta\":null,", ""),
        ("\"unit\":\"provider\"", "\"unit\":\"Provider\""),
        ("\"epsilon\":\"1\"", "\"epsilon\":\"101\""),
    ] {
        assert!(encoding.contains(from));
        assert!(Study::decode(encoding.replace(from, to).as_bytes()).is_err(), "{to}");
    }
    let null = encoding.replace(part, "\"differential\":null}");
    assert!(Study::decode(null.as_bytes()).is_err(), "none is not written");
}

#[test]
fn every_mistake_in_a_column_is_named_with_its_line() {
    check_refused("name = \"age\"", "name = \"\"", 10, "column 1 of the list: the name is empty");
    check_refused("name = \"age\"\n", "", 9, "`name` is missing");
    check_refused("name = \"age\"", "name = \" age\"", 10, "spaces around");
    check_refused("name = \"age\"", "name = \"region\"", 24, "column \"region\" is there twice");
    check_refused("type = \"integer\"", "type = \"int\"", 11, "the types are integer, decimal");
    check_refused("type = \"integer\"\n", "", 9, "column \"age\": `type` is missing");
    check_refused("min = 16", "min = 100", 12, "min = 100 is above max = 99");
    check_refused("min = 16\n", "", 9, "`min` is missing");
    check_refused("min = 16", "minimum = 16", 12, "no key `minimum`");
    check_refused("decimals = 2", "decimals = 10", 18, "decimals = 10 is outside 0..=9");
    check_refused("decimals = 2\n", "", 15, "`decimals` is missing");
    check_refused("type = \"decimal\"", "type = \"integer\"", 18, "`decimals` does not belong");
    check_refused("\"allowed\"", "\"maybe\"", 21, "neither \"allowed\" nor \"refused\"");
    check_refused("[\"Midwest\", \"South\"]", "[]", 26, "values is empty");
    check_refused("\"South\"", "\"Midwest\"", 26, "\"Midwest\" is there twice");
    check_refused("\"South\"", "\"\"", 26, "the value is empty");
    check_refused("\"South\"", "7", 26, "must be a list of strings");
    check_refused("\"South\"]", "\"NA\"]\nmissing = \"allowed\"", 26, "means a missing value");
    check_refused("\"South\"", &format!("{:?}", "x".repeat(201)), 26, "at most 200");
    check_refused("type = \"boolean\"", "type = \"boolean\"\nmax = 1", 31, "`max` does not belong");
    check_refused("[[column]]\nname = \"age\"", "[column]\nname = \"age\"", 15, "TOML");
    let many: Vec<_> = (0..10_001).map(|label| label.to_string()).collect();
    let values = format!("{many:?}");
    check_refused("[\"Midwest\", \"South\"]", &values, 26, "10001 values; at most 10000");
}

#[test]
fn every_mistake_in_a_statistic_is_named_with_its_line() {
    let unknown = refusal("of = \"earnings\"", "of = \"salary\"");
    assert_eq!(
        unknown,
        "wages.toml:35: statistic \"earnings by region\": of = \"salary\" names no column; \
         the columns are age, earnings, region, union"
    );
    check_refused(
        "kind = \"mean\"",
        "kind = \"median\"",
        34,
        "the kinds are count, sum, mean, share",
    );
    check_refused("kind = \"mean\"\n", "", 32, "`kind` is missing");
    check_refused("kind = \"mean\"", "kind = \"count\"", 35, "the keys are name, kind, by");
    check_refused(
        "kind = \"mean\"",
        "kind = \"share\"",
        35,
        "a share takes a column of type boolean",
    );
    check_refused(
        "of = \"earnings\"",
        "of = \"region\"",
        35,
        "is of type category; a mean takes a column of type integer or decimal",
    );
    check_refused(
        "of = \"earnings\"",
        "of = [\"age\", \"earnings\"]",
        35,
        "takes one column in `of`, and 2 are named",
    );
    check_refused("of = \"earnings\"\n", "", 32, "`of` is missing");
    let of = |length| format!("of = \"{}\"", ":".repeat(length));
    check_refused("of = \"earnings\"", &of(201), 35, "names no column");
    check_refused("of = \"earnings\"", &of(202), 35, "the text has 202 characters; at most 201");
    check_refused("of = \"earnings\"", "of = 3", 35, "must be a list of strings");
    check_refused("by = [\"region\"]", "by = [\"age\"]", 36, "is of type integer");
    check_refused("by = [\"region\"]", "by = [\"country\"]", 36, "names no column");
    check_refused("by = [\"region\"]", "by = [\"region\", \"region\"]", 36, "twice");
    check_refused("by = [\"region\"]", "bye = [\"region\"]", 36, "no key `bye`");
    check_refused("name = \"earnings by region\"\n", "", 32, "statistic 1 of the list: `name`");
    let again = "[[statistic]]\nname = \"n\"\nkind = \"count\"\n\n".repeat(2) + "[[statistic]]";
    check_refused("[[statistic]]", &again, 37, "statistic \"n\" is there twice");
    let none = WAGES.split("[[statistic]]").next().unwrap();
    assert!(read(none).unwrap_err().to_string().contains("add at least one [[statistic]]"));
}

#[test]
fn the_ends_of_a_column_are_refused_where_noise_would_decide_them() {
    let asked = |kind: &str, privacy: &str| {
        read(
            &WAGES
                .replace("of = \"earnings\"", "of = \"age\"")
                .replace("kind = \"mean\"", kind)
                .replace("min_cell = 10", privacy),
        )
    };
    for kind in ["kind = \"min\"", "kind = \"max\""] {
        assert!(asked(kind, "min_cell = 10").is_ok());
        let error = asked(kind, "epsilon = 1.0").unwrap_err().to_string();
        assert!(error.starts_with("wages.toml:34: statistic \"earnings by region\": "), "{error}");
        assert!(error.contains("decided by noise") && error.contains("quantile"), "{error}");
    }
    assert!(asked("kind = \"quantile\"\nq = 0.5", "epsilon = 1.0").is_ok());
}

#[test]
fn sums_that_could_overflow_are_refused_with_what_would_fit() {
    let wide = WAGES
        .replace("max = 500", "max = 9_000_000_000_000_000")
        .replace("decimals = 2", "decimals = 0")
        .replace("1_000_000", "1_000_000_000_000");
    let error = read(&wide).unwrap_err().to_string();
    let largest = ((1u128 << 88) - 1) / 9_000_000_000_000_000;
    assert!(error.starts_with("wages.toml:35: "), "{error}");
    assert!(
        error.contains("column \"earnings\"") && error.contains(&largest.to_string()),
        "{error}"
    );
    let fits =
        |records: u128| read(&wide.replace("1_000_000_000_000", &records.to_string())).is_ok();
    assert!(fits(largest) && !fits(largest + 1));
    check_refused("max = 500", "max = \"46116860184273879.04\"", 20, "below 2^62");
    let range = "min = -4_000_000_000_000_000_000\nmax = 4_000_000_000_000_000_000";
    check_refused("min = 16\nmax = 99", range, 13, "must be below 2^62");
}

/// Regressions on products "a:b" of a column with the second's shift, with columns of this type.
fn regressions(count: usize, holds: &str) -> String {
    let boolean = "type = \"boolean\"";
    let mut text = format!("title = \"t\"\n[[column]]\nname = \"y\"\n{boolean}\n");
    for place in 0..100 {
        text += &format!("[[column]]\nname = \"b{place}\"\n{holds}\n");
    }
    for shift in 0..count {
        let pair = |place: usize| format!("b{place}:b{}", 32 + (place + shift) % 68);
        let x: Vec<_> = (0..32).map(pair).collect();
        text += &format!(
            "[[statistic]]\nname = \"r{shift}\"\nkind = \"regression\"\ny = \"y\"\nx = {x:?}\n"
        );
    }
    text
}

#[test]
fn a_study_with_far_too_many_sums_is_refused_before_they_are_compared() {
    // Every regression has 496 products of four columns that no other one has.
    let error = read(&regressions(68, "type = \"boolean\"")).unwrap_err().to_string();
    assert!(error.contains("statistic \"r") && error.contains("; at most 16384"), "{error}");
    let found = error.split("needs ").nth(1).and_then(|rest| rest.split(' ').next());
    let found: usize = found.unwrap().parse().unwrap();
    assert!((32_769..34_000).contains(&found), "{error}");
}

#[test]
fn thousands_of_sums_over_different_cells_are_not_compared_with_each_other() {
    let categories = regressions(55, "type = \"category\"\nvalues = [\"p\", \"q\"]");
    let error = read(&categories).unwrap_err().to_string();
    assert!(error.contains("sums; at most 16384"), "{error}");
}

#[test]
fn a_regression_has_at_most_32_predictors() {
    let asked = |labels: usize| {
        let labels: Vec<_> = (0..labels).map(|label| format!("l{label}")).collect();
        let keys = "kind = \"regression\"\ny = \"age\"\nx = \"region\"";
        let text = WAGES.replace("[\"Midwest\", \"South\"]", &format!("{labels:?}"));
        let text = text.replace("kind = \"mean\"\nof = \"earnings\"", keys);
        read(&text.replace("by = [\"region\"]\n", ""))
    };
    assert!(asked(33).is_ok());
    let error = asked(34).unwrap_err().to_string();
    assert!(error.contains("there are 33 predictors") && error.contains("at most 32"), "{error}");
}

#[test]
fn a_product_with_a_constant_column_is_summed_and_could_overflow() {
    let text = |constant: u64, max: u64, records: u128| {
        format!(
            "title = \"t\"\nmax_records = {records}\n\
             [[column]]\nname = \"y\"\ntype = \"boolean\"\n\
             [[column]]\nname = \"c\"\ntype = \"integer\"\nmin = {constant}\nmax = {constant}\n\
             [[column]]\nname = \"w\"\ntype = \"integer\"\nmin = 0\nmax = {max}\n\
             [[statistic]]\nname = \"r\"\nkind = \"regression\"\ny = \"y\"\nx = [\"c:w\"]\n"
        )
    };
    // Σ (c·w)² is c² times a sum of squares.
    let largest = ((1u128 << 88) - 1) / (1 << 80);
    let error = read(&text(5, 1 << 40, 1_000)).unwrap_err().to_string();
    assert!(error.starts_with("wages.toml:16: statistic \"r\""), "{error}");
    assert!(error.contains("column \"w\" · \"w\" reaches 2^88"), "{error}");
    assert!(error.contains(&format!("at most {largest}, or")), "{error}");
    assert!(read(&text(5, 1 << 40, largest)).is_ok());
    assert!(read(&text(5, 1 << 40, largest + 1)).is_err());
    let endless = read(&text(5, (1 << 62) - 1, 10)).unwrap_err().to_string();
    assert!(endless.contains("could overflow; narrow the range"), "{endless}");
    // Whatever is always 0 is not summed; Σ w is not asked for.
    assert!(read(&text(0, (1 << 62) - 1, 10)).is_ok());
}

/// A study with category columns of these many labels, and one statistic per list of columns.
fn grouped(labels: &[usize], statistics: &[&[usize]], extra: &str) -> String {
    let mut text =
        "title = \"t\"\n[[column]]\nname = \"x\"\ntype = \"integer\"\nmin = 0\nmax = 9\n"
            .to_string();
    for (place, labels) in labels.iter().enumerate() {
        let labels: Vec<_> = (0..*labels).map(|label| format!("l{label}")).collect();
        text += &format!(
            "[[column]]\nname = \"g{place}\"\ntype = \"category\"\nvalues = {labels:?}\n{extra}"
        );
    }
    for (place, by) in statistics.iter().enumerate() {
        let by: Vec<_> = by.iter().map(|column| format!("g{column}")).collect();
        text += &format!(
            "[[statistic]]\nname = \"s{place}\"\nkind = \"mean\"\nof = \"x\"\nby = {by:?}\n"
        );
    }
    text
}

#[test]
fn a_study_that_is_too_large_is_refused_with_the_numbers() {
    let refused = |labels: &[usize], statistics: &[&[usize]], extra: &str| {
        read(&grouped(labels, statistics, extra)).unwrap_err().to_string()
    };
    let million = refused(&[1000, 1000], &[&[0, 1]], "");
    assert!(
        million.contains("by g0, g1 makes 1000000 cells (1000 × 1000); at most 4096"),
        "{million}"
    );
    assert!(million.starts_with("wages.toml:19: statistic \"s0\""), "{million}");
    let endless = refused(&[10_000; 12], &[&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]], "");
    assert!(endless.contains("makes too many cells"), "{endless}");
    assert!(read(&grouped(&[64, 64], &[&[0, 1]], "")).is_ok());
    let missing = refused(&[64, 64], &[&[0, 1]], "missing = \"allowed\"\n");
    assert!(missing.contains("4225 cells (65 × 65, \"missing\" counted)"), "{missing}");
    // Each grouping has 4,000 one-hot bits, as many counts, products and sums of x.
    let sums = refused(&[4000; 3], &[&[0], &[1], &[2]], "");
    assert!(sums.contains("statistic \"s2\": ") && sums.contains("needs 24000 sums"), "{sums}");
    let answers = refused(&[4000], &[&[0][..]; 17], "");
    assert!(
        answers.contains("statistic \"s16\": with this statistic the study has 68000 cells"),
        "{answers}"
    );
    let columns = refused(&[1; 13], &[&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]], "");
    assert!(columns.contains("13 columns in `by`; at most 12"), "{columns}");
}

#[test]
fn a_record_that_is_too_large_is_refused() {
    // One label or missing: 2^12 one-hot bits for a single cell with an answer.
    let by: Vec<Vec<usize>> = (0..9).map(|set| (12 * set..12 * set + 12).collect()).collect();
    let by: Vec<&[usize]> = by.iter().map(Vec::as_slice).collect();
    let missing = "missing = \"allowed\"\n";
    let error = read(&grouped(&[1; 108], &by, missing)).unwrap_err().to_string();
    assert!(
        error.contains("statistic \"s7\": with this statistic a record takes 36877"),
        "{error}"
    );
    assert!(read(&grouped(&[1; 108], &by[..7], missing)).is_ok());
}

#[test]
fn only_the_canonical_bytes_are_decoded() {
    let study = read(WAGES).unwrap();
    let bytes = study.encode();
    assert_eq!(Study::decode(&bytes).unwrap(), study);
    let text = String::from_utf8(bytes).unwrap();
    let refused = |text: String| Study::decode(text.as_bytes()).unwrap_err().to_string();
    let canonical = "not the canonical encoding";
    assert!(refused(text.replacen(',', ", ", 1)).contains(canonical));
    assert!(refused(format!("{text}\n")).contains(canonical));
    assert!(refused(text.replacen("Hourly", "\\u0048ourly", 1)).contains(canonical));
    let upper = text.replace(&key(9).to_string(), &key(9).to_string().to_uppercase());
    assert!(refused(upper).contains(canonical));
    assert!(
        refused(text.replacen("\"title\"", "\"more\":1,\"title\"", 1)).contains("unknown field")
    );
    assert!(
        refused(text.replacen("\"max_records\":1000000", "\"max_records\":1e6", 1))
            .contains("encoding")
    );
    assert!(refused(text.replacen("v1/study", "v2/study", 1)).contains("format"));
    assert!(refused(String::new()).contains("not the encoding of a study"));
    assert!(refused("x".repeat((1 << 20) + 1)).contains("at most 1048576"));
}

#[test]
fn a_decoded_study_keeps_every_rule() {
    let text = String::from_utf8(read(WAGES).unwrap().encode()).unwrap();
    let check = |from: &str, to: &str, rule: &str| {
        assert!(text.contains(from), "{from} in {text}");
        let error = Study::decode(text.replacen(from, to, 1).as_bytes()).unwrap_err().to_string();
        assert!(error.contains(rule), "{rule}: {error}");
    };
    check("\"max_records\":1000000", "\"max_records\":0", "outside");
    check("\"min_cell\":10", "\"min_cell\":0", "outside");
    check("\"min\":16", "\"min\":100", "min = 100 is above max = 99");
    check("\"max\":99", "\"max\":9223372036854775807", "too large");
    check("\"min\":16", "\"min\":-9223372036854775808", "too large");
    check("\"decimals\":2", "\"decimals\":12", "outside 0..=9");
    check("\"kind\":\"mean\"", "\"kind\":\"median\"", "no kind");
    check("{\"texts\":[\"earnings\"]}", "{\"texts\":[\"x\"]}", "names no column");
    check("\"by\":[\"region\"]", "\"by\":[\"age\"]", "grouped by category or boolean columns");
    check("\"name\":\"gamma\"", "\"name\":\"alpha\"", "twice");
    check(&key(3).to_string(), &key(1).to_string(), "twice");
    check(&key(3).to_string(), &"00".repeat(32), "not an Ed25519 public key");
    check("\"name\":\"age\"", "\"name\":\"a\\u001bge\"", "control characters");
}

#[test]
fn a_column_of_numbers_may_have_a_unit() {
    let plain = read(WAGES).unwrap();
    assert!(plain.columns().iter().all(|column| column.unit.is_none()));
    let text = String::from_utf8(plain.encode()).unwrap();
    assert!(!text.contains("unit"), "a study without units is encoded as ever: {text}");
    let unit =
        |unit: &str| WAGES.replace("decimals = 2\n", &format!("decimals = 2\nunit = {unit}\n"));
    let study = read(&unit("\"USD/h\"")).unwrap();
    assert_eq!(study.columns()[1].unit.as_deref(), Some("USD/h"));
    assert_eq!(Study::decode(&study.encode()).unwrap(), study);
    assert_ne!(study.id(), plain.id(), "who approves it approves its units");
    assert!(read(&unit(&format!("\"{}\"", "€".repeat(20)))).is_ok());
}

#[test]
fn a_unit_is_a_short_name_on_a_column_of_numbers() {
    let decimal = |unit: &str, rule| {
        check_refused("decimals = 2", &format!("decimals = 2\nunit = {unit}"), 19, rule);
    };
    decimal("\"\"", "the unit is empty");
    decimal("\" h\"", "spaces around");
    decimal("\"a\\u001bb\"", "control characters");
    decimal("\"abcdefghijklmnopqrstu\"", "the unit has 21 characters; at most 20");
    decimal("1", "must be a string");
    let boolean = "type = \"boolean\"";
    check_refused(boolean, &format!("{boolean}\nunit = \"h\""), 31, "`unit` does not belong");
    let category = "type = \"category\"";
    check_refused(category, &format!("{category}\nunit = \"h\""), 26, "`unit` does not belong");
}

#[test]
fn a_decoded_unit_has_one_form_and_keeps_the_rules() {
    let text = String::from_utf8(read(WAGES).unwrap().encode()).unwrap();
    let number = "\"holds\":{\"integer\":{\"min\":16,\"max\":99}}";
    let with = |holds: &str, unit: &str| {
        assert!(text.contains(holds), "{holds} in {text}");
        let text = text.replacen(holds, &format!("{holds},\"unit\":{unit}"), 1);
        Study::decode(text.as_bytes()).map_err(|error| error.to_string())
    };
    assert!(with(number, "\"years\"").is_ok());
    assert!(with(number, "null").unwrap_err().contains("not the canonical encoding"));
    assert!(with(number, "\"\"").unwrap_err().contains("the unit is empty"));
    assert!(with(number, "\"\\u0000\"").unwrap_err().contains("control characters"));
    assert!(with("\"holds\":\"boolean\"", "\"h\"").unwrap_err().contains("`unit` does not belong"));
}

#[test]
fn the_same_file_proposed_twice_is_two_studies() {
    let available = servers(8);
    let id = |nonce| {
        let context = StudyContext { available: &available, analyst: key(9), nonce };
        Study::from_file(WAGES, "wages.toml", context).unwrap().id()
    };
    assert_eq!(id([1; 16]), id([1; 16]));
    assert_ne!(id([1; 16]), id([2; 16]));
}

#[test]
fn a_profile_of_nine_servers_needs_a_choice() {
    let available = servers(9);
    let context = StudyContext { available: &available, analyst: key(20), nonce: [0; 16] };
    let all = WAGES.replace("servers = [\"gamma\", \"alpha\"]\n", "");
    let error = Study::from_file(&all, "wages.toml", context).unwrap_err().to_string();
    assert!(error.contains("2 to 8 servers, and this one names 9"), "{error}");
}

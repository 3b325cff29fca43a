//! Tables: what a CSV file may look like, and how everything else in it is named.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::io::{self, Read};

use mpc::sign::Signer;
use study::{
    Study, StudyContext, StudyServer, Value,
    table::{Row, Table, TableError, check},
};

const STUDY: &str = r#"
title = "t"
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
values = ["Midwest", "South West", "NA"]
[[column]]
name = "union"
type = "boolean"
missing = "allowed"
[[statistic]]
name = "n"
kind = "count"
"#;

fn study() -> Study {
    let key = |seed| Signer::from_seed(&[seed; 32]).public();
    let server = |(name, seed): (&str, u8)| StudyServer { name: name.into(), identity: key(seed) };
    let available = [("alpha", 1), ("beta", 2)].map(server);
    let context = StudyContext { available: &available, analyst: key(9), nonce: [0; 16] };
    Study::from_file(STUDY, "study.toml", context).unwrap()
}

const HEADER: &str = "age,earnings,region,union\n";

/// The records of a table in which every row is valid.
fn records(text: &[u8]) -> Vec<Vec<Value>> {
    let table = Table::open(text, "wages.csv", &study()).unwrap();
    let record = |row: Result<Row, TableError>| match row.unwrap() {
        Row::Valid(record) => record.values.clone(),
        Row::Invalid(problems) => panic!("{}", problems[0]),
    };
    table.map(record).collect()
}

/// The problems below the header, as people see them.
fn problems(rows: &str) -> Vec<String> {
    let text = format!("{HEADER}{rows}");
    let report = check(text.as_bytes(), "wages.csv", &study()).unwrap();
    report.problems.iter().map(ToString::to_string).collect()
}

/// The one problem of a row that has it.
#[track_caller]
fn check_problem(row: &str, expected: &str) {
    assert_eq!(problems(row), [format!("wages.csv:2: {expected}")]);
}

fn refused(text: impl AsRef<[u8]>) -> String {
    check(text.as_ref(), "wages.csv", &study()).unwrap_err().to_string()
}

fn plain() -> Vec<Value> {
    vec![Value::Number(21), Value::Number(2067), Value::Category(1), Value::Boolean(true)]
}

#[test]
fn the_same_record_in_every_dress() {
    let row = "21,20.67,South West,true";
    for text in [
        format!("{HEADER}{row}\n"),
        format!("{HEADER}{row}"),
        format!("\u{feff}{HEADER}{row}\n"),
        format!("{HEADER}{row}\n").replace('\n', "\r\n"),
        format!("{HEADER}\n\n{row}\n\n"),
        format!("{HEADER}\"21\",\"20.67\",\"South West\",\"true\"\n"),
        format!("{HEADER} 21 , 20.67,South West , YES\n"),
        format!("{HEADER}21.0,20.670,South West,1\n"),
        format!("{HEADER}+21,020.67,South West,Yes\n"),
        " age , earnings,region,\"union\"\n21,20.67,South West,TRUE\n".into(),
        "union,x,region,\"y\"\"z\",earnings,age\nyes,?,South West,\"a,b\nc\",20.67,21\n".into(),
    ] {
        assert_eq!(records(text.as_bytes()), [plain()], "{text}");
    }
}

#[test]
fn missing_values_are_empty_or_na_where_the_study_allows_it() {
    for row in ["21,,South West,NA", "21,NA,South West,", "21, NA ,South West,\"\""] {
        let text = format!("{HEADER}{row}\n");
        let missing = vec![Value::Number(21), Value::Missing, Value::Category(1), Value::Missing];
        assert_eq!(records(text.as_bytes()), [missing]);
    }
    check_problem(",1,Midwest,1", "age is missing, which the study refuses in this column");
    check_problem("NA,1,Midwest,1", "age is missing, which the study refuses in this column");
    check_problem("20,1,,1", "region is missing, which the study refuses in this column");
    // Where nothing may be missing, NA is a label like any other.
    assert_eq!(records(format!("{HEADER}20,1,NA,0").as_bytes())[0][2], Value::Category(2));
}

#[test]
fn every_rule_is_named_with_file_line_column_and_value() {
    check_problem("203,1,Midwest,1", "age = 203 is above the study's maximum 99");
    check_problem("3,1,Midwest,1", "age = 3 is below the study's minimum 16");
    check_problem("21.5,1,Midwest,1", "age = 21.5 is not a whole number");
    check_problem("20,500.01,Midwest,1", "earnings = 500.01 is above the study's maximum 500.00");
    let decimals =
        "earnings = 1.234 has more than 2 decimals; round it, or raise `decimals` in the study";
    check_problem("20,1.234,Midwest,1", decimals);
    let plain = "is not a plain number; write it without thousands separators and with a point \
                 before the decimals";
    check_problem("20,\"1,234.5\",Midwest,1", &format!("earnings = 1,234.5 {plain}"));
    check_problem("20,\"12,5\",Midwest,1", &format!("earnings = 12,5 {plain}"));
    check_problem(
        "20,1e2,Midwest,1",
        "earnings = 1e2 is written with an exponent; write all its digits",
    );
    check_problem("20,n/a,Midwest,1", "earnings = n/a is not a number");
    let union = "union = maybe is not true or false; write true, false, yes, no, 1 or 0";
    check_problem("20,1,Midwest,maybe", union);
    let region = "region = \"midwest\" is none of the study's values Midwest, South West, NA";
    check_problem("20,1,midwest,1", region);
    check_problem("20,1,Midwest", "the row has 3 fields, and the header 4");
    check_problem("20,1,Midwest,1,", "the row has 5 fields, and the header 4");
    check_problem("20,1,Mid\0west,1", "the row has a NUL byte: the file is damaged, or no text");
    let long = problems(&format!("{},1,Midwest,1", "x".repeat(5000)));
    assert!(long[0].len() < 100 && long[0].contains('…'), "{long:?}");
    assert_eq!(problems("203,-1,Nowhere,2").len(), 4, "every field of a row is named");
}

#[test]
fn bytes_that_are_not_utf8_are_named_with_their_line() {
    let text = [HEADER.as_bytes(), b"20,1,Midwest,1\n20,1,M\xfcnchen,1\n"].concat();
    let report = check(&text[..], "wages.csv", &study()).unwrap();
    assert_eq!(report.problems[0].line, 3);
    assert!(report.problems[0].to_string().contains("region is not in UTF-8"));
    assert!(refused(b"age,earnings,region,union,M\xfcnchen\n").contains("wages.csv:1: "));
    assert!(refused(b"\xff\xfea\0g\0e\0").contains("not a text file, or not in UTF-8"));
    assert!(refused(b"\x7fELF\x02\x01\0\0\0").contains("wages.csv:1: this is not a text file"));
    // What the study ignores may hold anything.
    assert_eq!(records(&[b"x,", HEADER.as_bytes(), b"\xfc,20,1,Midwest,1\n"].concat()).len(), 1);
}

#[test]
fn lines_are_counted_as_an_editor_counts_them() {
    for end in ["\n", "\r\n", "\r"] {
        let rows =
            ["20,1,Midwest,1", "", "200,1,Midwest,1", "20,1,\"Mid", "west\",1", "", "201,1,NA,1"];
        let text = format!("{HEADER}{}", rows.join("\n")).replace('\n', end);
        let report = check(text.as_bytes(), "wages.csv", &study()).unwrap();
        let lines: Vec<_> = report.problems.iter().map(|problem| problem.line).collect();
        assert_eq!(lines, [4, 5, 8], "{end:?}");
    }
    // Wherever the buffer of 64 KiB ends.
    for shift in 0..8 {
        let row = "20,1,Midwest,1\r\n".repeat(10_000);
        let text = format!("{}{HEADER}{row}200,1,NA,1", "\n".repeat(shift))
            .replace("union\n", "union\r\n");
        let report = check(text.as_bytes(), "wages.csv", &study()).unwrap();
        assert_eq!((report.valid, report.problems[0].line), (10_000, 10_002 + shift as u64));
    }
}

#[test]
fn a_whole_file_is_looked_through_and_the_first_problems_are_kept() {
    let text = format!("{HEADER}{}", "20,1,Midwest,1\n200,-1,Midwest,1\n".repeat(1000));
    let report = check(text.as_bytes(), "wages.csv", &study()).unwrap();
    assert_eq!((report.valid, report.invalid), (1000, 1000));
    assert_eq!((report.problem_count, report.problems.len()), (2000, 20));
    // The second pass skips what the first one named.
    let table = Table::open(text.as_bytes(), "wages.csv", &study()).unwrap();
    let valid = table.filter(|row| matches!(row, Ok(Row::Valid(_))));
    assert_eq!(valid.count(), 1000);
}

#[test]
fn thousands_of_other_columns_are_ignored_and_reported() {
    let others: Vec<_> = (0..5000).map(|place| format!("x{place}")).collect();
    let text =
        format!("{},{HEADER}{}21,20.67,South West,yes\n", others.join(","), ",".repeat(5000));
    let table = Table::open(text.as_bytes(), "wages.csv", &study()).unwrap();
    assert_eq!((table.ignored().count, table.ignored().names.len()), (5000, 20));
    assert_eq!(records(text.as_bytes()), [plain()]);
}

#[test]
fn a_header_must_name_every_column_of_the_study_once() {
    let missing = refused("age,region,union\n20,Midwest,1\n");
    assert_eq!(
        missing,
        "wages.csv:1: the study's column \"earnings\" is missing; the header has age, region, union"
    );
    assert!(refused("age,age,earnings,region,union\n").contains("\"age\" is there twice"));
    assert!(refused("Age,earnings,region,union\n").contains("\"age\" is missing"));
    let twice = "x,x,age,earnings,region,union\n1,2,21,20.67,South West,1\n";
    assert_eq!(records(twice.as_bytes()), [plain()], "what is ignored may be there twice");
}

#[test]
fn a_file_without_rows_is_refused() {
    for empty in ["", "\n\n\r\n", "\u{feff}"] {
        assert_eq!(
            refused(empty),
            "wages.csv: the file is empty; its first line must name the columns"
        );
    }
    assert_eq!(refused(HEADER), "wages.csv: there are no rows below the header");
}

/// Gives `head`, then as many bytes of `fill` as are asked for, up to `left`.
struct Endless {
    head: io::Cursor<Vec<u8>>,
    fill: u8,
    left: u64,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.head.read(buffer)?;
        if read > 0 {
            return Ok(read);
        }
        let read = buffer.len().min(usize::try_from(self.left).unwrap());
        buffer[..read].fill(self.fill);
        self.left -= read as u64;
        Ok(read)
    }
}

#[test]
fn a_line_of_a_gigabyte_is_refused_after_a_megabyte() {
    for (head, fill) in [
        (format!("{HEADER}20,1,"), b'x'),
        (format!("{HEADER}20,1,\""), b'\n'),
        (format!("{HEADER}20"), b','),
    ] {
        let mut input = Endless { head: io::Cursor::new(head.into_bytes()), fill, left: 1 << 30 };
        let error = check(&mut input, "wages.csv", &study()).unwrap_err().to_string();
        assert!(
            error.starts_with("wages.csv:2: the row that starts here is longer than 1 MiB"),
            "{error}"
        );
        assert!((1 << 30) - input.left < 2 << 20, "no more than needed is read");
    }
    let mut header = Endless { head: io::Cursor::new(vec![]), fill: b'x', left: 1 << 30 };
    assert!(check(&mut header, "wages.csv", &study()).unwrap_err().to_string().contains(":1: "));
}

#[test]
fn a_read_error_is_passed_on_with_the_file() {
    struct Failing(bool);
    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0 {
                return Err(io::Error::other("the disk is gone"));
            }
            self.0 = true;
            buffer[..HEADER.len()].copy_from_slice(HEADER.as_bytes());
            Ok(HEADER.len())
        }
    }
    let error = check(Failing(false), "wages.csv", &study()).unwrap_err().to_string();
    assert_eq!(error, "wages.csv: reading fails: the disk is gone");
}

#[test]
fn a_quotation_that_is_never_closed_is_refused_with_the_line_of_its_row() {
    for rows in ["20,1,Midwest,\"yes", "20,1,Midwest,yes\n20,1,Midwest,\"\n20,1,Midwest,\n"] {
        let mut table =
            Table::open(format!("{HEADER}{rows}").leak().as_bytes(), "wages.csv", &study())
                .unwrap();
        let error = table.find_map(Result::err).expect("an open quotation").to_string();
        let line = if rows.contains('\n') { 3 } else { 2 };
        assert!(error.starts_with(&format!("wages.csv:{line}: ")), "{error}");
        assert!(error.contains("quotation mark is never closed"), "{error}");
    }
    assert_eq!(records(format!("{HEADER}20,1,Midwest,\"yes\"").as_bytes()).len(), 1);
    assert_eq!(records(format!("{HEADER}20,1,Midwest,yes\r").as_bytes()).len(), 1);
}

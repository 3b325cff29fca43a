//! The demonstration's data: real people of the Current Population Survey, in the clear.

use std::{
    collections::BTreeMap,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use flate2::read::GzDecoder;
use num_bigint::BigInt;
use num_rational::BigRational;

use crate::failure::Failure;

const DATA: &[u8] = include_bytes!("../../../data/cps2004.csv.gz");

/// One respondent.
pub struct Person {
    /// The line of the file as it is.
    line: String,
    age: i128,
    cents: i128,
    region: String,
    gender: String,
}

/// Count and exact total of a group; the total is scaled by 10^decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Group {
    /// People.
    pub count: i64,
    /// Sum of their values, scaled.
    pub total: i128,
    /// Digits after the point.
    pub decimals: u32,
}

/// All respondents and the header of their file.
pub struct People {
    header: String,
    people: Vec<Person>,
}

impl People {
    /// The shipped data.
    pub fn shipped() -> Result<Self, Failure> {
        let damaged = |error: io::Error| Failure::Shipped(error.to_string());
        let mut text = String::new();
        GzDecoder::new(DATA).read_to_string(&mut text).map_err(damaged)?;
        let mut lines = text.lines();
        let header = lines.next().unwrap_or_default().to_owned();
        let people = lines.map(|line| Person::read(&header, line)).collect::<Option<Vec<_>>>();
        let people = people.ok_or_else(|| Failure::Shipped("a line cannot be read".into()))?;
        Ok(Self { header, people })
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        self.people.len() as u64
    }

    /// Writes one CSV per region into `dir`, as four providers would have them.
    pub fn split_by_region(&self, dir: &Path) -> io::Result<Vec<(String, PathBuf)>> {
        let mut files = BTreeMap::new();
        for person in &self.people {
            files.entry(&person.region).or_insert_with(Vec::new).push(&person.line);
        }
        let write = |(region, lines): (&String, Vec<&String>)| {
            let path = dir.join(format!("{}.csv", region.to_lowercase()));
            let mut file = io::BufWriter::new(std::fs::File::create(&path)?);
            writeln!(file, "{}", self.header)?;
            for line in lines {
                writeln!(file, "{line}")?;
            }
            file.flush()?;
            Ok((region.clone(), path))
        };
        files.into_iter().map(write).collect()
    }

    /// The plaintext answer: counts and sums of column `of` by the columns `by`, in integers.
    /// None when there is no such column.
    pub fn sums(&self, of: &str, by: &[String]) -> Option<BTreeMap<Vec<String>, Group>> {
        let mut groups = BTreeMap::new();
        for person in &self.people {
            let labels = by.iter().map(|column| person.label(column)).collect::<Option<_>>()?;
            let (value, decimals) = person.number(of)?;
            let group: &mut Group = groups.entry(labels).or_default();
            group.count += 1;
            group.total += value;
            group.decimals = decimals;
        }
        Some(groups)
    }
}

impl Person {
    fn read(header: &str, line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(',').collect();
        let field = |name: &str| fields.get(header.split(',').position(|column| column == name)?);
        Some(Self {
            line: line.to_owned(),
            age: field("age")?.parse().ok()?,
            cents: cents(field("earnings")?)?,
            region: (*field("region")?).to_owned(),
            gender: (*field("gender")?).to_owned(),
        })
    }

    fn label(&self, column: &str) -> Option<String> {
        match column {
            "region" => Some(self.region.clone()),
            "gender" => Some(self.gender.clone()),
            _ => None,
        }
    }

    fn number(&self, column: &str) -> Option<(i128, u32)> {
        match column {
            "age" => Some((self.age, 0)),
            "earnings" => Some((self.cents, 2)),
            _ => None,
        }
    }
}

impl Group {
    /// The mean in double precision, rounded once.
    pub fn mean(&self) -> f64 {
        self.total as f64 / (f64::from(10_u32.pow(self.decimals)) * self.count as f64)
    }

    /// The mean as a fraction; none without people.
    pub fn average(&self) -> Option<BigRational> {
        let scale = BigInt::from(10).pow(self.decimals);
        (self.count != 0).then(|| BigRational::new(self.total.into(), scale * self.count))
    }
}

/// Dollars with up to two decimals, as cents.
fn cents(text: &str) -> Option<i128> {
    let (dollars, decimals) = text.split_once('.').unwrap_or((text, ""));
    let fraction: i128 = match decimals.len() {
        0 => 0,
        1 => decimals.parse::<i128>().ok()? * 10,
        2 => decimals.parse().ok()?,
        _ => return None,
    };
    Some(dollars.parse::<i128>().ok()? * 100 + fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_read_exactly() {
        assert_eq!(cents("20.67"), Some(2067));
        assert_eq!(cents("20.6"), Some(2060));
        assert_eq!(cents("2"), Some(200));
        assert_eq!(cents("2.005"), None);
        assert_eq!(cents("x"), None);
    }

    /// The published means that come with the data (data/README.md), to six digits.
    #[test]
    fn the_shipped_data_has_its_published_means() {
        let people = People::shipped().unwrap();
        assert_eq!(people.len(), 61_395);
        let by_region = people.sums("earnings", &["region".into()]).unwrap();
        let published = [
            ("Midwest", 18.143509),
            ("Northeast", 19.823510),
            ("South", 17.649399),
            ("West", 18.578509),
        ];
        for (region, mean) in published {
            let ours = by_region[&vec![region.to_owned()]].mean();
            assert!((ours - mean).abs() < 1e-6, "{region}: {ours}");
        }
        let by_gender = people.sums("earnings", &["gender".into()]).unwrap();
        for (gender, mean) in [("female", 16.338139), ("male", 20.086437)] {
            let ours = by_gender[&vec![gender.to_owned()]].mean();
            assert!((ours - mean).abs() < 1e-6, "{gender}: {ours}");
        }
    }

    #[test]
    fn the_regional_files_hold_every_line_once() {
        let dir = tempfile::tempdir().unwrap();
        let people = People::shipped().unwrap();
        let files = people.split_by_region(dir.path()).unwrap();
        assert_eq!(files.len(), 4);
        let mut split = Vec::new();
        for (_, file) in files {
            let text = std::fs::read_to_string(file).unwrap();
            let mut lines = text.lines().map(str::to_owned);
            assert_eq!(lines.next().as_ref(), Some(&people.header));
            split.extend(lines);
        }
        let mut whole: Vec<String> = people.people.into_iter().map(|person| person.line).collect();
        split.sort_unstable();
        whole.sort_unstable();
        assert_eq!(split, whole);
    }
}

//! T-test: whether the means of a number column differ between two groups, by Welch's test.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed as _, Zero as _};
use serde_json::json;

use super::{
    Answer, Formula, Key, Kind, Page, Question, Refusal, Sums,
    grouped::{Group, Grouped},
    number, significance,
    variance::variance,
};
use crate::{
    plan::{Request, Term},
    result::{Presentation, Reason, Sheet},
};

/// The difference of two means by its standard error; the groups' variances may differ.
pub(super) struct TTest;

impl Kind for TTest {
    fn name(&self) -> &'static str {
        "ttest"
    }

    fn summary(&self) -> &'static str {
        "Welch's t-test: whether the means of two groups differ"
    }

    fn keys(&self) -> &'static [Key] {
        const {
            &[
                Key::columns("of", "an integer, decimal or boolean column"),
                Key::columns("between", "a boolean column, or a category column with two labels"),
            ]
        }
    }

    fn page(&self) -> Page {
        Page {
            formula: "t = (x̄_a − x̄_b) / √(v_a + v_b), where v is a group's sample variance by its number \
                      of records; dof = (v_a + v_b)² / (v_a²/(n_a − 1) + v_b²/(n_b − 1)); p is two-sided; \
                      the interval is x̄_a − x̄_b ± t(0.975, dof)·√(v_a + v_b)",
            cost: "per cell and group Σx², Σx and n, and one product per record for x²",
            value: "`sides`, the two labels a and b; their `means`; the `difference` of a and b; `t`, \
                    `dof`, `p`; `ci95`, the interval of 95 % for the difference; none where a group has \
                    fewer than two records, or no group has two values that differ",
            example: "name = \"gap\"\nkind = \"ttest\"\nof = \"earnings\"\nbetween = \"gender\"",
        }
    }

    fn formula(&self, question: &Question<'_>) -> Result<Box<dyn Formula>, Refusal> {
        let accepts = "boolean, or category with exactly two labels";
        let has_two =
            |column: &crate::Column| column.levels().is_some_and(|levels| levels.len() == 2);
        Ok(Box::new(Welch(Grouped::read(question, accepts, has_two)?)))
    }
}

struct Welch(Grouped);

impl Formula for Welch {
    fn of(&self) -> Vec<usize> {
        self.0.of()
    }

    fn counted(&self) -> Term {
        self.0.counted()
    }

    fn unit(&self) -> Vec<usize> {
        self.0.unit()
    }

    fn requests(&self) -> Vec<Request> {
        self.0.requests()
    }

    fn answer(&self, cell: &Sums<'_>) -> Result<Answer, Reason> {
        let groups = self.0.groups(cell)?;
        // Two labels, as the study was checked.
        let [a, b] = groups.as_slice() else { return Err(Reason::NotOpened) };
        if a.is_empty() && b.is_empty() {
            return Err(Reason::NoRecords);
        }
        let sides = [self.side(a)?, self.side(b)?];
        let test = test(&sides, || self.0.name.clone())?;
        let [mean_a, mean_b] = sides.each_ref().map(|side| number::to_f64(&side.mean));
        let [low, high] = test.ci95;
        let value = json!({
            "sides": [a.label, b.label],
            "means": [number::real(mean_a)?, number::real(mean_b)?],
            "difference": number::real(test.difference)?,
            "t": number::real(test.t)?,
            "dof": number::real(test.dof)?,
            "p": number::real(test.p)?,
            "ci95": [number::real(low)?, number::real(high)?],
        });
        let shown = Presentation::Table(self.sheet([(a, mean_a), (b, mean_b)], &test));
        Ok(Answer { value, exact: None, shown })
    }
}

impl Welch {
    fn side(&self, group: &Group<'_>) -> Result<Side, Reason> {
        if group.is_empty() {
            return Err(Reason::EmptyGroup(group.label.into()));
        }
        let n = group.count()?;
        if n < 2 {
            return Err(Reason::TooFewIn { group: group.label.into(), needed: 2 });
        }
        let decimals = self.0.decimals;
        let error = variance(n, group.sum, group.squares, decimals)? / BigInt::from(n);
        Ok(Side { n, mean: group.mean(decimals), error })
    }

    fn sheet(&self, groups: [(&Group<'_>, f64); 2], test: &Test) -> Sheet {
        let digits = self.0.decimals + 2;
        let rounded = |number: f64| number::rounded(number, digits);
        let row = |(group, mean): (&Group<'_>, f64)| {
            vec![group.label.into(), group.n.to_string(), rounded(mean)]
        };
        let [low, high] = test.ci95.map(rounded);
        let [t, dof, p] = [test.t, test.dof, test.p].map(|number| number::significant(number, 4));
        Sheet {
            header: vec![self.0.between.clone(), "n".into(), "mean".into()],
            rows: groups.into_iter().map(row).collect(),
            notes: vec![
                format!("difference = {}, 95 % interval {low} to {high}", rounded(test.difference)),
                format!("t = {t}, dof = {dof}, p = {p}"),
            ],
        }
    }
}

/// What the test needs of one group.
struct Side {
    n: i64,
    mean: BigRational,
    /// The squared standard error of the mean: the variance by the number of records.
    error: BigRational,
}

/// The outcome of Welch's test.
struct Test {
    difference: f64,
    t: f64,
    dof: f64,
    p: f64,
    ci95: [f64; 2],
}

/// The test of two groups; a column of this name is constant in both where no value differs.
fn test([a, b]: &[Side; 2], name: impl Fn() -> String) -> Result<Test, Reason> {
    let (difference, error) = (&a.mean - &b.mean, &a.error + &b.error);
    if error.is_zero() {
        return Err(Reason::ConstantInGroups(name()));
    }
    let part = |side: &Side| &side.error * &side.error / BigInt::from(side.n - 1);
    let dof = number::to_f64(&(&error * &error / (part(a) + part(b))));
    let size = number::to_f64(&(&difference * &difference / &error)).sqrt();
    let t = if difference.is_negative() { -size } else { size };
    let p = significance::student(t, dof).ok_or(Reason::NotFinite)?;
    let quantile = significance::student_95(dof).ok_or(Reason::NotFinite)?;
    let (difference, reach) =
        (number::to_f64(&difference), quantile * number::to_f64(&error).sqrt());
    Ok(Test { difference, t, dof, p, ci95: [difference - reach, difference + reach] })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{result::Reason, statistic::example};

    const KEYS: &str = "of = \"score\"\nbetween = \"gender\"";

    fn records(female: &[u8], male: &[u8]) -> Vec<String> {
        let record =
            |gender: &'static str| move |score: &u8| format!("gender={gender},score={score}");
        female.iter().map(record("female")).chain(male.iter().map(record("male"))).collect()
    }

    fn value(female: &[u8], male: &[u8]) -> Result<serde_json::Value, Reason> {
        let records = records(female, male);
        let records: Vec<_> = records.iter().map(String::as_str).collect();
        example::value("ttest", KEYS, &records)
    }

    fn is_near(found: &serde_json::Value, expected: f64) {
        let found = found.as_f64().unwrap();
        assert!((found - expected).abs() <= 1e-12 * expected.abs(), "{found:?} {expected:?}");
    }

    #[test]
    fn the_test_is_that_of_scipy() {
        // scipy.stats.ttest_ind([1, 2, 4, 5, 6], [7, 9, 9, 10], equal_var=False)
        let value = value(&[1, 2, 4, 5, 6], &[7, 9, 9, 10]).unwrap();
        assert_eq!(value["sides"], json!(["female", "male"]));
        assert_eq!(value["means"], json!([3.6, 8.75]));
        assert_eq!(value["difference"], json!(-5.15));
        is_near(&value["t"], -4.595_589_472_656_846_5);
        is_near(&value["dof"], 6.650_911_320_167_164);
        is_near(&value["p"], 0.002_849_470_307_041_604_6);
        is_near(&value["ci95"][0], -7.828_349_427_830_436);
        is_near(&value["ci95"][1], -2.471_650_572_169_564_5);
    }

    #[test]
    fn truth_values_are_compared_and_divide() {
        let keys = "of = \"hired\"\nbetween = \"graduate\"";
        let records = [
            "hired=true,graduate=true",
            "hired=false,graduate=true",
            "hired=false,graduate=false",
            "hired=false,graduate=false",
        ];
        let value = example::value("ttest", keys, &records).unwrap();
        assert_eq!(value["sides"], json!(["false", "true"]));
        assert_eq!(value["difference"], json!(-0.5));
        // t = −0.5 / √(1/4), with the one degree of freedom of the group that varies.
        assert_eq!((&value["t"], &value["dof"]), (&json!(-1.0), &json!(1.0)));
        is_near(&value["p"], 0.5);
    }

    #[test]
    fn groups_that_are_empty_small_or_constant_are_reasons() {
        assert_eq!(value(&[], &[]), Err(Reason::NoRecords));
        assert_eq!(value(&[1, 2], &[]), Err(Reason::EmptyGroup("male".into())));
        let small = Reason::TooFewIn { group: "female".into(), needed: 2 };
        assert_eq!(value(&[1], &[2, 3]), Err(small));
        assert_eq!(value(&[1, 1], &[2, 2]), Err(Reason::ConstantInGroups("score".into())));
        assert!(value(&[1, 1], &[2, 3]).is_ok());
    }

    #[test]
    fn a_withheld_group_is_a_reason() {
        let records = records(&[1, 2, 3], &[4, 5]);
        let records: Vec<_> = records.iter().map(String::as_str).collect();
        assert_eq!(example::withheld("ttest", KEYS, &records, 3), Err(Reason::SmallGroup));
    }

    #[test]
    fn groups_other_than_two_are_refused() {
        let found = example::refusal("ttest", "of = \"age\"\nbetween = \"region\"");
        assert!(found.contains("category with exactly two labels"), "{found}");
        let found = example::refusal("ttest", "of = \"hired\"\nbetween = \"hired\"");
        assert!(found.contains("\"hired\" is there twice"), "{found}");
    }
}

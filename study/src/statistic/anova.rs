//! Anova: whether the means of a number column differ between the groups of another column, by the
//! one-way analysis of variance.

use num_bigint::BigInt;
use num_traits::{Signed as _, Zero as _};
use serde_json::{Map, Value, json};

use super::{
    Answer, Chosen, Formula, Key, Kind, Page, Question, Refusal, Sums,
    grouped::{Group, Grouped},
    number, significance,
};
use crate::{
    plan::{Request, Term},
    result::{Presentation, Reason, Sheet},
    study::{Setting, Statistic},
};

/// The spread between the groups' means by the spread within the groups.
pub(super) struct Anova;

const BETWEEN: &str = "between";

impl Kind for Anova {
    fn name(&self) -> &'static str {
        "anova"
    }

    fn summary(&self) -> &'static str {
        "one-way analysis of variance: whether the means of several groups differ"
    }

    fn keys(&self) -> &'static [Key] {
        const {
            &[
                Key::columns("of", "an integer, decimal or boolean column"),
                Key::columns(
                    BETWEEN,
                    "a category or boolean column; `by` with one column does as well",
                ),
            ]
        }
    }

    fn page(&self) -> Page {
        Page {
            formula: "F = (B / (k − 1)) / (W / (n − k)) with B = Σ n_g·(x̄_g − x̄)² between the k groups that \
                      have records and W = Σ (x − x̄_g)² within them",
            cost: "per cell and group Σx², Σx and n, and one product per record for x²",
            value: "`f`; `dof`, k − 1 and n − k; `p`; `groups` by label, with `n` and `mean`; none with \
                    fewer than two groups or not more records than groups, or where a group is withheld",
            example: "name = \"earnings across regions\"\nkind = \"anova\"\nof = \"earnings\"\nbetween = \"region\"",
        }
    }

    /// `by` with one column and no `between` is another way of writing `between`.
    fn normalise(&self, statistic: &mut Statistic) {
        if statistic.setting(BETWEEN).is_none() && statistic.by.len() == 1 {
            let column = std::mem::take(&mut statistic.by);
            statistic.settings.push((BETWEEN.into(), Setting::Texts(column)));
        }
    }

    fn formula(&self, question: &Question<'_>) -> Result<Box<dyn Formula>, Refusal> {
        Ok(Box::new(OneWay(Grouped::read(question, "category or boolean", Chosen::has_levels)?)))
    }
}

struct OneWay(Grouped);

impl Formula for OneWay {
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
        let filled: Vec<_> = groups.iter().filter(|group| !group.is_empty()).collect();
        let test = test(&filled, &self.0.name)?;
        let mut means = Map::new();
        for group in &groups {
            let mean = (!group.is_empty()).then(|| number::to_f64(&group.mean(self.0.decimals)));
            let entry = json!({ "n": number::whole(group.n), "mean": number::optional(mean)? });
            means.insert(group.label.into(), entry);
        }
        let value = json!({
            "f": number::real(test.f)?,
            "dof": test.dof,
            "p": number::real(test.p)?,
            "groups": Value::Object(means),
        });
        Ok(Answer { value, exact: None, shown: Presentation::Table(self.sheet(&groups, &test)) })
    }
}

impl OneWay {
    fn sheet(&self, groups: &[Group<'_>], test: &Test) -> Sheet {
        let decimals = self.0.decimals;
        let mean = |group: &Group<'_>| match group.is_empty() {
            true => "–".into(),
            false => number::rounded(number::to_f64(&group.mean(decimals)), decimals + 2),
        };
        let row = |group: &Group<'_>| vec![group.label.into(), group.n.to_string(), mean(group)];
        let [f, p] = [test.f, test.p].map(|number| number::significant(number, 4));
        let [between, within] = test.dof;
        Sheet {
            header: vec![self.0.between.clone(), "n".into(), "mean".into()],
            rows: groups.iter().map(row).collect(),
            notes: vec![format!("F = {f}, dof = {between} and {within}, p = {p}")],
        }
    }
}

/// The outcome of an analysis of variance.
struct Test {
    f: f64,
    dof: [i64; 2],
    p: f64,
}

/// The test of groups that all have records.
fn test(groups: &[&Group<'_>], name: &str) -> Result<Test, Reason> {
    let k = groups.len();
    let n: BigInt = groups.iter().map(|group| group.n).sum();
    match k {
        0 => return Err(Reason::NoRecords),
        1 => return Err(Reason::OneGroup),
        _ if n <= BigInt::from(k) => return Err(Reason::TooFew { needed: k + 1 }),
        _ => {}
    }
    let sum: BigInt = groups.iter().map(|group| group.sum).sum();
    let squares: BigInt = groups.iter().map(|group| group.squares).sum();
    // Σ (Σx)²/n over the groups, as one fraction; the scale of x cancels in F.
    let parts = groups.iter().map(|group| (group.sum * group.sum, group.n.clone()));
    let (explained, denominator) = number::sum(parts.collect());
    let within = &squares * &denominator - &explained;
    let between = &explained * &n - &sum * &sum * &denominator;
    if within.is_negative() || between.is_negative() {
        return Err(Reason::Noise);
    }
    if within.is_zero() {
        return Err(Reason::ConstantInGroups(name.into()));
    }
    // Both have the factor `denominator`, and `between` has the factor n as well.
    let (over, under) = (k - 1, &n - k);
    let f = number::quotient(between * &under, within * &n * over);
    let dof = |dof: BigInt| i64::try_from(dof).map_err(|_| Reason::NotFinite);
    let dof = [dof(over.into())?, dof(under)?];
    let p = significance::fisher(f, dof).ok_or(Reason::NotFinite)?;
    Ok(Test { f, dof, p })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::{result::Reason, statistic::example, study::Setting};

    const KEYS: &str = "of = \"score\"\nbetween = \"region\"";

    fn value(groups: [&[u8]; 3]) -> Result<Value, Reason> {
        let labels = ["North", "South", "West"];
        let record =
            |label: &'static str| move |score: &u8| format!("region={label},score={score}");
        let records = labels.into_iter().zip(groups);
        let records: Vec<_> =
            records.flat_map(|(label, scores)| scores.iter().map(record(label))).collect();
        let records: Vec<_> = records.iter().map(String::as_str).collect();
        example::value("anova", KEYS, &records)
    }

    fn is_near(found: &Value, expected: f64) {
        let found = found.as_f64().unwrap();
        assert!((found - expected).abs() <= 1e-12 * expected.abs(), "{found:?} {expected:?}");
    }

    #[test]
    fn the_test_is_that_of_scipy() {
        // scipy.stats.f_oneway([1, 2, 4, 5, 6], [7, 9, 9, 10], [3, 4, 4])
        let value = value([&[1, 2, 4, 5, 6], &[7, 9, 9, 10], &[3, 4, 4]]).unwrap();
        is_near(&value["f"], 13.937730287398677);
        is_near(&value["p"], 0.001752963011562798);
        assert_eq!(value["dof"], json!([2, 9]));
        assert_eq!(value["groups"]["North"], json!({ "n": 5, "mean": 3.6 }));
    }

    #[test]
    fn groups_without_records_are_left_out() {
        // Means 2 and 5, n = 2 and 2: B = 9, W = 2 + 2, F = 9 / (4 / 2).
        let value = value([&[1, 3], &[], &[4, 6]]).unwrap();
        assert_eq!(value["f"], json!(4.5));
        assert_eq!(value["dof"], json!([1, 2]));
        assert_eq!(value["groups"]["South"], json!({ "n": 0, "mean": null }));
    }

    #[test]
    fn too_few_records_or_groups_are_reasons() {
        assert_eq!(value([&[], &[], &[]]), Err(Reason::NoRecords));
        assert_eq!(value([&[1, 2, 3], &[], &[]]), Err(Reason::OneGroup));
        assert_eq!(value([&[1], &[2], &[]]), Err(Reason::TooFew { needed: 3 }));
        assert_eq!(value([&[1, 1], &[2], &[]]), Err(Reason::ConstantInGroups("score".into())));
        assert_eq!(value([&[1, 1], &[1, 1], &[]]), Err(Reason::ConstantInGroups("score".into())));
    }

    #[test]
    fn a_withheld_group_is_a_reason() {
        let records = ["region=North,score=1", "region=North,score=2", "region=West,score=3"];
        assert_eq!(example::withheld("anova", KEYS, &records, 2), Err(Reason::SmallGroup));
    }

    #[test]
    fn by_with_one_column_is_another_way_of_writing_between() {
        let start = "name = \"a\"\nkind = \"anova\"\nof = \"score\"\n";
        let [by, between] =
            ["by", "between"].map(|key| example::study(&format!("{start}{key} = \"region\"")));
        assert_eq!(by.encode(), between.encode());
        let statistic = &by.statistics()[0];
        assert_eq!(statistic.setting("between"), Some(&Setting::Texts(vec!["region".into()])));
        assert!(statistic.by.is_empty());
        let both = example::study(&format!("{start}by = \"gender\"\nbetween = \"region\""));
        assert_eq!(both.statistics()[0].by, ["gender"]);
        let found = example::refusal("anova", "of = \"score\"");
        assert!(found.contains("`between` is missing"), "{found}");
    }
}

//! Fairness: whether a decision treats groups alike, by the usual measures.

use num_bigint::BigInt;
use num_traits::Signed as _;
use serde_json::{Map, Value};

use super::{Answer, Chosen, Formula, Key, Kind, Page, Question, Refusal, Sums, number};
use crate::{
    error::Rule,
    plan::{Axis, Request, Term},
    result::{Presentation, Reason, Sheet},
    study::{Column, ColumnType},
};

/// Rates per group, and how far they are apart.
pub(super) struct Fairness;

impl Kind for Fairness {
    fn name(&self) -> &'static str {
        "fairness"
    }

    fn summary(&self) -> &'static str {
        "how often each group is selected, rightly and wrongly, and how far groups are apart"
    }

    fn keys(&self) -> &'static [Key] {
        const {
            &[
                Key::columns("outcome", "a boolean column: who is selected"),
                Key::columns("group", "a category or boolean column"),
                Key::columns("label", "a boolean column: who should be selected").optional(),
            ]
        }
    }

    fn page(&self) -> Page {
        Page {
            formula: "selection rate = P(outcome | group), TPR = P(outcome | group, label), FPR = P(outcome | \
                      group, not label); demographic parity difference = max − min of the selection rates, \
                      disparate impact ratio = min / max of them, equal opportunity difference = max − min of TPR",
            cost: "per cell and group n and the number selected; with `label` both per group and label",
            value: "`groups` by label, with `n`, `selection_rate`, and with `label` `tpr` and `fpr`, null \
                    without records or where a group is withheld; `demographic_parity_difference`, \
                    `disparate_impact_ratio`, and with `label` `equal_opportunity_difference`, null with \
                    fewer than two rates",
            example: "name = \"hiring\"\nkind = \"fairness\"\noutcome = \"hired\"\ngroup = \"gender\"\nlabel = \"graduate\"",
        }
    }

    fn formula(&self, question: &Question<'_>) -> Result<Box<dyn Formula>, Refusal> {
        let is_boolean = |column: &Column| column.holds == ColumnType::Boolean;
        let outcome = question.column("outcome", "boolean", is_boolean)?;
        let group = question.column("group", "category or boolean", Chosen::has_levels)?;
        let label = match question.texts("label") {
            [] => None,
            _ => Some(question.column("label", "boolean", is_boolean)?),
        };
        let columns: Vec<_> = [outcome, group].into_iter().chain(label).collect();
        for (key, place) in [("group", 1), ("label", 2)] {
            let (earlier, later) = columns.split_at(columns.len().min(place));
            let Some(chosen) = later.first() else { continue };
            if earlier.iter().any(|other| other.place == chosen.place) {
                let name = chosen.column.name.clone();
                return Err((key, Rule::Duplicate { what: "column", name }));
            }
        }
        Ok(Box::new(Rates {
            outcome: outcome.place,
            columns: columns.iter().map(|chosen| chosen.place).collect(),
            name: group.column.name.clone(),
            labels: group.levels(),
            // Columns with levels have steps.
            group: group.steps().into_iter().collect(),
            label: label.and_then(|label| label.steps()),
        }))
    }
}

struct Rates {
    outcome: usize,
    /// The outcome, the group, and the label if there is one.
    columns: Vec<usize>,
    /// The name of the column of groups.
    name: String,
    labels: Vec<String>,
    group: Vec<Axis>,
    label: Option<Axis>,
}

/// The rates of one group; none without records, or where they are withheld.
struct Group<'a> {
    label: &'a str,
    n: Option<&'a BigInt>,
    selection: Option<f64>,
    /// Among those who should be selected, and among those who should not.
    true_positive: Option<f64>,
    false_positive: Option<f64>,
}

impl Formula for Rates {
    fn of(&self) -> Vec<usize> {
        self.columns.clone()
    }

    fn counted(&self) -> Term {
        Term::present(self.columns.iter().copied())
    }

    /// Records and selected ones per group, then both per group and label.
    fn requests(&self) -> Vec<Request> {
        let selected = Term::product([self.outcome]).among(self.columns.iter().copied());
        let both = |axes: Vec<Axis>| {
            let records = Request::split(self.counted(), axes.clone()).shown();
            [records, Request::split(selected.clone(), axes)]
        };
        let by_label = self
            .label
            .iter()
            .map(|label| both(self.group.iter().chain([label]).cloned().collect()));
        both(self.group.clone()).into_iter().chain(by_label.flatten()).collect()
    }

    fn answer(&self, cell: &Sums<'_>) -> Result<Answer, Reason> {
        if cell.count <= 0 {
            return Err(Reason::NoRecords);
        }
        let groups: Vec<_> = self
            .labels
            .iter()
            .enumerate()
            .map(|(place, label)| group(cell, place, label))
            .collect();
        let selection = Extent::new(groups.iter().map(|group| group.selection));
        let opportunity = Extent::new(groups.iter().map(|group| group.true_positive));
        let has_label = self.label.is_some();
        let mut by_label = Map::new();
        for group in &groups {
            by_label.insert(group.label.into(), group.value(has_label)?);
        }
        let mut value = Map::new();
        value.insert("groups".into(), Value::Object(by_label));
        for (name, number) in measures(&selection, has_label.then_some(&opportunity)) {
            value.insert(name.replace(' ', "_"), number::optional(number)?);
        }
        let sheet = self.sheet(&groups, measures(&selection, has_label.then_some(&opportunity)));
        let value = Value::Object(value);
        Ok(Answer { value, exact: None, shown: Presentation::Table(sheet) })
    }
}

impl Rates {
    fn sheet(&self, groups: &[Group<'_>], measures: Vec<(&str, Option<f64>)>) -> Sheet {
        let width = if self.label.is_some() { 5 } else { 3 };
        let cut = |texts: Vec<String>| texts.into_iter().take(width).collect::<Vec<_>>();
        let header = [self.name.as_str(), "n", "selection rate", "TPR", "FPR"];
        let rate =
            |rate: Option<f64>| rate.map_or_else(|| "–".into(), |rate| number::rounded(rate, 4));
        let row = |group: &Group<'_>| {
            let n = group.n.map_or_else(|| "withheld".into(), BigInt::to_string);
            let rates = [group.selection, group.true_positive, group.false_positive].map(rate);
            cut([group.label.into(), n].into_iter().chain(rates).collect())
        };
        let note = |(name, number): (&str, Option<f64>)| format!("{name} = {}", rate(number));
        Sheet {
            header: cut(header.map(String::from).to_vec()),
            rows: groups.iter().map(row).collect(),
            notes: measures.into_iter().map(note).collect(),
        }
    }
}

impl Group<'_> {
    fn value(&self, has_label: bool) -> Result<Value, Reason> {
        let n = self.n.map_or(Value::Null, number::whole);
        let mut value = Map::new();
        value.insert("n".into(), n);
        value.insert("selection_rate".into(), number::optional(self.selection)?);
        if has_label {
            value.insert("tpr".into(), number::optional(self.true_positive)?);
            value.insert("fpr".into(), number::optional(self.false_positive)?);
        }
        Ok(Value::Object(value))
    }
}

/// The group at a place. If one of its two labels is withheld, so is the other: it would follow.
fn group<'a>(cell: &'a Sums<'_>, place: usize, label: &'a str) -> Group<'a> {
    let at = |request: usize, place: usize| cell.each(request).get(place).and_then(Option::as_ref);
    let n = at(0, place);
    let selection = n.and_then(|n| rate(at(1, place)?, n));
    // False, then true; every request but the first two is by label.
    let [no, yes] = [2 * place, 2 * place + 1];
    let is_open = at(2, no).is_some() && at(2, yes).is_some();
    let rate = |place: usize| rate(at(3, place)?, at(2, place)?).filter(|_| is_open);
    Group { label, n, selection, true_positive: rate(yes), false_positive: rate(no) }
}

/// selected / n; none without records.
fn rate(selected: &BigInt, n: &BigInt) -> Option<f64> {
    n.is_positive().then(|| number::quotient(selected.clone(), n.clone()))
}

/// The smallest and the largest of at least two rates.
struct Extent(Option<(f64, f64)>);

impl Extent {
    fn new(rates: impl Iterator<Item = Option<f64>>) -> Self {
        let rates: Vec<f64> = rates.flatten().collect();
        let end = |choose: fn(f64, f64) -> f64| rates.iter().copied().reduce(choose);
        Self(end(f64::min).zip(end(f64::max)).filter(|_| rates.len() > 1))
    }

    fn difference(&self) -> Option<f64> {
        self.0.map(|(min, max)| max - min)
    }

    fn ratio(&self) -> Option<f64> {
        self.0.filter(|(_, max)| *max > 0.0).map(|(min, max)| min / max)
    }
}

/// How far the groups are apart, each by its name.
fn measures(selection: &Extent, opportunity: Option<&Extent>) -> Vec<(&'static str, Option<f64>)> {
    let mut measures = vec![
        ("demographic parity difference", selection.difference()),
        ("disparate impact ratio", selection.ratio()),
    ];
    let opportunity = opportunity.map(Extent::difference);
    measures.extend(opportunity.map(|difference| ("equal opportunity difference", difference)));
    measures
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::{result::Reason, statistic::example};

    const PLAIN: &str = "outcome = \"hired\"\ngroup = \"gender\"";
    const LABELLED: &str = "outcome = \"hired\"\ngroup = \"gender\"\nlabel = \"graduate\"";

    fn records(female: [usize; 4], male: [usize; 4]) -> Vec<String> {
        let mut records = Vec::new();
        for (gender, counts) in [("female", female), ("male", male)] {
            // Hired and graduate, hired, graduate, neither.
            let pairs = [(true, true), (true, false), (false, true), (false, false)];
            for ((hired, graduate), count) in pairs.into_iter().zip(counts) {
                let record = format!("gender={gender},hired={hired},graduate={graduate}");
                records.extend(vec![record; count]);
            }
        }
        records
    }

    fn value(keys: &str, female: [usize; 4], male: [usize; 4]) -> Result<Value, Reason> {
        let records = records(female, male);
        let records: Vec<_> = records.iter().map(String::as_str).collect();
        example::value("fairness", keys, &records)
    }

    #[test]
    fn rates_and_how_far_they_are_apart() {
        let expected = json!({
            "groups": {
                "female": { "n": 8, "selection_rate": 0.25, "tpr": 0.25, "fpr": 0.25 },
                "male": { "n": 4, "selection_rate": 0.75, "tpr": 1.0, "fpr": 0.5 },
            },
            "demographic_parity_difference": 0.5,
            "disparate_impact_ratio": 1.0 / 3.0,
            "equal_opportunity_difference": 0.75,
        });
        assert_eq!(value(LABELLED, [1, 1, 3, 3], [2, 1, 0, 1]).unwrap(), expected);
    }

    #[test]
    fn without_a_label_there_are_selection_rates_only() {
        let expected = json!({
            "groups": {
                "female": { "n": 2, "selection_rate": 0.0 },
                "male": { "n": 1, "selection_rate": 0.0 },
            },
            "demographic_parity_difference": 0.0,
            "disparate_impact_ratio": null,
        });
        assert_eq!(value(PLAIN, [0, 0, 1, 1], [0, 0, 0, 1]).unwrap(), expected);
    }

    #[test]
    fn a_rate_without_records_is_null_and_left_out() {
        let found = value(LABELLED, [1, 0, 1, 0], [0; 4]).unwrap();
        assert_eq!(
            found["groups"]["male"],
            json!({ "n": 0, "selection_rate": null, "tpr": null, "fpr": null })
        );
        assert_eq!(found["groups"]["female"]["fpr"], Value::Null);
        for key in [
            "demographic_parity_difference",
            "disparate_impact_ratio",
            "equal_opportunity_difference",
        ] {
            assert_eq!(found[key], Value::Null);
        }
        assert_eq!(value(PLAIN, [0; 4], [0; 4]), Err(Reason::NoRecords));
    }

    #[test]
    fn a_group_withheld_is_null_and_a_label_withheld_hides_the_other() {
        let records = records([2, 0, 0, 1], [1, 0, 0, 0]);
        let records: Vec<_> = records.iter().map(String::as_str).collect();
        let found = example::withheld("fairness", LABELLED, &records, 2).unwrap();
        let female = json!({ "n": 3, "selection_rate": 2.0 / 3.0, "tpr": null, "fpr": null });
        assert_eq!(found["groups"]["female"], female);
        assert_eq!(found["groups"]["male"]["n"], Value::Null);
        assert_eq!(found["groups"]["male"]["selection_rate"], Value::Null);
    }

    #[test]
    fn columns_of_other_types_or_twice_are_refused() {
        for (keys, expected) in [
            ("outcome = \"age\"\ngroup = \"gender\"", "outcome = \"age\" is of type integer"),
            ("outcome = \"hired\"\ngroup = \"hired\"", "\"hired\" is there twice"),
            (
                "outcome = \"hired\"\ngroup = \"gender\"\nlabel = \"hired\"",
                "\"hired\" is there twice",
            ),
            ("outcome = \"hired\"", "`group`"),
        ] {
            let found = example::refusal("fairness", keys);
            assert!(found.contains(expected), "{found}");
        }
    }
}

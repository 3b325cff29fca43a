//! The result of the servers beside the answer in the clear, cell by cell, in exact integers.

use std::collections::BTreeMap;

use serde::Serialize;
use study::{
    StudyResult,
    result::{Cell, StatisticResult},
};

use super::people::{Group, People};

/// One statistic, compared.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// The statistic's name.
    pub name: String,
    /// Its cells.
    pub cells: Vec<ComparedCell>,
}

/// One cell, compared.
#[derive(Debug, Serialize)]
pub struct ComparedCell {
    /// Its labels.
    pub cell: String,
    /// Records that the servers counted.
    pub count: Option<i64>,
    /// The servers' answer.
    pub sotto: Option<f64>,
    /// The answer in the clear; none when there is no such cell.
    pub plaintext: Option<f64>,
    /// Whether counts and sums are equal as integers, and so the answers to the last digit.
    pub equal: bool,
}

/// Compares every statistic of `result`, all of them means, with the plaintext answer.
pub fn compare(result: &StudyResult, people: &People) -> Vec<Comparison> {
    result.statistics.iter().map(|statistic| compare_one(statistic, people)).collect()
}

/// Names the cells that differ: `statistic: cell`.
pub fn differences(comparisons: &[Comparison]) -> Vec<String> {
    let cells = comparisons.iter().flat_map(|statistic| {
        let different = statistic.cells.iter().filter(|cell| !cell.equal);
        different.map(|cell| format!("{}: {}", statistic.name, cell.cell))
    });
    cells.collect()
}

fn compare_one(statistic: &StatisticResult, people: &People) -> Comparison {
    let of = statistic.of.first().map_or("", String::as_str);
    let mut expected = people.sums(of, &statistic.by).unwrap_or_default();
    let mut cells: Vec<ComparedCell> =
        statistic.cells.iter().map(|cell| compare_cell(cell, &mut expected)).collect();
    // Cells that the servers should have had.
    cells.extend(expected.into_iter().map(|(labels, group)| ComparedCell {
        cell: labels.join(", "),
        count: None,
        sotto: None,
        plaintext: Some(group.mean()),
        equal: false,
    }));
    Comparison { name: statistic.name.clone(), cells }
}

fn compare_cell(cell: &Cell, expected: &mut BTreeMap<Vec<String>, Group>) -> ComparedCell {
    let labels: Vec<String> = cell.by.0.iter().map(|(_, label)| label.clone()).collect();
    let name = if labels.is_empty() { "all".into() } else { labels.join(", ") };
    let group = expected.remove(&labels);
    let sotto = cell.number();
    let equal = group.is_some_and(|group| {
        let is_exact = cell.exact == group.average();
        is_exact && cell.count == Some(group.count) && sotto == Some(group.mean())
    });
    let plaintext = group.map(|group| group.mean());
    ComparedCell { cell: name, count: cell.count, sotto, plaintext, equal }
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_rational::BigRational;
    use study::result::Labels;

    fn mean_of(label: &str, group: Group) -> Cell {
        Cell {
            by: Labels(vec![("region".into(), label.into())]),
            count: Some(group.count),
            value: Some(group.mean().into()),
            ci95: None,
            suppressed: false,
            reason: None,
            exact: group.average(),
            shown: None,
        }
    }

    /// What the servers would answer, from the plaintext answer.
    fn right(people: &People) -> StudyResult {
        let sums = people.sums("earnings", &["region".into()]).unwrap();
        let cells = sums.iter().map(|(labels, group)| mean_of(&labels[0], *group)).collect();
        let statistic = StatisticResult {
            name: "earnings by region".into(),
            kind: "mean".into(),
            of: vec!["earnings".into()],
            by: vec!["region".into()],
            unit: None,
            settings: Default::default(),
            cells,
            noise: Vec::new(),
            min_cell: 1,
        };
        StudyResult { differential_privacy: None, statistics: vec![statistic] }
    }

    #[test]
    fn the_right_answer_is_equal() {
        let people = People::shipped().unwrap();
        let compared = compare(&right(&people), &people);
        assert_eq!(compared[0].cells.len(), 4);
        assert!(differences(&compared).is_empty());
    }

    #[test]
    fn the_smallest_difference_is_named() {
        let people = People::shipped().unwrap();
        let mut result = right(&people);
        let exact = result.statistics[0].cells[2].exact.as_mut().unwrap();
        *exact += BigRational::new(1.into(), 1_000_000.into());
        assert_eq!(differences(&compare(&result, &people)), ["earnings by region: South"]);
    }

    #[test]
    fn another_double_missing_cell_or_count_is_named() {
        let people = People::shipped().unwrap();
        let mut result = right(&people);
        let cell = &mut result.statistics[0].cells[0];
        cell.value = Some(cell.number().unwrap().next_up().into());
        assert_eq!(differences(&compare(&result, &people)), ["earnings by region: Midwest"]);

        let mut result = right(&people);
        result.statistics[0].cells.pop();
        assert_eq!(differences(&compare(&result, &people)), ["earnings by region: West"]);

        let mut result = right(&people);
        result.statistics[0].cells[1].count = Some(1);
        assert_eq!(differences(&compare(&result, &people)), ["earnings by region: Northeast"]);
    }
}

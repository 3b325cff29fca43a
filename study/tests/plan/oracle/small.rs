//! Small: whether a study has cells so small that others have to be withheld for their sake.

use std::collections::BTreeMap;

use study::{ColumnType, Record, Study, Value};

use super::{Asked, level, number, values::edges};

/// Whether some cell of some statistic has records, but fewer than are shown. Without one nothing
/// large is withheld.
pub fn has_small_cells(study: &Study, records: &[Record]) -> bool {
    let min_cell = study.privacy().min_cell;
    study.statistics().iter().any(|statistic| {
        let asked = Asked::new(study, statistic);
        let is_complete = |record: &&Record| {
            let mut columns = asked.columns.iter().copied().chain(asked.by());
            columns.all(|column| record.values[column] != Value::Missing)
        };
        let complete: Vec<_> = records.iter().filter(is_complete).collect();
        divisions(&asked).iter().any(|division| {
            let mut sizes: BTreeMap<Vec<usize>, u64> = BTreeMap::new();
            for record in &complete {
                let levels = division.iter().map(|column| place(&asked, record, *column));
                *sizes.entry(levels.collect()).or_default() += 1;
            }
            sizes.values().any(|size| *size < min_cell)
        })
    })
}

/// The columns by which a statistic divides its records: `by` alone, and with columns of its own.
fn divisions(asked: &Asked<'_>) -> Vec<Vec<usize>> {
    let own: Vec<usize> = match asked.statistic.kind.as_str() {
        "histogram" | "crosstab" => asked.columns.clone(),
        "ttest" | "anova" => asked.columns::<1>("between").to_vec(),
        // The outcome is added up.
        "fairness" => asked.columns[1..].to_vec(),
        "regression" => {
            let is_category = |place: &usize| {
                matches!(asked.study.columns()[*place].holds, ColumnType::Category { .. })
            };
            let mut own: Vec<_> = asked.columns.iter().copied().filter(is_category).collect();
            own.sort_unstable();
            own.dedup();
            own
        }
        _ => Vec::new(),
    };
    let by = asked.by();
    let with = |chosen: usize| {
        let own = own.iter().enumerate().filter(move |(place, _)| chosen >> place & 1 == 1);
        by.iter().copied().chain(own.map(|(_, column)| *column)).collect()
    };
    (0..1 << own.len()).map(with).collect()
}

/// The label of a record, or the bin that its number is in.
fn place(asked: &Asked<'_>, record: &Record, column: usize) -> usize {
    level(record, column).unwrap_or_else(|| {
        let (edges, number) = (edges(asked, column), number(asked, record, column));
        let starts = &edges[1..edges.len() - 1];
        starts.iter().filter(|start| **start <= number).count()
    })
}

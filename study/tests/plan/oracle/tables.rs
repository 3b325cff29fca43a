//! Tables: records by the labels of two columns, and rates by group.

use num_traits::Zero as _;
use serde_json::{Map, Value as Json, json};
use study::result::Reason;

use super::{Answer, Cell, Exact, distributions, double, level, whole};

/// Counts per pair of labels, and the χ² test.
pub fn crosstab(cell: &Cell<'_>) -> Result<Answer, Reason> {
    let [rows, columns] = cell.asked.columns("of");
    let labels = [rows, columns].map(|column| cell.asked.labels(column));
    let mut counts = vec![vec![0usize; labels[1].len()]; labels[0].len()];
    for record in &cell.records {
        counts[level(record, rows).unwrap()][level(record, columns).unwrap()] += 1;
    }
    let is_hidden = |row: usize, column: usize| {
        cell.is_hidden(counts[row][column], &format!("/counts/{row}/{column}"))
    };
    let shown: Vec<Vec<Option<usize>>> = (0..counts.len())
        .map(|row| {
            let columns = 0..counts[row].len();
            columns.map(|place| (!is_hidden(row, place)).then(|| counts[row][place])).collect()
        })
        .collect();
    let is_whole = shown.iter().flatten().all(Option::is_some);
    let test = if is_whole { chi_squared(&counts) } else { None };
    Ok(Answer::of(json!({
        "rows": labels[0],
        "columns": labels[1],
        "counts": shown,
        "chi2": test.map(|(chi2, _)| chi2),
        "dof": test.map(|(_, dof)| dof),
        "p": test.map(|(chi2, dof)| distributions::chi_squared(chi2, dof)),
    })))
}

/// Σ (n_ij − e_ij)² / e_ij over the rows and columns that have records, and its degrees of freedom.
fn chi_squared(counts: &[Vec<usize>]) -> Option<(f64, usize)> {
    let rows: Vec<usize> = counts.iter().map(|row| row.iter().sum()).collect();
    let columns: Vec<usize> =
        (0..counts[0].len()).map(|place| counts.iter().map(|row| row[place]).sum()).collect();
    let filled = |sums: &[usize]| sums.iter().filter(|sum| **sum > 0).count();
    if filled(&rows) < 2 || filled(&columns) < 2 {
        return None;
    }
    let all: usize = rows.iter().sum();
    let mut chi2 = Exact::zero();
    for (row, counts) in counts.iter().enumerate().filter(|(row, _)| rows[*row] > 0) {
        for (column, count) in counts.iter().enumerate().filter(|(place, _)| columns[*place] > 0) {
            let expected = whole(rows[row] * columns[column]) / whole(all);
            let distance = whole(*count) - &expected;
            chi2 += &distance * &distance / expected;
        }
    }
    Some((double(&chi2), (filled(&rows) - 1) * (filled(&columns) - 1)))
}

/// One group's rates, none without records or where they are not shown.
struct Group {
    value: Map<String, Json>,
    selection: Option<Exact>,
    true_positive: Option<Exact>,
}

/// How often each group is selected, and how far groups are apart.
pub fn fairness(cell: &Cell<'_>) -> Result<Answer, Reason> {
    if cell.records.is_empty() {
        return Err(Reason::NoRecords);
    }
    let [column] = cell.asked.columns("group");
    let names = cell.asked.labels(column);
    let groups: Vec<_> =
        names.iter().enumerate().map(|(place, name)| group(cell, place, name)).collect();
    let selection: Vec<_> = groups.iter().filter_map(|group| group.selection.clone()).collect();
    let opportunity: Vec<_> =
        groups.iter().filter_map(|group| group.true_positive.clone()).collect();
    let by_name: Map<String, Json> =
        names.into_iter().zip(groups).map(|(name, group)| (name, group.value.into())).collect();
    let mut value = json!({
        "groups": by_name,
        "demographic_parity_difference": json(&difference(&selection)),
        "disparate_impact_ratio": json(&ratio(&selection)),
    });
    if has_label(cell) {
        value["equal_opportunity_difference"] = json(&difference(&opportunity));
    }
    Ok(Answer::of(value))
}

fn has_label(cell: &Cell<'_>) -> bool {
    !cell.asked.texts("label").is_empty()
}

fn group(cell: &Cell<'_>, place: usize, name: &str) -> Group {
    let ([outcome], [column]) = (cell.asked.columns("outcome"), cell.asked.columns("group"));
    let records: Vec<_> =
        cell.records.iter().copied().filter(|r| level(r, column) == Some(place)).collect();
    let is_hidden = cell.is_hidden(records.len(), &format!("/groups/{name}/n"));
    let selection = rate(&records, outcome).filter(|_| !is_hidden);
    let mut value = Map::new();
    value.insert("n".into(), (!is_hidden).then_some(records.len()).into());
    value.insert("selection_rate".into(), json(&selection));
    if !has_label(cell) {
        return Group { value, selection, true_positive: None };
    }
    let [label] = cell.asked.columns("label");
    let labelled = |wanted| {
        let own = records.iter().copied().filter(|record| level(record, label) == Some(wanted));
        own.collect::<Vec<_>>()
    };
    let (no, yes) = (labelled(0), labelled(1));
    let is_null =
        |rate: &str| cell.is_hidden(no.len().min(yes.len()), &format!("/groups/{name}/{rate}"));
    // Both or none: the one that is withheld would follow from the other.
    let is_withheld = is_null("tpr") && is_null("fpr");
    let [fpr, tpr] = [no, yes].map(|records| rate(&records, outcome).filter(|_| !is_withheld));
    value.insert("tpr".into(), json(&tpr));
    value.insert("fpr".into(), json(&fpr));
    Group { value, selection, true_positive: tpr }
}

/// The part of the records that is true.
fn rate(records: &[&study::Record], outcome: usize) -> Option<Exact> {
    let selected = records.iter().filter(|record| level(record, outcome) == Some(1)).count();
    (!records.is_empty()).then(|| whole(selected) / whole(records.len()))
}

fn difference(rates: &[Exact]) -> Option<Exact> {
    let (min, max) = (rates.iter().min()?, rates.iter().max()?);
    (rates.len() > 1).then(|| max - min)
}

fn ratio(rates: &[Exact]) -> Option<Exact> {
    let (min, max) = (rates.iter().min()?, rates.iter().max()?);
    (rates.len() > 1 && !max.is_zero()).then(|| min / max)
}

fn json(number: &Option<Exact>) -> Json {
    number.as_ref().map(double).into()
}

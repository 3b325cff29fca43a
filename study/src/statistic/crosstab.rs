//! Crosstab: how often the labels of two columns come together, and whether they depend on each
//! other.

use num_bigint::BigInt;
use num_traits::ToPrimitive as _;
use serde_json::{Value, json};

use super::{
    Answer, Chosen, Formula, Key, Kind, Page, Question, Refusal, Sums, number, significance,
};
use crate::{
    plan::{Axis, Request, Term},
    result::{Presentation, Reason, Sheet},
};

/// Σ1 per pair of labels, and the χ² test of independence.
pub(super) struct Crosstab;

impl Kind for Crosstab {
    fn name(&self) -> &'static str {
        "crosstab"
    }

    fn summary(&self) -> &'static str {
        "number of records per pair of labels of two columns, with the χ² test of independence"
    }

    fn keys(&self) -> &'static [Key] {
        const { &[Key::columns("of", "two category or boolean columns: rows, then columns")] }
    }

    fn page(&self) -> Page {
        Page {
            formula: "χ² = Σ (n_ij − e_ij)² / e_ij with e_ij = n_i·n_j / n, without correction for \
                      continuity; rows and columns without records are left out; dof = (rows − 1)·(columns − 1)",
            cost: "one sum per cell and pair of labels",
            value: "`rows` and `columns`, labels; `counts`, a list per row, null where one is withheld; \
                    `chi2`, `dof` and `p`, null where a count is withheld or with fewer than two rows or \
                    columns",
            example: "name = \"region and gender\"\nkind = \"crosstab\"\nof = [\"region\", \"gender\"]",
        }
    }

    fn formula(&self, question: &Question<'_>) -> Result<Box<dyn Formula>, Refusal> {
        let of = question.two_columns("of", "category or boolean", Chosen::has_levels)?;
        Ok(Box::new(Pairs {
            columns: of.map(|chosen| chosen.place),
            names: of.map(|chosen| chosen.column.name.clone()),
            labels: of.map(|chosen| chosen.levels()),
            // Columns with levels have steps.
            axes: of.iter().filter_map(Chosen::steps).collect(),
        }))
    }
}

struct Pairs {
    columns: [usize; 2],
    names: [String; 2],
    labels: [Vec<String>; 2],
    axes: Vec<Axis>,
}

impl Formula for Pairs {
    fn of(&self) -> Vec<usize> {
        self.columns.to_vec()
    }

    fn counted(&self) -> Term {
        Term::present(self.columns)
    }

    fn requests(&self) -> Vec<Request> {
        vec![Request::split(self.counted(), self.axes.clone()).shown()]
    }

    fn answer(&self, cell: &Sums<'_>) -> Result<Answer, Reason> {
        let [rows, columns] = &self.labels;
        let counts: Vec<_> = cell.each(0).chunks(columns.len().max(1)).collect();
        let test = test(&counts);
        let (chi2, p) = test.as_ref().map_or((None, None), |test| (Some(test.chi2), Some(test.p)));
        let count = |count: &Option<BigInt>| count.as_ref().map_or(Value::Null, number::whole);
        let row = |row: &&[Option<BigInt>]| row.iter().map(count).collect::<Vec<_>>();
        let value = json!({
            "rows": rows,
            "columns": columns,
            "counts": counts.iter().map(row).collect::<Vec<_>>(),
            "chi2": number::optional(chi2)?,
            "dof": test.as_ref().ok().map(|test| test.dof),
            "p": number::optional(p)?,
        });
        let note = test.map_or_else(|why| format!("no χ²: {why}"), |test| test.to_string());
        let shown = Presentation::Table(self.sheet(&counts, note));
        Ok(Answer { value, exact: None, shown })
    }
}

impl Pairs {
    fn sheet(&self, counts: &[&[Option<BigInt>]], note: String) -> Sheet {
        let [rows, columns] = &self.labels;
        let corner = self.names.join(" × ");
        let header = [corner].into_iter().chain(columns.iter().cloned()).collect();
        let text = |count: &Option<BigInt>| {
            count.as_ref().map_or_else(|| "withheld".into(), BigInt::to_string)
        };
        let row = |(label, counts): (&String, &&[Option<BigInt>])| {
            [label.clone()].into_iter().chain(counts.iter().map(text)).collect()
        };
        Sheet { header, rows: rows.iter().zip(counts).map(row).collect(), notes: vec![note] }
    }
}

/// The outcome of a χ² test.
struct Outcome {
    chi2: f64,
    dof: u64,
    p: f64,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [chi2, p] = [self.chi2, self.p].map(|number| number::significant(number, 4));
        write!(f, "χ² = {chi2}, dof = {}, p = {p}", self.dof)
    }
}

/// The χ² test of independence of rows and columns, or why there is none.
fn test(counts: &[&[Option<BigInt>]]) -> Result<Outcome, &'static str> {
    let row = |row: &&[Option<BigInt>]| row.iter().cloned().collect::<Option<Vec<_>>>();
    let counts: Option<Vec<_>> = counts.iter().map(row).collect();
    let counts = without_empty(counts.ok_or("a count is withheld")?);
    let counts = transposed(&without_empty(transposed(&counts)));
    let columns: Vec<BigInt> =
        transposed(&counts).iter().map(|column| column.iter().sum()).collect();
    let rows: Vec<BigInt> = counts.iter().map(|row| row.iter().sum()).collect();
    if rows.len() < 2 || columns.len() < 2 {
        return Err("fewer than two rows or columns have records");
    }
    if rows.iter().chain(&columns).any(|sum| *sum <= BigInt::ZERO) {
        return Err("the noise is larger than what the records give");
    }
    let n: BigInt = rows.iter().sum();
    // χ² = n·(Σ_i (Σ_j n_ij² / n_j) / n_i − 1): one fraction, rounded once.
    let all: BigInt = columns.iter().product();
    let weights: Vec<BigInt> = columns.iter().map(|column| &all / column).collect();
    let by_row = counts.iter().zip(&rows).map(|(counts, row)| {
        let squares = counts.iter().zip(&weights).map(|(count, weight)| count * count * weight);
        (squares.sum::<BigInt>(), row.clone())
    });
    let (numerator, denominator) = number::sum(by_row.collect());
    let denominator = denominator * all;
    let chi2 = number::quotient((numerator - &denominator) * n, denominator);
    // At most 16,384 sums.
    let dof = ((rows.len() - 1) * (columns.len() - 1)).to_u64().unwrap_or(u64::MAX);
    let p = significance::chi_squared(chi2, dof);
    p.map(|p| Outcome { chi2, dof, p }).ok_or("the numbers are too large")
}

fn without_empty(mut rows: Vec<Vec<BigInt>>) -> Vec<Vec<BigInt>> {
    rows.retain(|row| row.iter().any(|count| *count != BigInt::ZERO));
    rows
}

fn transposed(rows: &[Vec<BigInt>]) -> Vec<Vec<BigInt>> {
    let width = rows.first().map_or(0, Vec::len);
    let column = |place: usize| rows.iter().filter_map(|row| row.get(place).cloned()).collect();
    (0..width).map(column).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::{result::Presentation, statistic::example};

    const OF: &str = "of = [\"region\", \"gender\"]";

    /// So many records of each pair of North and South with female and male.
    fn records(counts: [usize; 4]) -> Vec<&'static str> {
        let pairs = [
            "region=North,gender=female",
            "region=North,gender=male",
            "region=South,gender=female",
            "region=South,gender=male",
        ];
        pairs.iter().zip(counts).flat_map(|(pair, count)| vec![*pair; count]).collect()
    }

    #[test]
    fn the_test_is_that_of_the_rows_and_columns_with_records() {
        // 60·(10·5 − 20·25)² / (30·30·35·25).
        let value = example::value("crosstab", OF, &records([10, 20, 25, 5])).unwrap();
        assert_eq!(value["rows"], json!(["North", "South", "West"]));
        assert_eq!(value["columns"], json!(["female", "male"]));
        assert_eq!(value["counts"], json!([[10, 20], [25, 5], [0, 0]]));
        assert_eq!(value["dof"], json!(1));
        assert_eq!(value["chi2"], json!(15.428_571_428_571_429));
        // SciPy: chi2.sf(15.428571428571429, 1).
        let p = value["p"].as_f64().unwrap();
        assert!((p / 8.568_298_010_910_46e-5 - 1.0).abs() < 1e-9, "{p:e}");
    }

    #[test]
    fn independent_labels_have_a_chi_squared_of_zero() {
        let value = example::value("crosstab", OF, &records([2, 4, 3, 6])).unwrap();
        assert_eq!((&value["chi2"], &value["p"]), (&json!(0.0), &json!(1.0)));
    }

    #[test]
    fn without_two_rows_and_columns_there_is_no_test() {
        for records in
            [records([0; 4]), records([1, 0, 0, 0]), records([3, 4, 0, 0]), records([3, 0, 4, 0])]
        {
            let answer = example::answer("crosstab", OF, &records).unwrap();
            for key in ["chi2", "dof", "p"] {
                assert_eq!(answer.value[key], Value::Null);
            }
            let Presentation::Table(sheet) = answer.shown else { panic!("no table") };
            assert_eq!(sheet.notes, ["no χ²: fewer than two rows or columns have records"]);
        }
    }

    #[test]
    fn a_withheld_count_is_null_and_leaves_no_test() {
        let value = example::withheld("crosstab", OF, &records([10, 2, 25, 5]), 3).unwrap();
        assert_eq!(value["counts"], json!([[10, null], [25, 5], [null, null]]));
        assert_eq!(
            (&value["chi2"], &value["dof"], &value["p"]),
            (&Value::Null, &Value::Null, &Value::Null)
        );
    }
}

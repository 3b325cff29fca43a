//! Regression: least squares from the table of predictors, record by record, in fractions.

use num_traits::{One as _, Signed as _, Zero as _};
use serde_json::{Map, Value as Json, json};
use study::{ColumnType, Record, result::Reason};

use super::{Answer, Asked, Cell, Exact, distributions, double, level, moments, number, whole};

/// A product of columns' values and of indicators of labels.
#[derive(Clone)]
struct Predictor {
    name: String,
    numbers: Vec<usize>,
    levels: Vec<(usize, usize)>,
}

type Matrix = Vec<Vec<Exact>>;

/// The coefficients with an intercept, and what is known of each.
pub fn answer(cell: &Cell<'_>) -> Result<Answer, Reason> {
    let predictors = predictors(cell.asked);
    let [y] = cell.asked.columns("y");
    let (n, k) = (cell.records.len(), predictors.len());
    if n == 0 {
        return Err(Reason::NoRecords);
    }
    if n <= k {
        return Err(Reason::TooFew { needed: k + 1 });
    }
    let value = Predictor { name: String::new(), numbers: vec![y], levels: vec![] };
    if needs_small_group(cell, &[&predictors[..], &[value]].concat()) {
        return Err(Reason::SmallGroup);
    }
    let row = |record: &&Record| predictors.iter().map(|p| p.of(cell.asked, record)).collect();
    let x: Matrix = cell.records.iter().map(row).collect();
    if let Some(place) = first_that_follows(&x) {
        return Err(Reason::Collinear(predictors[place].name.clone()));
    }
    Ok(fit(&predictors, &x, &cell.numbers(y)))
}

/// β = (XᵀX)⁻¹Xᵀy, ε = y − Xβ, and the rest from them.
fn fit(predictors: &[Predictor], x: &Matrix, y: &[Exact]) -> Answer {
    let (n, k) = (x.len(), predictors.len());
    let product = |i: usize, j: usize| x.iter().map(|row| &row[i] * &row[j]).sum::<Exact>();
    let squares = (0..k).map(|i| (0..k).map(|j| product(i, j)).collect()).collect();
    let inverse = inverse(squares);
    let target: Vec<Exact> =
        (0..k).map(|i| x.iter().zip(y).map(|(row, y)| &row[i] * y).sum()).collect();
    let beta: Vec<_> = inverse.iter().map(|row| dot(row, &target)).collect();
    let errors: Vec<_> = x.iter().zip(y).map(|(row, y)| y - dot(row, &beta)).collect();
    let residual = dot(&errors, &errors);
    let total = moments::joint_deviation(y, y);
    let variance = &residual / whole(n - k);
    let by_name = |number: &dyn Fn(usize) -> f64| -> Json {
        let entry = |(place, predictor): (usize, &Predictor)| {
            (predictor.name.clone(), Json::from(number(place)))
        };
        Json::Object(predictors.iter().enumerate().map(entry).collect::<Map<_, _>>())
    };
    let error = |place: usize| double(&(&variance * &inverse[place][place])).sqrt();
    let t = |place: usize| double(&beta[place]) / error(place);
    let unless_exact =
        |numbers: &dyn Fn() -> Json| if residual.is_zero() { Json::Null } else { numbers() };
    Answer::of(json!({
        "coefficients": by_name(&|place| double(&beta[place])),
        "std_errors": by_name(&error),
        "t": unless_exact(&|| by_name(&t)),
        "p": unless_exact(&|| by_name(&|place| distributions::student(t(place), (n - k) as f64))),
        "r2": (!total.is_zero()).then(|| double(&(Exact::one() - &residual / &total))),
        "n": n,
    }))
}

fn dot(a: &[Exact], b: &[Exact]) -> Exact {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The intercept, and the predictors in the order of `x`.
fn predictors(asked: &Asked<'_>) -> Vec<Predictor> {
    let intercept = Predictor { name: "intercept".into(), numbers: vec![], levels: vec![] };
    let mut all = vec![intercept];
    for term in asked.texts("x") {
        let columns: Vec<_> =
            term.split(':').map(|name| of_column(asked, asked.place(name))).collect();
        match &columns[..] {
            [own] => all.extend(own.iter().cloned()),
            [a, b] => all.extend(a.iter().flat_map(|a| b.iter().map(|b| a.times(b)))),
            _ => panic!("{term} is of more than two columns"),
        }
    }
    all
}

/// A number, or an indicator per label but the first.
fn of_column(asked: &Asked<'_>, column: usize) -> Vec<Predictor> {
    let name = asked.name(column);
    let ColumnType::Category { values } = &asked.study.columns()[column].holds else {
        return vec![Predictor { name, numbers: vec![column], levels: vec![] }];
    };
    let indicator = |place: usize| Predictor {
        name: format!("{name}[{}]", values[place]),
        numbers: vec![],
        levels: vec![(column, place)],
    };
    (1..values.len()).map(indicator).collect()
}

impl Predictor {
    fn times(&self, other: &Self) -> Self {
        Self {
            name: format!("{}:{}", self.name, other.name),
            numbers: [&self.numbers[..], &other.numbers].concat(),
            levels: [&self.levels[..], &other.levels].concat(),
        }
    }

    fn is_at(&self, record: &Record) -> bool {
        self.levels.iter().all(|(column, own)| level(record, *column) == Some(*own))
    }

    fn of(&self, asked: &Asked<'_>, record: &Record) -> Exact {
        match self.is_at(record) {
            true => self.numbers.iter().map(|column| number(asked, record, *column)).product(),
            false => Exact::zero(),
        }
    }

    /// Whether the sums of the product say more than how many records there are: it has a number
    /// that may differ, and none that is always 0.
    fn is_variable(&self, asked: &Asked<'_>) -> bool {
        let ranges = || self.numbers.iter().map(|column| asked.range(*column));
        let is_zero = |[min, max]: [Exact; 2]| min.is_zero() && max.is_zero();
        ranges().any(|[min, max]| (max - min).is_positive()) && !ranges().any(is_zero)
    }
}

/// Whether a sum of two predictors' product is over records that are too few to be shown.
fn needs_small_group(cell: &Cell<'_>, predictors: &[Predictor]) -> bool {
    predictors.iter().enumerate().any(|(place, a)| {
        predictors[place..].iter().any(|b| {
            let both = a.times(b);
            // Two labels of one column never come together: their product is 0 without any sum.
            let is_possible = a.levels.iter().all(|(column, level)| {
                both.levels.iter().all(|(other, own)| other != column || own == level)
            });
            let records = cell.records.iter().filter(|record| both.is_at(record)).count();
            is_possible && both.is_variable(cell.asked) && cell.is_small(records)
        })
    })
}

/// The first column of a matrix that is a combination of those before it: elimination finds no row
/// to stand for it.
fn first_that_follows(x: &Matrix) -> Option<usize> {
    let mut rows = x.clone();
    rows.sort();
    rows.dedup();
    for column in 0..rows[0].len() {
        let Some(at) = (column..rows.len()).find(|row| !rows[*row][column].is_zero()) else {
            return Some(column);
        };
        rows.swap(column, at);
        eliminate(&mut rows, column);
    }
    None
}

/// The inverse of a regular matrix, by Gauss and Jordan.
fn inverse(mut rows: Matrix) -> Matrix {
    let k = rows.len();
    for (place, row) in rows.iter_mut().enumerate() {
        row.extend((0..k).map(|other| if place == other { Exact::one() } else { Exact::zero() }));
    }
    for column in 0..k {
        let at = (column..k).find(|row| !rows[*row][column].is_zero()).unwrap();
        rows.swap(column, at);
        eliminate(&mut rows, column);
    }
    rows.into_iter().map(|row| row[k..].to_vec()).collect()
}

/// Makes a column 1 in the row of its own place, and 0 in all others.
fn eliminate(rows: &mut Matrix, column: usize) {
    let leading = rows[column][column].clone();
    rows[column].iter_mut().for_each(|entry| *entry /= &leading);
    let pivot = rows[column].clone();
    for (_, row) in rows.iter_mut().enumerate().filter(|(place, _)| *place != column) {
        let factor = row[column].clone();
        if !factor.is_zero() {
            row.iter_mut().zip(&pivot).for_each(|(entry, pivot)| *entry -= &factor * pivot);
        }
    }
}

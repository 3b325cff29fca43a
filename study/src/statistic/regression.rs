//! Regression: how a number depends on several others, by ordinary least squares.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use num_traits::{Signed as _, ToPrimitive as _, Zero as _};
use serde_json::{Map, Value, json};

use super::{
    Answer, Chosen, Formula, Key, Kind, Page, Question, Refusal, Sums, number, significance,
};
use crate::{
    plan::{Axis, Request, Term},
    result::{Presentation, Reason, Sheet},
};
use equations::{Fit, Singular};
use predictor::Predictor;

mod equations;
mod predictor;

/// The coefficients that minimise Σ (y − β·x)², with an intercept.
pub(super) struct Regression;

impl Kind for Regression {
    fn name(&self) -> &'static str {
        "regression"
    }

    fn summary(&self) -> &'static str {
        "ordinary least squares: how a number depends on several columns"
    }

    fn keys(&self) -> &'static [Key] {
        const {
            &[
                Key::columns("y", "the integer, decimal or boolean column that is explained"),
                Key::columns("x", "columns that explain it, and products of two: \"age:gender\""),
            ]
        }
    }

    fn page(&self) -> Page {
        Page {
            formula: "y = β_0 + Σ β_j·x_j + ε over the n records that have all values, with the β that \
                      minimise Σ ε²; true counts as 1; a category is an indicator per label but the first, \
                      `gender[male]`; `a:b` is the product of a and b; standard errors from \
                      s²·(XᵀX)⁻¹ with s² = Σ ε² / (n − k), t = β_j / error, p two-sided with n − k degrees \
                      of freedom, k coefficients",
            cost: "per cell a sum per pair of predictors and y, and about as many products per record; at \
                   most 32 predictors",
            value: "`coefficients`, `std_errors`, `t` and `p`, each by predictor with `intercept` first; \
                    `r2`; `n`. `t` and `p` are null where every record is met exactly, `r2` where y is \
                    constant. None with too few records, or where a predictor follows from others",
            example: "name = \"what earnings depend on\"\nkind = \"regression\"\ny = \"earnings\"\nx = [\"age\", \"gender\"]",
        }
    }

    fn formula(&self, question: &Question<'_>) -> Result<Box<dyn Formula>, Refusal> {
        let y = question.column("y", "integer, decimal or boolean", Chosen::is_numeric)?;
        let (x, predictors) = predictor::read(question, y)?;
        Ok(Box::new(LeastSquares::new(y, &x, predictors)))
    }
}

/// One regression, with the sums that it needs.
struct LeastSquares {
    /// Places of y and of the columns of x.
    columns: Vec<usize>,
    /// The intercept and the predictors.
    predictors: Vec<Predictor>,
    /// The decimals of y.
    decimals: u32,
    requests: Vec<Request>,
    /// Σ z·zᵀ with z the predictors and y, as its rows from the diagonal on: where each entry
    /// stands, and none where it is 0.
    entries: Vec<Vec<Option<Entry>>>,
}

/// A sum among the opened ones.
#[derive(Debug, Clone, Copy)]
enum Entry {
    /// The number of records.
    Count,
    /// A sum of a request.
    Sum { request: usize, level: usize },
}

impl LeastSquares {
    fn new(y: Chosen<'_>, x: &[Chosen<'_>], predictors: Vec<Predictor>) -> Self {
        let chosen: Vec<_> = [y].iter().chain(x).copied().collect();
        let columns: Vec<_> = chosen.iter().map(|chosen| chosen.place).collect();
        let steps = |chosen: &Chosen<'_>| Some((chosen.place, chosen.steps()?));
        // Those of categories are needed; a column with labels has steps.
        let is_category = |chosen: &&Chosen<'_>| chosen.column.labels().is_some();
        let axes = chosen.iter().filter(is_category).filter_map(steps).collect();
        let mut sums = Requests { columns: &columns, axes, requests: Vec::new() };
        let predictors: Vec<_> = [Predictor::intercept()].into_iter().chain(predictors).collect();
        let z: Vec<_> = predictors.iter().cloned().chain([Predictor::value(y)]).collect();
        let row = |(i, a): (usize, &Predictor)| {
            let products = z.iter().skip(i).map(|b| a.times(b));
            products.map(|product| Some(sums.entry(&product?))).collect()
        };
        let entries = z.iter().enumerate().map(row).collect();
        let requests = sums.requests;
        Self { columns, predictors, decimals: y.decimals(), requests, entries }
    }
}

/// Requests as they are found to be needed, each once.
struct Requests<'a> {
    columns: &'a [usize],
    axes: BTreeMap<usize, Axis>,
    requests: Vec<Request>,
}

impl Requests<'_> {
    /// The sum of a product over the records that have all values.
    fn entry(&mut self, product: &Predictor) -> Entry {
        if product.numbers.is_empty() && product.levels.is_empty() {
            return Entry::Count;
        }
        let term =
            Term::product(product.numbers.iter().copied()).among(self.columns.iter().copied());
        // Ascending by column, as products are alike that have the same columns.
        let at = |(column, level): &(usize, usize)| Some((self.axes.get(column)?.clone(), *level));
        let (axes, levels): (Vec<_>, Vec<_>) = product.levels.iter().filter_map(at).unzip();
        let level = axes
            .iter()
            .zip(levels)
            .fold(0, |place, (axis, level): (&Axis, usize)| place * axis.starts().len() + level);
        let wanted = Request::split(term, axes);
        let known = self.requests.iter().position(|request| *request == wanted);
        let request = known.unwrap_or(self.requests.len());
        if known.is_none() {
            self.requests.push(wanted);
        }
        Entry::Sum { request, level }
    }
}

impl Formula for LeastSquares {
    fn of(&self) -> Vec<usize> {
        self.columns.clone()
    }

    fn counted(&self) -> Term {
        Term::present(self.columns.iter().copied())
    }

    fn requests(&self) -> Vec<Request> {
        self.requests.clone()
    }

    fn answer(&self, cell: &Sums<'_>) -> Result<Answer, Reason> {
        let k = self.predictors.len();
        // k is at most 65.
        let free = cell.count - k.to_i64().unwrap_or(i64::MAX);
        match cell.count {
            ..=0 => return Err(Reason::NoRecords),
            _ if free <= 0 => return Err(Reason::TooFew { needed: k + 1 }),
            _ => {}
        }
        let fit = equations::solve(self.matrix(cell)?).map_err(|singular| match singular {
            Singular::Impossible => Reason::Noise,
            Singular::Collinear(place) => {
                let name = self.predictors.get(place).map(|predictor| predictor.name.clone());
                Reason::Collinear(name.unwrap_or_default())
            }
        })?;
        let estimates = self.estimates(&fit, free)?;
        let r2 = r_squared(&fit, cell.count);
        let by_name = |number: &dyn Fn(&Estimate) -> Option<f64>| -> Result<Value, Reason> {
            let entry = |estimate: &Estimate| {
                Ok((estimate.name.clone(), number::optional(number(estimate))?))
            };
            Ok(Value::Object(estimates.iter().map(entry).collect::<Result<Map<_, _>, _>>()?))
        };
        let is_exact = fit.residual.is_zero();
        let unless_exact = |value| if is_exact { Value::Null } else { value };
        let value = json!({
            "coefficients": by_name(&|estimate| Some(estimate.coefficient))?,
            "std_errors": by_name(&|estimate| Some(estimate.error))?,
            "t": unless_exact(by_name(&|estimate| estimate.t)?),
            "p": unless_exact(by_name(&|estimate| estimate.p)?),
            "r2": number::optional(r2)?,
            "n": cell.count,
        });
        let shown = Presentation::Table(sheet(&estimates, r2, cell.count));
        Ok(Answer { value, exact: None, shown })
    }
}

/// One coefficient; without t and p where its error is 0.
struct Estimate {
    name: String,
    coefficient: f64,
    error: f64,
    t: Option<f64>,
    p: Option<f64>,
}

impl LeastSquares {
    /// Σ z·zᵀ as its rows from the diagonal on.
    fn matrix(&self, cell: &Sums<'_>) -> Result<Vec<Vec<BigInt>>, Reason> {
        let sum = |entry: &Option<Entry>| match *entry {
            None => Ok(BigInt::ZERO),
            Some(Entry::Count) => Ok(cell.count.into()),
            Some(Entry::Sum { request, level }) => {
                let sum = cell.each(request).get(level).ok_or(Reason::NotOpened)?;
                sum.clone().ok_or(Reason::SmallGroup)
            }
        };
        self.entries.iter().map(|row| row.iter().map(sum).collect()).collect()
    }

    /// The coefficients in the columns' own units: the fit is of scaled values.
    fn estimates(&self, fit: &Fit, free: i64) -> Result<Vec<Estimate>, Reason> {
        let power = |decimals: u32| BigInt::from(10).pow(decimals);
        let numbers = fit.coefficients.iter().zip(&fit.inverse);
        let estimate = |(predictor, (beta, inverse)): (&Predictor, (&BigInt, &BigInt))| {
            let (up, down) = (power(predictor.decimals), power(self.decimals));
            let coefficient = number::quotient(beta * &up, &fit.minor * &down);
            // s²·(XᵀX)⁻¹, where s² = residual / (minor · free).
            let variance = &fit.residual * inverse;
            let square = &fit.minor * &fit.minor * free;
            let error = number::quotient(&variance * &up * &up, square * &down * &down).sqrt();
            let mut t = None;
            if !variance.is_zero() {
                let size = number::quotient(beta * beta * free, variance).sqrt();
                t = Some(if beta.is_negative() { -size } else { size });
            }
            // A double of at most 2^40.
            let p = t.and_then(|t| significance::student(t, free.to_f64().unwrap_or(f64::MAX)));
            if p.is_none() && t.is_some() {
                return Err(Reason::NotFinite);
            }
            Ok(Estimate { name: predictor.name.clone(), coefficient, error, t, p })
        };
        self.predictors.iter().zip(numbers).map(estimate).collect()
    }
}

/// 1 − residual sum of squares / sum of squares about the mean; none if y is constant.
fn r_squared(fit: &Fit, n: i64) -> Option<f64> {
    let total = &fit.total * &fit.minor;
    let explained = &total - &fit.residual * n;
    (!total.is_zero()).then(|| number::quotient(explained, total))
}

fn sheet(estimates: &[Estimate], r2: Option<f64>, n: i64) -> Sheet {
    let text = |number| number::significant_or_dash(number, 5);
    let row = |estimate: &Estimate| {
        let Estimate { name, coefficient, error, t, p } = estimate;
        vec![name.clone(), text(Some(*coefficient)), text(Some(*error)), text(*t), text(*p)]
    };
    Sheet {
        header: ["", "coefficient", "std. error", "t", "p"].map(String::from).to_vec(),
        rows: estimates.iter().map(row).collect(),
        notes: vec![format!("r² = {}, n = {n}", text(r2))],
    }
}

#[cfg(test)]
mod tests;

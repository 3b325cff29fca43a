//! Predictor: what stands in `x` of a regression as products of numbers and of labels.

use crate::{
    error::Rule,
    limits,
    statistic::{Chosen, Question, Refusal},
    study::ColumnType,
};

/// The key of the predictors.
const KEY: &str = "x";
/// The name of the constant term.
pub(super) const INTERCEPT: &str = "intercept";

/// A product of columns' values and of indicators of labels; 1 without any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Predictor {
    /// The name, as the result has it: `age`, `gender[male]`, `age:gender[male]`.
    pub(super) name: String,
    /// The columns whose values are multiplied; a column may be there twice.
    pub(super) numbers: Vec<usize>,
    /// Category columns, each with the place of the label at which the product is not 0.
    pub(super) levels: Vec<(usize, usize)>,
    /// How many decimals the product of the scaled values has.
    pub(super) decimals: u32,
}

impl Predictor {
    /// The constant 1.
    pub(super) fn intercept() -> Self {
        let name = INTERCEPT.into();
        Self { name, numbers: Vec::new(), levels: Vec::new(), decimals: 0 }
    }

    /// The value of a column of numbers or truth values.
    pub(super) fn value(of: Chosen<'_>) -> Self {
        let (name, numbers) = (of.column.name.clone(), vec![of.place]);
        Self { name, numbers, levels: Vec::new(), decimals: of.decimals() }
    }

    /// The product of both; none if it is always 0, because both are of one column and of
    /// different labels.
    pub(super) fn times(&self, other: &Self) -> Option<Self> {
        let name = format!("{}:{}", self.name, other.name);
        let numbers = self.numbers.iter().chain(&other.numbers).copied().collect();
        let mut levels: Vec<_> = self.levels.iter().chain(&other.levels).copied().collect();
        levels.sort_unstable();
        // A label's indicator is its own square.
        levels.dedup();
        let is_impossible = levels.windows(2).any(|pair| matches!(pair, [a, b] if a.0 == b.0));
        let decimals = self.decimals + other.decimals;
        (!is_impossible).then_some(Self { name, numbers, levels, decimals })
    }
}

/// The columns that the terms of `x` are of, and the predictors that they make; `y` is the column
/// that they predict.
pub(super) fn read<'a>(
    question: &Question<'a>,
    y: Chosen<'a>,
) -> Result<(Vec<Chosen<'a>>, Vec<Predictor>), Refusal> {
    let (mut columns, mut terms, mut predictors) = (Vec::new(), Vec::new(), Vec::new());
    for text in question.texts(KEY) {
        let term = term(question, text)?;
        if term.iter().any(|chosen| chosen.place == y.place) {
            let problem = "what `y` is, so that it would explain itself; remove it from x".into();
            return Err((KEY, Rule::Setting { key: KEY, found: text.clone(), problem }));
        }
        let mut places: Vec<_> = term.iter().map(|chosen| chosen.place).collect();
        places.sort_unstable();
        if terms.contains(&places) {
            return Err((KEY, Rule::Duplicate { what: "term", name: text.clone() }));
        }
        terms.push(places);
        predictors.extend(expand(&term, text)?);
        for chosen in term {
            if columns.iter().all(|column: &Chosen<'_>| column.place != chosen.place) {
                columns.push(chosen);
            }
        }
    }
    check(&predictors)?;
    Ok((columns, predictors))
}

/// The number of predictors, and their names, which the result goes by.
fn check(predictors: &[Predictor]) -> Result<(), Refusal> {
    let (found, limit) = (predictors.len(), limits::PREDICTORS);
    if predictors.is_empty() {
        let example = "x = [\"age\", \"gender\"]";
        return Err((KEY, Rule::MissingKey { key: KEY, example }));
    }
    if found > limit {
        let what = "predictors in `x`, counting every label but the first of a category";
        return Err((KEY, Rule::TooMany { what, found, limit }));
    }
    for (place, Predictor { name, .. }) in predictors.iter().enumerate() {
        if name == INTERCEPT {
            let problem = "the name of the constant term; rename the column".into();
            return Err((KEY, Rule::Setting { key: KEY, found: name.clone(), problem }));
        }
        if predictors.iter().take(place).any(|other| other.name == *name) {
            return Err((KEY, Rule::Duplicate { what: "predictor", name: name.clone() }));
        }
    }
    Ok(())
}

/// The one or two columns of a term. A text that is the whole name of a column is that column.
fn term<'a>(question: &Question<'a>, text: &str) -> Result<Vec<Chosen<'a>>, Refusal> {
    if let Some(chosen) = question.named(text) {
        return Ok(vec![chosen]);
    }
    let at = |(at, colon): (usize, &str)| Some((text.get(..at)?, text.get(at + colon.len()..)?));
    let splits = text.match_indices(':').filter_map(at);
    let both = |(a, b)| Some([question.named(a)?, question.named(b)?]);
    let readings: Vec<_> = splits.filter_map(both).collect();
    match readings[..] {
        [] => question.find(KEY, text).map(|chosen| vec![chosen]),
        [[a, b]] if a.place == b.place && !Chosen::is_number(a.column) => {
            let problem = "a column by itself, which adds nothing; write the column alone".into();
            Err((KEY, Rule::Setting { key: KEY, found: text.into(), problem }))
        }
        [both] => Ok(both.to_vec()),
        _ => Err((KEY, Rule::Ambiguous { key: KEY, found: text.into() })),
    }
}

/// The predictors of a term: one, or one per label but the first of a category, or all products of
/// both columns' ones.
fn expand(term: &[Chosen<'_>], text: &str) -> Result<Vec<Predictor>, Refusal> {
    let mut products: Option<Vec<Predictor>> = None;
    for chosen in term {
        let own = of_column(*chosen);
        if own.is_empty() {
            let problem = "a category with one label, which explains nothing; remove it".into();
            return Err((KEY, Rule::Setting { key: KEY, found: text.into(), problem }));
        }
        products = Some(match products {
            None => own,
            // Two columns, or the square of a number: no product is always 0.
            Some(first) => {
                first.iter().flat_map(|a| own.iter().filter_map(|b| a.times(b))).collect()
            }
        });
        // Labels are at most 10,000, so that their products would be too many to hold.
        let found = products.as_ref().map_or(0, Vec::len);
        if found > limits::PREDICTORS {
            let what = "predictors in `x`, counting every label but the first of a category";
            return Err((KEY, Rule::TooMany { what, found, limit: limits::PREDICTORS }));
        }
    }
    Ok(products.unwrap_or_default())
}

fn of_column(of: Chosen<'_>) -> Vec<Predictor> {
    let ColumnType::Category { values } = &of.column.holds else {
        return vec![Predictor::value(of)];
    };
    let dummy = |(level, label): (usize, &String)| Predictor {
        name: format!("{}[{label}]", of.column.name),
        numbers: Vec::new(),
        levels: vec![(of.place, level)],
        decimals: 0,
    };
    values.iter().enumerate().skip(1).map(dummy).collect()
}

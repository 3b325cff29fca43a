//! Question: a statistic as its kind reads it, key by key, with errors that name key and remedy.

use super::Refusal;
use crate::{
    decimal,
    error::{Rule, list},
    plan::Axis,
    statistic,
    study::{Column, ColumnType, Setting, Statistic, Study},
};

/// A statistic of a study.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The study.
    pub study: &'a Study,
    /// The statistic.
    pub statistic: &'a Statistic,
}

/// A column that a key names.
#[derive(Debug, Clone, Copy)]
pub struct Chosen<'a> {
    /// The column's place in the study.
    pub place: usize,
    /// The column.
    pub column: &'a Column,
}

impl<'a> Question<'a> {
    /// The name of the statistic's kind.
    pub fn kind(&self) -> &'static str {
        statistic::find(&self.statistic.kind).map_or("statistic", |kind| kind.name())
    }

    /// The texts of a key; none if it is not there.
    pub fn texts(&self, key: &str) -> &'a [String] {
        match self.statistic.setting(key) {
            Some(Setting::Texts(texts)) => texts,
            _ => &[],
        }
    }

    /// The numbers of a key, scaled by 10^decimals; none if it is not there.
    pub fn numbers(&self, key: &'static str, decimals: u8) -> Result<Vec<i128>, Refusal> {
        let Some(Setting::Numbers(numbers)) = self.statistic.setting(key) else {
            return Ok(Vec::new());
        };
        let number = |text: &String| {
            let number = decimal::parse(text, decimals);
            number.map_err(|cause| (key, Rule::Number { key, found: text.clone(), cause }))
        };
        numbers.iter().map(number).collect()
    }

    /// The one number of a key; none if it is not there.
    pub fn number(&self, key: &'static str, decimals: u8) -> Result<Option<i128>, Refusal> {
        match self.numbers(key, decimals)?[..] {
            [] => Ok(None),
            [number] => Ok(Some(number)),
            _ => Err((key, Rule::OneNumber { key })),
        }
    }

    /// The columns that a key names.
    pub fn columns(&self, key: &'static str) -> Result<Vec<Chosen<'a>>, Refusal> {
        self.texts(key).iter().map(|name| self.find(key, name)).collect()
    }

    /// The column of this name, if there is one.
    pub fn named(&self, name: &str) -> Option<Chosen<'a>> {
        let place = self.study.column_index(name)?;
        Some(Chosen { place, column: self.study.columns().get(place)? })
    }

    /// The column of this name, which stands at a key.
    pub fn find(&self, key: &'static str, name: &str) -> Result<Chosen<'a>, Refusal> {
        self.named(name).ok_or_else(|| {
            let columns = self.study.columns().iter();
            let known = list(columns.map(|column| column.name.as_str()));
            (key, Rule::UnknownColumn { key, found: name.into(), known })
        })
    }

    /// The one column that a key names, if it is of a type that the kind takes.
    pub fn column(
        &self,
        key: &'static str,
        accepts: &'static str,
        is_accepted: impl Fn(&Column) -> bool,
    ) -> Result<Chosen<'a>, Refusal> {
        match self.columns(key)?[..] {
            [chosen] => self.accept(key, chosen, accepts, is_accepted),
            ref other => {
                let (kind, found) = (self.kind(), other.len());
                Err((key, Rule::TakesColumns { key, kind, wanted: 1, found, accepts }))
            }
        }
    }

    /// The two different columns that a key names, if both are of a type that the kind takes.
    pub fn two_columns(
        &self,
        key: &'static str,
        accepts: &'static str,
        is_accepted: impl Fn(&Column) -> bool,
    ) -> Result<[Chosen<'a>; 2], Refusal> {
        match self.columns(key)?[..] {
            [a, b] if a.place == b.place => {
                Err((key, Rule::Duplicate { what: "column", name: a.column.name.clone() }))
            }
            [a, b] => Ok([
                self.accept(key, a, accepts, &is_accepted)?,
                self.accept(key, b, accepts, &is_accepted)?,
            ]),
            ref other => {
                let (kind, found) = (self.kind(), other.len());
                Err((key, Rule::TakesColumns { key, kind, wanted: 2, found, accepts }))
            }
        }
    }

    /// The column if it is of a type that the kind takes.
    pub fn accept(
        &self,
        key: &'static str,
        chosen: Chosen<'a>,
        accepts: &'static str,
        is_accepted: impl Fn(&Column) -> bool,
    ) -> Result<Chosen<'a>, Refusal> {
        if is_accepted(chosen.column) {
            return Ok(chosen);
        }
        let (column, holds) = (chosen.column.name.clone(), chosen.column.holds.name());
        let kind = self.kind();
        Err((key, Rule::ColumnType { key, column, holds, kind, accepts }))
    }
}

impl Chosen<'_> {
    /// Whether the column holds numbers.
    pub fn is_number(column: &Column) -> bool {
        matches!(column.holds, ColumnType::Integer { .. } | ColumnType::Decimal { .. })
    }

    /// Whether the column holds numbers or truth values, which count as 0 and 1.
    pub fn is_numeric(column: &Column) -> bool {
        column.range().is_some()
    }

    /// Whether the column has labels, or is true or false.
    pub fn has_levels(column: &Column) -> bool {
        column.levels().is_some()
    }

    /// A level per possible value of the column; see [`Axis::steps`].
    pub fn steps(&self) -> Option<Axis> {
        Axis::steps(self.place, self.column)
    }

    /// The names of the column's levels; none for a number.
    pub fn levels(&self) -> Vec<String> {
        self.column.levels().unwrap_or_default().into_iter().map(String::from).collect()
    }

    /// Digits after the point of the column's numbers.
    pub fn decimals(&self) -> u32 {
        self.column.decimals().into()
    }
}

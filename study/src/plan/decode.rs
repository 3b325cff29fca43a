//! Decode: from opened totals to answers, in integers up to each answer's one division.

use num_bigint::BigInt;
use serde_json::{Map, Value};

use super::{
    Axis, Plan, Request, Term, Totals,
    disclosure::{Disclosure, Withheld},
    grid::Grid,
    layout::{Asked, Sums as SumsOf, questions},
};
use crate::{
    result::{Cell, Labels, Reason, StatisticResult, StudyResult},
    statistic::Sums,
    study::{Setting, Study},
};

/// Every statistic's answer.
pub(crate) fn decode(plan: &Plan, totals: &Totals) -> StudyResult {
    let asked = questions(&plan.study);
    let disclosure = Disclosure::new(plan, totals.records, &totals.values);
    let statistics = asked.iter().map(|asked| {
        let reader = Reader { plan, totals, asked, disclosure: &disclosure };
        Answers::new(&reader).decode()
    });
    StudyResult { statistics: statistics.collect() }
}

/// One statistic and the totals that it is made of.
struct Answers<'a> {
    study: &'a Study,
    asked: &'a Asked,
    /// The cells of `by`, as they are listed.
    by: Grid,
    counts: Vec<Option<i128>>,
    withheld: Vec<Option<Withheld>>,
    requests: Vec<Opened>,
}

/// The totals of one request.
struct Opened {
    /// A total per cell of `by` and, within it, per combination of levels of the request's axes.
    totals: Vec<Vec<Option<BigInt>>>,
}

impl<'a> Answers<'a> {
    fn new(reader: &Reader<'a>) -> Self {
        let Reader { plan, asked, .. } = *reader;
        let counted = Request::total(asked.formula.counted());
        let first = |cells: Vec<Option<i128>>| cells.first().copied().flatten();
        let requests = asked.requests.iter();
        Self {
            study: &plan.study,
            asked,
            by: Grid::of_values(&asked.by),
            counts: reader.ordered(&counted, &counted.term).into_iter().map(first).collect(),
            withheld: reader.withheld(&counted).into_iter().flatten().collect(),
            requests: requests.map(|request| Opened { totals: reader.opened(request) }).collect(),
        }
    }

    fn decode(&self) -> StatisticResult {
        // What is asked is a statistic of the study.
        let statistic = &self.study.statistics()[self.asked.place];
        let columns = self.study.columns();
        let of = self.asked.formula.of().into_iter().filter_map(|place| columns.get(place));
        let settings = statistic.settings.iter().filter(|(key, _)| key != "of");
        StatisticResult {
            name: statistic.name.clone(),
            kind: statistic.kind.clone(),
            of: of.map(|column| column.name.clone()).collect(),
            by: statistic.by.clone(),
            settings: settings
                .map(|(key, setting)| (key.clone(), shown(setting)))
                .collect::<Map<_, _>>(),
            cells: (0..self.by.cells()).map(|cell| self.cell(cell)).collect(),
            min_cell: self.study.privacy().min_cell,
        }
    }

    fn cell(&self, cell: usize) -> Cell {
        let by = self.labels(cell);
        let min_cell = self.study.privacy().min_cell;
        let count = self.counts.get(cell).copied().flatten();
        let count = count.and_then(|count| i64::try_from(count).ok());
        let Some(count) = count else { return Cell::suppressed(by, &Reason::NotOpened) };
        if self.withheld.get(cell).copied().flatten() == Some(Withheld::Complement) {
            return Cell::suppressed(by, &Reason::Complement);
        }
        if min_cell > 1 && i128::from(count) < i128::from(min_cell) {
            return Cell::suppressed(by, &Reason::FewerThan(min_cell));
        }
        let totals = |opened: &Opened| opened.totals.get(cell).cloned().unwrap_or_default();
        let totals: Vec<_> = self.requests.iter().map(totals).collect();
        let answer = self.asked.formula.answer(&Sums { count, totals: &totals });
        match answer {
            Err(reason @ (Reason::NotOpened | Reason::SmallGroup)) => Cell::suppressed(by, &reason),
            answer => Cell::answered(by, count, answer),
        }
    }

    fn labels(&self, cell: usize) -> Labels {
        let levels = self.by.levels_of(cell);
        let labels = self.by.axes.iter().zip(levels).filter_map(|(axis, level)| {
            let column = self.study.columns().get(axis.column)?;
            Some((column.name.clone(), column.levels()?.get(level)?.to_string()))
        });
        Labels(labels.collect())
    }
}

/// A key's setting as it stands in a result: one text or number by itself, several as a list.
fn shown(setting: &Setting) -> Value {
    let values: Vec<Value> = match setting {
        Setting::Texts(texts) => texts.iter().map(|text| Value::from(text.as_str())).collect(),
        Setting::Numbers(numbers) => {
            let number = |text: &String| serde_json::from_str(text).unwrap_or(Value::Null);
            numbers.iter().map(number).collect()
        }
    };
    match <[Value; 1]>::try_from(values) {
        Ok([value]) => value,
        Err(values) => Value::Array(values),
    }
}

/// Reads the totals of one statistic in the order of its own axes.
struct Reader<'a> {
    plan: &'a Plan,
    totals: &'a Totals,
    asked: &'a Asked,
    disclosure: &'a Disclosure,
}

impl Reader<'_> {
    /// The totals of a request, of the columns' own values.
    fn opened(&self, request: &Request) -> Vec<Vec<Option<BigInt>>> {
        let study = &self.plan.study;
        let expansion = request.term.expansion(study);
        let summands = expansion.iter().map(|(minima, term)| {
            let min = |place: &usize| study.columns().get(*place).map_or(0, |column| column.min());
            let factor: BigInt = minima.iter().map(|place| BigInt::from(min(place))).product();
            (factor, self.ordered(request, term))
        });
        let mut sums: Vec<Vec<Option<BigInt>>> = Vec::new();
        for (factor, totals) in summands {
            let scaled = totals.into_iter().map(|cells| {
                cells
                    .into_iter()
                    .map(|total| total.map(|total| &factor * total))
                    .collect::<Vec<_>>()
            });
            if sums.is_empty() {
                sums = scaled.collect();
                continue;
            }
            for (sums, cells) in sums.iter_mut().zip(scaled) {
                for (sum, total) in sums.iter_mut().zip(cells) {
                    *sum = sum.take().zip(total).map(|(sum, total)| sum + total);
                }
            }
        }
        if request.is_shown {
            self.withhold(request, &mut sums);
        }
        sums
    }

    /// Takes the totals of small and withheld cells out of what is shown.
    fn withhold(&self, request: &Request, sums: &mut [Vec<Option<BigInt>>]) {
        let min_cell = self.plan.study.privacy().min_cell;
        if min_cell <= 1 {
            return;
        }
        let counts = self.ordered(request, &request.term.counted_by()).into_iter().flatten();
        let withheld = self.withheld(request).into_iter().flatten();
        for ((sum, count), withheld) in sums.iter_mut().flatten().zip(counts).zip(withheld) {
            if withheld.is_some() || count.is_none_or(|count| count < min_cell.into()) {
                *sum = None;
            }
        }
    }

    /// Which cells of a request are withheld, in the order of [`Reader::ordered`].
    fn withheld(&self, request: &Request) -> Vec<Vec<Option<Withheld>>> {
        let set = self.asked.set(&request.axes);
        let counts = request.term.counted_by().normal(&self.plan.study, &set);
        let counts = counts.map(|counts| (counts, set.clone()));
        let withheld = |cell| self.disclosure.withheld(counts.as_ref()?, cell);
        let all: Vec<_> = (0..Grid::of_values(&set).cells()).map(withheld).collect();
        self.arranged(request, &set, |cell| all.get(cell).copied().flatten())
    }

    /// The totals of a term over the cells of `by`, each with the cells of the request's axes.
    fn ordered(&self, request: &Request, term: &Term) -> Vec<Vec<Option<i128>>> {
        let set = self.asked.set(&request.axes);
        let totals = self.cell_totals(term, &set);
        self.arranged(request, &set, |cell| at(&totals, cell))
    }

    /// What there is for every cell of a set, by the cells of `by` and within them by those of the
    /// request's axes.
    fn arranged<T>(
        &self,
        request: &Request,
        set: &[Axis],
        of: impl Fn(usize) -> Option<T>,
    ) -> Vec<Vec<Option<T>>> {
        let summed = Grid::of_values(set);
        let by = Grid::of_values(&self.asked.by);
        let within = Grid::of_values(&request.axes);
        let all = Grid::of_values(&[self.asked.by.clone(), request.axes.clone()].concat());
        let find = |by_cell: usize, cell: usize| {
            let levels = [by.levels_of(by_cell), within.levels_of(cell)].concat();
            // The same axes in another order: every cell has its like.
            all.cell_in(&summed, &levels).and_then(&of)
        };
        let cells = |by_cell| (0..within.cells()).map(|cell| find(by_cell, cell)).collect();
        (0..by.cells()).map(cells).collect()
    }

    /// The totals of a term over the cells of a set; none where they were not opened.
    fn cell_totals(&self, term: &Term, set: &[Axis]) -> Vec<Option<i128>> {
        let (plan, grid) = (self.plan, Grid::of_values(set));
        let Some(term) = term.normal(&plan.study, set) else { return vec![Some(0); grid.cells()] };
        if term == Term::records() && set.is_empty() {
            return vec![Some(self.totals.records.into())];
        }
        let sums = (term, set.to_vec());
        if let Some(own) = self.block(&sums, grid.cells()) {
            return own;
        }
        // Whatever a statistic needs has coordinates of its own or a source that has.
        let Some(source) = plan.needs.get(&sums).map(|need| &need.source) else {
            return Vec::new();
        };
        let fine = Grid::of_values(&source.1);
        let values = self.block(source, fine.cells()).unwrap_or_default();
        let mut totals = vec![Some(0i128); grid.cells()];
        for (value, cell) in values.into_iter().zip(fine.project(&grid)) {
            if let Some(total) = cell.and_then(|cell| totals.get_mut(cell)) {
                *total = total.zip(value).and_then(|(total, value)| total.checked_add(value));
            }
        }
        totals
    }

    /// The totals of sums that have coordinates of their own.
    fn block(&self, sums: &SumsOf, cells: usize) -> Option<Vec<Option<i128>>> {
        let start = self.plan.blocks.get(sums)?;
        Some((0..cells).map(|cell| at(&self.totals.values, start + cell)).collect())
    }
}

fn at(totals: &[Option<i128>], cell: usize) -> Option<i128> {
    totals.get(cell).copied().flatten()
}

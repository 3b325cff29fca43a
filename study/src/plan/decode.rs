//! Decode: from opened totals to answers, in integers up to each answer's one division.

use num_bigint::BigInt;
use serde_json::{Map, Value};

use super::{
    Plan, Request, Totals,
    disclosure::{Disclosure, Withheld},
    grid::Grid,
    layout::{Asked, questions},
    read::Reader,
    repeat, spread,
};
use crate::{
    result::{Cell, Labels, Reason, StatisticResult, StudyResult, unit},
    statistic::Sums,
    study::{Setting, Study},
};

/// Every statistic's answer.
pub(crate) fn decode(plan: &Plan, totals: &Totals) -> StudyResult {
    let asked = questions(&plan.study);
    let disclosure = Disclosure::new(plan, totals.records, &totals.values);
    let answers = |totals: &Totals, asked: &Asked| {
        Answers::new(&Reader { plan, totals, asked, disclosure: &disclosure }).decode()
    };
    let mut statistics: Vec<_> = asked.iter().map(|asked| answers(totals, asked)).collect();
    let repeated = repeat::repeated(plan, totals);
    for (asked, statistic) in asked.iter().zip(&mut statistics) {
        if asked.formula.has_interval() {
            let repeated: Vec<_> = repeated.iter().map(|totals| answers(totals, asked)).collect();
            spread::add_intervals(statistic, &repeated);
        }
        statistic.noise = spread::noise_of(plan, asked.place);
    }
    StudyResult { differential_privacy: spread::described(&plan.study), statistics }
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
            unit: unit::of(self.asked.formula.unit().into_iter().filter_map(|at| columns.get(at))),
            settings: settings
                .map(|(key, setting)| (key.clone(), shown(setting)))
                .collect::<Map<_, _>>(),
            cells: (0..self.by.cells()).map(|cell| self.cell(cell)).collect(),
            noise: Vec::new(),
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

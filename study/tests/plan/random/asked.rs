//! Asked: a random statistic of any kind, as it stands in a study file.

use super::{Asking, Column, Shape};

/// Parts of which a quantile is asked.
const PARTS: [&str; 8] = ["0", "0.1", "0.25", "0.333333333", "0.5", "0.75", "0.90", "1.0"];
/// Bins of one column: more make no other cases, only slower ones.
const BINS: i64 = 10;
/// The widest column that is divided into its steps.
const STEPS: i64 = 30;

/// A number that decides one thing after the other.
struct Choice(u64);

/// The keys of a kind.
struct Keys {
    text: String,
    /// The columns that divide its cells, which it cannot be grouped by.
    divided: Vec<usize>,
}

/// A statistic without its name; a count, where the columns have nothing for its kind.
pub fn text(columns: &[Column], (kind, decider): Asking) -> String {
    let mut choice = Choice(decider);
    let kind = study::statistic::kinds().nth(kind).unwrap().name();
    let Some(Keys { text, divided }) = keys(kind, columns, &mut choice) else {
        return format!("kind = \"count\"\n{}", by(columns, &[], &mut choice));
    };
    if kind == "anova" && choice.one_in(3) {
        // The groups may stand in `by` as well.
        return format!("kind = \"anova\"\n{}", text.replace("between = ", "by = "));
    }
    format!("kind = \"{kind}\"\n{text}{}", by(columns, &divided, &mut choice))
}

/// None to two columns to group by.
fn by(columns: &[Column], divided: &[usize], choice: &mut Choice) -> String {
    let mut free = places(columns, |column| column.levels().is_some());
    free.retain(|place| !divided.contains(place));
    let chosen: Vec<_> = (0..choice.below(3)).filter_map(|_| choice.take(&mut free)).collect();
    match chosen[..] {
        [] => String::new(),
        [one] => key("by", columns, one),
        _ => format!("by = {:?}\n", names(columns, &chosen)),
    }
}

fn keys(kind: &str, columns: &[Column], choice: &mut Choice) -> Option<Keys> {
    let is_number = |column: &Column| column.range().is_some();
    let is_boolean = |column: &Column| matches!(column.shape, Shape::Boolean);
    let is_numeric = |column: &Column| is_number(column) || is_boolean(column);
    let has_levels = |column: &Column| column.levels().is_some();
    let has_two = |column: &Column| column.levels() == Some(2);
    let mut numbers = places(columns, is_number);
    let mut numeric = places(columns, is_numeric);
    let mut levels = places(columns, has_levels);
    let undivided = |text| Keys { text, divided: Vec::new() };
    Some(match kind {
        "count" => undivided(String::new()),
        "sum" | "mean" | "variance" | "stddev" => {
            undivided(key("of", columns, choice.take(&mut numbers)?))
        }
        "share" => undivided(key("of", columns, choice.take(&mut places(columns, is_boolean))?)),
        "histogram" => {
            let of = choice.take(&mut numbers)?;
            undivided(key("of", columns, of) + &bins(&columns[of], choice)?)
        }
        "quantile" | "min" | "max" => {
            let of = choice.take(&mut numbers)?;
            let q = if kind == "quantile" { parts(choice) } else { String::new() };
            undivided(key("of", columns, of) + &q + &width_if_needed(&columns[of], choice)?)
        }
        "covariance" | "correlation" => {
            let of = [choice.take(&mut numeric)?, choice.take(&mut numeric)?];
            undivided(format!("of = {:?}\n", names(columns, &of)))
        }
        "mode" => {
            let of = choice.take(&mut levels)?;
            Keys { text: key("of", columns, of), divided: vec![of] }
        }
        "crosstab" => {
            let of = vec![choice.take(&mut levels)?, choice.take(&mut levels)?];
            Keys { text: format!("of = {:?}\n", names(columns, &of)), divided: of }
        }
        "ttest" | "anova" => {
            let mut between = if kind == "ttest" { places(columns, has_two) } else { levels };
            let between = choice.take(&mut between)?;
            numeric.retain(|place| *place != between);
            let of = key("of", columns, choice.take(&mut numeric)?);
            Keys { text: of + &key("between", columns, between), divided: vec![between] }
        }
        "fairness" => fairness(columns, choice)?,
        "regression" => regression(columns, choice)?,
        other => panic!("no {other} is asked at random"),
    })
}

/// Edges that cover the column, or a width.
fn bins(of: &Column, choice: &mut Choice) -> Option<String> {
    if choice.one_in(2) {
        return width(of, choice);
    }
    let (min, span) = of.range()?;
    let mut edges = vec![min - choice.number(3), min + span + 1 + choice.number(3)];
    if choice.one_in(2) && span > 0 {
        // The last bin has its upper edge, too.
        edges = vec![min, min + span];
    }
    edges.extend((0..choice.below(4)).map(|_| min + choice.number(span + 1)));
    edges.sort_unstable();
    edges.dedup();
    let edges: Vec<_> = edges.into_iter().map(|edge| of.number(edge)).collect();
    Some(format!("bins = [{}]\n", edges.join(", ")))
}

fn width(of: &Column, choice: &mut Choice) -> Option<String> {
    let (_, span) = of.range()?;
    let narrowest = span / BINS + 1;
    Some(format!("width = {}\n", of.number(narrowest + choice.number(narrowest + 2))))
}

fn width_if_needed(of: &Column, choice: &mut Choice) -> Option<String> {
    let (_, span) = of.range()?;
    if span > STEPS || choice.one_in(4) { width(of, choice) } else { Some(String::new()) }
}

fn parts(choice: &mut Choice) -> String {
    let mut all = PARTS.to_vec();
    let first = choice.below(all.len());
    let mut chosen = vec![all.remove(first)];
    chosen.extend(all.into_iter().filter(|_| choice.one_in(4)));
    format!("q = [{}]\n", chosen.join(", "))
}

fn fairness(columns: &[Column], choice: &mut Choice) -> Option<Keys> {
    let mut booleans = places(columns, |column| matches!(column.shape, Shape::Boolean));
    let outcome = choice.take(&mut booleans)?;
    let mut groups = places(columns, |column| column.levels().is_some());
    groups.retain(|place| *place != outcome);
    let group = choice.take(&mut groups)?;
    booleans.retain(|place| *place != group);
    let mut text = key("outcome", columns, outcome) + &key("group", columns, group);
    let mut divided = vec![group];
    if !choice.one_in(3)
        && let Some(label) = choice.take(&mut booleans)
    {
        text += &key("label", columns, label);
        divided.push(label);
    }
    Some(Keys { text, divided })
}

/// One to three columns, some of them by themselves and some multiplied.
fn regression(columns: &[Column], choice: &mut Choice) -> Option<Keys> {
    let is_category = |place: &usize| matches!(columns[*place].shape, Shape::Category { .. });
    let mut numeric = places(columns, |_| true);
    numeric.retain(|place| !is_category(place));
    let y = choice.take(&mut numeric)?;
    let mut free = places(columns, |column| column.levels() != Some(1));
    free.retain(|place| *place != y);
    let mut chosen = vec![choice.take(&mut free)?];
    chosen.extend((0..choice.below(3)).filter_map(|_| choice.take(&mut free)));
    let mut terms: Vec<_> = chosen.iter().map(|place| vec![*place]).collect();
    for (at, &a) in chosen.iter().enumerate() {
        // A number by itself is its square.
        let partners = chosen[at..].iter().filter(|b| **b != a || columns[a].range().is_some());
        terms.extend(partners.filter(|_| choice.one_in(5)).map(|&b| vec![a, b]));
    }
    if terms.len() > chosen.len() && choice.one_in(4) {
        terms.remove(0);
    }
    let x: Vec<_> = terms.iter().map(|term| names(columns, term).join(":")).collect();
    let divided = chosen.into_iter().filter(is_category).collect();
    Some(Keys { text: format!("{}x = {x:?}\n", key("y", columns, y)), divided })
}

fn places(columns: &[Column], is_wanted: impl Fn(&Column) -> bool) -> Vec<usize> {
    let wanted = columns.iter().enumerate().filter(|(_, column)| is_wanted(column));
    wanted.map(|(place, _)| place).collect()
}

fn names(columns: &[Column], places: &[usize]) -> Vec<String> {
    places.iter().map(|place| columns[*place].name.clone()).collect()
}

fn key(key: &str, columns: &[Column], place: usize) -> String {
    format!("{key} = {:?}\n", columns[place].name)
}

impl Choice {
    /// A number from 0 to below `end`.
    fn below(&mut self, end: usize) -> usize {
        let chosen = self.0 % end as u64;
        self.0 /= end as u64;
        chosen as usize
    }

    /// The same of the numbers of a column.
    fn number(&mut self, end: i64) -> i64 {
        self.below(end as usize) as i64
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    /// Takes one out, if there is one.
    fn take(&mut self, places: &mut Vec<usize>) -> Option<usize> {
        let end = places.len();
        (end > 0).then(|| places.remove(self.below(end)))
    }
}

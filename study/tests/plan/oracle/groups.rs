//! Groups: the tests of whether their means differ.

use num_traits::Zero as _;
use serde_json::{Map, Value as Json, json};
use study::result::Reason;

use super::{
    Answer, Cell, Exact, distributions, double,
    moments::{covariance, joint_deviation, mean},
    whole,
};

/// The values of each group, by the labels. A group that is too small to be shown hides all, and so
/// may one that is withheld.
fn groups(cell: &Cell<'_>) -> Result<Vec<(String, Vec<Exact>)>, Reason> {
    let ([of], [between]) = (cell.asked.columns("of"), cell.asked.columns("between"));
    let groups = cell.numbers_by(of, between);
    if groups.iter().any(|group| cell.is_small(group.len())) {
        return Err(Reason::SmallGroup);
    }
    Ok(cell.asked.labels(between).into_iter().zip(groups).collect())
}

/// Welch's test.
pub fn ttest(cell: &Cell<'_>) -> Result<Answer, Reason> {
    let groups = groups(cell)?;
    if cell.records.is_empty() {
        return Err(Reason::NoRecords);
    }
    for (label, values) in &groups {
        match values.len() {
            0 => return Err(Reason::EmptyGroup(label.clone())),
            1 => return Err(Reason::TooFewIn { group: label.clone(), needed: 2 }),
            _ => {}
        }
    }
    let [(label_a, a), (label_b, b)] = &groups[..] else { panic!("two groups") };
    let [mean_a, mean_b] = [a, b].map(|values| mean(values));
    let [error_a, error_b] = [a, b].map(|values| covariance(values, values) / whole(values.len()));
    let error = &error_a + &error_b;
    if error.is_zero() {
        return Err(Reason::ConstantInGroups(constant(cell)));
    }
    let freedom = |error: &Exact, values: &[Exact]| error * error / whole(values.len() - 1);
    let dof = double(&(&error * &error / (freedom(&error_a, a) + freedom(&error_b, b))));
    let difference = double(&(&mean_a - &mean_b));
    let error = double(&error).sqrt();
    let t = difference / error;
    let reach = distributions::student_quantile(0.05, dof) * error;
    Ok(Answer::of(json!({
        "sides": [label_a, label_b],
        "means": [double(&mean_a), double(&mean_b)],
        "difference": difference,
        "t": t,
        "dof": dof,
        "p": distributions::student(t, dof),
        "ci95": [difference - reach, difference + reach],
    })))
}

/// The one-way analysis of variance.
pub fn anova(cell: &Cell<'_>) -> Result<Answer, Reason> {
    let groups = groups(cell)?;
    let filled: Vec<_> = groups.iter().filter(|(_, values)| !values.is_empty()).collect();
    let all: Vec<_> = filled.iter().flat_map(|(_, values)| values.iter().cloned()).collect();
    match filled.len() {
        0 => return Err(Reason::NoRecords),
        1 => return Err(Reason::OneGroup),
        groups if all.len() <= groups => return Err(Reason::TooFew { needed: groups + 1 }),
        _ => {}
    }
    let (mut between, mut within) = (Exact::zero(), Exact::zero());
    for (_, values) in &filled {
        let distance = mean(values) - mean(&all);
        between += &distance * &distance * whole(values.len());
        within += joint_deviation(values, values);
    }
    if within.is_zero() {
        return Err(Reason::ConstantInGroups(constant(cell)));
    }
    let dof = [filled.len() - 1, all.len() - filled.len()];
    let f = double(&((between / whole(dof[0])) / (within / whole(dof[1]))));
    let group = |(label, values): &(String, Vec<Exact>)| {
        let mean = (!values.is_empty()).then(|| double(&mean(values)));
        (label.clone(), json!({ "n": values.len(), "mean": mean }))
    };
    let by_label: Map<String, Json> = groups.iter().map(group).collect();
    let p = distributions::fisher(f, dof.map(|dof| dof as f64));
    Ok(Answer::of(json!({ "f": f, "dof": dof, "p": p, "groups": by_label })))
}

fn constant(cell: &Cell<'_>) -> String {
    let [of] = cell.asked.columns("of");
    cell.asked.name(of)
}

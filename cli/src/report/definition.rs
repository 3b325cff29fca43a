//! A study as its operators have to judge it: who, what, under which rules and at what cost.

use comfy_table::ColumnConstraint;
use mpc::noise::Distribution;
use study::{Column, ColumnType, Differential, Plan, Setting, Study, Unit, decimal, plan::Cost};

use super::{counted, wrapped};

/// Labels of a category that are shown; `--json` has them all.
const LABELS: usize = 8;

/// A plan's study itself, for people.
pub fn definition(plan: &Plan) -> String {
    let study = plan.study();
    [facts(plan), servers(study), columns(study), statistics(study)].join("\n\n")
}

fn facts(plan: &Plan) -> String {
    let study = plan.study();
    let privacy = study.privacy();
    let cells = match privacy.min_cell {
        1 => "no cell is suppressed",
        _ => "cells with fewer records are suppressed",
    };
    let providers = match u64::try_from(study.providers().len()) {
        Ok(0) => "anyone may submit".into(),
        Ok(1) => "1 listed key may submit".into(),
        _ => format!("{} listed keys may submit", study.providers().len()),
    };
    // Sums of suppressed cells stay closed.
    let at_most = if privacy.min_cell > 1 { "at most " } else { "" };
    let Cost { wires, bits, products, outputs, .. } = plan.cost();
    let number = |count: usize, thing| counted(count as u64, thing);
    let (wires, bits) = (number(wires, "field element"), number(bits, "bit"));
    let (products, outputs) = (number(products, "product"), number(outputs, "sum"));
    let mut facts = vec![
        ("analyst key", study.analyst().to_string()),
        ("providers", providers),
        ("max_records", format!("{}: no more are taken", study.max_records())),
        ("min_records", format!("{}: with fewer nothing is opened", privacy.min_records)),
        ("min_cell", format!("{}: {cells}", privacy.min_cell)),
        ("one record", format!("{wires}: {bits}, {products}")),
        ("opened", format!("{at_most}{outputs} over all records")),
    ];
    facts.extend(noise(plan));
    let lines: Vec<_> = facts.iter().map(|(name, value)| format!("{name:<11}  {value}")).collect();
    lines.join("\n")
}

/// What differential privacy adds.
fn noise(plan: &Plan) -> Vec<(&'static str, String)> {
    let study = plan.study();
    let Some(noise) = plan.noise() else { return Vec::new() };
    let Some(Differential { epsilon, delta, unit }) = study.privacy().differential else {
        return Vec::new();
    };
    let distribution = match noise.mechanism().distribution {
        Distribution::Gaussian => "discrete Gaussian",
        Distribution::Laplace => "discrete Laplace",
    };
    let servers = study.servers().len();
    let unit = match unit {
        Unit::Provider => "provider: one submission of one record from each key",
        Unit::Record => "record: a provider may submit many",
    };
    let blocks = counted(noise.budget(), "block");
    vec![
        ("mechanism", format!("{distribution} noise, in full from each of {servers} servers")),
        ("epsilon", format!("{epsilon}, split over {blocks} of sums")),
        ("delta", delta.map_or_else(|| "0".into(), |delta| delta.to_string())),
        ("unit", unit.into()),
    ]
}

fn servers(study: &Study) -> String {
    let rows = study.servers().iter();
    let rows = rows.map(|server| vec![server.name.clone(), server.identity.to_string()]);
    let mut table = wrapped(&["server", "identity key"], rows);
    // A key that is broken in two cannot be searched for or copied.
    if let Some(key) = table.column_mut(1) {
        key.set_constraint(ColumnConstraint::ContentWidth);
    }
    table.trim_fmt()
}

fn columns(study: &Study) -> String {
    let rows = study.columns().iter().map(|column| {
        let missing = if column.missing_allowed { "allowed" } else { "refused" };
        vec![column.name.clone(), column.holds.name().into(), holds(column), missing.into()]
    });
    wrapped(&["column", "type", "holds", "missing"], rows).trim_fmt()
}

fn holds(column: &Column) -> String {
    let unit = column.unit.as_ref().map(|unit| format!(" {unit}")).unwrap_or_default();
    match &column.holds {
        ColumnType::Integer { min, max } => format!("{min} to {max}{unit}"),
        ColumnType::Decimal { decimals, min, max } => {
            let shown = |bound: i64| decimal::format(bound.into(), (*decimals).into());
            let decimals = counted((*decimals).into(), "decimal");
            format!("{} to {}{unit}, {decimals}", shown(*min), shown(*max))
        }
        ColumnType::Boolean => "true or false".into(),
        ColumnType::Category { values } => {
            let first: Vec<_> = values.iter().take(LABELS).map(String::as_str).collect();
            let more = match values.len().saturating_sub(LABELS) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("{}{more}", first.join(", "))
        }
    }
}

fn statistics(study: &Study) -> String {
    let names = |columns: &[String]| match columns {
        [] => "-".into(),
        columns => columns.join(", "),
    };
    let setting = |(key, setting): &(String, Setting)| {
        let (Setting::Texts(values) | Setting::Numbers(values)) = setting;
        match key.as_str() {
            "of" => values.join(", "),
            key => format!("{key} = {}", values.join(", ")),
        }
    };
    let rows = study.statistics().iter().map(|asked| {
        let settings: Vec<_> = asked.settings.iter().map(setting).collect();
        let settings = if settings.is_empty() { "-".into() } else { settings.join("; ") };
        vec![asked.name.clone(), asked.kind.clone(), settings, names(&asked.by)]
    });
    wrapped(&["statistic", "kind", "of", "by"], rows).trim_fmt()
}

#[cfg(test)]
mod tests {
    use mpc::sign::{PublicKey, Signer};
    use study::{Plan, StudyContext, StudyServer};

    use super::{super::WIDTH, *};

    fn key(seed: u8) -> PublicKey {
        Signer::from_seed(&[seed; 32]).public()
    }

    fn shown(text: &str) -> String {
        shown_at(["alpha", "beta"], text)
    }

    fn shown_at(servers: [&str; 2], text: &str) -> String {
        let server =
            |(name, seed): (&str, u8)| StudyServer { name: name.into(), identity: key(seed) };
        let [first, second] = servers;
        let available = [(first, 1), (second, 2)].map(server);
        let context = StudyContext { available: &available, analyst: key(3), nonce: [0; 16] };
        let study = Study::from_file(text, "study.toml", context).unwrap();
        definition(&Plan::new(&study).unwrap())
    }

    #[test]
    fn an_operator_sees_all_that_a_study_asks() {
        let shown = shown(include_str!("../../data/wages.toml"));
        for expected in [
            &key(1).to_string(),
            &key(2).to_string(),
            &key(3).to_string(),
            "anyone may submit",
            "10: with fewer nothing is opened",
            "42 field elements: 30 bits, 12 products",
            "20 sums over all records",
            "0.00 to 500.00, 2 decimals",
            "Midwest, Northeast, South, West",
        ] {
            assert!(shown.contains(expected), "{expected}:\n{shown}");
        }
        assert!(shown.lines().all(|line| line.chars().count() <= WIDTH.into()), "{shown}");
    }

    #[test]
    fn an_operator_sees_what_noise_protects_whom() {
        let wages = include_str!("../../data/wages.toml");
        assert!(!shown(wages).contains("epsilon"));
        let private = |lines: &str| {
            shown(&wages.replace("[privacy]", &format!("[privacy]\nepsilon = 0.50\n{lines}")))
        };
        let pure = private("");
        for expected in [
            "discrete Laplace noise, in full from each of 2 servers",
            "epsilon      0.5, split over",
            "delta        0\n",
            "provider: one submission of one record from each key",
        ] {
            assert!(pure.contains(expected), "{expected}:\n{pure}");
        }
        let other = private("delta = 1e-6\nunit = \"record\"");
        for expected in ["discrete Gaussian", "delta        0.000001", "record: a provider may"] {
            assert!(other.contains(expected), "{expected}:\n{other}");
        }
        assert!(other.lines().all(|line| line.chars().count() <= WIDTH.into()), "{other}");
    }

    #[test]
    fn units_stand_behind_the_range() {
        let wages = include_str!("../../data/wages.toml");
        assert!(!wages.contains("unit"));
        let with = wages.replace("max = 64", "max = 64\nunit = \"years\"");
        let with = with.replace("max = 500", "max = 500\nunit = \"USD/h\"");
        let shown = shown(&with);
        for expected in ["21 to 64 years", "0.00 to 500.00 USD/h, 2 decimals"] {
            assert!(shown.contains(expected), "{expected}:\n{shown}");
        }
    }

    #[test]
    fn long_names_stay_within_the_terminal_and_keys_in_one_piece() {
        let long = "n".repeat(100);
        let shown = shown_at(
            [&"s".repeat(100), "beta"],
            &format!(
                "title = \"t\"\n[[column]]\nname = \"{long}\"\ntype = \"category\"\n\
                 values = [\"{}\", \"other\"]\n[[statistic]]\nname = \"{long}\"\n\
                 kind = \"count\"\nby = [\"{long}\"]\n",
                "v".repeat(200)
            ),
        );
        assert!(shown.lines().all(|line| line.chars().count() <= WIDTH.into()), "{shown}");
        assert!(shown.contains(&key(1).to_string()), "{shown}");
    }

    #[test]
    fn many_labels_are_counted_and_rules_are_said() {
        let labels: Vec<String> = (0..20).map(|label| format!("\"l{label}\"")).collect();
        let key = key(9);
        let shown = shown(&format!(
            "title = \"t\"\nproviders = [\"{key}\"]\n[privacy]\nmin_cell = 7\n[[column]]\n\
             name = \"c\"\ntype = \"category\"\nvalues = [{}]\nmissing = \"allowed\"\n\
             [[statistic]]\nname = \"people\"\nkind = \"count\"\nby = [\"c\"]\n",
            labels.join(", ")
        ));
        for expected in ["and 12 more", "1 listed key may submit", "7: cells with fewer", "at most"]
        {
            assert!(shown.contains(expected), "{expected}:\n{shown}");
        }
    }
}

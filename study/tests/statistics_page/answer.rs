//! The answer of a kind's example over the records of the page, by way of the circuit.

use mpc::{circuit::Validity, sign::Signer};
use prio::flp::Type as _;
use study::{
    Plan, Study, StudyContext, StudyServer, Totals,
    plan::Cost,
    result::Cell,
    table::{Row, Table},
};

/// The study's columns.
pub const COLUMNS: &str = include_str!("example.toml");
/// Its records.
pub const RECORDS: &str = include_str!("example.csv");

/// What comes out of one statistic.
pub struct Answer {
    /// The records.
    pub records: u64,
    /// The cells of the answer.
    pub cells: Vec<Cell>,
    /// What the study costs that asks nothing else.
    pub cost: Cost,
}

/// The answer of a `[[statistic]]`, given its keys.
pub fn of(statistic: &str) -> Answer {
    let study = study(statistic);
    let plan = Plan::new(&study).unwrap();
    let (mut wires, mut records) = (Vec::new(), 0u64);
    for row in Table::open(RECORDS.as_bytes(), "example.csv", &study).unwrap() {
        match row.unwrap() {
            Row::Valid(record) => plan.encode(&record, &mut wires).unwrap(),
            Row::Invalid(problems) => panic!("{}", problems[0]),
        }
        records += 1;
    }
    let validity = Validity::new(plan.circuit().clone(), records.try_into().unwrap());
    let sums = validity.truncate(wires).unwrap();
    let values = sums.into_iter().map(|sum| i128::try_from(u128::from(sum)).ok()).collect();
    let mut result = plan.decode(&Totals { records, values });
    let cells = result.statistics.remove(0).cells;
    Answer { records, cells, cost: plan.cost() }
}

fn study(statistic: &str) -> Study {
    let key = |seed| Signer::from_seed(&[seed; 32]).public();
    let available = [("alpha", 1), ("beta", 2)]
        .map(|(name, seed)| StudyServer { name: name.into(), identity: key(seed) });
    let context = StudyContext { available: &available, analyst: key(3), nonce: [0; 16] };
    let text = format!("{COLUMNS}\n[[statistic]]\n{statistic}\n");
    Study::from_file(&text, "example.toml", context).unwrap_or_else(|error| panic!("{error}"))
}

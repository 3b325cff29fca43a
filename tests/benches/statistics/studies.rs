//! The studies that are measured: one statistic each.

use mpc::{Field128, circuit::Validity, collect::Collect, sign::Signer};
use rand::RngExt as _;
use study::{ColumnType, Plan, Record, Study, StudyContext, StudyServer, Value};

use super::SERVERS;

/// Different records of a submission: what they hold does not matter for the time.
const RECORDS: usize = 64;

/// A study of one statistic.
pub struct Case {
    /// What is asked.
    pub name: &'static str,
    /// Its plan.
    pub plan: Plan,
    /// Bits of the column that is added up, at least 1.
    pub bits: usize,
    collect: Collect,
}

/// All studies. Values are earnings of 0.00 to 500.00, 16 bits; predictors are 0 to 100.
pub fn all() -> Vec<Case> {
    let value = "[[column]]\nname = \"y\"\ntype = \"decimal\"\ndecimals = 2\nmin = 0\nmax = 500\n";
    let grouped = |kind: &str, groups| {
        let of = "of = \"y\"\nby = \"g\"\n";
        format!("{value}{}{}{of}", category("g", groups), statistic(kind))
    };
    let regression = |predictors: usize| {
        let names: Vec<_> = (0..predictors).map(|number| format!("x{number}")).collect();
        let number = |name| {
            format!("[[column]]\nname = \"{name}\"\ntype = \"integer\"\nmin = 0\nmax = 100\n")
        };
        let columns: String = names.iter().map(number).collect();
        format!("{value}{columns}{}y = \"y\"\nx = {names:?}\n", statistic("regression"))
    };
    let crosstab = format!(
        "{}{}{}of = [\"a\", \"b\"]\n",
        category("a", 10),
        category("b", 20),
        statistic("crosstab")
    );
    vec![
        case("mean by 4 groups", 16, &grouped("mean", 4)),
        case("mean by 51 groups", 16, &grouped("mean", 51)),
        case("mean by 1,000 groups", 16, &grouped("mean", 1_000)),
        case("variance by 51 groups", 16, &grouped("variance", 51)),
        case("regression, 5 predictors", 16, &regression(5)),
        case("regression, 20 predictors", 16, &regression(20)),
        case("crosstab 10 × 20", 1, &crosstab),
    ]
}

impl Case {
    /// The most records of a submission, which is what `sotto submit` chooses.
    pub fn most(&self) -> u32 {
        self.collect.max_records()
    }

    /// The circuit of so many records.
    pub fn validity(&self, records: usize) -> Validity {
        Validity::new(self.plan.circuit().clone(), records)
    }

    /// Random records.
    pub fn records(&self, count: usize) -> Vec<Record> {
        let mut rng = rand::rng();
        let columns = self.plan.study().columns();
        let mut value = |holds: &ColumnType| match holds {
            ColumnType::Integer { min, max } | ColumnType::Decimal { min, max, .. } => {
                Value::Number(rng.random_range(*min..=*max).into())
            }
            ColumnType::Boolean => Value::Boolean(rng.random()),
            ColumnType::Category { values } => {
                Value::Category(rng.random_range(0..u32::try_from(values.len()).unwrap()))
            }
        };
        let mut record =
            || Record { values: columns.iter().map(|column| value(&column.holds)).collect() };
        let records: Vec<_> = (0..RECORDS.min(count)).map(|_| record()).collect();
        records.iter().cycle().take(count).cloned().collect()
    }

    /// The wires of records.
    pub fn encode(&self, records: &Vec<Record>) -> Vec<Field128> {
        let mut wires = Vec::with_capacity(records.len() * self.plan.circuit().wires());
        for record in records {
            self.plan.encode(record, &mut wires).expect("a record of the study");
        }
        wires
    }
}

fn case(name: &'static str, bits: usize, text: &str) -> Case {
    let key = |seed| Signer::from_seed(&[seed; 32]).public();
    let servers: Vec<_> = (1..=SERVERS)
        .map(|seed| StudyServer { name: format!("server {seed}"), identity: key(seed) })
        .collect();
    let context = StudyContext { available: &servers, analyst: key(99), nonce: [0; 16] };
    let text = format!("title = \"{name}\"\n{text}");
    let study = Study::from_file(&text, "study.toml", context).expect("a study within the limits");
    let plan = Plan::new(&study).expect("a plan");
    let collect = Collect::new(plan.circuit().clone(), study.id(), SERVERS.into()).expect("a VDAF");
    Case { name, plan, bits, collect }
}

fn category(name: &str, labels: usize) -> String {
    let labels: Vec<_> = (0..labels).map(|label| format!("{name}{label}")).collect();
    format!("[[column]]\nname = \"{name}\"\ntype = \"category\"\nvalues = {labels:?}\n")
}

fn statistic(kind: &str) -> String {
    format!("[[statistic]]\nname = \"s\"\nkind = \"{kind}\"\n")
}

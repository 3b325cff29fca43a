//! The demonstration's study and its real records, as many times over as are needed.

use std::{fmt::Write as _, io::Read as _, sync::Arc};

use flate2::read::GzDecoder;
use mpc::{
    Field128,
    circuit::Circuit,
    collect::Collect,
    ids::StudyId,
    sign::{PublicKey, Signer},
};
use study::{
    Plan, Study, StudyContext, StudyServer,
    table::{Row, Table},
};

const STUDY: &str = include_str!("../../../cli/data/wages.toml");
const RECORDS: &[u8] = include_bytes!("../../../cli/data/cps2004.csv.gz");
/// The shipped study takes fewer records than the largest measurement has.
const MAX_RECORDS: [&str; 2] = ["max_records = 100_000", "max_records = 10_000_000"];
/// Servers of every measurement.
pub const SERVERS: usize = 3;

/// The study and its records.
pub struct Data {
    /// The study file.
    pub toml: String,
    /// The same study in the clear, with keys of nobody.
    pub study: Study,
    /// Its proof system.
    pub collect: Collect,
    header: String,
    lines: Vec<String>,
    wires: Vec<Field128>,
    plan: Plan,
}

impl Data {
    /// Unpacks what is shipped.
    pub fn shipped() -> Self {
        let mut text = String::new();
        GzDecoder::new(RECORDS).read_to_string(&mut text).expect("the shipped data is whole");
        assert!(STUDY.contains(MAX_RECORDS[0]), "the shipped study says {}", MAX_RECORDS[0]);
        let toml = STUDY.replace(MAX_RECORDS[0], MAX_RECORDS[1]);
        let study = study(&toml);
        let plan = Plan::new(&study).expect("the shipped study has a plan");
        let mut wires = Vec::new();
        for row in Table::open(text.as_bytes(), "cps2004.csv", &study).expect("a table") {
            match row.expect("a row") {
                Row::Valid(record) => plan.encode(&record, &mut wires).expect("a record"),
                Row::Invalid(problems) => panic!("{}", problems[0]),
            }
        }
        let mut lines = text.lines().map(str::to_owned);
        let header = lines.next().expect("a header");
        let collect = Collect::new(plan.circuit().clone(), study.id(), SERVERS).expect("a VDAF");
        Self { toml, study, collect, header, lines: lines.collect(), wires, plan }
    }

    /// The circuit of one record.
    pub fn circuit(&self) -> &Arc<Circuit> {
        self.plan.circuit()
    }

    /// The study's id.
    pub fn id(&self) -> StudyId {
        self.study.id()
    }

    /// The most records of a submission, which is what `sotto submit` chooses.
    pub fn most(&self) -> usize {
        self.collect.max_records() as usize
    }

    /// A CSV of `count` records.
    pub fn csv(&self, count: usize) -> String {
        let mut text = format!("{}\n", self.header);
        for line in self.lines.iter().cycle().take(count) {
            writeln!(text, "{line}").expect("memory");
        }
        text
    }

    /// The wires of the same records, cut into submissions of `size` records.
    pub fn submissions(&self, count: usize, size: usize) -> Vec<Vec<Field128>> {
        let width = self.circuit().wires();
        let starts = (0..count).step_by(size);
        let records = |start: usize| start..(start + size).min(count);
        let wires = |record: usize| {
            let place = record % self.lines.len() * width;
            self.wires[place..place + width].iter().copied()
        };
        starts.map(|start| records(start).flat_map(wires).collect()).collect()
    }

    /// Says what is measured.
    pub fn introduce(&self) {
        let cost = self.plan.cost();
        println!(
            "study \"{}\": {} bits and {} products a record, {} sums; {SERVERS} servers; \
             at most {} records a submission",
            self.study.title(),
            cost.bits,
            cost.products,
            cost.outputs,
            self.most(),
        );
    }
}

fn study(toml: &str) -> Study {
    let key = |seed: u8| -> PublicKey { Signer::from_seed(&[seed; 32]).public() };
    let names = ["alpha", "beta", "gamma"].into_iter().zip(1..);
    let server = |(name, seed): (&str, u8)| StudyServer { name: name.into(), identity: key(seed) };
    let available: Vec<StudyServer> = names.map(server).collect();
    let context = StudyContext { available: &available, analyst: key(9), nonce: [7; 16] };
    Study::from_file(toml, "wages.toml", context).expect("the shipped study is valid")
}

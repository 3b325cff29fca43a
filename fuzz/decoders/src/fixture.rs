//! Fixture: the studies, keys and shares that inputs are read against. The same in every run.

use std::sync::OnceLock;

use mpc::{
    collect::{Collect, Origin, Sharded},
    ids::SubmissionId,
    sign::{PublicKey, Signer},
};
use rand::{SeedableRng, rngs::StdRng};
use study::{Plan, Record, Study, StudyContext, StudyServer, Value};

/// A study file with every type of column.
pub const STUDY: &str = r#"
title = "Seeds"
[privacy]
min_records = 2
min_cell = 2
[[column]]
name = "age"
type = "integer"
min = -3
max = 120
missing = "allowed"
[[column]]
name = "wage"
type = "decimal"
decimals = 2
min = 0
max = 500
unit = "USD/h"
[[column]]
name = "member"
type = "boolean"
[[column]]
name = "region"
type = "category"
values = ["North", "South, \"deep\"", "NA"]
[[statistic]]
name = "wage by region"
kind = "mean"
of = "wage"
by = ["region"]
[[statistic]]
name = "ages"
kind = "histogram"
of = "age"
bins = [-3, 40, 121]
"#;

/// The servers' names.
pub const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];

/// A study and what its parties derive of it.
pub struct Fixture {
    /// The servers' keys.
    pub signers: Vec<Signer>,
    /// The study.
    pub study: Study,
    /// Its plan.
    pub plan: Plan,
    /// Its VDAF.
    pub collect: Collect,
    /// A provider's key.
    pub provider: Signer,
}

/// The fixture.
pub fn get() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(|| Fixture::new(STUDY, 7))
}

/// Makes everything that is made once.
pub(crate) fn ready() {
    get().collect.bases().prepare();
    crate::bundle::ready();
    crate::answers::ready();
}

impl Fixture {
    /// Keys are drawn from the seed: those of the servers, then the analyst's.
    fn new(text: &str, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let signers: Vec<Signer> = NAMES.iter().map(|_| Signer::generate(&mut rng)).collect();
        let available = servers(&signers);
        let analyst = Signer::generate(&mut rng).public();
        let context = StudyContext { available: &available, analyst, nonce: [3; 16] };
        let study = Study::from_file(text, "study.toml", context).expect("a study");
        let plan = Plan::new(&study).expect("a plan");
        let collect = Collect::new(plan.circuit().clone(), study.id(), signers.len());
        let provider = Signer::from_seed(&[5; 32]);
        Self { signers, study, plan, collect: collect.expect("three servers"), provider }
    }

    /// The servers' public keys.
    pub fn keys(&self) -> Vec<PublicKey> {
        self.signers.iter().map(Signer::public).collect()
    }

    /// A submission of two records.
    pub fn sharded(&self) -> Sharded {
        let values = [
            [Value::Number(41), Value::Number(20_67), Value::Boolean(true), Value::Category(0)],
            [Value::Missing, Value::Number(0), Value::Boolean(false), Value::Category(2)],
        ];
        let mut wires = Vec::new();
        for values in values {
            let record = Record { values: values.to_vec() };
            self.plan.encode(&record, &mut wires).expect("a record of the study");
        }
        let origin = Origin {
            submission: SubmissionId([8; 16]),
            provider: self.provider.public(),
            amendment: None,
        };
        self.collect.shard(origin, wires, &mut StdRng::seed_from_u64(1)).expect("shares")
    }
}

/// The servers that study files may name.
pub fn servers(signers: &[Signer]) -> Vec<StudyServer> {
    let server = |(signer, name): (&Signer, &str)| StudyServer {
        name: name.to_owned(),
        identity: signer.public(),
    };
    signers.iter().zip(NAMES).map(server).collect()
}

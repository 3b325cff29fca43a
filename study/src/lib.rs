//! What is computed: studies, tables of records, the plan that turns records into sums, results.
//!
//! A [`Study`] says which columns a record has and which statistics are wanted. A provider reads a
//! [`table`] into [`Record`]s. The study's [`Plan`], which every party derives alike, encodes a
//! record as field elements for a proof and for shares; the servers add them up and open the
//! totals that the plan asks for, step by step; the plan decodes them to a [`StudyResult`].
//!
//! Nothing here is secret-shared, sent or stored: these are functions of their arguments. Read in
//! this order: [`Study`], [`table`], [`plan`], [`statistic`], [`result`].
//!
//! # Example
//! Three people, one statistic, and a single "server" that adds up in the clear what several would
//! add up in shares:
//!
//! ```
//! use mpc::{Field128, circuit::Validity, sign::Signer};
//! use prio::flp::Type;
//! use study::{Plan, Study, StudyContext, StudyServer, Totals, table::{Row, Table}};
//!
//! let text = r#"
//!     title = "Hourly earnings"
//!     [privacy]
//!     min_records = 3
//!     [[column]]
//!     name = "earnings"
//!     type = "decimal"
//!     decimals = 2
//!     min = 0
//!     max = 500
//!     [[column]]
//!     name = "region"
//!     type = "category"
//!     values = ["South", "West"]
//!     [[statistic]]
//!     name = "earnings by region"
//!     kind = "mean"
//!     of = "earnings"
//!     by = "region"
//! "#;
//! let key = |seed| Signer::from_seed(&[seed; 32]).public();
//! let available = [("alpha", 1), ("beta", 2)]
//!     .map(|(name, seed)| StudyServer { name: name.into(), identity: key(seed) });
//! let context = StudyContext { available: &available, analyst: key(3), nonce: [0; 16] };
//! let study = Study::from_file(text, "wages.toml", context)?;
//! let plan = Plan::new(&study)?;
//!
//! // The provider: two columns of this table are no business of the study.
//! let table = "name,region,earnings,age\nA,South,20.67,31\nB,West,24.28,50\nC,South,10.01,36\n";
//! let mut wires: Vec<Field128> = Vec::new();
//! let mut records = 0;
//! for row in Table::open(table.as_bytes(), "wages.csv", &study)? {
//!     match row? {
//!         Row::Valid(record) => plan.encode(&record, &mut wires)?,
//!         Row::Invalid(problems) => panic!("{}", problems[0]),
//!     }
//!     records += 1;
//! }
//!
//! // The servers: they see shares of the wires, and open what the plan asks for.
//! let sums = Validity::new(plan.circuit().clone(), records).truncate(wires)?;
//! let mut values = vec![None; plan.coordinates()];
//! loop {
//!     let next = plan.next_opening(3, &values);
//!     if next.is_empty() {
//!         break;
//!     }
//!     for coordinate in next {
//!         values[coordinate] = Some(i128::try_from(u128::from(sums[coordinate]))?);
//!     }
//! }
//!
//! // Everyone.
//! let result = plan.decode(&Totals { records: 3, values });
//! let south = &result.statistics[0].cells[0];
//! assert_eq!((south.by.get("region"), south.count), (Some("South"), Some(2)));
//! assert_eq!(south.number(), Some(15.34));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod decimal;
pub mod error;
pub mod limits;
pub mod plan;
mod record;
pub mod result;
pub mod statistic;
mod study;
pub mod table;

pub use error::StudyError;
pub use plan::{Plan, Totals};
pub use record::{Record, RecordError, Value};
pub use result::StudyResult;
pub use study::{
    Column, ColumnType, Differential, NotAParameter, Parameter, Privacy, Setting, Statistic, Study,
    StudyContext, StudyServer, Unit, is_invisible,
};

//! What a study costs, before anyone joins and without any server: sizes, time on this machine, and
//! which statistic is responsible for how much of it.

use std::path::Path;

use mpc::{
    collect::{Collect, CollectError},
    sign::Signer,
};
use serde::Serialize;
use study::{Plan, Study, StudyServer};

use crate::{
    error::ClientError,
    profile::Profile,
    progress::{Event, Progress},
    studies,
};

mod measure;

pub use measure::Cpu;

/// Servers where neither a profile nor the study file says which.
const SERVERS: usize = 3;
/// Bytes of the provider's signature over a public part.
const CREDENTIAL: usize = 64;
/// Bytes of a receipt: study, submission, hash of the public part, signature.
const RECEIPT: usize = 32 + 16 + 32 + 64;

/// What a study costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StudyCost {
    /// The study's title.
    pub title: String,
    /// Its servers.
    pub servers: Vec<String>,
    /// What one record consists of.
    pub record: RecordCost,
    /// Records of a submission, where the provider does not choose another number and has enough.
    pub records_per_submission: u32,
    /// A submission of one record, and one of as many as go by default.
    pub submissions: Vec<SubmissionCost>,
    /// Bytes of the receipt that every server returns for a submission.
    pub receipt_bytes: usize,
    /// Every statistic's part, in the study's order.
    pub statistics: Vec<StatisticCost>,
}

/// What one record consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RecordCost {
    /// Sums that the servers keep.
    pub coordinates: usize,
    /// Field elements of a record.
    pub wires: usize,
    /// Those of them that are bits.
    pub bits: usize,
    /// Those of them that are products.
    pub products: usize,
    /// Multiplications that the proof covers.
    pub multiplications: usize,
}

/// What a record costs in a submission of this size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SubmissionCost {
    /// Records of the submission.
    pub records: u32,
    /// Bytes of messages, for each record.
    pub bytes_per_record: Bytes,
    /// Processor time on this machine, in microseconds for each record.
    pub cpu_us_per_record: Cpu,
}

/// Bytes of messages: public parts, shares and signatures, without what gRPC and TLS add.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bytes {
    /// From the provider to the first server.
    pub first_server: f64,
    /// From the provider to each other server.
    pub other_server: f64,
    /// From each server to each other server.
    pub between_servers: f64,
}

/// One statistic's part in the cost of a study.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StatisticCost {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Coordinates that it is computed from.
    pub sums: usize,
    /// From how many of them another statistic is computed as well.
    pub shared: usize,
    /// What the study saves without it; none if it is the only one.
    pub saves: Option<Saving>,
}

/// How much less a study costs. Negative where it costs more.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Saving {
    /// Coordinates.
    pub coordinates: i64,
    /// Bytes of a record to the first server, in submissions of the default size.
    pub bytes_per_record: f64,
    /// Part of the processor time, in percent: that of the multiplications.
    pub cpu_percent: f64,
}

/// Reads a study file with the same checks as [`studies::create`], but for no one: with the servers
/// of `profile`, or with `servers` servers, or with those that the file names, or with three.
pub fn read(
    file: &Path,
    profile: Option<&Profile>,
    servers: Option<usize>,
) -> Result<Study, ClientError> {
    let text = studies::text_of(file)?;
    let named = Study::named_servers(&text);
    let available = match (profile, servers) {
        (_, Some(asked)) if !named.is_empty() && named.len() != asked => {
            return Err(ClientError::OtherServers { file: file.into(), named: named.len(), asked });
        }
        (Some(profile), None) => studies::available(profile),
        _ if !named.is_empty() => nobodies(named),
        _ => {
            let number = 1..=servers.unwrap_or(SERVERS);
            nobodies(number.map(|number| format!("server {number}")))
        }
    };
    studies::parse(&text, file, &available, nobody(u64::MAX).public(), [0; 16])
}

/// Calculates what a study costs, and measures it for about half a second.
pub fn cost(study: &Study, progress: &dyn Progress) -> Result<StudyCost, ClientError> {
    let plan = Plan::new(study)?;
    let collect = collect(&plan)?;
    let most = default_records(study, &collect);
    let mut sizes = vec![1, most];
    sizes.dedup();
    let submissions = sizes.into_iter().map(|records| {
        progress.event(Event::Measuring { records });
        Ok::<_, ClientError>(SubmissionCost {
            records,
            bytes_per_record: bytes(&collect, records),
            cpu_us_per_record: measure::measure(&plan, &collect, records)?,
        })
    });
    let submissions = submissions.collect::<Result<_, _>>()?;
    let cost = plan.cost();
    Ok(StudyCost {
        title: study.title().to_owned(),
        servers: study.servers().iter().map(|server| server.name.clone()).collect(),
        record: RecordCost {
            coordinates: cost.outputs,
            wires: cost.wires,
            bits: cost.bits,
            products: cost.products,
            multiplications: cost.multiplications,
        },
        records_per_submission: most,
        submissions,
        receipt_bytes: RECEIPT,
        statistics: statistics(study, &plan)?,
    })
}

fn statistics(study: &Study, plan: &Plan) -> Result<Vec<StatisticCost>, ClientError> {
    let all = study.statistics().iter().zip(plan.used()).enumerate();
    let costs = all.map(|(place, (statistic, used))| {
        Ok(StatisticCost {
            name: statistic.name.clone(),
            kind: statistic.kind.clone(),
            sums: used.sums,
            shared: used.shared,
            saves: plan.without(place).map(|rest| saving(plan, &rest)).transpose()?,
        })
    });
    costs.collect()
}

fn saving(plan: &Plan, rest: &Plan) -> Result<Saving, CollectError> {
    let bytes = |plan: &Plan| -> Result<f64, CollectError> {
        let collect = collect(plan)?;
        Ok(bytes(&collect, default_records(plan.study(), &collect)).first_server)
    };
    let (cost, less) = (plan.cost(), rest.cost());
    let outputs = |cost: study::plan::Cost| i64::try_from(cost.outputs).unwrap_or(i64::MAX);
    let (all, left) = (cost.multiplications as f64, less.multiplications as f64);
    Ok(Saving {
        coordinates: outputs(cost) - outputs(less),
        bytes_per_record: bytes(plan)? - bytes(rest)?,
        cpu_percent: 100.0 * (all - left) / all.max(1.0),
    })
}

fn collect(plan: &Plan) -> Result<Collect, CollectError> {
    Collect::new(plan.circuit().clone(), plan.study().id(), plan.study().servers().len())
}

/// Records of a submission as `submit` cuts them.
fn default_records(study: &Study, collect: &Collect) -> u32 {
    let records = u32::try_from(study.max_records()).unwrap_or(u32::MAX);
    collect.max_records().min(records)
}

/// The bytes of a submission, for each of its records.
fn bytes(collect: &Collect, records: u32) -> Bytes {
    let sizes = collect.sizes(records);
    let each = |bytes: usize| bytes as f64 / f64::from(records);
    let upload = |payload| each(sizes.public + payload + CREDENTIAL);
    Bytes {
        first_server: upload(sizes.first),
        other_server: upload(sizes.other),
        between_servers: each(sizes.message),
    }
}

/// Servers that nobody runs.
fn nobodies(names: impl IntoIterator<Item = String>) -> Vec<StudyServer> {
    let numbered = (0..).zip(names);
    numbered.map(|(number, name)| StudyServer { name, identity: nobody(number).public() }).collect()
}

/// A key that stands for somebody who is not known yet.
fn nobody(number: u64) -> Signer {
    let mut seed = [0; 32];
    seed.iter_mut().zip(number.to_be_bytes()).for_each(|(own, byte)| *own = byte);
    Signer::from_seed(&seed)
}

//! Receipts held against the result: each submission of a provider counts, or does not for a reason
//! that the servers gave, or some server broke the word that it had signed, or nobody proves any of
//! that. A server is accused only by two of its signatures, never for what others do not say.

use std::path::Path;

use mpc::{
    ids::{PublicHash, StudyId, SubmissionId},
    receipt::Receipt,
    sign::Signature,
};
use serde::Serialize;
use study::Study;
use tokio_util::sync::CancellationToken;

use crate::{
    connection::Cluster,
    error::ClientError,
    profile::Profile,
    progress::Progress,
    result, studies,
    submit::receipts::{self, Entry, Header},
};
pub use evidence::Evidence;
use ground::Ground;
use prove::Records;

mod evidence;
mod ground;
pub(crate) mod prove;

/// What became of a provider's submissions.
#[derive(Debug, Clone, Serialize)]
pub struct ReceiptReport {
    /// The study's id, in hexadecimal.
    pub study: String,
    /// Its title.
    pub title: String,
    /// Submissions that count.
    pub counted: u64,
    /// Submissions that do not, for a reason.
    pub rejected: u64,
    /// Submissions of which a server broke its word.
    pub broken: u64,
    /// Submissions of which nobody proves what became of them.
    pub unproven: u64,
    /// Each submission, in the order of the file.
    pub submissions: Vec<Standing>,
    /// Why some servers proved less than they were asked for. The root is signed by all, so that one
    /// server's proof is enough.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub silent: Vec<String>,
    /// Words that servers broke.
    pub evidence: Vec<Evidence>,
}

/// What became of one submission.
#[derive(Debug, Clone, Serialize)]
pub struct Standing {
    /// The batch's number.
    pub batch: u64,
    /// The submission's id, in hexadecimal.
    pub submission: String,
    /// Records in it, says the receipts file.
    pub records: u32,
    /// Records that count, where the receipts file says another number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counted_records: Option<u32>,
    /// Whether it counts.
    pub fate: Fate,
    /// Why it does not, or who says what.
    pub what: String,
    /// Servers that proved that it counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proven_by: Vec<String>,
    /// Servers without a valid receipt in the file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub without_receipt: Vec<String>,
}

/// Whether a submission counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It stands under the root that all servers signed.
    Counted,
    /// The servers gave a reason why not.
    Rejected,
    /// A server broke its signed word.
    Broken,
    /// Nobody proves that it counts, gives a reason why not, or broke its word.
    Unproven,
}

/// A submission as its provider remembers it.
struct Held {
    batch: u64,
    id: SubmissionId,
    public: PublicHash,
    records: u32,
    /// Valid receipts, by party; none: there is no valid one.
    receipts: Vec<Option<Receipt>>,
}

/// Holds the receipts in `file` against the result: that of a bundle, or that of the servers.
pub async fn check(
    profile: Option<&Profile>,
    file: &Path,
    bundle: Option<&Path>,
    stop: &CancellationToken,
    progress: &dyn Progress,
) -> Result<ReceiptReport, ClientError> {
    let (header, entries) = receipts::entries(file)?;
    let id = study_of(file, &header)?;
    match (bundle, profile) {
        (Some(bundle), _) => {
            let front = prove::front(bundle, id)?;
            let held = held(file, &entries, &front.study)?;
            let ground = prove::from_bundle(bundle, front, &held)?;
            let report = ground.report(id, &held);
            match ground.published.is_none() && report.evidence.is_empty() {
                true => Err(ClientError::NoResult { file: bundle.to_owned() }),
                false => Ok(report),
            }
        }
        (None, Some(profile)) => {
            let (cluster, _) = Cluster::connect_to_some(profile).await?;
            let study = studies::overview(&cluster, id).await?.definition;
            let servers = cluster.servers_of(&study)?;
            let held = held(file, &entries, &study)?;
            let records = Records { servers: &servers, id, held: &held, stop, progress };
            match result::signed_by_all(&servers, id, &study).await {
                Ok(published) => records.of_published(Ground::of(study, Some(published))).await,
                // No result, but perhaps the messages that were signed on the way to one.
                Err(
                    ended @ (ClientError::ResultRefused { .. } | ClientError::StudyAborted { .. }),
                ) => {
                    let report = records.of_ended(Ground::of(study, None)).await?;
                    if report.evidence.is_empty() { Err(ended) } else { Ok(report) }
                }
                Err(error) => Err(error),
            }
        }
        (None, None) => Err(profile_missing()),
    }
}

fn profile_missing() -> ClientError {
    crate::profile::ProfileError::Missing { file: "sotto.toml".into() }.into()
}

fn study_of(file: &Path, header: &Header) -> Result<StudyId, ClientError> {
    header.study.parse().map_err(|_| not_receipts(file, 1))
}

fn not_receipts(file: &Path, line: u64) -> ClientError {
    receipts::ReceiptsError::NotReceipts { path: file.to_owned(), line }.into()
}

fn held(file: &Path, entries: &[Entry], study: &Study) -> Result<Vec<Held>, ClientError> {
    let one = |(line, entry): (u64, &Entry)| {
        let not_receipts = || not_receipts(file, line);
        let id = entry.submission.parse().map_err(|_| not_receipts())?;
        let public: PublicHash = entry.public_hash.parse().map_err(|_| not_receipts())?;
        let receipt = |server: &study::StudyServer| {
            let signature = hex::decode(entry.receipts.get(&server.name)?).ok()?;
            let signature = Signature::try_from(&signature[..]).ok()?;
            let receipt = Receipt { study: study.id(), submission: id, public, signature };
            receipt.verify(&server.identity).is_ok().then_some(receipt)
        };
        let receipts = study.servers().iter().map(receipt).collect();
        Ok(Held { batch: entry.batch, id, public, records: entry.records, receipts })
    };
    (2..).zip(entries).map(one).collect()
}

#[cfg(test)]
mod tests;

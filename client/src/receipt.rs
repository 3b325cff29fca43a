//! Receipts held against the result: each submission of a provider counts, or does not for a reason
//! that the servers gave, or some server broke the word that it had signed.

use std::{collections::BTreeMap, path::Path};

use mpc::{
    collect::Reason,
    ids::{PublicHash, StudyId, SubmissionId},
    publish::{BrokenWord, Published, ShownList},
    receipt::Receipt,
    sign::Signature,
    transcript::{Message, Step},
};
use serde::Serialize;
use study::Study;
use tokio_util::sync::CancellationToken;

use crate::{
    audit::Front,
    connection::Cluster,
    error::ClientError,
    profile::Profile,
    progress::Progress,
    result, studies,
    submit::receipts::{self, Entry, Header},
};
pub use evidence::Evidence;

mod evidence;
mod prove;

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
    /// Each submission, in the order of the file.
    pub submissions: Vec<Standing>,
    /// Why some servers proved nothing. The root is signed by all, so that one server's proof is
    /// enough.
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
    /// Records in it.
    pub records: u32,
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

/// What the result says of submissions.
struct Ground {
    study: Study,
    published: Published,
    /// Who proved that a submission counts.
    proven: BTreeMap<SubmissionId, Vec<String>>,
    /// Why servers proved nothing.
    silent: Vec<String>,
    /// The messages, if they are at hand.
    front: Option<Front>,
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
    let (ground, held) = match (bundle, profile) {
        (Some(bundle), _) => {
            let front = prove::front(bundle, id)?;
            let held = held(file, &entries, &front.study)?;
            (prove::from_bundle(bundle, front, &held)?, held)
        }
        (None, Some(profile)) => {
            let (cluster, _) = Cluster::connect_to_some(profile).await?;
            let study = studies::overview(&cluster, id).await?.definition;
            let servers = cluster.servers_of(&study)?;
            let published = result::signed_by_all(&servers, id, &study).await?;
            let held = held(file, &entries, &study)?;
            let (proven, silent) = prove::from_servers(&servers, &published, id, &held).await?;
            let mut ground = Ground { study, published, proven, silent, front: None };
            if held.iter().any(|held| ground.is_doubtful(held)) {
                ground.front = Some(prove::messages(&servers, id, stop, progress).await?);
            }
            (ground, held)
        }
        (None, None) => return Err(profile_missing()),
    };
    Ok(ground.report(id, &held))
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

impl Ground {
    fn name(&self, party: usize) -> String {
        self.study.servers().get(party).map_or_else(String::new, |server| server.name.clone())
    }

    /// Whether the messages are needed to tell what became of a submission.
    fn is_doubtful(&self, held: &Held) -> bool {
        match self.published.reason(&held.id) {
            Some(reason) => !reason.is_of_all_servers(),
            None => !self.proven.contains_key(&held.id),
        }
    }

    fn report(&self, id: StudyId, held: &[Held]) -> ReceiptReport {
        let mut evidence = Vec::new();
        let submissions: Vec<Standing> =
            held.iter().map(|held| self.standing(held, &mut evidence)).collect();
        let number = |fate| submissions.iter().filter(|one| one.fate == fate).count() as u64;
        ReceiptReport {
            study: id.to_string(),
            title: crate::status::printable(self.study.title()),
            counted: number(Fate::Counted),
            rejected: number(Fate::Rejected),
            broken: number(Fate::Broken),
            submissions,
            silent: self.silent.clone(),
            evidence,
        }
    }

    fn standing(&self, held: &Held, evidence: &mut Vec<Evidence>) -> Standing {
        let without = held.receipts.iter().enumerate().filter(|(_, receipt)| receipt.is_none());
        let mut standing = Standing {
            batch: held.batch,
            submission: held.id.to_string(),
            records: held.records,
            fate: Fate::Counted,
            what: "stands in the set that all servers signed".into(),
            proven_by: self.proven.get(&held.id).cloned().unwrap_or_default(),
            without_receipt: without.map(|(party, _)| self.name(party)).collect(),
        };
        if !standing.proven_by.is_empty() {
            return standing;
        }
        let reason = self.published.reason(&held.id);
        if let Some(reason) = reason.filter(|reason| reason.is_of_all_servers()) {
            (standing.fate, standing.what) = (Fate::Rejected, reason.describe().into());
            return standing;
        }
        let broken = self.broken(held, reason);
        if broken.is_empty() {
            standing.fate = Fate::Rejected;
            standing.what = reason.map_or(
                "no server whose receipt is in the file says anything of it".to_owned(),
                |reason| reason.describe().into(),
            );
            return standing;
        }
        let names: Vec<&str> = broken.iter().map(|one| one.server.as_str()).collect();
        standing.fate = Fate::Broken;
        standing.what = match reason {
            Some(_) => {
                format!("{} signed a receipt for it, and then a list without it", names.join(", "))
            }
            None => format!(
                "{} signed a receipt for it, and then a set that neither counts nor rejects it",
                names.join(", ")
            ),
        };
        evidence.extend(broken);
        standing
    }

    /// Servers whose receipt and later word contradict each other.
    fn broken(&self, held: &Held, reason: Option<Reason>) -> Vec<Evidence> {
        let Some(front) = &self.front else { return Vec::new() };
        let place = front.recording.place(front.id);
        let receipts = held.receipts.iter().zip(self.study.servers()).zip(0u8..);
        let broken = receipts.filter_map(|((receipt, server), party)| {
            let receipt = (*receipt)?;
            let message = match reason {
                Some(_) => {
                    let message = last(front, Step::Lists, party)?;
                    let list = ShownList::decode(place, &message.body).ok()?;
                    if list.public(&held.id) == Some(held.public) {
                        return None;
                    }
                    message
                }
                None => last(front, Step::Set, party)?,
            };
            let broken = BrokenWord { receipt, message: message.clone() };
            broken.verify(&server.identity, place).ok()?;
            Some(Evidence::of(&broken, server, place))
        });
        broken.collect()
    }
}

/// The last message of a step by a party.
fn last(front: &Front, step: Step, party: u8) -> Option<&Message> {
    let messages = front.recording.rounds.iter().rev().flatten();
    let mut of_step = messages.filter(|message| {
        let statement = &message.statement;
        (statement.step, statement.party.0) == (step as u8, party)
    });
    of_step.next()
}

#[cfg(test)]
mod tests;

//! Sums: what this server opens, and what everybody holds it against, added up over the agreed set
//! in constant memory.

use std::sync::Arc;

use mpc::{
    RistrettoPoint,
    collect::PublicPart,
    ids::{PublicHash, SubmissionId},
    publish::{
        AgreedSet, ResultShare,
        audit::{Tallied, Tally},
    },
};
use zeroize::Zeroizing;

use super::super::JobError;
use crate::{catalog::StudyContext, node::Node, storage::StorageError, work};

/// Submissions read from the database at a time: at the largest, an output share is 256 KiB.
const PAGE: usize = 64;

/// This server's sums over the set, and the sums of all servers' commitments.
pub(super) async fn over(
    node: &Node,
    context: &Arc<StudyContext>,
    set: &AgreedSet,
) -> Result<(ResultShare, Vec<RistrettoPoint>), JobError> {
    let mut sums = Sums {
        context: context.clone(),
        share: ResultShare::new(context.plan.coordinates()),
        tally: Tally::new(context.keys.len()),
    };
    let mut after = None;
    loop {
        let mut page = node.storage.output_shares(context.id, after, PAGE).await?;
        let is_last = page.len() < PAGE;
        after = page.last().map(|(submission, _)| *submission);
        page.retain(|(submission, _)| set.dropped.binary_search(submission).is_err());
        let ids: Vec<SubmissionId> = page.iter().map(|(submission, _)| *submission).collect();
        let stored = node.storage.submissions(context.id, &ids).await?;
        let shares = page.into_iter().map(|(_, share)| share);
        let mut rows = Vec::with_capacity(ids.len());
        for (stored, share) in stored.into_iter().zip(shares) {
            let stored = stored.ok_or_else(damaged)?;
            rows.push(Row { public: stored.public, public_hash: stored.public_hash, share });
        }
        // Points are decompressed on a thread of their own: the async threads keep answering.
        let added = work::aside(move || sums.add(&rows).map(|()| sums));
        sums = added.await.map_err(|_| JobError::Stopping)??;
        if is_last {
            break;
        }
    }
    let Tallied { root, submissions, records, sums: commitments } = sums.tally.finish();
    let is_the_set = (root, submissions, records) == (set.root, set.submissions, set.records);
    if !is_the_set || sums.share.submissions() != set.submissions {
        return Err(damaged());
    }
    let opened = (sums.share, commitments);
    #[cfg(feature = "testing")]
    if node.adds_wrongly.load(std::sync::atomic::Ordering::Relaxed) {
        return Ok(one_too_large(context, opened));
    }
    Ok(opened)
}

/// Adds 1 to the first sum, and to what this server holds itself against.
#[cfg(feature = "testing")]
fn one_too_large(
    context: &StudyContext,
    (mut share, mut commitments): (ResultShare, Vec<RistrettoPoint>),
) -> (ResultShare, Vec<RistrettoPoint>) {
    let mut one = mpc::collect::OutputShare {
        values: Zeroizing::new(vec![0; context.plan.coordinates()]),
        blinding: mpc::pedersen::Blinding::from_uniform_bytes(&[0; 64]),
    };
    one.values.iter_mut().take(1).for_each(|value| *value = 1);
    share.add(&one);
    if let Some(mine) = commitments.get_mut(context.me.index()) {
        *mine += context.collect.bases().base(0);
    }
    (share, commitments)
}

struct Sums {
    context: Arc<StudyContext>,
    share: ResultShare,
    tally: Tally,
}

/// What this server holds of one submission of the set.
struct Row {
    public: Vec<u8>,
    public_hash: PublicHash,
    share: Zeroizing<Vec<u8>>,
}

impl Sums {
    fn add(&mut self, rows: &[Row]) -> Result<(), JobError> {
        for row in rows {
            // The commitments of others are only as good as the bytes that the set is about.
            if PublicPart::hash_encoded(&row.public) != row.public_hash {
                return Err(damaged());
            }
            let public = PublicPart::decode(&row.public).map_err(|_| damaged())?;
            self.tally.push(&public, row.public_hash).map_err(|_| damaged())?;
            let share = self.context.collect.decode_output_share(&row.share);
            self.share.add(&share.map_err(|_| damaged())?);
        }
        Ok(())
    }
}

fn damaged() -> JobError {
    StorageError::Damaged("a submission of the set is missing or is not the one that was agreed on")
        .into()
}

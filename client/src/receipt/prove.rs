//! Proofs that submissions count: from a bundle, whose whole list is there, or from every server.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use mpc::{
    collect::PublicPart,
    ids::{PublicHash, StudyId, SubmissionId},
    merkle::{self, Proof},
    publish::Published,
    record::Section,
};
use proto::v1;
use tokio_util::sync::CancellationToken;

use super::{Ground, Held};
use crate::{
    audit::Front,
    bundle::{self, Bundle, BundleError, Until},
    connection::Server,
    deadline::{self, request},
    error::ClientError,
    progress::Progress,
};

/// Submissions that a server proves at once.
const PROOFS: usize = 256;

/// The beginning of a bundle of study `id`, with a result that all servers signed.
pub(super) fn front(file: &Path, id: StudyId) -> Result<Front, ClientError> {
    let mut bundle = Bundle::open(file)?;
    let found = bundle.head().study;
    if found != id {
        return Err(BundleError::OtherStudy { file: file.to_owned(), found }.into());
    }
    Front::of(&mut bundle)
}

/// Reads the list of a bundle and sees which of the submissions are in it, under the root that all
/// servers signed.
pub(super) fn from_bundle(file: &Path, front: Front, held: &[Held]) -> Result<Ground, ClientError> {
    let false_record = |text: String| ClientError::FalseRecord { file: file.to_owned(), text };
    let no_result = || ClientError::NoResult { file: file.to_owned() };
    let published = front.published.clone().ok_or_else(no_result)?;
    published.verify(front.id, &front.keys).map_err(|error| false_record(error.to_string()))?;
    let wanted: HashMap<SubmissionId, PublicHash> =
        held.iter().map(|held| (held.id, held.public)).collect();
    let mut proven = BTreeMap::new();
    let names: Vec<String> =
        front.study.servers().iter().map(|server| server.name.clone()).collect();
    let mut bundle = Bundle::open(file)?;
    let (mut message, mut tree) = (Vec::new(), merkle::Tree::default());
    while let Some(section) = bundle.next(&mut message)? {
        let counted = message.split_first().filter(|(flag, _)| **flag == 1);
        let Some((_, public)) = counted.filter(|_| section == Section::Submission) else {
            continue;
        };
        let hash = PublicPart::hash_encoded(public);
        let public = PublicPart::decode(public).map_err(|error| bundle.damaged(error))?;
        tree.push(merkle::leaf(&public.submission, &hash, public.records));
        if wanted.get(&public.submission) == Some(&hash) {
            proven.insert(public.submission, names.clone());
        }
    }
    if tree.root() != published.root {
        let text = "the submissions are not those under the root that the servers signed";
        return Err(false_record(text.into()));
    }
    let (study, silent) = (front.study.clone(), Vec::new());
    Ok(Ground { study, published, proven, silent, front: Some(front) })
}

/// Asks every server for proofs, and checks them against the root that all servers signed. Returns
/// who proved which submission, and why servers proved nothing.
pub(super) async fn from_servers(
    servers: &[Server],
    published: &Published,
    id: StudyId,
    held: &[Held],
) -> Result<(BTreeMap<SubmissionId, Vec<String>>, Vec<String>), ClientError> {
    let mut proven: BTreeMap<SubmissionId, Vec<String>> = BTreeMap::new();
    let mut silent = Vec::new();
    for server in servers {
        for some in held.chunks(PROOFS) {
            let inclusions = match ask(server, id, some).await {
                Ok(inclusions) => inclusions,
                // The root is signed by all, so that one server's proof is as good as every one's.
                Err(error) => {
                    silent.push(error.to_string());
                    break;
                }
            };
            let by_id: HashMap<&[u8], &v1::Inclusion> =
                inclusions.iter().map(|one| (&one.submission_id[..], one)).collect();
            for held in some {
                let Some(inclusion) = by_id.get(&held.id.0[..]) else { continue };
                if proves(inclusion, published, held) {
                    proven.entry(held.id).or_default().push(server.name().to_owned());
                } else if inclusion.public_hash[..] == held.public.0 {
                    return Err(
                        server.broke(format!("its proof of submission {} is none", held.id))
                    );
                }
            }
        }
    }
    Ok((proven, silent))
}

fn proves(inclusion: &v1::Inclusion, published: &Published, held: &Held) -> bool {
    let leaf = merkle::leaf(&held.id, &held.public, held.records);
    Proof::decode(&inclusion.proof).is_ok_and(|proof| {
        proof.leaves == published.submissions && proof.verify(&leaf, &published.root)
    })
}

async fn ask(
    server: &Server,
    id: StudyId,
    held: &[Held],
) -> Result<Vec<v1::Inclusion>, ClientError> {
    let message = v1::ProveRequest {
        study_id: id.0.to_vec().into(),
        submission_ids: held.iter().map(|held| held.id.0.to_vec().into()).collect(),
    };
    let prove = async || server.audit().prove(request(message.clone(), deadline::SUBMIT)).await;
    let answer = deadline::patiently(prove).await.map_err(|status| server.failed(&status))?;
    Ok(answer.into_inner().inclusions)
}

/// The messages of the run that ended the study, from any server.
pub(super) async fn messages(
    servers: &[Server],
    id: StudyId,
    stop: &CancellationToken,
    progress: &dyn Progress,
) -> Result<Front, ClientError> {
    let failed = |source| ClientError::File { path: std::env::temp_dir(), source };
    let dir = tempfile::tempdir().map_err(failed)?;
    let file = dir.path().join("record");
    bundle::download(servers, id, &file, Until::Submissions, stop, progress).await?;
    front(&file, id)
}

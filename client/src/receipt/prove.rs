//! Proofs that submissions count: from a bundle, whose whole list is there, or from every server.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead as _, BufReader},
    path::Path,
    slice,
};

use mpc::{
    collect::PublicPart,
    ids::{PublicHash, StudyId, SubmissionId},
    merkle::{self, Proof},
    publish::{Published, WholeSet},
    record::Section,
};
use proto::v1;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{
    Held, ReceiptReport,
    ground::{Ground, Proven, Whole},
};
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

/// The servers of an ended study, and what they are asked for.
pub(super) struct Records<'a> {
    pub servers: &'a [Server],
    pub id: StudyId,
    pub held: &'a [Held],
    pub stop: &'a CancellationToken,
    pub progress: &'a dyn Progress,
}

/// The beginning of a bundle of study `id`.
pub(super) fn front(file: &Path, id: StudyId) -> Result<Front, ClientError> {
    let mut bundle = Bundle::open(file)?;
    let found = bundle.head().study;
    if found != id {
        return Err(BundleError::OtherStudy { file: file.to_owned(), found }.into());
    }
    Front::of(&mut bundle)
}

/// Reads the list of a bundle and sees which of the submissions are in it, under the root that all
/// servers signed. Without a result only the messages are of use.
pub(super) fn from_bundle(file: &Path, front: Front, held: &[Held]) -> Result<Ground, ClientError> {
    let false_record = |text: String| ClientError::FalseRecord { file: file.to_owned(), text };
    let mut ground = Ground::of(front.study.clone(), front.published.clone());
    if let Some(published) = &front.published {
        published.verify(front.id, &front.keys).map_err(|error| false_record(error.to_string()))?;
        let sought = held.iter().map(|held| (held.id, held.public));
        let mut set = WholeSet::new(published.rejected.clone(), sought);
        let servers = front.study.servers();
        let mut bundle = Bundle::open(file)?;
        let mut message = Vec::new();
        while let Some(section) = bundle.next(&mut message)? {
            let counted = message.split_first().filter(|(flag, _)| **flag == 1);
            let Some((_, public)) = counted.filter(|_| section == Section::Submission) else {
                continue;
            };
            let hash = PublicPart::hash_encoded(public);
            let public = PublicPart::decode(public).map_err(|error| bundle.damaged(error))?;
            if set.push(public.submission, hash, public.records) {
                let by = servers.iter().map(|server| server.name.clone()).collect();
                ground.proven.insert(public.submission, Proven { by, records: public.records });
            }
        }
        if set.root() != published.root {
            let text = "the submissions are not those under the root that the servers signed";
            return Err(false_record(text.into()));
        }
        ground.whole = Some(Whole { set, bundle: sha256(file)? });
    }
    ground.front = Some(front);
    Ok(ground)
}

fn sha256(file: &Path) -> Result<String, BundleError> {
    let hash = || -> io::Result<String> {
        let (mut source, mut hasher) = (BufReader::new(File::open(file)?), Sha256::new());
        loop {
            let bytes = source.fill_buf()?;
            if bytes.is_empty() {
                return Ok(hex::encode(hasher.finalize()));
            }
            hasher.update(bytes);
            let read = bytes.len();
            source.consume(read);
        }
    };
    hash().map_err(|source| BundleError::Io { file: file.to_owned(), source })
}

impl Records<'_> {
    /// Asks every server for proofs; where these leave something open, for the record, too.
    pub async fn of_published(&self, mut ground: Ground) -> Result<ReceiptReport, ClientError> {
        for server in self.servers {
            // The root is signed by all, so that one server's proof is as good as every one's.
            if let Err(error) = self.proofs(server, &mut ground).await {
                ground.silent.push(error.to_string());
            }
        }
        if self.held.iter().any(|held| ground.is_unknown(held)) {
            self.whole(&mut ground).await?;
        } else if self.held.iter().any(|held| ground.is_doubtful(held)) {
            return self.of_ended(ground).await;
        }
        Ok(ground.report(self.id, self.held))
    }

    /// Looks for broken words in the messages that the servers give out, one after the other: who
    /// broke its word may leave them out.
    pub async fn of_ended(&self, mut ground: Ground) -> Result<ReceiptReport, ClientError> {
        for server in self.servers {
            let record = self.record(server, Until::Submissions).await;
            match record.and_then(|dir| front(&file_in(&dir), self.id)) {
                Ok(front) => ground.front = Some(front),
                Err(ClientError::Interrupted) => return Err(ClientError::Interrupted),
                Err(error) => ground.silent.push(error.to_string()),
            }
            let report = ground.report(self.id, self.held);
            if !report.evidence.is_empty() {
                return Ok(report);
            }
        }
        Ok(ground.report(self.id, self.held))
    }

    /// Reads all that counts, from the first server that gives out what all signed.
    async fn whole(&self, ground: &mut Ground) -> Result<(), ClientError> {
        for server in self.servers {
            let found = self.record(server, Until::End).await.and_then(|dir| {
                let file = file_in(&dir);
                let found = from_bundle(&file, front(&file, self.id)?, self.held)?;
                match found.whole.is_some() {
                    true => Ok(found),
                    false => Err(server.broke("its record has no result, and there is one")),
                }
            });
            match found {
                Ok(found) => {
                    for (id, proven) in found.proven {
                        ground.proven.entry(id).or_insert(proven);
                    }
                    (ground.front, ground.whole) = (found.front, found.whole);
                    return Ok(());
                }
                Err(ClientError::Interrupted) => return Err(ClientError::Interrupted),
                // The file is gone by then: its server is what matters.
                Err(ClientError::FalseRecord { text, .. }) => {
                    ground.silent.push(server.broke(format!("its record: {text}")).to_string());
                }
                Err(error) => ground.silent.push(error.to_string()),
            }
        }
        Ok(())
    }

    /// The record as one server gives it out, in a directory that is deleted afterwards.
    async fn record(&self, server: &Server, until: Until) -> Result<TempDir, ClientError> {
        let failed = |source| ClientError::File { path: std::env::temp_dir(), source };
        let dir = tempfile::tempdir().map_err(failed)?;
        let (servers, file) = (slice::from_ref(server), file_in(&dir));
        bundle::download(servers, self.id, &file, until, self.stop, self.progress).await?;
        Ok(dir)
    }

    /// Asks one server for proofs, and checks them against the root that all servers signed. Its
    /// first fault ends it.
    async fn proofs(&self, server: &Server, ground: &mut Ground) -> Result<(), ClientError> {
        let Ground { published: Some(published), proven, .. } = ground else { return Ok(()) };
        for some in self.held.chunks(PROOFS) {
            let inclusions = ask(server, self.id, some).await?;
            let by_id: HashMap<&[u8], &v1::Inclusion> =
                inclusions.iter().map(|one| (&one.submission_id[..], one)).collect();
            for held in some {
                let Some(inclusion) = by_id.get(&held.id.0[..]) else { continue };
                if proves(inclusion, published, (&held.id, &held.public)) {
                    let proven: &mut Proven = proven.entry(held.id).or_default();
                    proven.by.push(server.name().to_owned());
                    proven.records = inclusion.records;
                } else if inclusion.public_hash[..] == held.public.0 {
                    let what = format!("its proof of submission {} is none", held.id);
                    return Err(server.broke(what));
                }
            }
        }
        Ok(())
    }
}

fn file_in(dir: &TempDir) -> std::path::PathBuf {
    dir.path().join("record")
}

/// The number of records is the server's: the hash that the provider kept binds it, and the leaf
/// has both.
pub(crate) fn proves(
    inclusion: &v1::Inclusion,
    published: &Published,
    (id, public): (&SubmissionId, &PublicHash),
) -> bool {
    let leaf = merkle::leaf(id, public, inclusion.records);
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

//! The submissions of a bundle: read once, in pages. This thread checks what each of them is and
//! hashes it into the tree; the others add up the commitments, which is most of the work.

use std::{
    collections::HashMap,
    num::NonZero,
    path::Path,
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use mpc::{
    collect::{Origin, PublicPart},
    ids::{PublicHash, SubmissionId},
    pedersen::Commitment,
    publish::{
        Published,
        audit::{Sums, Tallied, Tally, TallyError},
    },
    record::Section,
};

use super::{
    amended::Amended,
    finding::{Failed, Finding},
    front::Front,
    rules::Admission,
};
use crate::{
    bundle::{Bundle, BundleError},
    error::ClientError,
    progress::{Event, Progress},
};

/// Submissions handed to another thread at a time.
const PAGE: usize = 512;
/// More threads than that add little.
const MAX_THREADS: usize = 16;
/// The check that fails here.
const CHECK: &str = "submissions";

/// What the submissions come to.
pub(super) struct Counted {
    /// Root, numbers and sums over those that count.
    pub tallied: Tallied,
    /// How many do not count, of those that all servers hold.
    pub rejected: u64,
    /// What those that count keep of the study's rules.
    pub admission: Admission,
}

/// Commitments of some submissions.
type Page = Vec<(SubmissionId, Vec<Commitment>)>;

/// Reads all submissions that are left in `bundle`.
pub(super) fn read(
    bundle: &mut Bundle,
    front: &Front,
    amended: &mut Amended,
    progress: &dyn Progress,
) -> Result<Counted, Failed> {
    let parties = front.keys.len();
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MAX_THREADS);
    let (pages, taken) = sync_channel(2 * threads);
    let taken = Mutex::new(taken);
    thread::scope(|scope| {
        let adding: Vec<_> = (0..threads).map(|_| scope.spawn(|| add(&taken, parties))).collect();
        let mut list = List::new(front, amended, pages);
        let listed = list.read(bundle, front, progress);
        let List { mut tally, rejected, admission, pages, .. } = list;
        drop(pages);
        for thread in adding {
            let sums = thread.join().map_err(|_| Failed::Client(ClientError::WorkerFailed))?;
            let sums = sums.map_err(|error| Finding::of(CHECK, error.to_string()))?;
            tally.add_sums(&sums);
        }
        listed?;
        let tallied = tally.finish();
        Ok(Counted { tallied, rejected, admission })
    })
}

/// Reads to the end without looking at anything but the checksum.
pub(super) fn skip(bundle: &mut Bundle) -> Result<(), Failed> {
    let mut message = Vec::new();
    while bundle.next(&mut message)?.is_some() {}
    Ok(())
}

/// What a public part tells of its submission.
pub(super) struct Held {
    /// Whose it is, and which amendment it is part of.
    pub origin: Origin,
    /// How many records it has.
    pub records: u32,
}

/// What is known of the submissions of a bundle, by their public parts' hashes.
pub(super) fn origins(
    file: &Path,
) -> Result<HashMap<(SubmissionId, PublicHash), Held>, BundleError> {
    let mut bundle = Bundle::open(file)?;
    let (mut message, mut origins) = (Vec::new(), HashMap::new());
    while let Some(section) = bundle.next(&mut message)? {
        let public = message.split_first().filter(|_| section == Section::Submission);
        let Some((_, public)) = public else { continue };
        let hash = PublicPart::hash_encoded(public);
        // What cannot be read is found when the submissions are counted.
        if let Ok(PublicPart { submission, provider, amendment, records, .. }) =
            PublicPart::decode(public)
        {
            let origin = Origin { submission, provider, amendment };
            origins.insert((submission, hash), Held { origin, records });
        }
    }
    Ok(origins)
}

/// Adds up what comes, until nothing more does. Takes all of it even when something was false, so
/// that whoever hands it over is not left waiting.
fn add(pages: &Mutex<Receiver<Page>>, parties: usize) -> Result<Sums, TallyError> {
    let mut sums = Ok(Sums::new(parties));
    loop {
        let page = pages.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(page) = page else { return sums };
        for (submission, commitments) in page {
            if let Ok(adding) = &mut sums
                && let Err(error) = adding.add(submission, &commitments)
            {
                sums = Err(error);
            }
        }
    }
}

struct List<'a> {
    published: Option<&'a Published>,
    amended: &'a mut Amended,
    tally: Tally,
    rejected: u64,
    admission: Admission,
    last: Option<SubmissionId>,
    page: Page,
    pages: SyncSender<Page>,
}

impl<'a> List<'a> {
    fn new(front: &'a Front, amended: &'a mut Amended, pages: SyncSender<Page>) -> Self {
        Self {
            published: front.published.as_ref(),
            amended,
            tally: Tally::new(front.keys.len()),
            rejected: 0,
            admission: Admission::of(&front.study),
            last: None,
            page: Vec::with_capacity(PAGE),
            pages,
        }
    }

    fn read(
        &mut self,
        bundle: &mut Bundle,
        front: &Front,
        progress: &dyn Progress,
    ) -> Result<(), Failed> {
        let mut message = front.first.clone().unwrap_or_default();
        let mut section = front.first.as_ref().map(|_| Section::Submission);
        let mut submissions = 0;
        while section == Some(Section::Submission) {
            self.take(&message, front).map_err(|text| {
                Finding::of(CHECK, format!("{text} (byte {} of the record)", bundle.offset()))
            })?;
            submissions += 1;
            if submissions % PAGE as u64 == 0 {
                progress.event(Event::Auditing { submissions });
            }
            section = bundle.next(&mut message)?;
        }
        self.hand_over();
        self.finish()
    }

    /// One submission: is it counted (1) ‖ public part.
    fn take(&mut self, message: &[u8], front: &Front) -> Result<(), String> {
        let (flag, public) = message.split_first().ok_or("an empty submission")?;
        let hash = PublicPart::hash_encoded(public);
        let public =
            PublicPart::decode(public).map_err(|error| format!("a submission: {error}"))?;
        let id = public.submission;
        if self.last.is_some_and(|last| last >= id) {
            return Err(format!("submission {id} is out of order, or there twice"));
        }
        self.last = Some(id);
        if public.study != front.id || public.payload_hashes.len() != front.keys.len() {
            return Err(format!("submission {id} is of another study"));
        }
        let is_counted = match flag {
            0 => false,
            1 => true,
            _ => return Err(format!("submission {id} is neither counted nor not")),
        };
        if let Some(published) = self.published {
            let reason = published.reason(&id);
            if reason.is_none() != is_counted {
                return Err(format!("the result says something else of submission {id}"));
            }
            self.amended.see(&public, reason)?;
        }
        if !is_counted {
            self.rejected += 1;
            return Ok(());
        }
        self.tally.list(&public, hash).map_err(|error| error.to_string())?;
        self.admission.count(&public);
        self.page.push((id, public.commitments));
        if self.page.len() == PAGE {
            self.hand_over();
        }
        Ok(())
    }

    /// Gives a page to the other threads.
    fn hand_over(&mut self) {
        let page = std::mem::replace(&mut self.page, Vec::with_capacity(PAGE));
        // Fails only if no thread is left, which is found when they are joined.
        let _ = self.pages.send(page);
    }

    /// Every submission that the result does not count and all servers hold was there.
    fn finish(&self) -> Result<(), Failed> {
        let Some(published) = self.published else { return Ok(()) };
        let held = published.rejected.iter().filter(|(_, reason)| reason.is_of_all_servers());
        let held = held.count() as u64;
        match held == self.rejected {
            true => Ok(()),
            false => {
                let text = format!(
                    "the result rejects {held} submissions that all servers hold, and the record has {}",
                    self.rejected
                );
                Err(Finding::of(CHECK, text).into())
            }
        }
    }
}

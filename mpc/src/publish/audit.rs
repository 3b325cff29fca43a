//! Audit: a publication checked again from what was said in it and from the public parts, by
//! anybody.
//!
//! # Parties
//! An auditor, who trusts no server and holds no secret: a [`Recording`](crate::transcript::Recording)
//! of the publication, the public parts of the submissions, and the servers' public keys.
//!
//! # Security
//! What a recording is refused for is the lie of a server, whom [`Fault::Server`] names where that
//! is proven by what it signed, or a fault of the recording itself, which says nothing about any
//! server but the one that gave it out. The rules are those of the live protocol: both call the
//! same functions.
//!
//! # Cost
//! One signature a message; per submission one decompression and one addition a server; one
//! multiplication of as many points as coordinates a server and opening.
//!
//! # Source
//! Baum, Damgård, Orlandi, SCN 2014.

use std::{collections::HashMap, sync::Arc};

use curve25519_dalek::RistrettoPoint;

pub use super::tally::{Sums, Tallied, Tally, TallyError};
use super::{
    Limits, PublishError, SignedSet,
    agree::{self, List},
    open,
    openings::{Openings, Terms, commitments},
};
use crate::{
    collect::Origin,
    ids::{Party, PublicHash, RunId, StudyId, SubmissionId},
    noise::Mechanism,
    pedersen::Bases,
    sign::{PublicKey, Signature},
    transcript::{
        Message, Place, Step, TranscriptError,
        replay::{Replay, Stop},
    },
};

/// The rules of a study that decide what may be said in its publication.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// The study.
    pub study: StudyId,
    /// The servers' keys, by party.
    pub keys: &'a [PublicKey],
    /// How many coordinates a submission has.
    pub coordinates: usize,
    /// How much counts.
    pub limits: Limits,
    /// Whose a submission is, by its public part of that hash; none: that is not known here. Asked
    /// where the servers' lists are part of the recording.
    pub origin: &'a dyn Fn(&SubmissionId, &PublicHash) -> Option<Origin>,
    /// The largest totals that so many valid records can have.
    pub bounds: &'a dyn Fn(u64) -> Vec<u128>,
    /// The noise that each server adds, if the study is differentially private.
    pub mechanism: Option<&'a Mechanism>,
    /// The disclosure rule: which coordinates so many records and the totals opened so far allow to
    /// open next.
    pub next: &'a Next<'a>,
}

/// A disclosure rule: see [`Rules::next`].
pub type Next<'a> = dyn Fn(u64, &[Option<i128>]) -> Vec<usize> + 'a;

/// Why a recording or a result does not stand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A server broke the protocol, as the servers found then.
    #[error(transparent)]
    Server(#[from] PublishError),
    /// The recording is none of this study's publication: whoever gave it out changed it.
    #[error("the recording is damaged or false: {0}")]
    Recording(&'static str),
}

/// What a recording of a publication shows.
#[derive(Debug, Clone)]
pub struct Replayed {
    /// The set that all servers signed; none: the run ended before.
    pub set: Option<SignedSet>,
    /// The totals opened.
    pub totals: Vec<Option<i128>>,
    /// All servers' signatures over the result; none: the run ended before.
    pub signatures: Option<Vec<Signature>>,
    openings: Option<Openings>,
}

/// Follows a publication message by message: signatures, chain, set, commitments, openings and
/// result. The openings are held against the submissions by [`Replayed::check_sums`]. A recording
/// may end early, where a server fell silent.
pub fn replay(rules: &Rules<'_>, run: RunId, rounds: &[Vec<Message>]) -> Result<Replayed, Fault> {
    let place = Place { study: rules.study, run };
    let mut follower = Follower { rules, rounds: Replay::new(place, rules.keys, rounds) };
    let mut shown = Replayed {
        set: None,
        totals: vec![None; rules.coordinates],
        signatures: None,
        openings: None,
    };
    follower.follow(&mut shown)?;
    follower.rounds.end()?;
    Ok(shown)
}

impl Replayed {
    /// Checks every opening against the sums of the submissions' commitments, by party. They must be
    /// over the set, which is so if the [`Tallied`] root, submissions and records are those of
    /// [`Replayed::set`]: with others an honest server would look like a liar.
    pub fn check_sums(&self, bases: &Bases, sums: &[RistrettoPoint]) -> Result<(), Fault> {
        match &self.openings {
            Some(openings) => Ok(openings.check_all(bases, sums)?),
            None => Ok(()),
        }
    }
}

impl Fault {
    /// Servers that provably broke the protocol.
    pub fn culprits(&self) -> Vec<Party> {
        match self {
            Self::Server(error) => error.culprits(),
            Self::Recording(_) => Vec::new(),
        }
    }
}

impl From<Stop> for Fault {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Broken(error) => Self::Server(error.into()),
            Stop::False(what) => Self::Recording(what),
        }
    }
}

type Bodies = Vec<Arc<[u8]>>;

struct Follower<'a> {
    rules: &'a Rules<'a>,
    rounds: Replay<'a>,
}

impl Follower<'_> {
    /// Follows the run as far as it was recorded.
    fn follow(&mut self, shown: &mut Replayed) -> Result<(), Fault> {
        let Some(set) = self.set()? else { return Ok(()) };
        shown.set = Some(set);
        let counted = set.counted;
        let terms = Terms {
            study: self.rules.study,
            parties: self.rules.keys.len(),
            submissions: counted.submissions,
            bounds: (self.rules.bounds)(counted.records),
            mechanism: self.rules.mechanism.cloned(),
        };
        let mut openings = Openings::new(terms, self.rules.coordinates);
        let complete = self.openings(counted.records, &mut openings);
        shown.totals = openings.totals().to_vec();
        shown.openings = Some(openings);
        if !complete? {
            return Ok(());
        }
        let Some(bodies) = self.rounds.round(Step::Result)? else { return Ok(()) };
        let (study, keys) = (self.rules.study, self.rules.keys);
        let signatures = open::signatures(study, keys, &counted, &shown.totals, &bodies)?;
        shown.signatures = Some(signatures);
        Ok(())
    }

    /// The set that all servers signed. A round has a message of each of two servers at least.
    fn set(&mut self) -> Result<Option<SignedSet>, Fault> {
        let (roots, lists) = loop {
            let Some(roots) = self.rounds.round(Step::Roots)? else { return Ok(None) };
            if roots.iter().all(|root| *root == roots[0]) {
                if !agree::is_undecided(&roots[0]) {
                    break (roots, None);
                }
                continue;
            }
            let Some(messages) = self.rounds.round(Step::Lists)? else { return Ok(None) };
            let lists = agree::lists(self.rules.study, &roots, &messages)?;
            if agree::is_decided(&lists) {
                break (roots, Some(lists));
            }
        };
        let Some(digests) = self.rounds.round(Step::Set)? else { return Ok(None) };
        // One list stands for k equal ones.
        let lists = lists.or_else(|| self.shown_list(&roots[0]).map(|list| vec![list]));
        match lists.and_then(|lists| self.combine(&lists)) {
            Some(set) => agree::same_set(&set.encode(), &digests)?,
            None if digests.iter().all(|digest| *digest == digests[0]) => {}
            None => return Err(PublishError::SetsDiffer.into()),
        }
        let malformed = TranscriptError::Malformed { party: Party(0), step: Step::Set };
        Ok(Some(SignedSet::decode(&digests[0]).map_err(|_| PublishError::from(malformed))?))
    }

    /// The list under roots that are all alike, if a server showed it because the sets differed.
    fn shown_list(&self, root: &[u8]) -> Option<List> {
        let lists =
            self.rounds.peek().iter().filter(|message| message.statement.step == Step::Lists as u8);
        let mut lists = lists.filter_map(|said| List::decode(self.rules.study, &said.body).ok());
        lists.find(|list| list.summary() == root)
    }

    /// The set that the lists give, if it is known whose every submission is.
    fn combine(&self, lists: &[List]) -> Option<SignedSet> {
        let mut origins = HashMap::new();
        for (submission, public) in agree::accepted(lists) {
            origins.insert(submission, (self.rules.origin)(&submission, &public)?);
        }
        let lists: Vec<&List> = lists.iter().collect();
        let origin = |submission: &SubmissionId| origins.get(submission).copied();
        Some(agree::combine(&lists, lists.first()?, origin, self.rules.limits).set.signed())
    }

    /// Follows the openings; whether all were made that the study's rules ask for.
    fn openings(&mut self, records: u64, openings: &mut Openings) -> Result<bool, Fault> {
        loop {
            let coordinates = (self.rules.next)(records, openings.totals());
            if coordinates.is_empty() {
                return Ok(true);
            }
            openings.begin(coordinates);
            if self.rules.mechanism.is_some() {
                let Some(noise) = self.rounds.round(Step::Noise)? else { return Ok(false) };
                openings.take_noise(&noise)?;
            }
            let Some((commit, open)) = self.opening()? else { return Ok(false) };
            openings.take_shares(&commitments(&commit)?, &open)?;
        }
    }

    fn opening(&mut self) -> Result<Option<(Bodies, Bodies)>, Fault> {
        let Some(commit) = self.rounds.round(Step::Commit)? else { return Ok(None) };
        // A commitment that is none is found before anything is opened.
        commitments(&commit)?;
        Ok(self.rounds.round(Step::Open)?.map(|open| (commit, open)))
    }
}

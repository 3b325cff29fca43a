//! Audit: a bundle checked from its first byte to its last, without any server and without trust in
//! one.
//!
//! What is checked, in what order and by which equations is specified in `docs/audit.md`. Memory
//! holds the transcript, the result, the amendments and one page of submissions; the submissions
//! themselves are read once and forgotten.

use std::{collections::HashMap, path::Path};

use mpc::{
    ids::StudyId,
    pedersen::Bases,
    publish::{
        Limits, SignedSet,
        audit::{Fault, Replayed, Rules, Tallied, replay},
    },
    record::End,
    transcript::{About, Statement, Step},
};
use study::{Plan, plan::Noise};

use crate::{bundle::Bundle, error::ClientError, profile::Profile, progress::Progress, result};
use aborted::Shown;
use amended::Amended;
use finding::Failed;
pub use finding::Finding;
pub(crate) use front::Front;
pub use report::{Check, Outcome, Report, Verdict};
use rules::Admission;
use submissions::Counted;

mod aborted;
mod amended;
mod finding;
mod front;
mod report;
mod rules;
mod submissions;

/// Checks a bundle, of study `id` if that is given, with the servers of `profile` if there is one.
///
/// Whatever the record shows is told in the report; an error says why there is none.
pub fn audit(
    file: &Path,
    id: Option<StudyId>,
    profile: Option<&Profile>,
    progress: &dyn Progress,
) -> Result<Report, ClientError> {
    let mut bundle = Bundle::open(file)?;
    let found = bundle.head().study;
    if id.is_some_and(|id| id != found) {
        let file = file.to_owned();
        return Err(crate::bundle::BundleError::OtherStudy { file, found }.into());
    }
    let mut report = Report::of(&bundle);
    let mut auditor = Auditor { report: &mut report, profile, progress };
    match auditor.run(&mut bundle) {
        Ok(()) => Ok(report),
        Err(Failed::Client(error)) => Err(error),
        // A file that is damaged says nothing about anybody.
        Err(Failed::Finding(finding)) => {
            read_out(&mut bundle)?;
            report.found(finding);
            Ok(report)
        }
        Err(Failed::Strangers(text)) => {
            read_out(&mut bundle)?;
            report.strangers(text);
            Ok(report)
        }
    }
}

/// Reads to the end, for the checksum.
fn read_out(bundle: &mut Bundle) -> Result<(), ClientError> {
    let mut message = Vec::new();
    while bundle.next(&mut message)?.is_some() {}
    Ok(())
}

struct Auditor<'a> {
    report: &'a mut Report,
    profile: Option<&'a Profile>,
    progress: &'a dyn Progress,
}

impl Auditor<'_> {
    fn run(&mut self, bundle: &mut Bundle) -> Result<(), Failed> {
        let front = Front::read(bundle)?;
        self.report.open(&front);
        self.report.pass("study", "its id is the hash of its bytes, and it is a valid study");
        self.servers(&front)?;
        let plan = Plan::new(&front.study).map_err(|error| {
            Finding::of("study", format!("nobody can compute this study: {error}"))
        })?;
        match front.end {
            End::Published => self.published(bundle, &front, &plan),
            End::Refused => self.refused(bundle, &front, &plan),
            End::Aborted => self.aborted(bundle, &front, &plan),
        }
    }

    fn servers(&mut self, front: &Front) -> Result<(), Failed> {
        let Some(profile) = self.profile else {
            self.report.skip("servers", "there is no profile to compare the study's servers with");
            return Ok(());
        };
        for server in front.study.servers() {
            let known = |known: &&crate::profile::ProfileServer| known.identity == server.identity;
            if profile.servers().iter().find(known).is_none() {
                let (name, file) = (&server.name, profile.file().display());
                return Err(Failed::Strangers(format!(
                    "the study's {name} ({}) is no server of the profile {file}",
                    server.identity
                )));
            }
        }
        self.report.pass("servers", "the study's servers are those of the profile, by their keys");
        Ok(())
    }

    fn published(&mut self, bundle: &mut Bundle, front: &Front, plan: &Plan) -> Result<(), Failed> {
        let replayed = self.replay(bundle.file(), front, plan)?;
        let published = front.published.as_ref().ok_or_else(|| {
            Finding::of("result", "the record says that there is a result and has none".into())
        })?;
        published
            .verify(front.id, &front.keys)
            .map_err(|error| Finding::of("result", error.to_string()))?;
        if replayed.signatures.is_none() {
            let text = "the transcript ends before the result was signed";
            return Err(Finding::of("transcript", text.into()).into());
        }
        if replayed.set.map(|set| set.counted) != Some(published.counted())
            || published.totals != replayed.totals
        {
            let text = "the result is not the one that the messages give";
            return Err(Finding::of("result", text.into()).into());
        }
        self.report.pass(
            "result",
            format!("the {} servers signed the totals that their messages give", front.keys.len()),
        );
        let mut amended = Amended::read(front, replayed.set.as_ref())?;
        let counted = submissions::read(bundle, front, &mut amended, self.progress)?;
        self.set(&replayed, &counted)?;
        self.rules(counted.admission)?;
        amended.finish()?;
        self.report.pass(
            "amendments",
            format!(
                "{} signed by providers; what they say counts or does not, and nothing else",
                front.amendments.len()
            ),
        );
        self.openings(&replayed, &counted.tallied, plan)?;
        let document = result::document(&front.study, published).map_err(Failed::Client)?;
        self.report.pass("decoding", "the totals decode to the result below");
        self.report.holds(document);
        Ok(())
    }

    fn refused(&mut self, bundle: &mut Bundle, front: &Front, plan: &Plan) -> Result<(), Failed> {
        let replayed = self.replay(bundle.file(), front, plan)?;
        hides_no_result(front, &replayed)?;
        let Some(set) = replayed.set else {
            let text = "the study was refused a result, and no set was signed";
            return Err(Finding::of("transcript", text.into()).into());
        };
        let least = front.study.privacy().min_records;
        if set.counted.records >= least || replayed.totals.iter().any(Option::is_some) {
            let text = format!(
                "the study was refused a result over {} records, and needs {least}",
                set.counted.records
            );
            return Err(Finding::of("rule", text).into());
        }
        let mut amended = Amended::read(front, replayed.set.as_ref())?;
        let counted = submissions::read(bundle, front, &mut amended, self.progress)?;
        self.set(&replayed, &counted)?;
        self.rules(counted.admission)?;
        self.report.refused(set.counted.records, least);
        Ok(())
    }

    fn aborted(&mut self, bundle: &mut Bundle, front: &Front, plan: &Plan) -> Result<(), Failed> {
        let replayed = match aborted::replay(bundle.file(), front, plan)? {
            Shown::Publication(replayed) => replayed,
            Shown::Lie { text, culprits } => {
                self.report.aborted(&text, &culprits);
                return submissions::skip(bundle);
            }
            Shown::Nothing(why) => {
                self.report.untold(&why);
                return submissions::skip(bundle);
            }
        };
        hides_no_result(front, &replayed)?;
        let mut amended = Amended::read(front, replayed.set.as_ref())?;
        let counted = submissions::read(bundle, front, &mut amended, self.progress)?;
        let is_of_set = |set: SignedSet| set.counted.root == counted.tallied.root;
        if replayed.set.is_some_and(is_of_set) {
            let bases = Bases::new(plan.coordinates());
            if let Err(fault) = replayed.check_sums(&bases, &counted.tallied.sums) {
                self.report.aborted(&fault.to_string(), &fault.culprits());
                return Ok(());
            }
        } else if replayed.set.is_some() {
            let what = "the submissions of the record are not the set that the servers signed";
            self.report.skip("openings", what);
            self.report.untold(&format!("its openings cannot be checked, because {what}"));
            return Ok(());
        }
        self.report.untold("the messages that are left show no lie");
        Ok(())
    }

    fn replay(&mut self, file: &Path, front: &Front, plan: &Plan) -> Result<Replayed, Failed> {
        let place = "transcript";
        if front.recording.session.about != About::Publish {
            return Err(Finding::of(place, "it is not that of a publication".into()).into());
        }
        let replayed = follow(file, front, plan)?
            .map_err(|fault| Finding::by(place, &fault, &self.report.servers))?;
        let messages = front.recording.statements().count();
        self.report.messages = messages as u64;
        self.report.pass(
            "transcript",
            format!("{messages} messages: each is signed by its server, and chained to all before"),
        );
        if replayed.totals.iter().any(Option::is_some) {
            self.report.pass(
                "disclosure",
                "the study's rules allowed to open what was opened, and asked for all of it",
            );
            self.report.pass(
                "bounds",
                "every opening is the one committed to, and every total one that records can have",
            );
        }
        Ok(replayed)
    }

    fn set(&mut self, replayed: &Replayed, counted: &Counted) -> Result<(), Finding> {
        let (tallied, place) = (&counted.tallied, "submissions");
        let Some(set) = replayed.set.map(|set| set.counted) else {
            return Err(Finding::of(place, "no set was signed".into()));
        };
        self.report.counted(tallied, counted.rejected);
        if (set.submissions, set.records) != (tallied.submissions, tallied.records) {
            let text = format!(
                "the servers signed {} submissions with {} records, and the record has {} with {}",
                set.submissions, set.records, tallied.submissions, tallied.records
            );
            return Err(Finding::of(place, text));
        }
        if set.root != tallied.root {
            let text = "the submissions are not those under the root that the servers signed";
            return Err(Finding::of(place, text.into()));
        }
        self.report.pass(
            place,
            format!("{} counted, with the root that all servers signed", tallied.submissions),
        );
        Ok(())
    }

    fn rules(&mut self, admission: Admission) -> Result<(), Finding> {
        admission.finish(&self.report.servers)?;
        let text = "what counts is of the study's providers, and no more than it takes";
        self.report.pass("rules", text);
        Ok(())
    }

    fn openings(
        &mut self,
        replayed: &Replayed,
        tallied: &Tallied,
        plan: &Plan,
    ) -> Result<(), Finding> {
        let bases = Bases::new(plan.coordinates());
        replayed
            .check_sums(&bases, &tallied.sums)
            .map_err(|fault| Finding::by("openings", &fault, &self.report.servers))?;
        let what = match plan.noise() {
            None => "each server opened the sum of what providers committed to for it",
            Some(_) => "each server opened that sum and the noise it had committed to",
        };
        self.report.pass("openings", what);
        Ok(())
    }
}

/// How a study ended is the word of whoever gives out its record, and nobody signs it: but where all
/// servers signed a result there is one.
fn hides_no_result(front: &Front, replayed: &Replayed) -> Result<(), Finding> {
    let is_hidden = replayed.signatures.is_some() || front.published.is_some();
    match is_hidden {
        true => {
            let text = "all servers signed a result, and the record says that there is none";
            Err(Finding::of("result", text.into()))
        }
        false => Ok(()),
    }
}

/// Follows the messages of a publication by the study's rules. Where servers showed their lists, the
/// set is derived from them: that needs to know whose the submissions are, so the file is read
/// twice.
fn follow(file: &Path, front: &Front, plan: &Plan) -> Result<Result<Replayed, Fault>, Failed> {
    let is_list = |statement: &Statement| statement.step == Step::Lists as u8;
    let origins = match front.recording.statements().any(is_list) {
        true => submissions::origins(file)?,
        false => HashMap::new(),
    };
    let rules = Rules {
        study: front.id,
        keys: &front.keys,
        coordinates: plan.coordinates(),
        limits: Limits {
            max_records: front.study.max_records(),
            one_per_provider: front.study.privacy().is_one_per_provider(),
        },
        origin: &|submission, public| origins.get(&(*submission, *public)).map(|held| held.origin),
        bounds: &|records| plan.bounds(records),
        mechanism: plan.noise().map(Noise::mechanism),
        next: &|records, opened| plan.next_opening(records, opened),
    };
    Ok(replay(&rules, front.recording.session.run(front.id), &front.recording.rounds))
}

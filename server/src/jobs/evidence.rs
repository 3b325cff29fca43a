//! Evidence: why a run ended a study, told to people, and what others show of it.

use std::fmt::Display;

use mpc::{
    collect,
    ids::Party,
    publish::{
        Limits, Published,
        audit::{self, Replayed, Rules},
    },
    setup,
    transcript::{About, Recording},
};
use study::plan::Noise;

use super::{JobError, names};
use crate::catalog::StudyContext;

/// Why others cannot check what this server saw.
pub(super) const SEEN_HERE: &str = "; nobody else can check that, because the message proves nothing to those who did not receive it";
/// Why others cannot check what was said in an earlier run.
pub(super) const SAID_BEFORE: &str =
    "; nobody else can check that, because what was said in the earlier run is not kept";

/// The end of a study because of what was heard in a run. `hidden` says why others cannot check it;
/// none: they can.
pub(super) fn abort(
    context: &StudyContext,
    error: &dyn Display,
    culprits: &[Party],
    hidden: Option<&str>,
    heard: &Recording,
) -> JobError {
    let id = context.id;
    let check = match (hidden, culprits) {
        (Some(why), _) => why.to_owned(),
        (None, []) => format!("; `sotto audit {id}` shows what was said, which names nobody"),
        (None, _) => format!("; `sotto audit {id}` checks the evidence"),
    };
    let text = named(context, &error.to_string()) + &check;
    JobError::Abort { text, servers: names(context, culprits), transcript: heard.encode() }
}

/// A text in which parties are S0, S1, … with the servers' names instead.
fn named(context: &StudyContext, text: &str) -> String {
    let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    let name = |word: &str| {
        let bare = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let party = bare.strip_prefix('S').and_then(|number| number.parse().ok()).map(Party);
        match party.filter(|party| party.index() < context.names.len()) {
            Some(party) => word.replacen(bare, context.name(party), 1),
            None => word.to_owned(),
        }
    };
    words.map(name).collect()
}

/// What another server's recording shows of a result that all signed; none: it is none of it.
pub(super) fn of_published(
    context: &StudyContext,
    published: &Published,
    parts: &[impl AsRef<[u8]>],
) -> Option<Vec<Vec<u8>>> {
    let recording = Recording::decode(parts.iter().map(AsRef::as_ref)).ok()?;
    let shown = replay(context, &recording).ok()?;
    let is_of_it = shown.set.is_some_and(|set| set.counted == published.counted())
        && shown.totals == published.totals
        && shown.signatures.as_ref() == Some(&published.signatures);
    is_of_it.then(|| recording.encode())
}

/// Servers whom another server's recording proves to have broken the protocol, and what they did;
/// none: it proves nothing.
///
/// `records` is what this server knows of the submissions that it holds.
pub(super) fn of_abort(
    context: &StudyContext,
    recording: &Recording,
    records: &collect::Records<'_>,
) -> Option<(String, Vec<String>, Vec<Vec<u8>>)> {
    let place = recording.place(context.id);
    let keys = &context.keys;
    let (text, culprits) = match &recording.session.about {
        About::Setup => match setup::replay(place, keys, &recording.rounds) {
            Err(setup::SetupFault::Server(error)) => (error.to_string(), error.culprits()),
            _ => return None,
        },
        About::Verify(submissions) => {
            let collect = &context.collect;
            match collect::replay(collect, place, keys, submissions, records, &recording.rounds) {
                Err(collect::VerifyFault::Server(error)) => (error.to_string(), error.culprits()),
                _ => return None,
            }
        }
        About::Publish => match replay(context, recording) {
            Err(audit::Fault::Server(error)) => (error.to_string(), error.culprits()),
            _ => return None,
        },
    };
    let servers = names(context, &culprits);
    (!servers.is_empty()).then(|| (named(context, &text), servers, recording.encode()))
}

fn replay(context: &StudyContext, recording: &Recording) -> Result<Replayed, audit::Fault> {
    let rules = Rules {
        study: context.id,
        keys: &context.keys,
        coordinates: context.plan.coordinates(),
        limits: limits(context),
        origin: &|_, _| None,
        bounds: &|records| context.plan.bounds(records),
        mechanism: context.plan.noise().map(Noise::mechanism),
        next: &|records, opened| context.plan.next_opening(records, opened),
    };
    audit::replay(&rules, recording.session.run(context.id), &recording.rounds)
}

/// How much counts in a study.
pub(super) fn limits(context: &StudyContext) -> Limits {
    Limits {
        max_records: context.study.max_records(),
        one_per_provider: context.study.privacy().is_one_per_provider(),
    }
}

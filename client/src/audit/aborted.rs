//! Why servers aborted a study: the run that ended it, followed again.

use std::path::Path;

use mpc::{
    collect::{self, Collect, VerifyFault},
    ids::{Party, PublicHash, SubmissionId},
    publish::audit::{Fault, Replayed},
    setup::{self, SetupFault},
    transcript::About,
};
use study::Plan;

use super::{
    finding::{Failed, Finding},
    follow,
    front::Front,
    submissions,
};

/// What the messages of a run that was aborted show.
pub(super) enum Shown {
    /// A publication without a lie in its messages alone.
    Publication(Box<Replayed>),
    /// A server's lie, or one of which nobody can tell whose it is.
    Lie {
        /// What it was.
        text: String,
        /// Who is proven to have lied.
        culprits: Vec<Party>,
    },
    /// No lie.
    Nothing(String),
}

/// Follows the messages of the run that ended the study.
pub(super) fn replay(file: &Path, front: &Front, plan: &Plan) -> Result<Shown, Failed> {
    let (place, rounds) = (front.recording.place(front.id), &front.recording.rounds);
    let shown = match &front.recording.session.about {
        About::Publish => match follow(file, front, plan)? {
            Ok(replayed) => Shown::Publication(Box::new(replayed)),
            Err(fault @ Fault::Server(_)) => lie(fault.to_string(), fault.culprits()),
            Err(Fault::Recording(what)) => Shown::Nothing(what.into()),
        },
        About::Setup => match setup::replay(place, &front.keys, rounds) {
            Err(SetupFault::Server(error)) => lie(error.to_string(), error.culprits()),
            Err(SetupFault::Recording(what)) => Shown::Nothing(what.into()),
            Ok(_) => no_lie(),
        },
        About::Verify(about) => {
            let collect = Collect::new(plan.circuit().clone(), front.id, front.keys.len());
            let collect = collect.map_err(|error| Finding::of("study", error.to_string()))?;
            let held = submissions::origins(file)?;
            let records = |id: &SubmissionId, public: &PublicHash| {
                held.get(&(*id, *public)).map(|held| held.records)
            };
            match collect::replay(&collect, place, &front.keys, about, &records, rounds) {
                Err(VerifyFault::Server(error)) => lie(error.to_string(), error.culprits()),
                Err(VerifyFault::Recording(what)) => Shown::Nothing(what.into()),
                Ok(_) => no_lie(),
            }
        }
    };
    Ok(shown)
}

fn lie(text: String, culprits: Vec<Party>) -> Shown {
    Shown::Lie { text, culprits }
}

fn no_lie() -> Shown {
    Shown::Nothing("the messages that are left show no lie".into())
}

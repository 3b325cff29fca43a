//! `sotto study show`: what a study asks, and where it stands at every server.

use std::io;

use client::{ClientError, abort::Abort, status::Overview, studies};
use mpc::ids::StudyId;
use serde::Serialize;
use serde_json::value::RawValue;
use study::{Plan, Study};

use super::Global;
use crate::{failure::Failure, report};

/// An overview with the study itself.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    overview: &'a Overview,
    /// How the study was aborted, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    abort: Option<Abort>,
    /// The bytes that the id is the hash of, as they are.
    definition: Box<RawValue>,
}

pub async fn show(global: &Global, id: StudyId) -> Result<(), Failure> {
    let overview = studies::show(&global.profile()?, id).await?;
    let plan = Plan::new(&overview.definition).map_err(ClientError::from)?;
    let definition = canonical(&overview.definition)?;
    let shown = Shown { definition, abort: overview.abort(), overview: &overview };
    global.format().print(&shown, |Shown { overview, abort, .. }| {
        let charges = plan.noise().map(|noise| report::charges(overview, noise.budget()));
        let charges = charges.unwrap_or_default();
        let abort = abort.as_ref().map(|abort| report::abort(id, abort)).unwrap_or_default();
        let (state, definition) = (report::overview(overview), report::definition(&plan));
        format!("{state}{charges}{abort}\n\n{definition}")
    })
}

fn canonical(study: &Study) -> Result<Box<RawValue>, Failure> {
    let text = String::from_utf8(study.encode()).map_err(io::Error::other);
    let raw = text.and_then(|text| RawValue::from_string(text).map_err(io::Error::other));
    raw.map_err(Failure::Output)
}

#[cfg(test)]
mod tests {
    use client::status::State;
    use mpc::sign::Signer;
    use study::{StudyContext, StudyServer};

    use super::*;

    #[test]
    fn the_definition_in_json_is_what_the_id_is_the_hash_of() {
        let key = |seed| Signer::from_seed(&[seed; 32]).public();
        let available = [("alpha", 1), ("beta", 2)]
            .map(|(name, seed)| StudyServer { name: name.into(), identity: key(seed) });
        let context = StudyContext { available: &available, analyst: key(3), nonce: [7; 16] };
        let text = include_str!("../../../data/wages.toml");
        let definition = Study::from_file(text, "wages.toml", context).unwrap();
        let overview = Overview {
            id: definition.id(),
            title: definition.title().into(),
            state: State::Proposed,
            servers: Vec::new(),
            unreachable: vec!["beta".into()],
            definition,
        };
        let definition = canonical(&overview.definition).unwrap();
        let shown = Shown { abort: overview.abort(), overview: &overview, definition };
        let json = report::json(&shown).unwrap();

        #[derive(serde::Deserialize)]
        struct Answer {
            study: String,
            title: String,
            state: String,
            unreachable: Vec<String>,
            definition: Box<RawValue>,
        }
        let answer: Answer = serde_json::from_str(&json).unwrap();
        let read = Study::decode(answer.definition.get().as_bytes()).unwrap();
        assert_eq!(read.id().to_string(), answer.study);
        assert_eq!(
            (answer.title.as_str(), answer.state.as_str()),
            (overview.title.as_str(), "proposed")
        );
        assert_eq!(answer.unreachable, ["beta"]);
    }
}

//! Studies: their canonical encoding, and study files.

use study::{Plan, Study, StudyContext, error::Place};

use crate::{check_line, fixture};

pub(crate) fn check_encoding(data: &[u8]) {
    let claim = Study::claim(data);
    let study = match Study::decode(data) {
        Ok(study) => study,
        Err(error) => return check_line(&error.to_string()),
    };
    assert_eq!(study.encode(), data, "one encoding of a study");
    assert_eq!(claim, Some((study.id(), study.analyst())));
    plan(&study);
    if let Some(rest) = study.without(0) {
        assert_eq!(Study::decode(&rest.encode()).as_ref(), Ok(&rest));
    }
}

pub(crate) fn check_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let named = Study::named_servers(text);
    let available = fixture::servers(&fixture::get().signers);
    let analyst = fixture::get().study.analyst();
    let context = StudyContext { available: &available, analyst, nonce: [3; 16] };
    match Study::from_file(text, "study.toml", context) {
        Ok(study) => {
            assert_eq!(Study::decode(&study.encode()).as_ref(), Ok(&study), "the same study");
            let servers: Vec<_> =
                study.servers().iter().map(|server| server.name.clone()).collect();
            assert!(named.is_empty() || named == servers, "the servers that the file names");
            plan(&study);
        }
        Err(error) => {
            check_line(&error.to_string());
            if let Place::File { line, .. } = error.place {
                assert!((1..=text.lines().count().max(1) + 1).contains(&line), "line {line}");
            }
        }
    }
}

/// What is a study can be computed.
fn plan(study: &Study) {
    let plan = Plan::new(study).expect("a study has a plan");
    assert!(plan.coordinates() <= study::limits::COORDINATES);
}

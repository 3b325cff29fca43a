//! Amendments, as servers take them from providers and from each other.

use std::collections::BTreeMap;

use mpc::{
    collect::{Amendment, Origin, SignedAmendment, resolve, resolve_full},
    ids::SubmissionId,
};
use prost::Message as _;
use proto::v1::AmendRequest;

use crate::{choice, parts};

pub(crate) fn check(data: &[u8]) {
    let (how, rest) = choice(data);
    match how % 4 {
        0 => one(rest),
        1 => signed(rest),
        2 => {
            if let Ok(request) = AmendRequest::decode(rest) {
                one(&request.amendment);
            }
        }
        _ => many(rest),
    }
}

fn one(bytes: &[u8]) {
    let Ok(amendment) = Amendment::decode(bytes) else { return };
    assert_eq!(amendment.encode(), bytes, "one encoding of an amendment");
    assert!(!amendment.old.is_empty() && amendment.old.is_sorted() && amendment.new.is_sorted());
    assert!(amendment.old.len() + amendment.new.len() <= Amendment::MAX_IDS);
    assert!(amendment.new.iter().all(|id| !amendment.old.contains(id)));
}

fn signed(bytes: &[u8]) {
    let Ok(signed) = SignedAmendment::decode_unverified(bytes) else { return };
    assert_eq!(signed.encode(), bytes, "one encoding of a signed amendment");
    assert_eq!(signed.order(&signed), std::cmp::Ordering::Equal);
    let _ = signed.verify();
}

/// Whatever order amendments come in, the same submissions count; and none both counts and is
/// replaced.
fn many(bytes: &[u8]) {
    let amendments: Vec<Amendment> =
        parts(bytes).into_iter().filter_map(|part| Amendment::decode(part).ok()).collect();
    // Every new submission was accepted, as a part of the amendment that names it first.
    let mut accepted: BTreeMap<SubmissionId, Origin> = BTreeMap::new();
    for amendment in &amendments {
        let Amendment { provider, id, .. } = *amendment;
        for submission in &amendment.new {
            let origin = Origin { submission: *submission, provider, amendment: Some(id) };
            accepted.entry(*submission).or_insert(origin);
        }
        for submission in &amendment.old {
            let origin = Origin { submission: *submission, provider, amendment: None };
            accepted.entry(*submission).or_insert(origin);
        }
    }
    let origin = |id: &SubmissionId| accepted.get(id).copied();
    let resolution = resolve(&amendments, origin);
    assert_eq!(resolution, resolve(amendments.iter().rev(), origin), "no order counts");
    let full = resolve_full(&amendments, origin, |_| 1);
    assert_eq!(full, resolve_full(amendments.iter().rev(), origin, |_| 1));
    let counts = |id: &SubmissionId| {
        accepted.get(id).is_some_and(|origin| resolution.refusal(origin).is_none())
    };
    let counted = accepted.keys().filter(|id| counts(id)).count();
    let again = accepted.values().filter(|origin| resolution.refusal(origin).is_none()).count();
    assert_eq!(counted, again);
    for amendment in &amendments {
        let is_own = |id: &&SubmissionId| {
            accepted.get(id).is_some_and(|origin| origin.provider == amendment.provider)
        };
        let mut new = amendment.new.iter().filter(is_own);
        let mut old = amendment.old.iter().filter(is_own);
        let holds = new.any(|id| {
            counts(id) && accepted.get(id).and_then(|origin| origin.amendment) == Some(amendment.id)
        });
        let is_alone = amendments.iter().filter(|other| other.id == amendment.id).count() == 1;
        assert!(!(is_alone && holds && old.any(counts)), "counted twice");
    }
}

//! The last valid word counts, exactly once, however amendments come in and whatever fails.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::ids::StudyId;

const ME: PublicKey = PublicKey([1; 32]);
const OTHER: PublicKey = PublicKey([2; 32]);

fn ids(tags: impl IntoIterator<Item = u8>) -> Vec<SubmissionId> {
    tags.into_iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .map(|tag| SubmissionId([tag; 16]))
        .collect()
}

fn amendment(id: u8, sequence: u64, old: &[u8], new: &[u8]) -> Amendment {
    Amendment {
        study: StudyId([0; 32]),
        id: AmendmentId([id; 16]),
        sequence,
        provider: ME,
        old: ids(old.iter().copied()),
        new: ids(new.iter().copied()),
    }
}

/// A submission of mine; amendment 0 is none.
fn origin(tag: u8, amendment: u8) -> Origin {
    Origin {
        submission: SubmissionId([tag; 16]),
        provider: ME,
        amendment: (amendment > 0).then_some(AmendmentId([amendment; 16])),
    }
}

/// The reasons of `submissions`, given as (id, amendment), all of which are accepted.
fn refusals(amendments: &[Amendment], submissions: &[(u8, u8)]) -> Vec<Option<Reason>> {
    let origins: Vec<Origin> = submissions.iter().map(|(tag, id)| origin(*tag, *id)).collect();
    let accepted = |id: &SubmissionId| origins.iter().find(|o| o.submission == *id).copied();
    let resolution = resolve(amendments, accepted);
    origins.iter().map(|origin| resolution.refusal(origin)).collect()
}

const REPLACED: Option<Reason> = Some(Reason::Replaced);
const WITHDRAWN: Option<Reason> = Some(Reason::Withdrawn);
const NOT_AMENDED: Option<Reason> = Some(Reason::NotAmended);

#[test]
fn without_amendments_everything_counts_but_what_waits_for_one() {
    assert_eq!(refusals(&[], &[(1, 0), (2, 9)]), [None, NOT_AMENDED]);
}

#[test]
fn a_replacement_counts_in_place_of_what_it_replaces() {
    let change = [amendment(9, 1, &[1], &[2, 3])];
    assert_eq!(refusals(&change, &[(1, 0), (2, 9), (3, 9), (4, 0)]), [REPLACED, None, None, None]);
}

#[test]
fn a_replacement_that_is_not_accepted_as_a_whole_leaves_the_old_one() {
    let change = [amendment(9, 1, &[1], &[2, 3])];
    assert_eq!(refusals(&change, &[(1, 0), (2, 9)]), [None, NOT_AMENDED]);
    // What does not say itself that it is a part of it, is none.
    assert_eq!(refusals(&change, &[(1, 0), (2, 9), (3, 0)]), [None, NOT_AMENDED, NOT_AMENDED]);
    assert_eq!(refusals(&change, &[(1, 0), (2, 9), (3, 8)]), [None, NOT_AMENDED, NOT_AMENDED]);
}

#[test]
fn of_a_chain_the_last_valid_one_counts() {
    let chain = [amendment(8, 1, &[1], &[2]), amendment(9, 2, &[1, 2], &[3])];
    assert_eq!(refusals(&chain, &[(1, 0), (2, 8), (3, 9)]), [REPLACED, REPLACED, None]);
    // The last one is not valid: the middle one counts. The middle one is not: the last one does.
    assert_eq!(refusals(&chain, &[(1, 0), (2, 8)]), [REPLACED, None]);
    assert_eq!(refusals(&chain, &[(1, 0), (3, 9)]), [REPLACED, None]);
    assert_eq!(refusals(&chain, &[(1, 0)]), [None]);
    // The middle amendment got lost.
    assert_eq!(refusals(&chain[1..], &[(1, 0), (2, 8), (3, 9)]), [REPLACED, REPLACED, None]);
}

#[test]
fn a_withdrawn_replacement_leaves_nothing() {
    let chain = [amendment(8, 1, &[1], &[2]), amendment(9, 2, &[1, 2], &[])];
    assert_eq!(refusals(&chain, &[(1, 0), (2, 8)]), [WITHDRAWN, WITHDRAWN]);
    assert_eq!(refusals(&chain, &[(1, 0)]), [WITHDRAWN]);
}

#[test]
fn of_two_replacements_of_the_same_submission_one_counts() {
    let two = [amendment(8, 1, &[1], &[2]), amendment(9, 1, &[1], &[3])];
    assert_eq!(refusals(&two, &[(1, 0), (2, 8), (3, 9)]), [REPLACED, NOT_AMENDED, None]);
    assert_eq!(refusals(&two, &[(1, 0), (2, 8)]), [REPLACED, None]);
    // One id with two contents, told to different servers.
    let two = [amendment(9, 1, &[1], &[2]), amendment(9, 1, &[1], &[3])];
    let refusals = refusals(&two, &[(1, 0), (2, 9), (3, 9)]);
    assert_eq!(refusals[0], REPLACED);
    assert_eq!(refusals[1..].iter().filter(|reason| reason.is_none()).count(), 1);
}

#[test]
fn nobody_amends_what_others_submitted() {
    let theirs = Amendment { provider: OTHER, ..amendment(9, 1, &[1], &[]) };
    assert_eq!(refusals(&[theirs], &[(1, 0)]), [None]);
    // Nor does another's amendment of the same id complete mine.
    let theirs = Amendment { provider: OTHER, ..amendment(9, 1, &[1], &[2]) };
    assert_eq!(refusals(&[theirs], &[(1, 0), (2, 9)]), [None, NOT_AMENDED]);
}

/// The rule, said again with sets and nothing else.
fn naive(amendments: &[Amendment], origins: &[Origin]) -> Vec<SubmissionId> {
    let mut counted = BTreeSet::new();
    for provider in [ME, OTHER] {
        let mine = |id: &SubmissionId| {
            origins.iter().find(|o| o.submission == *id && o.provider == provider)
        };
        let mut left: Vec<&Amendment> =
            amendments.iter().filter(|change| change.provider == provider).collect();
        let mut gone: BTreeSet<SubmissionId> = BTreeSet::new();
        let mut holds: BTreeSet<SubmissionId> = BTreeSet::new();
        while let Some(last) = left
            .iter()
            .max_by_key(|change| (change.sequence, change.id, &change.old, &change.new))
            .copied()
        {
            left.retain(|change| *change != last);
            let complete =
                last.new.iter().all(|id| mine(id).is_some_and(|o| o.amendment == Some(last.id)));
            if complete && last.old.iter().chain(&last.new).all(|id| !gone.contains(id)) {
                gone.extend(&last.old);
                holds.extend(&last.new);
            } else {
                gone.extend(&last.new);
            }
        }
        let counts = origins.iter().filter(|origin| origin.provider == provider).filter(|origin| {
            let id = &origin.submission;
            !gone.contains(id) && (origin.amendment.is_none() || holds.contains(id))
        });
        counted.extend(counts.map(|origin| origin.submission));
    }
    counted.into_iter().collect()
}

fn counted(amendments: &[Amendment], origins: &[Origin]) -> Vec<SubmissionId> {
    let accepted = |id: &SubmissionId| origins.iter().find(|o| o.submission == *id).copied();
    let resolution = resolve(amendments, accepted);
    let counts = origins.iter().filter(|origin| resolution.refusal(origin).is_none());
    counts.map(|origin| origin.submission).collect()
}

fn any_amendment() -> impl Strategy<Value = Amendment> {
    let tags = || prop::collection::btree_set(1..8u8, 0..4);
    (1..5u8, 0..4u64, any::<bool>(), tags(), tags()).prop_filter_map(
        "names an old one",
        |(id, sequence, other, old, new)| {
            let provider = if other { OTHER } else { ME };
            let new = new.difference(&old).copied().collect::<Vec<_>>();
            let old: Vec<u8> = old.into_iter().collect();
            (!old.is_empty()).then(|| Amendment { provider, ..amendment(id, sequence, &old, &new) })
        },
    )
}

fn any_origins() -> impl Strategy<Value = Vec<Origin>> {
    let one = |tag: u8| {
        (any::<bool>(), 0..5u8, prop::bool::weighted(0.8)).prop_map(move |(other, id, accepted)| {
            let provider = if other { OTHER } else { ME };
            accepted.then(|| Origin { provider, ..origin(tag, id) })
        })
    };
    (1..8u8)
        .map(one)
        .collect::<Vec<_>>()
        .prop_map(|origins| origins.into_iter().flatten().collect())
}

/// A family of versions of one submission: each but the first replaces an earlier one, by its
/// number, and with it all that this one had replaced.
fn family(parents: &[usize]) -> Vec<Amendment> {
    let mut history: Vec<Vec<u8>> = vec![vec![1]];
    let mut amendments = Vec::new();
    for (version, parent) in (2u8..).zip(parents) {
        let old = history[parent % history.len()].clone();
        let sequence = old.len() as u64;
        amendments.push(amendment(version, sequence, &old, &[version]));
        history.push([old, vec![version]].concat());
    }
    amendments
}

proptest! {
    #[test]
    fn the_answer_is_that_of_the_plain_rule(
        amendments in prop::collection::vec(any_amendment(), 0..6),
        origins in any_origins(),
    ) {
        prop_assert_eq!(counted(&amendments, &origins), naive(&amendments, &origins));
    }

    #[test]
    fn order_of_arrival_and_duplicates_change_nothing(
        (amendments, arrived) in prop::collection::vec(any_amendment(), 0..6).prop_flat_map(|all| {
            let twice = [all.clone(), all.clone()].concat();
            (Just(all), Just(twice).prop_shuffle())
        }),
        origins in any_origins(),
    ) {
        let accepted = |id: &SubmissionId| origins.iter().find(|o| o.submission == *id).copied();
        prop_assert_eq!(resolve(&amendments, accepted), resolve(&arrived, accepted));
    }

    #[test]
    fn exactly_one_version_counts_whatever_is_replaced_twice_or_fails(
        parents in prop::collection::vec(any::<usize>(), 0..8),
        fails in prop::collection::vec(any::<bool>(), 8),
    ) {
        let amendments = family(&parents);
        let versions = (2..).zip(&parents).zip(&fails).filter(|(_, fails)| !**fails);
        let mut origins = vec![origin(1, 0)];
        origins.extend(versions.map(|((version, _), _)| origin(version, version)));
        prop_assert_eq!(counted(&amendments, &origins).len(), 1);
    }

    #[test]
    fn a_withdrawal_of_the_last_version_leaves_none_of_the_chain(length in 0..8u8) {
        let parents: Vec<usize> = (0..length.into()).collect();
        let mut amendments = family(&parents);
        let all: Vec<u8> = (1..length + 2).collect();
        amendments.push(amendment(99, all.len() as u64, &all, &[]));
        let origins: Vec<Origin> =
            all.iter().map(|tag| origin(*tag, if *tag == 1 { 0 } else { *tag })).collect();
        prop_assert!(counted(&amendments, &origins).is_empty());
    }
}

//! What counts follows from the servers' lists alone, whichever of them holds an amendment.

use futures::{executor::block_on, future::join_all};

use super::*;
use crate::{
    ids::{RunId, StudyId},
    mesh::local::{LocalMesh, Tamper},
    sign::Signer,
    transcript::{Message, Place},
};

const STUDY: StudyId = StudyId([3; 32]);
const PLACE: Place = Place { study: STUDY, run: RunId([7; 16]) };
const LIMITS: Limits = Limits { max_records: 100, one_per_provider: false };

fn signers() -> Vec<Signer> {
    (0..3).map(|server| Signer::from_seed(&[server; 32])).collect()
}

/// A provider, by a tag.
fn provider(tag: u8) -> Signer {
    Signer::from_seed(&[100 + tag; 32])
}

/// An accepted submission of 2 records; amendment 0 is none.
fn entry(id: u8, by: u8, amendment: u8) -> Entry {
    Entry {
        submission: SubmissionId([id; 16]),
        public: PublicHash([id; 32]),
        records: 2,
        status: Status::Accepted,
        provider: provider(by).public(),
        amendment: (amendment > 0).then_some(AmendmentId([amendment; 16])),
    }
}

fn amendment(id: u8, by: u8, old: &[u8], new: &[u8]) -> SignedAmendment {
    let ids = |tags: &[u8]| tags.iter().map(|tag| SubmissionId([*tag; 16])).collect();
    let amendment = Amendment {
        study: STUDY,
        id: AmendmentId([id; 16]),
        sequence: u64::from(id),
        provider: provider(by).public(),
        old: ids(old),
        new: ids(new),
    };
    amendment.sign(&provider(by))
}

fn rejected(set: &AgreedSet) -> Vec<(u8, Reason)> {
    set.rejected.iter().map(|(submission, reason)| (submission.0[0], *reason)).collect()
}

/// What three servers with these holdings agree on.
fn agreed(
    holdings: [(Vec<Entry>, Vec<SignedAmendment>); 3],
    limits: Limits,
    tamper: Option<Tamper>,
) -> Vec<Result<AgreedSet, PublishError>> {
    let signers = signers();
    let keys: Vec<PublicKey> = signers.iter().map(Signer::public).collect();
    let mut tamper = tamper;
    let servers = LocalMesh::connect(3).into_iter().map(|mesh| {
        let me = mesh.me().index();
        let tamper = if me == 1 { tamper.take() } else { None };
        let mut mesh = match tamper {
            Some(tamper) => mesh.with_tamper(tamper),
            None => mesh,
        };
        let (keys, signer, (entries, amendments)) = (&keys, &signers[me], &holdings[me]);
        async move {
            let mut run = Transcript::new(PLACE, keys, signer);
            let mine = Holdings { entries, amendments };
            let set = agree(&mut run, &mut mesh, mine, limits).await?.set;
            confirm(&mut run, &mut mesh, mine, &set).await?;
            Ok(set)
        }
    });
    block_on(join_all(servers))
}

/// Everywhere the same.
fn alike(entries: Vec<Entry>, amendments: &[SignedAmendment], limits: Limits) -> AgreedSet {
    let holdings = [0; 3].map(|_| (entries.clone(), amendments.to_vec()));
    let mut sets = agreed(holdings, limits, None);
    sets.pop().expect("three").expect("agrees")
}

#[test]
fn an_amendment_that_any_one_server_holds_counts_for_all() {
    let entries = vec![entry(1, 0, 0), entry(2, 0, 9), entry(3, 1, 0), entry(4, 2, 0)];
    let (change, withdrawal) = (amendment(9, 0, &[1], &[2]), amendment(5, 1, &[3], &[]));
    let expected = alike(entries.clone(), &[change.clone(), withdrawal.clone()], LIMITS);
    assert_eq!(rejected(&expected), [(1, Reason::Replaced), (3, Reason::Withdrawn)]);
    assert_eq!((expected.submissions, expected.records), (2, 4));
    assert_eq!(expected.dropped, [1, 3].map(|id| SubmissionId([id; 16])));
    // In any order, at any one server, and twice.
    for places in [[0, 1], [1, 2], [2, 0], [0, 0], [1, 1]] {
        let mut holdings = [0; 3].map(|_| (entries.clone(), Vec::new()));
        holdings[places[0]].1.push(withdrawal.clone());
        holdings[places[1]].1.push(change.clone());
        holdings[2].1.extend((!holdings[2].1.contains(&change)).then(|| change.clone()));
        for set in agreed(holdings, LIMITS, None) {
            assert_eq!(set.expect("agrees"), expected, "{places:?}");
        }
    }
}

#[test]
fn a_replacement_that_one_server_lacks_leaves_the_old_one() {
    let all = vec![entry(1, 0, 0), entry(2, 0, 9), entry(3, 0, 9)];
    let change = amendment(9, 0, &[1], &[2, 3]);
    let holdings =
        [(all.clone(), vec![change.clone()]), (all[..2].to_vec(), vec![change]), (all, vec![])];
    for (server, set) in agreed(holdings, LIMITS, None).into_iter().enumerate() {
        let set = set.expect("agrees");
        assert_eq!(rejected(&set), [(2, Reason::NotAmended), (3, Reason::Incomplete)]);
        assert_eq!((set.submissions, set.records), (1, 2));
        let dropped: Vec<u8> = set.dropped.iter().map(|id| id.0[0]).collect();
        assert_eq!(dropped, if server == 1 { vec![2] } else { vec![2, 3] });
    }
}

#[test]
fn a_replacement_that_is_not_verified_yet_is_pending_and_decides_nothing() {
    let new = Entry { status: Status::Unverified, ..entry(2, 0, 9) };
    let list = List::new(&[entry(1, 0, 0), new], &[amendment(9, 0, &[1], &[2])]);
    let origin = |id: &SubmissionId| origin_of(&[entry(1, 0, 0), new], id);
    let agreement = combine(&[&list], &list, origin, LIMITS);
    assert_eq!(agreement.pending, [SubmissionId([2; 16])]);
}

#[test]
fn amendments_come_before_the_limits_of_the_study() {
    let limits = Limits { max_records: 4, one_per_provider: false };
    // Without the change 5 would be left out, with it there is room.
    let entries = vec![entry(1, 0, 9), entry(4, 0, 0), entry(5, 1, 0)];
    let change = [amendment(9, 0, &[4], &[1])];
    let set = alike(entries.clone(), &change, limits);
    assert_eq!(rejected(&set), [(4, Reason::Replaced)]);
    // A replacement takes nobody's place, however low its id, and keeps that of its own.
    let more = vec![entry(0, 2, 8), entry(1, 0, 9), entry(4, 0, 0), entry(5, 1, 0)];
    let changes = [amendment(9, 0, &[4], &[1]), amendment(8, 2, &[77], &[0])];
    let set = alike(more, &changes, limits);
    let over = Reason::RecordsExhausted;
    assert_eq!(rejected(&set), [(0, over), (4, Reason::Replaced)]);
}

#[test]
fn in_a_full_study_nobody_loses_both_versions_nor_grows() {
    let limits = Limits { max_records: 4, one_per_provider: false };
    // 2 and 3 fill the study by themselves; the replacement of 4 has its place all the same.
    let entries = [entry(1, 0, 9), entry(4, 0, 0), entry(2, 1, 0), entry(3, 1, 0)];
    let mut sorted = entries.to_vec();
    sorted.sort_by_key(|entry| entry.submission);
    let set = alike(sorted, &[amendment(9, 0, &[4], &[1])], limits);
    assert_eq!(rejected(&set), [(3, Reason::RecordsExhausted), (4, Reason::Replaced)]);
    // One that is larger than what it replaces leaves the old one.
    let larger = Entry { records: 3, ..entry(1, 0, 9) };
    let change = [amendment(9, 0, &[4], &[1])];
    let set = alike(vec![larger, entry(4, 0, 0), entry(5, 1, 0)], &change, limits);
    assert_eq!((rejected(&set), set.records), (vec![(1, Reason::NotAmended)], 4));
    // Where there is room it counts.
    let set = alike(vec![larger, entry(4, 0, 0)], &change, limits);
    assert_eq!((rejected(&set), set.records), (vec![(4, Reason::Replaced)], 3));
    // Versions in between add nothing to the place of the first one.
    let last = Entry { records: 4, ..entry(1, 0, 10) };
    let chain = [amendment(9, 0, &[4], &[2]), amendment(10, 0, &[2, 4], &[1])];
    let set = alike(vec![last, entry(2, 0, 9), entry(4, 0, 0), entry(5, 1, 0)], &chain, limits);
    assert_eq!(rejected(&set), [(1, Reason::NotAmended), (4, Reason::Replaced)]);
}

#[test]
fn where_each_provider_counts_once_its_replacement_counts_in_its_place() {
    let limits = Limits { one_per_provider: true, ..LIMITS };
    let entries = vec![entry(1, 0, 9), entry(2, 0, 0), entry(3, 1, 0), entry(4, 1, 0)];
    let set = alike(entries.clone(), &[amendment(9, 0, &[2], &[1])], limits);
    assert_eq!(rejected(&set), [(2, Reason::Replaced), (4, Reason::SecondOfProvider)]);
    // Whatever is amended, two of one provider never count.
    let set = alike(entries, &[amendment(9, 0, &[77], &[1])], limits);
    assert_eq!(rejected(&set), [(1, Reason::SecondOfProvider), (4, Reason::SecondOfProvider)]);
}

#[test]
fn where_each_provider_counts_once_the_first_submission_of_each_counts() {
    let limits = Limits { one_per_provider: true, ..LIMITS };
    let invalid = Entry { status: Status::Rejected(Reason::InvalidProof), ..entry(1, 7, 0) };
    let list = vec![
        invalid,
        entry(2, 7, 0),
        entry(3, 8, 0),
        entry(4, 7, 0),
        entry(5, 8, 0),
        entry(6, 9, 0),
    ];
    // One server lacks a submission, so that lists are exchanged; keys are not among them.
    for lacking in [None, Some(2)] {
        let mut holdings = [0; 3].map(|_| (list.clone(), Vec::new()));
        if let Some(server) = lacking {
            holdings[server].0.truncate(5);
        }
        let mut expected = vec![
            (1, Reason::InvalidProof),
            (4, Reason::SecondOfProvider),
            (5, Reason::SecondOfProvider),
        ];
        expected.extend(lacking.map(|_| (6, Reason::Incomplete)));
        for set in agreed(holdings, limits, None) {
            let set = set.expect("agrees");
            assert_eq!(rejected(&set), expected);
            assert_eq!(set.submissions, if lacking.is_some() { 2 } else { 3 });
        }
    }
}

#[test]
fn the_verdict_of_one_server_on_what_the_others_do_not_hold_is_none() {
    for status in [Reason::InvalidProof, Reason::PublicPartsDiffer] {
        let mut holdings = [0; 3].map(|_| (vec![entry(1, 0, 0)], Vec::new()));
        holdings[1].0.push(Entry { status: Status::Rejected(status), ..entry(2, 0, 0) });
        for set in agreed(holdings, LIMITS, None) {
            let set = set.expect("agrees");
            assert_eq!((rejected(&set), set.submissions), (vec![(2, Reason::Incomplete)], 1));
        }
    }
}

#[test]
fn a_rejection_of_what_others_accepted_is_an_invalid_proof_of_which_nobody_is_named() {
    for status in [Reason::InvalidProof, Reason::PublicPartsDiffer] {
        let mut holdings = [0; 3].map(|_| (vec![entry(1, 0, 0), entry(2, 0, 0)], Vec::new()));
        holdings[1].0[1].status = Status::Rejected(status);
        for set in agreed(holdings, LIMITS, None) {
            let set = set.expect("agrees");
            assert_eq!((rejected(&set), set.submissions), (vec![(2, Reason::InvalidProof)], 1));
        }
    }
}

#[test]
fn a_list_with_a_reason_that_no_server_finds_alone_names_its_server() {
    for code in 3..=8 {
        let reason = Reason::from_code(code).expect("a reason");
        let mut holdings = [0; 3].map(|_| (vec![entry(1, 0, 0)], Vec::new()));
        holdings[1].0[0].status = Status::Rejected(reason);
        let malformed = TranscriptError::Malformed { party: Party(1), step: Step::Lists };
        for set in agreed(holdings, LIMITS, None) {
            assert_eq!(set, Err(malformed.clone().into()), "{reason:?}");
        }
    }
}

#[test]
fn a_list_survives_its_encoding_and_another_order_or_study_is_refused() {
    let changes =
        [amendment(9, 0, &[1], &[2]), amendment(8, 0, &[1], &[]), amendment(9, 1, &[4], &[])];
    let list = List::new(&[entry(1, 0, 0), entry(2, 0, 9)], &changes);
    assert_eq!(List::decode(STUDY, &list.encode()), Ok(list.clone()));
    assert!(List::decode(StudyId([4; 32]), &list.encode()).is_err());
    let shuffled = |change: fn(&mut List)| {
        let mut other = list.clone();
        change(&mut other);
        List::decode(STUDY, &other.encode())
    };
    assert!(shuffled(|list| list.amendments.swap(0, 1)).is_err());
    assert!(shuffled(|list| list.amendments.push(list.amendments[2].clone())).is_err());
    assert!(shuffled(|list| list.submissions.swap(0, 1)).is_err());
    assert!(List::decode(STUDY, &u32::MAX.to_be_bytes()).is_err());
}

#[test]
fn a_list_with_an_amendment_that_its_provider_did_not_sign_names_its_server() {
    let entries = vec![entry(1, 0, 0)];
    let mut forged = amendment(9, 0, &[1], &[]);
    forged.signature = forged.amendment.clone().sign(&provider(1)).signature;
    let holdings =
        [(entries.clone(), Vec::new()), (entries.clone(), vec![forged]), (entries, Vec::new())];
    for set in agreed(holdings, LIMITS, None) {
        let malformed = TranscriptError::Malformed { party: Party(1), step: Step::Lists };
        assert_eq!(set, Err(malformed.into()));
    }
}

#[test]
fn a_server_that_hides_an_amendment_after_its_root_is_named() {
    let entries = vec![entry(1, 0, 0)];
    let change = amendment(9, 0, &[1], &[]);
    let hidden = List::new(&entries, &[]).encode();
    let tamper: Tamper = Box::new(move |round, me, _, message| {
        if round != 1 {
            return Some(message);
        }
        let message = Message::decode_unverified(me, &message).expect("a message");
        Some(message.falsified(&signers()[me.index()], PLACE, &hidden).encode())
    });
    let holdings =
        [(entries.clone(), Vec::new()), (entries.clone(), vec![change]), (entries, Vec::new())];
    let sets = agreed(holdings, LIMITS, Some(tamper));
    for server in [0, 2] {
        assert_eq!(sets[server], Err(PublishError::ListMismatch { party: Party(1) }));
    }
}

#[test]
fn of_two_signatures_on_one_amendment_all_servers_keep_the_same() {
    let change = amendment(9, 0, &[1], &[]);
    let mut other = change.clone();
    other.signature.0[63] ^= 1;
    let (one, two) = (List::new(&[], &[change]), List::new(&[], &[other]));
    assert_eq!(union(&[&one, &two]), union(&[&two, &one]));
    assert_eq!(union(&[&one, &two]).len(), 1);
}

#[test]
fn the_signed_set_changes_with_the_amendments() {
    let set = alike(vec![entry(1, 0, 0)], &[amendment(9, 0, &[1, 77], &[])], LIMITS);
    let without = AgreedSet { amendments: Vec::new(), ..set.clone() };
    assert_ne!(set.digest(), without.digest());
}

#[test]
fn amendments_of_who_submitted_nothing_are_no_part_of_the_set() {
    let entries = vec![entry(1, 0, 0), entry(2, 1, 9)];
    // By a key of nobody, over what others submitted and what nobody did; of one who did, likewise.
    let made_up =
        [amendment(7, 5, &[1], &[2]), amendment(6, 6, &[77], &[]), amendment(5, 0, &[2], &[])];
    let real = [amendment(9, 1, &[77], &[2]), amendment(8, 0, &[1], &[])];
    let mut holdings = [0; 3].map(|_| (entries.clone(), real.to_vec()));
    holdings[1].1.extend(made_up);
    for set in agreed(holdings, LIMITS, None) {
        let set = set.expect("agrees");
        assert_eq!(set, alike(entries.clone(), &real, LIMITS));
        assert_eq!(set.amendments.len(), 2);
    }
}

#[test]
fn a_list_with_more_of_one_provider_than_a_door_takes_is_refused() {
    let most = u8::try_from(MAX_AMENDMENTS_OF_PROVIDER).expect("fits");
    let many = |number: u8, by: u8| (1..=number).map(move |id| amendment(id, by, &[1], &[]));
    let list = |amendments: Vec<SignedAmendment>| List::new(&[], &amendments).encode();
    assert!(List::decode(STUDY, &list(many(most, 0).chain(many(most, 1)).collect())).is_ok());
    assert!(List::decode(STUDY, &list(many(most + 1, 0).collect())).is_err());
    let ids =
        |count: u32| (0..count).map(|id| SubmissionId(u128::from(id).to_be_bytes())).collect();
    let bytes = |sequence: u64| {
        let change = amendment(1, 0, &[1], &[]).amendment;
        let id = AmendmentId([u8::try_from(sequence).expect("fits"); 16]);
        Amendment { id, sequence, old: ids(1 << 16), ..change }.sign(&provider(0))
    };
    assert!(List::decode(STUDY, &list(vec![bytes(1)])).is_ok());
    assert!(List::decode(STUDY, &list(vec![bytes(1), bytes(2)])).is_err());
}

//! What a class reads about an attack is true, complete, and names the right pupils.

use std::sync::Arc;

use mpc::{
    ids::RunId,
    ring::{Protocol, plan::Plan, play, pupil::Secrets},
};
use rand::{SeedableRng, rngs::StdRng};

use super::*;
use crate::ring::{name::Named, scale::Scale};

/// A round among pupils with these numbers, each with a value.
fn round(protocol: Protocol, scale: Scale, numbers: &[u16]) -> Round {
    let named = |&number: &u16| Named::new(PupilId(number), if number == 4 { "Anna" } else { "" });
    Round::new(RunId([1; 16]), protocol, scale, numbers.iter().map(named).collect()).unwrap()
}

fn grades() -> Scale {
    Scale::new("0", "100", 1).unwrap()
}

/// The views of the colluders, by seat, of a class with these values.
fn views(round: &Round, values: &[i64], colluders: &[u16]) -> Vec<View> {
    let values: Vec<u64> = values.iter().map(|value| value.cast_unsigned()).collect();
    let played = play(round.plan(), &values, &mut StdRng::seed_from_u64(1)).unwrap();
    colluders.iter().map(|seat| played.views[usize::from(*seat)].clone()).collect()
}

/// The finding about P1 to P_n with the values 10.0, 11.0, 12.0, …
fn found(protocol: Protocol, pupils: u16, colluders: &[u16]) -> Finding {
    let numbers: Vec<u16> = (1..=pupils).collect();
    let round = round(protocol, grades(), &numbers);
    let values: Vec<i64> = (10..).map(|value| 10 * value).take(pupils.into()).collect();
    find(&round, &views(&round, &values, colluders)).unwrap()
}

/// The finding about one ring of pupils with these numbers, whose mask is given.
fn masked(scale: Scale, numbers: &[u16], values: &[i64], mask: u64, colluders: &[u16]) -> Finding {
    let round = round(Protocol::Ring, scale, numbers);
    let plan: &Arc<Plan> = round.plan();
    let secrets = |(seat, value): (usize, &i64)| Secrets {
        value: value.cast_unsigned(),
        shares: vec![value.cast_unsigned()],
        masks: if seat == 0 { vec![mask] } else { vec![] },
    };
    let secrets: Vec<_> = values.iter().enumerate().map(secrets).collect();
    let played = play::play_with(plan, &secrets).unwrap();
    let views: Vec<_> =
        colluders.iter().map(|seat| played.views[usize::from(*seat)].clone()).collect();
    find(&round, &views).unwrap()
}

#[test]
fn two_neighbours_subtract_and_have_the_value() {
    let values = [763, 754, 671, 635, 500, 400];
    let before = 763 + 754 + 671;
    let mask = 12_345_678_901_234_567_890 - before;
    let finding = masked(grades(), &[1, 2, 3, 4, 5, 6], &values, mask, &[2, 4]);
    assert_eq!(
        finding.steps[0],
        "P3 sent 12345678901234567890 to P4. P5 received 12345678901234568525 from P4. \
         The difference is 635: P4's value is 63.5."
    );
    assert_eq!(
        finding.steps[1],
        "P5 sent 12345678901234569025 to P6. P3 received 12345678901234567219 from P2. \
         P1, with which the ring starts and ends, did not pass on what it received: \
         this difference says nothing new."
    );
    assert_eq!(
        finding.steps[2],
        "But the total is 372.3. Without the colluders' own, 117.1, and without 63.5, \
         191.7 is left: P1, P2 and P6 together have that."
    );
    assert_eq!(finding.steps[3..], ["P3 and P5 know the value of P4: 63.5."]);
    assert!(finding.succeeded);
    assert_eq!(finding.colluders, ["P3", "P5"]);
    let exact = &finding.exact[..];
    assert!(
        matches!(exact, [Exact { pupil, value, from_total: false }] if pupil == "P4" && *value == 63.5)
    );
    assert_eq!(finding.groups.len(), 1);
    assert_eq!(finding.groups[0].members, ["P1", "P2", "P6"]);
    assert_eq!(finding.groups[0].sum, 191.7);
    assert!(finding.open.is_empty());
}

#[test]
fn numbers_in_json_keep_all_their_digits() {
    let finding = masked(grades(), &[1, 2, 3], &[1, 2, 3], 12_345_678_901_234_567_890, &[0, 2]);
    let json = serde_json::to_value(&finding).unwrap();
    let arc = &json["arcs"][0];
    assert_eq!(arc["ring"], 1);
    assert_eq!(arc["honest"][0], "P2");
    let entered = serde_json::json!({ "from": "P1", "to": "P2", "value": "12345678901234567891" });
    assert_eq!(arc["entered"], entered);
    assert_eq!(arc["sum"], "2");
}

#[test]
fn pupils_keep_their_numbers_when_one_is_left_out() {
    let finding = masked(grades(), &[1, 3, 4, 7], &[10, 20, 30, 40], 5, &[1, 3]);
    assert!(finding.steps[0].ends_with("The difference is 30: P4's value is 3.0."));
    assert_eq!(finding.colluders, ["P3", "P7"]);
}

#[test]
fn a_number_that_starts_again_at_nought_and_a_value_below_it_are_explained() {
    let finding = masked(grades(), &[1, 2, 3, 4], &[7, 20, 40, 9], u64::MAX - 9, &[0, 2]);
    let why = "The difference is 20, for after 18446744073709551615 the numbers start again at 0";
    assert!(finding.steps[0].contains(why), "{}", finding.steps[0]);
    let scale = Scale::new("-5", "5", 0).unwrap();
    let finding = masked(scale, &[1, 2, 3, 4], &[1, -4, 5, 0], 100, &[0, 2]);
    let value = "P2. The difference is -4: P2's value is -4.";
    assert!(finding.steps[0].ends_with(value), "{}", finding.steps[0]);
}

#[test]
fn between_colluders_who_sit_apart_a_sum_is_known_and_no_value() {
    let finding = found(Protocol::Ring, 8, &[1, 4]);
    assert!(finding.steps[0].ends_with("The difference is 250: P3 and P4 together have 25.0."));
    let open = &finding.open[0];
    assert_eq!((open.pupil.as_str(), open.values, open.allowed_by_total), ("P1", 581, 831));
    let possible =
        "581 values from 0.0 to 58.0 are possible for P1, where the average alone would allow 831:";
    assert!(finding.steps[3].starts_with(possible), "{}", finding.steps[3]);
    let conclusion = "P2 and P5 know more than the average tells, namely the sums of some of the others, but nobody's value.";
    assert_eq!(finding.steps[4], conclusion);
    assert!(finding.succeeded && finding.exact.is_empty());
}

#[test]
fn several_values_are_named_together() {
    let finding = found(Protocol::Ring, 6, &[1, 3, 5]);
    let conclusion = "P2, P4 and P6 know the values of P1 (10.0), P3 (12.0) and P5 (14.0).";
    assert_eq!(finding.steps.last().unwrap(), conclusion);
}

#[test]
fn after_the_repair_every_value_is_possible() {
    for protocol in [Protocol::Rings, Protocol::Shares] {
        let finding = found(protocol, 20, &[2, 4]);
        assert!(!finding.succeeded && finding.exact.is_empty());
        let [open] = &finding.open[..] else { panic!("{:?}", finding.open) };
        assert_eq!((open.pupil.as_str(), open.min, open.max), ("P4", 0.0, 100.0));
        assert_eq!((open.values, open.allowed_by_total, open.of), (1001, 1001, 1001));
        let [.., possible, conclusion] = &finding.steps[..] else { panic!() };
        assert_eq!(
            possible,
            "Every one of the 1001 values from 0.0 to 100.0 is possible for P4: for each one \
             there is a class that would have sent P3 and P5 exactly these numbers."
        );
        let nothing = "P3 and P5 know nothing about the others but what follows from the average.";
        assert_eq!(conclusion, nothing);
    }
}

#[test]
fn a_difference_in_several_rings_is_a_share_and_no_value() {
    let finding = found(Protocol::Rings, 20, &[2, 4]);
    let [split, near, ..] = &finding.steps[..] else { panic!() };
    assert!(split.starts_with("Everybody's value is split into 10 random shares"), "{split}");
    assert!(near.starts_with("About P4: in ring "), "{near}");
    assert!(near.contains("share") && near.contains("says nothing about"), "{near}");
    // What P1 adds is hidden by its masks whoever colludes.
    let finding = found(Protocol::Rings, 7, &[1, 6]);
    let hidden = "About P1: P1 starts and ends every ring, and its masks hide what it adds and what is added next to it. P2 and P7 know none of the 3 shares.";
    assert_eq!(finding.steps[1], hidden);
}

#[test]
fn who_is_sent_shares_lacks_the_one_that_is_kept() {
    let finding = found(Protocol::Shares, 5, &[1, 3]);
    let seen = "The other 3 of its shares P2 and P4 have not seen: P3 kept one, and 2 went to the other pupils.";
    assert!(finding.steps[1].starts_with("P3 sent "), "{}", finding.steps[1]);
    assert!(finding.steps[1].ends_with(seen), "{}", finding.steps[1]);
}

#[test]
fn all_but_two_know_the_sum_that_the_average_tells() {
    for protocol in [Protocol::Rings, Protocol::Shares] {
        let finding = found(protocol, 9, &[0, 1, 2, 4, 5, 6, 7]);
        assert!(!finding.succeeded);
        let conclusion = "P1, P2, P3, P5, P6, P7 and P8 know the sum of P4 and P9, which follows from the average, and nothing else about them.";
        assert_eq!(finding.steps.last().unwrap(), conclusion);
        let [open, other] = &finding.open[..] else { panic!("{:?}", finding.open) };
        assert_eq!((open.pupil.as_str(), open.min, open.max), ("P4", 0.0, 31.0));
        assert_eq!((open.values, open.allowed_by_total), (311, 311));
        assert_eq!((other.pupil.as_str(), other.values), ("P9", 311));
    }
}

#[test]
fn all_but_one_know_the_last_value_and_that_nothing_could_hide_it() {
    for protocol in Protocol::ALL {
        let finding = found(protocol, 5, &[0, 1, 2, 4]);
        assert!(!finding.succeeded && finding.open.is_empty());
        let exact = &finding.exact[..];
        assert!(
            matches!(exact, [Exact { pupil, value, from_total: true }] if pupil == "P4" && *value == 13.0)
        );
        assert_eq!(
            finding.steps,
            [
                "P1, P2, P3 and P5 know all values but one. The total is 60.0. Without their own, \
                 47.0, it leaves 13.0: P4's value.",
                "The rest follows from the average: no protocol that tells the average can hide it."
            ]
        );
    }
}

#[test]
fn all_together_have_nothing_to_find_out() {
    let finding = found(Protocol::Rings, 5, &[0, 1, 2, 3, 4]);
    let nobody = ["Everybody colludes: there is nobody left to find out about."];
    assert_eq!(finding.steps, nobody);
}

#[test]
fn one_alone_finds_nothing_about_the_first_of_the_others() {
    for protocol in Protocol::ALL {
        let finding = found(protocol, 5, &[2]);
        assert!(!finding.succeeded);
        assert_eq!(finding.open[0].pupil, "P1");
        let conclusion = "P3 knows nothing about the others but what follows from the average.";
        assert_eq!(finding.steps.last().unwrap(), conclusion);
    }
}

#[test]
fn long_lists_of_pupils_are_cut_short() {
    let finding = found(Protocol::Ring, 20, &[2, 4]);
    assert!(
        finding.steps[2].ends_with("is left: P1, P2, … and P20 (17 pupils) together have that.")
    );
    let finding = found(Protocol::Shares, 20, &(0..18).collect::<Vec<_>>());
    assert!(finding.steps[1].contains(" and 16 more to the others. "), "{}", finding.steps[1]);
}

#[test]
fn a_value_that_the_scale_does_not_have_is_noticed() {
    let finding = masked(grades(), &[1, 2, 3, 4], &[10, 20, 2000, 40], 5, &[1, 3]);
    let broken = "200.0 is not a value between 0.0 and 100.0: somebody did not follow the rules.";
    assert!(finding.steps.iter().any(|step| step == broken), "{:?}", finding.steps);
    let values = [10, 2000, 20, 40, 50, 60];
    let finding = masked(grades(), &[1, 2, 3, 4, 5, 6], &values, 5, &[0, 3]);
    let broken = "202.0 is not the sum of 2 values between 0.0 and 100.0: somebody did not follow the rules.";
    assert!(finding.steps.iter().any(|step| step == broken), "{:?}", finding.steps);
    assert!(finding.open.is_empty(), "no class of grades looks like this one");
}

#[test]
fn a_view_that_cannot_be_names_the_pupil_who_showed_it() {
    let round = round(Protocol::Ring, grades(), &[1, 3, 4, 7]);
    let mut views = views(&round, &[10, 20, 30, 40], &[0, 2]);
    views[1].received[0].value ^= 1;
    let error = find(&round, &views).unwrap_err();
    assert_eq!(error.who, [PupilId(4)]);
    let text = "what P4 (Anna) has shown does not add up to what it sent on";
    assert_eq!(error.to_string(), text);
}

#[test]
fn three_pupils_have_one_ring_in_which_the_share_is_the_value() {
    let rings = found(Protocol::Rings, 3, &[1]);
    assert!(rings.steps.iter().all(|step| !step.contains("share")), "{:?}", rings.steps);
    let total = "But the total is 33.0. Without P2's own, 11.0, 22.0 is left: P1 and P3 together have that.";
    assert!(rings.steps.iter().any(|step| step == total), "{:?}", rings.steps);
    assert_eq!(rings.steps.len(), found(Protocol::Ring, 3, &[1]).steps.len());
}

#[test]
fn one_alone_is_spoken_of_as_one() {
    for protocol in Protocol::ALL {
        for pupils in 3..8 {
            let steps = found(protocol, pupils, &[2]).steps;
            let is_plural = |step: &String| {
                ["They ", "colluders", " 1 shares", "P3 know ", "P3 have "]
                    .iter()
                    .any(|word| step.contains(word))
            };
            assert!(!steps.iter().any(is_plural), "{steps:?}");
        }
    }
}

#[test]
fn where_the_total_tells_everything_nobody_claims_that_something_is_hidden() {
    for (protocol, value) in Protocol::ALL.into_iter().flat_map(|it| [(it, 0), (it, 1000)]) {
        for colluders in [&[1][..], &[1, 3], &[0, 1, 2]] {
            let round = round(protocol, grades(), &[1, 2, 3, 4, 5]);
            let finding = find(&round, &views(&round, &[value; 5], colluders)).unwrap();
            let shown = round.scale().show(value);
            let conclusion = format!(
                "The average alone tells that each of the others has {shown}: no protocol that \
                 tells the average can hide it."
            );
            assert_eq!(finding.steps.last(), Some(&conclusion), "{protocol} {colluders:?}");
            assert!(!finding.succeeded && finding.groups.is_empty());
            assert_eq!(finding.exact.len(), 5 - colluders.len());
            assert!(finding.exact.iter().all(|exact| exact.from_total));
        }
    }
}

#[test]
fn an_extreme_sum_of_some_is_the_value_of_each() {
    let finding = masked(grades(), &[1, 2, 3, 4, 5], &[500, 400, 1000, 1000, 300], 7, &[1, 4]);
    let conclusion = "P2 and P5 know the values of P1 (50.0), P3 (100.0) and P4 (100.0).";
    assert_eq!(finding.steps.last().unwrap(), conclusion);
    assert_eq!(finding.exact.len(), 3);
    assert!(finding.succeeded && finding.groups.is_empty());
}

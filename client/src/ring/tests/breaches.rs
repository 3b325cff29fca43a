//! What happens when a pupil breaks the rules: the round stops, everybody hears who it was, and the
//! class plays on without it.

use super::*;

/// Plays with one who misbehaves, then without it.
async fn breach(protocol: Protocol, culprit: u16, way: Misbehaviour) -> Stop {
    let patience = match way {
        Misbehaviour::Silent => Duration::from_secs(2),
        _ => PATIENCE,
    };
    let mut lesson =
        lesson([100, 200, 300, 400, 500]).with(culprit, way).patient_for(patience).start().await;
    let stop = lesson.stopped(protocol).await;
    let others = if way == Misbehaviour::Drops { 4 } else { 5 };
    let hear = if way == Misbehaviour::Silent { 4 } else { others };
    assert!(lesson.told(hear).await.iter().all(|told| *told == stop.to_string()), "{stop}");
    assert_eq!(stop.suspects(), [PupilId(culprit)], "{protocol} {way}: {stop}");
    assert!(lesson.learned().is_empty());
    lesson.host.leave_out(PupilId(culprit), true).unwrap();
    let played = lesson.play(protocol).await.unwrap();
    assert_eq!(played.outcome.total, 1500 - 100 * i64::from(culprit));
    assert_eq!(lesson.learned().len(), 4);
    stop
}

async fn in_all(way: Misbehaviour, kind: &str) {
    for protocol in Protocol::ALL {
        for culprit in [1, 4] {
            let stop = breach(protocol, culprit, way).await;
            assert_eq!(stop.kind(), kind, "{protocol}: {stop}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pupil_that_drops_out_is_named() {
    in_all(Misbehaviour::Drops, "left").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pupil_that_says_nothing_any_more_is_named() {
    in_all(Misbehaviour::Silent, "silent").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pupil_that_answers_twice_is_named() {
    in_all(Misbehaviour::Twice, "twice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pupil_that_sends_garbage_is_named() {
    in_all(Misbehaviour::Garbage, "garbage").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pupil_that_lies_about_its_neighbour_is_named_and_not_its_neighbour() {
    in_all(Misbehaviour::Lies, "false-accusation").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_immediate_restart_convicts_nobody_of_what_was_under_way() {
    let mut lesson = lesson([100; 8]).with(4, Misbehaviour::Garbage).start().await;
    for _ in 0..5 {
        let stop = lesson.stopped(Protocol::Shares).await;
        assert_eq!((stop.kind(), stop.suspects()), ("garbage", vec![PupilId(4)]), "{stop}");
        lesson.host.leave_out(PupilId(4), true).unwrap();
        assert_eq!(lesson.play(Protocol::Shares).await.unwrap().outcome.total, 700);
        lesson.host.leave_out(PupilId(4), false).unwrap();
    }
}

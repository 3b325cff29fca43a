//! What a class does when everybody keeps to the rules.

use mpc::ring::{Seat, plan};
use tokio::sync::mpsc;

use super::*;

fn grades(pupils: usize) -> Vec<i64> {
    (0..pupils).map(|place| 300 + 37 * place as i64 % 700).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_class_learns_its_total_by_every_protocol_and_nothing_is_sent_besides() {
    for pupils in [3, 4, 5, 6, 7, 20] {
        let values = grades(pupils);
        let total: i64 = values.iter().sum();
        let mut lesson = lesson(values).start().await;
        for protocol in Protocol::ALL {
            let played = lesson.play(protocol).await.unwrap();
            assert_eq!(played.outcome.total, total, "{protocol} {pupils}");
            let all: Vec<_> = (1..).take(pupils).map(|id| (id, total, pupils)).collect();
            assert_eq!(lesson.learned(), all, "{protocol} {pupils}");
            let mut lanes: Vec<_> = lesson.sent().iter().map(|message| message.lane).collect();
            let mut planned = plan::Plan::new(protocol, pupils).unwrap().lanes();
            lanes.sort_unstable();
            planned.sort_unstable();
            assert_eq!(lanes, planned, "{protocol} {pupils}");
        }
        lesson.host.end().await;
        for mut pupil in lesson.pupils {
            pupil.ended().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_masked_number_passes_through_the_host() {
    let mut lesson = lesson(grades(6)).start().await;
    for protocol in Protocol::ALL {
        lesson.traffic.lock().unwrap().clear();
        let played = lesson.play(protocol).await.unwrap();
        let traffic = lesson.traffic.lock().unwrap().clone();
        let holds = |number: u64| {
            let hex = hex::encode(number.to_be_bytes());
            let spellings = [
                number.to_le_bytes().to_vec(),
                number.to_be_bytes().to_vec(),
                hex.clone().into_bytes(),
                number.to_string().into_bytes(),
            ];
            spellings.iter().any(|text| traffic.windows(text.len()).any(|window| window == text))
        };
        let mut secrets: Vec<u64> = lesson.sent().iter().map(|message| message.value).collect();
        for (_, event) in lesson.seen.lock().unwrap().iter() {
            if let Event::Learned(learned) = event {
                secrets.extend(learned.view.masks.iter().copied());
                // One ring's only share is the value itself, which is too small to look for.
                if protocol != Protocol::Ring {
                    secrets.extend(learned.view.shares.iter().copied());
                }
            }
        }
        assert!(secrets.len() > 6, "{protocol}");
        assert!(!secrets.into_iter().any(holds), "{protocol}");
        // What is announced to everybody is there, so the search does find what there is.
        assert!(played.round.announced().values().all(|number| holds(*number)), "{protocol}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_waits_for_its_step_and_steps_go_around_in_order() {
    let mut lesson = lesson(grades(4)).start().await;
    let (step, mut steps) = mpsc::channel(1);
    let (news, seen) = (Arc::clone(&lesson.news), Arc::clone(&lesson.seen));
    let stop = CancellationToken::new();
    let teacher = tokio::spawn(async move {
        let mut order = Vec::new();
        while order.len() < 4 {
            let waiting: Vec<_> = news
                .lock()
                .unwrap()
                .iter()
                .filter_map(|news| match news {
                    News::Waiting(lane) => Some(*lane),
                    _ => None,
                })
                .collect();
            if waiting.len() > order.len() {
                let sent = seen
                    .lock()
                    .unwrap()
                    .iter()
                    .filter(|(_, event)| matches!(event, Event::Sent(_)))
                    .count();
                assert_eq!(sent, order.len(), "nothing is sent before its step");
                order = waiting;
                step.send(()).await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        order
    });
    lesson.host.play(Protocol::Ring, Some(&mut steps), &stop).await.unwrap();
    let senders: Vec<_> = teacher.await.unwrap().iter().map(|lane| lane.from).collect();
    assert_eq!(senders, [Seat(0), Seat(1), Seat(2), Seat(3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_teacher_stops_a_round_and_everybody_is_told() {
    let mut lesson = lesson(grades(4)).start().await;
    let (_step, mut steps) = mpsc::channel(1);
    let stop = CancellationToken::new();
    stop.cancel();
    let stopped = lesson.host.play(Protocol::Ring, Some(&mut steps), &stop).await.unwrap_err();
    assert!(matches!(stopped, RingError::Stopped(Stop::Teacher)), "{stopped}");
    lesson.told(4).await;
    lesson.play(Protocol::Ring).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_between_rounds_is_not_missed_and_who_comes_plays_the_next_one() {
    let mut lesson = lesson([100, 200, 300, 400]).start().await;
    assert_eq!(lesson.play(Protocol::Ring).await.unwrap().outcome.total, 1000);
    lesson.pupils.remove(1).leave().await.unwrap();
    while lesson.host.players().len() > 3 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(lesson.play(Protocol::Shares).await.unwrap().outcome.total, 800);
    lesson.join(500, None).await;
    let played = lesson.play(Protocol::Rings).await.unwrap();
    assert_eq!(played.outcome.total, 1300);
    let ids: Vec<_> = played.round.pupils().iter().map(|named| named.id.0).collect();
    assert_eq!(ids, [1, 3, 4, 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_screens_show_the_same_letters() {
    let mut lesson = lesson(grades(3)).start().await;
    lesson.play(Protocol::Ring).await.unwrap();
    let host = lesson.news.lock().unwrap().iter().find_map(|news| match news {
        News::Began { check } => Some(check.clone()),
        _ => None,
    });
    let seen = lesson.seen.lock().unwrap();
    let checks = seen.iter().filter_map(|(_, event)| match event {
        Event::Seated(seating) => Some(seating.check.clone()),
        _ => None,
    });
    assert_eq!(checks.collect::<Vec<_>>(), vec![host.unwrap(); 3]);
}

#[tokio::test]
async fn two_pupils_do_not_play() {
    let mut lesson = lesson([1, 2]).start().await;
    let refused = lesson.play(Protocol::Ring).await.unwrap_err();
    assert!(refused.to_string().contains("3 to 100"), "{refused}");
}

#[tokio::test]
async fn a_value_outside_the_scale_is_refused_before_anything_is_sent() {
    let lesson = lesson([]).start().await;
    let settings = pupil::Settings::new("Anna", LOOPBACK);
    let pupil = Attendance::join(lesson.host.code(), settings, Arc::new(|_| ())).await.unwrap();
    lesson.traffic.lock().unwrap().clear();
    for value in [-1, 1001, i64::MAX] {
        assert!(matches!(pupil.bring(value).await, Err(RingError::Value(_))));
    }
    pupil.leave().await.unwrap();
    assert!(lesson.host.players().is_empty());
}

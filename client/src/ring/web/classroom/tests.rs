//! Listeners: who reads, who does not, and who takes another's place.

use super::*;
use crate::ring::{
    scale::Scale,
    web::request::{FromPupil, FromTeacher, PublicKey},
};

fn classroom() -> Arc<Classroom> {
    Arc::new(quiet_for(ALIVE))
}

/// A classroom that says after this time that it is there.
fn quiet_for(alive: Duration) -> Classroom {
    let scale = Scale::new("0", "100", 1).unwrap();
    let rules = Rules { scale, silence: Duration::from_secs(300), grace: Duration::from_secs(300) };
    let mut rng = rand::rng();
    let (code, teacher) = (Code::draw(&mut rng), Token::draw(&mut rng));
    let classroom = Classroom::new(rules, code, "link".into(), teacher, Traffic::default());
    Classroom { alive, class_pace: Duration::ZERO, ..classroom }
}

fn join(classroom: &Arc<Classroom>) -> Who {
    let key = PublicKey::of_a_test(1);
    let join = Join { code: classroom.code.to_string(), name: String::new(), key };
    Who::Pupil(classroom.join(&join).unwrap().0)
}

/// Something happens that everybody is told.
fn happen(classroom: &Arc<Classroom>, who: Who) {
    let Who::Pupil(id) = who else { return };
    let ready = |classroom: &Arc<Classroom>, request| {
        classroom.act(|lesson, now| lesson.pupil(id, request, now)).unwrap();
    };
    ready(classroom, FromPupil::Ready {});
    ready(classroom, FromPupil::Unready {});
}

#[tokio::test]
async fn who_does_not_read_is_dropped_and_goes_on_where_it_was() {
    let classroom = classroom();
    let pupil = join(&classroom);
    let mut listener = classroom.listen(pupil, 0).unwrap();
    assert!(listener.next().await.unwrap().contains(r#""type":"class""#));
    classroom.drop_slow_readers(Instant::now());
    let read = listener.after;
    happen(&classroom, pupil);
    classroom.drop_slow_readers(Instant::now() + SLOWEST_READER);
    assert_eq!(listener.next().await, None);
    drop(listener);
    let mut again = classroom.listen(pupil, read).unwrap();
    let lines = again.next().await.unwrap();
    assert!(lines.lines().all(|line| !line.starts_with(&format!("{{\"n\":{read},"))), "{lines}");
    assert!(lines.contains(r#""ready":false"#), "{lines}");
}

#[tokio::test]
async fn a_second_connection_of_a_pupil_ends_the_first_and_the_teacher_has_four() {
    let classroom = classroom();
    let pupil = join(&classroom);
    let mut first = classroom.listen(pupil, 0).unwrap();
    first.next().await.unwrap();
    let mut second = classroom.listen(pupil, 0).unwrap();
    assert_eq!(first.next().await, None);
    drop(first);
    assert!(second.next().await.is_some());
    let mut teachers: Vec<Listener> =
        (0..=TEACHERS_STREAMS).map(|_| classroom.listen(Who::Teacher, 0).unwrap()).collect();
    assert_eq!(teachers[0].next().await, None);
    for teacher in &mut teachers[1..] {
        assert!(teacher.next().await.is_some());
    }
}

#[tokio::test]
async fn who_listens_while_nothing_happens_is_told_that_the_host_is_there() {
    let classroom = Arc::new(quiet_for(Duration::from_millis(1)));
    let mut listener = classroom.listen(Who::Teacher, 0).unwrap();
    assert!(listener.next().await.unwrap().contains(r#""n":1"#));
    for _ in 0..3 {
        assert_eq!(listener.next().await.as_deref(), Some("{\"type\":\"alive\"}\n"));
    }
    // It is told of what happens at once all the same.
    join(&classroom);
    assert!(listener.next().await.unwrap().contains(r#""pupil":1"#));
}

#[tokio::test]
async fn who_has_left_is_told_nothing_more() {
    let classroom = classroom();
    let pupil = join(&classroom);
    let mut listener = classroom.listen(pupil, 0).unwrap();
    listener.next().await.unwrap();
    let Who::Pupil(id) = pupil else { return };
    classroom.act(|lesson, now| lesson.pupil(id, FromPupil::Leave {}, now)).unwrap();
    assert_eq!(listener.next().await, None);
    assert!(classroom.listen(pupil, 0).is_err());
}

#[tokio::test]
async fn a_pupil_that_changes_its_mind_all_the_time_is_shown_four_times_a_second() {
    let classroom = Arc::new(Classroom { class_pace: CLASS_PACE, ..quiet_for(ALIVE) });
    let pupil = join(&classroom);
    let mut listener = classroom.listen(Who::Teacher, 0).unwrap();
    listener.next().await.unwrap();
    let read = listener.after;
    for _ in 0..500 {
        happen(&classroom, pupil);
    }
    // More than one, if the five hundred take longer than a quarter of a second.
    let told = classroom.state().clients[&Who::Teacher].log.last() - read;
    assert!(told < 100, "{told}");
    // The last of them is shown when it may be, and not only when the next thing happens.
    let stop = CancellationToken::new();
    let time = tokio::spawn(Arc::clone(&classroom).keep_time(stop.clone()));
    while classroom.state().class.is_some() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let lines = listener.next().await.unwrap();
    let last = lines.lines().last().unwrap();
    assert!(last.contains(r#""type":"class""#) && last.contains(r#""ready":false"#), "{last}");
    stop.cancel();
    time.await.unwrap();
}

#[tokio::test]
async fn a_round_starts_with_the_class_as_it_is_then() {
    let classroom =
        Arc::new(Classroom { class_pace: Duration::from_secs(300), ..quiet_for(ALIVE) });
    for number in 1..=3 {
        let (code, key) = (classroom.code.to_string(), PublicKey::of_a_test(number));
        let (id, _) = classroom.join(&Join { code, name: String::new(), key }).unwrap();
        classroom.act(|lesson, now| lesson.pupil(id, FromPupil::Ready {}, now)).unwrap();
    }
    let play = FromTeacher::Play { protocol: mpc::ring::Protocol::Ring, pace_ms: 0 };
    classroom.act(|lesson, now| lesson.teacher(play, new_run(), now)).unwrap();
    let mut listener = classroom.listen(Who::Teacher, 0).unwrap();
    let lines = listener.next().await.unwrap();
    let mut lines = lines.lines().rev();
    assert!(lines.next().unwrap().contains(r#""type":"started""#));
    let class = lines.next().unwrap();
    assert_eq!(class.matches(r#""ready":true"#).count(), 3, "{class}");
}

#[tokio::test]
async fn who_toggles_too_often_is_slowed_down() {
    let classroom = classroom();
    let Who::Pupil(id) = join(&classroom) else { return };
    let admitted = (0..1_000).filter(|_| classroom.admit_change(id)).count();
    assert!((20..100).contains(&admitted), "{admitted}");
}

//! Listeners: who reads, who does not, and who takes another's place.

use super::*;
use crate::ring::{scale::Scale, web::request::FromPupil};

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
    Classroom { alive, ..classroom }
}

fn join(classroom: &Arc<Classroom>) -> Who {
    let key = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
               4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    let join = serde_json::json!({"code": classroom.code.to_string(), "name": "", "key": key});
    Who::Pupil(classroom.join(&serde_json::from_value(join).unwrap()).unwrap().0)
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

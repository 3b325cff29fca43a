//! The lesson without sockets: requests in, events out, and a clock that the tests move.

use serde_json::{Value, json};

use super::*;
use crate::ring::web::{
    classroom::new_run,
    request::{FromPupil, FromTeacher},
};

mod collusion;

/// A class that a test moves through its time.
struct World {
    lesson: Lesson,
    now: Instant,
    told: Vec<(Audience, Value)>,
    found: Vec<(Arc<Round>, Vec<View>)>,
    run: RunId,
    keys: u16,
    forgotten: Vec<PupilId>,
}

const MS: Duration = Duration::from_millis(1);

impl World {
    /// A class of so many, connected and ready.
    fn of(pupils: u16) -> Self {
        let rules = Rules {
            scale: Scale::new("0", "100", 1).unwrap(),
            silence: 20_000 * MS,
            grace: 5_000 * MS,
        };
        let (lesson, now, run) = (Lesson::new(rules), Instant::now(), RunId([0; 16]));
        let (told, found, keys) = (Vec::new(), Vec::new(), 0);
        let mut world = Self { lesson, now, told, found, run, keys, forgotten: Vec::new() };
        for number in 1..=pupils {
            world.join(&format!("Pupil{number}"));
            world.lesson.reached(PupilId(number));
            world.pupil(number, json!({"type": "ready"})).unwrap();
        }
        world.told.clear();
        world
    }

    fn join(&mut self, name: &str) -> u16 {
        self.keys += 1;
        let id = self.lesson.join(name, PublicKey::of_a_test(self.keys), self.now).unwrap();
        self.take();
        id.0
    }

    fn pupil(&mut self, number: u16, request: Value) -> Result<(), Refusal> {
        let request: FromPupil = serde_json::from_value(request).unwrap();
        let result = self.lesson.pupil(PupilId(number), request, self.now);
        self.take();
        result
    }

    fn teacher(&mut self, request: Value) -> Result<(), Refusal> {
        let request: FromTeacher = serde_json::from_value(request).unwrap();
        let run = new_run();
        if let FromTeacher::Play { .. } = request {
            self.run = run;
        }
        let result = self.lesson.teacher(request, run, self.now);
        self.take();
        result
    }

    fn play(&mut self, protocol: &str, pace_ms: u32) {
        self.teacher(json!({"type": "play", "protocol": protocol, "pace_ms": pace_ms})).unwrap();
    }

    fn sealed(&mut self, from: u16, to: u16, mark: u8) -> Result<(), Refusal> {
        let (iv, sealed) = (hex::encode([mark; 12]), hex::encode([mark; 24]));
        let run = self.run.to_string();
        self.pupil(
            from,
            json!({"type": "sealed", "run": run, "ring": 0, "to": to, "iv": iv, "box": sealed}),
        )
    }

    fn announce(&mut self, from: u16, value: u64) -> Result<(), Refusal> {
        let (run, value) = (self.run.to_string(), value.to_string());
        self.pupil(from, json!({"type": "announce", "run": run, "value": value}))
    }

    fn step(&mut self) {
        self.teacher(json!({"type": "step"})).unwrap();
    }

    /// Time passes, and everything that becomes due in it is done at its time.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.lesson.next_tick().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.lesson.tick(self.now);
            self.take();
        }
        self.now = end;
    }

    fn take(&mut self) {
        for output in self.lesson.outputs() {
            match output {
                Output::Tell(to, event) => {
                    self.told.push((to, serde_json::to_value(&event).unwrap()));
                }
                Output::Find(round, views) => self.found.push((round, views)),
                Output::Forget(id) => self.forgotten.push(id),
            }
        }
    }

    /// The events of a type, since the last look.
    fn told(&mut self, kind: &str) -> Vec<Value> {
        let is_kind = |(_, event): &(Audience, Value)| event["type"] == kind;
        let told = self.told.extract_if(.., |told| is_kind(told));
        told.map(|(_, event)| event).collect()
    }

    /// Why the round stopped.
    fn stopped(&mut self) -> (String, String, Value) {
        let stopped = self.told("stopped");
        let [stopped] = &stopped[..] else { panic!("{stopped:?}") };
        let text = |field: &str| stopped[field].as_str().unwrap().to_owned();
        (text("kind"), text("message"), stopped["suspects"].clone())
    }

    /// Plays a ring of three to its end.
    fn finished(&mut self) {
        self.play("ring", 0);
        for (from, to) in [(1, 2), (2, 3), (3, 1)] {
            self.sealed(from, to, 1).unwrap();
            self.step();
        }
        self.announce(1, 2_000).unwrap();
    }
}

fn kind(result: Result<(), Refusal>) -> &'static str {
    result.unwrap_err().kind()
}

#[test]
fn messages_are_held_until_a_step_lets_them_pass() {
    let mut world = World::of(3);
    world.play("ring", 0);
    world.sealed(1, 2, 1).unwrap();
    assert_eq!(world.told("held")[0]["count"], 1);
    world.pass(10_000 * MS);
    assert!(world.told("deliver").is_empty());
    world.step();
    let (passed, delivered) = (world.told("passed"), world.told("deliver"));
    assert_eq!((&passed[0]["count"], &passed[0]["of"]), (&json!(1), &json!(3)));
    assert_eq!(passed[0]["sealed"], delivered[0]["box"]);
    assert_eq!(world.told("held")[0]["count"], 0);
    world.step();
    assert!(world.told("passed").is_empty());
}

#[test]
fn with_a_pace_messages_pass_by_themselves() {
    let mut world = World::of(3);
    world.play("ring", 800);
    world.sealed(1, 2, 1).unwrap();
    world.pass(799 * MS);
    assert!(world.told("deliver").is_empty());
    world.pass(MS);
    assert_eq!(world.told("deliver").len(), 1);
}

#[test]
fn a_pace_that_is_changed_holds_for_the_messages_that_wait() {
    let mut world = World::of(3);
    world.play("ring", 0);
    world.sealed(1, 2, 1).unwrap();
    world.teacher(json!({"type": "pace", "pace_ms": 300})).unwrap();
    world.pass(300 * MS);
    assert_eq!(world.told("deliver").len(), 1);
    world.sealed(2, 3, 1).unwrap();
    world.teacher(json!({"type": "pace", "pace_ms": 0})).unwrap();
    world.pass(10_000 * MS);
    assert!(world.told("deliver").is_empty());
}

#[test]
fn one_step_lets_all_messages_pass_that_are_held() {
    let mut world = World::of(4);
    world.play("shares", 0);
    for (from, to) in [(1, 2), (2, 1), (3, 4)] {
        world.sealed(from, to, 1).unwrap();
    }
    world.step();
    assert_eq!(world.told("deliver").len(), 3);
}

#[test]
fn the_total_and_the_average_are_told_to_everybody() {
    let mut world = World::of(3);
    world.finished();
    let outcome = world.told("outcome");
    assert_eq!((&outcome[0]["total"], &outcome[0]["pupils"]), (&json!("200.0"), &json!(3)));
    assert!((outcome[0]["average"].as_f64().unwrap() - 200.0 / 3.0).abs() < 1e-9);
}

#[test]
fn the_same_message_again_changes_nothing_even_when_the_round_is_over() {
    let mut world = World::of(3);
    world.play("ring", 0);
    world.sealed(1, 2, 1).unwrap();
    world.sealed(1, 2, 1).unwrap();
    world.step();
    world.sealed(1, 2, 1).unwrap();
    assert_eq!(world.told("deliver").len(), 1);
    for (from, to) in [(2, 3), (3, 1)] {
        world.sealed(from, to, 1).unwrap();
        world.step();
    }
    world.announce(1, 2_000).unwrap();
    world.told.clear();
    world.announce(1, 2_000).unwrap();
    world.sealed(3, 1, 1).unwrap();
    let over = world.run;
    world.play("ring", 0);
    world.told.clear();
    let of_the_next = std::mem::replace(&mut world.run, over);
    world.announce(1, 2_000).unwrap();
    assert!(world.told.is_empty(), "{:?}", world.told);
    world.run = RunId([9; 16]);
    assert_eq!(kind(world.announce(1, 2_000)), "over");
    world.run = of_the_next;
    world.sealed(1, 2, 3).unwrap();
    assert_eq!(world.told("held").len(), 1);
}

#[test]
fn a_pupil_that_answers_twice_is_named() {
    let mut world = World::of(3);
    world.play("ring", 0);
    world.sealed(1, 2, 1).unwrap();
    world.sealed(1, 2, 2).unwrap();
    let (kind, message, suspects) = world.stopped();
    assert_eq!((kind.as_str(), suspects), ("twice", json!([1])));
    assert!(message.contains("P1 (Pupil1)") && message.contains("P2 (Pupil2)"), "{message}");
}

#[test]
fn what_is_not_due_or_not_in_the_plan_is_garbage() {
    for (from, to, ring) in [(2, 3, 0), (1, 3, 0), (1, 1, 0), (1, 2, 1), (1, 99, 0)] {
        let mut world = World::of(3);
        world.play("ring", 0);
        let (iv, sealed) = ("00".repeat(12), "00".repeat(24));
        let run = world.run.to_string();
        let request = json!({"type": "sealed", "run": run, "ring": ring, "to": to,
            "iv": iv, "box": sealed});
        world.pupil(from, request).unwrap();
        let (kind, _, suspects) = world.stopped();
        assert_eq!((kind.as_str(), suspects), ("garbage", json!([from])), "{from} {to} {ring}");
    }
}

#[test]
fn a_message_that_is_held_does_not_allow_the_next_one() {
    let mut world = World::of(3);
    world.play("ring", 0);
    world.sealed(1, 2, 1).unwrap();
    world.sealed(2, 3, 1).unwrap();
    assert_eq!(world.stopped().0, "garbage");
}

#[test]
fn what_cannot_be_read_stops_the_round_of_whoever_plays_and_no_other() {
    let mut world = World::of(3);
    let onlooker = world.join("Late");
    world.lesson.garbage(PupilId(1));
    world.play("ring", 0);
    world.lesson.garbage(PupilId(onlooker));
    world.take();
    assert!(world.told("stopped").is_empty());
    world.lesson.garbage(PupilId(2));
    world.take();
    assert_eq!(world.stopped().2, json!([2]));
}

#[test]
fn an_announcement_that_is_too_early_or_of_somebody_else_is_garbage() {
    for from in [1, 2] {
        let mut world = World::of(3);
        world.play("ring", 0);
        world.announce(from, 5).unwrap();
        assert_eq!(world.stopped().2, json!([from]));
    }
}

#[test]
fn a_total_that_no_class_can_have_is_announced_and_stops_the_round() {
    let mut world = World::of(3);
    world.play("ring", 0);
    for (from, to) in [(1, 2), (2, 3), (3, 1)] {
        world.sealed(from, to, 1).unwrap();
        world.step();
    }
    world.announce(1, 99_900).unwrap();
    assert_eq!(world.told("announced")[0]["value"], "99900");
    let (kind, message, suspects) = world.stopped();
    assert_eq!((kind.as_str(), suspects), ("impossible-total", json!([])));
    assert!(message.contains("nobody can tell who"), "{message}");
}

#[test]
fn a_round_does_not_wait_for_ever_and_names_whom_it_waits_for() {
    let mut world = World::of(4);
    world.play("shares", 0);
    for from in 1..=3 {
        for to in (1..=4).filter(|to| *to != from) {
            world.sealed(from, to, 1).unwrap();
        }
    }
    world.pass(19_999 * MS);
    assert!(world.told("stopped").is_empty());
    world.pass(MS);
    let (kind, _, suspects) = world.stopped();
    assert_eq!((kind.as_str(), suspects), ("silent", json!([4])));
}

#[test]
fn who_has_to_announce_is_waited_for_as_well() {
    let mut world = World::of(3);
    world.play("ring", 0);
    for (from, to) in [(1, 2), (2, 3), (3, 1)] {
        world.sealed(from, to, 1).unwrap();
        world.step();
    }
    world.pass(20_000 * MS);
    assert_eq!(world.stopped().2, json!([1]));
}

#[test]
fn nobody_is_accused_while_the_round_waits_for_the_teacher() {
    let mut world = World::of(3);
    world.play("ring", 0);
    world.sealed(1, 2, 1).unwrap();
    world.pass(600_000 * MS);
    assert!(world.told("stopped").is_empty());
    world.step();
    world.pass(19_999 * MS);
    assert!(world.told("stopped").is_empty());
    world.pass(MS);
    assert_eq!(world.stopped().2, json!([2]));
}

#[test]
fn a_pupil_that_is_gone_stops_its_round_but_not_before_it_could_come_back() {
    let mut world = World::of(3);
    world.play("ring", 0);
    world.lesson.out_of_reach(PupilId(3), world.now);
    world.pass(4_999 * MS);
    world.lesson.reached(PupilId(3));
    world.pass(5_000 * MS);
    assert!(world.told("stopped").is_empty());
    world.lesson.out_of_reach(PupilId(3), world.now);
    world.pass(5_000 * MS);
    let (kind, _, suspects) = world.stopped();
    assert_eq!((kind.as_str(), suspects), ("left", json!([3])));
}

#[test]
fn who_is_gone_for_good_is_not_in_the_class_any_more() {
    let mut world = World::of(4);
    world.play("ring", 0);
    world.pupil(4, json!({"type": "leave"})).unwrap();
    assert_eq!(world.stopped().2, json!([4]));
    let class = world.told("class").pop().unwrap();
    assert_eq!(class["pupils"].as_array().unwrap().len(), 3);
    world.told.clear();
    world.play("ring", 0);
    assert_eq!(world.told("started")[0]["seats"], json!([1, 2, 3]));
}

#[test]
fn a_pupil_that_declines_stops_the_round_at_once_and_is_no_suspect() {
    let mut world = World::of(4);
    let decline = |world: &World| json!({"type": "decline", "run": world.run.to_string()});
    world.play("ring", 0);
    world.sealed(1, 2, 1).unwrap();
    world.pupil(3, decline(&world)).unwrap();
    let (kind, message, suspects) = world.stopped();
    assert_eq!((kind.as_str(), suspects), ("declined", json!([])));
    assert!(message.contains("P3 (Pupil3)"), "{message}");
    // The same once more changes nothing, and the next round can be played with everybody.
    world.pupil(3, decline(&world)).unwrap();
    world.told.clear();
    world.play("ring", 0);
    world.pupil(3, json!({"type": "decline", "run": RunId([9; 16]).to_string()})).unwrap_err();
    assert_eq!(world.told("started")[0]["seats"], json!([1, 2, 3, 4]));
    assert!(world.told("stopped").is_empty());
}

#[test]
fn nobody_declines_a_round_that_it_does_not_play() {
    let mut world = World::of(3);
    world.play("ring", 0);
    let late = world.join("Late");
    let decline = json!({"type": "decline", "run": world.run.to_string()});
    assert_eq!(kind(world.pupil(late, decline)), "not-playing");
    assert!(world.told("stopped").is_empty());
}

#[test]
fn a_key_that_somebody_has_is_refused_and_is_free_when_its_pupil_has_left() {
    let mut world = World::of(3);
    let (key, now) = (PublicKey::of_a_test(2), world.now);
    assert_eq!(kind(world.lesson.join("Eve", key, now).map(|_| ())), "key-taken");
    world.lesson.out_of_reach(PupilId(2), now);
    world.pass(5_000 * MS);
    assert_eq!(kind(world.lesson.join("Eve", key, now).map(|_| ())), "key-taken");
    world.pupil(2, json!({"type": "leave"})).unwrap();
    assert_eq!(world.lesson.join("Ben", key, now).unwrap(), PupilId(4));
}

#[test]
fn who_is_removed_leaves_the_round_and_its_place() {
    let mut world = World::of(100);
    world.play("shares", 0);
    world.teacher(json!({"type": "remove", "pupil": 4})).unwrap();
    let (stopped, _, suspects) = world.stopped();
    assert_eq!((stopped.as_str(), suspects), ("left", json!([4])));
    assert_eq!(world.forgotten, [PupilId(4)]);
    let class = world.told("class").pop().unwrap();
    assert!(class["pupils"].as_array().unwrap().iter().all(|pupil| pupil["pupil"] != 4));
    assert_eq!(world.join("New"), 101);
    let full = world.lesson.join("Late", PublicKey::of_a_test(999), world.now);
    assert_eq!(kind(full.map(|_| ())), "full");
    assert_eq!(kind(world.teacher(json!({"type": "remove", "pupil": 4}))), "unknown-pupil");
}

#[test]
fn the_round_can_be_played_again_without_a_suspect() {
    let mut world = World::of(4);
    world.play("rings", 0);
    world.teacher(json!({"type": "stop"})).unwrap();
    assert_eq!(world.stopped().0, "teacher");
    world.teacher(json!({"type": "leave-out", "pupil": 2})).unwrap();
    world.told.clear();
    world.play("rings", 0);
    let started = world.told("started").remove(0);
    assert_eq!(started["seats"], json!([1, 3, 4]));
    assert_eq!(started["rings"], json!([[1, 3, 4]]));
    world.teacher(json!({"type": "stop"})).unwrap();
    world.teacher(json!({"type": "take-back", "pupil": 2})).unwrap();
    world.play("shares", 0);
    let started = world.told("started").remove(0);
    assert_eq!((&started["seats"], &started["rings"]), (&json!([1, 2, 3, 4]), &json!([])));
}

#[test]
fn who_joins_during_a_round_looks_on() {
    let mut world = World::of(3);
    world.play("ring", 0);
    world.told.clear();
    let late = world.join("Late");
    let told = world.told("started");
    assert_eq!(told[0]["seats"], json!([1, 2, 3]));
    assert_eq!(kind(world.sealed(late, 1, 1)), "not-playing");
    assert!(world.told("stopped").is_empty());
}

#[test]
fn who_has_joined_and_never_listens_does_not_play() {
    let mut world = World::of(3);
    let silent = world.join("Silent");
    world.pupil(silent, json!({"type": "ready"})).unwrap();
    world.pass(5_000 * MS);
    world.play("ring", 0);
    assert_eq!(world.told("started")[0]["seats"], json!([1, 2, 3]));
}

#[test]
fn too_few_pupils_and_a_second_round_are_refused() {
    let mut world = World::of(2);
    let play = json!({"type": "play", "protocol": "ring", "pace_ms": 0});
    assert_eq!(kind(world.teacher(play.clone())), "pupils");
    let mut world = World::of(3);
    assert_eq!(kind(world.teacher(json!({"type": "step"}))), "no-round");
    world.play("ring", 0);
    assert_eq!(kind(world.teacher(play)), "busy");
    assert_eq!(kind(world.teacher(json!({"type": "leave-out", "pupil": 9}))), "unknown-pupil");
}

#[test]
fn an_accusation_that_the_host_knows_to_be_false_falls_back() {
    let unreadable = |world: &World, ring: u16, from: u16| {
        let run = world.run.to_string();
        json!({"type": "unreadable", "run": run, "ring": ring, "from": from})
    };
    // Nothing was handed on to P2.
    let mut world = World::of(3);
    world.play("ring", 0);
    world.sealed(1, 2, 1).unwrap();
    world.pupil(2, unreadable(&world, 0, 1)).unwrap();
    let (kind, _, suspects) = world.stopped();
    assert_eq!((kind.as_str(), suspects), ("false-accusation", json!([2])));
    // Something was, and nobody else can open it.
    let mut world = World::of(3);
    world.play("ring", 0);
    world.sealed(1, 2, 1).unwrap();
    world.step();
    world.pupil(2, unreadable(&world, 0, 1)).unwrap();
    let (kind, _, suspects) = world.stopped();
    assert_eq!((kind.as_str(), suspects), ("disagree", json!([1, 2])));
    // Nothing ever comes from there.
    for (ring, from) in [(0, 3), (7, 1), (0, 77)] {
        let mut world = World::of(4);
        world.play("ring", 0);
        world.pupil(2, unreadable(&world, ring, from)).unwrap();
        assert_eq!(world.stopped().2, json!([2]));
    }
}

#[test]
fn the_class_is_over_once_and_for_everybody() {
    let mut world = World::of(3);
    world.play("ring", 0);
    world.lesson.end();
    world.lesson.end();
    world.take();
    assert_eq!(world.told("ended").len(), 1);
    assert_eq!(
        kind(world.teacher(json!({"type": "play", "protocol": "ring", "pace_ms": 0}))),
        "ended"
    );
    assert_eq!(
        world.lesson.join("Late", PublicKey::of_a_test(999), world.now).unwrap_err().kind(),
        "ended"
    );
}

#[test]
fn nothing_that_is_told_to_everybody_is_a_message_between_two_pupils() {
    let mut world = World::of(3);
    world.finished();
    for (to, event) in &world.told {
        let is_message = event.get("box").is_some() || event.get("sealed").is_some();
        assert!(!is_message || *to != Audience::Everybody, "{event}");
        assert!(event["type"] != "deliver" || matches!(to, Audience::Pupil(_)));
    }
}

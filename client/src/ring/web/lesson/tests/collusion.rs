//! Colluders: who is asked, who answers, and what is no view.

use mpc::ring::{Message, play};

use super::*;

/// What a pupil's page shows of a round of three that was played with these values.
fn views(world: &World, values: &[u64]) -> Vec<Value> {
    let plan = Arc::new(mpc::ring::plan::Plan::new(Protocol::Ring, values.len()).unwrap());
    let played = play::play(&plan, values, &mut rand::rng()).unwrap();
    let passed = |message: &Message| {
        json!({"ring": message.lane.ring, "from": message.lane.from.0 + 1,
            "to": message.lane.to.0 + 1, "value": message.value.to_string()})
    };
    let texts = |numbers: &[u64]| numbers.iter().map(u64::to_string).collect::<Vec<_>>();
    let shown = |view: &View| {
        json!({"type": "view", "run": world.run.to_string(), "view": {
            "value": view.value.to_string(), "shares": texts(&view.shares),
            "masks": texts(&view.masks), "sent": view.sent.iter().map(passed).collect::<Vec<_>>(),
            "received": view.received.iter().map(passed).collect::<Vec<_>>()}})
    };
    played.views.iter().map(shown).collect()
}

#[test]
fn views_are_taken_from_those_who_were_asked_and_put_together_when_all_are_here() {
    let mut world = World::of(3);
    world.finished();
    let views = views(&world, &[700, 600, 700]);
    assert_eq!(kind(world.pupil(1, views[0].clone())), "not-asked");
    world.teacher(json!({"type": "collude", "pupils": [3, 1]})).unwrap();
    assert_eq!(world.told("asked")[0]["pupils"], json!([3, 1]));
    assert_eq!(world.told("ask-view").len(), 2);
    assert_eq!(kind(world.pupil(2, views[1].clone())), "not-asked");
    world.pupil(3, views[2].clone()).unwrap();
    assert!(world.found.is_empty());
    world.pupil(1, views[0].clone()).unwrap();
    world.pupil(1, views[0].clone()).unwrap();
    let shown: Vec<Value> =
        world.told("shown").iter().map(|event| event["pupil"].clone()).collect();
    assert_eq!(shown, [json!(3), json!(1)]);
    assert_eq!(world.found.len(), 1);
    let (_, given) = world.found.remove(0);
    assert_eq!(given.iter().map(|view| view.seat).collect::<Vec<_>>(), [Seat(0), Seat(2)]);
    assert_eq!(given[0].announced, [Announcement { from: Seat(0), value: 2_000 }]);
}

#[test]
fn a_pupil_need_not_show_its_view_and_then_nothing_is_found() {
    let mut world = World::of(3);
    world.finished();
    let views = views(&world, &[700, 600, 700]);
    world.teacher(json!({"type": "collude", "pupils": [1, 3]})).unwrap();
    world.pupil(1, views[0].clone()).unwrap();
    let run = world.run.to_string();
    world.pupil(3, json!({"type": "no-view", "run": run})).unwrap();
    world.pupil(3, views[2].clone()).unwrap();
    assert_eq!(world.told("refused")[0]["pupil"], 3);
    assert!(world.found.is_empty());
    // Asked again, it may.
    world.teacher(json!({"type": "collude", "pupils": [3]})).unwrap();
    world.pupil(3, views[2].clone()).unwrap();
    assert_eq!(world.found.len(), 1);
}

#[test]
fn a_pupil_that_is_asked_and_leaves_has_refused() {
    let mut world = World::of(3);
    world.finished();
    world.teacher(json!({"type": "collude", "pupils": [3]})).unwrap();
    world.lesson.out_of_reach(PupilId(3), world.now);
    world.pass(5_000 * MS);
    assert_eq!(world.told("refused")[0]["pupil"], 3);
    assert_eq!(kind(world.teacher(json!({"type": "collude", "pupils": [3]}))), "away");
}

#[test]
fn colluders_are_some_of_those_who_played() {
    let mut world = World::of(3);
    let collude = |pupils: &[u16]| json!({"type": "collude", "pupils": pupils});
    assert_eq!(kind(world.teacher(collude(&[1, 3]))), "no-round");
    world.finished();
    let late = world.join("Late");
    world.lesson.reached(PupilId(late));
    assert_eq!(kind(world.teacher(collude(&[1, late]))), "not-in-round");
    assert_eq!(kind(world.teacher(collude(&[1, 99]))), "unknown-pupil");
    for wrong in [&[][..], &[1, 1], &[1, 2, 3]] {
        assert_eq!(kind(world.teacher(collude(wrong))), "colluders", "{wrong:?}");
    }
}

#[test]
fn what_is_no_view_of_the_round_is_said_of_the_pupil_that_showed_it() {
    let wrong: [fn(&mut Value); 6] = [
        |view| view["shares"] = json!([]),
        |view| view["masks"] = json!(["5"]),
        |view| view["sent"] = json!([]),
        |view| view["sent"][0]["to"] = json!(1),
        |view| view["received"][0]["from"] = json!(55),
        |view| view["received"] = json!([view["received"][0], view["received"][0]]),
    ];
    for change in wrong {
        let mut world = World::of(3);
        world.finished();
        let mut view = views(&world, &[700, 600, 700]).remove(1);
        change(&mut view["view"]);
        world.teacher(json!({"type": "collude", "pupils": [2]})).unwrap();
        world.pupil(2, view).unwrap();
        let message = world.told("contradiction").remove(0)["message"].to_string();
        assert!(message.contains("P2 (Pupil2)"), "{message}");
        assert!(world.found.is_empty());
    }
}

#[test]
fn a_finding_of_a_round_that_is_not_the_last_is_not_told() {
    let mut world = World::of(3);
    world.finished();
    world.lesson.found(RunId([8; 16]), Err("late".into()));
    world.take();
    assert!(world.told("contradiction").is_empty());
    world.lesson.found(world.run, Err("P1 and P3 contradict each other".into()));
    world.take();
    assert_eq!(world.told("contradiction").len(), 1);
}

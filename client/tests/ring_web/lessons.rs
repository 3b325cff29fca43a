//! Lessons: five pupils and a teacher play everything that there is, and what goes wrong is said.

use std::{collections::BTreeMap, time::Duration};

use hyper::StatusCode;
use serde_json::{Value, json};

use super::{
    browser::{Browser, Events, Manner},
    class::{Class, SHORT},
    site::{Site, VALUES},
};

#[tokio::test]
async fn five_pupils_learn_their_average_with_each_protocol() {
    let mut class = Class::honest().await;
    for protocol in ["ring", "rings", "shares"] {
        class.outcome(protocol).await;
    }
    class.site.close().await;
}

#[tokio::test]
async fn without_a_pace_every_message_waits_for_a_step() {
    let mut class = Class::honest().await;
    for (protocol, steps, at_once) in [("ring", 5, 1), ("rings", 5, 2), ("shares", 1, 20)] {
        class.play(protocol, 0).await;
        for step in 0..steps {
            while class.next("held").await["count"] != at_once {}
            class.tell(json!({"type": "step"})).await;
            for message in 0..at_once {
                let passed = class.next("passed").await;
                assert_eq!(passed["count"], step * at_once + message + 1);
                assert_eq!(passed["of"], steps * at_once);
            }
        }
        let outcome = class.next("outcome").await;
        class.check(&outcome, &[1, 2, 3, 4, 5]).await;
    }
}

#[tokio::test]
async fn a_pace_can_be_set_in_the_middle_of_a_round() {
    let mut class = Class::honest().await;
    class.play("ring", 0).await;
    class.next("held").await;
    class.tell(json!({"type": "pace", "pace_ms": 1})).await;
    let outcome = class.next("outcome").await;
    class.check(&outcome, &[1, 2, 3, 4, 5]).await;
}

#[tokio::test]
async fn two_neighbours_in_a_ring_find_the_value_between_them() {
    let mut class = Class::honest().await;
    class.outcome("ring").await;
    class.collude(&[2, 4]).await;
    let finding = class.next("finding").await["finding"].take();
    assert_eq!(finding["colluders"], json!(["P2", "P4"]));
    assert_eq!(finding["succeeded"], true);
    assert_eq!(finding["exact"][0]["pupil"], "P3");
    assert_eq!(finding["exact"][0]["value"], VALUES[2] as f64 / 10.0);
}

#[tokio::test]
async fn the_same_neighbours_find_nothing_where_shares_are_sent() {
    let mut class = Class::honest().await;
    for protocol in ["rings", "shares"] {
        class.outcome(protocol).await;
        class.collude(&[2, 4]).await;
        let finding = class.next("finding").await["finding"].take();
        assert_eq!(finding["succeeded"], false);
        assert_eq!(finding["exact"], json!([]));
        let open = &finding["open"][0];
        assert_eq!(open["values"], open["allowed_by_total"]);
    }
}

#[tokio::test]
async fn a_pupil_need_not_show_what_it_saw() {
    let mut class = Class::with(&[(4, Manner::Secretive)]).await;
    class.outcome("ring").await;
    class.collude(&[2, 4]).await;
    assert_eq!(class.next("refused").await["pupil"], 4);
    // Others may be asked then.
    class.collude(&[1, 3]).await;
    assert_eq!(class.next("finding").await["finding"]["exact"][0]["pupil"], "P2");
}

#[tokio::test]
async fn views_that_cannot_both_be_true_are_said_to_be_so() {
    let mut class = Class::with(&[(3, Manner::Lies)]).await;
    class.outcome("ring").await;
    class.collude(&[2, 3]).await;
    let contradiction = class.next("contradiction").await;
    let message = contradiction["message"].as_str().unwrap();
    assert!(message.contains("P3") || message.contains("P2"), "{message}");
}

#[tokio::test]
async fn who_closes_the_tab_is_named_and_the_others_play_again() {
    let site = Site::with(Duration::from_secs(300), SHORT);
    let mut class = Class::on(site, &[(3, Manner::Closes)]).await;
    class.play("rings", 1).await;
    let stopped = class.next("stopped").await;
    assert_eq!((&stopped["kind"], &stopped["suspects"]), (&json!("left"), &json!([3])));
    assert!(stopped["message"].as_str().unwrap().contains("P3 (Pupil3)"));
    class.play("rings", 1).await;
    let outcome = class.next("outcome").await;
    class.check(&outcome, &[1, 2, 4, 5]).await;
}

#[tokio::test]
async fn who_breaks_a_rule_is_named_and_the_others_play_again() {
    for (manner, kind, suspects) in [
        (Manner::Twice, "twice", json!([3])),
        (Manner::Garbage, "garbage", json!([3])),
        (Manner::Noise, "garbage", json!([3])),
        (Manner::Announces, "garbage", json!([3])),
        (Manner::Accuses, "false-accusation", json!([3])),
        (Manner::Denies, "disagree", json!([2, 3])),
        (Manner::Misinformed, "disagree", json!([2, 3])),
        (Manner::Declines, "declined", json!([])),
    ] {
        let mut class = Class::with(&[(3, manner)]).await;
        class.play("ring", 1).await;
        let stopped = class.next("stopped").await;
        assert_eq!(
            (&stopped["kind"], &stopped["suspects"]),
            (&json!(kind), &suspects),
            "{manner:?}"
        );
        class.leave_out(3).await;
        class.play("ring", 1).await;
        let outcome = class.next("outcome").await;
        class.check(&outcome, &[1, 2, 4, 5]).await;
    }
}

#[tokio::test]
async fn who_says_nothing_is_named() {
    let site = Site::with(SHORT, Duration::from_secs(300));
    let mut class = Class::on(site, &[]).await;
    // Listens, and has nobody who answers.
    let silent = Browser::join(&class.site, "Silent", 1, Manner::Honest).await;
    class.until_ready(6).await;
    let _listening = class.pupils[0].connection.events(&silent.token, 0).await;
    class.play("shares", 1).await;
    let stopped = class.next("stopped").await;
    assert_eq!((&stopped["kind"], &stopped["suspects"]), (&json!("silent"), &json!([6])));
}

#[tokio::test]
async fn a_value_beyond_the_scale_gives_a_total_that_no_class_has() {
    let mut class = Class::honest().await;
    // A page refuses such a value; this one does not.
    Browser::join(&class.site, "Max", 9_999_999, Manner::Honest).await;
    class.until_ready(6).await;
    class.play("shares", 1).await;
    let stopped = class.next("stopped").await;
    assert_eq!(stopped["kind"], "impossible-total");
    assert_eq!(stopped["suspects"], json!([]));
}

#[tokio::test]
async fn who_comes_late_looks_on_and_plays_the_next_round() {
    let mut class = Class::honest().await;
    class.play("ring", 0).await;
    class.next("held").await;
    let late = Browser::join(&class.site, "Late", 1_000, Manner::Honest).await;
    class.until_ready(6).await;
    class.tell(json!({"type": "pace", "pace_ms": 1})).await;
    let outcome = class.next("outcome").await;
    class.check(&outcome, &[1, 2, 3, 4, 5]).await;
    class.play("ring", 1).await;
    assert_eq!(class.next("outcome").await["pupils"], 6);
    drop(late);
}

#[tokio::test]
async fn a_connection_that_breaks_loses_no_event() {
    let mut class = Class::honest().await;
    let (token, mut after) = (class.pupils[0].token.clone(), 0);
    class.outcome("shares").await;
    let mut whole = Vec::new();
    let connection = class.site.door.connect().await;
    // Every event on a connection of its own, from the one after the last.
    while whole.last().is_none_or(|event: &Value| event["type"] != "outcome") {
        let mut events = Events::new(connection.events(&token, after).await.into_body());
        let event = events.next().await.unwrap();
        assert!(event["n"].as_u64().unwrap() > after);
        after = event["n"].as_u64().unwrap();
        whole.push(event);
    }
    let mut count = BTreeMap::new();
    for event in &whole {
        *count.entry(event["type"].as_str().unwrap().to_owned()).or_insert(0) += 1;
    }
    let expected = [("started", 1), ("deliver", 4), ("announced", 5), ("outcome", 1)];
    assert!(expected.iter().all(|(kind, times)| count.get(*kind) == Some(times)), "{count:?}");
}

#[tokio::test]
async fn the_teachers_page_may_be_loaded_again() {
    let mut class = Class::honest().await;
    let outcome = class.outcome("ring").await;
    let again = class.site.door.connect().await;
    let mut events = Events::new(again.events(&class.site.teacher, 0).await.into_body());
    let mut seen = Vec::new();
    while seen.last() != Some(&outcome) {
        seen.push(events.next().await.unwrap());
    }
    let passed = seen.iter().filter(|event| event["type"] == "passed").count();
    assert_eq!(passed, 5);
    assert_eq!(seen[0]["code"], class.site.code);
    // The first page still listens.
    class.outcome("ring").await;
}

#[tokio::test]
async fn the_end_of_the_class_is_told_to_everybody_who_listens() {
    let mut class = Class::honest().await;
    class.play("ring", 0).await;
    class.next("held").await;
    let connection = class.site.door.connect().await;
    let token = class.pupils[1].token.clone();
    let mut events = Events::new(connection.events(&token, 0).await.into_body());
    class.site.close().await;
    let mut last = None;
    while let Some(event) = events.next().await {
        last = Some(event["type"].clone());
    }
    assert_eq!(last, Some(json!("ended")));
    let mut last = None;
    while let Some(event) = class.events.next().await {
        last = Some(event["type"].clone());
    }
    assert_eq!(last, Some(json!("ended")));
}

#[tokio::test]
async fn the_shipped_class_is_played_with_open_cards() {
    let class = Class::honest().await;
    let played = async |protocol: &str, collude: &[u16]| {
        let wanted = json!({"protocol": protocol, "collude": collude});
        class.teacher.post("/api/teacher/example", &class.site.teacher, &wanted).await
    };
    for (protocol, messages, rings) in [("ring", 6, 1), ("rings", 18, 3), ("shares", 30, 0)] {
        let example = played(protocol, &[]).await.json();
        assert_eq!(example["messages"].as_array().unwrap().len(), messages);
        assert_eq!(example["rings"].as_array().unwrap().len(), rings);
        assert_eq!((&example["total"], &example["finding"]), (&json!("426.1"), &Value::Null));
        assert_eq!(example["pupils"][3], json!({"pupil": 4, "name": "", "value": "63.5"}));
    }
    let one = played("ring", &[]).await.json();
    assert_ne!(one["messages"], played("ring", &[]).await.json()["messages"]);
    for (wrong, kind) in
        [(&[0][..], "unknown-pupil"), (&[7], "unknown-pupil"), (&[2, 2], "colluders")]
    {
        assert_eq!(played("ring", wrong).await.kind(), kind);
    }
    let found = played("ring", &[3, 5]).await;
    assert_eq!(found.status, StatusCode::OK, "{}", found.body);
    assert_eq!(found.json()["finding"]["exact"][0]["pupil"], "P4");
    assert_eq!(found.json()["finding"]["exact"][0]["value"], 63.5);
}

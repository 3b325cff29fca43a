//! Traffic: the host's own record of what it received and sent has no pupil's secret in it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{browser::Manner, class::Class, site::VALUES};

/// The secrets that can be found in a record: as digits, as a decimal value, or as the bytes of a
/// number in any hexadecimal text.
fn found(record: &str, secrets: &BTreeSet<u64>) -> Vec<u64> {
    let mut texts = Vec::new();
    for line in record.lines() {
        collect(&serde_json::from_str(line).unwrap(), &mut texts);
    }
    let is_in = |secret: &&u64| {
        let (digits, bytes) = (secret.to_string(), format!("{secret:016x}"));
        let value = format!("{}.{}", *secret / 10, *secret % 10);
        let reversed = format!("{:016x}", secret.swap_bytes());
        texts.iter().any(|text| {
            // Short numbers are in long texts by accident; those of 64 bits are not.
            let is_long = digits.len() > 12;
            *text == digits
                || *text == value
                || (is_long && text.contains(&digits))
                || text.contains(&bytes)
                || text.contains(&reversed)
        })
    };
    secrets.iter().filter(is_in).copied().collect()
}

/// Every text and number of a document.
fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, texts)),
        Value::Object(fields) => {
            texts.extend(fields.keys().cloned());
            fields.values().for_each(|value| collect(value, texts));
        }
        Value::String(text) => texts.push(text.clone()),
        other => texts.push(other.to_string()),
    }
}

fn secrets(class: &Class) -> BTreeSet<u64> {
    class.pupils.iter().flat_map(|pupil| pupil.secrets.lock().unwrap().clone()).collect()
}

#[tokio::test]
async fn the_host_sees_no_value_no_share_no_mask_and_no_masked_number() {
    let mut class = Class::honest().await;
    for protocol in ["ring", "rings", "shares"] {
        class.outcome(protocol).await;
    }
    let secrets = secrets(&class);
    // Ring: a mask and 5 messages; rings: 10 shares, 2 masks, 10 messages; shares: 25 and 20 of
    // them sent. Whatever is not a value is of 64 bits.
    assert_eq!(secrets.len(), VALUES.len() + 1 + 5 + 10 + 2 + 10 + 25);
    let record = class.site.traffic.text();
    assert_eq!(found(&record, &secrets), [0u64; 0]);
    // The record is not empty either: all boxes passed through the host.
    let sealed = record.lines().filter(|line| line.contains(r#""type":"sealed""#));
    let boxes: BTreeSet<String> = sealed
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["body"]["box"].to_string())
        .collect();
    assert_eq!(boxes.len(), 5 + 10 + 20);
}

#[tokio::test]
async fn what_a_pupil_shows_when_asked_is_in_the_record() {
    let mut class = Class::with(&[(4, Manner::Secretive)]).await;
    class.outcome("rings").await;
    class.collude(&[2, 4]).await;
    let mut answers = 0;
    while answers < 2 {
        let event = class.events.next().await.unwrap();
        answers += usize::from(event["type"] == "shown" || event["type"] == "refused");
    }
    let found: BTreeSet<u64> =
        found(&class.site.traffic.text(), &secrets(&class)).into_iter().collect();
    let shown: BTreeSet<u64> = class.pupils[1].secrets.lock().unwrap().iter().copied().collect();
    assert!(found.is_superset(&shown), "the search finds what is there");
    assert!(!found.contains(&VALUES[3].cast_unsigned()), "who refuses shows nothing");
}

#[tokio::test]
async fn no_token_is_in_the_record() {
    let class = Class::honest().await;
    let (pupil, other) = (&class.pupils[0], &class.pupils[1].token);
    // Somebody puts tokens where none belong.
    let slip = json!({"type": "ready", "token": pupil.token, "other": format!("x{other}x")});
    pupil.connection.post("/api/pupil", &pupil.token, &slip).await;
    class.tell(json!({"type": class.site.teacher})).await;
    let record = class.site.traffic.text();
    assert!(record.contains("(a token)"), "{record}");
    let tokens = class.pupils.iter().map(|pupil| &pupil.token).chain([&class.site.teacher]);
    for token in tokens {
        assert!(!record.contains(token.as_str()));
    }
    for line in record.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let fields: Vec<&String> = line.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["direction", "path", "who", "body"]);
    }
}

#[tokio::test]
async fn what_is_refused_is_in_the_record_as_well() {
    let class = Class::honest().await;
    class.tell(json!({"type": "step"})).await;
    let stranger = class.site.door.connect().await;
    stranger.post("/api/teacher", "", &json!({"type": "stop"})).await;
    let record = class.site.traffic.text();
    let kinds: Vec<(String, String)> = record
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["body"]["kind"].is_string())
        .map(|line| (line["who"].to_string(), line["body"]["kind"].to_string()))
        .collect();
    let refused = |who: &str, kind: &str| (format!("{who:?}"), format!("{kind:?}"));
    assert_eq!(kinds, [refused("teacher", "no-round"), refused("stranger", "token")]);
}

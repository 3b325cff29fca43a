//! Strangers: what a host answers to those who are not of the class, and what it tells browsers
//! to refuse.

use std::time::Duration;

use http_body_util::Full;
use hyper::{Method, Request, StatusCode, body::Bytes};
use serde_json::{Value, json};

use super::{
    browser::{Browser, Events, Manner},
    class::Class,
    seal::KeyPair,
    site::{Answer, Site},
};

/// A POST of JSON over which a test has every say.
fn post(site: &Site, path: &str) -> hyper::http::request::Builder {
    site.door.request(Method::POST, path).header("content-type", "application/json")
}

fn body(value: &Value) -> Full<Bytes> {
    Full::from(value.to_string())
}

fn join(site: &Site) -> Value {
    json!({"code": site.code, "name": "Eve", "key": KeyPair::draw().public()})
}

async fn get(site: &Site, path: &str) -> Answer {
    site.door.raw(site.door.request(Method::GET, path).body(Full::default()).unwrap()).await
}

#[tokio::test]
async fn every_answer_tells_the_browser_to_load_nothing_foreign() {
    let site = Site::open();
    let mut answers = vec![
        get(&site, "/").await,
        get(&site, "/teacher").await,
        get(&site, "/qr.svg").await,
        get(&site, "/nothing").await,
        get(&site, "/api/events").await,
        get(&site, "/api/join").await,
    ];
    let foreign = site.door.request(Method::GET, "/").header("origin", "https://evil.example");
    answers.push(site.door.raw(foreign.body(Full::default()).unwrap()).await);
    for answer in &answers {
        assert_eq!(
            answer.header("content-security-policy"),
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
             connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-embedder-policy", "require-corp"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.header(name), value, "{answer:?}");
        }
        assert!(answer.header("permissions-policy").contains("camera=()"));
    }
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses, [200, 200, 200, 404, 401, 405, 403]);
}

#[tokio::test]
async fn the_page_and_all_that_it_names_come_from_this_host() {
    let site = Site::open();
    for path in ["/", "/teacher"] {
        let page = get(&site, path).await;
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert!(!page.body.contains("http://") && !page.body.contains("https://"));
        let named: Vec<&str> = page.body.split('"').filter(|text| text.starts_with('/')).collect();
        assert!(!named.is_empty(), "{}", page.body);
        for file in named {
            let answer = get(&site, file).await;
            assert_eq!(answer.status, StatusCode::OK, "{file}");
            assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
            assert_ne!(answer.header("content-type"), "application/octet-stream", "{file}");
        }
    }
    let picture = get(&site, "/qr.svg").await;
    assert_eq!(picture.header("content-type"), "image/svg+xml");
    assert!(picture.body.contains("<svg"));
    for path in ["/assets/../index.html", "/assets/%2e%2e/index.html", "/index.html/", "//"] {
        assert_ne!(get(&site, path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_wrong_code_and_a_wrong_token_are_refused() {
    let class = Class::honest().await;
    let site = &class.site;
    let mut wrong = join(site);
    wrong["code"] = "0000-0000".into();
    let answer = site.door.raw(post(site, "/api/join").body(body(&wrong)).unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.kind().as_str()), (403, "code"));
    let pupil = class.pupils[0].token.clone();
    let other = format!("{}0", &site.teacher[..63]);
    for (path, token) in [
        ("/api/teacher", ""),
        ("/api/teacher", pupil.as_str()),
        ("/api/teacher", if other == site.teacher { "1" } else { &other }),
        ("/api/teacher/example", pupil.as_str()),
        ("/api/pupil", site.teacher.as_str()),
        ("/api/pupil", "ABCDEF"),
    ] {
        let request = post(site, path).header("authorization", format!("Bearer {token}"));
        let request = request.body(body(&json!({"type": "stop"}))).unwrap();
        let answer = site.door.raw(request).await;
        assert_eq!((answer.status.as_u16(), answer.kind().as_str()), (401, "token"), "{path}");
    }
    let answer = get(site, "/api/events?after=x").await;
    assert_eq!(answer.kind(), "malformed");
}

#[tokio::test]
async fn a_token_is_of_no_use_after_its_pupil_has_left() {
    let class = Class::honest().await;
    let pupil = &class.pupils[4];
    let leave = pupil.connection.post("/api/pupil", &pupil.token, &json!({"type": "leave"})).await;
    assert_eq!(leave.status, StatusCode::OK);
    let ready = json!({"type": "ready"});
    let again = class.pupils[0].connection.post("/api/pupil", &pupil.token, &ready).await;
    assert_eq!(again.kind(), "token");
}

#[tokio::test]
async fn pages_of_other_sites_and_names_that_are_not_ours_are_refused() {
    let site = Site::open();
    let own = format!("https://{}", site.door.address);
    for (origin, expected) in [
        (own.as_str(), 200),
        ("https://evil.example", 403),
        ("http://127.0.0.1", 403),
        ("null", 403),
    ] {
        let request = post(&site, "/api/join").header("origin", origin);
        let answer = site.door.raw(request.body(body(&join(&site))).unwrap()).await;
        assert_eq!(answer.status.as_u16(), expected, "{origin}");
    }
    let request = Request::post("/api/join").header("content-type", "application/json");
    let rebound = request.header("host", "evil.example").body(body(&join(&site))).unwrap();
    assert_eq!(site.door.raw(rebound).await.kind(), "host");
}

#[tokio::test]
async fn what_no_page_sends_is_refused() {
    let class = Class::honest().await;
    let site = &class.site;
    let pupil = format!("Bearer {}", class.pupils[0].token);
    let send = async |request: hyper::http::request::Builder, body: String| {
        site.door.raw(request.body(Full::from(body)).unwrap()).await.kind()
    };
    let known = || post(site, "/api/pupil").header("authorization", &pupil);
    assert_eq!(send(known(), " ".repeat(64 * 1024 + 1)).await, "too-large");
    assert_eq!(send(known(), " ".repeat(64 * 1024)).await, "malformed");
    let mut long = join(site);
    long["name"] = "x".repeat(4 * 1024).into();
    assert_eq!(send(post(site, "/api/join"), long.to_string()).await, "too-large");
    // A form of another site could send this without being asked.
    let form = site.door.request(Method::POST, "/api/join").header("content-type", "text/plain");
    assert_eq!(send(form, join(site).to_string()).await, "type");
    for wrong in [r#"{"type":"grade"}"#, r#"{"type":"ready","grade":1}"#, "", "[]", "\u{0}"] {
        assert_eq!(send(known(), wrong.to_owned()).await, "malformed", "{wrong}");
    }
    let mut weak = join(site);
    weak["key"] = "04".repeat(65).into();
    assert_eq!(send(post(site, "/api/join"), weak.to_string()).await, "malformed");
}

#[tokio::test]
async fn a_hundred_pupils_fill_the_class_until_the_teacher_removes_one() {
    let site = Site::open();
    let connection = site.door.connect().await;
    let mut tokens = Vec::new();
    for number in 1..=100 {
        let joined = connection.post("/api/join", "", &join(&site)).await;
        assert_eq!(joined.json()["pupil"], number, "{}", joined.body);
        tokens.push(joined.json()["token"].as_str().unwrap().to_owned());
    }
    assert_eq!(connection.post("/api/join", "", &join(&site)).await.kind(), "full");
    let remove = json!({"type": "remove", "pupil": 4});
    let removed = connection.post("/api/teacher", &site.teacher, &remove).await;
    assert_eq!(removed.status, StatusCode::OK, "{}", removed.body);
    let ready = json!({"type": "ready"});
    assert_eq!(connection.post("/api/pupil", &tokens[3], &ready).await.kind(), "token");
    assert_eq!(connection.post("/api/join", "", &join(&site)).await.json()["pupil"], 101);
    assert_eq!(connection.post("/api/join", "", &join(&site)).await.kind(), "full");
}

#[tokio::test]
async fn nobody_joins_with_the_key_of_another() {
    let site = Site::open();
    let (connection, join) = (site.door.connect().await, join(&site));
    assert_eq!(connection.post("/api/join", "", &join).await.status, StatusCode::OK);
    let answer = connection.post("/api/join", "", &join).await;
    assert_eq!((answer.status.as_u16(), answer.kind().as_str()), (409, "key-taken"));
}

#[tokio::test]
async fn who_shows_no_token_is_not_kept_and_who_does_is() {
    let long = Duration::from_secs(300);
    let site = Site::patient(long, long, Duration::from_secs(4));
    let mut pupils = Vec::new();
    for (name, value) in [("Anna", 1), ("Ben", 2), ("Cem", 3)] {
        pupils.push(Browser::join(&site, name, value, Manner::Honest).await);
    }
    let teacher = site.door.connect().await;
    let mut events = Events::new(teacher.events(&site.teacher, 0).await.into_body());
    // The host closes two such connections one after the other: that takes twice as long as it
    // keeps one.
    site.door.say_nothing().await;
    site.door.say_nothing().await;
    let play = json!({"type": "play", "protocol": "ring", "pace_ms": 1});
    let answer = teacher.post("/api/teacher", &site.teacher, &play).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    loop {
        let event = events.next().await.unwrap();
        assert_ne!(event["type"], "stopped", "{event}");
        if event["type"] == "outcome" {
            assert_eq!(event["total"], "0.6");
            break;
        }
    }
}

#[tokio::test]
async fn who_changes_its_mind_without_end_is_slowed_down() {
    let class = Class::honest().await;
    let pupil = &class.pupils[0];
    let mut kinds = (0..200).map(|turn| if turn % 2 == 0 { "unready" } else { "ready" });
    loop {
        let change = json!({"type": kinds.next().expect("nobody slowed it down")});
        let answer = pupil.connection.post("/api/pupil", &pupil.token, &change).await;
        if answer.status != StatusCode::OK {
            assert_eq!(answer.kind(), "too-fast");
            break;
        }
    }
}

#[tokio::test]
async fn trying_codes_is_slowed_down() {
    let site = Site::open();
    let connection = site.door.connect().await;
    let mut wrong = join(&site);
    wrong["code"] = "0000-0000".into();
    let mut kinds = Vec::new();
    for _ in 0..1_000 {
        kinds.push(connection.post("/api/join", "", &wrong).await.kind());
        if kinds.last().is_some_and(|kind| kind == "too-fast") {
            break;
        }
    }
    assert_eq!(kinds.last().unwrap(), "too-fast");
    assert!(kinds.len() > 150, "a class that mistypes its code is not slowed down");
}

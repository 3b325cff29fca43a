//! A host, a teacher, and five pupils with their browsers.

use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Value, json};

use super::{
    browser::{Browser, Events, Manner},
    site::{Answer, Connection, Site, VALUES},
};

/// All of them in one room.
pub struct Class {
    pub site: Site,
    pub pupils: Vec<Browser>,
    pub teacher: Connection,
    pub events: Events,
}

impl Class {
    /// A class in which everybody is honest.
    pub async fn honest() -> Self {
        Self::on(Site::open(), &[]).await
    }

    /// A class in which some are not: by number.
    pub async fn with(manners: &[(u16, Manner)]) -> Self {
        Self::on(Site::open(), manners).await
    }

    pub async fn on(site: Site, manners: &[(u16, Manner)]) -> Self {
        let mut pupils = Vec::new();
        for (number, value) in (1..).zip(VALUES) {
            let manner = manners.iter().find(|(pupil, _)| *pupil == number);
            let manner = manner.map_or(Manner::Honest, |(_, manner)| *manner);
            let browser = Browser::join(&site, &format!("Pupil{number}"), value, manner).await;
            assert_eq!(browser.pupil, number);
            pupils.push(browser);
        }
        let teacher = site.door.connect().await;
        let events = Events::new(teacher.events(&site.teacher, 0).await.into_body());
        let mut class = Self { site, pupils, teacher, events };
        class.until_ready(VALUES.len()).await;
        class
    }

    /// Waits until so many pupils are connected and ready.
    pub async fn until_ready(&mut self, pupils: usize) {
        loop {
            let class = self.next("class").await;
            let shown = class["pupils"].as_array().unwrap();
            let is_ready = |pupil: &&Value| pupil["ready"] == true && pupil["connected"] == true;
            if shown.iter().filter(is_ready).count() == pupils {
                return;
            }
        }
    }

    /// What the teacher's page sends.
    pub async fn tell(&self, request: Value) -> Answer {
        self.teacher.post("/api/teacher", &self.site.teacher, &request).await
    }

    /// Starts a round.
    pub async fn play(&self, protocol: &str, pace_ms: u32) {
        let play = json!({"type": "play", "protocol": protocol, "pace_ms": pace_ms});
        let answer = self.tell(play).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }

    /// The next event of a type; those before it are skipped.
    pub async fn next(&mut self, kind: &str) -> Value {
        loop {
            let event = tokio::time::timeout(LONG, self.events.next()).await;
            let event = event.ok().flatten().unwrap_or_else(|| panic!("no {kind} came"));
            if event["type"] == kind {
                return event;
            }
            assert_ne!(event["type"], "ended", "while waiting for {kind}");
            let is_end =
                |kind: &str| matches!(kind, "outcome" | "stopped" | "finding" | "contradiction");
            assert!(!is_end(event["type"].as_str().unwrap()), "not {kind}: {event}");
        }
    }

    /// Plays a round to its outcome, and checks it with what everybody has learned.
    pub async fn outcome(&mut self, protocol: &str) -> Value {
        self.play(protocol, 1).await;
        let outcome = self.next("outcome").await;
        self.check(&outcome, &[1, 2, 3, 4, 5]).await;
        outcome
    }

    /// That the outcome is the sum of these pupils' values, and that they all know it.
    pub async fn check(&mut self, outcome: &Value, players: &[u16]) {
        let total: i64 = players.iter().map(|&pupil| VALUES[usize::from(pupil) - 1]).sum();
        assert_eq!(outcome["pupils"], players.len());
        assert_eq!(outcome["total"], format!("{}.{}", total / 10, total % 10));
        let average = outcome["average"].as_f64().unwrap();
        assert!((average - total as f64 / 10.0 / players.len() as f64).abs() < 1e-9);
        let expected = Some((outcome["run"].as_str().unwrap().to_owned(), total.cast_unsigned()));
        for pupil in self.pupils.iter_mut().filter(|pupil| players.contains(&pupil.pupil)) {
            pupil.learned.wait_for(|learned| *learned == expected).await.unwrap();
        }
    }

    /// Asks pupils for their views.
    pub async fn collude(&self, pupils: &[u16]) {
        let answer = self.tell(json!({"type": "collude", "pupils": pupils})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }

    /// Plays without a pupil from now on.
    pub async fn leave_out(&self, pupil: u16) {
        let answer = self.tell(json!({"type": "leave-out", "pupil": pupil})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }
}

/// A time after which a test that waits has failed.
const LONG: Duration = Duration::from_secs(120);
/// A time that a test waits for on purpose.
pub const SHORT: Duration = Duration::from_millis(200);

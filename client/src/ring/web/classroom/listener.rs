//! Listener: a page's place in its events, and how they are written to it.

use std::{sync::Arc, time::Instant};

use serde::Serialize;
use tokio::sync::watch;

use super::{BATCH, Classroom, Who};
use crate::ring::web::{event::Event, traffic::Direction};

/// A place in a client's events.
#[derive(Debug)]
pub struct Listener {
    pub(super) classroom: Arc<Classroom>,
    pub(super) who: Who,
    pub(super) stream: u64,
    pub(super) after: u64,
    pub(super) news: watch::Receiver<u64>,
}

/// One event as it is written.
#[derive(Serialize)]
struct Line<'a> {
    n: u64,
    #[serde(flatten)]
    event: &'a Event,
    #[serde(flatten)]
    reader: Option<Reader<'a>>,
}

/// What differs from page to page in an [`Event::Class`].
#[derive(Serialize)]
struct Reader<'a> {
    you: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
}

impl Listener {
    /// The next lines; none when there is nothing more to come.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            self.news.borrow_and_update();
            let (lines, is_over) = self.read()?;
            if !lines.is_empty() {
                return Some(lines);
            }
            if is_over {
                return None;
            }
            tokio::select! {
                news = self.news.changed() => news.ok()?,
                () = tokio::time::sleep(self.classroom.alive) => return Some("{\"type\":\"alive\"}\n".to_owned()),
            }
        }
    }

    /// What has not been read, and whether the class is over; none if another connection has
    /// taken this one's place.
    fn read(&mut self) -> Option<(String, bool)> {
        let classroom = Arc::clone(&self.classroom);
        let mut state = classroom.state();
        let is_over = state.is_over;
        let client = state.clients.get_mut(&self.who)?;
        let stream = client.streams.iter_mut().find(|stream| stream.id == self.stream)?;
        stream.read_at = Instant::now();
        let entries = client.log.after(self.after, BATCH);
        drop(state);
        let mut lines = String::new();
        for entry in entries {
            self.after = entry.n;
            let reader = matches!(*entry.event, Event::Class { .. }).then(|| self.reader());
            // An event is strings, numbers and lists, of which there is no unwritable one.
            let line = Line { n: entry.n, event: &entry.event, reader };
            let line = serde_json::to_string(&line).ok()?;
            classroom.traffic.write(Direction::Out, "/api/events", &self.who.to_string(), &line);
            lines.push_str(&line);
            lines.push('\n');
        }
        Some((lines, is_over))
    }

    fn reader(&self) -> Reader<'_> {
        match self.who {
            Who::Teacher => Reader {
                you: None,
                code: Some(self.classroom.code.to_string()),
                link: Some(&self.classroom.link),
            },
            Who::Pupil(id) => Reader { you: Some(id.0), code: None, link: None },
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.classroom.hung_up(self.who, self.stream);
    }
}

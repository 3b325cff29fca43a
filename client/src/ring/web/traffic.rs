//! Traffic: everything that the host receives and sends, written down so that a class can look at
//! what its host saw.

use std::{
    fmt,
    io::{self, Write},
    sync::{Mutex, PoisonError},
};

use serde::Serialize;

/// Where the traffic is written to, if anywhere.
#[derive(Default)]
pub struct Traffic(Option<Mutex<Box<dyn Write + Send>>>);

/// Which way something went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// To the host.
    In,
    /// From the host.
    Out,
}

#[derive(Serialize)]
struct Line<'a> {
    direction: Direction,
    path: &'a str,
    who: &'a str,
    body: serde_json::Value,
}

impl Traffic {
    /// Writes to this.
    pub fn to(file: Box<dyn Write + Send>) -> Self {
        Self(Some(Mutex::new(file)))
    }

    /// Whether anything is written.
    pub fn is_written(&self) -> bool {
        self.0.is_some()
    }

    /// Writes one body of JSON, or what somebody sent instead. `path` and `body` have no token
    /// in them.
    pub fn write(&self, direction: Direction, path: &str, who: &str, body: &str) {
        let Some(file) = &self.0 else { return };
        let body = serde_json::from_str(body).unwrap_or_else(|_| body.into());
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = write_line(&mut *file, &Line { direction, path, who, body }) {
            tracing::warn!(%error, "the traffic is not written down any more");
            *file = Box::new(io::sink());
        }
    }
}

fn write_line(file: &mut (impl Write + ?Sized), line: &Line<'_>) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    file.write_all(&text)?;
    file.flush()
}

impl fmt::Debug for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Traffic(written: {})", self.is_written())
    }
}

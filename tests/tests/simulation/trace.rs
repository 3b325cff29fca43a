//! Trace: what happened in a run, in order, so that two runs of one seed can be compared.

use std::{
    collections::{BTreeMap, hash_map::DefaultHasher},
    hash::{Hash as _, Hasher as _},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::Instant;

/// What happened, by everybody who saw it.
#[derive(Clone)]
pub struct Trace(Arc<Inner>);

struct Inner {
    start: Instant,
    lines: Mutex<Lines>,
}

#[derive(Default)]
struct Lines {
    hash: DefaultHasher,
    /// Kept only where somebody will read them.
    kept: Option<Vec<String>>,
    fired: Fired,
}

/// Faults that came true, by kind: one that is planned may find nothing to break.
pub type Fired = BTreeMap<&'static str, u64>;

impl Trace {
    /// A trace that begins now; its lines are kept if somebody is going to read them.
    pub fn new(keep: bool) -> Self {
        let lines = Lines { kept: keep.then(Vec::new), ..Lines::default() };
        Self(Arc::new(Inner { start: Instant::now(), lines: Mutex::new(lines) }))
    }

    /// The virtual time since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.0.start.elapsed()
    }

    /// Notes something.
    pub fn say(&self, what: impl FnOnce() -> String) {
        let (at, what) = (self.elapsed(), what());
        let mut lines = self.0.lines.lock().unwrap();
        (at, &what).hash(&mut lines.hash);
        if let Some(kept) = &mut lines.kept {
            kept.push(format!("{:>9.3} {what}", at.as_secs_f64()));
        }
    }

    /// Notes that a fault of this kind came true.
    pub fn fired(&self, kind: &'static str) {
        *self.0.lines.lock().unwrap().fired.entry(kind).or_default() += 1;
    }

    /// The faults that came true so far.
    pub fn all_fired(&self) -> Fired {
        self.0.lines.lock().unwrap().fired.clone()
    }

    /// A hash of everything so far.
    pub fn hash(&self) -> u64 {
        self.0.lines.lock().unwrap().hash.finish()
    }

    /// The lines, if they were kept.
    pub fn lines(&self) -> Vec<String> {
        self.0.lines.lock().unwrap().kept.clone().unwrap_or_default()
    }
}

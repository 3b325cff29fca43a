//! Log: the events for one page, kept so that it loses none when its connection breaks.

use std::{collections::VecDeque, sync::Arc};

use super::event::Event;

/// Events that are kept for a pupil: those of several rounds of a hundred.
pub const PUPILS_EVENTS: usize = 2_000;
/// Events that are kept for the teacher, who is told of every message: those of two rounds in
/// which each of a hundred pupils sends to each other.
pub const TEACHERS_EVENTS: usize = 20_000;

/// Numbered events. The oldest are forgotten when there are too many, but never the newest
/// picture of the class, without which a page can show nothing.
#[derive(Debug)]
pub struct Log {
    entries: VecDeque<Entry>,
    most: usize,
    last: u64,
    class: Option<Entry>,
    /// The entries that a newer event of the same kind replaces.
    replaceable_class: Option<u64>,
    replaceable_held: Option<u64>,
}

/// An event and its number.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Counted from 1.
    pub n: u64,
    /// The event.
    pub event: Arc<Event>,
}

impl Log {
    /// A log that keeps so many events.
    pub fn new(most: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            most,
            last: 0,
            class: None,
            replaceable_class: None,
            replaceable_held: None,
        }
    }

    /// Adds an event.
    pub fn push(&mut self, event: Arc<Event>) {
        self.last += 1;
        let entry = Entry { n: self.last, event };
        match *entry.event {
            Event::Class { .. } => {
                let replaced = self.replaceable_class.replace(entry.n);
                self.remove(replaced);
                self.class = Some(entry.clone());
            }
            Event::Held { .. } => {
                let replaced = self.replaceable_held.replace(entry.n);
                self.remove(replaced);
            }
            // Whoever reads that a round has started needs the class as it was then.
            Event::Started { .. } => self.replaceable_class = None,
            _ => {}
        }
        self.entries.push_back(entry);
        if self.entries.len() > self.most {
            self.entries.pop_front();
        }
    }

    /// The number of the newest event.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The first events after the one of that number, at most so many.
    pub fn after(&self, n: u64, most: usize) -> Vec<Entry> {
        let first = self.entries.front().map_or(u64::MAX, |entry| entry.n);
        let class = self.class.iter().filter(|class| class.n > n && class.n < first);
        let start = self.entries.partition_point(|entry| entry.n <= n);
        class.chain(self.entries.range(start..)).take(most).cloned().collect()
    }

    fn remove(&mut self, n: Option<u64>) {
        let place = n.and_then(|n| self.entries.binary_search_by_key(&n, |entry| entry.n).ok());
        if let Some(place) = place {
            self.entries.remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use mpc::{ids::RunId, ring::Protocol};

    use super::*;
    use crate::ring::web::{
        event::ScaleShown,
        wire::{Number, Run},
    };

    const RUN: Run = Run(RunId([7; 16]));

    fn class() -> Arc<Event> {
        let scale = ScaleShown { min: "0".into(), max: "9".into(), decimals: 0 };
        Arc::new(Event::Class { scale, pupils: Vec::new() })
    }

    fn started() -> Arc<Event> {
        let (seats, rings) = (Vec::new(), Vec::new());
        Arc::new(Event::Started { run: RUN, protocol: Protocol::Ring, seats, rings })
    }

    fn announced() -> Arc<Event> {
        Arc::new(Event::Announced { run: RUN, from: 1, value: Number(5) })
    }

    fn numbers(log: &Log, after: u64) -> Vec<u64> {
        log.after(after, usize::MAX).into_iter().map(|entry| entry.n).collect()
    }

    #[test]
    fn reading_goes_on_after_the_event_that_came_last() {
        let mut log = Log::new(10);
        (0..4).for_each(|_| log.push(announced()));
        assert_eq!(numbers(&log, 0), [1, 2, 3, 4]);
        assert_eq!(numbers(&log, 3), [4]);
        assert_eq!(numbers(&log, 4), [0u64; 0]);
        assert_eq!(log.after(0, 2).len(), 2);
    }

    #[test]
    fn a_picture_of_the_class_is_replaced_by_the_next_unless_a_round_began_with_it() {
        let mut log = Log::new(10);
        for event in [class(), class(), started(), class(), announced(), class()] {
            log.push(event);
        }
        assert_eq!(numbers(&log, 0), [2, 3, 5, 6]);
    }

    #[test]
    fn a_full_log_forgets_the_oldest_but_not_the_class() {
        let mut log = Log::new(3);
        log.push(class());
        (0..9).for_each(|_| log.push(announced()));
        assert_eq!(numbers(&log, 0), [1, 8, 9, 10]);
        assert_eq!(numbers(&log, 8), [9, 10]);
    }
}

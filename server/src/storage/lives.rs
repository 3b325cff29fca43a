//! Lives: how far a database has come, so that one from an older backup can be told.
//!
//! A number of transactions is not enough: an old copy reaches any number by going on. So each start on
//! a database is remembered in it, with the number of transactions that were there: whoever has
//! seen more in an earlier start than the next one began with has seen what the database forgot.

use mpc::sign::{PublicKey, Signature};

/// How far a database had come at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Drawn when the database was made.
    pub identity: [u8; 16],
    /// Drawn when the server was started.
    pub start: [u8; 16],
    /// Transactions that had changed it since it was made.
    pub age: u64,
}

/// A start of a server on its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Drawn then.
    pub start: [u8; 16],
    /// Transactions that were in the database then.
    pub age: u64,
}

/// The whole life of a database, as it remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Now.
    pub now: Moment,
    /// All starts, or the last of very many, the present one last.
    pub starts: Vec<Start>,
}

impl Life {
    /// The most starts that a database remembers.
    pub const STARTS: usize = 1024;

    /// Whether nothing is forgotten of what was there at `moment`. Other databases have nothing to
    /// forget of it.
    pub fn remembers(&self, moment: &Moment) -> bool {
        if moment.identity != self.now.identity {
            return true;
        }
        let mut later = self.starts.iter().skip_while(|start| start.start != moment.start);
        let is_known = later.next().is_some();
        let end = later.next().map_or(self.now.age, |next| next.age);
        is_known && moment.age <= end
    }
}

/// How far a peer's database was seen to have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// The peer.
    pub peer: PublicKey,
    /// How far.
    pub moment: Moment,
    /// The peer's signature over it.
    pub signature: Signature,
    /// When it was seen.
    pub seen_ms: u64,
}

/// What is known of a peer's database after a sighting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighted {
    /// The furthest that this database of the peer was ever seen.
    pub furthest: Sighting,
    /// Whether it was never seen before, while another one of the peer was.
    pub is_another: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(start: u8, age: u64) -> Moment {
        Moment { identity: [9; 16], start: [start; 16], age }
    }

    #[test]
    fn an_old_copy_is_told_however_far_it_goes_on_and_however_often_it_starts() {
        let start = |start: u8, age| Start { start: [start; 16], age };
        let honest =
            Life { now: moment(3, 50), starts: vec![start(1, 0), start(2, 10), start(3, 30)] };
        for seen in [moment(1, 0), moment(1, 10), moment(2, 30), moment(3, 30), moment(3, 50)] {
            assert!(honest.remembers(&seen), "{seen:?}");
        }
        assert!(honest.remembers(&Moment { identity: [8; 16], ..moment(7, 99) }), "another one");
        // Copied in start 2 at 20, and put back after start 3 was seen at 50.
        let mut copy =
            Life { now: moment(4, 21), starts: vec![start(1, 0), start(2, 10), start(4, 20)] };
        for age in [21, 60, 1_000_000] {
            copy.now.age = age;
            assert!(!copy.remembers(&moment(3, 50)) && !copy.remembers(&moment(2, 30)));
            assert!(copy.remembers(&moment(2, 20)), "what was there before the copy");
        }
        copy.starts.push(start(5, 1_000_000));
        copy.now = moment(5, 1_000_001);
        assert!(!copy.remembers(&moment(3, 50)) && !copy.remembers(&moment(2, 30)));
    }
}

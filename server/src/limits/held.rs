//! Held: the memory of strangers' calls that are not complete, bounded in all and for each address.
//!
//! A call counts from its first byte until its answer has gone out, with every byte that has arrived.
//! An address that holds too much is told to come back. When all of them together do, the connection
//! is closed whose call has been open for the longest time: honest calls are short.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use proto::listener::{Standing, network_of};

use super::{BUSY_DELAY, Refused};

/// Bytes of all calls.
const ALL: usize = 32 << 20;
/// Bytes of the calls of one address: what a client of ours sends at once, twice over.
const OF_ADDRESS: usize = 8 << 20;
/// What a call holds besides its bytes: its headers, its task and its place in the connection.
const CALL: usize = 8 << 10;
/// How long a call is not given up for others.
const GRACE: Duration = Duration::from_secs(2);

/// What the calls of strangers hold.
#[derive(Debug)]
pub struct Held {
    all: usize,
    of_address: usize,
    table: Mutex<Table>,
}

/// One open call; what it holds is free again when it is dropped.
#[derive(Debug)]
pub struct HeldCall {
    held: Arc<Held>,
    number: u64,
}

#[derive(Debug, Default)]
struct Table {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
    /// In the order of their beginnings.
    open: BTreeMap<u64, Open>,
    next: u64,
}

#[derive(Debug)]
struct Open {
    address: IpAddr,
    bytes: usize,
    since: Instant,
    standing: Option<Standing>,
}

impl Default for Held {
    fn default() -> Self {
        Self::new(ALL, OF_ADDRESS)
    }
}

impl Held {
    fn new(all: usize, of_address: usize) -> Self {
        Self { all, of_address, table: Mutex::default() }
    }

    /// A call from `address` begins.
    pub fn begin(
        self: &Arc<Self>,
        address: IpAddr,
        standing: Option<Standing>,
        now: Instant,
    ) -> Result<HeldCall, Refused> {
        let address = network_of(address);
        let mut table = self.table();
        self.make_room(&mut table, address, CALL, now)?;
        let number = table.next;
        table.next += 1;
        table.open.insert(number, Open { address, bytes: 0, since: now, standing });
        table.grow(number, CALL);
        Ok(HeldCall { held: Arc::clone(self), number })
    }

    /// Sees to it that so many bytes more fit, or refuses.
    fn make_room(
        &self,
        table: &mut Table,
        address: IpAddr,
        bytes: usize,
        now: Instant,
    ) -> Result<(), Refused> {
        let full = Refused::Full { retry_after: BUSY_DELAY };
        if table.by_address.get(&address).copied().unwrap_or(0) + bytes > self.of_address {
            return Err(full);
        }
        while table.total + bytes > self.all {
            let (number, oldest) = table.open.first_key_value().ok_or(full)?;
            if now.saturating_duration_since(oldest.since) < GRACE {
                return Err(full);
            }
            if let Some(standing) = &oldest.standing {
                standing.close();
            }
            let number = *number;
            table.end(number);
        }
        Ok(())
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HeldCall {
    /// So many bytes more have arrived.
    pub fn add(&self, bytes: usize, now: Instant) -> Result<(), Refused> {
        let mut table = self.held.table();
        // A call that has been given up takes nothing more.
        let given_up = Refused::Full { retry_after: BUSY_DELAY };
        let address = table.open.get(&self.number).ok_or(given_up)?.address;
        self.held.make_room(&mut table, address, bytes, now)?;
        table.grow(self.number, bytes);
        Ok(())
    }
}

impl Drop for HeldCall {
    fn drop(&mut self) {
        self.held.table().end(self.number);
    }
}

impl Table {
    fn grow(&mut self, number: u64, bytes: usize) {
        // It may have been given up to make the room.
        let Some(open) = self.open.get_mut(&number) else { return };
        open.bytes += bytes;
        *self.by_address.entry(open.address).or_default() += bytes;
        self.total += bytes;
    }

    fn end(&mut self, number: u64) {
        let Some(open) = self.open.remove(&number) else { return };
        self.total = self.total.saturating_sub(open.bytes);
        if let Some(bytes) = self.by_address.get_mut(&open.address) {
            *bytes = bytes.saturating_sub(open.bytes);
            if *bytes == 0 {
                self.by_address.remove(&open.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, number])
    }

    #[test]
    fn an_address_that_holds_too_much_is_refused_alone_until_a_call_of_it_ends() {
        let (held, now) = (Arc::new(Held::new(10 * CALL, 3 * CALL)), Instant::now());
        let begin = |from| held.begin(address(from), None, now);
        let first = begin(1).unwrap();
        first.add(CALL, now).unwrap();
        let _second = begin(1).unwrap();
        begin(1).unwrap_err();
        first.add(1, now).unwrap_err();
        begin(2).unwrap().add(2 * CALL, now).unwrap();
        drop(first);
        begin(1).unwrap().add(CALL, now).unwrap();
    }

    #[test]
    fn when_all_hold_too_much_the_oldest_call_is_given_up_and_no_new_one() {
        let (held, mut now) = (Arc::new(Held::new(3 * CALL, 3 * CALL)), Instant::now());
        let begin = |from, now| held.begin(address(from), None, now);
        let old = begin(1, now).unwrap();
        let _others = [begin(2, now).unwrap(), begin(3, now).unwrap()];
        begin(4, now).unwrap_err();
        now += GRACE;
        let new = begin(4, now).unwrap();
        assert_eq!(held.table().total, 3 * CALL);
        old.add(1, now).unwrap_err();
        drop(old);
        assert_eq!(held.table().total, 3 * CALL, "it is not counted off twice");
        new.add(CALL, now).unwrap();
        drop(new);
        assert_eq!(held.table().total, CALL);
    }

    #[test]
    fn nothing_is_left_when_all_calls_have_ended() {
        let (held, now) = (Arc::new(Held::default()), Instant::now());
        let calls: Vec<_> = (0..100)
            .map(|number| held.begin(address(number % 7), None, now).unwrap())
            .inspect(|call| call.add(1_000, now).unwrap())
            .collect();
        assert_eq!(held.table().total, 100 * (CALL + 1_000));
        drop(calls);
        let table = held.table();
        assert_eq!((table.total, table.by_address.len(), table.open.len()), (0, 0, 0));
    }
}

//! Held: the memory of strangers' calls that are not complete, bounded in all and for each address.
//!
//! A call counts from its first byte until its answer has gone out, with twice what has arrived of
//! its message, as far as it announces so much: it is refused early, or not at all. New calls leave
//! half of everything to those that have begun, so that these can be completed; only an address
//! without any call may begin one beyond that. Whoever is refused is told to come back. Room is
//! otherwise made only by calls that are too slow to be complete in their time, of the address that
//! holds the most first; these lose their connection.

use std::{
    collections::HashMap,
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
/// What stands before a message: one byte, and its length in four.
const HEAD: usize = 5;
/// What a message is trusted to become before more of it has arrived.
const FIRST: usize = 16 << 10;
/// How long a call is not given up for others, however slow it is.
const GRACE: Duration = Duration::from_secs(5);
/// A message that takes longer than this is too slow: twice what the server waits for one.
const SLOWEST: Duration = Duration::from_secs(120);

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
    open: HashMap<u64, Open>,
    next: u64,
}

#[derive(Debug)]
struct Open {
    address: IpAddr,
    /// What is counted.
    bytes: usize,
    /// What of the head has arrived.
    head: Vec<u8>,
    arrived: usize,
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
        self.make_room(&mut table, address, None, CALL, now)?;
        let number = table.next;
        table.next += 1;
        table.open.insert(
            number,
            Open { address, bytes: 0, head: Vec::new(), arrived: 0, since: now, standing },
        );
        table.grow(number, CALL);
        Ok(HeldCall { held: Arc::clone(self), number })
    }

    /// Sees to it that so many bytes more fit, for a call, or refuses.
    fn make_room(
        &self,
        table: &mut Table,
        address: IpAddr,
        call: Option<u64>,
        bytes: usize,
        now: Instant,
    ) -> Result<(), Refused> {
        let full = Refused::Full { retry_after: BUSY_DELAY };
        if bytes == 0 {
            return Ok(());
        }
        let (own, part) = (table.of(address), if call.is_some() { 1 } else { 2 });
        if own + bytes > self.of_address / part {
            return Err(full);
        }
        let all = if own == 0 { self.all } else { self.all / part };
        while table.total + bytes > all {
            let number = table.slow(call, now).ok_or(full)?;
            if let Some(standing) = table.end(number).and_then(|open| open.standing) {
                standing.close();
            }
        }
        Ok(())
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HeldCall {
    /// These bytes have arrived.
    pub fn add(&self, data: &[u8], now: Instant) -> Result<(), Refused> {
        let mut table = self.held.table();
        // A call that has been given up takes nothing more.
        let given_up = Refused::Full { retry_after: BUSY_DELAY };
        let open = table.open.get_mut(&self.number).ok_or(given_up)?;
        open.take(data);
        let (address, more) = (open.address, open.wants().saturating_sub(open.bytes));
        self.held.make_room(&mut table, address, Some(self.number), more, now)?;
        table.grow(self.number, more);
        Ok(())
    }
}

impl Drop for HeldCall {
    fn drop(&mut self) {
        let _ = self.held.table().end(self.number);
    }
}

impl Table {
    fn of(&self, address: IpAddr) -> usize {
        self.by_address.get(&address).copied().unwrap_or(0)
    }

    /// The call that goes first, except one: it is slow, of the address that holds the most, and the
    /// largest of these.
    fn slow(&self, except: Option<u64>, now: Instant) -> Option<u64> {
        let slow =
            self.open.iter().filter(|(number, open)| Some(**number) != except && open.is_slow(now));
        slow.max_by_key(|(_, open)| (self.of(open.address), open.bytes)).map(|(number, _)| *number)
    }

    fn grow(&mut self, number: u64, bytes: usize) {
        let Some(open) = self.open.get_mut(&number) else { return };
        open.bytes += bytes;
        *self.by_address.entry(open.address).or_default() += bytes;
        self.total += bytes;
    }

    fn end(&mut self, number: u64) -> Option<Open> {
        let open = self.open.remove(&number)?;
        self.total = self.total.saturating_sub(open.bytes);
        if let Some(bytes) = self.by_address.get_mut(&open.address) {
            *bytes = bytes.saturating_sub(open.bytes);
            if *bytes == 0 {
                self.by_address.remove(&open.address);
            }
        }
        Some(open)
    }
}

impl Open {
    fn take(&mut self, data: &[u8]) {
        let missing = HEAD.saturating_sub(self.head.len());
        self.head.extend(data.iter().take(missing));
        self.arrived += data.len();
    }

    /// How long the message is that was announced, with its head.
    fn announced(&self) -> usize {
        let Ok([_, length @ ..]) = <[u8; HEAD]>::try_from(&self.head[..]) else { return HEAD };
        // One that is longer is refused by its length.
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        HEAD + length.min(proto::MAX_MESSAGE)
    }

    /// What the call counts as.
    fn wants(&self) -> usize {
        let soon = FIRST.max(2 * self.arrived);
        CALL + self.arrived.max(self.announced().min(soon))
    }

    /// Whether it will not be complete in time, or nobody takes its answer.
    fn is_slow(&self, now: Instant) -> bool {
        let age = now.saturating_duration_since(self.since);
        let share = |bytes: usize, of: Duration| bytes as u128 * of.as_millis();
        age >= GRACE && share(self.arrived, SLOWEST) < share(self.announced(), age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, number])
    }

    /// The beginning of a message of so many bytes.
    fn head(bytes: usize) -> [u8; HEAD] {
        let length = u32::try_from(bytes).unwrap().to_be_bytes();
        let mut head = [0; HEAD];
        head[1..].copy_from_slice(&length);
        head
    }

    /// With a message of `CALL` bytes.
    fn full(call: HeldCall, now: Instant) -> Result<HeldCall, Refused> {
        call.add(&head(CALL - HEAD), now).map(|()| call)
    }

    #[test]
    fn an_address_that_holds_too_much_is_refused_alone_until_a_call_of_it_ends() {
        let (held, now) = (Arc::new(Held::new(20 * CALL, 4 * CALL)), Instant::now());
        let begin = |from| held.begin(address(from), None, now);
        let (first, second) = (begin(1).unwrap(), full(begin(1).unwrap(), now).unwrap());
        begin(1).unwrap_err();
        let first = full(first, now).unwrap();
        second.add(&[0; CALL], now).unwrap_err();
        full(begin(2).unwrap(), now).unwrap();
        drop((first, second));
        full(begin(1).unwrap(), now).unwrap();
    }

    #[test]
    fn a_call_counts_as_twice_what_has_arrived_and_at_most_as_what_it_announces() {
        let (held, now) = (Arc::new(Held::new(100 * CALL, 100 * CALL)), Instant::now());
        let call = held.begin(address(1), None, now).unwrap();
        let announced = head(8 * CALL - HEAD);
        let (one, rest) = announced.split_at(1);
        let counts = |data: &[u8]| {
            call.add(data, now).unwrap();
            held.table().total
        };
        assert_eq!(counts(one), CALL + HEAD);
        assert_eq!(counts(rest), CALL + FIRST, "the head came in two");
        assert_eq!(counts(&[0; 3 * CALL - HEAD]), 7 * CALL);
        assert_eq!(counts(&[0; 3 * CALL]), 9 * CALL);
        assert_eq!(counts(&[0; 2 * CALL]), 9 * CALL);
        assert_eq!(counts(&[0]), 9 * CALL + 1, "it said less");
    }

    #[test]
    fn new_calls_leave_half_to_those_that_have_begun_but_an_address_without_any_may_begin() {
        let (held, now) = (Arc::new(Held::new(8 * CALL, 8 * CALL)), Instant::now());
        let begin = |from| held.begin(address(from), None, now);
        let calls: Vec<_> = (1..5).map(|from| begin(from).unwrap()).collect();
        begin(1).unwrap_err();
        let lone = begin(5).unwrap();
        calls[0].add(&head(3 * CALL - HEAD), now).unwrap();
        calls[0].add(&[0; 2 * CALL], now).unwrap();
        assert_eq!(held.table().total, 8 * CALL);
        begin(6).unwrap_err();
        calls[1].add(&head(1), now).unwrap_err();
        calls[0].add(&[0; CALL - HEAD], now).unwrap();
        drop(lone);
        begin(6).unwrap();
    }

    #[test]
    fn when_too_much_is_held_newcomers_wait_and_no_call_that_moves_is_given_up() {
        let (held, mut now) = (Arc::new(Held::new(4 * CALL, 8 * CALL)), Instant::now());
        let begin = |from, now| held.begin(address(from), None, now);
        let calls = [1, 2].map(|from| full(begin(from, now).unwrap(), now).unwrap());
        for _ in 0..11 {
            now += 2 * GRACE;
            calls.iter().for_each(|call| call.add(&[0; CALL / 11], now).unwrap());
            begin(3, now).unwrap_err();
        }
        assert_eq!(held.table().total, 4 * CALL);
    }

    #[test]
    fn room_is_made_by_the_slow_ones_of_whoever_holds_the_most_and_counted_off_once() {
        let (held, mut now) = (Arc::new(Held::new(6 * CALL, 12 * CALL)), Instant::now());
        let begin = |from, now| held.begin(address(from), None, now);
        let [moving, still] = [begin(2, now).unwrap(), begin(2, now).unwrap()];
        let [moving, still] = [full(moving, now).unwrap(), full(still, now).unwrap()];
        let alone = full(begin(1, now).unwrap(), now).unwrap();
        begin(3, now).unwrap_err();
        now += GRACE;
        moving.add(&[0; CALL / 2], now).unwrap();
        let new = full(begin(3, now).unwrap(), now).unwrap();
        still.add(&[0], now).unwrap_err();
        drop(still);
        assert_eq!(held.table().total, 6 * CALL, "it was counted off before");
        alone.add(&[0], now).unwrap();
        moving.add(&[0], now).unwrap();
        drop(new);
        assert_eq!(held.table().total, 4 * CALL);
    }

    #[test]
    fn nothing_is_left_when_all_calls_have_ended() {
        let (held, now) = (Arc::new(Held::default()), Instant::now());
        let calls: Vec<_> = (0..100)
            .map(|number| held.begin(address(number % 7), None, now).unwrap())
            .inspect(|call| call.add(&head(1_000), now).unwrap())
            .collect();
        assert_eq!(held.table().total, 100 * (CALL + HEAD + 1_000));
        drop(calls);
        let table = held.table();
        assert_eq!((table.total, table.by_address.len(), table.open.len()), (0, 0, 0));
    }
}

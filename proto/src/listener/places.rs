//! Places: who keeps one when strangers want more connections than there are.
//!
//! A connection is *silent* until a call of it was answered well, then *served*. When places run out,
//! the silent ones go first, of the address with the most of them and the oldest of these; a quarter
//! of all places is theirs, so that newcomers get a chance to speak. Otherwise a served one goes, of
//! the address with the most of them the one that has been idle for the longest time. Work in progress
//! stays: a connection that still brings or takes bytes, was answered a moment ago, or was served and
//! has an open call. A silent one is left alone for a moment, so that a burst of newcomers does not
//! close each other's handshakes; but a crowd from one address does not keep out one that has few.
//! Where nobody goes, the newcomer is closed. Peers and whoever is let in for good
//! ([`Standing::keep`]) keep their places, and take none of these; of one peer the oldest goes when it
//! has too many.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::network_of;
use crate::pin::Pin;

/// How long a silent connection is not closed for others: about a handshake and a first call.
const GRACE: Duration = Duration::from_secs(1);
/// How long a connection is not closed for others after it moved: longer than a slow line stands still.
const MOVING: Duration = Duration::from_secs(10);
/// Bytes that a connection has to bring or take to move: more than pings are.
pub(super) const STEP: usize = 16 << 10;
/// One in so many places is kept for silent connections.
const SILENT_SHARE: usize = 4;
/// A newcomer's address has few silent connections when another has so many times as many.
const CROWD: usize = 4;
/// Connections of one peer: it needs one, and a few more while broken ones are not noticed.
const OF_PEER: usize = 16;

/// The places of one listener.
#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Mutex<Table>>);

/// A connection's place; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place(Standing);

/// What a listener thinks of one connection, for those who answer its calls.
#[derive(Debug, Clone)]
pub struct Standing {
    id: u64,
    table: Arc<Mutex<Table>>,
}

/// Ready when the connection has to go.
pub(super) type Evicted = oneshot::Receiver<()>;

#[derive(Debug)]
struct Table {
    connections: usize,
    per_address: usize,
    /// Counts events, so that earlier ones are known from later ones.
    clock: u64,
    guests: HashMap<u64, Guest>,
    silent: Queue,
    served: Queue,
    /// Those of peers, in the order of their beginnings.
    peers: HashMap<Pin, BTreeSet<u64>>,
}

/// A call that is worked on, until it is dropped.
#[derive(Debug)]
pub(super) struct OpenCall(Standing);

#[derive(Debug)]
struct Guest {
    address: IpAddr,
    /// Its number in the queue that it stands in.
    turn: u64,
    is_served: bool,
    since: Instant,
    /// When it came, moved or was answered, whichever was last.
    last: Instant,
    has_moved: bool,
    calls: usize,
    peer: Option<Pin>,
    _evict: oneshot::Sender<()>,
}

/// Connections in the order of their last event, altogether and by address.
#[derive(Debug, Default)]
struct Queue {
    turns: BTreeMap<u64, u64>,
    by_address: HashMap<IpAddr, BTreeSet<u64>>,
    /// The number of connections of each address, its oldest turn, and the address.
    crowds: BTreeSet<(usize, Reverse<u64>, IpAddr)>,
}

impl Places {
    pub fn new(connections: usize, per_address: usize) -> Self {
        Self(Arc::new(Mutex::new(Table {
            connections,
            per_address,
            clock: 0,
            guests: HashMap::new(),
            silent: Queue::default(),
            served: Queue::default(),
            peers: HashMap::new(),
        })))
    }

    /// A place for a newcomer, and how many others have to go for it; none when nobody does.
    pub fn take(&self, address: IpAddr, now: Instant) -> Option<(Place, Evicted, usize)> {
        let address = network_of(address);
        let mut table = lock(&self.0);
        let (mut victim, all) = (None, table.silent.len() + table.served.len());
        let own = table.silent.len_of(address) + table.served.len_of(address);
        if own >= table.per_address {
            victim = Some(table.victim_of(address, now)?);
        } else if all >= table.connections {
            victim = Some(table.victim(address, now)?);
        }
        if let Some(id) = victim {
            table.remove(id);
        }
        let (evict, evicted) = oneshot::channel();
        let turn = table.tick();
        let guest = Guest {
            address,
            turn,
            is_served: false,
            since: now,
            last: now,
            has_moved: false,
            calls: 0,
            peer: None,
            _evict: evict,
        };
        table.guests.insert(turn, guest);
        table.silent.insert(turn, turn, address);
        let standing = Standing { id: turn, table: Arc::clone(&self.0) };
        Some((Place(standing), evicted, usize::from(victim.is_some())))
    }

    /// Closes the connections that have been silent for too long and do not move; returns how many.
    pub fn sweep(&self, longest: Duration, now: Instant) -> usize {
        let mut table = lock(&self.0);
        let is_late = |id: &u64| {
            table.guests.get(id).is_some_and(|guest| {
                now.saturating_duration_since(guest.since) >= longest && !guest.moves(now)
            })
        };
        let late: Vec<_> = table.silent.turns.values().copied().filter(is_late).collect();
        for id in &late {
            table.remove(*id);
        }
        late.len()
    }
}

impl Place {
    pub fn standing(&self) -> &Standing {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.0.table).remove(self.0.id);
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        if let Some(guest) = lock(&self.0.table).guests.get_mut(&self.0.id) {
            guest.calls = guest.calls.saturating_sub(1);
        }
    }
}

impl OpenCall {
    /// It was answered well.
    pub fn serve(&self, now: Instant) {
        lock(&self.0.table).hear(self.0.id, true, now);
    }
}

impl Standing {
    /// A call begins.
    pub(super) fn enter(&self) -> OpenCall {
        if let Some(guest) = lock(&self.table).guests.get_mut(&self.id) {
            guest.calls += 1;
        }
        OpenCall(self.clone())
    }

    /// [`STEP`] bytes more have come or gone.
    pub(super) fn step(&self, now: Instant) {
        lock(&self.table).hear(self.id, false, now);
    }

    /// The connection is a peer's from now on: it stays, unless the peer makes too many. Returns
    /// whether an older one had to go.
    pub(super) fn keep_peer(&self, peer: Pin) -> bool {
        lock(&self.table).keep_peer(self.id, peer)
    }

    /// The connection is one of ours from now on: it stays, whoever else comes.
    pub fn keep(&self) {
        lock(&self.table).keep(self.id);
    }

    /// Closes the connection.
    pub fn close(&self) {
        let mut table = lock(&self.table);
        table.remove(self.id);
    }
}

impl Table {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Who goes, of one address that has as many places as it may.
    fn victim_of(&self, address: IpAddr, now: Instant) -> Option<u64> {
        let silent = || self.still(self.silent.of(address), GRACE, now);
        let served = || self.still(self.served.of(address), MOVING, now);
        if self.silent.len_of(address) > self.per_address / SILENT_SHARE {
            silent()
        } else {
            served().or_else(silent)
        }
    }

    /// Who goes, of all, for a newcomer from an address.
    fn victim(&self, newcomer: IpAddr, now: Instant) -> Option<u64> {
        let few = self.silent.len_of(newcomer) + 1;
        let patience = |many| if many >= CROWD * few { Duration::ZERO } else { GRACE };
        let silent = || self.first_still(&self.silent, patience, now);
        let served = || self.first_still(&self.served, |_| MOVING, now);
        if self.silent.len() > self.connections / SILENT_SHARE {
            silent()
        } else {
            served().or_else(silent)
        }
    }

    /// The first of the largest crowd that has one which is [`Table::still`], where a crowd's grace
    /// goes by its size.
    fn first_still(
        &self,
        queue: &Queue,
        grace: impl Fn(usize) -> Duration,
        now: Instant,
    ) -> Option<u64> {
        // Newcomers are many, and mostly nobody goes for them: of crowds of one size, those behind one
        // whose first was heard of too lately were heard of later still.
        let mut too_late = None;
        queue.crowds().find_map(|(many, crowd)| {
            if too_late == Some(many) {
                return None;
            }
            let (first, grace) = (queue.of(crowd).next()?, grace(many));
            if !self.is_left_alone(first, grace, now) {
                too_late = Some(many);
                return None;
            }
            self.still(queue.of(crowd), grace, now)
        })
    }

    /// The first of a queue that has been left alone for so long, and is in the middle of nothing.
    fn still(
        &self,
        queue: impl Iterator<Item = u64>,
        grace: Duration,
        now: Instant,
    ) -> Option<u64> {
        queue
            // Those behind were heard of later.
            .take_while(|id| self.is_left_alone(*id, grace, now))
            .find(|id| self.guests.get(id).is_some_and(|guest| !guest.is_at_work(now)))
    }

    /// Whether a connection was not heard of for so long.
    fn is_left_alone(&self, id: u64, grace: Duration, now: Instant) -> bool {
        let guest = self.guests.get(&id);
        guest.is_some_and(|guest| now.saturating_duration_since(guest.last) >= grace)
    }

    /// A connection moved, or was served.
    fn hear(&mut self, id: u64, serves: bool, now: Instant) {
        let turn = self.tick();
        let Some(guest) = self.guests.get_mut(&id) else { return };
        let queue = if guest.is_served { &mut self.served } else { &mut self.silent };
        // Whoever is kept stands in no queue.
        if queue.remove(guest.turn, guest.address) {
            guest.is_served |= serves;
            (guest.turn, guest.last, guest.has_moved) = (turn, now, true);
            let queue = if guest.is_served { &mut self.served } else { &mut self.silent };
            queue.insert(turn, id, guest.address);
        }
    }

    fn keep_peer(&mut self, id: u64, peer: Pin) -> bool {
        self.keep(id);
        let Some(guest) = self.guests.get_mut(&id) else { return false };
        guest.peer = Some(peer);
        let own = self.peers.entry(peer).or_default();
        own.insert(id);
        let oldest = own.first().copied().filter(|_| own.len() > OF_PEER);
        if let Some(oldest) = oldest {
            self.remove(oldest);
        }
        oldest.is_some()
    }

    fn keep(&mut self, id: u64) {
        let Some(guest) = self.guests.get(&id) else { return };
        let queue = if guest.is_served { &mut self.served } else { &mut self.silent };
        queue.remove(guest.turn, guest.address);
    }

    /// Forgets a connection, which closes it if it is there still.
    fn remove(&mut self, id: u64) {
        self.keep(id);
        let Some(peer) = self.guests.remove(&id).and_then(|guest| guest.peer) else { return };
        if let Some(own) = self.peers.get_mut(&peer) {
            own.remove(&id);
            if own.is_empty() {
                self.peers.remove(&peer);
            }
        }
    }
}

impl Guest {
    /// Whether it moved or was answered a moment ago.
    fn moves(&self, now: Instant) -> bool {
        self.has_moved && now.saturating_duration_since(self.last) < MOVING
    }

    /// Whether it is in the middle of something.
    fn is_at_work(&self, now: Instant) -> bool {
        self.moves(now) || self.is_served && self.calls > 0
    }
}

impl Queue {
    fn len(&self) -> usize {
        self.turns.len()
    }

    fn len_of(&self, address: IpAddr) -> usize {
        self.by_address.get(&address).map_or(0, BTreeSet::len)
    }

    /// The connections of one address, the oldest first.
    fn of(&self, address: IpAddr) -> impl Iterator<Item = u64> {
        let turns = self.by_address.get(&address).into_iter().flatten();
        turns.filter_map(|turn| self.turns.get(turn).copied())
    }

    /// The addresses and how many connections they have, the one with the most first; where several
    /// have as many, the one whose oldest is the oldest.
    fn crowds(&self) -> impl Iterator<Item = (usize, IpAddr)> {
        self.crowds.iter().rev().map(|(many, _, address)| (*many, *address))
    }

    fn insert(&mut self, turn: u64, id: u64, address: IpAddr) {
        self.turns.insert(turn, id);
        self.change(address, |turns| turns.insert(turn));
    }

    /// False: it does not stand here.
    fn remove(&mut self, turn: u64, address: IpAddr) -> bool {
        self.turns.remove(&turn).is_some() && self.change(address, |turns| turns.remove(&turn))
    }

    fn change(&mut self, address: IpAddr, edit: impl FnOnce(&mut BTreeSet<u64>) -> bool) -> bool {
        let crowd = |turns: &BTreeSet<u64>| {
            turns.first().map(|oldest| (turns.len(), Reverse(*oldest), address))
        };
        let turns = self.by_address.entry(address).or_default();
        let before = crowd(turns);
        let changed = edit(turns);
        let after = crowd(turns);
        if after.is_none() {
            self.by_address.remove(&address);
        }
        if let Some(before) = before {
            self.crowds.remove(&before);
        }
        self.crowds.extend(after);
        changed
    }
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;

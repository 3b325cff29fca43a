//! Places: who keeps one when strangers want more connections than there are.
//!
//! A connection is *silent* until a call of it was answered well, then *served*. When places run out,
//! the silent ones go first, of the address with the most of them and the oldest of these; a quarter
//! of all places is theirs, so that newcomers get a chance to speak. Otherwise the connection goes
//! whose last good answer is the longest ago. A silent one is left alone for a moment, so that a
//! burst of newcomers does not close each other's handshakes: then the newcomer is closed. Peers and
//! whoever is let in for good ([`Standing::keep`]) keep their places, and take none of these.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::network_of;

/// How long a silent connection is not closed for others: about a handshake and a first call.
const GRACE: Duration = Duration::from_secs(1);
/// One in so many places is kept for silent connections.
const SILENT_SHARE: usize = 4;

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
}

#[derive(Debug)]
struct Guest {
    address: IpAddr,
    /// Its number in the queue that it stands in.
    turn: u64,
    is_served: bool,
    since: Instant,
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
        })))
    }

    /// A place for a newcomer, and how many others have to go for it; none when nobody does.
    pub fn take(&self, address: IpAddr, now: Instant) -> Option<(Place, Evicted, usize)> {
        let address = network_of(address);
        let mut table = lock(&self.0);
        let (mut victims, all) = (Vec::new(), table.silent.len() + table.served.len());
        let own = table.silent.len_of(address) + table.served.len_of(address);
        if own >= table.per_address {
            victims.push(table.victim_of(address, now)?);
        } else if all >= table.connections {
            victims.push(table.victim(now)?);
        }
        for id in &victims {
            table.remove(*id);
        }
        let (evict, evicted) = oneshot::channel();
        let turn = table.tick();
        let guest = Guest { address, turn, is_served: false, since: now, _evict: evict };
        table.guests.insert(turn, guest);
        table.silent.insert(turn, turn, address);
        let standing = Standing { id: turn, table: Arc::clone(&self.0) };
        Some((Place(standing), evicted, victims.len()))
    }

    /// Closes the connections that have been silent for too long; returns how many.
    pub fn sweep(&self, longest: Duration, now: Instant) -> usize {
        let mut table = lock(&self.0);
        let mut closed = 0;
        while let Some((_, id)) = table.silent.oldest()
            && table.age(id, now) >= longest
        {
            table.remove(id);
            closed += 1;
        }
        closed
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

impl Standing {
    /// A call on the connection was answered well.
    pub fn serve(&self) {
        lock(&self.table).serve(self.id);
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

    /// How long the connection has been there.
    fn age(&self, id: u64, now: Instant) -> Duration {
        let since = self.guests.get(&id).map_or(now, |guest| guest.since);
        now.saturating_duration_since(since)
    }

    /// Who goes, of one address that has as many places as it may.
    fn victim_of(&self, address: IpAddr, now: Instant) -> Option<u64> {
        let silent = self.silent.oldest_of(address);
        let served = self.served.oldest_of(address);
        let crowd = self.silent.len_of(address) > self.per_address / SILENT_SHARE;
        self.choose(silent, served, crowd, now)
    }

    /// Who goes, of all.
    fn victim(&self, now: Instant) -> Option<u64> {
        let silent = self.silent.oldest_of_the_most();
        let served = self.served.oldest().map(|(_, id)| id);
        let crowd = self.silent.len() > self.connections / SILENT_SHARE;
        self.choose(silent, served, crowd, now)
    }

    fn choose(
        &self,
        silent: Option<u64>,
        served: Option<u64>,
        silent_crowd: bool,
        now: Instant,
    ) -> Option<u64> {
        match (silent_crowd, served) {
            (false, Some(served)) => Some(served),
            _ => silent.filter(|id| self.age(*id, now) >= GRACE),
        }
    }

    fn serve(&mut self, id: u64) {
        let turn = self.tick();
        let Some(guest) = self.guests.get_mut(&id) else { return };
        let queue = if guest.is_served { &mut self.served } else { &mut self.silent };
        // Whoever is kept stands in no queue.
        if queue.remove(guest.turn, guest.address) {
            (guest.turn, guest.is_served) = (turn, true);
            self.served.insert(turn, id, guest.address);
        }
    }

    fn keep(&mut self, id: u64) {
        let Some(guest) = self.guests.get(&id) else { return };
        let queue = if guest.is_served { &mut self.served } else { &mut self.silent };
        queue.remove(guest.turn, guest.address);
    }

    /// Forgets a connection, which closes it if it is there still.
    fn remove(&mut self, id: u64) {
        self.keep(id);
        self.guests.remove(&id);
    }
}

impl Queue {
    fn len(&self) -> usize {
        self.turns.len()
    }

    fn len_of(&self, address: IpAddr) -> usize {
        self.by_address.get(&address).map_or(0, BTreeSet::len)
    }

    fn oldest(&self) -> Option<(u64, u64)> {
        self.turns.first_key_value().map(|(turn, id)| (*turn, *id))
    }

    fn oldest_of(&self, address: IpAddr) -> Option<u64> {
        let turn = self.by_address.get(&address)?.first()?;
        self.turns.get(turn).copied()
    }

    /// The oldest connection of the address with the most; where several have as many, of the one
    /// that has been there for the longest time.
    fn oldest_of_the_most(&self) -> Option<u64> {
        let (_, Reverse(turn), _) = self.crowds.last()?;
        self.turns.get(turn).copied()
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

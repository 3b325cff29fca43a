//! Limits: how much strangers and pupils may send. A whole school may be behind one address, so
//! addresses are limited for strangers alone.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What the pages of a class load at once, and what they then load a second.
const STRANGERS: Quota = quota(100, 1_500);
/// Attempts to join: a class at once, and corrections of mistyped codes. With them a code of 40
/// bits lasts for ten thousand years.
const JOINS: Quota = quota(2, 200);
/// Requests of a known page: its messages of a few rounds at once.
const KNOWN: Quota = quota(50, 600);

/// How often a page says that it is ready or not: as fast as fingers are.
const CHANGES: Quota = quota(2, 30);

/// Connections at once.
pub const CONNECTIONS: usize = 512;
/// Connections of one address at once: a school, with two for every page.
pub const CONNECTIONS_OF_ONE: usize = 384;
/// Connections at once on which nobody has shown a token. The rest is for the class.
pub const STRANGERS_AT_ONCE: usize = 256;
/// Those of one address: a class that loads the page at the same moment.
pub const STRANGERS_OF_ONE: usize = 160;

/// A page's own limit.
pub type Known = DefaultDirectRateLimiter;

/// The limits by address.
#[derive(Debug)]
pub struct Limits {
    strangers: DefaultKeyedRateLimiter<IpAddr>,
    joins: DefaultKeyedRateLimiter<IpAddr>,
}

/// Room for connections.
#[derive(Debug, Clone)]
pub struct Room {
    all: Arc<Semaphore>,
    taken: Arc<Mutex<Taken>>,
}

/// How many places are taken.
#[derive(Debug, Default)]
struct Taken {
    strangers: usize,
    each: HashMap<IpAddr, OfOne>,
}

/// Connections of one network.
#[derive(Debug, Default)]
struct OfOne {
    all: usize,
    strangers: usize,
}

/// A connection's place; free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    room: Room,
    network: IpAddr,
    is_known: AtomicBool,
    _permit: OwnedSemaphorePermit,
}

impl Default for Limits {
    fn default() -> Self {
        Self { strangers: RateLimiter::keyed(STRANGERS), joins: RateLimiter::keyed(JOINS) }
    }
}

impl Limits {
    /// Whether a stranger may make another request.
    pub fn admit(&self, address: IpAddr) -> bool {
        self.strangers.check_key(&network_of(address)).is_ok()
    }

    /// Whether somebody may try to join.
    pub fn admit_to_class(&self, address: IpAddr) -> bool {
        self.joins.check_key(&network_of(address)).is_ok()
    }

    /// Forgets addresses that have been quiet.
    pub fn forget_quiet(&self) {
        self.strangers.retain_recent();
        self.joins.retain_recent();
    }
}

/// The limit of a pupil that changes its mind.
pub fn changes() -> Known {
    RateLimiter::direct(CHANGES)
}

/// The limit of a page that is known.
pub fn known() -> Known {
    RateLimiter::direct(KNOWN)
}

impl Default for Room {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(CONNECTIONS)), taken: Arc::default() }
    }
}

impl Room {
    /// A place for a connection from this address, if there is one.
    pub fn enter(&self, address: IpAddr) -> Option<Place> {
        let permit = Arc::clone(&self.all).try_acquire_owned().ok()?;
        let network = network_of(address);
        let mut taken = self.taken();
        let strangers = taken.strangers;
        let one = taken.each.entry(network).or_default();
        if one.all >= CONNECTIONS_OF_ONE
            || one.strangers >= STRANGERS_OF_ONE
            || strangers >= STRANGERS_AT_ONCE
        {
            taken.forget_empty(network);
            return None;
        }
        one.all += 1;
        one.strangers += 1;
        taken.strangers += 1;
        drop(taken);
        let (room, is_known) = (self.clone(), AtomicBool::new(false));
        Some(Place { room, network, is_known, _permit: permit })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn recognise(&mut self, network: IpAddr) {
        self.strangers = self.strangers.saturating_sub(1);
        if let Some(one) = self.each.get_mut(&network) {
            one.strangers = one.strangers.saturating_sub(1);
        }
    }

    fn forget_empty(&mut self, network: IpAddr) {
        if self.each.get(&network).is_some_and(|one| one.all == 0) {
            self.each.remove(&network);
        }
    }
}

impl Place {
    /// Somebody has shown a token on this connection.
    pub fn recognise(&self) {
        if !self.is_known.swap(true, Ordering::Relaxed) {
            self.room.taken().recognise(self.network);
        }
    }

    /// Whether anybody has shown a token on this connection.
    pub fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Relaxed)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.recognise();
        let mut taken = self.room.taken();
        if let Some(one) = taken.each.get_mut(&self.network) {
            one.all = one.all.saturating_sub(1);
        }
        taken.forget_empty(self.network);
    }
}

/// The network that an address counts as: itself, or its IPv6 /64, since whoever has one address
/// of that has them all.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

const fn quota(per_second: u32, at_once: u32) -> Quota {
    match (NonZeroU32::new(per_second), NonZeroU32::new(at_once)) {
        (Some(per_second), Some(at_once)) => Quota::per_second(per_second).allow_burst(at_once),
        // A constant that is zero does not compile.
        _ => panic!("a quota is not zero"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn whoever_tries_codes_is_slowed_down_and_others_are_not() {
        let limits = Limits::default();
        let admitted = (0..1_000).filter(|_| limits.admit_to_class(ONE)).count();
        assert!((200..300).contains(&admitted), "{admitted}");
        assert!(limits.admit_to_class(OTHER));
    }

    #[test]
    fn strangers_of_one_address_leave_room_and_places_come_back() {
        let room = Room::default();
        let strangers: Vec<_> = std::iter::from_fn(|| room.enter(ONE)).collect();
        assert_eq!(strangers.len(), STRANGERS_OF_ONE);
        let others: Vec<_> = std::iter::from_fn(|| room.enter(OTHER)).collect();
        assert_eq!(others.len(), STRANGERS_AT_ONCE - STRANGERS_OF_ONE);
        drop(strangers);
        assert!(room.enter(ONE).is_some());
        drop(others);
        let taken = room.taken();
        assert!(taken.each.is_empty() && taken.strangers == 0, "{taken:?}");
    }

    #[test]
    fn a_school_behind_one_address_comes_in_when_it_shows_its_tokens() {
        let room = Room::default();
        let come_in = |_| {
            let place = room.enter(ONE)?;
            place.recognise();
            place.recognise();
            Some(place)
        };
        let school: Vec<_> = (0..1_000).map_while(come_in).collect();
        assert_eq!(school.len(), CONNECTIONS_OF_ONE);
        assert!(room.enter(OTHER).is_some());
        drop(school);
        let taken = room.taken();
        assert!(taken.each.is_empty() && taken.strangers == 0, "{taken:?}");
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_share_their_limits() {
        let address = |last: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, last));
        assert_eq!(network_of(address(1)), network_of(address(2)));
        let mapped = IpAddr::V6(std::net::Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped());
        assert_eq!(network_of(mapped), ONE);
    }
}

//! Back-pressure: how much one address may send, and how much is worked on at once.
//!
//! Both refuse at once and say when to try again; nobody waits in a queue that a stranger can
//! fill.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::IpAddr,
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::NoOpMiddleware,
    state::keyed::DashMapStateStore,
};
use proto::listener::network_of;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Counters over which the addresses are spread. Some MiB at most, however many addresses come.
const SLOTS: u64 = 1 << 16;
/// What a server that is busy asks a client to wait: about the time of a few requests.
const BUSY_DELAY: Duration = Duration::from_millis(250);

/// Why a request is refused for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The address sends faster than it may.
    #[error("this address sends too fast: try again in {} ms", retry_after.as_millis())]
    TooFast {
        /// When the next request will be taken.
        retry_after: Duration,
    },
    /// The server works on as many requests as it may.
    #[error("this server is busy: try again in {} ms", retry_after.as_millis())]
    Busy {
        /// When it makes sense to try again.
        retry_after: Duration,
    },
}

impl Refused {
    /// The limit's name in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::TooFast { .. } => "rate",
            Self::Busy { .. } => "in_flight",
        }
    }

    /// When it makes sense to try again.
    pub fn retry_after(self) -> Duration {
        match self {
            Self::TooFast { retry_after } | Self::Busy { retry_after } => retry_after,
        }
    }
}

/// A rate limit for each network address. Addresses of one IPv6 /64 count as one, because whoever
/// has one of them has them all.
///
/// The addresses are spread over a fixed number of counters by a secret hash: two that meet share
/// their limit, which is rare while few come, and keeps memory and work constant when many do.
#[derive(Debug)]
pub struct RateLimit<C: Clock + Clone = DefaultClock> {
    limiter: RateLimiter<u64, DashMapStateStore<u64>, C, NoOpMiddleware<C::Instant>>,
    clock: C,
    spread: RandomState,
    slots: u64,
}

impl RateLimit {
    /// Allows each address `per_second` requests a second on average, and as many at once.
    pub fn per_second(per_second: NonZeroU32) -> Self {
        Self::with_clock(per_second, SLOTS, DefaultClock::default())
    }
}

impl<C: Clock + Clone> RateLimit<C> {
    fn with_clock(per_second: NonZeroU32, slots: u64, clock: C) -> Self {
        let quota = Quota::per_second(per_second);
        let limiter = RateLimiter::dashmap_with_clock(quota, clock.clone());
        Self { limiter, clock, spread: RandomState::new(), slots }
    }

    /// Counts one request of `address`, or refuses it.
    pub fn check(&self, address: IpAddr) -> Result<(), Refused> {
        let slot = self.spread.hash_one(network_of(address)) % self.slots;
        self.limiter.check_key(&slot).map_err(|not_yet| Refused::TooFast {
            retry_after: not_yet.wait_time_from(self.clock.now()),
        })
    }
}

/// How many requests are worked on at once.
#[derive(Debug, Clone)]
pub struct InFlight {
    places: Arc<Semaphore>,
    all: usize,
}

/// A request's place; free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
}

impl InFlight {
    /// Room for that many requests.
    pub fn new(requests: u32) -> Self {
        // Saturates far above any number that the configuration allows.
        let permits = usize::try_from(requests).unwrap_or(Semaphore::MAX_PERMITS);
        let all = permits.min(Semaphore::MAX_PERMITS);
        Self { places: Arc::new(Semaphore::new(all)), all }
    }

    /// How many places are taken.
    pub fn taken(&self) -> u64 {
        self.all.saturating_sub(self.places.available_permits()) as u64
    }

    /// Takes a place, or refuses.
    pub fn enter(&self) -> Result<Place, Refused> {
        Arc::clone(&self.places)
            .try_acquire_owned()
            .map(|permit| Place { _permit: permit })
            .map_err(|_| Refused::Busy { retry_after: BUSY_DELAY })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;

    fn limit(per_second: u32, slots: u64) -> (RateLimit<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let per_second = NonZeroU32::new(per_second).unwrap();
        (RateLimit::with_clock(per_second, slots, clock.clone()), clock)
    }

    fn v4(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn an_address_that_is_too_fast_is_told_when_to_come_back() {
        let (limit, clock) = limit(4, SLOTS);
        for _ in 0..4 {
            limit.check(v4(1)).unwrap();
        }
        let refused = limit.check(v4(1)).unwrap_err();
        assert_eq!(refused, Refused::TooFast { retry_after: Duration::from_millis(250) });
        limit.check(v4(2)).unwrap();
        clock.advance(refused.retry_after());
        limit.check(v4(1)).unwrap();
        limit.check(v4(1)).unwrap_err();
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_as_one() {
        let (limit, _) = limit(1, SLOTS);
        limit.check("2001:db8::1".parse().unwrap()).unwrap();
        limit.check("2001:db8::ffff:2".parse().unwrap()).unwrap_err();
        limit.check("2001:db8:0:1::1".parse().unwrap()).unwrap();
        limit.check("::ffff:10.0.0.1".parse().unwrap()).unwrap();
        limit.check("10.0.0.1".parse().unwrap()).unwrap_err();
    }

    #[test]
    fn many_addresses_do_not_use_up_the_memory_or_get_more_than_their_slots() {
        let (limit, clock) = limit(1, 100);
        let allowed = (0..10_000).filter(|number| limit.check(v4(*number)).is_ok()).count();
        assert!(allowed <= 100, "{allowed}");
        assert!(limit.limiter.len() <= 100);
        clock.advance(Duration::from_secs(2));
        limit.check(v4(1)).unwrap();
    }

    #[test]
    fn a_full_server_refuses_until_a_place_is_free() {
        let in_flight = InFlight::new(2);
        let (first, _second) = (in_flight.enter().unwrap(), in_flight.enter().unwrap());
        assert_eq!(in_flight.taken(), 2);
        let refused = in_flight.enter().unwrap_err();
        assert_eq!(refused, Refused::Busy { retry_after: BUSY_DELAY });
        drop(first);
        assert_eq!(in_flight.taken(), 1);
        in_flight.enter().unwrap();
    }
}

//! Rate: how often an address may do something, in memory that no number of addresses fills.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::IpAddr,
    num::NonZeroU32,
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::NoOpMiddleware,
    state::keyed::DashMapStateStore,
};

use crate::listener::network_of;

/// Counters over which the addresses are spread. Some MiB at most, however many addresses come.
const SLOTS: u64 = 1 << 16;

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
    /// Allows each address `per_second` events a second on average, and as many at once.
    pub fn per_second(per_second: NonZeroU32) -> Self {
        Self::with_burst(per_second, per_second)
    }

    /// Allows each address `per_second` events a second on average, and `at_once` after a pause.
    pub fn with_burst(per_second: NonZeroU32, at_once: NonZeroU32) -> Self {
        let quota = Quota::per_second(per_second).allow_burst(at_once);
        Self::with_clock(quota, SLOTS, DefaultClock::default())
    }
}

impl<C: Clock + Clone> RateLimit<C> {
    fn with_clock(quota: Quota, slots: u64, clock: C) -> Self {
        let limiter = RateLimiter::dashmap_with_clock(quota, clock.clone());
        Self { limiter, clock, spread: RandomState::new(), slots }
    }

    /// Counts one event of `address`; or says how long it has to wait.
    pub fn check(&self, address: IpAddr) -> Result<(), Duration> {
        let slot = self.spread.hash_one(network_of(address)) % self.slots;
        self.limiter.check_key(&slot).map_err(|not_yet| not_yet.wait_time_from(self.clock.now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;

    fn limit(per_second: u32, slots: u64) -> (RateLimit<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let per_second = NonZeroU32::new(per_second).unwrap();
        (RateLimit::with_clock(Quota::per_second(per_second), slots, clock.clone()), clock)
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
        let wait = limit.check(v4(1)).unwrap_err();
        assert_eq!(wait, Duration::from_millis(250));
        limit.check(v4(2)).unwrap();
        clock.advance(wait);
        limit.check(v4(1)).unwrap();
        limit.check(v4(1)).unwrap_err();
    }

    #[test]
    fn an_address_may_come_with_many_at_once_and_then_with_few() {
        let [few, many] = [2, 10].map(|number| NonZeroU32::new(number).unwrap());
        let (quota, clock) =
            (Quota::per_second(few).allow_burst(many), FakeRelativeClock::default());
        let limit = RateLimit::with_clock(quota, SLOTS, clock.clone());
        let allowed = || (0..100).filter(|_| limit.check(v4(1)).is_ok()).count();
        assert_eq!(allowed(), 10);
        clock.advance(Duration::from_secs(1));
        assert_eq!(allowed(), 2);
        clock.advance(Duration::from_secs(60));
        assert_eq!(allowed(), 10);
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
}

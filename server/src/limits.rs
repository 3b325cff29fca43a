//! Back-pressure: how much one address may send, and how much is worked on at once.
//!
//! Both refuse at once and say when to try again; nobody waits in a queue that a stranger can
//! fill.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use proto::listener::network_of;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

mod held;

pub use held::{Held, HeldCall};

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
    /// Calls that are not complete hold as much memory as they may.
    #[error("too much is being sent here at once: try again in {} ms", retry_after.as_millis())]
    Full {
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
            Self::Full { .. } => "bytes",
        }
    }

    /// When it makes sense to try again.
    pub fn retry_after(self) -> Duration {
        match self {
            Self::TooFast { retry_after }
            | Self::Busy { retry_after }
            | Self::Full { retry_after } => retry_after,
        }
    }
}

/// How many requests are worked on at once, in all and for one address.
#[derive(Debug, Clone)]
pub struct InFlight {
    places: Arc<Semaphore>,
    all: usize,
    by_address: Arc<Shares>,
}

/// How many requests of each address are worked on.
type Shares = Mutex<HashMap<IpAddr, usize>>;

/// A request's place; free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
    share: Option<(IpAddr, Arc<Shares>)>,
}

impl InFlight {
    /// Room for that many requests, half of them for one address.
    pub fn new(requests: u32) -> Self {
        // Saturates far above any number that the configuration allows.
        let permits = usize::try_from(requests).unwrap_or(Semaphore::MAX_PERMITS);
        let all = permits.min(Semaphore::MAX_PERMITS);
        Self { places: Arc::new(Semaphore::new(all)), all, by_address: Arc::default() }
    }

    /// How many places are taken.
    pub fn taken(&self) -> u64 {
        self.all.saturating_sub(self.places.available_permits()) as u64
    }

    /// Takes a place for a request from `address`, if that is known, or refuses.
    pub fn enter(&self, address: Option<IpAddr>) -> Result<Place, Refused> {
        let busy = Refused::Busy { retry_after: BUSY_DELAY };
        let permit = Arc::clone(&self.places).try_acquire_owned().map_err(|_| busy)?;
        let mut place = Place { _permit: permit, share: None };
        let Some(address) = address.map(network_of) else { return Ok(place) };
        {
            let mut shares = lock(&self.by_address);
            let share = shares.entry(address).or_default();
            if *share >= self.all.div_ceil(2) {
                return Err(busy);
            }
            *share += 1;
        }
        place.share = Some((address, Arc::clone(&self.by_address)));
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((address, shares)) = self.share.take() else { return };
        let mut shares = lock(&shares);
        if let Some(share) = shares.get_mut(&address) {
            *share = share.saturating_sub(1);
            if *share == 0 {
                shares.remove(&address);
            }
        }
    }
}

fn lock(shares: &Shares) -> std::sync::MutexGuard<'_, HashMap<IpAddr, usize>> {
    shares.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u8) -> Option<IpAddr> {
        Some(IpAddr::from([127, 0, 0, number]))
    }

    #[test]
    fn a_full_server_refuses_until_a_place_is_free() {
        let in_flight = InFlight::new(2);
        let first = in_flight.enter(address(1)).unwrap();
        let _second = in_flight.enter(address(2)).unwrap();
        assert_eq!(in_flight.taken(), 2);
        let refused = in_flight.enter(None).unwrap_err();
        assert_eq!(refused, Refused::Busy { retry_after: BUSY_DELAY });
        drop(first);
        assert_eq!(in_flight.taken(), 1);
        in_flight.enter(address(3)).unwrap();
    }

    #[test]
    fn one_address_leaves_half_of_the_places_to_others() {
        let in_flight = InFlight::new(4);
        let own: Vec<_> = (0..2).map(|_| in_flight.enter(address(1)).unwrap()).collect();
        in_flight.enter(address(1)).unwrap_err();
        assert_eq!(in_flight.taken(), 2, "who is refused holds nothing");
        let _others = [in_flight.enter(address(2)).unwrap(), in_flight.enter(None).unwrap()];
        drop(own);
        in_flight.enter(address(1)).unwrap();
        assert_eq!(lock(&in_flight.by_address).len(), 1);
        assert!(InFlight::new(1).enter(address(1)).unwrap().share.is_some());
    }
}

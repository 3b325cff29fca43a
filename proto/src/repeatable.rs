//! Repeatable: a thread on which everything that servers and clients do follows from a seed.
//!
//! Only in builds for tests. A thread that has entered draws its randomness from the seed and does
//! blocking work itself, so that the order of events follows from the seed as well.

use std::cell::RefCell;

use rand::{SeedableRng as _, rngs::StdRng};

thread_local! {
    static CHANCE: RefCell<Option<StdRng>> = const { RefCell::new(None) };
}

/// A thread is repeatable until this is dropped.
pub struct Entered(());

/// Makes this thread repeatable.
pub fn enter(seed: u64) -> Entered {
    CHANCE.with_borrow_mut(|chance| *chance = Some(StdRng::seed_from_u64(seed)));
    Entered(())
}

impl Drop for Entered {
    fn drop(&mut self) {
        CHANCE.with_borrow_mut(|chance| *chance = None);
    }
}

/// Whether this thread is repeatable.
pub fn is_entered() -> bool {
    CHANCE.with_borrow(Option::is_some)
}

/// Draws from the seed, if this thread is repeatable.
pub(crate) fn with<T>(draw: impl FnOnce(&mut StdRng) -> T) -> Option<T> {
    CHANCE.with_borrow_mut(|chance| chance.as_mut().map(draw))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance;
    use rand::RngExt as _;

    #[test]
    fn a_thread_repeats_its_draws_for_as_long_as_it_has_entered() {
        let draw = || {
            let _entered = enter(7);
            (chance::rng().random::<[u8; 16]>(), chance::rng().random::<u64>())
        };
        assert_eq!(draw(), draw());
        assert!(!is_entered());
        assert_ne!(chance::rng().random::<[u8; 16]>(), draw().0);
    }
}

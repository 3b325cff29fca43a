//! Randomness, drawn in one place, so that a simulation can repeat it.

#[cfg(not(feature = "testing"))]
pub use rand::rng;

#[cfg(feature = "testing")]
pub use repeated::rng;

#[cfg(feature = "testing")]
mod repeated {
    use std::convert::Infallible;

    use rand::{Rng as _, TryCryptoRng, TryRng};

    use crate::repeatable;

    /// The operating system's randomness, or this thread's simulation's.
    pub struct Chance;

    /// The generator of this thread.
    pub fn rng() -> Chance {
        Chance
    }

    impl TryRng for Chance {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            Ok(repeatable::with(|rng| rng.next_u32()).unwrap_or_else(|| rand::rng().next_u32()))
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            Ok(repeatable::with(|rng| rng.next_u64()).unwrap_or_else(|| rand::rng().next_u64()))
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
            if repeatable::with(|rng| rng.fill_bytes(bytes)).is_none() {
                rand::rng().fill_bytes(bytes);
            }
            Ok(())
        }
    }

    impl TryCryptoRng for Chance {}
}

//! Work that would hold the async threads up, and the threads that it is done on instead.

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    task,
};

/// The work was given up: the server is stopping, or it panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the work was given up")]
pub struct GivenUp;

/// Does `work` on a thread of its own.
pub async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, GivenUp> {
    if is_inline() {
        return Ok(work());
    }
    task::spawn_blocking(work).await.map_err(|_| GivenUp)
}

/// Drives `run`, much of which is computation, on a thread of its own.
pub async fn drive<T: Send + 'static>(
    run: impl Future<Output = T> + Send + 'static,
) -> Result<T, GivenUp> {
    if is_inline() {
        return Ok(run.await);
    }
    let runtime = Handle::current();
    task::spawn_blocking(move || runtime.block_on(run)).await.map_err(|_| GivenUp)
}

/// Does `work` here, after other tasks were handed to another thread, if there is one.
pub fn here<T>(work: impl FnOnce() -> T) -> T {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::CurrentThread => work(),
        _ => task::block_in_place(work),
    }
}

/// On how many threads a large work is best done.
pub fn threads() -> usize {
    match is_inline() {
        true => 1,
        false => std::thread::available_parallelism().map_or(1, usize::from),
    }
}

/// Whether work is done at once, so that a simulation repeats it.
#[cfg(feature = "testing")]
pub fn is_inline() -> bool {
    crate::repeatable::is_entered()
}

/// Whether work is done at once: only in a simulation.
#[cfg(not(feature = "testing"))]
pub const fn is_inline() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_panics_is_given_up() {
        assert_eq!(aside(|| 1).await, Ok(1));
        assert_eq!(drive(async { 1 }).await, Ok(1));
        assert_eq!(aside(|| -> u8 { panic!("a fault") }).await, Err(GivenUp));
        assert_eq!(here(|| 1), 1, "also where there is one thread");
    }
}

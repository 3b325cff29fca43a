//! CPU: what this process has used, all its threads together.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// CPU time of this process since its start.
pub fn now() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let part = |part: i64| u64::try_from(part).expect("a clock that started at 0");
    Duration::new(part(time.tv_sec), 0) + Duration::from_nanos(part(time.tv_nsec))
}

/// CPU time since `start`, in microseconds for each of `count`.
pub fn micros_each(start: Duration, count: usize) -> f64 {
    (now() - start).as_secs_f64() * 1e6 / count as f64
}

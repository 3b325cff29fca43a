//! Shrink: the smallest part of a plan that still fails.

use crate::plan::Plan;

/// Takes steps away, many at once and then fewer, for as long as what is left still fails.
pub fn shrink(plan: &Plan, mut fails: impl FnMut(&Plan) -> bool) -> Plan {
    let mut least = plan.clone();
    let mut size = least.steps.len().div_ceil(2);
    while size > 0 {
        let mut start = 0;
        let mut has_shrunk = false;
        while start < least.steps.len() {
            let mut fewer = least.clone();
            let end = (start + size).min(fewer.steps.len());
            // What came later still comes as late.
            let pause: u64 = fewer.steps.drain(start..end).map(|step| step.after_ms).sum();
            if let Some(next) = fewer.steps.get_mut(start) {
                next.after_ms += pause;
            }
            if fails(&fewer) {
                (least, has_shrunk) = (fewer, true);
            } else {
                start = end;
            }
        }
        size = match has_shrunk && size == 1 {
            true => 1,
            false => size / 2,
        };
    }
    least
}

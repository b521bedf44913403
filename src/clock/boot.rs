use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Since the machine began, the time that it or the process slept among it: leases that others count end by it.
#[must_use]
pub fn boot_time() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), nanos)
}

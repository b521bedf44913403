use super::Shared;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval};

/// How often it is looked at what is in flight.
const GLANCE: Duration = Duration::from_millis(100);

/// Glances that make one sample of what pools need.
const GLANCES: u32 = 10;

/// Follows how many backends each pool needs, for as long as it is polled.
pub(super) async fn follow(shared: Rc<Shared>) {
    let mut ticks = interval(GLANCE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    for glance in 1_u32.. {
        ticks.tick().await;
        let Some(generation) = shared.generation.borrow().clone() else { continue };
        let snapshot = &generation.snapshot;
        snapshot.pools.iter().for_each(|live| live.glance());
        if glance % GLANCES == 0 {
            let now = shared.clock.exact(Instant::now());
            snapshot.config.pools.iter().zip(&snapshot.pools).for_each(|(pool, live)| live.sample(pool, now));
        }
    }
}

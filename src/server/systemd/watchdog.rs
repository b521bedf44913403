use super::{Manager, State};
use crate::server::worker::Order;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval as every, timeout};

/// How often the service manager wants to hear that all is well: half of what it waits for.
pub(in crate::server) fn interval() -> Option<Duration> {
    let is_ours = std::env::var("WATCHDOG_PID").map_or(true, |pid| pid == std::process::id().to_string());
    let micros: u64 = std::env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
    (is_ours && micros > 0).then(|| Duration::from_micros(micros).div_f64(2.0).max(INTERVAL_MIN))
}

/// Says that all is well, as long as each worker answers in time.
pub(in crate::server) async fn watch(interval: Duration, manager: Rc<Manager>, workers: Vec<UnboundedSender<Order>>) {
    let mut ticks = every(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut was_well = true;
    let mut pings: Vec<Option<oneshot::Receiver<()>>> = workers.iter().map(|_| None).collect();
    loop {
        ticks.tick().await;
        // A worker that is stuck has one ping in its queue, not one for each tick.
        for (ping, worker) in pings.iter_mut().zip(&workers) {
            ping.get_or_insert_with(|| {
                let (answer, answered) = oneshot::channel();
                let _ = worker.send(Order::Ping(answer));
                answered
            });
        }
        let is_well = timeout(interval / 2, all(&mut pings)).await == Ok(true);
        if is_well {
            manager.tell(&[State::Watchdog]);
        } else if was_well {
            tracing::error!("a worker does not answer: the service manager is not told that all is well");
        }
        was_well = is_well;
    }
}

/// Waits until all have answered; false if one has ended.
async fn all(pings: &mut [Option<oneshot::Receiver<()>>]) -> bool {
    let mut are_well = true;
    for ping in pings {
        if let Some(answered) = ping {
            are_well &= answered.await.is_ok();
            *ping = None;
        }
    }
    are_well
}

/// More often would only be work.
const INTERVAL_MIN: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc::unbounded_channel;

    #[tokio::test]
    async fn a_worker_that_does_not_answer_is_noticed_and_asked_once() {
        let (well, mut asked) = unbounded_channel();
        let (stuck, mut unheard) = unbounded_channel();
        tokio::spawn(async move {
            while let Some(Order::Ping(answer)) = asked.recv().await {
                let _ = answer.send(());
            }
        });
        let mut pings = [None, None];
        for (ping, worker) in pings.iter_mut().zip([&well, &stuck]) {
            let (answer, answered) = oneshot::channel();
            worker.send(Order::Ping(answer)).unwrap();
            *ping = Some(answered);
        }
        assert!(timeout(Duration::from_millis(50), all(&mut pings)).await.is_err());
        assert!(pings[0].is_none() && pings[1].is_some());
        let Some(Order::Ping(answer)) = unheard.recv().await else { panic!("no ping") };
        answer.send(()).unwrap();
        assert_eq!(timeout(Duration::from_secs(10), all(&mut pings)).await, Ok(true));
        let (answer, answered) = oneshot::channel();
        drop(answer);
        assert!(!all(&mut [Some(answered)]).await, "a worker that has ended");
    }
}

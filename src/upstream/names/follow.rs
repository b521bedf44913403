use super::{Answer, Hold, NameError, News, next};
use std::future::Future;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Asks again and again, when [`next`] says, and tells what [`Hold`] finds new. It never ends by itself: drop it.
///
/// `ask` is a lookup that takes a bounded time, such as [`Resolver::ask`](super::Resolver::ask); `every` is the longest
/// time between two lookups.
pub async fn follow<F>(mut ask: impl FnMut() -> F, every: Option<Duration>, mut tell: impl FnMut(News))
where
    F: Future<Output = Result<Answer, NameError>>,
{
    let start = Instant::now();
    let mut hold = Hold::default();
    loop {
        let result = ask().await;
        let ttl = result.as_ref().map_or(Duration::ZERO, |answer| answer.ttl);
        if let Some(news) = hold.take(start.elapsed(), result) {
            tell(news);
        }
        // Without random numbers, names are asked for in step: no reason to stop.
        let random = getrandom::u32().unwrap_or_default();
        sleep(next(ttl, every, hold.failures(), random)).await;
    }
}

#[cfg(test)]
mod tests;

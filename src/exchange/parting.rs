//! What is sent without a backend's part in it: to a client that may go meanwhile, within the time of its route.

use super::Body;
use super::serve::Course;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

/// Why a client does not get the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parting {
    /// It went away.
    Gone,
    /// The time of the whole exchange is over.
    TimedOut,
}

impl Course<'_> {
    /// As [`send_while_there`](Self::send_while_there); where there is nothing to look at, it costs nothing.
    #[inline]
    pub(super) async fn send_within_bounds<B: Body, T>(
        &self,
        body: &mut B,
        waits: bool,
        sending: impl Future<Output = T>,
    ) -> Result<T, Parting> {
        if !waits && self.time_left().is_none() {
            return Ok(sending.await);
        }
        Box::pin(async {
            let gone = pin!(body.gone());
            self.send_while_there(gone, waits, sending).await
        })
        .await
    }

    /// Sends what is ready, unless the client is `gone` before, or `timeouts.total` of the route has passed. Whether it is
    /// gone is looked at where it `waits` for bandwidth: nothing is sent then that could fail.
    pub(super) async fn send_while_there<T>(
        &self,
        gone: Pin<&mut impl Future<Output = ()>>,
        waits: bool,
        sending: impl Future<Output = T>,
    ) -> Result<T, Parting> {
        let (mut gone, mut sending) = (gone, pin!(sending));
        let mut total = self.time_left().map(|left| self.worker.clock.timer(left));
        poll_fn(|cx| {
            if let Poll::Ready(sent) = sending.as_mut().poll(cx) {
                return Poll::Ready(Ok(sent));
            }
            if waits && gone.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(Parting::Gone));
            }
            match &mut total {
                Some(total) => total.poll_elapsed(cx).map(|()| Err(Parting::TimedOut)),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Of `timeouts.total`, since the request came; `None`: it has no bound.
    fn time_left(&self) -> Option<Duration> {
        let total = self.route.and_then(|(_, route)| route.timeouts.total)?;
        Some(total.saturating_sub(self.worker.clock.coarse().saturating_sub(self.came)))
    }
}

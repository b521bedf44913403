//! How a fetch ends for those who wait for it.

use super::depart::Voyage;
use crate::cache::flight::{Flight, Flights};
use crate::exchange::Refusal;
use crate::http::IfFailed;
use std::sync::Arc;

/// Why a fetch gives no response that can be shared.
#[derive(Clone, Copy, Debug)]
pub(in crate::exchange) enum Failure {
    /// No backend gave one.
    Refused(Refusal),
    /// One answered with this error, and what is stale may be used instead.
    Error(u16),
}

impl Failure {
    /// Whether what is stale may be used for it.
    pub(super) fn leaves(self, if_failed: IfFailed) -> bool {
        match self {
            Failure::Error(_) => if_failed == IfFailed::IfError,
            Failure::Refused(refusal) => match if_failed {
                // RFC 5861 §4: what would be a 500, 502, 503 or 504.
                IfFailed::IfError => refusal.is_ours(),
                IfFailed::IfDisconnected => is_disconnected(refusal),
                IfFailed::Unusable => false,
            },
        }
    }
}

/// RFC 9111 §4.2.4: there is no way to the origin. One that is busy, slow or wrong is there: also one that was asked and does
/// not answer in time, as its silence does not tell which it is.
fn is_disconnected(refusal: Refusal) -> bool {
    matches!(refusal, Refusal::ConnectFailed | Refusal::BackendClosed | Refusal::NoBackend | Refusal::PoolEmpty)
}

/// Sees to it that a flight ends, whatever becomes of its fetch.
pub(super) struct Landing {
    flights: Arc<Flights<Failure>>,
    flight: Arc<Flight<Failure>>,
    key: (u128, u64),
    landed: bool,
}

impl Landing {
    pub(super) fn of(voyage: &Voyage) -> Landing {
        let flights = Arc::clone(voyage.stow.flights());
        Landing { flights, flight: Arc::clone(&voyage.flight), key: voyage.flight_key, landed: false }
    }

    /// The fetch is over; `why` if it is not complete.
    pub(super) fn land(mut self, why: Failure) {
        self.landed = true;
        self.flights.land(self.key, &self.flight);
        self.flight.fail(why);
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if !self.landed {
            self.flights.land(self.key, &self.flight);
            self.flight.fail(Failure::Refused(Refusal::BackendClosed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_no_backend_is_reached_is_one_disconnected() {
        for (refusal, bridged, by_default) in [
            (Refusal::ConnectFailed, true, true),
            (Refusal::BackendClosed, true, true),
            (Refusal::NoBackend, true, true),
            (Refusal::PoolEmpty, true, true),
            (Refusal::BackendTimeout, true, false),
            (Refusal::BackendProtocol("x"), true, false),
            (Refusal::QueueFull, true, false),
            (Refusal::QueueTimeout, true, false),
            (Refusal::Displaced, true, false),
            (Refusal::Breaker, true, false),
            (Refusal::Memory, true, false),
            (Refusal::ConnectionOptions, false, false),
        ] {
            let failure = Failure::Refused(refusal);
            assert_eq!(failure.leaves(IfFailed::IfError), bridged, "{refusal:?}");
            assert_eq!(failure.leaves(IfFailed::IfDisconnected), by_default, "{refusal:?}");
            assert!(!failure.leaves(IfFailed::Unusable), "{refusal:?}");
        }
    }
}

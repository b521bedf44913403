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
            Failure::Refused(_) => if_failed != IfFailed::Unusable,
        }
    }
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

use super::error::TlsError;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::ProducesTickets;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// Keys of session tickets, shared by all workers and kept over reloads: one handle for a process.
///
/// A key makes tickets for 6 hours and is believed for 6 more, then it is gone; that is also how long a session can
/// be resumed. Listeners share keys only if they show the same names and ask the same of their clients: otherwise a
/// session begun without a client certificate could be resumed where one is required.
#[derive(Clone, Debug, Default)]
pub struct Tickets {
    keys: Arc<Mutex<HashMap<Audience, Arc<dyn ProducesTickets>>>>,
}

/// Who may resume a session with whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Audience {
    /// DNS names of all certificates; they outlive a renewal.
    pub(super) names: BTreeSet<String>,
    /// Authorities of client certificates, and whether one is required.
    pub(super) client: Option<(Vec<Vec<u8>>, bool)>,
}

impl Tickets {
    /// No keys yet; they are made as listeners are built.
    #[must_use]
    pub fn new() -> Tickets {
        Tickets::default()
    }

    /// The keys of an audience. Those of audiences that no living listener has are forgotten.
    pub(super) fn of(&self, audience: Audience) -> Result<Arc<dyn ProducesTickets>, TlsError> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = match keys.remove(&audience) {
            Some(known) => known,
            None => Ticketer::new()?,
        };
        keys.retain(|_, used| Arc::strong_count(used) > 1);
        keys.insert(audience, Arc::clone(&wanted));
        Ok(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audience(name: &str, client: Option<(Vec<Vec<u8>>, bool)>) -> Audience {
        Audience { names: BTreeSet::from([name.to_owned()]), client }
    }

    #[test]
    fn the_same_audience_keeps_its_keys_over_a_reload() {
        let tickets = Tickets::new();
        let before = tickets.of(audience("a", None)).unwrap();
        let after = tickets.of(audience("a", None)).unwrap();
        let ticket = before.encrypt(b"session").unwrap();
        assert_eq!(after.decrypt(&ticket).unwrap(), b"session");
    }

    #[test]
    fn a_ticket_is_worth_nothing_to_another_audience() {
        let tickets = Tickets::new();
        let open = tickets.of(audience("a", None)).unwrap();
        let closed = tickets.of(audience("a", Some((vec![vec![1]], true)))).unwrap();
        let ticket = open.encrypt(b"session").unwrap();
        assert!(closed.decrypt(&ticket).is_none());
    }

    #[test]
    fn keys_that_nobody_uses_are_forgotten() {
        let tickets = Tickets::new();
        drop(tickets.of(audience("a", None)).unwrap());
        let _b = tickets.of(audience("b", None)).unwrap();
        assert_eq!(tickets.keys.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_ticket_is_hinted_to_live_no_longer_than_its_key_is_believed() {
        let ticketer = Tickets::new().of(audience("a", None)).unwrap();
        assert!(ticketer.lifetime() <= 12 * 60 * 60);
    }
}

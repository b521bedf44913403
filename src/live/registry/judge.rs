//! What was granted under another configuration, or by the process before, is judged by the one that counts now.

use super::rules::Standing;
use super::{Book, LeaseTurn, LiveRegistry, Refused};
use crate::registry::{Leave, Touched};
use std::net::SocketAddr;

impl LiveRegistry {
    /// Lets go of leases and services that nobody could register now.
    pub(super) fn judge(&self, book: &mut Book, now: std::time::Duration) {
        let Book { services, rules, .. } = book;
        let stays = |standing| standing == Standing::Stays;
        services.retain(|it| rules.get(&it.pool).is_some_and(|rules| stays(rules.of_service(it))));
        for (pool, address, standing) in book.unwelcome() {
            match standing {
                Standing::Stays => {}
                Standing::Drains(why) => {
                    tracing::warn!(pool, %address, %why, "who registered a backend may not any more: it drains");
                    let Some(rules) = book.rules.get(&pool).map(|rules| rules.rules) else { continue };
                    let touched = book.registry.remove(&pool, address, false, rules, now).unwrap_or(Touched::Nothing);
                    self.given_back(book, &pool, address, touched, false);
                }
                Standing::Goes(why) => self.goes(book, &pool, address, why),
            }
        }
    }

    /// Not told to others: it may well be there for them.
    fn goes(&self, book: &mut Book, pool: &str, address: SocketAddr, why: Refused) {
        tracing::warn!(pool, %address, %why, "nobody may register that backend any more: it is out");
        if book.registry.forget(pool, address) {
            book.touch(pool, Touched::Seats);
            book.unwritten = true;
            self.tell(book, pool, address, LeaseTurn::Left(Leave::Asked), true);
            self.turned.notify_one();
        }
    }
}

impl Book {
    /// Leases that are not to stay.
    fn unwelcome(&self) -> Vec<(String, SocketAddr, Standing)> {
        let judged = self.registry.iter().filter_map(|(pool, lease)| {
            let standing = self.rules.get(pool)?.of_lease(lease);
            let is_leaving = lease.is_draining() && matches!(standing, Standing::Drains(_));
            let stays = standing == Standing::Stays || is_leaving;
            (!stays).then(|| (pool.to_owned(), lease.address, standing))
        });
        judged.collect()
    }
}

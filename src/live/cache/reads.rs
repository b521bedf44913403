//! Reads of the disk tier under way: whoever asks for a record meanwhile waits for the one read of it.

use crate::cache::disk::{At, Found};
use crate::cache::entry::Entry;
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::OnceCell;

/// What a read gives, once it is done.
type Outcome = OnceCell<Option<Arc<Entry>>>;
/// Hash, variant, generation, and where it is: what is stored anew has another place.
type Which = (u128, u64, u64, At);
type Table = HashMap<Which, Arc<Outcome>>;

/// The reads under way of one cache.
#[derive(Debug, Default)]
pub(super) struct Reads(Mutex<Table>);

impl Reads {
    /// What `read` gives of a record, or what it gives to another who asked before. If whoever reads goes away, the next one
    /// reads.
    pub(super) async fn one<F: Future<Output = Option<Arc<Entry>>>>(
        &self,
        found: &Found,
        read: impl FnOnce() -> F,
    ) -> Option<Arc<Entry>> {
        let place = self.place((found.hash, found.variant, found.born, found.at()));
        place.outcome.get_or_init(read).await.clone()
    }

    fn place(&self, which: Which) -> Place<'_> {
        let outcome = Arc::clone(self.table().entry(which).or_default());
        Place { reads: self, which, outcome }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who waits for a read, or reads.
struct Place<'a> {
    reads: &'a Reads,
    which: Which,
    outcome: Arc<Outcome>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut table = self.reads.table();
        // The table's own, and this one: nobody gets another without the lock.
        if Arc::strong_count(&self.outcome) <= 2 {
            table.remove(&self.which);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::disk::{Disk, Options, Record};
    use crate::cache::entry::{Content, Make};
    use crate::http::{Fields, Life};
    use bytes::Bytes;
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::task::{Context, Poll, Waker};
    use tokio::sync::oneshot;

    fn entry() -> Arc<Entry> {
        let (key, fields, content) = (&b"http://a/"[..], &Fields::default(), Content::Whole(Box::default()));
        let (life, status, selecting, tags) = (Life::NONE, 200, &b""[..], &[][..]);
        Arc::new(Entry::make(Make {
            hash: 1,
            variant: 2,
            key,
            url_at: 0,
            selecting,
            tags,
            status,
            fields,
            life,
            born: 3,
            content,
        }))
    }

    /// A record that is there.
    fn found() -> Found {
        let directory = tempfile::tempdir().unwrap();
        written(&Disk::open(&Options::new(directory.path(), 4 << 20), 0).unwrap())
    }

    fn written(disk: &Disk) -> Found {
        let (meta, body) = (Bytes::from_static(b"m"), Arc::new(Vec::new()));
        assert!(disk.write(Record { hash: 1, variant: 2, born: 3, expires_ms: u64::MAX, meta, body }));
        disk.flush();
        disk.find(1)[0]
    }

    #[test]
    fn who_asks_for_what_was_stored_since_gets_that() {
        let directory = tempfile::tempdir().unwrap();
        let disk = Disk::open(&Options::new(directory.path(), 4 << 20), 0).unwrap();
        let (reads, old, new) = (Reads::default(), written(&disk), written(&disk));
        let mut cx = Context::from_waker(Waker::noop());
        let mut slow = Box::pin(reads.one(&old, std::future::pending));
        assert!(slow.as_mut().poll(&mut cx).is_pending());
        assert!(matches!(pin!(reads.one(&new, || async { Some(entry()) })).poll(&mut cx), Poll::Ready(Some(_))));
    }

    #[test]
    fn all_who_ask_while_it_is_read_get_what_one_read_gives() {
        let (reads, found, count) = (Reads::default(), found(), AtomicUsize::new(0));
        let mut cx = Context::from_waker(Waker::noop());
        let (done, is_done) = oneshot::channel::<()>();
        let mut first = Box::pin(reads.one(&found, || async {
            count.fetch_add(1, SeqCst);
            is_done.await.ok().map(|()| entry())
        }));
        let mut others: Vec<_> = (0..5)
            .map(|_| {
                Box::pin(reads.one(&found, || async {
                    count.fetch_add(1, SeqCst);
                    None
                }))
            })
            .collect();
        assert!(first.as_mut().poll(&mut cx).is_pending());
        assert!(others.iter_mut().all(|other| other.as_mut().poll(&mut cx).is_pending()));
        done.send(()).unwrap();
        let Poll::Ready(Some(read)) = first.as_mut().poll(&mut cx) else { panic!("it is read") };
        for other in &mut others {
            let Poll::Ready(Some(same)) = other.as_mut().poll(&mut cx) else { panic!("it is read") };
            assert!(Arc::ptr_eq(&read, &same));
        }
        assert_eq!(count.load(SeqCst), 1);
        drop((first, others));
        assert!(reads.table().is_empty());
        // Whoever comes later reads again.
        assert!(matches!(pin!(reads.one(&found, || async { None })).poll(&mut cx), Poll::Ready(None)));
    }

    #[test]
    fn if_the_one_who_reads_goes_away_another_reads() {
        let (reads, found) = (Reads::default(), found());
        let mut cx = Context::from_waker(Waker::noop());
        let mut first = Box::pin(reads.one(&found, std::future::pending));
        let mut other = Box::pin(reads.one(&found, || async { Some(entry()) }));
        assert!(first.as_mut().poll(&mut cx).is_pending() && other.as_mut().poll(&mut cx).is_pending());
        drop(first);
        assert!(matches!(other.as_mut().poll(&mut cx), Poll::Ready(Some(_))));
        drop(other);
        assert!(reads.table().is_empty());
    }
}

use super::*;
use crate::cache::entry::{Content, Make};
use crate::http::{Defaults, Life, ResponseDirectives, Times};

fn entry() -> Arc<Entry> {
    let fields = Fields::default();
    let times = Times { asked_ms: 0, answered_ms: 0 };
    let life = Life::of(200, &fields, &ResponseDirectives::default(), &Defaults::default(), times);
    let (key, content) = (&b"k"[..], Content::Pending);
    let make = Make {
        hash: 1,
        variant: 0,
        key,
        url_at: 0,
        selecting: b"",
        tags: &[],
        status: 200,
        fields: &fields,
        life,
        born: 0,
        content,
    };
    Arc::new(Entry::make(make))
}

fn cx() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn read(seat: &mut Seat<u8>) -> Vec<u8> {
    let mut all = Vec::new();
    while let Poll::Ready(Piece::Data(bytes, _)) = seat.poll_next(&mut cx()) {
        all.extend_from_slice(&bytes);
    }
    all
}

#[test]
fn all_who_ask_read_one_fetch_each_at_its_own_speed() {
    let flights = Flights::<u8>::default();
    let mut leader = flights.board((1, 0), None).unwrap();
    let mut other = flights.board((1, 0), None).unwrap();
    assert!(leader.leads() && !other.leads() && flights.len() == 1);
    assert!(leader.poll_head(&mut cx()).is_pending());
    let flight = Arc::clone(leader.flight());
    flight.head(entry(), Length::Unknown, true, Fields::default());
    flight.data(Bytes::from_static(b"ab"));
    assert!(matches!(leader.poll_head(&mut cx()), Poll::Ready(Heard::Head(..))));
    assert_eq!(read(&mut leader), b"ab");
    flight.data(Bytes::from_static(b"c"));
    flight.end(None);
    assert_eq!(read(&mut other), b"abc");
    assert!(matches!(other.poll_next(&mut cx()), Poll::Ready(Piece::End(None))));
    assert_eq!(flight.whole().as_deref(), Some(&b"abc"[..]));
    drop((leader, other));
    assert!(flight.abandon());
    flights.land((1, 0), &flight);
    assert!(flights.is_empty());
}

#[test]
fn what_is_for_one_client_alone_releases_the_others() {
    let flights = Flights::<u8>::default();
    let mut leader = flights.board((1, 0), None).unwrap();
    let mut other = flights.board((1, 0), None).unwrap();
    leader.flight().head(entry(), Length::Unknown, false, Fields::default());
    assert!(matches!(other.poll_head(&mut cx()), Poll::Ready(Heard::NotForAll)));
    assert!(matches!(leader.poll_head(&mut cx()), Poll::Ready(Heard::Head(..))));
    assert!(flights.board((1, 0), None).is_none());
}

#[test]
fn what_is_not_kept_comes_for_one_who_waits_further_on() {
    let flights = Flights::<u8>::default();
    let mut leader = flights.board((1, 0), None).unwrap();
    let flight = Arc::clone(leader.flight());
    flight.head(entry(), Length::Unknown, false, Fields::default());
    leader.skip_to(5);
    for bytes in [b"abc", b"def", b"ghi"] {
        flight.data(Bytes::from_static(bytes));
        assert!(flight.poll_room(&mut cx()).is_ready());
    }
    assert_eq!(read(&mut leader), b"fghi");
}

#[test]
fn what_is_not_kept_waits_for_the_slowest_reader() {
    let flights = Flights::<u8>::default();
    let mut leader = flights.board((1, 0), None).unwrap();
    let flight = Arc::clone(leader.flight());
    flight.head(entry(), Length::Unknown, false, Fields::default());
    flight.data(Bytes::from(vec![0; BEHIND_MAX_BYTES as usize]));
    assert!(flight.poll_room(&mut cx()).is_pending());
    assert_eq!(read(&mut leader).len() as u64, BEHIND_MAX_BYTES);
    assert!(flight.poll_room(&mut cx()).is_ready());
    assert!(flight.whole().is_none());
}

#[test]
fn a_fetch_that_breaks_off_is_seen_as_broken_by_all() {
    let flights = Flights::<u8>::default();
    let mut leader = flights.board((1, 0), None).unwrap();
    let flight = Arc::clone(leader.flight());
    flight.head(entry(), Length::Unknown, true, Fields::default());
    flight.data(Bytes::from_static(b"ab"));
    flight.fail(7);
    assert_eq!(read(&mut leader), b"ab");
    assert!(matches!(leader.poll_next(&mut cx()), Poll::Ready(Piece::Broken)));
    let mut early = flights.board((2, 0), None).unwrap();
    early.flight().fail(7);
    assert!(matches!(early.poll_head(&mut cx()), Poll::Ready(Heard::Failed(7))));
}

#[test]
fn a_fetch_that_was_given_up_is_joined_by_nobody_and_another_begins() {
    let flights = Flights::<u8>::default();
    let leader = flights.board((1, 0), None).unwrap();
    let flight = Arc::clone(leader.flight());
    let other = flights.board((1, 0), None).unwrap();
    assert!(!flight.abandon() && flight.poll_abandoned(&mut cx()).is_pending());
    drop(leader);
    assert!(flight.poll_abandoned(&mut cx()).is_pending(), "one is left");
    drop(other);
    assert!(!flight.is_abandoned(), "who comes now may still join");
    drop(flights.board((1, 0), None).unwrap());
    assert!(flight.poll_abandoned(&mut cx()).is_ready() && flight.join().is_none());
    let next = flights.board((1, 0), None).unwrap();
    assert!(next.leads() && !Arc::ptr_eq(next.flight(), &flight));
    // The end of the one before is not that of this one.
    flights.land((1, 0), &flight);
    assert_eq!(flights.len(), 1);
}

#[test]
fn whoever_watches_is_woken_when_the_last_one_leaves() {
    struct Flag(std::sync::atomic::AtomicBool);
    impl std::task::Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, std::sync::atomic::Ordering::SeqCst);
        }
    }
    let flag = Arc::new(Flag(false.into()));
    let is_woken = || flag.0.swap(false, std::sync::atomic::Ordering::SeqCst);
    let (waker, flights) = (Waker::from(Arc::clone(&flag)), Flights::<u8>::default());
    let (leader, mut other) = (flights.board((1, 0), None).unwrap(), flights.board((1, 0), None).unwrap());
    let flight = Arc::clone(leader.flight());
    let watch = || flight.poll_abandoned(&mut Context::from_waker(&waker));
    assert!(watch().is_pending());
    flight.head(entry(), Length::Unknown, true, Fields::default());
    flight.data(Bytes::from_static(b"ab"));
    drop((read(&mut other), leader));
    assert!(!is_woken(), "reading and leaving others behind is nothing to watch for");
    drop(other);
    assert!(is_woken() && watch().is_ready());
}

#[test]
fn who_wants_less_of_the_same_joins_if_it_comes_soon() {
    let flights = Flights::<u8>::default();
    let span = |kind, bytes| Span { kind, bytes };
    let leader = flights.board((1, 7), Some(span(0, 100..10_000_000))).unwrap();
    let within = |hash, kind, bytes| flights.board_within(hash, &span(kind, bytes)).is_some();
    assert!(within(1, 0, 100..200) && within(1, 0, 200..10_000_000));
    // Of something else, or not all in it.
    assert!(!within(2, 0, 100..200) && !within(1, 1, 100..200));
    assert!(!within(1, 0, 99..200) && !within(1, 0, 100..10_000_001));
    let far = 100 + AHEAD_MAX_BYTES + 2;
    assert!(!within(1, 0, far..far + 1));
    leader.flight().data(Bytes::from_static(b"ab"));
    assert!(within(1, 0, far..far + 1));
    flights.land((1, 7), leader.flight());
    assert!(!within(1, 0, 100..200) && flights.is_empty());
    // What nobody knows the bytes of is joined by its own key alone.
    let _other = flights.board((1, 8), None).unwrap();
    assert!(!within(1, 0, 100..200));
}

#[test]
fn content_in_tiny_pieces_is_found_from_anywhere_in_few_steps() {
    const PIECES: usize = 200_000;
    let flights = Flights::<u8>::default();
    let mut leader = flights.board((1, 0), None).unwrap();
    let flight = Arc::clone(leader.flight());
    flight.head(entry(), Length::Unknown, true, Fields::default());
    let all: Vec<u8> = (0..PIECES).flat_map(|at| (at as u32).to_le_bytes()).collect();
    // Some are read while they come, and then all from the beginning.
    let mut seen = Vec::new();
    for piece in all.chunks(4) {
        flight.data(Bytes::copy_from_slice(piece));
        if seen.len() < 10_000 {
            seen.extend(read(&mut leader));
        }
    }
    seen.extend(read(&mut leader));
    assert!(seen == all && flight.whole().is_some_and(|whole| *whole == *all));
    assert!(flight.lock().segments.len() <= all.len() / (JOINED_BYTES_MAX / 2) + 1);
    let mut other = flights.board((1, 0), None).unwrap();
    other.skip_to(5_001);
    assert!(read(&mut other) == all[5_001..]);
}

#[test]
fn pieces_of_all_sizes_are_read_as_they_came() {
    let flights = Flights::<u8>::default();
    let mut leader = flights.board((1, 0), None).unwrap();
    let flight = Arc::clone(leader.flight());
    flight.head(entry(), Length::Unknown, false, Fields::default());
    let (mut all, mut seen) = (Vec::new(), Vec::new());
    for length in [1, 4095, 1, 0, 4096, 70_000, 3, 4093, 4094, 2, 9_000, 1] {
        let piece = vec![length as u8; length];
        all.extend_from_slice(&piece);
        flight.data(Bytes::from(piece));
        seen.extend(read(&mut leader));
        // What all have read is let go of.
        assert!(flight.poll_room(&mut cx()).is_ready() && flight.lock().segments.is_empty());
    }
    assert_eq!(seen, all);
}

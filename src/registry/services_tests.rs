use super::*;
use serde_json::json;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn check(id: &str, ttl: Option<u64>, deregister: Option<u64>) -> ServiceCheck {
    ServiceCheck {
        id: id.into(),
        name: id.into(),
        ttl: ttl.map(secs),
        status: if ttl.is_some() { Status::Critical } else { Status::Passing },
        heard: secs(0),
        critical_since: ttl.map(|_| secs(0)),
        note: String::new(),
        deregister_after: deregister.map(secs),
    }
}

fn service(port: u16, checks: Vec<ServiceCheck>) -> Service {
    Service {
        id: "a".into(),
        pool: "app".into(),
        address: SocketAddr::from(([127, 0, 0, 1], port)),
        weights: (10, 1),
        by: "workers".into(),
        checks,
        registered: Moment::at(secs(1)),
        maintenance: false,
        ill_since: None,
        shown: json!({}),
    }
}

/// The weight and the time of a lease; `None`: it is taken back.
fn lease(act: &Act) -> Option<(u16, Option<Duration>)> {
    match act {
        Act::Put(_, _, wish, _) => Some((wish.weight, wish.ttl)),
        Act::Remove(..) => None,
    }
}

#[test]
fn one_that_answers_for_itself_has_a_lease_from_its_first_word_until_its_time_is_over() {
    let mut all = Services::default();
    let acts = all.register(service(1, vec![check("c", Some(10), None)]), secs(1)).unwrap();
    assert_eq!(acts.iter().map(lease).collect::<Vec<_>>(), [None], "nothing was heard of it yet");
    let mut hear = |status, now| lease(&all.hear("a", "c", status, "", secs(now)).unwrap());
    assert_eq!(hear(Status::Passing, 2), Some((10, Some(secs(10)))));
    assert_eq!(hear(Status::Warning, 3), Some((1, Some(secs(10)))));
    assert_eq!(hear(Status::Critical, 4), None);
    assert_eq!(hear(Status::Passing, 20), Some((10, Some(secs(10)))));
    let it = all.get("a").unwrap();
    assert_eq!([29, 30].map(|now| it.status(secs(now))), [Status::Passing, Status::Critical]);
    assert_eq!(all.hear("a", "other", Status::Passing, "", secs(20)), None);
    assert_eq!((all.due(), all.deregister("b", secs(20))), (None, None));
    assert_eq!(all.deregister("a", secs(20)).map(|act| lease(&act)), Some(None));
    assert_eq!(all.hear("a", "c", Status::Passing, "", secs(20)), None);
}

#[test]
fn of_several_checks_the_worst_counts_and_the_first_that_lapses() {
    let mut all = Services::default();
    all.register(service(1, vec![check("c", Some(10), None), check("d", Some(4), None)]), secs(0)).unwrap();
    assert_eq!(lease(&all.hear("a", "c", Status::Passing, "", secs(1)).unwrap()), None);
    assert_eq!(lease(&all.hear("a", "d", Status::Warning, "", secs(3)).unwrap()), Some((1, Some(secs(4)))));
    assert_eq!(lease(&all.hear("a", "c", Status::Passing, "", secs(6)).unwrap()), Some((1, Some(secs(1)))));
    assert_eq!(lease(&all.hear("a", "c", Status::Passing, "", secs(7)).unwrap()), None);
    assert_eq!(lease(&all.remove_check("a", "d", secs(7)).unwrap()), Some((10, Some(secs(10)))));
    assert_eq!(lease(&all.maintain("a", true, secs(7)).unwrap()), None);
    assert_eq!(lease(&all.maintain("a", false, secs(8)).unwrap()), Some((10, Some(secs(9)))));
    // Registered again it goes on where it was; elsewhere it leaves the place that it had.
    let again = all.register(service(1, vec![check("c", Some(10), None)]), secs(9)).unwrap();
    assert_eq!(again.iter().map(lease).collect::<Vec<_>>(), [Some((10, Some(secs(8))))]);
    let moved = all.register(service(2, vec![check("c", Some(10), None)]), secs(9)).unwrap();
    assert_eq!(moved.iter().map(lease).collect::<Vec<_>>(), [None, Some((10, Some(secs(8))))]);
}

#[test]
fn a_pool_that_is_full_fills_no_other() {
    let mut all = Services::default();
    let named = |n: usize, pool: &str| Service { id: format!("{pool}{n}"), pool: pool.into(), ..service(1, vec![]) };
    let mut put = |n, pool| all.register(named(n, pool), secs(0)).is_some();
    assert!((0..Services::MAX).all(|n| put(n, "app")) && !put(Services::MAX, "app"));
    assert!(put(0, "app") && put(0, "other"));
    // Nor does one move into it.
    assert_eq!(all.register(Service { id: "other0".into(), ..named(0, "app") }, secs(0)), None);
    assert_eq!(all.get("other0").map(|it| &*it.pool), Some("other"));
}

#[test]
fn of_several_at_one_address_one_that_leaves_or_is_ill_takes_the_lease_from_none_that_wants_it() {
    let mut all = Services::default();
    let named = |id: &str, port, checks| Service { id: id.into(), ..service(port, checks) };
    all.register(named("a", 1, vec![check("c", Some(10), None)]), secs(0)).unwrap();
    all.register(named("b", 1, vec![]), secs(0)).unwrap();
    let stays = Some((10, None));
    assert_eq!(lease(&all.hear("a", "c", Status::Critical, "", secs(1)).unwrap()), stays);
    assert_eq!(lease(&all.deregister("a", secs(1)).unwrap()), stays);
    all.register(named("a", 1, vec![check("c", None, Some(5))]), secs(1)).unwrap();
    let moved = all.register(named("b", 2, vec![]), secs(1)).unwrap();
    assert_eq!(moved.iter().map(lease).collect::<Vec<_>>(), [stays, stays]);
    assert_eq!(lease(&all.deregister("a", secs(2)).unwrap()), None);
    let now = Moment::at(secs(3));
    assert!(!all.forget_at("other", SocketAddr::from(([127, 0, 0, 1], 2)), now));
    assert!(!all.forget_at("app", SocketAddr::from(([127, 0, 0, 1], 2)), Moment::at(Duration::ZERO)));
    assert!(all.forget_at("app", SocketAddr::from(([127, 0, 0, 1], 2)), now) && all.iter().count() == 0);
}

#[test]
fn one_that_does_not_is_renewed_and_one_that_is_ill_for_long_is_forgotten() {
    let mut all = Services::default();
    let acts = all.register(service(1, vec![check("c", None, Some(60))]), secs(0)).unwrap();
    assert_eq!(acts.iter().map(lease).collect::<Vec<_>>(), [Some((10, None))]);
    assert_eq!(all.hear("a", "c", Status::Passing, "", secs(1)), None, "nobody answers for that");
    let mut sweep = |is_up: bool, now| all.sweep(|_, _| is_up, secs(now)).iter().map(lease).collect::<Vec<_>>();
    let (stays, goes) = (vec![Some((10, None))], vec![None]);
    assert_eq!((sweep(true, 1), sweep(false, 2), sweep(true, 60)), (stays.clone(), stays.clone(), stays.clone()));
    assert_eq!(
        (sweep(false, 61), sweep(false, 120), sweep(false, 121), sweep(false, 122)),
        (stays.clone(), stays, goes, vec![])
    );
    let mut all = Services::default();
    all.register(service(1, vec![check("c", Some(10), Some(60))]), secs(0)).unwrap();
    all.hear("a", "c", Status::Passing, "", secs(5));
    assert_eq!(all.sweep(|_, _| true, secs(74)), []);
    assert_eq!(all.sweep(|_, _| true, secs(75)).len(), 1);
}

#[test]
fn what_is_said_again_is_no_change() {
    let mut all = Services::default();
    let both = || vec![check("c", Some(10), None), check("d", None, None)];
    let mut changes = |what: &str, does: &mut dyn FnMut(&mut Services)| {
        does(&mut all);
        assert_eq!((what, all.takes_change(), all.takes_change()), (what, !what.starts_with("again"), false));
    };
    changes("registers", &mut |all| drop(all.register(service(1, both()), secs(1))));
    changes("passes", &mut |all| drop(all.hear("a", "c", Status::Passing, "fine", secs(2))));
    changes("again passes", &mut |all| drop(all.hear("a", "c", Status::Passing, "finer", secs(3))));
    changes("again registers", &mut |all| drop(all.register(service(1, both()), secs(4))));
    changes("again is swept", &mut |all| drop(all.sweep(|_, _| false, secs(5))));
    changes("warns", &mut |all| drop(all.hear("a", "c", Status::Warning, "", secs(5))));
    changes("moves", &mut |all| drop(all.register(service(2, both()), secs(6))));
    changes("is maintained", &mut |all| drop(all.maintain("a", true, secs(6))));
    changes("again is maintained", &mut |all| drop(all.maintain("a", true, secs(6))));
    changes("has another check", &mut |all| drop(all.add_check("a", check("e", Some(4), None), secs(6))));
    changes("again has it", &mut |all| drop(all.add_check("a", check("e", Some(4), None), secs(7))));
    changes("has none", &mut |all| drop(all.remove_check("a", "e", secs(7))));
    changes("again nobody leaves", &mut |all| drop(all.deregister("b", secs(7))));
    changes("leaves", &mut |all| drop(all.deregister("a", secs(7))));
}

#[test]
fn one_that_says_again_and_again_that_it_fails_is_forgotten_like_one_that_falls_silent() {
    let ill = |words: &[(u64, Status)]| {
        let mut all = Services::default();
        all.register(service(1, vec![check("c", Some(10), Some(60))]), secs(0)).unwrap();
        let gone = (0..200).find(|now| {
            for (_, status) in words.iter().filter(|(at, _)| at == now) {
                all.hear("a", "c", *status, "", secs(*now));
            }
            !all.sweep(|_, _| true, secs(*now)).is_empty()
        });
        gone.unwrap()
    };
    let fails = |from: u64| (from..200).step_by(5).map(|at| (at, Status::Critical));
    let with = |first: &[(u64, Status)], from| first.iter().copied().chain(fails(from)).collect::<Vec<_>>();
    let (passing, warning) = (Status::Passing, Status::Warning);
    assert_eq!(ill(&with(&[(1, passing)], 7)), 67);
    assert_eq!(ill(&with(&[(1, passing), (7, Status::Critical), (30, warning)], 31)), 91);
    // It fell silent, and then began to say so.
    assert_eq!(ill(&with(&[(1, passing)], 25)), 71);
    // It never was well.
    assert_eq!((ill(&with(&[], 3)), ill(&[])), (60, 60));
}

//! Waiting rooms as visitors meet them: the line, tickets that are none, restarts, and who does not keep what he is given.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::collections::BTreeMap;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};
use support::{Backend, Client, Gate, Mood, Origin, PATIENCE, Response, Weir, eventually};

/// One visitor inside at a time, who stays for a minute after his last request.
const ONE: &str = "[waiting_room.sale]\nactive = 1\nsession = \"1m\"\n\
                   [[route]]\npath = \"/*\"\npool = \"app\"\nwaiting_room = \"sale\"\n";

/// The same with a directory for what survives a restart.
fn kept() -> String {
    format!("[server]\nworkers = 2\nstate = \"kept\"\n{ONE}")
}

/// A browser: it has a name, and keeps cookies.
#[derive(Clone)]
struct Visitor {
    agent: String,
    cookies: BTreeMap<String, String>,
}

impl Visitor {
    fn called(agent: &str) -> Visitor {
        Visitor { agent: agent.to_owned(), cookies: BTreeMap::new() }
    }

    /// One who comes now and has to wait.
    fn waits(weir: &Weir, agent: &str, place: u64) -> Visitor {
        let mut visitor = Visitor::called(agent);
        assert_eq!(visitor.place(weir), place);
        visitor
    }

    fn asks(&mut self, weir: &Weir) -> Response {
        self.asks_for(weir, "GET", "*/*")
    }

    fn asks_for(&mut self, weir: &Weir, method: &str, accept: &str) -> Response {
        let mut client = weir.client();
        let mut ask = client.ask(method, "/").field("User-Agent", &self.agent).field("Accept", accept);
        if !self.cookies.is_empty() {
            let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            ask = ask.field("Cookie", &pairs.join("; "));
        }
        let response = ask.gets().unwrap();
        for cookie in response.fields.all("Set-Cookie") {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        response
    }

    /// His place, by the page for programs.
    fn place(&mut self, weir: &Weir) -> u64 {
        let page = self.page(weir);
        page["place"].as_u64().unwrap_or_else(|| panic!("no place: {page}"))
    }

    fn page(&mut self, weir: &Weir) -> serde_json::Value {
        let response = self.asks_for(weir, "GET", "application/json");
        assert_eq!(response.status, 503, "{response:?}");
        serde_json::from_slice(&response.body).unwrap()
    }

    fn is_in(&mut self, weir: &Weir) -> bool {
        self.asks(weir).status == 200
    }

    /// Name and value of what he has from the room.
    fn ticket(&self) -> (String, String) {
        let found = self.cookies.iter().find(|(name, _)| name.starts_with("weir_room.sale."));
        found.map(|(name, value)| (name.clone(), value.clone())).unwrap()
    }
}

fn refused(weir: &Weir, why: &str) -> f64 {
    weir.metric(&format!("weir_waiting_room_tickets_refused_total{{room=\"sale\",why=\"{why}\"}}"))
}

fn of_room(weir: &Weir, what: &str) -> f64 {
    weir.metric(&format!("weir_waiting_room_{what}{{room=\"sale\"}}"))
}

#[test]
fn who_comes_while_the_pool_is_full_waits_in_line_and_comes_in_when_it_is_his_turn() {
    let (origin, gate) = (Origin::start(), Gate::new());
    origin.replies(200).after(&gate).body("first");
    let text = "[waiting_room.sale]\n[pool.app]\nbackends = [\"{origin}\"]\nconnections = { max = 1, queue = 0 }\n\
                [[route]]\npath = \"/*\"\npool = \"app\"\nwaiting_room = \"sale\"\n\
                [[route]]\npath = \"/open\"\nrespond = { body = \"open\" }\n";
    let weir = Weir::before(&origin, text);
    let mut first = weir.client();
    first.get("/").field("User-Agent", "first").sent();
    origin.request(0);
    // The page of the first in line, and what it says to browsers.
    let (mut ann, mut bob) = (Visitor::called("ann"), Visitor::called("bob"));
    let page = ann.asks_for(&weir, "GET", "text/html");
    assert_eq!(page.status, 503, "{page:?}");
    let seconds: u64 = page.value("Retry-After").parse().unwrap();
    assert!((1..=5).contains(&seconds) && page.value("Refresh") == seconds.to_string(), "{page:?}");
    assert_eq!(page.value("Cache-Control"), "no-store");
    assert!(page.value("Content-Type").starts_with("text/html"));
    let cookie = page.value("Set-Cookie");
    assert!(cookie.starts_with("weir_room.sale.") && cookie.ends_with("; HttpOnly; SameSite=Lax"), "{cookie}");
    for part in ["You are in line", "Your place: 1.", "Expected wait: "] {
        assert!(page.text().contains(part), "{}", page.text());
    }
    // Programs get the same as JSON, HEAD without content, and what is no visit gets no place.
    let json = bob.page(&weir);
    assert_eq!(
        (json["status"].as_u64(), json["place"].as_u64(), json["waiting"].as_u64()),
        (Some(503), Some(2), Some(2))
    );
    assert!(json["refresh_seconds"].as_u64().unwrap() >= 1 && json["note"].is_null(), "{json}");
    let head = Visitor::called("head").asks_for(&weir, "HEAD", "text/html");
    assert!(head.status == 503 && head.body.is_empty() && head.fields.has("Set-Cookie"), "{head:?}");
    let post = Visitor::called("post").asks_for(&weir, "POST", "text/html");
    assert!(post.status == 503 && post.text().contains("try again later"), "{post:?}\n{}", post.text());
    post.lacks("Set-Cookie").lacks("Refresh");
    weir.client().get("/open").sees(200).body("open").lacks("Set-Cookie");
    assert_eq!((of_room(&weir, "waiting"), of_room(&weir, "inside"), of_room(&weir, "queued_total")), (3.0, 1.0, 3.0));
    origin.saw(1);
    // There is room for one: it is the first in line who comes in.
    gate.open();
    let pass = first.sees(200).body("first").value("Set-Cookie");
    assert!(pass.starts_with("weir_room.sale.") && pass.contains("; Max-Age=300; "), "{pass}");
    let deadline = Instant::now() + PATIENCE;
    while !ann.is_in(&weir) {
        assert!(!bob.is_in(&weir) && Instant::now() < deadline);
    }
    eventually("the second comes in", || bob.is_in(&weir));
    // Who is inside goes on by his pass, whatever the method; the backend sees none of it.
    let before = origin.count();
    bob.cookies.insert("cart".to_owned(), "7".to_owned());
    assert_eq!(bob.asks_for(&weir, "POST", "*/*").lacks("Set-Cookie").status, 200);
    origin.request(before).field("Cookie", "cart=7");
    assert_eq!(of_room(&weir, "entered_total"), 3.0);
}

#[test]
fn forged_copied_and_replayed_tickets_are_refused() {
    let origin = Origin::start();
    let mut weir = Weir::before(&origin, &kept());
    let mut inside = Visitor::called("inside");
    assert!(inside.is_in(&weir));
    let mut ann = Visitor::waits(&weir, "ann", 1);
    let mut bob = Visitor::waits(&weir, "bob", 2);
    let (name, ticket) = ann.ticket();
    // Made up, garbled, or another kind of ticket: a new place at the end, and a word why.
    let mut forgers = 0;
    for forged in
        [&ticket.replacen("01", "02", 1), &ticket[1..], "", "0", &"0".repeat(ticket.len()), &ticket.to_uppercase()]
    {
        let mut forger = ann.clone();
        forger.cookies.insert(name.clone(), forged.to_owned());
        let page = forger.page(&weir);
        forgers += 1;
        assert_eq!(page["place"], 2 + forgers, "{forged}: {page}");
        assert!(page["note"].as_str().unwrap().contains("could not be read"), "{page}");
    }
    assert_eq!(refused(&weir, "forged"), f64::from(forgers));
    // Another client's, under its name, or under the thief's own.
    let mut thief = Visitor::waits(&weir, "thief", 3 + u64::try_from(forgers).unwrap());
    let own = thief.ticket().0;
    assert_ne!(own, name);
    for stolen in [ann.ticket(), (own.clone(), ticket.clone()), inside.ticket(), (own, inside.ticket().1)] {
        let mut thief = Visitor::called("thief");
        thief.cookies.extend([stolen]);
        let page = thief.page(&weir);
        assert!(
            page["place"].as_u64() > Some(3) && page["note"].as_str().unwrap().contains("another device"),
            "{page}"
        );
    }
    assert_eq!((refused(&weir, "copied"), of_room(&weir, "inside")), (4.0, 1.0));
    assert_eq!(thief.place(&weir), 3 + u64::try_from(forgers).unwrap(), "his own is good all the same");
    // Once its turn is over, a ticket is none: its holder has a pass.
    let first = inside.clone();
    assert!(inside.is_in(&weir));
    assert_eq!((ann.place(&weir), bob.place(&weir)), (1, 2));
    weir.becomes(&kept().replace("active = 1", "active = 2"));
    eventually("the first in line comes in", || ann.is_in(&weir));
    let mut again = ann.clone();
    again.cookies.insert(name.clone(), ticket.clone());
    assert!(again.is_in(&weir), "the same stay: his pass may be lost");
    assert_eq!((of_room(&weir, "inside"), of_room(&weir, "entered_total")), (2.0, 2.0));
    assert!(weir.stop().success());
    weir.starts_again();
    again.cookies = BTreeMap::from([(name, ticket)]);
    let page = again.page(&weir);
    assert!(page["note"].as_str().unwrap().contains("turn was over") && page["place"].as_u64() > Some(3), "{page}");
    assert_eq!(refused(&weir, "spent"), 1.0);
    assert!(ann.is_in(&weir) && first.clone().is_in(&weir), "passes are good after a restart");
    assert_eq!(bob.place(&weir), 1);
}

#[test]
fn a_restart_a_crash_a_reload_and_an_upgrade_lose_nobodys_place() {
    let origin = Origin::start();
    let mut weir = Weir::before(&origin, &kept());
    assert!(Visitor::called("inside").is_in(&weir));
    let mut line: Vec<_> = (1..=5).map(|place| Visitor::waits(&weir, &format!("visitor {place}"), place)).collect();
    let mut all_are_there = |weir: &Weir, after: &str| {
        for (at, visitor) in line.iter_mut().enumerate() {
            let page = visitor.page(weir);
            assert!(page["place"] == at + 1 && page["note"].is_null(), "{after}: {} of {page}", at + 1);
        }
    };
    weir.becomes(&kept().replace("1m", "2m"));
    all_are_there(&weir, "a reload");
    // A room that is gone for a while.
    weir.becomes("[server]\nworkers = 2\nstate = \"kept\"\n[[route]]\npool = \"app\"\n");
    weir.becomes(&kept());
    all_are_there(&weir, "a reload without the room, and one with it");
    assert!(weir.stop().success());
    weir.starts_again();
    all_are_there(&weir, "a restart");
    let mut late = Visitor::waits(&weir, "late", 6);
    weir.is_killed();
    weir.starts_again();
    all_are_there(&weir, "a crash");
    assert_eq!(late.place(&weir), 6);
    // Who comes after a crash gets a number that nobody has.
    let mut later = Visitor::waits(&weir, "later", 7);
    weir.upgrade().unwrap();
    all_are_there(&weir, "an upgrade");
    assert_eq!((late.place(&weir), later.place(&weir)), (6, 7));
}

#[test]
fn without_a_directory_a_reload_and_an_upgrade_lose_nobodys_place_and_the_log_warns() {
    let origin = Origin::start();
    let mut weir = Weir::before(&origin, ONE);
    assert!(weir.log.find(0, "waiting rooms without `[server] state`").is_some());
    assert!(Visitor::called("inside").is_in(&weir));
    let (mut ann, mut bob) = (Visitor::waits(&weir, "ann", 1), Visitor::waits(&weir, "bob", 2));
    weir.becomes(&format!("{ONE}# changed\n"));
    assert_eq!((ann.place(&weir), bob.place(&weir)), (1, 2));
    for _ in 0..2 {
        weir.upgrade().unwrap();
        assert_eq!((ann.place(&weir), bob.place(&weir)), (1, 2));
        assert!(!Visitor::called("new").is_in(&weir), "the one inside still counts");
    }
}

#[test]
fn bots_that_keep_no_cookies_take_bounded_room() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, &ONE.replace("active = 1", "active = 1\nplaces = 20"));
    assert!(Visitor::called("inside").is_in(&weir));
    let mut ann = Visitor::waits(&weir, "ann", 1);
    let (mut client, mut with_place) = (weir.client(), 0);
    for _ in 0..200 {
        let answer = client.get("/").sees(503);
        match answer.fields.has("Set-Cookie") {
            true => with_place += 1,
            false => assert_eq!(answer.value("Retry-After"), "60"),
        }
    }
    // Those of before may have been given up meanwhile: they did not come back in time.
    let turned_away = of_room(&weir, "turned_away_total");
    assert!((19..=80).contains(&with_place), "{with_place}");
    assert_eq!(turned_away, f64::from(200 - with_place));
    assert!(of_room(&weir, "waiting") <= 20.0);
    assert_eq!(ann.place(&weir), 1);
    weir.counts("weir_refusals_total{reason=\"waiting_room_full\"}", turned_away);
    // Who has many of other networks has his own all the same.
    let others = |count| (0..count).map(|at| (format!("weir_room.sale.-{at}"), "1".to_owned()));
    for count in [1, 4, 100] {
        let mut moved = ann.clone();
        moved.cookies.extend(others(count));
        assert!(moved.cookies.keys().position(|name| *name == ann.ticket().0) >= Some(count));
        assert_eq!(moved.place(&weir), 1, "{count}");
    }
    assert_eq!((refused(&weir, "copied"), refused(&weir, "forged")), (0.0, 0.0));
    // Who sends many tickets under one name gets no more looked at than a browser has.
    let (name, ticket) = ann.ticket();
    for (count, forged) in [(3, 0.0), (4, 1.0)] {
        let cookie = format!("{}{name}={ticket}", format!("{name}=1; ").repeat(count));
        client.get("/").field("User-Agent", "ann").field("Cookie", &cookie).sees(503);
        assert_eq!(refused(&weir, "forged"), forged);
    }
}

/// Content that no buffers of sockets take.
const LARGE_BYTES: usize = 24 << 20;

#[test]
fn who_reads_slowly_what_needs_no_backend_keeps_nobody_out() {
    let origin = Origin::start();
    let large = "x".repeat(LARGE_BYTES);
    origin.replies(200).field("Cache-Control", "max-age=600").body(&large);
    let text = "[waiting_room.sale]\n[cache.pages]\nmemory = \"1GiB\"\n\
                [pool.app]\nbackends = [\"{origin}\"]\nconnections = { max = 2, queue = 0 }\n\
                [[route]]\npath = \"/*\"\npool = \"app\"\ncache = \"pages\"\nwaiting_room = \"sale\"\n";
    let weir = Weir::before(&origin, text);
    let entered = "weir_waiting_room_entered_total{room=\"sale\"}";
    // The first two share a fetch, and read none of it; the others have what is stored.
    let mut readers = Vec::new();
    for at in 1..=6 {
        let mut reader = weir.client();
        reader.get("/large").field("User-Agent", &format!("reader {at}")).sent();
        reader.sees_head(200);
        weir.counts(entered, f64::from(at));
        readers.push(reader);
    }
    origin.saw(1);
    assert_eq!(weir.metric("weir_exchanges_in_flight"), 6.0, "all of them are still at it");
    origin.replies(200).body("small");
    let mut ann = Visitor::called("ann");
    assert!(ann.is_in(&weir));
}

#[test]
fn a_pool_gets_no_more_than_it_takes_and_nobody_is_sent_away_by_it() {
    for bound in ["connections = { max = 3, queue = 20 }", "concurrency = { min = 3 }"] {
        let backend = Backend::start();
        backend.is(Mood::Slow(Duration::from_millis(15)));
        let text = format!(
            "[server]\nworkers = 2\n[waiting_room.sale]\n[pool.app]\nbackends = [\"{}\"]\n{bound}\n\
             [[route]]\npool = \"app\"\nwaiting_room = \"sale\"\n",
            backend.address()
        );
        let weir = Weir::start(&text, &[]);
        let visitors = 40;
        thread::scope(|scope| {
            let come = |at| {
                let weir = &weir;
                scope.spawn(move || comes_in(weir, &format!("visitor {at}")))
            };
            let waited: u32 =
                (0..visitors).map(come).collect::<Vec<_>>().into_iter().map(|it| it.join().unwrap()).sum();
            assert!(waited > 0, "{bound}: it was never full");
        });
        assert_eq!(of_room(&weir, "entered_total"), f64::from(visitors), "{bound}");
        assert_eq!(of_room(&weir, "left_total"), 0.0, "{bound}");
        let refused = weir.admin("/metrics").text();
        assert!(refused.contains("weir_refusals_total{reason=\"queue\"} 0\n"), "{bound}: {refused}");
        assert_eq!(backend.exchanges(), visitors as usize);
    }
}

/// Asks until he is in; how often he was told to wait.
fn comes_in(weir: &Weir, agent: &str) -> u32 {
    let (mut visitor, deadline, mut waited) = (Visitor::called(agent), Instant::now() + 3 * PATIENCE, 0);
    loop {
        let response = visitor.asks(weir);
        match response.status {
            200 => return waited,
            503 if response.fields.has("Refresh") => waited += 1,
            _ => panic!("{response:?}"),
        }
        assert!(Instant::now() < deadline, "{agent} does not come in");
        thread::yield_now();
    }
}

#[test]
fn visitors_come_in_evenly_at_the_rate() {
    let origin = Origin::start();
    let text = "[waiting_room.sale]\nenter = \"20/s\"\n[[route]]\npool = \"app\"\nwaiting_room = \"sale\"\n";
    let weir = Weir::before(&origin, text);
    let began = Instant::now();
    thread::scope(|scope| {
        for at in 0..60 {
            let weir = &weir;
            scope.spawn(move || comes_in(weir, &format!("visitor {at}")));
        }
    });
    // The first at once, the last 59 intervals later.
    assert!(began.elapsed() >= Duration::from_millis(59 * 50), "{:?}", began.elapsed());
    assert_eq!((of_room(&weir, "entered_total"), origin.count()), (60.0, 60));
}

#[test]
fn operators_have_a_page_of_their_own_and_see_how_it_stands() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("wait.html"), "<p>{place} | {wait} | {refresh} | {note} | {x}").unwrap();
    let origin = Origin::start();
    let text = format!(
        "[log]\naccess = {{ format = \"{{status}} {{end}}\" }}\n{}",
        ONE.replace("active = 1", "active = 1\npage = \"wait.html\"")
    );
    let weir = Weir::start_in(directory, &text, &[("origin", &origin.address())]);
    assert!(Visitor::called("inside").is_in(&weir));
    let mut ann = Visitor::waits(&weir, "ann", 1);
    let page = ann.asks_for(&weir, "GET", "text/html").text();
    assert!(page.starts_with("<p>1 | about a minute | ") && page.ends_with(" |  | {x}"), "{page}");
    assert!(ann.asks_for(&weir, "GET", "text/plain").text().starts_with("You are in line\n"));
    assert!(weir.out.find(0, "503 waiting").is_some());
    let status: serde_json::Value = serde_json::from_slice(&weir.admin("/v1/status").body).unwrap();
    let room = &status["waiting_rooms"][0];
    assert_eq!(
        (&room["room"], &room["waiting"], &room["inside"], &room["active"]),
        (&"sale".into(), &1.into(), &1.into(), &1.into())
    );
    let status =
        Command::new(env!("CARGO_BIN_EXE_weir")).args(["status", "-c"]).arg(weir.path("weir.toml")).output().unwrap();
    let said = String::from_utf8(status.stdout).unwrap();
    assert!(said.contains("waiting rooms:\n  sale  1 wait, 1 inside of 1, who comes now waits "), "{said}");
}

#[test]
fn a_client_is_its_address_too_unless_told_otherwise() {
    let listener = "[[listener]]\naddress = \"127.0.0.1:{port}\"\ntrust_forwarded = [\"127.0.0.0/8\"]\n";
    let origin = Origin::start();
    let from = |weir: &Weir, address: &str, cookie: &str| {
        let mut client: Client = weir.client();
        let ask = client.get("/").field("X-Forwarded-For", address).field("Cookie", cookie);
        let page = ask.field("Accept", "application/json").sees(503);
        let json: serde_json::Value = serde_json::from_slice(&page.body).unwrap();
        (page.value("Set-Cookie").split(';').next().unwrap().to_owned(), json["place"].as_u64().unwrap())
    };
    for (bind, place) in [("client", 2), ("agent", 1)] {
        let text = ONE.replace("active = 1", &format!("active = 1\nbind = \"{bind}\""));
        let weir = Weir::before(&origin, &format!("{listener}{text}"));
        assert!(Visitor::called("inside").is_in(&weir));
        let (ticket, first) = from(&weir, "192.0.2.1", "");
        assert_eq!((first, from(&weir, "192.0.2.1", &ticket).1), (1, 1));
        assert_eq!(from(&weir, "192.0.2.2", &ticket).1, place, "{bind}");
    }
}

//! Who is next, one step after the other.

use super::support::{Client, Origin, Puppet, Weir};

/// One at a time, and two that wait.
fn narrow(origin: &Puppet) -> Weir {
    let pool = format!(
        "[pool.app]\nbackends = [\"{}\"]\nconnections = {{ max = 1, queue = 2, queue_timeout = \"10s\" }}\n",
        origin.address()
    );
    let routes = "[[route]]\npath = \"/high/*\"\npool = \"app\"\npriority = \"high\"\n\
         [[route]]\npath = \"/low/*\"\npool = \"app\"\npriority = \"low\"\n\
         [[route]]\npath = \"/client/*\"\npool = \"app\"\npriority = \"client\"\n\
         [[route]]\npool = \"app\"\n";
    Weir::start(&(pool + routes), &[])
}

fn asks(weir: &Weir, path: &str, urgency: Option<&str>) -> Client {
    let mut client = weir.client();
    let ask = client.get(path);
    match urgency {
        Some(urgency) => ask.field("Priority", urgency).sent(),
        None => ask.sent(),
    }
    client
}

fn waits(weir: &Weir, count: u32) {
    weir.counts("weir_pool_queue{pool=\"app\"}", count.into());
}

const NOTHING: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

#[test]
fn the_highest_is_served_first_and_the_lowest_gives_way() {
    let origin = Puppet::start();
    let weir = narrow(&origin);
    let mut first = asks(&weir, "/first", None);
    let mut peer = origin.accepts();
    assert!(peer.gets().line.contains(" /first "));
    let mut low = asks(&weir, "/low/1", None);
    waits(&weir, 1);
    let mut normal = asks(&weir, "/normal", None);
    waits(&weir, 2);
    // All places to wait are taken.
    weir.client().get("/low/2").sees(503).field("retry-after", "1");
    let mut high = asks(&weir, "/high/1", None);
    low.sees(503).field("retry-after", "1");
    weir.counts("weir_pool_shed_total{pool=\"app\",priority=\"low\"}", 2.0);
    weir.counts("weir_refusals_total{reason=\"queue\"}", 2.0);
    peer.send(NOTHING);
    first.sees(200);
    for (client, path) in [(&mut high, " /high/1 "), (&mut normal, " /normal ")] {
        assert!(peer.gets().line.contains(path));
        peer.send(NOTHING);
        client.sees(200);
    }
    weir.counts("weir_pool_shed_total{pool=\"app\",priority=\"high\"}", 0.0);
}

#[test]
fn a_client_says_how_urgent_it_is_where_it_is_believed() {
    let origin = Puppet::start();
    let weir = narrow(&origin);
    let mut first = asks(&weir, "/first", None);
    let mut peer = origin.accepts();
    peer.gets();
    let mut background = asks(&weir, "/client/1", Some("u=7"));
    waits(&weir, 1);
    // Nobody is believed there.
    let mut normal = asks(&weir, "/2", Some("u=0"));
    waits(&weir, 2);
    let mut urgent = asks(&weir, "/client/3", Some("u=1, i"));
    background.sees(503);
    peer.send(NOTHING);
    first.sees(200);
    for (client, path, urgency) in [(&mut urgent, " /client/3 ", "u=1, i"), (&mut normal, " /2 ", "u=0")] {
        let seen = peer.gets();
        assert!(seen.line.contains(path), "{}", seen.line);
        assert_eq!(seen.fields.get("priority").as_deref(), Some(urgency), "backends hear of it, too");
        peer.send(NOTHING);
        client.sees(200);
    }
}

#[test]
fn slow_uploads_downloads_and_tunnels_take_no_place_from_others() {
    let origin = Puppet::start();
    let pool = "concurrency = { min = 1 }\nconnections = { max = 100, queue = 0 }\n";
    let weir = Weir::start(
        &format!("[pool.app]\nbackends = [\"{}\"]\n{pool}[[route]]\npool = \"app\"\n", origin.address()),
        &[],
    );
    let mut slow = Vec::new();
    for number in 0..30 {
        let mut client = weir.client();
        if number % 2 == 0 {
            client.get("/down").sent();
            let mut peer = origin.accepts();
            peer.gets();
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
            client.sees_head(200);
            slow.push((client, peer));
        } else {
            client.ask("POST", "/up").field("Content-Length", "10").sent();
            let mut peer = origin.accepts();
            peer.gets_head();
            slow.push((client, peer));
        }
    }
    // More than eight, which is where a limit begins.
    let mut client = weir.client();
    client.get("/quick").sent();
    let mut peer = origin.accepts();
    peer.gets();
    peer.send(NOTHING);
    client.sees(200);
    // The uploads end, and are answered.
    for (client, peer) in slow.iter_mut().skip(1).step_by(2) {
        client.send("0123456789");
        assert_eq!(peer.exactly(10).unwrap(), b"0123456789");
        peer.send(NOTHING);
        client.sees(200);
    }
    let backend = origin.address();
    assert!(weir.metric(&format!("weir_backend_concurrency_limit{{pool=\"app\",backend=\"{backend}\"}}")) >= 1.0);
}

#[test]
fn a_limit_outlives_a_reload() {
    let origin = Origin::start();
    let text = |min: u32| {
        format!("[pool.app]\nbackends = [\"{{origin}}\"]\nconcurrency = {{ min = {min} }}\n[[route]]\npool = \"app\"\n")
    };
    let weir = Weir::before(&origin, &text(50));
    let sample = format!("weir_backend_concurrency_limit{{pool=\"app\",backend=\"{}\"}}", origin.address());
    weir.counts(&sample, 50.0);
    weir.becomes(&text(2));
    weir.counts(&sample, 50.0);
}

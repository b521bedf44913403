//! A broken file changes nothing, however it is broken; it is said once, with its place, and counted.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::process::Command;
use support::Weir;

const OLD: &str = "[[listener]]\naddress = \"127.0.0.1:{port}\"\n[pool.app]\nbackends = [\"127.0.0.1:1\"]\n\
                   [[route]]\nrespond = { body = \"old\" }\n[[route]]\npath = \"/app\"\npool = \"app\"\n";

/// What would be served, were nothing wrong with it.
const NEW: &str = "[[listener]]\naddress = \"127.0.0.1:{port}\"\n[[listener]]\naddress = \"127.0.0.1:{port2}\"\n\
                   [pool.app]\nbackends = [\"127.0.0.1:2\"]\n[[route]]\nrespond = { body = \"new\" }\n\
                   [[route]]\npath = \"/app\"\npool = \"app\"\n";

/// Lines added to what would be right; the number of the one that is at fault, from 0; and what is said of it.
const LINES: &[(&str, usize, &[&str])] = &[
    ("[[route]\n", 0, &[]),
    ("[log\nlevel = \"info\"\n", 0, &[]),
    ("[server]\nworkers = 1\ndrain = \"30s\nmemory = \"1GiB\"\n", 2, &[]),
    ("[[route]]\npath = \"/x\"\nrespnd = {}\n", 2, &["respnd", "respond"]),
    ("[serverr]\nworkers = 1\n", 0, &["serverr", "server"]),
    ("[server]\nworkers = \"one\"\n", 1, &["workers"]),
    ("[server]\nworkers = 0\n", 1, &["workers", "1"]),
    ("[server]\nworkers = 1\ndrain = \"5 parsecs\"\n", 2, &["drain", "parsecs"]),
    ("[server]\nworkers = 1\nmemory = \"1\"\n", 2, &["memory"]),
    ("[server]\nworkers = 1\nworkers = 1\n", 2, &["duplicate key", "workers"]),
    ("[[route]]\npath = \"/x\"\npool = \"none\"\n", 2, &["there is no pool `none`", "app"]),
    ("[[route]]\npath = \"/app\"\nrespond = {}\n", 0, &["/app"]),
    ("[[route]]\npath = \"/x\"\n", 0, &[]),
    ("[[route]]\npath = \"x\"\nrespond = {}\n", 1, &["path"]),
    ("[[route]]\npath = \"~^/(\"\nrespond = {}\n", 1, &["path"]),
    ("[[route]]\npath = \"/x\"\nclient = \"10.0.0.0/99\"\nrespond = {}\n", 2, &["10.0.0.0/99"]),
    ("[[route]]\npath = \"/x\"\nresponse = { set = { \"a b\" = \"c\" } }\nrespond = {}\n", 2, &["a b"]),
    ("[[route]]\npath = \"/x\"\nredirect = { to = \"/y\", status = 200 }\n", 2, &["status"]),
    ("[[route]]\npath = \"/x\"\nrespond = { body = \"${WEIR_TEST_NOT_SET}\" }\n", 2, &["WEIR_TEST_NOT_SET"]),
    ("[[route]]\npath = \"/x\"\nrespond = { body = \"${\" }\n", 2, &["${"]),
    ("[[route]]\npath = \"/x\"\nerrors = { \"503\" = \"none.html\" }\npool = \"app\"\n", 2, &["none.html"]),
    ("[pool.app]\nbackends = [\"127.0.0.1:3\"]\n", 0, &["app"]),
    ("[pool.other]\nbackends = []\n", 1, &["backends"]),
    ("[pool.other]\nbackends = [\"nowhere:port\"]\n", 1, &["nowhere:port"]),
    ("[pool.other]\nbackends = [\"127.0.0.1:3\"]\ntls = { ca = \"none.pem\" }\n", 2, &["none.pem"]),
    ("[limit.x]\nrate = \"1/s\"\n", 0, &["limit"]),
    ("[[listener]]\naddress = \"127.0.0.1:{port}\"\n", 1, &["two listeners have the address"]),
    ("[[listener]]\naddress = \"localhost:1\"\n", 1, &["127.0.0.1:1"]),
    ("[[listener]]\nprotocols = [\"h2\"]\n", 0, &["address"]),
    ("[[listener]]\naddress = \"127.0.0.1:1\"\nprotocols = [\"spdy\"]\n", 2, &["spdy"]),
    ("[[listener]]\naddress = \"127.0.0.1:1\"\ntls = { certificates = [{ cert = \"none.pem\" }] }\n", 2, &["none.pem"]),
    // Readable, and no certificate: seen when it is built.
    (
        "[[listener]]\naddress = \"127.0.0.1:1\"\ntls = { certificates = [{ cert = \"garbage.pem\" }] }\n",
        0,
        &["garbage.pem"],
    ),
    ("[log]\naccess = { format = \"{nothing}\", to = \"off\" }\n", 1, &["nothing"]),
    ("[admin]\nlisten = \"127.0.0.1\"\n", 1, &["listen"]),
];

/// What has no line: the lines added, and what is said.
const WHOLE: &[(&str, &[&str])] = &[
    ("[pool.other]\nbackends = [\"127.0.0.1:3\"]\ntls = { ca = \"garbage.pem\" }\n", &["[pool.other]", "garbage.pem"]),
    ("[log]\naccess = { format = \"json\", to = \"nowhere/access.log\" }\n", &["nowhere/access.log"]),
    ("[[listener]]\naddress = \"127.0.0.1:{taken}\"\n", &["127.0.0.1:{taken}", "ss -ltnp"]),
    ("[[listener]]\naddress = \"192.0.2.1:80\"\n", &["192.0.2.1:80", "no such address"]),
    ("[server]\nworkers = 2\n", &["[server] workers"]),
    ("[admin]\nlisten = \"127.0.0.1:{port2}\"\n", &["[admin] listen"]),
];

/// What puts a file there, and what is said of it.
type Placed = (fn(&Weir), &'static [&'static str]);

/// The file itself is at fault.
const FILES: &[Placed] = &[
    (|_| {}, &["no such file"]),
    (|weir| fs::write(weir.path("weir.toml"), "").unwrap(), &["version"]),
    (|weir| fs::create_dir(weir.path("weir.toml")).unwrap(), &["it is a directory"]),
    (|weir| fs::write(weir.path("weir.toml"), b"version = 1\n\0\0\0\n").unwrap(), &["weir.toml:2:1"]),
    (|weir| fs::write(weir.path("weir.toml"), b"version = 1\n# \xff\n").unwrap(), &["weir.toml:2:3", "UTF-8"]),
    (|weir| fs::write(weir.path("weir.toml"), "#".repeat(17 << 20)).unwrap(), &["larger than 16MiB"]),
    (|weir| symlink("weir.toml", weir.path("weir.toml")).unwrap(), &["weir.toml"]),
    (|weir| includes(weir, "none.toml"), &["weir.toml:2:", "none.toml"]),
    (|weir| includes(weir, "folder"), &["weir.toml:2:", "folder", "directory"]),
    (|weir| includes(weir, "weir.toml"), &["weir.toml:2:", "includes itself"]),
    (
        |weir| {
            includes(weir, "more.toml");
            fs::write(weir.path("more.toml"), "# more\n[[route]]\npaht = \"/x\"\n").unwrap();
        },
        &["more.toml:3:1", "paht"],
    ),
];

fn includes(weir: &Weir, name: &str) {
    fs::write(weir.path("weir.toml"), format!("version = 1\ninclude = [\"{name}\"]\n")).unwrap();
}

/// A process that has refused so many files.
struct Refusing {
    weir: Weir,
    kept: support::Client,
    refused: u32,
    sockets: usize,
}

impl Refusing {
    fn start(taken: &str) -> Refusing {
        let weir = Weir::start(OLD, &[("taken", taken)]);
        fs::write(weir.path("garbage.pem"), "garbage").unwrap();
        fs::create_dir(weir.path("folder")).unwrap();
        let sockets = weir.sockets();
        let mut kept = weir.client();
        kept.get("/").sees(200);
        Refusing { weir, kept, refused: 0, sockets }
    }

    /// What lies there now is refused, in these words and once.
    fn refuses(&mut self, what: &str, parts: &[&str]) {
        let Refusing { weir, kept, refused, .. } = self;
        let said = weir.reload().expect_err(what);
        let all = said.matches(" ERROR ").count();
        assert!(all == 1 && said.contains("error: "), "{what}\n{said}");
        for part in parts {
            assert!(said.contains(part), "{part} of {what}\n{said}");
        }
        kept.get("/").sees(200).body("old");
        weir.client().get("/").sees(200).body("old");
        assert!(TcpStream::connect(weir.at("port2")).is_err(), "{what}: half of it is served");
        *refused += 1;
        weir.counts("weir_reloads_total{result=\"failed\"}", f64::from(*refused));
        weir.counts("weir_reloads_total{result=\"ok\"}", 0.0);
    }

    /// Nothing is left of them, and what is right is taken over.
    fn recovers(mut self) {
        drop(self.kept);
        support::eventually("no sockets are left", || self.weir.sockets() == self.sockets);
        assert_eq!(self.weir.log.text().matches(" ERROR ").count() as u32, self.refused);
        self.weir.becomes(NEW);
        self.weir.client().get("/").sees(200).body("new");
        assert!(self.weir.stop().success());
    }
}

#[test]
fn each_broken_line_is_named_with_its_place() {
    let mut refusing = Refusing::start("1");
    for (lines, at, parts) in LINES {
        refusing.weir.rewrite(&format!("{NEW}# here\n{lines}"));
        let text = fs::read_to_string(refusing.weir.path("weir.toml")).unwrap();
        let line = text.lines().position(|line| line == "# here").unwrap() + 2 + at;
        let place = format!("weir.toml:{line}:");
        refusing.refuses(lines, &[&[place.as_str()], *parts].concat());
    }
    refusing.recovers();
}

#[test]
fn what_cannot_be_served_is_named_and_leaves_nothing_half_done() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut refusing = Refusing::start(&port);
    for (lines, parts) in WHOLE {
        refusing.weir.rewrite(&format!("{NEW}{lines}"));
        let parts: Vec<_> = parts.iter().map(|part| refusing.weir.filled(part)).collect();
        refusing.refuses(lines, &parts.iter().map(String::as_str).collect::<Vec<_>>());
    }
    refusing.recovers();
}

#[test]
fn a_file_that_is_none_is_said_to_be_so() {
    let mut refusing = Refusing::start("1");
    let path = refusing.weir.path("weir.toml");
    for (number, (make, parts)) in FILES.iter().enumerate() {
        let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir(&path));
        make(&refusing.weir);
        refusing.refuses(&format!("file {number}"), parts);
    }
    fs::remove_file(&path).unwrap();
    refusing.recovers();
}

#[test]
fn a_file_that_hangs_holds_up_nothing_else() {
    let mut weir = Weir::start(OLD, &[]);
    let path = weir.path("weir.toml");
    fs::remove_file(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    for _ in 0..3 {
        weir.signal("HUP");
    }
    weir.client().get("/").sees(200).body("old");
    assert_eq!(weir.admin("/readyz").status, 200);
    // Whoever writes in the end is read.
    fs::write(&path, "?").unwrap();
    weir.log.find(0, "not reloaded").unwrap();
    assert!(weir.stop().success());
}

//! `examples/gunicorn-shop`, as its README says it: started, played, grown, a replica killed, stopped. If Python, flask or gunicorn is
//! not installed, it is said, and the test passes.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use support::{Client, Python, eventually, free_port, kill};
use tempfile::TempDir;

/// The example in a directory of its own.
struct Shop {
    directory: TempDir,
    packages: PathBuf,
    port: u16,
    running: Vec<Child>,
}

impl Shop {
    /// A copy that is not started; `None`: what it needs is not installed.
    fn new() -> Option<Shop> {
        let packages = Python::packages("gunicorn-shop")?;
        let directory = tempfile::tempdir().unwrap();
        for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/gunicorn-shop")).unwrap() {
            let file = file.unwrap().path();
            if file.is_file() {
                fs::copy(&file, directory.path().join(file.file_name().unwrap())).unwrap();
            }
        }
        Some(Shop { directory, packages, port: free_port(), running: Vec::new() })
    }

    /// Runs something of it, in a process group of its own; its id.
    fn runs(&mut self, program: &str, args: &[&str], backends: &str) -> u32 {
        let mut command = self.command(&format!("./{program}"));
        command.args(args).env("SHOP_BACKENDS", backends).process_group(0);
        self.running.push(command.spawn().unwrap());
        self.running.last().unwrap().id()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.directory.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.env("SHOP_PYTHON", "python3").env("PYTHONPATH", &self.packages).env("SHOP_PORT", self.port.to_string());
        command.env("WEIR", env!("CARGO_BIN_EXE_weir"));
        command
    }

    fn client(&self) -> Client {
        Client::connect(format!("127.0.0.1:{}", self.port).parse().unwrap())
    }

    /// Who answers.
    fn asks(&self) -> String {
        self.client().get("/healthz").sees(200).value("x-served-by").to_owned()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        for child in &mut self.running {
            // All that it started, too, where the test ended early.
            killed(child.id());
            let _ = child.wait();
        }
    }
}

/// `kill -9` of a process and all below it, the upper ones first, so that none can say good-bye for another; how many.
fn killed(pid: u32) -> usize {
    // What `weir register` runs has a group of its own: only parents tell what belongs together.
    let processes = fs::read_dir("/proc").unwrap();
    let parents: Vec<_> = processes.filter_map(|entry| with_parent(&entry.ok()?.path())).collect();
    let mut family = vec![pid];
    while let Some((child, _)) = parents.iter().find(|(pid, above)| family.contains(above) && !family.contains(pid)) {
        family.push(*child);
    }
    let is_there = |pid: &u32| Path::new(&format!("/proc/{pid}")).exists();
    family.into_iter().filter(is_there).filter(|pid| kill("KILL", *pid)).count()
}

/// A process and its parent.
fn with_parent(directory: &Path) -> Option<(u32, u32)> {
    let pid = directory.file_name()?.to_str()?.parse().ok()?;
    // Behind the name, in which anything may stand: the state, then the parent.
    let stat = fs::read_to_string(directory.join("stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    Some((pid, rest.split_whitespace().nth(1)?.parse().ok()?))
}

#[test]
fn the_shop_is_started_played_grown_hurt_and_stopped() {
    let Some(mut shop) = Shop::new() else { return };
    let backends = ["primary", "replica-1", "replica-2"].map(|name| format!("{name}:{}", free_port())).join(" ");
    let all = shop.runs("start", &[], &backends);
    let played =
        shop.command("python3").arg("customers.py").stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&played.stdout).into_owned() + &String::from_utf8_lossy(&played.stderr);
    println!("{said}");
    assert!(played.status.success() && said.contains("all is as it should be"), "{said}");

    let (ended, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (address, ends, asks) = (SocketAddr::from(([127, 0, 0, 1], shop.port)), Arc::clone(&ended), Arc::clone(&asked));
    let reads = thread::spawn(move || {
        let mut reader = Client::connect(address);
        while !ends.load(SeqCst) {
            reader.get("/healthz").sees(200);
            asks.fetch_add(1, SeqCst);
        }
    });
    // Adding a replica is starting a process.
    let new = free_port();
    let third = shop.runs("backend", &["replica-3", &new.to_string()], "");
    eventually("the new replica is asked", || shop.asks() == "replica-3");
    // It dies with all that it had: `weir register`, gunicorn, its worker, and what follows the primary. No read is refused.
    assert!(killed(third) >= 4);
    eventually("it is dead", || TcpStream::connect(("127.0.0.1", new)).is_err());
    let before = asked.load(SeqCst);
    eventually("reads go on", || asked.load(SeqCst) > before + 200);
    ended.store(true, SeqCst);
    reads.join().unwrap();

    assert!(kill("TERM", all));
    assert!(shop.running[0].wait().is_ok());
    assert!(TcpStream::connect(("127.0.0.1", shop.port)).is_err(), "nothing is left");
}

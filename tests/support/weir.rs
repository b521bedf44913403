use super::log::Log;
use super::{Client, Origin, PATIENCE};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::time::Instant;
use tempfile::TempDir;

/// The binary at work; it ends with the test.
pub struct Weir {
    child: Child,
    /// The process that serves: the child, or another one after an upgrade.
    pid: u32,
    directory: TempDir,
    places: Vec<(String, String)>,
    /// Events.
    pub log: Log,
    /// The access log, where it goes to standard output.
    pub out: Log,
}

impl Weir {
    /// Serves `text` with one pool, `app`, of one backend.
    pub fn before(origin: &Origin, text: &str) -> Weir {
        Weir::start(text, &[("origin", &origin.address())])
    }

    /// Serves `text`, in which `{NAME}` stands for what `places` say, and `{port}`, `{port2}` and `{admin}` for free
    /// ports. What every configuration needs is filled in where `text` leaves it out.
    pub fn start(text: &str, places: &[(&str, &str)]) -> Weir {
        Weir::start_in(tempfile::tempdir().unwrap(), text, places)
    }

    /// The same, in a directory that holds the files that `text` names.
    pub fn start_in(directory: TempDir, text: &str, places: &[(&str, &str)]) -> Weir {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.stdin(Stdio::null());
        Weir::start_by(command, directory, text, places)
    }

    /// The same, by a command of which only the arguments are missing.
    pub fn start_by(mut command: Command, directory: TempDir, text: &str, places: &[(&str, &str)]) -> Weir {
        let mut places: Vec<_> = places.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let taken: Vec<_> = places.iter().map(|(name, _)| name.clone()).collect();
        let free = ["port", "port2", "admin"].into_iter().filter(|name| !taken.iter().any(|other| other == name));
        places.extend(free.map(|name| (name.to_owned(), free_port().to_string())));
        std::fs::write(file(&directory), complete(text, &places)).unwrap();
        command.args(["run", "-c"]).arg(file(&directory)).current_dir(directory.path());
        let (child, log, out) = spawn(&mut command);
        let pid = child.id();
        let weir = Weir { child, pid, directory, places, log, out };
        assert!(weir.log.find(0, "serving").is_some(), "not serving:\n{}", weir.log.text());
        weir
    }

    /// `kill -9`
    pub fn is_killed(&mut self) {
        self.signal("KILL");
        assert!(!self.first_ends().success());
    }

    /// Begins to start it anew after its end, with the same files and ports.
    pub fn begins_again(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.stdin(Stdio::null()).args(["run", "-c"]).arg(file(&self.directory)).current_dir(&self.directory);
        (self.child, self.log, self.out) = spawn(&mut command);
        self.pid = self.child.id();
    }

    /// Starts it anew after its end, with the same files and ports.
    pub fn starts_again(&mut self) {
        self.begins_again();
        assert!(self.log.find(0, "serving").is_some(), "not serving:\n{}", self.log.text());
    }

    /// A new connection to the first listener.
    pub fn client(&self) -> Client {
        Client::connect(self.address())
    }

    pub fn address(&self) -> SocketAddr {
        self.at("port")
    }

    /// The address that a placeholder for a port stands for.
    pub fn at(&self, name: &str) -> SocketAddr {
        let port = &self.places.iter().find(|(other, _)| other == name).expect("a known place").1;
        format!("127.0.0.1:{port}").parse().unwrap()
    }

    /// Asks the admin listener.
    pub fn admin(&self, path: &str) -> super::Response {
        let mut client = Client::connect(self.at("admin"));
        client.ask("GET", path).field("Connection", "close").sent();
        client.response("GET").unwrap()
    }

    /// Purges through the admin listener, by that JSON; what it says.
    pub fn purges(&self, what: &str) -> super::Response {
        let answer = self.tries_purge(what);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer
    }

    /// The same, whatever comes of it.
    pub fn tries_purge(&self, what: &str) -> super::Response {
        let mut client = Client::connect(self.at("admin"));
        client.post("/v1/purge", what).field("Content-Type", "application/json").gets().unwrap()
    }

    /// A sample of `/metrics`, 0 if it is not there yet.
    pub fn metric(&self, sample: &str) -> f64 {
        let text = self.admin("/metrics").text();
        let value = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        if value.is_none() {
            // Nothing is counted under labels that nobody had yet; a name that is not there at all is a mistake.
            let name = sample.split('{').next().unwrap_or(sample);
            let is_there = |family: &str| text.contains(&format!("# TYPE {family} "));
            let of = |suffix: &str| name.strip_suffix(suffix).is_some_and(is_there);
            assert!(is_there(name) || ["_total", "_count", "_sum"].into_iter().any(of), "there is no {name}");
        }
        value.map_or(0.0, |value| value.parse().unwrap())
    }

    /// Waits until a sample is what it should be; counters follow the bytes that they count.
    pub fn counts(&self, sample: &str, wanted: f64) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let value = self.metric(sample);
            if (value - wanted).abs() < f64::EPSILON {
                return;
            }
            assert!(Instant::now() < deadline, "{sample} is {value}, not {wanted}");
            std::thread::yield_now();
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Replaces the configuration, without a reload; whoever reads it reads the old or the new one.
    pub fn rewrite(&self, text: &str) {
        let beside = self.path("weir.toml.new");
        std::fs::write(&beside, complete(text, &self.places)).unwrap();
        std::fs::rename(beside, file(&self.directory)).unwrap();
    }

    /// Reloads, and waits for the outcome; what was said of it from then on.
    pub fn reload(&self) -> Result<(), String> {
        let before = self.log.len();
        self.signal("HUP");
        self.log.find(before, "reloaded").expect("a reload ends");
        let said = self.log.text().lines().skip(before).collect::<Vec<_>>().join("\n");
        if said.contains("not reloaded") { Err(said) } else { Ok(()) }
    }

    /// Replaces the configuration and takes it over.
    pub fn becomes(&self, text: &str) {
        self.rewrite(text);
        self.reload().unwrap();
    }

    /// Sends a signal to the process that serves.
    pub fn signal(&self, name: &str) {
        assert!(kill(name, self.pid));
    }

    /// Upgrades by signal, and waits for the outcome; why not, if there is no new process.
    pub fn upgrade(&mut self) -> Result<(), String> {
        let before = self.log.len();
        self.signal("USR2");
        self.upgraded(before)
    }

    /// The outcome of an upgrade that was asked for when the log had `before` lines.
    pub fn upgraded(&mut self, before: usize) -> Result<(), String> {
        self.log.find_any(before, &[TAKEN_OVER, "not upgraded"]).expect("an upgrade ends");
        let said = self.log.text().lines().skip(before).collect::<Vec<_>>().join("\n");
        match successors(&said).last() {
            Some(pid) => self.pid = *pid,
            None => return Err(said),
        }
        Ok(())
    }

    /// The process that serves.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// How many of its descriptors are sockets.
    pub fn sockets(&self) -> usize {
        let all = std::fs::read_dir(format!("/proc/{}/fd", self.pid)).unwrap();
        let is_socket =
            |path: PathBuf| std::fs::read_link(path).is_ok_and(|to| to.to_string_lossy().starts_with("socket:"));
        all.filter(|entry| is_socket(entry.as_ref().unwrap().path())).count()
    }

    /// `text` with its places filled.
    pub fn filled(&self, text: &str) -> String {
        filled(text, &self.places)
    }

    /// Waits for the end of the process that was started first.
    pub fn first_ends(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end:\n{}", self.log.text());
            std::thread::yield_now();
        }
    }

    /// Waits for its end, which a signal was sent for; the end of its log is the event.
    pub fn ends(&mut self) -> ExitStatus {
        self.log.all();
        self.first_ends()
    }

    /// Drains and ends it.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.ends()
    }
}

impl Drop for Weir {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for pid in successors(&self.log.text()) {
            kill("KILL", pid);
        }
        let said = self.log.all().join("\n");
        if std::thread::panicking() {
            eprintln!("--- weir said:\n{said}");
        }
        assert!(std::thread::panicking() || !said.contains("panicked"), "{said}");
    }
}

fn spawn(command: &mut Command) -> (Child, Log, Log) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (log, out) = (Log::of(child.stderr.take().unwrap()), Log::of(child.stdout.take().unwrap()));
    (child, log, out)
}

/// What is said when another process has taken over.
const TAKEN_OVER: &str = "another process serves from now on";

/// The processes that took over, by what was logged.
fn successors(said: &str) -> Vec<u32> {
    let lines = said.lines().filter(|line| line.contains(TAKEN_OVER));
    lines.filter_map(|line| line.split("pid=").nth(1)?.split_whitespace().next()?.parse().ok()).collect()
}

/// Sends a signal; whether there is such a process.
pub fn kill(signal: &str, pid: u32) -> bool {
    Command::new("kill")
        .args([&format!("-{signal}"), &pid.to_string()])
        .stderr(Stdio::null())
        .status()
        .unwrap()
        .success()
}

fn file(directory: &TempDir) -> PathBuf {
    Path::join(directory.path(), "weir.toml")
}

/// `text` with all that it leaves out, and its places filled.
fn complete(text: &str, places: &[(String, String)]) -> String {
    let mut whole = "version = 1\n".to_owned();
    for (section, lines) in [
        ("[admin]", "[admin]\nlisten = \"127.0.0.1:{admin}\"\n"),
        ("[server]", "[server]\nworkers = 1\n"),
        ("[log]", "[log]\naccess = { to = \"off\" }\n"),
        ("[[listener]]", "[[listener]]\naddress = \"127.0.0.1:{port}\"\n"),
        ("[pool.", "[pool.app]\nbackends = [\"{origin}\"]\n"),
    ] {
        let is_wanted = section != "[pool." || places.iter().any(|(name, _)| name == "origin");
        if is_wanted && !text.contains(section) {
            whole += lines;
        }
    }
    filled(&(whole + text), places)
}

fn filled(text: &str, places: &[(String, String)]) -> String {
    places.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

/// A port below those that the system gives to outgoing connections, so that nobody takes it meanwhile.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 10_000;
    const COUNT: u16 = 22_000;
    let start = (std::process::id().wrapping_mul(97) % u32::from(COUNT)) as u16;
    loop {
        let port = FIRST + (start + NEXT.fetch_add(1, Relaxed)) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

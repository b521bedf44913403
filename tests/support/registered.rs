use super::log::Log;
use super::weir::kill;
use super::{PATIENCE, Weir};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use tempfile::TempDir;

/// `weir register` at work, in a directory of its own; it ends with the test, as does its command.
pub struct Registered {
    child: Child,
    directory: TempDir,
    log: Log,
}

impl Registered {
    /// Registers a backend in the pool `app`.
    pub fn start(weir: &Weir, address: &str, more: &[&str], command: &[&str]) -> Registered {
        Registered::start_with(weir, address, "workers.token", more, command)
    }

    /// The same, with another token; none if it is empty.
    pub fn start_with(weir: &Weir, address: &str, token: &str, more: &[&str], command: &[&str]) -> Registered {
        Registered::start_by(Command::new(env!("CARGO_BIN_EXE_weir")), weir, address, token, more, command)
    }

    /// The same, with whoever is at those admin listeners; without a token.
    pub fn start_at(admins: &[&str], address: &str, command: &[&str]) -> Registered {
        let mut register = Command::new(env!("CARGO_BIN_EXE_weir"));
        register.args(["register", "--pool", "app", "--address", address]);
        register.args(admins.iter().flat_map(|admin| ["--admin", admin]));
        register.arg("--").args(command);
        Registered::start_it(register)
    }

    /// The same within a PID namespace of its own, its session begun outside of it. `None`, and it is said: that is not allowed here.
    pub fn start_contained(weir: &Weir, address: &str, command: &[&str]) -> Option<Registered> {
        let unshare = || {
            let mut unshare = Command::new("unshare");
            unshare.args(["--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child"]);
            unshare
        };
        if !unshare().arg("true").status().is_ok_and(|ended| ended.success()) {
            eprintln!("SKIPPED: no PID namespace can be made here");
            return None;
        }
        let mut weir_in_it = unshare();
        weir_in_it.arg(env!("CARGO_BIN_EXE_weir"));
        Some(Registered::start_by(weir_in_it, weir, address, "workers.token", &[], command))
    }

    fn start_by(
        mut register: Command,
        weir: &Weir,
        address: &str,
        token: &str,
        more: &[&str],
        command: &[&str],
    ) -> Registered {
        register.args(["register", "--pool", "app", "--address", address, "--admin", &weir.at("admin").to_string()]);
        if !token.is_empty() {
            register.arg("--token-file").arg(weir.path(token));
        }
        register.args(more).arg("--").args(command);
        Registered::start_it(register)
    }

    /// The same, with a standard error that nobody reads.
    pub fn start_unheard(weir: &Weir, address: &str, command: &[&str]) -> Registered {
        let (nobody, deaf) = std::io::pipe().unwrap();
        drop(nobody);
        let mut register = Command::new(env!("CARGO_BIN_EXE_weir"));
        register.args(["register", "--pool", "app", "--address", address, "--admin", &weir.at("admin").to_string()]);
        register.arg("--token-file").arg(weir.path("workers.token")).arg("--").args(command);
        Registered::start_to(register, deaf.into())
    }

    fn start_it(register: Command) -> Registered {
        Registered::start_to(register, Stdio::piped())
    }

    fn start_to(mut register: Command, error: Stdio) -> Registered {
        let directory = tempfile::tempdir().unwrap();
        register.current_dir(&directory).stdin(Stdio::null()).stdout(Stdio::null()).stderr(error);
        let mut child = register.spawn().unwrap();
        let log = child.stderr.take().map_or_else(|| Log::of(std::io::empty()), Log::of);
        Registered { child, directory, log }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Waits until it says that.
    pub fn said(&self, what: &str) -> bool {
        self.log.find(0, what).is_some()
    }

    pub fn signal(&self, name: &str) {
        assert!(kill(name, self.child.id()));
    }

    /// Waits for its end; its exit status.
    pub fn ends(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "it does not end:\n{}", self.log.text());
            std::thread::yield_now();
        }
        self.child.wait().unwrap().code()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        // Asked twice, it passes that on at once.
        while self.child.try_wait().is_ok_and(|ended| ended.is_none()) && Instant::now() < deadline {
            kill("TERM", self.child.id());
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let _ = self.child.kill();
    }
}

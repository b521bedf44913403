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
        let directory = tempfile::tempdir().unwrap();
        let mut register = Command::new(env!("CARGO_BIN_EXE_weir"));
        register.args(["register", "--pool", "app", "--address", address, "--admin", &weir.at("admin").to_string()]);
        if !token.is_empty() {
            register.arg("--token-file").arg(weir.path(token));
        }
        register.args(more).arg("--").args(command).current_dir(&directory);
        register.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = register.spawn().unwrap();
        let log = Log::of(child.stderr.take().unwrap());
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

use super::{eventually, free_port, kill, skipped};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A Redis server that ends with the test.
pub struct Redis {
    pub port: u16,
    settings: Vec<String>,
    process: Option<Child>,
    directory: TempDir,
}

impl Redis {
    /// An empty one; `None`, loudly, if the program is not there.
    pub fn start() -> Option<Redis> {
        Redis::start_with(tempfile::tempdir().unwrap(), &[])
    }

    /// The same with more settings, in a directory with the files that they name.
    pub fn start_with(directory: TempDir, settings: &[&str]) -> Option<Redis> {
        let settings = settings.iter().map(|&text| text.to_owned()).collect();
        let mut redis = Redis { port: free_port(), settings, process: None, directory };
        redis.begin().then_some(redis)
    }

    /// A sentinel, which is another mode of the same program.
    pub fn sentinel(settings: &[&str]) -> Option<Redis> {
        let settings: Vec<_> = ["--sentinel"].iter().chain(settings).copied().collect();
        Redis::start_with(tempfile::tempdir().unwrap(), &settings)
    }

    /// Runs it, on the port it had, without any data.
    pub fn begin(&mut self) -> bool {
        // A sentinel is to have a file, which it writes to.
        std::fs::write(self.directory.path().join("redis.conf"), "").unwrap();
        let started = Command::new("redis-server")
            .args(["redis.conf", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"])
            .arg(self.port.to_string())
            .args(&self.settings)
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match started {
            Ok(process) => self.process = Some(process),
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => {
                skipped("redis-server");
                return false;
            }
            Err(why) => panic!("{why}"),
        }
        // One that wants a password says so.
        let is_there = |said: String| said.starts_with("+PONG") || said.starts_with("-NOAUTH");
        eventually("redis answers", || self.says("PING").is_some_and(is_there));
        true
    }

    /// Ends it at once; its data are gone.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Sends a signal, such as STOP.
    pub fn signal(&self, name: &str) {
        assert!(kill(name, self.process.as_ref().unwrap().id()));
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The first bytes of the answer to an inline command.
    pub fn says(&self, command: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        stream.write_all(format!("{command}\r\n").as_bytes()).ok()?;
        let mut answer = [0; 4096];
        let len = stream.read(&mut answer).ok()?;
        Some(String::from_utf8_lossy(&answer[..len]).into_owned())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

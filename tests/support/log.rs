use super::PATIENCE;
use std::io::Read;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

/// The lines that a process writes, as they come.
#[derive(Clone, Default)]
pub struct Log(Arc<(Mutex<Lines>, Condvar)>);

#[derive(Default)]
struct Lines {
    all: Vec<String>,
    ended: bool,
}

impl Log {
    /// Reads `from` to its end, on a thread.
    pub fn of(mut from: impl Read + Send + 'static) -> Log {
        let log = Log::default();
        let theirs = log.clone();
        std::thread::spawn(move || {
            let (mut piece, mut rest) = (vec![0; PIPE], Vec::new());
            while let Ok(n @ 1..) = from.read(&mut piece) {
                rest.extend_from_slice(&piece[..n]);
                let whole = rest.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
                let text = String::from_utf8_lossy(&rest[..whole]).into_owned();
                rest.drain(..whole);
                // What was written at once is seen at once: the lines of an error belong together.
                theirs.0.0.lock().unwrap().all.extend(text.lines().map(str::to_owned));
                theirs.0.1.notify_all();
            }
            theirs.0.0.lock().unwrap().ended = true;
            theirs.0.1.notify_all();
        });
        log
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.0.0.lock().unwrap().all.len()
    }

    /// Everything so far.
    pub fn text(&self) -> String {
        self.0.0.lock().unwrap().all.join("\n")
    }

    /// Waits for a line from number `from` on that holds `part`; `None` if the process or our patience ends before.
    pub fn find(&self, from: usize, part: &str) -> Option<String> {
        self.find_any(from, &[part])
    }

    /// The same for a line that holds one of `parts`.
    pub fn find_any(&self, from: usize, parts: &[&str]) -> Option<String> {
        let deadline = Instant::now() + PATIENCE;
        let (lines, came) = &*self.0;
        let mut lines = lines.lock().unwrap();
        loop {
            if let Some(line) = lines.all.iter().skip(from).find(|line| parts.iter().any(|part| line.contains(part))) {
                return Some(line.clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if lines.ended || left.is_zero() {
                return None;
            }
            lines = came.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// Waits for the end of the writer, and gives all lines.
    pub fn all(&self) -> Vec<String> {
        let (lines, came) = &*self.0;
        let lines = lines.lock().unwrap();
        let (lines, _) = came.wait_timeout_while(lines, PATIENCE, |lines| !lines.ended).unwrap();
        lines.all.clone()
    }
}

/// Bytes that a pipe holds.
const PIPE: usize = 64 * 1024;

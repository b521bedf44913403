use super::log::Log;
use super::weir::kill;
use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// A program in a terminal of its own, in which output from the background is held up (`stty tostop`). What comes from it is passed
/// on; a line of input is a Ctrl-C. Ends as the program does.
pub struct Terminal {
    child: Child,
    keys: ChildStdin,
    log: Log,
}

/// A terminal becomes one that controls a process only in that process; Python's library does that.
const TERMINAL: &str = "
import os, pty, signal, sys, termios, threading
pid, fd = pty.fork()
if pid == 0:
    how = termios.tcgetattr(0)
    how[3] |= termios.TOSTOP | termios.ISIG
    termios.tcsetattr(0, termios.TCSANOW, how)
    os.execv(sys.argv[1], sys.argv[1:])
signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGTERM))
def types():
    for _ in sys.stdin:
        os.write(fd, bytes([3]))
threading.Thread(target=types, daemon=True).start()
while True:
    try:
        said = os.read(fd, 4096)
    except OSError:
        break
    if not said:
        break
    sys.stdout.buffer.write(said)
    sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
";

impl Terminal {
    /// `None`, and it is said: there is no Python.
    pub fn of(command: &[&str], directory: &Path) -> Option<Terminal> {
        let mut python = Command::new("python3");
        python.args(["-c", TERMINAL]).args(command).current_dir(directory);
        python.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let Ok(mut child) = python.spawn() else {
            super::skipped("python3");
            return None;
        };
        let (keys, log) = (child.stdin.take().unwrap(), Log::of(child.stdout.take().unwrap()));
        Some(Terminal { child, keys, log })
    }

    /// Somebody presses Ctrl and C.
    pub fn ctrl_c(&mut self) {
        self.keys.write_all(b"\n").unwrap();
    }

    /// Waits until that comes from it.
    pub fn said(&self, what: &str) -> bool {
        self.log.find(0, what).is_some()
    }

    /// Whether it has ended, and how.
    pub fn ended(&mut self) -> Option<Option<i32>> {
        self.child.try_wait().unwrap().map(|status| status.code())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Asked twice, what it runs passes that on at once.
        super::eventually("it ends", || {
            self.child.try_wait().is_ok_and(|ended| ended.is_some()) || {
                kill("TERM", self.child.id());
                std::thread::sleep(std::time::Duration::from_millis(20));
                false
            }
        });
    }
}
